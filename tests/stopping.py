"""Runs that end after some step, and what they leave behind, for tests."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from limner.progress import Progress, Stop


def until(step: int, told: list[Progress]) -> Callable[[Progress], None]:
    """Keep what is told, and stop at this step."""

    def on_step(progress: Progress) -> None:
        told.append(progress)
        if progress.step == step:
            raise Stop

    return on_step


def same(one: Any, other: Any, where: str = "") -> None:
    """Are two checkpoints, or what they are made of, equal to the bit?"""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key, value in one.items():
            same(value, other[key], f"{where}/{key}")
    elif isinstance(one, torch.Tensor):
        np.testing.assert_array_equal(one, other, err_msg=where)
    else:
        assert one == other, where
