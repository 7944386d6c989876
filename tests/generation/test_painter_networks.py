"""Generators and discriminators of all presets: shapes, ranges, and what gradients go through."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from limner.generation.gan import dcgan, lightweight_gan, stylegan2
from limner.generation.gan.adversarial_step import PENALTIES
from limner.generation.gan.augment import KINDS
from limner.generation.gan.presets import PRESETS, build
from limner.generation.gan.sizes import SIZES
from limner.nn import features
from limner.train.adversarial import LOSSES, gradient_penalty

SHAPES = [(64, 64), (64, 96), (80, 64)]
NARROW = (12, 10, 8, 8, 8, 8)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def kinds(size: tuple[int, int], patch: pytest.MonkeyPatch) -> dict[str, tuple[Any, Any]]:
    """The networks of each architecture with few channels."""
    patch.setattr(lightweight_gan, "WIDTHS", NARROW)
    patch.setattr(lightweight_gan, "HEAD_WIDTH", 8)
    torch.manual_seed(0)
    few = {"channel_base": 64, "channel_max": 8}
    return {
        "lightweight_gan": (
            lightweight_gan.Generator(size, 16),
            lightweight_gan.Discriminator(size),
        ),
        "dcgan": (dcgan.Generator(size, 16, 4), dcgan.Discriminator(size, 4)),
        "stylegan2": (
            stylegan2.Generator(size, latent_size=16, mapping_layers=2, **few),
            stylegan2.Discriminator(size, **few),
        ),
    }


# --- all of them -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", SHAPES)
def test_pictures_have_the_shape_and_the_range(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (generator, discriminator) in kinds(size, monkeypatch).items():
        assert generator.size == size and generator.latent_size == 16
        layers = {"lightweight_gan": 5, "dcgan": 1, "stylegan2": 10}[
            name
        ]  # four doublings from 4 pixels
        assert generator.layers == layers and generator.mean.shape == (16,)
        made = generator(drawn(3, 16) * 3)
        assert made.shape == (3, 3, *size) and made.dtype == torch.float32
        if name != "stylegan2":  # whose pictures are not clamped
            assert made.min() >= 0 and made.max() <= 1
        assert made.std() > 1e-3
        logits = discriminator(made)
        assert len(logits) == 3 and logits.isfinite().all(), name


def test_forward_is_to_map_and_paint(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same noise, and the same style at every layer."""
    for name, (generator, _) in kinds((64, 96), monkeypatch).items():
        generator.eval()
        for parameter in generator.parameters():  # noise begins with no strength
            parameter.data += 0.01
        z = drawn(2, 16)
        styles = generator.map(z)
        lots = []
        for way in (
            lambda: generator(z),  # noqa: B023 - called here
            lambda: generator.paint(styles),  # noqa: B023
            lambda: generator.paint(styles[:, None].expand(-1, generator.layers, -1)),  # noqa: B023
        ):
            torch.manual_seed(3)
            lots.append(way().detach())
        np.testing.assert_array_equal(lots[0], lots[1], err_msg=name)
        np.testing.assert_array_equal(lots[0], lots[2], err_msg=name)
        assert (lots[0][0] - lots[0][1]).abs().max() > 1e-3, name


def test_every_weight_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (generator, discriminator) in kinds((64, 64), monkeypatch).items():
        logits = discriminator(generator(drawn(3, 16)))
        logits.square().sum().backward()
        for network in (generator, discriminator):
            for key, parameter in network.named_parameters():
                assert parameter.grad is not None and parameter.grad.abs().max() > 0, (name, key)


def test_a_gradient_penalty_has_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slope by the weights is what it changes by when they do."""
    size = (64, 64)
    networks = kinds(size, monkeypatch)
    pictures = torch.rand((2, 3, *size), generator=torch.Generator().manual_seed(1))
    for name in ("lightweight_gan", "stylegan2"):
        discriminator: nn.Module = networks[name][1].double()
        if name == "lightweight_gan":
            discriminator._frozen[0].double()
        weight = (
            discriminator.first.weight if name == "lightweight_gan" else discriminator.linear.weight
        )

        def penalty(network: nn.Module = discriminator) -> Tensor:
            seen = pictures.double().requires_grad_(True)
            return gradient_penalty(network(seen).reshape(2, -1).mean(1), seen)

        first = penalty()
        first.backward()
        slopes = {key: p.grad for key, p in discriminator.named_parameters()}
        assert sum(slope is not None and bool(slope.any()) for slope in slopes.values()) > 6, name
        before, way = weight.data.clone(), drawn(*weight.shape, seed=2).double()
        assert weight.grad is not None
        wanted, ends = (weight.grad * way).sum().item(), []
        for nudge in (1e-6, -1e-6):
            weight.data = before + nudge * way
            ends.append(penalty().item())
        assert first.item() > 0
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(wanted, rel=1e-3), name


# --- lightweight GAN -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "patches"),
    [
        # of the pixels 4×4 at the end, and of the features 32, 16 and 8 a side, halved down to 4
        ((64, 64), 4 * 4 * 4),
        ((64, 96), 4 * 6 * 4),
        ((128, 128), 4 * 4 * 4),
        ((256, 256), 4 * 4 * 4),  # the features see it at 128
    ],
)
def test_the_lightweight_discriminator_judges_patches(
    size: tuple[int, int], patches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lightweight_gan, "WIDTHS", (*NARROW, 8, 8))
    with torch.no_grad():
        assert lightweight_gan.Discriminator(size)(torch.rand((1, 3, *size))).shape == (1, patches)


def test_the_perceptual_network_is_frozen_and_no_part_of_the_discriminator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, discriminator = kinds((64, 64), monkeypatch)["lightweight_gan"]
    sees, shipped = discriminator._frozen[0], features.load("compact").state_dict()
    own = {id(parameter) for parameter in discriminator.parameters()}
    assert not own & {id(parameter) for parameter in sees.parameters()}
    pictures = torch.rand((2, 3, 64, 64), requires_grad=True)
    discriminator(pictures)[:, 16:].sum().backward()  # what comes from the features alone
    assert pictures.grad is not None and (pictures.grad != 0).float().mean() > 0.9
    for key, value in sees.state_dict().items():
        np.testing.assert_array_equal(value, shipped[key])
    assert all(parameter.grad is None for parameter in sees.parameters())


def test_each_style_changes_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one nothing before the last doubling."""
    generator, _ = kinds((64, 64), monkeypatch)["lightweight_gan"]
    styles = drawn(1, 5, 16)
    before, reached = generator.paint(styles), []
    for layer in range(5):
        other = styles.clone()
        other[:, layer] = drawn(16, seed=9)
        reached.append((generator.paint(other) - before).abs().mean().item())
    assert min(reached) > 0 and reached[0] == max(reached)


