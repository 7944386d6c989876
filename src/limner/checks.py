"""Checks of options that several verbs share."""

import math
from collections.abc import Iterable

from limner.errors import OptionError


def flag(option: str) -> str:
    """Return an option as it is typed: ``--style-scale`` for ``style_scale``."""
    name = option.strip("_").replace("_", "-")
    return f"-{name}" if len(name) == 1 else f"--{name}"


def check_range(option: str, value: float | None, low: float, high: float = math.inf) -> None:
    """Refuse a number outside ``low`` to ``high``. None, an option that was not given, passes.

    Parameters
    ----------
    option : str
        The name of the parameter: ``"style_scale"``.
    value : float or None
        What was given.
    low, high : float
        The limits, both allowed.

    Raises
    ------
    OptionError
        The value is outside, or not a number.
    """
    if value is None or low <= value <= high:
        return
    limits = f"from {low:.10g} to {high:.10g}" if high < math.inf else f"at least {low:.10g}"
    try:
        shown = f"{value:.10g}"
    except OverflowError:  # a whole number beyond what a float holds
        shown = "(hundreds of digits)"
    raise OptionError(f"{flag(option)} {shown}: must be {limits}")


def check_choice(option: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a word that is not one of the choices. None, an option that was not given, passes.

    Raises
    ------
    OptionError
        The word is not one of the choices.
    """
    known = list(choices)
    if value is not None and value not in known:
        raise OptionError(f"{flag(option)} {value}: must be one of {', '.join(known)}")
