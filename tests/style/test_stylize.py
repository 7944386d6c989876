"""`stylize` from end to end, small: what goes in, what comes out, and what is refused."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from disk import full_disk
from limner import io
from limner._version import __version__
from limner.errors import InputError, LimnerError, OptionError, OutputError, WeightsError
from limner.io import reading
from limner.nn import features, images, weights
from limner.progress import Progress, Stop
from limner.style.losses import Moments
from limner.style.method import METHODS
from limner.style.objective import Region
from limner.style.paint import windows
from limner.style.stylize import stylize

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A compact network of random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "random.safetensors"
    weights.write(path, features.VGG("compact").state_dict(), {"kind": "features"})
    return str(path)


def blobs(
    seed: int, height: int, width: int, colour: tuple[int, int, int], spread: int = 50
) -> Image.Image:
    """Soft spots around a colour."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(-spread, spread, (height // 8 + 2, width // 8 + 2, 3)) + colour
    small = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


PHOTO = blobs(0, 48, 64, (90, 120, 150))
PAINTING = blobs(1, 64, 64, (190, 120, 60))
BLUE = blobs(2, 64, 64, (50, 70, 190))


def rgb(image: Image.Image) -> np.ndarray:
    """[H, W, 3] in 0..255."""
    return np.asarray(image.convert("RGB")).astype(float)


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(rgb(one) - rgb(other)).mean())


@pytest.fixture
def paint(network: str) -> Callable[..., Image.Image]:
    """`stylize` at 64 pixels and 4 steps with the random network, unless asked otherwise."""

    def call(*inputs: Any, **options: Any) -> Image.Image:
        usual = {"size": 64, "steps": 4, "features": network, "device": "cpu"}
        return stylize(*inputs, **(usual | options))

    return call


Paint = Callable[..., Image.Image]


def recipe_of(image: Image.Image) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(image.info["limner"])
    return found


def stop_at(step: int) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise Stop

    return on_step


# --- the picture -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "size", "wanted"),
    [
        (48, 64, 64, (64, 48)),
        (48, 64, 96, (96, 72)),  # larger than the photo
        (90, 60, 75, (50, 75)),
        (64, 64, 64, (64, 64)),
        (20, 80, 65, (65, 16)),
    ],
)
def test_the_result_has_the_size_and_the_photo_s_aspect(
    paint: Paint, height: int, width: int, size: int, wanted: tuple[int, int]
) -> None:
    result = paint(blobs(3, height, width, (90, 120, 150)), PAINTING, size=size, steps=1)
    assert result.size == wanted and result.mode == "RGB"
    assert rgb(result).std() > 1


def test_it_takes_the_painting_s_colours(paint: Paint) -> None:
    result = paint(PHOTO, PAINTING, steps=10)
    means = [rgb(picture).mean((0, 1)) for picture in (result, PAINTING, PHOTO)]
    assert np.abs(means[0] - means[1]).max() < 15 < np.abs(means[2] - means[1]).max()


def test_without_strength_the_photo_comes_back(paint: Paint) -> None:
    assert np.abs(rgb(paint(PHOTO, PAINTING, strength=0)) - rgb(PHOTO)).max() <= 1
    large = PHOTO.resize((96, 72), Image.Resampling.BICUBIC)
    result = rgb(paint(large, PAINTING, strength=0, size=64))
    wanted = images.resize(io.read(large).rgb, (48, 64))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(result - wanted).max() <= 1


def test_without_strength_the_photo_comes_back_through_all_scales(paint: Paint) -> None:
    photo = blobs(4, 168, 224, (90, 120, 150))
    result = paint(photo, PAINTING, strength=0, size=224, steps=(2, 3))
    assert np.abs(rgb(result) - rgb(photo)).max() <= 1


def test_more_strength_is_further_from_the_photo(paint: Paint) -> None:
    away = [
        distance(paint(PHOTO, PAINTING, strength=strength, steps=8), PHOTO)
        for strength in (0, 0.25, 0.5, 1.0)
    ]
    assert away == sorted(away) and away[1] > 2 and away[3] > 2 * away[1]


