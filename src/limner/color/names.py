"""One color as text: ``#rrggbb``, ``#rgb``, or a CSS color name."""

import difflib
import re

from PIL import ImageColor

from limner.errors import OptionError, printable, shortened


def parse_color(text: str, option: str) -> tuple[float, float, float]:
    """Read one color.

    Parameters
    ----------
    text : str
        ``"#rrggbb"``, ``"rrggbb"``, ``"#rgb"`` or a CSS color name such as ``"skyblue"``. Case,
        and spaces within a name, do not matter.
    option : str
        The option as it was typed, for the error message: ``"--palette"``.

    Returns
    -------
    tuple of float
        Red, green and blue, sRGB in 0..1.

    Raises
    ------
    OptionError
        The text is no such color.
    """
    word = re.sub(r"[\s_-]", "", text).lower()
    if re.fullmatch(r"[0-9a-f]{6}", word):  # to a shell, # begins a comment
        word = f"#{word}"
    if re.fullmatch(r"#([0-9a-f]{3}){1,2}", word) or word in ImageColor.colormap:
        red, green, blue = ImageColor.getrgb(word)[:3]
        return red / 255, green / 255, blue / 255
    shown = shortened(printable(text.strip() or '""'), 40)
    if word.startswith("#"):
        remedy = "write a color as #rrggbb, such as #ffcc00"
    elif near := difflib.get_close_matches(word, ImageColor.colormap, 1):
        remedy = f"no color has this name; did you mean {near[0]}?"
    else:
        remedy = "not a color; write #rrggbb, such as #ffcc00, or a name, such as gold"
    raise OptionError(f"{option} {shown}: {remedy}")