def test_the_noise_of_the_lightweight_gan_starts_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, _ = kinds((64, 64), monkeypatch)["lightweight_gan"]
    z = drawn(1, 16)
    np.testing.assert_array_equal(generator(z).detach(), generator(z).detach())
    generator.body[1].noise.data.fill_(0.5)
    assert (generator(z) - generator(z)).abs().max() > 1e-3


# --- DCGAN -----------------------------------------------------------------------------------


def test_the_weights_of_dcgan_start_as_in_the_paper() -> None:
    """Normal: deviation 0.02, around 1 for the scales of normalization."""
    torch.manual_seed(0)
    for network in (dcgan.Generator((64, 64), 20, 16), dcgan.Discriminator((64, 64), 16)):
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                middle = 0.0
                assert module.bias is None or not module.bias.any()
            elif isinstance(module, nn.BatchNorm2d):
                middle = 1.0
                assert not module.bias.any()
            else:
                continue
            values = module.weight.detach()
            error = 0.02 / values.numel() ** 0.5
            assert values.mean().item() == pytest.approx(middle, abs=4 * error)
            assert values.std().item() == pytest.approx(0.02, abs=4 * error)


def test_dcgans_layers_are_those_of_the_paper() -> None:
    """Figure 1: 100 numbers, then 1024, 512, 256 and 128 channels; ours have half as many."""
    generator, discriminator = dcgan.Generator((64, 96)), dcgan.Discriminator((64, 96))
    up = [m for m in generator.body if isinstance(m, nn.ConvTranspose2d)]
    down = [m for m in discriminator.body if isinstance(m, nn.Conv2d)]
    assert [m.in_channels for m in up] == [100, 512, 256, 128, 64]
    assert [m.out_channels for m in down] == [64, 128, 256, 512, 1]
    normed = [[type(m).__name__ for m in net.body] for net in (generator, discriminator)]
    assert normed[0].count("BatchNorm2d") == 4 and normed[0][-2:] == ["ConvTranspose2d", "Tanh"]
    assert normed[1].count("BatchNorm2d") == 3 and normed[1][:2] == ["Conv2d", "LeakyReLU"]


# --- presets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(96, 64), (512, 640)])
def test_presets_are_built_at_every_size(size: tuple[int, int]) -> None:
    for architecture in ("lightweight_gan", "dcgan") if size[1] == 64 else ("lightweight_gan",):
        generator, discriminator = build(architecture, size)
        with torch.no_grad():
            made = generator(drawn(2, {"lightweight_gan": 128, "dcgan": 100}[architecture]))
            assert made.shape == (2, 3, *size) and len(discriminator(made[:1])) == 1


def test_stylegan2_has_half_the_channels_of_configuration_f(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which has 32768 over the short side."""
    given: list[tuple[Any, ...]] = []
    for name in ("Generator", "Discriminator"):
        monkeypatch.setattr(
            stylegan2, name, lambda size, *, channel_base: given.append((size, channel_base))
        )
    build("stylegan2", (64, 96))
    assert given == 2 * [((64, 96), 32768 // 2)]


def test_presets_are_those_of_their_sources() -> None:
    found = {n: (p.architecture, p.loss, p.penalty, p.augment) for n, p in PRESETS.items()}
    assert found == {
        "dcgan": ("dcgan", "standard", "none", "none"),
        "relativistic": ("dcgan", "average", "none", "none"),
        "stylegan2": ("stylegan2", "standard", "r1", "none"),
        "auto": ("lightweight_gan", "paired", "r1r2", "diffaugment"),
    }
    for preset in PRESETS.values():
        assert preset.loss in LOSSES and preset.penalty in PENALTIES and preset.augment in KINDS
    assert [PRESETS[n].steps for n in ("auto", "dcgan", "relativistic", "stylegan2")] == [
        4_000, 10_000, 15_000, 37_500,
    ]  # fmt: skip
    assert SIZES == (64, 128, 256, 512)
