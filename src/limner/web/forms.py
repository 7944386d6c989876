"""The form of each verb: its tab, its fields, and their labels.

Fields come from the verb's signature and docstring (`limner.signature`), so a new option appears
on the page by itself.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import limner
from limner import signature
from limner.cli.verbs import VERBS
from limner.signature import REQUIRED, Option

SEVERAL = 3  # slots for pictures where a verb takes any number
WEIGHTS_FILES = {"model", "inventive"}  # options whose files are dropped into the page
# Not on the page: limits and resuming are for the command line, and files are the server's.
_LEFT_OUT = {"allow_huge", "resume", "save_every", "features"}
SAVED = {"save_cube": "colors.cube"}  # options that write a file, and its name
_LABELS = {
    "dpi": "DPI",
    "hint": "Hints as points",
    "init": "Start from",
    "inventive": "Weights for invented detail",
    "keep_alpha": "Keep transparency",
    "model": "Other weights",
    "print_": "Paper size",
    "save_cube": "Color table (.cube file)",
    "zoom_gif": "Zoom GIF",
}

_FLAG = re.compile(r"(?<![^\s(])(--[a-z][a-z-]*|-[a-z])(?![\w-])")  # --style-scale, -n
# "0.25 to 4", "from 0 (the photo) to 2": the limits of a slider, from the help of an option
_RANGE = re.compile(
    r"(-?\d+(?:\.\d+)?)(?: \([^)]*\)|, [\w ]+,)?"
    r" to (\d+(?:\.\d+)?)(?!\.?\d)(?! ?(?:pixels|frames|cm))"
)
_DEFAULT = re.compile(r"Default: (\d+(?:\.\d+)?)\.$")  # of an option that is None in the signature
_LONGEST_SLIDER = 10  # for such an option: a longer range has no useful steps
_FOUND: dict[str, list[Option]] = {}  # by verb: the options, once somebody has asked

Kind = Literal[
    "picture",
    "picture_weights",
    "weights_file",
    "save",
    "choice",
    "checkbox",
    "slider",
    "integer",
    "number",
    "text",
]


@dataclass(frozen=True)
class Tab:
    """A verb on the page, and what its signature does not say.

    Attributes
    ----------
    verb : str
        Its name in `limner`.
    title : str
        The title of the tab.
    first : tuple of str
        The most important options. The others are under "More".
    pictures : dict of str to str
        The pictures that are always visible: option to label.
    """

    verb: str
    title: str
    first: tuple[str, ...]
    pictures: dict[str, str]

    @property
    def summary(self) -> str:
        """What the verb does, in one sentence."""
        return VERBS[self.verb].summary

    @property
    def function(self) -> Callable[..., Any]:
        """The verb itself. Its package is imported when this is used, and torch with it."""
        function: Callable[..., Any] = getattr(limner, self.verb)
        return function


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
        ("method", "sigma", "near_gray", "size"),
        {"near_photo": "Photo to see up close", "far_photo": "Photo to see from far away"},
    ),
    Tab("sketch", "Sketch", ("style", "thickness", "strength"), {"picture": "Picture"}),
    Tab("colorize", "Colorize", ("palette", "lines", "vivid", "variations"), {"sketch": "Drawing"}),
    Tab(
        "beautify",
        "Beautify",
        ("strength", "white_balance", "method", "save_cube"),
        {"picture": "Picture"},
    ),
    Tab(
        "generate",
        "Generate",
        ("n", "seed", "variety", "size"),
        {"like": "Picture to vary", "model": "Trained painter"},
    ),
    Tab(
        "upscale",
        "Upscale",
        ("print_", "dpi", "fit", "scale", "kind", "detail", "clean"),
        {"picture": "Picture"},
    ),
)
BY_VERB = {tab.verb: tab for tab in TABS}


@dataclass(frozen=True)
class Field:
    """One field of a form.

    Attributes
    ----------
    option : Option
        The option of the verb.
    kind : str
        The kind of input it needs.
    label : str
        The label on the page.
    help : str
        The text below the label.
    low, high : float
        The limits of a slider.
    default : float or None
        The default of a slider, where the signature has None and the help says the number.
    """

    option: Option
    kind: Kind
    label: str
    help: str
    low: float = 0
    high: float = 0
    default: float | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        """The words to choose from. The empty one stands for the default."""
        words = self.option.choices or get_args(self.option.kind)
        return words if self.option.default in words else ("", *words)

    @property
    def several(self) -> bool:
        """Whether it takes several pictures."""
        return self.option.several or (self.option.picture and get_origin(self.option.kind) is list)

    @property
    def longest(self) -> int:
        """The number of characters that a text may have."""
        return 4000 if self.option.colors or self.option.kind == list[str] else 200

    @property
    def initial(self) -> Any:
        """The value of the field on a new page. Unchanged, it leaves the option out."""
        default = self.option.default
        if self.default is not None:
            return self.default
        if self.kind in ("text", "choice", "picture_weights"):
            return "" if default in (None, (), REQUIRED) else default
        if self.kind in ("checkbox", "save"):
            return bool(default)
        return default


def options_of(tab: Tab) -> list[Option]:
    """Return the options of a tab's verb."""
    if tab.verb not in _FOUND:
        _FOUND[tab.verb] = signature.of(tab.function)
    return _FOUND[tab.verb]


