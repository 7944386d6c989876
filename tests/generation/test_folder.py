"""Is a folder enough to learn from? Counts, copies, variety, and the time it would take."""

import json
import math
import os
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
from blobs import blobs
from limner.errors import InputError, OptionError
from limner.generation.folder import ADVICE, FolderReport, _vendi_score, folder
from limner.generation.gan import lightweight_gan
from limner.generation.gan.presets import PRESETS
from small_painters import LIGHTWEIGHT_WIDTHS

module: Any = import_module("limner.generation.folder")  # the name is also the verb's
Run = Callable[..., tuple[int, str, str]]
Paint = Callable[[int, int, int], Image.Image]
ESTIMATE_HOURS = module._estimate_hours


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No training: how long it takes is another question."""
    monkeypatch.setattr(module, "_estimate_hours", lambda resolution, _: resolution / 10)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.25, 9.0, 9.0), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    yield


def different(paint: Paint, folder: Path, count: int = 4) -> list[Image.Image]:
    """Pictures of 90 × 70 pixels, as 0.png and so on."""
    made = [paint(seed, 90, 70) for seed in range(count)]
    for number, picture in enumerate(made):
        picture.save(folder / f"{number}.png")
    return made


# --- what is there ---------------------------------------------------------------------------


def test_pictures_are_counted_once_and_unused_files_are_named(paint: Paint, tmp_path: Path) -> None:
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
    assert found.near_duplicates == []
    said = str(found).splitlines()
    assert said[:2] == [f"not used: {broken}", f"not used: {copy}"]


def test_sides_are_those_of_the_files(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for width, height in ((90, 60), (200, 100), (80, 120), (300, 75), (64, 80)):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(tmp_path / f"{width}.png")
    found = folder(tmp_path)
    assert (found.smallest_side, found.median_side) == (60, 75)  # of 60, 64, 75, 80, 100
    assert found.aspect == pytest.approx(1.5)  # of 2/3, 0.8, 1.5, 2, 4


def test_copies_that_were_saved_again_or_cut_are_found(paint: Paint, tmp_path: Path) -> None:
    first, second, *_ = different(paint, tmp_path, 6)
    assert folder(tmp_path).near_duplicates == []
    first.save(tmp_path / "saved.jpg", quality=80)
    second.crop((1, 2, 89, 69)).save(tmp_path / "trimmed.png")
    found = folder(tmp_path)
    assert found.pictures == 8 and found.skipped == []
    assert found.near_duplicates == [["0.png", "saved.jpg"], ["1.png", "trimmed.png"]]
    assert "nearly the same: 0.png and saved.jpg" in str(found).splitlines()
    odd = replace(found, near_duplicates=[["a\x1b[31m.png", "b.png"]])
    assert "nearly the same: a?[31m.png and b.png" in str(odd).splitlines()


def test_copies_are_told_in_groups_and_at_most_ten_of_them(tmp_path: Path, paint: Paint) -> None:
    first, *others = different(paint, tmp_path, 13)
    for quality in range(60, 72):
        first.save(tmp_path / f"saved{quality}.jpg", quality=quality)
    for number, other in enumerate(others, 1):
        other.save(tmp_path / f"again{number}.jpg", quality=90)
    found = folder(tmp_path)
    sizes = sorted(map(len, found.near_duplicates))
    assert sizes == [2] * 12 + [13]
    lines = [line for line in str(found).splitlines() if line.startswith("nearly the same: ")]
    assert len(lines) == 11 and lines[-1] == "nearly the same: 3 more groups; --json lists all"
    assert lines[0].endswith("saved68.jpg and 3 more")


def test_copies_with_the_same_pixels_are_found(paint: Paint, tmp_path: Path) -> None:
    first, *_ = different(paint, tmp_path)
    first.save(tmp_path / "same.bmp")
    found = folder(tmp_path)
    assert found.pictures == 5 and found.near_duplicates == [["0.png", "same.bmp"]]


def test_it_says_all_numbers(paint: Paint, tmp_path: Path) -> None:
    different(paint, tmp_path)
    found = folder(tmp_path, resolution=128, device="cpu")
    assert found.hours == 12.8  # as the fixture has it
    first, second, advice, last = str(found).splitlines()
    assert first == f"4 pictures, as varied as {found.different:.0f} entirely different ones"
    assert second == "short side: at least 70 pixels, median 70; width to height: median 1.29"
    assert advice == found.advice and "about 12.8 hours on this machine (cpu)" in last
    said = str(
        replace(
            found, pictures=321, different=67.4, smallest_side=89, median_side=123, aspect=0.754
        )
    )
    for number in ("321 pictures", " 67 entirely", " 89 pixels", " median 123", " 0.75"):
        assert number in said


def test_it_is_a_verb(paint: Paint, tmp_path: Path) -> None:
    different(paint, tmp_path, 1)
    found = limner.folder(tmp_path)
    assert isinstance(found, FolderReport) and found.pictures == 1
    assert found.different == pytest.approx(1)


# --- how varied ------------------------------------------------------------------------------


def grouped(*sizes: int) -> Tensor:
    """Likeness of groups whose members are the same, and unlike all others."""
    whose = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return (whose[:, None] == whose).float()


@pytest.mark.parametrize("sizes", [(1,), (7,), (3, 3), (2,) * 5, (1,) * 9, (20, 20, 20)])
def test_the_vendi_score_counts_equal_groups(sizes: tuple[int, ...]) -> None:
    assert _vendi_score(grouped(*sizes)) == pytest.approx(len(sizes), abs=1e-4)
    shuffled = torch.randperm(sum(sizes), generator=torch.Generator().manual_seed(0))
    likeness = grouped(*sizes)[shuffled][:, shuffled]
    assert _vendi_score(likeness) == pytest.approx(len(sizes), abs=1e-4)


def test_the_vendi_score_of_unequal_groups_is_the_entropy_of_their_shares() -> None:
    shares = np.array([6, 3, 1]) / 10
    assert _vendi_score(grouped(6, 3, 1)) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_the_vendi_score_of_two_that_are_a_little_alike() -> None:
    """Eigenvalues of half of [[1, s], [s, 1]] are (1 + s) / 2 and (1 − s) / 2."""
    shares = np.array([0.8, 0.2])
    likeness = torch.tensor([[1, 0.6], [0.6, 1]])
    assert _vendi_score(likeness) == pytest.approx(
        np.exp(-(shares * np.log(shares)).sum()), rel=1e-5
    )


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
        (1.0, "too little to train on. `limner generate --like PICTURE`"),
        (49.9, "too little to train on"),
        (50.0, "moods and textures at 64 pixels, but not for objects"),
        (499.9, "moods and textures"),
        (500.0, "rough compositions at 64 to 128 pixels. Train with --preset auto"),
        (4999.0, "rough compositions"),
        (5000.0, "objects and places. Train with --preset auto"),
        (1e6, "objects and places"),
    ],
)
def test_advice_goes_by_how_varied_it_is(
    score: float, says: str, paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    different(paint, tmp_path, 1)
    monkeypatch.setattr(module, "_vendi_score", lambda _: score)
    found = folder(tmp_path)
    assert says in found.advice and found.different == score
    assert [found.advice] == [text for _, text in ADVICE if says in text]


# --- how long --------------------------------------------------------------------------------


def test_hours_are_those_of_steps_with_and_without_a_penalty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A first step prepares the device and does not count; of eight steps one has a penalty."""
    clock, durations = [0.0], iter((100.0, 10.0, 3.0, 2.0))
    calls: list[object] = []

    class Stage:
        def step(self, real: Tensor, step: int, share: float) -> None:
            calls.append((tuple(real.shape), real.device.type, step, share))
            clock[0] += next(durations)

    def make_stage(*given: object) -> Stage:
        calls.append(given)
        return Stage()

    plan = replace(PRESETS["auto"], penalty_every=8, steps=3000, batch_size=5)
    monkeypatch.setitem(PRESETS, "auto", plan)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(module, "make_stage", make_stage)
    device = torch.device("meta")
    assert ESTIMATE_HOURS(128, device) == pytest.approx((10 + 7 * 2) / 8 * 3000 / 3600)
    first, *steps = calls
    assert first == (plan, (128, 128), device)
    assert steps == [((5, 3, 128, 128), "meta", number, 1.0) for number in (0, 0, 1, 2)]


