"""The random windows of the second style loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from limner.style.losses import FeatureStatistics
from limner.style.method import METHODS
from limner.style.objective import Region
from limner.style.paint import random_windows


def test_random_windows_cover_a_quarter_of_the_picture() -> None:
    targets = {
        layer: FeatureStatistics(torch.zeros(1), torch.zeros(1, 1)) for layer in ("1_1", "3_1")
    }
    full = {"1_1": torch.rand(1, 1, 40, 60) + 0.1, "3_1": torch.rand(1, 1, 10, 15) + 0.1}
    regions = [Region(targets, full, 0.5)]
    method = replace(METHODS["network"], window_layers=("1_1", "3_1"), window_weight=0.8)
    corners = set()
    for seed in range(20):
        (limited,) = random_windows(regions, method, torch.Generator().manual_seed(seed))
        assert limited.weight == pytest.approx(0.4)
        for layer, (height, width) in (("1_1", (20, 30)), ("3_1", (5, 8))):
            inside = np.argwhere(limited.masks[layer][0, 0].numpy() > 0)
            first, last = inside.min(0), inside.max(0)
            assert tuple(last - first + 1) == (height, width) and len(inside) == height * width
            rows, columns = (slice(a, b + 1) for a, b in zip(first, last, strict=True))
            window = full[layer][0, 0, rows, columns]
            np.testing.assert_array_equal(limited.masks[layer][0, 0, rows, columns], window)
            if layer == "1_1":
                corners.add(tuple(first))
    assert len(corners) > 15
    again = [random_windows(regions, method, torch.Generator().manual_seed(5))[0] for _ in range(2)]
    np.testing.assert_array_equal(again[0].masks["1_1"], again[1].masks["1_1"])
    fewer = random_windows(regions, replace(method, window_layers=("3_1",)), torch.Generator())
    assert [list(region.targets) for region in fewer] == [["3_1"]] == [list(fewer[0].masks)]
    assert random_windows(regions, METHODS["gatys"], torch.Generator()) == []
    nowhere = Region(targets, {layer: torch.zeros_like(x) for layer, x in full.items()}, 0.0)
    assert random_windows([nowhere], method, torch.Generator()) == []
