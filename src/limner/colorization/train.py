"""Train a colouriser on coloured pictures, drawn over as it goes, or on drawings beside them."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor

from limner import io
from limner.colorization import dataset, pix2pix
from limner.colorization.network import SIZE, Colorizer
from limner.colorization.stages import Convincing, Likely
from limner.errors import OptionError
from limner.nn import features, images, seeding, weights
from limner.progress import OnStep, Progress, silent
from limner.train.metrics import psnr, ssim
from limner.train.run import Run, check_least, check_rate, cosine

Network = Callable[[Tensor, Tensor], Tensor]  # ink and hints → colours

SHOWN = 8  # held-out drawings that are coloured at every checkpoint


def train_colorizer(
    pictures: Sequence[Path],
    run: Path,
    *,
    preset: Literal["default", "article"] = "default",
    drawings: Path | None = None,
    direction: Literal["colour-left", "colour-right"] | None = None,
    steps: int | None = None,
    convincing_steps: int = 300,
    batch_size: int | None = None,
    size: int | None = None,
    learning_rate: float | None = None,
    judge: str = "vgg16",
    seed: int = 0,
    save_every: int = 250,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train a network that colours line drawings.

    Parameters
    ----------
    pictures : sequence of Path
        Folders of coloured pictures. A twentieth of each, chosen by name, is held out for the
        scores. Drawings are made of them as the training goes, in ever new styles.
    run : Path
        The run folder; ``model.safetensors`` in it is the result, and ``samples`` hold the same
        drawings coloured at every checkpoint.
    preset : str
        ``default``, or the ``article``: its U-Net, its discriminator, its four losses, 43 epochs.
    drawings : Path
        A folder of drawings with the names of the pictures, to learn from instead.
    direction : str
        Every picture is a drawing and its colours side by side, the colours ``colour-left`` or
        ``colour-right``.
    steps : int
        Optimiser steps of the first stage; left out 2000, and for the article its 43 epochs.
    convincing_steps : int
        Of the second, with a discriminator; the article has one stage.
    batch_size : int
        Pictures in a step; left out 16, and for the article 8.
    size : int
        Side of the pictures in pixels, a multiple of 64; left out 128, and for the article 256.
    learning_rate : float
        The highest; left out 1.5e-3, and 2e-4 for the article, where it stays the same.
    judge : str
        The perceptual network of the article's third loss; see `limner.features.load`.
    seed : int
        Of weights, pictures, styles and hints.
    save_every : int
        Steps between two checkpoints, at least 1; scores are logged as often.
    resume : bool
        Go on from the run's checkpoint: the same bits as without the stop.
    on_step : callable
        Called with a `Progress` at every step.

    Returns
    -------
    dict of str to float
        Over the held-out pictures without hints: PSNR in decibels, SSIM, and how colourful the
        results are, 1 for as much as the pictures.

    Raises
    ------
    OptionError, InputError, WeightsError, OutputError
        An option out of range, folders without pictures, no judge, an unusable run folder.
    """
    if preset not in ("default", "article"):
        raise OptionError(f"--preset {preset}: must be one of default, article")
    ours = preset == "default"
    size = (SIZE if ours else pix2pix.SIZE) if size is None else size
    batch_size = (16 if ours else pix2pix.BATCH) if batch_size is None else batch_size
    if size < 64 or size % 64:
        raise OptionError(f"--size {size}: must be a multiple of 64 pixels")
    if not ours and size != pix2pix.SIZE:
        raise OptionError(f"--size {size}: the article's network works at {pix2pix.SIZE}")
    if direction not in (None, "colour-left", "colour-right"):
        raise OptionError(f"--direction {direction}: must be colour-left or colour-right")
    if direction is not None and drawings is not None:
        raise OptionError("--direction and --drawings: both say where drawings are; give one")
    if steps is not None:
        check_least(1, steps=steps)
    check_least(1, batch_size=batch_size, save_every=save_every)
    check_least(0, convincing_steps=convincing_steps)
    check_rate(learning_rate)
    begun = time.monotonic()
    if not ours:
        features.load(judge)  # lest it be missing after the pictures are read
    known = dataset.Pictures(pictures, drawings, direction)
    unseen = Unseen(dataset.Pictures(pictures, drawings, direction, held_out=True), size)
    if steps is None:
        epochs = pix2pix.EPOCHS * math.ceil(len(known) / batch_size)
        steps = 2000 if ours else epochs
    rate = learning_rate or (1.5e-3 if ours else pix2pix.RATE)
    options: dict[str, object] = {
        "pictures": [p.name for p in pictures],
        "preset": preset,
        "drawings": drawings and drawings.name,
        "direction": direction,
        "steps": steps,
        "convincing_steps": convincing_steps if ours else 0,
        "batch_size": batch_size,
        "size": size,
        "learning_rate": rate,
        "judge": None if ours else judge,
        "seed": seed,
    }
    names = ("likely", "convincing") if ours else ("article",)
    with Run(run, options, resume=resume, logs=names) as record:
        torch.manual_seed(seed)
        network: Any = Colorizer() if ours else pix2pix.UNet()
        network = network.to(memory_format=torch.channels_last)  # a sixth faster on CPUs
        state: dict[str, Any] = record.load() if resume else {"step": 0}
        total = steps + (convincing_steps if ours else 0)
        # name, how it is made, first and last step
        plan: list[tuple[str, Callable[[Any, float], Any], int, int]] = [
            ("article", lambda net, r: pix2pix.Article(net, r, judge), 0, total)
        ]
        if ours:
            plan = [("likely", Likely, 0, steps), ("convincing", Convincing, steps, total)]
        note = ""
        if known.swapped():
            note = (
                "the drawings are more colourful than the pictures; is --direction the other one?"
            )
        for name, make, first, last in plan:
            torch.manual_seed(seed)  # so that a stage begins alike in a resumed run
            stage = make(network, rate)
            stage.load_state_dict(state.get(name, {}))
            for step in range(max(first, state["step"]), last):
                random = seeding.generator(seed, step)
                # every step has its own dice for layers that drop out, too
                torch.manual_seed(seeding.step_seed(seed, step))
                ink, hints, rgb = dataset.batch(known, batch_size, size, random, hints=ours)
                losses = stage.step(ink, hints, rgb, cosine(step - first, last - first))
                done = step + 1
                if done % save_every == 0 or done == last:
                    averaged = stage.averaged().eval()
                    _save(record.model, averaged, options)
                    record.log(done, losses | unseen.scores(averaged), name)
                    unseen.show(averaged, record.folder / "samples" / f"{done:06d}.png")
                    # last: what precedes is made again
                    record.save({"step": done, name: stage.state_dict()})
                on_step(
                    Progress(
                        "train colorizer",
                        name,
                        done,
                        total,
                        time.monotonic() - begun,
                        losses["loss"],
                        note=note,
                        share=done / total,
                    )
                )
                note = ""
            network = stage.averaged()
        return unseen.scores(network.eval())


