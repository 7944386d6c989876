"""Write pictures: whole or not at all, with profile, resolution and recipe inside."""

import math
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from limner.errors import (
    OptionError,
    OutputError,
    check_no_address,
    file_in_the_way,
    printable,
    reason,
)
from limner.io import pdf, png16, tiff
from limner.io.atomic import whole_file
from limner.io.formats import WRITABLE, srgb_profile
from limner.io.openraster import Saved
from limner.io.recipe import COMMENT, bare_name, pack_exif

_EXIF_LIMIT = 65533  # bytes that one segment of a JPEG holds
# Signs (a colon would write a hidden stream of another file), an end that Windows drops, and names
# of devices, with any ending.
NOT_ON_WINDOWS = re.compile(
    r'[<>:"|?*\0-\x1f]|[. ]$|^(con|prn|aux|nul|(com|lpt)[0-9¹²³]|con(in|out)\$) *(\.|$)',
    re.IGNORECASE,
)
QUALITY = 95  # out of 100, for JPEG, WebP, AVIF and PDF


def check_output(
    path: str | os.PathLike[str], *, overwrite: bool = False, size: tuple[int, int] | None = None
) -> None:
    """Check, before any work, that `write` can write this file.

    Parameters
    ----------
    path : str or path
        The file to write.
    overwrite : bool
        Whether the file may exist already.
    size : tuple of int or None
        Height and width of the picture in pixels, if known.

    Raises
    ------
    OptionError
        The suffix does not name a format that limner writes.
    OutputError
        The folder is missing or read-only, the file exists, or the format cannot hold a picture
        of this size.
    """
    target, name = Path(path), printable(path)
    form, longest = _format_of(target)
    if size is not None and max(size) > longest:
        raise OutputError(
            f"{name}: {form} holds at most {longest} pixels a side, and the picture has "
            f"{max(size)}; write a .png or .tif"
        )
    check_place(target, overwrite=overwrite)


def check_place(target: Path, *, overwrite: bool) -> None:
    """Check that a file of any kind can be written there.

    Raises
    ------
    OutputError
        The folder is missing or read-only, or the file exists.
    """
    check_no_address(target, "name a file on this machine")
    name = printable(target)
    if in_the_way := file_in_the_way(target):
        raise OutputError(f"{name}: {in_the_way}; name a folder")
    if not target.parent.is_dir():
        raise OutputError(
            f"{name}: the folder {printable(target.parent)} is missing; make it first"
        )
    try:
        with TemporaryFile(dir=target.parent):  # Windows tells in no other way
            pass
    except OSError as error:
        raise OutputError(
            f"{name}: the folder {printable(target.parent)} cannot be written "
            f"({reason(error)}); choose another"
        ) from error
    if os.name == "nt" and NOT_ON_WINDOWS.search(target.name):
        raise OutputError(f"{name}: Windows does not allow this name; choose another")
    try:
        target.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # the name is too long, for example
        raise OutputError(f"{name}: {reason(error)}; choose another name") from error
    if target.exists() and not target.is_file():
        raise OutputError(f"{name}: is a folder or a device; choose another name")
    if not overwrite:
        raise _refusal(name)


def plain_name(name: str) -> str:
    """Return a name that every system allows for a file that came under this name."""
    coding = sys.getfilesystemencoding()
    known = bare_name(name).encode(coding, "replace").decode(coding)
    plain = re.sub(r"[^\w.-]", "_", known).lstrip(".")[-80:].rstrip(".") or "file"
    return f"_{plain}" if NOT_ON_WINDOWS.search(plain) else plain


