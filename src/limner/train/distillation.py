"""Train ``compact``, the small perceptual network that ships, to imitate VGG-19.

Knowledge distillation (Hinton et al. 2015; for style transfer Wang et al. 2020, "Collaborative
Distillation"): starting from random weights, the student's taps learn to predict the teachers'
taps. A tap is the output of one ReLU. There are two kinds of teachers, with different widths:

- A teacher of full width is VGG-19 itself. A 1×1 convolution (a *head*) translates each of the
  student's taps to the teacher's width. Heads are dropped after the training.
- A teacher of the student's widths. From block 3 on, the student's tap must equal the teacher's.
  In blocks 1 and 2 the student is free to find its own filters.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from limner.checks import check_range
from limner.errors import OptionError, WeightsError
from limner.nn import devices, features, seeding, weights
from limner.progress import OnStep, silent
from limner.train import parallel
from limner.train.crops import Crops
from limner.train.run import Run, check_training, cosine

# student's tap -> teacher's tap. VGG-19 has four convolutions in blocks 3 and 4 where the student
# has three, so the last ones are paired.
TEACHER_TAPS = {tap: tap for tap in ("1_1", "1_2", "2_1", "2_2", "3_1", "4_1", "4_2", "5_1")}
TEACHER_TAPS |= {"3_3": "3_4", "4_3": "4_4"}

WIDTHS = features.SHAPES["compact"][0]
LOG_EVERY = 50  # steps between two rows of the log


class Teacher(nn.Module):
    """A VGG-19 of any width, from a file with ``preprocess`` and ``conv1_1``, ``conv1_2``, …"""

    def __init__(self, state: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        if "preprocess.weight" not in state or "conv1_1.weight" not in state:
            raise WeightsError(
                f"{name}: not a VGG-19 teacher; its layers must be preprocess, conv1_1, conv1_2, …"
            )
        self.layers = nn.ModuleDict()
        for key, weight in state.items():
            layer, _, part = key.partition(".")
            if part == "weight" and not layer.endswith("_to_full_width"):
                bias = state.get(f"{layer}.bias")
                if weight.dim() != 4 or bias is None or bias.shape != weight.shape[:1]:
                    raise WeightsError(
                        f"{name}: not a VGG-19 teacher; {layer} must be a convolution with a bias"
                    )
                out, into, side, _ = weight.shape
                module = nn.Conv2d(into, out, side, padding=side // 2, padding_mode="reflect")
                module.load_state_dict({"weight": weight, "bias": bias})
                self.layers[layer] = module
        names = sorted(self.layers)  # conv1_1, conv1_2, … and preprocess last
        self.widths = {n.removeprefix("conv"): len(state[f"{n}.weight"]) for n in names[:-1]}
        self.magnitudes = dict.fromkeys(self.widths, 1.0)
        self.requires_grad_(False)

    def calibrate(self, picture: Tensor) -> None:
        """From now on, divide each tap by its root mean square over this batch [N, 3, H, W].

        The taps of a VGG differ in size by a factor of ten. A network that has to learn these
        factors by gradient descent spends its first thousand steps on them.
        """
        self.magnitudes = {tap: x.square().mean().sqrt().item() for tap, x in self(picture).items()}

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """Compute all taps of pictures [N, 3, H, W] in 0..1."""
        x = self.layers["preprocess"](picture)
        taps = {}
        for tap in self.widths:
            if tap != "1_1" and tap.endswith("_1"):
                x = F.max_pool2d(x, 2)
            x = F.relu(self.layers[f"conv{tap}"](x))
            taps[tap] = x / self.magnitudes[tap]
        return taps


def explained_variance(student: Tensor, teacher: Tensor) -> Tensor:
    """Share of the teacher's variance over [N, C, H, W] that the student explains; at most 1."""
    variance = (teacher - teacher.mean((0, 2, 3), keepdim=True)).square().mean()
    return 1 - F.mse_loss(student, teacher) / variance