def test_beyond_strength_1_the_content_counts_less(paint: Paint) -> None:
    losses: dict[float, list[float]] = {}
    for strength in (1.0, 2.0):
        told: list[Progress] = []
        paint(PHOTO, PAINTING, strength=strength, init=BLUE.resize((64, 48)), on_step=told.append)
        losses[strength] = [p.loss for p in told if p.loss is not None]
    # the same start: style and smoothness are the same, content is a tenth
    assert losses[2.0][0] < losses[1.0][0]


def test_the_same_seed_gives_the_same_pixels(paint: Paint) -> None:
    one, same, other = (paint(PHOTO, PAINTING, seed=seed).tobytes() for seed in (3, 3, 4))
    assert one == same and one != other
    starts = [paint(PHOTO, PAINTING, seed=seed, init="noise", steps=1) for seed in (3, 3, 4)]
    assert starts[0].tobytes() == starts[1].tobytes()
    assert distance(starts[0], starts[2]) > 10


def test_windows_are_a_quarter_of_the_picture_and_go_by_the_seed() -> None:
    targets = {tap: Moments(torch.zeros(1), torch.zeros(1, 1)) for tap in ("1_1", "3_1")}
    full = {"1_1": torch.rand(1, 1, 40, 60) + 0.1, "3_1": torch.rand(1, 1, 10, 15) + 0.1}
    regions = [Region(targets, full, 0.5)]
    method = replace(METHODS["limner"], window_taps=("1_1", "3_1"), window_weight=0.8)
    corners = set()
    for seed in range(20):
        (seen,) = windows(regions, method, torch.Generator().manual_seed(seed))
        assert seen.share == pytest.approx(0.4)
        for tap, (height, width) in (("1_1", (20, 30)), ("3_1", (5, 8))):
            inside = np.argwhere(seen.weights[tap][0, 0].numpy() > 0)
            first, last = inside.min(0), inside.max(0)
            assert tuple(last - first + 1) == (height, width) and len(inside) == height * width
            rows, columns = (slice(a, b + 1) for a, b in zip(first, last, strict=True))
            window = full[tap][0, 0, rows, columns]
            np.testing.assert_array_equal(seen.weights[tap][0, 0, rows, columns], window)
            if tap == "1_1":
                corners.add(tuple(first))
    assert len(corners) > 15
    again = [windows(regions, method, torch.Generator().manual_seed(5))[0] for _ in range(2)]
    np.testing.assert_array_equal(again[0].weights["1_1"], again[1].weights["1_1"])
    fewer = windows(regions, replace(method, window_taps=("3_1",)), torch.Generator())
    assert [list(region.targets) for region in fewer] == [["3_1"]] == [list(fewer[0].weights)]
    assert windows(regions, METHODS["gatys"], torch.Generator()) == []
    nowhere = Region(targets, {tap: torch.zeros_like(x) for tap, x in full.items()}, 0.0)
    assert windows([nowhere], method, torch.Generator()) == []


def test_alpha_is_laid_back(paint: Paint) -> None:
    alpha = np.linspace(0, 255, 48 * 64).reshape(48, 64).astype(np.uint8)
    photo = PHOTO.copy()
    photo.putalpha(Image.fromarray(alpha))
    result = paint(photo, PAINTING)
    assert result.mode == "RGBA" and result.size == (64, 48)
    np.testing.assert_allclose(np.asarray(result)[..., 3], alpha, atol=1)


def test_a_transparent_painting_is_laid_on_white(paint: Paint) -> None:
    clear = PAINTING.copy()
    clear.putalpha(Image.new("L", (64, 64), 128))
    by_hand = Image.fromarray((rgb(PAINTING) * 128 / 255 + 127).round().astype(np.uint8))
    result = paint(PHOTO, clear)
    away = distance(result, paint(PHOTO, by_hand)), distance(result, paint(PHOTO, PAINTING))
    # by hand it is rounded to 8 bits once more, which Adam makes the most of
    assert away[0] < 5 and away[1] > 20


def test_colours_are_kept_when_asked(paint: Paint) -> None:
    """Means of the colour differences of ITU-R BT.601 are the photo's."""

    def chroma(picture: Image.Image) -> np.ndarray:
        red, green, blue = np.moveaxis(rgb(picture), 2, 0)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        return np.array([(blue - luma) / 1.772, (red - luma) / 1.402]).mean((1, 2))

    photo = blobs(5, 48, 64, (120, 125, 140), 25)
    kept, plain = paint(photo, PAINTING, keep_colors=True), paint(photo, PAINTING)
    assert np.abs(chroma(kept) - chroma(photo)).max() < 2
    assert np.abs(chroma(plain) - chroma(photo)).max() > 15
    assert distance(kept, photo) > 1  # it was painted all the same


