"""What belongs to one open page: its pictures, results and folder, deleted with the page."""

import filecmp
import json
import re
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from limner.errors import InputError, LimnerError, OptionError, printable
from limner.io import check_output, ending_of, formats, write, write_view
from limner.progress import OnStep, Progress
from limner.web.calls import Call
from limner.web.forms import TABS, labels, with_labels
from limner.web.jobs import Job, JobQueue
from limner.web.kept_coloring import KeptColoring
from limner.web.thumbnails import thumbnail

MAX_UPLOAD = 64 * 2**20  # bytes
MAX_PIXELS = 50_000_000
_MAX_RESULTS = 50  # in the history
_MAX_JOBS = 30  # of one page, waiting and running


@dataclass(frozen=True)
class StoredFile:
    """A file that was given to the page, or made on it.

    Attributes
    ----------
    path : path
        In the folder of the page.
    size : tuple of int
        Width and height in pixels, upright; (0, 0) for a weights file.
    thumbnail : path or None
        A small copy to show.
    """

    path: Path
    size: tuple[int, int] = (0, 0)
    thumbnail: Path | None = None


@dataclass
class Result:
    """What a job has made.

    Attributes
    ----------
    title : str
        Its name in the history.
    pictures : list of StoredFile
        The pictures that the verb returned.
    side_files : list of path
        The files that belong to them.
    recipe : str
        The recipe of the first picture, as JSON; empty if it has none.
    notes : list of str
        Remarks for the user from writing the files.
    before : StoredFile or None
        The input picture, for the comparison.
    is_new : bool
        The page has not shown it yet.
    """

    title: str
    pictures: list[StoredFile]
    side_files: list[Path] = field(default_factory=list)
    recipe: str = ""
    notes: list[str] = field(default_factory=list)
    before: StoredFile | None = None
    is_new: bool = True


class Session:
    """One open page.

    Parameters
    ----------
    folder : path
        The folder for its files. It is made here.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)  # for this user only; Windows ignores the mode
        self.folder = folder
        self.slots: dict[str, StoredFile] = {}  # "stylize.photo.0" -> the file in that slot
        self.history: list[Result] = []
        self.jobs: list[Job] = []
        self.latest: dict[str, Result] = {}  # by verb
        self.selected: dict[str, int] = {}  # by verb: which picture of several to send on
        # By option: a photo, and the points clicked in it, (x, y) in its pixels.
        self.points: dict[str, tuple[StoredFile, list[tuple[int, int]]]] = {}
        self.painted_hints: StoredFile | None = None  # colors painted on the drawing
        self.coloring = KeptColoring(self._drawing)
        self._runs = 0

    def add_picture(self, source: Path, name: str) -> StoredFile:
        """Copy a picture into the folder, and check it.

        Raises
        ------
        InputError
            It is too large, damaged, or not a picture.
        """
        path = self._copy(source, name)
        try:
            with self.page_errors({}):
                return self.register(path)
        except LimnerError:
            path.unlink(missing_ok=True)
            raise

    def add_weights(self, source: Path, name: str) -> StoredFile:
        """Copy a weights file into the folder.

        Raises
        ------
        InputError
            It is too large, or not a .safetensors file.
        """
        if Path(name).suffix != ".safetensors":
            raise InputError(f"{printable(name)}: is not a .safetensors file")
        return StoredFile(self._copy(source, name))

    def register(self, path: Path) -> StoredFile:
        """Check a picture that is in the folder already, and make its thumbnail."""
        name = printable(path.name)
        with formats.opened(path) as (image, _):
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise InputError(
                    f"{name}: is {width} × {height} = {width * height / 1e6:.0f} megapixels, more "
                    f"than the {MAX_PIXELS / 1e6:.0f} this page takes; use the command line"
                )
            image.load()
            return self._with_thumbnail(image, path, quality=85)

    def _copy(self, source: Path, name: str) -> Path:
        """Copy a file into the folder, under its own name where that is harmless."""
        size = source.stat().st_size
        if size > MAX_UPLOAD:
            raise InputError(
                f"{printable(name)}: is {size / 2**20:.0f} MB, more than the {MAX_UPLOAD >> 20} MB "
                "this page takes; use the command line"
            )
        plain = Path(re.sub(r"[^\w.-]", "_", Path(name).name).lstrip(".")[-80:] or "file")
        existing = self.folder / plain
        if existing.exists() and filecmp.cmp(source, existing, shallow=False):
            return existing  # the same file in another slot: keep the name that its owner knows
        target = self.unused_path(plain)
        shutil.copyfile(source, target)
        return target

    def unused_path(self, name: Path) -> Path:
        """Return a path in the folder that does not exist yet, numbered if necessary."""
        target, number = self.folder / name, 1
        while target.exists():
            number += 1
            target = self.folder / f"{name.stem}-{number}{name.suffix}"
        return target

    def files(self, verb: str) -> dict[str, list[str]]:
        """Return the files in the slots of a verb's form, by option."""
        found: dict[str, list[str]] = {}
        for slot in sorted(self.slots):
            slot_verb, option, _ = slot.split(".")
            if slot_verb == verb:
                found.setdefault(option, []).append(str(self.slots[slot].path))
        if verb == "colorize" and self.painted_hints is not None:
            found.setdefault("hints", [str(self.painted_hints.path)])
        return found

    def work(self, call: Call, ending: str) -> Callable[[OnStep], Result]:
        """Return the work of a job: call the verb, and write what it returns."""
        self._runs += 1
        stem, hints = f"{call.tab.verb}-{self._runs}", self.painted_hints
        names = labels(call.tab)

        def work(on_step: OnStep) -> Result:
            def report(progress: Progress) -> None:
                if progress.size and not progress.step:  # before minutes of work
                    check_output(self.folder / f"{stem}{ending}", size=progress.size)
                on_step(replace(progress, note=self.page_message(progress.note, names)))

            with self.page_errors(names):
                is_coloring = call.tab.verb == "colorize"
                verb = self.coloring.colorize if is_coloring else call.tab.function
                made = verb(*call.inputs, **call.options, on_step=report)
                pictures = made if isinstance(made, list) else [made]
                result = self._save(call.tab.title, stem, pictures, ending)
            result.notes = [self.page_message(note, names) for note in result.notes]
            if hints is not None and call.options.get("hints") == str(hints.path):
                result.side_files.append(hints.path)  # needed to make the picture again
            return result

        return work

    def _drawing(self) -> Path | None:
        """Return the drawing on the tab that colors."""
        drawing = self.slots.get("colorize.sketch.0")
        return None if drawing is None else drawing.path

    def page_message(self, text: str, names: Mapping[str, str]) -> str:
        """Return a verb's message with file names as their owner knows them, and page labels."""
        return with_labels(text.replace(self._prefix, ""), names)

    @contextmanager
    def page_errors(self, names: Mapping[str, str]) -> Iterator[None]:
        """Reword limner's errors in the same way."""
        try:
            yield
        except LimnerError as error:
            raise type(error)(self.page_message(str(error), names)) from error

    @property
    def _prefix(self) -> str:
        return str(self.folder / "_")[:-1]  # with the separator of this system

    def _save(self, title: str, stem: str, pictures: Sequence[Image.Image], ending: str) -> Result:
        """Write what a verb has returned, with recipes, into the folder."""
        result = Result(title, [])
        for number, picture in enumerate(pictures, 1):
            self._remove_folder(picture)
            name = f"{stem}-{number:02d}" if len(pictures) > 1 else stem
            path = self.unused_path(Path(f"{name}{ending}"))
            result.notes += write(picture, path)
            result.pictures.append(self._with_thumbnail(picture, path))
            result.recipe = result.recipe or picture.info.get("limner", "")
        for name, view in pictures[0].info.get("beside", {}).items():
            path = self.unused_path(Path(f"{stem}-{name}{ending_of(view) or ending}"))
            if isinstance(view, Image.Image):
                self._remove_folder(view)
            result.notes += write_view(view, path)
            result.side_files.append(path)
        self.history = [result, *self.history][:_MAX_RESULTS]
        return result

    def _with_thumbnail(self, picture: Image.Image, path: Path, *, quality: int = 90) -> StoredFile:
        small, size = thumbnail(picture)
        target = self.folder / f"shown-{secrets.token_hex(8)}.webp"
        small.save(target, "WEBP", quality=quality, icc_profile=small.info.get("icc_profile"))
        return StoredFile(path, size, target)

    def _remove_folder(self, picture: Image.Image) -> None:
        """Name files in the recipe without this folder, which will be deleted."""
        folder = json.dumps(self._prefix)[1:-1]
        if "limner" in picture.info:
            picture.info["limner"] = picture.info["limner"].replace(folder, "")

    def close(self) -> None:
        """Stop the jobs, and delete the files."""
        for job in self.jobs:
            job.stop()
        self.slots.clear()
        self.coloring.drop_old()
        shutil.rmtree(self.folder, ignore_errors=True)


