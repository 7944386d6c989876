"""The command line: commands out of signatures, progress and remarks on stderr, exit codes.

Standard output holds the path of what was written, or one JSON object, and nothing else.
"""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from json import dumps
from pathlib import Path
from typing import Any

from cyclopts import App, CycloptsError
from rich.console import Console
from rich.table import Table

from limner._version import __version__
from limner.cli.console import say
from limner.errors import DONE, FAILED, INTERRUPTED, MISUSED, LimnerError, OptionError

# command: what runs it (see `limner.commands`), where it is, and the first line of its docstring,
# which `limner --help` shows unseen
VERBS = {
    "stylize": (
        "paint",
        "limner.style.stylize:stylize",
        "Paint a photo in the style of one or more paintings.",
    ),
    "hybridize": (
        "paint",
        "limner.hybrid.hybridize:hybridize",
        "Make one picture of two photos: the first seen from near, the second from afar.",
    ),
    "colorize": (
        "paint",
        "limner.colorization.colorize:colorize",
        "Colour a line drawing.",
    ),
    "sketch": (
        "paint",
        "limner.line_art.sketch:sketch",
        "Make a line drawing of a picture.",
    ),
    "beautify": (
        "paint",
        "limner.beauty.beautify:beautify",
        "Make a picture easier to predict, and so, perhaps, on the eye.",
    ),
    "predictability": (
        "measure",
        "limner.beauty.predictability:predictability",
        "Measure how predictable a picture is, and where.",
    ),
    "generate": (
        "paint_several",
        "limner.generation.generate:generate",
        "Paint new pictures.",
    ),
    "folder": (
        "tell",
        "limner.generation.folder:folder",
        "Say whether a folder of pictures is enough to learn from.",
    ),
    "convert": (
        "tell",
        "limner.generation.gan.stylegan2_import:convert_painter",
        "Turn StyleGAN2 weights of others into a painter's weights of ours.",
    ),
    "upscale": (
        "paint",
        "limner.upscaling.upscale:upscale",
        "Make a picture larger, and what is in it sharper.",
    ),
    "studio": (
        "serve",
        "limner.web.studio:studio",
        "Open all of it as a page on this machine.",
    ),
    "replay": (
        "paint",
        "limner.batch.replay:replay",
        "Make a picture again from the recipe it carries.",
    ),
}
TRAININGS = {
    "features": (
        "train",
        "limner.train.distillation:train_features",
        "Train the compact perceptual network from random weights.",
    ),
    "upscaler": (
        "train",
        "limner.upscaling.train:train_upscaler",
        "Train an upscaling network.",
    ),
    "colorizer": (
        "train",
        "limner.colorization.train:train_colorizer",
        "Train a network that colours line drawings.",
    ),
    "beautifier": (
        "train",
        "limner.beauty.train:train_beautifier",
        "Train a predictor, and improvers that make pictures easier for it.",
    ),
    "painter": (
        "train",
        "limner.generation.gan.train:train_painter",
        "Train a generator of new pictures on a folder of them.",
    ),
}

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
for _name, (*_, _line) in VERBS.items():
    app.command(f"limner.cli.main:{_name}", name=_name, help=_line)
for _name, (*_, _line) in TRAININGS.items():
    training.command(f"limner.cli.main:train_{_name}", name=_name, help=_line)


def __getattr__(name: str) -> Callable[..., int]:
    """Make the command of a verb, importing its room and torch, when cyclopts asks for it."""
    found = VERBS.get(name) or TRAININGS.get(name.removeprefix("train_"))
    if found is None:
        raise AttributeError(f"module 'limner.cli.main' has no attribute {name!r}")
    run, place, _ = found
    module, _, function = place.partition(":")
    pressed: list[int] = []  # torch does not bear Ctrl-C while it is imported, so that waits
    handler = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        verb = getattr(import_module(module), function)
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed:
        raise KeyboardInterrupt
    from limner.cli import commands
    from limner.cli.options import command

    return command(verb, getattr(commands, run))


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
        from limner.nn.devices import is_out_of_memory

        if is_out_of_memory(error):
            return _fail("there is not enough memory; use a smaller --size")
        if os.environ.get("LIMNER_TRACEBACK"):
            traceback.print_exc()
        return _fail(
            f"{type(error).__name__}: {error} (a bug in limner: please set LIMNER_TRACEBACK=1, "
            "run it again and report what it prints)"
        )


def _fail(message: str, code: int = FAILED) -> int:
    for line in f"error: {message}".splitlines():
        say(line)
    return code


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

    from limner.nn import features, weights

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
