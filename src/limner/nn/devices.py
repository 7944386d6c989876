"""Choose the device that computes, and measure its memory."""

import os
from contextlib import suppress
from pathlib import Path

import torch

from limner.checks import check_choice
from limner.errors import OptionError

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
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 8 * 2**30
    return min([total, *_limits()])


def _limits() -> list[int]:
    """Return the limits on this process: of its container (Linux control groups), and ulimit -v."""
    found = []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" is no limit
            found.append(int(Path(path).read_text()))
    with suppress(ImportError, OSError):
        import resource  # not on Windows

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            found.append(limit)
    return found
