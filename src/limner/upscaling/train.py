"""Train an upscaling network on pictures and what they look like small."""

import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor

from limner.errors import OptionError
from limner.nn import images, seeding, weights
from limner.progress import OnStep, Progress, silent
from limner.train.crops import load_pictures
from limner.train.metrics import psnr, ssim
from limner.train.run import Run, check_least, cosine
from limner.upscaling import models
from limner.upscaling.compact import SHAPES, Compact
from limner.upscaling.dataset import DEGRADATIONS, LONGEST, Degradation, Patches, degraded, smaller
from limner.upscaling.stages import Perceptual, Pixels

SCORED = 256  # side of the part of a held-out picture that is scored
SCALES = (2, 3, 4)
STAGES = ("pixels", "perceptual")
INVENTIVE = "inventive.safetensors"  # in the run folder: what the perceptual stage makes


def train_upscaler(
    photos: Sequence[Path],
    run: Path,
    *,
    scale: int = 4,
    quality: Literal["fast", "best"] = "fast",
    for_: Literal["clean", "web", "paintings"] = "clean",
    init: Path | None = None,
    steps: int = 6000,
    perceptual_steps: int = 0,
    batch_size: int = 8,
    size: int = 32,
    learning_rate: float = 2e-3,
    seed: int = 0,
    save_every: int = 250,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train an upscaling network.

    In two stages, as ESRGAN (Wang et al. 2018): first to come close to every pixel, then to look
    like the original, with features and a discriminator.

    Parameters
    ----------
    photos : sequence of Path
        Folders of pictures. A tenth of each, chosen by name, is held out for the scores.
    run : Path
        The run folder; ``model.safetensors`` in it is what the first stage makes,
        ``inventive.safetensors`` what the second does.
    scale : int
        How many times larger its results are: 2, 3 or 4.
    quality : str
        The network: ``fast`` has 32 channels and 10 convolutions, ``best`` 64 and 18.
    for_ : str
        What the pictures to be enlarged have been through: ``clean`` nothing; ``web`` blur, noise
        and JPEG; ``paintings`` more blur, less of the others.
    init : Path
        Weights to begin with, instead of random ones: of the same scale and quality.
    steps : int
        Optimiser steps of the first stage; 0 leaves what `init` holds as it is.
    perceptual_steps : int
        Of the second; 0 leaves it out.
    batch_size : int
        Patches in a step.
    size : int
        Side of a patch before it is enlarged, in pixels, at least 16.
    learning_rate : float
        The highest; it rises for 200 steps and falls along a cosine to zero. The second stage has a
        tenth of it.
    seed : int
        Of weights and patches.
    save_every : int
        Steps between two checkpoints, at least 1; scores are logged as often.
    resume : bool
        Go on from the run's checkpoint: the same bits as without the stop.
    on_step : callable
        Called with a `Progress` at every step.

    Returns
    -------
    dict of str to float
        Peak signal-to-noise ratio (PSNR) in decibels and structural similarity (SSIM) over the
        held-out pictures, bicubic's, and those of what the second stage makes.

    Raises
    ------
    OptionError, InputError, WeightsError, OutputError
        An option out of range, folders without pictures, no such weights to begin with, an unusable
        run folder.
    """
    if scale not in SCALES:
        raise OptionError(f"--scale {scale}: must be one of {', '.join(map(str, SCALES))}")
    if quality not in SHAPES:
        raise OptionError(f"--quality {quality}: must be one of {', '.join(SHAPES)}")
    if for_ not in DEGRADATIONS:
        raise OptionError(f"--for {for_}: must be one of {', '.join(DEGRADATIONS)}")
    if size < 16:
        raise OptionError(f"--size {size}: must be at least 16 pixels")
    check_least(1, batch_size=batch_size, save_every=save_every)
    check_least(0, perceptual_steps=perceptual_steps)
    if steps < 1 and (steps < 0 or init is None or not perceptual_steps):
        raise OptionError(
            f"--steps {steps}: must be at least 1, or 0 with --init and --perceptual-steps"
        )
    begun = time.monotonic()
    options = {
        "photos": [p.name for p in photos],
        "scale": scale,
        "quality": quality,
        "for": for_,
        "init": init and init.name,
        "steps": steps,
        "perceptual_steps": perceptual_steps,
        "batch_size": batch_size,
        "size": size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    with Run(run, options, resume=resume, logs=STAGES) as record:
        torch.manual_seed(seed)
        network = Compact(*SHAPES[quality], scale)
        if init is None:
            network.begin()
        else:
            _begin(network, init)
        state: dict[str, Any] = record.load() if resume else {"step": 0}
        degradation = DEGRADATIONS[for_]
        patches = Patches(photos, size, scale, degradation)
        unseen = Unseen(photos, scale, degradation)
        total = steps + perceptual_steps
        if not steps:
            _save(record.model, network, options)
        for name, make, result, first, last in (
            (STAGES[0], Pixels, record.model, 0, steps),
            (STAGES[1], Perceptual, record.folder / INVENTIVE, steps, total),
        ):
            if first == last:
                continue
            torch.manual_seed(seed)  # so that a stage begins alike in a resumed run
            stage = make(network, learning_rate)
            stage.load_state_dict(state.get(name, {}))
            for step in range(max(first, state["step"]), last):
                small, large = patches.batch(batch_size, seeding.generator(seed, step))
                losses = stage.step(small, large, cosine(step - first, last - first))
                done = step + 1
                if done % save_every == 0 or done == last:
                    averaged = stage.averaged()
                    _save(result, averaged, options)
                    record.log(done, losses | unseen.scores(averaged), name)
                    # last: what precedes is made again
                    record.save({"step": done, name: stage.state_dict()})
                on_step(
                    Progress(
                        "train upscaler",
                        name,
                        done,
                        total,
                        time.monotonic() - begun,
                        losses["loss"],
                        share=done / total,
                    )
                )
            network = stage.averaged()
        twins = [record.folder / INVENTIVE] if perceptual_steps else []
        return unseen.compared(record.model, *twins)


class Unseen:
    """The pictures held out: their middles, small and in full, and how close networks come."""

    def __init__(self, photos: Sequence[Path], scale: int, degradation: Degradation) -> None:
        shelves = load_pictures(photos, SCORED, longest=LONGEST, held_out=True)
        side = SCORED // scale * scale
        self.scale = scale
        self.pairs = []
        for number, picture in enumerate(chain.from_iterable(shelves)):
            top, left = ((length - side) // 2 for length in picture.shape[1:])
            large = picture[None, :, top : top + side, left : left + side].float() / 255
            small = degraded(smaller(large, scale), degradation, seeding.generator(0, number))
            self.pairs.append((small, large))

    @torch.no_grad()
    def scores(self, enlarge: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Mean PSNR in decibels, and mean SSIM, of what a network or a function makes."""
        made = [(enlarge(small), large) for small, large in self.pairs]
        return {
            "psnr": fmean(psnr(ours, large, self.scale) for ours, large in made),
            "ssim": fmean(ssim(ours, large, self.scale) for ours, large in made),
        }

    def compared(self, *files: Path) -> dict[str, float]:
        """The scores of weights files, the first one's by their own names, and of bicubic."""
        size = images.size_of(self.pairs[0][1])
        found = {"bicubic": self.scores(lambda small: images.resize(small, size))}
        for path in files:
            found[path.stem] = self.scores(models.load(path, torch.device("cpu")))
        first = found.pop(files[0].stem)
        return first | {f"{of} {k}": v for of, both in found.items() for k, v in both.items()}


def _begin(network: Compact, path: Path) -> None:
    """Fill a network with weights from a file, if they are of its kind."""
    found = models.load(path, torch.device("cpu"))
    if not isinstance(found, Compact) or found.shape != network.shape:
        raise OptionError(f"--init {path}: holds another network; give its --scale and --quality")
    network.load_state_dict(found.state_dict())


def _save(path: Path, network: Compact, options: dict[str, object]) -> None:
    twin = "" if path.stem == "model" else f"-{path.stem}"
    about = {
        "kind": "upscaler",
        "licence": "Apache-2.0",
        "recipe": f"recipes/upscaler-{options['quality']}-x{network.scale}{twin}.md",
        "scale": network.scale,
        "receptive_radius": network.radius,
        "training": options,
    }
    weights.write(path, weights.halved(network.state_dict()), about)
