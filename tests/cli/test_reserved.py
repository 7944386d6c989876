"""One output belongs to one command; a full disk costs pictures of steps, and not the result."""

import shutil
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from limner.cli import main
from limner.cli.console import Console
from limner.errors import OutputError
from limner.io import atomic
from limner.progress import Progress

_HOLD = (
    "import sys, pathlib; from limner.io import atomic\n"
    "with atomic.reserved(pathlib.Path(sys.argv[1])) as free: print(free, flush=True); input()"
)


@pytest.fixture(autouse=True)
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.radial_gradient("L").resize((64, 48)).convert("RGB").save("photo.png")


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
@pytest.mark.parametrize("verb", ["sketch", "generate"])
def test_an_output_that_another_command_writes_is_refused_before_the_work(
    verb: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"sketch": "sketch photo.png -o out.png", "generate": "generate --like photo.png -o out"}
    command = [*line[verb].split(), *more]
    with atomic.reserved(Path(command[-1 - len(more)])):
        assert main.main(command) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert f"{command[-1 - len(more)]}: another limner writes it now; wait until it ends" in err
    assert [path.name for path in Path().iterdir()] == ["photo.png"]
    if verb == "sketch":
        assert main.main(command) == 0
        assert sorted(path.name for path in Path().iterdir()) == ["out.png", "photo.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_command_that_was_killed_keeps_nothing() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, "out.png"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "True\n"
        assert main.main(["sketch", "photo.png", "-o", "out.png"]) == 1
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert main.main(["sketch", "photo.png", "-o", "out.png"]) == 0
    assert not list(Path().glob(".*"))


def test_one_file_has_many_names() -> None:
    Path("here").mkdir()
    with (
        atomic.reserved(Path("out.png")) as first,
        atomic.reserved(Path("here/../out.png")) as same,
    ):
        assert (first, same) == (True, False)
    with atomic.reserved(Path("a" * 251 + ".png")) as long:  # no name is too long for the lock
        assert long


def test_a_picture_of_a_step_that_cannot_be_written_costs_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = import_module("limner.cli.picture")
    write = picture.write

    def full(made: Image.Image, path: Path, **options: object) -> object:
        if path.name != "out.png":
            raise OutputError(f"{path}: cannot be written (No space left on device)")
        return write(made, path, **options)

    monkeypatch.setattr(picture, "write", full)
    line = "stylize photo.png photo.png -o out.png --size 64 --steps 4 --save-every 1"
    assert main.main([*line.split(), "--method", "network"]) == 0
    out, err = capsys.readouterr()
    assert out == "out.png\n" and err.count("No space left") == 1
    assert "out-000001.png: cannot be written" in err and "the work goes on" in err


_TRAIN = "train upscaler . -o run --steps 1"


def test_a_run_folder_belongs_to_one_training(capsys: pytest.CaptureFixture[str]) -> None:
    with atomic.reserved(Path("run")):
        assert main.main([*_TRAIN.split(), "--when-done", "echo > called"]) == 1
    assert "run: another limner writes it now; wait until it ends" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["photo.png"]


def test_a_picture_of_a_step_that_a_kill_cost_is_made_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checkpoint of a step is saved before its picture."""
    picture = import_module("limner.cli.picture")
    write = picture.write

    def killed(made: Image.Image, path: Path, **options: object) -> object:
        if path.name == "out-000002.png":
            raise KeyboardInterrupt
        return write(made, path, **options)

    line = "stylize photo.png photo.png -o out.png --size 64 --steps 3 --save-every 1"
    command = [*line.split(), "--method", "network"]
    with monkeypatch.context() as patch:
        patch.setattr(picture, "write", killed)
        assert main.main(command) == 130
    assert not Path("out-000002.png").exists()
    assert main.main([*command, "--resume"]) == 0
    names = [f"out-{step:06d}.png" for step in (1, 2, 3)]
    assert sorted(path.name for path in Path().iterdir()) == [*names, "out.png", "photo.png"]


@pytest.mark.parametrize(
    ("change", "kept"),
    [("folder deleted", "out-2.png"), ("folder full of files", "there/out-3.png")],
)
def test_a_finished_picture_whose_place_is_gone_is_kept_elsewhere(
    change: str,
    kept: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("there").mkdir()

    def change_it(console: Console, progress: Progress) -> None:
        if change == "folder deleted":
            shutil.rmtree("there", ignore_errors=True)
        else:  # of other programs
            Path("there/out.png").touch()
            Path("there/out-2.png").touch()

    monkeypatch.setattr(Console, "__call__", change_it)
    assert main.main(["sketch", "photo.png", "-o", "there/out.png"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.endswith(f"; the finished picture is in {kept}\n")
    assert Image.open(kept).size == (64, 48)
