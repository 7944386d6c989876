"""Train the networks of `beautify` on photos: first a predictor, then the improvers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from limner.beauty.beautifier import NETWORKS, PREDICTORS, Beautifier, save
from limner.beauty.bilateral import BilateralImprover
from limner.beauty.dataset import Photos
from limner.beauty.held_out import HeldOut
from limner.beauty.objective import LOSSES
from limner.beauty.predictor import ContextEncoder
from limner.beauty.stages import BilateralStage, ContextEncoderStage, ImproverStage, UNetStage
from limner.checks import check_choice, check_range
from limner.nn import devices
from limner.progress import OnStep, silent
from limner.train import parallel
from limner.train.run import Run, check_training, cosine

BAD_SHARE = 0.1  # share of the steps after which the article's bad predictor stops
LONGER = 10  # times as many steps for the improver of ``relative``, which learns more
_WARMUP = 50  # steps during which the learning rate rises

AnyStage = UNetStage | ContextEncoderStage | ImproverStage | BilateralStage


class _Part(NamedTuple):
    """A network to train, its class, and its first and last step among those of all parts."""

    name: str
    network: type[nn.Module]
    first: int
    last: int


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
    device: str = "auto",
    save_every: int = 100,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train the networks that beautify uses.

    Parameters
    ----------
    photos : sequence of Path
        Folders of photos, searched with their subfolders. A quarter of the photos, chosen by name,
        is held out for the scores.
    run : Path
        The run folder. The result is ``model.safetensors`` in it; ``samples`` has held-out photos
        before and after each improver, at every checkpoint.
    preset : str
        ``default`` trains a predictor and three improvers. ``article`` follows the article that
        beautify grew out of: two context encoders for windows of 128 pixels, one of them trained
        for a tenth of the steps only, and two improvers that may change every pixel.
    steps : int
        Number of steps of the predictor.
    improver_steps : int
        Number of steps of each improver; that of the method ``relative`` takes ten times as many.
        0 trains only the predictor.
    batch_size : int
        Crops per step: of 224 pixels for the predictor, or 128 with ``--preset article``; of 416
        for the improvers. All improvers but that of ``relative`` get a twelfth as many, at least
        one per process.
    learning_rate : float
        The highest learning rate, above 0 and below 1. It rises for 50 steps, then falls to zero
        along a cosine.
    seed : int
        Random seed. The same seed gives the same networks.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    save_every : int
        Steps between two checkpoints. Scores are logged at each of them.
    resume : bool
        Continue from the checkpoint in the run folder. On a CPU, the result is the same as without
        the interruption.
    on_step : callable
        Called with a `Progress` after every step. If it raises `Stop`, a checkpoint is written.

    Returns
    -------
    dict of str to float
        Over the held-out photos: the mean absolute ``error`` of the predictor, of 255, and that of
        the ``harmonic`` fill, which has learned nothing.

    Raises
    ------
    OptionError
        An option is out of its range.
    InputError
        A folder holds no photos.
    OutputError
        The run folder cannot be used.
    Stop
        `on_step` ended the training.
    """
    check_choice("preset", preset, NETWORKS)
    check_range("improver_steps", improver_steps, 0)
    check_training(learning_rate, steps=steps, batch_size=batch_size, save_every=save_every)
    torch_device = devices.pick(device)
    options = {
        "photos": [folder.name for folder in photos],
        "preset": preset,
        "steps": steps,
        "improver_steps": improver_steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    training_set = Photos(photos, held_out=False)
    held_out = HeldOut(Photos(photos, held_out=True), torch_device)
    parts = _parts(preset, steps, improver_steps)
    logs = [part.name for part in parts]
    with Run("beautifier", run, options, resume=resume, on_step=on_step, logs=logs) as record:
        state: dict[str, Any] = record.load() if resume else {"step": 0, "done": {}}
        trained = Beautifier({})
        for name, make, first, last in parts:
            torch.manual_seed(seed)  # so that a part starts the same way in a resumed run
            network = make().to(torch_device)
            if name in state["done"]:
                network.load_state_dict(state["done"][name])
                trained.parts[name] = network.requires_grad_(False).eval()
                continue
            stage = _stage(name, network, trained, preset, learning_rate)
            stage.load_state_dict(state.get(name, {}))
            wanted = round(batch_size * stage.batch_share)
            count = max(1, wanted // parallel.world_size()) * parallel.world_size()
            for step in range(max(first, state["step"]), last):
                randoms = parallel.generators(seed, step, count)
                crops = training_set.crops(stage.crop_size, randoms)
                share = cosine(step - first, last - first, warmup=_WARMUP)
                losses = parallel.mean_of(stage.step(crops.to(torch_device), share))
                done = step + 1
                checkpoint = partial(_checkpoint, done, trained, name, stage)
                if record.writes and (done % save_every == 0 or done == last):
                    current = Beautifier(trained.parts | {name: stage.averaged().eval()})
                    save(record.model, current, options)
                    record.log(done, losses | held_out.scores(current, name), name)
                    if name not in PREDICTORS:
                        record.write_samples(done, held_out.samples(current, name))
                    record.save(checkpoint())  # last: a resumed run makes the rest again
                record.report(name, done, parts[-1].last, checkpoint, loss=losses["loss"])
            trained.parts[name] = stage.averaged().requires_grad_(False).eval()
        return held_out.scores(trained, "good")


def _parts(preset: str, steps: int, improver_steps: int) -> list[_Part]:
    """Return the networks to train, in their order."""
    parts: list[_Part] = []
    first = 0
    for name, network in NETWORKS[preset].items():
        count = steps if name in PREDICTORS else improver_steps
        if name == "bad":
            count = max(1, round(BAD_SHARE * steps))
        if network is BilateralImprover:
            count *= LONGER
        if count:
            parts.append(_Part(name, network, first, first + count))
            first += count
    return parts


def _stage(
    name: str, network: Any, trained: Beautifier, preset: str, learning_rate: float
) -> AnyStage:
    """Return how a network learns, with the help of those that are trained already."""
    if isinstance(network, BilateralImprover):
        return BilateralStage(network, learning_rate, trained.predictors)
    if name not in PREDICTORS:
        return ImproverStage(network, learning_rate, trained.predictors, LOSSES[preset][name])
    if isinstance(network, ContextEncoder):
        return ContextEncoderStage(network, learning_rate)
    return UNetStage(network, learning_rate)


def _checkpoint(
    step: int,
    trained: Beautifier,
    name: str,
    stage: AnyStage,
) -> dict[str, object]:
    """Return what is needed to continue after a step: trained networks, and the current stage."""
    done = {key: part.state_dict() for key, part in trained.parts.items()}
    return {"step": step, "done": done, name: stage.state_dict()}
