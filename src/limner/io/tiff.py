"""TIFF: separate planes are read, and pictures with 8 or 16 bits per channel written."""

import ctypes
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any, BinaryIO, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin, _imaging
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile
from PIL.TiffTags import LONG8, TAGS_V2_GROUPS

HOLDS_FLOATS = "holds floating-point values; save it as an 8-bit or 16-bit PNG"
HOLDS_SIGNED = (
    "holds signed values; shift them to 0 and above, and save it as an 8-bit or 16-bit PNG"
)
_HOLDS_COMPLEX = "holds complex numbers; save their magnitude as an 8-bit or 16-bit PNG"
_HOLDS = {2: HOLDS_SIGNED, 3: HOLDS_FLOATS, 5: _HOLDS_COMPLEX, 6: _HOLDS_COMPLEX}  # sample formats
_LONGEST = 2**32  # bytes of a file; BigTIFF has no limit
_STRIP = 2**26  # bytes written at once

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height

# the tags that say how the data of one plane are decoded
_DECODING = (
    Base.ImageWidth,
    Base.ImageLength,
    Base.Compression,
    Base.FillOrder,
    Base.RowsPerStrip,
    Base.Predictor,
    Base.TileWidth,
    Base.TileLength,
)

_BYTE, _RATIONAL, _UNDEFINED, _SIGNED_RATIONAL = 1, 5, 7, 10  # TIFF 6.0, section 2
# the tables EXIF and GPS: (table, tag, type that Pillow guesses from the value): type in EXIF 2.32
_EXIF_TYPES: dict[tuple[int, int, int], int] = {
    (int(table), int(tag), _BYTE): _UNDEFINED
    for table, tags in {
        IFD.Exif: (
            Base.OECF,
            Base.ComponentsConfiguration,
            Base.MakerNote,
            Base.UserComment,
            Base.SpatialFrequencyResponse,
            Base.FileSource,
            Base.SceneType,
            Base.CFAPattern,
            Base.DeviceSettingDescription,
            Base.CompositeImageExposureTimes,
        ),
        IFD.GPSInfo: (GPS.GPSProcessingMethod, GPS.GPSAreaInformation),
    }.items()
    for tag in tags
} | {
    (int(IFD.Exif), int(tag), _RATIONAL): _SIGNED_RATIONAL
    for tag in (Base.ShutterSpeedValue, Base.BrightnessValue, Base.ExposureBiasValue)
}


@contextmanager
def silent() -> Iterator[None]:
    """Keep libtiff from writing its own messages to standard error, where it can be reached."""
    try:  # Pillow's module is linked with it, but not visibly so on Windows
        set_handler = ctypes.CDLL(str(_imaging.__file__)).TIFFSetErrorHandler
    except (AttributeError, OSError):
        yield
        return
    set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    before = set_handler(None)
    try:
        yield
    finally:
        set_handler(before)


def has_deep_planes(image: Image.Image) -> TypeGuard[TiffImageFile]:
    """Whether a picture is a TIFF with each channel by itself, and not of 8 bits."""
    if not isinstance(image, TiffImageFile) or image.tag_v2.get(Base.PlanarConfiguration) != 2:
        return False
    return bool(image.tag_v2.get(Base.BitsPerSample, (1,))[0] != 8)


def sign_and_bits(image: Image.Image) -> tuple[bool, int]:
    """Whether the values of a TIFF have a sign, and their bits; 0 bits of other pictures."""
    if not isinstance(image, TiffImageFile):
        return False, 0
    bits = image.tag_v2.get(Base.BitsPerSample, (1,))[0]
    return image.tag_v2.get(Base.SampleFormat, (1,))[0] == 2, bits


def turn_resolution(image: Image.Image) -> None:
    """Swap the resolution of a picture that is opened but not loaded, if it is a TIFF on its side.

    Pillow turns the pixels of a TIFF upright when it loads them, but not the resolution.
    """
    if isinstance(image, TiffImageFile) and image.tag_v2.get(Base.Orientation) in SIDEWAYS:
        image.info["dpi"] = image.info["dpi"][::-1] if "dpi" in image.info else None


def is_raw(image: Image.Image) -> bool:
    """Whether a picture is the preview of a camera raw file, which is a TIFF inside."""
    if not isinstance(image, TiffImageFile):
        return False
    tags = image.tag_v2
    is_preview = tags.get(Base.NewSubfileType, 0) & 1 and Base.SubIFDs in tags
    return bool(Base.DNGVersion in tags or (is_preview and Base.Make in tags))


def explain_values(file: BinaryIO) -> str | None:
    """Say what values a TIFF holds that Pillow does not open, and the remedy."""
    file.seek(0)
    header = file.read(16)
    try:
        tags = ImageFileDirectory_v2(header if header[2:3] in b"+\0" else header[:8])
        file.seek(tags.next)
        tags.load(file)
        return next((_HOLDS[kind] for kind in tags[Base.SampleFormat] if kind in _HOLDS), None)
    except Exception:  # a damaged file can raise anything, and one without such values too
        return None


def use_libtiff(image: TiffImageFile) -> None:
    """Let libtiff decode a picture that is opened but not loaded.

    Pillow decodes files that are not compressed itself, and takes all separate planes for 8 bits.
    """
    setting, TiffImagePlugin.READ_LIBTIFF = TiffImagePlugin.READ_LIBTIFF, True
    try:
        image._setup()  # chooses the decoder; opening the file has called it before
    finally:
        TiffImagePlugin.READ_LIBTIFF = setting