def test_what_to_begin_with(paint: Paint, tmp_path: Path) -> None:
    """After one small step a picture is still near its start."""
    PHOTO.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "start.png")
    found = {
        init: paint(PHOTO, PAINTING, init=init, steps=1)
        for init in ("content", "noise", str(tmp_path / "start.png"))
    }
    with Image.open(tmp_path / "start.png") as start:
        near = {init: distance(picture, start) for init, picture in found.items()}
    assert near[str(tmp_path / "start.png")] < 10 < 15 < min(near["content"], near["noise"])
    spread = {init: np.abs(np.diff(rgb(picture), axis=1)).mean() for init, picture in found.items()}
    assert spread["noise"] > 40 > 20 > spread["content"]


def test_noise_is_noise_at_the_coarsest_scale(paint: Paint) -> None:
    """Drawn at the final size it would be averaged away there, and the start flat grey."""
    found = rgb(paint(PHOTO, PAINTING, init="noise", size=256, steps=[1, 0]))
    assert found[::2, ::2].std() > 40


def test_the_start_counts_only_where_there_is_painting(paint: Paint) -> None:
    black = Image.new("L", (64, 48), 0)
    for options in ({"strength": 0}, {"mask": [black]}):
        assert paint(PHOTO, PAINTING, init=BLUE.crop((0, 0, 64, 48)), **options).tobytes() == (
            paint(PHOTO, PAINTING, **options).tobytes()
        )
    mask = half("left", 160, 120)
    photo = PHOTO.resize((160, 120))
    found = paint(photo, PAINTING, init="noise", mask=[mask], size=160, steps=1)
    assert np.abs(rgb(found) - rgb(photo))[:, 120:].mean() < 3


def test_the_size_of_strokes_changes_what_is_looked_at(paint: Paint) -> None:
    large = blobs(6, 200, 200, (190, 120, 60), 90)
    one, other = (paint(PHOTO, large, style_scale=scale) for scale in (1.0, 2.0))
    assert distance(one, other) > 0.5


# --- several paintings -----------------------------------------------------------------------


def test_weights_share_the_painting_out(paint: Paint) -> None:
    reds = [
        rgb(paint(PHOTO, (PAINTING, share), (BLUE, 1.0))).mean((0, 1))[0]
        for share in (0.001, 0.5, 2.0, 1000.0)
    ]
    alone = [rgb(paint(PHOTO, picture)).mean((0, 1))[0] for picture in (BLUE, PAINTING)]
    assert reds == sorted(reds)
    assert reds[0] == pytest.approx(alone[0], abs=2) and reds[3] == pytest.approx(alone[1], abs=2)
    twice = [paint(PHOTO, (PAINTING, share), (BLUE, share)).tobytes() for share in (1.0, 4.0)]
    assert twice[0] == twice[1]  # only proportions count


def test_a_weight_stands_behind_a_colon(paint: Paint, tmp_path: Path) -> None:
    for name in ("wave.png", "a:0.5.png", "bare:3"):
        PAINTING.save(tmp_path / name, format="PNG")
    for given, name, weight in (
        ("wave.png", "wave.png", 1.0),
        ("wave.png:0.7", "wave.png", 0.7),
        ("wave.png:2", "wave.png", 2.0),
        ("wave.png:1e-3", "wave.png", 0.001),
        ("a:0.5.png", "a:0.5.png", 1.0),  # the name of a file that is there comes first
        ("a:0.5.png:0.25", "a:0.5.png", 0.25),
        ("bare:3", "bare:3", 1.0),
        ("bare:3:4", "bare:3", 4.0),
    ):
        recipe = recipe_of(paint(PHOTO, str(tmp_path / given), steps=1))
        (_, used) = recipe["inputs"]
        path, _, number = used.rpartition(":")
        assert (path, float(number)) == (str(tmp_path / name), weight), given


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "-0.0"])
def test_a_weight_that_is_none_is_refused(paint: Paint, tmp_path: Path, weight: str) -> None:
    PAINTING.save(tmp_path / "wave.png")
    for style in (f"{tmp_path / 'wave.png'}:{weight}", (PAINTING, float(weight))):
        with pytest.raises(OptionError, match=r"^weight .* of a painting: must be above 0"):
            paint(PHOTO, style)


