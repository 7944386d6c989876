"""Color palettes: read them from text, find them in pictures, and recolor pictures with them."""

import re

import torch
from torch import Tensor

from limner.color import oklab
from limner.errors import OptionError, printable

MAX_COLORS = 12  # in a palette
MAIN_COLORS = 6  # found in a picture
_SHADING = torch.tensor([0.8, 0.3, 0.3])  # shares of the L, a and b shading that recoloring keeps
_SAME = 0.04  # main colors are at least this far apart in Oklab
_FALLOFF = 0.08  # in Oklab: how far a main color pulls the pixels around it along
_EVERY = 7  # k-means reads every seventh pixel: nearly the same result, in a seventh of the time
_ROUNDS = 12  # of k-means


def parse(text: str) -> Tensor:
    """Read ``"#aa3311,#ffe0bd"`` as colors [n, 3], sRGB in 0..1.

    Raises
    ------
    OptionError
        The text is not a list of 1 to 12 colors.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not 1 <= len(words) <= MAX_COLORS:
        raise OptionError(
            f"--palette: has {len(words)} colors; must be from 1 to {MAX_COLORS}, "
            'as in "#aa3311,#ffe0bd"'
        )
    for word in words:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", word):
            raise OptionError(
                f"--palette {printable(word)}: write each color as #rrggbb, such as #aa3311"
            )
    values = [[int(word[i : i + 2], 16) for i in (1, 3, 5)] for word in words]
    return torch.tensor(values) / 255


def main_colors(rgb: Tensor) -> Tensor:
    """Find the main colors [n, 3] of a picture [1, 3, H, W], at most ``MAIN_COLORS``."""
    pixels = oklab.from_srgb(rgb)[0].flatten(1).T
    centers = _kmeans(pixels, torch.ones(len(pixels), device=rgb.device), MAIN_COLORS)
    return oklab.to_srgb(centers.T[None, :, None])[0, :, 0].T


def recolor(rgb: Tensor, palette: Tensor) -> Tensor:
    """Move the colors of a picture to those of a palette (after Chang et al. 2015).

    The main colors of the picture are matched with the palette, nearest pairs first. Every pixel
    then moves with the main colors near it, and keeps most of its shading. White paper stays white.

    Parameters
    ----------
    rgb : Tensor
        [1, 3, H, W], sRGB in 0..1.
    palette : Tensor
        [n, 3], sRGB in 0..1.

    Returns
    -------
    Tensor
        [1, 3, H, W].
    """
    lab = oklab.from_srgb(rgb)
    targets = oklab.from_srgb(palette.to(rgb).T[None, :, None])[0, :, 0].T
    pixels = lab[0].flatten(1).T
    # 0 for white, 1 for anything darker or more colorful
    strength = ((1 - pixels[:, 0]) * 4 + pixels[:, 1:].norm(dim=1) * 8).clamp(0, 1)
    centers = _kmeans(pixels, strength, len(palette))
    near = torch.softmax(-((torch.cdist(pixels, centers) / _FALLOFF) ** 2), 1)
    shading = pixels - near @ centers
    matched = targets[_match(torch.cdist(centers, targets))]
    moved = near @ matched + shading * _SHADING.to(rgb)
    moved = torch.lerp(pixels, moved, strength[:, None])
    return oklab.to_srgb(moved.T.view_as(lab))


def _kmeans(points: Tensor, weights: Tensor, count: int) -> Tensor:
    """Cluster points [N, 3] with weights [N]: at most `count` centers [n, 3].

    It starts from points that are far apart, and from fewer than `count` if the points have fewer
    distinct colors.
    """
    points, weights = points[::_EVERY], weights[::_EVERY] + 1e-6
    centers = points[weights.argmax()][None]
    while len(centers) < count:
        distances = torch.cdist(points, centers).amin(1)
        if float((distances * (weights > 0.1)).max()) < _SAME:
            break
        centers = torch.cat((centers, points[(distances * weights).argmax()][None]))
    for _ in range(_ROUNDS):
        nearest = torch.cdist(points, centers).argmin(1)
        for index in range(len(centers)):
            members = (nearest == index) * weights
            if members.sum() > 1e-3:
                centers[index] = (points * members[:, None]).sum(0) / members.sum()
    return centers


def _match(distances: Tensor) -> Tensor:
    """Give each row of [n, m], n ≤ m, a column of its own: the nearest pair first."""
    columns = torch.zeros(len(distances), dtype=torch.long, device=distances.device)
    left = distances.clone()
    for _ in range(len(distances)):
        row, column = divmod(int(left.argmin()), left.shape[1])
        columns[row] = column
        left[row] = torch.inf
        left[:, column] = torch.inf
    return columns
