"""Make one picture with a verb and write it; of several pictures, say what came of it."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from json import dumps, loads
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import Any, NamedTuple

from PIL import Image

from limner.batch.plan import Job
from limner.batch.upload import Upload
from limner.cli import outputs
from limner.cli.console import Console, say
from limner.errors import (
    CUT_SHORT,
    DONE,
    FAILED,
    INTERRUPTED,
    LimnerError,
    OutputError,
    is_out_of_memory,
    printable,
    reason,
)
from limner.io import check_output, write, write_view
from limner.io.recipe import hash_of
from limner.progress import Progress, Stop

_EXIT_CODES = {None: DONE, "time budget": CUT_SHORT, "interrupted": INTERRUPTED}


class Task(NamedTuple):
    """One of several pictures to make.

    Attributes
    ----------
    verb : callable
    options : mapping
        Those of the verb.
    job : Job
    key : str
        Identifies the result in the manifest.
    keep_exif, no_recipe, json : bool
        As in `make_one`.
    upload : Upload or None
        Where to copy the result.
    """

    verb: Callable[..., Any]
    options: Mapping[str, Any]
    job: Job
    key: str
    keep_exif: bool
    no_recipe: bool
    json: bool
    upload: Upload | None = None


class Made(NamedTuple):
    """What came of a task.

    Attributes
    ----------
    code : int
        The exit code that a command for this picture alone would have.
    sha256 : str or None
        Of the file, if there is one.
    failure : str
        Why there is no picture, or empty.
    error : LimnerError or None
        The error, if it may be the fault of the command and not of this picture.
    seconds : float
        How long it took.
    worker : str
        The process that made it.
    printed, said : str
        What is still to be printed on standard output, and to be said to the user.
    """

    code: int
    sha256: str | None = None
    failure: str = ""
    error: LimnerError | None = None
    seconds: float = 0.0
    worker: str = "1"
    printed: str = ""
    said: str = ""


def make(task: Task, console: Console) -> Made:
    """Make one of several pictures. Errors of the user or the picture are returned, not raised."""
    began = monotonic()
    output, name = task.job.output, printable(task.job.source)
    error: LimnerError | None = None
    sha256: str | None = None
    try:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as refused:
            where = printable(output.parent)
            raise OutputError(f"{where}: cannot be made ({reason(refused)})") from refused
        code = make_one(
            task.verb,
            task.job.inputs,
            task.options,
            output,
            console,
            overwrite=True,
            keep_exif=task.keep_exif,
            no_recipe=task.no_recipe,
            json=task.json,
        )
        text = ""
        if output.is_file():
            sha256 = hash_of(output)
            if task.upload:
                task.upload.copy(_written(task, task.upload.folder))
    except LimnerError as raised:
        code, text, error = FAILED, str(raised), raised
        if name not in text and not text.startswith("-"):
            text = f"{name}: {text}"
    except Exception as raised:
        if not is_out_of_memory(raised):
            raise
        code, text = FAILED, f"{name}: there is not enough memory; use fewer --jobs"
    return Made(code, sha256, text, error, monotonic() - began)


def _written(task: Task, folder: Path) -> list[Path]:
    """Return the files of a task in a folder: the picture, and those beside it."""
    output = task.job.output
    beside = outputs.files_beside(task.verb, task.job.inputs, task.options, output).values()
    return [one for one in (output, *beside) if one.is_relative_to(folder) and one.is_file()]


def make_one(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    output: Path,
    console: Console,
    *,
    overwrite: bool,
    keep_exif: bool,
    no_recipe: bool,
    json: bool,
) -> int:
    """Make a picture, write it and print its path; return the exit code.

    Of several pictures, one that Ctrl-C interrupts is not written.
    """
    every, resume = options.get("save_every") or 0, options.get("resume") or False
    beside = outputs.files_beside(verb, inputs, options, output)
    outputs.check_all(
        output,
        beside.values(),
        overwrite=overwrite,
        size=options.get("size"),
        save_every=every,
        resume=resume,
    )
    checkpoint = outputs.checkpoint_of(output)
    if every or resume:
        options = {**options, "checkpoint": checkpoint}

    def keep(progress: Progress) -> None:
        assert progress.preview is not None
        path = outputs.numbered(output, progress.step)
        if progress.loss is None and path.is_file():  # a resumed run reports its checkpoint again
            return
        try:
            write(progress.preview(), path, overwrite=overwrite or resume, recipe=not no_recipe)
        except OutputError as error:  # the result counts
            console.say_once(f"{error}; the work goes on without such pictures")
            console.keep = None

    def on_step(progress: Progress) -> None:
        if progress.size and not progress.step:  # before hours of work
            check_output(output, overwrite=overwrite, size=progress.size)
        console(progress)

    console.every, console.keep = every, keep
    console.last = Progress("", "", 0, 0, 0.0)
    try:
        picture = verb(*inputs, **options, on_step=on_step)
    except Stop:
        picture = None
    done, cut = console.last, console.cut_by
    if console.dry_run:
        if json:
            print(dumps({"output": str(output), "steps": done.steps, "plan": done.note}))
        return DONE
    if cut == "interrupted" and console.count > 1:
        return INTERRUPTED
    if picture is None or (cut == "interrupted" and done.step == 0):
        say("interrupted before the first step; nothing was written")
        return INTERRUPTED
    kept = {"keep_exif": keep_exif, "recipe": not no_recipe}
    try:
        notes = write(picture, output, overwrite=overwrite, **kept)
    except OutputError as error:  # it was checked before the work, so this came during it
        raise _kept_elsewhere(picture, output, error, **kept) from error
    for note in notes:
        say(note)
    written = [output]
    for name, view in picture.info.get("beside", {}).items():
        for note in write_view(view, beside[name], overwrite=overwrite, **kept):
            say(note)
        written.append(beside[name])

    if cut:
        message = f"{cut}: {output} is the picture after {done.step} of {done.steps} steps"
        if "checkpoint" in options and checkpoint.is_file():
            message += "; to continue, run the same command with --resume --overwrite"
        say(message)
    elif "checkpoint" in options:
        checkpoint.unlink(missing_ok=True)
    about = {
        "output": str(output),
        "width": picture.width,
        "height": picture.height,
        "seconds": round(done.seconds, 3),
        "steps": done.step,
        "loss": done.loss,
        "recipe": loads(picture.info["limner"]),
        "stopped": cut,
        "beside": [str(path) for path in written[1:]],
    }
    print(dumps(about) if json else "\n".join(map(str, written)), flush=True)
    return _EXIT_CODES[cut]


def _kept_elsewhere(
    picture: Image.Image, output: Path, error: OutputError, *, keep_exif: bool, recipe: bool
) -> OutputError:
    """Write a finished picture where there is room; return the error with that place.

    Its own place may be gone by the end of the work: the folder was deleted, the disk filled up, or
    another program took the name.
    """
    for folder in (output.parent, Path(), Path(gettempdir())):
        for number in range(2, 100):
            path = folder / f"{output.stem}-{number}{output.suffix}"
            if os.path.lexists(path):
                continue
            with suppress(LimnerError, OSError):
                write(picture, path, keep_exif=keep_exif, recipe=recipe)
                return OutputError(f"{error}; the finished picture is in {printable(path)}")
            break
    return error
