"""Pictures and small networks with random weights that the tests of this package share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from limner.beauty import beautifier, beautify, predictability, train
from limner.beauty.beautifier import Beautifier
from limner.beauty.bilateral import BilateralImprover
from limner.beauty.improver import ConvolutionalImprover, TableImprover
from limner.beauty.predictor import ContextEncoder, UNet

Scene = Callable[..., Image.Image]
Network = TypeVar("Network", bound=nn.Module)


class SmallUNet(UNet):
    def __init__(self) -> None:
        super().__init__((8, 8))


class SmallContextEncoder(ContextEncoder):
    def __init__(self) -> None:
        super().__init__(4, 8)


class SmallBilateralImprover(BilateralImprover):
    def __init__(self) -> None:
        super().__init__(6)


class SmallTableImprover(TableImprover):
    def __init__(self) -> None:
        super().__init__(6)


class SmallConvolutionalImprover(ConvolutionalImprover):
    def __init__(self) -> None:
        super().__init__(6)


def shaken(network: nn.Module) -> nn.Module:
    """Give random weights to the layers that start at zero, or near it."""
    amounts = {"tables": 3.0, "light.weight": 0.1, "tones.weight": 0.2, "grid.weight": 0.3}
    for name, weight in network.named_parameters():
        if not weight.any() or name in amounts:
            nn.init.normal_(weight, 0, amounts.get(name, 0.05))
        elif isinstance(network, ContextEncoder) and weight.dim() > 1:
            weight.data *= 3  # so that the output depends on the input
    return network.requires_grad_(False).eval()


@contextmanager
def few_weights() -> Iterator[None]:
    """Make networks small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(beautifier.NETWORKS["default"], "good", SmallUNet)
        patch.setitem(beautifier.NETWORKS["default"], "closeness", SmallConvolutionalImprover)
        patch.setitem(beautifier.NETWORKS["default"], "relative", SmallBilateralImprover)
        patch.setitem(beautifier.NETWORKS["default"], "progress", SmallTableImprover)
        for name, make in (("bad", SmallContextEncoder), ("good", SmallContextEncoder)):
            patch.setitem(beautifier.NETWORKS["article"], name, make)
        for name in ("closeness", "progress"):
            patch.setitem(beautifier.NETWORKS["article"], name, SmallConvolutionalImprover)
        yield


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Use networks with few weights in the tests of this package, and in no others."""
    with few_weights(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "LONGER", 1)
        yield


@pytest.fixture(scope="session")
def drawn() -> Callable[[str], Beautifier]:
    """Return a beautifier with random weights, of preset ``default`` or ``article``."""

    def draw(preset: str) -> Beautifier:
        torch.manual_seed(1)
        with few_weights():
            networks = beautifier.NETWORKS[preset]
            return Beautifier({name: shaken(make()) for name, make in networks.items()})

    return draw


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, drawn: Callable[[str], Beautifier]) -> Path:
    """Its weights file, as a training saves it."""
    path = tmp_path_factory.mktemp("weights") / "beautifier.safetensors"
    beautifier.save(path, drawn("default"), {"preset": "default", "steps": 7})
    return path


@pytest.fixture
def shipped(model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same file, in place of the one that comes with limner."""
    for module in (beautify, predictability):
        monkeypatch.setattr(module, "SHIPPED", model)
    return model


def made_up(make: type[Network]) -> Network:
    """Return a small network with random weights."""
    torch.manual_seed(2)
    network = shaken(make())
    assert isinstance(network, make)
    return network


@pytest.fixture(scope="session")
def bilateral() -> BilateralImprover:
    return made_up(SmallBilateralImprover)


@pytest.fixture(scope="session")
def tables() -> TableImprover:
    return made_up(SmallTableImprover)


@pytest.fixture(scope="session")
def free() -> ConvolutionalImprover:
    return made_up(SmallConvolutionalImprover)


@pytest.fixture(scope="session")
def scene() -> Scene:
    """Paint soft spots of color with hard stripes across, and some grain."""

    def paint(width: int = 160, height: int = 140, seed: int = 0) -> Image.Image:
        random = np.random.default_rng(seed)
        coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        soft = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        y, x = np.mgrid[:height, :width]
        values = np.asarray(soft) * np.where((3 * x + (seed + 1) * y) % 61 < 25, 0.6, 1)[..., None]
        values += random.normal(0, 4, (height, width, 1))
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))

    return paint
