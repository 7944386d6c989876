"""Turn a verb's signature and docstring into the options of its command."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_origin

from cyclopts import Group, Parameter, Token

from limner.signature import Option, docstring, of

_NAMES = {"output": ("--output", "-o"), "n": "-n"}  # names that cyclopts would write otherwise

# The groups of the help, in their order, and the options in each; other options are results.
_INPUTS, _RESULT, _STYLE = (
    Group(title, sort_key=number) for number, title in enumerate(("Inputs", "Result", "Style"))
)
# what the last two are called in commands that make no picture
_NAMES_ELSEWHERE = {_RESULT: Group("Options", sort_key=1), _STYLE: Group("Method", sort_key=2)}
_GROUPS = {
    _STYLE: (
        "align",
        "augment",
        "contrast",
        "crop_style",
        "detail",
        "detail_mask",
        "features",
        "gap",
        "hint",
        "hint_edges",
        "hints",
        "init",
        "keep_colors",
        "lines",
        "loss",
        "mask",
        "method",
        "mirror",
        "model",
        "near_gray",
        "palette",
        "penalty",
        "points",
        "preset",
        "quality",
        "reference",
        "seed",
        "shading",
        "sigma",
        "strength",
        "style",
        "style_scale",
        "thickness",
        "truncation",
        "variety",
        "vivid",
        "weight",
    ),
    Group("Speed and memory", sort_key=3): (
        "allow_huge",
        "batch_size",
        "budget",
        "cluster",
        "device",
        "improver_steps",
        "jobs",
        "learning_rate",
        "max_hours",
        "perceptual_steps",
        "price_per_hour",
        "runtime",
        "solver",
        "steps",
        "time_budget",
    ),
    Group("Files", sort_key=4): (
        "allow_changed",
        "drawings",
        "dry_run",
        "fail_fast",
        "frames",
        "format_",
        "from_",
        "json",
        "keep_exif",
        "last_step",
        "look_in",
        "map_",
        "name",
        "no_recipe",
        "output",
        "overwrite",
        "pack",
        "recursive",
        "resume",
        "save_cube",
        "save_every",
        "sheet",
        "teacher",
        "upload",
        "when_done",
    ),
}
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}


def command(verb: Callable[..., object], run: Callable[..., int]) -> Callable[..., int]:
    """Make the function that cyclopts turns into a command.

    Parameters
    ----------
    verb : callable
        The command has its inputs and options.
    run : callable
        ``run(verb, inputs, options, *, ...) -> exit code``; the command has its keyword options
        too. Options that are not given keep the defaults of both signatures.
    """
    of_verb = of(verb)
    own_names = {option.name for option in of_verb}
    of_run = [option for option in of(run) if not option.input and option.name not in own_names]
    pictures = {option.name for option in of_verb if option.picture}
    takes_picture = [option.picture for option in of_verb if option.input]

    def called(*inputs: object, **given: object) -> int:
        own = {option.name: given.pop(option.name) for option in of_run if option.name in given}
        inputs = tuple(one for one in inputs if one is not None)
        which = [*takes_picture, *takes_picture[-1:] * len(inputs)]  # the last may be repeated
        values = [_text(one) if path else one for one, path in zip(inputs, which, strict=False)]
        options = {n: _text(value) if n in pictures else value for n, value in given.items()}
        return run(verb, values, options, **own)

    places = [option for option in of_verb if option.input]
    if any(option.name == "from_" for option in of_run) and not places[-1].several:
        if place_of_many(places) == len(places) - 1:  # several pictures, one after the other
            places[-1] = replace(places[-1], several=True)
        else:  # with --from, the list has the pictures
            places[-1] = replace(places[-1], default=None)
    others = [option for option in (*of_run, *of_verb) if not option.input]
    others.sort(key=lambda option: option.name != "output")  # first in its group: it is required
    makes_pictures = any(option.name == "overwrite" for option in of_run)
    parameters = [_parameter(option, makes_pictures) for option in (*places, *others)]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    called.__doc__ = docstring(verb).partition("\n\n")[0]
    return called


def group_title(name: str) -> str:
    """Return the title of the group of an option in the help of a verb that makes pictures."""
    return str(_GROUP_OF.get(name, _RESULT).name)


def place_of_many(places: Sequence[Option]) -> int:
    """Return which input may be several pictures, one after the other: the first that is one."""
    return next((index for index, option in enumerate(places) if option.picture), 0)


def _parameter(option: Option, makes_pictures: bool) -> inspect.Parameter:
    """Describe an option to cyclopts. Pictures become paths, which shells can complete."""
    kind: Any = option.kind
    if option.picture:
        kind = list[Path] if get_origin(kind) is list else Path
    group = _INPUTS if option.input else _GROUP_OF.get(option.name, _RESULT)
    settings = Parameter(
        name=_NAMES.get(option.name),
        group=group if makes_pictures else _NAMES_ELSEWHERE.get(group, group),
        help=option.help,
        show_default=option.default not in (None, False, (), "", 0) or option.default is True,
        negative=None if option.default is True else (),
    )
    if option.name == "output" and kind is str:  # a path, of which a final slash counts
        kind = Path
        text = Parameter(converter=lambda _, tokens: tokens[0].value, n_tokens=1)
        settings = Parameter.combine(settings, text)
    words = ("COLORS",) if option.colors else option.choices
    if option.picture and words:
        settings = Parameter.combine(settings, Parameter(metavar="|".join((*words, "PATH"))))
    if kind == list[int]:
        commas = Parameter(converter=_numbers, n_tokens=1, metavar="INT[,INT...]")
        settings = Parameter.combine(settings, commas)
    place: Any = inspect.Parameter.KEYWORD_ONLY
    if option.input:
        place = inspect.Parameter.POSITIONAL_ONLY
    if option.several:
        place = inspect.Parameter.VAR_POSITIONAL
    if option.default is None:  # or cyclopts refuses the default where pydantic is imported
        kind = kind | None
    return inspect.Parameter(
        option.name, place, default=option.default, annotation=Annotated[kind, settings]
    )


def _numbers(_: object, tokens: Sequence[Token]) -> list[int]:
    """Read ``1,2,3``, the form of options that take several whole numbers."""
    try:
        return [int(number) for token in tokens for number in token.value.split(",")]
    except ValueError:
        raise ValueError("Give a whole number, or several separated by commas.") from None


def _text(value: Any) -> Any:
    """Turn paths back into the text that was typed: verbs tell ``wave.jpg:0.7`` from a file."""
    return [str(one) for one in value] if isinstance(value, list) else str(value)
