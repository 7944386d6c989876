"""Where a verb computes, and how much memory there is."""

import os

import torch

from limner.errors import OptionError

NAMES = ("auto", "cpu", "cuda", "mps")


def pick(name: str) -> torch.device:
    """Give the device of that name; ``"auto"`` takes the fastest there is.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}

    Raises
    ------
    OptionError
        There is no such device on this machine.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, there in present.items() if there))
    if name not in present:
        raise OptionError(f"--device {name}: must be one of {', '.join(NAMES)}")
    if not present[name]:
        raise OptionError(f"--device {name}: this machine has none; use --device auto")
    return torch.device(name)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that there is not enough memory."""
    text = str(error).lower()  # torch raises RuntimeError
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text


def memory(device: torch.device) -> int:
    """Bytes of memory that the device, or the machine, has in all."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows does not tell this way
        return 8 * 2**30
