"""Terminals and encodings of many kinds: narrow ones, and those that lack characters."""

import io
import re
import sys

import pytest
from rich.console import Console

from limner.cli import console, main
from limner.cli.verbs import TRAININGS, VERBS
from limner.progress import Progress


def test_models_are_told_apart_in_40_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main.main(["models"]) == 0
    out = capsys.readouterr().out
    assert "upscaler-best-x4-inventive: upscaler, Apache-2.0, 1.2 MB\n" in out
    assert "\n  recipes/upscaler-best-x4-inventive.md\n" in out and "…" not in out


def test_an_encoding_that_lacks_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    assert main.main([]) == 0
    print("× \udcd7.png …", flush=True)
    assert written.getvalue().endswith(b"\\xd7 \xd7.png \\u2026\n")


@pytest.mark.parametrize("line", ["upscale -dash.png -o out.png", "upscale photo.png -o -dash.png"])
def test_a_name_that_begins_like_an_option(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(line.split()) == 2
    assert capsys.readouterr().err == (
        "limner: error: -dash.png: begins like an option; write ./-dash.png. "
        "See limner upscale --help\n"
    )


@pytest.mark.parametrize(("width", "steps"), [(40, "2 of 3"), (80, "4/5, picture 2 of 3")])
def test_a_narrow_terminal_shows_progress_and_time(
    width: int, steps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        console, "_STDERR", console.rich.console.Console(width=width, file=io.StringIO())
    )
    shown = console.Console()
    shown.done, shown.count = 1, 3
    shown(Progress("stylize", "strokes at 1024 px", 4, 5, 1.0, loss=0.5))
    assert shown._bar.tasks[0].fields["steps"] == steps
    with console._STDERR.capture() as captured:
        console._STDERR.print(shown._bar.get_renderable())
    assert steps in captured.get() and "…" not in captured.get()


def help_of(command: list[str], width: int) -> str:
    out = io.StringIO()
    main.app.help_print(command, console=Console(file=out, width=width))
    return out.getvalue()


def words(text: str) -> set[str]:
    return set(re.sub("[│╭╮╰╯─*()]", " ", text).split())


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["train"],
        ["models"],
        *([verb] for verb in VERBS),
        *(["train", one] for one in TRAININGS),
    ],
    ids=" ".join,
)
def test_no_word_of_the_help_is_broken_in_40_columns(command: list[str]) -> None:
    narrow = help_of(command, 40)
    assert words(help_of(command, 250)) <= words(narrow)
    assert max(map(len, narrow.splitlines())) <= 40


def test_descriptions_stand_below_the_names_in_a_narrow_terminal() -> None:
    lines = [
        "│ --thickness FLOAT",
        "│   Thickness of the lines, from 0.5",
        "│   (thin) to 4 (thick). [default:",
    ]
    assert "\n".join(f"{line:<39}│" for line in lines) in help_of(["sketch"], 40)
    assert re.search(r"^│ --thickness FLOAT +Thickness of", help_of(["sketch"], 80), re.MULTILINE)


def test_a_name_that_the_encoding_of_the_system_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def app(*_: object, **__: object) -> None:
        "写真.jpg".encode("iso8859-9")

    monkeypatch.setattr(main, "app", app)
    assert main.main(["sketch", "a.png"]) == 1
    assert "(charmap) lack some of its characters; rename it, or" in capsys.readouterr().err
