"""What a command does with its verb: paint, measure, tell, train, serve."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from glob import escape
from json import dumps, loads
from pathlib import Path
from typing import Any

from limner.cli.console import Watch, say
from limner.errors import CUT_SHORT, DONE, INTERRUPTED, OptionError, OutputError, printable
from limner.io import check_output, check_place, write, write_animation, write_saved
from limner.io.openraster import Saved
from limner.progress import Progress, Stop


def paint(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    output: Path,
    overwrite: bool = False,
    keep_exif: bool = False,
    json: bool = False,
    dry_run: bool = False,
) -> int:
    """Make a picture with a verb, and write it; give the exit code.

    Parameters
    ----------
    verb : callable
        It takes ``on_step`` and returns a PIL image that carries its recipe.
    inputs, options
        What it is given.
    output : path
        The picture to write. Its ending says the format: .png, .jpg, .webp, .avif or .tif.
    overwrite : bool
        Replace files that are there already.
    keep_exif : bool
        Keep also what may tell where the photo was taken: GPS data and the maker's notes.
    json : bool
        Print one JSON object instead of the path.
    dry_run : bool
        Say what would be done, and write nothing.
    """
    size, every, resume = (options.get(name) for name in ("size", "save_every", "resume"))
    check_output(output, overwrite=overwrite, size=(size, size) if size else None)
    if look := options.get("save_look"):
        if look.resolve() == output.resolve():
            raise OptionError(f"--save-look {look}: is the picture's own place; give another")
        check_place(look, overwrite=overwrite)
    if every and not resume:
        numbered = f"{escape(output.stem)}-{'[0-9]' * 6}{output.suffix}"
        for path in sorted(output.parent.glob(numbered)):
            check_output(path, overwrite=overwrite)
    checkpoint = output.with_name(f"{output.name}.checkpoint.safetensors")
    if every or resume:
        options = {**options, "checkpoint": checkpoint}

    def keep(progress: Progress) -> None:
        assert progress.preview is not None
        name = f"{output.stem}-{progress.step:06d}{output.suffix}"
        write(progress.preview(), output.with_name(name), overwrite=overwrite)

    with Watch(dry_run, every or 0, keep) as watch:

        def on_step(progress: Progress) -> None:
            if progress.size and not progress.step:  # before hours of work
                check_output(output, overwrite=overwrite, size=progress.size)
            watch(progress)

        try:
            picture = verb(*inputs, **options, on_step=on_step)
        except Stop:
            picture = None
        done, cut = watch.last, watch.cut_by
        if dry_run:
            if json:
                print(dumps({"output": str(output), "steps": done.steps, "plan": done.note}))
            return DONE
        if picture is None or (cut == "interrupted" and done.step == 0):
            say("interrupted; there is nothing to keep yet")
            return INTERRUPTED
        beside = {
            _beside(output, name, view): view
            for name, view in picture.info.get("beside", {}).items()
        }
        for path in beside:
            check_place(path, overwrite=overwrite)
        for note in write(picture, output, overwrite=overwrite, keep_exif=keep_exif):
            say(note)
        for path, view in beside.items():
            if isinstance(view, Saved):
                write_saved(view, path, overwrite=overwrite)
            elif path.suffix == output.suffix:
                write(view, path, overwrite=overwrite, keep_exif=keep_exif)
            else:
                write_animation(view, path, overwrite=overwrite)

    if cut:
        message = f"{cut}: {output} is the picture after {done.step} of {done.steps} steps"
        if "checkpoint" in options and checkpoint.is_file():
            message += "; the same command with --resume --overwrite goes on from its checkpoint"
        say(message)
    elif "checkpoint" in options:
        checkpoint.unlink(missing_ok=True)
    about = {
        "output": str(output),
        "width": picture.width,
        "height": picture.height,
        "seconds": round(done.seconds, 3),
        "steps": done.step,
        "loss": done.loss,
        "recipe": loads(picture.info["limner"]),
        "stopped": cut,
        "beside": [str(path) for path in beside],
    }
    print(dumps(about) if json else "\n".join(map(str, (output, *beside))))
    return {None: DONE, "time budget": CUT_SHORT, "interrupted": INTERRUPTED}[cut]


def paint_several(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    output: Path = Path("new"),
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Make pictures with a verb, and write them into a folder; give the exit code.

    Parameters
    ----------
    verb : callable
        It takes ``on_step`` and returns PIL images that carry their recipes.
    inputs, options
        What it is given.
    output : path
        The folder to write to. It is made if it is missing.
    overwrite : bool
        Write into a folder that holds files, and replace those of the same names.
    json : bool
        Print one JSON object instead of the paths.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{printable(output)}: is a file; name a folder for the pictures")
    if not overwrite and output.is_dir() and any(output.iterdir()):
        raise OutputError(
            f"{printable(output)}: holds files already; name another folder, or pass --overwrite"
        )
    check_place(output / "01.png" if output.is_dir() else output, overwrite=True)
    with Watch(dry_run=False) as watch:
        try:
            pictures = verb(*inputs, **options, on_step=watch)
        except Stop:
            say("interrupted; there is nothing to keep yet")
            return INTERRUPTED
        output.mkdir(exist_ok=True)
        digits = max(2, len(str(len(pictures))))
        written = []
        for number, picture in enumerate(pictures, 1):
            written.append(output / f"{number:0{digits}d}.png")
            write(picture, written[-1], overwrite=overwrite)
        for name, view in pictures[0].info.get("beside", {}).items():
            written.append(output / f"{name}{getattr(view, 'ending', '.png')}")
            if isinstance(view, Saved):
                write_saved(view, written[-1], overwrite=overwrite)
            else:
                write(view, written[-1], overwrite=overwrite)
    if watch.cut_by:
        say(f"{watch.cut_by}: {len(pictures)} pictures of {watch.last.steps} are in {output}")
    outputs = [str(path) for path in written]
    about = {"outputs": outputs, "seconds": round(watch.last.seconds, 3), "stopped": watch.cut_by}
    print(dumps(about) if json else "\n".join(outputs))
    return INTERRUPTED if watch.cut_by else DONE


def tell(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    json: bool = False,
) -> int:
    """Do what a verb does, and print what it returns; give the exit code.

    Parameters
    ----------
    verb : callable
        It returns a dataclass whose text is for people, or the path of what it wrote.
    inputs, options
        What it is given.
    json : bool
        Print one JSON object instead of text.
    """
    found = verb(*inputs, **options)
    if json:
        print(dumps({"output": str(found)} if isinstance(found, Path) else asdict(found)))
    else:
        print(found)
    return DONE


def serve(verb: Callable[..., None], inputs: Sequence[object], options: Mapping[str, Any]) -> int:
    """Do what a verb does until it is ended; give the exit code."""
    verb(*inputs, **options)
    return DONE


def _beside(output: Path, name: str, view: Any) -> Path:
    """Where another view of the result goes, unless it says so itself."""
    if place := getattr(view, "place", None):
        return Path(place)
    ending = (
        ".gif" if getattr(view, "is_animated", False) else getattr(view, "ending", output.suffix)
    )
    return output.with_name(f"{output.stem}-{name}{ending}")


def train(
    verb: Callable[..., Mapping[str, float]],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    output: Path,
    json: bool = False,
) -> int:
    """Train a network, and say how it does on what it has not seen; give the exit code.

    Parameters
    ----------
    verb : callable
        It takes the run folder after its inputs, and ``on_step``; it returns scores by name.
    inputs, options
        What it is given.
    output : path
        The run folder: its logs, its checkpoint and, as .safetensors, the results.
    json : bool
        Print one JSON object instead of the path of the result.
    """

    with Watch(dry_run=False) as watch:
        try:
            scores = verb(*inputs, output, **options, on_step=watch)
        except Stop:
            scores = None
    if scores is None:
        message = f"interrupted after {watch.last.step} of {watch.last.steps} steps; "
        if (output / "checkpoint.pt").is_file():
            say(message + "the same command with --resume goes on from the last checkpoint")
        else:
            say(message + "there is no checkpoint yet: the same command begins anew")
        return INTERRUPTED
    for name, score in scores.items():
        say(f"{name}: {score:.4f}")
    model = output / "model.safetensors"
    others = sorted({*output.glob("*.safetensors")} - {model})
    about = {"output": str(model), "beside": list(map(str, others)), "scores": dict(scores)}
    print(dumps(about) if json else "\n".join(map(str, (model, *others))))
    return DONE


def measure(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    map_: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Measure a picture, and print the numbers; give the exit code.

    Parameters
    ----------
    verb : callable
        It returns a dataclass of numbers, and a picture, ``map``, of where they come from.
    inputs, options
        What it is given.
    map_ : path
        Write that picture too.
    overwrite : bool
        Replace a file that is there already.
    json : bool
        Print one JSON object instead of a line for each number.
    """

    if map_ is not None:
        check_output(map_, overwrite=overwrite)
    found = vars(verb(*inputs, **options))
    numbers = {name: value for name, value in found.items() if isinstance(value, float)}
    if map_ is not None:
        write(found["map"], map_, overwrite=overwrite)
    if json:
        print(dumps({"map": map_ and str(map_), **numbers}))
    else:
        print("\n".join(f"{name}: {value:.3f}" for name, value in numbers.items()))
    return DONE
