"""Paintings with weights and masks."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from style_pictures import BLUE, PAINTING, PHOTO, Paint, blobs, distance, half, recipe_of, rgb

from limner.errors import OptionError

# --- weights ---------------------------------------------------------------------------------


def test_weights_mix_the_styles(paint: Paint) -> None:
    reds = [
        rgb(paint(PHOTO, (PAINTING, share), (BLUE, 1.0))).mean((0, 1))[0]
        for share in (0.001, 0.5, 2.0, 1000.0)
    ]
    alone = [rgb(paint(PHOTO, picture)).mean((0, 1))[0] for picture in (BLUE, PAINTING)]
    assert reds == sorted(reds)
    assert reds[0] == pytest.approx(alone[0], abs=2) and reds[3] == pytest.approx(alone[1], abs=2)
    twice = [paint(PHOTO, (PAINTING, share), (BLUE, share)).tobytes() for share in (1.0, 4.0)]
    assert twice[0] == twice[1]  # only the proportions matter


def test_a_weight_follows_a_colon(paint: Paint, tmp_path: Path) -> None:
    names = ["wave.png"] if os.name == "nt" else ["wave.png", "a:0.5.png", "bare:3"]
    for name in names:  # on Windows a name has no colon
        PAINTING.save(tmp_path / name, format="PNG")
    for given, name, weight in (
        ("wave.png", "wave.png", 1.0),
        ("wave.png:0.7", "wave.png", 0.7),
        ("wave.png:2", "wave.png", 2.0),
        ("wave.png:1e-3", "wave.png", 0.001),
        ("a:0.5.png", "a:0.5.png", 1.0),  # a file of that name exists
        ("a:0.5.png:0.25", "a:0.5.png", 0.25),
        ("bare:3", "bare:3", 1.0),
        ("bare:3:4", "bare:3", 4.0),
    ):
        if name not in names:
            continue
        recipe = recipe_of(paint(PHOTO, str(tmp_path / given), steps=1))
        (_, used) = recipe["inputs"]
        path, _, number = used.rpartition(":")
        assert (path, float(number)) == (name, weight), given


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "-0.0"])
def test_weights_must_be_above_0(paint: Paint, tmp_path: Path, weight: str) -> None:
    PAINTING.save(tmp_path / "wave.png")
    for style in (f"{tmp_path / 'wave.png'}:{weight}", (PAINTING, float(weight))):
        with pytest.raises(
            OptionError, match=r"^weight .* of a painting: must be above 0, as in wave\.jpg:0\.7$"
        ):
            paint(PHOTO, style)


# --- masks -----------------------------------------------------------------------------------


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


def test_with_masks_too_only_the_proportions_of_weights_matter(paint: Paint) -> None:
    masks = [half("left"), half("right")]
    once, twice = (
        paint(PHOTO, (PAINTING, share), (BLUE, 2 * share), mask=masks) for share in (1.0, 2.0)
    )
    assert once.tobytes() == twice.tobytes()


def test_where_masks_overlap_the_larger_weight_gives_more_color(paint: Paint) -> None:
    white = Image.new("L", (64, 48), 255)
    reds = [
        rgb(paint(PHOTO, (PAINTING, share), BLUE, mask=[white, white])).mean((0, 1))[0]
        for share in (0.01, 1.0, 100.0)
    ]
    assert reds[0] + 20 < reds[1] < reds[2] - 20


def test_a_mask_that_is_white_at_one_edge_only(paint: Paint) -> None:
    """Pooling drops the last rows, so nothing of the mask is left: do not divide by zero."""
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


def test_a_white_mask_changes_nothing(paint: Paint) -> None:
    white = Image.new("L", (64, 48), 255)
    assert distance(paint(PHOTO, PAINTING, mask=[white]), paint(PHOTO, PAINTING)) < 1


def test_with_black_masks_the_photo_stays(paint: Paint) -> None:
    black, told = Image.new("L", (64, 48), 0), list[str]()
    stroke = Image.new("RGBA", (64, 48))
    stroke.paste((0, 0, 0, 255), (0, 0, 40, 40))
    for mask in (black, stroke):
        made = paint(PHOTO, PAINTING, mask=[mask], on_step=lambda step: told.append(step.note))
        assert distance(made, PHOTO) < 6
    assert told.count("picture: has no white area, so its painting goes nowhere") == 2


@pytest.mark.parametrize("size", [(1, 1), (64, 48)])
def test_a_painting_without_brush_strokes_is_named(paint: Paint, size: tuple[int, int]) -> None:
    told: list[str] = []
    plain = Image.new("RGB", size, (200, 30, 30))
    paint(PHOTO, plain, steps=1, on_step=lambda step: told.append(step.note))
    assert told.count("picture: is one plain color, without brush strokes") == 1
    paint(PHOTO, PAINTING, steps=1, on_step=lambda step: told.append(step.note))
    assert len([note for note in told if "plain" in note]) == 1


@pytest.mark.parametrize("speck", [False, True])
def test_a_painting_with_a_black_mask_has_no_effect(paint: Paint, speck: bool) -> None:
    nowhere, everywhere = Image.new("L", (64, 48), 0), Image.new("L", (64, 48), 255)
    if speck:  # too small, and too near the border, for the coarse layers
        nowhere.putpixel((0, 0), 255)
    result = paint(PHOTO, PAINTING, BLUE, mask=[nowhere, everywhere])
    assert distance(result, paint(PHOTO, BLUE, mask=[everywhere])) < 5


def test_masks_that_do_not_fit_are_refused(paint: Paint, tmp_path: Path) -> None:
    half("left").resize((64, 64)).save(tmp_path / "square.png")
    with pytest.raises(
        OptionError, match=r"square\.png: is 64×64, but the photo is 64×48; crop it to"
    ):
        paint(PHOTO, PAINTING, mask=[tmp_path / "square.png"])
    with pytest.raises(OptionError, match=r"^--mask: 1 for 2 paintings; give one for each$"):
        paint(PHOTO, PAINTING, BLUE, mask=[half("left")])
    with pytest.raises(OptionError, match=r"^--mask: 2 for 1 paintings"):
        paint(PHOTO, PAINTING, mask=[half("left"), half("right")])
    # another size of the same aspect ratio is allowed, and so is rounding
    assert paint(PHOTO, PAINTING, mask=[half("left").resize((129, 96))], steps=1).size == (64, 48)
