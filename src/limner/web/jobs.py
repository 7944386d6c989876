"""Work for one machine: a job at a time, the others in a queue, each of them looked at and stopped.

A job is anything that takes ``on_step``. Its page asks it how far it is; it asks nobody.
"""

import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any, Literal

from PIL import Image

from limner.errors import LimnerError, printable
from limner.progress import OnStep, Progress, Stop

PREVIEW = 512  # pixels of the longest side
_PAUSE = 0.5  # seconds between two previews at least
_SHARE = 0.04  # of a job's time that may go into previews
_WAITS = 20.0  # seconds without anybody asking after which a job is given up

State = Literal["waiting", "running", "done", "failed", "stopped"]


class Job:
    """A piece of work: where it stands, and what has become of it.

    Parameters
    ----------
    work : callable
        Called with ``on_step``; what it returns is the result.
    owner : str
        Which tab it belongs to.

    Attributes
    ----------
    state : str
        ``done`` and ``stopped`` may have a result, ``failed`` has a `message`.
    progress : Progress or None
        The last moment of it.
    preview : bytes or None
        A small JPEG of the picture so far, with `previews`, how many there were.
    notes : list of str
        Remarks for the user.
    """

    def __init__(self, work: Callable[[OnStep], Any], owner: str = "") -> None:
        self.owner = owner
        self.state: State = "waiting"
        self.progress: Progress | None = None
        self.preview: bytes | None = None
        self.previews = 0
        self.notes: list[str] = []
        self.message = ""
        self.result: Any = None
        self.over = threading.Event()
        self._work = work
        self._stopping = False
        self._next = 0.0  # when a preview is due, on the monotonic clock
        self._asked = time.monotonic()

    def stop(self) -> None:
        """End it at its next step, or before its first."""
        self._stopping = True
        if self.state == "waiting":
            self.state, self.message = "stopped", "stopped before it began"
            self.over.set()

    def touch(self) -> None:
        """Say that somebody still waits for it."""
        self._asked = time.monotonic()

    def on_step(self, progress: Progress) -> None:
        """Take note of a moment of the verb."""
        self.progress = progress
        if progress.note and progress.note not in self.notes:
            self.notes.append(progress.note)
        if time.monotonic() - self._asked > _WAITS:
            self._stopping = True
        if self._stopping and (progress.step < progress.steps or not progress.steps):
            raise Stop
        began = time.monotonic()
        if progress.preview is not None and began >= self._next:
            self.preview = small_jpeg(progress.preview())
            self.previews += 1
            now = time.monotonic()
            self._next = now + max(_PAUSE, (now - began) / _SHARE)

    def run(self) -> None:
        """Do it; whatever goes wrong becomes one line."""
        if self.over.is_set():
            return
        self.state = "running"
        self.touch()
        try:
            self.result = self._work(self.on_step)
            self.state = "stopped" if self._cut else "done"
        except Stop:
            self.state, self.message = "stopped", "stopped; there is nothing to keep yet"
        except LimnerError as error:
            self.state, self.message = "failed", printable(str(error).replace("\n", "; "))
        except Exception as error:  # a bug, or the machine's limits: the page lives on
            self.state, self.message = "failed", short(error)
        finally:
            self.over.set()

    @property
    def _cut(self) -> bool:
        last = self.progress
        return self._stopping and last is not None and last.step < last.steps


class Bench:
    """One job at a time, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._current: Job | None = None
        self._thread = threading.Thread(target=self._work, name="limner bench", daemon=True)
        self._thread.start()

    def add(self, job: Job) -> Job:
        """Put a job at the end of the queue."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()
        return job

    def place(self, job: Job) -> int:
        """How many are to be done before it; 0 for what is being done, or is over."""
        with self._changed:
            alive = [one for one in self._waiting if not one.over.is_set()]
            if job not in alive:
                return 0
            busy = self._current is not None and not self._current.over.is_set()
            return alive.index(job) + busy

    def close(self) -> None:
        """Stop all of them, and wait for the one that is being done."""
        with self._changed:
            self._closed = True
            for job in (*self._waiting, *filter(None, [self._current])):
                job.stop()
            self._changed.notify()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._current = None
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                self._current = self._waiting.pop(0)
                job = self._current
            job.run()


def small_jpeg(picture: Image.Image, longest: int = PREVIEW) -> bytes:
    """Make a small JPEG of a picture, on white where it is transparent."""
    shown = picture.copy()
    shown.thumbnail((longest, longest), reducing_gap=2.0)
    if shown.has_transparency_data:
        shown = shown.convert("RGBA")
        shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)
    encoded = BytesIO()
    shown.convert("RGB").save(
        encoded, "JPEG", quality=85, icc_profile=picture.info.get("icc_profile")
    )
    return encoded.getvalue()


def time_left(progress: Progress) -> float | None:
    """Seconds that a verb will still take, once there is something to tell it by."""
    if not 0.02 < progress.share < 1 or progress.seconds < 1:
        return None
    return progress.seconds * (1 - progress.share) / progress.share


def short(error: Exception) -> str:
    """What went wrong, in one line, where nobody foresaw it."""
    from limner.nn.devices import is_out_of_memory

    if is_out_of_memory(error):
        return "there is not enough memory; use a smaller size"
    return (
        f"{type(error).__name__}: {printable(str(error))[:200]} (a bug in limner; please report it)"
    )
