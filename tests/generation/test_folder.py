"""Is a folder enough to learn from? Counts, copies, variety, and the time it would take."""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import limner
from limner.errors import InputError, OptionError
from limner.generation.folder import ADVICE, Enough, _vendi, folder
from limner.generation.gan import lightweight_gan as light
from limner.generation.gan.presets import PRESETS
from small_painters import LIGHT

room: Any = import_module("limner.generation.folder")  # the name is the verb's, too
Paint = Callable[[int, int, int], Image.Image]
PLAIN_HOURS = room._hours


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No training: how long it takes is another question."""
    monkeypatch.setattr(room, "_hours", lambda resolution: resolution / 10)
    yield


def different(paint: Paint, folder: Path, count: int = 4) -> list[Image.Image]:
    """Pictures of 90 × 70 pixels, as 0.png and so on."""
    made = [paint(seed, 90, 70) for seed in range(count)]
    for number, picture in enumerate(made):
        picture.save(folder / f"{number}.png")
    return made


# --- what is there ---------------------------------------------------------------------------


def test_pictures_are_counted_once_and_what_is_not_used_is_named(
    paint: Paint, tmp_path: Path
) -> None:
    different(paint, tmp_path)
    (tmp_path / "within").mkdir()
    shutil.copy(tmp_path / "2.png", tmp_path / "within" / "copy.png")
    paint(9, 60, 60).save(tmp_path / "within" / "other.JPG")
    (tmp_path / "broken.png").write_bytes((tmp_path / "0.png").read_bytes()[:99])
    (tmp_path / "notes.txt").write_text("nobody's picture")
    found = folder(tmp_path)
    assert found.pictures == 5
    broken, copy = found.skipped
    assert copy == f"{tmp_path / 'within' / 'copy.png'}: is the same file as 2.png"
    assert broken.startswith(f"{tmp_path / 'broken.png'}: ") and "\n" not in broken
    assert found.alike == []
    said = str(found).splitlines()
    assert said[:2] == [f"not used: {broken}", f"not used: {copy}"]


def test_sides_are_those_of_the_files(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for width, height in ((90, 60), (200, 100), (80, 120), (300, 75), (64, 80)):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(tmp_path / f"{width}.png")
    found = folder(tmp_path)
    assert (found.smallest, found.usual) == (60, 75)  # of 60, 64, 75, 80, 100
    assert found.aspect == pytest.approx(1.5)  # of 2/3, 0.8, 1.5, 2, 4


def test_copies_that_were_saved_again_or_cut_are_found(paint: Paint, tmp_path: Path) -> None:
    first, second, *_ = different(paint, tmp_path, 6)
    assert folder(tmp_path).alike == []
    first.save(tmp_path / "saved.jpg", quality=80)
    second.crop((1, 2, 89, 69)).save(tmp_path / "trimmed.png")
    found = folder(tmp_path)
    assert found.pictures == 8 and found.skipped == []
    assert found.alike == [("0.png", "saved.jpg"), ("1.png", "trimmed.png")]
    assert "nearly the same: 0.png and saved.jpg" in str(found).splitlines()


def test_copies_with_the_same_pixels_are_found(paint: Paint, tmp_path: Path) -> None:
    first, *_ = different(paint, tmp_path)
    first.save(tmp_path / "same.bmp")
    found = folder(tmp_path)
    assert found.pictures == 5 and found.alike == [("0.png", "same.bmp")]


def test_it_says_all_numbers(paint: Paint, tmp_path: Path) -> None:
    different(paint, tmp_path)
    found = folder(tmp_path, resolution=128)
    assert found.hours == 12.8  # as the fixture has it
    first, second, advice, last = str(found).splitlines()
    assert first == f"4 pictures, as varied as {found.different:.0f} quite different ones"
    assert second == "short sides: 70 pixels at least, 70 usually; width to height 1.29"
    assert advice == found.advice and last.endswith("about 12.8 hours here")
    said = str(replace(found, pictures=321, different=67.4, smallest=89, usual=123, aspect=0.754))
    for number in ("321 pictures", " 67 quite", " 89 pixels", " 123 usually", " 0.75"):
        assert number in said


def test_it_is_a_verb(paint: Paint, tmp_path: Path) -> None:
    different(paint, tmp_path, 1)
    found = limner.folder(tmp_path)
    assert isinstance(found, Enough) and found.pictures == 1
    assert found.different == pytest.approx(1)


# --- how varied ------------------------------------------------------------------------------


def grouped(*sizes: int) -> Tensor:
    """Likeness of groups whose members are the same, and unlike all others."""
    whose = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return (whose[:, None] == whose).float()


@pytest.mark.parametrize("sizes", [(1,), (7,), (3, 3), (2,) * 5, (1,) * 9, (20, 20, 20)])
def test_the_vendi_score_counts_equal_groups(sizes: tuple[int, ...]) -> None:
    assert _vendi(grouped(*sizes)) == pytest.approx(len(sizes), abs=1e-4)
    shuffled = torch.randperm(sum(sizes), generator=torch.Generator().manual_seed(0))
    likeness = grouped(*sizes)[shuffled][:, shuffled]
    assert _vendi(likeness) == pytest.approx(len(sizes), abs=1e-4)


def test_the_vendi_score_of_unequal_groups_is_the_entropy_of_their_shares() -> None:
    shares = np.array([6, 3, 1]) / 10
    assert _vendi(grouped(6, 3, 1)) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_the_vendi_score_of_two_that_are_a_little_alike() -> None:
    """Eigenvalues of half of [[1, s], [s, 1]] are (1 + s) / 2 and (1 − s) / 2."""
    shares = np.array([0.8, 0.2])
    likeness = torch.tensor([[1, 0.6], [0.6, 1]])
    assert _vendi(likeness) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-5)


def test_copies_do_not_make_a_folder_more_varied(paint: Paint, tmp_path: Path) -> None:
    made = different(paint, tmp_path)
    once = folder(tmp_path)
    assert 1.5 < once.different <= 4
    for number, picture in enumerate(made):
        for ending in ("bmp", "tif"):
            picture.save(tmp_path / f"{number}.{ending}")
    thrice = folder(tmp_path)
    assert thrice.pictures == 12
    assert thrice.different == pytest.approx(once.different, rel=1e-3)
    paint(50, 90, 70).save(tmp_path / "new.png")
    assert folder(tmp_path).different > thrice.different


@pytest.mark.parametrize(
    ("score", "says"),
    [
        (1.0, "too few to train on: `limner generate --like PICTURE`"),
        (49.9, "too few to train on"),
        (50.0, "moods and textures at 64 pixels with --preset auto --mirror"),
        (499.9, "moods and textures"),
        (500.0, "coarse compositions at 64 to 128 pixels with --preset auto"),
        (4999.0, "coarse compositions"),
        (5000.0, "things and places with --preset auto"),
        (1e6, "things and places"),
    ],
)
def test_advice_goes_by_how_varied_it_is(
    score: float, says: str, paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    different(paint, tmp_path, 1)
    monkeypatch.setattr(room, "_vendi", lambda _: score)
    found = folder(tmp_path)
    assert says in found.advice and found.different == score
    assert [found.advice] == [text for _, text in ADVICE if says in text]


# --- how long --------------------------------------------------------------------------------


def test_hours_are_those_of_steps_with_and_without_a_penalty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first step takes 10 s, the others 3 and 2: of eight steps one is like the first."""
    clock, durations = [0.0], iter((10.0, 3.0, 2.0))
    asked: list[object] = []

    class Play:
        def __init__(self, *given: object) -> None:
            asked.append(given)

        def step(self, real: Tensor, step: int, share: float) -> None:
            asked.append((tuple(real.shape), step, share))
            clock[0] += next(durations)

    def build(*given: object) -> tuple[str, str]:
        asked.append(given)
        return "generator", "discriminator"

    plan = replace(PRESETS["auto"], every=8, steps=3000, batch_size=5)
    monkeypatch.setitem(PRESETS, "auto", plan)
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(room, "Game", Play)
    monkeypatch.setattr(room, "build", build)
    assert PLAIN_HOURS(128) == pytest.approx((10 + 7 * 2) / 8 * 3000 / 3600)
    first, second, *steps = asked
    assert first == ("light", (128, 128)) and second == ("generator", "discriminator", plan)
    assert steps == [((5, 3, 128, 128), number, 1.0) for number in range(3)]


