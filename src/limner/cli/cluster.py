"""`--cluster`: make many pictures on the machines of a Ray cluster.

Ray does the scheduling, and makes a picture again if its worker or machine is lost. All machines
must see the same files under the same names, for example on a network drive.
"""

import logging
import os
import signal
import socket
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import torch

from limner._version import __version__
from limner.batch.forecast import Need
from limner.batch.upload import Upload
from limner.cli.console import Console
from limner.cli.picture import Made, Task
from limner.cli.workers import make_unseen
from limner.errors import INTERRUPTED, LimnerError, OptionError, printable, reason

_ANSWER_SECONDS = 10.0  # for a connection
_CHECK_SECONDS = 120.0  # for a first process on a machine, which imports limner
_RETRIES = 3  # for a picture whose worker or machine was lost


class Cluster:
    """A Ray cluster.

    Parameters
    ----------
    address : str
        ``ray://host:10001``, ``host:6379``, or ``auto``: the cluster of ``RAY_ADDRESS``, or if that
        is not set, one on this machine that ends with the command.
    need : Need
        What one picture needs.
    most : int or None
        Most pictures at the same time; None for no limit.
    upload : Upload or None
        Where the machines copy the results.

    Raises
    ------
    OptionError
        Ray is not installed, or the address is not valid.
    LimnerError
        The cluster does not answer, has another version of limner, or does not see the files.
    """

    def __init__(
        self, address: str, need: Need, most: int | None, upload: Upload | None = None
    ) -> None:
        self._ray = _connect(address)
        self._most = most
        self._running: dict[Future[Made], Any] = {}
        try:
            machines = [one for one in self._ray.nodes() if one["Alive"] and _cores(one)]
            self._check(machines, upload)
        except BaseException:
            self._ray.shutdown()
            raise
        # so that each machine can have a picture
        self._threads = min(need.threads, *map(_cores, machines))
        memory = min(need.memory, *(0.9 * one["Resources"]["memory"] for one in machines))
        self._make = self._ray.remote(_make).options(
            num_cpus=self._threads,
            num_gpus=1 if self._ray.cluster_resources().get("GPU") else 0,
            memory=int(memory),
            max_retries=_RETRIES,
        )

    def __enter__(self) -> Self:
        """Return the cluster."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster, or end it if it was started here."""
        self.ask_to_stop()
        self._ray.shutdown()

    @property
    def count(self) -> int:
        """How many pictures are made at the same time: machines come and go."""
        cores = self._ray.cluster_resources().get("CPU", 0)
        slots = max(1, int(cores) // self._threads)
        return min(slots, self._most or slots)

    def submit(self, task: Task) -> "Future[Made]":
        """Let a machine make a picture."""
        future: Future[Made] = Future()
        self._running[future] = self._make.remote(task, str(Path.cwd()), self._threads)
        self._running[future].future().add_done_callback(partial(self._pass_on, future))
        return future

    def ask_to_stop(self) -> None:
        """Stop what is being made."""
        for one in list(self._running.values()):
            self._ray.cancel(one)

    def _pass_on(self, future: "Future[Made]", got: "Future[Made]") -> None:
        """Give the result of Ray, in our words, to a future."""
        self._running.pop(future, None)
        error = got.exception()
        if error is None:
            future.set_result(got.result())
        elif isinstance(error, self._ray.exceptions.TaskCancelledError):
            future.set_result(Made(INTERRUPTED))
        elif isinstance(error, self._ray.exceptions.RayTaskError):
            future.set_exception(error.cause)
        else:
            future.set_exception(BrokenExecutor(str(error)))

    def _check(self, machines: list[Any], upload: Upload | None) -> None:
        """Refuse machines that have another limner, or do not reach our files."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if not machines:
            raise LimnerError("--cluster: has no machine with a processor; add one with ray start")
        look = self._ray.remote(_look)
        folder = str(Path.cwd())
        answers = {
            one["NodeManagerAddress"]: look.options(
                num_cpus=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(one["NodeID"], soft=False),
            ).remote(folder, upload)
            for one in machines
        }
        for name, answer in answers.items():
            try:
                version, sees_folder, refusal = self._ray.get(answer, timeout=_CHECK_SECONDS)
            except Exception as error:
                raise LimnerError(
                    f"--cluster: {name} cannot run limner ({reason(error)[:200]}); install limner "
                    f"{__version__} there"
                ) from error
            if version != __version__:
                raise LimnerError(
                    f"--cluster: {name} has limner {version}, and this machine {__version__}; "
                    "install the same version"
                )
            if not sees_folder:
                raise LimnerError(
                    f"--cluster: {name} does not see {printable(folder)}; mount it there under the "
                    "same name, or start limner in a folder that all machines share"
                )
            if refusal:
                raise LimnerError(f"--cluster: on {name}: {refusal}")


def _connect(address: str) -> Any:
    """Join a cluster, or start one; return the module `ray`."""
    # Ray reads these when it is imported
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no data is sent
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # standard output is ours
    if Path("~/.ray/auth_token").expanduser().is_file():  # which ray:// would not look for
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError as error:
        raise OptionError(
            f'--cluster {printable(address)}: needs Ray; install it with pip install "limner[ray]"'
        ) from error
    where = os.environ.get("RAY_ADDRESS") if address == "auto" else address
    if where is not None and where not in ("local", "auto"):
        _check_answer(where)
    names = ("SIGTERM", "SIGBREAK")  # for which Ray has handlers of its own
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in signals}
    try:
        ray.init(
            address=where or "local",
            include_dashboard=None if where else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:
        raise LimnerError(
            f"--cluster {printable(address)}: cannot be joined ({reason(error)[:200]}); it must "
            "have the same versions of Ray and Python, and the same token"
        ) from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return ray


def _check_answer(address: str) -> None:
    """Refuse an address at which nobody answers."""
    shown = printable(address)
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise OptionError(f"--cluster {shown}: must be auto, ray://HOST:PORT or HOST:PORT")
    try:
        socket.create_connection((host, port), _ANSWER_SECONDS).close()
    except OSError as error:
        raise LimnerError(
            f"--cluster {shown}: does not answer ({reason(error)}); check the address, or start a "
            "cluster there with ray start --head"
        ) from error


def _cores(machine: Any) -> int:
    return int(machine["Resources"].get("CPU", 0))


def _look(folder: str, upload: Upload | None) -> tuple[str, bool, str]:
    """On a machine of the cluster: return its version of limner, and what it reaches.

    That is whether it sees a folder, and why results cannot be uploaded, or an empty string.
    """
    refusal = ""
    try:
        if upload:
            upload.check()
    except LimnerError as error:
        refusal = str(error)
    return __version__, Path(folder).is_dir(), refusal


def _make(task: Task, folder: str, threads: int) -> Made:
    """On a machine of the cluster: make a picture."""
    os.chdir(folder)
    torch.set_num_threads(threads)
    console = Console()
    console.count = 2  # of several pictures, one that is interrupted is not written
    return make_unseen(task, console, f"{socket.gethostname()}-{os.getpid()}")
