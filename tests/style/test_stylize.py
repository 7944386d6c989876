"""`stylize` from end to end, with small pictures."""

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from style_pictures import (
    BLUE,
    PAINTING,
    PHOTO,
    Paint,
    blobs,
    distance,
    half,
    recipe_of,
    rgb,
    stop_at,
)

from limner import io
from limner._version import __version__
from limner.errors import InputError, LimnerError, OptionError
from limner.io import reading
from limner.nn import features, images, weights
from limner.progress import Progress, Stop
from limner.style.stylize import stylize

EXAMPLES = Path(__file__).parents[2] / "examples"


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
def test_the_result_has_the_size_and_the_aspect_ratio_of_the_photo(
    paint: Paint, height: int, width: int, size: int, wanted: tuple[int, int]
) -> None:
    result = paint(blobs(3, height, width, (90, 120, 150)), PAINTING, size=size, steps=1)
    assert result.size == wanted and result.mode == "RGB"
    assert rgb(result).std() > 1


def test_the_result_has_the_colors_of_the_painting(paint: Paint) -> None:
    result = paint(PHOTO, PAINTING, steps=10)
    means = [rgb(picture).mean((0, 1)) for picture in (result, PAINTING, PHOTO)]
    assert np.abs(means[0] - means[1]).max() < 15 < np.abs(means[2] - means[1]).max()


def test_without_strength_the_photo_is_returned(paint: Paint) -> None:
    assert np.abs(rgb(paint(PHOTO, PAINTING, strength=0)) - rgb(PHOTO)).max() <= 1
    large = PHOTO.resize((96, 72), Image.Resampling.BICUBIC)
    result = rgb(paint(large, PAINTING, strength=0, size=64))
    wanted = images.resize(io.read(large).rgb, (48, 64))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(result - wanted).max() <= 1


def test_without_strength_the_photo_is_returned_at_any_size(paint: Paint) -> None:
    photo = blobs(4, 168, 224, (90, 120, 150))
    result = paint(photo, PAINTING, strength=0, size=224, steps=(2, 3))
    assert np.abs(rgb(result) - rgb(photo)).max() <= 1


def test_more_strength_changes_the_photo_more(paint: Paint) -> None:
    away = [
        distance(paint(PHOTO, PAINTING, strength=strength, steps=8), PHOTO)
        for strength in (0, 0.25, 0.5, 1.0)
    ]
    assert away == sorted(away) and away[1] > 2 and away[3] > 2 * away[1]


def test_beyond_strength_1_the_content_weighs_less(paint: Paint) -> None:
    losses: dict[float, list[float]] = {}
    for strength in (1.0, 2.0):
        reports: list[Progress] = []
        paint(
            PHOTO, PAINTING, strength=strength, init=BLUE.resize((64, 48)), on_step=reports.append
        )
        losses[strength] = [p.loss for p in reports if p.loss is not None]
    # the same start: style and smoothness are the same, content is a tenth
    assert losses[2.0][0] < losses[1.0][0]


def test_the_same_seed_gives_the_same_pixels(paint: Paint) -> None:
    one, same, other = (paint(PHOTO, PAINTING, seed=seed).tobytes() for seed in (3, 3, 4))
    assert one == same and one != other
    starts = [paint(PHOTO, PAINTING, seed=seed, init="noise", steps=1) for seed in (3, 3, 4)]
    assert starts[0].tobytes() == starts[1].tobytes()
    assert distance(starts[0], starts[2]) > 10


def test_alpha_is_kept(paint: Paint) -> None:
    alpha = np.linspace(0, 255, 48 * 64).reshape(48, 64).astype(np.uint8)
    photo = PHOTO.copy()
    photo.putalpha(Image.fromarray(alpha))
    result = paint(photo, PAINTING)
    assert result.mode == "RGBA" and result.size == (64, 48)
    np.testing.assert_allclose(np.asarray(result)[..., 3], alpha, atol=1)


