"""Random numbers that depend on a seed and a step, and on nothing else.

A resumed run needs no sampler state: step 900 draws the same numbers whether or not the run was
stopped at step 899.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def generator(seed: int, step: int) -> torch.Generator:
    """Return the random number generator of one step: the same for the same seed and step."""
    return torch.Generator().manual_seed(step_seed(seed, step))


def step_seed(seed: int, step: int) -> int:
    """Return the seed of one step, within the range torch accepts."""
    return (seed * 1_000_003 + step) % 2**63


@contextmanager
def preserved() -> Iterator[None]:
    """Put torch's global random state back at the end.

    Building a network draws its initial weights from the global generators. A program that calls
    limner should not see its own random numbers change.
    """
    # before its first use a GPU has no random state
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if started else ()
    with torch.random.fork_rng(devices=devices):
        yield
