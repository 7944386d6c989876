"""Name files that are no pictures limner reads, and say what to do with them."""

from pathlib import PurePath

LOOKED_AT = 1024  # bytes from the start of a file

# Camera raw files are TIFF files inside, which opens as a small preview.
_RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2")
RAW_REMEDY = "is a camera raw file; develop it, and save it as TIFF or JPEG"
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_STARTS = {
    b"%PDF": "is a PDF document; export its page as PNG",
    b"8BPS": "is a Photoshop document; export it as PNG",
    b"\xff\x0a": "is a JPEG XL picture; convert it to PNG",
    b"\x00\x00\x00\x0cJXL ": "is a JPEG XL picture; convert it to PNG",
    b"gimp xcf": "is a GIMP document; export it as PNG",
    b"PK\x03\x04": "is an archive or a document (ZIP); take the picture out of it",
    b"%!PS": "is a PostScript document; export it as PNG",
    b"\x1aE\xdf\xa3": "is a video; save one frame as PNG",
    b"version https://git-lfs": "is a Git LFS pointer, not the picture; run git lfs pull",
}


def is_raw(name: str) -> bool:
    """Whether a file name is that of a camera raw file."""
    return PurePath(name).suffix.lower() in _RAW


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
    if start[4:8] == b"ftyp":
        return "is a video; save one frame as PNG"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text:
        return "is an SVG drawing; export it as PNG"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is a web page; open it in a browser, and save the picture itself"
    return None
