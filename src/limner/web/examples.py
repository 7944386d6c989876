"""Pictures to begin with: the project's own where they are, and small ones drawn here."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

_OWN = Path(__file__).parents[3] / "examples"  # beside src, in a checkout
_SIZE = (640, 448)


def example(name: str, folder: Path) -> Path:
    """Give a picture: ``photo``, ``painting`` or ``drawing``.

    Parameters
    ----------
    name : str
        Which.
    folder : path
        Where it is put if it has to be drawn.
    """
    own = _OWN / f"{name}.jpg"
    if own.is_file():
        return own
    drawn = folder / f"example-{name}.png"
    if not drawn.exists():
        _DRAWN[name]().save(drawn)
    return drawn


def _drawing() -> Image.Image:
    """A house, a tree, a hill and the sun, in outlines; twice as large, for smooth lines."""
    sheet = Image.new("L", (_SIZE[0] * 2, _SIZE[1] * 2), 255)
    pen = ImageDraw.Draw(sheet)
    pen.arc((-500, 480, 1000, 1500), 200, 340, 0, 7)
    pen.arc((500, 540, 1900, 1500), 195, 345, 0, 7)
    pen.rectangle((330, 380, 690, 660), 255, 0, 8)
    pen.polygon([(290, 380), (510, 210), (730, 380)], 255, 0, 8)
    pen.rectangle((470, 520, 560, 660), 255, 0, 7)
    for x in (370, 590):
        pen.rectangle((x, 430, x + 70, 500), 255, 0, 6)
        pen.line((x + 35, 430, x + 35, 500), 0, 5)
    pen.rectangle((960, 480, 1000, 690), 255, 0, 7)
    pen.ellipse((860, 240, 1100, 510), 255, 0, 8)
    pen.ellipse((1060, 60, 1190, 190), 255, 0, 7)
    return sheet.resize(_SIZE, Image.Resampling.LANCZOS).convert("RGB")


def _photo() -> Image.Image:
    """A landscape of plain light: sky, sun, hills."""
    sky = Image.linear_gradient("L").resize(_SIZE)
    picture = Image.merge(
        "RGB", [sky.point(lambda v, k=k: 90 + v * k // 256) for k in (150, 90, 20)]
    )
    pen = ImageDraw.Draw(picture)
    pen.ellipse((430, 90, 510, 170), (255, 235, 180))
    for step, colour in enumerate(((96, 120, 110), (70, 100, 76), (44, 72, 52))):
        top = 230 + 60 * step
        pen.ellipse((-300 + 260 * step, top, 500 + 300 * step, top + 500), colour)
    return picture


def _painting() -> Image.Image:
    """Broad strokes in a few colours."""
    picture = Image.new("RGB", _SIZE, (34, 60, 110))
    pen = ImageDraw.Draw(picture)
    colours = ((240, 190, 60), (40, 90, 160), (200, 90, 50), (230, 230, 210), (20, 40, 80))
    for number in range(900):
        x, y = number * 97 % _SIZE[0], number * 61 % _SIZE[1]
        bend = (x - 320) * (y - 224) // 900
        pen.line((x, y, x + 40, y + bend % 50 - 25), colours[(x // 90 + y // 70) % 5], 9)
    return picture


_DRAWN: dict[str, Callable[[], Image.Image]] = {
    "photo": _photo,
    "painting": _painting,
    "drawing": _drawing,
}
