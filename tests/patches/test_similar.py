"""Similar patches are found in k-d trees."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from limner.patches import search
from limner.patches.similar import similar_patches

Drawn = Callable[..., Tensor]


def truly_nearest(keys: Tensor, count: int) -> Tensor:
    distances = torch.cdist(keys.double(), keys.double())
    return distances.fill_diagonal_(torch.inf).topk(count, largest=False).indices


def recall(found: Tensor, true: Tensor) -> float:
    """Share of the true neighbors that were found."""
    return float((true[:, :, None] == found[:, None, :]).any(2).double().mean())


def test_most_of_the_three_nearest_are_found(texture: Drawn) -> None:
    picture = texture(52, 44)
    keys = search.describe(picture, search.pca_filters(picture, 20, 5)).flatten(0, 1)
    found, true = similar_patches(keys, 3), truly_nearest(keys, 3)
    assert recall(found, true) > 0.7
    # What is found instead is not much farther away, and far nearer than a patch by chance.
    away = (keys[found] - keys[:, None]).square().sum(2)
    best = (keys[true] - keys[:, None]).square().sum(2)
    assert away.mean() < 1.5 * best.mean() < 0.3 * keys.var(0).sum()


def test_the_second_tree_finds_more(monkeypatch: pytest.MonkeyPatch, drawn: Drawn) -> None:
    keys, found = drawn(2000, 8), []
    for many in (10, 10**6):  # more patches than that get one tree
        monkeypatch.setattr("limner.patches.similar._MANY", many)
        found.append(recall(similar_patches(keys, 3), truly_nearest(keys, 3)))
    assert 0.1 < 1.3 * found[0] < found[1]


@pytest.mark.parametrize("total", [97, 500, 1237])
def test_a_patch_is_never_its_own_neighbor(total: int, drawn: Drawn) -> None:
    keys = drawn(total, 6)
    keys[total // 2 :] = keys[: total - total // 2].clone()  # and each has a twin
    found = similar_patches(keys, 3)
    assert found.shape == (total, 3)
    assert (found != torch.arange(total)[:, None]).all()
    assert len(found.sort(1).values.diff(dim=1).nonzero()) == 2 * total  # three different ones
    away = (keys[found] - keys[:, None]).square().sum(2)
    assert (away.diff(dim=1) > -1e-5).all()  # the nearest first, up to rounding


@pytest.mark.parametrize("total", [4, 5, 30, 95])
def test_few_patches_are_compared_with_each_other(total: int, drawn: Drawn) -> None:
    keys = drawn(total, 6)
    away = (keys[similar_patches(keys, 3)].double() - keys[:, None].double()).square().sum(2)
    best = (keys[truly_nearest(keys, 3)].double() - keys[:, None].double()).square().sum(2)
    torch.testing.assert_close(away, best)


def test_too_few_patches_are_repeated(drawn: Drawn) -> None:
    assert similar_patches(drawn(1, 6), 3).tolist() == [[0, 0, 0]]
    two = similar_patches(drawn(2, 6), 3)
    assert two[:, 0].tolist() == [1, 0] and set(two.flatten().tolist()) == {0, 1}
    assert similar_patches(drawn(0, 6), 3).shape == (0, 3)


def test_the_same_patches_give_the_same_result(drawn: Drawn) -> None:
    keys = drawn(1500, 6)
    state = torch.get_rng_state()
    first = similar_patches(keys, 3)
    torch.manual_seed(5)
    assert torch.equal(first, similar_patches(keys, 3))
    torch.set_rng_state(state)
    similar_patches(keys, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_chunks_of_leaves_give_the_same_result(
    monkeypatch: pytest.MonkeyPatch, drawn: Drawn
) -> None:
    keys = drawn(1500, 6)
    whole = similar_patches(keys, 3)
    monkeypatch.setattr("limner.patches.similar._CHUNK", 10_000)
    away = [
        (keys[found] - keys[:, None]).square().sum(2) for found in (whole, similar_patches(keys, 3))
    ]
    torch.testing.assert_close(*away)  # distances: of equally near ones either may be taken


def test_a_tick_can_end_the_search(drawn: Drawn) -> None:
    called = []

    def tick() -> None:
        called.append(1)
        if len(called) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        similar_patches(drawn(1500, 6), 3, tick)
    assert len(called) == 3


def test_similar_patches_are_found_without_float64(
    drawn: Drawn, without_float64: Callable[[Tensor], Tensor]
) -> None:
    keys = drawn(700, 6)
    assert torch.equal(similar_patches(without_float64(keys), 3).cpu(), similar_patches(keys, 3))
