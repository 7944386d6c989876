"""Measure what makes training steps faster: channels_last, bfloat16, torch.compile.

    python benchmarks/training.py [DEVICE]

Each network learns from random pictures, with the batch and the size of its training. Printed are
the times of steps relative to those in float32 without any of it, in one run.
"""

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import TypeVar

import torch
from torch import nn

from limner.beauty.predictor import UNet
from limner.beauty.stages import UNetStage
from limner.colorization.network import Colorizer
from limner.train.optim import muon_and_adam, optimizer_step
from limner.upscaling.compact import SHAPES, Compact
from limner.upscaling.stages import PixelStage

STEPS = 9  # timed, after two that do not count
Step = Callable[[], object]
Network = TypeVar("Network", bound=nn.Module)


def main() -> None:
    """Print everything."""
    device = torch.device(sys.argv[1] if len(sys.argv) > 1 else "cpu")
    for name, make in (
        ("colorizer, its U-Net", colorizer),
        ("upscaler, fast", upscaler),
        ("beautifier, its predictor", predictor),
    ):
        torch.manual_seed(0)
        steps = {
            "plain": make(device, last=False, compiled=False),
            "channels_last": make(device, last=True, compiled=False),
            "torch.compile": make(device, last=False, compiled=True),
        }
        if make is not predictor:  # its fill of the squares is not written for mixed types
            steps["bfloat16"] = in_bfloat16(make(device, last=False, compiled=False), device)
        taken = seconds(steps, device)
        plain = taken.pop("plain")
        shares = "".join(f", {what} {taken_by / plain:.2f}" for what, taken_by in taken.items())
        print(f"{name}: {1000 * plain:.0f} ms{shares}", flush=True)


def colorizer(device: torch.device, last: bool, compiled: bool) -> Step:
    """Make a step of the U-Net of the colorizing network, whose transformer takes little time."""
    network = placed(Colorizer(), device, last)
    encode = torch.compile(network.encode) if compiled else network.encode
    ink = torch.rand((16, 1, 192, 192), device=device)
    optimizers = muon_and_adam(network, 1e-3)
    return lambda: optimizer_step(encode(ink)[0].square().mean(), 1.0, *optimizers)


def upscaler(device: torch.device, last: bool, compiled: bool) -> Step:
    """Make a step of the upscaling network."""
    network = placed(Compact(*SHAPES["fast"], 4), device, last)
    stage = PixelStage(network, 1e-3)
    if compiled:
        network.compile()
    small, large = (torch.rand((8, 3, side, side), device=device) for side in (32, 128))
    return lambda: stage.step(small, large, large, 1.0)


def predictor(device: torch.device, last: bool, compiled: bool) -> Step:
    """Make a step of the network that predicts hidden squares."""
    network = placed(UNet(), device, last)
    stage = UNetStage(network, 1e-3)
    if compiled:
        network.compile()
    crops = torch.rand((12, 3, 224, 224), device=device)
    return lambda: stage.step(crops, 1.0)


def placed(network: Network, device: torch.device, last: bool) -> Network:
    """Move a network to a device, and perhaps to the other layout."""
    network.to(device)
    if last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def in_bfloat16(step: Step, device: torch.device) -> Step:
    """Let a step compute in mixed precision."""

    def called() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            step()

    return called


def seconds(steps: dict[str, Step], device: torch.device) -> dict[str, float]:
    """Return the median time of each step; they take turns, so that all see the same machine."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(STEPS + 2):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - began)
    return {name: median(taken[2:]) for name, taken in times.items()}


if __name__ == "__main__":
    main()