def test_the_time_is_measured_on_the_device_that_is_asked_for(
    paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    different(paint, tmp_path, 1)
    devices: list[torch.device] = []
    monkeypatch.setattr(module, "_estimate_hours", lambda _, device: devices.append(device) or 1.0)
    for name in ("cpu", "auto"):
        monkeypatch.setattr(module.devices, "pick", lambda name: torch.device(f"cuda:{len(name)}"))
        found = folder(tmp_path, device=name)
        assert devices[-1] == torch.device(f"cuda:{len(name)}") and found.device == "cuda"
        assert "(cuda)" in str(found).splitlines()[-1]


def test_a_few_steps_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightweight_gan, "WIDTHS", LIGHTWEIGHT_WIDTHS)
    monkeypatch.setitem(PRESETS, "auto", replace(PRESETS["auto"], batch_size=2))
    before = torch.get_rng_state()
    hours = ESTIMATE_HOURS(64, torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), before)
    assert math.isfinite(hours) and 0 < hours < 100


def test_the_vendi_score_needs_no_float64_on_the_device(
    without_float64: Callable[[Tensor], Tensor],
) -> None:
    similarity = torch.tensor([[1, 0.6], [0.6, 1]])
    assert _vendi_score(without_float64(similarity)) == _vendi_score(similarity)


