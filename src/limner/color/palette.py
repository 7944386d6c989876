"""Color palettes: read them from text, or find them in pictures."""

from pathlib import Path

import torch
from torch import Tensor

from limner import io
from limner.color import oklab
from limner.color.names import parse_color
from limner.errors import InputError, OptionError, printable
from limner.io import Picture, Source
from limner.nn import images

MAX_COLORS = 256  # in a palette
MAIN_COLORS = 6  # found in a picture
_SAME = 0.04  # main colors are at least this far apart in Oklab
_SIZE = 256  # pixels of the longest side at which main colors are looked for
_LEAST = 0.01  # share of the pixels of a main color
_EVERY = 7  # k-means reads every seventh pixel: nearly the same result, in a seventh of the time
_ROUNDS = 12  # of k-means


def read(
    palette: Source | None, *, allow_huge: bool = False
) -> tuple[Tensor | None, Picture | None]:
    """Read a palette: a list of colors, or the main colors of a picture without transparent parts.

    Returns
    -------
    tuple
        The colors [n, 3], sRGB in 0..1, and the picture if there is one.

    Raises
    ------
    OptionError
        The text has no color, or too many.
    InputError
        It is neither a list of colors nor a picture that can be read, or it is transparent.
    """
    if palette is None:
        return None, None
    if isinstance(palette, str) and are_colors(palette):
        return parse(palette), None
    picture = io.read(palette, allow_huge=allow_huge)
    step = -(-max(images.size_of(picture.rgb)) // _SIZE)
    rgb = picture.rgb[..., ::step, ::step]  # resizing would mix colors at edges
    if picture.alpha is None:
        return main_colors(rgb), picture
    visible = picture.alpha[0, 0, ::step, ::step] >= io.VISIBLE
    if not visible.any():
        raise InputError(f"{printable(picture.name)}: is transparent; use a picture with colors")
    return main_colors(rgb[..., visible][..., None]), picture


def are_colors(text: str) -> bool:
    """Whether a text is meant as a list of colors: names of pictures have an ending."""
    return text[:1] == "#" or not Path(text).suffix


def parse(text: str) -> Tensor:
    """Read ``"#aa3311,#fed,gold"`` as colors [n, 3], sRGB in 0..1.

    Raises
    ------
    OptionError
        The text is not a list of 1 to ``MAX_COLORS`` colors.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not 1 <= len(words) <= MAX_COLORS:
        raise OptionError(
            f"--palette: has {len(words)} colors; must be from 1 to {MAX_COLORS}, "
            'as in "#aa3311,#ffe0bd"'
        )
    return torch.tensor([parse_color(word, "--palette") for word in words])


def main_colors(rgb: Tensor) -> Tensor:
    """Find the main colors [n, 3] of a picture [1, 3, H, W], at most ``MAIN_COLORS``."""
    return oklab.to_colors(_kmeans(oklab.from_srgb(rgb)[0].flatten(1).T))


def _kmeans(points: Tensor) -> Tensor:
    """Cluster points [N, 3]: at most ``MAIN_COLORS`` centers [n, 3].

    It starts from points that are far apart, and from fewer if the points have fewer distinct
    colors. Small clusters, such as the soft edges of areas, are dropped.
    """
    points = points[::_EVERY]
    centers = points[:1].clone()
    while len(centers) < MAIN_COLORS:
        distances = torch.cdist(points, centers).amin(1)
        if float(distances.max()) < _SAME:
            break
        centers = torch.cat((centers, points[distances.argmax()][None]))
    for _ in range(_ROUNDS):
        nearest = torch.cdist(points, centers).argmin(1)
        for index in range(len(centers)):
            if (nearest == index).any():
                centers[index] = points[nearest == index].mean(0)
    share = torch.bincount(nearest, minlength=len(centers)) / len(points)
    return centers[share >= _LEAST]
