"""What a user can get wrong, one class for each kind of mistake.

::

    LimnerError
    ├── InputError      a file that is missing, damaged, too large or no picture
    ├── OptionError     an option, or a pair of them, out of its range (exit code 2)
    ├── OutputError     a file that cannot be written, or would be lost
    └── WeightsError    a weights file that is missing, damaged or of another kind

The message is one line that names the value, the limit and the remedy. A programmer's mistake is
an ``assert``, never one of these.
"""

import os

DONE, FAILED, MISUSED, CUT_SHORT, INTERRUPTED = 0, 1, 2, 4, 130  # exit codes


class LimnerError(Exception):
    """Any mistake a user can put right; ``str()`` of it is one line fit to be shown."""


class InputError(LimnerError):
    """An input file is missing, damaged, too large or no picture."""


class OptionError(LimnerError, ValueError):
    """An option is out of its range, or does not go with another."""


class OutputError(LimnerError):
    """The result cannot be written where it was asked for."""


class WeightsError(LimnerError):
    """A weights file is missing, damaged or not of the kind that was asked for."""


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path fit for a message of one line, whatever its characters."""
    return "".join(c if c.isprintable() else "?" for c in os.fspath(path)) or "(empty name)"


def reason(error: Exception) -> str:
    """Return what an exception says, on one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return printable(" ".join(text.split()) or type(error).__name__)
