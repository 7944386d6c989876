"""Measure `colorize` on drawings that no network was trained on.

    python benchmarks/colorize.py KNOWN... [--other OTHER...] [--run RUN...]

KNOWN are folders that the shipped network was trained on: only the pictures that are held out (one
in 20) are used. OTHER are folders that it was not trained on. Each kind gives half of the
drawings. Lines come from an extractor that no training uses, at 512 px; scores leave lines out. A
RUN is a run folder of `limner train colorizer` to compare with, for example one of
``--preset article`` that was trained for the same time on the same pictures.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage import color, filters, measure, morphology

from child import measured
from lab import apart
from limner import io
from limner.color import oklab
from limner.colorization.coloring import Coloring
from limner.colorization.colorize import colorize
from limner.colorization.dataset import is_held_out
from limner.colorization.held_out import colorfulness
from limner.line_art.sketch import sketch
from limner.nn import images

SIZE, DRAWINGS, HINTED, HINTS = 512, 72, 24, 6
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Drawing(NamedTuple):
    """A picture [H, W, 3], its line drawing, and where there is no line."""

    rgb: Floats
    drawing: Image.Image
    bare: Mask


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("known", type=Path, nargs="+")
    parser.add_argument("--other", type=Path, nargs="+", default=[])
    parser.add_argument("--run", type=Path, nargs="+", default=[])
    given = parser.parse_args()
    drawings = list(choose(given.known, given.other))
    models: dict[str, str | None] = {"limner": None}
    models |= {path.name: str(path / "model.safetensors") for path in given.run}
    for name, model in models.items():
        print(f"{name}, {len(drawings)} drawings without hints: {without_hints(drawings, model)}")
        some = drawings[:: len(drawings) // HINTED][:HINTED]
        print(f"{name}, {len(some)} drawings with {HINTS} hints: {with_hints(some, model)}")
    for gap in (0, 4, 8):
        print(f"ring with an eye, gaps of {gap} px: off by {ring(gap)} of 255 at most")
    for side in (1024, 4096):
        seconds, _, peak = measured(large, side)
        first, changed = seconds
        print(f"{side} px: {first:.1f} s, a changed hint {changed:.2f} s, {peak / 2**30:.2f} GiB")


def choose(known: list[Path], other: list[Path]) -> Iterator[Drawing]:
    """Yield the drawings: half of each kind, evenly spread over the folders."""
    for folders, held_out in ((known, True), (other, False)):
        count = DRAWINGS // (2 if other else 1) // max(1, len(folders))
        for folder in folders:
            paths = [path for path in sorted(folder.iterdir()) if not held_out or is_held_out(path)]
            for path in paths[:: max(1, len(paths) // count)][:count]:
                yield drawn(path)


def drawn(path: Path) -> Drawing:
    """Read a picture and draw its lines."""
    rgb = images.resize(io.on_white(io.read(path)), (SIZE, SIZE))[0].permute(1, 2, 0).numpy()
    ink = edges(rgb)
    gray = Image.fromarray(((1 - ink) * 255).round().astype(np.uint8))
    return Drawing(rgb, gray.convert("RGB"), ~ndimage.binary_dilation(ink > 0.1, iterations=3))


def edges(rgb: Floats) -> Floats:
    """Draw lines where colors change: the thinned morphological gradient of CIELAB."""
    smooth = ndimage.gaussian_filter(color.rgb2lab(rgb), (1, 1, 0))
    window = (3, 3, 1)
    change = ndimage.grey_dilation(smooth, window) - ndimage.grey_erosion(smooth, window)
    found = filters.apply_hysteresis_threshold(np.linalg.norm(change, axis=2), 4, 10)
    thick = ndimage.binary_dilation(morphology.skeletonize(found), np.ones((2, 2)))
    lines: Floats = ndimage.gaussian_filter(thick.astype(np.float32), 0.5)
    return lines


def without_hints(drawings: list[Drawing], model: str | None) -> str:
    """Color drawings without hints and compare them with the pictures."""
    rows = []
    for rgb, drawing, bare in drawings:
        made = colored(colorize(drawing, lines="drop", model=model))
        rows.append(
            (
                decibels(made, rgb, bare),
                vivid(made, bare),
                vivid(rgb, bare),
                100 * (mud(made)[bare].mean() - mud(rgb)[bare].mean()),
                unevenness(made, rgb, bare),
            )
        )
    values = [fmean(row[index] for row in rows) for index in range(5)]
    return (
        f"{values[0]:.2f} dB, colorfulness {values[1] / values[2]:.2f}, mud {values[3]:+.1f}%, "
        f"unevenness of flat areas ΔE {values[4]:.1f}"
    )


def with_hints(drawings: list[Drawing], model: str | None) -> str:
    """Color drawings with the true colors of some points."""
    rows = []
    for index, (rgb, drawing, bare) in enumerate(drawings):
        random = np.random.default_rng(index)
        spots = random.choice(np.flatnonzero(bare), HINTS, replace=False)
        points = [divmod(int(spot), SIZE) for spot in spots]
        texts = [
            "#" + bytes((rgb[y, x] * 255).round().astype(int).tolist()).hex() for y, x in points
        ]
        hint = [f"{x},{y}={text}" for (y, x), text in zip(points, texts, strict=True)]
        made = colored(colorize(drawing, lines="drop", hint=hint, model=model))
        off = []
        for y, x in points:
            near = difference(rgb, np.broadcast_to(rgb[y, x], rgb.shape)) < 3
            areas = measure.label(near & bare)
            area = areas == areas[y, x]
            off.append(difference(made, rgb)[area] > 6)
        rows.append((decibels(made, rgb, bare), 100 * np.concatenate(off).mean()))
    return f"{fmean(r[0] for r in rows):.2f} dB, {fmean(r[1] for r in rows):.1f}% around hints off"


def ring(gap: int) -> int:
    """Color a ring with an eye by hints, with gaps in its lines: the largest error of a region."""
    picture = Image.new("L", (SIZE, SIZE), 255)
    pen = ImageDraw.Draw(picture)
    circles = {200: (255, 213, 170), 90: (30, 90, 200), 40: (20, 20, 20)}
    for radius in circles:
        corners = [256 - radius, 256 - radius, 256 + radius, 256 + radius]
        pen.ellipse(corners, outline=0, width=4)
        if gap:
            pen.rectangle((256 - gap / 2, 256 - radius - 3, 255 + gap / 2, 260 - radius), fill=255)
    places = {200: (256, 110), 90: (256, 200), 40: (256, 256)}
    hint = [f"{x},{y}=#{bytes(circles[r]).hex()}" for r, (x, y) in places.items()]
    made = np.asarray(colorize(picture, hint=[*hint, "20,20=#ffffff"]), int)
    y, x = np.ogrid[:SIZE, :SIZE]
    distance = np.hypot(y - 256, x - 256)
    inside = {200: (102, 192), 90: (52, 82), 40: (0, 32)}
    return max(
        int(np.abs(made[(distance > low) & (distance < high)] - circles[r]).mean(0).max())
        for r, (low, high) in inside.items()
    )


def large(side: int) -> tuple[float, float]:
    """Seconds to color a drawing of `side` pixels a side, and to change a hint."""
    photo = Image.open(Path(__file__).parents[1] / "examples" / "photo.jpg")
    picture = sketch(photo.resize((side, side), Image.Resampling.BICUBIC))
    began = time.perf_counter()
    coloring = Coloring(picture)
    coloring.color(hint=["100,100=gold"])
    first = time.perf_counter() - began
    began = time.perf_counter()
    coloring.color(hint=["100,100=navy"])
    return first, time.perf_counter() - began


def colored(picture: Image.Image) -> Floats:
    """Return a picture as [H, W, 3] in 0..1."""
    rgb: Floats = np.asarray(picture, np.float32) / np.float32(255)
    return rgb


def planes(rgb: Floats) -> torch.Tensor:
    """Return [H, W, 3] as [1, 3, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None]


