"""Small, upright copies of pictures for the browser, and pairs of them to compare."""

from pathlib import Path

from PIL import Image, ImageOps

from limner.io import formats

LONGEST = 1024  # pixels, longest side of a thumbnail
_DETAIL = (720, 540)  # pixels, width and height of a detail: about what a page has space for

Pair = tuple[Image.Image, Image.Image]


def upright(image: Image.Image) -> Image.Image:
    """Return a picture as viewers show it: rotated per its Exif data, 8 bits, L, RGB or RGBA."""
    shown = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        shown = shown.convert("I").point(lambda value: value / 257)  # 16 bits -> 8
    if shown.mode not in ("L", "RGB", "RGBA"):
        has_alpha = shown.has_transparency_data
        shown = shown.convert("L" if image.mode[0] in "IF" else "RGBA" if has_alpha else "RGB")
    return shown


def thumbnail(image: Image.Image, longest: int = LONGEST) -> tuple[Image.Image, tuple[int, int]]:
    """Return a small, upright copy of a picture, and the width and height of the original."""
    small = upright(image)
    size = small.size
    small.thumbnail((longest, longest), reducing_gap=2.0)
    small.info["icc_profile"] = None if image.mode == "CMYK" else image.info.get("icc_profile")
    return small, size


def same_size(before: Path, after: Path) -> Pair:
    """Return two pictures for a slider, the first one resized and cropped to the second."""
    with Image.open(before) as first, Image.open(after) as second:
        new = second.convert("RGB")
        return ImageOps.fit(first.convert("RGB"), new.size, Image.Resampling.BICUBIC), new


def details(before: Path, after: Path, *, fills: bool) -> Pair:
    """Return the center of an enlarged picture, pixel for pixel, and the same part of the original.

    The original is enlarged with bicubic interpolation.

    Parameters
    ----------
    before, after : path
        The original and the enlarged picture.
    fills : bool
        Whether the enlarged picture fills its paper, so that its edges were cropped. If not, all
        of the original is on it.
    """
    with formats.opened(before) as (image, _):
        original = upright(image)
    with formats.opened(after) as (image, _):
        enlarged = upright(image)
    ratios = [new / old for new, old in zip(enlarged.size, original.size, strict=True)]
    scale = max(ratios) if fills else min(ratios)
    width, height = (min(most, side) for most, side in zip(_DETAIL, enlarged.size, strict=True))
    part = (
        min(width / scale, original.width),
        min(height / scale, original.height),
    )
    old, new = (
        whole.convert("RGB").resize(
            (width, height), Image.Resampling.BICUBIC, _centered(whole.size, crop)
        )
        for whole, crop in ((original, part), (enlarged, (width, height)))
    )
    return old, new


def _centered(
    size: tuple[int, int], crop: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Return the box (left, top, right, bottom) of a crop at the center of a picture."""
    x, y = ((side - part) / 2 for side, part in zip(size, crop, strict=True))
    return x, y, x + crop[0], y + crop[1]