@pytest.mark.parametrize(("options", "share"), [({}, 0.5), ({"keep_colors": True}, 0.8)])
def test_what_is_transparent_in_a_painting_has_no_part_in_its_style(
    paint: Paint, options: dict[str, Any], share: float
) -> None:
    """A painting cut out of white is the same as the painting alone, and not as one on white."""
    alone = PAINTING.resize((96, 96))
    on_white = Image.new("RGB", (192, 192), "white")
    on_white.paste(alone, (48, 48))
    cut_out = on_white.copy()
    cut_out.putalpha(0)
    cut_out.paste(alone, (48, 48))
    result = paint(PHOTO, cut_out, style_scale=2, **options)
    away = [distance(result, paint(PHOTO, alone, **options)),
            distance(result, paint(PHOTO, on_white, style_scale=2, **options))]  # fmt: skip
    assert away[0] < share * away[1] and away[1] > 3


def test_a_veil_is_paint_and_what_cannot_be_seen_is_refused(paint: Paint) -> None:
    veil = PAINTING.copy()
    veil.putalpha(160)
    assert paint(PHOTO, veil).tobytes() == paint(PHOTO, PAINTING).tobytes()
    veil.putalpha(40)
    with pytest.raises(InputError, match="is transparent; use another painting"):
        paint(PHOTO, veil)


def test_colors_of_the_photo_can_be_kept(paint: Paint) -> None:
    """The mean color differences (ITU-R BT.601) are those of the photo."""

    def chroma(picture: Image.Image) -> np.ndarray:
        red, green, blue = np.moveaxis(rgb(picture), 2, 0)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        return np.array([(blue - luma) / 1.772, (red - luma) / 1.402]).mean((1, 2))

    photo = blobs(5, 48, 64, (120, 125, 140), 25)
    kept, plain = paint(photo, PAINTING, keep_colors=True), paint(photo, PAINTING)
    assert np.abs(chroma(kept) - chroma(photo)).max() < 2
    assert np.abs(chroma(plain) - chroma(photo)).max() > 15
    assert distance(kept, photo) > 1  # but it was painted


def test_the_first_iterate_is_photo_noise_or_a_picture(paint: Paint, tmp_path: Path) -> None:
    """After one small step the picture is still near its start."""
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
    """Noise of the final size would be averaged to flat gray when it is made smaller."""
    found = rgb(paint(PHOTO, PAINTING, init="noise", size=256, steps=[1, 0]))
    assert found[::2, ::2].std() > 40


def test_init_has_no_effect_where_the_photo_stays(paint: Paint) -> None:
    black = Image.new("L", (64, 48), 0)
    for options in ({"strength": 0}, {"mask": [black]}):
        assert paint(PHOTO, PAINTING, init=BLUE.crop((0, 0, 64, 48)), **options).tobytes() == (
            paint(PHOTO, PAINTING, **options).tobytes()
        )
    mask = half("left", 160, 120)
    photo = PHOTO.resize((160, 120))
    found = paint(photo, PAINTING, init="noise", mask=[mask], size=160, steps=1)
    assert np.abs(rgb(found) - rgb(photo))[:, 120:].mean() < 3


def test_style_scale_changes_the_result(paint: Paint) -> None:
    large = blobs(6, 200, 200, (190, 120, 60), 90)
    one, other = (paint(PHOTO, large, style_scale=scale) for scale in (1.0, 2.0))
    assert distance(one, other) > 0.5


# --- pictures of one color -------------------------------------------------------------------


@pytest.mark.parametrize("color", [(90, 120, 150), (0, 0, 0), (255, 255, 255)])
def test_a_painting_of_one_color_gives_that_color(
    paint: Paint, color: tuple[int, int, int]
) -> None:
    reports: list[Progress] = []
    result = rgb(paint(PHOTO, Image.new("RGB", (64, 64), color), on_step=reports.append))
    assert np.isfinite([p.loss for p in reports if p.loss is not None]).all()
    assert np.abs(result.mean((0, 1)) - color).max() < 40


