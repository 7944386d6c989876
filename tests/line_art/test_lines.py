"""Line art against its formulas, and ink extracted from drawings of many kinds."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from limner.line_art import lines
from limner.nn import images

Draw = Callable[..., Image.Image]
Planes = Callable[[Image.Image], Tensor]

# Ink below this is rounding: a CPU may blur a constant area to values a few 1e-8 apart, and their
# gradient is then not exactly 0.
ROUNDING = 1e-5


def kernel(sigma: float) -> np.ndarray:
    """A Gaussian out to three deviations; its sum is 1."""
    reach = max(1, math.ceil(3 * sigma))
    shares = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    return shares / shares.sum()


def smooth(plane: np.ndarray, sigma: float) -> np.ndarray:
    """Blur [H, W] in 64 bits, with the border pixels repeated."""
    shares = kernel(sigma)
    reach = len(shares) // 2
    padded = np.pad(plane.astype(float), reach, mode="edge")
    for axis in (0, 1):
        padded = np.apply_along_axis(np.convolve, axis, padded, shares, mode="valid")
    return padded


def gray(plane: np.ndarray, channels: int = 3) -> Tensor:
    return torch.from_numpy(plane.astype(np.float32))[None, None].repeat(1, channels, 1, 1)


def step(low: float, high: float) -> np.ndarray:
    """Dark on the left, light from column 12 on."""
    plane = np.full((20, 24), low)
    plane[:, 12:] = high
    return plane


# --- three ways to draw ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma", "k", "gamma", "epsilon", "phi"),
    [(0.5, 1.6, 0.98, -0.002, 200), (1.2, 2.5, 0.96, -0.01, 50), (0.8, 1.6, 0.99, 0.005, 1000)],
)
def test_xdog_is_its_formula(
    sigma: float, k: float, gamma: float, epsilon: float, phi: float
) -> None:
    """Winnemöller et al. (2012), equations 2 and 7: 1 where u ≥ ε, else 1 + tanh(φ · (u − ε))."""
    luma = smooth(np.random.default_rng(0).random((23, 31)), 1.5)
    luma = (luma - luma.min()) / np.ptp(luma)
    u = smooth(luma, sigma) - gamma * smooth(luma, sigma * k)
    white = np.where(u >= epsilon, 1, 1 + np.tanh(phi * (u - epsilon)))
    options = {"sigma": sigma, "k": k, "gamma": gamma, "epsilon": epsilon, "phi": phi}
    found = lines.xdog(gray(luma, 1), **options)
    assert found.shape == (1, 1, 23, 31) and 0.1 < (white < 0.5).mean() < 0.9
    np.testing.assert_allclose(1 - found[0, 0], white, atol=5e-4)


def test_xdog_draws_the_dark_side_of_a_step() -> None:
    ink = lines.xdog(gray(step(0.3, 0.8), 1))[0, 0, 10]
    assert ink[11] > 0.9 and ink[12:].max() == 0 and ink[:9].max() == 0


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_flat_pictures_have_no_lines(value: float) -> None:
    flat = np.full((20, 24), value)
    assert lines.xdog(gray(flat, 1)).max() == 0 and lines.pencil(gray(flat, 1)).max() == 0
    assert lines.contour(gray(flat)).max() < ROUNDING


@pytest.mark.parametrize("sigma", [0.5, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("contrast", [0.1, 0.3])
def test_a_step_has_a_contour_one_pixel_wide(sigma: float, contrast: float) -> None:
    """Beside the step. Its ink is √3 times the central difference there."""
    middle = len(kernel(sigma)) // 2
    slope = kernel(sigma)[middle : middle + 2].sum() / 2  # of a step of 1, one channel
    picture = gray(step(0.5, 0.5 + contrast))
    across, down = (
        lines.contour(one, sigma=sigma, strength=2)[0, 0] for one in (picture, picture.mT)
    )
    for ink in (across, down.T):
        (columns,) = np.nonzero(ink[10].numpy() > ROUNDING)
        assert len(columns) == 1 and columns[0] in (11, 12)
        np.testing.assert_allclose(ink[:, columns[0]], 2 * 3**0.5 * slope * contrast, rtol=1e-4)
        assert (ink > ROUNDING).sum() == 20


@pytest.mark.parametrize("degrees", [10, 20, 30, 45, 60, 80])
def test_contours_of_slanted_edges_are_thin_and_unbroken(degrees: int) -> None:
    angle = math.radians(degrees)
    y, x = np.mgrid[:60, :60] - 30
    away = x * math.cos(angle) + y * math.sin(angle)
    ink = lines.contour(gray((away + 0.5).clip(0, 1) / 2), strength=1)[0, 0].numpy()
    assert np.abs(away[ink > 0.05]).max() < 0.75
    counts = (ink > 0.05)[10:50, 10:50].sum(1 if degrees <= 45 else 0)
    assert counts.max() <= 2 and (degrees == 45 or counts.min() == 1)


def test_colors_of_equal_luma_have_a_contour() -> None:
    picture = torch.zeros((1, 3, 20, 24))
    picture[:, 0, :, :12], picture[:, 1, :, 12:] = 1, 0.299 / 0.587
    luma = 0.299 * picture[0, 0] + 0.587 * picture[0, 1]
    assert luma.max() - luma.min() < 1e-6
    ink = lines.contour(picture)[0, 0]
    assert (ink > ROUNDING).sum() == 20 and ink.max() == 1  # clipped


def test_contours_are_clipped() -> None:
    assert lines.contour(gray(step(0, 1)), strength=100).max() == 1


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_pencil_is_its_formula(radius: int) -> None:
    luma = np.random.default_rng(1).random((15, 18)) ** 3
    padded = np.pad(luma, radius, constant_values=0)
    side = 2 * radius + 1
    lightest = np.lib.stride_tricks.sliding_window_view(padded, (side, side)).max((2, 3))
    wanted = ((lightest - luma) / np.maximum(lightest, 0.05)).clip(0, 1)
    np.testing.assert_allclose(lines.pencil(gray(luma, 1), radius=radius)[0, 0], wanted, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.6, 1.5, 4.0])
def test_a_blur_has_its_deviation_and_keeps_constants(sigma: float) -> None:
    spot = torch.zeros((1, 1, 41, 41))
    spot[..., 20, 20] = 1
    found = images.gaussian_blur(spot, sigma)[0, 0].double().numpy()
    places = np.arange(41) - 20
    for axis in (0, 1):
        deviation = (found.sum(axis) * places**2).sum() ** 0.5
        assert deviation == pytest.approx(sigma, rel=0.03)  # its tails are cut
    np.testing.assert_allclose(
        images.gaussian_blur(torch.full((2, 3, 5, 7), 0.3), sigma), 0.3, atol=1e-6
    )


# --- ink of drawings -------------------------------------------------------------------------


def photographed(picture: Tensor) -> Tensor:
    """On yellowish paper, darker on the left and at the bottom, with camera noise."""
    across, down = torch.linspace(0.5, 1, 160), torch.linspace(1, 0.8, 120)[:, None]
    paper = across * down * torch.tensor([1, 0.97, 0.85]).view(1, 3, 1, 1)
    noise = 0.02 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    return (picture * paper + noise).clamp(0, 1)


PAPERS: dict[str, Callable[[Tensor], Tensor]] = {
    "black": lambda picture: picture,
    "gray pencil": lambda picture: 1 - 0.4 * (1 - picture),
    "photographed": photographed,
    "photographed pencil": lambda picture: photographed(1 - 0.5 * (1 - picture)),
    "white on black": lambda picture: 1 - picture,
    "on brown paper": lambda picture: picture * torch.tensor([0.8, 0.6, 0.4]).view(1, 3, 1, 1),
}


@pytest.mark.parametrize("paper", PAPERS)
def test_ink_is_extracted(paper: str, drawing: Draw, planes: Planes) -> None:
    plain = planes(drawing())
    wanted = 1 - plain[:, :1]
    ink = lines.extract_ink(PAPERS[paper](plain))
    assert ink.shape == (1, 1, 120, 160) and ink.min() >= 0 and ink.max() <= 1
    assert ink[wanted > 0.99].mean() > 0.9 and ink[wanted < 0.01].mean() < 0.005
    assert np.corrcoef(ink.flatten(), wanted.flatten())[0, 1] > 0.99


@pytest.mark.parametrize(
    ("ink", "paper"),
    [("blue", "white"), ("red", "white"), ("orange", "ivory"), ("red", "black"), ("navy", "beige")],
)
def test_colored_ink_is_extracted(ink: str, paper: str, drawing: Draw, planes: Planes) -> None:
    wanted = 1 - planes(drawing())[:, :1]
    found = lines.extract_ink(planes(drawing(3, ink, paper)))
    assert found[wanted > 0.99].min() > 0.95 and found[wanted < 0.01].max() < 0.01


@pytest.mark.parametrize("width", [1, 5, 8, 12, 20])
def test_thick_lines_are_extracted(width: int, drawing: Draw, planes: Planes) -> None:
    """Up to 20 pixels wide, in a picture of 160."""
    picture = planes(drawing(width))
    assert (lines.extract_ink(picture) - (1 - picture[:, :1])).abs().mean() < 0.004


def test_filled_areas_stay_filled() -> None:
    picture = torch.ones((1, 3, 120, 160))
    picture[..., 30:90, 20:60] = 0  # 40 pixels wide; paper is looked for within 10
    ink = lines.extract_ink(picture)[0, 0]
    assert ink[30:90, 20:60].min() > 0.95 and ink[:26].max() < 0.05


def test_paler_ink_is_paler() -> None:
    """Ink lighter than a quarter of the range is not made black: it may be noise."""
    picture = torch.ones((1, 3, 60, 80))
    picture[..., 20:23, :], picture[..., 40:43, :] = 0.2, 0.6
    ink = lines.extract_ink(picture)[0, 0]
    assert ink[21, 40] == pytest.approx(1, abs=1e-3) and ink[41, 40] == pytest.approx(
        0.49, abs=0.03
    )
    faint = lines.extract_ink(1 - 0.1 * (1 - picture)).max()
    assert 0.05 < faint < 0.5


@pytest.mark.parametrize("value", [1.0, 0.9, 0.5, 0.0])
@pytest.mark.parametrize("size", [(100, 130), (1, 1), (3, 200)])
def test_blank_paper_has_no_ink(value: float, size: tuple[int, int]) -> None:
    assert lines.extract_ink(torch.full((1, 3, *size), value)).max() == 0


@pytest.mark.parametrize(
    ("noise", "most", "mean"), [(0.005, 0.05, 2e-4), (0.01, 0.12, 3e-4), (0.02, 0.3, 1e-3)]
)
def test_paper_noise_is_hardly_ink(noise: float, most: float, mean: float) -> None:
    """Noise as a standard deviation: a scan has 0.005 to 0.01, a phone photo 0.02."""
    random = torch.Generator().manual_seed(0)
    paper = 0.9 + noise * torch.randn((1, 1, 200, 260), generator=random)
    ink = lines.extract_ink(paper.expand(-1, 3, -1, -1).clamp(0, 1))
    assert ink.max() < most and ink.mean() < mean


@pytest.mark.parametrize("case", ["dim light", "large black area"])
def test_dark_drawings_on_light_paper_are_not_inverted(
    case: str, drawing: Draw, planes: Planes
) -> None:
    """The corner stays paper."""
    picture = drawing()
    if case == "large black area":
        ImageDraw.Draw(picture).rectangle((10, 10, 80, 110), fill="black")
    wanted = 1 - planes(picture)[:, :1]
    light = torch.linspace(0.25, 0.5, 160) if case == "dim light" else torch.ones(160)
    ink = lines.extract_ink(planes(picture) * light)
    assert ink[wanted > 0.99].mean() > 0.9 and ink[..., :8, :8].max() < 0.05


def test_drawings_of_a_batch_are_independent(drawing: Draw, planes: Planes) -> None:
    both = torch.cat((planes(drawing()), 1 - planes(drawing())))
    one, other = lines.extract_ink(both)
    np.testing.assert_allclose(one, other, atol=0.01)


@pytest.mark.parametrize("extract", [lines.contour, lines.extract_ink])
def test_devices_without_float64_will_do(
    extract: Callable[[Tensor], Tensor],
    drawing: Draw,
    planes: Planes,
    without_float64: Callable[[Tensor], Tensor],
) -> None:
    picture = planes(drawing())
    found = extract(without_float64(picture)).as_subclass(Tensor)
    np.testing.assert_array_equal(found, extract(picture))
