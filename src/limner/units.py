"""Lengths, paper sizes and times with their units, as users type them."""

import math
import re

from limner.checks import flag
from limner.errors import OptionError

_METERS = {
    name: meters
    for names, meters in (
        ("mm millimeter millimeters millimetre millimetres", 1e-3),
        ("cm centimeter centimeters centimetre centimetres", 1e-2),
        ('in inch inches " ″', 0.0254),
        ("ft foot feet ' ′", 0.3048),
        ("m meter meters metre metres", 1.0),
    )
    for name in names.split()
}
_SECONDS = {
    name: seconds
    for names, seconds in (
        ("s sec secs second seconds", 1),
        ("m min mins minute minutes", 60),
        ("h hr hrs hour hours", 3600),
        ("day days", 86400),
    )
    for name in names.split()
}
# ISO 216, ANSI/ASME Y14.1 and American office paper, in meters, upright
PAPERS = {
    "a0": (0.841, 1.189),
    "a1": (0.594, 0.841),
    "a2": (0.420, 0.594),
    "a3": (0.297, 0.420),
    "a4": (0.210, 0.297),
    "a5": (0.148, 0.210),
    "a6": (0.105, 0.148),
    "letter": (0.2159, 0.2794),
    "legal": (0.2159, 0.3556),
    "tabloid": (0.2794, 0.4318),
}
INCH = _METERS["in"]


def to_meters(option: str, text: float | str) -> float:
    """Read a length: ``"40cm"``, or a number of meters. Units: m, cm, mm, in, ft.

    Text needs a unit: who types 40 hardly ever means meters.

    Parameters
    ----------
    option : str
        The parameter it was given for, named in the error.
    text : float or str
        What was given.

    Raises
    ------
    OptionError
        It is not a length, or not above 0.
    """
    number, unit = _split(text, _METERS)
    length = number * _METERS[unit or "m"]
    if not 0 < length < math.inf or (isinstance(text, str) and not unit):
        raise OptionError(
            f"{flag(option)} {text!r}: must be a length above 0 with a unit, as in 40cm, 4m, 16in"
        )
    return length


def as_length(meters: float) -> str:
    """Write a length for people: ``"4 mm"``, ``"60 cm"``, ``"4.5 m"``, ``"240 m"``."""
    if meters < 0.02:
        return f"{1000 * meters:.0f} mm"
    if meters < 1:
        return f"{100 * meters:.0f} cm"
    return f"{meters:.1f} m" if meters < 10 else f"{float(f'{meters:.2g}'):.0f} m"


def as_typed(meters: float) -> str:
    """Write a length of three digits as it can be typed: ``"16.7cm"``, ``"1.33m"``, ``"2150m"``."""
    factor, unit = (100, "cm") if meters < 1 else (1, "m")
    return f"{float(f'{factor * meters:.3g}'):.10g}{unit}"


def to_paper(option: str, text: str, *, wide: bool = False) -> tuple[float, float]:
    """Read a width and a height, ``"60x40cm"``, ``"24x16in"`` or ``"A4"``, in meters.

    Parameters
    ----------
    option : str
        The parameter it was given for, named in the error.
    text : str
        What was given.
    wide : bool
        A size with a name lies on its side.

    Raises
    ------
    OptionError
        It is not a paper size, or one of the sides is not above 0.
    """
    named = PAPERS.get(text.strip().lower())
    if named:
        return (named[1], named[0]) if wide else named
    across, _, down = text.replace("×", "x").partition("x")
    (width, own), (height, unit) = _split(across, _METERS), _split(down, _METERS)
    size = width * _METERS[own or unit or "cm"], height * _METERS[unit or "cm"]
    if not 0 < min(size) <= max(size) < math.inf or not unit:
        raise OptionError(
            f"{flag(option)} {text!r}: must be width x height with a unit, as in 60x40cm or "
            "24x16in, or a name: A0 to A6, letter, legal or tabloid"
        )
    return size


def to_factor(option: str, text: float | str) -> float:
    """Read a factor: a number, ``"2x"``, ``"x2"`` or ``"200%"``.

    Raises
    ------
    OptionError
        It is none of these.
    """
    if not isinstance(text, str):
        return float(text)
    plain = text.lower().replace("×", "x").strip()
    number, unit = _split(plain.removeprefix("x"), {"x": 1, "%": 1})
    if math.isnan(number):
        raise OptionError(f"{flag(option)} {text!r}: must be a factor, as in 2, 2x or 200%")
    return number / 100 if unit == "%" else number


def split_sides(text: str) -> tuple[int, int] | None:
    """Read a width and a height in pixels, ``"1200x800"``.

    Returns
    -------
    tuple of int or None
        The height and the width; None if the text is none of this kind.
    """
    found = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", text)
    return (int(found[2]), int(found[1])) if found else None


def to_seconds(option: str, text: float | str) -> float:
    """Read a time: ``"30s"``, ``"2m"``, ``"1.5 hours"``, or a number of seconds.

    Raises
    ------
    OptionError
        It is not a time, or not above 0.
    """
    number, unit = _split(text, _SECONDS)
    length = number * _SECONDS[unit or "s"]
    if not 0 < length < math.inf:
        raise OptionError(f"{flag(option)} {text!r}: must be a time above 0, as in 30s, 2m, 1h")
    return length


def _split(text: float | str, units: dict[str, float] | dict[str, int]) -> tuple[float, str]:
    """Split a number and its unit; the number is NaN if it is none, or the unit is unknown."""
    found = re.fullmatch(r"(.*?[0-9.])\s*([^0-9.\s]*)", str(text).strip())
    number, unit = (found[1], found[2]) if found else ("", "")
    unit = unit if len(unit) == 1 else unit.lower()
    if re.fullmatch(r"[0-9]+,[0-9]{1,2}", number):  # as most of Europe writes decimals
        number = number.replace(",", ".")
    try:
        return (float(number), unit) if unit in ("", *units) else (math.nan, "")
    except ValueError:
        return math.nan, ""
