"""Pictures and small networks of random weights that the tests of this room share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from limner.beauty import beautifier, beautify, predictability
from limner.beauty.beautifier import Beautifier
from limner.beauty.improver import Free, Tables
from limner.beauty.predictor import Context, Predictor

Scene = Callable[..., Image.Image]


class SmallPredictor(Predictor):
    def __init__(self) -> None:
        super().__init__((8, 8))


class SmallContext(Context):
    def __init__(self) -> None:
        super().__init__(4, 8)


class SmallTables(Tables):
    def __init__(self) -> None:
        super().__init__(6)


class SmallFree(Free):
    def __init__(self) -> None:
        super().__init__(6)


def shaken(network: nn.Module) -> nn.Module:
    """Let also the layers act that begin at zero, or near."""
    amounts = {"tables": 3.0, "light.weight": 0.1}
    for name, weight in network.named_parameters():
        if not weight.any() or name in amounts:
            nn.init.normal_(weight, 0, amounts.get(name, 0.05))
        elif isinstance(network, Context) and weight.dim() > 1:
            weight.data *= 3  # so that of what goes in something comes out
    return network.requires_grad_(False).eval()


@contextmanager
def few_weights() -> Iterator[None]:
    """Let networks be small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(beautifier.OURS, "good", SmallPredictor)
        patch.setitem(beautifier.OURS, "closeness", SmallFree)
        for name in ("relative", "progress"):
            patch.setitem(beautifier.OURS, name, SmallTables)
        for name, make in (("bad", SmallContext), ("good", SmallContext)):
            patch.setitem(beautifier.ARTICLES, name, make)
        for name in ("closeness", "progress"):
            patch.setitem(beautifier.ARTICLES, name, SmallFree)
        yield


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Networks of few weights, in this room's tests and no others."""
    with few_weights():
        yield


@pytest.fixture(scope="session")
def drawn() -> Callable[[str], Beautifier]:
    """A beautifier of random weights: of preset ``default`` or ``article``."""

    def draw(preset: str) -> Beautifier:
        torch.manual_seed(1)
        with few_weights():
            makers = beautifier.OURS if preset == "default" else beautifier.ARTICLES
            return Beautifier({name: shaken(make()) for name, make in makers.items()})

    return draw


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, drawn: Callable[[str], Beautifier]) -> Path:
    """Its weights, as a training saves them."""
    path = tmp_path_factory.mktemp("weights") / "beautifier.safetensors"
    beautifier.save(path, drawn("default"), {"preset": "default", "steps": 7})
    return path


@pytest.fixture
def shipped(model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, where the verbs look for what ships."""
    for room in (beautify, predictability):
        monkeypatch.setattr(room, "SHIPPED", model)
    return model


@pytest.fixture(scope="session")
def tables() -> Tables:
    torch.manual_seed(2)
    network = shaken(SmallTables())
    assert isinstance(network, Tables)
    return network


@pytest.fixture(scope="session")
def free() -> Free:
    torch.manual_seed(2)
    network = shaken(SmallFree())
    assert isinstance(network, Free)
    return network


@pytest.fixture(scope="session")
def scene() -> Scene:
    """Soft spots of colour with hard stripes across and some grain."""

    def paint(width: int = 160, height: int = 140, seed: int = 0) -> Image.Image:
        random = np.random.default_rng(seed)
        coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        soft = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        y, x = np.mgrid[:height, :width]
        values = np.asarray(soft) * np.where((3 * x + (seed + 1) * y) % 61 < 25, 0.6, 1)[..., None]
        values += random.normal(0, 4, (height, width, 1))
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))

    return paint