def lower_half(image: TiffImageFile, file: BinaryIO) -> Image.Image:
    """Load the lower 8 of 16 bits of separate planes, upright.

    Of RGB, Pillow gives only the upper ones, but of gray all. So each plane is read as a gray
    picture: a new directory, put before a copy of the file, says where its strips or tiles are.
    """
    tags, bands = image.tag_v2, []
    is_tiled = Base.TileOffsets in tags
    places = tags[Base.TileOffsets if is_tiled else Base.StripOffsets]
    lengths = tags[Base.TileByteCounts if is_tiled else Base.StripByteCounts]
    each = len(places) // tags[Base.SamplesPerPixel]
    for number in range(len(image.getbands())):
        plane = slice(number * each, (number + 1) * each)
        directory = new_directory(tags.prefix, big=tags.prefix == b"II")
        directory.update({tag: tags[tag] for tag in _DECODING if tag in tags})
        directory[Base.BitsPerSample] = 16
        directory[Base.PhotometricInterpretation] = 1  # gray, 0 is black
        # of tiles too, which libtiff accepts: `save` adds the directory's length to no others
        directory[Base.StripOffsets] = places[plane]
        directory[Base.StripByteCounts] = lengths[plane]
        copy = BytesIO()
        directory.save(copy)
        file.seek(0)
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        gray = TiffImageFile(copy)
        use_libtiff(gray)
        bands.append(Image.fromarray((np.asarray(gray) & 255).astype(np.uint8)))
    merged = Image.merge(image.mode, bands)
    merged.getexif()[Base.Orientation] = tags.get(Base.Orientation, 1)
    return ImageOps.exif_transpose(merged)


def write(
    values: NDArray[np.uint8] | NDArray[np.uint16], file: BinaryIO, options: Mapping[str, Any]
) -> None:
    """Write a TIFF 6.0, not compressed; a BigTIFF if it would not fit into 4 GB.

    Pillow writes RGB with 8 bits only, and no picture of more than 4 GB. Deflate would make photos
    a third smaller at most, and take many times as long.

    Parameters
    ----------
    values : array
        [H, W, 3 or 4]: RGB, and alpha that is not multiplied in.
    file : binary file
        Open for writing, and empty.
    options : mapping
        ``exif``, packed, or none; ``icc_profile``, bytes or None.
    """
    height, width, channels = values.shape
    exif, profile = options.get("exif", b""), options.get("icc_profile") or b""
    row = width * channels * values.itemsize
    rows = max(1, min(height, _STRIP // row))  # in a strip
    places = range(0, height * row, rows * row)
    big = values.nbytes + len(exif) + len(profile) + 2**16 > _LONGEST
    directory, found = new_directory(b"II", big=big), Image.Exif()
    found.load(exif)
    for tag in found:
        directory[tag] = found.get_ifd(tag) if tag in TAGS_V2_GROUPS else found[tag]
    if profile:
        directory[Base.InterColorProfile] = profile
    directory[Base.ImageWidth], directory[Base.ImageLength] = width, height
    directory[Base.BitsPerSample] = (8 * values.itemsize,) * channels
    directory[Base.Compression] = 1  # none
    directory[Base.PhotometricInterpretation] = 2  # RGB
    directory[Base.SamplesPerPixel] = channels
    directory[Base.PlanarConfiguration] = 1  # one pixel after the other
    if channels == 4:
        directory[Base.ExtraSamples] = 2  # alpha, not multiplied in
    directory[Base.RowsPerStrip] = rows
    directory[Base.StripByteCounts] = [min(rows * row, height * row - place) for place in places]
    directory[Base.StripOffsets] = tuple(places)  # `save` adds the directory's length
    head = BytesIO()
    directory.save(head)
    file.write(with_exif_types(head.getvalue()))
    for top in range(0, height, rows):
        strip = values[top : top + rows]
        file.write(np.ascontiguousarray(strip, strip.dtype.newbyteorder("<")).data)


def with_exif_types(content: bytes) -> bytes:
    """Return a TIFF file, or EXIF data without its mark, whose EXIF tags have their types.

    Pillow keeps no types, and takes those that fit the values.
    """
    data, order = bytearray(content), "<" if content.startswith(b"II") else ">"
    is_big = struct.unpack_from(f"{order}H", data, 2) == (43,)
    number, of_count, of_entry = ("Q", 8, 20) if is_big else ("I", 2, 12)
    tables = [(0, 8 if is_big else 4)]  # and where their places are
    for table, pointer in tables:
        (place,) = struct.unpack_from(order + number, data, pointer)
        (count,) = struct.unpack_from(f"{order}{'Q' if is_big else 'H'}", data, place)
        for entry in range(place + of_count, place + of_count + count * of_entry, of_entry):
            tag, kind = struct.unpack_from(f"{order}2H", data, entry)
            if tag in (IFD.Exif, IFD.GPSInfo):
                tables.append((tag, entry + (12 if is_big else 8)))
            kind = _EXIF_TYPES.get((table, tag, kind), kind)
            struct.pack_into(f"{order}H", data, entry + 2, kind)
    return bytes(data)


def new_directory(order: bytes, *, big: bool) -> ImageFileDirectory_v2:
    """Return an empty directory of a new file. Pillow has BigTIFF in the order ``b"II"`` only."""
    if not big:
        return ImageFileDirectory_v2(prefix=order)
    directory = ImageFileDirectory_v2(struct.pack("<2sHHHQ", order, 43, 8, 0, 16))
    directory.tagtype[Base.StripOffsets] = LONG8
    return directory
