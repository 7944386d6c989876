"""Settings of OpenMP, the library that runs PyTorch's threads on the CPU."""

import os

from limner.nn import machine


def limit_spinning() -> None:
    """Let threads sleep soon when they wait for each other. Call it before torch is imported.

    A waiting thread first spins: it checks in a loop whether it may go on, and keeps its core busy.
    If another program needs that core too, the thread that the others wait for does not get to run.
    Beside one busy program, `stylize` at 256 pixels then takes 123 seconds instead of 19
    (two cores; benchmarks/busy.py).

    The user's own settings stay. Child processes inherit what is set here. ``import limner`` does
    not call this, because the environment of a Python program belongs to its author.
    """
    if "OMP_WAIT_POLICY" in os.environ:  # all OpenMP libraries read it
        return
    # Each library reads only its own variable. Which library PyTorch uses depends on its build.
    # GCC's libgomp (Linux): rounds of the loop. Its default is 300,000.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # LLVM's libomp (macOS, conda) and Intel's libiomp5 (Windows): milliseconds. The default is 200.
    os.environ.setdefault("KMP_BLOCKTIME", "1")


def limit_threads() -> None:
    """Start no more threads than a container may keep busy. Call it before torch is imported.

    PyTorch counts the cores of the whole machine. With 64 threads on 2 cores, each thread waits for
    others that do not run. Which cores a process may use (``taskset``), OpenMP sees itself. The
    user's own setting stays.
    """
    cores = machine.cores()
    if cores is not None and cores < (os.cpu_count() or 1):
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))
