"""Files that are written whole or not at all, even if the power fails, and by one run at a time."""

import hashlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO


@contextmanager
def whole_file(target: Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file in the target's folder; it takes the target's place at the end.

    The old file stays until the new one is on the disk (fsync). If the body raises, the target is
    untouched and the temporary file is removed.

    Parameters
    ----------
    target : Path
        The file to write.
    overwrite : bool
        Replace a file that is already there.

    Raises
    ------
    FileExistsError
        The target exists and ``overwrite`` is False, even if it was made a moment ago.
    OSError
        The file cannot be written.
    """
    if target.is_symlink():
        target = target.resolve()  # the link stays
    # Not the target's name with an ending: that could be longer than a name may be.
    temporary = target.with_name(f".limner-{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _rename_to_new(temporary, target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _rename_to_new(temporary: Path, target: Path) -> None:
    """Rename, but raise FileExistsError rather than replace a file, even one made just now."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as that of a USB stick
        target.open("xb").close()
        try:
            temporary.replace(target)
        except OSError:
            target.unlink()
            raise


def _sync_folder(folder: Path) -> None:
    """Make the rename durable. Windows cannot open a folder, and needs no such call."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def reserved(target: Path) -> Iterator[bool]:
    """Keep a file or folder for this process; gives whether no other has it.

    A locked file beside it says so. The system frees it if the process is killed.
    """
    name = hashlib.sha256(os.fsencode(target.resolve())).hexdigest()[:16]
    path = target.resolve().with_name(f".limner-{name}.lock")
    try:
        file = path.open("a", encoding="utf-8")
    except OSError:  # what comes next says why
        yield True
        return
    with file:
        is_free = lock(file)
        try:
            yield is_free
        finally:
            if is_free:
                with suppress(OSError):  # Windows removes no open file
                    path.unlink()


def lock(file: TextIO) -> bool:
    """Keep a file for this process until it is closed; return whether it was free."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # a locked byte cannot be read, so it is one far behind the text
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True
