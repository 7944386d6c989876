"""`train_colorizer`: train a colorizing network on colored pictures, with or without drawings."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from limner.checks import check_choice, check_range
from limner.colorization import dataset, pix2pix
from limner.colorization.held_out import HeldOut
from limner.colorization.network import SIZE, Colorizer
from limner.colorization.stages import AdversarialStage, ReconstructionStage
from limner.errors import OptionError
from limner.nn import devices, seeding, weights
from limner.nn.features import load as load_features
from limner.progress import OnStep, silent
from limner.train.run import Run, check_training, cosine

DIRECTIONS = ("color-left", "color-right")
_MULTIPLE = 64  # pixels: the network halves the picture six times


class _Preset(NamedTuple):
    """The defaults of a preset, and whether its network takes hints."""

    steps: int | None  # None: a number of epochs
    adversarial_steps: int
    batch_size: int
    size: int
    learning_rate: float
    features: str | None
    hints: bool


_PRESETS = {
    "default": _Preset(2000, 300, 16, SIZE, 1.5e-3, None, hints=True),
    "article": _Preset(
        None, 0, pix2pix.BATCH_SIZE, pix2pix.SIZE, pix2pix.LEARNING_RATE, "vgg16", hints=False
    ),
}


def train_colorizer(
    pictures: Sequence[Path],
    run: Path,
    *,
    preset: Literal["default", "article"] = "default",
    drawings: Path | None = None,
    direction: Literal["color-left", "color-right"] | None = None,
    steps: int | None = None,
    adversarial_steps: int | None = None,
    batch_size: int | None = None,
    size: int | None = None,
    learning_rate: float | None = None,
    features: str | None = None,
    seed: int = 0,
    save_every: int = 250,
    device: str = "auto",
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train a network that colors line drawings.

    Parameters
    ----------
    pictures : sequence of Path
        Folders of colored pictures. One picture in 20, chosen by its name, is held out for the
        scores. The drawings are made from the pictures during the training, in random styles.
    run : Path
        The run folder. The result is ``model.safetensors`` in it; ``samples`` shows some held-out
        drawings, colored at every checkpoint.
    preset : str
        Training recipe: ``default``, or ``article`` to repeat "Sketch2Color-anime-translation" by
        sanjay035 (GitHub, 2019), with pix2pix's networks, four losses and 43 epochs.
    drawings : Path
        A folder of drawings to learn from, named like the pictures. Default: they are made from
        the pictures.
    direction : str
        Give this if each file holds a picture and its drawing side by side: ``color-left`` if the
        colored half is on the left, ``color-right`` if it is on the right.
    steps : int
        Optimizer steps of the first stage, which learns the pixels and features of the pictures.
        Default: 2000; for the article, 43 epochs.
    adversarial_steps : int
        Optimizer steps of the second stage, which makes the colors stronger with the help of a
        discriminator. Default: 300. The article has no second stage.
    batch_size : int
        Pictures per step. Default: 16; for the article, 8.
    size : int
        Side of the pictures in pixels, a multiple of 64. Default: 128, or 256 with --preset
        article, which allows no other.
    learning_rate : float
        The highest learning rate. Default: 0.0015, falling to 0; for the article, 0.0002, which
        stays constant.
    features : str
        Perceptual network for the feature loss of the article: ``compact``, ``vgg16``, ``vgg19``
        or the path of a weights file. Default: ``vgg16``.
    seed : int
        Random seed. The same seed gives the same network.
    save_every : int
        Steps between two checkpoints. Scores are logged at each of them.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    resume : bool
        Continue from the checkpoint in the run folder. On a CPU, the result is the same as without
        the interruption.
    on_step : callable
        Called with a `Progress` after every step. If it raises `Stop`, a checkpoint is written.

    Returns
    -------
    dict of str to float
        Scores over the held-out pictures, colored without hints: ``psnr`` in decibels, ``ssim``,
        and ``colorfulness``, relative to that of the pictures.

    Raises
    ------
    OptionError
        An option is out of its range, or does not go with another.
    InputError
        A folder has no pictures.
    WeightsError
        The perceptual network is not available.
    OutputError
        The run folder cannot be used.
    """
    check_choice("preset", preset, _PRESETS)
    check_choice("direction", direction, DIRECTIONS)
    check_training(learning_rate, steps=steps, batch_size=batch_size, save_every=save_every)
    check_range("adversarial_steps", adversarial_steps, 0)
    defaults = _PRESETS[preset]
    size = defaults.size if size is None else size
    _check_combination(preset, drawings, direction, adversarial_steps, size, features)
    torch_device = devices.pick(device)
    if features is None:
        features = defaults.features
    if features is not None:
        load_features(features)  # it may be missing: find out before the pictures are read
    training_set = dataset.Pictures(pictures, drawings, direction)
    held_out = HeldOut(
        dataset.Pictures(pictures, drawings, direction, held_out=True), size, torch_device
    )
    batch_size = batch_size or defaults.batch_size
    rate = learning_rate or defaults.learning_rate
    if steps is None:
        steps = defaults.steps or pix2pix.EPOCHS * math.ceil(len(training_set) / batch_size)
    if adversarial_steps is None:
        adversarial_steps = defaults.adversarial_steps
    options: dict[str, object] = {
        "pictures": [folder.name for folder in pictures],
        "preset": preset,
        "drawings": drawings and drawings.name,
        "direction": direction,
        "steps": steps,
        "adversarial_steps": adversarial_steps,
        "batch_size": batch_size,
        "size": size,
        "learning_rate": rate,
        "features": features,
        "seed": seed,
    }
    total, note = steps + adversarial_steps, _swapped_note(training_set, drawings)
    stages = _stages(preset, steps, total, features)
    logs = [stage.name for stage in stages]
    with Run("colorizer", run, options, resume=resume, on_step=on_step, logs=logs) as record:
        torch.manual_seed(seed)
        network: Any = Colorizer() if preset == "default" else pix2pix.UNet()
        # channels last is a sixth faster on a CPU
        network = network.to(torch_device, memory_format=torch.channels_last)
        saved: dict[str, Any] = record.load() if resume else {"step": 0}
        for name, build, first, end in stages:
            torch.manual_seed(seed)  # a resumed run builds the discriminator with the same weights
            stage = build(network, rate)
            stage.load_state_dict(saved.get(name, {}))
            for step in range(max(first, saved["step"]), end):
                random = seeding.generator(seed, step)
                torch.manual_seed(seeding.step_seed(seed, step))  # for dropout
                batch = dataset.sample_batch(
                    training_set, batch_size, size, random, hints=defaults.hints
                )
                share = cosine(step - first, end - first)
                losses = stage.step(*(part.to(torch_device) for part in batch), share)
                done = step + 1
                state = partial(_state, done, name, stage)
                if done % save_every == 0 or done == end:
                    averaged = stage.averaged().eval()
                    _save(record.model, averaged, options)
                    record.log(done, losses | held_out.scores(averaged), name)
                    record.write_samples(done, held_out.samples(averaged))
                    record.save(state())
                record.report(name, done, total, state, loss=losses["loss"], note=note)
                note = ""
            network = stage.averaged()
        return held_out.scores(network.eval())


