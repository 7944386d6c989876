"""`replay` a picture from the recipe inside it, and `apply` the recipe to another picture.

Anybody may have written the recipe. Only verbs that make pictures are called, only with options
that describe a picture, and only with input files that have not changed.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin

from PIL import Image

import limner
from limner import signature
from limner._version import __version__
from limner.batch.finder import FileFinder, refusal
from limner.errors import InputError, OptionError, printable, reason
from limner.io import recipe_of
from limner.io.recipe import without_folders
from limner.progress import OnStep, Progress, silent
from limner.signature import Option

# The verbs that make pictures.
VERBS = (
    "beautify",
    "colorize",
    "generate",
    "hybridize",
    "print_ready",
    "sketch",
    "stylize",
    "upscale",
    "variations",
)
# What recipes of version 0.1 call by another name: verbs, options, and words that options take.
RENAMED_VERBS = {"draw": "sketch"}
RENAMED_OPTIONS: dict[str, dict[str, str]] = {
    "colorize": {"palette_from": "palette"},
    "hybridize": {"near_grey": "near_gray"},
    "upscale": {"colour_lock": "color_lock"},
}
RENAMED_WORDS: dict[str, dict[str, dict[str, str]]] = {
    "beautify": {"method": {"optimise": "optimize"}}
}

# Options of one call, not of the picture: no recipe sets them.
_OF_THE_CALL = ("device", "time_budget", "save_every", "resume")


def replay(
    picture: Path,
    *,
    look_in: Sequence[Path] | None = None,
    device: str = "auto",
    on_step: OnStep = silent,
) -> Image.Image:
    """Make a picture again from the recipe inside it.

    Parameters
    ----------
    picture : path
        A picture that limner wrote. Its inputs are searched for under their recorded names, in the
        current folder and beside the picture, and in the folders there.
    look_in : sequence of path
        More folders to look for the inputs, which may have any name there.
    device : str
        Where to compute: cpu, cuda, mps, or auto for the fastest on this machine.
    on_step : callable
        Passed to the verb that made the picture.

    Returns
    -------
    PIL.Image.Image
        The result of the verb. On one CPU, with one version of limner, the bytes are the same.

    Raises
    ------
    InputError
        The picture has no limner recipe, or an input is missing or has changed.
    LimnerError
        What the verb raises.
    """
    picture = Path(picture)  # a name will do
    _check_folders(look_in)
    return _again(recipe_of(picture), picture, look_in or (), device, on_step)


def _again(
    recipe: Mapping[str, object],
    picture: Path,
    look_in: Sequence[Path],
    device: str,
    on_step: OnStep,
) -> Image.Image:
    """Make the picture of a recipe again; ``picture`` is the file that the recipe is in."""
    verb, version, inputs, options, files = _checked(recipe, picture)
    _tell_differences(picture, verb.__name__, version, options, on_step)
    finder = FileFinder(picture, files, look_in)
    arguments = _arguments(verb, options, finder)
    earlier = recipe.get("made_from")
    if inputs[:1] == ["picture"] and isinstance(earlier, dict):  # it was never a file
        finder.used.append("picture")
        first: list[Any] = [_again(earlier, picture, look_in, device, on_step)]
    else:
        first = [finder.input(name) for name in inputs[:1]]
    given = [*first, *map(finder.input, inputs[1:])]
    made_again = verb(*given, **arguments, device=device, on_step=on_step)
    # of a verb that makes several pictures, each has a recipe for itself alone
    result: Image.Image = made_again[0] if isinstance(made_again, list) else made_again

    # The recipe keeps the recorded names, not those that the files have today, so that the new file
    # is the same.
    made = json.loads(result.info["limner"])
    made["inputs"], made["files"] = inputs, {name: files[name] for name in finder.used}
    made["options"] |= {n: value for n, value in options.items() if arguments.get(n) != value}
    result.info["limner"] = json.dumps(without_folders(made), sort_keys=True)
    return result


def apply(
    example: Path,
    picture: str | os.PathLike[str] | Image.Image,
    *,
    last_step: bool = False,
    look_in: Sequence[Path] | None = None,
    device: str = "auto",
    on_step: OnStep = silent,
) -> Image.Image:
    """Make a picture the way another one was made.

    Parameters
    ----------
    example : path
        A picture that limner wrote. Its recipe says what to do, in one step or several. Its other
        inputs, such as the paintings of stylize, are searched for as in replay.
    picture : path or image
        The picture to use in place of the first input of the example, or of its first step.
    last_step : bool
        Do only the last step.
    look_in : sequence of path
        More folders to look for the other inputs, which may have any name there.
    device : str
        Where to compute: cpu, cuda, mps, or auto for the fastest on this machine.
    on_step : callable
        Passed to the verb.

    Returns
    -------
    PIL.Image.Image
        The result of the verb, with a recipe of its own.

    Raises
    ------
    InputError
        The example has no limner recipe, or one of its other inputs is missing or has changed.
    LimnerError
        What the verb raises.
    """
    example = Path(example)  # a name will do
    _check_folders(look_in)
    steps = _steps(recipe_of(example), example)
    if last_step:
        steps = steps[-1:]
    if len(steps) > 1:
        note = f"{len(steps)} steps: {', '.join(str(step['verb']) for step in steps)}"
        on_step(Progress("apply", "", 0, 0, 0.0, note=f"{printable(example)}: {note}"))
    result = picture
    for recipe in steps:
        verb, version, inputs, options, files = _checked(recipe, example)
        _tell_differences(example, verb.__name__, version, options, on_step)
        finder = FileFinder(example, files, look_in or ())
        arguments = _arguments(verb, options, finder)
        others = map(finder.input, inputs[1:])
        made = verb(result, *others, **arguments, device=device, on_step=on_step)
        result = made[0] if isinstance(made, list) else made
    assert isinstance(result, Image.Image)
    return result


def _steps(recipe: dict[str, object], example: Path) -> list[dict[str, object]]:
    """Return a recipe, and before it those of its earlier steps, from the first that applies."""
    if not _begins_with_picture(recipe, example):
        raise InputError(
            f"{printable(example)}: was not made from a picture; use limner replay to make it again"
        )
    steps = [recipe]
    while isinstance(earlier := steps[0].get("made_from"), dict):
        try:
            if not _begins_with_picture(earlier, example):
                break
        except InputError:  # of another program, or of a version to come
            break
        steps.insert(0, earlier)
    return steps


def _begins_with_picture(recipe: Mapping[str, object], example: Path) -> bool:
    verb, *_ = _checked(recipe, example)
    return signature.of(verb)[0].picture


def _check_folders(look_in: Sequence[Path] | None) -> None:
    for folder in look_in or ():
        try:
            next(folder.iterdir(), None)
        except OSError as error:
            raise OptionError(
                f"--look-in {printable(folder)}: cannot be read ({reason(error)}); name the folder "
                "that has the files"
            ) from error


def side_files(picture: Path) -> dict[str, str | Path]:
    """Return what the verb that made a picture makes beside it: names, and how the files end."""
    verb, _, _, options, _ = _checked(recipe_of(picture), picture)
    planned = getattr(import_module(verb.__module__), "side_files", None)
    return dict(planned(options)) if planned else {}


def _tell_differences(
    picture: Path, verb: str, version: str, options: Mapping[str, Any], on_step: OnStep
) -> None:
    """Report why a result may differ: another version, or a recipe without a newer option."""
    notes = []
    if version != __version__:
        notes.append(f"made with limner {version}; {__version__} may give a different picture")
    newer = {"colorize": "gap", "beautify": "mask", "variations": "keep_layout"}
    if newer.get(verb) not in (None, *options) and options.get("method", "relative") == "relative":
        notes.append("was made by an older method; today's gives another picture")
    for note in notes:
        on_step(Progress("replay", "", 0, 0, 0.0, note=f"{printable(picture)}: {note}"))


def _options_of(verb: Callable[..., Any]) -> dict[str, Option]:
    """Return the options that a recipe may set, and the inputs, by name."""
    return {one.name: one for one in signature.of(verb) if one.name not in _OF_THE_CALL}


def _checked(
    recipe: Mapping[str, object], picture: Path
) -> tuple[Callable[..., Any], str, list[str], dict[str, Any], dict[str, object]]:
    """Return verb, version, inputs, options and files of a recipe, under their names of today."""
    inputs, given, files = map(recipe.get, ("inputs", "options", "files"))
    name = str(recipe.get("verb"))
    name = RENAMED_VERBS.get(name, name)
    if name not in VERBS:
        raise refusal(picture, f"there is no verb {name!r}")
    if not (isinstance(inputs, list) and isinstance(given, dict) and isinstance(files, dict)):
        raise refusal(picture, "inputs, options or files are missing")
    if not all(isinstance(text, str) for text in inputs):
        raise refusal(picture, "its inputs are not names")
    verb: Callable[..., Any] = getattr(limner, name)
    known = _options_of(verb)
    places = [option for option in known.values() if option.input]
    several = any(option.several for option in places)
    if len(inputs) < len(places) or (len(inputs) > len(places) and not several):
        raise refusal(picture, f"{len(inputs)} inputs")
    options = _renamed(given, RENAMED_OPTIONS.get(name, {}), RENAMED_WORDS.get(name, {}))
    for key, value in options.items():
        option = known.get(key)
        if option is None or option.input:
            raise refusal(picture, f"{name} takes no {key!r} from a recipe")
        if not _fits(value, option):
            raise refusal(picture, f"{key} is {value!r}")
    version = printable(str(recipe.get("version")))
    return verb, version, list(map(str, inputs)), options, files


def _with_effect(verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that give today what they gave in version 0.1.

    It recorded some without effect, which are refused today, and it had one method of stylize.
    """
    ignored = set()
    if verb == "beautify" and options.get("method") != "optimize":
        ignored.add("size")
    if verb == "hybridize" and options.get("points"):
        ignored.add("align")
    if verb == "upscale" and options.get("model") is not None:
        ignored.add("quality")
    known = {name: value for name, value in options.items() if name not in ignored}
    if verb == "stylize" and "method" not in options and options.get("preset") != "gatys":
        known["method"] = "network"
    return known


