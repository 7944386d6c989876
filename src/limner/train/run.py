"""A run folder: the options, log, checkpoint and result of one training.

The training loop itself stays in each verb's ``train.py``. A step draws its random numbers from
`limner.nn.seeding` and from nothing else, so a run that was stopped and resumed gives the same bits
as one that was not.
"""

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from limner import io
from limner.checks import check_range, flag
from limner.errors import (
    InputError,
    LimnerError,
    OptionError,
    OutputError,
    cannot_be_written,
    is_out_of_memory,
    reason,
)
from limner.io.atomic import whole_file
from limner.io.recipe import bare_name
from limner.nn import seeding
from limner.progress import OnStep, Reporter, Stop
from limner.train import parallel, run_folder

FORMAT = 2  # of checkpoints; raised when their keys change. Those of version 0.1 have none: 1
# errors that a checkpoint of another training causes when it is loaded
_DO_NOT_FIT = (TypeError, ValueError, LookupError, AttributeError, RuntimeError, ArithmeticError)
_ARGUMENTS = ("folder", "photos", "pictures")  # options of the run that are arguments as typed


def cosine(step: int, steps: int, *, warmup: int = 200) -> float:
    """Share of the learning rate at a step: a linear warm-up, then half a cosine down to zero."""
    return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps))


def check_training(learning_rate: float | None = None, **counts: int | None) -> None:
    """Refuse a learning rate outside (0, 1), and counts (steps, batch size …) below 1.

    None stands for an option that was not given.
    """
    for option, value in counts.items():
        check_range(option, value, 1)
    if learning_rate is not None and not 0 < learning_rate < 1:
        raise OptionError(f"--learning-rate {learning_rate:g}: must be above 0 and below 1")


