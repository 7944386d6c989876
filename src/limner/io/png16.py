"""16-bit color and 16-bit gray with alpha: Pillow reads and writes both at 8 bits only."""

import struct
import sys
import zlib
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.ExifTags import Base

from limner.io import tiff
from limner.io.formats import READABLE

Values = NDArray[np.uint16]  # [H, W, 3 or 4]

# byte orders of raw modes (big, little, native) and the opposite one
_SWAPPED_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_DEEP_MODES = ("RGB;16", "RGBA;16", "RGBX;16")  # Pillow's raw modes, without the byte order
_GRAY_ALPHA_MODE = "LA;16B"
_FEW_BITS = {"L;2": 85, "L;4": 17}  # raw modes, and the value of 1 among 255
_BAND = 256  # rows that are compressed at once
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IHDR", b"IDAT", b"IEND")  # the chunks of a PNG that hold its pixels


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether a picture that is opened but not loaded holds 16-bit RGB or RGBA.

    Not with premultiplied alpha: there Pillow reads both byte orders alike. In separate planes it
    takes alpha for premultiplied unless the file denies it.
    """
    is_plain = (
        image.mode == "RGB"
        or not tiff.has_deep_planes(image)
        or image.tag_v2.get(Base.ExtraSamples) == (2,)
    )
    modes = [_raw_mode(part.args)[:-1] for part in image.tile]  # empty for animations
    return is_plain and bool(modes) and all(mode in _DEEP_MODES for mode in modes)


def use_raw_decoder(image: ImageFile.ImageFile) -> None:
    """Let Pillow read a PPM of 16-bit RGB, opened but not loaded, as it reads a TIFF.

    Its own decoder for it rounds to 8 bits, one pixel at a time.
    """
    if image.format == "PPM" and [part.args for part in image.tile] == [("RGB", 65535)]:
        image.tile = [part._replace(codec_name="raw", args="RGB;16B") for part in image.tile]


def is_gray_alpha(image: ImageFile.ImageFile) -> bool:
    """Whether a PNG that is opened but not loaded holds 16-bit gray with alpha."""
    return image.format == "PNG" and all(_raw_mode(p.args) == _GRAY_ALPHA_MODE for p in image.tile)


def scale_transparent(image: ImageFile.ImageFile) -> None:
    """Make the transparent value of 2-bit or 4-bit gray one of the 8 bits that Pillow reads."""
    key, modes = image.info.get("transparency"), {_raw_mode(part.args) for part in image.tile}
    for mode, step in _FEW_BITS.items():
        if image.format == "PNG" and isinstance(key, int) and modes == {mode}:
            image.info["transparency"] = key * step


def transparent_color(image: ImageFile.ImageFile) -> tuple[int, int, int] | None:
    """Return the transparent color of a PNG of 16-bit RGB that is opened but not loaded."""
    key = image.info.get("transparency") if image.format == "PNG" else None
    return key if isinstance(key, tuple) and is_deep(image) else None


def cut_out(image: Image.Image, lower: Image.Image, key: tuple[int, int, int]) -> Image.Image:
    """Make one color of 16-bit RGB transparent. Pillow compares the upper 8 bits with all 16."""
    info = {name: value for name, value in image.info.items() if name != "transparency"}
    values = 256 * np.asarray(image.convert("RGB"), np.uint16) + np.asarray(lower.convert("RGB"))
    alpha = Image.fromarray(np.where((values == key).all(2), 0, 255).astype(np.uint8))
    cut = Image.merge("RGBA", (*image.split()[:3], alpha))
    cut.info = info
    return cut


def gray_alpha(file: BinaryIO, info: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Load 16-bit gray and alpha as two images of mode ``I``; the gray has the info of ``info``.

    A pixel is four bytes, like one of 8-bit RGBA: high and low byte of gray, then of alpha.
    """
    file.seek(0)
    image = Image.open(file, formats=["PNG"])
    image.tile = [part._replace(args="RGBA") for part in image.tile]
    image.load()
    pairs = np.asarray(image).astype(np.int32).reshape(image.height, image.width, 2, 2)
    gray, alpha = (Image.fromarray(256 * pairs[:, :, n, 0] + pairs[:, :, n, 1]) for n in (0, 1))
    gray.info = dict(info.info)
    return gray, alpha


def lower_half(file: BinaryIO, frame: int) -> Image.Image:
    """Load the lower 8 of 16 bits: read the file in the other byte order."""
    file.seek(0)
    image = Image.open(file, formats=READABLE)
    use_raw_decoder(image)
    image.seek(frame)
    if tiff.has_deep_planes(image):
        return tiff.lower_half(image, file)
    for place, part in enumerate(image.tile):
        args = part.args if isinstance(part.args, tuple) else (part.args,)
        raw = _raw_mode(args)
        args = (raw[:-1] + _SWAPPED_ORDER[raw[-1]], *args[1:])
        image.tile[place] = part._replace(args=args if len(args) > 1 else args[0])
    image.load()
    return image


def write_png(values: Values, file: BinaryIO, metadata: bytes) -> None:
    """Write a 16-bit PNG (ISO/IEC 15948) with the metadata of an 8-bit one.

    Parameters
    ----------
    values : array
        uint16 [H, W, 3 or 4].
    file : binary file
        Open for writing.
    metadata : bytes
        A PNG file; its profile, resolution, text and EXIF data are copied.
    """
    height, width, channels = values.shape
    header = struct.pack(">2I5B", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    file.write(_SIGNATURE + _chunk(b"IHDR", header))
    for name, content in _chunks(metadata):
        if name not in _PIXEL_CHUNKS:
            file.write(_chunk(name, content))
    packer = zlib.compressobj()
    for top in range(0, height, _BAND):
        rows = (
            values[top : top + _BAND].astype(">u2").view(np.uint8).reshape(-1, 2 * channels * width)
        )
        filtered = rows.copy()  # filter 1, "Sub": the difference to the pixel on the left
        filtered[:, 2 * channels :] -= rows[:, : -2 * channels]
        lines = np.concatenate((np.ones((len(rows), 1), np.uint8), filtered), axis=1)
        file.write(_chunk(b"IDAT", packer.compress(lines.tobytes())))
    file.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


def _raw_mode(args: object) -> str:
    """Return the layout of the bytes in the file, from what Pillow tells its decoder."""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and contents of a valid PNG's chunks."""
    found, file = [], BytesIO(png)
    file.seek(len(_SIGNATURE))
    while head := file.read(8):
        length, name = struct.unpack(">I4s", head)
        found.append((name, file.read(length)))
        file.seek(4, 1)  # the checksum
    return found