class Student(nn.Module):
    """The compact network, with heads that translate its taps to the widths of its teachers."""

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        super().__init__()
        self.network = features.VGG("compact")
        # batch normalization makes deep VGG networks trainable in minutes; `folded` removes it
        for tap, convolution in self.network.convolutions.items():
            norm = nn.BatchNorm2d(WIDTHS[int(tap[0]) - 1], momentum=0.02)
            self.network.convolutions[tap] = nn.Sequential(convolution, norm)
        self.heads = nn.ModuleList()
        self.taps: list[list[str]] = []
        for teacher in teachers:
            heads, taps = nn.ModuleDict(), []
            for tap, teacher_tap in TEACHER_TAPS.items():
                if teacher_tap not in teacher.widths:
                    continue
                width, teacher_width = WIDTHS[int(tap[0]) - 1], teacher.widths[teacher_tap]
                if width != teacher_width:
                    heads[tap] = nn.Conv2d(width, teacher_width, 1)
                if width != teacher_width or tap >= "3":
                    taps.append(tap)
            self.heads.append(heads)
            self.taps.append(taps)

    def folded(self) -> features.VGG:
        """Return the network without heads, batch normalization folded into the convolutions."""
        network = features.VGG("compact")
        for tap, layers in self.network.eval().convolutions.items():
            assert isinstance(layers, nn.Sequential)
            convolution, norm = layers
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            network.convolutions[tap] = fuse_conv_bn_eval(convolution, norm)
        self.network.train()
        return network.eval()

    def explained_variance(self, picture: Tensor, teachers: Sequence[Teacher]) -> dict[str, Tensor]:
        """Share of variance explained on [N, 3, H, W]: ``"0/4_1"`` is tap 4_1 of teacher 0.

        A teacher of full width costs more than everything else together, so it gets a quarter of
        the batch.
        """
        explained = {}
        student_taps = self.network(picture, TEACHER_TAPS)
        for number, teacher in enumerate(teachers):
            heads = self.heads[number]
            assert isinstance(heads, nn.ModuleDict)
            count = -(-len(picture) // 4) if heads else len(picture)
            with torch.no_grad():
                teacher_taps = teacher(picture[:count])
            for tap in self.taps[number]:
                ours = student_taps[tap][:count]
                ours = heads[tap](ours) if tap in heads else ours
                explained[f"{number}/{tap}"] = explained_variance(
                    ours, teacher_taps[TEACHER_TAPS[tap]]
                )
        return explained


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
    device: str = "auto",
    save_every: int = 500,
    resume: bool = False,
    on_step: OnStep = silent,
) -> dict[str, float]:
    """Train the perceptual network, which measures how similar two pictures look.

    Parameters
    ----------
    photos : sequence of Path
        Folders of pictures to learn from. A tenth of each, chosen by file name, is held out for
        the scores.
    run : Path
        The run folder. The result is ``model.safetensors`` in it.
    teacher : sequence of Path
        VGG-19 weights to imitate, with layers named ``conv1_1``, ``conv1_2`` … after a 1×1 layer
        named ``preprocess``. Can be given several times.
    steps : int
        Number of training steps.
    batch_size : int
        Crops per step.
    size : int
        Side of a crop in pixels, at least 32.
    learning_rate : float
        The highest learning rate, above 0 and below 1. It rises for 200 steps, then falls to zero
        along a cosine.
    seed : int
        Random seed. The same seed gives the same network.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    save_every : int
        Steps between two checkpoints.
    resume : bool
        Resume from the checkpoint in the run folder. The result is the same as without the
        interruption.
    on_step : callable
        Called with a `Progress` at every step. Raise `Stop` in it to save a checkpoint and end.

    Returns
    -------
    dict of str to float
        Share of the variance explained, for each tap of each teacher, on the held-out pictures.

    Raises
    ------
    OptionError, InputError, WeightsError, OutputError
        An option is out of range, a folder holds no pictures, a file is not a teacher, or the run
        folder cannot be used.
    """
    check_range("size", size, 32)
    check_training(learning_rate, steps=steps, batch_size=batch_size, save_every=save_every)
    if parallel.world_size() > 1:
        raise OptionError("train features: runs in one process; start it without torchrun")
    torch_device = devices.pick(device)
    with seeding.preserved():
        teachers = [Teacher(weights.read(path), path.name).to(torch_device) for path in teacher]
    options = {
        "photos": [p.name for p in photos],
        "teacher": [p.name for p in teacher],
        "steps": steps,
        "batch_size": batch_size,
        "size": size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    with Run("features", run, options, resume=resume, on_step=on_step) as record:
        torch.manual_seed(seed)
        student = Student(teachers).to(torch_device)
        optimizer = _optimizer(student)
        done = 0

        def state() -> dict[str, object]:
            return {
                "step": done,
                "student": student.state_dict(),
                "optimizer": optimizer.state_dict(),
            }

        if resume:
            saved = record.load()
            student.load_state_dict(saved["student"])
            optimizer.load_state_dict(saved["optimizer"])
            done = saved["step"]
        crops = Crops(photos, size)
        held_out = Crops(photos, 256, held_out=True)  # read now: it must not fail after hours
        for one in teachers:
            one.calibrate(crops.batch(32, seeding.generator(seed, 0)).to(torch_device))
        for step in range(done, steps):
            batch = crops.batch(batch_size, seeding.generator(seed, step)).to(torch_device)
            rate = learning_rate * cosine(step, steps)
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * rate
            explained = student.explained_variance(batch, teachers)
            loss = torch.stack([1 - share for share in explained.values()]).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step()
            done = step + 1
            if done % LOG_EVERY == 0:
                shares = {tap: share.item() for tap, share in explained.items()}
                record.log(done, {"loss": loss.item(), **shares})
            if done % save_every == 0 or done == steps:
                _save(student.folded(), record.model, options)
                record.save(state())
            record.report("distilling", done, steps, state, loss=loss.item())
        return held_out_scores(student, teachers, held_out)


def held_out_scores(
    student: Student, teachers: Sequence[Teacher], crops: Crops
) -> dict[str, float]:
    """Mean share of the variance explained, over 64 crops from the held-out pictures."""
    student.eval()
    torch_device = next(student.parameters()).device
    totals: dict[str, float] = {}
    with torch.no_grad():
        for number in range(16):
            batch = crops.batch(4, seeding.generator(1, number)).to(torch_device)
            for key, share in student.explained_variance(batch, teachers).items():
                totals[key] = totals.get(key, 0.0) + share.item() / 16
    return totals


def _optimizer(student: Student) -> torch.optim.AdamW:
    """AdamW. Biases and the gains of batch normalization learn five times as fast as weights."""
    gains = [p for p in student.network.parameters() if p.dim() == 1]
    others = [p for p in student.parameters() if all(p is not gain for gain in gains)]
    return torch.optim.AdamW(
        [
            {"params": others, "share": 1.0},
            {"params": gains, "share": 5.0, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.99),
        weight_decay=1e-4,
    )


def _save(network: features.VGG, path: Path, options: Mapping[str, object]) -> None:
    about = {
        "kind": "features",
        "shape": "compact",
        "license": "Apache-2.0",
        "recipe": "recipes/compact-features.md",
        "receptive_radius": features.receptive_radius("compact", "5_1"),
        "training": options,
    }
    weights.write(path, weights.halved(network.state_dict()), about)
