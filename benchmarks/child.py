"""Measure the time and the peak memory of a call, in a process of its own."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # KiB on Linux
    pipe.send((result, seconds, peak))
