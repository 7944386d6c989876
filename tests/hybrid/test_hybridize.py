"""`hybridize` from end to end, on small pictures: results, side files, notes and refusals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from limner import io
from limner.errors import InputError, OptionError
from limner.hybrid.hybridize import hybridize, side_files
from limner.progress import Progress, Stop


def textured(seed: int, height: int = 128, width: int = 160, line: int = 1) -> Image.Image:
    """Ellipses of many colors, with thin or thick lines over them."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (width, height), tuple(random.integers(90, 160, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(30):
        x, y = random.uniform(0, width), random.uniform(0, height)
        a, b = random.uniform(4, width / 5, 2)
        color = tuple(random.integers(40, 216, 3).tolist())
        draw.ellipse((x - a, y - b, x + a, y + b), fill=color, outline="black", width=line)
    return picture


NEAR, FAR = textured(0), textured(1)
Hybridize = Callable[..., Image.Image]


def rgb(image: Image.Image) -> np.ndarray:
    """[H, W, 3] in 0..1."""
    return np.asarray(image.convert("RGB")) / 255


def thumbnail(image: Image.Image) -> np.ndarray:
    return rgb(image.resize((40, 32), Image.Resampling.LANCZOS))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def found_in(image: Image.Image) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(image.info["limner"])["found"]
    return found


def notes_of(*inputs: Any, **options: Any) -> list[str]:
    told: list[str] = []
    hybridize(*inputs, **options, on_step=lambda progress: told.append(progress.note))
    return [note for note in told if note]


# --- the picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["detail", "fourier"])
def test_small_it_shows_the_far_photo_and_large_the_detail_of_the_near_one(method: Any) -> None:
    hybrid = hybridize(NEAR, FAR, method=method)
    assert hybrid.size == NEAR.size
    assert correlation(thumbnail(hybrid), thumbnail(FAR)) > 0.95
    details = [np.diff(rgb(image), axis=1) for image in (hybrid, NEAR, FAR)]
    assert correlation(details[0], details[1]) > 0.85 > 0.3 > correlation(details[0], details[2])


def test_the_scores_are_those_of_the_picture() -> None:
    near, far = textured(0, 512, 512), textured(1, 512, 512)
    hybrid = hybridize(near, far, align="none", contrast=1.0)
    found = found_in(hybrid)
    small = [
        np.asarray(picture.resize((64, 64), Image.Resampling.BICUBIC)) / 255.0
        for picture in (hybrid, near, far)
    ]
    ours, nears, fars = small
    for name, pair in {"far": (ours, fars), "leak": (ours, nears), "floor": (nears, fars)}.items():
        assert found["scores"][name] == pytest.approx(correlation(*pair), abs=0.01)
    assert found["contrast"] == 1.0
    clipped = found["clipped"]  # what was clipped lies at the ends now
    assert clipped <= np.isin(rgb(hybrid), (0.0, 1.0)).mean() + 1e-3


def test_less_contrast_leaves_less_to_clip() -> None:
    near = textured(2, line=3)
    harsh = Image.fromarray((rgb(FAR).round() * 255).astype(np.uint8))
    clipped = [found_in(hybridize(near, harsh, contrast=c))["clipped"] for c in (1.0, 0.7, 0.4)]
    assert clipped[0] > 0.05 and clipped == sorted(clipped, reverse=True)
    auto = found_in(hybridize(near, harsh))
    assert auto["contrast"] < 1 and auto["clipped"] < clipped[0]


def test_near_gray_takes_all_colors_from_the_far_photo() -> None:
    gray = FAR.convert("L")
    colored, plain = (
        rgb(hybridize(NEAR, gray, near_gray=near_gray)) for near_gray in (False, True)
    )
    assert np.ptp(colored, axis=2).max() > 0.1
    assert np.ptp(plain, axis=2).max() < 0.01