def test_a_few_steps_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light, "WIDTHS", LIGHT)
    monkeypatch.setitem(PRESETS, "auto", replace(PRESETS["auto"], batch_size=2))
    before = torch.get_rng_state()
    hours = PLAIN_HOURS(64)
    assert torch.equal(torch.get_rng_state(), before)
    assert math.isfinite(hours) and 0 < hours < 100


# --- refused ---------------------------------------------------------------------------------


def refused(where: Path) -> str:
    with pytest.raises(InputError) as caught:
        folder(where)
    said = str(caught.value)
    assert "\n" not in said and said.startswith(f"{where}: ")
    return said.removeprefix(f"{where}: ")


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    assert "there is no such folder" in refused(tmp_path / "missing")
    assert refused(tmp_path) == "holds no pictures; name a folder of them"
    (tmp_path / "a.txt").write_text("a")
    assert "there is no such folder" in refused(tmp_path / "a.txt")
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_text("no picture")
    said = refused(tmp_path)
    assert said == "holds no pictures, and 2 files that cannot be read; name a folder of them"


@pytest.mark.parametrize("resolution", [0, 63, 96, 1024])
def test_resolutions_that_are_not_trained(resolution: int, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        folder(tmp_path, resolution=resolution)
    wanted = f"--resolution {resolution}: must be one of 64, 128, 256, 512"
    assert str(caught.value) == wanted
