"""Folders of pictures in memory, and random crops of them."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import io
from limner.errors import InputError, LimnerError
from limner.nn import images

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp"})


def load_pictures(
    folders: Sequence[Path], smallest: int, *, longest: int, held_out: bool, one_in: int = 10
) -> list[list[Tensor]]:
    """Read folders of pictures into memory, some held out.

    Parameters
    ----------
    folders : sequence of Path
        Searched with everything below them.
    smallest : int
        Pictures whose short side has fewer pixels are passed over.
    longest : int
        Pictures are kept with at most this longest side.
    held_out : bool
        Read the pictures, chosen by a hash of their names, that are not read otherwise.
    one_in : int
        So many of which one is held out.

    Returns
    -------
    list of list of Tensor
        For each folder its pictures, uint8 [3, H, W], in the order of their paths.

    Raises
    ------
    InputError
        A folder is missing or holds no such picture.
    """
    shelves = []
    for folder in folders:
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES)
        shelf = []
        for path in found:
            if (hashlib.sha256(os.fsencode(path.name)).digest()[0] % one_in == 0) != held_out:
                continue
            try:
                rgb = io.read(path).rgb
            except LimnerError:
                continue
            if max(rgb.shape[-2:]) > longest:
                rgb = images.resize(rgb, images.fit(*images.size_of(rgb), longest))
            if min(rgb.shape[-2:]) >= smallest:
                shelf.append((rgb[0] * 255).round().to(torch.uint8))
        if not shelf:
            lot = f" among those held out for the scores, one in {one_in}; add some"
            lot = lot if held_out else ""
            side = f"{smallest}×{smallest}"
            raise InputError(f"{folder}: holds no picture of at least {side} pixels{lot}")
        shelves.append(shelf)
    return shelves


class Crops:
    """Random square crops out of folders of pictures, at mixed scales, a tenth held out.

    Parameters
    ----------
    folders : sequence of Path
        Searched with everything below them. Each folder gives the same share of the crops, however
        many pictures it holds.
    size : int
        Side of a crop in pixels.
    longest : int
        Pictures are kept in memory with at most this longest side, in 8 bits.
    held_out : bool
        Draw from the tenth of the pictures, chosen by a hash of their names, that is never drawn
        otherwise.

    Raises
    ------
    InputError
        A folder is missing or holds no picture.
    """

    def __init__(
        self, folders: Sequence[Path], size: int, *, longest: int = 1024, held_out: bool = False
    ) -> None:
        self.size = size
        self._shelves = load_pictures(folders, size, longest=longest, held_out=held_out)

    def batch(self, count: int, random: torch.Generator) -> Tensor:
        """Draw crops [count, 3, size, size] in 0..1: mixed scales, mirrored, colours varied."""
        return torch.cat([self._crop(random) for _ in range(count)])

    def _crop(self, random: torch.Generator) -> Tensor:
        def uniform(low: float, high: float) -> float:
            return low + (high - low) * torch.rand((), generator=random).item()

        shelf = self._shelves[int(uniform(0, len(self._shelves)))]
        picture = shelf[int(uniform(0, len(shelf)))]
        height, width = picture.shape[-2:]
        # side: log-uniform between the crop itself and the whole short side
        side = int(self.size * (min(height, width) / self.size) ** uniform(0, 1))
        top, left = int(uniform(0, height - side + 1)), int(uniform(0, width - side + 1))
        crop = picture[None, :, top : top + side, left : left + side].float() / 255
        crop = F.interpolate(crop, (self.size, self.size), mode="bilinear", antialias=True)
        crop = crop.clamp(0, 1)
        if uniform(0, 1) < 0.5:
            crop = crop.flip(-1)
        if uniform(0, 1) < 0.5:  # contrast, brightness and the balance of the channels
            gains = torch.rand((1, 3, 1, 1), generator=random) * 0.8 + 0.6
            crop = ((crop - 0.5) * gains + 0.5 + uniform(-0.15, 0.15)).clamp(0, 1)
        if uniform(0, 1) < 0.1:
            crop = crop[:, torch.randperm(3, generator=random)]
        if uniform(0, 1) < 0.3:
            noise = torch.randn(crop.shape, generator=random)
            crop = (crop + noise * uniform(0, 0.1)).clamp(0, 1)
        return crop
