"""Where a file is, seen from a folder, without the name of the user."""

import os
from pathlib import Path


def seen_from(folder: Path, path: str | os.PathLike[str]) -> str:
    """Return the path of a file relative to a folder, so that both can move together.

    From outside the user's home folder, a file inside it is named as in ``~/photos/a.jpg``: the
    relative path would hold the name of the user.
    """
    home, file = os.path.expanduser("~"), os.path.abspath(path)  # noqa: PTH100, PTH111
    try:
        if _is_inside(home, file) and not _is_inside(home, os.path.abspath(folder)):  # noqa: PTH100
            return Path("~", os.path.relpath(file, home)).as_posix()
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive of Windows
        return Path(file).as_posix()


def at(folder: Path, place: str) -> Path:
    """Return the path of what `seen_from` named."""
    return Path(os.path.normpath(folder / os.path.expanduser(place)))  # noqa: PTH111


def _is_inside(home: str, path: str) -> bool:
    return Path(path).is_relative_to(home) and len(Path(home).parts) > 1
