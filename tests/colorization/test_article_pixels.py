"""Colors of pixels: they are enlarged without crossing lines."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from limner.colorization.pixels import _enlarge, predict
from limner.nn import images


def test_enlarged_colors_end_at_the_lines() -> None:
    """A drawing of two halves, red and blue, at a quarter of its size."""
    ink = torch.zeros((1, 1, 80, 120))
    ink[..., 58:62] = 1
    small = images.resize(ink, (20, 30))
    colors = torch.zeros((1, 3, 20, 30))
    colors[:, 0, :, :15] = colors[:, 2, :, 15:] = 1
    found = _enlarge(colors, small, ink)
    assert found.shape == (1, 3, 80, 120)
    assert found[:, 2, :, :58].max() < 0.01 and found[:, 0, :, :58].min() > 0.99
    assert found[:, 0, :, 62:].max() < 0.01 and found[:, 2, :, 62:].min() > 0.99


def test_flat_colors_stay_flat_when_enlarged() -> None:
    random = torch.Generator().manual_seed(0)
    ink = (torch.rand((1, 1, 60, 90), generator=random) > 0.8).float()
    found = _enlarge(torch.full((1, 3, 20, 30), 0.4), images.resize(ink, (20, 30)), ink)
    np.testing.assert_allclose(found, 0.4, atol=1e-5)


def test_far_from_lines_colors_stay_the_same() -> None:
    colors = torch.zeros((1, 3, 40, 40))
    colors[..., 17:24, 17:24] = 1
    found = _enlarge(colors, torch.zeros((1, 1, 40, 40)), torch.zeros((1, 1, 40, 40)))
    assert found[..., 20, 20].min() > 0.9 and found[..., 27:, :].max() < 0.1


class Halves(nn.Module):
    """Stand in for the U-Net: red on the left, blue on the right."""

    def forward(self, ink: Tensor) -> Tensor:
        assert ink.shape == (1, 1, 256, 256)
        colors = torch.zeros((1, 3, 256, 256))
        colors[:, 0, :, :128] = colors[:, 2, :, 128:] = 1
        return colors


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_network_of_256_pixels_colors_a_drawing_of_any_size(scale: float) -> None:
    ink = torch.zeros((1, 1, 90, 200))
    ink[..., 98:102] = 1
    made = predict(Halves(), ink, scale)  # type: ignore[arg-type]
    assert made.shape == (1, 3, 90, 200)
    assert made[:, 0, :, :96].min() > 0.97 and made[:, 2, :, :96].max() < 0.03
    assert made[:, 2, :, 104:].min() > 0.97 and made[:, 0, :, 104:].max() < 0.03
