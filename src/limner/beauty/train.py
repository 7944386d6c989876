"""Train a beautifier on photos: what predicts, and then what improves."""

import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor, nn

from limner import io
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import ARTICLES, OURS, PREDICTORS, Beautifier, save
from limner.beauty.objective import ARTICLES_LOSSES, LOSSES, gradient_energy
from limner.beauty.predictor import Context
from limner.beauty.stages import Grid, Improving, Window
from limner.errors import OptionError
from limner.nn import images, seeding
from limner.progress import OnStep, Progress, silent
from limner.train.crops import load_pictures
from limner.train.run import Run, check_least, check_rate, cosine

LONGEST = 768  # pixels of the longest side at which photos are seen
SEEN = 288  # of the side of the middles that are scored
HELD_OUT = 4  # one photo of so many is never trained on, by a hash of its name
SHOWN = 3  # held-out photos that are improved at every checkpoint
BADLY = 0.1  # of the steps after which the article's bad predictor stops


def train_beautifier(
    photos: Sequence[Path],
    run: Path,
    *,
    preset: Literal["default", "article"] = "default",
    steps: int = 4000,
    improver_steps: int = 600,
    batch_size: int = 12,
    learning_rate: float = 2e-3,
    seed: int = 0,
    save_every: int = 100,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train a predictor, and improvers that make pictures easier for it.

    Parameters
    ----------
    photos : sequence of Path
        Folders of photos. A quarter of each, chosen by name, is held out for the scores.
    run : Path
        The run folder; ``model.safetensors`` in it is the result, and ``samples`` hold the same
        photos improved at every checkpoint.
    preset : str
        ``default``: a predictor of all centres in four passes, and an improver for each method. Or
        the ``article``: a network for a window of 128 pixels, and free improvers by its two losses.
    steps : int
        Optimiser steps of the predictor.
    improver_steps : int
        Of each improver.
    batch_size : int
        Crops of 224 pixels in a step of the predictor, or windows of 128 in the article's; in an
        improver's a twelfth as many, of 416.
    learning_rate : float
        The highest.
    seed : int
        Of weights and crops.
    save_every : int
        Steps between two checkpoints, at least 1; scores are logged as often.
    resume : bool
        Go on from the run's checkpoint: the same bits as without the stop.
    on_step : callable
        Called with a `Progress` at every step.

    Returns
    -------
    dict of str to float
        Over the held-out photos: the mean errors of 255 of the predictor and of the harmonic fill.

    Raises
    ------
    OptionError, InputError, OutputError
        An option out of range, folders without photos, an unusable run folder.
    """
    if preset not in ("default", "article"):
        raise OptionError(f"--preset {preset}: must be one of default, article")
    check_least(1, steps=steps, batch_size=batch_size, save_every=save_every)
    check_least(0, improver_steps=improver_steps)
    check_rate(learning_rate)
    begun = time.monotonic()
    ours = preset == "default"
    options = {
        "photos": [p.name for p in photos],
        "preset": preset,
        "steps": steps,
        "improver_steps": improver_steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    known = Photos(photos, held_out=False)
    unseen = Photos(photos, held_out=True)
    # name, what is made, first and last step
    plan: list[tuple[str, type[nn.Module], int, int]] = []
    total = 0
    for name, make in (OURS if ours else ARTICLES).items():
        count = improver_steps if name not in PREDICTORS else steps
        count = max(1, round(BADLY * steps)) if name == "bad" else count
        if count:
            plan.append((name, make, total, total + count))
            total += count
    with Run(run, options, resume=resume, logs=[name for name, *_ in plan]) as record:
        state: dict[str, Any] = record.load() if resume else {"step": 0, "done": {}}
        made = Beautifier({})
        for name, make, first, last in plan:
            torch.manual_seed(seed)  # so that a part begins alike in a resumed run
            network = make()
            if name in state["done"]:
                network.load_state_dict(state["done"][name])
                made.parts[name] = network.requires_grad_(False).eval()
                continue
            stage = _stage(name, network, made, learning_rate)
            stage.load_state_dict(state.get(name, {}))
            count = max(1, round(batch_size * stage.share))
            for step in range(max(first, state["step"]), last):
                crops = known.crops(count, stage.side, seeding.generator(seed, step))
                losses = stage.step(crops, cosine(step - first, last - first, warmup=50))
                done = step + 1
                if done % save_every == 0 or done == last:
                    before = {key: part.state_dict() for key, part in made.parts.items()}
                    now = Beautifier(made.parts | {name: stage.averaged().eval()})
                    save(record.model, now, options)
                    record.log(done, losses | unseen.scores(now, name), name)
                    if name not in PREDICTORS:
                        unseen.show(now, name, record.folder / "samples" / f"{done:06d}.png")
                    # last: what precedes is made again
                    record.save({"step": done, "done": before, name: stage.state_dict()})
                on_step(
                    Progress(
                        "train beautifier",
                        name,
                        done,
                        total,
                        time.monotonic() - begun,
                        losses["loss"],
                        share=done / total,
                    )
                )
            made.parts[name] = stage.averaged().requires_grad_(False).eval()
        return unseen.scores(made, "good")


def _stage(name: str, network: Any, made: Beautifier, rate: float) -> Any:
    """How a part learns, with the parts that are made."""
    if name not in PREDICTORS:
        losses = ARTICLES_LOSSES if isinstance(made.parts["good"], Context) else LOSSES
        return Improving(network, rate, made.eye, losses[name])
    return (Window if isinstance(network, Context) else Grid)(network, rate)


class Photos:
    """Folders of photos in memory: crops to learn from, or middles to be scored."""

    def __init__(self, folders: Sequence[Path], *, held_out: bool) -> None:
        shelves = load_pictures(folders, SEEN, longest=LONGEST, held_out=held_out, one_in=HELD_OUT)
        self._pictures = list(chain.from_iterable(shelves))

    def crops(self, count: int, side: int, random: torch.Generator) -> Tensor:
        """Draw crops [count, 3, side, side] in 0..1, at random places, every other one mirrored.

        They are smaller where a photo that was drawn is.
        """
        found, tosses = [], torch.rand((count, 4), generator=random).tolist()
        drawn = [self._pictures[int(toss[0] * len(self._pictures))] for toss in tosses]
        side = min(side, *(min(images.size_of(picture)) for picture in drawn))
        for picture, (_, down, across, mirror) in zip(drawn, tosses, strict=True):
            height, width = images.size_of(picture)
            top, left = int(down * (height - side + 1)), int(across * (width - side + 1))
            crop = picture[None, :, top : top + side, left : left + side].float() / 255
            found.append(crop.flip(-1) if mirror < 0.5 else crop)
        return torch.cat(found)

    def _middles(self) -> Tensor:
        """The middle of every photo, [N, 3, 288, 288]."""
        middles = []
        for picture in self._pictures:
            top, left = ((side - SEEN) // 2 for side in images.size_of(picture))
            middles.append(picture[None, :, top : top + SEEN, left : left + SEEN].float() / 255)
        return torch.cat(middles)

    @torch.no_grad()
    def scores(self, made: Beautifier, name: str) -> dict[str, float]:
        """Errors of 255 of a predictor and of the harmonic fill, or what an improver gains."""
        befores = [one[None] for one in self._middles()]
        if name in PREDICTORS:
            network = made.parts[name]
            eye = Beautifier({"good": network, "bad": network}).eye
            pairs = [(masks.inner(one), eye.good(one), masks.harmonic(one)) for one in befores]
            return {
                "error": 255 * fmean(float((x - z).abs().mean()) for x, z, _ in pairs),
                "harmonic": 255 * fmean(float((x - film).abs().mean()) for x, _, film in pairs),
            }
        improver = made.improver(name)
        assert improver is not None
        afters = [improver(one) for one in befores]
        errors = [[made.eye.errors(one) for one in lot] for lot in (befores, afters)]
        relative = [fmean(float(one.relative) for one in lot) for lot in errors]
        energy = [float(gradient_energy(torch.cat(list(lot))).mean()) for lot in (befores, afters)]
        return {"relative": relative[1] / relative[0], "energy": energy[1] / energy[0]}

    @torch.no_grad()
    def show(self, made: Beautifier, name: str, path: Path) -> None:
        """Write a sheet of photos, and below each what an improver makes of it."""
        path.parent.mkdir(exist_ok=True)
        before = self._middles()[:SHOWN]
        improver = made.improver(name)
        assert improver is not None
        rows = [torch.cat(list(lot), 2) for lot in (before, improver(before))]
        io.to_picture(torch.cat(rows, 1)[None]).save(path)
