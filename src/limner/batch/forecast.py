"""What many pictures will need: memory for each, room on the disk, workers and their threads."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from limner.batch.plan import Job
from limner.errors import LimnerError, OutputError, printable
from limner.io import formats, frames
from limner.nn import devices
from limner.units import to_factor

# Memory of one picture, above what most commands need (docs/performance.md).
_BASE, _PER_PIXEL, _PER_PIXEL_UPSCALED = 0.8 * 2**30, 150, 60
_SHARE = 0.8  # of the memory of the machine
_MIN_THREADS = 2  # of a worker, on a machine with at least twice as many cores
MAX_WORKERS = 60  # Windows allows 61
# Bytes of a file per pixel: low, so that what is refused hardly fits.
_FILE_BYTES, _SMALL_FILE_BYTES = 0.1, 0.02
_SMALL_FILES = (".jpg", ".jpeg", ".webp", ".avif", ".pdf")
_SOON = 2_000_000  # pixels: so few are done before workers have started; not by `stylize`


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


def pixels(name: str) -> int:
    """Return the number of pixels of a file, read from its header; 0 if it is not a picture."""
    try:
        with formats.opened(frames.split(name)[0]) as (image, _):
            return image.width * image.height
    except LimnerError:
        return 0


def need(verb: str, sizes: Mapping[Job, int], options: Mapping[str, Any]) -> Need:
    """Decide how the machine is shared among pictures, from its cores, memory and device.

    The threads of a picture do not depend on how many are made at once, nor on how many are done
    already, nor on what other programs do. So the results are the same bytes.

    Parameters
    ----------
    verb : str
    sizes : mapping
        All jobs of the plan, with the pixels of their pictures.
    options : mapping
        Those of the verb.
    """
    cores = torch.get_num_threads()
    largest = max(sizes.values(), default=0)
    of_result = _PER_PIXEL_UPSCALED if verb == "upscale" else _PER_PIXEL
    result = of_result * _result_pixels(verb, largest, options)
    memory = _BASE + max(_PER_PIXEL * largest, result)
    device = devices.pick(options.get("device") or "auto")
    if device.type != "cpu" or len(sizes) < 2:
        return Need(1, cores, memory)
    fitting = int(_SHARE * devices.memory(torch.device("cpu")) / memory)
    most = cores if cores < 2 * _MIN_THREADS else cores // _MIN_THREADS
    workers = max(1, min(len(sizes), most, fitting, MAX_WORKERS))
    fitting_now = int(devices.room(torch.device("cpu")) / memory)
    return Need(max(1, min(workers, fitting_now)), max(1, cores // workers), memory)


def is_soon_done(verb: str, sizes: Sequence[int]) -> bool:
    """Whether the pictures are so few and so small that workers would only cost time."""
    return verb != "stylize" and sum(sizes) < _SOON


def check_disk(
    verb: str, folder: Path, sizes: Mapping[Job, int], options: Mapping[str, Any]
) -> None:
    """Refuse results for which there is no room.

    Parameters
    ----------
    verb : str
    folder : Path
        It exists.
    sizes : mapping
        The jobs that are left, with the pixels of their pictures.
    options : mapping
        Those of the verb.

    Raises
    ------
    OutputError
        Less is free than the files need at least.
    """
    total = 0.0
    for job, size in sizes.items():
        is_small = job.output.suffix.lower() in _SMALL_FILES
        per_pixel = _SMALL_FILE_BYTES if is_small else _FILE_BYTES
        total += _result_pixels(verb, size, options) * per_pixel
    free = shutil.disk_usage(folder).free
    if total > free:
        raise OutputError(
            f"{printable(folder)}: {len(sizes)} pictures need at least {total / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free; name a folder on another disk, or fewer pictures"
        )


def _result_pixels(verb: str, size: int, options: Mapping[str, Any]) -> float:
    """Return about how many pixels the result of a picture has."""
    if verb == "stylize":
        from limner.style.method import METHODS  # imported with the verb

        return float(options.get("size") or METHODS["patches"].size) ** 2 * 0.75
    if verb != "upscale":
        return size
    sides = [float(options[side]) for side in ("width", "height") if options.get(side)]
    if sides:  # one side alone: about that of a square
        return sides[0] * sides[-1]
    return size * to_factor("scale", options.get("scale") or 1) ** 2