def _arguments(
    verb: Callable[..., Any], options: Mapping[str, Any], finder: FileFinder
) -> dict[str, Any]:
    """Return the options of a recipe as the verb takes them."""
    known = _options_of(verb)
    used = _with_effect(verb.__name__, options)
    return {name: finder.option(value, known[name]) for name, value in used.items()}


def _renamed(
    options: Mapping[str, Any], names: Mapping[str, str], words: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Translate options, and the words they take, to those of today."""
    renamed = dict(options)
    for old, new in names.items():
        value = renamed.pop(old, None)
        if value is not None or (old in options and new not in options):
            renamed[new] = value
    for name, table in words.items():
        if isinstance(renamed.get(name), str):
            renamed[name] = table.get(renamed[name], renamed[name])
    return renamed


def _fits(value: object, option: Option) -> bool:
    """Whether a value from JSON is one that the option takes."""
    if value is None:
        return option.default is None
    if get_origin(option.kind) is list:
        (kind,) = get_args(option.kind)
        return isinstance(value, list) and all(_is(one, kind) for one in value)
    return _is(value, option.kind) or (option.number and _is(value, float))


def _is(value: object, kind: Any) -> bool:
    if kind is float:
        return type(value) in (int, float) and -1e300 < value < 1e300  # type: ignore[operator]
    return value in get_args(kind) if get_args(kind) else type(value) is kind
