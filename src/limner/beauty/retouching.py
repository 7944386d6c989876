"""What the default improver learns from: photos made worse, and photos retouched a little.

The first are its input, the second its target.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.beauty.bilateral import saturate
from limner.nn import images

CLEAN = 0.3  # share of the photos that stay as they are
_TWICE = 0.3  # share of the others that are worsened in two ways
_CAST = 0.25  # share of color casts among the ways to worsen
_CAST_SIZE = 0.19  # standard deviation of the log2 of factors
_GAMMA = 2.2  # of linear light, roughly

# The retouched photo; contrasts in log2 odds.
_LARGE, _SMALL = 0.98, 1.15  # factors of the contrast between areas, and inside them
_LIFT, _MAX_LIFT = 0.1, 0.15  # how far the mean moves toward middle gray (share), and the limit
_SATURATION = 0.14
_EDGE = 0.3  # variance beyond which the guided filter keeps an edge
_COARSER = 4  # the guided filter works at a quarter of the size


def worsen(photos: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make photos [N, 3, H, W] in 0..1 worse, each in a random way; a share of them stays.

    Returns
    -------
    tuple of Tensor
        The worsened photos, and the color casts [N, 3] that they got: log2 of the factor of each
        channel.
    """
    worsened = list(torch.split(photos, 1))
    casts = torch.zeros(len(photos), 3, 1, 1, device=photos.device)
    for number in range(len(worsened)):
        ways = 0 if _draw(0, 1, random) < CLEAN else 2 if _draw(0, 1, random) < _TWICE else 1
        for _ in range(ways):
            if _draw(0, 1, random) < _CAST:
                casts[number] += _random_cast(random).to(casts)
            else:
                worsened[number] = _worsen_once(worsened[number], random)
    made = torch.cat(worsened) * torch.exp2(casts)
    return (made.clamp(0, 1) * 255).round() / 255, casts[..., 0, 0]


def _random_cast(random: torch.Generator) -> Tensor:
    """Draw a cast [3, 1, 1]: warm or cool, and green or magenta."""
    warm, green = (_CAST_SIZE * torch.randn(2, generator=random)).tolist()
    return torch.tensor((warm - 0.4 * green, 0.6 * green, -warm - 0.4 * green)).view(3, 1, 1)


def _worsen_once(photo: Tensor, random: torch.Generator) -> Tensor:
    photo = photo.clamp(0, 1)
    match int(torch.randint(6, (), generator=random)):
        case 0:  # underexposed
            return photo * _draw(0.35, 0.95, random)
        case 1:  # the same, or overexposed, in linear light
            return (photo**_GAMMA * 2 ** _draw(-2.0, 0.7, random)) ** (1 / _GAMMA)
        case 2 | 3:  # dark or pale midtones
            exponent = math.exp(_draw(math.log(0.65), math.log(2.2), random))
            return photo**exponent
        case 4:  # haze
            black = _draw(0.05, 0.5, random)
            return black + _draw(0.3, 1 - black, random) * photo
        case _:  # low contrast
            middle = torch.full_like(photo, _draw(0.35, 0.65, random))
            return torch.lerp(middle, photo, _draw(0.4, 0.95, random))


def _draw(low: float, high: float, random: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), generator=random).item()


def retouch(photo: Tensor) -> Tensor:
    """Raise contrast inside areas, lower it between them, and strengthen weak colors a little.

    Parameters
    ----------
    photo : Tensor
        [N, 3, H, W] in 0..1.

    Returns
    -------
    Tensor
        The same shape. Black and white stay as they are.
    """
    luma = images.luma(photo).clamp(0.01, 0.99)
    odds = torch.log2(luma / (1 - luma))
    areas = _guided_filter(odds, max(images.size_of(photo)) // 16)
    mean = areas.mean((2, 3), keepdim=True)
    lift = (-_LIFT * mean).clamp(-_MAX_LIFT, _MAX_LIFT)
    change = mean + lift + _LARGE * (areas - mean) + _SMALL * (odds - areas) - odds
    lit = photo * torch.exp2(change)
    return saturate(lit / (lit + 1 - photo), _SATURATION)


def _guided_filter(values: Tensor, radius: int) -> Tensor:
    """Smooth [N, 1, H, W] over a radius in pixels but keep edges (He and Sun 2015)."""
    small = F.interpolate(values, scale_factor=1 / _COARSER, mode="area")
    radius = max(1, radius // _COARSER)
    mean = _box_blur(small, radius)
    variance = _box_blur(small**2, radius) - mean**2
    slope = variance / (variance + _EDGE)
    factors = (_box_blur(factor, radius) for factor in (slope, mean * (1 - slope)))
    size = images.size_of(values)
    slope, offset = (F.interpolate(one, size, mode="bilinear") for one in factors)
    return slope * values + offset


def _box_blur(values: Tensor, radius: int) -> Tensor:
    """Return the means of squares of 2·radius + 1 pixels; the border pixels are repeated."""
    padded = F.pad(values, (radius,) * 4, mode="replicate")
    side = 2 * radius + 1
    return F.avg_pool2d(F.avg_pool2d(padded, (1, side), 1), (side, 1), 1)