@pytest.mark.parametrize("color", [(90, 120, 150), (0, 0, 0), (255, 255, 255)])
def test_a_photo_of_one_color_is_painted(paint: Paint, color: tuple[int, int, int]) -> None:
    reports: list[Progress] = []
    result = rgb(paint(Image.new("RGB", (64, 48), color), PAINTING, on_step=reports.append))
    assert np.isfinite([p.loss for p in reports if p.loss is not None]).all()
    assert np.abs(result.mean((0, 1)) - rgb(PAINTING).mean((0, 1))).max() < 40


# --- progress --------------------------------------------------------------------------------


def test_progress_is_reported_before_the_first_step_and_after_each(paint: Paint) -> None:
    reports: list[Progress] = []
    result = paint(PHOTO, PAINTING, on_step=reports.append)
    assert reports[0].note.startswith("64×48 px; 4 steps; about ")
    assert {p.verb for p in reports} == {"stylize"} and {p.steps for p in reports} == {4}
    steps = [p.step for p in reports]
    assert steps == sorted(steps) and [s for s in steps if s] == [1, 2, 3, 4]
    assert {p.stage for p in reports} == {"64 px"}
    seconds = [p.seconds for p in reports]
    assert seconds == sorted(seconds) and seconds[0] >= 0
    assert [p.loss is None for p in reports] == [p.step == 0 for p in reports]
    shares = [p.share for p in reports if p.loss is not None]
    np.testing.assert_allclose(
        shares, [0.25, 0.5, 0.75, 1.0]
    )  # with one scale, all steps cost the same
    last = reports[-1].preview
    assert last is not None and distance(last(), result) == 0
    first = next(p for p in reports if p.preview is not None)
    assert first.step == 0 and first.preview is not None and first.preview().size == (64, 48)


def test_notes_about_the_inputs_are_reported(paint: Paint, tmp_path: Path) -> None:
    frames = [PAINTING, BLUE]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    reports: list[Progress] = []
    paint(PHOTO, tmp_path / "a.gif", steps=1, on_step=reports.append)
    assert f"{tmp_path / 'a.gif'}: only the first of 2 frames is used" in [p.note for p in reports]


def test_the_loss_falls(paint: Paint) -> None:
    reports: list[Progress] = []
    paint(PHOTO, PAINTING, steps=15, init="noise", on_step=reports.append)
    losses = [p.loss for p in reports if p.loss is not None]
    assert len(losses) == 15 and losses[-1] < 0.5 * losses[0]


def test_stop_returns_the_picture_so_far(paint: Paint) -> None:
    previews: list[Image.Image] = []

    def on_step(progress: Progress) -> None:
        if progress.step == 2:
            assert progress.preview is not None
            previews.append(progress.preview())
            raise Stop

    stopped = paint(PHOTO, PAINTING, steps=40, on_step=on_step)
    assert stopped.tobytes() == previews[0].tobytes()
    assert recipe_of(stopped)["options"]["steps"] == [2]
    # the recipe makes the same picture
    assert paint(PHOTO, PAINTING, steps=[2]).tobytes() == stopped.tobytes()


def test_a_picture_stopped_between_scales_can_be_replayed(paint: Paint) -> None:
    photo = blobs(4, 168, 224, (90, 120, 150))
    stopped = paint(photo, PAINTING, size=224, steps=(3, 3), strength=0.6, on_step=stop_at(2))
    steps = recipe_of(stopped)["options"]["steps"]
    assert stopped.size == (224, 168) and steps == [2, 0]
    again = paint(photo, PAINTING, size=224, steps=steps, strength=0.6)
    assert again.tobytes() == stopped.tobytes()