def write(
    picture: Image.Image,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    keep_exif: bool = False,
    recipe: bool = True,
) -> tuple[str, ...]:
    """Write a picture to a file, whole or not at all: an error or a crash leaves no half file.

    The color profile, resolution, recipe and camera data in ``picture.info`` are written too. JPEG
    and PDF have no transparency: they get the picture on white. The same picture gives the same
    bytes.

    Parameters
    ----------
    picture : PIL.Image.Image
        RGB or RGBA; other modes are converted.
    path : str or path
        The suffix chooses the format: .png, .jpg, .webp, .avif, .tif or .pdf.
    overwrite : bool
        Replace the file if it exists.
    keep_exif : bool
        Keep the data that may tell where the picture was taken: GPS and the maker's notes.
    recipe : bool
        Write the recipe, if the picture has one.

    Returns
    -------
    tuple of str
        Remarks for the user: what the format could not hold.

    Raises
    ------
    OptionError
        The suffix does not name a format that limner writes.
    OutputError
        The file exists, or cannot be written; nothing is left behind.
    """
    target, name = Path(path), printable(path)
    check_output(target, overwrite=overwrite, size=(picture.height, picture.width))
    form, _ = _format_of(target)
    notes: list[str] = []
    with _whole(target, overwrite) as file:
        info = picture.info if recipe else {**picture.info, "limner": ""}
        options = _options(info, form, keep_exif, name, notes)
        image = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        image.info = {}  # Pillow would write parts of it
        if form in ("JPEG", "PDF") and image.mode == "RGBA":
            if image.getchannel("A").getextrema() != (255, 255):
                notes.append(f"{name}: {form} has no transparency; the picture is put on white")
            image = _on_white(image)
        values = _deep_values(picture.info.get("deep"), image)
        if values is not None and form not in ("PNG", "TIFF"):
            notes.append(f"{name}: written with 8 bits per channel; a .png or .tif keeps all 16")
        if form == "PDF":
            pdf.save(image, file, quality=QUALITY, **_page(info, image.size, name, notes))
        elif form == "PNG" and values is not None:
            metadata = BytesIO()
            image.crop((0, 0, 1, 1)).save(metadata, form, **options)
            png16.write_png(values, file, metadata.getvalue())
        elif form == "TIFF":
            tiff.write(np.asarray(image) if values is None else values, file, options)
        elif form == "JPEG":  # Pillow does not check whether the disk took all of it
            encoded = BytesIO()
            image.save(encoded, form, **options)
            file.write(encoded.getbuffer())
        else:
            image.save(file, form, **options)
    return tuple(notes)


