"""Pictures from standard input and to standard output: the name ``-`` on the command line."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from limner.errors import InputError, LimnerError, OptionError

PIPE = "-"
_NAME = "standard-input"  # as recipes and messages call it


def is_pipe(name: object) -> bool:
    """Whether a name on the command line means standard input or output."""
    return str(Path(str(name))) == PIPE


def open_closed_streams() -> None:
    """Open the null device for standard streams that are closed.

    Otherwise the next file that is opened would get the number of one, and its text.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w" if number else "r", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)


def discard_output() -> None:
    """Send what standard output did not take to the null device, or Python tells of it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def as_files(
    inputs: Sequence[object], output: Path = Path(), ending: str = ".png"
) -> Iterator[tuple[list[object], Path]]:
    """Give files in a temporary folder for standard input and output, and other names as they are.

    Afterwards what was written is copied to standard output, and nothing else goes there.

    Parameters
    ----------
    inputs : sequence
        Those of a verb, one of which may be ``-``.
    output : Path
        The picture to write, or ``-``.
    ending : str
        Chooses the format on standard output: ``.png``.

    Raises
    ------
    InputError
        Standard input is empty or a terminal.
    OptionError
        Standard output is a terminal, or two inputs are ``-``.
    """
    to_pipe = is_pipe(output)
    count = sum(map(is_pipe, inputs))
    if not (to_pipe or count):
        yield list(inputs), output
        return
    if count > 1:
        raise OptionError("-: standard input holds one picture; name a file for the others")
    if to_pipe and getattr(sys.stdout, "name", "") == os.devnull:
        raise OptionError("-o -: standard output is closed; name a file")
    if to_pipe and sys.stdout.isatty():
        raise OptionError("-o -: is a terminal; add > picture.png, or name a file")
    with TemporaryDirectory(prefix="limner-") as folder:
        source, target = Path(folder, _NAME), Path(folder, f"standard-output{ending}")
        if count:
            _read_to(source)
        try:
            with redirect_stdout(StringIO()) if to_pipe else nullcontext():
                files = [source if is_pipe(one) else one for one in inputs]
                yield files, target if to_pipe else output
        except LimnerError as error:
            message = str(error).replace(str(source), "standard input")
            raise type(error)(message.replace(str(target), "standard output")) from error
        if to_pipe and target.is_file():
            with target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _read_to(path: Path) -> None:
    if sys.stdin.isatty():
        raise InputError("-: no picture comes from standard input; use cat photo.jpg | limner …")
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    if not path.stat().st_size:
        raise InputError("-: standard input is empty; send a picture to it, or name a file")
