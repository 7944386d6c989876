"""Upright copies of pictures for the browser."""

from pathlib import Path

from PIL import ExifTags, Image, ImageOps

from limner.io import formats, missing_rows, profiles
from limner.io.atomic import whole_file


def upright(image: Image.Image) -> Image.Image:
    """Return a picture as viewers show it: rotated per its Exif data, 8 bits, L, RGB or RGBA."""
    shown = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        shown = shown.convert("I").point(lambda value: value / 257)  # 16 bits -> 8
    if shown.mode not in ("L", "RGB", "RGBA"):
        has_alpha = shown.has_transparency_data
        shown = shown.convert("L" if image.mode[0] in "IF" else "RGBA" if has_alpha else "RGB")
    return shown


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height as viewers show the picture."""
    width, height = image.size
    sideways = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    return (height, width) if sideways else (width, height)


def has_alpha(image: Image.Image) -> bool:
    """Return whether a picture may have transparent parts."""
    return bool(image.has_transparency_data)


def write_view(source: Path, target: Path, longest: int) -> None:
    """Write a copy of a picture that browsers show, as WebP.

    Parameters
    ----------
    source, target : path
        The picture and its copy.
    longest : int
        Its longest side in pixels, at most 16,383 (a limit of WebP).

    Raises
    ------
    InputError
        The picture cannot be read.
    """
    with formats.opened(source) as (image, file):
        if image.mode == "RGB" and image.format == "JPEG":
            image.draft("RGB", (longest, longest))  # decodes fewer pixels
        profiles.name_colors(image, file)
        small = upright(missing_rows.load(image, file))
        small.thumbnail((longest, longest), reducing_gap=2.0)
        profile = None if image.mode == "CMYK" else profiles.profile_of(image)
    with whole_file(target) as file:
        small.save(file, "WEBP", quality=90, method=2, icc_profile=profile)
