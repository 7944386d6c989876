"""What the terminal shows while a verb runs: a progress bar on stderr, and what Ctrl-C does."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

import rich.console
from rich import progress as bars

from limner.errors import printable

if TYPE_CHECKING:  # it imports Pillow, and `limner --help` does not
    from limner.progress import Progress

_STDERR = rich.console.Console(
    stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True
)

_NARROW = 60  # columns: with fewer, the loss and the steps of one of many pictures are not shown


def say(text: str) -> None:
    """Print one line for the user, on stderr."""
    with suppress(OSError):  # the terminal may be gone
        _STDERR.print(f"limner: {printable(' '.join(text.split()))}")


class Console:
    """The ``on_step`` of a command: shows progress, saves pictures of some steps, stops on Ctrl-C.

    The first Ctrl-C ends the verb after its current step, the second ends everything at once.

    Parameters
    ----------
    dry_run : bool
        End the verb as soon as its plan is known.
    every : int
        Call ``keep`` each time this many steps are done; 0 for never.
    keep : callable or None
        Saves the picture so far.
    is_quiet : bool
        Show nothing, for a process beside the one that speaks.
    """

    def __init__(
        self,
        dry_run: bool = False,
        every: int = 0,
        keep: Callable[["Progress"], None] | None = None,
        is_quiet: bool = False,
    ) -> None:
        from limner.progress import Progress

        self.dry_run = dry_run
        self.every = every
        self.keep = keep
        self.last = Progress("", "", 0, 0, 0.0)
        self.done, self.count = 0, 1  # pictures
        self._notes = {""}
        self._is_quiet = is_quiet
        self.asked_to_stop = False
        self._is_narrow = _STDERR.width < _NARROW
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.TextColumn("{task.fields[steps]}"),
            *() if self._is_narrow else (bars.TextColumn("{task.fields[loss]}"),),
            bars.TimeRemainingColumn(),
            console=_STDERR,
            transient=True,
            disable=is_quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=1.0, steps="", loss="")

    def __enter__(self) -> Self:
        """Handle Ctrl-C and show the bar."""
        # SIGBREAK is Ctrl-Break on Windows, where SIGTERM never comes
        names = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")  # the last: the terminal is gone
        signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._handlers = {number: signal.signal(number, self._ask_to_stop) for number in signals}
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Remove the bar and put the signal handlers back."""
        self._bar.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.asked_to_stop:
            raise KeyboardInterrupt
        self.asked_to_stop = True
        if self._is_quiet:
            return
        # not through Python's stderr, which the signal may have interrupted
        with suppress(OSError):
            os.write(2, b"\nlimner: stopping after this step; press Ctrl-C again to stop at once\n")

    def __call__(self, progress: "Progress") -> None:
        """Show the progress of one step."""
        from limner.progress import Stop

        self.last = progress
        self.say_once(progress.note)
        steps = f"{progress.step}/{progress.steps}"
        if self.count > 1:
            picture = f"{self.done + 1} of {self.count}"
            steps = picture if self._is_narrow else f"{steps}, picture {picture}"
        self._bar.update(
            self._task,
            description=progress.stage,
            completed=(self.done + progress.share) / self.count,
            steps=steps,
            loss="" if progress.loss is None else f"loss {progress.loss:.4g}",
        )
        is_due = self.every and progress.step and progress.step % self.every == 0
        if self.keep and is_due and progress.preview is not None:
            self.keep(progress)
        is_planned = self.dry_run and progress.stage  # without a stage there is no plan yet
        if is_planned or (self.asked_to_stop and progress.step < progress.steps):
            raise Stop

    def say_once(self, note: str) -> None:
        """Say what was not said before: many pictures have the same remarks."""
        if note not in self._notes and not self._is_quiet:
            self._notes.add(note)
            say(note)

    def count_one(self) -> None:
        """Show that one more of several pictures is done."""
        self.done += 1
        picture = f"{self.done} of {self.count}"
        steps = picture if self._is_narrow else f"picture {picture}"
        self._bar.update(self._task, completed=self.done / self.count, steps=steps)

    @property
    def cut_by(self) -> str | None:
        """What ended the verb early: ``"interrupted"``, ``"time budget"``, or None."""
        if self.last.step >= self.last.steps:
            return None
        return "interrupted" if self.asked_to_stop else "time budget"
