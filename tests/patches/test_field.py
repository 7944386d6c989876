"""Patch fields are carried to finer levels."""

from collections.abc import Callable

import torch
from torch import Tensor

from limner.patches import field


def test_a_coherent_field_stays_coherent(identity: Callable[[int, int], Tensor]) -> None:
    sizes = (20, 26), (30, 39)
    upsampled = field.upsample(identity(20, 26), sizes, sizes)
    assert torch.equal(upsampled, identity(30, 39))
    shifted = identity(20, 20)[..., :10] + torch.tensor([0, 4])[:, None, None]
    doubled = field.upsample(shifted, ((20, 16), (40, 32)), ((20, 20), (40, 40)))
    assert torch.equal(doubled, identity(40, 40)[..., :26] + torch.tensor([0, 8])[:, None, None])


def test_a_field_is_upsampled_on_devices_without_float64(
    identity: Callable[[int, int], Tensor], without_float64: Callable[[Tensor], Tensor]
) -> None:
    sizes = (20, 26), (30, 39)
    upsampled = field.upsample(without_float64(identity(20, 26)), sizes, sizes)
    assert torch.equal(upsampled.cpu(), identity(30, 39))
