"""Picture files, opened with care: whatever they hold, a user gets one line about it."""

import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BufferedReader
from pathlib import Path

from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from limner.errors import InputError, printable, reason

# Pictures only, and only those with a decoder of their own: no PostScript, no PDF, no WMF, nothing
# that calls another program. MPO, which many cameras write, opens as JPEG.
READABLE = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000", "PPM")

# suffix → Pillow's name of the format, and the longest side it can hold, in pixels
WRITABLE = {
    ".png": ("PNG", 2**31 - 1),
    ".jpg": ("JPEG", 65500),
    ".jpeg": ("JPEG", 65500),
    ".webp": ("WEBP", 16383),
    ".avif": ("AVIF", 32768),
    ".tif": ("TIFF", 2**31 - 1),
    ".tiff": ("TIFF", 2**31 - 1),
    ".pdf": ("PDF", 65500),
}

_PILLOW = threading.Lock()


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[ImageFile.ImageFile, BufferedReader]]:
    """Open a picture file: its image, the header read and the pixels not, and the file itself.

    Whatever goes wrong, in the body of the ``with`` too, is raised as an InputError.
    """
    with binary(path) as file:
        yield Image.open(file, formats=READABLE), file


@contextmanager
def binary(path: str | os.PathLike[str]) -> Iterator[BufferedReader]:
    """Open a file that is neither empty nor something else; see `opened`."""
    name = printable(path)
    with guarded(name):
        status = Path(path).stat()  # before opening: to open a pipe is to wait for its other end
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{name}: is a folder, a pipe or a device; name a picture file")
        if status.st_size == 0:
            raise InputError(f"{name}: is empty (0 bytes); copy or download it again")
        with Path(path).open("rb") as file:
            yield file


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Let Pillow work in silence, without its own limit of size; turn what it raises to InputError.

    The limit, the warning filters and the log level belong to the whole process. They are changed
    only in here, behind a lock, and put back: a program that uses Pillow beside limner keeps its
    own. For the same reason pictures are decoded one at a time.
    """
    logger = logging.getLogger("PIL")
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, level = Image.MAX_IMAGE_PIXELS, logger.level
        logger.setLevel(logging.CRITICAL)
        Image.MAX_IMAGE_PIXELS = None  # or it would speak before ours, and of "decompression bombs"
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # damaged files make decoders raise nearly anything
            raise InputError(f"{name}: {_explain(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
            logger.setLevel(level)


@cache
def srgb_profile() -> bytes:
    """Return the ICC profile every output carries: the same bytes at any time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # ICC.1:2022, 7.2.8: year, month, day, hour, minute, second of creation. LittleCMS puts the
    # clock here, and leaves the checksum (bytes 84 to 99) at zero, "not computed".
    profile[24:36] = bytes((2000 >> 8, 2000 & 255, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return bytes(profile)


def _explain(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file; check its name and folder"
    if isinstance(error, UnidentifiedImageError):
        return f"is damaged, or none of {', '.join(READABLE)}; convert it to PNG"
    return f"cannot be read ({reason(error)}); copy or download it again, or convert it to PNG"
