"""Sizes of paper; lengths are tested where they came from, in the hybrid room."""

import pytest

from limner.errors import OptionError
from limner.units import to_paper


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("60x40cm", (0.6, 0.4)),
        ("60×40 cm", (0.6, 0.4)),
        ("600x400mm", (0.6, 0.4)),
        ("24x16in", (0.6096, 0.4064)),
        ("0.6x0.4m", (0.6, 0.4)),
        ("60cm x 400mm", (0.6, 0.4)),
    ],
)
def test_paper_is_a_width_and_a_height(text: str, metres: tuple[float, float]) -> None:
    assert to_paper(text) == pytest.approx(metres)


@pytest.mark.parametrize("text", ["", "60", "60x40", "60cm", "x40cm", "60x-40cm", "60xinfcm", "a4"])
def test_what_is_no_paper_is_refused(text: str) -> None:
    with pytest.raises(
        OptionError, match=r"^paper .*: must be a width and a height, as in 60x40cm"
    ):
        to_paper(text)
