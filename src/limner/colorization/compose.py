"""From the network's colors to the picture: enlarge them along the lines, and lay the lines on."""

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner.colorization.edge_aware import propagate
from limner.io.openraster import Layers
from limner.nn import images

LINES = ("keep", "soften", "drop")
_SOFT = 0.4  # brightness of softened lines, relative to the color under them


def enlarge(colors: Tensor, small_ink: Tensor, ink: Tensor) -> Tensor:
    """Enlarge colors to the size of the drawing. They end at its lines.

    Parameters
    ----------
    colors : Tensor
        [1, 3, h, w].
    small_ink : Tensor
        The ink that the colors were made for, [1, 1, h, w].
    ink : Tensor
        The ink of the drawing, [1, 1, H, W].

    Returns
    -------
    Tensor
        [1, 3, H, W].
    """
    size = images.size_of(ink)
    scale = max(size) / max(images.size_of(small_ink))
    plain = F.interpolate(colors, size, mode="bilinear", align_corners=False)
    # near a line, enlarging mixes both sides: replace that by color from inside the region
    inside = 1 - F.max_pool2d(small_ink, 3, 1, 1).clamp(0, 1)
    inside = F.interpolate((inside > 0.7).float(), size, mode="bilinear", align_corners=False)
    values, confidence = propagate(plain, inside, ink, 2 * scale + 1)
    weight = (confidence * 8).clamp(0, 1) * (1 - inside)
    return torch.lerp(plain, values, weight).clamp(0, 1)


def lay_lines(colors: Tensor, ink: Tensor, lines: str) -> Tensor:
    """Lay the lines of a drawing over its colors [1, 3, H, W]."""
    return colors if lines == "drop" else torch.lerp(colors, _line_color(colors, lines), ink)


def to_layers(colors: Tensor, ink: Tensor, lines: str, merged: Image.Image) -> Layers:
    """Return ink [1, 1, H, W] and colors [1, 3, H, W] as layers; dropped lines are hidden."""
    over = io.to_picture(_line_color(colors, lines), ink)
    hidden = ("lines",) if lines == "drop" else ()
    return Layers({"lines": over, "colors": io.to_picture(colors)}, merged, hidden)


def _line_color(colors: Tensor, lines: str) -> Tensor:
    """Return the color of lines [1, 3, H, W]: black, or a dark shade of the color under them."""
    return colors * (_SOFT if lines == "soften" else 0)
