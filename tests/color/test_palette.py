"""Palettes: Oklab against published values, main colours of pictures that have few."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.color import palette
from limner.errors import OptionError

RED, GREEN, BLUE = (0.8, 0.1, 0.1), (0.1, 0.5, 0.2), (0.1, 0.2, 0.8)
YELLOW, WHITE = (0.9, 0.8, 0.1), (1.0, 1.0, 1.0)
Colour = tuple[float, float, float]


def flags(colours: Sequence[Colour], height: int = 35, width: int = 40) -> Tensor:
    """Fields of colour side by side."""
    fields = [torch.tensor(c).view(1, 3, 1, 1).expand(-1, -1, height, width) for c in colours]
    return torch.cat(fields, 3)


def fields(picture: Tensor, count: int) -> np.ndarray:
    """The colour in the middle of each, and that it is the same all over."""
    found = picture[0].unfold(2, 40, 40).numpy()  # [3, H, count, 40]
    assert found.shape[2] == count and np.ptp(found, axis=(1, 3)).max() < 1e-4
    return found[:, 0, :, 0].T


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """From each of the first, how far the nearest of the second is."""
    return np.abs(one[:, None] - other[None]).max(2).min(1)


# --- read ------------------------------------------------------------------------------------


def test_a_palette_is_read() -> None:
    found = palette.parsed(" #ff0000,#00Ff80 , #336699,")
    np.testing.assert_allclose(
        found, [[1, 0, 0], [0, 1, 128 / 255], [0.2, 0.4, 0.6]], rtol=0, atol=1e-6
    )
    assert len(palette.parsed(",".join(["#000000"] * 12))) == 12


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "--palette: 0 colours, must be 1 to 12"),
        (" , ", "--palette: 0 colours, must be 1 to 12"),
        (",".join(["#000000"] * 13), "--palette: 13 colours, must be 1 to 12"),
        ("#112233,red", "--palette red: write each colour as #rrggbb"),
        ("#fff", "--palette #fff: write each colour as #rrggbb"),
        ("#12345g", "--palette #12345g: write each colour as #rrggbb"),
        ("#112233;#445566", "--palette #112233;#445566: write each colour as #rrggbb"),
        ("112233", "--palette 112233: write each colour as #rrggbb"),
        pytest.param(
            "#112233\n#445566",
            "--palette #112233",
        ),
    ],
)
def test_what_is_no_palette_is_refused_in_a_line(text: str, says: str) -> None:
    with pytest.raises(OptionError) as raised:
        palette.parsed(text)
    assert str(raised.value).startswith(says) and str(raised.value).isprintable()


# --- Oklab -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # as CSS Color 4 has them
        ((1, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
        ((0.5, 0.5, 0.5), (0.59818, 0, 0)),  # the cube root of 0.21404
    ],
)
def test_oklab_is_as_published(rgb: Colour, lab: Colour) -> None:
    found = palette.to_oklab(torch.tensor(rgb).float().view(1, 3, 1, 1))
    np.testing.assert_allclose(found.flatten(), lab, atol=2e-5)
    np.testing.assert_allclose(palette.to_srgb(found).flatten(), rgb, atol=2e-5)


def test_there_and_back_is_where_it_was() -> None:
    steps = torch.linspace(0, 1, 17)
    cube = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).reshape(1, 3, 17, -1)
    back = palette.to_srgb(palette.to_oklab(cube))
    np.testing.assert_allclose(back, cube, atol=5e-5)


def test_what_no_screen_shows_is_clipped() -> None:
    found = palette.to_srgb(torch.tensor([0.7, 0.4, 0.1]).view(1, 3, 1, 1)).flatten()
    assert found[0] == pytest.approx(1, abs=1e-6) and found.min() >= 0


# --- main colours ----------------------------------------------------------------------------


def test_the_main_colours_of_five_are_these_five() -> None:
    five = np.array([RED, GREEN, BLUE, YELLOW, WHITE])
    found = palette.taken(flags([RED, GREEN, BLUE, YELLOW, WHITE])).numpy()
    assert found.shape == (5, 3)
    assert apart(five, found).max() < 1e-3 and apart(found, five).max() < 1e-3


def test_the_main_colours_are_found_through_noise() -> None:
    six = [RED, GREEN, BLUE, YELLOW, WHITE, (0.05, 0.05, 0.05)]
    random = torch.Generator().manual_seed(0)
    noisy = flags(six) + 0.03 * torch.randn((1, 3, 35, 240), generator=random)
    found = palette.taken(noisy.clamp(0, 1)).numpy()
    assert apart(np.array(six), found).max() < 0.04


def test_a_picture_of_one_pixel_has_a_main_colour() -> None:
    found = palette.taken(torch.tensor([0.3, 0.5, 0.7]).view(1, 3, 1, 1))
    np.testing.assert_allclose(found, [[0.3, 0.5, 0.7]], atol=1e-4)


# --- recoloured ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("colours", "text", "wanted"),
    [
        ([RED, WHITE], "#204060", [(0x20, 0x40, 0x60), (255, 255, 255)]),
        (  # each goes to the nearest
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
def test_flat_colours_become_those_of_the_palette(
    colours: list[Colour], text: str, wanted: list[Colour]
) -> None:
    made = palette.recoloured(flags(colours), palette.parsed(text))
    found = fields(made, len(colours)) * 255
    np.testing.assert_allclose(found, wanted, atol=1.5)


@pytest.mark.parametrize("colours", [[RED, WHITE], [RED, GREEN, WHITE]])
def test_of_a_palette_with_more_colours_than_the_picture_some_are_used(
    colours: list[Colour],
) -> None:
    five = palette.parsed("#204060,#ff8800,#22aa55,#eecc22,#7a1f2b")
    found = fields(palette.recoloured(flags(colours), five), len(colours))
    assert apart(found[:-1], five.numpy()).max() < 0.02 and found[-1].min() > 0.99


def test_white_paper_stays() -> None:
    made = palette.recoloured(torch.ones((1, 3, 20, 30)), palette.parsed("#204060,#ff8800"))
    assert made.min() > 0.999


def test_its_own_palette_changes_nothing() -> None:
    picture = flags([RED, GREEN, BLUE, YELLOW])
    made = palette.recoloured(picture, torch.tensor([BLUE, YELLOW, RED, GREEN]))
    np.testing.assert_allclose(made, picture, atol=2e-3)


def test_shades_of_a_colour_stay_shades() -> None:
    """What lies between two of the palette, as at a soft edge, is a mixture of them."""
    share = torch.linspace(0, 1, 70).view(1, 1, 1, 70)
    both = torch.tensor([RED, BLUE]).view(2, 3, 1, 1)
    between = (both[:1] * (1 - share) + both[1:] * share).expand(-1, -1, 35, -1)
    ramp = torch.cat((flags([RED]), between, flags([BLUE])), 3)
    made = palette.recoloured(ramp, palette.parsed("#aa3311,#204060"))[0, :, 10]
    steps = made.diff(dim=1).abs().max()
    assert steps < 0.1 and made[0, 0] > 0.6 > 0.2 > made[0, -1]
