"""One adversarial step: losses by hand, lazy penalties, path lengths, checkpoints."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from limner.generation.gan import adversarial_step, dcgan, lightweight_gan, stylegan2
from limner.generation.gan.adversarial_step import AdversarialStep
from limner.generation.gan.presets import PRESETS
from stopping import same

SIZE = (32, 32)
CPU = torch.device("cpu")


def make_stage(name: str, seed: int = 0, **others: Any) -> AdversarialStep:
    """Small networks for pictures of 32 pixels; those of StyleGAN2 for 16."""
    torch.manual_seed(seed)
    preset = replace(PRESETS[name], **{"batch_size": 3} | others)
    generator: nn.Module
    discriminator: nn.Module
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightweight_gan, "WIDTHS", (12, 10, 8, 8))
        patch.setattr(lightweight_gan, "HEAD_WIDTH", 8)
        if preset.architecture == "lightweight_gan":
            generator, discriminator = (
                lightweight_gan.Generator(SIZE, 16),
                lightweight_gan.Discriminator(SIZE),
            )
        elif preset.architecture == "dcgan":
            generator, discriminator = dcgan.Generator(SIZE, 16, 4), dcgan.Discriminator(SIZE, 4)
        else:
            few = {"channel_base": 64, "channel_max": 16}
            generator = stylegan2.Generator((16, 16), latent_size=16, mapping_layers=2, **few)  # type: ignore[arg-type]
            discriminator = stylegan2.Discriminator((16, 16), **few)
    return AdversarialStep(generator, discriminator, preset)


def real_for(stage: AdversarialStep, seed: int = 0) -> Tensor:
    shape = (stage.preset.batch_size, 3, *stage.network.size)  # type: ignore[misc]
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def train(stage: AdversarialStep, step: int, share: float = 1.0) -> dict[str, float]:
    torch.manual_seed(1000 + step)
    return stage.step(real_for(stage, step), step, share)


def softplus(values: Tensor) -> float:
    return float(np.logaddexp(0, values.detach().double().numpy()).mean())


# --- a step ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_step_changes_both_networks(name: str) -> None:
    stage = make_stage(name)
    before = [
        deepcopy(dict(net.named_parameters())) for net in (stage.network, stage.discriminator)
    ]
    losses = train(stage, 0)
    path = {"path"} if name == "stylegan2" else set()
    assert losses.keys() == {"loss", "discriminator", "augmented"} | path
    assert np.isfinite(list(losses.values())).all()
    assert losses["augmented"] == (name == "auto")
    for net, was in zip((stage.network, stage.discriminator), before, strict=True):
        moved = [not torch.equal(value, was[key]) for key, value in net.named_parameters()]
        assert np.mean(moved) > 0.85  # relativistic losses move no bias of all logits
        assert all(parameter.requires_grad for parameter in net.parameters())


def made_by(stage: AdversarialStep, generator: nn.Module, seed: int) -> Tensor:
    torch.manual_seed(seed)
    z = torch.randn((2, stage.preset.batch_size, 16))[0]
    return generator(z).detach()


@pytest.mark.parametrize(
    ("name", "loss"),
    [("dcgan", "standard"), ("dcgan", "hinge"), ("relativistic", "average"), ("auto", "paired")],
)
def test_the_losses_are_those_of_the_preset(name: str, loss: str) -> None:
    """The generator's loss is that of the discriminator after its step."""
    stage = make_stage(name, loss=loss, augment="none", penalty="none")
    generator, discriminator = deepcopy(stage.network), deepcopy(stage.discriminator)
    losses = train(stage, 0)
    real, made = real_for(stage), made_by(stage, generator, 1000)
    above, below, after = (
        lot.detach()
        for lot in (discriminator(real), discriminator(made), stage.discriminator(made))
    )
    wanted = {
        "standard": (softplus(-above) + softplus(below), softplus(-after)),
        "hinge": (
            float((1 - above).clamp(min=0).mean() + (1 + below).clamp(min=0).mean()),
            float(-after.mean()),
        ),
        "average": (
            (softplus(below.mean() - above) + softplus(below - above.mean())) / 2,
            (softplus(above.mean() - after) + softplus(above - after.mean())) / 2,
        ),
        "paired": (softplus(below - above), softplus(above - after)),
    }[loss]
    assert losses["discriminator"] == pytest.approx(wanted[0], rel=1e-4)
    assert losses["loss"] == pytest.approx(wanted[1], rel=1e-4)


def steepness(discriminator: nn.Module, pictures: Tensor) -> float:
    """The mean square of gradients, picture by picture, as if no two patches overlapped."""
    total = 0.0
    for picture in pictures:
        one = picture[None].clone().requires_grad_(True)
        logits = discriminator(one)
        (logits.sum() / logits.numel() ** 0.5).backward()
        assert one.grad is not None
        total += float(one.grad.double().square().sum())
    return total / len(pictures)


@pytest.mark.parametrize(("penalty", "batch"), [("r1", 2), ("r1r2", 4)])
def test_penalties_come_every_so_many_steps_and_so_many_times_stronger(
    penalty: str, batch: int
) -> None:
    """Half of gamma, by pixels of 64² and pictures of 16."""
    gamma = 500.0  # to be seen beside the rest
    for step in (7, 10):
        stage = make_stage("auto", augment="none", penalty=penalty, gamma=gamma, penalty_every=5,
                       batch_size=batch)  # fmt: skip
        generator, discriminator = deepcopy(stage.network), deepcopy(stage.discriminator)
        found = train(stage, step)["discriminator"]
        real, made = real_for(stage, step), made_by(stage, generator, 1000 + step)
        wanted = softplus(discriminator(made) - discriminator(real))
        if step % 5 == 0:
            steep = steepness(discriminator, real) + (
                steepness(discriminator, made) if penalty == "r1r2" else 0
            )
            share = gamma * 32**2 / 64**2 * 16 / batch / 2 * 5 * steep
            assert share > 0.01 * wanted
            wanted += share
        assert found == pytest.approx(wanted, rel=1e-3)


