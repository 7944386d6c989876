"""Every file that a command will write: known, and checked, before any work is done."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from limner.batch import replay
from limner.batch.plan import check_folder_name
from limner.checks import flag
from limner.errors import OptionError, OutputError, printable
from limner.io import atomic, check_output, check_place


def side_files(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    place: Callable[[str], Path],
) -> dict[str, Path]:
    """Return the path of every file that a verb makes beside its result.

    Parameters
    ----------
    verb : callable
        Its module has a function ``side_files`` if it makes such files.
    inputs, options
        What it will be called with.
    place : callable
        From ``"strip.gif"``, a name and an ending, to a path. The ending is empty for the format
        of the result.

    Returns
    -------
    dict of str to Path
        The paths by the names in ``picture.info["beside"]``.
    """
    named: dict[str, str | Path] = {}
    if verb in (replay.replay, replay.apply):
        named = replay.side_files(Path(str(inputs[0])))
    elif planned := getattr(import_module(verb.__module__), "side_files", None):
        named = planned(options)
    return {
        name: ending if isinstance(ending, Path) else place(f"{name}{ending}")
        for name, ending in named.items()
    }


def beside(output: Path, name: str) -> Path:
    """Return where a side file of a picture goes: ``out-strip.png`` for ``out.png``."""
    return output.with_name(f"{output.stem}-{name}{'' if Path(name).suffix else output.suffix}")


def files_beside(
    verb: Callable[..., Any], inputs: Sequence[object], options: Mapping[str, Any], output: Path
) -> dict[str, Path]:
    """Return the paths of `side_files` for a picture that is written to `output`."""
    return side_files(verb, inputs, options, lambda name: beside(output, name))


def check_alone(
    verb: Callable[..., Any], inputs: Sequence[object], options: Mapping[str, Any], *, json: bool
) -> None:
    """Refuse what cannot go to standard output beside the picture.

    Raises
    ------
    OptionError
        The command makes other files too, or prints JSON.
    """
    if json:
        raise OptionError("--json: prints where -o - writes the picture; leave one of them out")
    for name in ("save_every", "resume"):
        if options.get(name):
            raise OptionError(f"{flag(name)}: needs a file beside it; name one in place of -o -")
    others = files_beside(verb, inputs, options, Path("-"))
    if names := [name for name, path in others.items() if path.parent == Path()]:
        raise OptionError(f"-o -: has no place for {', '.join(names)}; name a file")


@contextmanager
def reserved(output: Path) -> Iterator[None]:
    """Keep an output, a picture or a folder, for this command.

    Raises
    ------
    OutputError
        Another command writes it now.
    """
    with atomic.reserved(output) as is_free:
        if not is_free:
            raise OutputError(
                f"{printable(output)}: another limner writes it now; wait until it ends, or choose "
                "another name"
            )
        yield


def numbered(output: Path, step: int) -> Path:
    """Return where the picture of a step goes: ``out-000300.png`` for ``out.png``."""
    return output.with_name(f"{output.stem}-{step:06d}{output.suffix}")


def checkpoint_of(output: Path) -> Path:
    """Return where the checkpoint of an unfinished picture goes."""
    return output.with_name(f"{output.name}.checkpoint.safetensors")


def check_all(
    output: Path,
    others: Iterable[Path],
    *,
    overwrite: bool,
    size: int | None,
    save_every: int,
    resume: bool,
) -> None:
    """Refuse, before any work, what could not be written at the end.

    Parameters
    ----------
    output : Path
        The picture.
    others : iterable of Path
        Its side files.
    overwrite : bool
        Whether files may be replaced.
    size : int or None
        Longest side of the picture in pixels, if it is known.
    save_every : int
        Whether pictures of some steps and a checkpoint are written too; 0 for no.
    resume : bool
        Whether the command continues from a checkpoint: then pictures of steps may exist.

    Raises
    ------
    OptionError
        A suffix does not name a format that limner writes.
    OutputError
        A file exists, cannot be written, or would be written twice.
    """
    check_output(output, overwrite=overwrite, size=(size, size) if size else None)
    taken = {output.resolve()}
    for path in others:
        if path.resolve() in taken:
            raise OutputError(
                f"{printable(path)}: two files of this command would have this name; choose another"
            )
        taken.add(path.resolve())
        check_place(path, overwrite=overwrite)
    if not save_every:
        return
    # names can be too long only for these
    check_output(numbered(output, 0), overwrite=True)
    checkpoint = checkpoint_of(output)
    check_place(checkpoint, overwrite=True)
    if resume or overwrite:
        return
    if checkpoint.exists():
        raise OutputError(
            f"{printable(checkpoint)}: is the checkpoint of an unfinished picture; use --resume to "
            "continue it, or --overwrite to start again"
        )
    for path in sorted(output.parent.glob(f"{escape(output.stem)}-{'[0-9]' * 6}{output.suffix}")):
        check_output(path, overwrite=False)


def check_folder(output: Path, names: Iterable[str], *, overwrite: bool) -> None:
    """Refuse, before any work, a folder into which pictures could not be written at the end.

    Parameters
    ----------
    output : Path
        The folder. It is made if it is missing.
    names : iterable of str
        The files that will be written into it.
    overwrite : bool
        Whether it may hold files already.

    Raises
    ------
    OptionError
        It is the name of one picture.
    OutputError
        It is a file, holds files, or cannot be written.
    """
    check_folder_name(str(output))
    if not output.is_dir():
        check_place(output, overwrite=True)
        return
    atomic.remove_left(output)
    if not overwrite and any(output.iterdir()):
        raise OutputError(
            f"{printable(output)}: is not empty; name another folder, or use --overwrite"
        )
    for name in names:
        check_place(output / name, overwrite=True)
