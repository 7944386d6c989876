"""Processes that make pictures, each with its share of the cores.

A process imports torch once, and then makes one picture after the other.
"""

import io
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from multiprocessing import connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Protocol, Self

import torch

from limner.cli.console import Console
from limner.cli.picture import Made, Task, make
from limner.errors import FAILED, printable
from limner.progress import Progress

_POLL_SECONDS = 0.2  # how often Ctrl-C is looked for


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
        with _interrupts_held():
            try:
                return self._pool.submit(_make, task)
            except BrokenExecutor:  # one has died, and then the pool ends them all
                self._pool.shutdown()
                self._pool = self._start()
                return self._pool.submit(_make, task)

    def ask_to_stop(self) -> None:
        """Let each process stop after its current step."""
        self._stop.set()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until the end of the block. Processes that start inside never get it.

    The terminal sends it to all processes, and the main one decides. Windows cannot hold it back:
    there, a process ignores it from the moment it is prepared.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Workers(Protocol):
    """What makes several pictures at the same time: `Processes`, or the machines of a cluster."""

    @property
    def count(self) -> int:
        """How many pictures they make at the same time."""

    def submit(self, task: Task) -> "Future[Made]":
        """Let a worker make a picture. `BrokenExecutor` says that the worker has died."""

    def ask_to_stop(self) -> None:
        """Let every worker stop soon."""


def make_all(
    tasks: Sequence[Task], workers: Workers, console: Console, begin: Callable[[Task], None]
) -> Iterator[tuple[Task, Made]]:
    """Make pictures with workers; yield each when it is done.

    If a worker dies, the pictures that were lost are made again, one at a time. One whose worker
    dies again is a failure.

    Parameters
    ----------
    tasks : sequence of Task
    workers : Workers
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
            workers.ask_to_stop()
            waiting.clear()
            lost.clear()
        alone = bool(lost) or any(task.job.output in again for task in running.values())
        while (lost or waiting) and len(running) < (1 if alone else workers.count):
            task = (lost or waiting).popleft()
            begin(task)
            running[workers.submit(task)] = task
        done, _ = wait(running, _POLL_SECONDS, FIRST_COMPLETED)
        for future in done:
            task = running.pop(future)
            if not isinstance(future.exception(), BrokenExecutor):
                yield task, future.result()
            elif task.job.output in again:
                yield task, Made(FAILED, failure=_death(task))
            else:
                again.add(task.job.output)
                lost.append(task)


def _death(task: Task) -> str:
    name = printable(task.job.source)
    return f"{name}: its worker was ended, perhaps for lack of memory; use a smaller picture"


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
    """Make a picture in this process."""
    assert _console is not None
    worker = multiprocessing.current_process().name.rpartition("-")[2]
    return make_unseen(task, _console, worker)


def make_unseen(task: Task, console: Console, worker: str) -> Made:
    """Make a picture; keep what is printed and said for the main process."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        made = make(task, console)
    return made._replace(worker=worker, printed=out.getvalue(), said=err.getvalue())
