"""A beautifier's weights: what predicts, and the improvers that were trained with it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from limner.beauty.improver import Free, Tables
from limner.beauty.objective import Eye
from limner.beauty.predictor import Context, Predictor, rebuilt, rebuilt_by_windows
from limner.errors import WeightsError
from limner.nn import weights

# what is made for each part of a file, in the order in which they are trained
OURS: dict[str, type[nn.Module]] = {
    "good": Predictor,
    "relative": Tables,
    "progress": Tables,
    "closeness": Free,
}
ARTICLES: dict[str, type[nn.Module]] = {
    "bad": Context,
    "good": Context,
    "closeness": Free,
    "progress": Free,
}
PREDICTORS = ("good", "bad")


class Beautifier:
    """Predictors, and improvers by the name of their method.

    Parameters
    ----------
    parts : dict of str to nn.Module
        ``good``, what has learnt to predict; with the article's also ``bad``, what was trained
        badly, for which ours has the harmonic fill; and improvers.
    """

    def __init__(self, parts: dict[str, nn.Module]) -> None:
        self.parts = parts

    @property
    def eye(self) -> Eye:
        """Those that predict."""
        good = self.parts["good"]
        if isinstance(good, Predictor):
            return Eye(partial(rebuilt, good))
        bad = cast(Context, self.parts["bad"])
        return Eye(
            partial(rebuilt_by_windows, cast(Context, good)), partial(rebuilt_by_windows, bad)
        )

    @property
    def methods(self) -> list[str]:
        """What there are improvers for."""
        return [name for name in self.parts if name not in PREDICTORS]

    def improver(self, method: str) -> Tables | Free | None:
        """What was trained for a method, if anything was."""
        return cast(Tables | Free | None, self.parts.get(method))


def save(path: Path, beautifier: Beautifier, options: Mapping[str, object]) -> None:
    """Write the weights, in half precision."""
    state: dict[str, Tensor] = {}
    for name, part in beautifier.parts.items():
        state |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
    about = {
        "kind": "beautifier",
        "licence": "Apache-2.0",
        "recipe": "recipes/beautifier.md",
        "architecture": options["preset"],
        "training": dict(options),
    }
    weights.write(path, weights.halved(state), about)


def load(path: Path) -> Beautifier:
    """Read a beautifier's weights.

    Raises
    ------
    WeightsError
        The file is missing, damaged or of another network.
    """
    state = weights.read(path)
    about = weights.describe(path) if path.suffix == ".safetensors" else {}
    if about.get("kind") != "beautifier":
        raise WeightsError(f"{path}: no beautifier's weights; `limner train beautifier` makes some")
    makers = ARTICLES if about.get("architecture") == "article" else OURS
    there = {key.partition(".")[0] for key in state}
    parts = {name: make() for name, make in makers.items() if name in there or name in PREDICTORS}
    for name, part in parts.items():
        own = {k.partition(".")[2]: v for k, v in state.items() if k.partition(".")[0] == name}
        weights.fill(part, own, f"{path}: {name}")
        part.requires_grad_(False).eval()
    cast(Any, parts["good"]).to(memory_format=torch.channels_last)  # nearly twice as fast on CPUs
    return Beautifier(parts)
