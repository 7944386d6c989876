"""Limits of time and money for a training, and what to run at its end."""

import math
import os
import subprocess
import time
from pathlib import Path
from typing import Literal

from limner.checks import flag
from limner.cli.console import say
from limner.errors import OptionError
from limner.progress import OnStep, Progress, Stop

State = Literal["done", "failed", "budget", "interrupted"]
_MARGIN = 120.0  # seconds that writing the checkpoint may take
_FORECAST_AFTER = 60.0  # seconds of training


class Budget:
    """Wraps ``on_step``: forecasts time and cost, and stops the training when either is used up.

    Parameters
    ----------
    max_hours : float or None
        Hours that the call may take.
    budget, price_per_hour : float or None
        What it may cost, and what an hour costs; in any currency.

    Raises
    ------
    OptionError
        A number is not above 0, or the budget has no price.
    """

    def __init__(
        self, max_hours: float | None, budget: float | None, price_per_hour: float | None
    ) -> None:
        given = {"max_hours": max_hours, "budget": budget, "price_per_hour": price_per_hour}
        for name, value in given.items():
            if value is not None and not 0 < value < math.inf:
                raise OptionError(f"{flag(name)} {value:g}: must be above 0")
        if budget is not None and price_per_hour is None:
            raise OptionError(
                f"--budget {budget:g}: needs the price of an hour; add --price-per-hour"
            )
        self._price = price_per_hour
        hours = [] if max_hours is None else [max_hours]
        if budget is not None and price_per_hour is not None:
            hours.append(budget / price_per_hour)
        self._seconds = 3600 * min(hours, default=math.inf)
        self._began = time.monotonic()
        self._first: tuple[float, float] | None = None
        self.is_used_up = False

    def watch(self, on_step: OnStep) -> OnStep:
        """Return an ``on_step`` that calls another and watches the time."""
        margin = min(_MARGIN, 0.1 * self._seconds)

        def watched(progress: Progress) -> None:
            on_step(progress)
            now = time.monotonic() - self._began
            self._forecast(progress, now)
            if progress.step < progress.steps and now > self._seconds - margin:
                self.is_used_up = True
                raise Stop

        return watched

    def _forecast(self, progress: Progress, now: float) -> None:
        """Say once how long all will take, and what it will cost."""
        if self._first is None:
            self._first = now, progress.share
        began, share = self._first
        if now - began < _FORECAST_AFTER or progress.share <= share:
            return
        self._first = math.inf, 1.0  # said once
        seconds = now + (now - began) * (1 - progress.share) / (progress.share - share)
        text = f"{progress.steps:,} steps: about {_duration(seconds)}"
        if self._price is not None:
            text += f", {seconds / 3600 * self._price:.2f} at {self._price:.2f} an hour"
        if seconds > self._seconds:
            text += f"; stops before {_duration(self._seconds)}, continue with --resume"
        say(text)


def _duration(seconds: float) -> str:
    """Write a time as ``3 h 10 min``."""
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def run_when_done(command: str, state: State, run: Path) -> None:
    """Run the user's command, such as one that switches a rented machine off.

    It finds ``LIMNER_STATE`` and ``LIMNER_RUN`` in its environment.
    """
    environment = {**os.environ, "LIMNER_STATE": state, "LIMNER_RUN": str(run.absolute())}
    # what it prints goes to standard error: standard output has the result
    done = subprocess.run(command, shell=True, env=environment, check=False, stdout=2)
    if done.returncode:
        say(f"--when-done {command}: ended with exit code {done.returncode}")
