"""Choose the device that computes, and measure its memory."""

import torch

from limner.checks import check_choice
from limner.errors import OptionError
from limner.nn import machine

NAMES = ("auto", "cpu", "cuda", "mps")


def pick(name: str) -> torch.device:
    """Return the device of that name; ``"auto"`` takes the fastest one of this machine.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}

    Raises
    ------
    OptionError
        The name is unknown, or this machine has no such device.
    """
    check_choice("device", name, NAMES)
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, found in available.items() if found))
    if not available[name]:
        raise OptionError(f"--device {name}: this machine has no {name} device; use --device auto")
    return torch.device(name)


def memory(device: torch.device) -> int:
    """Return the memory in bytes that there is: a GPU's own, or what this process may use."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return machine.memory()


def room(device: torch.device) -> int:
    """Return how many bytes a run may fill: a share of all memory, less what others hold."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else machine.free()
    return min(int(machine.FREE * memory(device)), free)
