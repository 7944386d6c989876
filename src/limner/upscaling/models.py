"""Which network a weights file is for: ours, or the user's."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from limner import weights
from limner.errors import WeightsError
from limner.images import printable
from limner.upscaling.network import Compact
from limner.upscaling.rrdb import RRDB, own_names

Upscaler = Compact | RRDB

SHIPPED = {("fast", 2): "upscaler-fast-x2", ("fast", 4): "upscaler-fast-x4"}


def load(path: Path, device: torch.device) -> Upscaler:
    """Read the weights of a compact network or of ESRGAN's, and build what they fit.

    Raises
    ------
    WeightsError
        The file is missing, damaged, would run code, or is of another network.
    """
    state = weights.read(path)
    unknown = WeightsError(
        f"{path}: neither a compact upscaler nor ESRGAN's network (it begins with "
        f"{printable(', '.join(list(state)[:3]))}); use weights of one of these"
    )
    try:
        if "body.0.weight" in state:
            network: Upscaler = _compact(state)
        else:
            state = own_names(state)
            network = _rrdb(state)
    except (KeyError, ValueError, IndexError, TypeError) as error:  # shapes cannot be told
        raise unknown from error
    if state.keys() - network.state_dict().keys():
        raise unknown
    weights.fill(network, state, str(path))
    network.requires_grad_(False)
    return network.eval().to(device)


def _compact(state: Mapping[str, Tensor]) -> Compact:
    convolutions = [key for key, value in state.items() if value.dim() == 4]
    last = max(convolutions, key=lambda key: int(key.split(".")[1]))
    scale = math.isqrt(len(state[last]) // 3)
    if not 1 <= scale <= 4 or len(state[last]) != 3 * scale**2:
        raise ValueError(last)
    return Compact(len(state["body.0.weight"]), len(convolutions) - 2, scale)


def _rrdb(state: Mapping[str, Tensor]) -> RRDB:
    width, channels, *_ = state["conv_first.weight"].shape
    growth = len(state["body.0.rdb1.conv1.weight"])
    depth = len({key.split(".")[1] for key in state if re.match(r"body\.\d+\.rdb", key)})
    doublings = sum(bool(re.fullmatch(r"conv_up\d\.weight", key)) for key in state)
    folded = {3: 1, 12: 2, 48: 4}[channels]
    if 2**doublings < folded:
        raise ValueError(doublings)
    return RRDB(width, growth, depth, doublings, folded)
