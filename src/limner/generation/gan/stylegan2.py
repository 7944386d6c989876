"""StyleGAN2: a generator and a discriminator.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN" (arXiv 1912.04958).
Trained weights of NVIDIA's PyTorch code and of rosinality's stylegan2-pytorch fit; see
`limner.generation.gan.stylegan2_import`.
"""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.generation.gan.sizes import start_size
from limner.generation.gan.stylegan2_layers import (
    GAIN,
    DiscriminatorBlock,
    EqualizedConv2d,
    EqualizedLinear,
    Noise,
    SynthesisBlock,
    SynthesisLayer,
    ToRGB,
    minibatch_stddev,
    upsample,
)

Architecture = Literal["skip", "resnet"]

CHANNEL_MAX = 512  # the paper's
CHANNEL_BASE = 32768  # channels times pixels of the short side: configuration F
_MEAN_DECAY = 0.995  # of the moving average of w, per batch


def channel_counts(size: tuple[int, int], channel_base: int, channel_max: int) -> list[int]:
    """Return the channels at each size, from the smallest up, by NVIDIA's rule.

    They are ``channel_base`` divided by the short side, at most ``channel_max``.
    """
    _, doublings = start_size(size)
    return [
        max(1, min(channel_base // (4 << level), channel_max)) for level in range(doublings + 1)
    ]


class Generator(nn.Module):
    """A mapping network, from latents z to styles w, and a synthesis network, from w to pictures.

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels; see `start_size`.
    latent_size : int
        Numbers in z, and in w.
    mapping_layers : int
        Layers of the mapping network.
    channel_base, channel_max : int
        See `channel_counts`.
    architecture : {"skip", "resnet"}
        Add up the RGB pictures of all sizes, or use residual connections (figure 7).
    clamp : float or None
        Limit activations to ±clamp. Weights trained with NVIDIA's PyTorch code have 256.

    Attributes
    ----------
    layers : int
        Styles in a picture.
    mean : Tensor
        [latent_size], the moving average of w during the training.
    """

    mean: Tensor

    def __init__(
        self,
        size: tuple[int, int],
        *,
        latent_size: int = 512,
        mapping_layers: int = 8,
        channel_base: int = CHANNEL_BASE,
        channel_max: int = CHANNEL_MAX,
        architecture: Architecture = "skip",
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.size, self.latent_size, self.mapping_layers = size, latent_size, mapping_layers
        self.channel_base, self.channel_max = channel_base, channel_max
        self.architecture, self.clamp = architecture, clamp
        (height, width), doublings = start_size(size)
        channels = channel_counts(size, channel_base, channel_max)
        self.layers = 2 * doublings + 2
        self.mapping = nn.ModuleList(
            EqualizedLinear(latent_size, latent_size, rate=0.01) for _ in range(mapping_layers)
        )
        self.register_buffer("mean", torch.zeros(latent_size))
        self.constant = nn.Parameter(torch.randn(channels[0], height, width))
        self.first = SynthesisLayer(
            channels[0], channels[0], latent_size, (height, width), clamp, upsample=False
        )
        skip = architecture == "skip"
        has_rgb = [skip] * doublings + [True]  # resnet: only at the full size
        self.to_rgb = ToRGB(channels[0], latent_size, clamp) if has_rgb[0] else None
        self.blocks = nn.ModuleList()
        for level, (inputs, outputs) in enumerate(pairwise(channels), 1):
            block_size = (height << level, width << level)
            self.blocks.append(
                SynthesisBlock(
                    inputs,
                    outputs,
                    latent_size,
                    block_size,
                    clamp,
                    residual=not skip,
                    has_rgb=has_rgb[level],
                )
            )

    def map(self, z: Tensor) -> Tensor:
        """Map latents z [N, latent_size], drawn from a normal distribution, to styles w.

        In training mode the moving average of w is updated. Truncation needs it.
        """
        w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            w = F.leaky_relu(layer(w), 0.2) * GAIN
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(w.mean(0).to(self.mean.dtype), 1 - _MEAN_DECAY)
        return w

    def paint(self, w: Tensor, noise: Noise = "random") -> Tensor:
        """Make pictures of styles.

        Parameters
        ----------
        w : Tensor
            [N, latent_size], or [N, layers, latent_size] for a different style in each layer.
        noise : {"random", "const", "none"}
            Drawn from torch's global generator, stored with the weights, or left out.

        Returns
        -------
        Tensor
            [N, 3, height, width], sRGB, mostly in 0..1 and not clamped.
        """
        if w.dim() == 2:
            w = w[:, None].expand(-1, self.layers, -1)
        assert w.shape[1:] == (self.layers, self.latent_size), tuple(w.shape)
        x = self.constant.expand(len(w), -1, -1, -1)
        x = self.first(x, w[:, 0], noise)
        picture: Tensor | None = None if self.to_rgb is None else self.to_rgb(x, w[:, 1])
        for level, block in enumerate(self.blocks):
            at = 2 * level + 1  # ToRGB shares its style with the first layer of the next block
            assert isinstance(block, SynthesisBlock)
            x = block(x, w[:, at : at + 2], noise)
            if block.to_rgb is not None:
                rgb = block.to_rgb(x, w[:, at + 2])
                picture = rgb if picture is None else upsample(picture) + rgb
        assert picture is not None
        return (picture + 1) / 2

    def forward(self, z: Tensor) -> Tensor:
        """Make pictures [N, 3, height, width] of latents z [N, latent_size]."""
        return self.paint(self.map(z))


class Discriminator(nn.Module):
    """Residual blocks from a picture to one logit, which is high for a real picture.

    Parameters
    ----------
    size : tuple of int
        Height and width of the pictures, as for the generator.
    channel_base, channel_max : int
        See `channel_counts`.
    group : int
        Most pictures whose standard deviation is measured together.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        channel_base: int = CHANNEL_BASE,
        channel_max: int = CHANNEL_MAX,
        group: int = 4,
    ) -> None:
        super().__init__()
        (height, width), _ = start_size(size)
        channels = channel_counts(size, channel_base, channel_max)
        last = channels[0]
        self.size, self.group = size, group
        self.from_rgb = EqualizedConv2d(3, channels[-1], 1)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(inputs, outputs) for inputs, outputs in pairwise(reversed(channels))
        )
        self.last_conv = EqualizedConv2d(last + 1, last, 3)
        self.linear = EqualizedLinear(last * height * width, last)
        self.out = EqualizedLinear(last, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Compute logits [N] of pictures [N, 3, height, width] in 0..1."""
        x: Tensor = self.from_rgb(picture * 2 - 1)
        for block in self.blocks:
            x = block(x)
        x = self.last_conv(torch.cat((x, minibatch_stddev(x, self.group)), 1))
        x = F.leaky_relu(self.linear(x.flatten(1)), 0.2) * GAIN
        logits: Tensor = self.out(x)
        return logits.squeeze(1)
