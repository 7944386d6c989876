"""The command line: commands out of signatures, progress and remarks on stderr, exit codes.

Standard output holds the path of what was written, or one JSON object, and nothing else.
"""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from glob import escape
from importlib import import_module
from json import dumps, loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError
from rich.console import Console
from rich.table import Table

from limner import __version__
from limner.errors import LimnerError, OptionError
from limner.watch import Watch, say

if TYPE_CHECKING:  # Pillow comes with it, and `limner --help` does without
    from limner.progress import Progress

# command: where it is, and the first line of its docstring, which `limner --help` shows unseen
VERBS = {
    "stylize": (
        "limner.style.stylize:stylize",
        "Paint a photo in the style of one or more paintings.",
    ),
    "hybridize": (
        "limner.hybrid.hybridize:hybridize",
        "Make one picture of two photos: the first seen from near, the second from afar.",
    ),
    "colorize": (
        "limner.sketch.colorize:colorize",
        "Colour a line drawing.",
    ),
    "sketch": (
        "limner.sketch.draw:draw",
        "Make a line drawing of a picture.",
    ),
    "upscale": (
        "limner.upscaling.upscale:upscale",
        "Make a picture larger, and what is in it sharper.",
    ),
    "replay": (
        "limner.replay:replay",
        "Make a picture again from the recipe it carries.",
    ),
}
TRAININGS = {
    "features": (
        "limner.distillation:train_features",
        "Train the compact perceptual network from random weights.",
    ),
    "upscaler": (
        "limner.upscaling.train:train_upscaler",
        "Train an upscaling network.",
    ),
    "colorizer": (
        "limner.sketch.train:train_colorizer",
        "Train a network that colours line drawings.",
    ),
}

DONE, FAILED, MISUSED, CUT_SHORT, INTERRUPTED = 0, 1, 2, 4, 130  # exit codes

app = App(
    name="limner",
    help="Pictures made with neural networks, on the machine you already have.",
    version=f"limner {__version__}",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)
training = App(name="train", help="Train a network that the verbs use.")
app.command(training)
app.register_install_completion_command(help="Let your shell complete commands and options.")
for _name, (_, _line) in VERBS.items():
    app.command(f"limner.cli:{_name}", name=_name, help=_line)
for _name, (_, _line) in TRAININGS.items():
    training.command(f"limner.cli:train_{_name}", name=_name, help=_line)


def __getattr__(name: str) -> Callable[..., int]:
    """Make the command of a verb, importing its room and torch, when cyclopts asks for it."""
    found = VERBS.get(name) or TRAININGS.get(name.removeprefix("train_"))
    if found is None:
        raise AttributeError(f"module 'limner.cli' has no attribute {name!r}")
    module, _, function = found[0].partition(":")
    pressed: list[int] = []  # torch does not bear Ctrl-C while it is imported, so that waits
    handler = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        verb = getattr(import_module(module), function)
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed:
        raise KeyboardInterrupt
    from limner.options import command

    return command(verb, paint if name in VERBS else train)


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code.

    Parameters
    ----------
    tokens : sequence of str or None
        What follows ``limner``; None for the command line of this process.

    Returns
    -------
    int
        0 done, 1 failed, 2 used wrongly, 4 cut short by the time budget, 130 interrupted.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files need not be Unicode
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # torch's are for programmers
    try:
        code = app(
            sys.argv[1:] if tokens is None else tokens,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
        return code or DONE
    except CycloptsError as error:
        command = " ".join(("limner", *(error.command_chain or ())))
        return _fail(f"{error} See {command} --help", MISUSED)
    except LimnerError as error:
        return _fail(str(error), MISUSED if isinstance(error, OptionError) else FAILED)
    except KeyboardInterrupt:
        say("interrupted at once; nothing is left half-written")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read us has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        from limner.devices import is_out_of_memory

        if is_out_of_memory(error):
            return _fail("there is not enough memory; use a smaller --size")
        if os.environ.get("LIMNER_TRACEBACK"):
            traceback.print_exc()
        return _fail(
            f"{type(error).__name__}: {error} (a bug in limner: please set LIMNER_TRACEBACK=1, "
            "run it again and report what it prints)"
        )


def _fail(message: str, code: int = FAILED) -> int:
    say(f"error: {message}")
    return code


def paint(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    output: Path,
    overwrite: bool = False,
    keep_exif: bool = False,
    json: bool = False,
    dry_run: bool = False,
) -> int:
    """Make a picture with a verb, and write it; give the exit code.

    Parameters
    ----------
    verb : callable
        It takes ``on_step`` and returns a PIL image that carries its recipe.
    inputs, options
        What it is given.
    output : path
        The picture to write. Its ending says the format: .png, .jpg, .webp, .avif or .tif.
    overwrite : bool
        Replace files that are there already.
    keep_exif : bool
        Keep also what may tell where the photo was taken: GPS data and the maker's notes.
    json : bool
        Print one JSON object instead of the path.
    dry_run : bool
        Say what would be done, and write nothing.
    """
    from limner.layers import Layers
    from limner.output import check_output, check_place, write, write_animation, write_layers
    from limner.progress import Stop

    size, every, resume = (options.get(name) for name in ("size", "save_every", "resume"))
    check_output(output, overwrite=overwrite, size=(size, size) if size else None)
    if every and not resume:
        numbered = f"{escape(output.stem)}-{'[0-9]' * 6}{output.suffix}"
        for path in sorted(output.parent.glob(numbered)):
            check_output(path, overwrite=overwrite)
    checkpoint = output.with_name(f"{output.name}.checkpoint.safetensors")
    if every or resume:
        options = {**options, "checkpoint": checkpoint}

    def keep(progress: "Progress") -> None:
        assert progress.preview is not None
        name = f"{output.stem}-{progress.step:06d}{output.suffix}"
        write(progress.preview(), output.with_name(name), overwrite=overwrite)

    with Watch(dry_run, every or 0, keep) as watch:

        def on_step(progress: "Progress") -> None:
            if progress.size and not progress.step:  # before hours of work
                check_output(output, overwrite=overwrite, size=progress.size)
            watch(progress)

        try:
            picture = verb(*inputs, **options, on_step=on_step)
        except Stop:
            picture = None
        done, cut = watch.last, watch.cut_by
        if dry_run:
            if json:
                print(dumps({"output": str(output), "steps": done.steps, "plan": done.note}))
            return DONE
        if picture is None or (cut == "interrupted" and done.step == 0):
            say("interrupted; there is nothing to keep yet")
            return INTERRUPTED
        beside = {
            _beside(output, name, view): view
            for name, view in picture.info.get("beside", {}).items()
        }
        for path in beside:
            check_place(path, overwrite=overwrite)
        for note in write(picture, output, overwrite=overwrite, keep_exif=keep_exif):
            say(note)
        for path, view in beside.items():
            if isinstance(view, Layers):
                write_layers(view, path, overwrite=overwrite)
            elif path.suffix == output.suffix:
                write(view, path, overwrite=overwrite, keep_exif=keep_exif)
            else:
                write_animation(view, path, overwrite=overwrite)

    if cut:
        message = f"{cut}: {output} is the picture after {done.step} of {done.steps} steps"
        if "checkpoint" in options and checkpoint.is_file():
            message += "; the same command with --resume --overwrite goes on from its checkpoint"
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
        "beside": [str(path) for path in beside],
    }
    print(dumps(about) if json else "\n".join(map(str, (output, *beside))))
    return {None: DONE, "time budget": CUT_SHORT, "interrupted": INTERRUPTED}[cut]


