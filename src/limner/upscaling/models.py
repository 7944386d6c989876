"""Build the network that a weights file is for: one of ours, or one that spandrel knows."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from limner.errors import OptionError, WeightsError, printable, reason
from limner.nn import onnx_model, seeding, weights
from limner.upscaling import ncnn
from limner.upscaling.compact import Compact
from limner.upscaling.rrdb import RRDB, rename_keys


class SpandrelModel(nn.Module):
    """A network that spandrel built, of an architecture that limner does not have."""

    # Its receptive field is unknown: tiles get this margin and are blended over twice the feather,
    # both in pixels of the input.
    radius, feather = 32, 16

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.scale: int = descriptor.scale
        self.network = descriptor.model
        self._descriptor = descriptor  # calling it pads the input as the network needs

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge a picture [N, 3, H, W] in 0..1 to [N, 3, scale·H, scale·W]."""
        large: Tensor = self._descriptor(picture)
        return large


Upscaler = Compact | RRDB | SpandrelModel


def load(path: Path, device: torch.device) -> Upscaler:
    """Read the weights of an upscaler, and build its network. torch's random state is kept.

    Compact networks and ESRGAN are built here, all others by spandrel, if it is installed (the
    extra ``models``). Nothing but tensors is unpickled. A ``.param`` file is one of ncnn.

    Raises
    ------
    WeightsError
        The file is missing or damaged, could run code, or is for another kind of network.
    """
    graph = ncnn.Graph(path) if path.suffix == ".param" else None
    state = graph.state if graph else weights.read(path)
    with seeding.preserved():
        network = _build(state, path)
    network.requires_grad_(False).eval()
    if graph:
        graph.check(network)
    return network.to(device)


def use_onnx_runtime(network: Upscaler) -> None:
    """Let ONNX Runtime compute a network on the CPU. Changes the network.

    Raises
    ------
    OptionError
        The network is one of spandrel's: many of them cannot be converted for all sizes.
    """
    if isinstance(network, SpandrelModel):
        raise OptionError(
            "--runtime onnxruntime: only for ESRGAN and compact networks; leave it out"
        )
    sides = {"x0": {2: "height", 3: "width"}}
    onnx_model.use_onnx_runtime(network, "forward", [torch.zeros(1, 3, 64, 48)], sides)


def interpolate(network: Upscaler, variant: Upscaler, detail: float, name: str) -> None:
    """Move the weights of a network toward those of its perceptual variant, in place.

    Network interpolation of ESRGAN (Wang et al. 2018, section 3.4).

    Parameters
    ----------
    network : Upscaler
        The faithful network. Its weights change.
    variant : Upscaler
        The perceptual variant, trained from the same weights.
    detail : float
        0 for the faithful weights, 1 for those of the variant.
    name : str
        Name of the variant's weights file, for the error.

    Raises
    ------
    WeightsError
        The two networks do not have the same layers.
    """
    ours, theirs = network.state_dict(), variant.state_dict()
    if {k: v.shape for k, v in ours.items()} != {k: v.shape for k, v in theirs.items()}:
        raise WeightsError(
            f"{printable(name)}: has other layers than the weights of --model; use two variants of "
            "one network"
        )
    mixed = {k: v.lerp(theirs[k], detail) for k, v in ours.items() if v.is_floating_point()}
    network.load_state_dict(ours | mixed)


def _build(state: dict[str, Tensor], path: Path) -> Upscaler:
    """Build the network for a state dict, and load it."""
    network: Compact | RRDB | None = None
    try:
        if "body.0.weight" in state:
            network = _compact(state)
        elif any("conv_first" in key or key.startswith("model.0.") for key in state):
            renamed = rename_keys(state)
            network = _rrdb(renamed)
            state = renamed
    except (KeyError, ValueError, IndexError, TypeError):  # similar keys, but other shapes
        network = None
    if network is None or state.keys() - network.state_dict().keys():
        return _from_spandrel(state, path)
    weights.fill(network, state, str(path))
    return network


def _from_spandrel(state: Mapping[str, Tensor], path: Path) -> SpandrelModel:
    """Let spandrel build the network."""
    keys = printable(", ".join(list(state)[:3]))
    name = printable(path)
    unknown = f"{name}: not weights of a compact upscaler or of ESRGAN (its first tensors: {keys})"
    try:
        import spandrel
    except Exception as error:  # torchvision raises RuntimeError with another build of torch
        remedy = "use weights of one of these, or install limner[models] for other networks"
        if not isinstance(error, ImportError):
            remedy = (
                f"spandrel, which knows other networks, cannot be imported ({reason(error)}); "
                "install limner[models] again"
            )
        raise WeightsError(f"{unknown}; {remedy}") from error
    try:
        found = spandrel.ModelLoader().load_from_state_dict(dict(state))
    except Exception as error:  # its own exceptions, and many others for unexpected shapes
        raise WeightsError(
            f"{unknown}, and spandrel does not know them either; use weights of an upscaler"
        ) from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or (
        (found.input_channels, found.output_channels) != (3, 3)
    ):
        raise WeightsError(f"{name}: not for upscaling RGB pictures; use weights of an upscaler")
    return SpandrelModel(found)


def _compact(state: Mapping[str, Tensor]) -> Compact:
    """Build a compact network from the shapes of its weights."""
    convolutions = [key for key, value in state.items() if value.dim() == 4]
    last = max(convolutions, key=lambda key: int(key.split(".")[1]))
    scale = math.isqrt(len(state[last]) // 3)
    if not 1 <= scale <= 4 or len(state[last]) != 3 * scale**2:
        raise ValueError(last)
    width, depth = len(state["body.0.weight"]), len(convolutions) - 2
    return Compact(width, depth, scale, smooth="smooth" in state)


def _rrdb(state: Mapping[str, Tensor]) -> RRDB:
    """Build ESRGAN's network from the shapes of its weights."""
    width, channels, *_ = state["conv_first.weight"].shape
    growth = len(state["body.0.rdb1.conv1.weight"])
    depth = len({key.split(".")[1] for key in state if re.match(r"body\.\d+\.rdb", key)})
    doublings = sum(bool(re.fullmatch(r"conv_up\d\.weight", key)) for key in state)
    unshuffle = {3: 1, 12: 2, 48: 4}[channels]
    if 2**doublings < unshuffle:
        raise ValueError(doublings)
    return RRDB(width, growth, depth, doublings, unshuffle)
