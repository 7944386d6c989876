"""One frame of an animation, or one page of a TIFF, named as in ``walk.gif#3``."""

import os
import re
from collections.abc import Sequence

from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from limner.errors import LimnerError
from limner.io import formats

_PARTS = 1 | 4  # TIFF 6.0, NewSubfileType: of reduced resolution, a mask
_MOST_PAGES = 999_999  # what a name can hold
_FRAME_OF_PNG = 54  # bytes, at least: a file can claim 2 billion frames that it does not have
_NAMED = re.compile(r"(.+\.(?:gif|png|webp|tiff?|avif))#([1-9]\d{0,5})", re.IGNORECASE | re.DOTALL)


def split(name: str | os.PathLike[str]) -> tuple[str, int | None]:
    """Split a name into the file and the number of the frame, from 1; None if it has none.

    A file that exists under the whole name is that file.
    """
    whole = os.fspath(name)
    named = _NAMED.fullmatch(whole)
    if named is None or os.path.exists(whole):  # noqa: PTH110 (it takes any text)
        return whole, None
    return named[1], int(named[2])


def join(file: str, number: int | None) -> str:
    """Name a frame of a file."""
    return file if number is None else f"{file}#{number}"


def count(image: Image.Image) -> int:
    """Return the number of frames of an opened picture."""
    return len(places(image))


def places(image: Image.Image) -> Sequence[int]:
    """Return where the frames of an opened picture are, from 0.

    Pages of a TIFF that are previews, levels of a pyramid or masks do not count.
    """
    if image.format == "MPO":
        return [0]  # the later frames of a camera's MPO are previews and gain maps
    if isinstance(image, TiffImageFile) and image.fp is not None:
        image.fp.seek(0)
        return _whole_pages(TiffImageFile(image.fp))  # an error there would spoil the image itself
    try:
        claimed = int(getattr(image, "n_frames", 1))
        if isinstance(image, PngImageFile) and image.fp is not None:
            place = image.fp.tell()
            claimed = min(claimed, image.fp.seek(0, os.SEEK_END) // _FRAME_OF_PNG + 1)
            image.fp.seek(place)
        return range(claimed)
    except Exception:  # a later frame is damaged; the first was read
        return [0]


def _whole_pages(image: TiffImageFile) -> list[int]:
    """Return the pages up to the first that is damaged."""
    found, failures = [], 0
    for number in range(_MOST_PAGES):
        try:
            image.seek(number)
            failures = 0
        except EOFError:
            break
        except Exception:  # damaged, or a mask, which Pillow does not read
            failures += 1
        kind = image.tag_v2.get(Base.NewSubfileType, 0)
        is_part = isinstance(kind, int) and bool(kind & _PARTS)
        if failures > 1 or (failures and not is_part):
            break
        if not is_part:
            found.append(number)
    return found or [0]


def count_in(file: str | os.PathLike[str]) -> int:
    """Return the number of frames of a file; 1 if it cannot be read."""
    try:
        with formats.opened(file) as (image, _):
            return count(image)
    except LimnerError:
        return 1
