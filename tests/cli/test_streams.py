"""Standard streams that are closed or full, and what the system refuses."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from limner.cli import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")


@pytest.fixture(autouse=True)
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.radial_gradient("L").resize((64, 48)).convert("RGB").save("photo.png")


def shell(line: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m limner {line}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert "a bug in limner" not in done.stderr and "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_closed_streams_do_not_cost_the_picture() -> None:
    assert shell("sketch photo.png -o a.png <&- >&- 2>&-") == (0, "")
    with Image.open("a.png") as made:
        made.load()


def test_a_picture_for_a_closed_output_is_refused_before_the_work() -> None:
    code, told = shell("sketch photo.png -o - >&-")
    assert (code, told) == (
        2,
        "limner: error: -o -: standard output is closed; name a file\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_full_standard_output_is_told_in_one_line() -> None:
    code, told = shell("models >/dev/full")
    assert code == 1 and told.count("\n") == 1
    assert "standard output: cannot be written (No space left on device)" in told


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EMFILE, "too many files are open; allow more with ulimit -n 1024"),
        (errno.ENOSPC, "a.png: No space left on device; check its folder, its permissions and"),
        (errno.EINVAL, "a bug in limner"),
    ],
)
def test_what_the_system_refuses_is_no_bug(
    number: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "a.png")

    monkeypatch.setattr(main, "_weights", refused)
    assert main.main(["models"]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", ["MemoryError()", "ImportError('libtorch_cpu.so: failed to map segment')"]
)
def test_too_little_memory_to_begin_is_told_in_one_line(error: str) -> None:
    """In a process of its own: a command that ran before is imported already."""
    text = (
        "import sys\n"
        "from limner.cli import main\n"
        "def fail(name):\n"
        f"    raise {error}\n"
        "main.import_module = fail\n"
        "sys.exit(main.main(['sketch', 'photo.png', '-o', 'a.png']))"
    )
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 1 and done.stderr == (
        "limner: error: there is not enough memory; "
        "use a smaller picture, or close other programs\n"
    )


def test_a_current_folder_that_is_gone_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gone").mkdir()
    with monkeypatch.context() as patch:
        patch.chdir("gone")
        Path("../gone").rmdir()
        assert main.main(["models"]) == 1
    assert "the current folder is gone (No such file or directory)" in capsys.readouterr().err


def test_a_refused_file_may_have_only_a_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 7)

    monkeypatch.setattr(main, "_weights", refused)
    assert main.main(["models"]) == 1
    assert capsys.readouterr().err.startswith("limner: error: 7: No space left on device; check")
