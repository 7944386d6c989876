"""What a run will do: sizes, steps and memory, before it does it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.errors import OptionError
from limner.nn import devices
from limner.style import plan as planning
from limner.style.method import METHODS, Method
from limner.style.plan import Plan, make_plan

CPU = torch.device("cpu")
LIMNER, GATYS = METHODS["limner"], METHODS["gatys"]
# numbers that are tuned elsewhere are no matter here
METHOD = replace(LIMNER, steps=(100, 60, 30, 10), coarsest=112, rates=(0.03, 0.02), bleed=0.0)

gently = settings(deadline=None, max_examples=60)


def plan(
    height: int = 300,
    width: int = 400,
    size: int | None = 512,
    steps: object = None,
    method: Method = METHOD,
    shape: str = "compact",
) -> Plan:
    return make_plan(height, width, size, steps, method, shape, CPU)  # type: ignore[arg-type]


def sides(of: Plan) -> list[int]:
    return [max(scale.height, scale.width) for scale in of.scales]


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (64, [64]),
        (223, [223]),
        (224, [112, 224]),
        (512, [128, 256, 512]),
        (896, [112, 224, 448, 896]),
        (1024, [128, 256, 512, 1024]),
        (1000, [125, 250, 500, 1000]),
    ],
)
def test_sizes_double_up_to_the_one_wanted(size: int, wanted: list[int]) -> None:
    found = plan(size=size)
    assert sides(found) == wanted == [scale.side for scale in found.scales]
    assert found.size == (round(size * 3 / 4), size)


@gently
@given(st.integers(20, 3000), st.integers(20, 3000), st.integers(64, 3000))
def test_the_last_scale_is_the_size_and_every_one_before_half_of_it(
    height: int, width: int, size: int
) -> None:
    if min(height, width) * size < 17 * max(height, width):
        return  # too narrow; see below
    found = plan(height, width, size)
    assert max(found.size) == size and (found.size[1] >= found.size[0]) == (width >= height)
    exact = size * np.array([height, width]) / max(height, width)
    assert np.abs(np.array(found.size) - exact).max() <= 0.5
    assert (found.scales[-1].height, found.scales[-1].width) == found.size  # without bleed
    for smaller, larger in zip(found.scales[:-1], found.scales[1:], strict=True):
        for name in ("side", "height", "width"):
            assert abs(getattr(smaller, name) - getattr(larger, name) / 2) <= 1
    # of the coarsest a half would be too small, for the method or for the network
    first = found.scales[0]
    assert min(first.height, first.width) >= 16
    halved = first.side / 2
    assert halved < 112 or halved * min(height, width) / max(height, width) < 16.5


@gently
@given(st.integers(64, 2000), st.integers(200, 800), st.sampled_from([1 / 40, 1 / 16, 0.2]))
def test_the_bleed_is_painted_on_every_side_of_every_scale(
    size: int, height: int, share: float
) -> None:
    found = plan(height, 400, size, method=replace(METHOD, bleed=share))
    last = found.scales[-1]
    assert (last.height, last.width) == tuple(n + 2 * found.bleed for n in found.size)
    assert abs(found.bleed - size * share) <= 0.5
    assert max(found.size) == size == last.side
    for scale in found.scales:  # the same aspect all the way
        assert scale.height / last.height == pytest.approx(scale.side / size, abs=1.5 / last.height)
        assert scale.width / last.width == pytest.approx(scale.side / size, abs=1.5 / last.width)


def test_the_bleed_of_a_narrow_picture_ends_where_reflection_does() -> None:
    found = plan(100, 2000, 512, method=replace(METHOD, bleed=0.2))
    assert found.size == (26, 512) and found.bleed == 25


def test_the_original_way_has_one_scale_of_512_pixels() -> None:
    found = plan(600, 300, None, method=GATYS, shape="vgg19")
    assert [(s.height, s.width, s.steps) for s in found.scales] == [(512, 256, 1000)]
    assert found.scales[0].rate == pytest.approx(5 / 255)


def test_the_default_size_is_the_method_s() -> None:
    assert max(plan(size=None, method=LIMNER).size) == LIMNER.size
    assert max(plan(size=None, method=replace(METHOD, size=300)).size) == 300


# --- steps -----------------------------------------------------------------------------------


def counts(of: Plan) -> list[int]:
    return [scale.steps for scale in of.scales]


def test_steps_and_rates_are_the_method_s_and_the_last_holds_on() -> None:
    found = plan(size=3584)  # 112 · 2⁵
    assert counts(found) == [100, 60, 30, 10, 10, 10]
    assert [scale.rate for scale in found.scales] == [0.03, 0.02, 0.02, 0.02, 0.02, 0.02]
    assert found.steps == 220


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (190, [100, 60, 30]),
        (19, [10, 6, 3]),
        ([19], [10, 6, 3]),
        ((5, 0, 7), [5, 0, 7]),
        ([1, 2, 3], [1, 2, 3]),
        (3, [1, 1, 1]),
    ],
)
def test_steps_as_given_or_shared_out(steps: object, wanted: list[int]) -> None:
    assert counts(plan(size=512, steps=steps)) == wanted


@gently
@given(st.integers(4, 600))
def test_a_total_is_the_total(steps: int) -> None:
    found = plan(size=1024, steps=steps)
    assert found.steps == steps
    shares = np.array(counts(found)) - steps * np.array([100, 60, 30, 10]) / 200
    assert min(counts(found)) >= 1
    assert np.abs(shares).max() <= 2  # in the usual proportions, but at least one each


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (2, "--steps 2: must be at least 3, one for each scale"),
        (0, "--steps 0: must be at least 3, one for each scale"),
        (-5, "--steps -5: must be at least 3"),
        ([2], "--steps 2: must be at least 3"),
        ([1, 2], "--steps 1,2: give one number, or 3, one for each scale from the coarsest on"),
        ([1, 2, 3, 4], "--steps 1,2,3,4: give one number, or 3"),
        ([1, -2, 3], "--steps 1,-2,3: give one number, or 3"),
        ([], "--steps : give one number, or 3"),
    ],
)
def test_steps_that_do_not_fit_are_refused(steps: object, says: str) -> None:
    with pytest.raises(OptionError, match=f"^{says}"):
        plan(size=512, steps=steps)


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [63, 0, -64])
def test_a_size_below_64_is_refused(size: int) -> None:
    with pytest.raises(OptionError, match=f"^--size {size}: must be at least 64 pixels$"):
        plan(size=size)


@pytest.mark.parametrize(("height", "width"), [(10, 1000), (1000, 10), (1, 5000), (90, 1599)])
def test_a_picture_too_narrow_is_refused_with_the_size_it_needs(height: int, width: int) -> None:
    with pytest.raises(OptionError, match="less than 16; use --size ") as raised:
        plan(height, width, 256)
    needed = int(str(raised.value).partition("--size ")[2].partition("use --size ")[2].split()[0])
    assert f"the short side of {width}×{height} would be" in str(raised.value)
    assert needed == -(-16 * max(height, width) // min(height, width))
    assert min(plan(height, width, needed).size) == 16


# --- memory ----------------------------------------------------------------------------------


def test_the_forecast_grows_with_the_picture() -> None:
    forecasts = [plan(size=size).memory for size in (64, 128, 256, 512)]
    assert (np.diff(forecasts) > 0).all()
    # linear in the pixels: the slope from 128 to 256 is that from 256 to 512
    pixels = [np.prod(plan(size=size).size) for size in (128, 256, 512)]
    slopes = np.diff(forecasts[1:]) / np.diff(pixels)
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-3)
    assert plan(size=512, shape="vgg19").memory > plan(size=512).memory + 300 * 384 * 512


def forecast_and_tile(budget: int, height: int = 3000, width: int = 4000) -> tuple[int, int]:
    return planning._within_memory(height, width, "compact", budget)


def test_tiles_shrink_with_the_budget() -> None:
    found = [forecast_and_tile(gibibytes * 2**30) for gibibytes in (64, 12, 6, 4, 3)]
    forecasts, tiles = zip(*found, strict=True)
    assert tiles[0] == 4000
    assert list(tiles) == sorted(tiles, reverse=True) and tiles[-1] < 2000
    for gibibytes, forecast, tile in zip((64, 12, 6, 4, 3), forecasts, tiles, strict=True):
        assert forecast <= gibibytes * 2**30 or tile == 512
        assert tile == 4000 or tile % 16 == 0
    # what is held whole, in bytes: nothing makes that smaller
    assert forecast_and_tile(0)[1] == 512
    assert forecast_and_tile(0)[0] >= 3000 * 4000 * 150


def test_tiles_are_no_smaller_than_pays() -> None:
    assert forecast_and_tile(0, 200, 300)[1] == 300
    assert forecast_and_tile(0, 500, 513)[1] == 512


def test_a_quarter_of_the_machine_is_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    for gibibytes, cut in ((64, False), (2, True)):
        monkeypatch.setattr(devices, "memory", lambda _, n=gibibytes: n * 2**30)
        found = plan(size=2048)
        assert (found.tile < 2048) == cut
        assert found.memory <= gibibytes * 2**28 or found.tile == 512


# --- said ------------------------------------------------------------------------------------


def test_a_plan_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "memory", lambda _: 64 * 2**30)
    found = plan()
    gibibytes = found.memory / 2**30
    assert str(found) == (
        f"512×384 px by way of 128 → 256 → 512; 190 steps; about {gibibytes:.1f} GiB of memory"
    )
    monkeypatch.setattr(devices, "memory", lambda _: 2**30)
    cut = plan(size=2048)
    assert str(cut).endswith(f" GiB of memory, in tiles of {cut.tile} px")
    bled = plan(method=replace(METHOD, bleed=1 / 40))
    assert str(bled).startswith("512×384 px by way of 128 → 256 → 512; 190 steps;")
