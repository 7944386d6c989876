"""Gradient of the style, content and smoothness loss at 1024 px: in tiles against in one piece.

python benchmarks/tiles.py
"""

from pathlib import Path

import torch

from limner import io
from limner.nn import features, images
from limner.nn.tiles import Tile, cover
from limner.style import objective, paint
from limner.style.method import METHODS

EXAMPLES = Path(__file__).parents[1] / "examples"


def gradient(tiles: list[Tile]) -> tuple[float, torch.Tensor]:
    """Loss and gradient of the example at its full size, from the photo as it is."""
    method = METHODS["limner"]
    network = features.load("compact")
    photo = io.read(EXAMPLES / "photo.jpg").rgb
    photo = images.resize(photo, images.fit(*images.size_of(photo), 1024))
    painting = images.resize(io.read(EXAMPLES / "painting.jpg").rgb, (800, 1000))
    whole = cover(800, 1000, side=1024, margin=80, multiple=16)
    style = objective.style_moments(network, painting, method.style_taps, whole, method.ring)
    regions = paint.regions_of([style], [1.0], [], images.size_of(photo), method)
    content = objective.feature_maps(network, photo.flip(-1), method.content_taps, tiles)
    goal = objective.Objective(network, tiles, method, content, 1.0, 1.0, method.smoothness_weight)
    return goal.gradient(photo, regions)


if __name__ == "__main__":
    height, width = 683, 1024
    margin = features.receptive_radius("compact", "5_1")
    one = gradient(cover(height, width, side=1024, margin=margin, multiple=16))
    cut = cover(height, width, side=256, margin=margin, multiple=16)
    many = gradient(cut)
    error = ((one[1] - many[1]).norm() / one[1].norm()).item()
    print(f"one piece against {len(cut)} tiles at {width}×{height}:")
    print(f"loss {one[0]:.6f} against {many[0]:.6f}; gradients differ by {error:.1e} of their norm")
