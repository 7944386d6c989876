"""`stylize` with strokes of pictures that have little to offer, and sizes that do not fit."""

import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from style_pictures import COLD, HOUSE, WARM, Paint, brushwork, distance, house, likeness, rgb
from torch import Tensor

from limner import io
from limner.color.transfer import transfer_colors
from limner.errors import InputError, OptionError
from limner.io import Picture
from limner.nn import devices, machine
from limner.progress import Progress, Stop
from limner.style import inputs as inputs_module
from limner.style import paint as paint_module
from limner.style.inputs import InputPictures, Style, source_sizes
from limner.style.method import METHODS
from limner.style.plan import Plan, make_plan, within_memory

CPU = torch.device("cpu")
GRAY_HOUSE, GRAY_PAINTING = HOUSE.convert("L").convert("RGB"), WARM.convert("L").convert("RGB")


def colorfulness(picture: Image.Image) -> float:
    """Mean of the largest minus the smallest channel."""
    return float(np.ptp(rgb(picture), 2).mean())


# --- gray ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("photo", [HOUSE, GRAY_HOUSE], ids=["color", "gray"])
def test_a_gray_painting_gives_a_gray_result(
    stroke: Paint, four_levels: None, photo: Image.Image, strength: float
) -> None:
    result = stroke(photo, GRAY_PAINTING, strength=strength)
    assert colorfulness(result) <= 1 and np.ptp(rgb(result), 2).max() <= 4
    assert distance(result, GRAY_HOUSE) > 10 and likeness(result, HOUSE) > 0.5


def test_a_gray_photo_gets_the_colors_of_the_painting(stroke: Paint, four_levels: None) -> None:
    result = stroke(GRAY_HOUSE, WARM)
    assert np.abs(rgb(result).mean((0, 1)) - rgb(WARM).mean((0, 1))).max() < 15
    assert colorfulness(result) > 40 and likeness(result, GRAY_HOUSE) > 0.6


def test_a_gray_photo_that_keeps_its_colors_stays_gray(stroke: Paint) -> None:
    assert colorfulness(stroke(GRAY_HOUSE, WARM, keep_colors=True)) <= 1


def test_a_photo_keeps_its_colors_beside_a_gray_painting(stroke: Paint) -> None:
    result = stroke(HOUSE, GRAY_PAINTING, keep_colors=True)
    assert colorfulness(result) > 0.7 * colorfulness(HOUSE)


def test_a_gray_and_a_colored_painting_give_gray_and_colored_regions(stroke: Paint) -> None:
    found = np.ptp(rgb(stroke(HOUSE, GRAY_PAINTING, WARM)), 2)
    assert (found <= 4).mean() == pytest.approx(0.5, abs=0.15)
    assert (found > 30).mean() > 0.3


# --- pictures of one color -------------------------------------------------------------------


@pytest.mark.parametrize("color", [(90, 160, 60), (0, 0, 0), (255, 255, 255)])
def test_a_painting_of_one_color_gives_that_color(
    stroke: Paint, four_levels: None, color: tuple[int, int, int]
) -> None:
    reports: list[Progress] = []
    result = stroke(HOUSE, Image.new("RGB", (64, 64), color), on_step=reports.append)
    assert np.abs(rgb(result) - color).max() <= 1
    assert np.isfinite([p.loss for p in reports if p.loss is not None]).all()


@pytest.mark.parametrize("color", [(90, 120, 150), (0, 0, 0), (255, 255, 255)])
def test_a_photo_of_one_color_is_painted(
    stroke: Paint, four_levels: None, color: tuple[int, int, int]
) -> None:
    result = rgb(stroke(Image.new("RGB", (96, 72), color), WARM))
    assert np.abs(result.mean((0, 1)) - rgb(WARM).mean((0, 1))).max() < 40
    colors = rgb(WARM).reshape(-1, 3)
    # bicubic resizing overshoots a little at edges
    assert (result.min((0, 1)) >= colors.min(0) - 12).all()
    assert (result.max((0, 1)) <= colors.max(0) + 12).all()


def test_photo_and_painting_of_one_color_each(stroke: Paint) -> None:
    photo, painting = (Image.new("RGB", (96, 72), c) for c in ((9, 200, 30), (200, 40, 90)))
    assert np.abs(rgb(stroke(photo, painting)) - (200, 40, 90)).max() <= 1


# --- sizes of the pictures -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (3, 60), (5000, 16), (16, 5000), (1, 3000)])
def test_a_painting_of_any_size_gives_strokes(
    stroke: Paint, four_levels: None, shape: tuple[int, int]
) -> None:
    """Its width and height."""
    painting = WARM.resize(shape, Image.Resampling.BOX)
    began = time.monotonic()
    result = rgb(stroke(HOUSE, painting))
    assert time.monotonic() - began < 10
    wanted = rgb(painting).reshape(-1, 3).mean(0)
    assert result.shape == (72, 96, 3) and np.abs(result.mean((0, 1)) - wanted).max() < 30


