"""A folder of pictures as a training set: all in one shape, one in five held out."""

import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from limner import io
from limner.errors import InputError, LimnerError, OptionError, file_in_the_way, printable
from limner.nn import images
from limner.train.crops import pictures_in

MIN_PICTURES = 10  # with fewer there would not be two to hold out
MAX_ASPECT = 8  # longer pictures are skipped: a crop would show little of them
HELD_OUT_ONE_IN = 5


@dataclass(frozen=True)
class FolderContents:
    """The pictures of a folder.

    Attributes
    ----------
    paths : list of Path
        The pictures that can be used, in order.
    hashes : list of str
        Hexadecimal SHA-256 of their files.
    sizes : list of tuple of int
        Their heights and widths in pixels.
    covers : list of Tensor
        uint8 [3, H, W]: each picture, resized until it just covers the training size.
    skipped : list of str
        Why other files were skipped, one line each.
    """

    paths: list[Path]
    hashes: list[str]
    sizes: list[tuple[int, int]]
    covers: list[Tensor]
    skipped: list[str]


def read_folder(folder: Path, size: tuple[int, int]) -> FolderContents:
    """Read all pictures of a folder and of the folders in it. Transparent parts become white.

    Files that cannot be read are skipped. Of several files with the same bytes, the first is used.

    Parameters
    ----------
    folder : Path
        Files whose names end in `limner.io.formats.ENDINGS` count as pictures.
    size : tuple of int
        Height and width that every picture has to cover. Smaller pictures are enlarged.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not folder.exists():
        known = file_in_the_way(folder)
        known = f": {known}" if known else ""
        raise InputError(f"{folder}: there is no such folder{known}; check its name")
    paths, hashes, sizes, covers, skipped = [], [], [], [], []
    first_with: dict[str, Path] = {}

    def read(path: Path) -> tuple[str, tuple[int, int], Tensor] | str:
        """Return the hash, the size and the cover of a picture, or why it is not used."""
        try:
            picture = io.read(path)
        except LimnerError as error:
            return str(error)
        height, width = images.size_of(picture.rgb)
        if max(height, width) > MAX_ASPECT * min(height, width):
            return f"{printable(path)}: is {width}×{height} pixels, too long to crop"
        return picture.sha256, (height, width), resize_to_cover(io.on_white(picture), size)

    files = pictures_in(folder, subfolders=True)
    pool = ThreadPoolExecutor(max_workers=2)  # decoders run one at a time: a third would wait
    try:
        for path, result in zip(files, pool.map(read, files), strict=True):
            if isinstance(result, str):
                skipped.append(result)
                continue
            sha256, shape, cover = result
            if first := first_with.get(sha256):
                skipped.append(f"{printable(path)}: is the same file as {printable(first.name)}")
                continue
            first_with[sha256] = path
            paths.append(path)
            hashes.append(sha256)
            sizes.append(shape)
            covers.append(cover)
    finally:
        pool.shutdown(cancel_futures=True)
    return FolderContents(paths, hashes, sizes, covers, skipped)


def training_size(folder: Path, resolution: int, aspect: str) -> tuple[int, int]:
    """Return the height and width of the pictures of a training.

    Parameters
    ----------
    folder : Path
        Read only if the aspect is ``"folder"``.
    resolution : int
        Pixels of the short side.
    aspect : str
        Width to height, ``"3:2"`` for example, or ``"folder"`` for the median of the pictures.

    Raises
    ------
    OptionError
        The aspect is not valid.
    InputError
        There is no such folder.
    """
    if aspect == "folder":
        sizes = read_folder(folder, (64, 64)).sizes
        ratio = median(width / height for height, width in sizes) if sizes else 1.0
        ratio = min(2.0, max(0.5, ratio))
    else:
        width, _, height = aspect.partition(":")
        try:
            ratio = float(width) / float(height)
        except (ValueError, ZeroDivisionError):
            ratio = math.nan
        if not 0.5 <= ratio <= 2:
            raise OptionError(
                f"--aspect {printable(aspect)}: must be folder, or from 1:2 to 2:1, such as 3:2"
            )
    # networks start with 4 pixels on the short side, and a whole number of them on the long side
    long = resolution // 4 * round(4 * max(ratio, 1 / ratio))
    return (resolution, long) if ratio >= 1 else (long, resolution)


def resize_to_cover(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a picture [1, 3, H, W] until it just covers a size: uint8 [3, height, width]."""
    height, width = images.size_of(rgb)
    scale = max(size[0] / height, size[1] / width)
    target = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    return (images.resize(rgb, target)[0] * 255).round().to(torch.uint8)


