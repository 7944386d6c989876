"""The compact network against its formula."""

import numpy as np
import pytest
import torch
from PIL import Image

from limner.upscaling.compact import Compact


def conv(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A 3×3 convolution of [C, H, W] with zeros around it."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return np.einsum("chwij,dcij->dhw", windows, weight) + bias[:, None, None]


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_it_is_a_stack_of_convolutions_on_top_of_the_enlarged_picture(scale: int) -> None:
    torch.manual_seed(scale)
    network = Compact(6, 2, scale)
    picture = torch.rand((1, 3, 7, 9))
    state = {key: value.double().numpy() for key, value in network.state_dict().items()}
    assert list(state)[:3] == ["body.0.weight", "body.0.bias", "body.1.weight"]
    x = picture[0].double().numpy()
    for index in (0, 2, 4):
        x = conv(x, state[f"body.{index}.weight"], state[f"body.{index}.bias"])
        slope = state[f"body.{index + 1}.weight"][:, None, None]
        x = np.where(x > 0, x, slope * x)
    x = conv(x, state["body.6.weight"], state["body.6.bias"])
    # channel c · scale² + i · scale + j is the pixel (i, j) of each square of colour c
    squares = x.reshape(3, scale, scale, 7, 9).transpose(0, 3, 1, 4, 2)
    large = picture[0].numpy().repeat(scale, 1).repeat(scale, 2)
    wanted = squares.reshape(3, 7 * scale, 9 * scale) + large
    np.testing.assert_allclose(network(picture)[0].detach().numpy(), wanted, atol=1e-5)


def test_it_sees_as_far_as_it_says_and_no_further() -> None:
    torch.manual_seed(0)
    network = Compact(8, 3, 2).double()
    assert network.radius == 5
    picture = torch.rand((1, 3, 31, 31), dtype=torch.float64, requires_grad=True)
    middle = network(picture)[..., 30:32, 30:32].sum()
    (slope,) = torch.autograd.grad(middle, picture)
    rows = slope.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    assert (rows[0], rows[-1]) == (15 - 5, 15 + 5)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_smooth_base_is_pillow_s_bilinear(scale: int) -> None:
    network = Compact(6, 2, scale, smooth=True).requires_grad_(False)
    for parameter in network.parameters():
        parameter.zero_()
    random = np.random.default_rng(scale)
    pixels = random.random((7, 9), dtype=np.float32)
    picture = torch.from_numpy(pixels).expand(1, 3, -1, -1)
    size = (9 * scale, 7 * scale)
    wanted = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    np.testing.assert_allclose(network(picture)[0, 1], wanted, atol=1e-5)


@pytest.mark.parametrize("smooth", [False, True])
def test_at_a_smaller_scale_pixels_are_means(smooth: bool) -> None:
    torch.manual_seed(0)
    picture = torch.rand((1, 3, 7, 9))
    for scale, smaller in ((4, 2), (2, 2), (3, 3), *(() if smooth else ((4, 1), (2, 1)))):
        network = Compact(6, 2, scale, smooth=smooth).requires_grad_(False)
        wanted = torch.nn.functional.avg_pool2d(network(picture), scale // smaller)
        np.testing.assert_allclose(network.at_scale(smaller)(picture), wanted, atol=1e-5)


def test_attenuated_it_adds_a_share() -> None:
    torch.manual_seed(0)
    network, picture = Compact(6, 2, 1).requires_grad_(False), torch.rand((1, 3, 7, 9))
    wanted = picture.lerp(network(picture), 0.3)
    network.attenuate(0.3)
    np.testing.assert_allclose(network(picture), wanted, atol=1e-6)
