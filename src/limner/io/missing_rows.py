"""Pictures that lack rows are found: fax and JPEG data of TIFF, and JPEG files without an end.

libtiff reports no error for them, and what was in memory becomes pixels. Pillow refuses a JPEG
without its end marker, whether rows are missing or not.
"""

import os
import re
import struct
from collections import defaultdict
from collections.abc import Sequence
from io import BytesIO
from itertools import accumulate
from typing import IO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from limner.io.tiff import new_directory

_GROUP4, _JPEG = 4, 7  # numbers of compressions
_LAYOUT = (  # tags that say where the data are
    Base.ImageWidth,
    Base.ImageLength,
    Base.Compression,
    Base.FillOrder,
    Base.StripOffsets,
    Base.RowsPerStrip,
    Base.StripByteCounts,
    Base.PlanarConfiguration,
    Base.TileWidth,
    Base.TileLength,
    Base.TileOffsets,
    Base.TileByteCounts,
)
_LARGEST_TILE = 2**26  # pixels
_END = b"\xff\xd9"  # the end marker of a JPEG
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker that ends the data of a scan
_FILL = 8  # zeros at the end of a file that was not downloaded whole: data never have so many
# data of other pixels, after each of the eight restart markers
_OTHER_ROWS = b"".join(b"%b\xff%c" % (bytes(range(254, 0, -1)), 0xD0 + n % 8) for n in range(16))
_COEFFICIENTS = 64  # of a block
_PER_PIXEL, _HEAD = 8, 2**12  # bytes of a strip: more than its pixels take, and of its header


class _Layout(NamedTuple):
    """Strips, or tiles from top left to bottom right: ``last`` is the rows of the last one."""

    width: int
    rows: int
    last: int
    pieces: int


