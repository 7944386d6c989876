"""What painters are measured by, on pictures that none was trained on, and how fast they learn.

    python benchmarks/painters.py FOLDER RUN... [--judge vgg19_to_conv3_1.safetensors]

FOLDER is what the runs were trained on with `limner train painter FOLDER -o RUN --preset …`, all
with the same `--time-budget`. Measured are 500 pictures of each against the fifth that was held
out, beside the training pictures themselves. Our own features take part in the training of `auto`,
so the kernel distance is also measured through another network, of full-width VGG-19's layout.

Without runs: the seconds of a step of `limner train painter` against the plainest torch code of the
same networks, in one run, in turns.
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

from limner.generation.gan import latent_space, metrics, painter, stylegan2
from limner.generation.gan.adversarial_step import Game
from limner.generation.gan.dataset import Folder, read
from limner.generation.gan.presets import PRESETS, build
from limner.nn import weights
from limner.nn.seeding import generator
from limner.train.distillation import Teacher

MEASURED = 500  # pictures of each run
TAPS = ("1_2", "2_2", "3_1")  # of the other judge
TURNS = 5


def kid(judge: Teacher, learnt: Tensor, unseen: Tensor, made: Tensor) -> tuple[float, float]:
    """Kernel distance ×1000 through another network, and its deviation over subsets."""

    @torch.no_grad()
    def seen(pictures: Tensor) -> Tensor:
        lots = [judge(few) for few in torch.split(pictures, 8)]
        return torch.cat([torch.cat([t[tap].mean((2, 3)) for tap in TAPS], 1) for t in lots])

    usual = seen(learnt).mean(0) + 1e-6
    one, other = (x / (x + usual) for x in map(seen, (made, unseen)))
    random, size = generator(0, 0), len(other)
    lots = [one[torch.randperm(len(one), generator=random)[:size]] for _ in range(metrics.SUBSETS)]
    spread = torch.stack([metrics.kernel_distance(lot, other) for lot in lots]).std()
    return metrics.kernel_distance(one, other).item() * 1000, spread.item() * 1000


def compare(folder: Path, runs: list[Path], other: Path | None) -> None:
    """Print a line for each run, and one for the training pictures."""
    teacher = Teacher(weights.read(other), str(other)) if other else None
    print("                 steps  s/kimg   KID ×1000   other judge  precision recall copies")
    for run in runs:
        network, _ = painter.load(run, torch.device("cpu"))
        pictures = Folder(folder, read(folder, network.size), network.size, mirror=False)
        judge = metrics.Judge(pictures.learnt(), pictures.unseen(), pictures.crops())
        z = torch.cat([latent_space.latents(network, seed) for seed in range(MEASURED)])
        made = latent_space.painted(network, latent_space.styled(network, z, 1.0), 0)
        *_, last = DictReader((run / "log.csv").open())
        state = torch.load(run / "checkpoint.pt", weights_only=True)
        options = weights.describe(run / "model.safetensors")["training"]
        batch = int(options.partition('"batch_size": ')[2].partition(",")[0])
        pace = 1000 * state["seconds"] / (batch * state["step"])
        found = [
            (run.name, f"{last['step']:>6} {pace:7.0f}", judge.score(made, generator(0, 0)), made)
        ]
        if run == runs[-1]:
            real = judge.real(generator(0, 0))
            found.append(("the folder", " " * 14, real, pictures.learnt()))
        for name, past, score, lot in found:
            line = f"{name:14} {past}  {score.kid:6.1f} ± {score.spread:.1f}"
            if teacher:
                theirs = kid(teacher, pictures.learnt(), pictures.unseen(), lot)
                line += f"  {theirs[0]:6.1f} ± {theirs[1]:.1f}"
            line += f"  {score.precision:6.2f} {score.recall:6.2f} {score.copies:6.2f}"
            print(line, flush=True)


def plain_dcgan(made: Any, judge: Any) -> Callable[[Tensor], None]:
    """A step of DCGAN as tutorials have it."""
    adams = [torch.optim.Adam(one.parameters(), 2e-4, betas=(0.5, 0.999)) for one in (judge, made)]

    def step(real: Tensor) -> None:
        fake = made(torch.randn(len(real), made.latent))
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
    """A step of `auto` written down plainly, without its augmentation and its average."""
    plan = PRESETS["auto"]
    adams = [
        torch.optim.Adam(one.parameters(), plan.rate, betas=plan.betas) for one in (judge, made)
    ]
    count = 0

    def step(real: Tensor) -> None:
        nonlocal count
        fake = made(torch.randn(len(real), made.latent))
        seen = fake.detach()
        if lazy := count % plan.every == 0:
            real, seen = real.requires_grad_(True), seen.requires_grad_(True)
        above, below = judge(real), judge(seen)
        loss = F.softplus(below - above).mean()
        if lazy:
            for logits, pictures in ((above, real), (below, seen)):
                (slope,) = torch.autograd.grad(logits.mean(1).sum(), pictures, create_graph=True)
                loss = loss + plan.every / 2 * slope.square().sum((1, 2, 3)).mean()
        adams[0].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adams[0].step()
        wins = F.softplus(judge(real.detach()).detach() - judge(fake)).mean()
        adams[1].zero_grad()
        wins.backward()  # type: ignore[no-untyped-call]
        adams[1].step()
        count += 1

    return step


class Grouped(stylegan2.Modulated):
    """StyleGAN2's convolution as the paper words it: kernels of its own for every picture."""

    def forward(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """As that of the class it replaces."""
        (count, into, height, width), out = x.shape, len(self.weight)
        weight = self.weight * self.gain * self.style(w)[:, None, :, None, None]
        if self.demodulate:
            weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = x.reshape(1, count * into, height, width)
        if self.enlarge:
            weight = weight.transpose(1, 2).flatten(0, 1)
            x = F.conv_transpose2d(x, weight, stride=2, groups=count).view(
                count, out, 2 * height + 1, 2 * width + 1
            )
            x = stylegan2._filter(x, 1, gain=4.0)
        else:
            side = weight.shape[-1] // 2
            x = F.conv2d(x, weight.flatten(0, 1), padding=side, groups=count)
            x = x.view(count, out, height, width)
        return x, x.new_ones(count, out, 1, 1)


def plain_stylegan2(made: Any, judge: Any) -> Callable[[Tensor], None]:
    """A step of StyleGAN2 with grouped convolutions, else as ours."""
    for module in made.modules():
        if isinstance(module, stylegan2.Modulated):
            module.__class__ = Grouped
    game, count = Game(made, judge, PRESETS["stylegan2"]), 0

    def step(real: Tensor) -> None:
        nonlocal count
        game.step(real, count, 1.0)
        count += 1

    return step


def speed() -> None:
    """Print the seconds of our steps as shares of plain ones."""
    plain = {"dcgan": plain_dcgan, "auto": plain_auto, "stylegan2": plain_stylegan2}
    for name, make in plain.items():
        plan = PRESETS[name]
        both: list[Any] = [build(plan.architecture, (64, 64)) for _ in range(2)]
        if name == "stylegan2":  # smaller than the preset's, which takes a minute a step
            size = (16, 16)
            both = [
                (stylegan2.Generator(size, base=2048), stylegan2.Discriminator(size, base=2048))
                for _ in range(2)
            ]
        theirs = make(*both[0])
        made, judge = (one.to(memory_format=torch.channels_last) for one in both[1])
        game, real = Game(made, judge, plan), torch.rand(plan.batch_size, 3, *made.size)
        steps = 2 if name == "dcgan" else 4  # so that steps with and without a penalty are there
        ratios = []
        for turn in range(TURNS):
            seconds = []
            for ours in (True, False):
                began = time.monotonic()
                for step in range(2 * steps):
                    game.step(real, 2 * turn * steps + step, 1.0) if ours else theirs(real.clone())
                seconds.append((time.monotonic() - began) / steps / 2)
            ratios.append(seconds[0] / seconds[1])
        share = median(ratios[1:])
        print(f"{name}: {seconds[0]:.2f} s a step, {share:.2f} of the plain one's", flush=True)


def main() -> None:
    """Print both kinds of numbers, or one."""
    asked = ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path, nargs="?")
    asked.add_argument("runs", type=Path, nargs="*")
    asked.add_argument("--judge", type=Path)
    given = asked.parse_args()
    compare(given.folder, given.runs, given.judge) if given.runs else speed()


if __name__ == "__main__":
    main()
