"""Networks as one graph each, in operations that programs other than torch have."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.beauty.bilateral import (
    BINS,
    INPUT_SIZE,
    RARE,
    SAMPLES,
    BilateralImprover,
    multiply_odds,
    spread,
    tone,
)
from limner.colorization.network import Colorizer
from limner.colorization.proposal import Choices, propose
from limner.colorization.tokens import CELL, describe
from limner.nn import images

_HALVINGS = 16  # of the range in which a quantile is looked for
_STEEP = 1e6  # slope of a step from 0 to 1


class PortableImprover(nn.Module):
    """The improver of ``beautify --method relative`` without what ONNX or OpenCV lacks.

    Those are an antialiased resize, sorting for quantiles, and gather along channels.

    Parameters
    ----------
    improver : BilateralImprover
        It decides.
    """

    def __init__(self, improver: BilateralImprover) -> None:
        super().__init__()
        self.improver = improver

    def forward(self, picture: Tensor, strength: Tensor, white_balance: Tensor) -> Tensor:
        """Improve a picture [1, 3, H, W] in 0..1; the other inputs are [1, 1, 1, 1]."""
        size = images.size_of(picture)
        low, high = _extremes(picture)
        tones, grid = self.improver.decide(_shrink(picture), low, high)
        toned = tone(picture, tones.scaled(strength, white_balance))
        light = spread(strength * grid, slice(None), size)
        bins = torch.arange(BINS)[:, None, None]
        near = (1 - ((BINS - 1) * images.luma(toned) - bins).abs()).clamp(min=0)
        return multiply_odds(toned, F.conv2d(near * light, torch.ones(1, BINS, 1, 1)))


class RegionColorizer(nn.Module):
    """The network of `colorize` with all that is needed to choose a color per region.

    Parameters
    ----------
    network : Colorizer
        It proposes colors.
    """

    def __init__(self, network: Colorizer) -> None:
        super().__init__()
        self.network = network

    def forward(self, ink: Tensor, regions: Tensor, hints: Tensor) -> Tensor:
        """Choose the colors of regions.

        Parameters
        ----------
        ink : Tensor
            [1, 1, H, W], from 0 (paper) to 1 (line). H and W are multiples of 64.
        regions : Tensor
            Whole numbers [1, 1, H, W]: the region of each pixel, 1..T. There are no lines: their
            pixels belong to the nearest region.
        hints : Tensor
            [T, 4]: sRGB in 0..1, and 1 where the color of a region is given, else 0.

        Returns
        -------
        Tensor
            sRGB [T, 3] in 0..1.
        """
        labels, count = regions[0, 0], hints.shape[0]
        cells = ink.shape[-2] // CELL, ink.shape[-1] // CELL
        tokens = describe(labels, ink[0, 0], cells, count)
        described = self.network.embed(self.network.encode(ink), tokens)
        given, known = hints[:, :3], hints[:, 3] > 0.5
        # the network knows white backgrounds (see `is_background`): others would tint all the rest
        border = torch.cat((labels[0], labels[-1], labels[:, 0], labels[:, -1]))
        white = (border == torch.arange(count)[:, None] + 1).float().mean(1) > 1 / 4
        told = torch.where(white[:, None], torch.ones_like(given), given)
        choices = Choices(self.network.colors)
        made = propose(self.network, described, tokens, told[None], known[None], choices)
        return torch.where(known[:, None], given, made)


def _shrink(picture: Tensor) -> Tensor:
    """Resize a picture to the network's size: bilinear, antialiased."""
    down, across = (_triangles(side).to(picture) for side in images.size_of(picture))
    return ((picture @ across).transpose(-1, -2) @ down).transpose(-1, -2)


def _triangles(side: int) -> Tensor:
    """Return the weights [side, 128] of pixels in a resize of one side."""
    scale = torch.ones(1) * side / INPUT_SIZE  # while a graph is traced, `side` is a tensor
    places = torch.arange(side)[:, None] + 0.5
    centers = (torch.arange(INPUT_SIZE) + 0.5) * scale
    weights = (1 - (places - centers).abs() / scale.clamp(min=1)).clamp(min=0)
    return weights / weights.sum(0, keepdim=True)


def _extremes(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lowest and highest values of a picture, but for a few pixels: [1, 1, 1, 1]."""
    # as many pixels as `extremes` looks at, if the size is fixed; else all
    stride = max(1, int(math.prod(images.size_of(picture)) ** 0.5 / SAMPLES))
    seen = picture[..., ::stride, ::stride]
    red, green, blue = seen[:, :1], seen[:, 1:2], seen[:, 2:]
    low = torch.minimum(torch.minimum(red, green), blue)
    high = torch.maximum(torch.maximum(red, green), blue)
    return _low_quantile(low), 1 - _low_quantile(1 - high)


def _low_quantile(values: Tensor) -> Tensor:
    """Find the value that all but a share of `RARE` of the pixels [1, 1, H, W] exceed."""
    found = torch.full((1, 1, 1, 1), 0.5)
    for turn in range(_HALVINGS):
        below = ((found - values) * _STEEP).clamp(0, 1).mean((2, 3), keepdim=True)
        too_high = ((below - RARE) * _STEEP).clamp(0, 1)
        found = found + 2.0 ** (-2 - turn) * (1 - 2 * too_high)
    return found
