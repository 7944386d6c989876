"""Color profiles: those that a file implies, and their conversion to sRGB with more than 8 bits.

Pillow knows embedded ICC profiles only, and its LittleCMS converts 8 bits only.
"""

import struct
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import IFD, Base

_HEADER, _ENTRY = 128, 12  # bytes of an ICC profile and of an entry in its table of tags
_LEVELS = 65536
_ROWS = 64  # of a picture that are converted at once
_SIGNS = (b"r", b"g", b"b")
_D50 = (0.9642, 1.0, 0.8249)
# ICC.1:2022, Annex E: from colors to the responses of the eye
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# white, red, green, blue: x and y
_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_ADOBE_RGB = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
# ITU-T H.273: color primaries and transfer characteristics by number; gamma 0 is the curve of sRGB
_PRIMARIES = {
    1: _SRGB,
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
_TRANSFERS = {4: 2.2, 8: 1.0, 13: 0.0}
_PQ, _HLG = 16, 18
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_PEAK, _WHITE = 1000, 203  # cd/m² of HDR: its brightest, and a white page (Report ITU-R BT.2408)
_BOXES = 65536  # bytes at the start of a file that hold its boxes
_ADOBE_GAMMA = 563 / 256  # Adobe RGB (1998) Color Image Encoding, 4.3.1.2


def profile_of(image: Image.Image) -> bytes | None:
    """Return the ICC profile of an image: embedded, or made from what else the file says.

    A PNG may have chunks gAMA and cHRM instead. Cameras set to Adobe RGB embed no profile, and name
    it in the EXIF data only (DCF 2.0, option file).
    """
    embedded = image.info.get("icc_profile")
    if embedded:
        return bytes(embedded) if isinstance(embedded, bytes) else None
    try:
        return _of_png(image) if image.format == "PNG" else _of_exif(image)
    except Exception:  # damaged, or no colors that exist
        return None


def name_colors(image: Image.Image, file: BinaryIO) -> bool:
    """Give an opened picture a profile for color primaries and a curve that it names by numbers.

    These are in the chunk cICP of a PNG (PNG 3, 11.3.2.6) and the box colr of an AVIF or HEIC file
    (ISO/IEC 14496-12, 12.1.5), which Pillow drops.

    Returns
    -------
    bool
        Whether it has high dynamic range, which the profile compresses to the range of sRGB.
    """
    primaries, transfer = _numbers(image, file)
    chromaticity = _PRIMARIES.get(primaries)
    if chromaticity is None or (primaries, transfer) == (1, 13):
        return False
    if transfer in (_PQ, _HLG):
        curve = _tone_curve(transfer)
        image.info["icc_profile"] = make_profile("HDR, compressed", chromaticity, curve)
        return True
    if transfer in _TRANSFERS:
        gamma = _TRANSFERS[transfer]
        image.info["icc_profile"] = make_profile("named by numbers", chromaticity, gamma)
    return False


def _numbers(image: Image.Image, file: BinaryIO) -> tuple[int, int]:
    """Return the numbers of primaries and transfer characteristics; 2 if not stated."""
    before = file.tell()
    try:
        if image.format == "PNG":
            file.seek(8)
            while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"cICP"):
                file.seek(int.from_bytes(head[:4]) + 4, 1)
            numbers = file.read(4) if head[4:] == b"cICP" else b""
            return (numbers[0], numbers[1]) if numbers[2:] == b"\0\1" else (2, 2)
        if image.format in ("AVIF", "HEIF") and "icc_profile" not in image.info:
            file.seek(0)
            _, _, numbers = file.read(_BOXES).partition(b"colrnclx")
            return struct.unpack_from(">2H", numbers) if len(numbers) > 3 else (2, 2)
        return 2, 2
    finally:
        file.seek(before)


