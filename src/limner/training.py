"""What every training needs: a run folder, its log, checkpoints that resume bit for bit, crops.

The loop itself stays in the room's own ``train.py``. A step draws its randomness from
``generator(seed, step)`` and from nothing else, so a resumed run needs no sampler state: step 900
sees the same batch whether or not the run was stopped at 899.
"""

import csv
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import images
from limner.errors import InputError, LimnerError, OptionError, OutputError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp"})


def generator(seed: int, step: int) -> torch.Generator:
    """Give the random numbers of one step: the same for the same seed and step."""
    return torch.Generator().manual_seed(number(seed, step))


def number(seed: int, step: int) -> int:
    """Give the seed of one step, as torch takes it."""
    return (seed * 1_000_003 + step) % 2**63


def cosine(step: int, steps: int, *, warmup: int = 200) -> float:
    """Share of the learning rate at a step: a linear warm-up, then half a cosine down to zero."""
    return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps))


def check_least(least: int, **options: int) -> None:
    """Refuse options, given by their names in Python, below what each has to be at least."""
    for name, value in options.items():
        if value < least:
            raise OptionError(f"--{name.replace('_', '-')} {value}: must be at least {least}")


def check_rate(learning_rate: float | None) -> None:
    """Refuse a learning rate that is given and is none."""
    if learning_rate is not None and not 0 < learning_rate < 1:
        raise OptionError(f"--learning-rate {learning_rate:g}: must be above 0 and below 1")


class Run:
    """A folder that holds one training: its options, log, checkpoint and result.

    ::

        run/options.json       the options it was started with
        run/log.csv            one row each time something is logged; stages have one each
        run/events.*           the same for TensorBoard, where it is installed
        run/checkpoint.pt      everything needed to go on
        run/model.safetensors  the result

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    options : mapping
        What the training was asked for; a resumed run must be asked for the same.
    resume : bool
        Go on from the checkpoint, or start anew. A run is never replaced by accident.
    logs : sequence of str
        The names of its logs.

    Raises
    ------
    OutputError
        There is a run in the folder already, or none to resume, or it cannot be written.
    OptionError
        The run to be resumed was started with other options.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, object],
        *,
        resume: bool,
        logs: Sequence[str] = ("log",),
    ) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint.pt"
        self.model = folder / "model.safetensors"
        self._options = json.loads(json.dumps(options))
        self._logs = [folder / f"{name}.csv" for name in logs]
        self._events: Any = None
        known = folder / "options.json"
        if resume:
            if not self.checkpoint.is_file():
                raise OutputError(f"{folder}: holds no checkpoint to resume; leave out --resume")
            try:
                started = dict(json.loads(known.read_text()))
            except (OSError, ValueError, TypeError) as error:
                raise InputError(f"{known}: lost or damaged; start the run anew") from error
            self._refuse_other_options(started)
            return
        if self.checkpoint.exists():
            raise OutputError(f"{folder}: holds a run already; use --resume or another folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            known.write_text(json.dumps(self._options, indent=2) + "\n")
            for log in self._logs:  # of a run stopped before its first checkpoint
                log.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error

    def _refuse_other_options(self, started: dict[str, object]) -> None:
        for name, value in self._options.items():
            if started.get(name) != value:
                raise OptionError(
                    f"--{name.replace('_', '-')} {value}: this run was started with "
                    f"{started.get(name)}; resume it with the same, or start another"
                )

    def _no_room(self, path: Path) -> OutputError:
        return OutputError(f"{path}: cannot be written; make room, then go on with --resume")

    def __enter__(self) -> Self:
        """Open the run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close TensorBoard's file."""
        if self._events is not None:
            self._events.close()

    def save(self, state: Mapping[str, object]) -> None:
        """Write the checkpoint, whole or not at all: tensors, numbers, text and their nests.

        Raises
        ------
        OutputError
            There is no room for it; the checkpoint before it is still there.
        """
        temporary = self.checkpoint.with_suffix(".tmp")
        try:
            torch.save(dict(state), temporary)
            temporary.replace(self.checkpoint)
        except (OSError, RuntimeError) as error:  # torch's writer raises the latter
            raise self._no_room(self.checkpoint) from error
        finally:
            temporary.unlink(missing_ok=True)

    def load(self) -> dict[str, Any]:
        """Read the checkpoint, and forget what was logged after it.

        Raises
        ------
        InputError
            The checkpoint is damaged.
        """
        try:
            state: dict[str, Any] = torch.load(self.checkpoint, weights_only=True)
        except Exception as error:
            raise InputError(f"{self.checkpoint}: damaged; start the run anew") from error
        for log in filter(Path.exists, self._logs):
            lines = log.read_text().splitlines(keepends=True)
            steps = [line.partition(",")[0] for line in lines]
            kept = [
                line
                for line, step in zip(lines, steps, strict=True)
                if step == "step" or (step.isdecimal() and int(step) <= state["step"])
            ]
            log.write_text("".join(kept))
        return state

    def log(self, step: int, numbers: Mapping[str, float], name: str = "log") -> None:
        """Add one row to ``log.csv``, and the same to TensorBoard where it is installed.

        A stage with numbers of its own has a log of another `name`.
        """
        log = self.folder / f"{name}.csv"
        new = not log.exists()
        try:
            with log.open("a", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                if new:
                    writer.writerow(["step", *numbers])
                writer.writerow([step, *(f"{number:.6g}" for number in numbers.values())])
        except OSError as error:
            raise self._no_room(log) from error
        if self._events is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:  # the extra "train" is not installed: the CSV has it all
                return
            self._events = SummaryWriter(str(self.folder), purge_step=step)
        for key, number in numbers.items():
            self._events.add_scalar(key, number, step)


def load(
    folders: Sequence[Path], smallest: int, *, longest: int, held_out: bool, one_in: int = 10
) -> list[list[Tensor]]:
    """Read folders of pictures into memory, some held out.

    Parameters
    ----------
    folders : sequence of Path
        Searched with everything below them.
    smallest : int
        Pictures whose short side has fewer pixels are passed over.
    longest : int
        Pictures are kept with at most this longest side.
    held_out : bool
        Read the pictures, chosen by a hash of their names, that are not read otherwise.
    one_in : int
        So many of which one is held out.

    Returns
    -------
    list of list of Tensor
        For each folder its pictures, uint8 [3, H, W], in the order of their paths.

    Raises
    ------
    InputError
        A folder is missing or holds no such picture.
    """
    shelves = []
    for folder in folders:
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES)
        shelf = []
        for path in found:
            if (hashlib.sha256(os.fsencode(path.name)).digest()[0] % one_in == 0) != held_out:
                continue
            try:
                rgb = images.read(path).rgb
            except LimnerError:
                continue
            if max(rgb.shape[-2:]) > longest:
                rgb = images.resize(rgb, images.fit(*images.size_of(rgb), longest))
            if min(rgb.shape[-2:]) >= smallest:
                shelf.append((rgb[0] * 255).round().to(torch.uint8))
        if not shelf:
            lot = f" among those held out for the scores, one in {one_in}; add some"
            lot = lot if held_out else ""
            side = f"{smallest}×{smallest}"
            raise InputError(f"{folder}: holds no picture of at least {side} pixels{lot}")
        shelves.append(shelf)
    return shelves