# --- masks -----------------------------------------------------------------------------------


def half(side: str, width: int = 64, height: int = 48) -> Image.Image:
    """White on one half, black on the other."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, slice(width // 2) if side == "left" else slice(width // 2, width)] = 255
    return Image.fromarray(mask)


def test_where_the_mask_is_black_the_photo_stays(paint: Paint) -> None:
    photo = blobs(3, 120, 160, (90, 120, 150))
    result = paint(photo, PAINTING, mask=[half("left", 160, 120)], size=160, steps=6)
    changed = np.abs(rgb(result) - rgb(photo)).mean((0, 2))
    painted, kept = changed[:80].mean(), changed[120:].mean()
    assert painted > 40 and kept < 8 and kept < painted / 8
    assert changed[80:120].mean() < painted / 3  # the network sees across the edge


def test_each_painting_goes_where_its_mask_is_white(paint: Paint) -> None:
    result = rgb(paint(PHOTO, PAINTING, BLUE, mask=[half("left"), half("right")], steps=8))
    for columns, here, there in ((slice(28), PAINTING, BLUE), (slice(36, 64), BLUE, PAINTING)):
        mean = result[:, columns].mean((0, 1))
        assert np.abs(mean - rgb(here).mean((0, 1))).max() < 25
        assert np.abs(mean - rgb(there).mean((0, 1))).max() > 60


def test_with_masks_too_only_proportions_of_weights_count(paint: Paint) -> None:
    masks = [half("left"), half("right")]
    once, twice = (
        paint(PHOTO, (PAINTING, share), (BLUE, 2 * share), mask=masks) for share in (1.0, 2.0)
    )
    assert once.tobytes() == twice.tobytes()


def test_where_masks_overlap_the_heavier_painting_gives_more_colour(paint: Paint) -> None:
    white = Image.new("L", (64, 48), 255)
    reds = [
        rgb(paint(PHOTO, (PAINTING, share), BLUE, mask=[white, white])).mean((0, 1))[0]
        for share in (0.01, 1.0, 100.0)
    ]
    assert reds[0] + 20 < reds[1] < reds[2] - 20


def test_a_mask_white_at_one_edge_only_is_painted_there(paint: Paint) -> None:
    """The coarsest grids drop the last rows; the style's statistics must not divide by nothing."""
    mask = np.zeros((95, 95), np.uint8)
    mask[-4:] = 255
    photo = PHOTO.resize((95, 95))
    losses: list[float | None] = []
    found = paint(
        photo,
        PAINTING,
        mask=[Image.fromarray(mask)],
        size=95,
        on_step=lambda progress: losses.append(progress.loss),
    )
    assert all(np.isfinite(loss) for loss in losses if loss is not None)
    changed = np.abs(rgb(found) - rgb(photo)).mean((1, 2))
    assert changed[-3:].mean() > 5 * changed[:60].mean()


def test_a_white_mask_is_as_good_as_none(paint: Paint) -> None:
    white = Image.new("L", (64, 48), 255)
    assert distance(paint(PHOTO, PAINTING, mask=[white]), paint(PHOTO, PAINTING)) < 1


def test_all_black_the_photo_stays(paint: Paint) -> None:
    black = Image.new("L", (64, 48), 0)
    assert distance(paint(PHOTO, PAINTING, mask=[black]), PHOTO) < 6


@pytest.mark.parametrize("speck", [False, True])
def test_a_painting_without_a_place_leaves_the_others_alone(paint: Paint, speck: bool) -> None:
    nowhere, everywhere = Image.new("L", (64, 48), 0), Image.new("L", (64, 48), 255)
    if speck:  # too small, and too near the border, for the coarse taps
        nowhere.putpixel((0, 0), 255)
    result = paint(PHOTO, PAINTING, BLUE, mask=[nowhere, everywhere])
    assert distance(result, paint(PHOTO, BLUE, mask=[everywhere])) < 5


