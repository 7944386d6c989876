"""Compare the time of each command on an idle machine and beside one other busy process.

    python benchmarks/busy.py [VERB...]

Each command runs as a user starts it, with the import of PyTorch, on two cores. The times are
medians of three runs; idle and busy runs take turns. Exits with 1 if a command takes more than 2.2
times as long beside the busy process. Nothing else should run on the machine.

`GOMP_SPINCOUNT`, `KMP_BLOCKTIME` and `OMP_WAIT_POLICY` are passed on if they are set. This measures
the default of PyTorch on Linux:

    GOMP_SPINCOUNT=300000 python benchmarks/busy.py stylize
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
PHOTO, PAINTING = (str(ROOT / "examples" / name) for name in ("photo.jpg", "painting.jpg"))
DRAWING = str(ROOT / "src/limner/web/examples/drawing.png")
COMMANDS = {  # the last word is the output, in a new folder
    "stylize": [PHOTO, PAINTING, "--size", "256", "-o", "painted.png"],
    "hybridize": [PHOTO, PAINTING, "-o", "hybrid.png"],
    "colorize": [DRAWING, "-o", "colored.png"],
    "sketch": [PHOTO, "-o", "drawing.png"],
    "beautify": [PHOTO, "-o", "better.png"],
    "predictability": [PHOTO, "--map", "map.png"],
    "generate": ["--like", PAINTING, "-n", "4", "-o", "new"],
    "upscale": [PHOTO, "-o", "large.png"],
}
CORES, TURNS = 2, 3
MOST = 2.2  # the largest ratio of busy to idle
SETTINGS = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY")


def seconds(verb: str) -> float:
    """Return the seconds of a whole command."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "limner", verb, *COMMANDS[verb]]
        began = time.perf_counter()
        done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return time.perf_counter() - began


@contextmanager
def busy_process() -> Iterator[None]:
    """Run a process that keeps one core busy."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def main(verbs: list[str]) -> int:
    """Print the seconds and the ratio of each verb; return the exit code."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # children inherit it
    settings = [f"{name}={os.environ[name]}" for name in SETTINGS if name in os.environ]
    print(f"{len(os.sched_getaffinity(0))} cores; set by you: {' '.join(settings) or 'nothing'}")
    slow = []
    for verb in verbs or COMMANDS:
        pairs = []
        for _ in range(TURNS):
            idle = seconds(verb)
            with busy_process():
                pairs.append((idle, seconds(verb)))
        idle, busy = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{verb:15} idle {idle:5.1f} s, busy {busy:5.1f} s: {busy / idle:.2f}", flush=True)
        if busy / idle > MOST:
            slow.append(verb)
    if slow:
        print(f"more than {MOST} times as long beside a busy process: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
