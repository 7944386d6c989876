"""What people are asked for is what signatures and docstrings say, and nothing else."""

import inspect
import re
import shlex
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from rich.console import Console

import limner
from limner import signature
from limner.cli import commands, main, options, training
from limner.io import Source
from limner.line_art.sketch import sketch
from limner.signature import REQUIRED, Option

COMMANDS = {
    **main.VERBS,
    **{f"train {name}": about for name, about in main.TRAININGS.items()},
}


def function_of(command: str) -> Callable[..., object]:
    module, _, name = COMMANDS[command][1].partition(":")
    function: Callable[..., object] = getattr(import_module(module), name)
    return function


def draw(
    drawing: Source,
    *hints: Source,
    size: int | None = None,
    steps: int | Sequence[int] = 3,
    mask: Sequence[Source] = (),
    mode: Literal["fast", "fine"] = "fast",
    start: Source | Literal["noise"] = "noise",
    budget: float | str | None = None,
    loud: bool = True,
    folder: Path = Path("here"),
    on_step: object = None,
) -> None:
    """Draw.

    Parameters
    ----------
    drawing : str, path or PIL image
        What to draw,
        in two lines.
    *hints : str
        ``Hints``: some.
    size, steps : int
        Numbers.

    Returns
    -------
    None
        Nothing.
    """


def test_options_of_a_verb() -> None:
    found = {option.name: option for option in signature.of(draw)}
    assert list(found) == list(inspect.signature(draw).parameters)[:-1]
    assert found["drawing"] == Option(
        "drawing", str, REQUIRED, "What to draw, in two lines.", True, False, True, (), False
    )
    assert found["hints"].several and found["hints"].help == "Hints: some."
    assert found["size"].help == found["steps"].help == "Numbers."
    assert [option.kind for option in found.values()] == [
        *(str, str, int, list[int], list[str]),
        *(Literal["fast", "fine"], str, str, bool, Path),
    ]
    assert found["mask"].picture and found["start"].picture and not found["mode"].picture
    assert found["start"].choices == ("noise",) and found["mode"].choices == ("fast", "fine")
    assert found["loud"].help == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_help_and_the_default_of_the_signature(command: str) -> None:
    function = function_of(command)
    parameters = inspect.signature(function).parameters
    for option in signature.of(function):
        assert option.help.endswith("."), option.name
        assert option.default is parameters[option.name].default
        assert option.input == (parameters[option.name].kind != inspect.Parameter.KEYWORD_ONLY)


RUNS = [commands.make_picture, commands.make_pictures, commands.measure, training.train]


@pytest.mark.parametrize("run", RUNS)
def test_options_of_every_command_have_help(run: Callable[..., int]) -> None:
    assert all(option.help for option in signature.of(run) if not option.input)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_summary_is_the_first_line_of_the_docstring(command: str) -> None:
    docstring = inspect.getdoc(function_of(command)) or ""
    assert docstring.splitlines()[0] == COMMANDS[command].summary


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_the_help_are_valid_and_fit_a_terminal(command: str) -> None:
    examples = COMMANDS[command].examples
    assert len(examples) == 2
    assert examples[0].startswith(f"limner {command}")
    for example in examples:
        assert len(f"  {example}") <= 78
        program, *tokens = shlex.split(example)
        assert program == "limner"
        main.app.parse_args(tokens, exit_on_error=False, print_error=False)


def test_every_verb_is_a_command() -> None:
    functions = {name for name in limner.__all__ if name.islower()}
    assert functions - {"write", "print_ready", "variations", "convert_painter", "regions"} == {
        *(main.VERBS.keys() - {"convert", "studio"}),
        *(f"train_{name}" for name in main.TRAININGS),
    }


def test_every_grouped_option_exists() -> None:
    known = {option.name for command in COMMANDS for option in signature.of(function_of(command))}
    known |= {option.name for run in RUNS for option in signature.of(run)}
    grouped = [name for names in options._GROUPS.values() for name in names]
    assert set(grouped) <= known
    assert len(grouped) == len(set(grouped))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_option_and_default(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main.app, "console", Console(width=800))
    assert main.main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Examples:\n")
    assert "None]" not in shown and "Left out" not in shown
    for option in signature.of(function_of(command)):
        name = option.name.upper() if option.input else option.flag
        (line,) = (line for line in shown.splitlines() if re.match(rf"│ [ *]*{name} ", line))
        assert option.help in line
        if option.default not in (REQUIRED, None, False, (), 0, ""):
            assert f"[default: {option.default}]" in line


def test_colorize_shows_what_its_options_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main.app, "console", Console(width=800))
    main.main(["colorize", "--help"])
    shown = capsys.readouterr().out
    for words in ("palette COLORS|PATH", "hints self|PATH", "hint STR..."):
        assert f"--{words} " in shown
    style = shown.partition("Style")[2].partition("╰")[0]
    for option in ("hint", "hint-edges", "palette", "reference", "vivid", "shading", "gap"):
        assert f"--{option} " in style


def test_limner_alone_shows_what_to_type_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 0
    shown = capsys.readouterr().out
    lines = [line for line in shown.splitlines() if line.startswith("  limner ")]
    assert len(lines) >= 3
    for line in lines:
        main.app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)


def test_values_reach_the_verb_as_it_takes_them() -> None:
    seen: list[object] = []

    def run(
        verb: object, inputs: Sequence[object], given: object, *, output: Path, json: bool = False
    ) -> int:
        seen.extend([verb, list(inputs), given, output, json])
        return 7

    from cyclopts import App

    app = App()
    app.default(options.command(draw, run))
    line = "a.png b.png:0.5 c.png --steps 1,2 --steps 3 --mask m.png --mask n.png --no-loud"
    assert app(f"{line} -o o.png --json".split(), result_action="return_value") == 7
    assert seen == [
        draw,
        ["a.png", "b.png:0.5", "c.png"],
        {"steps": [1, 2, 3], "mask": ["m.png", "n.png"], "loud": False},
        Path("o.png"),
        True,
    ]


def test_the_help_is_there_without_docstrings(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -OO` drops them, and they hold the descriptions."""
    expected, summary = signature.of(sketch), signature.docstring(sketch)
    monkeypatch.setattr(sketch, "__doc__", None)
    assert signature.docstring(sketch) == ""
    monkeypatch.setattr(signature, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=2)))
    assert signature.docstring(sketch) == summary
    assert signature.of(sketch) == expected
