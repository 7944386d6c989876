"""Measure `--cluster` on this machine: pictures a minute, Ray's overhead, memory of the driver.

    python benchmarks/cluster.py [PICTURES] [TINY]

PICTURES are sketched with one and two workers of a local Ray cluster, and in a plain loop in one
process. TINY is the number of tiny pictures over which the driver's memory is followed.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

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
        crops(folder / "tiny", tiny, 32)
        memory = list(resident([*LIMNER, *line(folder, [folder / "tiny"], "out-tiny", 2)]))
        early, late = memory[len(memory) // 4], memory[-1]
        print(f"{tiny} tiny pictures: the driver takes {early:.0f} MB after a quarter, ", end="")
        print(f"{late:.0f} MB at the end, {max(memory):.0f} MB at most")


def line(folder: Path, photos: list[Path], out: str, jobs: int) -> list[str]:
    """Return a command that sketches pictures on a cluster."""
    pictures = [str(photo) for photo in photos]
    return ["sketch", *pictures, "-o", f"{folder / out}/", "--cluster", "auto", "--jobs", str(jobs)]


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
