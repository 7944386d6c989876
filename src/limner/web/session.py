"""What belongs to one open page: its pictures, its results, and its folder, which goes with it."""

import filecmp
import json
import re
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from limner.errors import InputError, LimnerError, OptionError, printable
from limner.io import check_output, formats, write, write_animation, write_saved
from limner.io.openraster import Saved
from limner.progress import OnStep, Progress
from limner.web.forms import TABS, Call
from limner.web.jobs import Bench, Job

BYTES = 64 * 2**20  # of a file that is given to the page
PIXELS = 50_000_000
SHOWN = 1024  # pixels of the longest side of what is shown of a picture
_KEPT = 50  # results in the history
_QUEUED = 30  # jobs of one page
_FLAG = re.compile(r"(?<!\S)--([a-z][a-z-]+)")  # --style-scale


@dataclass(frozen=True)
class Shelved:
    """A file that was given to the page, or made on it.

    Attributes
    ----------
    path : path
        In the folder of its page.
    size : tuple of int
        Width and height in pixels, upright; (0, 0) for weights.
    shown : path or None
        A small copy to be looked at.
    """

    path: Path
    size: tuple[int, int] = (0, 0)
    shown: Path | None = None


@dataclass
class Result:
    """What a job has made.

    Attributes
    ----------
    title : str
        What it is called in the history.
    pictures : list of Shelved
        Of the verb: one, or several.
    beside : list of path
        What was written with them.
    recipe : str
        Of the first, as JSON; empty for none.
    notes : list of str
        Remarks on the writing.
    before : Shelved or None
        The first of what it was made of.
    fresh : bool
        It is still to be shown.
    """

    title: str
    pictures: list[Shelved]
    beside: list[Path] = field(default_factory=list)
    recipe: str = ""
    notes: list[str] = field(default_factory=list)
    before: Shelved | None = None
    fresh: bool = True


class Session:
    """One open page.

    Parameters
    ----------
    folder : path
        Where its files lie; made here.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.slots: dict[str, Shelved] = {}  # "stylize.photo.0" → what lies there
        self.history: list[Result] = []
        self.jobs: list[Job] = []
        self.latest: dict[str, Result] = {}  # by verb
        self.chosen: dict[str, int] = {}  # by verb: which of several pictures is handed on
        self.points: dict[str, tuple[Shelved, list[tuple[int, int]]]] = {}  # clicked, in its pixels
        self.dabs: Shelved | None = None  # painted on the drawing
        self._count = 0

    def take(self, source: Path, name: str) -> Shelved:
        """Put a picture on the shelf, if it is one.

        Raises
        ------
        InputError
            It is too large, damaged, or no picture.
        """
        path = self._kept(source, name)
        try:
            with self.plainly():
                return self.shelve(path)
        except InputError:
            path.unlink(missing_ok=True)
            raise

    def take_weights(self, source: Path, name: str) -> Shelved:
        """Put a weights file on the shelf.

        Raises
        ------
        InputError
            It is too large, or none.
        """
        if Path(name).suffix != ".safetensors":
            raise InputError(f"{printable(name)}: is no .safetensors file")
        return Shelved(self._kept(source, name))

    def shelve(self, path: Path) -> Shelved:
        """Make the small copy of a picture that lies in the folder."""
        name = printable(path.name)
        with formats.opened(path) as (image, _):
            width, height = image.size
            if width * height > PIXELS:
                raise InputError(
                    f"{name}: is {width} × {height} = {width * height / 1e6:.0f} megapixels, more "
                    f"than the {PIXELS / 1e6:.0f} this page takes; use the command line"
                )
            image.load()
            return self._looked_at(image, path, quality=85)

    def _kept(self, source: Path, name: str) -> Path:
        """Copy a file into the folder, under its own name as far as that is harmless."""
        size = source.stat().st_size
        if size > BYTES:
            raise InputError(
                f"{printable(name)}: has {size / 2**20:.0f} MB, more than {BYTES >> 20}; "
                "use the command line"
            )
        plain = Path(re.sub(r"[^\w.-]", "_", Path(name).name).lstrip(".")[-80:] or "file")
        there = self.folder / plain
        if there.exists() and filecmp.cmp(source, there, shallow=False):
            return there  # given in another place, and still called what its owner calls it
        target = self.free(plain)
        shutil.copyfile(source, target)
        return target

    def free(self, name: Path) -> Path:
        """A place in the folder of which nothing else is called the same."""
        target, number = self.folder / name, 1
        while target.exists():
            number += 1
            target = self.folder / f"{name.stem}-{number}{name.suffix}"
        return target

    def pictures(self, verb: str) -> dict[str, list[str]]:
        """What lies in the places of a verb's form."""
        found: dict[str, list[str]] = {}
        for place in sorted(self.slots):
            of_verb, name, _ = place.split(".")
            if of_verb == verb:
                found.setdefault(name, []).append(str(self.slots[place].path))
        if verb == "colorize" and self.dabs is not None:
            found.setdefault("hints", [str(self.dabs.path)])
        return found

    def painting(self, call: Call, ending: str) -> Callable[[OnStep], Result]:
        """The work of a job: call the verb, and write what it makes."""
        self._count += 1
        stem, dabs = f"{call.tab.verb}-{self._count}", self.dabs

        def work(on_step: OnStep) -> Result:
            def told(progress: Progress) -> None:
                if progress.size and not progress.step:  # before minutes of work
                    check_output(self.folder / f"{stem}{ending}", size=progress.size)
                on_step(replace(progress, note=self.plain(progress.note)))

            with self.plainly():
                made = call.tab.function(*call.inputs, **call.options, on_step=told)
                several = made if isinstance(made, list) else [made]
                result = self.keep(call.tab.title, stem, several, ending)
            if dabs is not None and call.options.get("hints") == str(dabs.path):
                result.beside.append(dabs.path)  # without it nobody could make this again
            return result

        return work

    def plain(self, text: str) -> str:
        """Let a message name files as their owner does, and options as the page does."""
        text = text.replace(f"{self.folder}/", "")
        return _FLAG.sub(lambda flag: f"“{flag[1].replace('-', ' ').capitalize()}”", text)

    @contextmanager
    def plainly(self) -> Iterator[None]:
        """Let the errors of what is done inside speak so too."""
        try:
            yield
        except LimnerError as error:
            raise type(error)(self.plain(str(error))) from error

    def keep(self, title: str, stem: str, made: Sequence[Image.Image], ending: str) -> Result:
        """Write what a verb has made, with its recipes, into the folder."""
        result = Result(title, [])
        for number, picture in enumerate(made, 1):
            self._forget_places(picture)
            name = f"{stem}-{number:02d}" if len(made) > 1 else stem
            path = self.free(Path(f"{name}{ending}"))
            result.notes += map(self.plain, write(picture, path))
            result.pictures.append(self._looked_at(picture, path))
            result.recipe = result.recipe or picture.info.get("limner", "")
        for name, view in made[0].info.get("beside", {}).items():
            result.beside.append(self._beside(stem, name, view, ending))
        self.history = [result, *self.history][:_KEPT]
        return result

    def _looked_at(self, picture: Image.Image, path: Path, *, quality: int = 90) -> Shelved:
        """The file of a picture, with a small copy to be looked at."""
        shown, size = small(picture)
        target = self.folder / f"shown-{secrets.token_hex(8)}.webp"
        shown.save(target, "WEBP", quality=quality, icc_profile=shown.info.get("icc_profile"))
        return Shelved(path, size, target)

    def _beside(self, stem: str, name: str, view: Any, ending: str) -> Path:
        """Write another view of a result."""
        place = getattr(view, "place", None)
        if isinstance(view, Saved):
            path = self.free(Path(f"{stem}-{name}{Path(place).suffix if place else view.ending}"))
            write_saved(view, path)
        elif getattr(view, "is_animated", False):
            path = self.free(Path(f"{stem}-{name}.gif"))
            write_animation(view, path)
        else:
            self._forget_places(view)
            path = self.free(Path(f"{stem}-{name}{ending}"))
            write(view, path)
        return path

    def _forget_places(self, picture: Image.Image) -> None:
        """Let a recipe name files as their owner does: this folder will be gone."""
        folder = json.dumps(f"{self.folder}/")[1:-1]
        if "limner" in picture.info:
            picture.info["limner"] = picture.info["limner"].replace(folder, "")

    def close(self) -> None:
        """Stop its jobs, and delete its files."""
        for job in self.jobs:
            job.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def upright(image: Image.Image) -> Image.Image:
    """A picture as it is looked at: turned as its camera was, grey or RGB of 8 bits, or RGBA."""
    shown = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        shown = shown.convert("I").point(lambda value: value / 257)
    if shown.mode not in ("L", "RGB", "RGBA"):
        kept = shown.has_transparency_data
        shown = shown.convert("L" if image.mode[0] in "IF" else "RGBA" if kept else "RGB")
    return shown


