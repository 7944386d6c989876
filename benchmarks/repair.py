"""Compare `beautify` with simple tools on held-out photos: untouched ones, and worsened ones.

    python benchmarks/repair.py FOLDER...

The FOLDERs are those that the shipped networks were trained on; the quarter that was held out is
used, at most 512 px long. Printed is how much nearer to the original each tool brings a worsened
photo (ΔE, CIE 1976), and what it does to the original itself. The tools are Pillow's autocontrast,
and the gray-world white balance followed by scikit-image's CLAHE (adaptive histogram equalization)
of the luma. Halos, raised blacks, clipping and gradient energy of `beautify` are measured too. Its
results are taken before they are rounded to 8 bits with dither, because that noise alone lowers the
relative error.
"""

import sys
from collections.abc import Callable
from functools import partial
from math import isnan, log
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from PIL import ImageOps
from skimage.exposure import equalize_adapthist
from torch import Tensor

from lab import apart
from limner import io
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import load
from limner.beauty.beautify import WHITE_BALANCE
from limner.beauty.bilateral import BilateralImprover
from limner.beauty.dataset import HELD_OUT_ONE_IN, MIN_SIDE
from limner.beauty.objective import gradient_energy
from limner.beauty.predictability import SHIPPED
from limner.nn import images
from limner.train.crops import load_pictures

LONGEST = 512
NETWORKS = load(SHIPPED)
PREDICTORS = NETWORKS.predictors
Tool = Callable[[Tensor], Tensor]

WORSENED: dict[str, Callable[[Tensor], Tensor]] = {
    "dark": lambda x: 0.55 * x,
    "gamma 1.7": lambda x: x**1.7,
    "haze": lambda x: 110 / 255 + 0.35 * x,
    "warm cast": lambda x: x * torch.tensor([1.08, 0.98, 0.80]).view(1, 3, 1, 1),
    "cool cast": lambda x: x * torch.tensor([0.84, 1.0, 1.1]).view(1, 3, 1, 1),
    "low contrast": lambda x: 0.45 + 0.55 * (x - 0.45),
    "dark, in linear light": lambda x: (0.3 * x**2.2) ** (1 / 2.2),
}


@torch.no_grad()
def limner(photo: Tensor, strength: float = 1.0, white_balance: float = WHITE_BALANCE) -> Tensor:
    """Do what `beautify` does, without dither."""
    improver = NETWORKS.improver("relative")
    assert isinstance(improver, BilateralImprover)
    return improver.change(photo, strength, white_balance).rows(slice(None))


def autocontrast(photo: Tensor, *, preserve_tone: bool) -> Tensor:
    """Apply Pillow's autocontrast."""
    picture = io.to_picture(photo)
    return io.read(ImageOps.autocontrast(picture, 0.5, preserve_tone=preserve_tone)).rgb


def gray_world_and_clahe(photo: Tensor) -> Tensor:
    """Make the mean color gray, then equalize the histogram of the luma locally."""
    means = photo.mean((2, 3), keepdim=True).clamp(min=1e-3)
    photo = (photo * means.mean() / means).clamp(0, 1)
    luma = images.luma(photo)
    equal = torch.from_numpy(equalize_adapthist(luma[0, 0].numpy(), clip_limit=0.01)).float()
    return (photo * equal / luma.clamp(min=1e-3)).clamp(0, 1)


TOOLS: dict[str, Tool] = {
    "limner": limner,
    "limner, white balance 1": partial(limner, white_balance=1.0),
    "autocontrast": partial(autocontrast, preserve_tone=False),
    "autocontrast, tone kept": partial(autocontrast, preserve_tone=True),
    "gray world + CLAHE": gray_world_and_clahe,
}


def halo(before: Tensor, after: Tensor) -> float:
    """Return the variation of the gain in flat windows beside an edge, in log units.

    Of each window of 12 pixels the distance of the 5th from the 95th percentile, of all windows the
    95th percentile; nan if the photo has fewer than 5 such windows.
    """
    side, step = 12, 8
    luma, changed = (255 * images.luma(one) for one in (before, after))
    gain = ((changed + 1) / (luma + 1)).log()
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
            made = tool(photo)
            moved.append(float(apart(photo, made).mean()))
            gains.append(relative(photo) - relative(made))
            for kind, worsen in WORSENED.items():
                worse = (255 * worsen(photo).clamp(0, 1)).round() / 255
                before, after = (float(apart(photo, one).mean()) for one in (worse, tool(worse)))
                nearer[kind].append(100 * (1 - after / before))
        shares = ", ".join(f"{kind} {fmean(found):+.0f}%" for kind, found in nearer.items())
        print(f"{name}: {shares}; untouched moved by ΔE {fmean(moved):.1f}, ", end="")
        better = sum(gain > 0 for gain in gains)
        print(f"relative error {fmean(gains):.1f}% lower, on {better} of {len(photos)}")


def side_effects(photos: list[Tensor], strength: float) -> None:
    """Print halos, raised blacks, clipping and gradient energy of `beautify`."""
    halos, lifted, clipped, energies = [], [], [], []
    for photo in photos:
        after = limner(photo, strength)
        halos.append(halo(photo, after))
        black = images.luma(photo) < 12 / 255
        raised = images.luma(after)[black] > 24 / 255
        lifted.append(float(raised.float().mean()) if black.sum() > 50 else 0.0)
        was_inside = (photo > 1 / 255) & (photo < 254 / 255)
        now_outside = (after <= 1 / 255) | (after >= 254 / 255)
        clipped.append(float((was_inside & now_outside).float().mean()))
        energies.append(float(gradient_energy(after) / gradient_energy(photo)))
    seen = [one for one in halos if not isnan(one)]
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
