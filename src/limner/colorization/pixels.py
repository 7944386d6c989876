"""Colors of pixels, from a network of ``--preset article``, enlarged along the lines."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.colorization.edge_aware import propagate
from limner.colorization.pix2pix import UNet
from limner.line_art.lines import lines_of_size
from limner.nn import images


@torch.no_grad()
def predict(network: UNet, ink: Tensor, scale: float) -> Tensor:
    """Color a drawing.

    Parameters
    ----------
    network : UNet
        Works at 256 × 256 pixels.
    ink : Tensor
        [1, 1, H, W].
    scale : float
        The size to which the network's colors are brought, as a share of the drawing's, up to 1.

    Returns
    -------
    Tensor
        [1, 3, H, W], sRGB in 0..1.
    """
    height, width = images.size_of(ink)
    small = ink
    if scale < 1:
        small = lines_of_size(ink, (max(1, round(height * scale)), max(1, round(width * scale))))
    square = network(images.resize(small, (UNet.size, UNet.size)))
    colors = images.resize(square, images.size_of(small))
    return _enlarge(colors, small, ink)


def _enlarge(colors: Tensor, small_ink: Tensor, ink: Tensor) -> Tensor:
    """Enlarge colors to the size of the drawing. They end at its lines."""
    size = images.size_of(ink)
    scale = max(size) / max(images.size_of(small_ink))
    plain = F.interpolate(colors, size, mode="bilinear", align_corners=False)
    # near a line, enlarging mixes both sides: replace that by color from inside the region
    inside = 1 - F.max_pool2d(small_ink, 3, 1, 1).clamp(0, 1)
    inside = F.interpolate((inside > 0.7).float(), size, mode="bilinear", align_corners=False)
    values, confidence = propagate(plain, inside, ink, 2 * scale + 1)
    weight = (confidence * 8).clamp(0, 1) * (1 - inside)
    return torch.lerp(plain, values, weight).clamp(0, 1)
