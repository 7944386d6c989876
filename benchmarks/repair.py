"""Compare `beautify` with simple tools on held-out photos: untouched ones, and worsened ones.

    python benchmarks/repair.py FOLDER...

The FOLDERs are those that the shipped networks were trained on; the quarter that was held out is
used, at most 512 px long. Printed is how much nearer to the original each tool brings a worsened
photo (ΔE, CIE 1976), and what it does to the original itself. The tools are Pillow's autocontrast,
and the gray-world white balance followed by scikit-image's CLAHE (adaptive histogram equalization)
of the luma. For `beautify`, halos and raised blacks are measured too.
"""

import sys
from collections.abc import Callable
from math import log
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from skimage.exposure import equalize_adapthist
from torch import Tensor

from lab import apart
from limner import io
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import load
from limner.beauty.beautify import beautify
from limner.beauty.dataset import HELD_OUT_ONE_IN, MIN_SIDE
from limner.beauty.objective import gradient_energy
from limner.beauty.predictability import SHIPPED
from limner.nn import images
from limner.train.crops import load_pictures

LONGEST = 512
PREDICTORS = load(SHIPPED).predictors
Tool = Callable[[Image.Image], Image.Image]

WORSENED: dict[str, Callable[[Tensor], Tensor]] = {
    "dark": lambda x: 0.55 * x,
    "gamma 1.7": lambda x: x**1.7,
    "haze": lambda x: 110 / 255 + 0.35 * x,
    "warm cast": lambda x: x * torch.tensor([1.08, 0.98, 0.80]).view(1, 3, 1, 1),
    "cool cast": lambda x: x * torch.tensor([0.84, 1.0, 1.1]).view(1, 3, 1, 1),
    "low contrast": lambda x: 0.45 + 0.55 * (x - 0.45),
    "dark, in linear light": lambda x: (0.3 * x**2.2) ** (1 / 2.2),
}


def gray_world_and_clahe(picture: Image.Image) -> Image.Image:
    """Make the mean color gray, then equalize the histogram of the luma locally."""
    rgb = np.asarray(picture).astype(np.float64) / 255
    rgb = np.clip(rgb * rgb.mean() / rgb.mean((0, 1)).clip(1e-3), 0, 1)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    equal = equalize_adapthist(luma, clip_limit=0.01)
    made = np.clip(rgb * (equal / luma.clip(1e-3))[..., None], 0, 1)
    return Image.fromarray((made * 255).round().astype(np.uint8))


TOOLS: dict[str, Tool] = {
    "limner": beautify,
    "limner, white balance 1": lambda picture: beautify(picture, white_balance=1),
    "autocontrast": lambda picture: ImageOps.autocontrast(picture, 0.5),
    "autocontrast, tone kept": lambda picture: ImageOps.autocontrast(
        picture, 0.5, preserve_tone=True
    ),
    "gray world + CLAHE": gray_world_and_clahe,
}


def halo(before: Tensor, after: Tensor) -> float:
    """Return the variation of the gain in flat windows beside an edge, in log units.

    Of each window of 12 pixels the distance of the 5th from the 95th percentile, of all windows the
    95th percentile; nan if the photo has fewer than 5 such windows.
    """
    side, step = 12, 8
    luma, gains = (255 * images.luma(one) for one in (before, after))
    gain = ((gains + 1) / (luma + 1)).log()
    gain = F.avg_pool2d(F.pad(gain, (1,) * 4, mode="replicate"), 3, 1)  # without dither
    across, down = luma.diff(dim=-1).abs(), luma.diff(dim=-2).abs()
    edges = (F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1)) > 40).float()
    beside = F.max_pool2d(edges, 33, 1, 16)
    lumas, gain, beside = (F.unfold(one, side, stride=step)[0] for one in (luma, gain, beside))
    flat = (lumas.std(0) < 2) & (lumas.mean(0) > 25) & (beside.mean(0) > 0.5)
    if flat.sum() < 5:
        return float("nan")
    spread = gain[:, flat].quantile(0.95, 0) - gain[:, flat].quantile(0.05, 0)
    return float(spread.quantile(0.95))


@torch.no_grad()
def relative(picture: Tensor) -> float:
    """Return the prediction error relative to the contrast, as a logarithm in percent."""
    errors = PREDICTORS.errors(masks.crop_frame(picture)[0])
    return 100 * log(float(errors.relative))


def compare(photos: list[Tensor]) -> None:
    """Print a line for each tool."""
    for name, tool in TOOLS.items():
        moved, gains = [], []
        nearer: dict[str, list[float]] = {kind: [] for kind in WORSENED}
        for photo in photos:
            made = io.read(tool(io.to_picture(photo))).rgb
            moved.append(float(apart(photo, made).mean()))
            gains.append(relative(photo) - relative(made))
            for kind, worsen in WORSENED.items():
                worse = io.to_picture(worsen(photo).clamp(0, 1))
                before, after = (
                    float(apart(photo, io.read(one).rgb).mean()) for one in (worse, tool(worse))
                )
                nearer[kind].append(100 * (1 - after / before))
        shares = ", ".join(f"{kind} {fmean(found):+.0f}%" for kind, found in nearer.items())
        print(f"{name}: {shares}; untouched moved by ΔE {fmean(moved):.1f}, ", end="")
        better = sum(gain > 0 for gain in gains)
        print(f"relative error {fmean(gains):.1f}% lower, on {better} of {len(photos)}")


def side_effects(photos: list[Tensor], strength: float) -> None:
    """Print halos, raised blacks, clipping and gradient energy of `beautify`."""
    halos, lifted, clipped, energies = [], [], [], []
    for photo in photos:
        after = io.read(beautify(io.to_picture(photo), strength=strength)).rgb
        halos.append(halo(photo, after))
        black = images.luma(photo) < 12 / 255
        raised = images.luma(after)[black] > 24 / 255
        lifted.append(float(raised.float().mean()) if black.sum() > 50 else 0.0)
        was_inside = (photo > 1 / 255) & (photo < 254 / 255)
        now_outside = (after <= 1 / 255) | (after >= 254 / 255)
        clipped.append(float((was_inside & now_outside).float().mean()))
        energies.append(float(gradient_energy(after) / gradient_energy(photo)))
    seen = sorted(one for one in halos if one == one)
    print(
        f"strength {strength:g}: halos of {len(seen)} photos at most {max(seen):.3f}; near-black "
        f"raised at most {max(lifted):.1%}; newly clipped at most {max(clipped):.2%}; gradient "
        f"energy {min(energies):.2f} to {max(energies):.2f}"
    )


def main() -> None:
    """Run everything and print it."""
    folders = [Path(one) for one in sys.argv[1:]]
    held_out = load_pictures(
        folders, MIN_SIDE, longest=2 * LONGEST, held_out=True, one_in=HELD_OUT_ONE_IN
    )
    photos = [one[None].float() / 255 for folder in held_out for one in folder]
    photos = [images.resize(one, images.fit(*images.size_of(one), LONGEST)) for one in photos]
    photos = [(one * 255).round() / 255 for one in photos]
    print(f"{len(photos)} photos never trained on")
    compare(photos)
    for strength in (1.0, 2.0):
        side_effects(photos, strength)


if __name__ == "__main__":
    main()
