"""The two stages: what a step of each does to which weights, and what it says."""

from copy import deepcopy
from io import BytesIO

import numpy as np
import pytest
import torch

from limner.nn import features
from limner.upscaling.compact import Compact
from limner.upscaling.stages import (
    TAPS,
    FeatureDiscriminator,
    PerceptualStage,
    PixelStage,
    grid_loss,
)

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture
def batch() -> Batch:
    """The means of squares of hard stripes, and the stripes twice: there is no teacher."""
    y, x = np.mgrid[:32, :32]
    stripes = np.stack([(x * a + y * b) % 7 < 3 for a, b in ((1, 0), (1, 2), (2, 1))])
    large = torch.from_numpy(np.stack([stripes, stripes[:, ::-1, ::-1]]) * 0.8 + 0.1).float()
    return torch.nn.functional.avg_pool2d(large, 2), large, large


def beginner() -> Compact:
    torch.manual_seed(0)
    network = Compact(8, 2, 2)
    network.initialize()
    return network


def weights_of(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {key: value.detach().numpy().copy() for key, value in network.state_dict().items()}


def unlike(made: torch.Tensor, large: torch.Tensor) -> float:
    """Features' mean distance, each depth's in shares of the original's mean; mean of the five."""
    network = features.load("compact")
    with torch.no_grad():
        ours, theirs = (network(picture, TAPS) for picture in (made, large))
    pairs = [(ours[tap].numpy(), theirs[tap].numpy()) for tap in TAPS]
    assert len(pairs) == 5
    return float(np.mean([np.abs(a - b).mean() / b.mean() for a, b in pairs]))


# --- pixels ----------------------------------------------------------------------------------


def test_a_pixel_step_is_orthogonal_inside_and_adam_s_elsewhere(batch: Batch) -> None:
    """Adam's first step is the rate downhill; an orthogonal one about four times as much."""
    network = beginner()
    before = weights_of(network)
    with torch.no_grad():
        off = float(np.abs(network(batch[0]).numpy() - batch[1].numpy()).mean())
    stage = PixelStage(network, 0.01)
    assert stage.step(*batch, 0.5) == {"loss": pytest.approx(off, rel=1e-5)}
    for key, weight in network.named_parameters():
        step, slope = weight.detach().numpy() - before[key], weight.grad.numpy()
        if key in ("body.2.weight", "body.4.weight", "body.6.weight"):
            values = np.linalg.svd(step.reshape(len(step), -1), compute_uv=False) / 0.02
            assert 0.65 < values[0] < 1.25 and np.median(values) > 0.5, key
            assert (step * slope).sum() < 0, key
        else:
            wanted = -0.005 * slope / (np.abs(slope) + 1e-8)
            np.testing.assert_allclose(step, wanted, rtol=1e-3, atol=1e-7, err_msg=key)


def test_pixel_steps_come_closer_to_the_pixels(batch: Batch) -> None:
    stage = PixelStage(beginner(), 0.005)
    losses = [stage.step(*batch, 1.0)["loss"] for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]


def test_nothing_moves_at_no_share_of_the_rate(batch: Batch) -> None:
    for make in (PixelStage, PerceptualStage):
        stage = make(beginner(), 0.01)
        stage.step(*batch, 0.0)
        for key, value in weights_of(stage.network).items():
            np.testing.assert_array_equal(value, weights_of(beginner())[key])


@pytest.mark.parametrize("make", [PixelStage, PerceptualStage])
def test_the_average_is_a_network_of_its_own(
    batch: Batch, make: type[PixelStage] | type[PerceptualStage]
) -> None:
    """After one step a tenth of how it began, and the rest of what it is."""
    stage = make(beginner(), 0.1)
    stage.step(*batch, 1.0)
    averaged = stage.averaged()
    assert averaged.shape == (8, 2, 2)
    first, now = weights_of(beginner()), weights_of(stage.network)
    for key, value in weights_of(averaged).items():
        np.testing.assert_allclose(value, 0.1 * first[key] + 0.9 * now[key], atol=1e-6)
    torch.nn.init.zeros_(averaged.body[0].weight)
    np.testing.assert_array_equal(weights_of(stage.network)["body.0.weight"], now["body.0.weight"])
    assert weights_of(stage.averaged())["body.0.weight"].any()


def test_a_teacher_counts_more_than_the_original(batch: Batch) -> None:
    small, large, _ = batch
    with torch.no_grad():
        made = beginner()(small).numpy()
    wanted = [np.abs(made - target.numpy()).mean() for target in (large, 1 - large)]
    found = PixelStage(beginner(), 0.01).step(small, large, 1 - large, 1.0)
    assert found == {"loss": pytest.approx(0.15 * wanted[0] + 0.85 * wanted[1], rel=1e-5)}


# --- perceptual ------------------------------------------------------------------------------


def cross_entropy(logits: torch.Tensor, label: int) -> torch.Tensor:
    chance = 1 / (1 + torch.exp(-logits))
    return -torch.log(chance if label else 1 - chance).mean()


def relativistic(better: torch.Tensor, worse: torch.Tensor) -> torch.Tensor:
    wins = cross_entropy(better - worse.mean(), 1) + cross_entropy(worse - better.mean(), 0)
    return wins / 2


def test_a_perceptual_step_says_what_it_goes_down(batch: Batch) -> None:
    """Its losses, and the slopes of their weighted sum; the discriminator's of its own."""
    small, large, _ = batch
    target = large.flip(3)
    network = beginner()
    stage = PerceptualStage(network, 0.01)
    rival = stage.parts["discriminator"]
    assert isinstance(rival, FeatureDiscriminator) and list(rival.heads) == list(TAPS[:-1])
    heads = deepcopy(rival).heads
    twin = beginner()
    made = twin(small)
    seen = features.load("compact")
    ours, theirs = seen(made, TAPS), seen(large, TAPS)
    apart = [(ours[tap] - theirs[tap]).abs().mean() / theirs[tap].mean() for tap in TAPS]
    logits = {tap: [head(f[tap] / theirs[tap].mean()) for f in (ours, theirs)]
              for tap, head in heads.items()}  # fmt: skip
    fooled = sum(relativistic(*pair) for pair in logits.values()) / 4
    off = 0.15 * (made - large).abs().mean() + 0.85 * (made - target).abs().mean()
    regular = grid_loss(made, large, twin.scale)
    total = off + 0.2 * sum(apart) / 5 + 0.02 * fooled + 8 * regular
    slopes = torch.autograd.grad(total, list(twin.parameters()), retain_graph=True)
    caught = sum(relativistic(*pair[::-1]) for pair in logits.values()) / 4
    its_slopes = torch.autograd.grad(caught, list(heads.parameters()))
    wanted = {
        "loss": off.item(),
        "features": unlike(made.detach(), large),
        "adversarial": fooled.item(),
        "grid": regular.item(),
        "discriminator": caught.item(),
    }
    told = stage.step(small, large, target, 1.0)
    assert told == {k: pytest.approx(v, rel=1e-4, abs=1e-7) for k, v in wanted.items()}
    for weight, slope in zip(network.parameters(), slopes, strict=True):
        np.testing.assert_allclose(weight.grad, slope, rtol=1e-3, atol=1e-5)
    for weight, slope in zip(rival.parameters(), its_slopes, strict=True):
        np.testing.assert_allclose(weight.grad, slope, rtol=1e-3, atol=1e-6)


def test_a_perceptual_step_has_three_tenths_of_the_rate(batch: Batch) -> None:
    """Adam's first step is the rate, whichever way; the discriminator has a rate of its own."""
    stage = PerceptualStage(beginner(), 0.1)
    rival = stage.parts["discriminator"]
    before = weights_of(stage.network), weights_of(rival)
    stage.step(*batch, 0.5)
    inner = ("body.2.weight", "body.4.weight", "body.6.weight")
    for was, network, rate in zip(before, (stage.network, rival), (0.015, 0.0005), strict=True):
        steps = {key: value - was[key] for key, value in weights_of(network).items()}
        plain = np.concatenate([s.ravel() for key, s in steps.items() if key not in inner])
        assert np.abs(plain).max() < 1.004 * rate
        assert np.median(np.abs(plain)) == pytest.approx(rate, rel=0.01)
    for key in inner:
        step = weights_of(stage.network)[key] - before[0][key]
        largest = np.linalg.svd(step.reshape(len(step), -1), compute_uv=False)[0]
        assert 0.65 < largest / 0.06 < 1.25


def test_a_discriminator_of_features_learns_at_once() -> None:
    """To tell noise of two strengths, within 60 steps."""
    torch.manual_seed(0)
    rival = FeatureDiscriminator({"1_2": 4})
    adam = torch.optim.Adam(rival.parameters(), 0.01)
    random, sizes = torch.Generator().manual_seed(0), {"1_2": torch.ones(())}
    losses = []
    for _ in range(60):
        one, other = (
            {"1_2": share * torch.randn((8, 4, 8, 8), generator=random)} for share in (1, 0.5)
        )
        loss = rival.loss(one, other, sizes)
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert losses[0] == pytest.approx(np.log(2), abs=0.1) and losses[-1] < 0.4


def test_perceptual_steps_come_closer_to_the_features(batch: Batch) -> None:
    """Where pixels alone would get no further."""
    network = beginner()
    first = PixelStage(network, 0.005)
    for _ in range(40):
        first.step(*batch, 1.0)
    with torch.no_grad():
        before = unlike(network(batch[0]), batch[1])
    # small enough that any random discriminator leaves room for the features
    second = PerceptualStage(network, 0.0005)
    told = [second.step(*batch, 1.0) for _ in range(25)]
    with torch.no_grad():
        after = unlike(network(batch[0]), batch[1])
    assert told[0]["features"] == pytest.approx(before, rel=1e-4)
    assert after < 0.98 * before and told[-1]["loss"] > 0.95 * told[0]["loss"]
    assert told[-1]["discriminator"] < 0.9 * told[0]["discriminator"]


def copied(state: dict[str, object]) -> dict[str, object]:
    """As a file gives it back."""
    file = BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_a_checkpoint_holds_all_that_a_step_needs(batch: Batch) -> None:
    """A stage made anew, of other weights, goes on as the first does."""
    for make in (PixelStage, PerceptualStage):
        whole = make(beginner(), 0.01)
        for _ in range(2):
            whole.step(*batch, 1.0)
        torch.manual_seed(1)
        resumed = make(Compact(8, 2, 2), 0.01)
        for name, part in whole.parts.items():
            resumed.parts[name].load_state_dict(copied(part.state_dict()))
        assert whole.step(*batch, 0.7) == resumed.step(*batch, 0.7)
        assert whole.step(*batch, 0.7) == resumed.step(*batch, 0.7)
        ours, theirs = (weights_of(stage.averaged()) for stage in (whole, resumed))
        for key, value in ours.items():
            np.testing.assert_array_equal(value, theirs[key], err_msg=key)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_grid_is_what_repeats_with_every_small_pixel(scale: int) -> None:
    """Against NumPy, and known: a mesh counts much more than noise of the same strength."""
    random = torch.Generator().manual_seed(0)
    plain, noise = (torch.rand((2, 3, 48, 48), generator=random) for _ in range(2))
    mesh = torch.zeros((48, 48))
    mesh[::scale, ::scale] = 1
    mesh = (mesh - mesh.mean()) / mesh.std()
    noise = (noise - noise.mean()) / noise.std()
    losses = [grid_loss(plain + 0.1 * pattern, plain, scale) for pattern in (mesh, noise)]
    assert losses[0] > 2 * losses[1] and grid_loss(plain, plain, scale) == 0

    def repeating(picture: torch.Tensor) -> np.ndarray:
        values = picture.double().numpy()
        padded = np.pad(values, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (2, 3))
        fine = values - windows.mean((4, 5))
        squares = fine.reshape(2, 3, 48 // scale, scale, 48 // scale, scale)
        four = np.lib.stride_tricks.sliding_window_view(squares, (4, 4), (2, 4))[:, :, ::2, :, ::2]
        return four.mean((6, 7))

    wanted = np.abs(repeating(plain + 0.1 * mesh) - repeating(plain)).mean()
    assert losses[0].item() == pytest.approx(wanted, rel=1e-4)
