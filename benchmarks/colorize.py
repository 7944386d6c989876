"""Measure `colorize` on emoji that no network was trained on.

    python benchmarks/colorize.py EMOJI [RUN...]

EMOJI is the folder that the shipped network was trained on. The held-out pictures, one in 20, are
colored at 256 px without their lines and compared with the originals. A RUN is a run folder of
`limner train colorizer` to compare with, for example one of `--preset article` that was trained for
the same time on the same pictures.
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
from limner.colorization.held_out import HeldOut, colorfulness
from limner.colorization.stages import feature_loss
from limner.line_art import lines
from limner.nn import features, images, seeding
from limner.train.metrics import psnr, ssim

SIZE = 256


def scores(made: Tensor, rgb: Tensor) -> dict[str, float]:
    """Compare colored drawings with the originals, both [N, 3, H, W]."""
    network = features.load("compact")
    pairs = [(one[None], other[None]) for one, other in zip(made, rgb, strict=True)]
    return {
        "SSIM": fmean(ssim(*pair, 0) for pair in pairs),
        "PSNR": fmean(psnr(*pair, 0) for pair in pairs),
        "features": fmean(float(feature_loss(network, *pair)) for pair in pairs),
        "colorfulness": fmean(colorfulness(one) for one, _ in pairs)
        / fmean(colorfulness(other) for _, other in pairs),
    }


def checkerboard(made: Tensor, rgb: Tensor) -> list[float]:
    """Measure a grid at the frequencies of the strides: 1/2, 1/4 and 1/8 cycles per pixel.

    The log energy there above that of the frequencies around, less the same for the originals. 0 is
    no grid.
    """
    window = torch.hann_window(SIZE)

    def excess(picture: Tensor, place: int) -> float:
        luma = images.luma(picture) - images.luma(picture).mean((2, 3), True)
        energy = torch.fft.rfft2(luma * window[:, None] * window).abs().square().mean((0, 1, 2))
        around = [k for k in range(place - 8, min(place + 9, len(energy))) if abs(k - place) > 1]
        return float(energy[place].log() - energy[around].log().mean())

    return [excess(made, SIZE // stride) - excess(rgb, SIZE // stride) for stride in (2, 4, 8)]


def line_f1(drawing: Tensor, colored: Tensor) -> float:
    """F1 score of the lines extracted from a colored picture against those of its drawing."""
    given, found = lines.extract_ink(drawing) > 0.5, lines.extract_ink(colored) > 0.5
    near = [F.max_pool2d(one.float(), 3, 1, 1) > 0 for one in (given, found)]
    precision = float((found & near[0]).sum() / found.sum().clamp(min=1))
    recall = float((given & near[1]).sum() / given.sum().clamp(min=1))
    return 2 * precision * recall / max(1e-9, precision + recall)


def large(side: int) -> float:
    """Seconds to color a drawing of `side` pixels a side."""
    path = Path(__file__).parents[1] / "examples" / "photo.jpg"
    drawing = 1 - lines.contour(images.resize(io.read(path).rgb, (side, side)))
    picture = io.to_picture(drawing.expand(-1, 3, -1, -1))
    began = time.perf_counter()
    colorize(picture)
    return time.perf_counter() - began


def color_all(held_out: HeldOut, model: Path | None, hints: Tensor | None = None) -> Tensor:
    """Color every held-out drawing with the verb, without its lines."""
    made = []
    for index in range(len(held_out.rgb)):
        drawing = io.to_picture(1 - held_out.ink[index : index + 1].expand(-1, 3, -1, -1))
        marks = None
        if hints is not None:
            one = hints[index : index + 1]
            marks = io.to_picture(one[:, :3], one[:, 3:])
        path = None if model is None else str(model)
        picture = colorize(drawing, hints=marks, lines="drop", model=path)
        made.append(io.read(picture).rgb)
    return torch.cat(made)


def main() -> None:
    """Print everything."""
    folder, *others = map(Path, sys.argv[1:])
    held_out = HeldOut(dataset.Pictures([folder], held_out=True), SIZE)
    files: dict[str, Path | None] = {"limner": None}
    files |= {path.name: path / "model.safetensors" for path in others}
    print(f"{len(held_out.rgb)} held-out emoji, {SIZE} px, without hints")
    for name, file in files.items():
        made = color_all(held_out, file)
        numbers = scores(made, held_out.rgb)
        text = ", ".join(f"{key} {value:.3f}" for key, value in numbers.items())
        grid = ", ".join(f"{excess:+.1%}" for excess in checkerboard(made, held_out.rgb))
        print(f"{name}: {text}; grid at strides 2, 4, 8: {grid}")
    white = scores(torch.ones_like(held_out.rgb), held_out.rgb)
    print(f"white paper: SSIM {white['SSIM']:.3f}, PSNR {white['PSNR']:.3f}")
    random, originals = seeding.generator(1, 0), [one[None] for one in held_out.rgb]
    differences: list[float] = []
    for count in (1, 3, 10):
        hints = dataset.random_hints(held_out.rgb, random, [count] * len(originals))
        made = color_all(held_out, None, hints)
        hinted = (hints[:, 3] > 0) & (held_out.ink[:, 0] < 0.05)
        differences += apart(made, hints[:, :3])[hinted].tolist()
        decibels = fmean(
            psnr(a, b, 0) for a, b in zip([one[None] for one in made], originals, strict=True)
        )
        print(f"{count} hints: PSNR {decibels:.2f} dB")
    print(f"ΔE at hints: median {median(differences):.2f}")
    f1 = []
    for index in range(len(originals)):
        drawing = 1 - held_out.ink[index : index + 1].expand(-1, 3, -1, -1)
        f1.append(line_f1(drawing, io.read(colorize(io.to_picture(drawing))).rgb))
    print(f"lines extracted again: F1 {fmean(f1):.3f}")
    for side in (1024, 2048):
        seconds, _, peak = measured(large, side)
        print(f"{side} px: {seconds:.1f} s, peak {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    main()
