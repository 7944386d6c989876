"""The layers of StyleGAN2 (Karras et al. 2020, arXiv 1912.04958), in plain torch.

Weights are stored with unit variance and scaled where they are used (equalized learning rate:
Karras et al. 2018, section 4.1), as in NVIDIA's code, so that its trained weights fit.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Noise = Literal["random", "const", "none"]

GAIN = 2**0.5  # after every leaky ReLU, which about halves the variance


def lowpass(x: Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    """Filter [N, C, H, W] with the binomial kernel [1, 3, 3, 1]; outside the border is 0."""
    kernel = _binomial(x, gain)
    return F.conv2d(x, kernel, stride=stride, padding=padding, groups=x.shape[1])


def upsample(x: Tensor) -> Tensor:
    """Double [N, C, H, W]: zeros between the pixels, low-pass filtered, times 4."""
    return F.conv_transpose2d(x, _binomial(x, 4.0), stride=2, padding=1, groups=x.shape[1])


def _binomial(x: Tensor, gain: float) -> Tensor:
    """The kernel [1, 3, 3, 1] in both directions, for each channel of x: [C, 1, 4, 4]."""
    taps = x.new_tensor((0.125, 0.375, 0.375, 0.125))
    return (taps[:, None] * taps * gain).repeat(x.shape[1], 1, 1, 1)


class EqualizedLinear(nn.Module):
    """A linear layer with an equalized learning rate, which `rate` multiplies."""

    def __init__(self, inputs: int, outputs: int, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.gain, self.rate = rate / inputs**0.5, rate

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] → [N, outputs]."""
        return F.linear(x, self.weight * self.gain, self.bias * self.rate)