def all_options() -> dict[str, list[Option]]:
    """Return the options of all verbs. This imports torch."""
    return {tab.verb: options_of(tab) for tab in TABS}


def use_options(found: Mapping[str, list[Option]]) -> None:
    """Use what `all_options` returned in another process, to do without torch in this one."""
    _FOUND.update(found)


def labels(tab: Tab) -> dict[str, str]:
    """Return the label of each option on a tab's form: ``{"--style-scale": "Style scale"}``."""
    return {
        option.flag: _label(tab, option)
        for option in options_of(tab)
        if option.name not in _LEFT_OUT
    }


def with_labels(text: str, names: Mapping[str, str]) -> str:
    """Replace the options in a help text or message by their labels on the page.

    Options that the page does not have are marked as the command line's.
    """

    def named(flag: re.Match[str]) -> str:
        label = names.get(flag[0])
        return f"“{label}”" if label else f"{flag[0]} (on the command line)"

    return _FLAG.sub(named, text)


def fields(tab: Tab) -> list[Field]:
    """Return the fields of a form: the most important ones, then the order of the signature.

    An option that takes a picture or a word, or a picture or colors, has two fields.
    """
    found = [one for option in options_of(tab) for one in _fields(tab, option)]
    order = {name: place for place, name in enumerate((*tab.pictures, *tab.first))}
    return sorted(found, key=lambda one: order.get(one.option.name, len(order)))


def is_first(tab: Tab, one: Field) -> bool:
    """Return whether a field is always visible, and not under "More"."""
    shown = tab.pictures if one.kind == "picture" else (*tab.first, *tab.pictures)
    return one.kind != "picture_weights" and one.option.name in shown


def _label(tab: Tab, option: Option) -> str:
    words = option.name.strip("_").replace("_", " ").capitalize()
    if len(words) == 1:  # of ``n`` the help says more
        words = re.split("[;,.:]", option.help)[0]
    return tab.pictures.get(option.name) or _LABELS.get(option.name) or words


def _fields(tab: Tab, option: Option) -> list[Field]:
    name, kind = option.name, option.kind
    label, text = _label(tab, option), with_labels(option.help, labels(tab))
    if name in _LEFT_OUT:
        return []
    if name in WEIGHTS_FILES and option.choices:
        file = Field(option, "weights_file", f"{label}: a file instead", "")
        return [Field(option, "choice", label, text), file]
    if name in WEIGHTS_FILES:
        return [Field(option, "weights_file", label, text)]
    if option.picture:
        words = _fields_beside_picture(option, label, text)
        if option.choices or option.colors:  # the field with the words has the help
            label, text = f"{label}: a picture instead", ""
        return [*words, Field(option, "picture", label, text)]
    if kind is Path:  # the page reads only the files that it is given
        return [Field(option, "save", label, text)] if name in SAVED else []
    if get_args(kind) and get_origin(kind) is Literal:
        return [Field(option, "choice", label, text)]
    if kind is bool:
        return [Field(option, "checkbox", label, text)]
    if kind == list[str]:
        text += " Separate them with semicolons."
    if kind is float and (slider := _slider(option, label, text)):
        return [slider]
    simple: dict[Any, Kind] = {int: "integer", float: "number"}
    return [Field(option, simple.get(kind, "text"), label, text)]


def _slider(option: Option, label: str, text: str) -> Field | None:
    """Return a slider if the help of an option says its limits, and there is a default."""
    limits, stated = _RANGE.search(text), _DEFAULT.search(text)
    if not limits:
        return None
    low, high = float(limits[1]), float(limits[2])
    if isinstance(option.default, int | float):
        inside = low <= option.default <= high
        return Field(option, "slider", label, text, low, high) if inside else None
    if stated and high - low <= _LONGEST_SLIDER:
        return Field(option, "slider", label, text, low, high, float(stated[1]))
    return None


def _fields_beside_picture(option: Option, label: str, text: str) -> list[Field]:
    found = []
    if option.choices:
        found.append(Field(option, "choice", label, text))
    if option.colors:
        found.append(Field(option, "text", label, text))
    if option.several:
        text = "One number for each picture. With 1, 0.5 the second counts half as much."
        found.append(Field(option, "picture_weights", f"{label} weights", text))
    return found
