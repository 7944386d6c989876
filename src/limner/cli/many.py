"""Make one picture for each file of folders and lists; a second run makes only the rest."""

import time
from collections.abc import Callable, Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

from limner.batch import manifest
from limner.batch.manifest import Manifest
from limner.batch.plan import Job
from limner.checks import flag
from limner.cli import outputs
from limner.cli.console import Console, say
from limner.cli.picture import make_one
from limner.errors import (
    DONE,
    FAILED,
    INTERRUPTED,
    PARTLY,
    LimnerError,
    OptionError,
    OutputError,
    printable,
    reason,
)
from limner.io import check_output
from limner.nn.devices import is_out_of_memory

_FOR_ONE = ("resume", "save_every")  # options that continue or follow a single picture


class _Failure(NamedTuple):
    """Why a picture could not be made, and the error if it can be the fault of the command."""

    text: str
    error: LimnerError | None


def make_many(
    verb: Callable[..., Any],
    options: Mapping[str, Any],
    folder: Path,
    jobs: Sequence[Job],
    *,
    overwrite: bool,
    keep_exif: bool,
    json: bool,
    dry_run: bool,
    fail_fast: bool,
) -> int:
    """Make every picture of a plan; return the exit code.

    What an earlier run made with the same inputs and options is left alone. A picture that cannot
    be made costs one line, and the others are made. If the first two fail for one reason, it is
    the command that is wrong.
    """
    for name in _FOR_ONE:
        if options.get(name):
            raise OptionError(
                f"{flag(name)}: works for one picture only; leave it out, limner keeps those that "
                "are finished"
            )
    left = _left(verb, options, folder, jobs, overwrite=overwrite)
    if len(left) < len(jobs):
        say(f"{len(jobs) - len(left)} of {len(jobs)} pictures are done already")
    for job, _ in left:
        check_output(_existing(folder) / job.output.name, overwrite=True)
    if dry_run:
        for job, _ in left:
            about = {"inputs": list(map(str, job.inputs)), "output": str(job.output)}
            print(dumps(about) if json else f"{job.source} -> {job.output}")
        return DONE
    failures: list[_Failure] = []
    codes = {DONE}
    with Manifest(folder, verb.__name__) as record, Console() as console:
        console.count = len(left)
        for console.done, (job, key) in enumerate(left):
            began = time.monotonic()
            record.begin(job, key)
            made = _make(verb, options, job, console, keep_exif=keep_exif, json=json)
            failure = made if isinstance(made, _Failure) else None
            if made != INTERRUPTED:
                record.end(job, key, time.monotonic() - began, failure and failure.text)
            if failure is not None:
                if failure.error and _is_of_the_command(failure, failures, console):
                    raise failure.error
                failures.append(failure)
                say(f"error: {failure.text}")
                if json:
                    print(dumps({"output": str(job.output), "error": failure.text}), flush=True)
            elif isinstance(made, int):
                codes.add(made)
            if console.asked_to_stop:
                done = console.done + (made != INTERRUPTED) - len(failures)
                say(f"interrupted: {done} of {len(left)} are made; the same command makes the rest")
                return INTERRUPTED
            if failure and fail_fast:
                break
    if not failures:
        return max(codes)
    rest = len(left) - console.done - 1
    not_tried = f", and {rest} were not tried" if rest else ""
    say(f"{len(failures)} of {len(jobs)} pictures could not be made{not_tried}")
    return FAILED if len(failures) == len(jobs) else PARTLY


def _is_of_the_command(failure: _Failure, before: Sequence[_Failure], console: Console) -> bool:
    """Whether the command is wrong, not a picture: the first two fail for one reason."""
    if console.count == 1:
        return isinstance(failure.error, OptionError)
    return len(before) == console.done == 1 and str(failure.error) == str(before[0].error)


def _left(
    verb: Callable[..., Any],
    options: Mapping[str, Any],
    folder: Path,
    jobs: Sequence[Job],
    *,
    overwrite: bool,
) -> list[tuple[Job, str]]:
    """Return the jobs that are not done, with the keys of their results.

    Raises
    ------
    OutputError
        A file would be written twice, is one of the inputs, or exists and is not limner's own.
    """
    made = manifest.read(folder)
    sources = {Path(job.source).resolve() for job in jobs}
    taken: dict[str, Job] = {}
    left = []
    for job in jobs:

        def place(name: str, job: Job = job) -> Path:
            return outputs.beside(job.output, name)

        beside = outputs.side_files(verb, job.inputs, options, place)
        for path in (job.output, *beside.values()):
            other = taken.setdefault(str(path.resolve()).casefold(), job)
            if other is not job:
                raise OutputError(
                    f"{printable(path)}: {printable(other.source)} and {printable(job.source)} "
                    'would both write it; use --name "{stem}-{ext}.png" or --recursive, or make '
                    "them one by one"
                )
            if path.resolve() in sources:
                raise OutputError(
                    f"{printable(path)}: is one of the pictures to read; name another folder"
                )
        key = manifest.key_of(verb.__name__, job.inputs, options)
        entry = made.get(job.output.relative_to(folder).as_posix(), {})
        if not overwrite and job.output.is_file() and manifest.is_finished(entry, key):
            continue
        own = manifest.is_own(entry, verb.__name__, job, folder)
        for path in (job.output, *beside.values()):
            if path.exists() and not own and not overwrite:
                raise OutputError(
                    f"{printable(path)}: exists, and limner did not make it from "
                    f"{printable(job.source)}; use --overwrite, or name another folder"
                )
        left.append((job, key))
    return left


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(one for one in (folder, *folder.absolute().parents) if one.is_dir())


def _make(
    verb: Callable[..., Any],
    options: Mapping[str, Any],
    job: Job,
    console: Console,
    *,
    keep_exif: bool,
    json: bool,
) -> int | _Failure:
    """Make one picture; return the exit code, or what went wrong."""
    name = printable(job.source)
    try:
        try:
            job.output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            where = printable(job.output.parent)
            raise OutputError(f"{where}: cannot be made ({reason(error)})") from error
        return make_one(
            verb,
            job.inputs,
            options,
            job.output,
            console,
            overwrite=True,
            keep_exif=keep_exif,
            json=json,
        )
    except LimnerError as error:
        text = str(error)
        return _Failure(text if name in text or text.startswith("-") else f"{name}: {text}", error)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return _Failure(f"{name}: there is not enough memory; use a smaller picture", None)