class Unseen:
    """The pictures held out, and their drawings."""

    def __init__(self, pictures: dataset.Pictures, size: int) -> None:
        self.rgb = torch.cat([pictures.whole(index, size) for index in range(len(pictures))])
        random = seeding.generator(0, 0)
        drawn = [pictures.drawing(index, size) for index in range(len(pictures))]
        self.ink = torch.cat(
            [
                dataset.drawn(rgb[None], random) if ink is None else ink
                for rgb, ink in zip(self.rgb, drawn, strict=True)
            ]
        )

    def colored(self, network: Network, hints: Tensor) -> Tensor:
        """Colour all of them."""
        return colored(network, self.ink, hints)

    def scores(self, network: Network) -> dict[str, float]:
        """PSNR, SSIM and share of colourfulness, without hints."""
        hints = torch.zeros((len(self.rgb), 4, *images.size_of(self.rgb)))
        made = self.colored(network, hints)
        pairs = [(one[None], rgb[None]) for one, rgb in zip(made, self.rgb, strict=True)]
        return {
            "psnr": fmean(psnr(made, rgb, 0) for made, rgb in pairs),
            "ssim": fmean(ssim(made, rgb, 0) for made, rgb in pairs),
            "colourful": fmean(colourful(made) for made, _ in pairs)
            / max(1e-6, fmean(colourful(rgb) for _, rgb in pairs)),
        }

    def show(self, network: Network, path: Path) -> None:
        """Write a sheet of drawings, what the network makes of them, and the pictures."""
        path.parent.mkdir(exist_ok=True)
        ink, rgb = self.ink[:SHOWN], self.rgb[:SHOWN]
        made = colored(network, ink, torch.zeros((len(ink), 4, *images.size_of(ink))))
        rows = [(1 - ink).expand(-1, 3, -1, -1), made, rgb]
        sheet = torch.cat([torch.cat(list(row), 2) for row in rows], 1)[None]
        io.to_picture(sheet).save(path)


@torch.no_grad()
def colored(network: Network, ink: Tensor, hints: Tensor) -> Tensor:
    """Colour drawings [N, 1, H, W], a few at a time."""
    few = [slice(first, first + 8) for first in range(0, len(ink), 8)]
    return torch.cat([network(ink[part], hints[part]) for part in few]).clamp(0, 1)


def colourful(rgb: Tensor) -> float:
    """How colourful a picture [1, 3, H, W] is (Hasler & Süsstrunk 2003), in 255ths."""
    red, green, blue = (rgb[0].double() * 255).unbind(0)
    one, other = red - green, (red + green) / 2 - blue
    spread = math.hypot(one.std().item(), other.std().item())
    return spread + 0.3 * math.hypot(one.mean().item(), other.mean().item())


def _save(path: Path, network: torch.nn.Module, options: dict[str, object]) -> None:
    about = {
        "kind": "colorizer",
        "licence": "Apache-2.0",
        "recipe": "recipes/colorizer.md",
        "architecture": options["preset"],
        "multiple": network.multiple,
        "size": options["size"],
        "training": options,
    }
    weights.write(path, weights.halved(network.state_dict()), about)
