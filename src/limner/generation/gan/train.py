"""`train_painter`: train a painter, a generator of new pictures, on a folder of pictures."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from limner.checks import check_choice, check_range
from limner.errors import OptionError
from limner.generation import works
from limner.generation.contact_sheet import contact_sheet
from limner.generation.gan import painter
from limner.generation.gan.adversarial_step import PENALTIES, AdversarialStep
from limner.generation.gan.augment import KINDS
from limner.generation.gan.dataset import Dataset, read_folder, training_size
from limner.generation.gan.legacy_names import current_checkpoint
from limner.generation.gan.metrics import Evaluator, Score
from limner.generation.gan.presets import PRESETS, Preset, build
from limner.generation.gan.sizes import SIZES
from limner.generation.gan.training_state import TrainingState
from limner.nn import devices, seeding
from limner.progress import OnStep, silent
from limner.train import parallel, run_folder
from limner.train.adversarial import LOSSES
from limner.train.run import Run, check_training
from limner.units import to_seconds

SAMPLES = 25  # pictures of fixed latents on the sheet of every checkpoint
MEASURED = 200  # pictures that are scored at every checkpoint
COPIES = 0.3  # share of copies that causes a warning; of held-out pictures 0.1 are as near
MAX_DIVERGENCES = 3


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
    stop_on_copies: bool = False,
    pack: bool = False,
    seed: int = 0,
    device: str = "auto",
    save_every: int = 200,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train a generator of new pictures on a folder of pictures.

    Parameters
    ----------
    folder : Path
        A folder of at least 10 pictures, searched with its subfolders. One picture in 5, chosen by
        its name, is held out for the scores.
    run : Path
        The run folder. The result is ``model.safetensors`` in it. ``best.safetensors`` is the
        network of the checkpoint with the lowest KID; ``samples`` shows the same 25 pictures at
        every checkpoint.
    preset : str
        Networks and training recipe: ``auto`` for few pictures and small machines, ``dcgan``,
        ``relativistic``, or ``stylegan2``, which needs a GPU.
    resolution : int
        Short side of the pictures in pixels: 64, 128, 256 or 512.
    aspect : str
        Width to height of the pictures, from ``1:2`` to ``2:1``, or ``folder`` for the median of
        the folder. Longer pictures are cropped at random.
    mirror : bool
        Also train on mirrored pictures. Leave it out if they contain text.
    loss : str
        Adversarial loss: ``standard``, ``hinge``, ``average`` or ``paired`` (both relativistic).
        Default: ``paired`` for ``auto``, ``average`` for ``relativistic``, ``standard`` for the
        others.
    penalty : str
        Gradient penalty: ``none``, ``r1`` (on real pictures) or ``r1r2`` (on real and generated
        ones). Default: ``r1r2`` for ``auto``, ``r1`` for ``stylegan2``, ``none`` for the others.
    augment : str
        Augmentation, which helps if there are few pictures: ``none``, ``diffaugment`` (always), or
        ``adaptive`` (as much as needed). Default: ``diffaugment`` for ``auto``, ``none`` for the
        others.
    steps : int
        Optimizer steps. A finished run can be continued with more. Default: 4000 for ``auto``,
        10000 for ``dcgan``, 15000 for ``relativistic``, 37500 for ``stylegan2``.
    batch_size : int
        Pictures per step, at least 2. Default: 16 for ``auto``, 8 for ``stylegan2``, 32 for the
        others.
    learning_rate : float
        Learning rate, above 0 and below 1. Default: 0.001 for ``auto``, 0.0002 for ``dcgan``,
        0.0001 for ``relativistic``, 0.002 for ``stylegan2``.
    time_budget : str
        Finish after this total time, such as ``30m`` or ``2h``. Time before ``--resume`` counts
        too. Default: no limit.
    stop_on_copies : bool
        Stop as soon as the pictures become copies of the training pictures. Otherwise a warning is
        printed.
    pack : bool
        Copy the training pictures into the run folder. ``limner generate --size`` takes strokes
        from them, wherever the run folder is.
    seed : int
        Random seed. The same seed gives the same network.
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
        The `Score` of the last pictures. ``real_kid`` and ``real_spread`` are the KID of the
        training pictures themselves: the best that a generator can reach.

    Raises
    ------
    OptionError
        An option is out of its range, or the training diverges again and again.
    InputError
        The folder is missing or has too few pictures, or the checkpoint is damaged.
    OutputError
        The run folder cannot be used.
    """
    folder, run = Path(folder), Path(run)
    plan = _plan(preset, loss, penalty, augment, steps, batch_size, learning_rate)
    check_choice("resolution", str(resolution), map(str, SIZES))
    check_training(save_every=save_every)
    budget = math.inf if time_budget is None else to_seconds("time_budget", time_budget)
    torch_device = devices.pick(device)
    run_folder.check(run, resume=resume)
    size = training_size(folder, resolution, aspect)
    contents = read_folder(folder, size)
    dataset = Dataset(folder, contents, size, mirror=mirror)
    options: dict[str, object] = {  # without the steps: a run can be continued with more
        "folder": folder.name,
        "preset": preset,
        "resolution": resolution,
        "aspect": aspect,
        "mirror": mirror,
        "loss": plan.loss,
        "penalty": plan.penalty,
        "augment": plan.augment,
        "batch_size": plan.batch_size,
        "learning_rate": plan.learning_rate,
        "seed": seed,
    }
    # checkpoints of version 0.1, format 1, are translated by `current_checkpoint`
    with Run("painter", run, options, resume=resume, on_step=on_step, oldest_format=1) as record:
        torch.manual_seed(seed % 2**63)
        state = TrainingState(make_stage(plan, size, torch_device))
        if resume:
            state.load_state_dict(current_checkpoint(record.load()))
        spent = state.seconds  # by earlier calls

        def report(note: str = "", loss: float | None = None) -> None:
            share = min(1.0, max(state.step / plan.steps, (spent + record.seconds) / budget))
            record.report(
                preset, state.step, plan.steps, state.state_dict, loss=loss, note=note, share=share
            )

        if record.writes:
            works.remember(run, folder, dataset.hashes, pack=pack)
        for note in (*contents.skipped, f"{len(contents.paths)} pictures, {size[1]}×{size[0]} px"):
            report(note)
        evaluation = _evaluation(dataset, seed)
        notes: list[str] = []
        while state.step < plan.steps and spent <= budget:
            # every process draws other latents
            number = state.step * parallel.world_size() + parallel.rank()
            torch.manual_seed(seeding.step_seed(seed, number))
            randoms = parallel.generators(seed, state.step, plan.batch_size)
            batch = torch.cat([dataset.batch(1, random) for random in randoms]).to(torch_device)
            decay = plan.decay_after / max(state.step, plan.decay_after) if plan.decay_after else 1
            losses = state.stage.step(batch, state.step, decay * state.rate_share)
            losses = parallel.mean_of(losses)
            state.step += 1
            state.seconds = spent + record.seconds
            is_done = state.step == plan.steps or parallel.any_of(state.seconds > budget)
            is_due = is_done or state.step % save_every == 0
            if _has_diverged(losses, state, check_weights=is_due):
                notes.append(_fall_back(state, plan.learning_rate))
                continue
            if state.step % save_every == 0:
                state.mark_good()
            if is_due and record.writes:
                notes += _save_checkpoint(record, state, evaluation, options, losses)
            if is_due and stop_on_copies:
                is_done |= parallel.any_of(state.scores.get("copies", 0.0) > COPIES)
            report("; ".join(notes), losses["loss"])
            notes = []
            if is_done:
                break
        return state.scores


