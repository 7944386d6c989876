"""Colors as text."""

import pytest

from limner.color.names import parse_color
from limner.errors import OptionError


@pytest.mark.parametrize(
    ("text", "rgb"),
    [
        ("#ffcc00", (255, 204, 0)),
        (" #FfCc01 ", (255, 204, 1)),
        ("#fc0", (255, 204, 0)),
        ("FFCC00", (255, 204, 0)),
        ("gold", (255, 215, 0)),
        ("SkyBlue", (135, 206, 235)),
        ("sky blue", (135, 206, 235)),
        ("light-grey", (211, 211, 211)),
        ("black", (0, 0, 0)),
    ],
)
def test_colors_are_read_exactly(text: str, rgb: tuple[int, int, int]) -> None:
    assert parse_color(text, "--palette") == tuple(value / 255 for value in rgb)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("#ffcc0", "--hint #ffcc0: write a color as #rrggbb"),
        ("#ffcc0080", "--hint #ffcc0080: write a color as #rrggbb"),
        ("#fc08", "--hint #fc08: write a color as #rrggbb"),
        ("rgb(1,2,3)", "--hint rgb(1,2,3): not a color; write #rrggbb"),
        ("hsl(0,100%,50%)", "--hint hsl(0,100%,50%): not a color"),
        ("255", "--hint 255: not a color"),
        ("bleu", "--hint bleu: no color has this name; did you mean blue?"),
        ("", '--hint "": not a color'),
        ("q\nq", "--hint q?q: not a color"),
    ],
)
def test_other_text_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(OptionError) as raised:
        parse_color(text, "--hint")
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)
