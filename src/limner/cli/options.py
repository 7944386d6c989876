"""A verb's signature and docstring become the options of its command, and of its form on the page.

Nothing is said twice: names, types and defaults are the signature's, the help is the docstring's.
"""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_origin

from cyclopts import Parameter, Token

from limner.signature import Option, of

_NAMES = {"output": ("--output", "-o"), "n": "-n"}  # what is not spelt as cyclopts would


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
