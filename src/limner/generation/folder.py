"""`folder`: is this folder of pictures enough to learn from?"""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from limner.errors import InputError, OptionError
from limner.generation.gan import dataset, metrics
from limner.generation.gan.adversarial_step import Game
from limner.generation.gan.presets import PRESETS, SIZES, build
from limner.nn import features

# Distances of what is where in two pictures: below the first they are one picture, cut a little
# otherwise or saved again; at the second they begin to count as different.
SAME, OTHER = 0.1, 0.2
TIMED = 3  # steps of training
# from so many different pictures on: what to expect, and what to do
ADVICE = (
    (
        0,
        "too few to train on: `limner generate --like PICTURE` makes variations of each at once",
    ),
    (
        50,
        "enough for moods and textures at 64 pixels with --preset auto --mirror, not for things; "
        "watch the copies; `limner generate --like PICTURE` keeps more of the hand",
    ),
    (
        500,
        "enough for coarse compositions at 64 to 128 pixels with --preset auto",
    ),
    (
        5000,
        "enough for things and places with --preset auto, or on a GPU --preset stylegan2 --augment "
        "adaptive",
    ),
)


@dataclass(frozen=True)
class Enough:
    """What a folder holds, and what that is good for.

    Attributes
    ----------
    pictures : int
        That can be read, each counted once.
    skipped : list of str
        What cannot be read or is there twice, one line each.
    alike : list of tuple of str
        Pairs of pictures that are nearly the same.
    different : float
        As many quite different pictures would be as varied: the Vendi score (Friedman & Dieng
        2023) of their features.
    smallest, usual : int
        Pixels of the short sides: the least and the median.
    aspect : float
        Width to height, the median.
    advice : str
        What to expect, and which preset.
    hours : float
        That the preset `auto` would take on this machine.
    """

    pictures: int
    skipped: list[str]
    alike: list[tuple[str, str]]
    different: float
    smallest: int
    usual: int
    aspect: float
    advice: str
    hours: float

    def __str__(self) -> str:
        """All of it in a few lines."""
        lines = [f"not used: {line}" for line in self.skipped]
        lines += [f"nearly the same: {one} and {other}" for one, other in self.alike]
        lines += [
            f"{self.pictures} pictures, as varied as {self.different:.0f} quite different ones",
            f"short sides: {self.smallest} pixels at least, {self.usual} usually; "
            f"width to height {self.aspect:.2f}",
            self.advice,
            f"training with --preset auto would take about {self.hours:.1f} hours here",
        ]
        return "\n".join(lines)


def folder(folder: Path, *, resolution: int = 64) -> Enough:
    """Say whether a folder of pictures is enough to learn from.

    Parameters
    ----------
    folder : Path
        Pictures, and folders of them.
    resolution : int
        Pixels of the short side at which they would be learnt: 64, 128, 256 or 512.

    Returns
    -------
    Enough
        What is there, what to expect, and how long it would take on this machine.

    Raises
    ------
    InputError
        There is no such folder, or no picture in it.
    OptionError
        No such resolution.
    """
    if resolution not in SIZES:
        raise OptionError(f"--resolution {resolution}: must be one of {', '.join(map(str, SIZES))}")
    size = (SIZES[0], SIZES[0])
    found = dataset.read(Path(folder), size)
    if not found.paths:
        lost = f", and {len(found.skipped)} files that cannot be read" if found.skipped else ""
        raise InputError(f"{folder}: holds no pictures{lost}; name a folder of them")
    _, where = metrics.seen(features.load("compact"), dataset.middles(found.covers, size))
    apart = torch.cdist(where, where)
    pairs = (torch.ones_like(apart).triu(1).bool() & (apart < SAME)).nonzero().tolist()
    different = _vendi(torch.exp(-((apart / OTHER) ** 2)))
    shorts = [min(side) for side in found.sides]
    return Enough(
        len(found.paths),
        found.skipped,
        [(found.paths[one].name, found.paths[other].name) for one, other in pairs],
        different,
        min(shorts),
        round(median(shorts)),
        median(width / height for height, width in found.sides),
        next(text for least, text in reversed(ADVICE) if different >= least),
        _hours(resolution),
    )


def _vendi(likeness: Tensor) -> float:
    """The effective number of different things, of their likeness [N, N], 0 to 1."""
    shares = torch.linalg.eigvalsh(likeness.double() / len(likeness)).clamp_min(1e-12)
    return float(torch.exp(-(shares * shares.log()).sum()))


def _hours(resolution: int) -> float:
    """How long the preset `auto` trains here, after a few steps on noise."""
    plan = PRESETS["auto"]
    with torch.random.fork_rng():
        game = Game(*build(plan.architecture, (resolution, resolution)), plan)
        noise = torch.rand((plan.batch_size, 3, resolution, resolution))
        seconds = []
        for step in range(TIMED):
            began = time.monotonic()
            game.step(noise, step, 1.0)  # the first has a penalty, and all that is done once
            seconds.append(time.monotonic() - began)
    usual = (seconds[0] + (plan.every - 1) * min(seconds[1:])) / plan.every
    return usual * plan.steps / 3600
