"""Patches: found, chosen, carried and put together."""

import math

import pytest
import torch

from limner.patches import field, search, vote
from limner.patches import vote as patches


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def identity(height: int, width: int) -> torch.Tensor:
    rows, columns = torch.arange(height - 6), torch.arange(width - 6)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))


@pytest.mark.parametrize("alpha", [0.01, 1.0, math.inf])
def test_nearest_is_what_brute_force_finds(alpha: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "_CHUNK", 1000)  # several chunks, the last one not full
    queries, keys = drawn(203, 5), drawn(90, 5, seed=1)
    away = (queries[:, None].double() - keys[None].double()).square().sum(2)
    score = away if math.isinf(alpha) else away / (alpha + away.min(0).values)
    assert torch.equal(search.nearest(queries, keys, alpha), score.argmin(1))


def test_a_small_alpha_uses_more_of_the_keys() -> None:
    queries, keys = drawn(300, 3) * 0.5, drawn(300, 3, seed=1)
    used = [len(search.nearest(queries, keys, alpha).unique()) for alpha in (0.001, math.inf)]
    assert used[0] > 1.2 * used[1]


def test_descriptions_keep_distances() -> None:
    source = torch.nn.functional.avg_pool2d(drawn(1, 3, 36, 36), 7, 1)
    filters = search.basis(source, 147)
    torch.testing.assert_close(filters.flatten(1) @ filters.flatten(1).T, torch.eye(len(filters)))
    described = search.describe(source, filters).flatten(0, 1)
    plain = torch.nn.functional.unfold(source, 7)[0].T
    apart = [(one[:40, None] - one[None]).square().sum(2) for one in (described, plain)]
    torch.testing.assert_close(*apart, rtol=1e-4, atol=1e-5)
    few = search.describe(source, search.basis(source, 8)).flatten(0, 1)
    kept, all_of_it = few.var(0).sum(), plain.var(0).sum()
    assert 0.5 * all_of_it < kept < all_of_it  # 8 of 147, and the right ones


def test_a_field_that_points_to_itself_gives_the_source_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patches, "_BAND", 9)
    source = drawn(1, 3, 40, 31)
    torch.testing.assert_close(vote.vote(source, identity(40, 31), 2.0), source)


def test_votes_are_weighed_by_a_gaussian() -> None:
    source = drawn(1, 3, 20, 20)
    field = torch.tensor([[[3, 9]], [[5, 0]]])  # two patches, side by side
    made = vote.vote(source, field, 1.5)[0, :, 2, 4]
    # row 2, column 4: in the first patch column 4, in the second 3, which is the middle
    weights = [math.exp(-(1 + across) / (2 * 1.5**2)) for across in (1, 0)]
    taken = source[0, :, 5, 9] * weights[0] + source[0, :, 11, 3] * weights[1]
    torch.testing.assert_close(made, taken / sum(weights))


def test_bands_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    source = drawn(1, 3, 30, 30)
    field = torch.randint(0, 24, (2, 50, 17), generator=torch.Generator().manual_seed(2))
    whole = vote.vote(source, field, 2.0)
    monkeypatch.setattr(patches, "_BAND", 11)
    torch.testing.assert_close(vote.vote(source, field, 2.0), whole)
    assert whole.shape == (1, 3, 56, 23)


def test_one_wrong_place_is_mended_by_its_neighbours() -> None:
    source = drawn(1, 3, 40, 40)
    keys = search.describe(source, search.basis(source, 32))
    field = identity(40, 40)
    field[:, 12, 20] = torch.tensor([3, 30])
    assert torch.equal(search.refine(field, keys, keys), identity(40, 40))


def test_refining_takes_the_best_of_nine() -> None:
    keys, queries = drawn(12, 14, 6), drawn(9, 8, 6, seed=1)
    field = torch.randint(0, 12, (2, 9, 8), generator=torch.Generator().manual_seed(2))
    found = search.refine(field, queries, keys)
    for y, x in ((4, 4), (2, 6), (7, 1)):
        offered = []
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                row, column = (field[:, y + dy, x + dx] - torch.tensor([dy, dx])).tolist()
                row, column = min(max(row, 0), 11), min(max(column, 0), 13)
                away = float((keys[row, column] - queries[y, x]).square().sum())
                offered.append((away, [row, column]))
        assert found[:, y, x].tolist() == min(offered)[1]


def test_a_coherent_field_stays_coherent_when_carried() -> None:
    carried = field.carry(identity(20, 26), ((20, 26), (30, 39)), ((20, 26), (30, 39)))
    assert torch.equal(carried, identity(30, 39))
    shifted = identity(20, 20)[..., :10] + torch.tensor([0, 4])[:, None, None]
    twice = field.carry(shifted, ((20, 16), (40, 32)), ((20, 20), (40, 40)))
    assert torch.equal(twice, identity(40, 40)[..., :26] + torch.tensor([0, 8])[:, None, None])
