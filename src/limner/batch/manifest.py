"""The manifest of a folder of results: what was made from what, so that a second run goes on.

``limner.jsonl`` has one JSON object per line. A line without ``seconds`` says that a picture was
begun: if it is the last one about that picture, the run was killed while it was made.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from limner._version import __version__
from limner.batch.plan import Job
from limner.errors import OutputError, printable

NAME = "limner.jsonl"


class Manifest:
    """The manifest of one folder, open for one run.

    Parameters
    ----------
    folder : Path
        The folder of the results. It is made if it is missing.

    Raises
    ------
    OutputError
        Another run has the folder, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._refused(error) from error
        if not _lock(self._file):
            self._file.close()
            raise OutputError(
                f"{printable(folder)}: another run of limner writes here; wait until it ends, or "
                "name another folder"
            )
        if self._path.stat().st_size and not self._path.read_bytes().endswith(b"\n"):
            self._file.write("\n")  # the last line was cut off

    def __enter__(self) -> Self:
        """Keep the folder for this run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Give the folder free."""
        self._file.close()

    def begin(self, job: Job, key: str) -> None:
        """Note that a picture is begun."""
        self._add(job, {"key": key})

    def end(self, job: Job, key: str, seconds: float, error: str | None) -> None:
        """Note that a picture is written, or why it is not."""
        self._add(job, {"key": key, "seconds": round(seconds, 2), "error": error})

    def _add(self, job: Job, about: Mapping[str, Any]) -> None:
        output = job.output.relative_to(self._folder).as_posix()
        inputs = [_relative(name, self._folder) for name in job.inputs]
        line = json.dumps({"output": output, "inputs": inputs, **about})
        try:
            self._file.write(f"{line}\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> OutputError:
        why = error.strerror or "the disk is full"
        return OutputError(f"{printable(self._path)}: cannot be written ({why})")


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the last entry about each result, by its name in the folder."""
    last: dict[str, dict[str, Any]] = {}
    try:
        lines = (folder / NAME).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return last
    for line in lines:
        try:
            entry = json.loads(line)
            last[str(entry["output"])] = entry
        except (ValueError, TypeError, KeyError):  # cut off
            continue
    return last


def key_of(verb: str, inputs: Sequence[str], options: Mapping[str, Any]) -> str:
    """Return a hash of everything that decides a result: files, options and version."""
    known = [options[name] for name in sorted(options)]
    values = [_content(value) for value in (*inputs, *known)]
    text = json.dumps([__version__, verb, *sorted(options), *values], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _content(value: object) -> object:
    """Return the hash of a file, whatever its name is, and other values as they are."""
    if isinstance(value, list):
        return [_content(one) for one in value]
    name = str(value)
    for file in (name, name.rpartition(":")[0]):  # a painting may have a weight: wave.jpg:0.7
        try:
            about = Path(file).stat()
            if file and Path(file).is_file():
                return [_hash(file, about.st_size, about.st_mtime_ns), name.removeprefix(file)]
        except (OSError, ValueError):
            continue
    return value


@cache
def _hash(name: str, size: int, changed: int) -> str:
    """Return the SHA-256 of a file; size and time tell whether it is still the same."""
    with Path(name).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _relative(name: str, folder: Path) -> str:
    """Return the name of an input seen from the folder, so that both can move together."""
    if not Path(name).exists():
        return name
    try:
        return Path(os.path.relpath(name, folder)).as_posix()
    except ValueError:  # another drive
        return Path(name).as_posix()


def _lock(file: TextIO) -> bool:
    """Keep a file for this process until it is closed; return whether it was free."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # a locked byte cannot be read, so it is one far behind the text
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