class EqualizedConv2d(nn.Module):
    """A convolution, then a bias and a leaky ReLU unless it is `linear`.

    One that downsamples filters its input first, and then uses every other pixel.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int,
        *,
        downsample: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = None if linear else nn.Parameter(torch.zeros(outputs))
        self.gain, self.downsample = 1 / (inputs * side**2) ** 0.5, downsample

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """[N, inputs, H, W] → [N, outputs, H, W] or half that size, times a gain above 0."""
        side = self.weight.shape[-1]
        padding, stride = side // 2, 1
        if self.downsample and side == 1:  # filter only the pixels that are used
            x = lowpass(x, 1, stride=2)
        elif self.downsample:
            x, padding, stride = lowpass(x, 1 + padding), 0, 2
        # gains pass through a leaky ReLU; it is cheaper to scale the weights than the pictures
        gain *= 1.0 if self.bias is None else GAIN
        bias = None if self.bias is None else self.bias * gain
        x = F.conv2d(x, self.weight * (self.gain * gain), bias, stride, padding)
        return x if self.bias is None else F.leaky_relu(x, 0.2, inplace=True)


class ModulatedConv2d(nn.Module):
    """A convolution whose kernels are scaled by the style of each picture (section 2.2).

    The paper scales the kernels, which takes a grouped convolution. Scaling the input and the
    output gives the same result with one ordinary convolution for the whole batch. Demodulation
    brings the output to unit variance if the input has it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int,
        latent_size: int,
        *,
        upsample: bool,
        demodulate: bool,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.style = EqualizedLinear(latent_size, inputs, bias=1.0)  # "A" in the paper
        self.gain = 1 / (inputs * side**2) ** 0.5
        self.upsample, self.demodulate = upsample, demodulate

    def forward(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve x [N, inputs, H, W] with the style w [N, latent_size].

        Returns [N, outputs, H, W], or twice that size, and the factor to multiply it by,
        [N, outputs, 1, 1]: the caller does so together with adding a bias.
        """
        style: Tensor = self.style(w) * self.gain
        x = x * style[..., None, None]
        if self.upsample:
            # a transposed convolution equals one over zeros between the pixels, without the zeros
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)  # 2H + 1 pixels
            x = lowpass(x, 1, gain=4.0)
        else:
            x = F.conv2d(x, self.weight, padding=self.weight.shape[-1] // 2)
        scale = style.new_ones(len(style), len(self.weight))
        if self.demodulate:  # equation 3
            scale = (style.square() @ self.weight.square().sum((2, 3)).t() + 1e-8).rsqrt()
        return x, scale[..., None, None]


class SynthesisLayer(nn.Module):
    """A modulated 3×3 convolution, then noise, bias and leaky ReLU (figure 2c)."""

    noise: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        latent_size: int,
        size: tuple[int, int],
        clamp: float | None,
        *,
        upsample: bool,
    ) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(
            inputs, outputs, 3, latent_size, upsample=upsample, demodulate=True
        )
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(()))  # of the noise
        self.register_buffer("noise", torch.randn(size))
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor, noise: Noise, gain: float = 1.0) -> Tensor:
        """[N, inputs, h, w] and style [N, latent_size] → [N, outputs, H, W], times a gain."""
        x, scale = self.convolution(x, w)
        factor = GAIN * gain  # applied before the leaky ReLU, where it costs nothing
        x = torch.addcmul((self.bias * factor).view(1, -1, 1, 1), x, scale * factor)
        if noise == "random":
            drawn = torch.randn(len(x), 1, *x.shape[2:], dtype=x.dtype, device=x.device)
            x = x.add_(drawn * (self.strength * factor))
        elif noise == "const":
            x = x.add_(self.noise * (self.strength * factor))
        x = F.leaky_relu(x, 0.2, inplace=True)
        return x if self.clamp is None else x.clamp(-self.clamp * gain, self.clamp * gain)


class ToRGB(nn.Module):
    """A modulated 1×1 convolution to RGB, without demodulation."""

    def __init__(self, inputs: int, latent_size: int, clamp: float | None) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(
            inputs, 3, 1, latent_size, upsample=False, demodulate=False
        )
        self.bias = nn.Parameter(torch.zeros(3))
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, inputs, H, W] and style [N, latent_size] → [N, 3, H, W], about -1..1."""
        x = self.convolution(x, w)[0] + self.bias.view(1, 3, 1, 1)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """The layers of a generator at one size: double, convolve twice, and convert to RGB.

    Attributes
    ----------
    skip : EqualizedConv2d or None
        The residual connection, of the architecture ``"resnet"``.
    to_rgb : ToRGB or None
        Only where the architecture reads a picture.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        latent_size: int,
        size: tuple[int, int],
        clamp: float | None,
        *,
        residual: bool,
        has_rgb: bool,
    ) -> None:
        super().__init__()
        self.first = SynthesisLayer(inputs, outputs, latent_size, size, clamp, upsample=True)
        self.second = SynthesisLayer(outputs, outputs, latent_size, size, clamp, upsample=False)
        self.skip = EqualizedConv2d(inputs, outputs, 1, linear=True) if residual else None
        self.to_rgb = ToRGB(outputs, latent_size, clamp) if has_rgb else None

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """[N, inputs, H/2, W/2] and styles [N, 2, latent_size] → [N, outputs, H, W]."""
        before, half = x, 0.5**0.5
        x = self.first(x, w[:, 0], noise)
        x = self.second(x, w[:, 1], noise, 1.0 if self.skip is None else half)
        return x if self.skip is None else upsample(self.skip(before, half)) + x


class DiscriminatorBlock(nn.Module):
    """A residual block of the discriminator: two convolutions, the second of which downsamples."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualizedConv2d(inputs, inputs, 3)
        self.second = EqualizedConv2d(inputs, outputs, 3, downsample=True)
        self.skip = EqualizedConv2d(inputs, outputs, 1, downsample=True, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] → [N, outputs, H/2, W/2]."""
        half = 0.5**0.5
        y: Tensor = self.second(self.first(x), half) + self.skip(x, half)
        return y


def minibatch_stddev(x: Tensor, group: int) -> Tensor:
    """Measure how much the pictures of a group differ (Karras et al. 2018, section 3).

    [N, C, H, W] → [N, 1, H, W]: the standard deviation over a group of at most `group` pictures,
    averaged over everything else. If N is not a multiple of it, a group is the largest divisor of N
    below it.
    """
    count = next(n for n in range(min(group, len(x)), 0, -1) if len(x) % n == 0)
    groups = x.reshape(count, -1, *x.shape[1:])
    deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # one per group
    return deviation.repeat(count).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
