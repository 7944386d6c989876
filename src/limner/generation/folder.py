"""`folder`: check whether a folder has enough pictures to train on."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from limner.checks import check_choice
from limner.errors import InputError, printable
from limner.generation.gan import metrics
from limner.generation.gan.dataset import FolderContents, center_crops, read_folder
from limner.generation.gan.presets import PRESETS
from limner.generation.gan.sizes import SIZES
from limner.generation.gan.train import make_stage
from limner.nn import devices, features, seeding

# Distances of the layout features of two pictures. Below the first they are the same picture,
# cropped or saved again. At the second they start to count as different.
NEAR_DUPLICATE, DIFFERENT = 0.1, 0.2
BUSY = 0.25  # share of the cores that others use; above it, the report says so
_SHOWN = 10  # groups, and names of a group, in the report
# What to expect and what to do, from this number of different pictures.
ADVICE = (
    (
        0,
        "This is too little to train on. `limner generate --like PICTURE` makes variations of one "
        "picture without training.",
    ),
    (
        50,
        "This is enough for moods and textures at 64 pixels, but not for objects. Train with "
        "--preset auto --mirror and watch out for copies. `limner generate --like PICTURE` keeps "
        "more of the style.",
    ),
    (
        500,
        "This is enough for rough compositions at 64 to 128 pixels. Train with --preset auto.",
    ),
    (
        5000,
        "This is enough for objects and places. Train with --preset auto, or on a GPU with "
        "--preset stylegan2 --augment adaptive.",
    ),
)


@dataclass(frozen=True)
class FolderReport:
    """What a folder holds, and whether it is enough to train on.

    Attributes
    ----------
    pictures : int
        Pictures that can be used. Identical files count once.
    skipped : list of str
        Why other files are not used, one line each.
    near_duplicates : list of list of str
        Names of pictures that are nearly the same, in groups.
    different : float
        The variety of the folder, as a number of entirely different pictures: the Vendi score
        (Friedman & Dieng 2023) of their features.
    smallest_side, median_side : int
        The smallest and the median short side, in pixels.
    aspect : float
        The median of width to height.
    advice : str
        What to expect from a training, and which preset to use.
    hours : float
        Estimated hours of a training with the preset ``auto``.
    device : str
        The device of the estimate: ``cpu``, ``cuda`` or ``mps``.
    busy : float
        Cores that other programs kept busy before the estimate, where the system tells; else 0.
    """

    pictures: int
    skipped: list[str]
    near_duplicates: list[list[str]]
    different: float
    smallest_side: int
    median_side: int
    aspect: float
    advice: str
    hours: float
    device: str
    busy: float

    def __str__(self) -> str:
        """Return the report in a few lines."""
        lines = [f"not used: {line}" for line in self.skipped]
        lines += [f"nearly the same: {_few(names)}" for names in self.near_duplicates[:_SHOWN]]
        if (more := len(self.near_duplicates) - _SHOWN) > 0:
            lines.append(f"nearly the same: {more} more groups; --json lists all")
        pictures = "1 picture" if self.pictures == 1 else f"{self.pictures} pictures"
        lines += [
            f"{pictures}, as varied as {self.different:.0f} entirely different ones",
            f"short side: at least {self.smallest_side} pixels, median {self.median_side}; "
            f"width to height: median {self.aspect:.2f}",
            self.advice,
            f"Training with --preset auto would take about {self.hours:.1f} hours on this "
            f"machine ({self.device}).",
        ]
        if self.busy > BUSY * (cores := os.cpu_count() or 1):
            lines.append(
                f"Other programs keep about {self.busy:.1f} of {cores} cores busy now. Without "
                "them, training takes less time."
            )
        return "\n".join(lines)


def folder(folder: Path, *, resolution: int = 64, device: str = "auto") -> FolderReport:
    """Check whether a folder has enough pictures to train on.

    Parameters
    ----------
    folder : Path
        A folder of pictures, searched with its subfolders.
    resolution : int
        Short side of the training pictures in pixels: 64, 128, 256 or 512. It changes only the
        estimated time.
    device : str
        Where you would train: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this
        machine. A few training steps are timed there.

    Returns
    -------
    FolderReport
        What the folder holds, what to expect, and how long a training would take.

    Raises
    ------
    InputError
        The folder is missing, or has no pictures.
    OptionError
        The resolution is not one of these, or the device is not available.
    """
    # of the last minute, so before the pictures are read
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    check_choice("resolution", str(resolution), map(str, SIZES))
    torch_device = devices.pick(device)
    size = (SIZES[0], SIZES[0])
    contents = read_folder(Path(folder), size)
    if not contents.paths:
        skipped = len(contents.skipped)
        unreadable = f", but {skipped} files that cannot be read" if skipped else ""
        raise InputError(f"{folder}: has no pictures{unreadable}; name a folder of pictures")
    network = features.load("compact")
    _, layouts = metrics.extract_features(network, center_crops(contents.covers, size))
    distances = torch.cdist(layouts, layouts)
    different = _vendi_score(torch.exp(-((distances / DIFFERENT) ** 2)))
    short_sides = [min(height, width) for height, width in contents.sizes]
    return FolderReport(
        len(contents.paths),
        contents.skipped,
        _near_duplicates(contents, distances),
        different,
        min(short_sides),
        round(median(short_sides)),
        median(width / height for height, width in contents.sizes),
        next(text for least, text in reversed(ADVICE) if different >= least),
        _estimate_hours(resolution, torch_device),
        torch_device.type,
        busy,
    )


def _few(names: list[str]) -> str:
    """Name the first pictures of a group: ``a, b, c and 9 more``."""
    shown, more = [printable(name) for name in names[:_SHOWN]], len(names) - _SHOWN
    last = f"{more} more" if more > 0 else shown.pop()
    return f"{', '.join(shown)} and {last}"


def _near_duplicates(contents: FolderContents, distances: Tensor) -> list[list[str]]:
    """Return groups in which each picture is nearly the same as another one."""
    _, labels = connected_components((distances < NEAR_DUPLICATE).cpu().numpy(), directed=False)
    groups: dict[int, list[str]] = {}
    for label, path in zip(labels.tolist(), contents.paths, strict=True):
        groups.setdefault(label, []).append(path.name)
    return [names for names in groups.values() if len(names) > 1]


def _vendi_score(similarity: Tensor) -> float:
    """The effective number of different pictures, from their similarities [N, N] in 0..1."""
    scaled = similarity.cpu().double() / len(similarity)  # on the CPU: MPS has no float64
    shares = torch.linalg.eigvalsh(scaled).clamp_min(1e-12)
    return float(torch.exp(-(shares * shares.log()).sum()))


def _estimate_hours(resolution: int, device: torch.device) -> float:
    """Estimate the time of a training with the preset `auto`, from a few steps on noise.

    The first step also prepares the device, so it is not counted. Then one step with a gradient
    penalty is timed, and two without. Every step ends on the device before the clock is read: it
    returns the losses as numbers.
    """
    plan = PRESETS["auto"]
    with seeding.preserved():
        stage = make_stage(plan, (resolution, resolution), device)
        noise = torch.rand((plan.batch_size, 3, resolution, resolution)).to(device)

        def timed(step: int) -> float:
            began = time.monotonic()
            stage.step(noise, step, 1.0)
            return time.monotonic() - began

        timed(0)
        penalized, plain = timed(0), min(timed(1), timed(2))
    mean = (penalized + (plan.penalty_every - 1) * plain) / plan.penalty_every
    return mean * plan.steps / 3600