class Crops:
    """Random square crops out of folders of pictures, at mixed scales, a tenth held out.

    Parameters
    ----------
    folders : sequence of Path
        Searched with everything below them. Each folder gives the same share of the crops, however
        many pictures it holds.
    size : int
        Side of a crop in pixels.
    longest : int
        Pictures are kept in memory with at most this longest side, in 8 bits.
    held_out : bool
        Draw from the tenth of the pictures, chosen by a hash of their names, that is never drawn
        otherwise.

    Raises
    ------
    InputError
        A folder is missing or holds no picture.
    """

    def __init__(
        self, folders: Sequence[Path], size: int, *, longest: int = 1024, held_out: bool = False
    ) -> None:
        self.size = size
        self._shelves = load(folders, size, longest=longest, held_out=held_out)

    def batch(self, count: int, random: torch.Generator) -> Tensor:
        """Draw crops [count, 3, size, size] in 0..1: mixed scales, mirrored, colours varied."""
        return torch.cat([self._crop(random) for _ in range(count)])

    def _crop(self, random: torch.Generator) -> Tensor:
        def uniform(low: float, high: float) -> float:
            return low + (high - low) * torch.rand((), generator=random).item()

        shelf = self._shelves[int(uniform(0, len(self._shelves)))]
        picture = shelf[int(uniform(0, len(shelf)))]
        height, width = picture.shape[-2:]
        # side: log-uniform between the crop itself and the whole short side
        side = int(self.size * (min(height, width) / self.size) ** uniform(0, 1))
        top, left = int(uniform(0, height - side + 1)), int(uniform(0, width - side + 1))
        crop = picture[None, :, top : top + side, left : left + side].float() / 255
        crop = F.interpolate(crop, (self.size, self.size), mode="bilinear", antialias=True)
        crop = crop.clamp(0, 1)
        if uniform(0, 1) < 0.5:
            crop = crop.flip(-1)
        if uniform(0, 1) < 0.5:  # contrast, brightness and the balance of the channels
            gains = torch.rand((1, 3, 1, 1), generator=random) * 0.8 + 0.6
            crop = ((crop - 0.5) * gains + 0.5 + uniform(-0.15, 0.15)).clamp(0, 1)
        if uniform(0, 1) < 0.1:
            crop = crop[:, torch.randperm(3, generator=random)]
        if uniform(0, 1) < 0.3:
            noise = torch.randn(crop.shape, generator=random)
            crop = (crop + noise * uniform(0, 0.1)).clamp(0, 1)
        return crop
