"""The works of a painter: the pictures that it learned from, found again when it paints."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath

from limner.errors import InputError, OutputError, WeightsError, printable
from limner.io import places
from limner.io.atomic import whole_file
from limner.nn import weights
from limner.train.crops import pictures_in

PACKED = "pictures"  # folder of copies in a run folder
_PLACE = "pictures.json"  # in a run folder: where the pictures were, relative to it
_NAMED = 3  # pictures that a message names


def remember(run: Path, folder: Path, pictures: Mapping[str, str], *, pack: bool) -> None:
    """Write where the training pictures are into a run folder, and copies of them if asked.

    Parameters
    ----------
    run, folder : Path
        The run folder, and that of the pictures.
    pictures : mapping of str to str
        Names relative to that folder, and SHA-256.
    pack : bool
        Whether to copy the pictures.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    try:
        if pack:
            for name, digest in pictures.items():
                copy = run / PACKED / name
                if not copy.is_file() or weights.sha256(copy) != digest:
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    with (folder / name).open("rb") as source, whole_file(copy) as file:
                        shutil.copyfileobj(source, file)
        place = places.seen_from(run, folder)
        with whole_file(run / _PLACE) as file:
            file.write(f"{json.dumps({'folder': place})}\n".encode())
    except OSError as error:
        raise OutputError(
            f"{run}: cannot be written ({error.strerror}); free some space"
        ) from error


def find(path: Path, given: Path | None, allow_changed: bool) -> list[Path]:
    """Find the works of a painter.

    Parameters
    ----------
    path : Path
        Its weights file.
    given : Path or None
        Where the pictures are. None: in its run folder, or where they were at the training.
    allow_changed : bool
        Use pictures that are not the same as at the training, and do without missing ones.

    Returns
    -------
    list of Path
        In the order of their names, at least one.

    Raises
    ------
    InputError
        They are not there, or some are missing or changed.
    WeightsError
        The list of pictures in the weights file is damaged, or names files outside a folder.
    """
    known = _known(path)
    if not known and given is None:
        raise InputError(
            f"{printable(path)}: does not say which pictures it learned from; give their folder "
            "with --pictures, or leave out --size"
        )
    folder = _folder(path, known) if given is None else given
    if not folder.is_dir():
        raise InputError(
            f"{printable(folder)}: there is no such folder, and strokes are taken from the "
            "pictures of the training; give their folder with --pictures"
        )
    if not known:
        return _all_pictures(folder)
    missing = [name for name in known if not (folder / name).is_file()]
    here = [name for name in known if name not in missing]
    if not here:
        raise InputError(
            f"{printable(folder)}: has none of the {len(known)} pictures of the training, such as "
            f"{printable(missing[0])}; give their folder with --pictures"
        )
    if not allow_changed:
        changed = [name for name in here if weights.sha256(folder / name) != known[name]]
        for names, what in ((missing, "missing"), (changed, "changed since the training")):
            if names:
                raise InputError(
                    f"{printable(folder)}: {_listed(names)} of {len(known)} pictures "
                    f"{'is' if len(names) == 1 else 'are'} {what}; put them back, or use what is "
                    "there with --allow-changed"
                )
    return [folder / name for name in here]


def _known(path: Path) -> dict[str, str]:
    """Return the names and hashes in a weights file, which anybody may have written."""
    try:
        known = json.loads(weights.describe(path).get("pictures", "{}"))
    except ValueError:
        known = None
    if not isinstance(known, dict) or not all(
        isinstance(digest, str) and _is_inside(name) for name, digest in known.items()
    ):
        raise WeightsError(
            f"{printable(path)}: its list of pictures is damaged; train the painter again, or "
            "leave out --size"
        )
    return known


def _is_inside(name: str) -> bool:
    """Whether a name stays in the folder that it is relative to, on every system."""
    there = PureWindowsPath(name)  # knows both kinds of slashes
    return not there.anchor and ".." not in there.parts and "\0" not in name


def _folder(path: Path, known: Mapping[str, str]) -> Path:
    packed, place = path.parent / PACKED, path.parent / _PLACE
    if packed.is_dir() and any((packed / name).is_file() for name in known):
        return packed
    try:
        return places.at(path.parent, json.loads(place.read_text("utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{printable(path)}: the pictures it learned from are not beside it; give their folder "
            "with --pictures"
        ) from None


def _all_pictures(folder: Path) -> list[Path]:
    found = pictures_in(folder, subfolders=True)
    if not found:
        raise InputError(f"{printable(folder)}: has no pictures; name a folder of pictures")
    return found


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(printable, names[:_NAMED]))
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
