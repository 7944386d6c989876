"""Measure commands for many pictures: workers against a plain loop, and what a second run takes.

    python benchmarks/many.py [PICTURES]

The pictures are crops of the examples. The loop calls the command once per picture, as a shell
script would. Before each timing, the folder of results is removed.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
LIMNER = (sys.executable, "-m", "limner")
COMMANDS = {  # verb and what follows the picture, and the size of the pictures
    "sketch": (("sketch",), (), 1536),
    "stylize, 384 px": (("stylize",), (str(EXAMPLES / "painting.jpg"), "--size", "384"), 768),
    "upscale ×2": (("upscale",), ("--scale", "2"), 512),
}


def main() -> None:
    """Print everything."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as folder:
        for name, (verb, rest, size) in COMMANDS.items():
            photos = crops(Path(folder, name, "photos"), count, size)
            out = Path(folder, name, "out")
            line = [*rest, "-o", str(Path(folder, name, "alone.png")), "--overwrite"]
            loop = sum(seconds([*verb, str(photo), *line]) for photo in photos)
            print(f"{name}, {count} pictures: a loop of commands {60 * count / loop:.1f} a minute")
            for jobs in (1, 2):
                shutil.rmtree(out, ignore_errors=True)
                line = [*verb, str(photos[0].parent), *rest, "-o", f"{out}/", "--jobs", str(jobs)]
                took = seconds(line)
                print(f"  --jobs {jobs}: {60 * count / took:.1f} a minute, {loop / took:.2f} times")
            print(f"  again, with nothing left to do: {seconds(line):.1f} s")


def crops(folder: Path, count: int, size: int) -> list[Path]:
    """Write different parts of an example, `size` pixels wide."""
    folder.mkdir(parents=True)
    with Image.open(EXAMPLES / "photo.jpg") as photo:
        width, height = photo.size
        paths = [folder / f"{number:05d}.jpg" for number in range(count)]
        for number, path in enumerate(paths):
            cut = number % 50
            part = photo.crop((cut, cut, width - cut, height - cut))
            part.resize((size, round(size * height / width))).save(path, quality=90)
    return paths


def seconds(line: Sequence[str]) -> float:
    """Return the seconds of a whole command."""
    began = time.perf_counter()
    subprocess.run([*LIMNER, *line], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
