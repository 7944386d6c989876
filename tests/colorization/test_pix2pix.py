"""The article preset: sizes and weight counts of pix2pix's networks, and the losses by hand."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from limner.colorization import pix2pix
from limner.colorization.pix2pix import PatchDiscriminator, Sketch2ColorStage, UNet
from limner.nn import features
from limner.train.optim import EMA, optimizer_step


@pytest.fixture(scope="module")
def unet() -> UNet:
    torch.manual_seed(0)
    return UNet().requires_grad_(False)


class Small(nn.Module):
    """Stand in for the U-Net, without dropout."""

    multiple = 256

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, ink: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(ink))).sigmoid()


class SmallDiscriminator(nn.Module):
    """Stand in for the discriminator."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(4, 1, 4, 2, 1)

    def forward(self, ink: Tensor, rgb: Tensor) -> Tensor:
        return self.body(torch.cat((ink, rgb), 1))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Sketch2ColorStage:
    monkeypatch.setattr(pix2pix, "PatchDiscriminator", SmallDiscriminator)
    torch.manual_seed(0)
    return Sketch2ColorStage(Small(), 1e-3, "compact")  # type: ignore[arg-type]


def random_batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Ink and colors."""
    random = torch.Generator().manual_seed(seed)
    ink, rgb = (torch.rand((2, n, 32, 32), generator=random) for n in (1, 3))
    return ink, rgb


# --- the networks ----------------------------------------------------------------------------


def weights_without(network: nn.Module, biased: int) -> int:
    """Count weights without the biases that pix2pix has only in its last convolutions."""
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert all(m.kernel_size == (4, 4) for m in convolutions)
    biases = [m.bias.numel() for m in convolutions if m.bias is not None]
    return sum(p.numel() for p in network.parameters()) - sum(biases[: len(biases) - biased])


def test_the_networks_have_as_many_weights_as_those_of_pix2pix(unet: UNet) -> None:
    """pix2pix prints 54.414 M and 2.769 M."""
    assert weights_without(unet, 1) == 54_413_955
    discriminator = PatchDiscriminator()
    first, last = discriminator.body[0].bias.numel(), discriminator.body[-1].bias.numel()
    assert weights_without(discriminator, 1) + first == 2_768_705 and last == 1


def test_the_layers_of_the_unet_are_those_of_pix2pix(unet: UNet) -> None:
    """C64-C128-C256-C512-C512-C512-C512-C512, CD512-CD1024-CD1024-C1024-C1024-C512-C256-C128."""
    down = [m for m in unet.down.modules() if isinstance(m, nn.Conv2d)]
    up = [m for m in (*unet.up, *unet.last) if isinstance(m, nn.Sequential | nn.ConvTranspose2d)]
    assert [m.out_channels for m in down] == [64, 128, 256, 512, 512, 512, 512, 512]
    convolutions = [m for m in unet.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.in_channels for m in convolutions] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    drops = [any(isinstance(part, nn.Dropout) for part in m.modules()) for m in up]
    assert drops == [True] * 3 + [False] * 5
    for m in (*down, *convolutions):
        assert m.weight.std() == pytest.approx(0.02, rel=0.05)


def test_the_unet_colors_256_pixels_with_dropout_in_training(unet: UNet) -> None:
    ink = (torch.rand((1, 1, 256, 256)) > 0.9).float()
    with torch.no_grad():
        unet.train()
        one, other = (unet(ink) for _ in range(2))
    assert one.shape == (1, 3, 256, 256) and one.min() >= 0 and one.max() <= 1
    assert (one - other).abs().max() > 1e-4  # dropout


def test_the_discriminator_has_30_by_30_patches_of_70_pixels() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator().eval().requires_grad_(False)
    ink, rgb = torch.zeros((1, 1, 256, 256)), torch.rand((1, 3, 256, 256)).requires_grad_()
    logits = discriminator(ink, rgb)
    assert logits.shape == (1, 1, 30, 30)
    (slope,) = torch.autograd.grad(logits[0, 0, 15, 15], rgb)
    rows = slope.abs().sum((0, 1, 3)).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == 70


# --- the losses ------------------------------------------------------------------------------


def entropy(logits: Tensor, label: float) -> float:
    """Binary cross-entropy of logits, in float64."""
    x = logits.detach().double().numpy()
    share = 1 / (1 + np.exp(-x))
    return float(-(label * np.log(share) + (1 - label) * np.log(1 - share)).mean())


def test_the_losses_are_those_of_the_article(
    stage: Sketch2ColorStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against NumPy, with values in −1..1 for the L1 and total variation losses."""
    descents = []

    def noted(loss: Tensor, share: float, *optimizers: torch.optim.Optimizer) -> None:
        descents.append((loss.item(), share))
        optimizer_step(loss, share, *optimizers)

    monkeypatch.setattr(pix2pix, "optimizer_step", noted)
    network, discriminator = deepcopy(stage.network), deepcopy(stage._discriminator)
    ink, rgb = random_batch()
    found = stage.step(ink, rgb, 0.3)
    made = network(ink).detach()
    ours, theirs = (one.double().numpy() * 2 - 1 for one in (made, rgb))
    pixels = np.abs(ours - theirs).mean()
    vgg = features.load("compact", padding="zeros")
    seen = [vgg(one, ["2_2"])["2_2"].double().numpy() for one in (made, rgb)]
    variation = sum(np.abs(np.diff(ours, axis=axis)).sum() for axis in (2, 3)) / 2  # per picture
    adversarial = entropy(discriminator(ink, made), 1)
    total = adversarial + 100 * pixels + 0.01 * ((seen[0] - seen[1]) ** 2).mean() + 1e-4 * variation
    on_both = (entropy(discriminator(ink, rgb), 0.9) + entropy(discriminator(ink, made), 0)) / 2
    np.testing.assert_allclose(descents, [(total, 1), (on_both, 1)], rtol=1e-4)
    # the loss that is returned is the difference in 0..1
    assert found["loss"] == pytest.approx(float((made - rgb).abs().mean()), rel=1e-5)
    assert found["adversarial"] == pytest.approx(adversarial, rel=1e-4)
    assert found["discriminator"] == pytest.approx(on_both, rel=1e-4)


def test_the_discriminator_steps_on_every_other_batch(stage: Sketch2ColorStage) -> None:
    moved = []
    for step in range(5):
        before = [
            [p.clone() for p in m.parameters()] for m in (stage.network, stage._discriminator)
        ]
        stage.step(*random_batch(step), 1)
        now = [list(m.parameters()) for m in (stage.network, stage._discriminator)]
        moved.append(
            [
                any(not torch.equal(*pair) for pair in zip(*both, strict=True))
                for both in zip(before, now, strict=True)
            ]
        )
    assert moved == [[True, True], [True, False], [True, True], [True, False], [True, True]]


def test_learning_rate_and_momenta_are_those_of_pix2pix(stage: Sketch2ColorStage) -> None:
    for optimizer in (stage._adam, stage._discriminator_adam):
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (1e-3, (0.5, 0.999))
    assert (pix2pix.EPOCHS, pix2pix.BATCH_SIZE, pix2pix.LEARNING_RATE) == (43, 8, 2e-4)


def test_networks_with_batch_normalization_are_averaged() -> None:
    layer = nn.BatchNorm2d(3)
    average = EMA(layer)
    for _ in range(3):
        layer(torch.rand((2, 3, 4, 4)))
        average.update(layer)
    assert average.state["num_batches_tracked"] == 3
    layer.load_state_dict(average.state)