class _Stage(NamedTuple):
    """One stage of the training: its name, how to build it, and its range of steps."""

    name: str
    build: Callable[[Any, float], Any]  # from a network and a learning rate
    first: int
    end: int  # one after the last step


def _stages(preset: str, steps: int, total: int, features: str | None) -> list[_Stage]:
    """Return the stages of a preset: two by default, one for the article."""
    if preset == "article":
        assert features is not None
        build = partial(pix2pix.Sketch2ColorStage, features=features)
        return [_Stage("sketch2color", build, 0, total)]
    return [
        _Stage("reconstruction", ReconstructionStage, 0, steps),
        _Stage("adversarial", AdversarialStage, steps, total),
    ]


def _check_combination(
    preset: str,
    drawings: Path | None,
    direction: str | None,
    adversarial_steps: int | None,
    size: int,
    features: str | None,
) -> None:
    """Refuse options that do not go with each other, or with the preset."""
    if direction is not None and drawings is not None:
        raise OptionError(
            "--direction and --drawings: both say where the drawings are; give only one"
        )
    if size < _MULTIPLE or size % _MULTIPLE:
        raise OptionError(f"--size {size}: must be a multiple of {_MULTIPLE} pixels")
    if preset == "default":
        if features is not None:
            raise OptionError(
                f"--features {features}: is used only with --preset article; leave it out"
            )
        return
    if adversarial_steps is not None:
        raise OptionError(
            f"--adversarial-steps {adversarial_steps}: is not used with --preset article; "
            "leave it out"
        )
    if size != pix2pix.SIZE:
        raise OptionError(f"--size {size}: must be {pix2pix.SIZE} with --preset article")


def _swapped_note(pictures: dataset.Pictures, drawings: Path | None) -> str:
    """Return a note for the user if pictures and drawings seem to be swapped."""
    if not pictures.are_drawings_more_colorful():
        return ""
    option = "--direction" if drawings is None else "--drawings"
    return f"the drawings are more colorful than the pictures; check {option}"


def _state(step: int, name: str, stage: Any) -> dict[str, object]:
    """Return what a checkpoint holds: the current stage; an earlier one is not needed again."""
    return {"step": step, name: stage.state_dict()}


def _save(path: Path, network: torch.nn.Module, options: dict[str, object]) -> None:
    about = {
        "kind": "colorizer",
        "license": "Apache-2.0",
        "recipe": "recipes/colorizer.md",
        "architecture": options["preset"],
        "multiple": network.multiple,
        "size": options["size"],
        "training": options,
    }
    weights.write(path, weights.halved(network.state_dict()), about)
