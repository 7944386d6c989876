"""Name files that are no pictures limner reads, and say what to do with them."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Literal

LOOKED_AT = 65536  # bytes from the start of a file

# Camera raw files are TIFF files inside, which opens as a small preview.
_RAW = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".gpr", ".iiq", ".kdc", ".mef"}
    | {".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf"}
    | {".srw", ".x3f"}
)
# endings of pictures that limner does not read, but names in a folder
ENDINGS = _RAW | {".exr", ".hdr", ".jxl"}
RAW_REMEDY = "is a camera raw file; develop it, and save it as TIFF or JPEG"
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_TEXT = re.compile(rb"[\t\n\r\f -~\x80-\xff]+")
_UNUSUAL_TIFF = "is damaged, or a TIFF of a kind that limner does not read; save it as PNG"
_AVIF = (b"avif", b"avis")
_HDR = "picture with high dynamic range; tone-map it, and save it as PNG"
_STARTS = {
    b"%PDF": "is a PDF document; export its page as PNG",
    b"8BPS": "is a Photoshop document; export it as PNG",
    b"\xff\x0a": "is a JPEG XL picture; convert it to PNG",
    b"\x00\x00\x00\x0cJXL ": "is a JPEG XL picture; convert it to PNG",
    b"gimp xcf": "is a GIMP document; export it as PNG",
    b"PK\x03\x04": "is an archive or a document (ZIP); take the picture out of it",
    b"\x76\x2f\x31\x01": f"is an OpenEXR {_HDR}",
    b"#?RADIANCE": f"is a Radiance {_HDR}",
    b"#?RGBE": f"is a Radiance {_HDR}",
    b"PF\n": f"is a PFM {_HDR}",
    b"SIMPLE  =": "is a FITS file of measurements; scale them, and save them as PNG",
    b"II\xbc\x01": "is a JPEG XR picture; convert it to PNG",
    b"SDPX": "is a DPX frame of a film; convert it to PNG",
    b"XPDS": "is a DPX frame of a film; convert it to PNG",
    b"DDS ": "is a DDS texture; convert it to PNG",
    b"qoif": "is a QOI picture; convert it to PNG",
    b"AT&TFORM": "is a DjVu document; export its page as PNG",
    b"\0\0\1\0": "is an icon (ICO); save one of its pictures as PNG",
    b"icns": "is an icon (ICNS); save one of its pictures as PNG",
    b"%!PS": "is a PostScript document; export it as PNG",
    b"\x1aE\xdf\xa3": "is a video; save one frame as PNG",
    b"II*\0\x10\0\0\0CR": RAW_REMEDY,  # Canon
    b"FUJIFILMCCD-RAW": RAW_REMEDY,
    b"IIU\0": RAW_REMEDY,  # Panasonic
    b"IIRO": RAW_REMEDY,  # Olympus
    b"IIRS": RAW_REMEDY,
    b"FOVb": RAW_REMEDY,  # Sigma
    b"\0MRM": RAW_REMEDY,  # Minolta
    b"II*\0": _UNUSUAL_TIFF,
    b"MM\0*": _UNUSUAL_TIFF,
    b"II+\0": _UNUSUAL_TIFF,
    b"MM\0+": _UNUSUAL_TIFF,
}
_INSTEAD = {
    "web page": "open it in a browser, and save the picture itself",
    "Git LFS pointer": "get the picture with git lfs pull",
}


def is_raw(name: str) -> bool:
    """Whether a file name is that of a camera raw file."""
    return PurePath(name).suffix.lower() in _RAW


def without_twins(paths: Sequence[Path]) -> list[Path]:
    """Leave out pictures that limner does not read if one that it reads lies beside them.

    Many cameras and programs store ``photo.jpg`` beside ``photo.cr2``.
    """
    read = {path.with_suffix("") for path in paths if path.suffix.lower() not in ENDINGS}
    return [
        path
        for path in paths
        if path.suffix.lower() not in ENDINGS or path.with_suffix("") not in read
    ]


def is_heic(start: bytes) -> bool:
    """Whether a file that begins so is a HEIC photo, as many phones take."""
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF


def explain(start: bytes) -> str | None:
    """Say what a file is that Pillow does not read, and the remedy; None if it is not known.

    Parameters
    ----------
    start : bytes
        The first bytes of the file, at least `LOOKED_AT` of them if it has so many.
    """
    for magic, explanation in _STARTS.items():
        if start.startswith(magic):
            return explanation
    if is_heic(start):
        return 'is a HEIC photo; pip install "limner[heif]", or convert it to JPEG'
    if start.startswith(b"\xff\xd8") and (kind := _kind_of_jpeg(start)):
        return f"is a JPEG {kind}, which limner does not read; save it as PNG"
    if start[4:12] == b"ftypcrx ":  # Canon
        return RAW_REMEDY
    if start[4:8] == b"ftyp" and start[8:12] not in _AVIF:
        return "is a video; save one frame as PNG"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text:
        return "is an SVG drawing; export it as PNG"
    kind = kind_of_text(start)
    if kind is not None:
        return f"is a {kind}, not a picture; {_INSTEAD[kind]}"
    if _TEXT.fullmatch(start) and not start.startswith((b"\xff\xd8", b"GIF", b"BM")):
        return "is damaged, or a text file; copy or download the picture again"
    return None


def kind_of_text(start: bytes) -> Literal["web page", "Git LFS pointer"] | None:
    """Recognize what downloads leave in place of a file that begins so."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        return "Git LFS pointer"
    return "web page" if text.startswith((b"<!doctype html", b"<html")) else None


def _kind_of_jpeg(start: bytes) -> str | None:
    """Say what is unusual about a JPEG (ITU T.81, B.2.2 and table B.1)."""
    place = 2
    while start[place : place + 1] == b"\xff" and len(start) >= place + 5:
        marker = start[place + 1]
        if marker in (0xC3, 0xC7, 0xCB, 0xCF, 0xF7):
            return "without loss"
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return f"of {start[place + 4]} bits per channel" if start[place + 4] != 8 else None
        place += 2 + int.from_bytes(start[place + 2 : place + 4])
    return None