def test_stop_before_the_first_step_propagates(paint: Paint) -> None:
    def at_once(_: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        paint(PHOTO, PAINTING, on_step=at_once)


def test_other_exceptions_of_the_callback_propagate(paint: Paint) -> None:
    def broken(progress: Progress) -> None:
        if progress.step == 1:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        paint(PHOTO, PAINTING, on_step=broken)


def test_a_time_budget_cuts_the_steps(paint: Paint) -> None:
    began = time.monotonic()
    result = paint(PHOTO, PAINTING, steps=100_000, time_budget="0.5s")
    assert time.monotonic() - began < 10  # with margin for a slow machine and for loading
    (done,) = recipe_of(result)["options"]["steps"]
    assert 1 <= done < 2000 and distance(result, PHOTO) > 10
    with pytest.raises(OptionError, match=r"^--time-budget '-2s'"):
        paint(PHOTO, PAINTING, time_budget="-2s")


def test_without_any_time_there_is_still_a_picture(paint: Paint) -> None:
    result = paint(PHOTO, PAINTING, steps=1000, time_budget=1e-9)
    assert result.size == (64, 48) and recipe_of(result)["options"]["steps"] == [0]


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
    assert recipe["inputs"] == ["photo.png", "wave.png:0.7", "blue.png:2.5"]
    options = recipe["options"]
    assert options["steps"] == [3] and options["seed"] == 7 and options["size"] == 64
    assert options["strength"] == 0.9 and options["style_scale"] == 0.8
    assert options["mask"] == ["left.png", "right.png"]
    assert options["init"] == "start.png" and options["features"] == Path(network).name
    for path in paths.values():
        wanted = hashlib.sha256(path.read_bytes()).hexdigest()
        assert recipe["files"][path.name] == wanted
    assert result.info["dpi"] == (300, 300) and result.info["icc_profile"] == reading.srgb_profile()


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strength": -0.1}, "--strength -0.1: must be from 0 to 2"),
        ({"strength": 2.1}, "--strength 2.1: must be from 0 to 2"),
        ({"strength": float("nan")}, "--strength nan: must be from 0 to 2"),
        ({"style_scale": 0.2}, "--style-scale 0.2: must be from 0.25 to 4"),
        ({"style_scale": 5}, "--style-scale 5: must be from"),
        ({"size": 63}, "--size 63: must be at least 64"),
        ({"steps": 0}, "--steps 0: must be at least 1"),
        ({"steps": [3, -1]}, "--steps 3,-1: give one number, or one for each size, each at least"),
        ({"seed": -1}, "--seed -1: must be from 0 to 2147483647"),
        ({"save_every": -1}, "--save-every -1: must be at least 0"),
        ({"preset": "monet"}, "--preset monet: must be one of limner, gatys"),
        ({"device": "abacus"}, "--device abacus: must be one of"),
        ({"features": ""}, "--features (empty name): must be one of"),
        ({"features": "eyes"}, "--features eyes: must be one of compact, vgg16, vgg19, or the"),
        (
            {"features": "compact", "preset": "gatys"},
            "--features compact: has no layer 5_2, which --preset gatys needs; use vgg16 or vgg19",
        ),
        ({"time_budget": "soon"}, "--time-budget 'soon': must be a time above 0"),
        ({"mask": [PHOTO, PHOTO]}, "--mask: 2 for 1 paintings; give one for each"),
        ({"resume": True}, "--resume: there is no checkpoint"),
        ({"save_every": 2}, "--save-every 2: there is no path for the checkpoint"),
    ],
)
def test_options_are_checked_before_anything_is_read(
    paint: Paint, options: dict[str, Any], says: str
) -> None:
    """The pictures do not exist, which would be an InputError."""
    with pytest.raises(OptionError) as raised:
        paint("no photo.png", "no painting.png", **options)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": (3, 4)}, "--steps 3,4: give one number"),
        ({"size": 256, "steps": 1}, "--steps 1: must be at least 2, one for each size"),
        ({"init": PAINTING}, "picture: is 64×64, but the photo is 64×48"),
    ],
)
def test_pictures_are_checked_before_the_network_is_loaded(
    paint: Paint, options: dict[str, Any], says: str
) -> None:
    """The weights file does not exist, which would be a WeightsError."""
    with pytest.raises(OptionError) as raised:
        paint(PHOTO, PAINTING, features="none.safetensors", **options)
    assert str(raised.value).startswith(says)


def test_a_weights_file_without_a_layer_of_the_preset_is_refused(
    paint: Paint, network: str
) -> None:
    with pytest.raises(OptionError, match=r"random\.safetensors: has no layer 5_2, which --preset"):
        paint(PHOTO, PAINTING, features=network, preset="gatys")


