"""Colour of 16 bits a channel, which Pillow knows at 8 only."""

import struct
import sys
import zlib
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.ExifTags import Base

from limner.io.formats import READABLE as READABLE

Values = NDArray[np.uint16]  # [H, W, 3 or 4]

_OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_DEEP = ("RGB;16", "RGBA;16", "RGBX;16")  # Pillow's raw modes, without the byte order
_BAND = 256  # rows that are packed at once
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OURS = (b"IHDR", b"IDAT", b"IEND")  # chunks of a PNG that tell of its pixels


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether a picture just opened, not loaded, holds RGB or RGBA of 16 bits.

    Not where alpha is multiplied in, or channels lie apart: there both byte orders read the same.
    """
    apart = image.format == "TIFF" and image.getexif().get(Base.PlanarConfiguration) == 2
    return not apart and all(_raw_mode(part.args)[:-1] in _DEEP for part in image.tile)


def lower_half(file: BinaryIO) -> Image.Image:
    """Load the lower 8 of 16 bits: the file's higher ones, read in the other byte order."""
    file.seek(0)
    image = Image.open(file, formats=READABLE)
    for place, part in enumerate(image.tile):
        args = part.args if isinstance(part.args, tuple) else (part.args,)
        raw = _raw_mode(args)
        args = (raw[:-1] + _OTHER[raw[-1]], *args[1:])
        image.tile[place] = part._replace(args=args if len(args) > 1 else args[0])
    image.load()
    return image


def write_png(values: Values, file: BinaryIO, eight: bytes) -> None:
    """Write 16 bits as PNG (ISO/IEC 15948), with what the file of 8 bits says besides.

    Parameters
    ----------
    values : array
        uint16 [H, W, 3 or 4].
    file : binary file
        Open for writing.
    eight : bytes
        A PNG of any pixels, whose profile, resolution, text and EXIF go along.
    """
    height, width, channels = values.shape
    header = struct.pack(">2I5B", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    file.write(_SIGNATURE + _chunk(b"IHDR", header))
    for name, content in _chunks(eight):
        if name not in _OURS:
            file.write(_chunk(name, content))
    packer = zlib.compressobj()
    for top in range(0, height, _BAND):
        rows = (
            values[top : top + _BAND].astype(">u2").view(np.uint8).reshape(-1, 2 * channels * width)
        )
        less = rows.copy()  # filter 1, "Sub": every byte less that of the pixel before
        less[:, 2 * channels :] -= rows[:, : -2 * channels]
        lines = np.concatenate((np.ones((len(rows), 1), np.uint8), less), axis=1)
        file.write(_chunk(b"IDAT", packer.compress(lines.tobytes())))
    file.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


def _raw_mode(args: object) -> str:
    """How the bytes of a file are laid out, in what Pillow tells its decoder."""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Names and contents of a sound PNG's chunks."""
    found, file = [], BytesIO(png)
    file.seek(len(_SIGNATURE))
    while head := file.read(8):
        length, name = struct.unpack(">I4s", head)
        found.append((name, file.read(length)))
        file.seek(4, 1)  # the checksum
    return found
