"""Processes that make pictures, each with its share of the cores.

A process loads the networks once, and then makes one picture after the other.
"""

import io
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Self

import torch

from limner.cli.console import Console
from limner.cli.picture import Made, Task, make
from limner.errors import FAILED, printable
from limner.progress import Progress

_LOOK_EVERY = 0.2  # seconds between two looks at whether the user has pressed Ctrl-C


class Processes:
    """Processes on this machine.

    Parameters
    ----------
    count : int
        The number of processes.
    threads : int
        Threads of each.
    """

    def __init__(self, count: int, threads: int) -> None:
        self.count, self._threads = count, threads
        # not by fork, which would copy the locks of threads that the copy does not have
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, self._context, _begin, (self._stop, self._threads))

    def __enter__(self) -> Self:
        """Return the processes."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the processes: after their current step, or at once after an error."""
        self._stop.set()
        for process in multiprocessing.active_children() if kind else ():
            process.terminate()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, task: Task) -> "Future[Made]":
        """Let a process make a picture."""
        # Processes ignore Ctrl-C from their first moment, because the terminal sends it to all.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return self._pool.submit(_make, task)
        except BrokenExecutor:  # one has died while it had nothing to do
            self.restart()
            return self._pool.submit(_make, task)
        finally:
            signal.signal(signal.SIGINT, handler)

    def ask_to_stop(self) -> None:
        """Let each process stop after its current step."""
        self._stop.set()

    def restart(self) -> None:
        """Start new processes after one has died."""
        self._pool.shutdown()
        self._pool = self._start()


def make_all(
    tasks: Sequence[Task], processes: Processes, console: Console, begin: Callable[[Task], None]
) -> Iterator[tuple[Task, Made]]:
    """Make pictures in processes; yield each when it is done.

    If a process dies, the pictures that were being made are made again, one at a time. One whose
    process dies again is a failure.

    Parameters
    ----------
    tasks : sequence of Task
    processes : Processes
    console : Console
        Knows whether the user has pressed Ctrl-C.
    begin : callable
        Called before a picture is begun.
    """
    waiting, lost = deque(tasks), deque[Task]()
    again: set[Path] = set()  # outputs of the tasks that were lost
    running: dict[Future[Made], Task] = {}
    while waiting or lost or running:
        if console.asked_to_stop:
            processes.ask_to_stop()
            waiting.clear()
            lost.clear()
        alone = bool(lost) or any(task.job.output in again for task in running.values())
        while (lost or waiting) and len(running) < (1 if alone else processes.count):
            task = (lost or waiting).popleft()
            begin(task)
            running[processes.submit(task)] = task
        done, _ = wait(running, _LOOK_EVERY, FIRST_COMPLETED)
        if any(_is_lost(future) for future in done):
            done, _ = wait(running)  # if one process dies, the pool ends them all
            processes.restart()
        for future in done:
            task = running.pop(future)
            if not _is_lost(future):
                yield task, future.result()
            elif task.job.output in again:
                yield task, Made(FAILED, _death(task))
            else:
                again.add(task.job.output)
                lost.append(task)


def _is_lost(future: "Future[Made]") -> bool:
    return isinstance(future.exception(), BrokenExecutor)


def _death(task: Task) -> str:
    name = printable(task.job.source)
    return f"{name}: its process was ended, perhaps for lack of memory; use --jobs 1"


class _WorkerConsole(Console):
    """The ``on_step`` of a process: shows nothing, and stops when the main process says so."""

    def __init__(self, stop: Event) -> None:
        super().__init__()
        self.count = 2  # of several pictures, one that is interrupted is not written
        self._stop = stop

    def __call__(self, progress: Progress) -> None:
        """Take note of a step."""
        self.asked_to_stop = self._stop.is_set()
        super().__call__(progress)


_console: _WorkerConsole | None = None  # of this process


def _begin(stop: Event, threads: int) -> None:
    """Prepare a new process."""
    global _console  # noqa: PLW0603 (an initializer has no other way to leave something)
    for name in ("SIGINT", "SIGBREAK", "SIGHUP"):  # the main process decides
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    torch.set_num_threads(threads)
    _console = _WorkerConsole(stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait until the main process is gone, even if it was killed, and end this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _make(task: Task) -> Made:
    """Make a picture in this process; keep what it prints for the main process."""
    assert _console is not None
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        made = make(task, _console)
    worker = multiprocessing.current_process().name.rpartition("-")[2]
    return made._replace(worker=worker, printed=out.getvalue(), said=err.getvalue())
