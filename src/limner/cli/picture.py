"""Make one picture with a verb and write it."""

from collections.abc import Callable, Mapping, Sequence
from json import dumps, loads
from pathlib import Path
from typing import Any

from limner.cli import outputs
from limner.cli.console import Console, say
from limner.errors import (
    CUT_SHORT,
    DONE,
    INTERRUPTED,
)
from limner.io import check_output, write, write_view
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