def lacks_rows(image: Image.Image, file: IO[bytes]) -> bool:
    """Whether rows are missing in the data of a TIFF that is opened but not loaded."""
    if not isinstance(image, TiffImageFile):
        return False
    tags = image.tag_v2
    compression = tags.get(Base.Compression)
    if compression not in (_GROUP4, _JPEG) or tags.get(Base.PlanarConfiguration) == 2:
        return False
    if _is_ambiguous(tags, file):
        return True
    width, height = tags[Base.ImageWidth], tags[Base.ImageLength]  # not turned upright
    if Base.TileOffsets in tags:
        names = Base.TileOffsets, Base.TileByteCounts
        across, rows = int(tags[Base.TileWidth]), int(tags[Base.TileLength])
        layout = _Layout(across, rows, rows, -(-width // across) * -(-height // rows))
    else:
        names = Base.StripOffsets, Base.StripByteCounts
        rows = min(int(tags.get(Base.RowsPerStrip, height)), height)
        layout = _Layout(width, rows, (height - 1) % rows + 1, -(-height // rows))
    if layout.width * layout.rows > max(_LARGEST_TILE, width * height):
        return True
    most = _PER_PIXEL * layout.width * layout.rows + _HEAD
    strips = []
    for place, length in zip(*(tags[name][: layout.pieces] for name in names), strict=True):
        file.seek(place)
        strips.append(file.read(min(length, most)))
    if len(strips) < layout.pieces:
        return True
    if compression == _JPEG:
        wanted = [(layout.width, layout.rows)] * (layout.pieces - 1) + [(layout.width, layout.last)]
        sizes = [_jpeg_size(strip) or size for strip, size in zip(strips, wanted, strict=True)]
        return any(s[0] < w[0] or s[1] < w[1] for s, w in zip(sizes, wanted, strict=True))
    white, black = (_decode_after(ink, strips, layout, tags) for ink in (0, 1))
    return not np.array_equal(white, black)


def load(image: Image.Image, file: IO[bytes]) -> Image.Image:
    """Load an opened picture, or return another for a JPEG that lacks only its end marker.

    The decoder takes what follows the data for rows that are missing. So if all rows are there, it
    does not matter what follows.
    """
    data = b""
    if image.format == "JPEG":
        file.seek(-len(_END), os.SEEK_END)
        if file.read() != _END:  # most files end with it, and need not be read twice
            file.seek(0)
            data = file.read()
    is_whole = _is_whole_scan(data)
    if is_whole is None:
        image.load()
        return image
    filled, data = data, data.rstrip(b"\0")
    data = (data if len(filled) - len(data) >= _FILL else filled).rstrip(b"\xff")
    one, other = (
        Image.open(BytesIO(data + after + _END), formats=["JPEG"]) for after in (b"", _OTHER_ROWS)
    )
    if not is_whole or not np.array_equal(np.asarray(one), np.asarray(other)):
        raise OSError("rows at its end are missing")
    return one


def _is_whole_scan(data: bytes) -> bool | None:
    """For a JPEG that ends within a scan, whether that is the last one; None for others.

    All scans together hold every coefficient to its last bit (ITU T.81, B.2.3).
    """
    components, found = b"", defaultdict[int, set[int]](set)
    place = 2
    while data[place : place + 1] == b"\xff" and len(data) >= place + 4:
        marker, (length,) = data[place + 1], struct.unpack_from(">H", data, place + 2)
        segment = data[place + 4 : place + 2 + length]
        place += 2 + length
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            components = segment[6::3]
        elif marker == 0xDA and len(segment) > 3:
            *named, first, last, bits = segment[1:]
            for component in named[::2] if bits & 15 == 0 else ():
                found[component].update(range(first, last + 1))
            end = _AFTER_SCAN.search(data, place)
            if end is None:
                return all(len(found[one]) == _COEFFICIENTS for one in components)
            place = end.start()
    return None


def _is_ambiguous(tags: ImageFileDirectory_v2, file: IO[bytes]) -> bool:
    """Whether a tag of the layout is there twice: libtiff takes the first, Pillow the last."""
    order: Literal["little", "big"] = "little" if tags.prefix == b"II" else "big"
    file.seek(2)
    is_big = int.from_bytes(file.read(2), order) == 43
    of_count, of_entry = (8, 20) if is_big else (2, 12)
    file.seek(tags.offset)
    entries = file.read(int.from_bytes(file.read(of_count), order) * of_entry)
    found = [int.from_bytes(entries[n : n + 2], order) for n in range(0, len(entries), of_entry)]
    return any(found.count(tag) > 1 for tag in _LAYOUT)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Read width and height from the frame header of a JPEG (ITU T.81, B.2.2), if it has one."""
    place = 2
    while data[place : place + 1] == b"\xff" and len(data) >= place + 9:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[place + n : place + n + 2]) for n in (5, 7))
            return width, height
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return None


def _decode_after(
    ink: int, strips: Sequence[bytes], layout: _Layout, tags: ImageFileDirectory_v2
) -> NDArray[np.bool_]:
    """Decode group 4 data (ITU T.6), each strip after a plain one.

    Pillow decodes all strips into the same memory. Where the results after white and after black
    differ, nothing was decoded.
    """
    plain = BytesIO()
    Image.new("1", (layout.width, layout.rows), ink).save(
        plain, "TIFF", compression="group4", strip_size=2**30
    )
    with Image.open(plain) as one:
        assert isinstance(one, TiffImageFile)
        (start,), (length,) = (one.tag_v2[n] for n in (Base.StripOffsets, Base.StripByteCounts))
    before = plain.getvalue()[start : start + length]
    if tags.get(Base.FillOrder) == 2:  # the first pixel is in the lowest bit
        before = bytes(int(f"{byte:08b}"[::-1], 2) for byte in before)
    data = [part for strip in strips for part in (before, strip)]
    lengths = list(map(len, data))
    directory = new_directory(b"II", big=False)
    directory[Base.FillOrder] = tags.get(Base.FillOrder, 1)
    directory[Base.ImageWidth] = layout.width
    directory[Base.ImageLength] = layout.rows * (len(data) - 1) + layout.last
    directory[Base.RowsPerStrip] = layout.rows
    directory[Base.Compression] = _GROUP4
    directory[Base.PhotometricInterpretation] = 1
    directory[Base.StripByteCounts] = lengths
    directory[Base.StripOffsets] = tuple(accumulate(lengths[:-1], initial=0))  # `save` adds its own
    copy = BytesIO()
    directory.save(copy)
    copy.write(b"".join(data))
    copy.seek(0)
    decoded = np.asarray(TiffImageFile(copy), np.bool_)
    of_file = np.arange(len(decoded)) // layout.rows % 2 == 1
    return np.compress(of_file, decoded, axis=0)
