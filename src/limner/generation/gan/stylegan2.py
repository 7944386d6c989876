"""StyleGAN2's two networks: a painter, and a critic of what it paints.

Karras et al. 2020 (*Analyzing and Improving the Image Quality of StyleGAN*, arXiv 1912.04958), in
plain torch and built so that trained weights of NVIDIA's code and of rosinality's fit exactly.
Every learnt number has unit variance at first and is scaled where it is used (equalised learning
rate: Karras et al. 2018, section 4.1).
"""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Architecture = Literal["skip", "resnet"]
Noise = Literal["random", "const", "none"]

MOST = 512  # channels, the paper's
BASE = 32768  # channels at a resolution, times the resolution: configuration F
_DECAY = 0.995  # of the running mean of w, for each batch
_GAIN = 2**0.5  # of every leaky ReLU, which about halves the variance


def levels(size: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """Where a size begins, and how often that is doubled: (64, 96) → (4, 6), 4.

    The paper's pictures are square. Ours have a short side of 4 · 2^k, and a long one of which k
    halvings leave a whole number.
    """
    short, doublings = min(size), 0
    while short > 4 and short % 2 == 0:
        short, doublings = short // 2, doublings + 1
    assert short == 4 and max(size) % 2**doublings == 0, size
    return (size[0] >> doublings, size[1] >> doublings), doublings


def widths(size: tuple[int, int], base: int, most: int) -> list[int]:
    """Channels at each doubling, from the smallest: ``base`` over the short side, ``most`` at most.

    For pictures that are not square, NVIDIA's rule for a square of the short side.
    """
    _, doublings = levels(size)
    return [max(1, min(base // (4 << level), most)) for level in range(doublings + 1)]


def _kernel(x: Tensor, gain: float = 1.0) -> Tensor:
    """The low-pass filter [1, 3, 3, 1] both ways, for each channel of x: [C, 1, 4, 4]."""
    taps = x.new_tensor((0.125, 0.375, 0.375, 0.125))
    return (taps[:, None] * taps * gain).repeat(x.shape[1], 1, 1, 1)


def _filter(x: Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    """Low-pass filter [N, C, H, W]; beyond the border lies 0."""
    return F.conv2d(x, _kernel(x, gain), stride=stride, padding=padding, groups=x.shape[1])


def _enlarge(x: Tensor) -> Tensor:
    """Double [N, C, H, W]: zeros between the pixels, filtered, and 4 times as bright."""
    return F.conv_transpose2d(x, _kernel(x, 4.0), stride=2, padding=1, groups=x.shape[1])


class Dense(nn.Module):
    """A linear layer; `rate` multiplies its learning rate: what is stored is larger by 1/rate."""

    def __init__(self, into: int, out: int, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into) / rate)
        self.bias = nn.Parameter(torch.full((out,), bias))
        self.gain, self.rate = rate / into**0.5, rate

    def forward(self, x: Tensor) -> Tensor:
        """[N, into] → [N, out]."""
        return F.linear(x, self.weight * self.gain, self.bias * self.rate)


class Convolution(nn.Module):
    """A convolution of side×side, with leaky ReLU or `plain`: without that, its gain and a bias.

    One that halves the picture filters first, and steps over every other pixel.
    """

    def __init__(
        self, into: int, out: int, side: int, *, halve: bool = False, plain: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into, side, side))
        self.bias = None if plain else nn.Parameter(torch.zeros(out))
        self.gain, self.halve = 1 / (into * side**2) ** 0.5, halve

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """[N, into, H, W] → [N, out, H, W], or half of that; times a gain above 0."""
        side = self.weight.shape[-1]
        padding, stride = side // 2, 1
        if self.halve and side == 1:  # what would be stepped over need not be filtered
            x = _filter(x, 1, stride=2)
        elif self.halve:
            x, padding, stride = _filter(x, 1 + padding), 0, 2
        # a leaky ReLU lets factors through, and they cost less in the weights than in the picture
        gain *= 1.0 if self.bias is None else _GAIN
        bias = None if self.bias is None else self.bias * gain
        x = F.conv2d(x, self.weight * (self.gain * gain), bias, stride, padding)
        return x if self.bias is None else F.leaky_relu(x, 0.2, inplace=True)


class Modulated(nn.Module):
    """A convolution whose kernels are scaled by a style, picture by picture (section 2.2).

    The paper scales each picture's own kernels, which takes a grouped convolution. Scaling what
    goes in and what comes out is the same sum, and one ordinary convolution for the whole batch.
    Demodulation brings what comes out to unit variance, for input of such.
    """

    def __init__(
        self, into: int, out: int, side: int, latent: int, enlarge: bool, demodulate: bool
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into, side, side))
        self.style = Dense(latent, into, bias=1.0)
        self.gain = 1 / (into * side**2) ** 0.5
        self.enlarge, self.demodulate = enlarge, demodulate

    def forward(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve x [N, into, H, W] in the style w [N, latent].

        It gives [N, out, H, W], or twice that size, and by what to multiply it, [N, out, 1, 1]:
        whoever adds a bias does both in one pass.
        """
        style: Tensor = self.style(w) * self.gain
        x = x * style[..., None, None]
        if self.enlarge:
            # a transposed convolution is one over zeros between the pixels, without the zeros
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)  # 2H + 1 pixels
            x = _filter(x, 1, gain=4.0)
        else:
            x = F.conv2d(x, self.weight, padding=self.weight.shape[-1] // 2)
        scale = style.new_ones(len(style), len(self.weight))
        if self.demodulate:  # equation 3
            scale = (style.square() @ self.weight.square().sum((2, 3)).t() + 1e-8).rsqrt()
        return x, scale[..., None, None]


class Styled(nn.Module):
    """A modulated convolution of 3×3, then noise, bias and leaky ReLU (figure 2c)."""

    noise: Tensor

    def __init__(
        self,
        into: int,
        out: int,
        latent: int,
        size: tuple[int, int],
        clamp: float | None,
        enlarge: bool,
    ) -> None:
        super().__init__()
        self.convolution = Modulated(into, out, 3, latent, enlarge, demodulate=True)
        self.bias = nn.Parameter(torch.zeros(out))
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(size))
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor, noise: Noise, gain: float = 1.0) -> Tensor:
        """[N, into, h, w] → [N, out, H, W], times a gain above 0, in the style w [N, latent]."""
        x, scale = self.convolution(x, w)
        factor = _GAIN * gain  # before the leaky ReLU, which lets it through
        x = torch.addcmul((self.bias * factor).view(1, -1, 1, 1), x, scale * factor)
        if noise == "random":
            drawn = torch.randn(len(x), 1, *x.shape[2:], dtype=x.dtype, device=x.device)
            x = x.add_(drawn * (self.strength * factor))
        elif noise == "const":
            x = x.add_(self.noise * (self.strength * factor))
        x = F.leaky_relu(x, 0.2, inplace=True)
        return x if self.clamp is None else x.clamp(-self.clamp * gain, self.clamp * gain)


class Colours(nn.Module):
    """A modulated convolution of 1×1 to RGB, which is not demodulated."""

    def __init__(self, into: int, latent: int, clamp: float | None) -> None:
        super().__init__()
        self.convolution = Modulated(into, 3, 1, latent, enlarge=False, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, into, H, W] → [N, 3, H, W], about -1..1."""
        x = self.convolution(x, w)[0] + self.bias.view(1, 3, 1, 1)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class Room(nn.Module):
    """What a generator does at one size: double, convolve twice, and see what colours it has."""

    def __init__(
        self,
        into: int,
        out: int,
        latent: int,
        size: tuple[int, int],
        clamp: float | None,
        residual: bool,
        coloured: bool,
    ) -> None:
        super().__init__()
        self.first = Styled(into, out, latent, size, clamp, enlarge=True)
        self.second = Styled(out, out, latent, size, clamp, enlarge=False)
        self.around = Convolution(into, out, 1, plain=True) if residual else None
        self.colours = Colours(out, latent, clamp) if coloured else None

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """[N, into, H/2, W/2] → [N, out, H, W], in the styles w [N, 2, latent]."""
        before, half = x, 0.5**0.5
        x = self.first(x, w[:, 0], noise)
        x = self.second(x, w[:, 1], noise, 1.0 if self.around is None else half)
        return x if self.around is None else _enlarge(self.around(before, half)) + x


class Generator(nn.Module):
    """A painter: from numbers drawn by chance to pictures.

    Parameters
    ----------
    size : tuple of int
        (height, width) in pixels; the short side is 4 · 2^k, the long one a multiple of 2^k.
    latent : int
        Numbers of z, and of w.
    depth : int
        Layers between them.
    base, most : int
        Channels: ``base`` over the short side, and ``most`` at most.
    architecture : {"skip", "resnet"}
        Sum the colours of every size, or have residual connections (figure 7).
    clamp : float or None
        No value beyond ±this: 256 in the weights that NVIDIA's PyTorch code trains.

    Attributes
    ----------
    layers : int
        Styles that a picture takes.
    mean : Tensor
        [latent], the mean of w, followed while training.
    """

    mean: Tensor

    def __init__(
        self,
        size: tuple[int, int],
        *,
        latent: int = 512,
        depth: int = 8,
        base: int = BASE,
        most: int = MOST,
        architecture: Architecture = "skip",
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.size, self.latent, self.depth = size, latent, depth
        self.base, self.most, self.architecture, self.clamp = base, most, architecture, clamp
        (height, width), doublings = levels(size)
        channels = widths(size, base, most)
        self.layers = 2 * doublings + 2
        self.mapping = nn.ModuleList(Dense(latent, latent, rate=0.01) for _ in range(depth))
        self.register_buffer("mean", torch.zeros(latent))
        self.constant = nn.Parameter(torch.randn(channels[0], height, width))
        self.first = Styled(channels[0], channels[0], latent, (height, width), clamp, enlarge=False)
        skip = architecture == "skip"
        coloured = [skip] * doublings + [True]  # resnet: where the picture is done
        self.colours = Colours(channels[0], latent, clamp) if coloured[0] else None
        self.rooms = nn.ModuleList()
        for level, (into, out) in enumerate(pairwise(channels), 1):
            there = (height << level, width << level)
            self.rooms.append(Room(into, out, latent, there, clamp, not skip, coloured[level]))

    def map(self, z: Tensor) -> Tensor:
        """Turn numbers z [N, latent], drawn from a normal distribution, into styles w [N, latent].

        In training it follows the mean of w, from which a picture can be brought back later.
        """
        w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            w = F.leaky_relu(layer(w), 0.2) * _GAIN
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(w.mean(0).to(self.mean.dtype), 1 - _DECAY)
        return w

    def truncate(self, w: Tensor, truncation: float) -> Tensor:
        """Bring styles nearer to the mean (Karras et al. 2019, B): 1 leaves them, 0 is the mean."""
        return self.mean.lerp(w, truncation)

    def paint(self, w: Tensor, noise: Noise = "random") -> Tensor:
        """Paint in given styles.

        Parameters
        ----------
        w : Tensor
            [N, latent], or [N, layers, latent] for a style of its own at every layer.
        noise : {"random", "const", "none"}
            Drawn anew, from torch's own generator; that of the weights; or left out.

        Returns
        -------
        Tensor
            [N, 3, height, width], sRGB, mostly in 0..1 and not clamped.
        """
        if w.dim() == 2:
            w = w[:, None].expand(-1, self.layers, -1)
        assert w.shape[1:] == (self.layers, self.latent), tuple(w.shape)
        x = self.constant.expand(len(w), -1, -1, -1)
        x = self.first(x, w[:, 0], noise)
        picture: Tensor | None = None if self.colours is None else self.colours(x, w[:, 1])
        for level, room in enumerate(self.rooms):
            at = 2 * level + 1  # a room's colours share the style of the next one's first layer
            assert isinstance(room, Room)
            x = room(x, w[:, at : at + 2], noise)
            if room.colours is not None:
                seen = room.colours(x, w[:, at + 2])
                picture = seen if picture is None else _enlarge(picture) + seen
        assert picture is not None
        return (picture + 1) / 2

    def forward(self, z: Tensor) -> Tensor:
        """Paint from numbers z [N, latent]: [N, 3, height, width], with noise drawn anew."""
        return self.paint(self.map(z))


class Halving(nn.Module):
    """A residual block of the discriminator: two convolutions, the second of which halves."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first = Convolution(into, into, 3)
        self.second = Convolution(into, out, 3, halve=True)
        self.around = Convolution(into, out, 1, halve=True, plain=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, into, H, W] → [N, out, H/2, W/2]."""
        half = 0.5**0.5
        halved: Tensor = self.second(self.first(x), half) + self.around(x, half)
        return halved


def deviation(x: Tensor, group: int) -> Tensor:
    """How much pictures of a group differ (Karras et al. 2018, section 3): one more channel.

    [N, C, H, W] → [N, 1, H, W]: the standard deviation over a group of at most `group` pictures,
    averaged over all else. Where N is no multiple, a group is the most that divides it.
    """
    count = next(n for n in range(min(group, len(x)), 0, -1) if len(x) % n == 0)
    groups = x.reshape(count, -1, *x.shape[1:])
    spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # one for each group
    return spread.repeat(count).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])


class Discriminator(nn.Module):
    """A critic: the higher its logit, the more it takes a picture for a real one.

    Parameters
    ----------
    size : tuple of int
        (height, width) of the pictures, as of the generator.
    base, most : int
        Channels: ``base`` over the short side, and ``most`` at most.
    group : int
        Pictures that are looked at side by side, at most.
    """

    def __init__(
        self, size: tuple[int, int], *, base: int = BASE, most: int = MOST, group: int = 4
    ) -> None:
        super().__init__()
        (height, width), _ = levels(size)
        channels = widths(size, base, most)
        last = channels[0]
        self.size, self.group = size, group
        self.colours = Convolution(3, channels[-1], 1)
        self.rooms = nn.ModuleList(Halving(into, out) for into, out in pairwise(reversed(channels)))
        self.together = Convolution(last + 1, last, 3)
        self.judge = Dense(last * height * width, last)
        self.out = Dense(last, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Judge pictures [N, 3, height, width] in 0..1: logits [N]."""
        x: Tensor = self.colours(picture * 2 - 1)
        for room in self.rooms:
            x = room(x)
        x = self.together(torch.cat((x, deviation(x, self.group)), 1))
        x = F.leaky_relu(self.judge(x.flatten(1)), 0.2) * _GAIN
        logits: Tensor = self.out(x)
        return logits.squeeze(1)
