"""What new pictures are measured by: formulas written as loops, points whose scores are known."""

from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.generation.gan.metrics import (
    COPY_QUANTILE,
    TAPS,
    Evaluator,
    extract_features,
    kernel_distance,
    precision_recall,
)
from limner.nn import features


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scenes(count: int, seed: int) -> Tensor:
    """Soft spots of color, 32 pixels a side."""
    coarse = torch.rand((count, 3, 4, 4), generator=drawn(seed))
    return torch.nn.functional.interpolate(coarse, (32, 32), mode="bicubic").clamp(0, 1)


# --- the kernel distance ---------------------------------------------------------------------


def kernel(x: np.ndarray, y: np.ndarray) -> float:
    return float((np.dot(x, y) / len(x) + 1) ** 3)


def by_hand(made: np.ndarray, real: np.ndarray, *, unbiased: bool = True) -> float:
    """Gretton et al. (2012), equation 3; or with each picture set against itself, equation 5."""
    total = 0.0
    for lot in (made, real):
        for i, one in enumerate(lot):
            for j, other in enumerate(lot):
                if i != j or not unbiased:
                    total += kernel(one, other) / (len(lot) * (len(lot) - unbiased))
    return total - 2 * float(np.mean([[kernel(one, other) for other in real] for one in made]))


def test_the_kernel_distance_is_its_formula() -> None:
    random = np.random.default_rng(0)
    for counts in ((2, 2), (5, 3), (3, 6)):
        made, real = (random.normal(m, 1, (n, 7)) for n, m in zip(counts, (0.3, 0), strict=True))
        found = kernel_distance(torch.from_numpy(made).float(), torch.from_numpy(real).float())
        assert found.item() == pytest.approx(by_hand(made, real), rel=1e-5, abs=1e-6)


def test_the_kernel_distance_of_two_places_is_known() -> None:
    """All of a lot at 1, and at −1: 2³ + 2³ − 2·0³."""
    ones = torch.ones((4, 5))
    assert kernel_distance(ones, -ones).item() == pytest.approx(16)
    assert kernel_distance(ones, ones).item() == pytest.approx(0)


def test_the_kernel_distance_needs_no_float64_on_the_device(
    without_float64: Callable[[Tensor], Tensor],
) -> None:
    made, real = scenes(4, 0).flatten(1), scenes(5, 1).flatten(1)
    found = kernel_distance(without_float64(made), without_float64(real))
    assert found.item() == kernel_distance(made, real).item()


def test_the_kernel_distance_is_unbiased() -> None:
    """Over many pairs of lots of one distribution its mean is 0; with the diagonals it is not."""
    random = np.random.default_rng(1)
    unbiased, biased = [], []
    for _ in range(300):
        made, real = random.normal(0, 1, (2, 4, 3))
        unbiased.append(kernel_distance(torch.from_numpy(made), torch.from_numpy(real)).item())
        biased.append(by_hand(made, real, unbiased=False))
    error = np.std(unbiased) / len(unbiased) ** 0.5
    assert abs(np.mean(unbiased)) < 2.5 * error < np.mean(biased) / 4
    assert min(unbiased) < 0 < min(biased)


# --- precision and recall - ------------------------------------------------------------------

LINE = [0.0, 1.0, 2.0, 3.0, 4.0]  # the third neighbors of which are 3, 2, 2, 2, 3 away


@pytest.mark.parametrize(
    ("made", "precision", "recall", "density", "coverage"),
    [
        (LINE, 1, 1, 21 / 15, 1),  # around them lie 4, 4, 5, 4 and 4
        ([10.0, 11.0, 12.0, 13.0, 14.0], 0, 0, 0, 0),
        # −2.9 lies around 0, and 0.5 around 0, 1 and 2; their own third neighbors are far away
        ([-2.9, 0.5, 100, 101, 102], 2 / 5, 1, 4 / 15, 3 / 5),
        # around 2 ± 0.03 all five lie within reach of 0 … 4, and nothing but 2 within theirs
        ([1.98, 1.99, 2.0, 2.01, 2.02], 1, 1 / 5, 5 / 3, 1),
    ],
)
def test_scores_of_points_on_a_line_are_known(
    made: list[float], precision: float, recall: float, density: float, coverage: float
) -> None:
    real, new = (torch.tensor(lot)[:, None] for lot in (LINE, made))
    wanted = pytest.approx((precision, recall, density, coverage))
    assert precision_recall(real, new) == wanted
    assert precision_recall(new, real)[:2] == pytest.approx((recall, precision))


