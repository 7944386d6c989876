"""The studio keeps what it knows of the last drawing, and makes what `limner.colorize` makes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import limner
from limner.colorization import regions
from limner.colorization.network import Colorizer
from limner.errors import OptionError
from limner.nn import weights
from limner.web.kept_coloring import KeptColoring

FIRST, SECOND = (slice(20, 60), slice(20, 60)), (slice(20, 60), slice(100, 140))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network with random weights: its colors mean nothing."""
    torch.manual_seed(0)
    network = Colorizer()
    network.colors.uniform_()
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    weights.write(path, network.state_dict(), {"kind": "colorizer", "size": "64"})
    return str(path)


@pytest.fixture
def drawing(tmp_path: Path) -> str:
    """Two boxes, 160 × 80 pixels."""
    return boxes(tmp_path / "boxes.png", 160)


def boxes(path: Path, width: int) -> str:
    sheet = Image.new("RGB", (width, 80), "white")
    pen = ImageDraw.Draw(sheet)
    for left in range(15, width - 40, 80):
        pen.rectangle((left, 15, left + 50, 65), outline="black", width=2)
    sheet.save(path)
    return str(path)


def rgb(picture: Image.Image) -> Any:
    return np.asarray(picture.convert("RGB")).astype(int)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the drawings whose regions were looked for."""
    shapes: list[tuple[int, ...]] = []
    find = regions.find

    def finding(ink: Any, *more: Any) -> Any:
        shapes.append(ink.shape)
        return find(ink, *more)

    monkeypatch.setattr(regions, "find", finding)
    return shapes


def test_a_changed_hint_does_not_look_for_the_regions_again(
    drawing: str, model: str, found: list[tuple[int, ...]]
) -> None:
    kept = KeptColoring()
    for hint, red in (("40,40=#ff0000", FIRST), ("120,40=#ff0000", SECOND)):
        made = rgb(kept.colorize(drawing, model=model, hint=[hint]))
        for box in (FIRST, SECOND):
            assert (abs(made[box] - (255, 0, 0)).max() == 0) == (box == red)
    kept.colorize(drawing, model=model, palette="gold,navy", vivid=1.5, lines="drop")
    assert found == [(80, 160)]


@pytest.mark.parametrize("options", [{"gap": 9}, {"size": 80}, {"force": True}])
def test_other_options_of_the_drawing_look_again(
    drawing: str, model: str, found: list[tuple[int, ...]], options: dict[str, Any]
) -> None:
    kept = KeptColoring()
    for each in ({}, options, options):
        kept.colorize(drawing, model=model, **each)
    assert len(found) == 2


def test_it_equals_the_verb(drawing: str, model: str) -> None:
    kept = KeptColoring()
    options: dict[str, Any] = {"variations": 2, "seed": 3, "flats": True, "gap": 5, "model": model}
    kept.colorize(drawing, **options)
    hint = ["40,40=gold", "90,5=#123456"]
    notes: list[str] = []
    again = kept.colorize(drawing, **options, hint=hint, on_step=lambda p: notes.append(p.note))
    plain: list[str] = []
    ours = limner.colorize(drawing, **options, hint=hint, on_step=lambda p: plain.append(p.note))
    assert np.array_equal(rgb(again), rgb(ours))
    assert notes == plain and "regions" in notes[1]
    assert again.info["limner"] == ours.info["limner"]
    for name, view in ours.info["beside"].items():
        assert np.array_equal(rgb(again.info["beside"][name]), rgb(view))


def test_a_mistake_keeps_the_regions(
    drawing: str, model: str, found: list[tuple[int, ...]]
) -> None:
    kept = KeptColoring()
    with pytest.raises(OptionError, match="200,5: is outside"):
        kept.colorize(drawing, model=model, hint=["200,5=red"])
    kept.colorize(drawing, model=model, hint=["100,5=red"])
    assert len(found) == 1


def test_another_drawing_takes_the_place(
    drawing: str, model: str, tmp_path: Path, found: list[tuple[int, ...]]
) -> None:
    kept = KeptColoring()
    kept.colorize(drawing, model=model)
    wide = boxes(tmp_path / "wide.png", 240)
    assert kept.colorize(wide, model=model).size == (240, 80)
    assert found == [(80, 160), (80, 240)]
    kept.drop()
    assert kept._kept is None