def test_no_painting_is_refused(paint: Paint) -> None:
    with pytest.raises(OptionError, match="no painting"):
        paint(PHOTO)


def test_a_start_of_another_aspect_ratio_is_refused(paint: Paint) -> None:
    with pytest.raises(OptionError, match="crop it to the photo's aspect ratio"):
        paint(PHOTO, PAINTING, init=PAINTING)


@pytest.mark.parametrize("name", ["none.png", "none.png:0.5", "a:b", "x" * 300, "nul\0.png"])
def test_a_missing_painting_gives_a_message_of_one_line(paint: Paint, name: str) -> None:
    with pytest.raises(InputError) as raised:
        paint(PHOTO, name)
    assert "\n" not in str(raised.value)


def test_a_weights_file_with_an_impossible_name_is_refused(paint: Paint) -> None:
    with pytest.raises(LimnerError):
        paint(PHOTO, PAINTING, features="x" * 300 + ".safetensors")


# --- the preset gatys ------------------------------------------------------------------------

TORCHVISION = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
WIDTHS = (64, 64, 128, 128) + (256,) * 4 + (512,) * 8


def test_the_preset_gatys_minimizes_the_loss_of_the_tutorial(tmp_path: Path) -> None:
    """Gatys, Ecker & Bethge (2016) as in TensorFlow's tutorial, on features in its range."""
    random, state, before = torch.Generator().manual_seed(0), {}, 3
    for index, width in zip(TORCHVISION, WIDTHS, strict=True):
        drawn = torch.randn((width, before, 3, 3), generator=random) * (2 / (9 * before)) ** 0.5
        state[f"features.{index}.weight"], before = drawn, width
        state[f"features.{index}.bias"] = torch.zeros(width)
    weights.write(tmp_path / "random.safetensors", state, {})
    start = blobs(9, 48, 64, (120, 120, 120))
    reports: list[Progress] = []
    result = stylize(
        PHOTO, PAINTING, preset="gatys", size=64, steps=2, init=start, device="cpu",
        features=str(tmp_path / "random.safetensors"), on_step=reports.append,
    )  # fmt: skip

    network = features.load(str(tmp_path / "random.safetensors"), padding="zeros")
    layers = ("1_1", "2_1", "3_1", "4_1", "5_1")

    def scaled(picture: Image.Image) -> dict[str, np.ndarray]:
        """[H·W, C] at each layer, in the range of a network that takes 0..255."""
        found = network(io.read(picture).rgb, (*layers, "5_2"))
        return {t: 255 * 0.226 * x[0].flatten(1).T.double().numpy() for t, x in found.items()}

    photo, painting, ours = scaled(PHOTO), scaled(PAINTING), scaled(start)
    style = 0.0
    for layer in layers:
        gram, wanted = (x[layer].T @ x[layer] / len(x[layer]) for x in (ours, painting))
        style += np.square(gram - wanted).mean() * 1e-2 / 5
    content = np.square(ours["5_2"] - photo["5_2"]).mean() * 1e3
    assert content > 1e-3 * style > 0  # both matter
    losses = [p.loss for p in reports if p.loss is not None]
    assert losses[0] == pytest.approx(style + content, rel=1e-3)
    assert losses[1] < losses[0]
    assert result.size == (64, 48) and recipe_of(result)["options"]["preset"] == "gatys"
    # two steps of Adam: each pixel moves by at most twice the learning rate
    assert 0 < np.abs(rgb(result) - rgb(start)).max() <= 2 * 5 + 1


# --- the network that comes with limner ------------------------------------------------------


def test_with_the_shipped_network_the_photo_becomes_like_the_painting() -> None:
    """Measured without a network: moments of colors and of first differences."""
    photo, painting = (
        Image.open(EXAMPLES / f"{n}.jpg").convert("RGB") for n in ("photo", "painting")
    )
    result = stylize(photo, painting, size=128, steps=25, method="network", device="cpu")

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
