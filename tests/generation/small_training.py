"""Trainings of small painters, for tests: a few steps, and what they leave behind."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from limner.generation.gan import dcgan, lightweight_gan, metrics, painter, train
from limner.generation.gan.metrics import Evaluator
from limner.generation.gan.train import train_painter
from limner.nn import seeding
from limner.progress import Progress, Stop
from stopping import same, until

SAMPLES, MEASURED = 4, 8
FOUR: dict[str, Any] = {"steps": 4, "save_every": 2}
AUTO: dict[str, Any] = {**FOUR, "preset": "auto"}
ARTICLE: dict[str, Any] = {**FOUR, "preset": "relativistic", "augment": "adaptive"}


class Small(dcgan.Generator):
    """A sixteenth of the channels."""

    def __init__(self, size: tuple[int, int], latent_size: int = 16) -> None:
        super().__init__(size, latent_size, 4)


_EVALUATORS: dict[tuple[float, ...], Evaluator] = {}


def _evaluator(*batches: Tensor) -> Evaluator:
    """Make an evaluator, once for the same pictures: it takes long."""
    key = tuple(v for batch in batches for v in (*batch.shape, batch.double().sum().item()))
    return _EVALUATORS.setdefault(key, _EVALUATORS.get(key) or Evaluator(*batches))


@contextmanager
def small_networks() -> Iterator[None]:
    """Train networks with few weights, and score few pictures."""
    plain = train.build

    def build(architecture: str, size: tuple[int, int]) -> tuple[nn.Module, nn.Module]:
        if architecture == "dcgan":
            return Small(size), dcgan.Discriminator(size, 4)
        return plain(architecture, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "build", build)
        patch.setitem(painter.ARCHITECTURES, "dcgan", Small)
        patch.setattr(train, "Evaluator", _evaluator)
        patch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if it were not installed
        patch.setattr(metrics, "SUBSETS", 3)
        patch.setattr(lightweight_gan, "HEAD_WIDTH", 4)
        patch.setattr(lightweight_gan, "FEATURE_SIDE", 32)
        patch.setattr(lightweight_gan, "WIDTHS", (12, 10, 8, 8, 8, 8))
        patch.setattr(train, "MEASURED", MEASURED)
        patch.setattr(train, "SAMPLES", SAMPLES)
        yield


def learn(run: Path, folder: Path, **options: Any) -> dict[str, float]:
    return train_painter(folder, run, **{"preset": "dcgan", "batch_size": 2, "steps": 1} | options)


def stopped(run: Path, folder: Path, step: int, **options: Any) -> list[Progress]:
    told: list[Progress] = []
    with pytest.raises(Stop):
        learn(run, folder, on_step=until(step, told), **options)
    return told


def trained_steps(told: list[Progress]) -> list[int]:
    """The steps that were trained. Notes have no loss."""
    return [progress.step for progress in told if progress.loss is not None]


def rows(run: Path) -> list[dict[str, float]]:
    heads, *lines = (line.split(",") for line in (run / "log.csv").read_text().splitlines())
    return [dict(zip(heads, map(float, line), strict=True)) for line in lines]


def sha(run: Path) -> str:
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def painted(run: Path) -> Tensor:
    """The samples and the scored pictures of seed 0."""
    network, _ = painter.load(run, torch.device("cpu"))
    z = torch.randn((SAMPLES + MEASURED, network.latent_size), generator=seeding.generator(0, 0))
    torch.manual_seed(0)
    return network.paint(network.map(z)).clamp(0, 1)


def alike(one: Path, other: Path) -> None:
    """Assert that all files of two runs are the same."""
    assert sha(one) == sha(other)
    kept = [torch.load(run / "checkpoint.pt", weights_only=True) for run in (one, other)]
    same(*(state | {"seconds": 0} for state in kept))
    for path in (one / "log.csv", *one.glob("samples/*.png"), one / "options.json"):
        assert (other / path.relative_to(one)).read_bytes() == path.read_bytes(), path.name


Run = tuple[Path, dict[str, float], list[Progress]]
