"""What a verb's signature and docstring say: its options, their types, defaults and help."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from PIL import Image

REQUIRED = inspect.Parameter.empty

# What the program hands over itself, so that nobody is asked for it.
_INNER = ("on_step", "checkpoint", "run")


@dataclass(frozen=True)
class Option:
    """One parameter of a verb, as a person is asked for it.

    Attributes
    ----------
    name : str
        The parameter's: ``"style_scale"``.
    kind : type
        ``str``, ``int``, ``float``, ``bool``, ``Path``, a ``Literal``, or a ``list`` of one.
    default : object
        The signature's, or ``REQUIRED``.
    help : str
        The docstring's, on one line.
    input : bool
        Given by its place, before all options.
    several : bool
        An input that can be given any number of times.
    picture : bool
        Takes a picture: a file, or one of the choices.
    choices : tuple of str
        Words that are taken, alone or beside the name of a file.
    """

    name: str
    kind: Any
    default: object
    help: str
    input: bool
    several: bool
    picture: bool
    choices: tuple[str, ...]

    @property
    def flag(self) -> str:
        """How it is spelt: ``--style-scale``, ``--print`` for ``print_``, ``-n``."""
        name = self.name.strip("_").replace("_", "-")
        return f"-{name}" if len(name) == 1 else f"--{name}"


def of(verb: Callable[..., object]) -> list[Option]:
    """Give the options of a verb, in the order of its signature."""
    helps = _helps(inspect.getdoc(verb) or "")
    return [
        Option(
            parameter.name,
            _kind(parameter.annotation),
            parameter.default,
            helps.get(parameter.name, ""),
            parameter.kind is not parameter.KEYWORD_ONLY,
            parameter.kind is parameter.VAR_POSITIONAL,
            _takes(parameter.annotation, Image.Image),
            _choices(parameter.annotation),
        )
        for parameter in inspect.signature(verb).parameters.values()
        if parameter.name not in _INNER
    ]


def _helps(docstring: str) -> dict[str, str]:
    """The help of every parameter, out of a docstring in NumPy's style."""
    parts = re.split(r"\n\n(\w+)\n-+\n", docstring)
    section = dict(zip(parts[1::2], parts[2::2], strict=True)).get("Parameters", "")
    helps: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section):
        names, _, text = entry.partition("\n")
        for name in names.partition(" : ")[0].split(","):
            helps[name.strip("* ")] = " ".join(text.replace("`", "").split())
    return helps


def _kind(annotation: Any) -> Any:
    """What of an annotation a person can type."""
    parts = _parts(annotation)
    if str in parts:
        return str
    for part in parts:
        if get_origin(part) is Sequence:
            return list[_kind(get_args(part)[0])]  # type: ignore[misc]
    return next(part for part in parts if part is not NoneType)


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the type alone."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _takes(annotation: Any, wanted: type) -> bool:
    return any(
        part is wanted or (get_origin(part) is Sequence and _takes(get_args(part)[0], wanted))
        for part in _parts(annotation)
    )


def _choices(annotation: Any) -> tuple[str, ...]:
    return sum((get_args(p) for p in _parts(annotation) if get_origin(p) is Literal), ())
