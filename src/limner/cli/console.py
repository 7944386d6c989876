"""What a command does while a verb runs: a bar on stderr, pictures on the way, Ctrl-C."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from rich import progress as bars
from rich.console import Console

if TYPE_CHECKING:  # Pillow comes with it, and `limner --help` does without
    from limner.progress import Progress

console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line for the user."""
    console.print(f"limner: {' '.join(text.split())}")


class Watch:
    """What a command does at every step: it shows, keeps pictures, and stops when asked to.

    The first Ctrl-C ends the verb at its next step, the second ends everything at once. With
    ``dry_run`` the verb ends as soon as its plan is said. ``keep`` is called whenever
    ``every`` more steps are done.
    """

    def __init__(
        self, dry_run: bool, every: int = 0, keep: Callable[["Progress"], None] | None = None
    ) -> None:
        from limner.progress import Progress

        self.dry_run = dry_run
        self.every = every
        self.keep = keep
        self.last = Progress("", "", 0, 0, 0.0)
        self.asked_to_stop = False
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.TextColumn("{task.fields[steps]}"),
            bars.TextColumn("{task.fields[loss]}"),
            bars.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=1.0, steps="", loss="")

    def __enter__(self) -> Self:
        """Take over Ctrl-C, and show the bar."""
        signals = (signal.SIGINT, signal.SIGTERM)
        self._handlers = {number: signal.signal(number, self._ask_to_stop) for number in signals}
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Give both back."""
        self._bar.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self.asked_to_stop:
            raise KeyboardInterrupt
        self.asked_to_stop = True
        # not through Python's stderr, in the midst of which the signal may have come
        os.write(2, b"\nlimner: stopping after this step; Ctrl-C again stops at once\n")

    def __call__(self, progress: "Progress") -> None:
        """Take note of a moment of the verb."""
        from limner.progress import Stop

        self.last = progress
        if progress.note:
            say(progress.note)
        self._bar.update(
            self._task,
            description=progress.stage,
            completed=progress.share,
            steps=f"{progress.step}/{progress.steps}",
            loss="" if progress.loss is None else f"loss {progress.loss:.4g}",
        )
        # a resumed run begins by giving its checkpoint's moment again, without a loss
        fresh = progress.loss is not None
        if self.keep and self.every and fresh and progress.step % self.every == 0:
            self.keep(progress)
        planned = self.dry_run and progress.stage  # what has no stage yet has no plan
        if planned or (self.asked_to_stop and progress.step < progress.steps):
            raise Stop

    @property
    def cut_by(self) -> str | None:
        """What cut the verb short, if anything did."""
        if self.last.step >= self.last.steps:
            return None
        return "interrupted" if self.asked_to_stop else "time budget"
