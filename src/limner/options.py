"""A verb's signature and docstring become the options of its command, and of its form on the page.

Nothing is said twice: names, types and defaults are the signature's, the help is the docstring's.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import Parameter, Token
from PIL import Image

REQUIRED = inspect.Parameter.empty

# What the program hands over itself, so that nobody is asked for it.
_INNER = ("on_step", "checkpoint", "run")

_NAMES = {"output": ("--output", "-o"), "n": "-n"}  # what is not spelt as cyclopts would


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


def command(verb: Callable[..., object], run: Callable[..., int]) -> Callable[..., int]:
    """Make the function that cyclopts turns into a command.

    Parameters
    ----------
    verb : callable
        Whose inputs and options are asked for.
    run : callable
        ``run(verb, inputs, options, *, …) -> exit code``; its own keyword options are asked for
        too. What is not given is left to the defaults of both.
    """
    asked, own = of(verb), [option for option in of(run) if not option.input]
    pictures = {option.name for option in asked if option.picture}
    places = [option.picture for option in asked if option.input]

    def called(*inputs: object, **given: object) -> int:
        mine = {option.name: given.pop(option.name) for option in own if option.name in given}
        which = [*places, *places[-1:] * len(inputs)]  # the last can be given several times
        named = [_text(one) if seen else one for one, seen in zip(inputs, which, strict=False)]
        options = {n: _text(value) if n in pictures else value for n, value in given.items()}
        return run(verb, named, options, **mine)

    parameters = [_parameter(option) for option in (*asked, *own)]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    called.__doc__ = (inspect.getdoc(verb) or "").partition("\n\n")[0]
    return called


def _parameter(option: Option) -> inspect.Parameter:
    """The parameter of a command: for pictures a path, which shells can complete."""
    kind: Any = option.kind
    if option.picture:
        kind = list[Path] if get_origin(kind) is list else Path
    settings = Parameter(
        name=_NAMES.get(option.name),
        help=option.help,
        show_default=option.default is not False and option.default != (),
        negative=None if option.default is True else (),
    )
    if option.picture and option.choices:
        words = Parameter(metavar="|".join((*option.choices, "PATH")))
        settings = Parameter.combine(settings, words)
    if kind == list[int]:
        commas = Parameter(converter=_numbers, n_tokens=1, metavar="INT[,INT...]")
        settings = Parameter.combine(settings, commas)
    place: Any = inspect.Parameter.KEYWORD_ONLY
    if option.input:
        place = inspect.Parameter.POSITIONAL_ONLY
    if option.several:
        place = inspect.Parameter.VAR_POSITIONAL
    return inspect.Parameter(
        option.name, place, default=option.default, annotation=Annotated[kind, settings]
    )


def _numbers(_: object, tokens: Sequence[Token]) -> list[int]:
    try:
        return [int(number) for token in tokens for number in token.value.split(",")]
    except ValueError:
        raise ValueError("Give a whole number, or several with commas between.") from None


def _text(value: Any) -> Any:
    return [str(one) for one in value] if isinstance(value, list) else str(value)


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the type alone."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _kind(annotation: Any) -> Any:
    """What of an annotation a person can type."""
    parts = _parts(annotation)
    if str in parts:
        return str
    for part in parts:
        if get_origin(part) is Sequence:
            return list[_kind(get_args(part)[0])]  # type: ignore[misc]
    return next(part for part in parts if part is not NoneType)


def _takes(annotation: Any, wanted: type) -> bool:
    return any(
        part is wanted or (get_origin(part) is Sequence and _takes(get_args(part)[0], wanted))
        for part in _parts(annotation)
    )


def _choices(annotation: Any) -> tuple[str, ...]:
    return sum((get_args(p) for p in _parts(annotation) if get_origin(p) is Literal), ())


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
