"""A contact sheet of finished pictures, with their names."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageCms, ImageDraw, ImageFont

from limner.errors import LimnerError, printable
from limner.io import formats
from limner.io.formats import srgb_profile

_CELL, _SHEET = 320, 6000  # pixels: of a picture, and of the whole sheet at most
_GAP, _TEXT = 12, 14


def contact_sheet(pictures: Sequence[Path]) -> Image.Image:
    """Lay files on a white sheet, row by row, each with its name below it.

    Parameters
    ----------
    pictures : sequence of Path
        At least one. Of a file that is not a picture, such as a PDF, only the name is shown.

    Returns
    -------
    PIL.Image.Image
        RGB, at most 6000 pixels wide for up to 45,000 pictures.
    """
    columns = math.ceil(len(pictures) ** 0.5)
    rows = math.ceil(len(pictures) / columns)
    width = max(16, min(_CELL, (_SHEET - _GAP) // columns - _GAP))
    small = [_thumbnail(path, width) for path in pictures]
    height = max(one.height for one in small)
    across, down = width + _GAP, height + _GAP + _TEXT
    sheet = Image.new("RGB", (columns * across + _GAP, rows * down + _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT - 3)
    for index, (path, one) in enumerate(zip(pictures, small, strict=True)):
        left, top = _GAP + index % columns * across, _GAP + index // columns * down
        sheet.paste(one, (left + (width - one.width) // 2, top + (height - one.height) // 2))
        name = _shortened(printable(path.stem), font, width)
        draw.text((left, top + height), name, "black", font)
    sheet.info["icc_profile"] = srgb_profile()
    return sheet


def _thumbnail(path: Path, side: int) -> Image.Image:
    """Return a small picture on white; white if the file cannot be read."""
    try:
        with formats.opened(path) as (image, _):
            profile = image.info.get("icc_profile")
            image.draft("RGB", (side, side))  # JPEG can be read at a smaller size
            small = image.convert("RGBA")
            small.thumbnail((side, side))
            if profile not in (None, srgb_profile()):
                small = _in_srgb(small, profile)
    except LimnerError:
        return Image.new("RGB", (side, 1), "white")
    white = Image.new("RGBA", small.size, "white")
    return Image.alpha_composite(white, small).convert("RGB")


def _in_srgb(rgba: Image.Image, profile: bytes) -> Image.Image:
    theirs, ours = (ImageCms.ImageCmsProfile(BytesIO(one)) for one in (profile, srgb_profile()))
    rgb = ImageCms.profileToProfile(rgba.convert("RGB"), theirs, ours)
    assert rgb is not None
    rgb.putalpha(rgba.getchannel("A"))
    return rgb


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a name off where it is wider than its picture."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