class Run:
    """A folder that holds one training.

    ::

        run/options.json       the options it was started with
        run/log.csv            one row each time something is logged; stages have one each
        run/events.*           the same for TensorBoard, where it is installed
        run/checkpoint.pt      everything needed to continue
        run/model.safetensors  the result
        run/samples/*.png      the same samples at every checkpoint

    Of several processes that train together (`limner.train.parallel`), only the first, for which
    ``writes`` is true, may write.

    While it is open, torch's global random state belongs to the training; it is put back at the
    end.

    Parameters
    ----------
    training : str
        What is trained, as in ``limner train colorizer``: ``"colorizer"``.
    folder : Path
        Made if it is missing.
    options : mapping
        The options of the training, fit for JSON. A resumed run must have the same.
    resume : bool
        Continue from the checkpoint. A new run never replaces an old one.
    on_step : callable
        Called at every step; see `report`.
    logs : sequence of str
        The names of its logs.
    oldest_format : int
        The oldest format of checkpoints that the training can resume.

    Raises
    ------
    OutputError
        The folder already holds a run, holds none to resume, or cannot be written.
    InputError
        The run to be resumed is damaged.
    OptionError
        The run to be resumed was started with other options.
    """

    def __init__(
        self,
        training: str,
        folder: Path,
        options: Mapping[str, object],
        *,
        resume: bool,
        on_step: OnStep,
        logs: Sequence[str] = ("log",),
        oldest_format: int = FORMAT,
    ) -> None:
        self.folder = folder
        self._oldest_format = oldest_format
        self.checkpoint = folder / "checkpoint.pt"
        self.model = folder / "model.safetensors"
        self._training = training
        self._options = {"training": training, **json.loads(json.dumps(options))}
        self._logs = [folder / f"{name}.csv" for name in logs]
        self._events: Any = None
        self._on_exit = ExitStack()
        self._reporter = Reporter(f"train {training}", on_step)
        self._saved_step = self._reported = -1  # steps
        self._resumed_at: int | None = None
        run_folder.check(folder, resume=resume)
        self._is_new = False  # the folder
        self._shares: dict[str, float] = {}
        if isinstance(batch_size := self._options.get("batch_size"), int):
            parallel.check_batch(batch_size)
            processes = parallel.world_size()
            self._shares = {"processes": processes, "batch_per_process": batch_size // processes}
        if parallel.join():
            self._on_exit.callback(parallel.leave)
        self.writes = parallel.rank() == 0
        if self.writes:
            self._prepare(resume=resume)
        parallel.barrier()

    def _prepare(self, *, resume: bool) -> None:
        if resume:
            self._check_resumable()
            if not self.checkpoint.is_file():
                self._recover()
        else:
            self._begin()
        run_folder.remove_left(self.folder)

    @property
    def seconds(self) -> float:
        """Seconds since this call began."""
        return self._reporter.seconds

    def _begin(self) -> None:
        self._is_new = not self.folder.exists()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self._options, indent=2) + "\n"
            with whole_file(self.folder / "options.json") as file:
                file.write(text.encode())
            for log in self._logs:  # of a run that was stopped before its first checkpoint
                log.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({reason(error)})") from error

    def _check_resumable(self) -> None:
        known = self.folder / "options.json"
        try:
            started = dict(json.loads(known.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{known}: missing or damaged; start a new run") from error
        training = started.get("training", self._training)  # older runs do not say
        if training != self._training:
            raise OptionError(
                f"{self.folder}: is a run of limner train {training}, not of limner train "
                f"{self._training}; choose another folder"
            )
        for option in ("teacher", "features"):  # older runs have the folder of the weights too
            if isinstance(path := started.get(option), str):
                started[option] = bare_name(path)
        for option, value in self._options.items():
            if option != "training" and started.get(option) != value:
                name = option.upper() if option in _ARGUMENTS else flag(option)
                raise OptionError(
                    f"{name} {_shown(value)}: this run was started with "
                    f"{_shown(started.get(option))}; "
                    "resume it with the same options, or start another run"
                )

    def _recover(self) -> None:
        """Use a first checkpoint that was written, but not renamed when the process was killed."""
        for part in run_folder.parts(self.folder):
            try:
                torch.load(part, map_location="cpu", weights_only=True)["format"]
            except Exception:  # cut off, or not a checkpoint
                continue
            part.replace(self.checkpoint)
            return
        raise OutputError(
            f"{self.folder}: the process was killed while it wrote its first checkpoint; leave out "
            "--resume to start a new run"
        )

    def _no_room(self, path: Path, error: Exception) -> OutputError:
        return OutputError(f"{path}: {cannot_be_written(path, error)}, then use --resume")

    def __enter__(self) -> Self:
        """Take over torch's random state."""
        self._on_exit.enter_context(seeding.preserved())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Put the random state back, and close TensorBoard's file."""
        self._on_exit.close()
        if self._events is not None:
            self._events.close()
        if self._is_new and isinstance(error, LimnerError):
            run_folder.take_back(self.folder)
        before_a_step = self._resumed_at is not None and self._reported <= self._resumed_at
        if before_a_step and isinstance(error, _DO_NOT_FIT) and not is_out_of_memory(error):
            raise InputError(
                f"{self.checkpoint}: does not fit this training; use the version of limner that "
                "wrote it, or start a new run"
            ) from error

    def save(self, state: Mapping[str, object]) -> None:
        """Write the checkpoint: tensors, numbers, text, and lists and dictionaries of these.

        ``state["step"]`` is the number of steps done. The previous checkpoint stays until the new
        one is on the disk.

        Raises
        ------
        OutputError
            The disk is full; the previous checkpoint is still there.
        """
        if not self.writes:
            return
        try:
            with whole_file(self.checkpoint) as file:
                torch.save({"format": FORMAT, **state}, file)
        except (OSError, RuntimeError) as error:  # torch's writer raises the latter
            raise self._no_room(self.checkpoint, error) from error
        step = state["step"]
        assert isinstance(step, int)
        self._saved_step = step

    def load(self) -> dict[str, Any]:
        """Read the checkpoint, and drop the rows that were logged after it.

        Tensors come to the CPU, whatever device they were saved from.

        Raises
        ------
        InputError
            The checkpoint is damaged, or of another version of limner.
        """
        try:
            state: dict[str, Any] = torch.load(
                self.checkpoint, map_location="cpu", weights_only=True
            )
            step, form = int(state["step"]), int(state.pop("format", 1))
        except Exception as error:
            raise InputError(
                f"{self.checkpoint}: is cut off or damaged; start a new run"
            ) from error
        if not self._oldest_format <= form <= FORMAT:
            raise InputError(
                f"{self.checkpoint}: was written by another version of limner (checkpoint format "
                f"{form}, this one reads {FORMAT}); use that version, or start a new run"
            )
        for log in filter(Path.exists, self._logs if self.writes else ()):
            kept = [line for line in log.read_bytes().splitlines(True) if _is_up_to(line, step)]
            try:
                with whole_file(log) as file:
                    file.write(b"".join(kept))
            except OSError as error:
                raise self._no_room(log, error) from error
        self._saved_step = self._resumed_at = step
        return state

    def log(self, step: int, numbers: Mapping[str, float], name: str = "log") -> None:
        """Add one row to ``log.csv``, and the same to TensorBoard where it is installed.

        A stage with numbers of its own has a log of another `name`. Each row also has the number of
        processes, and what each has of a batch.
        """
        numbers = {**numbers, **self._shares}
        log = self.folder / f"{name}.csv"
        try:
            with log.open("a", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                if not file.tell():  # new, or its first line was cut off and dropped
                    writer.writerow(["step", *numbers])
                writer.writerow([step, *(f"{number:.6g}" for number in numbers.values())])
        except OSError as error:
            raise self._no_room(log, error) from error
        if self._events is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:  # the extra "train" is not installed: the CSV has it all
                return
            self._events = SummaryWriter(str(self.folder), purge_step=step)
        for key, number in numbers.items():
            self._events.add_scalar(key, number, step)

    def write_samples(self, step: int, sheet: Tensor) -> None:
        """Write ``samples/<step>.png``, a sheet [1, 3, H, W] of pictures, whole or not at all."""
        path = self.folder / "samples" / f"{step:06d}.png"
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise self._no_room(path.parent, error) from error
        io.write(io.to_picture(sheet), path, overwrite=True)

    def report(
        self,
        stage: str,
        step: int,
        steps: int,
        state: Callable[[], Mapping[str, object]],
        *,
        loss: float | None = None,
        note: str = "",
        share: float | None = None,
    ) -> None:
        """Tell the caller of one step. If the caller stops the training here, save a checkpoint.

        If one of several processes is stopped, all of them are.

        Parameters
        ----------
        stage : str
            Which part of the training runs.
        step, steps : int
            Steps done and planned, over all stages.
        state : callable
            Makes what `save` writes; called only if the training stops.
        loss : float or None
            The loss of this step.
        note : str
            A remark for the user.
        share : float or None
            Share of the work that is done, where it is not that of the steps.

        Raises
        ------
        Stop
            The caller wants to end here.
        """
        if (resumed := self._resumed_at) is not None and self._reported < 0:
            what = f"resuming after step {resumed}"
            if resumed >= steps:
                what = f"finished after step {resumed}; more --steps continue it"
            note = f"{what}; {note}" if note else what
        self._reported, stopped = step, False
        try:
            self._reporter(stage, step, steps, loss=loss, note=note, share=share)
        except Stop:
            stopped = True
        if parallel.any_of(stopped):
            if step != self._saved_step:
                self.save(state())
            raise Stop


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _is_up_to(line: bytes, last: int) -> bool:
    """Whether a line of a log is its header or a whole row that was written by this step."""
    cell = line.partition(b",")[0]
    return line.endswith(b"\n") and (cell == b"step" or (cell.isdigit() and int(cell) <= last))
