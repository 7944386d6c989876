"""A folder of pictures, as a generator learns from it: one shape, a fifth held out."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from limner import io
from limner.errors import InputError, LimnerError, printable
from limner.nn import images
from limner.train.crops import PICTURES

FEWEST = 10  # pictures; with fewer there are no two to hold out
LONGEST = 8  # times as long as wide, or the other way round; longer ones are no pictures to cut
ONE_IN = 5  # pictures of which one is held out


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Attributes
    ----------
    paths : list of Path
        Of the pictures that can be read, in order.
    sides : list of tuple of int
        Their heights and widths in pixels.
    covers : list of Tensor
        uint8 [3, H, W]: each picture just large enough to cover the shape asked for.
    skipped : list of str
        Why others were passed over, one line each.
    """

    paths: list[Path]
    sides: list[tuple[int, int]]
    covers: list[Tensor]
    skipped: list[str]


def read(folder: Path, size: tuple[int, int]) -> Found:
    """Read a folder with everything below it; what cannot be read is skipped, and said.

    Of several files with the same bytes the first is read. Transparency becomes white.

    Parameters
    ----------
    folder : Path
        Pictures in one of `limner.training.PICTURES`.
    size : tuple of int
        Height and width in pixels that every picture has to cover; smaller ones are enlarged.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder of pictures; check its name")
    paths, sides, covers, skipped = [], [], [], []
    seen: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES):
        try:
            picture = io.read(path)
        except LimnerError as error:
            skipped.append(str(error))
            continue
        if first := seen.get(picture.sha256):
            skipped.append(f"{printable(path)}: is the same file as {printable(first.name)}")
            continue
        height, width = images.size_of(picture.rgb)
        if max(height, width) > LONGEST * min(height, width):
            skipped.append(f"{printable(path)}: is {width}×{height} pixels, too long to be cut")
            continue
        seen[picture.sha256] = path
        paths.append(path)
        sides.append((height, width))
        covers.append(cover(io.on_white(picture), size))
    return Found(paths, sides, covers, skipped)


def cover(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a picture [1, 3, H, W] so that it just covers a shape: uint8 [3, height, width]."""
    height, width = images.size_of(rgb)
    scale = max(size[0] / height, size[1] / width)
    target = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    return (images.resize(rgb, target)[0] * 255).round().to(torch.uint8)


def crop(picture: Tensor, size: tuple[int, int], down: float, across: float) -> Tensor:
    """Cut a shape out of a cover: float [3, height, width] in 0..1; 0.5, 0.5 is the middle."""
    (height, width), (h, w) = images.size_of(picture), size
    top, left = round(down * (height - h)), round(across * (width - w))
    return picture[:, top : top + h, left : left + w].float() / 255


class Folder:
    """A folder split in two: what is learnt from, and a fifth that is only measured with.

    Parameters
    ----------
    found : Found
        The folder's pictures.
    size : tuple of int
        Height and width of the pictures to learn.
    mirror : bool
        Learn from mirrored pictures too.

    Raises
    ------
    InputError
        There are fewer than `FEWEST`.
    """

    def __init__(self, folder: Path, found: Found, size: tuple[int, int], *, mirror: bool) -> None:
        count = len(found.paths)
        if count < FEWEST:
            lost = f" and {len(found.skipped)} that cannot be used" if found.skipped else ""
            raise InputError(
                f"{folder}: holds {count} pictures{lost}; must be at least {FEWEST}, better 100. "
                "With few, `limner generate --like PICTURE` makes variations without training"
            )
        ranks = sorted(
            range(count), key=lambda i: hashlib.sha256(os.fsencode(found.paths[i].name)).digest()
        )
        unseen = sorted(ranks[: round(count / ONE_IN)])
        self.size, self.mirror = size, mirror
        self.names = [path.name for path in found.paths]
        self.known = [cover for i, cover in enumerate(found.covers) if i not in unseen]
        self._unseen = [found.covers[i] for i in unseen]

    def batch(self, count: int, random: torch.Generator) -> Tensor:
        """Draw pictures [count, 3, H, W] in 0..1, cut at random where they are longer."""
        drawn = []
        for toss, down, across, flip in torch.rand((count, 4), generator=random).tolist():
            one = crop(self.known[int(toss * len(self.known))], self.size, down, across)
            drawn.append(one.flip(-1) if self.mirror and flip < 0.5 else one)
        return torch.stack(drawn)

    def learnt(self) -> Tensor:
        """The middles of what is learnt from, [N, 3, H, W] in 0..1."""
        return middles(self.known, self.size)

    def unseen(self) -> Tensor:
        """The middles of what is held out, [N, 3, H, W] in 0..1."""
        return middles(self._unseen, self.size)

    def crops(self) -> Tensor:
        """What a copy could be of, [M, 3, H, W]."""
        return crops(self.known, self.size)


def crops(covers: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Three crops of each cover, from one end to the other, and their mirror images."""
    cut = torch.stack([crop(one, size, at, at) for one in covers for at in (0.0, 0.5, 1.0)])
    return torch.cat((cut, cut.flip(-1)))


def middles(covers: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """The middles of covers, [N, 3, H, W] in 0..1."""
    return torch.stack([crop(one, size, 0.5, 0.5) for one in covers])