def crop(picture: Tensor, size: tuple[int, int], down: float, across: float) -> Tensor:
    """Crop a uint8 picture: float [3, height, width] in 0..1; (0.5, 0.5) is the center."""
    (height, width), (h, w) = images.size_of(picture), size
    top, left = round(down * (height - h)), round(across * (width - w))
    return picture[:, top : top + h, left : left + w].float() / 255


def center_crops(covers: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """The centers of covers, [N, 3, H, W] in 0..1."""
    return torch.stack([crop(one, size, 0.5, 0.5) for one in covers])


def crops_and_mirrors(covers: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Three crops of each cover, at both ends and at the center, and their mirror images."""
    crops = torch.stack([crop(one, size, at, at) for one in covers for at in (0.0, 0.5, 1.0)])
    return torch.cat((crops, crops.flip(-1)))


class Dataset:
    """Training pictures and held-out pictures of a folder.

    One in five is held out, chosen by a hash of its name. So the same pictures are held out in
    every run, and adding pictures changes little.

    Parameters
    ----------
    folder : Path
        The folder.
    contents : FolderContents
        The pictures of the folder.
    size : tuple of int
        Height and width of the training pictures.
    mirror : bool
        Also train on mirrored pictures.

    Attributes
    ----------
    hashes : dict of str to str
        SHA-256 of the training pictures, by their names relative to the folder.

    Raises
    ------
    InputError
        There are fewer than `MIN_PICTURES`.
    """

    def __init__(
        self, folder: Path, contents: FolderContents, size: tuple[int, int], *, mirror: bool
    ) -> None:
        count = len(contents.paths)
        if count < MIN_PICTURES:
            skipped = len(contents.skipped)
            unusable = f" and {skipped} that cannot be used" if skipped else ""
            raise InputError(
                f"{folder}: has {count} pictures{unusable}; at least {MIN_PICTURES} are needed, "
                "and 100 are better. With few pictures, use `limner generate --like PICTURE`: it "
                "needs no training"
            )
        names = [path.name for path in contents.paths]
        by_hash = sorted(range(count), key=lambda i: hashlib.sha256(os.fsencode(names[i])).digest())
        held_out = sorted(by_hash[: round(count / HELD_OUT_ONE_IN)])
        self.size, self.mirror, self.names = size, mirror, names
        self.hashes = {
            path.relative_to(folder).as_posix(): contents.hashes[i]
            for i, path in enumerate(contents.paths)
            if i not in held_out
        }
        self.training = [one for i, one in enumerate(contents.covers) if i not in held_out]
        self.held_out = [contents.covers[i] for i in held_out]

    def batch(self, count: int, random: torch.Generator) -> Tensor:
        """Draw pictures [count, 3, H, W] in 0..1, cropped at random places."""
        drawn = []
        for choice, down, across, flip in torch.rand((count, 4), generator=random).tolist():
            one = crop(self.training[int(choice * len(self.training))], self.size, down, across)
            drawn.append(one.flip(-1) if self.mirror and flip < 0.5 else one)
        return torch.stack(drawn)

    def training_centers(self) -> Tensor:
        """The centers of the training pictures, [N, 3, H, W] in 0..1."""
        return center_crops(self.training, self.size)

    def held_out_centers(self) -> Tensor:
        """The centers of the held-out pictures, [N, 3, H, W] in 0..1."""
        return center_crops(self.held_out, self.size)

    def training_crops(self) -> Tensor:
        """What a generated picture could be a copy of, [M, 3, H, W]."""
        return crops_and_mirrors(self.training, self.size)
