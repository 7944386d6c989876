"""The folder of the studio: results under plain names, and the rest in a hidden folder.

::

    2026-11-28-photo-stylize.png    a result
    .limner/files/<id>/photo.jpg    an input; the id comes from its content
    .limner/jobs/<id>.json          a job: its form, its state, and the names of its results
    .limner/views/<id>-1024.webp    a small copy to show
    .limner/trash/<id>/             results that were deleted
"""

import hashlib
import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from limner.errors import InputError, OutputError, printable, reason
from limner.io import formats
from limner.io.atomic import lock, remove_left, whole_file
from limner.io.recipe import bare_name
from limner.io.writing import plain_name
from limner.web.thumbnails import has_alpha, upright_size

MAX_UPLOAD = 64 * 2**20  # bytes
MAX_PIXELS = 50_000_000
MEASURE = "measure"  # the verb of a job that maps where a picture is hard to predict
_TRASH_DAYS = 7
_HEX = re.compile(r"[0-9a-f]{8,64}")

State = Literal["waiting", "running", "done", "failed", "stopped"]
ENDED: tuple[State, ...] = ("done", "failed", "stopped")


@dataclass(frozen=True)
class Stored:
    """A file that was given to the page, or made on it.

    Attributes
    ----------
    id : str
        The first half of its SHA-256 in hex; of a result the job's id and its number: ``"a1-1"``.
    path : Path
        Where it is.
    size : tuple of int
        Width and height in pixels, upright; (0, 0) for a weights file or a PDF.
    alpha : bool
        Whether it has transparent parts.
    """

    id: str
    path: Path
    size: tuple[int, int] = (0, 0)
    alpha: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return what the page is told."""
        width, height = self.size
        kind = "weights" if self.path.suffix == ".safetensors" else "picture"
        return {
            "id": self.id,
            "name": self.path.name,
            "width": width,
            "height": height,
            "kind": kind,
            "alpha": self.alpha,
        }


@dataclass
class Made:
    """A result, and its size in pixels. Its name is that of a file in the folder."""

    name: str
    width: int
    height: int
    alpha: bool


@dataclass
class Record:
    """What is kept of a job. The attributes are those of the API."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    verb: str
    values: dict[str, Any]
    files: dict[str, list[str]]
    ending: str = ".png"
    group: str | None = None
    created: str = ""
    state: State = "waiting"
    starts: int = 0  # how often it was started; a job that crashes the studio is not tried forever
    seconds: float | None = None
    message: str = ""
    remedies: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pictures: list[Made] = field(default_factory=list)
    side_files: list[str] = field(default_factory=list)
    recipe: str = ""
    deleted: str = ""  # when it was moved to the trash


_RECORDS = TypeAdapter(Record)


def _record(path: Path) -> Record:
    """Read a record. A ValueError says that it is damaged, or of a version to come."""
    record = _RECORDS.validate_json(path.read_bytes())
    json.dumps(asdict(record), allow_nan=False)  # as the page will ask for it
    names = (*(one.name for one in record.pictures), *record.side_files)
    texts = (*names, record.verb, record.ending, record.created)
    if record.id != path.stem or "" in names or any(re.search(r"[/\\\0]", one) for one in texts):
        raise ValueError(record)
    return record


