"""`--upload`: copy finished pictures to a place that fsspec knows, such as ``s3://bucket/folder``.

fsspec comes with torch. Most places need a package of their own, such as s3fs.
"""

import re
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from limner.errors import LimnerError, OptionError, printable, reason

# In other places names need no folder, and makedirs could create a bucket for a mistyped name.
_WITH_FOLDERS = {"file", "local", "ftp", "sftp", "ssh", "smb", "hdfs", "webhdfs", "memory"}


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
            _copy(BytesIO(b"limner"), fs, probe)
            with suppress(Exception):  # who may write may not always remove
                fs.rm_file(probe)
        except OptionError:
            raise
        except Exception as error:  # each kind of place has errors of its own
            raise LimnerError(
                f"--upload {self._shown}: cannot be written ({reason(error)[:200]}); check "
                "the address and your permissions"
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
                with path.open("rb") as file:
                    _copy(file, fs, name)
            except Exception as error:
                raise LimnerError(
                    f"{printable(path)}: is made, but cannot be copied to {self._shown} "
                    f"({reason(error)[:200]}); run the command again"
                ) from error

    @property
    def _shown(self) -> str:
        """The place as it is shown to the user: without a password."""
        return printable(re.sub(r"//[^/@]*@", "//", self.url))

    def _open(self) -> tuple[Any, str]:
        """Return the file system, and the path in it."""
        if not re.match(r"[a-z][a-z0-9+.-]*://", self.url, re.IGNORECASE):
            raise OptionError(f"--upload {self._shown}: must be a URL, such as s3://bucket/folder")
        from fsspec.core import url_to_fs

        try:
            fs, there = url_to_fs(self.url)
        except (ImportError, ValueError) as error:  # a package is missing, or the kind is unknown
            raise OptionError(f"--upload {self._shown}: {reason(error)}") from error
        return fs, there.rstrip("/")


def _copy(file: BinaryIO, fs: Any, name: str) -> None:
    """Write a file there; it gets its name when the transaction ends."""
    names = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
    if names & _WITH_FOLDERS:
        fs.makedirs(name.rpartition("/")[0], exist_ok=True)
    with fs.transaction, fs.open(name, "wb") as there:
        shutil.copyfileobj(file, there, 2**20)
