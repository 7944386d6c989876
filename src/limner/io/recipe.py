"""Recipes: how a picture was made, as JSON inside its file. `limner replay` makes it again."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import TypeGuard

from PIL import Image
from PIL.ExifTags import IFD, Base

from limner._version import __version__
from limner.errors import InputError, printable
from limner.io import pdf, tiff
from limner.io.formats import binary, opened
from limner.io.picture import Picture

_MARK = b"Exif\0\0"  # EXIF data begins with it, a TIFF follows
COMMENT = b"ASCII\0\0\0limner "  # EXIF 2.32, 4.6.5: UserComment begins with its encoding
# These EXIF tags are kept, with the tables of exposure and place. The rest (size, layout, profile)
# describes the file that was read.
_CAMERA_TAGS = (
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.DateTime,
    Base.Artist,
    Base.Copyright,
)
_EARLIER_LIMIT = 20_000  # characters of the recipes of earlier steps; a JPEG holds 65,000 bytes
_RECIPE_LIMIT = 1_000_000  # characters; ours have hundreds, other files may have any number


def make_recipe(
    verb: str,
    inputs: Sequence[str],
    options: Mapping[str, object],
    pictures: Iterable[Picture],
    weights: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Describe a call, so that `limner replay` can make it again.

    Parameters
    ----------
    verb : str
        The public function that was called.
    inputs : sequence of str
        Its inputs as they were given: paths of files, some with a weight (``wave.jpg:0.7``).
    options : mapping
        Its keyword options, fit for JSON.
    pictures : iterable of Picture
        The pictures that were read: the recipe holds their names and hashes.
    weights : mapping of str to str
        The same of weights files: name to SHA-256.

    Returns
    -------
    dict
        For `to_picture`. It names files without their folders, which may tell who made the picture.
        If limner made the first input, ``made_from`` is the recipe of that.
    """
    pictures = list(pictures)
    recipe: dict[str, object] = {
        "verb": verb,
        "version": __version__,
        "inputs": list(inputs),
        "options": dict(options),
        "files": {picture.name: picture.sha256 for picture in pictures} | dict(weights or {}),
    }
    first = pictures[0] if pictures and inputs and pictures[0].name == inputs[0] else None
    if first is not None and first.recipe is not None and len(first.recipe) <= _EARLIER_LIMIT:
        earlier = _parsed(first.recipe)
        if earlier is not None:
            recipe["made_from"] = earlier
    return without_folders(recipe)


def without_folders(recipe: Mapping[str, object]) -> dict[str, object]:
    """Return a recipe, and those of its earlier steps, with names of files instead of paths.

    Of different files with one name, the second becomes ``photo (2).jpg``. `limner replay` finds
    files by their hashes.
    """
    files, earlier = recipe.get("files"), recipe.get("made_from")
    names: dict[str, str] = {}  # by path
    hashes: dict[str, object] = {}  # by name
    for path, sha256 in files.items() if isinstance(files, dict) else ():
        name = bare_name(path)
        stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
        numbered = (f"{stem} ({number}){dot}{ending}" for number in count(2))
        while hashes.setdefault(name, sha256) != sha256:
            name = next(numbered)
        names[path] = name

    def bare(value: object) -> object:
        if isinstance(value, list | tuple):
            return [bare(one) for one in value]
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(text, str):
            return value
        path, colon, weight = text.rpartition(":")
        return names.get(text) or (f"{names[path]}{colon}{weight}" if path in names else text)

    changed = {"files": hashes, "inputs": bare(recipe.get("inputs"))}
    if isinstance(options := recipe.get("options"), dict):
        changed["options"] = {name: bare(value) for name, value in options.items()}
    if isinstance(earlier, dict):
        changed["made_from"] = without_folders(earlier)
    return {**recipe, **changed}


def bare_name(path: str) -> str:
    """Return the name of a file without its folder, on whatever system it was written."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def hash_of(content: Path | bytes) -> str:
    """Return the SHA-256 of a file, or of bytes, in hexadecimal.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    about = content.stat()
    return _hash_of_file(content, about.st_size, about.st_mtime_ns)


@cache
def _hash_of_file(path: Path, size: int, changed: int) -> str:
    """Hash a file once, as long as its size and its time of change stay the same."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recipe_of(path: str | os.PathLike[str]) -> dict[str, object]:
    """Read the recipe in a picture. Anybody may have written it, so its values must be checked.

    Parameters
    ----------
    path : str or path
        A picture that limner wrote.

    Returns
    -------
    dict
        What `make_recipe` made, as JSON.

    Raises
    ------
    InputError
        The file cannot be read, or has no recipe, or a damaged one.
    """
    name = printable(path)
    if Path(path).suffix.lower() == ".pdf":
        with binary(path) as file:
            text = pdf.recipe_of(file.read())
    else:
        with opened(path) as (image, _):
            text = text_of(image)
    if not isinstance(text, str):
        raise InputError(
            f"{name}: has no limner recipe; use a file as limner wrote it, not an edited copy"
        )
    recipe = _parsed(text) if len(text) <= _RECIPE_LIMIT else None
    if recipe is None:
        raise InputError(
            f"{name}: its limner recipe is damaged; use a file as limner wrote it, not "
            "an edited copy"
        )
    return recipe


def _parsed(text: str) -> dict[str, object] | None:
    """Read JSON; return None if it is damaged, or no object."""
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) else None


def text_of(image: Image.Image) -> str | None:
    """Return the text in the place of the recipe, if there is any."""
    text = image.info.get("limner")  # PNG, or a picture in memory
    if text is None:
        try:
            comment = image.getexif().get_ifd(IFD.Exif).get(Base.UserComment)
        except Exception:  # damaged EXIF data
            return None
        if _is_recipe(comment):
            text = comment.removeprefix(COMMENT).decode("ascii", "replace")
    return text if isinstance(text, str) else None


def pack_exif(
    camera: bytes, comment: bytes, dpi: tuple[float, float] | None, keep_exif: bool, limit: int
) -> bytes | None:
    """Pack camera data, recipe and resolution as EXIF; None if damaged or over `limit` bytes."""
    if not (camera or comment or dpi):
        return b""
    try:
        found, exif = Image.Exif(), Image.Exif()
        found.load(camera)
        exif.update({tag: found[tag] for tag in _CAMERA_TAGS if tag in found})
        details = dict(found.get_ifd(IFD.Exif))
        for tag in (Base.ExifImageWidth, Base.ExifImageHeight, Base.ExifInteroperabilityOffset):
            details.pop(tag, None)
        if Base.ColorSpace in details:
            details[Base.ColorSpace] = 1  # sRGB
        if _is_recipe(details.get(Base.UserComment)):
            del details[Base.UserComment]  # the recipe of the picture that this one was made from
        if comment:
            details[Base.UserComment] = comment
        if keep_exif and IFD.GPSInfo in found:
            exif.get_ifd(IFD.GPSInfo).update(found.get_ifd(IFD.GPSInfo))
        if not keep_exif:
            details.pop(IFD.MakerNote, None)
        if details:
            exif.get_ifd(IFD.Exif).update(details)
        if dpi:  # WebP and AVIF have no other field for it
            exif[Base.XResolution], exif[Base.YResolution] = dpi
            exif[Base.ResolutionUnit] = 2  # inch
        packed = _MARK + tiff.with_exif_types(exif.tobytes()[len(_MARK) :])
    except Exception:
        return None
    return packed if len(packed) <= limit else None


def _is_recipe(comment: object) -> TypeGuard[bytes]:
    return isinstance(comment, bytes) and comment.startswith(COMMENT)
