"""Measure whole commands of `stylize`, and compare with TensorFlow's "Neural style transfer".

    python benchmarks/speed.py [SIZE …]

The tutorial (tensorflow.org, after Gatys, Ecker & Bethge 2016) is the preset ``gatys``: 1000 steps
with VGG-19 at 512 px. A few steps are timed and multiplied. The weights are random, which does not
change the time, so nothing is downloaded.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from child import measured

EXAMPLES = Path(__file__).parents[1] / "examples"
TIMED = 4  # steps of the tutorial, after a first that does not count


SIZES = (512, 1024, 2048, 4096)


def ours(size: int, method: str) -> float:
    """Return the seconds of a whole command: imports, reading, painting and writing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "limner", "stylize"]
        pictures = [str(EXAMPLES / "photo.jpg"), str(EXAMPLES / "painting.jpg")]
        options = ["-o", f"{folder}/out.png", "--size", str(size), "--method", method]
        began = time.perf_counter()
        subprocess.run([*command, *pictures, *options], check=True, capture_output=True)
        return time.perf_counter() - began


def tutorial(size: int) -> float:
    """Return the seconds of 1000 steps of the tutorial, estimated from a few."""
    import torch

    import limner
    from limner.nn import features, weights
    from limner.progress import Progress

    torch.manual_seed(0)
    names = iter(features.VGG("vgg19").state_dict().items())
    state = {}
    index = 0
    for depth in features.SHAPES["vgg19"][1]:
        for _ in range(depth):
            for part in ("weight", "bias"):
                state[f"features.{index}.{part}"] = next(names)[1]
            index += 2
        index += 1
    ticks: list[float] = []

    def on_step(progress: Progress) -> None:
        if progress.step:
            ticks.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        weights.write(path, state, {"kind": "features"})
        limner.stylize(
            EXAMPLES / "photo.jpg",
            EXAMPLES / "painting.jpg",
            size=size,
            preset="gatys",
            steps=TIMED + 1,
            features=str(path),
            on_step=on_step,
        )
    return (ticks[-1] - ticks[0]) / TIMED * 1000


def peak_of_children(size: int, method: str) -> tuple[float, float]:
    """Return the seconds of a command and its peak memory in GiB."""
    seconds = ours(size, method)
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    found = {}
    for size in sizes:
        (found[size], peak), _, _ = measured(peak_of_children, size, "patches")
        print(f"limner, {size:4} px, whole command: {found[size]:6.1f} s, peak {peak:.2f} GiB")
    if not sys.argv[1:]:
        (seconds, peak), _, _ = measured(peak_of_children, 1024, "network")
        print(f"limner, 1024 px, --method network: {seconds:6.1f} s, peak {peak:.2f} GiB")
        seconds, _, peak_bytes = measured(tutorial, 512)
        print(f"tutorial, 512 px, 1000 steps: {seconds:.0f} s, peak {peak_bytes / 2**30:.2f} GiB")
        print(f"tutorial : limner at 512 px = {seconds / found[512]:.0f} : 1")
        print(f"1024 px : 512 px = {found[1024] / found[512]:.2f} : 1")
