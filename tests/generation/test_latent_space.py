"""The latent space: against formulas in NumPy, and with pictures that are known to be in it."""

import math
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.generation.gan import latent_space
from limner.generation.gan.painter import Painter
from limner.nn import features
from small_painters import SIZE, random_painter

ROOT = math.sqrt(0.5)


@pytest.fixture(scope="module")
def network() -> Painter:
    return cast(Painter, random_painter())


def with_noise(network: Painter, styles: Tensor, seed: int) -> np.ndarray:
    """One picture [3, H, W] of styles [layers, latent], after torch's own seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return np.asarray(network.paint(styles[None])[0].clip(0, 1))


# --- latents and truncation ------------------------------------------------------------------


def test_every_seed_has_a_latent_of_its_own(network: Painter) -> None:
    before = torch.get_rng_state()
    lots = [latent_space.draw_latent(network, seed) for seed in (*range(200), 7)]
    assert torch.equal(torch.get_rng_state(), before)
    z = torch.cat(lots).numpy()
    assert z.shape == (201, 16)
    np.testing.assert_array_equal(z[7], z[200])
    assert len(np.unique(z[:, 0])) == 200
    assert abs(z.mean()) < 0.05 and abs(z.std() - 1) < 0.05  # 3200 normal numbers


@pytest.mark.parametrize("truncation", [0.0, 0.3, 1.0])
def test_truncation_goes_from_the_mean_to_the_style(network: Painter, truncation: float) -> None:
    z = torch.cat([latent_space.draw_latent(network, seed) for seed in range(3)])
    mean, full = network.mean.numpy(), network.map(z).numpy()
    wanted = (1 - truncation) * mean + truncation * full
    found = latent_space.to_styles(network, z, truncation).numpy()
    assert found.shape == (3, network.layers, 16) and network.layers == 6
    for layer in range(network.layers):
        np.testing.assert_allclose(found[:, layer], wanted, atol=1e-5)
    assert np.abs(full - mean).mean() > 0.1  # so that the two ends are not one
    if truncation == 0:
        np.testing.assert_array_equal(found[0], found[1])


# --- pictures --------------------------------------------------------------------------------


def test_pictures_depend_on_styles_and_seed_alone(network: Painter) -> None:
    one, other = (latent_space.draw_latent(network, seed) for seed in (1, 2))
    styles = latent_space.to_styles(network, torch.cat((one, other, one)), 0.8)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    found = latent_space.paint(network, styles, 9)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again, noisier = (
        latent_space.paint(network, styles, 9),
        latent_space.paint(network, styles, 10),
    )
    assert found.shape == (3, 3, *SIZE) and 0 <= found.min() < found.max() <= 1
    assert not found.requires_grad
    np.testing.assert_array_equal(found, again)
    np.testing.assert_array_equal(found[0], found[2])  # the noise is every picture's
    assert (found[0] - found[1]).abs().mean() > 0.02
    assert (found[0] - noisier[0]).abs().mean() > 0.001
    for picture, style in zip(found, styles, strict=True):
        np.testing.assert_allclose(picture, with_noise(network, style, 9), atol=1e-6)


# --- interpolation -------------------------------------------------------------------------------


def test_a_quarter_of_a_circle_is_known() -> None:
    ends = torch.tensor([[2.0, 0, 0], [0, 2, 0]])
    found = torch.cat(list(latent_space.interpolate(ends, 2)))
    half = 2 * ROOT
    wanted = np.array([[2, 0, 0], [half, half, 0], [0, 2, 0], [half, half, 0]])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    third = torch.cat(list(latent_space.interpolate(ends, 3)))[1]
    np.testing.assert_allclose(third, [math.sqrt(3), 1, 0], atol=1e-5)  # 30 degrees


def test_an_interpolation_stays_on_the_sphere_at_one_pace_and_closes() -> None:
    random, frames = torch.Generator().manual_seed(0), 5
    ends = torch.randn((4, 16), generator=random)
    ends = 3 * ends / ends.norm(dim=1, keepdim=True)
    way = list(latent_space.interpolate(ends, frames))
    assert len(way) == 4 * frames and all(one.shape == (1, 16) for one in way)
    found = torch.cat(way).double().numpy()
    np.testing.assert_allclose(found[::frames], ends, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 3, atol=1e-4)
    closed = np.concatenate((found, found[:1]))
    cosines = (closed[:-1] * closed[1:]).sum(1) / 9
    steps = np.arccos(cosines.clip(-1, 1)).reshape(4, frames)
    whole = np.arccos((ends @ ends.roll(-1, 0).T).diagonal().double().numpy() / 9)
    np.testing.assert_allclose(steps, np.repeat(whole[:, None], frames, 1) / frames, atol=1e-3)


def test_an_interpolation_of_one_latent_does_not_move() -> None:
    one = torch.randn((1, 16), generator=torch.Generator().manual_seed(0))
    for found in latent_space.interpolate(one, 3):
        np.testing.assert_allclose(found, one, atol=1e-3)


def test_latents_of_other_lengths_are_reached() -> None:
    ends = torch.tensor([[1.0, 0], [0, 5]])
    found = torch.cat(list(latent_space.interpolate(ends, 4))).numpy()
    np.testing.assert_allclose(found[[0, 4]], ends, atol=1e-5)
    lengths = np.linalg.norm(found[:5], axis=1)
    assert (np.diff(lengths) > 0).all()


def test_opposite_latents_give_numbers() -> None:
    one = torch.randn((1, 8), generator=torch.Generator().manual_seed(0))
    found = torch.cat(list(latent_space.interpolate(torch.cat((one, -one)), 4)))
    assert torch.isfinite(found).all()


# --- mixing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("layers", "first"), [(2, 1), (5, 2), (6, 3)])
def test_mixtures_are_all_pairs_row_by_row(layers: int, first: int) -> None:
    def labeled(count: int, base: int) -> Tensor:
        """Numbers that encode the style and the layer."""
        whose = torch.arange(count)[:, None] * 10 + base + torch.arange(layers) / 10
        return whose[:, :, None].repeat(1, 1, 4).double()

    found = latent_space.mix_styles(labeled(2, 100), labeled(3, 500)).numpy()
    assert found.shape == (6, layers, 4)
    for place, styles in enumerate(found):
        coarse, fine = divmod(place, 3)
        wanted = [100 + 10 * coarse + layer / 10 for layer in range(first)]
        wanted += [500 + 10 * fine + layer / 10 for layer in range(first, layers)]
        np.testing.assert_allclose(styles, np.repeat(np.array(wanted)[:, None], 4, 1))


# --- projection -----------------------------------------------------------------------------


def mean_square(one: Tensor, other: Tensor) -> float:
    return float((one - other).square().mean())


@pytest.fixture(scope="module")
def perceptual() -> features.VGG:
    return features.load("compact")


def quick(monkeypatch: pytest.MonkeyPatch, starts: int, steps: int) -> None:
    monkeypatch.setattr(latent_space, "STARTS", starts)
    monkeypatch.setattr(latent_space, "STEPS", steps)


def test_a_projection_starts_at_the_best_of_random_pictures(
    network: Painter, perceptual: features.VGG, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch, 6, 0)
    wanted = latent_space.to_styles(network, latent_space.draw_latent(network, 20 + 4), 0.7)
    target = latent_space.paint(network, wanted, 20)
    found = latent_space.project(network, target, 20, lambda *_: None)
    np.testing.assert_array_equal(found, wanted)
    quick(monkeypatch, 4, 0)  # which leaves it out
    found = latent_space.project(network, target, 20, lambda *_: None)
    lots = [
        latent_space.to_styles(network, latent_space.draw_latent(network, 20 + i), 0.7)
        for i in range(4)
    ]
    losses = []
    for one in lots:
        made = latent_space.paint(network, one, 20)
        there = features.distance(perceptual, made, target, latent_space.TAPS)
        losses.append(float(there) + float((made - target).abs().mean()))
    np.testing.assert_array_equal(found, lots[int(np.argmin(losses))])


def test_a_picture_of_the_generator_is_found_again(
    network: Painter, perceptual: features.VGG, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch, 8, 40)
    monkeypatch.setattr(
        features, "load", lambda *_: perceptual
    )  # loading builds a network, which draws numbers
    hidden = latent_space.to_styles(network, latent_space.draw_latent(network, 1000), 0.7)
    target = latent_space.paint(network, hidden, 3)
    told: list[tuple[int, float]] = []
    torch.manual_seed(1)
    before = torch.get_rng_state()
    styles = latent_space.project(network, target, 3, lambda *now: told.append(now))
    assert torch.equal(torch.get_rng_state(), before)
    assert styles.shape == (1, network.layers, 16) and not styles.requires_grad
    assert [step for step, _ in told] == list(range(1, 41))
    assert told[-1][1] < 0.5 * told[0][1]
    found = mean_square(latent_space.paint(network, styles, 3), target)
    z = torch.cat([latent_space.draw_latent(network, seed) for seed in range(40)])
    others = latent_space.paint(network, latent_space.to_styles(network, z, 0.7), 3)
    assert found < 0.7 * min(mean_square(one[None], target) for one in others)
