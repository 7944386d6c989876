"""What `variations` is measured by: likeness in patches, difference between them, seconds, memory.

    python benchmarks/variations.py PICTURE...

Every picture is made smaller to 512 pixels of its longer side. How far its variations are from it:
the sliced Wasserstein distance between all their patches of 7 × 7 pixels and all of its own, at
full, half and quarter scale; and the share of the nearest of its patches' squared distance to the
variance of patches, at quarter scale. Both also of a collage: pieces of it, an eighth of its
shorter side, from anywhere, mirrored or not. Seconds and memory are those of 1200x800.
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

LONGEST, COUNT = 512, 8
DIRECTIONS = 64


def distance(made: Tensor, source: Tensor) -> float:
    """Sliced Wasserstein distance of patches, in grey levels of 255, of pictures of one size."""
    random = torch.Generator().manual_seed(0)
    slices = torch.randn(DIRECTIONS, 3, search.SIDE, search.SIDE, generator=random)
    slices = slices / slices.flatten(1).norm(dim=1)[:, None, None, None]
    one, other = (F.conv2d(rgb, slices)[0].flatten(1).sort(1).values for rgb in (made, source))
    return float((one - other).abs().mean()) * 255


def strange(made: Tensor, source: Tensor) -> float:
    """How far patches are from their nearest in the source, as a share of the source's variance."""
    wanted, there = (F.unfold(rgb, search.SIDE)[0].T for rgb in (made, source))
    nearest = there[search.nearest(wanted, there)]
    return float((wanted - nearest).square().sum(1).mean() / there.var(0).sum())


def collage(source: Tensor, seed: int) -> Tensor:
    """Pieces of a picture [1, 3, H, W] from anywhere, mirrored or not."""
    random = torch.Generator().manual_seed(seed)
    height, width = images.size_of(source)
    side = min(height, width) // 8
    rows = []
    for _ in range(math.ceil(height / side)):
        row = []
        for _ in range(math.ceil(width / side)):
            y = int(torch.randint(height - side + 1, (), generator=random))
            x = int(torch.randint(width - side + 1, (), generator=random))
            piece = source[..., y : y + side, x : x + side]
            row.append(piece.flip(3) if torch.rand((), generator=random) < 0.5 else piece)
        rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)[..., :height, :width]


def at(rgb: Tensor, part: int) -> Tensor:
    """A picture of so much smaller a scale."""
    height, width = images.size_of(rgb)
    return images.resize(rgb, (height // part, width // part))


def large(path: Path, count: int) -> float:
    """Seconds of a picture of 1200 × 800, when so many are made."""
    began = time.perf_counter()
    variations(path, n=count, size="1200x800")
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
        for kind, those in kinds.items():
            far = [fmean(distance(at(rgb, k), at(source, k)) for rgb in those) for k in (1, 2, 4)]
            odd = fmean(strange(at(rgb, 4), at(source, 4)) for rgb in those)
            apart = float(torch.cat(those).std(0, correction=0).mean() / source.std((2, 3)).mean())
            print(
                f"  {kind}: patches {', '.join(f'{one:.2f}' for one in far)} of 255; "
                f"strange {odd:.2%}; apart {apart:.2f}"
            )
            for name, value in zip(("1", "1/2", "1/4"), far, strict=True):
                found.setdefault(f"{kind}, patches at {name}", []).append(value)
            found.setdefault(f"{kind}, strange", []).append(odd)
            found.setdefault(f"{kind}, apart", []).append(apart)
    for key, values in found.items():
        print(f"{key}: {fmean(values):.4f}")
    for path in paths[:3]:
        seconds, _, peak = measured(large, path, COUNT)
        print(f"{path.name} → 1200x800: {seconds:.1f} s a picture, peak {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()
