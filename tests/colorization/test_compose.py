"""From flat colors to the picture: lines, shading, layers."""

from typing import Any

import numpy as np
import pytest
from skimage.color import rgb2lab

from limner.colorization.compose import lay_lines, shade, to_image, to_layers

LABELS = np.ones((60, 80), np.int32)
LABELS[15:45, 20:60] = 2
COLORS = np.array([[1, 1, 1], [0.3, 0.5, 0.6]], np.float32)
FLAT = COLORS[LABELS - 1]


def lines() -> np.ndarray:
    """A soft frame."""
    ink = np.zeros((60, 80), np.float32)
    ink[14:46, [19, 60]] = ink[[14, 45], 19:61] = 1
    ink[14:46, [18, 61]] = 0.4
    return ink


# --- lines -----------------------------------------------------------------------------------


def test_lines_darken_the_color_under_them() -> None:
    ink = lines()
    kept, soft, none = (lay_lines(FLAT, ink, way) for way in ("keep", "soften", "drop"))
    np.testing.assert_array_equal(none, FLAT)
    for pixel in ((20, 19), (20, 18), (30, 30), (0, 0)):
        np.testing.assert_allclose(kept[pixel], FLAT[pixel] * (1 - ink[pixel]), atol=1e-6)
        np.testing.assert_allclose(soft[pixel], FLAT[pixel] * (1 - 0.6 * ink[pixel]), atol=1e-6)
    assert kept[20, 19].max() == 0


# --- shading ---------------------------------------------------------------------------------


def test_the_light_comes_from_the_top_left() -> None:
    found = shade(LABELS, FLAT, 1)
    assert found.shape == (60, 80, 1) and found.dtype == np.float32
    box = found[15:45, 20:60, 0]
    assert box[0, 0] > box[15, 20] > box[-1, -1]
    assert box[0].mean() > box[15].mean() > box[-1].mean()
    assert box[:, 0].mean() > box[:, 20].mean() > box[:, -1].mean()
    assert 0.03 < np.ptp(box) < 0.5


def test_the_mean_brightness_of_every_region_stays() -> None:
    colors = np.random.default_rng(0).uniform(0.1, 0.8, (5, 3)).astype(np.float32)
    labels = np.add.outer(np.arange(50) // 30, np.arange(70) // 25).astype(np.int32) + 1
    found = shade(labels, colors[labels - 1], 1)[..., 0]
    for label in np.unique(labels):
        assert found[labels == label].mean() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("color", [(0.3, 0.5, 0.6), (1, 0.8, 0.1), (0.95, 0.75, 0.6), (1, 0, 0)])
def test_the_mean_color_of_a_region_hardly_moves(color: tuple[float, ...]) -> None:
    """By less than Delta E 2, although light is clipped at full brightness."""
    flat = np.where((LABELS == 2)[..., None], np.float32(color), np.float32(1))
    made = (flat * shade(LABELS, flat, 1)).clip(0, 1)
    mean = made[LABELS == 2].mean(0)
    off = rgb2lab(mean[None, None]) - rgb2lab(np.array(color, float)[None, None])
    assert np.linalg.norm(off) < 2
    assert np.ptp(made[LABELS == 2], axis=0).max() > 0.02


def test_white_paper_has_no_shade() -> None:
    assert (shade(LABELS, FLAT, 1)[LABELS == 1] == 1).all()


def test_the_amount_is_proportional_and_0_is_none() -> None:
    whole, half = (shade(LABELS, FLAT, amount) - 1 for amount in (1, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-6)
    assert (shade(LABELS, FLAT, 0) == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 400)])
def test_very_thin_drawings_can_be_shaded(size: tuple[int, int]) -> None:
    labels = np.ones(size, np.int32)
    found = shade(labels, np.full((*size, 3), 0.5, np.float32), 1)
    assert found.shape == (*size, 1) and np.isfinite(found).all()


# --- pictures --------------------------------------------------------------------------------


def test_a_picture_has_the_colors_and_the_opacity() -> None:
    alpha = np.linspace(0, 1, 80, dtype=np.float32)[None].repeat(60, 0)
    plain, clear = to_image(FLAT), to_image(FLAT, alpha)
    assert (plain.mode, clear.mode) == ("RGB", "RGBA") and clear.size == (80, 60)
    np.testing.assert_array_equal(plain, np.round(FLAT * 255))
    np.testing.assert_array_equal(np.asarray(clear)[..., 3], np.round(alpha * 255))


@pytest.mark.parametrize("way", ["keep", "soften", "drop"])
def test_each_region_is_a_layer_of_its_size(way: Any) -> None:
    merged = to_image(FLAT)
    found = to_layers(FLAT, LABELS, None, lines(), way, merged)
    assert list(found.layers) == ["lines", "region 1", "region 2"]
    assert found.places == {"region 1": (0, 0), "region 2": (20, 15)}
    assert found.hidden == (("lines",) if way == "drop" else ()) and found.merged is merged
    box = found.layers["region 2"]
    assert box.mode == "RGBA" and box.size == (40, 30)
    np.testing.assert_array_equal(np.asarray(box)[0, 0], [*np.round(COLORS[1] * 255), 255])
    around = np.asarray(found.layers["region 1"])
    assert around.shape == (60, 80, 4)
    np.testing.assert_array_equal(around[..., 3] == 0, LABELS == 2)
    np.testing.assert_array_equal(
        np.asarray(found.layers["lines"])[..., 3], np.round(lines() * 255)
    )
