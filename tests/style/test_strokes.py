"""`stylize` with strokes of the paintings: strength, colors, masks, several paintings, detail."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from style_pictures import (
    COLD,
    HOUSE,
    WARM,
    Paint,
    brushwork,
    distance,
    half,
    house,
    likeness,
    recipe_of,
    rgb,
)

from crafted import deep_png
from limner import io
from limner.errors import OptionError
from limner.nn import images
from limner.patches.synthesis import Settings
from limner.progress import Progress
from limner.style.strokes import remove_foreign_colors, settings_for

pytestmark = pytest.mark.slow  # whole pictures in strokes

EXAMPLES = Path(__file__).parents[2] / "examples"
GREEN = (0, 255, 0)


def warm_share(picture: Image.Image) -> float:
    """Share of the pixels with more red than blue."""
    return float((rgb(picture)[..., 0] > rgb(picture)[..., 2]).mean())


def chroma(picture: Image.Image) -> np.ndarray:
    """Blue and red minus luma (ITU-R BT.601), [2, H, W]."""
    red, green, blue = np.moveaxis(rgb(picture), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.array([(blue - luma) / 1.772, (red - luma) / 1.402])


# --- strength --------------------------------------------------------------------------------


def test_without_strength_the_photo_is_returned(stroke: Paint) -> None:
    assert np.abs(rgb(stroke(HOUSE, WARM, strength=0)) - rgb(HOUSE)).max() <= 1


def test_more_strength_leads_further_from_the_photo(stroke: Paint) -> None:
    """Colors change up to strength 0.5, shapes from then on."""
    painted = {
        strength: stroke(HOUSE, WARM, strength=strength, init="noise")
        for strength in (0, 0.25, 0.5, 1.0, 2.0)
    }
    away = [distance(painted[strength], HOUSE) for strength in (0, 0.25, 0.5)]
    assert np.diff(away).min() > 10
    alike = [likeness(painted[strength], HOUSE) for strength in (0, 0.25, 0.5, 1.0, 2.0)]
    assert np.diff(alike).max() < -0.005 and alike[2] > 0.85


def test_more_strength_leads_further_from_a_photo_with_the_colors_of_the_painting(
    stroke: Paint,
) -> None:
    painting = brushwork(3, [(150, 180, 215), (95, 115, 60), (200, 190, 170), (120, 60, 50)])
    away = [
        distance(stroke(HOUSE, painting, strength=strength, init="noise"), HOUSE)
        for strength in (0, 0.25, 0.5, 1.0)
    ]
    assert away[0] <= 1 and np.diff(away).min() > 1


@pytest.mark.parametrize("strength", [0.25, 0.5])
def test_up_to_strength_half_no_step_of_the_network_runs(stroke: Paint, strength: float) -> None:
    reports: list[Progress] = []
    result = stroke(HOUSE, WARM, strength=strength, on_step=reports.append)
    assert all(p.loss is None for p in reports) and reports[-1].step == reports[-1].steps == 1
    assert recipe_of(result)["options"]["steps"] == [0]
    assert distance(result, HOUSE) > 10


def test_beyond_strength_half_the_network_runs(stroke: Paint) -> None:
    reports: list[Progress] = []
    result = stroke(HOUSE, WARM, strength=0.6, on_step=reports.append)
    assert len({p.step for p in reports if p.loss is not None}) >= 4
    assert recipe_of(result)["options"]["steps"] == [4]


def test_from_strength_1_to_2_detail_counts_less_until_it_counts_as_the_rest() -> None:
    default, found = Settings(), {s: settings_for(s) for s in (0.3, 1.0, 1.25, 1.5, 1.75, 2.0)}
    assert {found[s].detail_weight for s in (0.3, 1.0)} == {default.detail_weight}
    assert {found[s].target_weight for s in (0.3, 1.0)} == {default.target_weight}
    lead = [f.detail_weight - f.target_weight for s, f in found.items() if s >= 1]
    assert lead[0] > 0.3 and np.diff(lead).max() < -0.05 and lead[-1] == pytest.approx(0)


# --- colors ----------------------------------------------------------------------------------


def test_the_result_has_the_colors_of_the_painting(stroke: Paint) -> None:
    found = rgb(stroke(HOUSE, WARM)).reshape(-1, 3)
    painting = rgb(WARM).reshape(-1, 3)
    assert np.abs(found.mean(0) - painting.mean(0)).max() < 12
    np.testing.assert_allclose(found.std(0), painting.std(0), rtol=0.35)


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_colors_of_the_photo_can_be_kept(stroke: Paint, strength: float) -> None:
    kept = stroke(HOUSE, WARM, strength=strength, keep_colors=True)
    assert np.abs(chroma(kept).mean((1, 2)) - chroma(HOUSE).mean((1, 2))).max() < 2
    assert np.abs(chroma(kept) - chroma(HOUSE)).mean() < 4  # at each place
    plain = stroke(HOUSE, WARM, strength=strength)
    assert np.abs(chroma(plain) - chroma(HOUSE)).mean() > 8
    assert distance(kept, HOUSE) > 1  # but it was painted


def test_the_same_seed_gives_the_same_pixels(stroke: Paint) -> None:
    pair = (WARM, 0.5), (COLD, 0.5)
    one, same, other = (
        stroke(HOUSE, *pair, init="noise", seed=seed, size=64).tobytes() for seed in (3, 3, 4)
    )
    assert one == same and one != other


def test_style_scale_changes_the_result(stroke: Paint) -> None:
    fine, coarse = (stroke(HOUSE, WARM, style_scale=scale, steps=1) for scale in (0.5, 2.0))
    across = [np.abs(np.diff(rgb(one), axis=1)).mean() for one in (fine, coarse)]
    assert across[0] > 1.1 * across[1]


# --- masks and alpha -------------------------------------------------------------------------


def test_masks_with_soft_borders_mix_photo_and_strokes(stroke: Paint) -> None:
    ramp = np.clip((np.arange(96) - 32) / 32, 0, 1) * 255
    mask = Image.fromarray(np.tile(ramp.round().astype(np.uint8), (72, 1)))
    difference = np.abs(rgb(stroke(HOUSE, WARM, mask=[mask])) - rgb(HOUSE))
    assert difference[:, :32].max() <= 1
    assert difference[:, 65:].mean() > 20
    columns = difference.mean((0, 2))
    assert columns[33:40].mean() < 0.5 * columns[56:63].mean()


def test_each_painting_goes_where_its_mask_is_white(stroke: Paint) -> None:
    masks = [half("left", 96, 72), half("right", 96, 72)]
    result = stroke(HOUSE, WARM, COLD, mask=masks)
    left, right = result.crop((0, 0, 44, 72)), result.crop((52, 0, 96, 72))
    assert warm_share(left) > 0.97 and warm_share(right) < 0.03
    swapped = stroke(HOUSE, WARM, COLD, mask=masks[::-1])
    assert warm_share(swapped.crop((0, 0, 44, 72))) < 0.03


def test_where_all_masks_are_black_the_photo_stays(stroke: Paint) -> None:
    black = Image.new("L", (96, 72), 0)
    assert np.abs(rgb(stroke(HOUSE, WARM, mask=[black])) - rgb(HOUSE)).max() <= 1
    both = stroke(HOUSE, WARM, COLD, mask=[black, black])
    assert np.abs(rgb(both) - rgb(HOUSE)).max() <= 1
    one = stroke(HOUSE, WARM, COLD, mask=[black, half("left", 96, 72)])
    assert np.abs(rgb(one) - rgb(HOUSE))[:, 48:].max() <= 1
    assert warm_share(one.crop((0, 0, 44, 72))) < 0.03


def test_alpha_of_the_photo_is_kept(stroke: Paint) -> None:
    alpha = np.linspace(0, 255, 72 * 96).reshape(72, 96).astype(np.uint8)
    photo = HOUSE.copy()
    photo.putalpha(Image.fromarray(alpha))
    result = stroke(photo, WARM)
    assert result.mode == "RGBA" and result.size == (96, 72)
    np.testing.assert_allclose(np.asarray(result)[..., 3], alpha, atol=1)
    assert distance(result, HOUSE) > 10


def test_photos_and_paintings_may_have_16_bits(stroke: Paint, tmp_path: Path) -> None:
    for name, picture in (("photo", HOUSE), ("painting", WARM)):
        (tmp_path / f"{name}.png").write_bytes(deep_png(rgb(picture).astype(np.uint16) * 257))
    deep = stroke(tmp_path / "photo.png", tmp_path / "painting.png", strength=0.5)
    assert distance(deep, stroke(HOUSE, WARM, strength=0.5)) < 1


@pytest.mark.parametrize("hidden", ["half", "spots"])
def test_transparent_parts_of_a_painting_are_never_used(stroke: Paint, hidden: str) -> None:
    """Neither as strokes nor for the colors of the photo."""
    alpha = np.full((128, 128), 255, np.uint8)
    if hidden == "half":
        alpha[:, 64:] = 0
    else:
        for row in range(8, 128, 40):
            for column in range(8, 128, 40):
                alpha[row : row + 20, column : column + 20] = 0
    pixels = rgb(WARM).astype(np.uint8)
    visible = pixels[alpha > 0].astype(float)
    pixels[alpha == 0] = GREEN
    painting = Image.fromarray(np.dstack((pixels, alpha)))
    result = rgb(stroke(HOUSE, painting))
    assert (result[..., 1] - result[..., 0]).max() < 30  # nothing green
    assert np.abs(result.mean((0, 1)) - visible.mean(0)).max() < 12  # nor white


# --- several paintings -----------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1.0, 3.0), (0.2, 0.2)])
def test_regions_take_strokes_of_one_painting_in_the_shares_of_the_weights(
    stroke: Paint, weights: tuple[float, float]
) -> None:
    result = stroke(HOUSE, (WARM, weights[0]), (COLD, weights[1]))
    share = weights[0] / sum(weights)
    assert warm_share(result) == pytest.approx(share, abs=0.08)
    # each pixel is as colorful as those of one painting, not an average of both
    red, blue = rgb(result)[..., 0], rgb(result)[..., 2]
    assert (np.abs(red - blue) > 20).mean() > 0.9
    # regions are large: few neighbors differ
    warm = red > blue
    assert (warm[:, 1:] != warm[:, :-1]).mean() < 0.06


def test_twenty_paintings_have_a_region_each(stroke: Paint) -> None:
    colors = [(37 * i % 200 + 28, 91 * i % 200 + 28, 53 * i % 200 + 28) for i in range(20)]
    paintings = [brushwork(i, [color], 64, 64) for i, color in enumerate(colors)]
    result = rgb(stroke(house(128, 96), *paintings, size=128, steps=1))
    nearest = np.linalg.norm(result[..., None, :] - np.array(colors), axis=-1).argmin(-1)
    shares = np.bincount(nearest.flat, minlength=20) / nearest.size
    assert (shares > 0.01).sum() >= 16 and shares.max() < 0.15


# --- the start -------------------------------------------------------------------------------


def test_the_first_iterate_matters(stroke: Paint) -> None:
    turned = HOUSE.transpose(Image.Transpose.ROTATE_180)
    photo, noise, other = (
        stroke(HOUSE, WARM, init=init, detail_mask="none", steps=1)
        for init in ("content", "noise", turned)
    )
    alike = [likeness(one, HOUSE) for one in (photo, noise, other)]
    assert alike[0] > 0.8 and alike[0] > alike[1] + 0.05 and alike[0] > alike[2] + 0.1
    assert likeness(other, turned) > likeness(photo, turned) + 0.1


# --- detail ----------------------------------------------------------------------------------


def test_the_detail_mask_keeps_the_structure_of_the_photo(stroke: Paint, tmp_path: Path) -> None:
    """White everywhere keeps all, none keeps least, auto is between."""
    Image.new("L", (192, 144), 255).save(tmp_path / "white.png")
    options = {"init": "noise", "steps": 2}
    found = {
        detail: stroke(HOUSE, WARM, detail_mask=detail, **options)
        for detail in (str(tmp_path / "white.png"), "auto", "none")
    }
    white, auto, none = (likeness(picture, HOUSE) for picture in found.values())
    assert white > auto > none and white > none + 0.1
    recipe = recipe_of(found[str(tmp_path / "white.png")])
    assert recipe["options"]["detail_mask"] == "white.png"
    assert "white.png" in recipe["files"]
    # white: the target is the recolored photo
    recolored = stroke(HOUSE, WARM, steps=[0], detail_mask=str(tmp_path / "white.png"))
    away = [distance(picture, recolored) for picture in found.values()]
    assert away[0] < 6 and away[1] > 10 and away[2] > 15


def test_a_black_detail_mask_is_as_good_as_none(stroke: Paint) -> None:
    black = Image.new("L", (96, 72), 0)
    one, other = (stroke(HOUSE, WARM, detail_mask=detail) for detail in (black, "none"))
    assert one.tobytes() == other.tobytes()


def test_the_detail_mask_works_in_places(stroke: Paint) -> None:
    found = {
        side: stroke(
            HOUSE, WARM, init="noise", steps=2, detail_mask=half(side, 96, 72), strength=1.0
        )
        for side in ("left", "right")
    }
    for box, own, other in (((0, 0, 40, 72), "left", "right"), ((56, 0, 96, 72), "right", "left")):
        part = HOUSE.crop(box)
        kept, changed = (likeness(found[side].crop(box), part) for side in (own, other))
        assert kept > changed + 0.05


def test_a_detail_mask_of_another_aspect_ratio_is_refused(stroke: Paint) -> None:
    with pytest.raises(OptionError, match="crop it to the photo's aspect ratio"):
        stroke(HOUSE, WARM, detail_mask=WARM)


# --- foreign colors --------------------------------------------------------------------------


def test_an_area_of_a_foreign_color_comes_near_the_photo() -> None:
    skin, orange = torch.tensor([0.3, 0.2, 0.2]), torch.tensor([0.9, 0.4, 0.1])
    recolored = skin.view(1, 3, 1, 1).expand(1, 3, 200, 240)
    picture = recolored.clone()
    picture[..., 60:100, 80:120] = orange.view(1, 3, 1, 1)
    mended = remove_foreign_colors(picture, recolored)
    left = (mended - recolored).norm(dim=1)[0]
    assert left[75:85, 95:105].max() < 0.17 < (orange - skin).norm()
    assert torch.equal(mended[..., 130:, :], picture[..., 130:, :])


def test_colors_a_little_apart_from_the_photo_stay() -> None:
    recolored = torch.rand((1, 3, 60, 80), generator=torch.Generator().manual_seed(1))
    recolored = 0.9 * recolored
    picture = recolored + 0.08  # a distance of 0.14
    assert torch.equal(remove_foreign_colors(picture, recolored), picture)


# --- the network that comes with limner ------------------------------------------------------


def test_with_the_shipped_network_the_photo_looks_painted(stroke: Paint) -> None:
    """Every patch comes from the painting, and the photo is recognized."""
    photo, painting = (
        Image.open(EXAMPLES / f"{name}.jpg").convert("RGB") for name in ("photo", "painting")
    )
    photo.thumbnail((160, 160), Image.Resampling.LANCZOS)
    result = stroke(photo, painting, size=160, steps=20, features=None)
    assert result.size == photo.size and likeness(result, photo) > 0.75
    small = painting.resize(images.fit(painting.height, painting.width, 160)[::-1])
    found, wanted = (np.abs(np.diff(rgb(one), axis=1)).mean() for one in (result, small))
    assert found == pytest.approx(wanted, rel=0.35)  # as rough as the painting
    means = rgb(result).mean((0, 1)), io.read(painting).rgb[0].mean((1, 2)).numpy() * 255
    assert np.abs(means[0] - means[1]).max() < 20
