"""What `hybridize` is measured by: scores, seconds, memory, and its solvers against the article's.

    python benchmarks/hybrid.py NEAR FAR [NEAR FAR …]

Scores and seconds are those of whole calls, files read and the cut-off searched, imports not
counted; the file is not written, for PNG's sake.
"""

import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

import limner
from child import measured
from limner import io
from limner.hybrid import optimization
from limner.hybrid.align import Similarity
from limner.hybrid.blend import blend
from limner.hybrid.hybridize import in_common
from limner.hybrid.spectrum import low_pass
from limner.io import write
from limner.nn import images

SIGMA = 3.0  # pixels at 512, where solvers are compared


def call(near: Path, far: Path, size: int | None) -> tuple[float, str]:
    """Seconds of one call after a first one, small, that warms up; and the plan it told."""
    told: list[str] = []
    limner.hybridize(near, far, size=64)
    began = time.perf_counter()
    limner.hybridize(near, far, size=size, on_step=lambda progress: told.append(progress.note))
    return time.perf_counter() - began, told[0]


def row(near: Path, far: Path) -> bool:
    """Print one pair's scores at 512 px, and say whether they are as good as they should be."""
    began = time.perf_counter()
    picture = limner.hybridize(near, far, size=512)
    seconds = time.perf_counter() - began
    found = json.loads(picture.info["limner"])["found"]
    s = found["scores"]
    good = s["near"] >= 0.85 and s["far"] >= 0.95 and s["leak"] <= s["floor"] + 0.05
    print(
        f"{near.stem[:18]:18} {far.stem[:18]:18} σ {found['sigma']:3.1f}  near {s['near']:.3f}  "
        f"far {s['far']:.3f}  leak {s['leak']:+.3f} (floor {s['floor']:+.3f})  "
        f"worst part {s['worst']:.2f}  clipped {found['clipped']:.1%}  {seconds:.2f} s"
    )
    return bool(good)


def pair(near: Path, far: Path) -> tuple[Tensor, Tensor]:
    """Both pictures at 512 px, as they lie."""
    one, other = io.read(near).rgb, io.read(far).rgb
    return in_common(one, other, Similarity(), 512)


def race(near: Tensor, far: Tensor, weight: float) -> float:
    """Seconds of the article's 200 steps, over seconds until our solver has a loss as low."""
    objective = optimization.Objective.of(near, far, weight)
    began = time.perf_counter()
    for _, loss in islice(optimization.descend(objective), optimization.STEPS + 1):
        theirs = loss
    slow = time.perf_counter() - began
    began = time.perf_counter()
    for steps, (_, loss) in enumerate(optimization.solve(objective)):  # noqa: B007
        if loss <= theirs:
            break
    fast = time.perf_counter() - began
    print(
        f"weight {weight:.1f}: article {theirs * 1e3:.3f}e-3 in {slow:.2f} s; "
        f"ours {loss * 1e3:.3f}e-3 after {steps} steps in {fast:.3f} s: {slow / fast:.0f} : 1"
    )
    return slow / fast


def gap(near: Tensor, far: Tensor) -> tuple[float, float]:
    """Loss of the closed form, clipped, and of a converged projected solver, of one objective.

    |(1−H)(X−N)|² + |H(X−F)|² over pictures in 0..1. Its unbounded minimum is the closed form C, so
    it is ⟨X−C, S(X−C)⟩ with S = (1−H)² + H², and a constant.
    """
    size = near.numel()

    def high(picture: Tensor) -> Tensor:
        return picture - low_pass(picture, SIGMA, lambda h: h)

    def loss_of(picture: Tensor) -> float:
        low = low_pass(picture - far, SIGMA, lambda h: h)
        return (high(picture - near).square().sum() + low.square().sum()).item() / size

    closed = blend(near, far, SIGMA, "detail", 1.0)

    def objective(picture: Tensor) -> tuple[float, Tensor]:
        away = picture - closed
        slope = 2 / size * (away - low_pass(away, SIGMA, lambda h: 2 * h - 2 * h**2))
        return loss_of(picture), slope

    def precondition(gradient: Tensor) -> Tensor:
        return (
            size
            / 2
            * (gradient + low_pass(gradient, SIGMA, lambda h: 1 / (1 - 2 * h + 2 * h**2) - 1))
        )

    *_, (_, best) = islice(optimization.minimise(objective, precondition, closed.clamp(0, 1)), 150)
    return loss_of(closed.clamp(0, 1)), best


def main() -> None:
    """Print everything."""
    paths = [Path(argument) for argument in sys.argv[1:]]
    pairs = list(zip(paths[::2], paths[1::2], strict=True))
    limner.hybridize(*pairs[0], size=64)
    good = [row(*one) for one in pairs]
    print(f"near ≥ .85, far ≥ .95 and leak ≤ floor + .05: {sum(good)} of {len(good)} pairs\n")

    (seconds, plan), _, peak = measured(call, *pairs[0], 512)
    print(f"512 px: {seconds:.2f} s, peak {peak / 2**30:.2f} GiB ({plan})")
    with tempfile.TemporaryDirectory() as folder:
        large = []
        for path in pairs[0]:
            rgb = images.resize(io.read(path).rgb, (3000, 4000))
            large.append(Path(folder) / f"{path.stem}.jpg")
            write(io.to_picture(rgb), large[-1])
        (seconds, plan), _, peak = measured(call, *large, None)
    print(f"12 megapixels: {seconds:.2f} s, peak {peak / 2**30:.2f} GiB ({plan})\n")

    print("the article's objective, 512 px: its 200 steps against our solver")
    tensors = [pair(*one) for one in pairs]
    ratios = [race(*one, weight) for one in tensors for weight in (0.1, 0.3, 1.0)]
    print(f"least ratio {min(ratios):.0f} : 1\n")

    print("the objective of --method detail, 512 px: clipped closed form against the optimum")
    for (near, _), one in zip(pairs, tensors, strict=True):
        ours, best = gap(*one)
        more = f"{ours * 1e3:.4f}e-3 against {best * 1e3:.4f}e-3: +{ours / best - 1:.2%}"
        print(f"{near.stem[:18]:18} {more}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
