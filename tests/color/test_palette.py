"""Palettes: read from text, main colors of pictures that have few, recoloring."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.color import palette
from limner.errors import OptionError

RED, GREEN, BLUE = (0.8, 0.1, 0.1), (0.1, 0.5, 0.2), (0.1, 0.2, 0.8)
YELLOW, WHITE = (0.9, 0.8, 0.1), (1.0, 1.0, 1.0)
Color = tuple[float, float, float]


def flags(colors: Sequence[Color], height: int = 35, width: int = 40) -> Tensor:
    """Make fields of color side by side."""
    fields = [torch.tensor(c).view(1, 3, 1, 1).expand(-1, -1, height, width) for c in colors]
    return torch.cat(fields, 3)


def fields(picture: Tensor, count: int) -> np.ndarray:
    """Return the color of each field; it must be the same all over the field."""
    found = picture[0].unfold(2, 40, 40).numpy()  # [3, H, count, 40]
    assert found.shape[2] == count and np.ptp(found, axis=(1, 3)).max() < 1e-4
    return found[:, 0, :, 0].T


def to_nearest(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance from each color of the first to the nearest of the second."""
    return np.abs(one[:, None] - other[None]).max(2).min(1)


# --- read ------------------------------------------------------------------------------------


def test_a_palette_is_read() -> None:
    found = palette.parse(" #ff0000,#00Ff80 , #336699,")
    np.testing.assert_allclose(
        found, [[1, 0, 0], [0, 1, 128 / 255], [0.2, 0.4, 0.6]], rtol=0, atol=1e-6
    )
    assert len(palette.parse(",".join(["#000000"] * 12))) == 12


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "--palette: has 0 colors; must be from 1 to 12"),
        (" , ", "--palette: has 0 colors; must be from 1 to 12"),
        (",".join(["#000000"] * 13), "--palette: has 13 colors; must be from 1 to 12"),
        ("#112233,red", "--palette red: write each color as #rrggbb"),
        ("#fff", "--palette #fff: write each color as #rrggbb"),
        ("#12345g", "--palette #12345g: write each color as #rrggbb"),
        ("#112233;#445566", "--palette #112233;#445566: write each color as #rrggbb"),
        ("112233", "--palette 112233: write each color as #rrggbb"),
        ("#112233\n#445566", "--palette #112233"),
    ],
)
def test_text_that_is_not_a_palette_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(OptionError) as raised:
        palette.parse(text)
    assert str(raised.value).startswith(says) and str(raised.value).isprintable()


# --- main colors -----------------------------------------------------------------------------


def test_the_main_colors_of_five_fields_are_their_colors() -> None:
    five = np.array([RED, GREEN, BLUE, YELLOW, WHITE])
    found = palette.main_colors(flags([RED, GREEN, BLUE, YELLOW, WHITE])).numpy()
    assert found.shape == (5, 3)
    assert to_nearest(five, found).max() < 1e-3 and to_nearest(found, five).max() < 1e-3


def test_the_main_colors_are_found_through_noise() -> None:
    six = [RED, GREEN, BLUE, YELLOW, WHITE, (0.05, 0.05, 0.05)]
    random = torch.Generator().manual_seed(0)
    noisy = flags(six) + 0.03 * torch.randn((1, 3, 35, 240), generator=random)
    found = palette.main_colors(noisy.clamp(0, 1)).numpy()
    assert to_nearest(np.array(six), found).max() < 0.04


def test_a_picture_of_one_pixel_has_a_main_color() -> None:
    found = palette.main_colors(torch.tensor([0.3, 0.5, 0.7]).view(1, 3, 1, 1))
    np.testing.assert_allclose(found, [[0.3, 0.5, 0.7]], atol=1e-4)


# --- recolor ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("colors", "text", "wanted"),
    [
        ([RED, WHITE], "#204060", [(0x20, 0x40, 0x60), (255, 255, 255)]),
        (  # each color goes to the nearest of the palette
            [RED, GREEN, BLUE, WHITE],
            "#3344cc,#aa3311,#22aa55",
            [(0xAA, 0x33, 0x11), (0x22, 0xAA, 0x55), (0x33, 0x44, 0xCC), (255, 255, 255)],
        ),
        (
            [YELLOW, RED, GREEN, BLUE],
            "#7a1f2b,#ffe0bd,#204060,#88aa33",
            [(0xFF, 0xE0, 0xBD), (0x7A, 0x1F, 0x2B), (0x88, 0xAA, 0x33), (0x20, 0x40, 0x60)],
        ),
    ],
)
def test_flat_colors_become_those_of_the_palette(
    colors: list[Color], text: str, wanted: list[Color]
) -> None:
    made = palette.recolor(flags(colors), palette.parse(text))
    found = fields(made, len(colors)) * 255
    np.testing.assert_allclose(found, wanted, atol=1.5)


@pytest.mark.parametrize("colors", [[RED, WHITE], [RED, GREEN, WHITE]])
def test_a_palette_may_have_more_colors_than_the_picture(
    colors: list[Color],
) -> None:
    five = palette.parse("#204060,#ff8800,#22aa55,#eecc22,#7a1f2b")
    found = fields(palette.recolor(flags(colors), five), len(colors))
    assert to_nearest(found[:-1], five.numpy()).max() < 0.02 and found[-1].min() > 0.99


def test_white_paper_stays() -> None:
    made = palette.recolor(torch.ones((1, 3, 20, 30)), palette.parse("#204060,#ff8800"))
    assert made.min() > 0.999


def test_the_picture_s_own_palette_changes_nothing() -> None:
    picture = flags([RED, GREEN, BLUE, YELLOW])
    made = palette.recolor(picture, torch.tensor([BLUE, YELLOW, RED, GREEN]))
    np.testing.assert_allclose(made, picture, atol=2e-3)


def test_shades_of_a_color_stay_shades() -> None:
    """Pixels between two colors, as at a soft edge, become mixtures of the palette's colors."""
    share = torch.linspace(0, 1, 70).view(1, 1, 1, 70)
    both = torch.tensor([RED, BLUE]).view(2, 3, 1, 1)
    between = (both[:1] * (1 - share) + both[1:] * share).expand(-1, -1, 35, -1)
    ramp = torch.cat((flags([RED]), between, flags([BLUE])), 3)
    made = palette.recolor(ramp, palette.parse("#aa3311,#204060"))[0, :, 10]
    steps = made.diff(dim=1).abs().max()
    assert steps < 0.1 and made[0, 0] > 0.6 > 0.2 > made[0, -1]


def test_devices_without_float64_will_do(without_float64: Callable[[Tensor], Tensor]) -> None:
    picture, colors = flags([RED, GREEN, WHITE]), palette.parse("#204060,#ff8800")
    found = palette.recolor(without_float64(picture), colors).as_subclass(Tensor)
    np.testing.assert_array_equal(found, palette.recolor(picture, colors))
