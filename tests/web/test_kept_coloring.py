"""A page keeps what it knows of its drawing, and makes what `limner.colorize` makes."""

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
from limner.io import recipe_of
from limner.nn import weights
from limner.progress import OnStep, silent
from limner.web.calls import make_call
from limner.web.forms import TABS
from limner.web.session import Result, Session

TAB = next(tab for tab in TABS if tab.verb == "colorize")
FIRST, SECOND = (slice(20, 60), slice(20, 60)), (slice(20, 60), slice(100, 140))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights: its colors mean nothing."""
    torch.manual_seed(0)
    network = Colorizer()
    network.colors.uniform_()
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    weights.write(path, network.state_dict(), {"kind": "colorizer", "size": "64"})
    return path


@pytest.fixture
def session(tmp_path: Path, model: Path) -> Session:
    """A page with a network and a drawing of two boxes, 160 × 80 pixels."""
    made = Session(tmp_path / "page")
    made.slots["colorize.model.0"] = made.add_weights(model, model.name)
    show(made, tmp_path, "boxes.png", 160)
    return made


def show(session: Session, folder: Path, name: str, width: int) -> None:
    """Put another drawing on the page."""
    sheet = Image.new("RGB", (width, 80), "white")
    pen = ImageDraw.Draw(sheet)
    for left in range(15, width - 40, 80):
        pen.rectangle((left, 15, left + 50, 65), outline="black", width=2)
    sheet.save(folder / name)
    session.slots["colorize.sketch.0"] = session.add_picture(folder / name, name)


def color(session: Session, on_step: OnStep = silent, **values: Any) -> Result:
    """Press the button."""
    call = make_call(TAB, values, session.files("colorize"), session.folder)
    return session.work(call, ".png")(on_step)


def rgb(picture: Path | Image.Image) -> Any:
    image = Image.open(picture) if isinstance(picture, Path) else picture
    return np.asarray(image.convert("RGB")).astype(int)


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
    session: Session, found: list[tuple[int, ...]]
) -> None:
    for hint, red in (("40,40=#ff0000", FIRST), ("120,40=#ff0000", SECOND)):
        made = rgb(color(session, hint=hint).pictures[0].path)
        for box in (FIRST, SECOND):
            assert (abs(made[box] - (255, 0, 0)).max() == 0) == (box == red)
    color(session, palette="gold,navy", vivid=1.5, lines="drop", variations=2, layers=True)
    assert found == [(80, 160)]


@pytest.mark.parametrize("values", [{"gap": "9"}, {"size": "80"}, {"force": True}])
def test_other_options_of_the_drawing_look_again(
    session: Session, found: list[tuple[int, ...]], values: dict[str, Any]
) -> None:
    for each in ({}, values, values):
        color(session, **each)
    assert len(found) == 2


def test_it_equals_the_verb(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, Any] = {"variations": 2, "seed": 3, "flats": True, "gap": "5"}
    color(session, **values)
    notes: list[str] = []
    again = color(
        session, lambda p: notes.append(p.note), **values, hint="40,40=gold; 90,5=#123456"
    )
    monkeypatch.chdir(session.folder)
    plain: list[str] = []
    ours = limner.colorize(
        "boxes.png",
        hint=["40,40=gold", "90,5=#123456"],
        variations=2,
        seed=3,
        flats=True,
        gap=5,
        model="model.safetensors",
        on_step=lambda p: plain.append(p.note),
    )
    assert np.array_equal(rgb(again.pictures[0].path), rgb(ours))
    assert notes == plain and "regions" in notes[1]
    assert {path.name for path in again.side_files} == {
        f"colorize-2-{name}.png" for name in ours.info["beside"]
    }
    for path in again.side_files:
        name = path.stem.rpartition("-")[2]
        assert np.array_equal(rgb(path), rgb(ours.info["beside"][name]))
    limner.write(ours, Path("ours.png"))
    assert recipe_of(again.pictures[0].path) == recipe_of("ours.png")


def test_painted_hints_and_their_removal(session: Session, found: list[tuple[int, ...]]) -> None:
    plain = rgb(color(session).pictures[0].path)
    painted = Image.new("RGBA", (160, 80))
    ImageDraw.Draw(painted).line((35, 40, 50, 40), (0, 200, 0, 255), 5)
    painted.save(session.folder / "hints.png")
    session.painted_hints = session.register(session.folder / "hints.png")
    result = color(session)
    assert result.side_files == [session.folder / "hints.png"]
    assert (rgb(result.pictures[0].path)[FIRST] == (0, 200, 0)).all()
    with pytest.raises(OptionError, match="“Hints” self: there is a file too"):
        color(session, hints="self")
    session.painted_hints = None
    assert np.array_equal(rgb(color(session).pictures[0].path), plain)
    assert len(found) == 1


def test_a_mistake_keeps_the_regions(session: Session, found: list[tuple[int, ...]]) -> None:
    with pytest.raises(OptionError, match=r"^“Hints as points” 200,5: is outside"):
        color(session, hint="200,5=red")
    color(session, hint="100,5=red")
    assert len(found) == 1


def test_another_drawing_takes_the_place(
    session: Session, tmp_path: Path, found: list[tuple[int, ...]]
) -> None:
    color(session)
    show(session, tmp_path, "wide.png", 240)
    session.coloring.drop_old()  # as the page does when its slot changes
    assert session.coloring._kept is None
    assert color(session).pictures[0].size == (240, 80)
    assert found == [(80, 160), (80, 240)]


@pytest.mark.parametrize("event", ["cleared", "closed"])
def test_nothing_is_kept_of_a_drawing_that_went_away_meanwhile(
    session: Session, event: str
) -> None:
    def go_away(_: object) -> None:
        if event == "closed":
            session.close()
            session.folder.mkdir(exist_ok=True)  # the job that still runs writes its picture
        else:
            session.slots.pop("colorize.sketch.0", None)
            session.coloring.drop_old()

    color(session)
    assert session.coloring._kept is not None
    color(session, go_away)
    assert session.coloring._kept is None