def make_stage(plan: Preset, size: tuple[int, int], device: torch.device) -> AdversarialStep:
    """Build the networks of a preset with random weights, ready to train on a device."""
    generator, discriminator = (
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for network in build(plan.architecture, size)
    )
    return AdversarialStep(generator, discriminator, plan)


def _plan(
    preset: str,
    loss: str | None,
    penalty: str | None,
    augment: str | None,
    steps: int | None,
    batch_size: int | None,
    learning_rate: float | None,
) -> Preset:
    """Return the preset with the options that were given."""
    check_choice("preset", preset, PRESETS)
    check_choice("loss", loss, LOSSES)
    check_choice("penalty", penalty, PENALTIES)
    check_choice("augment", augment, KINDS)
    check_training(learning_rate, steps=steps)
    check_range("batch_size", batch_size, 2)
    given: dict[str, Any] = {
        "loss": loss,
        "penalty": penalty,
        "augment": augment,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
    }
    return replace(PRESETS[preset], **{k: v for k, v in given.items() if v is not None})


def _has_diverged(losses: dict[str, float], state: TrainingState, *, check_weights: bool) -> bool:
    if not all(map(math.isfinite, losses.values())):
        return True
    return check_weights and not state.stage.is_finite()


def _fall_back(state: TrainingState, learning_rate: float) -> str:
    """Return to the last good state with half the learning rate; return a note for the user."""
    diverged_at = state.step
    if state.divergences == MAX_DIVERGENCES:
        raise OptionError(
            f"--learning-rate {learning_rate:g}: the training diverged {MAX_DIVERGENCES + 1} "
            f"times, last at step {diverged_at}; start a new run with a tenth of it. The last "
            "checkpoint is kept"
        )
    state.fall_back()
    return f"diverged at step {diverged_at}; back to step {state.step} with half the learning rate"