def test_two_pictures_have_a_neighbor_each() -> None:
    real, made = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.9], [7.0]])
    assert precision_recall(real, made) == pytest.approx((1 / 2, 1, 2 / 2, 1))


# --- features ---------------------------------------------------------------------------------


def test_features_are_means_and_averages_of_areas() -> None:
    network, lot = features.load("compact"), scenes(19, 0)
    means, layouts = extract_features(network, lot)
    taps = [network(lot[17:18], [tap])[tap][0].numpy() for tap in TAPS]
    expected = np.concatenate([tap.mean((1, 2)) for tap in taps])
    np.testing.assert_allclose(means[17], expected, rtol=1e-4, atol=1e-6)
    third = taps[1]  # [64, 8, 8]: fields of 2×2
    fields = third.reshape(64, 4, 2, 4, 2).mean((2, 4)).ravel()
    np.testing.assert_allclose(layouts[17], fields / np.linalg.norm(fields), rtol=1e-4, atol=1e-6)
    outside = extract_features(network, lot * 4 - 1)
    np.testing.assert_array_equal(
        outside[0], extract_features(network, (lot * 4 - 1).clamp(0, 1))[0]
    )


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    training = scenes(40, 1)
    return Evaluator(training, scenes(30, 2), torch.cat((training, training.flip(-1))))


def test_the_distance_uses_features_relative_to_their_typical_size(evaluator: Evaluator) -> None:
    network, made = features.load("compact"), scenes(6, 3)
    typical, real, new = (
        extract_features(network, lot)[0].double().numpy()
        for lot in (scenes(40, 1), scenes(30, 2), made)
    )
    real, new = (lot / (lot + typical.mean(0).clip(0.01)) for lot in (real, new))
    found = evaluator.score(made, drawn(0))
    assert found.kid == pytest.approx(1000 * by_hand(new, real), rel=1e-2, abs=1e-2)


def test_copies_are_found_and_mirrored_ones_too(evaluator: Evaluator) -> None:
    copied = scenes(40, 1).flip(-1)
    assert evaluator.score(scenes(40, 1), drawn(0)).copies == 1
    assert evaluator.score(copied, drawn(0)).copies == 1
    faint = (copied + 0.01 * torch.randn(copied.shape, generator=drawn(3))).clamp(0, 1)
    assert evaluator.score(faint, drawn(0)).copies > 0.9


def test_a_tenth_of_held_out_pictures_count_as_copies_and_few_similar_ones(
    evaluator: Evaluator,
) -> None:
    assert evaluator.score(scenes(30, 2), drawn(0)).copies == pytest.approx(COPY_QUANTILE)
    assert evaluator.score(scenes(60, 4), drawn(0)).copies == pytest.approx(COPY_QUANTILE, abs=0.15)


def test_the_nearest_crop_is_named(evaluator: Evaluator) -> None:
    place, apart = evaluator.nearest(scenes(40, 1).flip(-1)[[7, 2]])
    assert place.tolist() == [47, 42] and apart.max() < 2e-3
    assert evaluator.nearest(scenes(3, 5))[1].min() > 0.05
    assert evaluator.held_out_distances.shape == (30,) and evaluator.held_out_distances.min() > 0.05


def test_noise_is_much_worse_than_real_pictures(evaluator: Evaluator) -> None:
    real, like = evaluator.score_training(drawn(0)), evaluator.score(scenes(30, 6), drawn(0))
    noise = evaluator.score(torch.rand((30, 3, 32, 32), generator=drawn(7)), drawn(0))
    assert abs(real.kid) < 5 and abs(like.kid) < 5 and noise.kid > 50
    assert noise.precision == noise.recall == noise.density == noise.coverage == 0
    assert min(real.precision, real.recall, like.precision, like.recall) > 0.5
    assert real.copies == 0 and 0 < real.spread < 10
    assert astuple(evaluator.score(scenes(30, 6), drawn(0))) == astuple(like)


def test_few_pictures_have_a_spread_too(evaluator: Evaluator) -> None:
    """Where there are more held-out pictures than new ones."""
    assert evaluator.score(scenes(10, 8), drawn(0)).spread > 0.1
