"""Train a painter: a generator of new pictures, on a folder of them."""

import math
import time
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
from torch import Tensor

from limner import io
from limner.errors import OptionError
from limner.generation.gan import painter
from limner.generation.gan.adversarial_step import PENALTIES, Game
from limner.generation.gan.augment import KINDS
from limner.generation.gan.dataset import Folder, Found, read
from limner.generation.gan.metrics import Judge
from limner.generation.gan.presets import PRESETS, SIZES, Preset, build
from limner.generation.sheet import grid
from limner.nn import devices, seeding
from limner.progress import OnStep, Progress, silent, to_seconds
from limner.train.adversarial import LOSSES
from limner.train.run import Run, check_least, check_rate

SHOWN = 25  # pictures of fixed latents at every checkpoint, as many as the article shows
MEASURED = 200  # pictures that are measured at every checkpoint
COPIES = 0.3  # share of copies above which it warns; of held-out pictures a tenth are as near
FALLS = 3  # times that a training may diverge


def train_painter(
    folder: Path,
    run: Path,
    *,
    preset: Literal["auto", "dcgan", "relativistic", "stylegan2"] = "auto",
    resolution: int = 64,
    aspect: str = "1:1",
    mirror: bool = False,
    loss: Literal["standard", "hinge", "average", "paired"] | None = None,
    penalty: Literal["none", "r1", "r1r2"] | None = None,
    augment: Literal["none", "diffaugment", "adaptive"] | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    time_budget: str | None = None,
    max_hours: float | None = None,
    stop_on_copies: bool = False,
    seed: int = 0,
    device: str = "auto",
    save_every: int = 200,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train a generator of new pictures on a folder of them.

    Parameters
    ----------
    folder : Path
        Pictures, and folders of them. A fifth, chosen by name, is held out and only measured with.
    run : Path
        The run folder; ``model.safetensors`` in it is the result, ``best.safetensors`` that of the
        checkpoint with the least KID, and ``samples`` hold the same 25 pictures at every one.
    preset : str
        ``auto``, for few pictures and small machines; or the article's ``dcgan``, ``relativistic``
        and ``stylegan2``.
    resolution : int
        Pixels of the short side: 64, 128, 256 or 512.
    aspect : str
        Width to height, ``"3:2"``, from 1:2 to 2:1; or ``folder`` for what its pictures have.
    mirror : bool
        Learn from mirrored pictures too.
    loss : str
        Another than the preset's: ``standard``, ``hinge``, relativistic ``average`` or ``paired``.
    penalty : str
        Of gradients, another than the preset's: ``none``, ``r1`` or ``r1r2``.
    augment : str
        Another than the preset's: ``none``, ``diffaugment``, or ``adaptive``.
    steps : int
        Optimiser steps; left out, the preset's: 4000, 10000, 15000, 37500.
    batch_size : int
        Pictures in a step; left out, the preset's: 16, 32, 32, 8.
    learning_rate : float
        Left out, the preset's.
    time_budget : str
        The training is done after so long in all: ``"30m"``, ``"2h"``.
    max_hours : float
        Stop after so many hours of this call, to go on another time with `resume`.
    stop_on_copies : bool
        Stop where it is when the pictures become copies, not only say so.
    seed : int
        Of weights, pictures and latents.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    save_every : int
        Steps between two checkpoints, at least 1; scores are logged as often.
    resume : bool
        Go on from the run's checkpoint: the same bits as without the stop.
    on_step : callable
        Called with a `Progress` at every step.

    Returns
    -------
    dict of str to float
        `limner.painting.metrics.Score` of the last pictures, and of the training pictures
        themselves, as ``real_kid``: as good as it gets.

    Raises
    ------
    OptionError, InputError, OutputError
        An option out of range, too few pictures, an unusable run folder; a training that diverges.
    """
    folder, run = Path(folder), Path(run)
    plan = _plan(preset, loss, penalty, augment, steps, batch_size, learning_rate)
    if resolution not in SIZES:
        raise OptionError(f"--resolution {resolution}: must be one of {', '.join(map(str, SIZES))}")
    if max_hours is not None and not 0 < max_hours < math.inf:
        raise OptionError(f"--max-hours {max_hours:g}: must be above 0")
    check_least(1, save_every=save_every)
    budget = to_seconds(time_budget) if time_budget is not None else math.inf
    this_call = 3600 * max_hours if max_hours is not None else math.inf
    where = devices.pick(device)
    begun = time.monotonic()
    size, found = shaped(folder, resolution, aspect)
    pictures = Folder(folder, found, size, mirror=mirror)
    judge = Judge(pictures.learnt(), pictures.unseen(), pictures.crops())
    options: dict[str, object] = {  # not the steps: a run can be made longer
        "folder": folder.name,
        "preset": preset,
        "resolution": resolution,
        "aspect": aspect,
        "mirror": mirror,
        "loss": plan.loss,
        "penalty": plan.penalty,
        "augment": plan.augment,
        "batch_size": plan.batch_size,
        "learning_rate": plan.rate,
        "seed": seed,
    }
    with Run(run, options, resume=resume) as record:
        torch.manual_seed(seed % 2**63)
        generator, discriminator = (
            network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for network in build(plan.architecture, size)
        )
        game = Game(generator, discriminator, plan)
        state: dict[str, Any] = {"step": 0, "seconds": 0.0, "share": 1.0, "falls": 0}
        state |= {"scores": {}, "best": math.inf}
        state = record.load() if resume else state | {"game": deepcopy(game.state_dict())}
        game.load_state_dict(deepcopy(state["game"]))
        step, spent = state["step"], state["seconds"]

        def tell(note: str, loss: float | None = None) -> None:
            now = time.monotonic() - begun
            share = max(step / plan.steps, min(1.0, (spent + now) / budget))
            on_step(
                Progress(
                    "train painter", preset, step, plan.steps, now, loss, note=note, share=share
                )
            )

        for note in (*found.skipped, f"{len(found.paths)} pictures at {size[1]}×{size[0]} pixels"):
            tell(note)
        notes: list[str] = []
        real = judge.real(seeding.generator(seed, 0))
        as_good = {"real_kid": real.kid, "real_spread": real.spread}  # as it gets
        while step < plan.steps and state["seconds"] <= budget:
            torch.manual_seed(seeding.step_seed(seed, step))
            batch = pictures.batch(plan.batch_size, seeding.generator(seed, step)).to(where)
            settled = plan.settle / max(step, plan.settle) if plan.settle else 1.0
            losses = game.step(batch, step, settled * state["share"])
            now = time.monotonic() - begun
            done = step + 1 == plan.steps or spent + now > budget
            due = done or now > this_call or (step + 1) % save_every == 0
            if not all(map(math.isfinite, losses.values())) or (due and not game.is_sound()):
                state["falls"] += 1
                if state["falls"] > FALLS:
                    raise OptionError(
                        f"--learning-rate {plan.rate:g}: the training diverged {FALLS + 1} times, "
                        f"last at step {step + 1}; the last checkpoint is kept. Try a tenth of it"
                    )
                state["share"] /= 2
                notes.append(f"diverged at step {step + 1}: back to {state['step']}, half the rate")
                game.load_state_dict(deepcopy(state["game"]))
                step = state["step"]
                continue
            step += 1
            if due:
                network = game.averaged().eval()
                about = _about(options, step)
                painter.save(record.model, network, about)
                made, shown = _paint(network, seed)
                score = judge.score(made, seeding.generator(seed, 0))
                scores = asdict(score) | as_good
                if score.kid < state["best"]:  # a generator can get worse again
                    state["best"] = score.kid
                    painter.save(run / "best.safetensors", network, about)
                record.log(step, losses | scores)
                _show(shown, record.folder / "samples" / f"{step:06d}.png")
                state |= {"step": step, "seconds": spent + now, "scores": scores}
                state["game"] = deepcopy(game.state_dict())
                record.save(state)
                notes.append(
                    f"step {step}: KID {score.kid:.1f} ± {score.spread:.1f}, of the folder's own "
                    f"pictures {real.kid:.1f} ± {real.spread:.1f} (all ×1000)"
                )
                if score.copies > COPIES:
                    notes.append(
                        f"step {step}: they become copies: {score.copies:.0%} are as near to one "
                        "they learn from as a tenth of the held-out pictures are"
                    )
                    done = done or stop_on_copies
            tell("; ".join(notes), losses["loss"])
            notes = []
            if done or now > this_call:
                break
        final: dict[str, float] = state["scores"]
        return final


def _plan(
    preset: str,
    loss: str | None,
    penalty: str | None,
    augment: str | None,
    steps: int | None,
    batch_size: int | None,
    learning_rate: float | None,
) -> Preset:
    """The preset with what was asked for instead."""
    allowed = {
        "preset": (preset, tuple(PRESETS)),
        "loss": (loss, tuple(LOSSES)),
        "penalty": (penalty, PENALTIES),
        "augment": (augment, KINDS),
    }
    for name, (value, choices) in allowed.items():
        if value is not None and value not in choices:
            raise OptionError(f"--{name} {value}: must be one of {', '.join(choices)}")
    if steps is not None:
        check_least(1, steps=steps)
    if batch_size is not None:
        check_least(2, batch_size=batch_size)
    check_rate(learning_rate)
    asked: dict[str, Any] = {
        "loss": loss,
        "penalty": penalty,
        "augment": augment,
        "steps": steps,
        "batch_size": batch_size,
        "rate": learning_rate,
    }
    return replace(PRESETS[preset], **{k: v for k, v in asked.items() if v is not None})


def shaped(folder: Path, resolution: int, aspect: str) -> tuple[tuple[int, int], Found]:
    """Read a folder in the shape that is asked for; give height and width, and what was found.

    Raises
    ------
    OptionError
        The aspect is none, or too long.
    InputError
        There is no such folder, or none of its pictures can be read.
    """
    if aspect == "folder":
        sides = read(folder, (64, 64)).sides
        ratio = median(width / height for height, width in sides) if sides else 1.0
        ratio = min(2.0, max(0.5, ratio))
    else:
        width, _, height = aspect.partition(":")
        try:
            ratio = float(width) / float(height)
        except (ValueError, ZeroDivisionError):
            ratio = math.nan
        if not 0.5 <= ratio <= 2:
            raise OptionError(f'--aspect {aspect}: must be "folder", or from 1:2 to 2:1')
    # networks begin with 4 pixels on the short side, and whole ones on the long side
    long = resolution // 4 * round(4 * max(ratio, 1 / ratio))
    size = (resolution, long) if ratio >= 1 else (long, resolution)
    return size, read(folder, size)


def _about(options: dict[str, object], step: int) -> dict[str, object]:
    return {
        "licence": "that of the pictures it learnt from",
        "recipe": "recipes/painting.md",
        "training": options | {"steps": step},
    }


@torch.no_grad()
def _paint(network: Any, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures [N, 3, H, W] to be measured, on the CPU, and those of the fixed latents."""
    device, random = network.mean.device, seeding.generator(seed, 0)
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**63)  # of the noise
        z = torch.randn((SHOWN + MEASURED, network.latent), generator=random).to(device)
        lots = [network.paint(network.map(few)).float().cpu() for few in torch.split(z, 25)]
    made = torch.cat(lots).clamp(0, 1)
    return made[SHOWN:], made[:SHOWN]


def _show(shown: Tensor, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    io.to_picture(grid(shown)).save(path)
