"""The values of a form, checked and made into a call."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin

from limner.errors import OptionError, printable
from limner.signature import REQUIRED
from limner.web.forms import SAVED, Field, Tab, fields, labels

_TEXT = re.compile(r"[\w#%., :;=+-]*")  # without slashes, so it cannot leave a folder


@dataclass(frozen=True)
class Call:
    """A verb and its arguments. Pictures are paths, and options with default values are absent."""

    tab: Tab
    inputs: list[str]
    options: dict[str, Any] = field(default_factory=dict)


def make_call(
    tab: Tab,
    values: Mapping[str, Any],
    files: Mapping[str, Sequence[str]],
    folder: Path = Path(),
) -> Call:
    """Make a call from the values of a form.

    Parameters
    ----------
    tab : Tab
        The tab of the form.
    values : mapping of str to object
        The values of the fields that are not files, by option.
    files : mapping of str to sequence of str
        Pictures and weights files, by option.
    folder : path
        The folder where the verb writes its other files.

    Raises
    ------
    OptionError
        A picture is missing, a value is not allowed, or an option has both a value and a picture.
    """
    inputs: list[str] = []
    options: dict[str, Any] = {}
    for one in fields(tab):
        option, name = one.option, one.option.name
        if one.kind == "picture_weights":
            files = {**files, name: _with_weights(one, files.get(name, ()), values.get(name))}
        elif one.kind not in ("picture", "weights_file"):
            value = _value(one, values.get(name), folder)
            if value is not None and value not in (option.default, one.initial):
                options[name] = value
        elif option.input:
            if option.default is REQUIRED and not files.get(name):
                raise OptionError(f"“{one.label}”: is empty; drop a picture there first")
            inputs += files.get(name, ())
        elif paths := list(files.get(name, ())):
            if name in options:
                shown = printable(str(options[name]))[:40]
                raise OptionError(
                    f"“{labels(tab)[option.flag]}” {shown}: there is a file too; remove one of them"
                )
            options[name] = paths if get_origin(option.kind) is list else paths[0]
    if not inputs and not any(name in options for name in tab.pictures):
        places = " and ".join(f"“{label}”" for label in tab.pictures.values())
        raise OptionError(f"{places}: are empty; drop a file into one of them first")
    return Call(tab, inputs, options)


def _with_weights(one: Field, paths: Sequence[str], value: Any) -> list[str]:
    """Return pictures with their weights, as the verb reads them: ``wave.jpg:0.7``."""
    text = str(value or "").strip()
    try:
        weights = [float(word) for word in re.split(r"[,\s]+", text)] if text else []
    except ValueError:
        raise OptionError(f"“{one.label}” {printable(text)[:40]}: must be numbers") from None
    if len(weights) > len(paths):
        raise OptionError(
            f"“{one.label}” {text}: has {len(weights)} numbers for {len(paths)} pictures"
        )
    weighted = [f"{path}:{weight:g}" for path, weight in zip(paths, weights, strict=False)]
    return [*weighted, *paths[len(weights) :]]


def _value(one: Field, value: Any, folder: Path) -> Any:
    """Return the value of an option; None for its default."""
    if one.kind == "save":
        return folder / SAVED[one.option.name] if value else None
    value = value.strip() if isinstance(value, str) else value
    if value is None or value == "" or value == []:
        return None
    if one.kind == "checkbox":
        return bool(value)
    if one.kind == "choice":
        if value not in one.choices:
            known = ", ".join(filter(None, one.choices))
            raise OptionError(f"“{one.label}” {printable(str(value))[:40]}: must be one of {known}")
        return value
    if one.kind in ("slider", "number", "integer"):
        return _number(one, value)
    return _text(one, str(value)) or None


def _text(one: Field, text: str) -> str | list[int] | list[str]:
    """Check a text. It must not name a file of the server: the verb could open it."""
    if len(text) > one.longest or not _TEXT.fullmatch(text) or _names_file(text):
        raise OptionError(
            f"“{one.label}” {printable(text)[:40]}: must be plain words or numbers, at most "
            f"{one.longest} characters, and not the name of a file"
        )
    if one.option.kind == list[str]:
        return [part.strip() for part in text.split(";") if part.strip()]
    if one.option.kind != list[int]:
        return text
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise OptionError(
            f"“{one.label}” {text}: must be a whole number, or several with commas between them"
        ) from None


def _names_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # longer than any file name
        return False


def _number(one: Field, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        shown = printable(str(value))[:40]
        raise OptionError(f"“{one.label}” {shown}: must be a number") from None
    if one.option.kind is not int:
        return number
    if not number.is_integer():
        raise OptionError(f"“{one.label}” {number:g}: must be a whole number")
    return int(number)
