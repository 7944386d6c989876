"""What `colorize` is measured by, on emoji that no network was trained on.

    python benchmarks/colorize.py EMOJI [RUN...]

EMOJI is the folder the shipped network was trained on; the twentieth held out by a hash of the name
is scored at 256 px, as the verb colours it, without its lines. A RUN is a folder of `limner train
colorizer`, such as one of `--preset article` that had the same seconds on the same pictures.
"""

import sys
import time
from pathlib import Path
from statistics import fmean, median

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from child import measured
from lab import apart
from limner import io
from limner.colorization import dataset
from limner.colorization.colorize import colorize
from limner.colorization.stages import unlike
from limner.colorization.train import Unseen, colourful
from limner.line_art import lines
from limner.nn import features, images, seeding
from limner.train.metrics import psnr, ssim

SIZE = 256


def scored(made: Tensor, rgb: Tensor) -> dict[str, float]:
    """Likeness of coloured drawings to the pictures they were made of, [N, 3, H, W]."""
    judge = features.load("compact")
    pairs = [(one[None], other[None]) for one, other in zip(made, rgb, strict=True)]
    return {
        "SSIM": fmean(ssim(*pair, 0) for pair in pairs),
        "PSNR": fmean(psnr(*pair, 0) for pair in pairs),
        "features": fmean(float(unlike(judge, *pair)) for pair in pairs),
        "colourful": fmean(colourful(one) for one, _ in pairs)
        / fmean(colourful(other) for _, other in pairs),
    }


def checkerboard(made: Tensor, rgb: Tensor) -> list[float]:
    """How far energy stands out at the strides' frequencies: 1/2, 1/4, 1/8 cycles a pixel.

    Against the frequencies around, and against the same of the pictures: 0 for no grid.
    """
    fade = torch.hann_window(SIZE)

    def above(picture: Tensor, place: int) -> float:
        luma = images.luma(picture) - images.luma(picture).mean((2, 3), True)
        energy = torch.fft.rfft2(luma * fade[:, None] * fade).abs().square().mean((0, 1, 2))
        around = [k for k in range(place - 8, min(place + 9, len(energy))) if abs(k - place) > 1]
        return float(energy[place].log() - energy[around].log().mean())

    return [above(made, SIZE // stride) - above(rgb, SIZE // stride) for stride in (2, 4, 8)]


def lines_kept(drawing: Tensor, coloured: Tensor) -> float:
    """F1 of the lines drawn again from a coloured picture against those it was given."""
    given, found = lines.ink_of(drawing) > 0.5, lines.ink_of(coloured) > 0.5
    near = [F.max_pool2d(one.float(), 3, 1, 1) > 0 for one in (given, found)]
    precision = float((found & near[0]).sum() / found.sum().clamp(min=1))
    recall = float((given & near[1]).sum() / given.sum().clamp(min=1))
    return 2 * precision * recall / max(1e-9, precision + recall)


def large(side: int) -> float:
    """Seconds of colouring a drawing of so many pixels a side."""
    path = Path(__file__).parents[1] / "examples" / "photo.jpg"
    drawing = 1 - lines.contour(images.resize(io.read(path).rgb, (side, side)))
    picture = io.to_picture(drawing.expand(-1, 3, -1, -1))
    began = time.perf_counter()
    colorize(picture)
    return time.perf_counter() - began


def coloured(unseen: Unseen, model: Path | None, hints: Tensor | None = None) -> Tensor:
    """What the verb makes of every held-out drawing, without its lines."""
    made = []
    for index in range(len(unseen.rgb)):
        drawing = io.to_picture(1 - unseen.ink[index : index + 1].expand(-1, 3, -1, -1))
        dabs = None
        if hints is not None:
            dab = hints[index : index + 1]
            dabs = io.to_picture(dab[:, :3], dab[:, 3:])
        path = None if model is None else str(model)
        picture = colorize(drawing, hints=dabs, lines="drop", model=path)
        made.append(io.read(picture).rgb)
    return torch.cat(made)


def main() -> None:
    """Print everything."""
    folder, *others = map(Path, sys.argv[1:])
    unseen = Unseen(dataset.Pictures([folder], held_out=True), SIZE)
    files: dict[str, Path | None] = {"limner": None}
    files |= {path.name: path / "model.safetensors" for path in others}
    print(f"{len(unseen.rgb)} emoji never trained on, {SIZE} px, without hints")
    for name, file in files.items():
        made = coloured(unseen, file)
        said = ", ".join(f"{key} {value:.3f}" for key, value in scored(made, unseen.rgb).items())
        grid = ", ".join(f"{excess:+.1%}" for excess in checkerboard(made, unseen.rgb))
        print(f"{name}: {said}; grid at strides 2, 4, 8: {grid}")
    white = scored(torch.ones_like(unseen.rgb), unseen.rgb)
    print(f"white paper: SSIM {white['SSIM']:.3f}, PSNR {white['PSNR']:.3f}")
    random, pairs = seeding.generator(1, 0), [one[None] for one in unseen.rgb]
    obeyed: list[float] = []
    for count in (1, 3, 10):
        hints = dataset.hinted(unseen.rgb, random, [count] * len(pairs))
        made = coloured(unseen, None, hints)
        there = (hints[:, 3] > 0) & (unseen.ink[:, 0] < 0.05)
        obeyed += apart(made, hints[:, :3])[there].tolist()
        decibels = fmean(
            psnr(a, b, 0) for a, b in zip([one[None] for one in made], pairs, strict=True)
        )
        print(f"{count} hints: PSNR {decibels:.2f} dB")
    print(f"ΔE at hints: median {median(obeyed):.2f}")
    kept = []
    for index in range(len(pairs)):
        drawing = 1 - unseen.ink[index : index + 1].expand(-1, 3, -1, -1)
        kept.append(lines_kept(drawing, io.read(colorize(io.to_picture(drawing))).rgb))
    print(f"lines drawn again: F1 {fmean(kept):.3f}")
    for side in (1024, 2048):
        seconds, _, peak = measured(large, side)
        print(f"{side} px: {seconds:.1f} s, peak {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    main()
