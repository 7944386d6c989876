"""The command line: builds the commands from signatures, and turns errors into one line.

Standard output has the path of what was written, or one JSON object. Everything else goes to
standard error.
"""

import codecs
import errno
import gc
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from json import dumps
from pathlib import Path
from typing import Any

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnusedCliTokensError,
)
from rich.console import Console
from rich.table import Table

from limner._version import __version__
from limner.checks import flag
from limner.cli import pipes
from limner.cli.console import say
from limner.cli.layout import Layout
from limner.cli.openmp import limit_spinning, limit_threads
from limner.cli.verbs import TRAININGS, VERBS, Command
from limner.errors import (
    DONE,
    FAILED,
    INTERRUPTED,
    LONGEST,
    MISUSED,
    LimnerError,
    OptionError,
    is_out_of_memory,
    printable,
    reason,
    shortened,
)

START = """\
limner makes pictures with neural networks, on this machine. Try one of these:

  limner stylize photo.jpg painting.jpg -o painted.png
  limner colorize drawing.jpg -o colored.png
  limner upscale photo.jpg -o large.png
  limner studio

limner --help lists all commands; limner stylize --help explains one."""

# what a system answers where a folder is gone, closed to us, or on a full or broken disk
_REFUSALS = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG),
)

app = App(
    name="limner",
    help="Make pictures with neural networks, on your own machine.",
    version=f"limner {__version__}",
    help_format="plaintext",
    help_formatter=Layout(),
    suppress_keyboard_interrupt=False,
)
training = App(name="train", help="Train a network that limner's commands use.")
app.command(training)
app.register_install_completion_command(help="Let your shell complete commands and options.")


def _register(to: App, name: str, attribute: str, about: Command) -> None:
    """Add a command whose module is imported when the command is used."""
    examples = "Examples:\n" + "\n".join(f"  {line}" for line in about.examples)
    to.command(
        f"limner.cli.main:{attribute}", name=name, help=about.summary, help_prologue=examples
    )


for _name, _about in VERBS.items():
    _register(app, _name, _name, _about)
for _name, _about in TRAININGS.items():
    _register(training, _name, f"train_{_name}", _about)


