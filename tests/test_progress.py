"""The record of progress, and what fills it in."""

import dataclasses

import pytest

from limner.errors import LimnerError
from limner.progress import Progress, Reporter, Stop, silent


def test_progress_is_frozen_and_the_default_callback_takes_it() -> None:
    progress = Progress("stylize", "64 px", 1, 2, 0.5)
    assert (progress.loss, progress.preview, progress.note) == (None, None, "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        progress.step = 2  # type: ignore[misc]
    silent(progress)
    assert dataclasses.asdict(progress)["step"] == 1


def test_stop_is_not_an_error_of_limner() -> None:
    # a caller that catches errors must not catch it
    assert not issubclass(Stop, LimnerError)


def test_a_reporter_fills_in_verb_time_and_share() -> None:
    seen: list[Progress] = []
    report = Reporter("stylize", seen.append)
    report("64 px", 3, 4, loss=0.5, note="so far")
    report("64 px", 4, 4, share=0.9)
    report("plan", 0, 0)
    assert [one.verb for one in seen] == ["stylize"] * 3
    assert [one.share for one in seen] == [0.75, 0.9, 0.0]
    assert 0 <= seen[0].seconds <= seen[1].seconds <= report.seconds
    assert (seen[0].loss, seen[0].note) == (0.5, "so far")
