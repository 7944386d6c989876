"""Verbs → fields of a form; what is in them → a call, a command line, and a line of Python.

All of it comes from `limner.options`: an option that a verb gets is on the page by itself.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import limner
from limner import signature
from limner.errors import OptionError, printable
from limner.signature import REQUIRED, Option

SEVERAL = 3  # places for pictures where a verb takes any number
# What is no wish about the picture, or names a file of the server's: the page opens none.
_LEFT_OUT = {"allow_huge", "resume", "save_every", "features"}
WEIGHTS = {"model", "inventive"}  # files that are given to the page like pictures
_TEXT = re.compile(r"[\w#%., :+-]{0,200}")  # no slash, so no way out of a folder
_ASKED: dict[str, list[Option]] = {}  # by verb, once they have been looked for
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)(?:, [\w ]+,)? to (\d+(?:\.\d+)?)(?! ?(?:pixels|frames|cm))")

Kind = Literal[
    "picture", "shares", "weights", "save", "choice", "tick", "range", "whole", "number", "text"
]


@dataclass(frozen=True)
class Tab:
    """A verb on the page, and what is said of it only here.

    Attributes
    ----------
    verb : str
        Its name in `limner`.
    title : str
        What stands on the tab.
    first : tuple of str
        The options that matter first; the others are folded away.
    pictures : dict of str to str
        What the pictures are called, by parameter: those shown at once.
    command : str
        Its name on the command line, where that is another.
    """

    verb: str
    title: str
    first: tuple[str, ...]
    pictures: dict[str, str]
    command: str = ""

    @property
    def function(self) -> Callable[..., Any]:
        """The verb itself; its room is imported for it, and torch with it."""
        found: Callable[..., Any] = getattr(limner, self.verb)
        return found


TABS = (
    Tab(
        "stylize",
        "Stylize",
        ("strength", "size", "style_scale", "keep_colors"),
        {"photo": "Photo", "styles": "Painting"},
    ),
    Tab(
        "hybridize",
        "Hybridize",
        ("method", "sigma", "near_grey", "size"),
        {"near_photo": "Seen from near", "far_photo": "Seen from afar"},
    ),
    Tab("sketch", "Sketch", ("style", "thickness", "strength"), {"picture": "Picture"}),
    Tab(
        "colorize",
        "Colorize",
        ("palette", "lines", "variations"),
        {"sketch": "Drawing"},
    ),
    Tab("beautify", "Beautify", ("strength", "method", "save_look"), {"picture": "Picture"}),
    Tab(
        "generate",
        "Paint new",
        ("n", "seed", "variety", "size"),
        {"like": "Like this picture", "model": "Or by a painter (its .safetensors file)"},
    ),
    Tab(
        "upscale",
        "Upscale",
        ("print_", "dpi", "fit", "scale", "quality"),
        {"picture": "Picture"},
    ),
)


@dataclass(frozen=True)
class Field:
    """One thing on a form.

    Attributes
    ----------
    option : Option
        Of the verb.
    kind : str
        What it looks like.
    label : str
        What stands above it.
    low, high : float
        Ends of a range.
    """

    option: Option
    kind: Kind
    label: str
    low: float = 0
    high: float = 0

    @property
    def help(self) -> str:
        """What stands below the label."""
        if self.kind == "shares":
            return "1, 0.5: the second half as much as the first."
        return self.option.help

    @property
    def choices(self) -> tuple[str, ...]:
        """Words to choose from; the empty one leaves the option out."""
        words = self.option.choices or get_args(self.option.kind)
        return words if self.option.default in words else ("", *words)

    @property
    def start(self) -> Any:
        """What stands in it at first."""
        default = self.option.default
        if self.kind in ("text", "choice", "shares"):
            return "" if default in (None, (), REQUIRED) else default
        if self.kind in ("tick", "save"):
            return bool(default)
        return default


@dataclass(frozen=True)
class Call:
    """A verb with what it is given: pictures are paths, and defaults are left out."""

    tab: Tab
    inputs: list[str]
    options: dict[str, Any] = field(default_factory=dict)


def asked(tab: Tab) -> list[Option]:
    """Give a verb's options, which are looked for once."""
    if tab.verb not in _ASKED:
        _ASKED[tab.verb] = signature.of(tab.function)
    return _ASKED[tab.verb]


