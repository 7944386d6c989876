"""`train_colorizer`: train a colorizing network on colored pictures, with or without drawings."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from limner.checks import check_choice
from limner.colorization import dataset, pix2pix, proposal, region_batches
from limner.colorization.held_out import HeldOut
from limner.colorization.network import SIZE, Colorizer
from limner.colorization.stages import RegionStage
from limner.errors import OptionError
from limner.io.recipe import bare_name
from limner.nn import devices, seeding, weights
from limner.nn.features import load as load_features
from limner.progress import OnStep, silent
from limner.train import parallel
from limner.train.run import Run, check_training, cosine

DIRECTIONS = ("color-left", "color-right")
_MULTIPLE = 64  # pixels: the network halves the picture six times


class _Preset(NamedTuple):
    """The defaults of a preset."""

    steps: int | None  # None: a number of epochs
    batch_size: int
    size: int
    learning_rate: float
    features: str | None


_PRESETS = {
    "default": _Preset(3000, 32, SIZE, 1.5e-3, None),
    "article": _Preset(None, pix2pix.BATCH_SIZE, pix2pix.SIZE, pix2pix.LEARNING_RATE, "vgg16"),
}


def train_colorizer(
    pictures: Sequence[Path],
    run: Path,
    *,
    preset: Literal["default", "article"] = "default",
    drawings: Path | None = None,
    direction: Literal["color-left", "color-right"] | None = None,
    steps: int | None = None,
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
        Optimizer steps. Default: 3000; for the article, 43 epochs.
    batch_size : int
        Pictures per step. Default: 32; for the article, 8.
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
    defaults = _PRESETS[preset]
    size = defaults.size if size is None else size
    _check_combination(preset, drawings, direction, size, features)
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
    options: dict[str, object] = {
        "pictures": [folder.name for folder in pictures],
        "preset": preset,
        "drawings": drawings and drawings.name,
        "direction": direction,
        "steps": steps,
        "batch_size": batch_size,
        "size": size,
        "learning_rate": rate,
        "features": features and bare_name(features),
        "seed": seed,
    }
    recipe = _region_recipe(seed) if preset == "default" else _pixel_recipe(features)
    note = _swapped_note(training_set, drawings)
    with (
        Run("colorizer", run, options, resume=resume, on_step=on_step) as record,
        ThreadPoolExecutor(1) as executor,
    ):
        torch.manual_seed(seed)
        # channels last is a sixth faster on a CPU
        network = recipe.build(training_set).to(torch_device, memory_format=torch.channels_last)
        stage = recipe.stage(network, rate)
        saved: dict[str, Any] = record.load() if resume else {"step": 0, "stage": {}}
        stage.load_state_dict(saved["stage"])

        def sample(step: int) -> Any:
            randoms = parallel.generators(seed, step, batch_size)
            return recipe.sample(training_set, size, randoms)

        following = executor.submit(sample, saved["step"])  # drawn while the network learns
        for step in range(saved["step"], steps):
            batch, following = following.result(), executor.submit(sample, step + 1)
            torch.manual_seed(seeding.step_seed(seed, step))  # for dropout
            share = cosine(step, steps)
            losses = stage.step(*(part.to(torch_device) for part in batch), share)
            losses = parallel.mean_of(losses)
            done = step + 1
            state = partial(_state, done, stage)
            if record.writes and (done % save_every == 0 or done == steps):
                averaged = stage.averaged().eval()
                _save(record.model, averaged, options)
                record.log(done, losses | held_out.scores(recipe.color(averaged)))
                record.write_samples(done, held_out.samples(recipe.color(averaged)))
                record.save(state())
            record.report("train", done, steps, state, loss=losses["loss"], note=note)
            note = ""
        return held_out.scores(recipe.color(stage.averaged().eval()))


class _Recipe(NamedTuple):
    """What differs between the presets.

    Attributes
    ----------
    build : callable
        From the training pictures to a new network.
    stage : callable
        From a network and a learning rate to the stage that trains it.
    sample : callable
        Draws a batch: pictures, size, random numbers for each → what ``stage.step`` takes.
    color : callable
        From a network to a function that colors ink [N, 1, H, W].
    """

    build: Callable[[dataset.Pictures], Any]
    stage: Callable[[Any, float], Any]
    sample: Callable[[dataset.Pictures, int, list[torch.Generator]], Any]
    color: Callable[[Any], Callable[[Tensor], Tensor]]


def _region_recipe(seed: int) -> _Recipe:
    def build(pictures: dataset.Pictures) -> Colorizer:
        network = Colorizer()
        network.colors.copy_(region_batches.choose_colors(pictures, seed))
        return network

    def color(network: Colorizer) -> Callable[[Tensor], Tensor]:
        return partial(proposal.fill, network)

    return _Recipe(build, RegionStage, region_batches.sample, color)


def _pixel_recipe(features: str | None) -> _Recipe:
    assert features is not None
    stage = partial(pix2pix.Sketch2ColorStage, features=features)
    return _Recipe(lambda _: pix2pix.UNet(), stage, dataset.sample_batch, lambda network: network)


def _check_combination(
    preset: str,
    drawings: Path | None,
    direction: str | None,
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
    if size != pix2pix.SIZE:
        raise OptionError(f"--size {size}: must be {pix2pix.SIZE} with --preset article")


def _swapped_note(pictures: dataset.Pictures, drawings: Path | None) -> str:
    """Return a note for the user if pictures and drawings seem to be swapped."""
    if not pictures.are_drawings_more_colorful():
        return ""
    option = "--direction" if drawings is None else "--drawings"
    return f"the drawings are more colorful than the pictures; check {option}"


def _state(step: int, stage: Any) -> dict[str, object]:
    """Return what a checkpoint holds."""
    return {"step": step, "stage": stage.state_dict()}


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
