"""Files that are written whole or not at all, even if the power fails, and by one run at a time."""

import hashlib
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO


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
    temporary, file = _new_part(target.parent)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":  # cannot rename an open file
                file.close()
            if overwrite:
                temporary.replace(target)
            else:
                _rename_to_new(temporary, target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _new_part(folder: Path) -> tuple[Path, BinaryIO]:
    """Open a temporary file. While it is open, it is locked, and `remove_left` leaves it alone."""
    while True:
        # Not the target's name with an ending: that could be longer than a name may be.
        path = folder / f".limner-{secrets.token_hex(8)}.part"
        file = path.open("xb")
        if sys.platform == "win32" or (lock(file) and _is_at(file, path)):
            return path, file
        file.close()  # removed in the moment before it was locked


def _is_at(file: IO[Any], path: Path) -> bool:
    """Whether an open file still has this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def remove_left(folder: Path, *, subfolders: bool = False) -> None:
    """Remove what killed processes left in a folder; files of running ones are locked and stay."""
    find = folder.rglob if subfolders else folder.glob
    with suppress(OSError):
        for path in [path for path in find(".limner-*") if path.suffix in (".part", ".lock")]:
            with suppress(OSError):
                if sys.platform == "win32":  # cannot remove an open file
                    path.unlink()
                    continue
                with path.open("r+b") as file:
                    if _locked(file):
                        path.unlink()


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

    A locked file beside it says so. The system frees it if the process is killed. What killed
    processes left beside it is removed.
    """
    remove_left(target.resolve().parent)
    name = hashlib.sha256(os.fsencode(target.resolve())).hexdigest()[:16]
    path = target.resolve().with_name(f".limner-{name}.lock")
    try:
        file, is_free = _open_lock(path)
        if not is_free:  # `remove_left` of another process may have looked at it
            file.close()
            time.sleep(0.05)
            file, is_free = _open_lock(path)
    except OSError:  # what comes next says why
        yield True
        return
    with file:
        try:
            yield is_free
        finally:
            if is_free:
                with suppress(OSError):  # Windows cannot remove an open file
                    path.unlink()


def _open_lock(path: Path) -> tuple[IO[Any], bool]:
    """Open a file, and keep it if it is free."""
    while True:
        file = path.open("a", encoding="utf-8")
        is_free = lock(file)
        if not is_free or _is_at(file, path):
            return file, is_free
        file.close()  # its last owner has just removed it


def lock(file: IO[Any]) -> bool:
    """Keep a file for this process until it is closed; return whether it was free."""
    return _locked(file) is not False


def _locked(file: IO[Any]) -> bool | None:
    """Lock a file; return whether it was free, or None if the file system has no locks."""
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
    except OSError:
        return None
    return True
