"""Measure painters: their scores on held-out pictures, and the speed of their training.

    python benchmarks/painters.py FOLDER RUN... [--features vgg19_to_conv3_1.safetensors]

FOLDER is what the runs were trained on, with `limner train painter FOLDER -o RUN --preset …` and
the same `--time-budget`. 500 pictures of each run are compared with the fifth of the folder that
was held out. The last line is for the training pictures themselves. limner's own features take part
in the training of `auto`, so the kernel distance is also measured with another network, which is as
wide as VGG-19.

Without runs: the seconds of a training step, relative to plain torch code of the same networks,
both in turns.
"""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from csv import DictReader
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.generation.gan import latent_space, metrics, painter, stylegan2, stylegan2_layers
from limner.generation.gan.adversarial_step import AdversarialStep
from limner.generation.gan.dataset import Dataset, read_folder
from limner.generation.gan.presets import PRESETS, build
from limner.nn import weights
from limner.nn.seeding import generator
from limner.train.distillation import Teacher

MEASURED = 500  # pictures of each run
TAPS = ("1_2", "2_2", "3_1")  # of the other network
TURNS = 5


def kernel_distance(
    network: Teacher, training: Tensor, held_out: Tensor, generated: Tensor
) -> tuple[float, float]:
    """Kernel distance ×1000 by another network, and its deviation over subsets."""

    @torch.no_grad()
    def means(pictures: Tensor) -> Tensor:
        taps = [network(few) for few in torch.split(pictures, 8)]
        return torch.cat([torch.cat([t[tap].mean((2, 3)) for tap in TAPS], 1) for t in taps])

    typical = means(training).mean(0) + 1e-6
    one, other = (x / (x + typical) for x in map(means, (generated, held_out)))
    random, size = generator(0, 0), len(other)
    subsets = [
        one[torch.randperm(len(one), generator=random)[:size]] for _ in range(metrics.SUBSETS)
    ]
    spread = torch.stack([metrics.kernel_distance(subset, other) for subset in subsets]).std()
    return metrics.kernel_distance(one, other).item() * 1000, spread.item() * 1000


def compare(folder: Path, runs: list[Path], other: Path | None) -> None:
    """Print a line for each run, and one for the training pictures."""
    teacher = Teacher(weights.read(other), str(other)) if other else None
    print("                 steps  s/kimg   KID ×1000   other network precision recall copies")
    for run in runs:
        network, _ = painter.load(run, torch.device("cpu"))
        dataset = Dataset(folder, read_folder(folder, network.size), network.size, mirror=False)
        training, held_out = dataset.training_centers(), dataset.held_out_centers()
        evaluator = metrics.Evaluator(training, held_out, dataset.training_crops())
        z = torch.cat([latent_space.draw_latent(network, seed) for seed in range(MEASURED)])
        made = latent_space.paint(network, latent_space.to_styles(network, z, 1.0), 0)
        *_, last = DictReader((run / "log.csv").open())
        state = torch.load(run / "checkpoint.pt", weights_only=True)
        options = weights.describe(run / "model.safetensors")["training"]
        batch = int(options.partition('"batch_size": ')[2].partition(",")[0])
        pace = 1000 * state["seconds"] / (batch * state["step"])
        score = evaluator.score(made, generator(0, 0))
        lines = [(run.name, f"{last['step']:>6} {pace:7.0f}", score, made)]
        if run == runs[-1]:
            real = evaluator.score_training(generator(0, 0))
            lines.append(("the folder", " " * 14, real, training))
        for name, effort, score, pictures in lines:
            line = f"{name:14} {effort}  {score.kid:6.1f} ± {score.spread:.1f}"
            if teacher:
                theirs = kernel_distance(teacher, training, held_out, pictures)
                line += f"  {theirs[0]:6.1f} ± {theirs[1]:.1f}"
            line += f"  {score.precision:6.2f} {score.recall:6.2f} {score.copies:6.2f}"
            print(line, flush=True)


def plain_dcgan(made: Any, judge: Any) -> Callable[[Tensor], None]:
    """A training step of DCGAN as in tutorials."""
    adams = [torch.optim.Adam(one.parameters(), 2e-4, betas=(0.5, 0.999)) for one in (judge, made)]

    def step(real: Tensor) -> None:
        fake = made(torch.randn(len(real), made.latent_size))
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        adams[0].zero_grad()
        F.binary_cross_entropy_with_logits(judge(real), ones).backward()  # type: ignore[no-untyped-call]
        F.binary_cross_entropy_with_logits(judge(fake.detach()), zeros).backward()  # type: ignore[no-untyped-call]
        adams[0].step()
        adams[1].zero_grad()
        F.binary_cross_entropy_with_logits(judge(fake), ones).backward()  # type: ignore[no-untyped-call]
        adams[1].step()

    return step


