"""Files that a recipe names: found by name and by hash, wherever they are now."""

import os.path
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from limner.color.palette import are_colors
from limner.errors import InputError, printable
from limner.io import frames
from limner.io.recipe import bare_name, hash_of
from limner.nn import weights
from limner.signature import Option


class FileFinder:
    """Finds the files that a recipe names.

    Parameters
    ----------
    picture : Path
        The picture with the recipe; files are looked for beside it too.
    hashes : mapping
        SHA-256 by name, as the recipe states them.
    folders : sequence of Path
        More folders to look in; names do not matter there.
    """

    def __init__(
        self, picture: Path, hashes: Mapping[str, object], folders: Sequence[Path] = ()
    ) -> None:
        self.picture = picture
        self.hashes = hashes
        self.folders = folders
        self.used: list[str] = []

    def input(self, text: str) -> str:
        """Return where an input is now: a file, or a file with a weight, ``wave.jpg:0.7``."""
        name, colon, weight = text.rpartition(":")
        if text in self.hashes or name not in self.hashes:
            return self.find(text)
        return f"{self.find(name)}{colon}{weight}"

    def option(self, value: Any, option: Option) -> Any:
        """Return the value of an option, with the files it names where they are now."""
        if isinstance(value, list):
            return [self.option(one, option) for one in value]
        if not isinstance(value, str) or value in option.choices:
            return value
        is_file = value in self.hashes or Path(value).suffix in weights.SUFFIXES
        if option.name == "palette" and not is_file and are_colors(value):
            return value
        return self.find(value) if is_file or option.picture else value

    def find(self, name: str) -> str:
        """Return the path of the file that has this name and the recorded hash."""
        shown, beside = printable(bare_name(name)), self.picture.parent
        if not isinstance(self.hashes.get(name), str):
            raise refusal(self.picture, f"it has no hash of {shown}")
        file, frame = frames.split(name)
        # of two files with one name, the second was recorded as "photo (2).jpg"
        bare = PureWindowsPath(bare_name(file)).name  # C:photo.jpg has no slash
        bases = dict.fromkeys((bare_name(file), bare, re.sub(r" \(\d+\)(?=\.|$)", "", bare)))
        places = dict.fromkeys((Path(), beside))
        # recipes of version 0.1 have folders; a drive or a server of Windows is not asked
        names = bases if PureWindowsPath(file).drive else (file, *bases)
        found = [p for place in places for p in (place / n for n in names) if _is_file(p)]
        below = (p / n for place in places for p in sorted(place.glob("*/")) for n in bases)
        more = (path for folder in self.folders for path in sorted(folder.iterdir()))
        for path in (*found, *below, *more):
            try:
                same = _is_file(path) and hash_of(path) == self.hashes[name]
            except OSError:
                continue
            if same:
                self.used.append(name)
                return frames.join(str(path), frame)
        if found:
            raise InputError(
                f"{shown}: has changed since {printable(self.picture)} was made; use the old file"
            )
        if name == "picture":
            raise InputError(
                f"{printable(self.picture)}: was made from a picture in memory, not from a file; "
                "it cannot be replayed"
            )
        raise InputError(
            f"{shown}: is neither in the current folder nor beside {printable(self.picture)}; "
            "copy it there, or name its folder with --look-in"
        )


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (it takes names that are too long)


def refusal(picture: Path, why: str) -> InputError:
    """Say why a recipe is not one."""
    return InputError(f"{printable(picture)}: has no valid recipe: {printable(why)[:200]}")
