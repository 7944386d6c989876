"""One frame of an animation, or one page of a TIFF, named as in ``walk.gif#3``."""

import os
import re

from PIL import Image

from limner.errors import LimnerError
from limner.io import formats

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
    if image.format == "MPO":
        return 1  # the later frames of a camera's MPO are previews and gain maps
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a later frame is damaged; the first was read
        return 1


def count_in(file: str | os.PathLike[str]) -> int:
    """Return the number of frames of a file; 1 if it cannot be read."""
    try:
        with formats.opened(file) as (image, _):
            return count(image)
    except LimnerError:
        return 1