def _write_animation(
    picture: Image.Image, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write all frames of an animated picture to a GIF."""
    with _whole(Path(path), overwrite) as file:
        picture.save(file, "GIF", save_all=True)


def _write_saved(view: Saved, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a view that saves itself, such as layers."""
    with _whole(Path(path), overwrite) as file:
        view.save(file)


def ending_of(view: Image.Image | Saved) -> str:
    """Return the suffix of a view's file, ``".gif"`` for example; empty for a plain picture."""
    if isinstance(view, Saved):
        return view.ending
    return ".gif" if getattr(view, "is_animated", False) else ""


def write_view(
    view: Image.Image | Saved,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    keep_exif: bool = False,
    recipe: bool = True,
) -> tuple[str, ...]:
    """Write a side file of a result: a picture, an animation, layers, or a color table.

    Parameters
    ----------
    view : PIL.Image.Image or Saved
        One of ``picture.info["beside"]``.
    path, overwrite, keep_exif, recipe
        As for `write`.

    Returns
    -------
    tuple of str
        Remarks for the user.

    Raises
    ------
    OutputError
        The file exists, or cannot be written; nothing is left behind.
    """
    if isinstance(view, Saved):
        _write_saved(view, path, overwrite=overwrite)
    elif ending_of(view):
        _write_animation(view, path, overwrite=overwrite)
    else:
        return write(view, path, overwrite=overwrite, keep_exif=keep_exif, recipe=recipe)
    return ()


@contextmanager
def _whole(target: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file to be written whole or not at all; every error becomes an OutputError."""
    name = printable(target)
    try:
        with whole_file(target, overwrite=overwrite) as file:
            yield file
    except FileExistsError as error:
        raise _refusal(name) from error
    except Exception as error:  # encoders raise more than OSError
        raise OutputError(
            f"{name}: cannot be written ({reason(error)}); choose another place or format"
        ) from error


def _format_of(target: Path) -> tuple[str, int]:
    try:
        return WRITABLE[target.suffix.lower()]
    except KeyError:
        kind = f"{printable(target.suffix)!r} files" if target.suffix else "files without an ending"
        raise OptionError(
            f"{printable(target)}: limner does not write {kind}; use one of {', '.join(WRITABLE)}"
        ) from None


def _deep_values(kept: object, image: Image.Image) -> png16.Values | None:
    """Return all 16 bits, unless the 8-bit picture was edited after they were stored."""
    shape = image.height, image.width, len(image.getbands())
    if not isinstance(kept, bytes) or len(kept) != 2 * math.prod(shape):
        return None
    values = np.frombuffer(kept, np.uint16).reshape(shape)
    for top in range(0, image.height, 256):
        band = image.crop((0, top, image.width, min(top + 256, image.height)))
        if np.abs(values[top : top + 256] / np.float32(257) - np.asarray(band)).max() > 0.6:
            return None
    return values


def _page(
    info: dict[str | tuple[int, int], Any], size: tuple[int, int], name: str, notes: list[str]
) -> dict[str, Any]:
    """Return the options of `pdf.save`. Without a resolution, 72 dpi, as in Pillow."""
    dpi = info.get("dpi") or (72, 72)
    length = max(side / per_inch for side, per_inch in zip(size, dpi, strict=True))
    if length > pdf.LONGEST:
        notes.append(
            f"{name}: at {dpi[0]:g} dpi the page would be {2.54 * length:.0f} cm long, more than "
            f"the {2.54 * pdf.LONGEST:.0f} cm that PDF viewers show, so it has "
            "that length. limner upscale --print makes a page of another size"
        )
        dpi = tuple(per_inch * length / pdf.LONGEST for per_inch in dpi)
    return {
        "dpi": dpi,
        "bleed": info.get("bleed", 0),
        "profile": info.get("icc_profile") or srgb_profile(),
        "recipe": info.get("limner", ""),
    }


def _on_white(picture: Image.Image) -> Image.Image:
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _options(
    info: dict[str | tuple[int, int], Any], form: str, keep_exif: bool, name: str, notes: list[str]
) -> dict[str, object]:
    """Return Pillow's options, and those of `tiff.write`, for a picture with this ``info``."""
    recipe, dpi, camera = info.get("limner", ""), info.get("dpi"), info.get("exif", b"")
    options: dict[str, object] = {"icc_profile": info.get("icc_profile")}
    if dpi:
        options["dpi"] = dpi
    if form == "PNG":
        text = PngInfo()
        if recipe:
            text.add_text("limner", recipe)
        options["pnginfo"] = text
    elif form != "TIFF":
        options["quality"] = QUALITY
    if form in ("JPEG", "AVIF"):
        options["subsampling"] = "4:4:4"  # WebP has only 4:2:0
    comment = COMMENT + recipe.encode("ascii", "replace") if recipe and form != "PNG" else b""
    limit = _EXIF_LIMIT if form == "JPEG" else 2**31
    exif = pack_exif(camera, comment, dpi, keep_exif, limit)
    if exif is None and camera:
        notes.append(f"{name}: the camera data is damaged or too long, and is left out")
        exif = pack_exif(b"", comment, dpi, keep_exif, limit)
    if exif is None:
        notes.append(
            f"{name}: the recipe is too long for {form} and is left out; a .png can hold it"
        )
    if exif:
        options["exif"] = exif
    return options


def _refusal(name: str) -> OutputError:
    return OutputError(f"{name}: already exists; choose another name, or use --overwrite")
