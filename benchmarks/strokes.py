"""Compare the strokes of `stylize` with EbSynth: the same plan, the same painting, the same size.

    python benchmarks/strokes.py EBSYNTH [SIZE …]

EBSYNTH is the program of github.com/jamriska/ebsynth, built for the CPU. It runs with its defaults
(patches of 5×5 pixels, uniformity 3500, 6 search-vote and 4 PatchMatch iterations) on one thread,
as it gives other pixels each time on several. Both get the photo in the colors of the painting as
plan. Fidelity is the mean squared distance of patches of 7×7 pixels to the nearest one in the
painting, relative to the variance of the painting's patches: smaller is better. It counts only
together with the distance to the plan (the same, of the picture from the plan at half the size),
for any patch of the painting has fidelity 0.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import limner
from limner import io
from limner.color.transfer import transfer_colors
from limner.nn import images
from limner.patches import search
from limner.patches.sources import SourcePicture
from limner.patches.synthesis import synthesize

EXAMPLES = Path(__file__).parents[1] / "examples"
PAIRS = [
    (EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg"),
    *((EXAMPLES / "photo.jpg", painting) for painting in sorted(EXAMPLES.glob("paintings/*.jpg"))),
]
PATCHES = 3000  # of the result, drawn at random


def sized(path: Path, size: int) -> Tensor:
    """Read a picture and resize its longest side."""
    rgb = io.read(path).rgb
    return images.resize(rgb, images.fit(*images.size_of(rgb), size))


def fidelity(picture: Tensor, painting: Tensor) -> float:
    """Return how far the patches of a picture are from those of a painting."""
    ours, theirs = (F.unfold(one, 7)[0].T for one in (picture, painting))
    drawn = torch.randperm(len(ours), generator=torch.Generator().manual_seed(0))[:PATCHES]
    ours = ours[drawn].contiguous()
    nearest = theirs[search.nearest(ours, theirs)]
    return float((nearest - ours).square().sum(1).mean() / theirs.var(0).sum())


def from_plan(picture: Tensor, plan: Tensor) -> float:
    """Return the mean squared difference at half the size, relative to the plan's variance."""
    half = (plan.shape[-2] // 2, plan.shape[-1] // 2)
    one, other = images.resize(picture, half), images.resize(plan, half)
    return float((one - other).square().mean() / other.var())


def ours(plan: Tensor, painting: Tensor) -> Tensor:
    """Lay strokes with limner."""
    *_, last = synthesize(plan, [SourcePicture(painting)])
    return last.picture


def ebsynth(program: str, plan: Tensor, painting: Tensor) -> tuple[Tensor, float]:
    """Lay strokes with EbSynth; return the picture and the seconds of the program."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.png" for name in ("painting", "plan", "result")]
        for rgb, path in zip((painting, plan), paths, strict=False):
            limner.write(io.to_picture(rgb), path)
        style, target, result = map(str, paths)
        command = [program, "-style", style, "-guide", style, target, "-output", result]
        began = time.perf_counter()
        subprocess.run(
            [*command, "-backend", "cpu"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        return io.read(paths[2]).rgb, time.perf_counter() - began


def main() -> None:
    """Print one line for each pair and size, and the means."""
    program, *sizes = sys.argv[1:]
    for size in map(int, sizes or ("512", "1024")):
        rows = []
        for photo, painting_path in PAIRS:
            painting = sized(painting_path, size)
            plan = transfer_colors(sized(photo, size), painting)
            began = time.perf_counter()
            picture = ours(plan, painting)
            seconds = time.perf_counter() - began
            theirs, their_seconds = ebsynth(program, plan, painting)
            row = [seconds, their_seconds]
            for one in (picture, theirs):
                row += [fidelity(one, painting), from_plan(one, plan)]
            rows.append(row)
        a, b, ours_fidelity, ours_plan, their_fidelity, their_plan = (
            torch.tensor(rows).mean(0).tolist()
        )
        print(f"{size} px, {len(rows)} pairs     seconds  fidelity  distance to the plan")
        print(f"limner               {a:7.1f}  {ours_fidelity:8.3f}  {ours_plan:8.3f}")
        print(f"EbSynth              {b:7.1f}  {their_fidelity:8.3f}  {their_plan:8.3f}")
        print(f"limner : EbSynth     {a / b:7.2f}")


if __name__ == "__main__":
    main()
