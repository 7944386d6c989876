"""The nearest patches are found, exactly and by propagation."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from limner.patches import search

Drawn = Callable[..., Tensor]


@pytest.mark.parametrize("alpha", [0.01, 1.0, math.inf])
def test_nearest_is_what_brute_force_finds(
    alpha: float, monkeypatch: pytest.MonkeyPatch, drawn: Drawn
) -> None:
    monkeypatch.setattr(search, "_CHUNK", 1000)  # several chunks, and the last one is not full
    queries, keys = drawn(203, 5), drawn(90, 5, seed=1)
    squares = (queries[:, None].double() - keys[None].double()).square().sum(2)
    scores = squares if math.isinf(alpha) else squares / (alpha + squares.min(0).values)
    found = scores[torch.arange(203), search.nearest(queries, keys, alpha)]
    # Two keys may be equally near up to rounding, which differs between CPUs: the scores count.
    torch.testing.assert_close(found, scores.amin(1), rtol=1e-5, atol=1e-6)


def test_a_small_alpha_uses_more_of_the_keys(drawn: Drawn) -> None:
    queries, keys = drawn(300, 3) * 0.5, drawn(300, 3, seed=1)
    used = [len(search.nearest(queries, keys, alpha).unique()) for alpha in (0.001, math.inf)]
    assert used[0] > 1.2 * used[1]


def test_descriptions_keep_distances(drawn: Drawn) -> None:
    source = torch.nn.functional.avg_pool2d(drawn(1, 3, 36, 36), 7, 1)
    filters = search.pca_filters(source, 147)
    torch.testing.assert_close(filters.flatten(1) @ filters.flatten(1).T, torch.eye(len(filters)))
    described = search.describe(source, filters).flatten(0, 1)
    plain = torch.nn.functional.unfold(source, 7)[0].T
    apart = [(one[:40, None] - one[None]).square().sum(2) for one in (described, plain)]
    torch.testing.assert_close(*apart, rtol=1e-4, atol=1e-5)
    few = search.describe(source, search.pca_filters(source, 8)).flatten(0, 1)
    kept, total = few.var(0).sum(), plain.var(0).sum()
    assert 0.5 * total < kept < total  # 8 of 147, and the right ones


def test_principal_components_need_no_float64_on_the_device(
    drawn: Drawn, without_float64: Callable[[Tensor], Tensor]
) -> None:
    source = drawn(1, 3, 30, 30)
    found = search.pca_filters(without_float64(source), 8)
    assert found.dtype == torch.float32
    assert torch.equal(found, search.pca_filters(source, 8))


def test_patches_are_found_on_devices_without_float64(
    drawn: Drawn, without_float64: Callable[[Tensor], Tensor]
) -> None:
    queries, keys = drawn(9, 8, 6), drawn(12, 14, 6, seed=1)
    field = torch.randint(0, 12, (2, 9, 8), generator=torch.Generator().manual_seed(2))
    for alpha in (0.01, math.inf):
        wanted = search.nearest(queries[0], keys[0], alpha)
        found = search.nearest(without_float64(queries[0]), without_float64(keys[0]), alpha)
        assert torch.equal(found.cpu(), wanted)
    given = field, queries, keys, everywhere(keys)
    better = search.propagate(*map(without_float64, given))
    assert torch.equal(better.cpu(), search.propagate(*given))


def everywhere(keys: Tensor) -> Tensor:
    """All places are usable."""
    return torch.ones(keys.shape[:2], dtype=torch.bool)


def test_propagation_leaves_fixed_places_and_avoids_unusable_ones(
    drawn: Drawn, identity: Callable[[int, int], Tensor]
) -> None:
    source = drawn(1, 3, 40, 40)
    keys = search.describe(source, search.pca_filters(source, 32))
    field, usable = identity(40, 40), everywhere(keys)
    usable[10:20, 10:20] = False
    fixed = torch.zeros(field.shape[1:], dtype=torch.bool)
    fixed[10:20, 10:15] = True
    found = search.propagate(field, keys, keys, usable, fixed)
    assert torch.equal(found[:, fixed], field[:, fixed])
    assert usable[found[0], found[1]][~fixed].all()


def test_one_wrong_place_is_corrected_by_its_neighbors(
    drawn: Drawn, identity: Callable[[int, int], Tensor]
) -> None:
    source = drawn(1, 3, 40, 40)
    keys = search.describe(source, search.pca_filters(source, 32))
    field = identity(40, 40)
    field[:, 12, 20] = torch.tensor([3, 30])
    assert torch.equal(search.propagate(field, keys, keys, everywhere(keys)), identity(40, 40))


def test_propagation_takes_the_best_of_nine(drawn: Drawn) -> None:
    keys, queries = drawn(12, 14, 6), drawn(9, 8, 6, seed=1)
    field = torch.randint(0, 12, (2, 9, 8), generator=torch.Generator().manual_seed(2))
    found = search.propagate(field, queries, keys, everywhere(keys))
    for y, x in ((4, 4), (2, 6), (7, 1)):
        offered = []
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                row, column = (field[:, y + dy, x + dx] - torch.tensor([dy, dx])).tolist()
                row, column = min(max(row, 0), 11), min(max(column, 0), 13)
                away = float((keys[row, column] - queries[y, x]).square().sum())
                offered.append((away, [row, column]))
        assert found[:, y, x].tolist() == min(offered)[1]


def test_components_of_a_small_part_are_its_own(drawn: Drawn) -> None:
    """Large pictures are sampled on a grid: a small part must not fall between its points."""
    source = drawn(1, 3, 330, 340)
    usable = torch.zeros(326, 336, dtype=torch.bool)
    usable[101:104, 101:106] = True
    patches = torch.nn.functional.unfold(source, 5)[0][:, usable.flatten()].double()
    filters = search.pca_filters(source, 14, 5, usable).flatten(1).double()
    centered = patches - patches.mean(1, keepdim=True)
    # 15 patches differ in 14 ways: the components hold all of their variance
    assert (filters @ centered).square().sum() > 0.999 * centered.square().sum()