def _beside(output: Path, name: str, view: Any) -> Path:
    """Where another view of the result goes."""
    ending = (
        ".gif" if getattr(view, "is_animated", False) else getattr(view, "ending", output.suffix)
    )
    return output.with_name(f"{output.stem}-{name}{ending}")


def train(
    verb: Callable[..., Mapping[str, float]],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    output: Path,
    json: bool = False,
) -> int:
    """Train a network, and say how it does on what it has not seen; give the exit code.

    Parameters
    ----------
    verb : callable
        It takes the run folder after its inputs, and ``on_step``; it returns scores by name.
    inputs, options
        What it is given.
    output : path
        The run folder: its logs, its checkpoint and, as .safetensors, the results.
    json : bool
        Print one JSON object instead of the path of the result.
    """
    from limner.progress import Stop

    with Watch(dry_run=False) as watch:
        try:
            scores = verb(*inputs, output, **options, on_step=watch)
        except Stop:
            scores = None
    if scores is None:
        message = f"interrupted after {watch.last.step} of {watch.last.steps} steps; "
        if (output / "checkpoint.pt").is_file():
            say(message + "the same command with --resume goes on from the last checkpoint")
        else:
            say(message + "there is no checkpoint yet: the same command begins anew")
        return INTERRUPTED
    for name, score in scores.items():
        say(f"{name}: {score:.4f}")
    model = output / "model.safetensors"
    others = sorted({*output.glob("*.safetensors")} - {model})
    about = {"output": str(model), "beside": list(map(str, others)), "scores": dict(scores)}
    print(dumps(about) if json else "\n".join(map(str, (model, *others))))
    return DONE


@app.command
def models(*, json: bool = False) -> int:
    """List the weights: those that ship with limner, and those it looks for in torch's cache.

    Parameters
    ----------
    json : bool
        Print a JSON list instead of a table.
    """
    weights = _weights()
    if json:
        print(dumps(weights))
        return DONE
    table = Table("name", "kind", "licence", "MB", box=None, pad_edge=False)
    table.add_column("recipe, or place", overflow="fold")
    for one in weights:
        size = f"{one['megabytes']:.1f}" if one["megabytes"] else "not here"
        said = [one[column] for column in ("name", "kind", "licence")]
        table.add_row(*said, size, one["recipe"] or one["path"])
    Console(markup=False, highlight=False).print(table)
    return DONE


def _weights() -> list[dict[str, Any]]:
    """What ships says of itself; what does not is known by its name."""
    import torch

    from limner import features, weights

    cache = Path(torch.hub.get_dir(), "checkpoints")
    places = {path.stem: path for path in sorted(weights.SHIPPED.glob("*.safetensors"))}
    places |= {name: cache / url.rpartition("/")[2] for name, url in features.URLS.items()}
    found: list[dict[str, Any]] = []
    for name, path in places.items():
        about = {"kind": "features", "licence": "torchvision's"}
        if name not in features.URLS:
            about = weights.describe(path)
        said = {key: about.get(key, "") for key in ("kind", "licence", "recipe")}
        size = path.stat().st_size / 1e6 if path.is_file() else None
        found.append({"name": name, **said, "path": str(path), "megabytes": size})
    return found
