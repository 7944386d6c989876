"""Lengths in the real world: distances, and the size of paper."""

import math

from limner.errors import OptionError

_METRES = {"mm": 1e-3, "cm": 1e-2, "in": 0.0254, "ft": 0.3048, "m": 1.0}
INCH = _METRES["in"]


def to_metres(text: float | str) -> float:
    """Read a length: a number of metres, or one with its unit, m, cm, mm, in or ft: ``"40cm"``.

    Raises
    ------
    OptionError
        It is none of these, or not above 0.
    """
    number, unit = _split(text)
    length = number * _METRES[unit or "m"]
    if not 0 < length < math.inf:
        raise OptionError(f"length {text!r}: must be above 0, as in 40cm, 4m or 16in")
    return length


def to_paper(text: str) -> tuple[float, float]:
    """Read a width and a height: ``"60x40cm"``, ``"24x16in"``; in metres.

    Raises
    ------
    OptionError
        It is no such thing, or one of them is not above 0.
    """
    across, _, down = text.replace("×", "x").partition("x")
    (width, own), (height, unit) = _split(across), _split(down)
    found = width * _METRES[own or unit or "cm"], height * _METRES[unit or "cm"]
    if not 0 < min(found) <= max(found) < math.inf or not unit:
        raise OptionError(f"paper {text!r}: must be a width and a height, as in 60x40cm or 24x16in")
    return found


def _split(text: float | str) -> tuple[float, str]:
    """A number and its unit; not a number where it is none."""
    number = str(text).strip()
    unit = next((unit for unit in _METRES if number.endswith(unit)), "")
    try:
        return float(number.removesuffix(unit)), unit
    except ValueError:
        return math.nan, ""
