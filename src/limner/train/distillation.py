"""Train ``compact``, the perceptual network that ships, to see what VGG-19 sees.

Knowledge distillation (Hinton et al. 2015; for style transfer Wang et al. 2020, "Collaborative
Distillation"): from random weights, the taps of the small network learn to predict the taps of its
teachers. Two kinds of teachers are told apart by their widths:

- full width, the VGG-19 itself: our tap must hold what its tap holds, so a 1×1 convolution (a
  *head*) translates. Heads are thrown away after training;
- our own widths: from block 3 on, our tap must equal its tap. Below, our network is free to find
  its own filters.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from limner.errors import OptionError, WeightsError
from limner.nn import features, seeding, weights
from limner.progress import OnStep, Progress, silent
from limner.train.crops import Crops
from limner.train.run import Run, cosine

# VGG-19 has four convolutions in blocks 3 and 4 where we have three: the last ones meet.
TEACHERS_TAP = {tap: tap for tap in ("1_1", "1_2", "2_1", "2_2", "3_1", "4_1", "4_2", "5_1")}
TEACHERS_TAP |= {"3_3": "3_4", "4_3": "4_4"}

WIDTHS = features.SHAPES["compact"][0]


class Teacher(nn.Module):
    """A VGG-19 of any width whose file names its layers ``conv1_1``, with ``preprocess`` before."""

    def __init__(self, state: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        if "preprocess.weight" not in state or "conv1_1.weight" not in state:
            raise WeightsError(f"{name}: no teacher: it needs preprocess and conv1_1, conv1_2, …")
        self.layers = nn.ModuleDict()
        for key, weight in state.items():
            layer, _, part = key.partition(".")
            if part == "weight" and not layer.endswith("_to_full_width"):
                bias = state.get(f"{layer}.bias")
                if weight.dim() != 4 or bias is None or bias.shape != weight.shape[:1]:
                    raise WeightsError(f"{name}: no teacher: {layer} is no convolution with a bias")
                out, into, side, _ = weight.shape
                module = nn.Conv2d(into, out, side, padding=side // 2, padding_mode="reflect")
                module.load_state_dict({"weight": weight, "bias": bias})
                self.layers[layer] = module
        names = sorted(self.layers)  # conv1_1, conv1_2, … and preprocess last
        self.widths = {n.removeprefix("conv"): len(state[f"{n}.weight"]) for n in names[:-1]}
        self.sizes = dict.fromkeys(self.widths, 1.0)
        self.requires_grad_(False)

    def calibrate(self, picture: Tensor) -> None:
        """From now on divide every tap by its root mean square over this picture [N, 3, H, W].

        Taps of a VGG differ by a factor of ten; a network that has to find that by gradient descent
        spends its first thousand steps on it.
        """
        self.sizes = {tap: x.square().mean().sqrt().item() for tap, x in self(picture).items()}

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """Every tap of a picture [N, 3, H, W] in 0..1."""
        x = self.layers["preprocess"](picture)
        found = {}
        for tap in self.widths:
            if tap != "1_1" and tap.endswith("_1"):
                x = F.max_pool2d(x, 2)
            x = F.relu(self.layers[f"conv{tap}"](x))
            found[tap] = x / self.sizes[tap]
        return found


def explained(student: Tensor, teacher: Tensor) -> Tensor:
    """Share of the teacher's variance that the student explains, at most 1; over [N, C, H, W]."""
    variance = (teacher - teacher.mean((0, 2, 3), keepdim=True)).square().mean()
    return 1 - F.mse_loss(student, teacher) / variance


