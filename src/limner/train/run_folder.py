"""The folder of a training: whether it can be used, and what a killed process left there."""

from contextlib import suppress
from pathlib import Path

from limner.errors import OutputError, check_no_address, file_in_the_way
from limner.io import atomic


def check(folder: Path, *, resume: bool) -> None:
    """Refuse a run folder, before any work, that cannot be used.

    Raises
    ------
    InputError
        It is an address.
    OutputError
        It already holds a run, holds none to resume, or is a file or in one.
    """
    check_no_address(folder, "name a folder on this machine")
    try:
        has_checkpoint = (folder / "checkpoint.pt").is_file()
        # a part may be that of the options, written before any step
        may_recover = (folder / "options.json").is_file() and parts(folder)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be read ({error.strerror}); change its permissions, or choose "
            "another folder"
        ) from error
    if resume and not has_checkpoint and not may_recover:
        raise OutputError(
            f"{folder}: has no checkpoint to resume; leave out --resume to start a new run"
        )
    if not resume and has_checkpoint:
        raise OutputError(
            f"{folder}: already holds a run; continue it with --resume, or choose another folder"
        )
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder for the run")
    if in_the_way := file_in_the_way(folder):
        raise OutputError(f"{folder}: {in_the_way}; name a folder")


def parts(folder: Path) -> list[Path]:
    """Files that a killed process was writing: whole, or cut off."""
    return sorted(folder.glob(".limner-*.part"))


def remove_left(folder: Path) -> None:
    """Remove what killed processes left. Other folders may lie here, which are not searched."""
    atomic.remove_left(folder)
    for name in ("samples", "pictures"):
        atomic.remove_left(folder / name, subfolders=True)
    with suppress(OSError):
        (folder / "checkpoint.tmp").unlink()  # the old name


def take_back(folder: Path) -> None:
    """Remove a folder that has nothing but options: the training was refused."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == ["options.json"]:
            (folder / "options.json").unlink()
            folder.rmdir()
