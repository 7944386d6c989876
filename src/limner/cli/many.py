"""Make one picture for each file of folders and lists; a second run makes only the rest."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from limner.batch import forecast, manifest
from limner.batch.forecast import Need
from limner.batch.manifest import Manifest
from limner.batch.plan import SHEET, Job
from limner.batch.sheet import contact_sheet
from limner.batch.upload import Upload
from limner.checks import flag
from limner.cli import outputs
from limner.cli.console import Console, say
from limner.cli.picture import Made, Task, make
from limner.cli.workers import Processes, make_all
from limner.errors import (
    DONE,
    FAILED,
    INTERRUPTED,
    PARTLY,
    OptionError,
    OutputError,
    printable,
)
from limner.io import check_output, check_place, write

if TYPE_CHECKING:
    from limner.cli.cluster import Cluster

_FOR_ONE = ("resume", "save_every")  # options that continue or follow a single picture


def make_many(
    verb: Callable[..., Any],
    options: Mapping[str, Any],
    folder: Path,
    jobs: Sequence[Job],
    *,
    overwrite: bool,
    keep_exif: bool,
    no_recipe: bool,
    json: bool,
    dry_run: bool,
    sheet: bool,
    fail_fast: bool,
    workers: int | None,
    cluster: str | None,
    upload: str | None,
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
    if sheet:
        _check_sheet(folder, jobs, overwrite=overwrite)
    target = None if upload is None else Upload(folder, upload)
    left = _left(verb, options, folder, jobs, overwrite=overwrite, upload=upload)
    if len(left) < len(jobs):
        say(f"{len(jobs) - len(left)} of {len(jobs)} pictures are done already")
    for job, _ in left:
        check_output(_existing(folder) / job.output.name, overwrite=True)
    sizes = {job: forecast.pixels(job.source) for job in jobs}
    left_sizes = {job: sizes[job] for job, _ in left}
    forecast.check_disk(verb.__name__, _existing(folder), left_sizes, options)
    if dry_run:
        for job, _ in left:
            about = {"inputs": list(map(str, job.inputs)), "output": str(job.output)}
            shown = f"{printable(job.source)} -> {printable(job.output)}"
            print(dumps(about) if json else shown)
        return DONE
    if target and (left or sheet):
        target.check()
    # a cluster has devices of its own
    need = forecast.need(verb.__name__, sizes, {**options, "device": "cpu"} if cluster else options)
    if workers is None and cluster is None:
        is_soon_done = forecast.is_soon_done(verb.__name__, list(left_sizes.values()))
        workers = 1 if is_soon_done else need.workers
    kept = keep_exif, no_recipe, json, target
    tasks = [Task(verb, options, job, key, *kept) for job, key in left]
    with Manifest(folder, verb.__name__, jobs) as record, Console() as console:
        console.count = len(tasks)
        made = _make_all(tasks, need, workers, cluster, console, record)
        with closing(made) as results:
            codes, failures, finished = _follow(results, console, record, fail_fast=fail_fast)
        if sheet and not console.asked_to_stop:
            there = [job.output for job in jobs if job.output.is_file()]
            _write_sheet(folder, there, target, json=json)
    if console.asked_to_stop:
        done = console.done - failures
        say(f"interrupted: {done} of {len(tasks)} are made; the same command makes the rest")
        return INTERRUPTED
    to_make = {job.output for job, _ in left}
    finished += [job.output for job in jobs if job.output not in to_make]
    if not cluster and (gone := [path for path in finished if not path.is_file()]):
        say(
            f"{len(gone)} of {len(jobs)} finished pictures are gone, such as {gone[0]}; they were "
            "deleted or moved; the same command makes them again"
        )
        return FAILED
    if not failures:
        return max(codes)
    rest = len(tasks) - console.done
    not_tried = f", and {rest} were not tried" if rest else ""
    say(f"{failures} of {len(jobs)} pictures could not be made{not_tried}")
    return FAILED if failures == len(jobs) else PARTLY


def _follow(
    results: Iterator[tuple[Task, Made]], console: Console, record: Manifest, *, fail_fast: bool
) -> tuple[set[int], int, list[Path]]:
    """Take note of every picture; return exit codes, how many failed, and those that are made."""
    codes, failures, untold = {DONE}, list[Made](), list[tuple[Task, Made]]()
    finished: list[Path] = []

    def tell() -> None:
        for task, made in untold:
            say(f"error: {made.failure}")
            if task.json:
                about = {"output": str(task.job.output), "error": made.failure}
                print(dumps(about), flush=True)
        untold.clear()

    for task, made in results:
        if made.code != INTERRUPTED:
            record.end(
                task.job,
                task.key,
                sha256=made.sha256,
                worker=made.worker,
                seconds=made.seconds,
                error=made.failure or None,
            )
            console.count_one()
        if made.failure:
            if made.error and _is_of_the_command(made, failures, console):
                raise made.error
            failures.append(made)
            untold.append((task, made))
            if fail_fast:
                break
        else:
            codes.add(made.code)
            if made.code != INTERRUPTED:
                finished.append(task.job.output)
        # hold back a first OptionError: if the second picture fails the same way, it is told once
        if console.done > 1 or not isinstance(made.error, OptionError):
            tell()
    tell()
    return codes, len(failures), finished


def _check_sheet(folder: Path, jobs: Sequence[Job], *, overwrite: bool) -> None:
    """Refuse, before any work, a contact sheet that would replace another picture."""
    path = folder / SHEET
    if any(job.output == path for job in jobs):
        raise OutputError(f"{printable(path)}: would be the contact sheet; use another --name")
    is_own = (folder / manifest.NAME).is_file()
    if folder.is_dir():
        check_place(path, overwrite=overwrite or is_own)


def _write_sheet(
    folder: Path, pictures: Sequence[Path], target: Upload | None, *, json: bool
) -> None:
    path = folder / SHEET
    if pictures:
        write(contact_sheet(pictures), path, overwrite=True)
        if target:
            target.copy([path])
        print(dumps({"sheet": str(path)}) if json else path, flush=True)


def _make_all(
    tasks: Sequence[Task],
    need: Need,
    count: int | None,
    cluster: str | None,
    console: Console,
    record: Manifest,
) -> Generator[tuple[Task, Made]]:
    """Make pictures here, in processes or on a cluster; yield each when it is done."""

    def begin(task: Task) -> None:
        record.begin(task.job, task.key)

    if tasks and (cluster or min(len(tasks), count or 1) > 1):
        with _workers(cluster, need, count, tasks) as workers:
            for task, made in make_all(tasks, workers, console, begin):
                print(made.printed, end="", flush=True)
                for line in made.said.splitlines():
                    console.say_once(line.removeprefix("limner: "))
                yield task, made
        return
    before = torch.get_num_threads()
    torch.set_num_threads(need.threads)
    try:
        for task in tasks:
            begin(task)
            yield task, make(task, console)
            if console.asked_to_stop:
                return
    finally:
        torch.set_num_threads(before)


def _workers(
    cluster: str | None, need: Need, count: int | None, tasks: Sequence[Task]
) -> "Processes | Cluster":
    if cluster is None:
        return Processes(min(count or 1, len(tasks)), need.threads)
    from limner.cli.cluster import Cluster

    return Cluster(cluster, need, count, tasks[0].upload)


def _is_of_the_command(failure: Made, before: Sequence[Made], console: Console) -> bool:
    """Whether the command is wrong, not a picture: the first two fail for one reason."""
    if console.count == 1:
        return isinstance(failure.error, OptionError)
    return len(before) == 1 and console.done == 2 and str(failure.error) == str(before[0].error)


def _left(
    verb: Callable[..., Any],
    options: Mapping[str, Any],
    folder: Path,
    jobs: Sequence[Job],
    *,
    overwrite: bool,
    upload: str | None,
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
    decisive = options if upload is None else {**options, "upload": upload}
    for job in jobs:
        beside = outputs.files_beside(verb, job.inputs, options, job.output)
        for path in (job.output, *beside.values()):
            other = taken.setdefault(str(path.resolve()).casefold(), job)
            if other is not job:
                raise OutputError(
                    f"{printable(path)}: {printable(other.source)} and {printable(job.source)} "
                    f"would both write it; {_remedy(other, job)}"
                )
            if path.resolve() in sources:
                raise OutputError(
                    f"{printable(path)}: is one of the pictures to read; name another folder"
                )
        key = manifest.key_of(verb.__name__, job.inputs, decisive)
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


def _remedy(one: Job, other: Job) -> str:
    """Say what keeps two pictures from having one name, on systems that ignore case too."""
    first, second = Path(one.source), Path(other.source)
    if str(one.output).casefold() != str(other.output).casefold():  # so it is a file beside them
        return "make them one by one"
    if first.suffix.lower() != second.suffix.lower():
        return 'use --name "{stem}-{ext}.png"'
    if first.stem.casefold() != second.stem.casefold():
        return 'use --name "{stem}.png"'
    if first.name != second.name:
        return "their names differ only in upper and lower case; rename one of them"
    return "name the folder around them, and use --recursive, or make them one by one"


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
