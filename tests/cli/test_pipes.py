"""A picture comes from standard input and goes to standard output."""

import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from PIL import Image

from limner.cli import main, pipes
from limner.errors import InputError, OptionError

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")


def limner(*words: str, sent: bytes = b"") -> tuple[int, bytes, str]:
    """Run a command in a process of its own: exit code, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "limner", *words], input=sent, capture_output=True, check=False
    )
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.chdir(tmp_path)
    Image.radial_gradient("L").resize((64, 48)).convert("RGB").save("photo.png")
    return Path("photo.png").read_bytes()


@pytest.mark.slow
def test_the_picture_is_that_of_a_file(photo: bytes) -> None:
    assert limner("sketch", "photo.png", "-o", "drawn.png")[0] == 0
    code, out, err = limner("sketch", "-", "-o", "-", sent=photo)
    assert code == 0 and "standard-output" not in err
    with Image.open(BytesIO(out)) as piped, Image.open("drawn.png") as file:
        assert piped.format == "PNG" and piped.tobytes() == file.tobytes()
        assert '"inputs": ["standard-input"]' in piped.info["limner"]
    code, again, _ = limner("replay", "-", "-o", "-", sent=Path("drawn.png").read_bytes())
    assert (code, again) == (0, Path("drawn.png").read_bytes())
    assert {path.name for path in Path().iterdir()} == {"photo.png", "drawn.png"}


@pytest.mark.parametrize(
    ("ending", "form"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF")]
)
def test_the_format_can_be_chosen(
    ending: str, form: str, photo: bytes, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    command = ["sketch", "photo.png", "-o", "-", "--format", ending]
    assert main.main(command) == 0
    with Image.open(BytesIO(capfdbinary.readouterr().out)) as picture:
        assert (picture.format, picture.size) == (form, (64, 48))


@pytest.mark.slow
def test_one_of_two_inputs_and_a_file_as_result(photo: bytes) -> None:
    code, out, _ = limner("hybridize", "photo.png", "-", "-o", "h.png", sent=photo)
    assert code == 0 and out.strip() == b"h.png"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sketch - -o -", "-: standard input is empty"),
        ("beautify photo.png -o b.png --mask -", "-: standard input is read for the main picture"),
        ("generate --like - -n 1 -o new", "-: standard input is read for the main picture only"),
        ("hybridize - - -o -", "-: standard input holds one picture; name a file"),
        ("sketch - photo.png -o out", "-: stands for one picture; name files and a folder"),
        ("sketch photo.png photo.png -o -", "-: stands for one picture"),
        ("sketch photo.png -o x.png --format jpg", "--format jpg: is for -o -"),
        ("sketch photo.png -o - --json", "--json: prints where -o - writes the picture"),
        ("hybridize photo.png photo.png -o - --strip", "-o -: has no place for strip"),
        ("stylize photo.png photo.png -o - --save-every 2", "--save-every: needs a file"),
    ],
)
def test_what_a_pipe_cannot_do_is_refused_in_one_line(
    line: str,
    message: str,
    photo: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO()))
    code = main.main(line.split())
    out, err = capsys.readouterr()
    assert code in (1, 2) and out == "" and err.count("\n") == 1 and message in err
    assert [path.name for path in Path().iterdir()] == ["photo.png"]


def test_standard_input_is_named_as_such(
    photo: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"no picture")))
    assert main.main(["sketch", "-", "-o", "-"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("limner: error: standard input: is damaged, or a text file")


def test_a_terminal_gets_no_picture_and_sends_none(
    photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r+b", buffering=0) as terminal:
        done = subprocess.run(
            [sys.executable, "-m", "limner", "sketch", "photo.png", "-o", "-"],
            stdout=terminal,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert done.returncode == 2 and b"-o -: is a terminal; add > picture.png" in done.stderr
        os.set_blocking(ours, False)
        with pytest.raises(BlockingIOError):  # nothing was written to it
            os.read(ours, 1)
    os.close(ours)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(InputError, match="no picture comes from"), pipes.as_files(["-"]):
        pass
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(OptionError, match="is a terminal"), pipes.as_files([], Path("-")):
        pass


def test_a_list_of_names_from_standard_input(photo: bytes) -> None:
    code, out, _ = limner("sketch", "--from", "-", "-o", "out", sent=b"photo.png\n")
    assert code == 0 and Path(out.decode().strip()) == Path("out", "photo.png")
