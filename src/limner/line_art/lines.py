"""Line drawings out of pictures, and the ink out of line drawings.

*Ink* is what both speak of: [N, 1, H, W], 0 for bare paper, 1 for a black line.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import images
from limner.nn.images import gaussian_blur

_PAPER = 0.06  # of the picture's longest side: how far paper is looked for beside a line


def xdog(
    luma: Tensor,
    *,
    sigma: float = 0.5,
    k: float = 1.6,
    gamma: float = 0.98,
    epsilon: float = -0.002,
    phi: float = 200.0,
) -> Tensor:
    """Ink after the extended difference of Gaussians (Winnemöller et al. 2012, section 2).

    Parameters
    ----------
    luma : Tensor
        [N, 1, H, W] in 0..1.
    sigma : float
        Of the smaller Gaussian, in pixels: about half the width of a line.
    k : float
        How many times wider the other is.
    gamma : float
        Weight of the other; nearer to 1 is more line and less shade.
    epsilon, phi : float
        Where ink begins, and how sharply.

    Returns
    -------
    Tensor
        [N, 1, H, W].
    """
    difference = gaussian_blur(luma, sigma) - gamma * gaussian_blur(luma, sigma * k)
    return torch.where(difference < epsilon, -torch.tanh(phi * (difference - epsilon)), 0.0)


def contour(rgb: Tensor, *, sigma: float = 0.7, strength: float = 8.0) -> Tensor:
    """Ink where colours meet: the gradient of all three channels, thinned to its ridges.

    Parameters
    ----------
    rgb : Tensor
        [N, 3, H, W] in 0..1.
    sigma : float
        Of the smoothing before, in pixels.
    strength : float
        About the ink at a step of contrast 1, before it is clipped to 1.
    """
    smooth = gaussian_blur(rgb, sigma)
    sobel = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]], device=rgb.device) / 8
    filters = torch.stack((sobel, sobel.T))[:, None].repeat(3, 1, 1, 1)
    slopes = F.conv2d(F.pad(smooth, (1, 1, 1, 1), mode="replicate"), filters, groups=3)
    down, across = slopes[:, ::2], slopes[:, 1::2]  # of each channel
    # the direction in which colour changes most (Di Zenzo 1986)
    a, b, c = (down**2).sum(1), (down * across).sum(1), (across**2).sum(1)
    size = ((a + c) / 2 + (((a - c) / 2) ** 2 + b**2).sqrt()).sqrt()
    angle = 0.5 * torch.atan2(2 * b, c - a)  # from the horizontal
    ridge = _thinned(size, angle)
    return (ridge * strength).clamp(0, 1)[:, None]


def pencil(luma: Tensor, *, radius: int = 2) -> Tensor:
    """Ink as the difference from the lightest pixel around: soft, doubled along dark shapes.

    Parameters
    ----------
    luma : Tensor
        [N, 1, H, W] in 0..1.
    radius : int
        How far around, in pixels.
    """
    lightest = F.max_pool2d(luma, 2 * radius + 1, 1, radius)
    return ((lightest - luma) / lightest.clamp(min=0.05)).clamp(0, 1)


def ink_of(drawing: Tensor) -> Tensor:
    """Ink of a drawing as it was scanned, photographed or drawn: flat, black on white.

    The paper is the lightest thing around every place, smoothed; what is darker is ink. Noise of
    the paper is cut away, and the darkest lines become black.

    Parameters
    ----------
    drawing : Tensor
        [N, 3, H, W] in 0..1, on white where it was transparent.

    Returns
    -------
    Tensor
        [N, 1, H, W] in 0..1.
    """
    luma = images.luma(drawing)
    dark = luma.flatten(1).median(1).values < 0.35  # white on black: the ground rules
    luma = torch.where(dark.view(-1, 1, 1, 1), 1 - luma, luma)
    height, width = images.size_of(luma)
    reach = max(2, round(_PAPER * max(height, width)))
    # at an eighth of the size: paper is smooth, and a dilation costs as much as its window
    shrink = max(1, reach // 6)
    small = F.max_pool2d(luma, shrink, ceil_mode=True)
    window = 2 * math.ceil(reach / shrink) + 1
    paper = F.max_pool2d(small, window, 1, window // 2)
    paper = -F.max_pool2d(-paper, window, 1, window // 2)  # a closing: lines go, paper stays
    paper = gaussian_blur(paper, window / 4)
    paper = F.interpolate(paper, (height, width), mode="bilinear", align_corners=False)
    ink = (1 - luma / paper.clamp(min=0.05)).clamp(0, 1)
    sorted_ink = ink.flatten(1).sort(1).values
    noise = sorted_ink[:, int(0.5 * sorted_ink.shape[1])]  # half of a drawing and more is paper
    black = sorted_ink[:, int(0.995 * sorted_ink.shape[1])]
    low = (noise * 2).clamp(0.02, 0.2).view(-1, 1, 1, 1)
    high = torch.maximum(black, torch.tensor(0.25)).view(-1, 1, 1, 1)
    return ((ink - low) / (high - low).clamp(min=0.05)).clamp(0, 1)


def _thinned(size: Tensor, angle: Tensor) -> Tensor:
    """Keep of gradients [N, H, W] what is largest across its edge (Canny 1986, III)."""
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
