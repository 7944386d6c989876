"""Forms: what a verb asks for is there by itself; what is on them is said in three ways alike."""

import inspect
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from PIL import Image

import limner
from limner.cli import main, options
from limner.errors import OptionError
from limner.progress import OnStep, silent
from limner.web import forms
from limner.web.forms import TABS, Tab, called, command_line, fields, python_call

BY_VERB = {tab.verb: tab for tab in TABS}


def wish(
    picture: str | Image.Image,
    *,
    size: int | None = None,
    warmth: float = 0.5,
    words: str = "",
    on_step: OnStep = silent,
) -> Image.Image:
    """Do something.

    Parameters
    ----------
    picture : str or PIL image
        What to change.
    size : int
        Pixels.
    warmth : float
        From 0, cold, to 1.
    words : str
        Any.
    on_step : callable
        Called.
    """
    raise NotImplementedError


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.verb)
def test_every_parameter_is_on_the_form_or_left_out_on_purpose(tab: Tab) -> None:
    known = set(inspect.signature(getattr(limner, tab.verb)).parameters)
    shown = {one.option.name for one in fields(tab)}
    kept_back = {"on_step", "checkpoint", "allow_huge", "resume", "save_every", "features"}
    folders = {"nearest"}  # of the server's, which the page does not open
    assert known - shown <= kept_back | folders
    assert {*tab.first, *tab.pictures} <= shown, "the table names what is not there"
    assert all(one.label and one.option.help for one in fields(tab))


def test_a_new_option_appears_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limner, "wish", wish, raising=False)
    tab = Tab("wish", "Wish", ("warmth",), {"picture": "Picture"})
    found = {one.option.name: one for one in fields(tab)}
    assert list(found) == ["picture", "warmth", "size", "words"]
    assert found["picture"].kind == "picture"
    assert (found["warmth"].kind, found["warmth"].low, found["warmth"].high) == ("range", 0, 1)
    assert found["size"].kind == "whole" and found["size"].start is None
    call = called(tab, {"size": "80", "warmth": 0.5, "words": "a b"}, {"picture": ["/x/p.png"]})
    assert (call.inputs, call.options) == (["/x/p.png"], {"size": 80, "words": "a b"})


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.verb)
def test_what_stands_on_a_fresh_form_is_the_default(tab: Tab) -> None:
    values = {one.option.name: one.start for one in fields(tab) if one.kind != "picture"}
    pictures = {one.option.name: ["a.png"] for one in fields(tab) if one.option.input}
    assert called(tab, values, pictures).options == {}


def test_a_missing_picture_is_asked_for() -> None:
    with pytest.raises(OptionError, match="Painting: there is none yet"):
        called(BY_VERB["stylize"], {}, {"photo": ["a.jpg"]})


@pytest.mark.parametrize(
    ("verb", "name", "value", "said"),
    [
        ("stylize", "size", "many", "must be a number"),
        ("stylize", "size", 80.5, "must be a whole number"),
        ("stylize", "size", float("nan"), "must be a whole number"),
        ("stylize", "steps", "3,x", "several with commas"),
        ("stylize", "preset", "other", "none of the choices"),
        ("stylize", "styles", "half", "Weights: Painting 'half': must be numbers"),
        ("stylize", "styles", "1, 0.5", "are 2 for 1 pictures"),
        ("colorize", "palette", "../../etc/passwd", "a few plain words"),
        ("colorize", "palette", "#" * 201, "a few plain words"),
        ("upscale", "print_", "C:\\x", "a few plain words"),
        ("upscale", "print_", "x" * 201, "a few plain words"),
    ],
)
def test_nonsense_is_refused(verb: str, name: str, value: object, said: str) -> None:
    pictures = {one.option.name: ["a.png"] for one in fields(BY_VERB[verb]) if one.option.input}
    with pytest.raises(OptionError, match=said):
        called(BY_VERB[verb], {name: value}, pictures)


def test_weights_stand_behind_the_paintings() -> None:
    given = {"photo": ["p.png"], "styles": ["a.png", "b.png", "c.png"]}
    for text, wanted in (
        ("", ["a.png", "b.png", "c.png"]),
        ("0.5 2", ["a.png:0.5", "b.png:2", "c.png"]),
        (" 1,1 ,.25", ["a.png:1", "b.png:1", "c.png:0.25"]),
    ):
        assert called(BY_VERB["stylize"], {"styles": text}, given).inputs == ["p.png", *wanted]


def test_no_text_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text("x")
    given = {"photo": ["a"], "styles": ["b"]}
    with pytest.raises(OptionError, match="a few plain words"):
        called(BY_VERB["stylize"], {"device": "secret"}, given)
    longer = "字" * 150  # more bytes than a name can have
    assert called(BY_VERB["stylize"], {"device": longer}, given).options == {"device": longer}
    assert not any(
        one.kind == "text" and one.option.kind is Path for t in TABS for one in fields(t)
    )