def test_the_article_s_method_lowers_its_loss() -> None:
    told: list[Progress] = []
    hybrid = hybridize(NEAR, FAR, method="article", size=96, steps=30, on_step=told.append)
    losses = [progress.loss for progress in told if progress.loss is not None]
    assert len(losses) == 30 and losses == sorted(losses, reverse=True)
    assert found_in(hybrid)["loss"] == losses[-1]
    fast = hybridize(NEAR, FAR, method="article", size=96, solver="fast")
    assert found_in(fast)["loss"] < losses[-1]


def test_the_article_s_defaults_and_stopping_early() -> None:
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        if progress.step == 2:
            raise Stop

    hybrid = hybridize(NEAR, FAR, method="article", on_step=stop)
    assert max(hybrid.size) == 512 and told[-1].steps == 200
    assert json.loads(hybrid.info["limner"])["options"]["steps"] == 2


def test_a_larger_weight_shows_more_of_the_near_photo() -> None:
    found = [
        correlation(rgb(hybridize(NEAR, FAR, method="article", size=160, weight=w)), rgb(NEAR))
        for w in (0.1, 0.3, 1.0)
    ]
    assert found == sorted(found) and found[2] > found[0] + 0.1


# --- alignment -------------------------------------------------------------------------------


def test_it_is_cropped_to_what_both_show() -> None:
    """The far photo is the near one, moved right by 20 pixels, so its left 20 are missing."""
    wide = textured(5, 160, 260)
    near, far = wide.crop((40, 0, 240, 160)), wide.crop((20, 0, 220, 160))
    hybrid = hybridize(near, far, contrast=1)
    assert hybrid.height == 160 and 174 <= hybrid.width <= 181
    found = found_in(hybrid)
    assert found["alignment"]["x"] == pytest.approx(20 / 200, abs=0.004)
    assert found["alignment"]["scale"] == pytest.approx(1, abs=0.01)
    assert found["edge_correlation"] > 0.7
    # aligned, they are the same picture
    assert np.abs(rgb(hybrid) - rgb(near.crop((0, 0, hybrid.width, 160)))).mean() < 0.02


def test_points_align_the_photos() -> None:
    far = textured(7, 200, 200)
    hybrid = hybridize(NEAR, far, points=[40, 40, 120, 40, 60, 60, 140, 60], sigma=8, contrast=1)
    # 80 pixels on 80: the far photo is not scaled, and (40, 40) lies on (60, 60)
    assert hybrid.size == NEAR.size
    want = far.crop((20, 20, 180, 148))
    assert correlation(thumbnail(hybrid), thumbnail(want)) > 0.9


def test_without_alignment_the_middle_of_the_far_photo_covers_the_near() -> None:
    far = textured(7, 300, 200)
    hybrid = hybridize(NEAR, far, align="none")
    assert hybrid.size == NEAR.size
    want = far.crop((0, 70, 200, 230)).resize(NEAR.size)
    assert correlation(thumbnail(hybrid), thumbnail(want)) > 0.95


@pytest.mark.parametrize(
    ("size", "wanted"), [(None, (160, 128)), (80, (80, 64)), (320, (320, 256))]
)
def test_the_result_has_the_size(size: int | None, wanted: tuple[int, int]) -> None:
    assert hybridize(NEAR, textured(1, 50, 40), size=size).size == wanted


# --- pictures of all kinds -------------------------------------------------------------------


@pytest.mark.slow
def test_gray_16_bit_and_transparent_pictures_are_read(tmp_path: Path) -> None:
    deep = Image.fromarray(np.asarray(NEAR.convert("L")).astype(np.uint16) * 257)
    deep.save(tmp_path / "deep.png")
    clear = FAR.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(FAR.size))
    plain = hybridize(NEAR.convert("L"), FAR)
    assert np.abs(rgb(hybridize(tmp_path / "deep.png", FAR)) - rgb(plain)).max() < 0.01
    on_white = Image.new("RGB", FAR.size, "white")
    on_white.paste(clear, mask=clear.getchannel("A"))
    found = rgb(hybridize(NEAR, clear))
    assert np.abs(found - rgb(hybridize(NEAR, on_white))).max() < 0.03
    assert "picture: its transparent parts are put on white" in notes_of(NEAR, clear)
    assert not any("transparent" in note for note in notes_of(NEAR, FAR.convert("RGBA")))


