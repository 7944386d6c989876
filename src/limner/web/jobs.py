"""Background jobs for the page: they run one at a time, report progress, and can be stopped.

A job wraps a function that takes ``on_step``. The page polls the job.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any, Literal

from PIL import Image

from limner.errors import LimnerError, OutputError, is_out_of_memory, printable
from limner.progress import OnStep, Progress, Stop

PREVIEW_SIDE = 512  # pixels, longest side of a preview
_PREVIEW_INTERVAL = 0.5  # seconds, the shortest time between two previews
_PREVIEW_SHARE = 0.04  # the largest share of a job's time that previews may take

State = Literal["waiting", "running", "done", "failed", "stopped"]


class Job:
    """One piece of work, its progress and its result.

    Parameters
    ----------
    work : callable
        Called with ``on_step``. What it returns is the result.
    on_change : callable
        Called when the job has started and when it has ended.

    Attributes
    ----------
    state : str
        ``done`` and ``stopped`` may have a `result`. ``failed`` has a `message`.
    progress : Progress or None
        The latest progress report.
    preview : bytes or None
        The picture so far, as a small JPEG. `previews` counts how many there were.
    notes : list of str
        Remarks for the user.
    finished : threading.Event
        Set when the job has ended: done, failed or stopped.
    """

    def __init__(
        self, work: Callable[[OnStep], Any], on_change: Callable[["Job"], None] = lambda job: None
    ) -> None:
        self._on_change = on_change
        self.state: State = "waiting"
        self.progress: Progress | None = None
        self.preview: bytes | None = None
        self.previews = 0
        self.notes: list[str] = []
        self.message = ""
        self.result: Any = None
        self.finished = threading.Event()
        self._work = work
        self._stopping = False
        self._next_preview = 0.0  # time.monotonic() at which the next preview is due

    def stop(self) -> None:
        """Stop at the next step, or before the first one."""
        self._stopping = True
        if self.state == "waiting":
            self.state, self.message = "stopped", "stopped before it started"
            self._end()

    def on_step(self, progress: Progress) -> None:
        """Record the progress of the verb, and make a preview when one is due.

        Raises
        ------
        Stop
            The user stopped the job.
        """
        self.progress = progress
        if progress.note and progress.note not in self.notes:
            self.notes.append(progress.note)
        if self._stopping and (progress.step < progress.steps or not progress.steps):
            raise Stop
        start = time.monotonic()
        if progress.preview is not None and start >= self._next_preview:
            self.preview = small_jpeg(progress.preview())
            self.previews += 1
            now = time.monotonic()
            self._next_preview = now + max(_PREVIEW_INTERVAL, (now - start) / _PREVIEW_SHARE)

    def run(self) -> None:
        """Do the work. Any error becomes a message of one line."""
        if self.finished.is_set():
            return
        self.state = "running"
        try:
            self._on_change(self)
            self.result = self._work(self.on_step)
            self.state = "stopped" if self._was_cut_short else "done"
        except Stop:
            self.state, self.message = "stopped", "stopped; there is no picture to keep yet"
        except LimnerError as error:
            self.state, self.message = "failed", printable(str(error).replace("\n", "; "))
        except Exception as error:  # a bug, or the limits of the machine: the page must go on
            self.state, self.message = "failed", describe_unexpected(error)
        finally:
            self._end()

    def _end(self) -> None:
        with suppress(OutputError):  # the record could not be written; the page says so
            self._on_change(self)
        self.finished.set()

    @property
    def _was_cut_short(self) -> bool:
        last = self.progress
        return self._stopping and last is not None and last.step < last.steps


class JobQueue:
    """Runs jobs in a thread, one at a time, in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._current: Job | None = None
        self._thread = threading.Thread(target=self._work, name="limner jobs", daemon=True)
        self._thread.start()

    def add(self, job: Job) -> Job:
        """Add a job at the end of the queue."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()
        return job

    def jobs_before(self, job: Job) -> int:
        """Return how many jobs run before this one; 0 if it is running or has ended."""
        with self._changed:
            waiting = [one for one in self._waiting if not one.finished.is_set()]
            if job not in waiting:
                return 0
            busy = self._current is not None and not self._current.finished.is_set()
            return waiting.index(job) + busy

    def put_first(self, job: Job) -> None:
        """Let a waiting job run next."""
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                self._waiting.insert(0, job)

    def close(self) -> None:
        """Stop all jobs, and wait for the one that is running."""
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


def small_jpeg(picture: Image.Image, longest: int = PREVIEW_SIDE) -> bytes:
    """Encode a small copy of a picture as JPEG. Transparent parts become white."""
    copy = picture.copy()
    copy.thumbnail((longest, longest), reducing_gap=2.0)
    if copy.has_transparency_data:
        copy = copy.convert("RGBA")
        copy = Image.alpha_composite(Image.new("RGBA", copy.size, "white"), copy)
    encoded = BytesIO()
    copy.convert("RGB").save(
        encoded, "JPEG", quality=85, icc_profile=picture.info.get("icc_profile")
    )
    return encoded.getvalue()


def seconds_left(progress: Progress) -> float | None:
    """Estimate how long a verb still takes; None while it is too early to tell."""
    if not 0.02 < progress.share < 1 or progress.seconds < 1:
        return None
    return progress.seconds * (1 - progress.share) / progress.share


def describe_unexpected(error: Exception) -> str:
    """Describe, in one line, an error that is not one of limner's own."""
    if is_out_of_memory(error):
        return "there is not enough memory; use a smaller size"
    return (
        f"{type(error).__name__}: {printable(str(error))[:200]} (a bug in limner; please report it)"
    )
