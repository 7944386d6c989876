"""What many pictures will need: memory for each, room on the disk, workers and their threads."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from limner.batch.plan import Job
from limner.errors import OutputError, printable
from limner.io import frames
from limner.nn import devices

# Memory of one picture, above what most commands need (docs/performance.md).
_BASE, _PER_PIXEL = 0.6 * 2**30, 150
_SHARE = 0.8  # of the memory of the machine
_MIN_THREADS = 2  # of a worker, on a machine with at least twice as many cores
# Bytes of a file per pixel: low, so that what is refused cannot fit.
_FILE_BYTES, _SMALL_FILE_BYTES = 0.5, 0.05
_SMALL_FILES = (".jpg", ".jpeg", ".webp", ".avif", ".pdf")
_SOON = 2_000_000  # pixels: so few are done before workers have started


class Need(NamedTuple):
    """What one of many pictures needs, and how many can be made at once on this machine.

    Attributes
    ----------
    workers : int
        How many can be made at once.
    threads : int
        For each picture.
    memory : float
        Bytes for each picture, a rough forecast.
    """

    workers: int
    threads: int
    memory: float


def pixels(name: object) -> int:
    """Return the number of pixels of a file, read from its header; 0 if it is not a picture."""
    try:
        with Image.open(frames.split(str(name))[0]) as image:
            return image.width * image.height
    except (OSError, ValueError, Image.DecompressionBombError):
        return 0


def need(jobs: Sequence[Job], options: Mapping[str, Any], sizes: Sequence[int]) -> Need:
    """Decide how the machine is shared among pictures, from its cores, memory and device.

    The threads of a picture do not depend on how many are made at once, nor on how many are done
    already. So the results are the same bytes.

    Parameters
    ----------
    jobs : sequence of Job
        All of the plan.
    options : mapping
        Those of the verb.
    sizes : sequence of int
        The number of pixels of each picture.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = cores or 1
    memory = _BASE + _PER_PIXEL * max(_longest(options) ** 2, *sizes)
    device = devices.pick(options.get("device") or "auto")
    if device.type != "cpu" or len(jobs) < 2:
        return Need(1, cores, memory)
    fitting = int(_SHARE * devices.memory(torch.device("cpu")) / memory)
    most = cores if cores < 2 * _MIN_THREADS else cores // _MIN_THREADS
    workers = max(1, min(len(jobs), most, fitting))
    return Need(workers, max(1, cores // workers), memory)


def is_soon_done(sizes: Sequence[int]) -> bool:
    """Whether the pictures are so few and so small that workers would only cost time."""
    return sum(sizes) < _SOON


def check_disk(
    folder: Path, jobs: Sequence[Job], options: Mapping[str, Any], sizes: Sequence[int]
) -> None:
    """Refuse results for which there is no room.

    Parameters
    ----------
    folder : Path
        It exists.
    jobs : sequence of Job
        Those that are left.
    options, sizes
        As in `need`.

    Raises
    ------
    OutputError
        Less is free than the files need at least.
    """
    longest = _longest(options)
    enlarged = float(options.get("scale") or 1) ** 2
    total = 0.0
    for job, size in zip(jobs, sizes, strict=True):
        small = job.output.suffix.lower() in _SMALL_FILES
        result = min(size, longest**2) if longest else size * enlarged
        total += result * (_SMALL_FILE_BYTES if small else _FILE_BYTES)
    free = shutil.disk_usage(folder).free
    if total > free:
        raise OutputError(
            f"{printable(folder)}: {len(jobs)} pictures need about {total / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free; name a folder on another disk, or fewer pictures"
        )


def _longest(options: Mapping[str, Any]) -> int:
    """Return the longest side that the options ask for, or 0."""
    size = options.get("size")
    return size if isinstance(size, int) else 0
