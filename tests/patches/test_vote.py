"""Patches that overlap are averaged."""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from limner.patches.vote import vote

module: Any = import_module("limner.patches.vote")
Drawn = Callable[..., Tensor]


def test_a_field_that_points_to_itself_gives_the_source_back(
    monkeypatch: pytest.MonkeyPatch, drawn: Drawn, identity: Callable[[int, int], Tensor]
) -> None:
    monkeypatch.setattr(module, "_BAND", 9)
    source = drawn(1, 3, 40, 31)
    torch.testing.assert_close(vote(source, identity(40, 31), 2.0), source)


def test_votes_are_weighted_by_a_gaussian(drawn: Drawn) -> None:
    source = drawn(1, 3, 20, 20)
    field = torch.tensor([[[3, 9]], [[5, 0]]])  # two patches, side by side
    made = vote(source, field, 1.5)[0, :, 2, 4]
    # row 2, column 4: column 4 of the first patch, and the middle column of the second
    weights = [math.exp(-(1 + across) / (2 * 1.5**2)) for across in (1, 0)]
    taken = source[0, :, 5, 9] * weights[0] + source[0, :, 11, 3] * weights[1]
    torch.testing.assert_close(made, taken / sum(weights))


def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch, drawn: Drawn) -> None:
    source = drawn(1, 3, 30, 30)
    field = torch.randint(0, 24, (2, 50, 17), generator=torch.Generator().manual_seed(2))
    monkeypatch.setattr(module, "_BAND", 10**6)
    whole = vote(source, field, 2.0)
    monkeypatch.setattr(module, "_BAND", 11)
    torch.testing.assert_close(vote(source, field, 2.0), whole)
    assert whole.shape == (1, 3, 56, 23)


def test_pictures_are_made_on_devices_without_float64(
    drawn: Drawn,
    identity: Callable[[int, int], Tensor],
    without_float64: Callable[[Tensor], Tensor],
) -> None:
    source, field = drawn(1, 3, 30, 24), identity(30, 24)
    made = vote(without_float64(source), without_float64(field), 2.0)
    assert torch.equal(made.cpu(), vote(source, field, 2.0))
