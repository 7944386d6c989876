"""StyleGAN2: each layer against the formula of the paper, written in another way."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.generation.gan.latent_space import to_styles
from limner.generation.gan.sizes import start_size
from limner.generation.gan.stylegan2 import Architecture, Discriminator, Generator, channel_counts
from limner.generation.gan.stylegan2_layers import (
    EqualizedConv2d,
    EqualizedLinear,
    ModulatedConv2d,
    SynthesisLayer,
    lowpass,
    minibatch_stddev,
    upsample,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def redrawn(network: torch.nn.Module, seed: int = 0) -> None:
    """Draw all weights again: biases and noise strengths start at 0, which hides their effect."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)


def small(size: tuple[int, int] = (16, 16), architecture: Architecture = "skip") -> Generator:
    made = Generator(
        size,
        latent_size=6,
        mapping_layers=2,
        channel_base=64,
        channel_max=8,
        architecture=architecture,
    )
    redrawn(made)
    return made.eval()


# --- sizes and channels ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "start", "layers"),
    [
        ((4, 4), (4, 4), 2),
        ((8, 8), (4, 4), 4),
        ((32, 32), (4, 4), 8),
        ((16, 24), (4, 6), 6),
        ((24, 16), (6, 4), 6),
        ((8, 40), (4, 20), 4),
        ((16, 20), (4, 5), 6),
    ],
)
@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_pictures_of_any_size_are_painted_and_judged(
    size: tuple[int, int], start: tuple[int, int], layers: int, architecture: Architecture
) -> None:
    painter, discriminator = (
        small(size, architecture),
        Discriminator(size, channel_base=64, channel_max=8),
    )
    assert painter.layers == layers and painter.size == size
    assert painter.constant.shape[1:] == start and start_size(size)[0] == start
    picture = painter(random(3, 6))
    assert picture.shape == (3, 3, *size)
    assert discriminator(picture).shape == (3,)


@pytest.mark.parametrize("size", [(12, 12), (6, 6), (16, 18), (2, 2)])
def test_a_size_that_cannot_be_halved_down_to_4_is_a_mistake(size: tuple[int, int]) -> None:
    with pytest.raises(AssertionError):
        start_size(size)


def test_channels_are_those_of_configuration_f() -> None:
    assert channel_counts((1024, 1024), 32768, 512) == [512, 512, 512, 512, 512, 256, 128, 64, 32]
    assert channel_counts((256, 384), 16384, 512) == [512, 512, 512, 512, 256, 128, 64]


# --- filters ---------------------------------------------------------------------------------


def test_filters_keep_flat_pictures_and_double_like_bilinear() -> None:
    even = torch.full((1, 2, 8, 6), 0.7)
    np.testing.assert_allclose(upsample(even)[..., 1:-1, 1:-1], 0.7, rtol=1e-6)
    np.testing.assert_allclose(lowpass(even, 1, stride=2)[..., 1:-1, 1:-1], 0.7, rtol=1e-6)
    x = random(2, 3, 5, 7)
    bilinear = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(upsample(x)[..., 1:-1, 1:-1], bilinear[..., 1:-1, 1:-1], atol=1e-6)
    # outside the border is black: a corner has (3/4)² of itself
    np.testing.assert_allclose(upsample(x)[..., 0, 0], x[..., 0, 0] * 0.75**2, atol=1e-6)


def test_halving_is_the_filter_and_every_other_pixel() -> None:
    x = random(1, 2, 8, 8)
    line = np.array([1, 3, 3, 1]) / 8
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = np.zeros((1, 2, 4, 4))
    for y in range(4):
        for z in range(4):
            window = padded[..., 2 * y : 2 * y + 4, 2 * z : 2 * z + 4]
            expected[..., y, z] = np.einsum("ncij,i,j->nc", window, line, line)
    np.testing.assert_allclose(lowpass(x, 1, stride=2), expected, atol=1e-6)


