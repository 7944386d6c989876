"""Read folders of training pictures into memory, and cut random crops from them."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import io
from limner.errors import InputError, LimnerError, check_no_address, file_in_the_way, printable
from limner.io.foreign import without_twins
from limner.io.formats import ENDINGS
from limner.nn import images


def pictures_in(folder: Path, *, subfolders: bool) -> list[Path]:
    """Return the files in a folder whose names end as those of pictures do, ordered by path.

    What is hidden does not count: macOS puts a ``._photo.jpg`` beside each photo on other disks.

    Raises
    ------
    InputError
        It is missing, or a file.
    """
    check_no_address(folder, "download the pictures first")
    if folder.is_file():
        raise InputError(f"{printable(folder)}: is a file; name a folder of pictures")
    if not folder.is_dir():
        known = file_in_the_way(folder)
        known = f": {known}" if known else ""
        raise InputError(f"{printable(folder)}: there is no such folder{known}; check its name")
    files = folder.rglob("*") if subfolders else folder.glob("*")
    found = sorted(
        path
        for path in files
        if path.suffix.lower() in ENDINGS
        and not any(part[0] == "." for part in path.relative_to(folder).parts)
        and not path.is_dir()
    )
    return without_twins(found)


def load_pictures(
    folders: Sequence[Path], smallest: int, *, longest: int, held_out: bool, one_in: int = 10
) -> list[list[Tensor]]:
    """Read folders of pictures into memory: the training pictures, or the held-out ones.

    Parameters
    ----------
    folders : sequence of Path
        Searched with all their subfolders. Files that cannot be read are skipped.
    smallest : int
        Pictures whose short side has fewer pixels are skipped.
    longest : int
        Larger pictures are shrunk to this longest side, in pixels.
    held_out : bool
        Read the pictures that are held out for the scores instead of the training pictures.
    one_in : int
        One picture in this many is held out, chosen by a hash of its file name.

    Returns
    -------
    list of list of Tensor
        The pictures of each folder, uint8 [3, H, W], ordered by path.

    Raises
    ------
    InputError
        A folder is missing, or holds no such picture.
    """
    per_folder = []
    for folder in folders:
        paths = pictures_in(folder, subfolders=True)
        pictures = []
        for path in paths:
            if (hashlib.sha256(os.fsencode(path.name)).digest()[0] % one_in == 0) != held_out:
                continue
            try:
                rgb = io.read(path).rgb
            except LimnerError:
                continue
            if max(rgb.shape[-2:]) > longest:
                rgb = images.resize(rgb, images.fit(*images.size_of(rgb), longest))
            if min(rgb.shape[-2:]) >= smallest:
                pictures.append((rgb[0] * 255).round().to(torch.uint8))
        if not pictures:
            which = f" among those held out for the scores, one in {one_in}"
            side = f"{smallest}×{smallest}"
            raise InputError(
                f"{folder}: holds no picture of at least {side} pixels{which if held_out else ''}; "
                "check the name of the folder, or add pictures"
            )
        per_folder.append(pictures)
    return per_folder


class Crops:
    """Random square crops from folders of pictures, at mixed scales. A tenth is held out.

    Parameters
    ----------
    folders : sequence of Path
        Searched with all their subfolders. Each folder provides the same share of the crops,
        however many pictures it holds.
    size : int
        Side of a crop in pixels.
    longest : int
        Larger pictures are shrunk to this longest side, in pixels, and kept in memory in 8 bits.
    held_out : bool
        Crop the held-out pictures instead of the training pictures.

    Raises
    ------
    InputError
        A folder is missing, or holds no such picture.
    """

    def __init__(
        self, folders: Sequence[Path], size: int, *, longest: int = 1024, held_out: bool = False
    ) -> None:
        self.size = size
        self._folders = load_pictures(folders, size, longest=longest, held_out=held_out)

    def batch(self, count: int, random: torch.Generator) -> Tensor:
        """Draw crops [count, 3, size, size] in 0..1: mixed scales, mirrored, colors varied."""
        return torch.cat([self._crop(random) for _ in range(count)])

    def _crop(self, random: torch.Generator) -> Tensor:
        def uniform(low: float, high: float) -> float:
            return low + (high - low) * torch.rand((), generator=random).item()

        pictures = self._folders[int(uniform(0, len(self._folders)))]
        picture = pictures[int(uniform(0, len(pictures)))]
        height, width = picture.shape[-2:]
        # side: log-uniform between the crop size and the short side of the picture
        side = int(self.size * (min(height, width) / self.size) ** uniform(0, 1))
        top, left = int(uniform(0, height - side + 1)), int(uniform(0, width - side + 1))
        crop = picture[None, :, top : top + side, left : left + side].float() / 255
        crop = F.interpolate(crop, (self.size, self.size), mode="bilinear", antialias=True)
        crop = crop.clamp(0, 1)
        if uniform(0, 1) < 0.5:
            crop = crop.flip(-1)
        if uniform(0, 1) < 0.5:  # contrast of each channel, and brightness
            gains = torch.rand((1, 3, 1, 1), generator=random) * 0.8 + 0.6
            crop = ((crop - 0.5) * gains + 0.5 + uniform(-0.15, 0.15)).clamp(0, 1)
        if uniform(0, 1) < 0.1:
            crop = crop[:, torch.randperm(3, generator=random)]
        if uniform(0, 1) < 0.3:
            noise = torch.randn(crop.shape, generator=random)
            crop = (crop + noise * uniform(0, 0.1)).clamp(0, 1)
        return crop