def every() -> dict[str, list[Option]]:
    """Give the options of all verbs."""
    return {tab.verb: asked(tab) for tab in TABS}


def know(found: Mapping[str, list[Option]]) -> None:
    """Take what another process found, so that a page is made before torch is imported."""
    _ASKED.update(found)


def fields(tab: Tab) -> list[Field]:
    """Give what a verb's form asks for: the first options first, then the signature's order.

    An option that takes a picture or some words is two fields of one name.
    """
    found = [one for option in asked(tab) for one in _fields(tab, option)]
    order = {name: place for place, name in enumerate((*tab.pictures, *tab.first))}
    return sorted(found, key=lambda one: order.get(one.option.name, len(order)))


def is_first(tab: Tab, one: Field) -> bool:
    """Whether it is shown at once, and not folded away."""
    return one.kind != "shares" and one.option.name in (*tab.first, *tab.pictures)


def _fields(tab: Tab, option: Option) -> list[Field]:
    name, kind, default = option.name, option.kind, option.default
    words = name.strip("_").replace("_", " ").capitalize()
    if len(words) == 1:  # of ``n``, the help says it better
        words = re.split("[;,.]", option.help)[0]
    label = tab.pictures.get(name) or words
    if name in _LEFT_OUT:
        return []
    if name in WEIGHTS:
        return [Field(option, "weights", label)]
    if option.picture:
        word = [Field(option, "choice", f"{label}, unless a picture")] if option.choices else []
        shares = [Field(option, "shares", f"Weights: {label}")] if option.several else []
        return [*word, *shares, Field(option, "picture", label)]
    if kind is Path:  # a place to write to is ours to say; one to read from nobody's
        return [Field(option, "save", label)] if name.startswith("save_") else []
    if get_args(kind) and get_origin(kind) is Literal:
        return [Field(option, "choice", label)]
    if kind is bool:
        return [Field(option, "tick", label)]
    limits = _RANGE.search(option.help)
    if kind is float and limits and isinstance(default, int | float):
        low, high = float(limits[1]), float(limits[2])
        if low <= default <= high:
            return [Field(option, "range", label, low, high)]
    plain: dict[Any, Kind] = {int: "whole", float: "number"}
    return [Field(option, plain.get(kind, "text"), label)]


def called(
    tab: Tab,
    values: Mapping[str, Any],
    pictures: Mapping[str, Sequence[str]],
    folder: Path = Path(),
) -> Call:
    """Make a call of what stands on a form.

    Parameters
    ----------
    tab : Tab
        Whose form it is.
    values : mapping of str to object
        What stands in each field that is no picture, by the option's name.
    pictures : mapping of str to sequence of str
        Files, by the option's name: pictures and weights.
    folder : path
        Where the verb writes what it is asked to save beside.

    Raises
    ------
    OptionError
        A picture is missing, or a text is none that the page takes.
    """
    if pictures.get("model"):  # a painter paints instead of what is like a picture
        pictures = {name: paths for name, paths in pictures.items() if name != "like"}
    inputs: list[str] = []
    given: dict[str, Any] = {}
    for one in fields(tab):
        option, name = one.option, one.option.name
        if one.kind == "shares":
            pictures = {**pictures, name: _weighed(one, pictures.get(name, ()), values.get(name))}
            continue
        if one.kind in ("picture", "weights"):
            paths = list(pictures.get(name, ()))
        else:
            paths = []
            value = _value(one, values.get(name), folder)
            if value is not None and value != option.default:
                given.setdefault(name, value)
            continue
        if option.input:
            if option.default is REQUIRED and not paths:
                raise OptionError(f"{one.label}: there is none yet; drop a picture in first")
            inputs += paths
        elif paths:
            given[name] = paths if get_origin(option.kind) is list else paths[0]
    return Call(tab, inputs, given)


