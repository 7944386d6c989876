"""Oklab, a color space in which distances match what people see (Ottosson 2020)."""

import torch
from torch import Tensor

# linear sRGB → cone responses, and their cube roots → lightness and two color axes
_CONES = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_AXES = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def from_srgb(rgb: Tensor) -> Tensor:
    """Convert sRGB [N, 3, H, W] in 0..1 to Oklab [N, 3, H, W].

    The channels are L, lightness in 0..1; a, green to red; b, blue to yellow. Gray has a = b = 0;
    the most colorful sRGB colors have about ±0.3.
    """
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    cones = torch.einsum("ij,njhw->nihw", _CONES.to(rgb), linear).clamp(min=0) ** (1 / 3)
    return torch.einsum("ij,njhw->nihw", _AXES.to(rgb), cones)


def to_srgb(lab: Tensor) -> Tensor:
    """Convert Oklab [N, 3, H, W] to sRGB [N, 3, H, W]; colors outside sRGB are clipped to 0..1."""
    cones = torch.einsum("ij,njhw->nihw", torch.linalg.inv(_AXES).to(lab), lab) ** 3
    linear = torch.einsum("ij,njhw->nihw", torch.linalg.inv(_CONES).to(lab), cones).clamp(0, 1)
    return torch.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=1e-9) ** (1 / 2.4) - 0.055
    )


def of_colors(rgb: Tensor) -> Tensor:
    """Convert a list of colors [..., 3] from sRGB in 0..1 to Oklab."""
    return from_srgb(rgb.reshape(-1, 3).T[None, :, None])[0, :, 0].T.view_as(rgb)


def to_colors(lab: Tensor) -> Tensor:
    """Convert a list of colors [..., 3] from Oklab to sRGB, clipped to 0..1."""
    return to_srgb(lab.reshape(-1, 3).T[None, :, None])[0, :, 0].T.reshape(lab.shape)
