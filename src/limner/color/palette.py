"""Palettes: read from text, taken from pictures, and laid over a coloured drawing."""

import re

import torch
from torch import Tensor

from limner.errors import OptionError, printable

MOST = 12  # colours
TAKEN = 6  # of a picture
_SHADING = torch.tensor([0.8, 0.3, 0.3])  # shares of lightness and hue that stay within a colour
_APART = 0.04  # Oklab: nearer to each other, two main colours are one

# sRGB, linear → cone responses, and their cube roots → lightness and two axes (Ottosson 2020)
_CONES = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_AXES = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def parsed(text: str) -> Tensor:
    """Read ``"#aa3311,#ffe0bd"`` as colours [n, 3] in 0..1."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not 1 <= len(words) <= MOST:
        raise OptionError(f"--palette: {len(words)} colours, must be 1 to {MOST}")
    for word in words:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", word):
            raise OptionError(f"--palette {printable(word)}: write each colour as #rrggbb")
    values = [[int(word[i : i + 2], 16) for i in (1, 3, 5)] for word in words]
    return torch.tensor(values) / 255


def taken(rgb: Tensor) -> Tensor:
    """Take the main colours [n, 3] out of a picture [1, 3, H, W]."""
    pixels = to_oklab(rgb)[0].flatten(1).T
    return to_srgb(_centres(pixels, torch.ones(len(pixels)), TAKEN).T[None, :, None])[0, :, 0].T


def recoloured(rgb: Tensor, palette: Tensor) -> Tensor:
    """Give a picture [1, 3, H, W] the colours [n, 3] of a palette.

    Its own main colours are found, each is moved to the entry nearest to it, as far as there are
    enough, and every pixel goes along with the main colours near it (after Chang et al. 2015).
    White paper stays.
    """
    lab = to_oklab(rgb)
    wanted = to_oklab(palette.to(rgb).T[None, :, None])[0, :, 0].T
    pixels = lab[0].flatten(1).T
    strength = ((1 - pixels[:, 0]) * 4 + pixels[:, 1:].norm(dim=1) * 8).clamp(0, 1)
    centres = _centres(pixels, strength, len(palette))
    near = torch.softmax(-((torch.cdist(pixels, centres) / 0.08) ** 2), 1)
    own = pixels - near @ centres  # what shading is left
    moved = near @ wanted[_pairs(torch.cdist(centres, wanted))] + own * _SHADING.to(rgb)
    moved = torch.lerp(pixels, moved, strength[:, None])
    return to_srgb(moved.T.view_as(lab))


def to_oklab(rgb: Tensor) -> Tensor:
    """SRGB [N, 3, H, W] in 0..1 → Oklab (Ottosson 2020): lightness in 0..1, and two axes."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    cones = torch.einsum("ij,njhw->nihw", _CONES.to(rgb), linear).clamp(min=0) ** (1 / 3)
    return torch.einsum("ij,njhw->nihw", _AXES.to(rgb), cones)


def to_srgb(lab: Tensor) -> Tensor:
    """And back, clipped to 0..1."""
    cones = torch.einsum("ij,njhw->nihw", torch.linalg.inv(_AXES).to(lab), lab) ** 3
    linear = torch.einsum("ij,njhw->nihw", torch.linalg.inv(_CONES).to(lab), cones).clamp(0, 1)
    return torch.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=1e-9) ** (1 / 2.4) - 0.055
    )


def _centres(points: Tensor, shares: Tensor, most: int) -> Tensor:
    """Weighted k-means: at most so many centres [n, 3] of points, far apart at the start."""
    points, shares = points[::7], shares[::7] + 1e-6  # a seventh tells as much
    centres = points[shares.argmax()][None]
    while len(centres) < most:
        apart = torch.cdist(points, centres).amin(1)
        if float((apart * (shares > 0.1)).max()) < _APART:
            break
        centres = torch.cat((centres, points[(apart * shares).argmax()][None]))
    for _ in range(12):
        nearest = torch.cdist(points, centres).argmin(1)
        for index in range(len(centres)):
            own = (nearest == index) * shares
            if own.sum() > 1e-3:
                centres[index] = (points * own[:, None]).sum(0) / own.sum()
    return centres


def _pairs(apart: Tensor) -> Tensor:
    """For each row its column: the nearest pair first, no column twice."""
    found = torch.zeros(len(apart), dtype=torch.long)
    left = apart.clone()
    for _ in range(len(apart)):
        row, column = divmod(int(left.argmin()), left.shape[1])
        found[row] = column
        left[row] = torch.inf
        left[:, column] = torch.inf
    return found
