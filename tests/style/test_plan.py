"""The plan of a run: sizes, steps, memory and tiles."""

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
from limner.style.plan import Plan, check_size_and_steps, make_plan, within_memory

CPU = torch.device("cpu")
LIMNER, GATYS = METHODS["network"], METHODS["gatys"]
# fixed numbers, so that tuning the preset does not change these tests
METHOD = replace(
    LIMNER, steps=(100, 60, 30, 10), coarsest=112, learning_rates=(0.03, 0.02), pad=0.0
)

gently = settings(deadline=None, max_examples=60)


def plan(
    height: int = 300,
    width: int = 400,
    size: int | None = 512,
    steps: object = None,
    method: Method = METHOD,
    shape: str = "compact",
) -> Plan:
    made = make_plan(height, width, method, size=size, steps=steps)  # type: ignore[arg-type]
    return within_memory(made, shape, CPU)


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
def test_sizes_double_up_to_the_final_size(size: int, wanted: list[int]) -> None:
    found = plan(size=size)
    assert sides(found) == wanted == [scale.side for scale in found.scales]
    assert found.size == (round(size * 3 / 4), size)


@gently
@given(st.integers(20, 3000), st.integers(20, 3000), st.integers(64, 3000))
def test_the_last_scale_is_the_size_and_every_one_before_half_of_it(
    height: int, width: int, size: int
) -> None:
    if min(height, width) * size < 17 * max(height, width):
        return  # too narrow: see below
    found = plan(height, width, size)
    # the longer side stays the longer one, or both round to the same: 127×128 at 64 is 64×64
    assert max(found.size) == size and (found.size[1] - found.size[0]) * (width - height) >= 0
    exact = size * np.array([height, width]) / max(height, width)
    assert np.abs(np.array(found.size) - exact).max() <= 0.5
    assert (found.scales[-1].height, found.scales[-1].width) == found.size  # without padding
    for smaller, larger in zip(found.scales[:-1], found.scales[1:], strict=True):
        for name in ("side", "height", "width"):
            assert abs(getattr(smaller, name) - getattr(larger, name) / 2) <= 1
    # half of the coarsest would be too small, for the preset or for the network
    first = found.scales[0]
    assert min(first.height, first.width) >= 16
    halved = first.side / 2
    assert halved < 112 or halved * min(height, width) / max(height, width) < 16.5


@gently
@given(st.integers(64, 2000), st.integers(200, 800), st.sampled_from([1 / 40, 1 / 16, 0.2]))
def test_every_scale_is_padded_on_every_side(size: int, height: int, share: float) -> None:
    found = plan(height, 400, size, method=replace(METHOD, pad=share))
    last = found.scales[-1]
    assert (last.height, last.width) == tuple(n + 2 * found.pad for n in found.size)
    assert abs(found.pad - size * share) <= 0.5
    assert max(found.size) == size == last.side
    for scale in found.scales:  # the same aspect ratio at every scale
        assert scale.height / last.height == pytest.approx(scale.side / size, abs=1.5 / last.height)
        assert scale.width / last.width == pytest.approx(scale.side / size, abs=1.5 / last.width)


def test_a_narrow_picture_is_padded_as_far_as_reflection_goes() -> None:
    found = plan(100, 2000, 512, method=replace(METHOD, pad=0.2))
    assert found.size == (26, 512) and found.pad == 25


def test_the_preset_gatys_has_one_scale_of_512_pixels() -> None:
    found = plan(600, 300, None, method=GATYS, shape="vgg19")
    assert [(s.height, s.width, s.steps) for s in found.scales] == [(512, 256, 1000)]
    assert found.scales[0].learning_rate == pytest.approx(5 / 255)


def test_the_default_size_is_that_of_the_preset() -> None:
    assert max(plan(size=None, method=LIMNER).size) == LIMNER.size
    assert max(plan(size=None, method=replace(METHOD, size=300)).size) == 300


# --- steps -----------------------------------------------------------------------------------


def counts(of: Plan) -> list[int]:
    return [scale.steps for scale in of.scales]


def test_the_last_steps_and_learning_rate_hold_for_further_scales() -> None:
    found = plan(size=3584)  # 112 · 2⁵
    assert counts(found) == [100, 60, 30, 10, 10, 10]
    assert [scale.learning_rate for scale in found.scales] == [0.03, 0.02, 0.02, 0.02, 0.02, 0.02]
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
def test_steps_are_as_given_or_distributed(steps: object, wanted: list[int]) -> None:
    assert counts(plan(size=512, steps=steps)) == wanted


@gently
@given(st.integers(4, 600))
def test_a_total_is_distributed_without_rest(steps: int) -> None:
    found = plan(size=1024, steps=steps)
    assert found.steps == steps
    shares = np.array(counts(found)) - steps * np.array([100, 60, 30, 10]) / 200
    assert min(counts(found)) >= 1
    assert np.abs(shares).max() <= 2  # in the proportions of the preset, but at least one each


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (2, "--steps 2: must be at least 3, one for each size"),
        ([2], "--steps 2: must be at least 3"),
        ([1, 2], "--steps 1,2: give a total, or 3 numbers, for the sizes from small to large"),
        ([1, 2, 3, 4], "--steps 1,2,3,4: give a total, or 3 numbers"),
    ],
)
def test_steps_that_do_not_fit_the_scales_are_refused(steps: object, says: str) -> None:
    with pytest.raises(OptionError, match=f"^{says}"):
        plan(size=512, steps=steps)


