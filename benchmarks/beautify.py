"""Measure `beautify` on twenty photos that no network was trained on.

    python benchmarks/beautify.py FOLDER... [--article RUN] [--sheet OUT.jpg]

The FOLDERs are those that the shipped networks were trained on. Twenty photos of the quarter that
was held out are taken, at most 768 px long. RUN is a run of `limner train beautifier --preset
article`, whose predictor is compared with ours. The sheet shows each photo before, after, and its
map.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from math import log
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from torch import Tensor

from child import measured
from lab import apart
from limner import io, predictability
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import load
from limner.beauty.beautify import METHODS, beautify
from limner.beauty.dataset import HELD_OUT_ONE_IN, MAX_SIDE, MIN_SIDE
from limner.beauty.objective import gradient_energy
from limner.beauty.predictability import SHIPPED
from limner.beauty.predictor import ContextEncoder, predict_by_windows
from limner.cli.main import main as limner
from limner.nn import images
from limner.train.crops import load_pictures

PHOTOS = 20
PREDICTORS = load(SHIPPED).predictors
Change = Callable[[Tensor, float], Tensor]


def fade(picture: Tensor, share: float) -> Tensor:
    """Fade a picture towards its mean color."""
    return torch.lerp(picture, picture.mean((2, 3), keepdim=True), share)


def blur(picture: Tensor, share: float) -> Tensor:
    """Blur a picture with a Gaussian of up to six pixels."""
    return images.gaussian_blur(picture, 0.2 + 6 * share)


def changed_by(change: Change, picture: Tensor, distance: float) -> Tensor:
    """Change a picture until its mean absolute difference from the original is `distance`."""
    low, high = 0.0, 1.0
    for _ in range(14):
        middle = (low + high) / 2
        near = float(F.l1_loss(change(picture, middle), picture)) < distance
        low, high = (middle, high) if near else (low, middle)
    return change(picture, low)


@torch.no_grad()
def logs(picture: Tensor) -> tuple[float, float, float]:
    """Return logarithms of error, relative error and progress; larger is more predictable."""
    errors = PREDICTORS.errors(masks.crop_frame(picture)[0])
    return -log(float(errors.good)), -log(float(errors.relative)), log(float(errors.progress))


def compare(photos: list[Tensor], method: str) -> None:
    """Print the gain of a method at strength 1, and that of fading and blur of equal distance."""
    rows = []
    for photo in photos:
        made = beautify(io.to_picture(photo), method=method)  # type: ignore[arg-type]
        after = io.read(made).rgb
        distance = float(F.l1_loss(after, photo))
        others = [changed_by(change, photo, distance) for change in (fade, blur)]
        before, *after_all = (logs(one) for one in (photo, after, *others))
        gains = [[100 * (g - b) for g, b in zip(one, before, strict=True)] for one in after_all]
        energy = float(gradient_energy(after) / gradient_energy(photo))
        clipped = ((after <= 0) | (after >= 1)) & (photo > 0) & (photo < 1)
        rows.append(
            (255 * distance, gains, energy, float(clipped.float().mean()),
             float(apart(photo, after).mean()))
        )  # fmt: skip
    print(f"{method}: MAE(X, Y) {fmean(row[0] for row in rows):.2f} of 255")
    for place, number in enumerate(("error", "relative", "progress")):
        ours, faded, blurred = ([row[1][k][place] for row in rows] for k in range(3))
        ahead = [o - max(f, b) for o, f, b in zip(ours, faded, blurred, strict=True)]
        print(
            f"  {number}: gain {fmean(ours):+.2f}%, fading {fmean(faded):+.2f}%, "
            f"blur {fmean(blurred):+.2f}%; ahead of both on {sum(a > 0 for a in ahead)} of "
            f"{len(rows)}, by {fmean(ahead):+.2f} ± {stdev(ahead):.2f}%"
        )
    energies = [row[2] for row in rows]
    print(
        f"  gradient energy {min(energies):.3f} to {max(energies):.3f}, within 5% on "
        f"{sum(abs(e - 1) <= 0.05 for e in energies)}; newly clipped at most "
        f"{max(row[3] for row in rows):.3%}; ΔE {fmean(row[4] for row in rows):.2f}"
    )


@torch.no_grad()
def predict(photos: list[Tensor], article: Path | None) -> None:
    """Print the errors of the predictors, of 255, and their times for 512×512 pixels."""
    frames = [masks.crop_frame(photo)[0] for photo in photos]
    errors = [PREDICTORS.errors(frame) for frame in frames]
    ours, fill = (255 * fmean(float(getattr(e, k)) for e in errors) for k in ("good", "bad"))
    print(f"error: ours {ours:.2f}, harmonic fill {fill:.2f}", end="")
    encoder = ContextEncoder().eval()
    if article is not None:
        found = load(article / "model.safetensors").parts["good"]
        assert isinstance(found, ContextEncoder)
        encoder = found
        theirs = [
            float(F.l1_loss(predict_by_windows(encoder, frame), masks.crop_holes(frame)))
            for frame in frames
        ]
        print(f", the article's {255 * fmean(theirs):.2f}", end="")
    print()
    frame, _ = masks.crop_frame(images.resize(photos[0], (512, 512)))
    times: dict[str, float] = {}
    results = {}
    methods: dict[str, Callable[[], Tensor]] = {
        "the article's loop": lambda: predict_by_windows(encoder, frame, 1),
        "in batches": lambda: predict_by_windows(encoder, frame),
        "ours": lambda: PREDICTORS.good(frame),
    }
    for name, method in methods.items():
        best = float("inf")
        for _ in range(3):
            began = time.perf_counter()
            results[name] = method()
            best = min(best, time.perf_counter() - began)
        times[name] = best
    loop = times["the article's loop"]
    for name, seconds in times.items():
        print(f"all holes of 512×512 px, {name}: {seconds:.3f} s, {loop / seconds:.1f} times")
    apart_by = (results["the article's loop"] - results["in batches"]).abs().max()
    print(f"loop and batches differ by {float(apart_by):.1e}")


def time_command(width: int) -> None:
    """Print time and memory of the whole command for a JPEG of width × 2/3 width."""
    path = Path(__file__).parents[1] / "examples" / "photo.jpg"
    picture = io.to_picture(images.resize(io.read(path).rgb, (width * 2 // 3, width)))
    with TemporaryDirectory() as folder:
        names = [str(Path(folder) / name) for name in ("large.jpg", "one.jpg", "two.jpg")]
        io.write(picture, names[0])
        line = ["beautify", names[0], "-o"]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "limner", *line, names[1]], check=True)
        seconds = time.perf_counter() - began
        _, _, peak = measured(limner, [*line, names[2]])
    print(f"the whole command, {width} px: {seconds:.1f} s, peak {peak / 2**30:.2f} GiB")


def sheet(photos: list[Tensor], path: Path) -> None:
    """Write each photo before, after, and its map; two photos per row."""
    tiles = []
    for photo in photos:
        picture = io.to_picture(photo)
        row = (picture, beautify(picture), predictability(picture).map)
        small = [images.resize(io.read(one).rgb, (200, 300)) for one in row]
        tiles.append(torch.cat(small, 3))
    tiles += [torch.ones_like(tiles[0])] * (len(tiles) % 2)
    rows = [torch.cat(tiles[at : at + 2], 3) for at in range(0, len(tiles), 2)]
    io.to_picture(torch.cat(rows, 2)).save(path)


def main() -> None:
    """Run everything and print it."""
    given = dict(zip(sys.argv[1:], sys.argv[2:], strict=False))
    article, out = given.get("--article"), given.get("--sheet")
    folders = [
        Path(one) for one in sys.argv[1:] if one not in ("--article", "--sheet", article, out)
    ]
    held_out = load_pictures(
        folders, MIN_SIDE, longest=MAX_SIDE, held_out=True, one_in=HELD_OUT_ONE_IN
    )
    found = [one[None].float() / 255 for folder in held_out for one in folder]
    photos = found[:: max(1, len(found) // PHOTOS)][:PHOTOS]
    print(f"{len(photos)} photos never trained on")
    predict(photos, Path(article) if article else None)
    for method in METHODS:
        compare(photos, method)
    time_command(6000)
    if out:
        sheet(photos, Path(out))


if __name__ == "__main__":
    main()
