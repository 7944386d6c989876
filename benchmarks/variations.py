"""Measure `variations`: likeness in patches, differences between the results, seconds and memory.

    python benchmarks/variations.py PICTURE...

Every picture is reduced to 512 pixels on its longer side. Two distances of its variations from it
are printed. One is the sliced Wasserstein distance between the patches of 7 × 7 pixels of both, at
full, half and quarter scale. The other is the mean squared distance of a patch to the nearest patch
of the picture, relative to the variance of patches, at quarter scale. Both are also printed for a
collage: tiles of the picture, an eighth of its shorter side, from anywhere, mirrored or not.
For ``--tileable``, the mean step between neighboring pixels over the border is printed, relative to
that inside: the larger of both directions. Seconds and memory are for 1200x800, and for
``--keep-layout 1``.
"""

import math
import sys
import time
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from child import measured
from limner import io
from limner.generation.variations import variations
from limner.nn import images
from limner.patches import search
from limner.patches.field import PATCH_SIZE

LONGEST, COUNT = 512, 8
DIRECTIONS = 64


def distance(made: Tensor, source: Tensor) -> float:
    """Sliced Wasserstein distance of patches, in gray levels of 255, of pictures of one size."""
    random = torch.Generator().manual_seed(0)
    slices = torch.randn(DIRECTIONS, 3, PATCH_SIZE, PATCH_SIZE, generator=random)
    slices = slices / slices.flatten(1).norm(dim=1)[:, None, None, None]
    one, other = (F.conv2d(rgb, slices)[0].flatten(1).sort(1).values for rgb in (made, source))
    return float((one - other).abs().mean()) * 255


def distance_to_nearest(made: Tensor, source: Tensor) -> float:
    """Distance of patches to their nearest in the source, relative to the source's variance."""
    ours, theirs = (F.unfold(rgb, PATCH_SIZE)[0].T for rgb in (made, source))
    nearest = theirs[search.nearest(ours, theirs)]
    return float((ours - nearest).square().sum(1).mean() / theirs.var(0).sum())


def collage(source: Tensor, seed: int) -> Tensor:
    """Tiles of a picture [1, 3, H, W] from anywhere, mirrored or not."""
    random = torch.Generator().manual_seed(seed)
    height, width = images.size_of(source)
    side = min(height, width) // 8
    rows = []
    for _ in range(math.ceil(height / side)):
        row = []
        for _ in range(math.ceil(width / side)):
            y = int(torch.randint(height - side + 1, (), generator=random))
            x = int(torch.randint(width - side + 1, (), generator=random))
            tile = source[..., y : y + side, x : x + side]
            row.append(tile.flip(3) if torch.rand((), generator=random) < 0.5 else tile)
        rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)[..., :height, :width]


def reduced(rgb: Tensor, factor: int) -> Tensor:
    """A picture, smaller by a factor."""
    height, width = images.size_of(rgb)
    return images.resize(rgb, (height // factor, width // factor))


def border_step(tile: Tensor) -> float:
    """Step over the border of a tile [1, 3, H, W], relative to the mean step inside."""
    steps = []
    for axis in (2, 3):
        over = (tile.select(axis, 0) - tile.select(axis, -1)).abs().mean()
        steps.append(float(over / tile.diff(dim=axis).abs().mean()))
    return max(steps)


def seconds_per_picture(path: Path, count: int, keep_layout: float) -> float:
    """Seconds for each of some variations of 1200 × 800 pixels."""
    began = time.perf_counter()
    variations(path, n=count, size="1200x800", keep_layout=keep_layout)
    return (time.perf_counter() - began) / count


def main() -> None:
    """Print everything."""
    paths = [Path(name) for name in sys.argv[1:]]
    found: dict[str, list[float]] = {}
    for path in paths:
        whole = io.on_white(io.read(path))
        source = images.resize(whole, images.fit(*images.size_of(whole), LONGEST))
        height, width = images.size_of(source)
        picture = io.to_picture(source)
        ours = variations(picture, n=COUNT, size=f"{width}x{height}")
        made = [io.read(one).rgb for one in ours]
        kinds = {"ours": made, "collage": [collage(source, seed) for seed in range(COUNT)]}
        print(f"{path.name}, {width} × {height}")
        for kind, pictures in kinds.items():
            far = [
                fmean(distance(reduced(rgb, k), reduced(source, k)) for rgb in pictures)
                for k in (1, 2, 4)
            ]
            odd = fmean(
                distance_to_nearest(reduced(rgb, 4), reduced(source, 4)) for rgb in pictures
            )
            spread = torch.cat(pictures).std(0, correction=0).mean()
            apart = float(spread / source.std((2, 3)).mean())
            print(
                f"  {kind}: patches {', '.join(f'{one:.2f}' for one in far)} of 255; "
                f"to the nearest {odd:.2%}; apart {apart:.2f}"
            )
            for name, value in zip(("1", "1/2", "1/4"), far, strict=True):
                found.setdefault(f"{kind}, patches at {name}", []).append(value)
            found.setdefault(f"{kind}, to the nearest", []).append(odd)
            found.setdefault(f"{kind}, apart", []).append(apart)
        tiles = variations(picture, n=COUNT, size=f"{width}x{height}", tileable=True)
        steps = [border_step(io.read(one).rgb) for one in tiles]
        print(f"  tiles: step over the border {fmean(steps):.2f}, at most {max(steps):.2f}")
    for key, values in found.items():
        print(f"{key}: {fmean(values):.4f}")
    for path in paths[:3]:
        for keep_layout, count in ((0, COUNT), (1, 2)):
            seconds, _, peak = measured(seconds_per_picture, path, count, keep_layout)
            print(
                f"{path.name} → 1200x800, --keep-layout {keep_layout}: {seconds:.1f} s a picture, "
                f"peak {peak / 2**30:.2f} GiB"
            )


if __name__ == "__main__":
    main()
