"""Lengths of time, and the record of progress."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.errors import LimnerError, OptionError
from limner.progress import Progress, Stop, silent, to_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (30, 30.0),
        (0.25, 0.25),
        ("30", 30.0),
        ("30s", 30.0),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1.5h", 5400.0),
        (" 2m ", 120.0),
        ("0.5 m", 30.0),
        ("1e3", 1000.0),
        (".5h", 1800.0),
    ],
)
def test_seconds(text: float | str, seconds: float) -> None:
    assert to_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "m", "soon", "2d", "2M", "1h30m", "2 minutes", "0", "0s", "-1", "-1m", 0, -3.5,
     "nan", "inf", "infh", float("nan"), float("inf"), "1e308h", "1,5h"],
)  # fmt: skip
def test_what_is_no_length_of_time_is_refused(text: float | str) -> None:
    with pytest.raises(OptionError) as raised:
        to_seconds(text)
    assert str(raised.value) == f"time {text!r}: must be above 0, as in 30s, 2m or 1h"


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=12))
def test_whatever_is_typed_gives_seconds_or_one_line(text: str) -> None:
    try:
        assert 0 < to_seconds(text) < float("inf")
    except OptionError as error:
        assert "\n" not in str(error)


def test_progress_is_frozen_and_the_default_callback_takes_it() -> None:
    progress = Progress("stylize", "64 px", 1, 2, 0.5)
    assert (progress.loss, progress.preview, progress.note) == (None, None, "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        progress.step = 2  # type: ignore[misc]
    silent(progress)
    assert dataclasses.asdict(progress)["step"] == 1


def test_stop_is_a_wish_and_no_mistake() -> None:
    # whoever catches mistakes must not catch a wish
    assert not issubclass(Stop, LimnerError)