CALLS: list[tuple[str, dict[str, Any], dict[str, list[str]]]] = [
    (
        "stylize",
        {"strength": 1.5, "size": "320", "keep_colors": True, "steps": "3,4"},
        {
            "photo": ["/t/my photo.jpg"],
            "styles": ["/t/it's.png", "/t/b.png"],
            "mask": ["/t/m.png", "/t/n.png"],
        },
    ),
    (
        "stylize",
        {"styles": "1, 0.25"},
        {"photo": ["a.jpg"], "styles": ["/t/b.png", "/t/c.png", "/t/d.png"]},
    ),
    ("stylize", {"init": "noise", "time_budget": "30s"}, {"photo": ["a.jpg"], "styles": ["b.jpg"]}),
    (
        "stylize",
        {"init": "content"},
        {"photo": ["a.jpg"], "styles": ["b.jpg"], "init": ["/t/i.png"]},
    ),
    (
        "hybridize",
        {"points": "1,2,3,4,5,6,7,8", "strip": True, "sigma": "2.5"},
        {"near_photo": ["n.png"], "far_photo": ["f.png"]},
    ),
    ("sketch", {"style": "pencil", "thickness": 2}, {"picture": ["-a.png"]}),
    (
        "colorize",
        {"palette": "#aa3311,#ffe0bd", "variations": 3, "seed": -5},
        {"sketch": ["s.png"], "hints": ["/t/hints.png"]},
    ),
    ("beautify", {"strength": 0.5, "save_look": True}, {"picture": ["p.png"]}),
    ("generate", {"n": "4", "size": "120x80", "variety": 1}, {"like": ["/t/l.png"]}),
    ("generate", {"n": "4", "mix": True}, {"model": ["/t/painter.safetensors"]}),
    (
        "upscale",
        {"print_": "60x40cm", "colour_lock": False, "bleed": "3mm", "dpi": 300},
        {"picture": ["p.png"]},
    ),
]


@pytest.mark.parametrize(("verb", "values", "pictures"), CALLS)
def test_the_command_line_makes_the_same_call(
    verb: str,
    values: dict[str, Any],
    pictures: dict[str, list[str]],
) -> None:
    call = called(BY_VERB[verb], values, pictures)
    seen: dict[str, Any] = {}

    def took(_: Callable[..., Any], inputs: Any, options: Any, *, output: Path) -> int:
        seen.update(inputs=list(map(str, inputs)), options=dict(options), output=output)
        return 0

    app = App()  # limner's own keeps what it has once made of a verb
    name = next(n for n, (_, place, _) in main.VERBS.items() if place.endswith(f":{verb}"))
    app.command(options.command(getattr(limner, verb), took), name=name)
    words = shlex.split(command_line(call, "out.png"))
    assert words[0] == "limner"
    app(words[1:], exit_on_error=False, print_error=True, result_action="return_value")

    def named(value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], str):
            return [Path(one).name for one in value]
        is_place = isinstance(value, Path) or (isinstance(value, str) and "/" in value)
        return Path(value).name if is_place else value

    positional = [Path(one).name.removeprefix("./") for one in call.inputs]
    assert [Path(one).name for one in seen["inputs"]] == positional
    assert {k: named(v) for k, v in seen["options"].items()} == {
        k: named(v) for k, v in call.options.items()
    }


@pytest.mark.parametrize(("verb", "values", "pictures"), CALLS)
def test_the_python_call_is_the_same_call(
    verb: str, values: dict[str, Any], pictures: dict[str, list[str]]
) -> None:
    call = called(BY_VERB[verb], values, pictures)
    text = python_call(call, "new/" if verb == "generate" else "out.png")
    compile(text, "page", "exec")
    seen: list[Any] = []

    class Spy:
        def __getattr__(self, name: str) -> Callable[..., list[Any]]:
            return lambda *inputs, **options: seen.append((name, inputs, options)) or []

    line = next(line for line in text.splitlines() if "limner." in line and "import" not in line)
    inner = line[line.index("limner.") :]
    inner = inner[: inner.rindex(", 1):")] if verb == "generate" else inner[: inner.rindex(", ")]
    eval(inner, {"limner": Spy()})  # noqa: S307 - made two lines above
    name, inputs, given = seen[0]
    assert name == verb and list(inputs) == [Path(one).name for one in call.inputs]
    assert given.keys() == call.options.keys()
    for key in given.keys() & {"strength", "size", "points", "palette", "seed", "dpi", "steps"}:
        assert given[key] == call.options[key]
    assert "/t/" not in text and "/t/" not in forms.command_line(call, "out.png")
