"""Lengths, paper sizes and times, with their units."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.errors import OptionError
from limner.units import (
    as_length,
    as_typed,
    split_sides,
    to_factor,
    to_meters,
    to_paper,
    to_seconds,
)


@pytest.mark.parametrize(
    ("text", "meters"),
    [
        ("60x40cm", (0.6, 0.4)),
        ("A4", (0.21, 0.297)),
        (" letter", (8.5 * 0.0254, 11 * 0.0254)),
        ("Legal", (8.5 * 0.0254, 14 * 0.0254)),
        ("tabloid", (11 * 0.0254, 17 * 0.0254)),
        ("60x40CM", (0.6, 0.4)),
        ("60×40 cm", (0.6, 0.4)),
        ("600x400mm", (0.6, 0.4)),
        ("24x16in", (0.6096, 0.4064)),
        ("0.6x0.4m", (0.6, 0.4)),
        ("60cm x 400mm", (0.6, 0.4)),
        ("29,7x21cm", (0.297, 0.21)),
        ('8.5x11"', (8.5 * 0.0254, 11 * 0.0254)),
        ("8.5 inch x 11 inch", (8.5 * 0.0254, 11 * 0.0254)),
    ],
)
def test_paper_is_a_width_and_a_height(text: str, meters: tuple[float, float]) -> None:
    assert to_paper("print", text) == pytest.approx(meters)


@pytest.mark.parametrize("text", ["", "60", "60x40", "60cm", "x40cm", "60x-40cm", "60xinfcm", "b4"])
def test_what_is_no_paper_is_refused(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        to_paper("print", text)
    assert str(caught.value).startswith(f"--print {text!r}: must be width x height with a unit")


@pytest.mark.parametrize(
    ("text", "meters"),
    [
        ("40cm", 0.4),
        ("250mm", 0.25),
        ("4m", 4.0),
        ("16in", 0.4064),
        ("2ft", 0.6096),
        ("1,5m", 1.5),
        ("29,75 cm", 0.2975),
        ('16"', 0.4064),
        ("16 inches", 0.4064),
        ("10 metres", 10.0),
        ("3 Meter", 3.0),
        ("2'", 0.6096),
        ("40 centimetres", 0.4),
        (4, 4.0),
        (0.3, 0.3),
        (" 3 m ", 3.0),
        ("40 cm", 0.4),
        (".5m", 0.5),
        ("1e3mm", 1.0),
    ],
)
def test_lengths(text: float | str, meters: float) -> None:
    assert to_meters("near", text) == pytest.approx(meters, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", "m", "cm", "0", "1.5", "40", "0m", "-1m", "-0.5", "four", "4 miles", "4km", "1m50",
     "1,500m", ",5m", "1,5,5m", "1,5.0m",
     "4mcm", "nan", "nanm", "inf",
     "infm", "1e400m", "1e-400", "4M", 0, -2.0, float("nan"), float("inf")],
)  # fmt: skip
def test_what_is_no_length(text: float | str) -> None:
    with pytest.raises(OptionError) as caught:
        to_meters("near", text)
    assert str(caught.value) == (
        f"--near {text!r}: must be a length above 0 with a unit, as in 40cm, 4m, 16in"
    )


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
        ("8 seconds", 8.0),
        ("2 minutes", 120.0),
        ("5min", 300.0),
        ("1 hour", 3600.0),
        ("2 hours", 7200.0),
        ("8 Seconds", 8.0),
        ("90 secs", 90.0),
        ("2 hrs", 7200.0),
        ("1 day", 86400.0),
    ],
)
def test_seconds(text: float | str, seconds: float) -> None:
    assert to_seconds("time_budget", text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "m", "soon", "2d", "2M", "1h30m", "2 weeks", "0", "0s", "-1", "-1m", 0, -3.5,
     "nan", "inf", "infh", float("nan"), float("inf"), "1e308h", "1,500h"],
)  # fmt: skip
def test_what_is_no_length_of_time_is_refused(text: float | str) -> None:
    with pytest.raises(OptionError) as raised:
        to_seconds("time_budget", text)
    assert str(raised.value) == (
        f"--time-budget {text!r}: must be a time above 0, as in 30s, 2m, 1h"
    )


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=12))
def test_whatever_is_typed_gives_seconds_or_one_line(text: str) -> None:
    try:
        assert 0 < to_seconds("time_budget", text) < float("inf")
    except OptionError as error:
        assert "\n" not in str(error)


def test_a_width_and_a_height_in_pixels() -> None:
    assert split_sides("1200x800") == (800, 1200)
    for text in (
        "",
        "1200",
        "1200x",
        "x800",
        "12.5x8",
        "-1x5",
        "1200×800",
        "1x2x3",
        "1" * 10 + "x1",
    ):
        assert split_sides(text) is None


def test_paper_with_a_name_can_lie_on_its_side() -> None:
    assert to_paper("print", "A3", wide=True) == (0.42, 0.297)
    assert to_paper("print", "30x40cm", wide=True) == (0.3, 0.4)


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        (2, 2),
        ("2", 2),
        ("2x", 2),
        ("1.5×", 1.5),
        ("200%", 2),
        ("150 %", 1.5),
        ("2X", 2),
        ("x2", 2),
        ("×1,5", 1.5),
    ],
)
def test_factors(text: float | str, factor: float) -> None:
    assert to_factor("scale", text) == factor


@pytest.mark.parametrize(
    ("meters", "text"),
    [(1 / 6, "16.7cm"), (4 / 3, "1.33m"), (2148.0, "2150m"), (34500.0, "34500m")],
)
def test_lengths_in_messages_can_be_typed(meters: float, text: str) -> None:
    assert as_typed(meters) == text
    assert to_meters("far", text) == pytest.approx(meters, rel=0.005)


@pytest.mark.parametrize("text", ["", "x", "two", "2y", "%"])
def test_what_is_no_factor(text: str) -> None:
    with pytest.raises(OptionError, match=rf"^--scale '{text}': must be a factor, as in 2, 2x or"):
        to_factor("scale", text)


@pytest.mark.parametrize(
    ("meters", "text"),
    [(0.604, "60 cm"), (1, "1.0 m"), (4.52, "4.5 m"), (12.3, "12 m"), (238, "240 m")],
)
def test_lengths_are_written_as_people_do(meters: float, text: str) -> None:
    assert as_length(meters) == text