def test_masks_that_do_not_fit_are_refused(paint: Paint, tmp_path: Path) -> None:
    half("left").resize((64, 64)).save(tmp_path / "square.png")
    with pytest.raises(OptionError, match=r"square\.png: is 64×64, .* 64×48; crop it"):
        paint(PHOTO, PAINTING, mask=[tmp_path / "square.png"])
    with pytest.raises(OptionError, match=r"^--mask: 1 for 2 paintings; give one for each$"):
        paint(PHOTO, PAINTING, BLUE, mask=[half("left")])
    with pytest.raises(OptionError, match=r"^--mask: 2 for 1 paintings"):
        paint(PHOTO, PAINTING, mask=[half("left"), half("right")])
    # another size of the same aspect is welcome, and so is rounding
    assert paint(PHOTO, PAINTING, mask=[half("left").resize((129, 96))], steps=1).size == (64, 48)


# --- pictures without anything in them -------------------------------------------------------


@pytest.mark.parametrize("colour", [(90, 120, 150), (0, 0, 0), (255, 255, 255)])
def test_a_painting_of_one_colour_gives_that_colour(
    paint: Paint, colour: tuple[int, int, int]
) -> None:
    told: list[Progress] = []
    result = rgb(paint(PHOTO, Image.new("RGB", (64, 64), colour), on_step=told.append))
    assert np.isfinite([p.loss for p in told if p.loss is not None]).all()
    assert np.abs(result.mean((0, 1)) - colour).max() < 40


@pytest.mark.parametrize("colour", [(90, 120, 150), (0, 0, 0), (255, 255, 255)])
def test_a_photo_of_one_colour_is_painted(paint: Paint, colour: tuple[int, int, int]) -> None:
    told: list[Progress] = []
    result = rgb(paint(Image.new("RGB", (64, 48), colour), PAINTING, on_step=told.append))
    assert np.isfinite([p.loss for p in told if p.loss is not None]).all()
    assert np.abs(result.mean((0, 1)) - rgb(PAINTING).mean((0, 1))).max() < 40


# --- on the way ------------------------------------------------------------------------------


def test_progress_is_told_from_before_the_first_step_on(paint: Paint) -> None:
    told: list[Progress] = []
    result = paint(PHOTO, PAINTING, on_step=told.append)
    assert told[0].note.startswith("64×48 px by way of 64; 4 steps; about ")
    assert {p.verb for p in told} == {"stylize"} and {p.steps for p in told} == {4}
    steps = [p.step for p in told]
    assert steps == sorted(steps) and [s for s in steps if s] == [1, 2, 3, 4]
    assert {p.stage for p in told} == {"64 px"}
    seconds = [p.seconds for p in told]
    assert seconds == sorted(seconds) and seconds[0] >= 0
    assert [p.loss is None for p in told] == [p.step == 0 for p in told]
    shares = [p.share for p in told if p.loss is not None]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.75, 1.0])  # one scale: steps cost the same
    last = told[-1].preview
    assert last is not None and distance(last(), result) == 0
    first = next(p for p in told if p.preview is not None)
    assert first.step == 0 and first.preview is not None and first.preview().size == (64, 48)


def test_notes_about_the_inputs_are_told(paint: Paint, tmp_path: Path) -> None:
    frames = [PAINTING, BLUE]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    told: list[Progress] = []
    paint(PHOTO, tmp_path / "a.gif", steps=1, on_step=told.append)
    assert f"{tmp_path / 'a.gif'}: the first of 2 frames is used" in [p.note for p in told]


def test_the_loss_falls(paint: Paint) -> None:
    told: list[Progress] = []
    paint(PHOTO, PAINTING, steps=15, init="noise", on_step=told.append)
    losses = [p.loss for p in told if p.loss is not None]
    assert len(losses) == 15 and losses[-1] < 0.5 * losses[0]


def test_stop_gives_the_picture_so_far(paint: Paint) -> None:
    previews: list[Image.Image] = []

    def on_step(progress: Progress) -> None:
        if progress.step == 2:
            assert progress.preview is not None
            previews.append(progress.preview())
            raise Stop

    stopped = paint(PHOTO, PAINTING, steps=40, on_step=on_step)
    assert stopped.tobytes() == previews[0].tobytes()
    assert recipe_of(stopped)["options"]["steps"] == [2]
    # and the recipe makes the same picture again
    assert paint(PHOTO, PAINTING, steps=[2]).tobytes() == stopped.tobytes()


