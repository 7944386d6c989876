"""How a verb tells its caller how far it is, and how the caller stops it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from limner.errors import OptionError

_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Progress:
    """One moment of a running verb.

    Attributes
    ----------
    verb : str
        The verb that runs, ``"stylize"`` for example.
    stage : str
        What it is at, in a few words: ``"512 px"``.
    step, steps : int
        Steps done and steps planned, over all stages. ``step`` is 0 before the first.
    seconds : float
        Since the call began.
    loss : float or None
        The loss at this step, where there is one.
    preview : callable or None
        Makes the picture so far. It costs something, so call it only to show the picture.
    note : str
        A remark for the user ("the first of 12 frames is used"), or empty.
    share : float
        Of the work, done: 0 to 1. Steps differ in cost, so this tells the time left.
    size : tuple of int or None
        Height and width of the result in pixels, where they are known before the first step.
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
    """Tells ``on_step`` how far one call is: fills in the verb and the seconds since it began.

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
        """Report one moment; see `Progress`. Left out, the share is that of the steps."""
        done = share if share is not None else step / max(1, steps)
        self.on_step(
            Progress(self.verb, stage, step, steps, self.seconds, loss, preview, note, done, size)
        )


class Stop(Exception):  # noqa: N818 - a wish, not an error
    """Raised by an ``on_step`` callback to end the verb early.

    A verb that has begun its steps returns the picture so far; one that has not lets it through.
    """


def to_seconds(text: float | str) -> float:
    """Read a length of time: a number of seconds, or ``"30s"``, ``"2m"``, ``"1.5h"``.

    Raises
    ------
    OptionError
        It is none of these, or not above 0.
    """
    number, unit = str(text).strip(), 1
    if number and number[-1] in _UNITS:
        number, unit = number[:-1], _UNITS[number[-1]]
    try:
        length = float(number) * unit
    except ValueError:
        length = 0.0
    if not 0 < length < math.inf:
        raise OptionError(f"time {text!r}: must be above 0, as in 30s, 2m or 1h")
    return length


def silent(progress: Progress) -> None:
    """Ignore the progress: the default ``on_step``."""
