"""`--upload`: copy finished pictures to a place that fsspec knows, such as ``s3://bucket/folder``.

fsspec comes with torch. Most places need a package of their own, such as s3fs.
"""

import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from limner.errors import LimnerError, OptionError, printable, reason


class Upload(NamedTuple):
    """A folder of results and the place that they are copied to.

    Attributes
    ----------
    folder : Path
        The folder.
    url : str
        The place.
    """

    folder: Path
    url: str

    def check(self) -> None:
        """Refuse, before any work, a place that cannot be written.

        Raises
        ------
        OptionError
            It is not a URL, or its package is not installed.
        LimnerError
            It does not answer, or refuses a file.
        """
        try:
            fs, there = self._open()
            probe = f"{there}/.limner-{secrets.token_hex(8)}.part"
            fs.makedirs(there, exist_ok=True)
            fs.pipe_file(probe, b"limner")
            fs.rm_file(probe)
        except OptionError:
            raise
        except Exception as error:  # each kind of place has errors of its own
            raise LimnerError(
                f"--upload {printable(self.url)}: cannot be written ({reason(error)[:200]}); check "
                "the address and your rights"
            ) from error

    def copy(self, paths: Iterable[Path]) -> None:
        """Copy files of the folder, each to the same name there, whole or not at all.

        Raises
        ------
        LimnerError
            A file could not be copied.
        """
        for path in paths:
            try:
                fs, there = self._open()
                name = f"{there}/{path.relative_to(self.folder).as_posix()}"
                fs.makedirs(name.rpartition("/")[0], exist_ok=True)
                # a file gets its name when the transaction ends
                with fs.transaction, path.open("rb") as ours, fs.open(name, "wb") as theirs:
                    shutil.copyfileobj(ours, theirs, 2**20)
            except Exception as error:
                raise LimnerError(
                    f"{printable(path)}: is made, but cannot be copied to {printable(self.url)} "
                    f"({reason(error)[:200]}); run the command again"
                ) from error

    def _open(self) -> tuple[Any, str]:
        """Return the file system, and the path in it."""
        shown = printable(self.url)
        if "://" not in self.url:
            raise OptionError(f"--upload {shown}: must be a URL, such as s3://bucket/folder")
        from fsspec.core import url_to_fs

        try:
            fs, there = url_to_fs(self.url)
        except (ImportError, ValueError) as error:  # a package is missing, or the kind is unknown
            raise OptionError(f"--upload {shown}: {reason(error)}") from error
        return fs, there.rstrip("/")
