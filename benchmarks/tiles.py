"""Compare the gradient of the losses at 1024 px in tiles with that of the whole picture.

python benchmarks/tiles.py
"""

from pathlib import Path

import torch

from limner import io
from limner.nn import features, images
from limner.nn.tiles import Tile, cover
from limner.style import objective
from limner.style.method import METHODS
from limner.style.paint import blended_region

EXAMPLES = Path(__file__).parents[1] / "examples"


def gradient(tiles: list[Tile]) -> tuple[float, torch.Tensor]:
    """Return the loss of the example at its full size, and its gradient at the photo."""
    method = METHODS["network"]
    network = features.load("compact")
    photo = io.read(EXAMPLES / "photo.jpg").rgb
    photo = images.resize(photo, images.fit(*images.size_of(photo), 1024))
    painting = images.resize(io.read(EXAMPLES / "painting.jpg").rgb, (800, 1000))
    whole = cover(800, 1000, side=1024, margin=80, multiple=16)
    style = objective.style_statistics(network, painting, method.style_layers, whole, method.border)
    regions = [blended_region([style], [1.0], torch.ones_like(photo[:, :1]), method)]
    content = objective.feature_maps(network, photo.flip(-1), method.content_layers, tiles)
    whole_loss = objective.Objective(network, tiles, method, content, 1.0, 1.0, method.tv_weight)
    return whole_loss.gradient(photo, regions)


if __name__ == "__main__":
    height, width = 683, 1024
    margin = features.receptive_radius("compact", "5_1")
    one = gradient(cover(height, width, side=1024, margin=margin, multiple=16))
    cut = cover(height, width, side=256, margin=margin, multiple=16)
    many = gradient(cut)
    error = ((one[1] - many[1]).norm() / one[1].norm()).item()
    print(f"whole picture and {len(cut)} tiles at {width}×{height}:")
    print(f"loss {one[0]:.6f} and {many[0]:.6f}; gradients differ by {error:.1e} of their norm")
