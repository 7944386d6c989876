"""Messages of one line, whatever they repeat."""

from pathlib import Path

import pytest

from limner import errors, io
from limner.batch.plan import is_many, make_plan
from limner.cli.main import main
from limner.color.palette import parse
from limner.errors import InputError, LimnerError, OptionError, OutputError, WeightsError
from limner.nn import weights

ESCAPE = "\x1b[31m"


def test_a_message_has_no_control_characters_and_an_end() -> None:
    told = str(LimnerError(f"a{ESCAPE}\rb\u202e: is odd; rename it"))
    assert told == "a?[31m?b?: is odd; rename it"
    long = str(OptionError(f"--name {'x' * 5000}: is too long; use a shorter one"))
    assert len(long) == 1001 and "x…x" in long
    assert long.startswith("--name xxx") and long.endswith("xxx: is too long; use a shorter one")


def test_names_of_others_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsError) as told:
        weights.read(tmp_path / f"{ESCAPE}.pth")
    assert str(told.value).startswith(f"{tmp_path}/?[31m.pth: there is no such weights file")
    for given in (
        ["sketch", f"a{ESCAPE}.png", "-o", str(tmp_path / "a.png")],
        ["sketch", "a.png", f"--{ESCAPE}", "1"],
        ["sketch", "a.png", "-o", "b.png", "--style", ESCAPE],
        [ESCAPE],
    ):
        assert main(given) in (1, 2)
        said = capsys.readouterr().err
        assert "?[31m" in said and "\x1b" not in said


def test_colors_of_any_length_are_cut() -> None:
    with pytest.raises(OptionError) as told:
        parse("red," + "blu" * 1000)
    assert str(told.value) == (
        f"--palette {'blu' * 6}bl…{'lu' + 'blu' * 6}: not a color; write #rrggbb, such as #ffcc00, "
        "or a name, such as gold"
    )


def test_the_file_in_the_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").touch()
    for path in ("a/b.png", "a/b/c.png", "a/b/c/d.png"):
        with pytest.raises(OutputError) as told:
            io.check_output(path)
        assert str(told.value) == f"{path}: a is a file; name a folder"
        with pytest.raises(InputError) as unread:
            io.read(path)
        assert str(unread.value) == (
            f"{path}: there is no such file: a is a file, not a folder; check the name"
        )
        with pytest.raises(WeightsError, match="weights file: a is a file, not a folder; check"):
            weights.read(Path(path).with_suffix(".pth"))
    assert is_many(["x.png"], "a/b/", None)
    with pytest.raises(OutputError) as told:
        make_plan("sketch", ["x.png"], "a/b/", listed=None, recursive=False, name="{stem}.png")
    assert str(told.value) == "a/b/: a is a file; name a folder for the pictures"
    with pytest.raises(InputError) as unread:
        make_plan("sketch", ["a/b/c"], "out", listed=None, recursive=False, name="{stem}.png")
    assert str(unread.value) == (
        "a/b/c: no such file or folder: a is a file, not a folder; check the name"
    )


def test_why_a_file_cannot_be_written(tmp_path: Path) -> None:
    here, gone = tmp_path / "a", tmp_path / "gone" / "a"
    full, closed = OSError(28, "No space left on device"), PermissionError(13, "Permission denied")
    assert [
        errors.cannot_be_written(here, full),
        errors.cannot_be_written(here, closed),
        errors.cannot_be_written(here, RuntimeError("unexpected pos 64 vs 0")),
        errors.cannot_be_written(gone, FileNotFoundError(2, "No such file or directory")),
    ] == [
        "cannot be written (No space left on device); free some disk space",
        "cannot be written (Permission denied); change its permissions",
        "cannot be written (the disk is full); free some disk space",
        "cannot be written, because its folder was deleted or renamed; put the folder back",
    ]
