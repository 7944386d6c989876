"""Measure the time and the peak memory of a call, in a process of its own."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def measured(call: Callable[..., Any], *arguments: object) -> tuple[Any, float, int]:
    """Call a module-level function; return its result, its seconds, and the peak bytes.

    In a new process, because the system reports the peak of a whole process.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, call, arguments))
    process.start()
    theirs.close()
    try:
        result: tuple[Any, float, int] = ours.recv()
    finally:
        process.join()
    return result


def _serve(pipe: Connection, call: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    began = time.perf_counter()
    result = call(*arguments)
    seconds = time.perf_counter() - began
    pipe.send((result, seconds, _peak()))


def _peak() -> int:
    """Return the most bytes that this process has used.

    On Linux, `ru_maxrss` is at least the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    lines = status.read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
