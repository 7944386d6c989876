"""The weights of `beautify`: predictors, and the improvers that were trained with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from limner.beauty.bilateral import BilateralImprover
from limner.beauty.improver import ConvolutionalImprover, Improver, TableImprover
from limner.beauty.objective import Predictors
from limner.beauty.predictor import ContextEncoder, UNet, predictor_of
from limner.errors import WeightsError
from limner.nn import seeding, weights

# preset of the training -> the parts of its file, in the order in which they are trained
NETWORKS: dict[str, dict[str, type[nn.Module]]] = {
    "default": {
        "good": UNet,
        "relative": BilateralImprover,
        "progress": TableImprover,
        "closeness": ConvolutionalImprover,
    },
    "article": {
        "bad": ContextEncoder,
        "good": ContextEncoder,
        "closeness": ConvolutionalImprover,
        "progress": ConvolutionalImprover,
    },
}
PREDICTORS = ("good", "bad")  # the parts that predict; the others improve


class Beautifier:
    """Predictors and improvers.

    Parameters
    ----------
    parts : dict of str to nn.Module
        ``good``, the predictor; ``bad``, a badly trained one, in the article's recipe only; and
        improvers by the name of their method.
    """

    def __init__(self, parts: dict[str, nn.Module]) -> None:
        self.parts = parts

    @property
    def predictors(self) -> Predictors:
        """The good and the bad predictor. Without a bad network it is the harmonic fill."""
        good = predictor_of(self.parts["good"])
        bad = self.parts.get("bad")
        return Predictors(good) if bad is None else Predictors(good, predictor_of(bad))

    @property
    def methods(self) -> list[str]:
        """The methods that have an improver."""
        return [name for name in self.parts if name not in PREDICTORS]

    def improver(self, method: str) -> Improver | None:
        """Return the improver of a method, if there is one."""
        return cast(Improver | None, self.parts.get(method))


def save(path: Path, beautifier: Beautifier, options: Mapping[str, object]) -> None:
    """Write the weights in half precision, with the options of their training."""
    state: dict[str, Tensor] = {}
    for name, part in beautifier.parts.items():
        state |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
    about = {
        "kind": "beautifier",
        "license": "Apache-2.0",
        "recipe": "recipes/beautifier.md",
        "architecture": options["preset"],
        "training": dict(options),
    }
    weights.write(path, weights.halved(state), about)


def load(path: Path, device: torch.device | str = "cpu") -> Beautifier:
    """Read the weights of a beautifier.

    Parameters
    ----------
    path : Path
        What `save` wrote.
    device : torch.device or str
        Where its networks compute.

    Raises
    ------
    WeightsError
        The file is missing or damaged, or holds other weights.
    """
    state, about = weights.read_described(path)
    if about.get("kind") != "beautifier":
        raise WeightsError(
            f"{path}: holds no beautifier weights; make some with `limner train beautifier`"
        )
    makers = NETWORKS.get(about.get("architecture", ""), NETWORKS["default"])
    present = {key.partition(".")[0] for key in state}
    with seeding.preserved():
        parts = {
            name: make() for name, make in makers.items() if name in present or name in PREDICTORS
        }
    for name, part in parts.items():
        own = {k.partition(".")[2]: v for k, v in state.items() if k.partition(".")[0] == name}
        weights.fill(part, own, f"{path}: {name}")
        part.requires_grad_(False).eval().to(device)
    good: nn.Module = parts["good"]
    good.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on CPUs
    return Beautifier(parts)
