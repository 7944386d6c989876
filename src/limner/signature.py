"""Read a verb's options from its signature and docstring: names, types, defaults and help.

The command line, the page and the CLI reference are all made from these.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from PIL import Image

from limner.checks import flag

REQUIRED = inspect.Parameter.empty

# Parameters that the program fills in; they are not options.
_INTERNAL = ("on_step", "checkpoint", "run")


@dataclass(frozen=True)
class Option:
    """One parameter of a verb, as a user sees it.

    Attributes
    ----------
    name : str
        Name of the parameter: ``"style_scale"``.
    kind : type
        ``str``, ``int``, ``float``, ``bool``, ``Path``, a ``Literal``, or a ``list`` of one.
    default : object
        Default of the signature, or ``REQUIRED``.
    help : str
        Description from the docstring, on one line.
    input : bool
        Whether it is an input, given by its position.
    several : bool
        Whether it is an input that can be given any number of times.
    picture : bool
        Whether it takes a picture: a file, or one of the choices.
    choices : tuple of str
        The words it takes, instead of or beside a file name.
    number : bool
        Whether it takes a number.
    """

    name: str
    kind: Any
    default: object
    help: str
    input: bool
    several: bool
    picture: bool
    choices: tuple[str, ...]
    number: bool

    @property
    def flag(self) -> str:
        """The option as it is typed: ``--style-scale``, ``--print`` for ``print_``, ``-n``."""
        return flag(self.name)

    @property
    def colors(self) -> bool:
        """Whether it takes a list of colors instead of a picture."""
        return self.picture and self.name == "palette"


def of(verb: Callable[..., object]) -> list[Option]:
    """Return the options of a verb, in the order of its signature."""
    helps = _helps(docstring(verb))
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
            _takes(parameter.annotation, float),
        )
        for parameter in inspect.signature(verb).parameters.values()
        if parameter.name not in _INTERNAL
    ]


def docstring(function: Callable[..., object]) -> str:
    """Return a docstring; from the source if ``python -OO`` (PYTHONOPTIMIZE=2) has dropped it."""
    found = inspect.getdoc(function)
    if found is None and sys.flags.optimize > 1:
        with suppress(OSError):  # an installation without sources
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
            assert isinstance(definition, ast.FunctionDef)
            found = ast.get_docstring(definition)
    return found or ""


def _helps(docstring: str) -> dict[str, str]:
    """Return the description of every parameter in a NumPy-style docstring."""
    parts = re.split(r"\n\n(\w+)\n-+\n", docstring)
    section = dict(zip(parts[1::2], parts[2::2], strict=True)).get("Parameters", "")
    helps: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section):
        names, _, text = entry.partition("\n")
        for name in names.partition(" : ")[0].split(","):
            helps[name.strip("* ")] = " ".join(text.replace("`", "").split())
    return helps


def _kind(annotation: Any) -> Any:
    """Return the part of an annotation that a user can type."""
    parts = _parts(annotation)
    if str in parts:
        return str
    for part in parts:
        if get_origin(part) is Sequence:
            return list[_kind(get_args(part)[0])]  # type: ignore[misc]
    return next(part for part in parts if part is not NoneType)


def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type alone."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _takes(annotation: Any, kind: type) -> bool:
    """Whether an annotation allows a type, alone or in a sequence."""
    return any(
        part is kind or (get_origin(part) is Sequence and _takes(get_args(part)[0], kind))
        for part in _parts(annotation)
    )


def _choices(annotation: Any) -> tuple[str, ...]:
    """Return the words of all literals in an annotation."""
    return sum((get_args(p) for p in _parts(annotation) if get_origin(p) is Literal), ())
