"""Measure `hybridize`: scores, seconds, memory, and the fast solver against gradient descent.

    python benchmarks/hybrid.py NEAR FAR [NEAR FAR …]

Scores and seconds are those of whole calls, with reading the files and searching the cut-off.
Imports are not counted, and no file is written, because most of that time would be PNG's.
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
from limner.hybrid.metrics import MAX_LEAK, MIN_FAR, MIN_NEAR
from limner.hybrid.plan import crop_to_common
from limner.hybrid.spectrum import gaussian_blur, low_pass
from limner.io import write
from limner.nn import images

SIGMA = 3.0  # of the blur with which solvers are compared, in pixels


def call(near: Path, far: Path, size: int | None) -> tuple[float, str]:
    """Return the seconds of one call, after a small one to warm up, and the plan it reported."""
    notes: list[str] = []
    limner.hybridize(near, far, size=64)
    began = time.perf_counter()
    limner.hybridize(near, far, size=size, on_step=lambda progress: notes.append(progress.note))
    return time.perf_counter() - began, notes[0]


def row(near: Path, far: Path) -> bool:
    """Print the scores of a pair at 512 px; return whether they are as good as they should be."""
    began = time.perf_counter()
    picture = limner.hybridize(near, far, size=512)
    seconds = time.perf_counter() - began
    found = json.loads(picture.info["limner"])["found"]
    s = found["scores"]
    good = s["near"] >= MIN_NEAR and s["far"] >= MIN_FAR and s["leak"] <= s["floor"] + MAX_LEAK
    print(
        f"{near.stem[:18]:18} {far.stem[:18]:18} σ {found['sigma']:3.1f}  near {s['near']:.3f}  "
        f"far {s['far']:.3f}  leak {s['leak']:+.3f} (floor {s['floor']:+.3f})  "
        f"worst part {s['worst']:.2f}  clipped {found['clipped']:.1%}  {seconds:.2f} s"
    )
    return bool(good)


def pair(near: Path, far: Path) -> tuple[Tensor, Tensor]:
    """Read both pictures and bring them to 512 px, without aligning them."""
    one, other = io.read(near).rgb, io.read(far).rgb
    return crop_to_common(one, other, Similarity(), 512)


def race(near: Tensor, far: Tensor, weight: float) -> float:
    """Return how many times faster the fast solver reaches the loss of 200 steps of descent."""
    objective = optimization.Objective.prepare(near, far, weight)
    began = time.perf_counter()
    descent = optimization.gradient_descent(objective)
    *_, (_, target) = islice(descent, optimization.STEPS + 1)
    slow = time.perf_counter() - began
    began = time.perf_counter()
    for steps, (_, loss) in enumerate(optimization.fast_solver(objective)):  # noqa: B007
        if loss <= target:
            break
    fast = time.perf_counter() - began
    print(
        f"weight {weight:.1f}: descent {target * 1e3:.3f}e-3 in {slow:.2f} s; "
        f"fast {loss * 1e3:.3f}e-3 after {steps} steps in {fast:.3f} s: {slow / fast:.0f} : 1"
    )
    return slow / fast


def gap(near: Tensor, far: Tensor) -> tuple[float, float]:
    """Return the loss of the clipped closed form, and of the optimum among pictures in 0..1.

    The loss is |(1 - H)(X - N)|² + |H(X - F)|². Its minimum without bounds is the closed form C, so
    it equals (X - C)·S(X - C) plus a constant, with S = (1 - H)² + H².
    """
    size = near.numel()

    def high(picture: Tensor) -> Tensor:
        return picture - gaussian_blur(picture, SIGMA)

    def loss_of(picture: Tensor) -> float:
        low = gaussian_blur(picture - far, SIGMA)
        return (high(picture - near).square().sum() + low.square().sum()).item() / size

    closed = blend(near, far, SIGMA, "detail", 1.0)

    def objective(picture: Tensor) -> tuple[float, Tensor]:
        offset = picture - closed
        gradient = 2 / size * (offset - low_pass(offset, SIGMA, lambda h: 2 * h - 2 * h**2))
        return loss_of(picture), gradient

    def precondition(gradient: Tensor) -> Tensor:
        difference = low_pass(gradient, SIGMA, lambda h: 1 / (1 - 2 * h + 2 * h**2) - 1)
        return size / 2 * (gradient + difference)

    clipped = closed.clamp(0, 1)
    *_, (_, best) = islice(optimization.projected_lbfgs(objective, precondition, clipped), 150)
    return loss_of(clipped), best


def main() -> None:
    """Run everything and print it."""
    paths = [Path(argument) for argument in sys.argv[1:]]
    pairs = list(zip(paths[::2], paths[1::2], strict=True))
    limner.hybridize(*pairs[0], size=64)
    good = [row(*one) for one in pairs]
    limits = f"near ≥ {MIN_NEAR}, far ≥ {MIN_FAR} and leak ≤ floor + {MAX_LEAK}"
    print(f"{limits}: {sum(good)} of {len(good)} pairs\n")

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

    print("the article's loss, 512 px: 200 steps of gradient descent against the fast solver")
    tensors = [pair(*one) for one in pairs]
    ratios = [race(*one, weight) for one in tensors for weight in (0.1, 0.3, 1.0)]
    print(f"lowest ratio {min(ratios):.0f} : 1\n")

    print("the loss of --method detail, 512 px: clipped closed form against the optimum")
    for (near, _), one in zip(pairs, tensors, strict=True):
        clipped, best = gap(*one)
        losses = f"{clipped * 1e3:.4f}e-3 against {best * 1e3:.4f}e-3: +{clipped / best - 1:.2%}"
        print(f"{near.stem[:18]:18} {losses}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
