"""Train an upscaling network on pictures and what they look like small."""

import math
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner import images, training, weights
from limner.errors import OptionError
from limner.progress import OnStep, Progress, silent
from limner.upscaling.network import SHAPES, Compact

LONGEST = 1024  # of a training picture, in pixels: halved photos show no trace of their JPEG
SCORED = 256  # side of the part of a held-out picture that is scored
SCALES = (2, 3, 4)


class Patches:
    """Random patches out of folders of pictures, each with what it looks like small."""

    def __init__(self, folders: Sequence[Path], size: int, scale: int) -> None:
        self.size, self.scale = size * scale, scale
        shelves = training.load(folders, self.size, longest=LONGEST, held_out=False)
        self._pictures = list(chain.from_iterable(shelves))
        areas = [picture.shape[1] * picture.shape[2] for picture in self._pictures]
        self._shares = torch.tensor(areas, dtype=torch.float64)

    def batch(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw small patches [count, 3, size, size] and the same in full, in 0..1."""
        chosen = torch.multinomial(self._shares, count, replacement=True, generator=random)
        large = torch.stack([self._cut(self._pictures[i], random) for i in chosen.tolist()])
        return smaller(large, self.scale), large

    def _cut(self, picture: Tensor, random: torch.Generator) -> Tensor:
        """One patch, turned and mirrored at random."""
        place = torch.rand(5, generator=random)
        rows, columns = (side - self.size + 1 for side in picture.shape[1:])
        top, left = int(place[0] * rows), int(place[1] * columns)
        cut = picture[:, top : top + self.size, left : left + self.size].float() / 255
        cut = cut.mT if place[2] < 0.5 else cut
        return cut.flip([axis for axis, toss in ((1, place[3]), (2, place[4])) if toss < 0.5])


def smaller(large: Tensor, scale: int) -> Tensor:
    """Shrink pictures as the benchmarks do: bicubic, to 8 bits a channel."""
    height, width = images.size_of(large)
    return (images.resize(large, (height // scale, width // scale)) * 255).round() / 255


def psnr(picture: Tensor, original: Tensor, border: int) -> float:
    """Peak signal-to-noise ratio, in decibels, as papers on super-resolution give it.

    Of luma (BT.601, 16..235) of pictures [1, 3, H, W] in 0..1, rounded to 8 bits, less a border.
    """
    ours, theirs = (
        65.481 * p[:, 0] + 128.553 * p[:, 1] + 24.966 * p[:, 2] + 16
        for p in ((q.clamp(0, 1) * 255).round() / 255 for q in (picture, original))
    )
    difference = (ours - theirs)[..., border:-border, border:-border]
    return -10 * math.log10(max(1e-10, difference.square().mean().item() / 255**2))


def train_upscaler(
    photos: Sequence[Path],
    run: Path,
    *,
    scale: int = 4,
    quality: Literal["fast", "best"] = "fast",
    steps: int = 6000,
    batch_size: int = 16,
    size: int = 32,
    learning_rate: float = 2e-3,
    seed: int = 0,
    save_every: int = 250,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train an upscaling network from random weights.

    Parameters
    ----------
    photos : sequence of Path
        Folders of pictures. A tenth of each, chosen by name, is held out for the scores.
    run : Path
        The run folder; ``model.safetensors`` in it is the result.
    scale : int
        How many times larger its results are: 2, 3 or 4.
    quality : str
        The network: ``fast`` has 32 channels and 10 convolutions, ``best`` 64 and 18.
    steps : int
        Optimiser steps.
    batch_size : int
        Patches in a step.
    size : int
        Side of a patch before it is enlarged, in pixels, at least 16.
    learning_rate : float
        The highest; it rises for 200 steps and falls along a cosine to zero.
    seed : int
        Of weights and patches.
    save_every : int
        Steps between two checkpoints, at least 1.
    resume : bool
        Go on from the run's checkpoint: the same bits as without the stop.
    on_step : callable
        Called with a `Progress` at every step.

    Returns
    -------
    dict of str to float
        Peak signal-to-noise ratio in decibels over the held-out pictures, and bicubic's.

    Raises
    ------
    OptionError, InputError, OutputError
        An option out of range, folders without pictures, an unusable run folder.
    """
    if scale not in SCALES:
        raise OptionError(f"--scale {scale}: must be one of {', '.join(map(str, SCALES))}")
    if quality not in SHAPES:
        raise OptionError(f"--quality {quality}: must be one of {', '.join(SHAPES)}")
    if size < 16:
        raise OptionError(f"--size {size}: must be at least 16 pixels")
    if min(steps, batch_size, save_every) < 1:
        raise OptionError("--steps, --batch-size and --save-every: must be at least 1")
    begun = time.monotonic()
    options = {
        "photos": [p.name for p in photos],
        "scale": scale,
        "quality": quality,
        "steps": steps,
        "batch_size": batch_size,
        "size": size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    with training.Run(run, options, resume=resume) as record:
        torch.manual_seed(seed)
        network = Compact(*SHAPES[quality], scale)
        network.begin()
        average = training.Average(network)
        optimiser = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99))
        first = 0
        if resume:
            state = record.load()
            network.load_state_dict(state["network"])
            average.state, average.steps = state["average"], state["step"]
            optimiser.load_state_dict(state["optimiser"])
            first = state["step"]
        patches = Patches(photos, size, scale)
        unseen = training.load(photos, SCORED, longest=LONGEST, held_out=True)
        for step in range(first, steps):
            small, large = patches.batch(batch_size, training.generator(seed, step))
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * training.cosine(step, steps)
            loss = F.l1_loss(network(small), large)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            average.update(network)
            done = step + 1
            if done % 50 == 0:
                record.log(done, loss=loss.item())
            if done % save_every == 0 or done == steps:
                state = {"step": done, "network": network.state_dict()}
                state |= {"average": average.state, "optimiser": optimiser.state_dict()}
                record.save(state)
                _save(record.model, average.state, network, options)
            on_step(
                Progress(
                    "train upscaler",
                    "pixels",
                    done,
                    steps,
                    time.monotonic() - begun,
                    loss.item(),
                    share=done / steps,
                )
            )
        network.load_state_dict(average.state)
        return held_out_scores(network, list(chain.from_iterable(unseen)))


@torch.no_grad()
def held_out_scores(network: Compact, pictures: Sequence[Tensor]) -> dict[str, float]:
    """Mean PSNR of the network and of bicubic enlargement, over the middles of pictures."""
    found: dict[str, list[float]] = {"psnr": [], "bicubic": []}
    side = SCORED // network.scale * network.scale
    for picture in pictures:
        top, left = ((length - side) // 2 for length in picture.shape[1:])
        large = picture[None, :, top : top + side, left : left + side].float() / 255
        small = smaller(large, network.scale)
        bicubic = images.resize(small, (side, side))
        found["psnr"].append(psnr(network(small), large, network.scale))
        found["bicubic"].append(psnr(bicubic, large, network.scale))
    return {name: sum(values) / len(values) for name, values in found.items()}


def _save(
    path: Path, state: dict[str, Tensor], network: nn.Module, options: dict[str, object]
) -> None:
    about = {
        "kind": "upscaler",
        "licence": "Apache-2.0",
        "recipe": f"recipes/upscaler-{options['quality']}-x{network.scale}.md",
        "scale": network.scale,
        "receptive_radius": network.radius,
        "training": options,
    }
    weights.write(path, {key: value.half() for key, value in state.items()}, about)