def test_a_painting_with_hardly_anything_visible_gives_strokes(stroke: Paint) -> None:
    painting = WARM.copy()
    for visible in (0, 2, 9):  # pixels of a side
        alpha = np.zeros((128, 128), np.uint8)
        alpha[60 : 60 + visible, 60 : 60 + visible] = 255
        painting.putalpha(Image.fromarray(alpha))
        if visible:
            assert stroke(HOUSE, painting, steps=1).size == (96, 72)
        else:
            with pytest.raises(InputError, match="is transparent"):
                stroke(HOUSE, painting, steps=1)


def test_a_photo_of_any_size_is_painted(stroke: Paint) -> None:
    assert stroke(HOUSE.resize((4, 3)), WARM, steps=1).size == (96, 72)
    assert stroke(house(900, 300), WARM, steps=1).size == (96, 32)


@pytest.mark.slow
@pytest.mark.parametrize("photo", [(40, 4000), (4000, 40)])
def test_a_photo_too_narrow_is_refused_with_a_size_that_works(
    stroke: Paint, photo: tuple[int, int]
) -> None:
    """That size, of 16 × 1600 pixels, is painted with the network too."""
    narrow = brushwork(4, [(90, 120, 150), (40, 60, 90)], 16, 1600).resize(photo)
    with pytest.raises(OptionError, match="both sides must be at least 16; use --size ") as raised:
        stroke(narrow, WARM, size=None)
    assert "\n" not in str(raised.value)
    (needed,) = re.findall(r"use --size (\d+)", str(raised.value))
    small = WARM.resize((48, 48))
    result = stroke(narrow, small, size=int(needed), strength=0.75, steps=1)
    assert max(result.size) == int(needed) and min(result.size) == 16


@pytest.mark.parametrize("shape", [(16, 300), (40, 400), (30, 900), (2000, 33)])
def test_every_scale_of_a_narrow_photo_has_room_for_the_network(shape: tuple[int, int]) -> None:
    found = make_plan(*shape, METHODS["patches"], size=max(shape))
    assert all(min(scale.height, scale.width) >= 16 for scale in found.scales)


# --- memory ----------------------------------------------------------------------------------


@pytest.fixture
def gibibytes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set how much memory the machine has."""

    def call(amount: float) -> None:
        monkeypatch.setattr(devices, "memory", lambda _: int(amount * 2**30))
        monkeypatch.setattr(machine, "free", lambda: int(amount * 2**30))

    return call


@pytest.mark.parametrize("method", ["patches", "network"])
def test_a_size_that_memory_cannot_hold_is_refused_at_once(
    stroke: Paint, gibibytes: Any, method: str
) -> None:
    gibibytes(6)
    reports: list[Progress] = []
    began = time.monotonic()
    with pytest.raises(OptionError, match=r"^--size 20000: needs about ") as raised:
        stroke(HOUSE, WARM, size=20_000, steps=None, method=method, on_step=reports.append)
    assert time.monotonic() - began < 2 and not reports
    assert re.fullmatch(
        r"--size 20000: needs about [\d.]+ GiB of memory, and 5\.4 GiB are free; "
        r"use --size \d+",
        str(raised.value),
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["patches", "network"])
@pytest.mark.parametrize("amount", [1.5, 6, 24])
@pytest.mark.parametrize(("painting", "copies"), [(300, 1), (1500, 1), (1500, 3)])
def test_the_size_in_the_refusal_is_the_largest_that_fits(
    stroke: Paint, gibibytes: Any, method: str, amount: float, painting: int, copies: int
) -> None:
    gibibytes(amount)
    paintings = [WARM.resize((painting, painting))] * copies

    def plan(size: int) -> None:
        def at_once(_: Progress) -> None:
            raise Stop

        stroke(HOUSE, *paintings, size=size, steps=None, method=method, on_step=at_once)

    with pytest.raises(OptionError, match=r"use --size \d+$") as raised:
        plan(60_000)
    largest = int(str(raised.value).rpartition(" ")[2])
    with pytest.raises(Stop):
        plan(largest)
    with pytest.raises(OptionError, match=r"^--size "):
        plan(round(largest * 1.05) + 10)


def test_a_machine_with_too_little_memory_is_told_so(gibibytes: Any) -> None:
    gibibytes(0.3)
    with pytest.raises(OptionError, match=r"close other programs$") as raised:
        within_memory(make_plan(300, 400, METHODS["patches"], size=64), "compact", CPU)
    assert "\n" not in str(raised.value)


# peak of `limner stylize` with the example pictures, in GiB: benchmarks/memory.py and speed.py
@pytest.mark.parametrize(
    ("size", "measured"), [(512, 0.51), (1024, 0.89), (2048, 1.3), (4096, 2.7)]
)
def test_the_forecast_is_near_the_measured_peak(gibibytes: Any, size: int, measured: float) -> None:
    gibibytes(64)
    photo, painting = ((800, 1200), (800, 1000))
    plan = make_plan(*photo, METHODS["patches"], size=size)

    def source_pixels(plan: Plan) -> int:
        ((height, width),) = source_sizes([painting], plan)
        return height * width

    held = 12 * (800 * 1200 + 800 * 1000)  # float32 RGB
    found = within_memory(plan, "compact", CPU, held, source_pixels).memory
    assert found / 2**30 == pytest.approx(measured, rel=0.1)


def picture(height: int, width: int, *, alpha: bool = False) -> Picture:
    one = io.read(Image.new("RGB", (1, 1)))
    planes = torch.empty((1, 1, height, width)) if alpha else None
    return replace(one, rgb=torch.empty((1, 3, height, width)), alpha=planes)


def test_pictures_take_most_memory_while_the_largest_is_read() -> None:
    small, large = picture(10, 20), picture(300, 400, alpha=True)

    def pictures(*paintings: Picture) -> InputPictures:
        return InputPictures(small, tuple(Style(p, 1.0, None) for p in paintings), "content")

    # float32 RGB is kept, and alpha; copies are not
    assert pictures(small).reading_memory == 200 * (12 + 28)
    assert pictures(large).reading_memory == 200 * 12 + 120_000 * 85
    assert pictures(large, small).reading_memory == pictures(large).reading_memory
    assert pictures(small, large).reading_memory == 200 * 24 + 120_000 * 85
    assert pictures(large, small).memory == 200 * 24 + 120_000 * 16


MEASURE_READING = """
import sys
from pathlib import Path
from limner import io