@dataclass(frozen=True)
class _Evaluation:
    """What scores the pictures of a checkpoint, and what is known of the training pictures."""

    evaluator: Evaluator
    real: Score
    seed: int
    pictures: dict[str, str]  # see `Dataset.hashes`


def _evaluation(dataset: Dataset, seed: int) -> _Evaluation:
    evaluator = Evaluator(
        dataset.training_centers(), dataset.held_out_centers(), dataset.training_crops()
    )
    return _Evaluation(
        evaluator, evaluator.score_training(seeding.generator(seed, 0)), seed, dataset.hashes
    )


def _save_checkpoint(
    record: Run,
    state: TrainingState,
    evaluation: _Evaluation,
    options: dict[str, object],
    losses: dict[str, float],
) -> list[str]:
    """Write weights, scores, samples and the checkpoint; return notes for the user."""
    network, real = state.stage.averaged().eval(), evaluation.real
    about = {
        "license": "that of the pictures it was trained on",
        "recipe": "recipes/painting.md",
        "training": options | {"steps": state.step},
        "pictures": evaluation.pictures,
    }
    painter.save(record.model, network, about)
    samples, generated = _generate(network, evaluation.seed)
    score = evaluation.evaluator.score(generated, seeding.generator(evaluation.seed, 0))
    state.scores = asdict(score) | {"real_kid": real.kid, "real_spread": real.spread}
    if score.kid < state.best:  # later pictures can be worse again
        state.best = score.kid
        painter.save(record.folder / "best.safetensors", network, about)
    record.log(state.step, losses | state.scores)
    record.write_samples(state.step, contact_sheet(samples))
    record.save(state.state_dict())
    notes = [
        f"step {state.step}: KID {score.kid:.1f} ± {score.spread:.1f}; the training pictures "
        f"themselves: {real.kid:.1f} ± {real.spread:.1f} (×1000, lower is better)"
    ]
    if score.copies > COPIES:
        notes.append(
            f"step {state.step}: the pictures become copies: {score.copies:.0%} are nearer to a "
            "training picture than 90% of the held-out pictures are"
        )
    return notes


@torch.no_grad()
def _generate(network: Any, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures of fixed latents, [N, 3, H, W] on the CPU: the samples, and those to score."""
    device, random = network.mean.device, seeding.generator(seed, 0)
    with seeding.preserved():
        torch.manual_seed(seed % 2**63)  # for the noise
        z = torch.randn((SAMPLES + MEASURED, network.latent_size), generator=random).to(device)
        batches = [network.paint(network.map(few)).float().cpu() for few in torch.split(z, 25)]
    pictures = torch.cat(batches).clamp(0, 1)
    return pictures[:SAMPLES], pictures[SAMPLES:]