def small(image: Image.Image, longest: int = SHOWN) -> tuple[Image.Image, tuple[int, int]]:
    """A copy of a picture to be looked at, upright, and the size of the whole."""
    shown = upright(image)
    size = shown.size
    shown.thumbnail((longest, longest), reducing_gap=2.0)
    shown.info["icc_profile"] = None if image.mode == "CMYK" else image.info.get("icc_profile")
    return shown, size


class Sessions:
    """All open pages of a studio.

    Parameters
    ----------
    root : path
        A folder of the studio's own.
    bench : Bench
        Where jobs are done.
    """

    def __init__(self, root: Path, bench: Bench) -> None:
        self.root = root
        self.uploads = root / "uploads"
        self.uploads.mkdir(mode=0o700)
        self.bench = bench
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Import torch and the rooms while a page is first looked at."""
        if "torch" not in sys.modules:
            self.bench.add(Job(lambda on_step: [tab.function for tab in TABS]))

    def of(self, key: str | None) -> Session:
        """The page that a browser calls so; a new one if there is none."""
        assert key, "gradio gives every page a name"
        with self._lock:
            if key not in self._open:
                self._open[key] = Session(self.root / secrets.token_hex(16))
            return self._open[key]

    def uploaded(self, value: Any) -> tuple[Path, str]:
        """Where a file that a browser has just sent lies, and its name.

        Raises
        ------
        InputError
            It is none of those: the page opens no other.
        """
        path = Path(str(value.get("path", ""))) if isinstance(value, dict) else Path()
        if not path.resolve().is_relative_to(self.uploads.resolve()) or not path.is_file():
            raise InputError("the picture did not arrive; drop it in again")
        return path, str(value.get("orig_name") or path.name)

    def begin(self, session: Session, work: Callable[[OnStep], Any], owner: str) -> Job:
        """Put work of a tab into the queue.

        Raises
        ------
        OptionError
            Too much waits already.
        """
        session.jobs = [job for job in session.jobs if not job.over.is_set()]
        if len(session.jobs) >= _QUEUED:
            raise OptionError(f"{_QUEUED} jobs of this page wait already; let one end, or stop it")
        session.jobs.append(self.bench.add(Job(work, owner)))
        return session.jobs[-1]

    def close(self, key: str | None) -> None:
        """Forget a page that was closed, and all that was on it."""
        with self._lock:
            session = self._open.pop(key or "", None)
        if session is not None:
            session.close()