class Gallery:
    """The folder.

    Parameters
    ----------
    folder : Path
        It is made if it is missing.
    limit : int
        The largest size of all files in it, in bytes.

    Raises
    ------
    OutputError
        The folder cannot be used, or another studio uses it.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder.resolve(), limit
        self.hidden = self.folder / ".limner"
        self.files, self.views, self.trash = (
            self.hidden / name for name in ("files", "views", "trash")
        )
        self._jobs = self.hidden / "jobs"
        self._size = (0.0, 0)  # when it was measured, and bytes
        self._numbering = threading.Lock()
        self._looked_at: dict[str, Stored] = {}  # inputs; they never change
        try:
            self._make_folders()
            self.hidden.chmod(0o700)  # for this user only; Windows ignores the mode
            self._lock = (self.hidden / "lock").open("a")
        except OSError as error:
            raise OutputError(
                f"--gallery {printable(folder)}: cannot be written ({reason(error)}); "
                "choose another folder"
            ) from error
        if not lock(self._lock):
            self._lock.close()
            raise OutputError(
                f"--gallery {printable(folder)}: another studio uses it; close that one, or choose "
                "another folder"
            )
        remove_left(self.folder)
        remove_left(self.hidden, subfolders=True)
        for old in self.trash.iterdir():
            if time.time() - old.stat().st_mtime > _TRASH_DAYS * 86_400:
                shutil.rmtree(old, ignore_errors=True)
        self.records = {record.id: record for record in self._read_records()}

    def close(self) -> None:
        """Let another studio use the folder."""
        self._lock.close()

    def _make_folders(self) -> None:
        for folder in (self.files, self.views, self.trash, self._jobs):
            folder.mkdir(parents=True, exist_ok=True)

    def problem(self) -> str:
        """Return why nothing can be kept at the moment; empty if it can."""
        shown = printable(self.folder)
        try:
            if not self.folder.is_dir():
                return f"the gallery folder {shown} is gone; put it back, or start the studio again"
            self._make_folders()
            with NamedTemporaryFile(dir=self.hidden, prefix=".limner-", suffix=".part") as probe:
                probe.write(b"limner")
        except OSError as error:
            return f"the gallery folder {shown} cannot be written ({reason(error)})"
        if self.bytes() > self.limit:
            return (
                f"the gallery is full: {self.bytes() / 1e9:.1f} of {self.limit / 1e9:g} GB; "
                "delete some pictures, or start the studio with a larger --gallery-limit"
            )
        return ""

    def bytes(self) -> int:
        """Return the size of all files, measured at most every ten seconds."""
        now = time.monotonic()
        if not self._size[0] or now - self._size[0] > 10:
            total = 0
            for path in self.folder.rglob("*"):
                with suppress(OSError):
                    total += path.stat().st_size
            self._size = now, total
        return self._size[1]

    # ---- files

    def part(self) -> Path:
        """Return a path for a file that is on its way; the next start removes what is left."""
        return self.hidden / f".limner-{secrets.token_hex(8)}.part"

    def add(self, source: Path, name: str) -> Stored:
        """Move a file that has arrived into the folder, and check it.

        Raises
        ------
        InputError
            It is too large, damaged, or neither a picture nor a weights file.
        """
        shown = printable(bare_name(name))
        plain = plain_name(name)
        with source.open("rb") as file:
            key = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        folder = self.files / key
        if self._in(folder):
            return self.stored(key)
        try:
            stored = self._stored(key, source, shown, plain)
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / plain
            source.replace(target)
        except OSError as error:
            raise OutputError(f"{shown}: cannot be kept ({reason(error)})") from error
        return Stored(key, target, stored.size, stored.alpha)

    def _in(self, folder: Path) -> Path | None:
        with suppress(OSError):
            return next((path for path in folder.iterdir() if path.name[0] != "."), None)
        return None

    def _stored(self, key: str, path: Path, shown: str = "", plain: str = "") -> Stored:
        """Look at a file. With `shown`, it is new: check all of it."""
        if (plain or path.name).endswith(".safetensors"):
            return Stored(key, path)
        try:
            with formats.opened(path) as (image, _):
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise InputError(
                        f"{shown}: is {width} × {height} = {width * height / 1e6:.0f} megapixels, "
                        f"more than the {MAX_PIXELS / 1e6:.0f} this page takes; use the command "
                        "line"
                    )
                if shown:
                    image.load()
                alpha, size = has_alpha(image), upright_size(image)
        except InputError as error:
            text = str(error).replace(printable(path), shown or path.name)
            raise InputError(text) from error
        return Stored(key, path, size, alpha)

    def stored(self, key: str) -> Stored:
        """Return a file by its id.

        Raises
        ------
        InputError
            There is none, or not yet.
        """
        job, _, number = key.partition("-")
        if number and (record := self.records.get(job)):
            if number.isdigit() and 0 < int(number) <= len(record.pictures) and not record.deleted:
                one = self.pictures_of(record)[int(number) - 1]
                if one.path.is_file():
                    return one
                raise InputError(f"{one.path.name}: is no longer in the gallery")
            raise InputError(f"the picture of an earlier step ({record.verb}) is not there")
        known = self._looked_at.get(key)
        if known is not None and known.path.exists():
            return known
        path = self._in(self.files / key) if _HEX.fullmatch(key) else None
        if path is None:
            raise InputError("the picture is no longer there; drop it in again")
        self._looked_at[key] = self._stored(key, path)
        return self._looked_at[key]

    def pictures_of(self, record: Record) -> list[Stored]:
        """Return the pictures of a job, even if the user has deleted their files."""
        return [
            Stored(
                f"{record.id}-{number}",
                self.folder / one.name,
                (one.width, one.height),
                one.alpha,
            )
            for number, one in enumerate(record.pictures, 1)
        ]

    def plain_text(self, text: str) -> str:
        """Return a text with the names of files in the folder instead of their paths."""
        inputs = re.escape(str(self.files / "_")[:-1])
        text = re.sub(inputs + r"[0-9a-f]+[/\\]", "", text)
        return text.replace(str(self.folder / "_")[:-1], "")

    def unused(self, name: str) -> Path:
        """Return a path for a result that does not exist yet, numbered if necessary."""
        plain = Path(name)
        target, number = self.folder / plain, 1
        while target.exists():
            number += 1
            target = self.folder / f"{plain.stem}-{number}{plain.suffix}"
        return target

    # ---- records

    def _read_records(self) -> Iterator[Record]:
        for path in sorted(self._jobs.glob("*.json")):
            try:
                yield _record(path)
            except (OSError, ValueError):
                continue  # the file stays

    def add_record(self, record: Record) -> None:
        """Give a new record its id, and write it.

        Raises
        ------
        OutputError
            The folder is gone or full.
        """
        with self._numbering:
            number = time.time_ns()
            while f"{number:x}" in self.records:
                number += 1
            record.id = f"{number:x}"
            self.records[record.id] = record
        record.created = datetime.now().astimezone().isoformat(timespec="seconds")
        self.save(record)

    def save(self, record: Record) -> None:
        """Write a record.

        Raises
        ------
        OutputError
            The folder is gone or full.
        """
        try:
            with whole_file(self._jobs / f"{record.id}.json") as file:
                file.write(json.dumps(asdict(record)).encode())
        except OSError as error:
            raise OutputError(
                f"the gallery folder {printable(self.folder)} cannot be written ({reason(error)})"
            ) from error

    def results(self, verb: str = "", search: str = "") -> list[Record]:
        """Return the records with pictures, newest first, whose names or dates contain a text.

        A map of a measurement is no result.
        """
        words = search.lower().split()
        found = []
        for record in sorted(self.records.values(), key=lambda one: one.id, reverse=True):
            text = " ".join([record.created, record.verb, *(p.name for p in record.pictures)])
            if (
                record.pictures
                and not record.deleted
                and record.verb != MEASURE
                and verb in ("", record.verb)
                and all(word in text.lower() for word in words)
            ):
                found.append(record)
        return found

    def delete(self, record: Record) -> None:
        """Move the results of a job to the trash."""
        self._move(record, self.folder, self.trash / record.id)
        record.deleted = datetime.now().astimezone().isoformat(timespec="seconds")
        self.save(record)

    def restore(self, record: Record) -> None:
        """Move them back."""
        self._move(record, self.trash / record.id, self.folder)
        record.deleted = ""
        self.save(record)

    def _move(self, record: Record, source: Path, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        for name in (*(one.name for one in record.pictures), *record.side_files):
            with suppress(FileNotFoundError):  # the user has deleted it in the folder
                (source / name).replace(target / name)
