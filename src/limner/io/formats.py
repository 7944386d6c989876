"""The formats that limner reads and writes, and files opened so that every error is one line."""

import errno
import logging
import math
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from io import BufferedReader, FileIO
from pathlib import Path

from PIL import Image, ImageCms, ImageFile, PngImagePlugin, UnidentifiedImageError

from limner.errors import (
    InputError,
    LimnerError,
    OutputError,
    check_no_address,
    is_out_of_memory,
    printable,
    reason,
)
from limner.io import foreign, tiff

# Pictures only, and only formats that Pillow decodes itself: no PostScript, PDF or WMF, which call
# other programs. MPO, which many cameras write, opens as JPEG.
READABLE = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000", "PPM")

# Endings of the names of pictures, for folders. HEIC is there even without its extra, and so are
# camera raw files: the messages about them name the remedy.
ENDINGS = foreign.ENDINGS | frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".avif", ".tif", ".tiff", ".gif"}
    | {".bmp", ".dib", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif"}
)

# suffix -> Pillow's name of the format, and the longest side it can hold, in pixels
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

PIXEL_LIMIT = 100_000_000  # larger pictures need --allow-huge
# bytes of a text or a color profile in a PNG, unpacked: Pillow's limit of 1 MB is too low for the
# workflows that programs store, and for profiles of scanners and printers
_TEXT_LIMIT = 2**25
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # of writing, not of reading
_PILLOW = threading.Lock()
# bytes per pixel at the peak, while a picture of 8 bits is read: without alpha, and with
READING_BYTES = (28, 85)
# of these, Pillow writes a text for people; of others, the text is for programmers
_IN_WORDS = (OSError, SyntaxError, ValueError, EOFError, RuntimeError)


@contextmanager
def opened(
    path: str | os.PathLike[str], *, allow_huge: bool = False
) -> Iterator[tuple[ImageFile.ImageFile, BufferedReader]]:
    """Open a picture file. Gives the image, with its header read but not its pixels, and the file.

    Pillow fills the memory of a GIF while it opens the file. So one of more than `PIXEL_LIMIT`
    pixels is refused here already, unless it is allowed.

    Raises
    ------
    InputError
        The file cannot be read. Errors in the body of the ``with`` count too.
    OutputError
        The body ran out of disk space.
    """
    with binary(path) as file:
        if foreign.is_raw(file.name):
            raise InputError(f"{printable(path)}: {foreign.RAW_REMEDY}")
        try:
            is_gif = file.peek(4).startswith(b"GIF8")
            # of pixels, beyond twice which Pillow refuses
            Image.MAX_IMAGE_PIXELS = PIXEL_LIMIT // 2 if is_gif and not allow_huge else None
            image = Image.open(file, formats=READABLE)
            Image.MAX_IMAGE_PIXELS = None
        except Image.DecompressionBombError as error:
            count = int(re.findall(r"\d+", str(error))[0])
            raise InputError(
                f"{printable(path)}: is {count / 1e6:.0f} megapixels, more than "
                f"{PIXEL_LIMIT / 1e6:.0f}; make it smaller, or pass --allow-huge"
            ) from error
        except UnidentifiedImageError:
            file.seek(0)
            start = file.read(foreign.LOOKED_AT)
            if foreign.is_heic(start) and find_spec("pi_heif"):
                import pi_heif

                pi_heif.register_heif_opener()
                image = Image.open(file, formats=["HEIF"])
            elif explanation := tiff.explain_values(file) or foreign.explain(start):
                raise InputError(f"{printable(path)}: {explanation}") from None
            else:
                raise
        if tiff.is_raw(image):
            raise InputError(f"{printable(path)}: {foreign.RAW_REMEDY}")
        with memory_for(image, printable(path)):
            yield image, file


class _Bounded(BufferedReader):
    """A file that takes memory for what it holds, however much of it is asked for."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(FileIO(path))
        self._most = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or what is left."""
        return super().read(-1 if size is None else min(size, self._most))


@contextmanager
def memory_for(image: Image.Image, name: str) -> Iterator[None]:
    """Say how much memory a picture needs if there is not enough to read it."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        need = math.prod(image.size) * READING_BYTES[image.has_transparency_data] / 2**30
        raise InputError(
            f"{name}: not enough memory: {image.width} × {image.height} pixels need about "
            f"{need:.1f} GiB; make it smaller, or close other programs"
        ) from error


@contextmanager
def binary(path: str | os.PathLike[str]) -> Iterator[BufferedReader]:
    """Open a regular file that is not empty; see `opened` for the errors."""
    name = printable(path)
    check_no_address(path)
    if name == "-" and not os.path.lexists(path):
        raise InputError("-: standard input is read for the main picture only; name a file")
    with guarded(name):
        status = Path(path).stat()  # first: opening a pipe would wait for its other end
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{name}: is a folder, a pipe or a device; name a picture file")
        if status.st_size == 0:
            raise InputError(f"{name}: is empty (0 bytes); copy or download it again")
        with _Bounded(path) as file:
            yield file


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Run Pillow without its warnings and size limit; turn what it raises into one of our errors.

    The limit, the warning filters and the log level belong to the whole process. They change only
    inside this block, behind a lock, and are put back: a program that uses Pillow beside limner
    keeps its own. This is also why pictures are decoded one at a time.
    """
    logger = logging.getLogger("PIL")
    with _PILLOW, warnings.catch_warnings(), tiff.silent():
        warnings.simplefilter("ignore")
        limit, level = Image.MAX_IMAGE_PIXELS, logger.level
        texts = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
        PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = _TEXT_LIMIT, 4 * _TEXT_LIMIT
        logger.setLevel(logging.CRITICAL)
        Image.MAX_IMAGE_PIXELS = None  # `limner.io.reading` has a limit with a better message
        try:
            yield
        except LimnerError:
            raise
        except Exception as error:  # damaged files make decoders raise nearly anything
            if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
                raise OutputError(f"the disk is full or read-only ({reason(error)})") from error
            raise InputError(f"{name}: {_explain(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
            PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = texts
            logger.setLevel(level)


@cache
def srgb_profile() -> bytes:
    """Return the ICC profile that every output carries. Its bytes never change."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # ICC.1:2022, 7.2.8: year, month, day, hour, minute, second of creation. LittleCMS writes the
    # current time, and leaves the checksum (bytes 84 to 99) at zero, "not computed".
    profile[24:36] = bytes((2000 >> 8, 2000 & 255, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return bytes(profile)


def _explain(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file; check its name and folder"
    if isinstance(error, NotADirectoryError):
        return f"there is no such file: {reason(error)}, not a folder; check the name"
    if isinstance(error, UnidentifiedImageError):
        return f"is damaged, or not a picture in {', '.join(READABLE)}; convert it to PNG"
    if is_out_of_memory(error):
        return "not enough memory to read it; make it smaller, or close other programs"
    if "MAX_TEXT" in str(error):
        return (
            f"its texts or its profile are too large (the limit is {_TEXT_LIMIT / 2**20:.0f} MB); "
            "save it again without metadata"
        )
    if not isinstance(error, _IN_WORDS):
        return "is damaged; copy or download it again, or convert it to PNG"
    return f"cannot be read ({reason(error)}); copy or download it again, or convert it to PNG"
