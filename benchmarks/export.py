"""Measure exported networks: file sizes, and seconds in ONNX Runtime.

    python benchmarks/export.py PICTURES

--int8 measures the ranges of values on the folder PICTURES. Seconds are per megapixel of the
picture that goes in (512×512 pixels, the median of some turns), on one and two threads. "own" is
limner's own network on two threads; the last two columns are ONNX Runtime's time relative to it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch

from limner.errors import OutputError
from limner.exporting.export import export
from limner.exporting.networks import Exportable, find
from limner.upscaling.compact import Compact
from limner.upscaling.enlarge import DEFAULT_TILE, enlarge

NETWORKS = (
    "upscaler-fast-x4",
    "upscaler-best-x4",
    "upscaler-drawing-x4",
    "cleaner",
    "beautifier",
    "compact-features",
)
SIDE, TURNS = 512, 7
KINDS = ("float", "half", "int8")


def in_onnx_runtime(path: Path, threads: int, given: dict[str, np.ndarray]) -> Callable[[], object]:
    """Return a run of a file in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, given)


def by_limner(found: Exportable, inputs: tuple[torch.Tensor, ...]) -> Callable[[], object]:
    """Return a run of limner's own network; upscalers in tiles, as `upscale` does."""
    network = found.network
    if isinstance(network, Compact):
        return lambda: enlarge(
            network, inputs[0], color_lock=False, tile=DEFAULT_TILE, on_tile=lambda *_: None
        )
    return lambda: network(*inputs)


@torch.no_grad()
def main(folder: Path, side: int = SIDE) -> None:
    """Print the table."""
    print(f"{side}×{side} px, seconds per megapixel, sizes in MB")
    print("| network | MB | half | int8 | 1 thread | 2 | int8, 1 | 2 | own | ratio | int8 |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    torch.set_num_threads(2)
    for name in NETWORKS:
        found = find(name)
        inputs = found.examples((side, side))[2]
        given = {key: one.numpy() for key, one in zip(found.inputs, inputs, strict=True)}
        with TemporaryDirectory() as work:
            sizes, runs = [], {"own": by_limner(found, inputs)}
            for kind in KINDS:
                path = Path(work, f"{kind}.onnx")
                int8 = folder if kind == "int8" else None
                try:
                    made = export(name, output=path, half=kind == "half", int8=int8)
                except OutputError:  # less than 35 dB
                    sizes.append("—")
                    continue
                sizes.append(f"{made.megabytes:.2f}")
                if kind != "half":  # computes as the first does
                    for threads in (1, 2):
                        runs[f"{kind} {threads}"] = in_onnx_runtime(path, threads, given)
            times: dict[str, list[float]] = {key: [] for key in runs}
            for _ in range(TURNS):
                for key, run in runs.items():
                    began = time.perf_counter()
                    run()
                    times[key].append(time.perf_counter() - began)
        medians = {key: median(values) * 1e6 / side**2 for key, values in times.items()}
        keys = ("float 1", "float 2", "int8 1", "int8 2", "own")
        cells = [f"{medians[key]:.2f}" if key in medians else "—" for key in keys]
        ratios = [
            f"{medians[key] / medians['own']:.2f}" if key in medians else "—"
            for key in ("float 2", "int8 2")
        ]
        print(f"| {name} | {' | '.join([*sizes, *cells, *ratios])} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:]))
