"""Line art: draw the lines of a picture, and extract the ink of a scanned drawing.

All functions return *ink* [N, 1, H, W]: 0 is bare paper, 1 a black line.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import images
from limner.nn.images import gaussian_blur

_REACH = 0.06  # of the longest side: how far around a pixel `extract_ink` looks for paper
_DARK = 0.35  # a drawing whose median luma is below this is light on dark


def xdog(
    luma: Tensor,
    *,
    sigma: float = 0.5,
    k: float = 1.6,
    gamma: float = 0.98,
    epsilon: float = -0.002,
    phi: float = 200.0,
) -> Tensor:
    """Draw with the extended difference of Gaussians (Winnemöller et al. 2012, section 2).

    Parameters
    ----------
    luma : Tensor
        [N, 1, H, W] in 0..1.
    sigma : float
        Standard deviation of the narrow Gaussian, in pixels: about half the width of a line.
    k : float
        The wide Gaussian is this many times as wide.
    gamma : float
        Weight of the wide Gaussian. Nearer to 1 gives more line and less shade.
    epsilon : float
        Threshold of the difference below which there is ink.
    phi : float
        Steepness of the change from paper to ink.

    Returns
    -------
    Tensor
        Ink [N, 1, H, W].
    """
    difference = gaussian_blur(luma, sigma) - gamma * gaussian_blur(luma, sigma * k)
    return torch.where(difference < epsilon, -torch.tanh(phi * (difference - epsilon)), 0.0)


def contour(rgb: Tensor, *, sigma: float = 0.7, strength: float = 8.0) -> Tensor:
    """Draw thin lines where colors meet: the ridges of the color gradient.

    Parameters
    ----------
    rgb : Tensor
        [N, 3, H, W] in 0..1.
    sigma : float
        Standard deviation of the blur before the gradient, in pixels.
    strength : float
        Ink per unit of contrast, roughly; ink is clipped to 1.

    Returns
    -------
    Tensor
        Ink [N, 1, H, W].
    """
    smooth = gaussian_blur(rgb, sigma)
    sobel = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]], device=rgb.device) / 8
    filters = torch.stack((sobel, sobel.T))[:, None].repeat(3, 1, 1, 1)
    slopes = F.conv2d(F.pad(smooth, (1, 1, 1, 1), mode="replicate"), filters, groups=3)
    down, across = slopes[:, ::2], slopes[:, 1::2]  # of each channel
    # the direction in which the color changes most (Di Zenzo 1986)
    a, b, c = (down**2).sum(1), (down * across).sum(1), (across**2).sum(1)
    size = ((a + c) / 2 + (((a - c) / 2) ** 2 + b**2).sqrt()).sqrt()
    angle = 0.5 * torch.atan2(2 * b, c - a)  # from the horizontal
    ridges = _suppress_non_maxima(size, angle)
    return (ridges * strength).clamp(0, 1)[:, None]


def pencil(luma: Tensor, *, radius: int = 2) -> Tensor:
    """Draw soft lines: how much darker each pixel is than the lightest pixel near it.

    Parameters
    ----------
    luma : Tensor
        [N, 1, H, W] in 0..1.
    radius : int
        Distance in pixels within which the lightest pixel is looked for.

    Returns
    -------
    Tensor
        Ink [N, 1, H, W].
    """
    lightest = F.max_pool2d(luma, 2 * radius + 1, 1, radius)
    return ((lightest - luma) / lightest.clamp(min=0.05)).clamp(0, 1)


def extract_ink(drawing: Tensor) -> Tensor:
    """Separate the ink of a drawn, scanned or photographed drawing from its paper.

    Whatever is darker than the paper around it is ink. The noise of the paper is cut off, and the
    darkest lines become black. Light lines on a dark background are inverted.

    Parameters
    ----------
    drawing : Tensor
        [N, 3, H, W] in 0..1, on white where it is transparent.

    Returns
    -------
    Tensor
        Ink [N, 1, H, W] in 0..1.
    """
    luma = images.luma(drawing)
    dark = luma.flatten(1).median(1).values < _DARK
    luma = torch.where(dark.view(-1, 1, 1, 1), 1 - luma, luma)
    ink = (1 - luma / _paper(luma).clamp(min=0.05)).clamp(0, 1)
    ranked = ink.flatten(1).sort(1).values
    noise = ranked[:, int(0.5 * ranked.shape[1])]  # at least half of a drawing is paper
    black = ranked[:, int(0.995 * ranked.shape[1])]
    low = (noise * 2).clamp(0.02, 0.2).view(-1, 1, 1, 1)
    high = black.clamp(min=0.25).view(-1, 1, 1, 1)
    return ((ink - low) / (high - low).clamp(min=0.05)).clamp(0, 1)


def lines_of_size(ink: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize ink [1, 1, H, W]; lines that get thinner than a pixel stay as dark as they were."""
    return extract_ink(images.resize(1 - ink, size).expand(-1, 3, -1, -1))


def _paper(luma: Tensor) -> Tensor:
    """Estimate the luma of the paper under the lines [N, 1, H, W]."""
    height, width = images.size_of(luma)
    reach = max(2, round(_REACH * images.page_side(height, width)))  # pixels
    # at a sixth of the reach: paper is smooth, and a dilation costs as much as its window
    shrink = max(1, reach // 6)
    small = F.max_pool2d(luma, shrink, ceil_mode=True)
    window = 2 * math.ceil(reach / shrink) + 1
    # a morphological closing removes dark lines and keeps large dark areas
    paper = F.max_pool2d(small, window, 1, window // 2)
    paper = -F.max_pool2d(-paper, window, 1, window // 2)
    paper = gaussian_blur(paper, window / 4)
    return F.interpolate(paper, (height, width), mode="bilinear", align_corners=False)


def _suppress_non_maxima(size: Tensor, angle: Tensor) -> Tensor:
    """Keep gradients [N, H, W] only where they are largest across their edge (Canny 1986, III)."""
    octant = (angle / (math.pi / 4)).round().long() % 4
    padded = F.pad(size[:, None], (1, 1, 1, 1))[:, 0]
    height, width = size.shape[-2:]
    kept = torch.zeros_like(size)
    for number, (down, across) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = padded[:, 1 + down : 1 + down + height, 1 + across : 1 + across + width]
        behind = padded[:, 1 - down : 1 - down + height, 1 - across : 1 - across + width]
        largest = (size >= ahead) & (size > behind)
        kept = torch.where((octant == number) & largest, size, kept)
    return kept