def __getattr__(name: str) -> Callable[..., int]:
    """Make the command of a verb when cyclopts asks for it; this imports the verb and torch."""
    about = VERBS.get(name) or TRAININGS.get(name.removeprefix("train_"))
    if about is None:
        raise AttributeError(f"module 'limner.cli.main' has no attribute {name!r}")
    module, _, function = about.place.partition(":")
    pressed: list[int] = []  # Ctrl-C while torch is imported would break it, so it waits
    handler = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        with _without_garbage_collection():
            verb = getattr(import_module(module), function)
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed:
        raise KeyboardInterrupt
    from limner.cli import commands, training
    from limner.cli.options import command

    run = getattr(commands if name in VERBS else training, about.run)
    return command(verb, run)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Import torch faster, and end sooner: nothing in it is garbage, so nobody need look."""
    is_first, was_enabled = "torch" not in sys.modules, gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_first:
            gc.freeze()
        if was_enabled:
            gc.enable()


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Parameters
    ----------
    tokens : sequence of str or None
        What follows ``limner``; None for the command line of this process.

    Returns
    -------
    int
        0 done, 1 failed, 2 wrong usage, 3 some of several pictures failed, 4 ended early by the
        time budget, 130 interrupted.
    """
    limit_spinning()
    limit_threads()
    pipes.open_closed_streams()
    if hasattr(sys.stdout, "reconfigure"):  # file names need not be Unicode
        encoding = "utf-8" if os.name == "nt" else None
        codecs.register_error("limner", _as_bytes_or_escapes)
        sys.stdout.reconfigure(encoding=encoding, errors="limner")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # torch's warnings are for programmers
    given = sys.argv[1:] if tokens is None else list(tokens)
    if not given:
        print(START)
        return DONE
    try:
        Path.cwd()
    except OSError as error:
        return _fail(f"the current folder is gone ({reason(error)}); change to another with cd")
    try:
        code = app(
            with_pipes(given), exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
        return code or DONE
    except CycloptsError as error:
        command = " ".join(("limner", *(error.command_chain or ())))
        return _fail(f"{_usage_mistake(error, given)} See {command} --help", MISUSED)
    except LimnerError as error:
        return _fail(str(error), MISUSED if isinstance(error, OptionError) else FAILED)
    except KeyboardInterrupt:
        say("stopped at once; no file is half-written")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone
        pipes.discard_output()
        return FAILED
    except Exception as error:
        if isinstance(error, OSError) and (told := _refused(error)):
            return _fail(told)
        if isinstance(error, UnicodeEncodeError) and isinstance(error.object, str):
            lacks = f"the file names of this system ({error.encoding}) lack some of its characters"
            return _fail(f"{error.object!a}: {lacks}; rename it, or set PYTHONUTF8=1")
        if is_out_of_memory(error):
            return _fail(f"there is not enough memory; {_less_memory(given)}")
        if os.environ.get("LIMNER_TRACEBACK"):
            traceback.print_exc()
        return _fail(
            f"{type(error).__name__}: {error} (a bug in limner: please set LIMNER_TRACEBACK=1, "
            "run it again and report what it prints)"
        )


def _as_bytes_or_escapes(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode file names as they are on the disk, and what the encoding lacks as ``\\u2026``."""
    assert isinstance(error, UnicodeEncodeError)
    one = error.object[error.start]
    handler = "surrogateescape" if "\udc80" <= one <= "\udcff" else "backslashreplace"
    return one.encode("ascii", handler), error.start + 1


def _refused(error: OSError) -> str:
    """Say what the system refused, and what to do; empty if it may be a bug."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files are open; allow more with ulimit -n 1024"
    if error.errno == errno.ENAMETOOLONG:
        name = shortened(printable(str(error.filename)), 60)
        return f"{name}: is too long for a name; choose a shorter one"
    if error.errno not in _REFUSALS:
        return ""
    if error.filename is None:  # files are written with messages of their own
        pipes.discard_output()
        return (
            f"standard output: cannot be written ({reason(error)}); free some space, and run the "
            "same command again for the rest; the files written so far are whole"
        )
    return (
        f"{printable(str(error.filename))}: {reason(error)}; check its folder, its permissions and "
        "the space on its disk"
    )


def with_pipes(tokens: Sequence[str]) -> list[str]:
    """Write ``-``, which cyclopts would take for an option, as the path that it is."""
    return ["./-" if token == "-" else token for token in tokens]


def _usage_mistake(error: CycloptsError, given: Sequence[str]) -> str:
    """Say what is wrong with a command line, without the words of Python."""
    for token in given:
        is_file = re.fullmatch(r"-[^-o=][^=]*\.[a-z]+", token) or os.path.lexists(token)
        if token.startswith("-") and is_file:
            return f"{printable(token)}: begins like an option; write ./{printable(token)}."
    name = error.argument.name if error.argument is not None else ""
    if isinstance(error, MissingArgumentError):
        return f"{name} is missing."
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        count = "one argument" if len(error.unused_tokens) == 1 else "these arguments are"
        return f"{' '.join(error.unused_tokens)}: {count} too many."
    if isinstance(error, CoercionError) and error.token is not None and error.msg is None:
        kinds = {int: "a whole number", float: "a number"}
        if error.target_type in kinds:
            return f"{name} {error.token.value}: must be {kinds[error.target_type]}."
    return str(error)


def _fail(message: str, code: int = FAILED) -> int:
    for line in f"error: {message}".splitlines():
        say(shortened(line, LONGEST))
    return code


def _less_memory(tokens: Sequence[str]) -> str:
    """Say what would need less memory, naming an option that the command has."""
    words = [*tokens, "", ""]
    about = TRAININGS.get(words[1]) if words[0] == "train" else VERBS.get(words[0])
    known: set[str] = set()
    if about is not None:
        module, _, function = about.place.partition(":")
        with suppress(Exception):  # there was too little to import it
            from limner import signature

            verb = getattr(import_module(module), function)
            known = {option.name for option in signature.of(verb)}
    option = next((name for name in ("batch_size", "size") if name in known), None)
    if option is not None:
        return f"use a smaller {flag(option)}"
    return "use a smaller picture, or close other programs"


@app.command(help_prologue="Examples:\n  limner models\n  limner models --json")
def models(*, json: bool = False) -> int:
    """List the weights that come with limner, and those it downloads when needed.

    Parameters
    ----------
    json : bool
        Print a JSON list instead of a table.
    """
    weights = _weights()
    if json:
        print(dumps(weights))
        return DONE
    table = Table("name", "kind", "license", "MB", "recipe, or file", box=None, pad_edge=False)
    lines = []
    for one in weights:
        missing = "not installed" if one["kind"] == "upscaler" else "not downloaded"
        size = f"{one['megabytes']:.1f}" if one["megabytes"] else missing
        columns = [one[column] for column in ("name", "kind", "license")]
        where = one["recipe"] or one["path"]
        table.add_row(*columns, size, where)
        unit = " MB" if one["megabytes"] else ""
        lines.append(f"{one['name']}: {one['kind']}, {one['license']}, {size}{unit}\n  {where}")
    console = Console(markup=False, highlight=False)
    whole = console.measure(table, options=console.options.update(width=10_000))
    if whole.maximum <= console.width:
        console.print(table)
    else:  # cut names could not be told apart
        print("\n".join(lines))
    return DONE


if models.__doc__ is None:  # python -OO
    from limner.signature import docstring

    models.__doc__ = docstring(models)


def _weights() -> list[dict[str, Any]]:
    """Describe every weights file: shipped ones by their metadata, others by their names."""
    import torch

    from limner.nn import features, weights
    from limner.upscaling import realesrgan

    cache = Path(torch.hub.get_dir(), "checkpoints")
    paths = {path.stem: path for path in sorted(weights.SHIPPED.glob("*.safetensors"))}
    paths |= {name: cache / url.rpartition("/")[2] for name, url in features.URLS.items()}
    found: list[dict[str, Any]] = []
    for name, path in paths.items():
        about = {"kind": "features", "license": "torchvision's"}
        if name not in features.URLS:
            about = weights.describe(path)
        columns = {key: about.get(key, "") for key in ("kind", "license", "recipe")}
        size = path.stat().st_size / 1e6 if path.is_file() else None
        found.append({"name": name, **columns, "path": str(path), "megabytes": size})
    columns = {"kind": "upscaler", "license": realesrgan.LICENSE, "recipe": ""}
    for name in realesrgan.FILES:
        file = realesrgan.locate(name)
        size = file.with_suffix(".bin").stat().st_size / 1e6 if file else None
        where = str(file or realesrgan.INSTALL)
        found.append({"name": name, **columns, "path": where, "megabytes": size})
    return found
