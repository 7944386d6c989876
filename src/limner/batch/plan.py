"""What a command for many pictures will make: one picture for each file it is given."""

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from limner.errors import (
    InputError,
    OptionError,
    OutputError,
    check_no_address,
    file_in_the_way,
    not_a_folder,
    printable,
    reason,
)
from limner.io import frames as frames_of
from limner.io.foreign import without_twins
from limner.io.formats import ENDINGS

NAME = "{stem}.png"
SHEET = "limner-sheet.png"  # the contact sheet of a folder, which is no picture of it
_FIELDS = ("stem", "verb", "ext")
_RESULTS = ENDINGS | {".pdf"}


class Job(NamedTuple):
    """One picture to make.

    Attributes
    ----------
    source : str
        The file that it is made from, one of the inputs.
    inputs : tuple
        The inputs of the verb.
    output : Path
        The file to write.
    """

    source: str
    inputs: tuple[object, ...]
    output: Path


class Found(NamedTuple):
    """A file, and its place in the folder that was named: ``a/b.jpg`` for ``photos/a/b.jpg``."""

    path: Path
    place: Path


def is_many(words: Sequence[str], output: str, listed: Path | None) -> bool:
    """Whether a command makes many pictures, or puts one into a folder."""
    if listed is not None or len(words) != 1 or output.endswith(("/", os.sep)):
        return True
    (word,) = words
    if os.path.isdir(output) or os.path.isdir(word):  # noqa: PTH112 (they take any text)
        return True
    is_one = Path(output).suffix.lower() in _RESULTS  # then a pattern for nothing is a missing file
    return _is_pattern(word) and (not is_one or bool(_matches(word)))


def make_plan(
    verb: str,
    words: Sequence[str],
    output: str,
    *,
    before: Sequence[object] = (),
    after: Sequence[object] = (),
    listed: Path | None,
    recursive: bool,
    name: str,
    all_frames: bool = False,
) -> list[Job]:
    """Find the files and give each its output.

    Parameters
    ----------
    verb : str
        Part of the names, if `name` asks for it.
    words : sequence of str
        Files, folders and patterns such as ``photos/*.jpg``.
    output : str
        The folder for the results.
    before, after : sequence
        The inputs of the verb before and after the file, the same for each. A folder after it
        gives each file the picture with the same name.
    listed : Path or None
        A text file with one more file, folder or pattern per line; ``-`` is the standard input.
    recursive : bool
        Search subfolders too, and make the same subfolders in the output folder.
    name : str
        Names of the results, with the fields ``{stem}``, ``{verb}`` and ``{ext}``.
    all_frames : bool
        Make one picture of each frame of an animation and each page of a TIFF. Their stems end in
        the number: ``walk-0003``.

    Raises
    ------
    InputError
        A file is missing, or nothing is found.
    OptionError
        The name has another field, or the output is the name of a picture.
    OutputError
        The output is a file, or the folder of the inputs.
    """
    check_folder_name(output)
    folder = Path(output)
    named = [*words, *(_lines(listed) if listed is not None else ())]
    found = [one for word in named for one in _find(word, folder, recursive)]
    if all_frames:
        found = [frame for one in found for frame in _frames(one)]
    if not found:
        raise OptionError("no picture is named; name a file, a folder or --from LIST")
    once: dict[Path, Found] = {}
    for one in found:
        once.setdefault(one.path.resolve(), one)
    return [
        Job(
            str(path),
            (*before, str(path), *(_partner(other, place, folder) for other in after)),
            folder / place.parent / _name(name, place, verb),
        )
        for path, place in once.values()
    ]


def check_folder_name(output: str) -> None:
    """Refuse what is not the name of a folder for pictures.

    Raises
    ------
    OptionError
        It is the name of one picture.
    OutputError
        It is a file, or lies in one.
    """
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{printable(output)}: is a file; name a folder for the pictures")
    if in_the_way := file_in_the_way(folder):
        raise OutputError(f"{printable(output)}: {in_the_way}; name a folder for the pictures")
    if folder.suffix.lower() in _RESULTS and not (folder.is_dir() or output.endswith("/")):
        raise OptionError(
            f"-o {printable(output)}: is the name of one picture; name a folder for several, such "
            f"as {printable(folder.stem)}/"
        )


def _is_pattern(word: str) -> bool:
    return glob.has_magic(word) and not os.path.exists(word)  # noqa: PTH110 (it takes any text)


def _matches(word: str) -> list[str]:
    """Find what a pattern matches. Folders are meant as they are named: ``holidays [2024]/*.jpg``.

    A pattern may begin anywhere, which pathlib does not allow.
    """
    folder = Path(word)
    while not folder.is_dir():
        folder = folder.parent
    rest = Path(word).relative_to(folder)
    pattern = os.path.join(glob.escape(str(folder)), rest)  # noqa: PTH118
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207