# --- layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("enlarge", [False, True])
def test_modulation_is_the_papers_grouped_convolution(enlarge: bool) -> None:
    layer = ModulatedConv2d(5, 4, 3, 6, upsample=enlarge, demodulate=True)
    redrawn(layer)
    x, w = random(3, 5, 6, 4), random(3, 6, seed=1)
    out, scale = layer(x, w)
    style = w @ (layer.style.weight / math.sqrt(6)).t() + layer.style.bias
    expected = []
    for one, s in zip(x, style, strict=True):
        kernels = layer.weight * s[None, :, None, None]  # equation 1, then 3
        kernels = kernels / (kernels.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if enlarge:
            apart = torch.zeros(1, 5, 12, 8)
            apart[..., ::2, ::2] = one
            line = torch.tensor((1.0, 3.0, 3.0, 1.0)) / 4
            fir = torch.outer(line, line).expand(5, 1, 4, 4)
            soft = F.conv2d(F.pad(apart, (3, 2, 3, 2)), fir, groups=5)
            expected.append(F.conv2d(soft, kernels.flip(2, 3)))
        else:
            expected.append(F.conv2d(one[None], kernels, padding=1))
    np.testing.assert_allclose((out * scale).detach(), torch.cat(expected).detach(), atol=2e-5)


def test_layers_keep_the_variance() -> None:
    """Equalized learning rate and gains: input with a mean square of 1 gives output with one."""
    torch.manual_seed(0)
    layer = SynthesisLayer(64, 64, 32, (16, 16), None, upsample=False)
    out = layer(random(4, 64, 16, 16), random(4, 32, seed=1), "none")
    inner = out[..., 1:-1, 1:-1]  # the border sees black
    assert inner.square().mean().item() == pytest.approx(1.04, rel=0.05)  # (1 + 0.2²) / 2 · 2
    dense = EqualizedLinear(256, 256, rate=0.01)
    assert dense.weight.std().item() == pytest.approx(100, rel=0.02)
    assert dense(random(64, 256)).std().item() == pytest.approx(1, rel=0.05)
    convolution = EqualizedConv2d(32, 64, 3)
    seen = convolution(random(2, 32, 16, 16))[..., 1:-1, 1:-1]
    assert seen.square().mean().item() == pytest.approx(1.04, rel=0.1)


def test_networks_start_as_in_the_paper() -> None:
    """Styles are 1, so there is no modulation; bias, noise and mean are 0."""
    painter = Generator((8, 8), latent_size=6, mapping_layers=2, channel_base=64, channel_max=8)
    for name, value in painter.state_dict().items():
        if name.endswith("style.bias"):
            assert (value == 1).all(), name
        elif name.endswith(("bias", "strength", "mean")):
            assert not value.any(), name
        else:
            assert value.any(), name


@pytest.mark.parametrize(
    ("count", "group", "members"),
    [
        (8, 4, [(0, 2, 4, 6), (1, 3, 5, 7)]),
        (3, 4, [(0, 1, 2)]),
        (6, 4, [(0, 2, 4), (1, 3, 5)]),  # where the paper's code stops: 4 does not divide 6
        (5, 4, [(0,), (1,), (2,), (3,), (4,)]),
    ],
)
def test_deviation_is_that_of_each_group(
    count: int, group: int, members: list[tuple[int, ...]]
) -> None:
    x = random(count, 3, 2, 4)
    found = minibatch_stddev(x, group)
    assert found.shape == (count, 1, 2, 4)
    for together in members:
        spread = np.sqrt(x[list(together)].numpy().var(0) + 1e-8).mean()
        np.testing.assert_allclose(found[list(together)], spread, rtol=1e-5)


def test_the_discriminator_is_that_of_nvidia() -> None:
    """Its formulas, with every filter and convolution written out in double precision."""
    discriminator = Discriminator((16, 24), channel_base=64, channel_max=8, group=2)
    redrawn(discriminator)
    picture = random(4, 3, 16, 24)
    numbers = {name: value.double() for name, value in discriminator.state_dict().items()}
    line = torch.tensor((1.0, 3.0, 3.0, 1.0), dtype=torch.double) / 8

    def soft(x: Tensor, pad: int) -> Tensor:
        fir = torch.outer(line, line).expand(x.shape[1], 1, 4, 4)
        return F.conv2d(F.pad(x, (pad,) * 4), fir, groups=x.shape[1])

    def kernel(name: str) -> Tensor:
        weight = numbers[f"{name}.weight"]
        return weight / weight[0].numel() ** 0.5

    def leaky(x: Tensor, name: str) -> Tensor:
        bias = numbers[f"{name}.bias"].reshape(1, -1, *(1,) * (x.dim() - 2))
        return torch.where(x + bias > 0, x + bias, 0.2 * (x + bias)) * 2**0.5

    x = leaky(F.conv2d(picture.double() * 2 - 1, kernel("from_rgb")), "from_rgb")
    for block in ("blocks.0", "blocks.1"):
        around = F.conv2d(soft(x, 1)[..., ::2, ::2], kernel(f"{block}.skip"))
        x = leaky(F.conv2d(x, kernel(f"{block}.first"), padding=1), f"{block}.first")
        x = leaky(F.conv2d(soft(x, 2), kernel(f"{block}.second"), stride=2), f"{block}.second")
        x = (x + around) / 2**0.5
    spread = [(x[[n, n + 2]].var(0, correction=0) + 1e-8).sqrt().mean() for n in (0, 1, 0, 1)]
    more = torch.stack(spread).view(4, 1, 1, 1).expand(4, 1, 4, 6)
    x = leaky(F.conv2d(torch.cat((x, more), 1), kernel("last_conv"), padding=1), "last_conv")
    x = leaky(x.flatten(1) @ kernel("linear").t(), "linear")
    logits = x @ kernel("out").t() + numbers["out.bias"]
    np.testing.assert_allclose(discriminator(picture).detach(), logits[:, 0], rtol=1e-4, atol=1e-4)


# --- painting --------------------------------------------------------------------------------


def test_mapping_normalizes_z_and_follows_the_mean_while_training() -> None:
    painter = small()
    z = random(5, 6)
    w = painter.map(z)
    np.testing.assert_allclose(painter.map(7 * z).detach(), w.detach(), rtol=1e-4, atol=1e-6)
    assert not painter.mean.any()
    painter.mean.fill_(1.0)
    painter.train()
    w = painter.map(z).detach()
    np.testing.assert_allclose(painter.mean, 0.995 + 0.005 * w.mean(0), rtol=1e-5)
    assert "mean" in painter.state_dict() and not painter.mean.requires_grad


def test_mapping_is_its_layers() -> None:
    painter = small()
    z = random(2, 6).double()
    x = z / (z.square().mean(1, keepdim=True)).sqrt()
    for layer in ("mapping.0", "mapping.1"):
        weight, bias = (painter.state_dict()[f"{layer}.{n}"].double() for n in ("weight", "bias"))
        x = x @ weight.t() * 0.01 / 6**0.5 + 0.01 * bias
        x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    np.testing.assert_allclose(painter.map(z.float()).detach(), x, rtol=1e-5, atol=1e-8)


def test_truncation_moves_towards_the_mean() -> None:
    painter = small()
    painter.mean.copy_(random(6, seed=3))
    z = random(4, 6)
    w = painter.map(z).detach()
    near = to_styles(painter, z, 0.3)[:, 0]
    np.testing.assert_allclose(near - painter.mean, 0.3 * (w - painter.mean), atol=1e-6)
    np.testing.assert_allclose(to_styles(painter, z, 1.0)[:, 0], w, atol=1e-6)
    flat = painter.paint(to_styles(painter, z, 0.0), "none").detach()
    np.testing.assert_allclose(flat[1:], flat[:1].expand(3, -1, -1, -1), atol=1e-5)


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_every_layer_has_its_style(architecture: Architecture) -> None:
    painter = small(architecture=architecture)
    w = random(2, 6)
    each = w[:, None].repeat(1, painter.layers, 1)
    plain = painter.paint(w, "none").detach()
    np.testing.assert_allclose(painter.paint(each, "none").detach(), plain, atol=1e-5)
    for layer in range(painter.layers):
        mixed = each.clone()
        mixed[:, layer] = random(2, 6, seed=9)
        moved = (painter.paint(mixed, "none") - plain).abs().amax((1, 2, 3))
        assert (moved > 1e-3).all(), layer
    with pytest.raises(AssertionError):
        painter.paint(each[:, 1:])


def test_noise_is_drawn_kept_or_left_out() -> None:
    painter, w = small(), random(2, 6)

    def painted(noise: str, seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        return painter.paint(w, noise).detach().numpy()  # type: ignore[arg-type]

    np.testing.assert_array_equal(painted("random", 1), painted("random", 1))
    assert np.abs(painted("random", 1) - painted("random", 2)).max() > 0.01
    for noise in ("const", "none"):
        np.testing.assert_array_equal(painted(noise, 1), painted(noise, 2))
    assert np.abs(painted("const", 1) - painted("none", 1)).max() > 0.01
    fresh = Generator(
        (8, 8), latent_size=6, mapping_layers=1, channel_base=64, channel_max=8
    )  # strengths begin at 0
    first, second = (fresh.paint(w, "random").detach() for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_values_from_minus_1_to_1_become_0_to_1() -> None:
    painter = small((4, 4))
    assert painter.to_rgb is not None
    for parameter in painter.to_rgb.parameters():
        parameter.data.zero_()
    painter.to_rgb.bias.data = torch.tensor((-1.0, 0.0, 3.0))
    picture = painter.paint(random(1, 6))
    np.testing.assert_allclose(picture[0, :, 0, 0].detach(), (0.0, 0.5, 2.0))  # not clamped


def test_a_clamp_holds_in_every_layer() -> None:
    painter = Generator(
        (8, 8), latent_size=6, mapping_layers=1, channel_base=64, channel_max=8, clamp=0.01
    )
    redrawn(painter)
    picture = painter.paint(random(1, 6))  # two sums of RGB, each of ±0.01
    reach = (picture * 2 - 1).abs().max().item()
    assert 0.009 < reach <= 0.02


# --- gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_gradients_of_gradients_are_right(architecture: Architecture) -> None:
    """Against differences: what the path length and R1 penalties differentiate."""
    painter = small((8, 12), architecture).double()
    assert torch.autograd.gradgradcheck(
        lambda w: painter.paint(w, "const").square().mean((1, 2, 3)),
        random(1, 6).double().requires_grad_(),
        fast_mode=True,
    )
    discriminator = Discriminator((8, 12), channel_base=32, channel_max=4).double()
    redrawn(discriminator)
    discriminator.double()
    assert torch.autograd.gradgradcheck(
        discriminator, random(2, 3, 8, 12).double().requires_grad_(), fast_mode=True
    )


def test_penalties_reach_every_weight() -> None:
    painter, discriminator = small(), Discriminator((16, 16), channel_base=64, channel_max=8)
    redrawn(discriminator)
    w = painter.map(random(4, 6))
    picture = painter.paint(w)
    (slope,) = torch.autograd.grad((picture * random(4, 3, 16, 16)).sum(), w, create_graph=True)
    slope.square().sum(1).sqrt().var().backward()
    for name, parameter in painter.named_parameters():
        if "to_rgb.bias" in name:  # which moves every picture alike
            assert parameter.grad is None
        else:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name
    real = torch.rand(4, 3, 16, 16).requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    slope.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        if name.endswith("weight"):  # between kinks, slopes do not depend on biases
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name
