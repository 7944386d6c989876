"""`replay`: a picture, made again from the recipe it carries.

The recipe may come from anybody. Only a verb of limner's is called, only with options that describe
a picture, and only on files that are the same as they were.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from PIL import Image

import limner
from limner import signature
from limner.errors import InputError, printable
from limner.io import recipe_of
from limner.nn import weights
from limner.progress import OnStep, Progress, silent
from limner.signature import Option

# The verbs that make pictures. A recipe may come from anybody: it calls nothing else.
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
RENAMED_VERBS = {"draw": "sketch"}  # name in old recipes -> name today

# Options of one call, not of the picture: no recipe sets them.
_OF_THE_CALL = ("device", "time_budget", "save_every", "resume")


def replay(picture: Path, *, device: str = "auto", on_step: OnStep = silent) -> Image.Image:
    """Make a picture again from the recipe it carries.

    Parameters
    ----------
    picture : path
        A picture that limner wrote. Its inputs are looked for where they were, seen from the
        current folder, and beside the picture.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    on_step : callable
        As of the verb that made the picture.

    Returns
    -------
    PIL.Image.Image
        What the verb gives: on one CPU and one version of limner the same to the byte.

    Raises
    ------
    InputError
        The picture carries no recipe of limner's, or an input is missing or has changed.
    LimnerError
        What the verb raises.
    """
    recipe = recipe_of(picture)
    inputs, given, files = map(recipe.get, ("inputs", "options", "files"))
    verb_name = recipe.get("verb")
    verb_name = RENAMED_VERBS.get(str(verb_name), verb_name)
    if verb_name not in VERBS:
        raise _refusal(picture, f"there is no verb {verb_name!r}")
    if not (isinstance(inputs, list) and isinstance(given, dict) and isinstance(files, dict)):
        raise _refusal(picture, "inputs, options or files are missing")
    verb: Callable[..., Any] = getattr(limner, str(verb_name))
    known = {
        option.name: option for option in signature.of(verb) if option.name not in _OF_THE_CALL
    }
    places = [option for option in known.values() if option.input]
    several = any(option.several for option in places)
    if not all(isinstance(text, str) for text in inputs):
        raise _refusal(picture, "its inputs are no names")
    if len(inputs) < len(places) or (len(inputs) > len(places) and not several):
        raise _refusal(picture, f"{len(inputs)} inputs")
    if recipe.get("version") != limner.__version__:
        made_with = printable(str(recipe.get("version")))
        note = f"made with limner {made_with}; {limner.__version__} may paint it differently"
        on_step(Progress("replay", "", 0, 0, 0.0, note=f"{printable(picture)}: {note}"))

    shelf = _Shelf(picture, files)
    again = {}
    for name, value in given.items():
        option = known.get(name)
        if option is None or option.input:
            raise _refusal(picture, f"{recipe['verb']} takes no {name!r} from a recipe")
        if not _fits(value, option):
            raise _refusal(picture, f"{name} is {value!r}")
        again[name] = shelf.moved(value, option)
    made_again = verb(*map(shelf.input, inputs), **again, device=device, on_step=on_step)
    # of a verb that makes several, each has a recipe of its own
    result: Image.Image = made_again[0] if isinstance(made_again, list) else made_again

    # The names it had, not those under which they were found: so the file is the same.
    made = json.loads(result.info["limner"])
    made["inputs"], made["files"] = inputs, {name: files[name] for name in shelf.used}
    made["options"] |= {name: given[name] for name, value in again.items() if given[name] != value}
    result.info["limner"] = json.dumps(made, sort_keys=True)
    return result


class _Shelf:
    """The files that a recipe names, found again."""

    def __init__(self, picture: Path, hashes: Mapping[str, object]) -> None:
        self.picture = picture
        self.hashes = hashes
        self.used: list[str] = []

    def input(self, text: str) -> str:
        """Where an input is now: a file, or a file and its weight, ``wave.jpg:0.7``."""
        name, colon, weight = text.rpartition(":")
        if text in self.hashes or name not in self.hashes:
            return self.find(text)
        return f"{self.find(name)}{colon}{weight}"

    def moved(self, value: Any, option: Option) -> Any:
        """The value of an option, with the files it names where they are now."""
        if isinstance(value, list):
            return [self.moved(one, option) for one in value]
        if not isinstance(value, str) or value in option.choices:
            return value
        named = value in self.hashes or Path(value).suffix in weights.SUFFIXES
        return self.find(value) if named or option.picture else value

    def find(self, name: str) -> str:
        """The file of this name with the bytes it had."""
        shown, beside = printable(name), self.picture.parent
        if not isinstance(self.hashes.get(name), str):
            raise _refusal(self.picture, f"it does not say what {shown} was")
        found = [p for p in (Path(name), beside / name, beside / Path(name).name) if p.is_file()]
        for path in found:
            try:
                with path.open("rb") as file:
                    same = hashlib.file_digest(file, "sha256").hexdigest() == self.hashes[name]
            except OSError:
                continue
            if same:
                self.used.append(name)
                return str(path)
        if found:
            raise InputError(f"{shown}: has changed since {printable(self.picture)} was made of it")
        if name == "picture":
            raise InputError(
                f"{printable(self.picture)}: was made of a picture in memory, not of a file; "
                "it cannot be replayed"
            )
        raise InputError(f"{shown}: is neither here nor beside {printable(self.picture)}")


def _refusal(picture: Path, why: str) -> InputError:
    return InputError(f"{printable(picture)}: not a recipe of limner's: {printable(why)[:200]}")


def _fits(value: object, option: Option) -> bool:
    """Whether a value out of JSON is one that the option takes."""
    if value is None:
        return option.default is None
    if get_origin(option.kind) is list:
        (kind,) = get_args(option.kind)
        return isinstance(value, list) and all(_is(one, kind) for one in value)
    return _is(value, option.kind)


def _is(value: object, kind: Any) -> bool:
    if kind is float:
        return type(value) in (int, float) and -1e300 < value < 1e300  # type: ignore[operator]
    return value in get_args(kind) if get_args(kind) else type(value) is kind
