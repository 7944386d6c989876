"""How far apart colours are to an eye."""

import torch
from torch import Tensor


def lab(rgb: Tensor) -> Tensor:
    """SRGB [N, 3, H, W] → CIELAB, white of D65."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    rows = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = torch.einsum("ij,njhw->nihw", torch.tensor(rows), linear)
    xyz = xyz / torch.tensor([0.9505, 1.0, 1.089]).view(3, 1, 1)
    x, y, z = torch.where(xyz > 0.008856, xyz ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)


def apart(one: Tensor, other: Tensor) -> Tensor:
    """ΔE of CIE 1976 between two pictures, [N, H, W]."""
    return (lab(one) - lab(other)).square().sum(1).sqrt()
