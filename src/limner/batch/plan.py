"""What a command for many pictures will make: one picture for each file it is given."""

import glob
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from limner.errors import InputError, OptionError, OutputError, printable
from limner.train.crops import PICTURES

NAME = "{stem}.png"
_FIELDS = ("stem", "verb", "ext")


class Job(NamedTuple):
    """One picture to make.

    Attributes
    ----------
    inputs : tuple of str
        The inputs of the verb.
    output : Path
        The file to write.
    """

    inputs: tuple[str, ...]
    output: Path


class Found(NamedTuple):
    """A file, and its place in the folder that was named: ``a/b.jpg`` for ``photos/a/b.jpg``."""

    path: Path
    place: Path


def is_many(words: Sequence[str], output: str, listed: Path | None) -> bool:
    """Whether a command makes many pictures, or puts one into a folder."""
    if listed is not None or len(words) != 1 or output.endswith(("/", "\\")):
        return True
    return Path(output).is_dir() or Path(words[0]).is_dir() or _is_pattern(words[0])


def make_plan(
    verb: str,
    words: Sequence[str],
    output: Path,
    *,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    listed: Path | None,
    recursive: bool,
    name: str,
) -> list[Job]:
    """Find the files and give each its output.

    Parameters
    ----------
    verb : str
        Part of the names, if `name` asks for it.
    words : sequence of str
        Files, folders and patterns such as ``photos/*.jpg``.
    output : Path
        The folder for the results.
    before, after : sequence of str
        The inputs of the verb before and after the file, the same for each. A folder after it
        gives each file the picture with the same name.
    listed : Path or None
        A text file with one more file, folder or pattern per line; ``-`` is the standard input.
    recursive : bool
        Search subfolders too, and make the same subfolders in the output folder.
    name : str
        Names of the results, with the fields ``{stem}``, ``{verb}`` and ``{ext}``.

    Raises
    ------
    InputError
        A file is missing, or nothing is found.
    OptionError
        The name has another field, or no field that tells files apart.
    OutputError
        Two files would have one output, or the outputs would be among the inputs.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{printable(output)}: is a file; name a folder for the pictures")
    named = [*words, *(_lines(listed) if listed is not None else ())]
    found = [one for word in named for one in _find(word, output, recursive)]
    if not found:
        raise OptionError("no picture is named; name a file, a folder or --from LIST")
    jobs = [
        Job(
            (*before, str(path), *(_partner(other, place) for other in after)),
            output / place.parent / _name(name, place, verb),
        )
        for path, place in dict.fromkeys(found)
    ]
    makers: dict[str, Job] = {}
    for job in jobs:
        other = makers.setdefault(str(job.output).casefold(), job)
        if other is not job:
            raise OutputError(
                f"{printable(job.output)}: {printable(other.inputs[len(before)])} and "
                f"{printable(job.inputs[len(before)])} would both have this name; use --name "
                '"{stem}-{ext}.png", --recursive, or one folder at a time'
            )
    return jobs


def _is_pattern(word: str) -> bool:
    return glob.has_magic(word) and not Path(word).exists()


def _find(word: str, output: Path, recursive: bool) -> Iterator[Found]:
    """Find the pictures of a file, a folder or a pattern, in the order of their names."""
    shown, folder = printable(word), Path(word)
    if _is_pattern(word):
        # a pattern may begin anywhere, which pathlib does not allow
        paths = [Path(path) for path in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207
        paths = [path for path in paths if path.is_file()]
        if not paths:
            raise InputError(f"{shown}: matches no file; check the pattern")
        yield from (Found(path, Path(path.name)) for path in paths)
        return
    if not folder.is_dir():
        if not folder.exists():
            raise InputError(f"{shown}: no such file or folder; check the name")
        yield Found(folder, Path(folder.name))
        return
    if output.resolve() == folder.resolve():
        raise OutputError(
            f"{printable(output)}: holds the pictures to read; name another folder for the results"
        )
    if recursive and output.resolve().is_relative_to(folder.resolve()):
        raise OutputError(
            f"{printable(output)}: is inside {shown}, which --recursive searches; name a folder "
            "elsewhere"
        )
    try:
        inside = sorted(folder.rglob("*") if recursive else folder.iterdir())
    except OSError as error:
        raise InputError(f"{shown}: cannot be read ({error.strerror})") from error
    paths = [path for path in inside if _is_picture(path)]
    if not paths:
        deeper = "" if recursive else "; --recursive searches its subfolders too"
        raise InputError(f"{shown}: has no picture{deeper or '; name another folder'}")
    yield from (Found(path, path.relative_to(folder)) for path in paths)


def _is_picture(path: Path) -> bool:
    """Whether a file of a folder is meant: macOS adds hidden ones that begin with a dot."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()


def _lines(listed: Path) -> Iterable[str]:
    """Read a list of names, one per line; empty lines do not count."""
    try:
        text = sys.stdin.read() if str(listed) == "-" else listed.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"--from {printable(listed)}: cannot be read ({why})") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _partner(other: str, place: Path) -> str:
    """Return the file that goes with a picture: of a folder, the one with the same name."""
    folder = Path(other) / place.parent
    if not Path(other).is_dir():
        return other
    same = sorted(p for p in folder.glob("*") if p.stem == place.stem and _is_picture(p))
    if not same:
        raise InputError(f"{printable(other)}: has no picture {printable(place.stem)}.*; add it")
    return str(same[0])


def _name(name: str, place: Path, verb: str) -> str:
    """Fill in a name."""
    try:
        filled = name.format(stem=place.stem, verb=verb, ext=place.suffix[1:].lower())
    except (KeyError, IndexError, ValueError, AttributeError):
        fields = ", ".join(f"{{{field}}}" for field in _FIELDS)
        raise OptionError(f"--name {name}: may hold {fields}") from None
    if Path(filled).name != filled:
        raise OptionError(f"--name {name}: must be the name of a file, without a folder")
    return filled