def peak():  # not ru_maxrss, which begins with that of the parent
    (line,) = [l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l]
    return int(line.split()[1]) * 1024

io.read(sys.argv[1])
before = peak()
io.read(sys.argv[2])
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("alpha", [False, True])
def test_the_forecast_counts_what_reading_takes(tmp_path: Path, alpha: bool) -> None:
    sides = {"small": (40, 50), "large": (3000, 4000)}
    ending = "png" if alpha else "jpg"
    for name, shape in sides.items():
        one = WARM.resize(shape[::-1])
        if alpha:
            one.putalpha(Image.radial_gradient("L").resize(one.size))
        one.save(tmp_path / f"{name}.{ending}")
    files = [str(tmp_path / f"{name}.{ending}") for name in sides]
    command = [sys.executable, "-c", MEASURE_READING, *files]
    measured = int(subprocess.run(command, capture_output=True, check=True).stdout)
    pictures = InputPictures(picture(*sides["large"], alpha=alpha), (), "content")
    assert measured == pytest.approx(pictures.reading_memory, rel=0.05)


def test_what_reading_took_is_no_reason_to_refuse(gibibytes: Any) -> None:
    gibibytes(1)
    plan = make_plan(300, 400, METHODS["patches"], size=512)
    without, found = (within_memory(plan, "compact", CPU, reading=n) for n in (0, 3 * 2**30))
    assert without.memory < 0.6 * 2**30
    assert 3 * 2**30 < found.memory < 3.5 * 2**30
    assert found.tile == without.tile


def test_the_forecast_counts_the_paintings(stroke: Paint, gibibytes: Any) -> None:
    """But only for strokes."""
    gibibytes(64)

    def forecast(method: str, painting: int) -> float:
        reports: list[Progress] = []

        def at_once(progress: Progress) -> None:
            reports.append(progress)
            raise Stop

        picture = WARM.resize((painting, painting))
        with pytest.raises(Stop):
            stroke(HOUSE, picture, size=3000, steps=None, method=method, on_step=at_once)
        (found,) = re.findall(r"about ([\d.]+) GiB of memory", reports[0].note)
        return float(found)

    small, large = (forecast("patches", side) for side in (100, 2000))
    assert large > small + 1
    small, large = (forecast("network", side) for side in (100, 2000))
    assert large == pytest.approx(small, abs=0.11)  # the picture itself


def test_many_and_large_paintings_are_made_smaller_together() -> None:
    plan = make_plan(300, 400, METHODS["patches"], size=512)
    one = source_sizes([(10_000, 10_000)], plan)
    assert max(one[0]) <= 1.01 * 512
    twenty = source_sizes([(10_000, 10_000)] * 20, plan)
    assert sum(h * w for h, w in twenty) <= 3.3 * 512 * 384
    assert source_sizes([(20, 30)], plan) == [(30, 45)]  # hardly enlarged


@pytest.mark.slow
def test_colors_are_measured_on_small_copies_of_large_paintings(
    stroke: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float64, one of 100 megapixels would take gigabytes."""
    pixels: list[int] = []

    def measured(picture: Tensor, target: Tensor) -> Tensor:
        pixels.append(target[0, 0].numel())
        return transfer_colors(picture, target)

    for module in (paint_module, inputs_module):
        monkeypatch.setattr(module, "transfer_colors", measured)
    for options in ({}, {"keep_colors": True}, {"strength": 0.5}, {"style_scale": 2.0}):
        stroke(HOUSE, WARM.resize((1000, 1000)), size=64, steps=1, **options)
    assert pixels and max(pixels) <= 200 * 200


def test_two_paintings_may_differ_in_size_by_far(stroke: Paint) -> None:
    found = rgb(stroke(HOUSE, WARM.resize((1500, 1500)), COLD.resize((12, 12)), steps=1))
    warm = (found[..., 0] > found[..., 2]).mean()
    assert warm == pytest.approx(0.5, abs=0.15)
