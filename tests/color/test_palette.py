"""Palettes: read from text, and the main colors of pictures that have few."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from limner.color import palette
from limner.errors import InputError, OptionError

RED, GREEN, BLUE = (0.8, 0.1, 0.1), (0.1, 0.5, 0.2), (0.1, 0.2, 0.8)
YELLOW, WHITE = (0.9, 0.8, 0.1), (1.0, 1.0, 1.0)
Color = tuple[float, float, float]


def flags(colors: Sequence[Color], height: int = 35, width: int = 40) -> Tensor:
    """Make fields of color side by side."""
    fields = [torch.tensor(c).view(1, 3, 1, 1).expand(-1, -1, height, width) for c in colors]
    return torch.cat(fields, 3)


def to_nearest(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance from each color of the first to the nearest of the second."""
    return np.abs(one[:, None] - other[None]).max(2).min(1)


# --- text ------------------------------------------------------------------------------------


def test_a_palette_is_read() -> None:
    found = palette.parse(" #ff0000,#00Ff80 , #369,gold,")
    wanted = [[1, 0, 0], [0, 1, 128 / 255], [0.2, 0.4, 0.6], [1, 215 / 255, 0]]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert len(palette.parse(",".join(["#000000"] * 256))) == 256


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "--palette: has 0 colors; must be from 1 to 256"),
        (" , ", "--palette: has 0 colors; must be from 1 to 256"),
        (",".join(["#000000"] * 257), "--palette: has 257 colors; must be from 1 to 256"),
        ("#112233,reed", "--palette reed: no color has this name; did you mean red?"),
        ("#ff", "--palette #ff: write a color as #rrggbb"),
        ("#12345g", "--palette #12345g: write a color as #rrggbb"),
        ("#112233;#445566", "--palette #112233;#445566: write a color as #rrggbb"),
        ("11223", "--palette 11223: not a color; write #rrggbb"),
        ("#112233\n#445566", "--palette #112233"),
    ],
)
def test_text_that_is_not_a_palette_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(OptionError) as raised:
        palette.parse(text)
    assert str(raised.value).startswith(says) and str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("#fff", True),
        ("#aabbcc,#112233.5", True),
        ("gold", True),
        ("light blue, red", True),
        ("", True),
        ("flags.png", False),
        ("a/b/flags.jpg", False),
        (r"C:\pictures\flags.webp", False),
    ],
)
def test_text_is_a_list_of_colors_or_a_name_of_a_picture(text: str, wanted: bool) -> None:
    assert palette.are_colors(text) is wanted


# --- read ------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Three fields of color, larger than what k-means reads."""
    page = Image.new("RGB", (600, 90), (204, 26, 26))
    page.paste((26, 51, 204), (200, 0, 400, 90))
    page.paste((255, 255, 255), (400, 0, 600, 90))
    page.save(tmp_path / "flags.png")
    return tmp_path / "flags.png"


def test_colors_need_no_picture() -> None:
    colors, source = palette.read("#369,gold")
    assert source is None and colors is not None
    np.testing.assert_array_equal(colors, palette.parse("#369,gold"))
    assert palette.read(None) == (None, None)


@pytest.mark.parametrize("form", ["path", "text", "picture"])
def test_a_picture_gives_its_main_colors(form: str, picture: Path) -> None:
    with Image.open(picture) as page:
        given = {"path": picture, "text": str(picture), "picture": page}
        colors, source = palette.read(given[form])  # type: ignore[arg-type]
    assert colors is not None and source is not None
    wanted = np.array([[204, 26, 26], [26, 51, 204], [255, 255, 255]]) / 255
    assert colors.shape == (3, 3) and to_nearest(wanted, colors.numpy()).max() < 3e-3
    assert Path(source.name).name == ("picture" if form == "picture" else "flags.png")


def test_soft_edges_are_no_main_colors(tmp_path: Path) -> None:
    page = Image.new("RGB", (30, 20), (204, 26, 26))
    page.paste((26, 51, 204), (15, 0, 30, 20))
    colors, _ = palette.read(page.resize((300, 200), Image.Resampling.BICUBIC))
    assert colors is not None and colors.shape == (2, 3)
    wanted = np.array([[204, 26, 26], [26, 51, 204]]) / 255
    assert to_nearest(wanted, colors.numpy()).max() < 0.05


def test_transparent_parts_have_no_color() -> None:
    page = Image.new("RGBA", (40, 40), (200, 0, 0, 0))
    page.paste((0, 0, 200, 255), (0, 0, 20, 40))
    colors, _ = palette.read(page)
    assert colors is not None and colors.shape == (1, 3)
    assert to_nearest(colors.numpy(), np.array([[0, 0, 200]]) / 255).max() < 0.02


def test_a_transparent_picture_is_refused(tmp_path: Path) -> None:
    Image.new("RGBA", (9, 9)).save(tmp_path / "clear.png")
    with pytest.raises(InputError, match=r"clear\.png: is transparent; use a picture with colors"):
        palette.read(tmp_path / "clear.png")


def test_a_missing_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        palette.read("nowhere.png")


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


def test_there_are_at_most_six_main_colors() -> None:
    many = torch.rand((1, 3, 40, 40), generator=torch.Generator().manual_seed(0))
    found = palette.main_colors(many)
    assert found.shape == (6, 3) and found.min() >= 0 and found.max() <= 1


def test_a_picture_of_one_pixel_has_a_main_color() -> None:
    found = palette.main_colors(torch.tensor([0.3, 0.5, 0.7]).view(1, 3, 1, 1))
    np.testing.assert_allclose(found, [[0.3, 0.5, 0.7]], atol=1e-4)


def test_devices_without_float64_will_do(without_float64: Callable[[Tensor], Tensor]) -> None:
    picture = flags([RED, GREEN, WHITE])
    found = palette.main_colors(without_float64(picture)).as_subclass(Tensor)
    np.testing.assert_array_equal(found, palette.main_colors(picture))