def difference(one: Floats, other: Floats) -> Floats:
    """ΔE at each pixel, [H, W]."""
    found: Floats = apart(planes(one), planes(np.array(other)))[0].numpy()
    return found


def decibels(made: Floats, rgb: Floats, bare: Mask) -> float:
    """PSNR away from lines."""
    return float(-10 * np.log10(max(1e-8, ((made - rgb)[bare] ** 2).mean())))


def vivid(rgb: Floats, bare: Mask) -> float:
    """Colorfulness away from lines."""
    return colorfulness(planes(np.where(bare[..., None], rgb, 1).astype(np.float32)))


def mud(rgb: Floats) -> Mask:
    """Where a color is mud: a dull, darkish red, brown, olive or green (Oklab)."""
    light, a, b = oklab.from_srgb(planes(rgb))[0].numpy()
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    dull = (light > 0.2) & (light < 0.65) & (chroma > 0.03) & (chroma < 0.14)
    muddy: Mask = dull & (hue > 10) & (hue < 130)
    return muddy


def unevenness(made: Floats, rgb: Floats, bare: Mask) -> float:
    """Mean ΔE of the made colors from their mean, in areas where the picture is flat."""
    levels = (rgb * 31).round().astype(np.int64) @ np.array([1024, 32, 1])
    areas = measure.label(np.where(bare, levels + 1, 0), connectivity=1)
    values = []
    for area in measure.regionprops(areas):
        if area.area > SIZE * SIZE / 1000:
            rows, columns = area.coords.T
            part = made[rows, columns][None]
            mean = np.broadcast_to(part.mean((0, 1)), part.shape)
            values.append(float(difference(part, mean).mean()))
    return fmean(values) if values else 0.0


if __name__ == "__main__":
    main()