def _tone_curve(transfer: int) -> NDArray[np.float64]:
    """Return the light of HDR values, compressed so that 1000 cd/m² become the white of sRGB.

    Report ITU-R BT.2390-11, 5.4.1, from 1000 to 203 cd/m², on each channel. What is brighter is
    clipped. A white page of 203 cd/m² becomes 0.90 of white.
    """
    x = np.linspace(0, 1, 1024)
    if transfer == _HLG:
        # ITU-R BT.2100-2, table 5; its OOTF on each channel instead of on luminance
        scene = np.where(
            x <= 0.5, x**2 / 3, (np.exp((x - 0.55991073) / 0.17883277) + 0.28466892) / 12
        )
        x = _pq(_PEAK * scene**1.2)
    peak, white = _pq(_PEAK), _pq(_WHITE)
    e, most = np.minimum(x / peak, 1), white / peak
    knee = 1.5 * most - 0.5
    t = np.maximum(e - knee, 0) / (1 - knee)
    rolled = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
    rolled += (3 * t**2 - 2 * t**3) * most
    power = np.maximum(np.where(e < knee, e, rolled) * peak, 0) ** (1 / _M2)
    nits = 10000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)
    light: NDArray[np.float64] = nits / _WHITE
    return light


def _pq(nits: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PQ value of a luminance in cd/m² (ITU-R BT.2100-2, table 4)."""
    power = (np.asarray(nits) / 10000) ** _M1
    value: NDArray[np.float64] = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return value


def _of_png(image: Image.Image) -> bytes | None:
    gamma, chromaticity = image.info.get("gamma"), image.info.get("chromaticity", _SRGB)
    if "srgb" in image.info or not gamma or not 0.2 < gamma < 5:
        return None
    is_srgb = np.allclose(chromaticity, _SRGB, atol=0.002) and abs(1 / gamma - 2.2) < 0.05
    return None if is_srgb else make_profile("gAMA and cHRM of a PNG", chromaticity, 1 / gamma)


def _of_exif(image: Image.Image) -> bytes | None:
    exif = image.getexif() if image.mode == "RGB" else {}
    if IFD.Exif not in exif:
        return None
    assert isinstance(exif, Image.Exif)
    is_adobe = exif.get_ifd(IFD.Interop).get(1) == "R03"
    if not is_adobe or exif.get_ifd(IFD.Exif).get(Base.ColorSpace) == 1:  # sRGB
        return None
    return make_profile("compatible with Adobe RGB (1998)", _ADOBE_RGB, _ADOBE_GAMMA)


def make_profile(
    name: str, chromaticity: tuple[float, ...], curve: float | NDArray[np.float64]
) -> bytes:
    """Make an ICC profile of version 2 (ICC.1:2001-04).

    Parameters
    ----------
    name : str
        ASCII.
    chromaticity : tuple of float
        x and y of white, red, green and blue.
    curve : float or array
        The exponent that decodes values, 0 for the curve of sRGB; or the light of equally spaced
        values, in 0..1.
    """
    colorants = _colorants(chromaticity).T
    text = name.encode("ascii") + b"\0"
    if isinstance(curve, float):
        x = np.linspace(0, 1, 1024)
        light = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
        values = [round(curve * 256)] if curve else (65535 * light).round().astype(int).tolist()
    else:
        values = (65535 * curve).round().astype(int).tolist()
    packed = struct.pack(f">4s4xI{len(values)}H", b"curv", len(values), *values)
    tags = {
        b"desc": struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": _pack_xyz(_D50),
        **{sign + b"XYZ": _pack_xyz(tuple(c)) for sign, c in zip(_SIGNS, colorants, strict=True)},
        **{sign + b"TRC": packed for sign in _SIGNS},
    }
    start = _HEADER + 4 + _ENTRY * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for sign, data in tags.items():
        table += struct.pack(">4sII", sign, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI12s12s4s", start + len(body), 0x02400000, b"mntrRGB XYZ ",
                       struct.pack(">6H", 2000, 1, 1, 0, 0, 0), b"acsp")  # fmt: skip
    head += bytes(28) + _pack_xyz(_D50)[8:]
    return head.ljust(_HEADER, b"\0") + table + body


def _colorants(chromaticity: tuple[float, ...]) -> NDArray[np.float64]:
    """Return XYZ of red, green and blue as columns, adapted to the white of ICC profiles."""
    x, y = np.array(chromaticity, np.float64).reshape(4, 2).T
    colors = np.stack((x / y, np.ones(4), (1 - x - y) / y))
    white, primaries = colors[:, 0], colors[:, 1:]
    primaries = primaries * np.linalg.solve(primaries, white)
    adapt = np.diag(_BRADFORD @ _D50 / (_BRADFORD @ white))
    found: NDArray[np.float64] = np.linalg.solve(_BRADFORD, adapt @ _BRADFORD @ primaries)
    return found


def _pack_xyz(values: Sequence[float]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in values))


class Converter(NamedTuple):
    """Converts 16-bit gray or RGB of a profile to sRGB.

    Attributes
    ----------
    curves : array
        [1 or 3, 65536]: linear light of each value, for each channel.
    matrix : array
        [3, 1 or 3]: from there to linear light of sRGB.
    """

    curves: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def convert(self, values: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Convert gray or RGB values [H, W, 1 or 3] to sRGB in 0..1, [3, H, W]."""
        result = np.empty((3, *values.shape[:2]), np.float32)
        for top in range(0, len(values), _ROWS):
            rows = np.moveaxis(values[top : top + _ROWS], 2, 0)
            count = len(self.curves)
            rows = np.broadcast_to(rows, (count, *rows.shape[1:])) if len(rows) < count else rows
            light = np.stack([curve[row] for curve, row in zip(self.curves, rows, strict=True)])
            light = np.tensordot(self.matrix, light, 1).clip(0, 1)
            low, high = light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055  # IEC 61966-2-1
            result[:, top : top + _ROWS] = np.where(light <= 0.0031308, low, high)
        return result


def converter_of(profile: bytes | None) -> Converter | None:
    """Read a profile made of curves and a matrix; None for another kind, or a damaged one."""
    try:
        return None if profile is None else _parse(profile)
    except Exception:
        return None


def _parse(profile: bytes) -> Converter | None:
    """Read the curves and the matrix (ICC.1:2022, 8.3.3 and 8.4.3)."""
    space, connection = profile[16:20], profile[20:24]
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    places = range(_HEADER + 4, _HEADER + 4 + _ENTRY * min(count, 100), _ENTRY)
    entries = [struct.unpack_from(">4sII", profile, place) for place in places]
    tags = {sign: profile[start : start + length] for sign, start, length in entries}
    if connection != b"XYZ " or b"A2B0" in tags:  # a table of colors counts before a matrix
        return None
    if space == b"GRAY":
        return Converter(_curve(tags[b"kTRC"])[None], np.ones((3, 1), np.float32))
    if space != b"RGB ":
        return None
    curves = np.stack([_curve(tags[sign + b"TRC"]) for sign in _SIGNS])
    colorants = [struct.unpack_from(">3i", tags[sign + b"XYZ"], 8) for sign in _SIGNS]
    matrix = np.linalg.solve(_colorants(_SRGB), np.array(colorants).T / 65536)
    return Converter(curves, matrix.astype(np.float32))


def _curve(tag: bytes) -> NDArray[np.float32]:
    """Return the curve of a tag for every value (ICC.1:2022, 10.6 and 10.18)."""
    x = np.linspace(0, 1, _LEVELS)
    if tag.startswith(b"curv"):
        (count,) = struct.unpack_from(">I", tag, 8)
        table = np.frombuffer(tag, ">u2", count, 12).astype(float)
        if count > 1:
            return np.interp(x, np.linspace(0, 1, count), table / 65535).astype(np.float32)
        return (x ** (table[0] / 256 if count else 1)).astype(np.float32)
    kind = struct.unpack_from(">4s4xH", tag)
    assert kind[0] == b"para"
    numbers = struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind[1]]}i", tag, 12)
    g, a, b, c, d, e, f = [*(number / 65536 for number in numbers), *[0.0] * 7][:7]
    if kind[1] == 0:
        a, d = 1.0, -1.0
    elif kind[1] < 3:  # a constant below -b / a
        d, e, f, c = -b / a, c, c, 0.0
    power = np.maximum(a * x + b, 0) ** g + e
    curve: NDArray[np.float32] = np.where(x >= d, power, c * x + f).clip(0, 1).astype(np.float32)
    return curve