def plain_auto(made: Any, judge: Any) -> Callable[[Tensor], None]:
    """A training step of `auto` in plain code, without its augmentation and its EMA."""
    plan = PRESETS["auto"]
    rate, betas, every = plan.learning_rate, plan.betas, plan.penalty_every
    adams = [torch.optim.Adam(one.parameters(), rate, betas=betas) for one in (judge, made)]
    count = 0

    def step(real: Tensor) -> None:
        nonlocal count
        fake = made(torch.randn(len(real), made.latent_size))
        seen = fake.detach()
        if lazy := count % every == 0:
            real, seen = real.requires_grad_(True), seen.requires_grad_(True)
        on_real, on_fake = judge(real), judge(seen)
        loss = F.softplus(on_fake - on_real).mean()
        if lazy:
            for logits, pictures in ((on_real, real), (on_fake, seen)):
                (slope,) = torch.autograd.grad(logits.mean(1).sum(), pictures, create_graph=True)
                loss = loss + every / 2 * slope.square().sum((1, 2, 3)).mean()
        adams[0].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adams[0].step()
        wins = F.softplus(judge(real.detach()).detach() - judge(fake)).mean()
        adams[1].zero_grad()
        wins.backward()  # type: ignore[no-untyped-call]
        adams[1].step()
        count += 1

    return step


class Grouped(stylegan2_layers.ModulatedConv2d):
    """The modulated convolution as the paper describes it: own kernels for every picture."""

    def forward(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """As in the class that it replaces."""
        (count, inputs, height, width), outputs = x.shape, len(self.weight)
        weight = self.weight * self.gain * self.style(w)[:, None, :, None, None]
        if self.demodulate:
            weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = x.reshape(1, count * inputs, height, width)
        if self.upsample:
            weight = weight.transpose(1, 2).flatten(0, 1)
            x = F.conv_transpose2d(x, weight, stride=2, groups=count).view(
                count, outputs, 2 * height + 1, 2 * width + 1
            )
            x = stylegan2_layers.lowpass(x, 1, gain=4.0)
        else:
            side = weight.shape[-1] // 2
            x = F.conv2d(x, weight.flatten(0, 1), padding=side, groups=count)
            x = x.view(count, outputs, height, width)
        return x, x.new_ones(count, outputs, 1, 1)


def plain_stylegan2(made: Any, judge: Any) -> Callable[[Tensor], None]:
    """A training step of StyleGAN2 with grouped convolutions, and otherwise ours."""
    for module in made.modules():
        if isinstance(module, stylegan2_layers.ModulatedConv2d):
            module.__class__ = Grouped
    stage, count = AdversarialStep(made, judge, PRESETS["stylegan2"]), 0

    def step(real: Tensor) -> None:
        nonlocal count
        stage.step(real, count, 1.0)
        count += 1

    return step


def speed() -> None:
    """Print the seconds of our steps, relative to plain ones."""
    plain = {"dcgan": plain_dcgan, "auto": plain_auto, "stylegan2": plain_stylegan2}
    for name, make in plain.items():
        plan = PRESETS[name]
        both: list[Any] = [build(plan.architecture, (64, 64)) for _ in range(2)]
        if name == "stylegan2":  # smaller than the preset, which takes a minute per step
            size, base = (16, 16), 2048
            both = [
                (
                    stylegan2.Generator(size, channel_base=base),
                    stylegan2.Discriminator(size, channel_base=base),
                )
                for _ in range(2)
            ]
        theirs = make(*both[0])
        made, judge = (one.to(memory_format=torch.channels_last) for one in both[1])
        stage, real = AdversarialStep(made, judge, plan), torch.rand(plan.batch_size, 3, *made.size)
        steps = 2 if name == "dcgan" else 4  # with and without a penalty
        ratios = []
        for turn in range(TURNS):
            seconds = []
            for ours in (True, False):
                began = time.monotonic()
                for step in range(2 * steps):
                    number = 2 * turn * steps + step
                    stage.step(real, number, 1.0) if ours else theirs(real.clone())
                seconds.append((time.monotonic() - began) / steps / 2)
            ratios.append(seconds[0] / seconds[1])
        ratio = median(ratios[1:])
        print(f"{name}: {seconds[0]:.2f} s per step, {ratio:.2f} times the plain one", flush=True)


def main() -> None:
    """Print the scores of runs, or the speeds."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--features", type=Path)
    given = parser.parse_args()
    compare(given.folder, given.runs, given.features) if given.runs else speed()


if __name__ == "__main__":
    main()
