"""Measure a painter's large pictures: seconds, copied pieces, and how near patches are to the work.

    python benchmarks/large_pictures.py RUN [--pictures FOLDER]

Twelve pictures of 768×576 pixels. For 2000 patches of 5×5 pixels of each, the mean squared distance
to the nearest patch of the work that gave the strokes, in its matched colors, is printed relative
to the variance of its patches. Seconds are those of one picture, with reading the works once.
"""

import argparse
import time
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.generation import works
from limner.generation.enlarge import Enlarger, prepare
from limner.generation.gan import latent_space, painter
from limner.generation.generate import TRUNCATION
from limner.nn.seeding import generator
from limner.patches import search
from limner.patches.synthesis import PATCH_SIZE

SIZE, COUNT, PATCHES = (576, 768), 12, 2000


def distance_to_nearest(made: Tensor, work: Tensor) -> float:
    """Return the distance of some patches to the nearest of the work, relative to its variance."""
    ours, theirs = (F.unfold(rgb, PATCH_SIZE)[0].T for rgb in (made, work))
    ours = ours[torch.randperm(len(ours), generator=generator(0, 0))[:PATCHES]]
    nearest = theirs[search.nearest(ours, theirs)]
    return float((ours - nearest).square().sum(1).mean() / theirs.var(0).sum())


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    network, path = painter.load(given.run, torch.device("cpu"))
    began = time.perf_counter()
    enlarger = Enlarger(works.find(path, given.pictures, allow_changed=False))
    reading = time.perf_counter() - began
    seconds, pieces, distances = [], [], []
    for seed in range(COUNT):
        styles = latent_space.to_styles(
            network, latent_space.draw_latent(network, seed), TRUNCATION
        )
        small = latent_space.paint(network, styles, seed)
        began = time.perf_counter()
        made = enlarger.enlarge(small, SIZE, None, lambda: None)
        seconds.append(time.perf_counter() - began)
        pieces.append(made.longest_piece)
        work = prepare(made.work, small, SIZE).rgb
        distances.append(distance_to_nearest(made.rgb, work))
    print(f"{reading:.1f} s to read the works, {fmean(seconds):.1f} s a picture", end=", ")
    print(f"at most {max(seconds):.1f} s")
    print(f"largest piece without a seam: {fmean(pieces):.1%}, at most {max(pieces):.1%}")
    print(f"patches to the nearest of the work: {fmean(distances):.3f} of the variance", end=", ")
    print(f"at most {max(distances):.3f}")


if __name__ == "__main__":
    main()
