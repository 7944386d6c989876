"""Make one picture with a verb and write it, or one for each file of folders and lists."""

import time
from collections.abc import Callable, Mapping, Sequence
from json import dumps, loads
from pathlib import Path
from typing import Any

from limner.batch import manifest
from limner.batch.manifest import Manifest, key_of
from limner.batch.plan import Job
from limner.cli import outputs
from limner.cli.console import Console, say
from limner.errors import (
    CUT_SHORT,
    DONE,
    FAILED,
    INTERRUPTED,
    PARTLY,
    LimnerError,
    OptionError,
    OutputError,
    printable,
)
from limner.io import check_output, write, write_view
from limner.nn.devices import is_out_of_memory
from limner.progress import Progress, Stop

_EXIT_CODES = {None: DONE, "time budget": CUT_SHORT, "interrupted": INTERRUPTED}


def make_one(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    output: Path,
    console: Console,
    *,
    overwrite: bool,
    keep_exif: bool,
    json: bool,
) -> int:
    """Make a picture, write it and print its path; return the exit code.

    Of several pictures, one that Ctrl-C interrupts is not written.
    """
    every, resume = options.get("save_every") or 0, options.get("resume") or False
    beside = outputs.side_files(verb, inputs, options, lambda name: outputs.beside(output, name))
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
        write(progress.preview(), path, overwrite=overwrite or resume)

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
    for note in write(picture, output, overwrite=overwrite, keep_exif=keep_exif):
        say(note)
    written = [output]
    for name, view in picture.info.get("beside", {}).items():
        for note in write_view(view, beside[name], overwrite=overwrite, keep_exif=keep_exif):
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

    What an earlier run with the same inputs and options has made is left alone. A picture that
    cannot be made costs one line, and the others are made.
    """
    keys = [key_of(verb.__name__, job.inputs, options) for job in jobs]
    made = manifest.read(folder)
    left = []
    for job, key in zip(jobs, keys, strict=True):
        entry = made.get(job.output.relative_to(folder).as_posix(), {})
        is_done = entry.get("key") == key and "seconds" in entry and not entry.get("error")
        if is_done and job.output.is_file() and not overwrite:
            continue
        if job.output.exists() and not (entry or overwrite):  # not made by limner for this folder
            raise OutputError(
                f"{printable(job.output)}: exists; use --overwrite, or name another folder"
            )
        left.append((job, key))
    if len(left) < len(jobs):
        say(f"{len(jobs) - len(left)} of {len(jobs)} pictures are done already")
    if dry_run:
        for job, _ in left:
            about = {"inputs": list(job.inputs), "output": str(job.output)}
            print(dumps(about) if json else f"{job.inputs[0]} -> {job.output}")
        return DONE
    failed, codes = 0, {DONE}
    with Manifest(folder) as record, Console() as console:
        for job, _ in left:
            job.output.parent.mkdir(parents=True, exist_ok=True)
            check_output(job.output, overwrite=True)
        console.count = len(left)
        for console.done, (job, key) in enumerate(left):
            began, error = time.monotonic(), None
            record.begin(job, key)
            try:
                code = make_one(
                    verb,
                    job.inputs,
                    options,
                    job.output,
                    console,
                    overwrite=True,
                    keep_exif=keep_exif,
                    json=json,
                )
            except LimnerError as problem:
                if isinstance(problem, OptionError) and not console.done:
                    raise  # a mistake in the command, not in one picture
                code, error = FAILED, str(problem)
            except Exception as problem:
                if not is_out_of_memory(problem):
                    raise
                code, error = FAILED, f"{printable(job.inputs[0])}: there is not enough memory"
            if code != INTERRUPTED:
                record.end(job, key, time.monotonic() - began, error)
            if console.asked_to_stop:
                done = console.done + (code != INTERRUPTED)
                say(f"interrupted: {done} of {len(left)} are done; the same command makes the rest")
                return INTERRUPTED
            codes.add(code)
            if error is None:
                continue
            failed += 1
            say(f"error: {error}")
            if json:
                print(dumps({"output": str(job.output), "error": error}))
            if fail_fast:
                break
    if failed:
        say(
            f"{failed} of {len(jobs)} pictures could not be made; the same command tries them again"
        )
        return PARTLY
    return max(codes)
