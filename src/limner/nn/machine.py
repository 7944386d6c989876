"""The memory and the cores that this process may use. Does not import torch."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from limner.errors import InputError

CGROUPS = Path("/sys/fs/cgroup")  # Linux control groups: limits of containers and services
PROC = Path("/proc")
FREE = 0.9  # share of the memory that a run may fill
BASE_BYTES = 256 * 2**20  # of a process with torch, before it reads a picture


def memory() -> int:
    """Return bytes of memory: the machine's, or the limit of a container or of ``ulimit -v``."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 8 * 2**30
    found = [total, *_address_space()]
    for group in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):  # of versions 2 and 1
            with suppress(OSError, ValueError):  # "max" is no limit
                found.append(int((group / name).read_text()))
    return min(found)


def free() -> int:
    """Return how many bytes this process can hold now, with those it holds already.

    Other programs have the rest. Systems that do not tell count as free.
    """
    with suppress(OSError, ValueError, KeyError):  # not Linux
        lines = map(str.split, (PROC / "meminfo").read_text().splitlines())
        kibibytes = {line[0]: int(line[1]) for line in lines}
        taken, held, *_ = map(int, (PROC / "self/statm").read_text().split())
        page = os.sysconf("SC_PAGE_SIZE")
        unused = 1024 * (kibibytes["MemAvailable:"] + kibibytes["SwapFree:"])
        # libraries and threads take addresses that they never fill
        limits = [limit - (taken - held) * page for limit in _address_space()]
        return min([unused + held * page, *limits])
    return memory()


def check_room(name: str, height: int, width: int, bytes_per_pixel: float) -> None:
    """Refuse, before the work, a picture that needs more memory than there is.

    Raises
    ------
    InputError
        It needs more. The message has the largest size that fits.
    """
    needed, there = BASE_BYTES + height * width * bytes_per_pixel, min(FREE * memory(), free())
    if needed <= there:
        return
    shrink = math.sqrt(max(0, there - BASE_BYTES) / (height * width * bytes_per_pixel))
    high, wide = int(height * shrink), int(width * shrink)
    remedy = f"make it at most {wide} × {high}" if min(high, wide) else "close other programs"
    raise InputError(
        f"{name}: not enough memory: {width} × {height} pixels need about "
        f"{needed / 2**30:.1f} GiB, and {there / 2**30:.1f} GiB are free; {remedy}"
    )


def cores() -> int | None:
    """Return how many cores a container may keep busy; None if it has no such limit."""
    found = []
    for group in _groups("cpu"):
        for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):  # versions 2, 1
            with suppress(OSError, ValueError):  # "max" is no limit
                texts = " ".join((group / name).read_text() for name in names)
                quota, period = map(int, texts.split())
                found += [math.ceil(quota / period)] if quota > 0 else []  # -1 is none either
    return min(found, default=None)


def _groups(controller: str) -> Iterator[Path]:
    """Yield the folders of the control groups that this process is in, from the inside out."""
    with suppress(OSError):
        for line in (PROC / "self/cgroup").read_text().splitlines():
            _, controllers, place = line.split(":", 2)  # version 2 names no controllers
            if not controllers or controller in controllers.split(","):
                root = CGROUPS / controller if controllers else CGROUPS
                inside = root / place.lstrip("/")  # missing if a container shows its own as root
                yield from (each for each in (inside, *inside.parents) if each.is_relative_to(root))


def _address_space() -> list[int]:
    """Return the limit of ``ulimit -v``, if there is one."""
    with suppress(ImportError, OSError):
        import resource  # not on Windows

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        return [] if limit == resource.RLIM_INFINITY else [limit]
    return []
