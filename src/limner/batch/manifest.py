"""The manifest of a folder of results: what was made from what, so that a second run goes on.

``limner.jsonl`` has one JSON object per line. A line without ``seconds`` says that a picture was
begun: if it is the last one about that picture, the run was killed while it was made.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from limner._version import __version__
from limner.batch.plan import Job
from limner.errors import OutputError, printable, reason
from limner.io import frames, places
from limner.io.atomic import lock, remove_left
from limner.io.recipe import hash_of

NAME = "limner.jsonl"
# Options of the call, not of the picture. `look_in` says where files are; their content counts.
_WITHOUT_EFFECT = ("device", "look_in")


class Manifest:
    """The manifest of one folder, open for one run.

    Parameters
    ----------
    folder : Path
        The folder of the results. It is made if it is missing, and removed again if nothing comes
        into it.
    verb : str
        What makes the results.
    jobs : sequence of Job
        The results.

    Raises
    ------
    OutputError
        Another run has the folder, or it cannot be written.
    """

    def __init__(self, folder: Path, verb: str, jobs: Sequence[Job]) -> None:
        self._folder, self._verb = folder, verb
        self._folders = {folder, *(job.output.parent for job in jobs)}
        self._path = folder / NAME
        self._is_new = not folder.exists()
        try:
            self._file = self._open()
            if self._path.stat().st_size and not self._path.read_bytes().endswith(b"\n"):
                self._file.write("\n")  # the last line was cut off
            self._remove_left()
        except OSError as error:
            raise self._refused(error) from error

    def _open(self) -> TextIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a", encoding="utf-8")
        if not lock(file):
            file.close()
            raise OutputError(
                f"{printable(self._folder)}: another run of limner writes here; wait until it "
                "ends, or name another folder"
            )
        return file

    def __enter__(self) -> Self:
        """Return the manifest."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Release the folder."""
        with suppress(OSError):  # a full disk, of which the user has been told
            self._file.close()
            self._remove_left()  # of a worker that was ended
            if self._is_new and {path.name for path in self._folder.iterdir()} == {NAME}:
                self._path.unlink()
                self._folder.rmdir()

    def _remove_left(self) -> None:
        for folder in self._folders:  # not all of their subfolders: there may be thousands
            remove_left(folder)

    def begin(self, job: Job, key: str) -> None:
        """Note that a picture is begun."""
        self._add(job, {"key": key})

    def end(
        self,
        job: Job,
        key: str,
        *,
        sha256: str | None,
        worker: str,
        seconds: float,
        error: str | None,
    ) -> None:
        """Note that a picture is written, by whom and in what time, or why it is not."""
        about = {"sha256": sha256, "worker": worker, "seconds": round(seconds, 2), "error": error}
        self._add(job, {"key": key, **about})

    def _add(self, job: Job, about: Mapping[str, Any]) -> None:
        names = {
            "output": job.output.relative_to(self._folder).as_posix(),
            "inputs": [_relative(str(one), self._folder) for one in job.inputs],
            "source": _relative(job.source, self._folder),
            "verb": self._verb,
        }
        try:
            if not self._path.exists():  # the folder was deleted or renamed in the meantime
                self._file.close()
                self._file = self._open()
            self._file.write(json.dumps({**names, **about}) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(f"{printable(self._path)}: cannot be written ({reason(error)})")


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the last entry about each result, by its name in the folder.

    After a failure, an entry keeps the hash of the result before, which is still there.
    """
    last: dict[str, dict[str, Any]] = {}
    try:
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return last
    for line in lines:
        try:
            entry = json.loads(line)
            earlier = last.get(str(entry["output"]), {})
        except (ValueError, TypeError, KeyError):  # cut off
            continue
        if not entry.get("sha256") and _same_source(entry, earlier):
            entry["sha256"] = earlier.get("sha256")
        last[str(entry["output"])] = entry
    return last


def is_finished(entry: Mapping[str, Any], key: str) -> bool:
    """Whether an entry says that this very result was made."""
    return entry.get("key") == key and "seconds" in entry and not entry.get("error")


def is_own(entry: Mapping[str, Any], verb: str, job: Job, folder: Path) -> bool:
    """Whether the file of a job is what limner made from the same picture, and nobody changed it.

    A picture that was begun, and not ended, is limner's too: its run was killed.
    """
    source = {"verb": verb, "source": _relative(job.source, folder)}
    if not _same_source(entry, source):
        return False
    if "seconds" not in entry or not job.output.is_file():
        return True
    return bool(entry.get("sha256") == hash_of(job.output))


def _same_source(entry: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(entry.get(name) == other.get(name) for name in ("verb", "source"))


def key_of(verb: str, inputs: Sequence[object], options: Mapping[str, Any]) -> str:
    """Return a hash of everything that decides a result: files, options and version."""
    known = {name: _content(options[name]) for name in sorted(options.keys() - _WITHOUT_EFFECT)}
    text = json.dumps([__version__, verb, [_content(one) for one in inputs], known], default=str)
    return hash_of(text.encode())[:32]


def _content(value: object) -> object:
    """Return the hash of a file, whatever its name is, and other values as they are."""
    if isinstance(value, list):
        return [_content(one) for one in value]
    name = str(value)
    # a painting may have a weight, wave.jpg:0.7, and a picture a frame, walk.gif#3
    for file in (name, name.rpartition(":")[0], frames.split(name)[0]):
        if os.path.isfile(file):  # noqa: PTH113 (it takes any text)
            with suppress(OSError):
                found = [hash_of(Path(file)), name.removeprefix(file)]
                binary = Path(file).with_suffix(".bin")  # the other half of a network of ncnn
                is_pair = file.endswith(".param") and binary.is_file()
                return [*found, hash_of(binary)] if is_pair else found
    return value


def _relative(name: str, folder: Path) -> str:
    """Return the name of an input seen from the folder, so that both can move together."""
    file, number = frames.split(name)
    if not os.path.exists(file):  # noqa: PTH110 (it takes any text)
        return name
    return frames.join(places.seen_from(folder, file), number)
