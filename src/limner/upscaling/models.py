"""Which network a weights file is for: ours, or the user's."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from limner.errors import WeightsError, printable, reason
from limner.nn import weights
from limner.upscaling.compact import Compact
from limner.upscaling.rrdb import RRDB, own_names


class Other(nn.Module):
    """A network of an architecture that spandrel knows, and we do not."""

    radius, feather = 32, 16

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.scale: int = descriptor.scale
        self.network = descriptor.model
        self._descriptor = descriptor  # its call pads to the multiples that a network may need

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge a picture [N, 3, H, W] in 0..1 to [N, 3, scale·H, scale·W]."""
        large: Tensor = self._descriptor(picture)
        return large


Upscaler = Compact | RRDB | Other


def load(path: Path, device: torch.device) -> Upscaler:
    """Read the weights of an upscaler, and build what they fit.

    Compact networks and ESRGAN's are our own; any other is left to spandrel, where the extra
    ``models`` is installed. Nothing is unpickled but tensors.

    Raises
    ------
    WeightsError
        The file is missing, damaged, would run code, or is of another network.
    """
    state = weights.read(path)
    network: Upscaler | None = None
    try:
        if "body.0.weight" in state:
            network = _compact(state)
        elif any("conv_first" in key or key.startswith("model.0.") for key in state):
            renamed = own_names(state)
            network = _rrdb(renamed)
            state = renamed
    except (KeyError, ValueError, IndexError, TypeError):  # shapes cannot be told
        network = None
    if network is not None and not state.keys() - network.state_dict().keys():
        weights.fill(network, state, str(path))
    else:
        network = _other(state, path)
    network.requires_grad_(False)
    return network.eval().to(device)


def mix(faithful: Upscaler, inventive: Upscaler, detail: float, name: str) -> None:
    """Move the weights of one network towards another's (Wang et al. 2018, section 3.4).

    Raises
    ------
    WeightsError
        The two, the second of which is `name`, are not of one shape.
    """
    ours, theirs = faithful.state_dict(), inventive.state_dict()
    if {k: v.shape for k, v in ours.items()} != {k: v.shape for k, v in theirs.items()}:
        raise WeightsError(
            f"{name}: not of the same shape as the faithful weights; use two of one network"
        )
    mixed = {k: v.lerp(theirs[k], detail) for k, v in ours.items() if v.is_floating_point()}
    faithful.load_state_dict(ours | mixed)


def _other(state: Mapping[str, Tensor], path: Path) -> Other:
    """Build what only spandrel knows."""
    begins = printable(", ".join(list(state)[:3]))
    unknown = f"{path}: neither a compact upscaler nor ESRGAN's network (it begins with {begins})"
    try:
        import spandrel
    except Exception as error:  # torchvision's wheel raises RuntimeError beside another torch
        remedy = "use weights of one of these, or install limner[models] for more"
        if not isinstance(error, ImportError):
            remedy = f"spandrel, which knows more, fails here ({reason(error)})"
        raise WeightsError(f"{unknown}; {remedy}") from error
    try:
        found = spandrel.ModelLoader().load_from_state_dict(dict(state))
    except Exception as error:  # it raises its own and, for odd shapes, nearly any other
        raise WeightsError(f"{unknown}, nor anything that spandrel knows") from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or (
        (found.input_channels, found.output_channels) != (3, 3)
    ):
        raise WeightsError(f"{path}: a network for something else than enlarging pictures of RGB")
    return Other(found)


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