def test_all_inputs_of_the_discriminator_are_augmented_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shares: list[float] = []
    plain = adversarial_step.augment

    def changed(pictures: Tensor, share: float) -> Tensor:
        shares.append(share)
        return plain(pictures, share)

    monkeypatch.setattr(adversarial_step, "augment", changed)
    train(make_stage("auto"), 0)
    assert shares == [1.0] * 3  # real ones, made ones, and these for the generator
    shares.clear()
    adaptive = make_stage("dcgan", augment="adaptive")
    adaptive.augmentation.share, adaptive.augmentation._overfitting = 0.5, 1.0
    found = train(adaptive, 1)["augmented"]
    assert abs(found - 0.5) == pytest.approx(3 / 20_000)
    assert shares == [0.5, 0.5, found]  # what was learned of the first two counts at once


# --- rates -----------------------------------------------------------------------------------


def test_rates_are_those_of_the_preset_and_slower_with_lazy_penalties() -> None:
    for name, slower in (("dcgan", (1, 1)), ("auto", (1, 1)), ("stylegan2", (4 / 5, 16 / 17))):
        stage, preset = make_stage(name), PRESETS[name]
        train(stage, 0, 0.25)
        for adam, less in zip((stage._adam, stage._discriminator_adam), slower, strict=True):
            (group,) = adam.param_groups
            assert group["lr"] == pytest.approx(0.25 * preset.learning_rate * less, rel=1e-6)
            assert group["betas"] == pytest.approx([beta**less for beta in preset.betas], rel=1e-6)


def test_the_average_follows() -> None:
    stage = make_stage("dcgan")
    before = {key: value.clone() for key, value in stage.network.state_dict().items()}
    train(stage, 0)
    for key, value in stage.averaged().state_dict().items():
        now = stage.network.state_dict()[key]
        wanted = before[key] * 0.1 + now * 0.9 if value.is_floating_point() else now
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-6)
    assert stage.average.decay == 0.998


# --- StyleGAN2's own -------------------------------------------------------------------------


def test_path_lengths_are_those_of_the_jacobian() -> None:
    """Of pictures in −1..1, along noise of deviation 1/√pixels; against a hundredth of the mean."""
    stage = make_stage("stylegan2", batch_size=4)
    torch.manual_seed(3)
    found = [stage._path_length_penalty(4, CPU).item() for _ in range(2)]
    torch.manual_seed(3)
    generator: Any = stage.network
    plain, mean_length = deepcopy(generator).double(), 0.0
    nudges = 1e-4 * torch.eye(generator.layers * 16).double().view(-1, generator.layers, 16)
    for value in found:
        styles = stage._draw_styles(2, CPU).detach()  # half of the batch
        shape = generator.paint(styles).shape  # which draws noise, of no strength yet
        noise = torch.randn(shape).double() / 16
        lengths = []
        for style, along in zip(styles.double(), noise, strict=True):
            with torch.no_grad():
                ends = [plain.paint(style + sign * nudges, "none") for sign in (1, -1)]
            slope = 2 * ((ends[0] - ends[1]) * along).sum((1, 2, 3)) / 2e-4
            lengths.append(float(slope.square().sum() / generator.layers) ** 0.5)
        mean_length += 0.01 * (float(np.mean(lengths)) - mean_length)
        wanted = float(np.mean((np.array(lengths) - mean_length) ** 2)) * 2 * 4
        assert value == pytest.approx(wanted, rel=1e-3)
    assert stage._path_mean.mean == pytest.approx(mean_length, rel=1e-4)


def test_path_lengths_are_penalized_every_fourth_step() -> None:
    stage = make_stage("stylegan2")
    assert ["path" in train(stage, step) for step in (2, 3, 4)] == [False, False, True]
    assert "path" not in train(make_stage("auto"), 0)


def test_styles_are_mixed_nine_times_in_ten() -> None:
    stage = make_stage("stylegan2")
    generator: Any = stage.network
    torch.manual_seed(0)
    changes = []
    with torch.no_grad():
        for _ in range(300):
            styles = stage._draw_styles(2, CPU)
            assert styles.shape == (2, generator.layers, 16)
            steps = (styles.diff(dim=1).abs().amax((0, 2)) > 0).nonzero().flatten().tolist()
            assert len(steps) <= 1
            changes.append(steps[0] + 1 if steps else 0)
    assert np.mean(np.array(changes) > 0) == pytest.approx(0.9, abs=0.06)
    assert set(changes) == set(range(generator.layers))


# --- checkpoints -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "others"),
    [("auto", {"augment": "adaptive"}), ("relativistic", {"penalty": "r1"}), ("stylegan2", {})],
)
def test_a_checkpoint_continues_bit_for_bit(name: str, others: dict[str, Any]) -> None:
    stage, other = make_stage(name, **others), make_stage(name, seed=1, **others)
    if stage.augmentation.kind == "adaptive":
        stage.augmentation.load_state_dict({"share": 0.3, "overfitting": 0.9})
    for step in range(3):
        train(stage, step)
    other.load_state_dict(deepcopy(stage.state_dict()))
    for step in (3, 4):
        assert train(stage, step) == train(other, step)
    same(stage.state_dict(), other.state_dict())
    same(stage.averaged().state_dict(), other.averaged().state_dict())