def test_with_one_scale_there_is_one_number_of_steps() -> None:
    says = "^--steps 3,4: give one number, because this size is painted in one stage$"
    with pytest.raises(OptionError, match=says):
        plan(size=64, steps=(3, 4))


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (0, "--steps 0: must be at least 1"),
        (-5, "--steps -5: must be at least 1"),
        ([1, -2, 3], "--steps 1,-2,3: give one number, or one for each size, each at least 0"),
        ([], "--steps : give one number"),
    ],
)
def test_steps_that_suit_no_photo_are_refused(steps: object, says: str) -> None:
    with pytest.raises(OptionError, match=f"^{says}"):
        check_size_and_steps(None, steps)  # type: ignore[arg-type]


def test_without_strength_there_are_no_steps() -> None:
    for method, steps in ((METHOD, None), (METHOD, 7), (GATYS, [3, 4])):
        found = make_plan(300, 400, method, size=512, steps=steps, strength=0.0)
        assert counts(found) == [0] and sides(found) == [512]


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [63, 0, -64])
def test_a_size_below_64_is_refused(size: int) -> None:
    with pytest.raises(OptionError, match=f"^--size {size}: must be at least 64$"):
        check_size_and_steps(size, None)


@pytest.mark.parametrize(("height", "width"), [(10, 1000), (1000, 10), (1, 5000), (90, 1599)])
def test_a_picture_too_narrow_is_refused_with_the_size_it_needs(height: int, width: int) -> None:
    with pytest.raises(OptionError, match="both sides must be at least 16; use --size ") as raised:
        plan(height, width, 256)
    needed = int(str(raised.value).partition("use --size ")[2].split()[0])
    assert str(raised.value).startswith("--size 256: the result would be ")
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
    return planning._choose_tile(height, width, "compact", budget)


def test_tiles_shrink_with_the_budget() -> None:
    found = [forecast_and_tile(gibibytes * 2**30) for gibibytes in (64, 12, 6, 4, 3)]
    forecasts, tiles = zip(*found, strict=True)
    assert tiles[0] == 4000
    assert list(tiles) == sorted(tiles, reverse=True) and tiles[-1] < 2000
    for gibibytes, forecast, tile in zip((64, 12, 6, 4, 3), forecasts, tiles, strict=True):
        assert forecast <= gibibytes * 2**30 or tile == 512
        assert tile == 4000 or tile % 16 == 0
    # tiles do not make smaller what is held for the whole picture
    assert forecast_and_tile(0)[1] == 512
    assert forecast_and_tile(0)[0] >= 3000 * 4000 * 150


def test_tiles_have_a_smallest_size() -> None:
    assert forecast_and_tile(0, 200, 300)[1] == 300
    assert forecast_and_tile(0, 500, 513)[1] == 512


def test_the_limit_is_a_quarter_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for gibibytes, cut in ((64, False), (2, True)):
        monkeypatch.setattr(devices, "memory", lambda _, n=gibibytes: n * 2**30)
        found = plan(size=2048)
        assert (found.tile < 2048) == cut
        assert found.memory <= gibibytes * 2**28 or found.tile == 512


# --- text ------------------------------------------------------------------------------------


def test_a_plan_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "memory", lambda _: 64 * 2**30)
    found = plan()
    gibibytes = found.memory / 2**30
    assert str(found) == (
        "512×384 px, from coarse to fine: 128 → 256 → 512; 190 steps; "
        f"about {gibibytes:.1f} GiB of memory"
    )
    assert str(plan(size=200)).startswith("200×150 px; 100 steps; about ")
    monkeypatch.setattr(devices, "memory", lambda _: 4 * 2**30)
    cut = plan(size=2048)
    assert str(cut).endswith(f" GiB of memory, in tiles of {cut.tile} px")
    padded = plan(method=replace(METHOD, pad=1 / 40))
    assert str(padded).startswith("512×384 px, from coarse to fine: 128 → 256 → 512; 190 steps;")


def test_pictures_count_in_the_forecast_but_not_for_the_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "memory", lambda _: 2**50)
    monkeypatch.setattr(devices, "room", lambda _: 2**50)
    made = make_plan(300, 400, METHOD, size=512)
    without, with_pictures = (within_memory(made, "compact", CPU, n) for n in (0, 2**40))
    assert with_pictures.memory - without.memory == 2**40
    assert with_pictures.tile == without.tile == 512


def test_stage_and_share_follow_the_steps() -> None:
    found = plan(size=512, steps=(2, 1, 1))
    assert [found.stage(done) for done in ((), (0, 0, 0), (2, 0, 0), (2, 1, 0), (2, 1, 1))] == [
        "128 px", "128 px", "128 px", "256 px", "512 px"
    ]  # fmt: skip
    # the cost of a step is its number of pixels: 1, 4 and 16 times as many
    shares = [found.share(done) for done in ((0, 0, 0), (2, 0, 0), (2, 1, 0), (2, 1, 1))]
    np.testing.assert_allclose(shares, [0, 2 / 22, 6 / 22, 1])