class Student(nn.Module):
    """The compact network, with heads onto the taps of wider teachers."""

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        super().__init__()
        self.network = features.VGG("compact")
        # batch normalisation makes deep VGG networks trainable in minutes; `plain` folds it away
        for tap, convolution in self.network.convolutions.items():
            normalised = nn.BatchNorm2d(WIDTHS[int(tap[0]) - 1], momentum=0.02)
            self.network.convolutions[tap] = nn.Sequential(convolution, normalised)
        self.heads = nn.ModuleList()
        self.taps: list[list[str]] = []
        for teacher in teachers:
            heads, taps = nn.ModuleDict(), []
            for tap, theirs in TEACHERS_TAP.items():
                if theirs not in teacher.widths:
                    continue
                width, wanted = WIDTHS[int(tap[0]) - 1], teacher.widths[theirs]
                if width != wanted:
                    heads[tap] = nn.Conv2d(width, wanted, 1)
                if width != wanted or tap >= "3":
                    taps.append(tap)
            self.heads.append(heads)
            self.taps.append(taps)

    def plain(self) -> features.VGG:
        """The network alone, its batch normalisation folded into its convolutions."""
        network = features.VGG("compact")
        for tap, layers in self.network.eval().convolutions.items():
            assert isinstance(layers, nn.Sequential)
            convolution, normalised = layers
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(normalised, nn.BatchNorm2d)
            network.convolutions[tap] = fuse_conv_bn_eval(convolution, normalised)
        self.network.train()
        return network.eval()

    def explained(self, picture: Tensor, teachers: Sequence[Teacher]) -> dict[str, Tensor]:
        """Share of variance explained, for every tap of every teacher: ``"0/4_1"``.

        A full-width teacher costs more than all else together, so it sees a quarter of the batch.
        """
        found = {}
        seen = self.network(picture, TEACHERS_TAP)
        for number, teacher in enumerate(teachers):
            heads = self.heads[number]
            assert isinstance(heads, nn.ModuleDict)
            part = -(-len(picture) // 4) if heads else len(picture)
            with torch.no_grad():
                theirs = teacher(picture[:part])
            for tap in self.taps[number]:
                ours = seen[tap][:part]
                ours = heads[tap](ours) if tap in heads else ours
                found[f"{number}/{tap}"] = explained(ours, theirs[TEACHERS_TAP[tap]])
        return found


def train_features(
    photos: Sequence[Path],
    run: Path,
    *,
    teacher: Sequence[Path],
    steps: int = 16000,
    batch_size: int = 8,
    size: int = 128,
    learning_rate: float = 2e-3,
    seed: int = 0,
    save_every: int = 500,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train the compact perceptual network from random weights.

    Parameters
    ----------
    photos : sequence of Path
        Folders of pictures. A tenth of each, chosen by name, is held out for the scores.
    run : Path
        The run folder; ``model.safetensors`` in it is the result.
    teacher : sequence of Path
        Files of VGG-19 teachers with layers named ``conv1_1`` and a 1×1 ``preprocess``.
    steps : int
        Optimiser steps.
    batch_size : int
        Crops in a step.
    size : int
        Side of a crop in pixels, at least 32.
    learning_rate : float
        The highest; it rises for 200 steps and falls along a cosine to zero.
    seed : int
        Of weights and crops.
    save_every : int
        Steps between two checkpoints, at least 1.
    resume : bool
        Go on from the run's checkpoint: the same bits as without the stop.
    on_step : callable
        Called with a `Progress` at every step.

    Returns
    -------
    dict of str to float
        Share of each teacher tap's variance explained on the held-out pictures.

    Raises
    ------
    OptionError, InputError, WeightsError, OutputError
        An option out of range, folders without pictures, no teacher, an unusable run folder.
    """
    if size < 32:
        raise OptionError(f"--size {size}: must be at least 32 pixels")
    if min(steps, batch_size, save_every) < 1:
        raise OptionError("--steps, --batch-size and --save-every: must be at least 1")
    begun = time.monotonic()
    teachers = [Teacher(weights.read(path), path.name) for path in teacher]
    options = {
        "photos": [p.name for p in photos],
        "teacher": [p.name for p in teacher],
        "steps": steps,
        "batch_size": batch_size,
        "size": size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    with Run(run, options, resume=resume) as record:
        torch.manual_seed(seed)
        student = Student(teachers)
        gains = [p for p in student.network.parameters() if p.dim() == 1]
        others = [p for p in student.parameters() if all(p is not gain for gain in gains)]
        optimiser = torch.optim.AdamW(
            [
                {"params": others, "share": 1.0},
                {"params": gains, "share": 5.0, "weight_decay": 0.0},
            ],
            betas=(0.9, 0.99),
            weight_decay=1e-4,
        )
        first = 0
        if resume:
            state = record.load()
            student.load_state_dict(state["student"])
            optimiser.load_state_dict(state["optimiser"])
            first = state["step"]
        crops = Crops(photos, size)
        unseen = Crops(photos, 256, held_out=True)  # now, lest it fail after hours
        for one in teachers:
            one.calibrate(crops.batch(32, seeding.generator(seed, 0)))
        for step in range(first, steps):
            batch = crops.batch(batch_size, seeding.generator(seed, step))
            share = learning_rate * cosine(step, steps)
            for group in optimiser.param_groups:
                group["lr"] = group["share"] * share
            scores = student.explained(batch, teachers)
            loss = torch.stack([1 - score for score in scores.values()]).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
            done = step + 1
            if done % 50 == 0:
                found = {key: score.item() for key, score in scores.items()}
                record.log(done, {"loss": loss.item(), **found})
            if done % save_every == 0 or done == steps:
                record.save(
                    {
                        "step": done,
                        "student": student.state_dict(),
                        "optimiser": optimiser.state_dict(),
                    }
                )
                _save(student.plain(), record.model, options)
            on_step(
                Progress(
                    "train features",
                    "distilling",
                    done,
                    steps,
                    time.monotonic() - begun,
                    loss.item(),
                    share=done / steps,
                )
            )
        return held_out_scores(student, teachers, unseen)


def held_out_scores(
    student: Student, teachers: Sequence[Teacher], crops: Crops
) -> dict[str, float]:
    """Mean share of variance explained over 64 crops from pictures never trained on."""
    student.eval()
    totals: dict[str, float] = {}
    with torch.no_grad():
        for number in range(16):
            batch = crops.batch(4, seeding.generator(1, number))
            for key, score in student.explained(batch, teachers).items():
                totals[key] = totals.get(key, 0.0) + score.item() / 16
    return totals


def _save(network: features.VGG, path: Path, options: Mapping[str, object]) -> None:
    about = {
        "kind": "features",
        "shape": "compact",
        "licence": "Apache-2.0",
        "recipe": "recipes/compact-features.md",
        "receptive_radius": features.receptive_radius("compact", "5_1"),
        "training": options,
    }
    weights.write(path, weights.halved(network.state_dict()), about)
