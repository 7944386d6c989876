"""What the default improver learns from."""

import numpy as np
import torch
from torch import Tensor

from limner.beauty import retouching
from limner.beauty.retouching import retouch, worsen
from limner.nn import images
from limner.nn.seeding import generator


def photo(count: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(1)
    coarse = torch.rand((count, 3, 5, 5), generator=random)
    return images.resize(coarse, (96, 128)) * 0.8 + 0.1


def test_a_share_stays_and_the_others_change() -> None:
    photos = photo(200)
    made, casts = worsen(photos, generator(0, 0))
    assert made.shape == photos.shape and made.min() >= 0 and made.max() <= 1
    moved = (made - photos).abs().mean((1, 2, 3))
    same = (moved < 0.5 / 255).float().mean()
    assert abs(same - retouching.CLEAN) < 0.1 and moved.max() > 0.1
    again, _ = worsen(photos, generator(0, 0))
    np.testing.assert_array_equal(made, again)
    np.testing.assert_allclose(made * 255, (made * 255).round(), atol=1e-4)
    assert casts.shape == (200, 3) and 0.1 < (casts != 0).any(1).float().mean() < 0.4


def test_casts_are_factors_of_the_channels() -> None:
    gray = torch.full((200, 3, 8, 8), 0.25)
    made, casts = worsen(gray, generator(0, 1))
    ratios = (made[:, 0] / made[:, 2]).mean((1, 2))
    found = torch.log2(ratios)[casts.any(1)]
    wanted = (casts[:, 0] - casts[:, 2])[casts.any(1)]
    inside = wanted.abs() < 0.5  # what is pale or hazy besides has less of a cast
    assert np.corrcoef(found[inside], wanted[inside])[0, 1] > 0.9


def test_retouching_is_slight_and_keeps_gray() -> None:
    before = photo()
    after = retouch(before)
    assert 0.002 < (after - before).abs().mean() < 0.05
    gray = images.luma(before).expand(-1, 3, -1, -1)
    np.testing.assert_allclose(retouch(gray)[:, 0], retouch(gray)[:, 2], atol=1e-6)
    flat = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 64, 64)
    np.testing.assert_allclose(retouch(flat), flat, atol=1e-4)


def test_retouching_raises_the_contrast_inside_areas() -> None:
    stripes = 0.5 + 0.05 * torch.where(torch.arange(128) % 8 < 4, 1.0, -1.0)
    before = stripes.expand(1, 3, 128, 128)
    assert 1.05 < retouch(before).std() / before.std() < 1.2
