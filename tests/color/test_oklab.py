"""Oklab: against published values, and back to sRGB."""

import numpy as np
import pytest
import torch

from limner.color import oklab

Color = tuple[float, float, float]


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # from CSS Color 4
        ((1, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
        ((0.5, 0.5, 0.5), (0.59818, 0, 0)),  # the cube root of 0.21404
    ],
)
def test_oklab_matches_the_published_values(rgb: Color, lab: Color) -> None:
    found = oklab.from_srgb(torch.tensor(rgb).float().view(1, 3, 1, 1))
    np.testing.assert_allclose(found.flatten(), lab, atol=2e-5)
    np.testing.assert_allclose(oklab.to_srgb(found).flatten(), rgb, atol=2e-5)


def test_there_and_back_gives_the_same_color() -> None:
    steps = torch.linspace(0, 1, 17)
    cube = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).reshape(1, 3, 17, -1)
    back = oklab.to_srgb(oklab.from_srgb(cube))
    np.testing.assert_allclose(back, cube, atol=5e-5)


def test_colors_outside_srgb_are_clipped() -> None:
    found = oklab.to_srgb(torch.tensor([0.7, 0.4, 0.1]).view(1, 3, 1, 1)).flatten()
    assert found[0] == pytest.approx(1, abs=1e-6) and found.min() >= 0
