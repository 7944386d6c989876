"""Run a call in a process of its own, and say how long it took and how much memory it held."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


def measured(call: Callable[..., Any], *arguments: object) -> tuple[Any, float, int]:
    """Return what a module-level function returned, its seconds, and the process's peak bytes.

    A fresh process, because the peak is that of its whole life.
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    pipe.send((result, seconds, peak))