# --- the command ---------------------------------------------------------------------------


@pytest.fixture
def three_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pictures and a damaged one, in the folder `known`; the time is not measured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_estimate_hours", lambda *_: 3.25)
    Path("known").mkdir()
    for number in range(3):
        blobs(number, 70 + 10 * number, 4).save(f"known/{number}.png")
    Path("known/text.png").write_text("no picture")


def test_folder_prints_a_report(run_command: Run, three_pictures: None) -> None:
    code, out, err = run_command("folder known --device cpu")
    lost, count, sides, advice, hours = out.splitlines()
    assert (code, err) == (0, "")
    assert lost.startswith("not used: known/text.png: is damaged")
    assert count.startswith("3 pictures, as varied as ") and count.endswith(" ones")
    assert sides == "short side: at least 70 pixels, median 80; width to height: median 1.00"
    assert "`limner generate --like PICTURE`" in advice
    assert hours == (
        "Training with --preset auto would take about 3.2 hours on this machine (cpu)."
    )


def test_a_busy_machine_is_named(
    run_command: Run, three_pictures: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines(load: float) -> list[str]:
        monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
        return run_command("folder known --device cpu")[1].splitlines()

    assert len(lines(1.0)) == 5  # a quarter of the cores
    assert lines(1.5)[5:] == [
        "Other programs keep about 1.5 of 4 cores busy now. Without them, training takes less time."
    ]


def test_folder_as_json(run_command: Run, three_pictures: None) -> None:
    code, out, err = run_command("folder known --json --resolution 128 --device cpu")
    told = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert 1 < told.pop("different") <= 3 and "too little" in told.pop("advice")
    (lost,) = told.pop("skipped")
    assert lost.startswith("known/text.png: ")
    assert told == {
        "pictures": 3,
        "near_duplicates": [],
        "smallest_side": 70,
        "median_side": 80,
        "aspect": 1.0,
        "hours": 3.25,
        "device": "cpu",
        "busy": 0.25,
    }


def test_heic_photos_are_not_passed_over(paint: Paint, tmp_path: Path) -> None:
    different(paint, tmp_path, count=1)
    (tmp_path / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (told,) = folder(tmp_path).skipped
    assert "phone.HEIC: " in told


# --- refused ---------------------------------------------------------------------------------


def refused(where: Path) -> str:
    with pytest.raises(InputError) as caught:
        folder(where)
    said = str(caught.value)
    assert "\n" not in said and said.startswith(f"{where}: ")
    return said.removeprefix(f"{where}: ")


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    assert "there is no such folder" in refused(tmp_path / "missing")
    assert refused(tmp_path) == "has no pictures; name a folder of pictures"
    (tmp_path / "a.txt").write_text("a")
    assert refused(tmp_path / "a.txt") == "is a file; name a folder of pictures"
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_text("no picture")
    said = refused(tmp_path)
    assert said == "has no pictures, but 2 files that cannot be read; name a folder of pictures"


@pytest.mark.parametrize("resolution", [0, 63, 96, 1024])
def test_resolutions_that_are_not_trained(resolution: int, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        folder(tmp_path, resolution=resolution)
    wanted = f"--resolution {resolution}: must be one of 64, 128, 256, 512"
    assert str(caught.value) == wanted