def _find(word: str, output: Path, recursive: bool) -> Iterator[Found]:
    """Find the pictures of a file, a folder or a pattern, in the order of their names."""
    shown, folder = printable(word), Path(word)
    file, frame = frames_of.split(word)
    if frame is not None and os.path.exists(file):  # noqa: PTH110
        yield Found(folder, _place_of_frame(Path(Path(file).name), frame))
        return
    if _is_pattern(word):
        paths = [Path(path) for path in _matches(word)]
        paths = without_twins([path for path in paths if is_picture(path)])
        if not paths:
            raise InputError(f"{shown}: matches no picture; check the pattern")
        yield from (Found(path, Path(path.name)) for path in paths)
        return
    if not os.path.isdir(word):  # noqa: PTH112
        if not os.path.exists(word):  # noqa: PTH110
            check_no_address(word)
            raise InputError(
                f"{shown}: no such file or folder{not_a_folder(folder)}; check the name"
            )
        yield Found(folder, Path(folder.name))
        return
    if output.resolve() == folder.resolve():
        raise _among_inputs(output)
    if recursive and output.resolve().is_relative_to(folder.resolve()):
        raise OutputError(
            f"{printable(output)}: is inside {shown}, which --recursive searches; name a folder "
            "elsewhere"
        )
    try:
        inside = sorted(folder.rglob("*") if recursive else folder.iterdir())
    except OSError as error:
        raise InputError(f"{shown}: cannot be read ({reason(error)})") from error
    inside = without_twins([path for path in inside if is_picture(path)])
    places = [path.relative_to(folder) for path in inside]
    places = [place for place in places if not any(part[0] == "." for part in place.parts)]
    if not places:
        remedy = "name another folder" if recursive else "--recursive searches its subfolders too"
        raise InputError(f"{shown}: has no picture; {remedy}")
    yield from (Found(folder / place, place) for place in places)


def is_picture(path: Path) -> bool:
    """Whether a file of a folder is meant: macOS adds hidden ones that begin with a dot."""
    is_other = path.name.startswith(".") or path.name == SHEET
    return path.suffix.lower() in ENDINGS and not is_other and path.is_file()


def _frames(found: Found) -> Iterator[Found]:
    count = frames_of.count_in(found.path)
    if count == 1:
        yield found
        return
    for number in range(1, count + 1):
        path = Path(frames_of.join(str(found.path), number))
        yield Found(path, _place_of_frame(found.place, number))


def _place_of_frame(place: Path, number: int) -> Path:
    return place.with_stem(f"{place.stem}-{number:04d}")


def _among_inputs(output: Path) -> OutputError:
    return OutputError(
        f"{printable(output)}: holds the pictures to read; name another folder for the results"
    )


def _lines(listed: Path) -> list[str]:
    """Read a list of names, one per line; empty lines do not count."""
    shown = printable(listed)
    check_no_address(listed)
    try:
        data = sys.stdin.buffer.read() if str(listed) == "-" else listed.read_bytes()
    except OSError as error:
        raise InputError(f"--from {shown}: cannot be read ({reason(error)})") from error
    if b"\0" in data:
        raise InputError(f"--from {shown}: is not text; save it as UTF-8")
    text = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf"))  # file names need not be UTF-8
    return [line.strip() for line in text.split("\n") if line.strip()]


def _partner(other: object, place: Path, output: Path) -> object:
    """Return the file that goes with a picture: of a folder, the one with the same name."""
    folder = Path(str(other))
    if not os.path.isdir(folder):  # noqa: PTH112
        return other
    if output.resolve() == folder.resolve():
        raise _among_inputs(output)
    stem = glob.escape(place.stem)
    named = sorted((folder / place.parent).glob(f"{stem}.*"))
    same = without_twins([path for path in named if is_picture(path)])
    if not same:
        missing = printable(place.with_suffix(""))
        raise InputError(f"{printable(folder)}: has no picture {missing}.*; add it")
    return str(same[0])


def _name(name: str, place: Path, verb: str) -> str:
    """Fill in a name."""
    known = {"stem": place.stem, "verb": verb, "ext": place.suffix[1:].lower()}
    rest = re.sub(r"\{(stem|verb|ext)\}", "", name)
    if "{" in rest or "}" in rest:
        fields = ", ".join(f"{{{field}}}" for field in _FIELDS)
        raise OptionError(f"--name {printable(name)}: may hold {fields}, and no other braces")
    filled = re.sub(r"\{(stem|verb|ext)\}", lambda found: known[found[1]], name)
    if Path(filled).name != filled:
        raise OptionError(f"--name {printable(name)}: must be the name of a file, without a folder")
    return filled
