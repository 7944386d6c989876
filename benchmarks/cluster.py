"""Measure `--cluster` on this machine: pictures a minute, Ray's overhead, memory of the driver.

    python benchmarks/cluster.py [PICTURES] [TINY]

PICTURES are sketched with one and two workers of a local Ray cluster, and in a plain loop in one
process; and with Ray Core and Ray Data alone, if ray[data] is installed. TINY is the number of tiny
pictures over which the driver's memory is followed.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import ray
import torch

import limner
from many import LIMNER, crops, seconds


def main() -> None:
    """Print everything."""
    given = [int(number) for number in sys.argv[1:3]]
    count, tiny = [*given, *(60, 10_000)[len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = crops(folder / "photos", count, 1536)
        began = time.perf_counter()
        for photo in photos:
            limner.sketch(photo).save(photo.with_suffix(".png"))
        loop = (time.perf_counter() - began) / count
        print(f"a plain loop: {60 / loop:.0f} pictures a minute")
        for photo in photos:
            photo.with_suffix(".png").unlink()
        start = seconds(line(folder, photos[:1], "one", 1))
        for jobs in (1, 2):
            each = (seconds(line(folder, photos, f"out-{jobs}", jobs)) - start) / (count - 1)
            print(
                f"--cluster auto --jobs {jobs}: {60 / each:.0f} a minute after the start of ",
                end="",
            )
            print(f"{start:.1f} s; {1000 * (each - loop / jobs):+.0f} ms for each picture")
        core_and_data(photos)
        crops(folder / "tiny", tiny, 32)
        memory = list(resident([*LIMNER, *line(folder, [folder / "tiny"], "out-tiny", 2)]))
        early, late = memory[len(memory) // 4], memory[-1]
        print(f"{tiny} tiny pictures: the driver takes {early:.0f} MB after a quarter, ", end="")
        print(f"{late:.0f} MB at the end, {max(memory):.0f} MB at most")


def line(folder: Path, photos: list[Path], out: str, jobs: int) -> list[str]:
    """Return a command that sketches pictures on a cluster."""
    pictures = [str(photo) for photo in photos]
    return ["sketch", *pictures, "-o", f"{folder / out}/", "--cluster", "auto", "--jobs", str(jobs)]


def core_and_data(photos: list[Path]) -> None:
    """Print how fast two workers of Ray Core and of Ray Data are, in turns."""
    ray.init(include_dashboard=False, log_to_driver=False, num_cpus=2)
    names = [str(photo) for photo in photos]
    core = ray.remote(num_cpus=1)(sketch)
    for _ in range(2):
        began = time.perf_counter()
        ray.get([core.remote({"item": name}) for name in names])
        by_core = time.perf_counter() - began
        print(f"Ray Core alone: {60 * len(names) / by_core:.0f} a minute", end="")
        try:
            blocks = ray.data.from_items(names, override_num_blocks=len(names))
        except ImportError:
            print("; ray[data] is not installed")
            continue
        began = time.perf_counter()
        blocks.map(Sketcher, concurrency=2, num_cpus=1).take_all()  # type: ignore[arg-type]
        by_data = time.perf_counter() - began
        print(f", Ray Data: {60 * len(names) / by_data:.0f}")
    ray.shutdown()


class Sketcher:
    """An actor of Ray Data."""

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """Sketch a photo."""
        return sketch(row)


def sketch(row: dict[str, str]) -> dict[str, str]:
    """Sketch a photo on one thread."""
    torch.set_num_threads(1)
    limner.sketch(row["item"]).save(f"{row['item']}.png")
    return row


def resident(command: list[str]) -> Iterator[float]:
    """Run a command, and yield its resident memory in MB every second."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        threading.Thread(target=process.stdout.read, daemon=True).start()
        page = os.sysconf("SC_PAGE_SIZE")
        while process.poll() is None:
            pages = Path(f"/proc/{process.pid}/statm").read_text().split()
            if len(pages) > 1 and int(pages[1]):
                yield int(pages[1]) * page / 1e6
            time.sleep(1)


if __name__ == "__main__":
    main()
