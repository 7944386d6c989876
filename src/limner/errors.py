"""The errors that limner raises for mistakes of the user.

::

    LimnerError
    ├── InputError      a file is missing, damaged, too large, or not a picture
    ├── OptionError     an option is out of range, or does not fit another (exit code 2)
    ├── OutputError     a file cannot be written, or would be replaced
    ├── WeightsError    a weights file is missing, damaged, or for another network
    └── PeerError       another process of a training has ended

The message is one line with the value, the limit and the remedy. Mistakes of a programmer are
assertions, never one of these.
"""

import os
import re
from pathlib import Path

DONE, FAILED, MISUSED, PARTLY, CUT_SHORT, INTERRUPTED = 0, 1, 2, 3, 4, 130  # exit codes


LONGEST = 1000  # characters of a message


class LimnerError(Exception):
    """Base class: a mistake that the user can correct. ``str()`` is a message of one line.

    It can be shown on a terminal, whatever names and texts of others the message repeats.
    """

    def __init__(self, message: str) -> None:
        shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in message)
        super().__init__(shortened(shown, LONGEST))


class InputError(LimnerError):
    """An input file is missing, damaged, too large, or not a picture."""


class OptionError(LimnerError, ValueError):
    """An option is out of range, or does not fit another option."""


class OutputError(LimnerError):
    """The result cannot be written, or would replace a file."""


class WeightsError(LimnerError):
    """A weights file is missing, damaged, or for another network."""


class PeerError(LimnerError):
    """Another process of the same training has ended, or cannot be reached."""


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path for a message of one line: unprintable characters become ``?``."""
    return "".join(c if c.isprintable() else "?" for c in os.fspath(path)) or "(empty name)"


def check_no_address(path: str | os.PathLike[str], remedy: str = "download the file first") -> None:
    """Refuse an address: ``https://…``, or ``https:/…`` after it was made a path.

    Raises
    ------
    InputError
        It begins as one, and there is no such file.
    """
    text = printable(path)
    address = re.match(r"([a-z][a-z0-9+.-]+):/+(?=.)", text, re.IGNORECASE)  # not C:/
    if address and not os.path.lexists(path):
        whole = f"{address[1]}://{text[address.end() :]}"
        raise InputError(f"{whole}: is an address; {remedy}")


def shortened(text: str, longest: int) -> str:
    """Return a text with ``…`` in place of its middle if it has more characters than that."""
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[-longest // 2 :]}"


def file_in_the_way(path: str | os.PathLike[str]) -> str:
    """Say which file a path takes for a folder: ``"a is a file"`` for ``a/b/c``, or nothing."""
    found = next((one for one in Path(path).parents if os.path.isfile(one)), None)  # noqa: PTH113
    return "" if found is None else f"{printable(found)} is a file"


def not_a_folder(path: str | os.PathLike[str]) -> str:
    """Say the same after "there is no such file": ``": a is a file, not a folder"``, or nothing."""
    known = file_in_the_way(path)
    return f": {known}, not a folder" if known else ""


def reason(error: Exception) -> str:
    """Return the text of an exception on one line."""
    if isinstance(error, NotADirectoryError) and (said := file_in_the_way(str(error.filename))):
        return said
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return printable(" ".join(text.split()) or type(error).__name__)


def cannot_be_written(path: Path, error: Exception) -> str:
    """Say why a file cannot be written, and what to do: the end of a message."""
    if not path.parent.is_dir():
        return "cannot be written, because its folder was deleted or renamed; put the folder back"
    why = reason(error) if isinstance(error, OSError) else "the disk is full"
    is_closed = isinstance(error, PermissionError)
    remedy = "change its permissions" if is_closed else "free some disk space"
    return f"cannot be written ({why}); {remedy}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that there is not enough memory."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()  # torch raises RuntimeError, and its import ImportError
    return any(
        said in text for said in ("out of memory", "allocate memory", "failed to map segment")
    )