def test_the_same_photo_twice_gives_that_photo_and_a_warning() -> None:
    assert np.abs(rgb(hybridize(NEAR, NEAR, contrast=1)) - rgb(NEAR)).max() < 0.01
    assert any("are the same" in note for note in notes_of(NEAR, NEAR))


def test_flat_photos_give_a_warning() -> None:
    flat = Image.new("RGB", (160, 128), (200, 90, 40))
    assert any("far photo is flat" in note for note in notes_of(NEAR, flat))
    assert any("hardly any detail" in note for note in notes_of(flat, FAR))
    hybrid = hybridize(flat, FAR, contrast=1)  # what is left is the far photo, blurred
    assert correlation(thumbnail(hybrid), thumbnail(FAR)) > 0.97
    both = hybridize(flat, flat)
    assert np.abs(rgb(both) - rgb(flat)).max() < 0.01


def test_photos_that_do_not_match_give_a_warning() -> None:
    stripes = np.zeros((128, 160, 3), np.uint8)
    stripes[::8] = stripes[1::8] = 255
    other = np.zeros((128, 160, 3), np.uint8)
    other[40:90, 60:100] = 255
    (note,) = (
        n for n in notes_of(Image.fromarray(stripes), Image.fromarray(other)) if "do not match" in n
    )
    assert "must be at least 0.1" in note and "--points" in note
    assert not any("do not match" in n for n in notes_of(NEAR, NEAR.rotate(3)))


# --- notes and side files ---------------------------------------------------------------------


def test_distances_depend_on_the_print() -> None:
    found = found_in(hybridize(NEAR, FAR, sigma=3, print_width="40cm"))
    # 160 of 160 pixels wide: f = 0.187 · 512 / 3 = 31.9 cycles; 57.3 · 15 / f = 26.9 widths
    assert found["widths"]["far"] == pytest.approx(26.93, abs=0.01)
    assert found["meters"]["far"] == pytest.approx(26.93 * 0.4, abs=0.01)
    assert found["meters"]["near"] == pytest.approx(26.93 * 0.4 / 3, abs=0.01)
    picture = hybridize(NEAR, FAR, print_width="10cm", near="50cm", far="4m")
    assert found_in(picture)["meters"]["far"] == pytest.approx(4)
    assert picture.info["dpi"] == pytest.approx((160 / 10 * 2.54,) * 2, abs=0.05)


def test_side_files_are_a_strip_and_an_animation() -> None:
    hybrid = hybridize(NEAR, FAR, strip=True, zoom_gif=True)
    strip, zoom = hybrid.info["beside"]["strip"], hybrid.info["beside"]["zoom"]
    assert strip.size == (160 + 80 + 40 + 20 + 3 * 16, 128)
    assert np.array_equal(rgb(strip)[:, :160], rgb(hybrid))
    assert zoom.format == "GIF" and zoom.n_frames > 20 and zoom.size == (160, 128)
    assert hybridize(NEAR, FAR).info["beside"] == {}


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("zoom_gif", [False, True])
def test_the_side_files_are_known_before(strip: bool, zoom_gif: bool) -> None:
    options = {"strip": strip, "zoom_gif": zoom_gif}
    beside = hybridize(NEAR, FAR, **options).info["beside"]
    assert side_files(options) == {name: io.ending_of(view) for name, view in beside.items()}
    assert side_files({}) == {}


