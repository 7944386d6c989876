"""Files that are written whole or not at all, and errors that name the right file."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from disk import full_disk
from limner.errors import InputError, OutputError
from limner.io import atomic
from limner.io.atomic import reserved, whole_file
from limner.io.formats import opened


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(KeyError), whole_file(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
        raise KeyError
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]
    with whole_file(target) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new" and list(tmp_path.iterdir()) == [target]


def test_the_file_is_on_the_disk_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace

    def record_sync(descriptor: int) -> None:
        calls.append("fsync")
        sync(descriptor)

    def record_replace(self: Path, other: Path) -> Path:
        calls.append("rename")
        return replace(self, other)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_replace)
    with whole_file(tmp_path / "a.bin") as file:
        file.write(b"1")
    assert calls[:2] == ["fsync", "rename"]


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("a" * 251 + ".bin")
    with whole_file(target) as file:
        file.write(b"1")
    assert target.read_bytes() == b"1"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_link_stays_a_link(tmp_path: Path, overwrite: bool) -> None:
    real, link = tmp_path / "folder/real.txt", tmp_path / "link.txt"
    real.parent.mkdir()
    if overwrite:
        real.write_text("old")
    link.symlink_to(real)
    with whole_file(link, overwrite=overwrite) as file:
        file.write(b"new")
    assert link.is_symlink() and real.read_text() == "new"


def test_a_full_disk_is_not_blamed_on_the_picture_that_is_read(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with (
        full_disk(100),
        pytest.raises(OutputError, match=r"^the disk is full or read-only \("),
        opened(tmp_path / "a.png"),
        (tmp_path / "b.bin").open("wb") as file,
    ):
        file.write(b"1" * 1000)
        file.flush()
    with pytest.raises(InputError, match=r"a\.png: cannot be read"), opened(tmp_path / "a.png"):
        raise OSError("of the picture")


_WRITE = (
    "import sys, pathlib; from limner.io.atomic import whole_file\n"
    "with whole_file(pathlib.Path(sys.argv[1])) as file: print(flush=True); input()"
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_a_killed_process_left_is_removed_and_a_running_one_keeps_its_file(
    tmp_path: Path,
) -> None:
    (tmp_path / ".limner-0123456789abcdef.part").write_bytes(b"half a picture")
    (tmp_path / ".limner-0123456789abcdef.lock").touch()
    (tmp_path / "mine.part").touch()
    with subprocess.Popen(
        [sys.executable, "-c", _WRITE, str(tmp_path / "a.png")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None and other.stdin is not None and other.stdout.readline()
        (running,) = set(tmp_path.glob(".limner-*")) - set(tmp_path.glob(".limner-0123*"))
        with reserved(tmp_path / "b.png"):
            assert len(list(tmp_path.glob(".limner-*.part"))) == 1 and running.is_file()
        other.stdin.write(b"\n")
        other.stdin.close()
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "mine.part"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no open file")
def test_a_temporary_file_that_is_removed_before_it_is_locked_costs_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = atomic.lock
    removed: list[Path] = []

    def late(file: IO[bytes]) -> bool:
        if not removed:
            removed.extend(tmp_path.glob("*.part"))
            removed[0].unlink()
        return locked(file)

    monkeypatch.setattr(atomic, "lock", late)
    with whole_file(tmp_path / "a.bin") as file:
        file.write(b"1")
    assert removed and [path.name for path in tmp_path.iterdir()] == ["a.bin"]
