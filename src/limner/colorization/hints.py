"""Color hints: read them from a transparent picture, apply them, and add some for variations.

Hints are [1, 4, H, W]: sRGB in 0..1 and a mask of 1 where there is a hint; 0 elsewhere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.color import oklab
from limner.colorization.edge_aware import propagate
from limner.errors import OptionError, printable
from limner.io import Picture
from limner.nn import images
from limner.nn.images import gaussian_blur

_REACH = 0.25  # of the longest side: how far a hint spreads over bare paper
_HALF_CONFIDENCE = 1e-3  # confidence at which a hint moves a color halfway
_MIN_ALPHA = 0.02  # mean alpha from which a pixel counts as a hint: thin strokes count too
_ADDED = 3  # hints that a variation adds


def read_hints(picture: Picture, size: tuple[int, int]) -> Tensor:
    """Return the hints of a transparent picture at a size: each pixel is the mean of its area.

    Raises
    ------
    OptionError
        The picture is opaque everywhere.
    """
    alpha = picture.alpha
    if alpha is None or alpha.min() == 1:
        raise OptionError(
            f"--hints {printable(picture.name)}: has no transparency; use a PNG that is "
            "transparent where there is no hint"
        )
    opacity = F.interpolate(alpha, size, mode="area")
    rgb = F.interpolate(picture.rgb * alpha, size, mode="area") / opacity.clamp(min=1e-4)
    mask = (opacity > _MIN_ALPHA).float()
    return torch.cat((rgb.clamp(0, 1) * mask, mask), 1)


def apply_hints(colors: Tensor, hints: Tensor, ink: Tensor) -> Tensor:
    """Set the hinted pixels of colors [1, 3, H, W], and move the regions around them along.

    The difference between hint and color spreads over the region, and fades with the distance.
    """
    rgb, mask = hints[:, :3], hints[:, 3:]
    if not mask.any():
        return colors
    sigma = _REACH * max(images.size_of(ink))
    difference, confidence = propagate(rgb - colors, mask, ink, sigma)
    moved = (colors + difference * confidence / (confidence + _HALF_CONFIDENCE)).clamp(0, 1)
    return torch.where(mask > 0, rgb, moved)


def vary_hints(hints: Tensor, colors: Tensor, ink: Tensor, seed: int) -> Tensor:
    """Add hints at three random colorful places, with the hues of `colors` rotated there.

    The hints that were there stay.

    Parameters
    ----------
    hints : Tensor
        [1, 4, H, W].
    colors : Tensor
        What the network made with these hints, [1, 3, H, W].
    ink : Tensor
        [1, 1, H, W]. Places on lines are avoided.
    seed : int
        The same seed gives the same hints.
    """
    random = torch.Generator().manual_seed(seed % 2**63)
    lab = oklab.from_srgb(colors)
    chroma = lab[:, 1:].norm(dim=1)[0] * (gaussian_blur(ink, 2)[0, 0] < 0.1)
    weights = (chroma.flatten() + 1e-6).cpu()
    places = torch.multinomial(weights, min(_ADDED, len(weights)), generator=random)
    varied = hints.clone()
    radius = max(2, max(images.size_of(ink)) // 64)  # pixels
    for place in places.tolist():
        y, x = divmod(place, ink.shape[-1])
        angle = torch.rand((), generator=random) * 5 + 0.6  # radians, at least 34° either way
        lightness, a, b = lab[0, :, y, x].cpu()
        rotated = (a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos())
        color = oklab.to_srgb(torch.stack((lightness, *rotated)).view(1, 3, 1, 1))[0]
        rows = slice(max(0, y - radius), y + radius + 1)
        columns = slice(max(0, x - radius), x + radius + 1)
        free = hints[0, 3, rows, columns] == 0
        varied[0, :3, rows, columns] = torch.where(
            free, color.to(varied), varied[0, :3, rows, columns]
        )
        varied[0, 3, rows, columns] = 1
    return varied
