"""How a verb reports its progress, and how a caller stops it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Progress:
    """The progress of a verb after one step.

    Attributes
    ----------
    verb : str
        The verb: ``"stylize"``.
    stage : str
        What it does now, in a few words: ``"512 px"``.
    step, steps : int
        Steps done and steps planned, over all stages. ``step`` is 0 before the first step.
    seconds : float
        Seconds since the call began.
    loss : float or None
        The loss of this step, if there is one.
    preview : callable or None
        Makes the picture so far. This takes time: call it only to show the picture.
    note : str
        A remark for the user ("only the first of 12 frames is used"), or empty.
    share : float
        Share of the work that is done, from 0 to 1. Steps differ in cost, so use this to
        estimate the time left.
    size : tuple of int or None
        Height and width of the result in pixels, if they are known before the first step.
    """

    verb: str
    stage: str
    step: int
    steps: int
    seconds: float
    loss: float | None = None
    preview: Callable[[], Image.Image] | None = None
    note: str = ""
    share: float = 0.0
    size: tuple[int, int] | None = None


OnStep = Callable[[Progress], None]


class Reporter:
    """Reports the progress of one call: fills in the verb and the seconds since the call began.

    Parameters
    ----------
    verb : str
        The verb that runs.
    on_step : callable
        The caller's callback.
    """

    def __init__(self, verb: str, on_step: OnStep) -> None:
        self.verb, self.on_step = verb, on_step
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.began

    def __call__(
        self,
        stage: str,
        step: int,
        steps: int,
        *,
        loss: float | None = None,
        preview: Callable[[], Image.Image] | None = None,
        note: str = "",
        share: float | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Report a step; see `Progress`. Without ``share``, it is ``step / steps``."""
        done = share if share is not None else step / max(1, steps)
        self.on_step(
            Progress(self.verb, stage, step, steps, self.seconds, loss, preview, note, done, size)
        )


class Stop(Exception):  # noqa: N818 - a request, not an error
    """Raise this in an ``on_step`` callback to end the verb early.

    After its first step, the verb returns the picture so far. Before it, the exception propagates.
    """


def silent(progress: Progress) -> None:
    """Ignore the progress. This is the default ``on_step``."""