class Sessions:
    """All open pages.

    Parameters
    ----------
    root : path
        A folder that belongs to the studio.
    queue : JobQueue
        Runs the jobs of all pages.
    """

    def __init__(self, root: Path, queue: JobQueue) -> None:
        self.root = root
        self.uploads = root / "uploads"
        self.uploads.mkdir(mode=0o700)
        self.queue = queue
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def preload(self) -> None:
        """Import torch and the verbs in the background while the user looks at a new page."""
        if "torch" not in sys.modules:
            self.queue.add(Job(lambda on_step: [tab.function for tab in TABS]))

    def get(self, key: str | None) -> Session:
        """Return the session with gradio's key for a page; make it if it is new."""
        assert key, "gradio gives every page a key"
        with self._lock:
            if key not in self._open:
                self._open[key] = Session(self.root / secrets.token_hex(16))
            return self._open[key]

    def uploaded(self, value: Any) -> tuple[Path, str]:
        """Return the path and the original name of a file that the browser has just sent.

        Raises
        ------
        InputError
            It is not such a file: the page opens no other.
        """
        path = Path(str(value.get("path", ""))) if isinstance(value, dict) else Path()
        if not path.resolve().is_relative_to(self.uploads.resolve()) or not path.is_file():
            raise InputError("the file did not arrive; drop it in again")
        return path, str(value.get("orig_name") or path.name)

    def submit(self, session: Session, work: Callable[[OnStep], Any], owner: str) -> Job:
        """Add a job of a tab to the queue.

        Raises
        ------
        OptionError
            Too many jobs of this page are waiting.
        """
        session.jobs = [job for job in session.jobs if not job.finished.is_set()]
        if len(session.jobs) >= _MAX_JOBS:
            raise OptionError(f"{_MAX_JOBS} jobs of this page are waiting; wait for one or stop it")
        session.jobs.append(self.queue.add(Job(work, owner)))
        return session.jobs[-1]

    def close(self, key: str | None) -> None:
        """Delete a session whose page was closed."""
        with self._lock:
            session = self._open.pop(key or "", None)
        if session is not None:
            session.close()
