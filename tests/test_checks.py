"""Checks of options: what passes, and what the refusal says."""

import math

import pytest

from limner.checks import check_choice, check_range, flag
from limner.errors import OptionError


@pytest.mark.parametrize(
    ("option", "typed"),
    [("style_scale", "--style-scale"), ("print_", "--print"), ("for_", "--for"), ("n", "-n")],
)
def test_an_option_is_named_as_it_is_typed(option: str, typed: str) -> None:
    assert flag(option) == typed


@pytest.mark.parametrize("value", [None, 0.25, 1, 4])
def test_values_within_the_limits_pass(value: float | None) -> None:
    check_range("style_scale", value, 0.25, 4)


@pytest.mark.parametrize("value", [0.2499, 4.001, math.nan, math.inf, -math.inf])
def test_values_outside_the_limits_are_refused(value: float) -> None:
    with pytest.raises(OptionError, match=r"^--style-scale .*: must be from 0\.25 to 4$"):
        check_range("style_scale", value, 0.25, 4)


def test_a_lower_limit_alone() -> None:
    check_range("steps", 10**9, 1)
    with pytest.raises(OptionError, match=r"^--steps 0: must be at least 1$"):
        check_range("steps", 0, 1)


def test_choices() -> None:
    check_choice("lines", "keep", ("keep", "drop"))
    check_choice("lines", None, ("keep", "drop"))
    with pytest.raises(OptionError, match=r"^--lines thick: must be one of keep, drop$"):
        check_choice("lines", "thick", ("keep", "drop"))