def test_stop_between_scales_can_be_made_again(paint: Paint) -> None:
    photo = blobs(4, 168, 224, (90, 120, 150))
    stopped = paint(photo, PAINTING, size=224, steps=(3, 3), strength=0.6, on_step=stop_at(2))
    steps = recipe_of(stopped)["options"]["steps"]
    assert stopped.size == (224, 168) and steps == [2, 0]
    again = paint(photo, PAINTING, size=224, steps=steps, strength=0.6)
    assert again.tobytes() == stopped.tobytes()


def test_stop_before_the_first_step_goes_through(paint: Paint) -> None:
    def at_once(_: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        paint(PHOTO, PAINTING, on_step=at_once)


def test_other_exceptions_of_the_callback_go_through(paint: Paint) -> None:
    def broken(progress: Progress) -> None:
        if progress.step == 1:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        paint(PHOTO, PAINTING, on_step=broken)


def test_a_time_budget_cuts_the_steps(paint: Paint) -> None:
    began = time.monotonic()
    result = paint(PHOTO, PAINTING, steps=100_000, time_budget="0.5s")
    assert time.monotonic() - began < 10  # a slow machine, and what comes before and after
    (done,) = recipe_of(result)["options"]["steps"]
    assert 1 <= done < 2000 and distance(result, PHOTO) > 10
    with pytest.raises(OptionError, match="time '-2s'"):
        paint(PHOTO, PAINTING, time_budget="-2s")


def test_no_time_at_all_still_gives_a_picture(paint: Paint) -> None:
    result = paint(PHOTO, PAINTING, steps=1000, time_budget=1e-9)
    assert result.size == (64, 48) and recipe_of(result)["options"]["steps"] == [0]


# --- checkpoints -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "steps", "stop", "every"),
    [(64, [8], 5, 2), (224, [3, 3], 2, 2), (224, [3, 3], 3, 3), (224, [3, 3], 4, 2)],
)
def test_resuming_gives_the_same_bytes(
    paint: Paint, tmp_path: Path, size: int, steps: list[int], stop: int, every: int
) -> None:
    path = tmp_path / "unfinished.safetensors"
    photo = blobs(4, size * 3 // 4, size, (90, 120, 150))
    options = {"size": size, "steps": steps, "strength": 0.6, "seed": 5}
    whole = paint(photo, PAINTING, **options)
    kept = {"checkpoint": path, "save_every": every}
    stopped = paint(photo, PAINTING, **options, **kept, on_step=stop_at(stop))
    told: list[Progress] = []
    resumed = paint(photo, PAINTING, **options, **kept, resume=True, on_step=told.append)
    assert stopped.tobytes() != whole.tobytes()
    assert resumed.tobytes() == whole.tobytes()
    assert recipe_of(resumed) == recipe_of(whole)
    assert next(p.step for p in told if p.loss is not None) == stop // every * every + 1


def test_a_checkpoint_is_one_call_s(paint: Paint, tmp_path: Path) -> None:
    path = tmp_path / "unfinished.safetensors"
    for name, picture in (("photo", PHOTO), ("other", BLUE), ("wave", PAINTING)):
        picture.resize((64, 48)).save(tmp_path / f"{name}.png")
    photo, wave = tmp_path / "photo.png", tmp_path / "wave.png"
    usual: dict[str, Any] = {"checkpoint": path, "save_every": 2}
    paint(photo, wave, **usual, on_step=stop_at(2))
    assert weights.describe(path)["kind"] == "stylize checkpoint"
    for inputs, other in (
        ((photo, wave), {"strength": 0.5}),
        ((photo, wave), {"seed": 1}),
        ((photo, wave), {"steps": 5}),
        ((photo, wave), {"size": 65}),
        ((photo, wave), {"keep_colors": True}),
        ((photo, (wave, 0.5), (wave, 0.5)), {}),
        ((tmp_path / "other.png", wave), {}),
    ):
        with pytest.raises(WeightsError, match="is the checkpoint of another call; give the same"):
            paint(*inputs, **usual, **other, resume=True)
    assert paint(photo, wave, **usual, resume=True).size == (64, 48)


def test_a_checkpoint_is_one_call_s_for_pictures_in_memory_too(
    paint: Paint, tmp_path: Path
) -> None:
    usual: dict[str, Any] = {"checkpoint": tmp_path / "a.safetensors", "save_every": 2}
    paint(PHOTO, PAINTING, **usual, on_step=stop_at(2))
    with pytest.raises(WeightsError, match="another call"):
        paint(PHOTO.transpose(Image.Transpose.ROTATE_180), PAINTING, **usual, resume=True)


def test_nothing_to_resume_and_damaged_checkpoints_are_refused(
    paint: Paint, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(OptionError, match=r"^--resume: there is no checkpoint"):
        paint(PHOTO, PAINTING, checkpoint=path, resume=True)
    with pytest.raises(OptionError, match=r"^--resume: there is no checkpoint"):
        paint(PHOTO, PAINTING, resume=True)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match=r"a\.safetensors: "):
        paint(PHOTO, PAINTING, checkpoint=path, resume=True)
    weights.write(path, {"picture": torch.zeros(1, 3, 8, 8)}, {"kind": "features"})
    with pytest.raises(WeightsError, match="another call"):
        paint(PHOTO, PAINTING, checkpoint=path, resume=True)


def test_a_checkpoint_that_cannot_be_written_is_one_line(paint: Paint, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no such folder for the checkpoint"):
        paint(PHOTO, PAINTING, checkpoint=str(tmp_path / "no" / "a.safetensors"), save_every=1)
    with full_disk(1000), pytest.raises(OutputError, match="make room"):
        paint(PHOTO, PAINTING, checkpoint=tmp_path / "a.safetensors", save_every=1)


# --- the recipe ------------------------------------------------------------------------------


def test_the_result_carries_its_recipe(paint: Paint, tmp_path: Path, network: str) -> None:
    names = {"photo": PHOTO, "wave": PAINTING, "blue": BLUE, "left": half("left"),
             "right": half("right"), "start": PHOTO}  # fmt: skip
    paths = {name: tmp_path / f"{name}.png" for name in names}
    for name, picture in names.items():
        picture.save(paths[name], dpi=(300, 300))
    result = paint(
        paths["photo"], f"{paths['wave']}:0.7", (paths["blue"], 2.5),
        mask=[paths["left"], paths["right"]], init=paths["start"], seed=7, strength=0.9,
        style_scale=0.8, steps=3,
    )  # fmt: skip
    recipe = recipe_of(result)
    assert recipe["verb"] == "stylize" and recipe["version"] == __version__
    assert recipe["inputs"] == [
        str(paths["photo"]), f"{paths['wave']}:0.7", f"{paths['blue']}:2.5"
    ]  # fmt: skip
    options = recipe["options"]
    assert options["steps"] == [3] and options["seed"] == 7 and options["size"] == 64
    assert options["strength"] == 0.9 and options["style_scale"] == 0.8
    assert options["mask"] == [str(paths["left"]), str(paths["right"])]
    assert options["init"] == str(paths["start"]) and options["features"] == network
    for path in paths.values():
        wanted = hashlib.sha256(path.read_bytes()).hexdigest()
        assert recipe["files"][str(path)] == wanted
    assert result.info["dpi"] == (300, 300) and result.info["icc_profile"] == reading.srgb_profile()


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strength": -0.1}, "--strength -0.1: must be from 0 to 2"),
        ({"strength": 2.1}, "--strength 2.1: must be from 0 to 2"),
        ({"strength": float("nan")}, "--strength nan"),
        ({"style_scale": 0.2}, "--style-scale 0.2: must be from 0.25 to 4"),
        ({"style_scale": 5}, "--style-scale 5: must be from"),
        ({"size": 63}, "--size 63: must be at least 64"),
        ({"steps": 0}, "--steps 0"),
        ({"preset": "monet"}, "--preset monet: must be one of limner, gatys"),
        ({"device": "abacus"}, "--device abacus: must be one of"),
        ({"features": "eyes"}, "features 'eyes': must be one of"),
        ({"time_budget": "soon"}, "time 'soon': must be above 0"),
    ],
)
def test_options_out_of_range_are_refused(paint: Paint, options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as raised:
        paint(PHOTO, PAINTING, **options)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


def test_no_painting_is_refused(paint: Paint) -> None:
    with pytest.raises(OptionError, match="no painting"):
        paint(PHOTO)


def test_a_start_of_another_shape_is_refused(paint: Paint) -> None:
    with pytest.raises(OptionError, match="of another shape than the photo's"):
        paint(PHOTO, PAINTING, init=PAINTING)


@pytest.mark.parametrize("name", ["none.png", "none.png:0.5", "a:b", "x" * 300, "nul\0.png"])
def test_a_missing_painting_is_one_line(paint: Paint, name: str) -> None:
    with pytest.raises(InputError) as raised:
        paint(PHOTO, name)
    assert "\n" not in str(raised.value)


def test_a_weights_file_s_name_may_be_nonsense(paint: Paint) -> None:
    with pytest.raises(LimnerError):
        paint(PHOTO, PAINTING, features="x" * 300 + ".safetensors")


# --- the original way ------------------------------------------------------------------------

TORCHVISION = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
WIDTHS = (64, 64, 128, 128) + (256,) * 4 + (512,) * 8


def test_the_original_way_makes_the_article_s_loss_small(tmp_path: Path) -> None:
    """Gatys, Ecker & Bethge (2016) as TensorFlow's tutorial has it, on features in its range."""
    random, state, before = torch.Generator().manual_seed(0), {}, 3
    for index, width in zip(TORCHVISION, WIDTHS, strict=True):
        drawn = torch.randn((width, before, 3, 3), generator=random) * (2 / (9 * before)) ** 0.5
        state[f"features.{index}.weight"], before = drawn, width
        state[f"features.{index}.bias"] = torch.zeros(width)
    weights.write(tmp_path / "random.safetensors", state, {})
    start = blobs(9, 48, 64, (120, 120, 120))
    told: list[Progress] = []
    result = stylize(
        PHOTO, PAINTING, preset="gatys", size=64, steps=2, init=start, device="cpu",
        features=str(tmp_path / "random.safetensors"), on_step=told.append,
    )  # fmt: skip

    network = features.load(str(tmp_path / "random.safetensors"), padding="zeros")
    taps = ("1_1", "2_1", "3_1", "4_1", "5_1")

    def seen(picture: Image.Image) -> dict[str, np.ndarray]:
        """[H·W, C] at each tap, in the range of a network that sees 0..255."""
        found = network(io.read(picture).rgb, (*taps, "5_2"))
        return {t: 255 * 0.226 * x[0].flatten(1).T.double().numpy() for t, x in found.items()}

    photo, painting, ours = seen(PHOTO), seen(PAINTING), seen(start)
    style = 0.0
    for tap in taps:
        gram, wanted = (x[tap].T @ x[tap] / len(x[tap]) for x in (ours, painting))
        style += np.square(gram - wanted).mean() * 1e-2 / 5
    content = np.square(ours["5_2"] - photo["5_2"]).mean() * 1e3
    assert content > 1e-3 * style > 0  # or one of them would not be tested
    losses = [p.loss for p in told if p.loss is not None]
    assert losses[0] == pytest.approx(style + content, rel=1e-3)
    assert losses[1] < losses[0]
    assert result.size == (64, 48) and recipe_of(result)["options"]["preset"] == "gatys"
    # Adam's first step: each pixel as far as its gradient's sign says, less what epsilon takes
    assert 0 < np.abs(rgb(result) - rgb(start)).max() <= 2 * 5 + 1


# --- the network that ships ------------------------------------------------------------------


def test_with_the_shipped_network_a_photo_comes_nearer_to_the_painting() -> None:
    """By moments of raw colours and of first differences, which no network had a part in."""
    photo, painting = (
        Image.open(EXAMPLES / f"{n}.jpg").convert("RGB") for n in ("photo", "painting")
    )
    result = stylize(photo, painting, size=128, steps=25, device="cpu")

    def moments(picture: Image.Image) -> list[np.ndarray]:
        shrunk = picture.copy()
        shrunk.thumbnail((128, 128), Image.Resampling.LANCZOS)
        pixels = rgb(shrunk) / 255
        across, down = (np.diff(pixels, axis=axis).reshape(-1, 3).T for axis in (1, 0))
        flat = pixels.reshape(-1, 3).T
        return [flat.mean(1), np.cov(flat), (across @ across.T) / across.shape[1],
                (down @ down.T) / down.shape[1]]  # fmt: skip

    wanted, before, after = moments(painting), moments(photo), moments(result)
    for target, was, now in zip(wanted, before, after, strict=True):
        assert np.linalg.norm(now - target) < 0.85 * np.linalg.norm(was - target)
