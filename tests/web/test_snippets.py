"""The command and the Python code that the page shows make the same call as its form."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

import limner
from limner.cli import options
from limner.cli.verbs import VERBS
from limner.web.calls import make_call
from limner.web.forms import TABS
from limner.web.snippets import command_line, python_call

BY_VERB = {tab.verb: tab for tab in TABS}
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
    (
        "colorize",
        {"hint": "120,80=gold; 3,4=#fed", "hints": "self", "vivid": 1.5, "gap": "12"},
        {"sketch": ["s.png"], "palette": ["/t/flag.png"], "reference": ["/t/old.png"]},
    ),
    ("beautify", {"strength": 0.5, "save_cube": True}, {"picture": ["p.png"]}),
    ("generate", {"n": "4", "size": "120x80", "variety": 1}, {"like": ["/t/l.png"]}),
    ("generate", {"n": "4", "mix": True}, {"model": ["/t/painter.safetensors"]}),
    (
        "upscale",
        {"print_": "60x40cm", "color_lock": False, "bleed": "3mm", "dpi": 300},
        {"picture": ["p.png"]},
    ),
]


def named(value: Any) -> Any:
    """Return the value of an option with files as their owner names them."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [Path(one).name for one in value]
    is_place = isinstance(value, Path) or (isinstance(value, str) and "/" in value)
    return Path(value).name if is_place else value


@pytest.mark.parametrize(("verb", "values", "pictures"), CALLS)
def test_the_command_line_makes_the_same_call(
    verb: str,
    values: dict[str, Any],
    pictures: dict[str, list[str]],
) -> None:
    call = make_call(BY_VERB[verb], values, pictures)
    parsed: dict[str, Any] = {}

    def run(_: Callable[..., Any], inputs: Any, options: Any, *, output: Path) -> int:
        parsed.update(inputs=list(map(str, inputs)), options=dict(options), output=output)
        return 0

    app = App()  # limner's own keeps the commands it has made
    name = next(n for n, about in VERBS.items() if about.place.endswith(f":{verb}"))
    app.command(options.command(getattr(limner, verb), run), name=name)
    words = shlex.split(command_line(call, "out.png"))
    assert words[0] == "limner"
    app(words[1:], exit_on_error=False, print_error=True, result_action="return_value")

    positional = [Path(one).name.removeprefix("./") for one in call.inputs]
    assert [Path(one).name for one in parsed["inputs"]] == positional
    assert {k: named(v) for k, v in parsed["options"].items()} == {
        k: named(v) for k, v in call.options.items()
    }


@pytest.mark.parametrize(("verb", "values", "pictures"), CALLS)
def test_the_python_call_is_the_same_call(
    verb: str, values: dict[str, Any], pictures: dict[str, list[str]]
) -> None:
    call = make_call(BY_VERB[verb], values, pictures)
    text = python_call(call, "new/" if verb == "generate" else "out.png")
    compile(text, "page", "exec")
    calls: list[Any] = []

    class Spy:
        def __getattr__(self, name: str) -> Callable[..., list[Any]]:
            return lambda *inputs, **options: calls.append((name, inputs, options)) or ["picture"]

    exec(text.removeprefix("import limner\n"), {"limner": Spy()})
    (name, inputs, given), (writer, written, _) = calls
    assert writer == "write" and written[1] == ("01.png" if verb == "generate" else "out.png")
    assert name == verb and list(inputs) == [Path(one).name for one in call.inputs]
    assert given.keys() == call.options.keys()
    for key, value in given.items():
        assert value == named(call.options[key]), key
    assert "/t/" not in text and "/t/" not in command_line(call, "out.png")
