"""Load a colorizing network from its weights file."""

from pathlib import Path

import torch

from limner.colorization.network import Colorizer
from limner.colorization.pix2pix import UNet
from limner.errors import WeightsError, printable
from limner.nn import onnx_model, seeding, weights

MIN_SIZE, MAX_SIZE = 64, 1024  # pixels of the short side at which the network works


def load(path: Path) -> Colorizer | UNet:
    """Read a colorizing network from its weights file.

    Raises
    ------
    WeightsError
        The file is missing, damaged or of another kind.
    """
    state, about = weights.read_described(path)
    if about.get("kind") != "colorizer":
        raise WeightsError(
            f"{printable(path)}: not weights for colorizing; use a file made by limner train "
            "colorizer"
        )
    with seeding.preserved():
        network = UNet() if about.get("architecture") == "article" else Colorizer()
    size = about.get("size", str(network.size))
    if not size.isdecimal() or not MIN_SIZE <= int(size) <= MAX_SIZE:
        raise WeightsError(
            f"{printable(path)}: says it was trained at {printable(size)} pixels; must be from "
            f"{MIN_SIZE} to {MAX_SIZE}; use another file"
        )
    network.size = int(size)
    weights.fill(network, state, str(path))
    network.requires_grad_(False)
    return network.eval()


def use_onnx_runtime(network: Colorizer | UNet) -> None:
    """Let ONNX Runtime compute a network on the CPU. Changes the network."""
    side = network.multiple
    if isinstance(network, UNet):
        onnx_model.use_onnx_runtime(network, "forward", [torch.zeros(1, 1, side, side)])
    else:
        inputs = [torch.zeros(1, 3, side, side)]
        onnx_model.use_onnx_runtime(network, "see", inputs, {"x0": {2: "height", 3: "width"}})