def _weighed(one: Field, paths: Sequence[str], value: Any) -> list[str]:
    """The pictures with their weights behind them, as a verb takes them."""
    text = str(value or "").strip()
    try:
        weights = [float(word) for word in re.split(r"[,\s]+", text)] if text else []
    except ValueError:
        raise OptionError(f"{one.label} {printable(text)[:40]!r}: must be numbers") from None
    if len(weights) > len(paths):
        raise OptionError(f"{one.label} {text!r}: are {len(weights)} for {len(paths)} pictures")
    weighed = [f"{path}:{weight:g}" for path, weight in zip(paths, weights, strict=False)]
    return [*weighed, *paths[len(weights) :]]


def _value(one: Field, value: Any, folder: Path) -> Any:
    """What an option is given; None where it is left out."""
    if one.kind == "save":
        ending = ".cube" if one.option.name == "save_look" else ""
        return folder / f"{one.option.name.removeprefix('save_')}{ending}" if value else None
    if value is None or value == "" or value == []:
        return None
    if one.kind == "tick":
        return bool(value)
    if one.kind == "choice":
        if value not in one.choices:
            raise OptionError(f"{one.label} {printable(str(value))}: is none of the choices")
        return value
    if one.kind in ("range", "number", "whole"):
        return _number(one, value)
    text = str(value).strip()
    if not _TEXT.fullmatch(text) or _is_here(text):  # names of files are for terminals
        raise OptionError(
            f"{one.label} {printable(text)[:40]!r}: must be a few plain words or numbers"
        )
    if one.option.kind == list[int]:
        try:
            return [int(number) for number in text.split(",")]
        except ValueError:
            raise OptionError(
                f"{one.label} {text!r}: must be a whole number, or several with commas between"
            ) from None
    return text


def _is_here(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # longer than any name
        return False


def _number(one: Field, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise OptionError(f"{one.label} {printable(str(value))[:40]}: must be a number") from None
    if one.option.kind is int:
        if not number.is_integer():
            raise OptionError(f"{one.label} {number:g}: must be a whole number")
        return int(number)
    return number


def command_line(call: Call, output: str) -> str:
    """Write a call as a command, quoted for a shell."""
    words = ["limner", call.tab.command or call.tab.verb, *map(_argument, call.inputs)]
    for option in asked(call.tab):
        value = call.options.get(option.name)
        if value is None:
            continue
        if option.kind is bool:
            words.append(option.flag if value else f"--no-{option.flag[2:]}")
        elif option.kind == list[int]:
            words += [option.flag, ",".join(map(str, value))]
        else:
            for each in value if isinstance(value, list) else [value]:
                text = _argument(each) if _is_file(option, each) else str(each)
                words += [f"{option.flag}={text}"] if text.startswith("-") else [option.flag, text]
    return shlex.join((*words, "-o", output))


def python_call(call: Call, output: str) -> str:
    """Write a call as Python."""
    known = {option.name: option for option in asked(call.tab)}
    given = [repr(_name(path)) for path in call.inputs]
    for name, value in call.options.items():
        several = isinstance(value, list)
        shown = [
            _name(x) if _is_file(known[name], x) else x for x in (value if several else [value])
        ]
        given.append(f"{name}={shown if several else shown[0]!r}")
    made = f"limner.{call.tab.verb}({', '.join(given)})"
    start = "import limner\nfrom limner.output import write\n\n"
    if output.endswith("/"):
        loop = f"for number, picture in enumerate({made}, 1):"
        return f'{start}{loop}\n    write(picture, f"{{number:02d}}.png")'
    return f"{start}write({made}, {output!r})"


def _is_file(option: Option, value: object) -> bool:
    named = option.picture or option.kind is Path or option.name in WEIGHTS
    return named and value not in option.choices


def _argument(path: object) -> str:
    """The same on a command line, where a dash begins an option."""
    name = _name(path)
    return f"./{name}" if name.startswith("-") else name


def _name(path: object) -> str:
    """A file as its owner knows it: the page keeps it elsewhere."""
    return Path(str(path)).name
