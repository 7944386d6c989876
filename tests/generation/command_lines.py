"""What tests of commands share: names and hashes of files, and refusals of one line."""

import hashlib
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., tuple[int, str, str]]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def digest(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def refused(run: Run, line: str, code: int, says: str, *more: str) -> None:
    """Expect one line of error, and nothing on stdout."""
    found, out, err = run(line, *more)
    assert (found, out, err.count("\n")) == (code, "", 1), err
    assert err.startswith("limner: error: ") and says in err