def test_the_recipe_describes_the_call(tmp_path: Path) -> None:
    NEAR.save(tmp_path / "near.png")
    FAR.save(tmp_path / "far.png")
    near, far = str(tmp_path / "near.png"), str(tmp_path / "far.png")
    hybrid = hybridize(near, far, sigma=3.5, strip=True)
    io.write(hybrid, tmp_path / "out.png")
    recipe = io.recipe_of(tmp_path / "out.png")
    assert (recipe["verb"], recipe["inputs"]) == ("hybridize", ["near.png", "far.png"])
    assert recipe["options"]["sigma"] == 3.5 and recipe["options"]["strip"] is True  # type: ignore[index]
    assert list(recipe["files"]) == ["far.png", "near.png"]  # type: ignore[call-overload]
    assert recipe["found"]["scores"]["near"] > 0.5  # type: ignore[index]


def test_the_plan_comes_first_and_the_preview_is_the_picture() -> None:
    told: list[Progress] = []
    hybrid = hybridize(NEAR, FAR, on_step=told.append)
    assert told[0].note.startswith("160×128 px, detail; about 0.3 GiB") and told[0].step == 0
    assert told[-1].step == told[-1].steps == 1 and told[-1].preview is not None
    assert told[-1].preview().tobytes() == hybrid.tobytes()


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sigma": 0.4}, "--sigma 0.4: must be from 0.5 to 32"),
        ({"sigma": float("nan")}, "--sigma nan: must be from 0.5 to 32"),
        ({"contrast": 1.1}, "--contrast 1.1: must be from 0.1 to 1"),
        ({"size": 63}, "--size 63: must be from 64 to 32768"),
        ({"size": 10**9}, "--size 1000000000: must be from 64 to 32768"),
        ({"size": 10**400}, "--size (hundreds of digits): must be from 64 to 32768"),
        ({"method": "article", "steps": 0}, "--steps 0: must be at least 1"),
        ({"method": "article", "weight": 0.0}, "--weight 0: must be from 0.001 to 1000"),
        ({"method": "magic"}, "--method magic: must be one of detail, article, fourier"),
        ({"align": "by eye"}, "--align by eye: must be one of auto, none"),
        ({"weight": 0.1}, "--weight 0.1: has no effect with --method detail; leave it out, or use"),
        ({"steps": 9}, "--steps 9: has no effect with --method detail; leave it out, or use"),
        (
            {"method": "fourier", "solver": "fast"},
            "--solver fast: has no effect with --method four",
        ),
        ({"method": "article", "sigma": 3.0}, "--sigma 3.0: has no effect with --method article; "),
        ({"method": "article", "contrast": 0.8}, "--contrast 0.8: has no effect with --method art"),
        ({"method": "article", "far": "4m"}, "--far 4m: has no effect with --method article; "),
        ({"points": [1] * 8, "align": "none"}, "--align none: has no effect with --points; leave"),
        (
            {"far": "4m", "near": "1m"},
            "--print-width: is missing; give --near, --far and --print-width",
        ),
        (
            {"far": "4m", "print_width": 0.4},
            "--near: is missing; give --near, --far and --print-width",
        ),
        (
            {"far": "4m", "near": "1m", "print_width": 0.4, "sigma": 2.0},
            "--sigma 2.0: has no effect with --near and --far, which set the cut-off; leave it out",
        ),
        ({"far": "4m", "near": "2m", "print_width": 0.4}, "--near 2m: must be at most a third"),
        ({"far": "90m", "near": "2m", "print_width": 0.4}, "--far 90m: must be from"),
        ({"print_width": "wide"}, "--print-width 'wide': must be a length above 0 with a unit"),
        ({"points": [1, 2, 3]}, "--points 1,2,3: must be eight numbers"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as raised:
        hybridize(NEAR, FAR, **options)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


def test_a_narrow_and_a_missing_photo_are_refused() -> None:
    with pytest.raises(OptionError, match="160×10 px, and its short side must have at least 16"):
        hybridize(NEAR.crop((0, 0, 160, 10)), FAR, align="none")
    with pytest.raises(InputError, match=r"nowhere\.jpg: there is no such file"):
        hybridize(NEAR, "nowhere.jpg")
