"""Train an upscaling network on pictures and shrunk copies of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor

from limner.checks import check_choice, check_range
from limner.errors import OptionError
from limner.io.recipe import bare_name
from limner.nn import devices, images, seeding, weights
from limner.progress import OnStep, silent
from limner.train import parallel
from limner.train.crops import load_pictures
from limner.train.metrics import psnr, ssim
from limner.train.run import Run, check_training, cosine
from limner.upscaling import models, realesrgan
from limner.upscaling.compact import SHAPES, Compact
from limner.upscaling.dataset import DEGRADATIONS, LONGEST, Degradation, Patches, degrade, shrink
from limner.upscaling.enlarge import DEFAULT_TILE, enlarge
from limner.upscaling.refit import with_smooth_base
from limner.upscaling.stages import PerceptualStage, PixelStage
from limner.upscaling.tile_blending import TileBlender

SCORED_SIDE = 256  # pixels; of each held-out picture, a square of this side is scored
SCALES = ("1", "2", "3", "4")
STAGES = ("pixels", "perceptual")
PERCEPTUAL_MODEL = "inventive.safetensors"  # in the run folder: the result of the second stage


def train_upscaler(
    photos: Sequence[Path],
    run: Path,
    *,
    scale: int = 4,
    quality: Literal["fast", "best"] = "fast",
    for_: Literal["clean", "web", "paintings", "drawings", "camera", "worn"] = "clean",
    init: Path | None = None,
    teacher: str | None = None,
    steps: int = 6000,
    perceptual_steps: int = 0,
    batch_size: int = 8,
    size: int = 32,
    learning_rate: float = 2e-3,
    seed: int = 0,
    device: str = "auto",
    save_every: int = 250,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train a network that makes pictures larger.

    There are two stages, as in ESRGAN (Wang et al. 2018): the first learns to match every pixel,
    the second to look like the original, with a feature loss and a discriminator.

    Parameters
    ----------
    photos : sequence of Path
        Folders of pictures to learn from. One picture in ten, chosen by its name, is held out for
        the scores.
    run : Path
        The run folder. ``model.safetensors`` in it is the result of the first stage,
        ``inventive.safetensors`` that of the second.
    scale : int
        How many times larger the results are: 2, 3 or 4; or 1 to repair without enlarging, see
        ``for_``.
    quality : str
        Size of the network: fast has 32 channels and 10 convolutions, best has 64 and 18.
    for_ : str
        The kind of pictures to enlarge: clean files; pictures from the web, which have blur, noise
        and JPEG compression; photographed paintings, which have more blur and less of the rest;
        drawings, which may be soft or jagged; photos of a camera, most of them clean; or worn
        pictures, such as old scans, which have more of everything, and dust.
    init : Path
        Weights to start from, for the same scale and quality. Default: random weights.
    teacher : str
        A larger upscaler for this scale to learn from, as well as from the pictures:
        ``realesrgan``, or the path of a weights file. Default: none.
    steps : int
        Training steps of the first stage. 0 skips it and keeps the weights of ``init``, except for
        the last convolution if they are of a network that repeats pixels, as Real-ESRGAN's do.
    perceptual_steps : int
        Training steps of the second stage. 0 skips it.
    batch_size : int
        Patches per step.
    size : int
        Side of a small patch in pixels, at least 16.
    learning_rate : float
        The highest learning rate, above 0 and below 1. It rises for 200 steps, then falls to zero
        along a cosine. The second stage has a tenth of it.
    seed : int
        Random seed. The same seed gives the same network.
    device : str
        Where to compute: cpu, cuda, mps, or auto for the fastest on this machine.
    save_every : int
        Steps between two checkpoints. Scores are logged at each of them.
    resume : bool
        Continue from the checkpoint in the run folder. On a CPU, the result is the same as without
        the interruption.
    on_step : callable
        Called with a `Progress` at every step. Raise `Stop` in it to save a checkpoint and end.

    Returns
    -------
    dict of str to float
        Peak signal-to-noise ratio (PSNR, in decibels) and structural similarity (SSIM) on the
        held-out pictures: of the first stage, of bicubic, and of the second stage.

    Raises
    ------
    OptionError, InputError, WeightsError, OutputError
        An option is out of range, a folder holds no pictures, the weights do not fit, or the run
        folder cannot be used.
    """
    check_choice("scale", str(scale), SCALES)
    check_choice("quality", quality, SHAPES)
    check_choice("for_", for_, DEGRADATIONS)
    check_range("size", size, 16)
    check_range("perceptual_steps", perceptual_steps, 0)
    check_training(learning_rate, batch_size=batch_size, save_every=save_every)
    if steps < 1 and (steps < 0 or init is None):
        raise OptionError(f"--steps {steps}: must be at least 1, or 0 with --init")
    torch_device = devices.pick(device)
    options = {
        "photos": [p.name for p in photos],
        "scale": scale,
        "quality": quality,
        "for": for_,
        "init": init and init.name,
        "teacher": teacher and bare_name(teacher),
        "steps": steps,
        "perceptual_steps": perceptual_steps,
        "batch_size": batch_size,
        "size": size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    with Run("upscaler", run, options, resume=resume, on_step=on_step, logs=STAGES) as record:
        torch.manual_seed(seed)
        saved: dict[str, Any] = record.load() if resume else {"step": 0}
        patches = Patches(photos, size, scale, DEGRADATIONS[for_], _load_teacher(teacher, scale))
        network = _initial_network(quality, scale, init, patches, seed).to(torch_device)
        held_out = HeldOut(photos, scale, DEGRADATIONS[for_])
        total = steps + perceptual_steps
        if not steps and record.writes:
            _save(record.model, network, options)
        for name, make_stage, result, first, last in (
            (STAGES[0], PixelStage, record.model, 0, steps),
            (STAGES[1], PerceptualStage, record.folder / PERCEPTUAL_MODEL, steps, total),
        ):
            if first == last:
                continue
            torch.manual_seed(seed)  # a stage starts the same way in a resumed run
            stage = make_stage(network, learning_rate)
            stage.load_state_dict(saved.get(name, {}))
            done = max(first, saved["step"])

            def state(name: str = name, stage: PixelStage | PerceptualStage = stage) -> Any:
                # the earlier stage is not kept: its result is its model file
                return {"step": done, name: stage.state_dict()}  # noqa: B023

            for step in range(done, last):
                randoms = parallel.generators(seed, step, batch_size)
                singles = [patches.batch(1, random) for random in randoms]
                small, large, target = (
                    torch.cat(part).to(torch_device) for part in zip(*singles, strict=True)
                )
                share = cosine(step - first, last - first)
                losses = stage.step(small, large, target, share)
                losses = parallel.mean_of(losses)
                done = step + 1
                if record.writes and (done % save_every == 0 or done == last):
                    averaged = stage.averaged()
                    _save(result, averaged, options)
                    record.log(done, losses | held_out.scores(averaged.cpu()), name)
                    record.save(state())
                record.report(name, done, total, state, loss=losses["loss"])
            network = stage.averaged()
        parallel.barrier()  # until the files are written
        others = [record.folder / PERCEPTUAL_MODEL] if perceptual_steps else []
        return held_out.compare(record.model, *others)


def _initial_network(
    quality: str, scale: int, init: Path | None, patches: Patches, seed: int
) -> Compact:
    """Return the network to train, with random weights or those of a file."""
    network = Compact(*SHAPES[quality], scale, smooth=True)
    if init is None:
        network.initialize()
        return network
    loaded = models.load(init, torch.device("cpu"))
    if not isinstance(loaded, Compact) or loaded.shape != network.shape:
        raise OptionError(
            f"--init {init}: is another network; use the --scale and --quality it was trained with"
        )
    if not loaded.is_smooth:
        loaded = with_smooth_base(loaded, patches, seed)
    network.load_state_dict(loaded.state_dict())
    return network


def _load_teacher(name: str | None, scale: int) -> Callable[[Tensor], Tensor] | None:
    """Return a function that enlarges as the teacher does, with the local colors kept."""
    if name is None:
        return None
    network = models.load(realesrgan.find(name), torch.device("cpu"))
    if network.scale != scale:
        raise OptionError(
            f"--teacher {name}: enlarges {network.scale} times, and --scale is {scale}; use a "
            "teacher for that scale"
        )
    return partial(enlarge, network, color_lock=True, tile=DEFAULT_TILE, on_tile=_silent)


def _silent(done: int, tiles: int, note: str, picture: TileBlender | None) -> None:
    """Ignore the progress of a teacher."""


class HeldOut:
    """The held-out pictures: the center of each, small and large.

    Parameters
    ----------
    photos : sequence of Path
        The folders of the training.
    scale : int
        How many times larger the large ones are.
    degradation : Degradation
        What the small ones went through.
    """

    def __init__(self, photos: Sequence[Path], scale: int, degradation: Degradation) -> None:
        per_folder = load_pictures(photos, SCORED_SIDE, longest=LONGEST, held_out=True)
        side = SCORED_SIDE // scale * scale
        self.scale = scale
        self.pairs = []
        for number, picture in enumerate(chain.from_iterable(per_folder)):
            top, left = ((length - side) // 2 for length in picture.shape[1:])
            large = picture[None, :, top : top + side, left : left + side].float() / 255
            small = degrade(shrink(large, scale), degradation, seeding.generator(0, number))
            self.pairs.append((small, large))

    @torch.no_grad()
    def scores(self, enlarge: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the mean PSNR in decibels, and the mean SSIM, of what a function makes."""
        enlarged = [(enlarge(small), large) for small, large in self.pairs]
        return {
            "psnr": fmean(psnr(ours, large, self.scale) for ours, large in enlarged),
            "ssim": fmean(ssim(ours, large, self.scale) for ours, large in enlarged),
        }

    def compare(self, *files: Path) -> dict[str, float]:
        """Return the scores of weights files and of bicubic; those of the first have no prefix."""
        size = images.size_of(self.pairs[0][1])
        scores = {"bicubic": self.scores(lambda small: images.resize(small, size))}
        for path in files:
            scores[path.stem] = self.scores(models.load(path, torch.device("cpu")))
        first = scores.pop(files[0].stem)
        return first | {
            f"{name} {key}": value for name, both in scores.items() for key, value in both.items()
        }


def _save(path: Path, network: Compact, options: Mapping[str, object]) -> None:
    variant = "" if path.stem == "model" else f"-{path.stem}"
    about = {
        "kind": "upscaler",
        "license": "Apache-2.0",
        "recipe": f"recipes/upscaler-{options['quality']}-x{network.scale}{variant}.md",
        "scale": network.scale,
        "receptive_radius": network.radius,
        "training": options,
    }
    weights.write(path, weights.halved(network.state_dict()), about)
