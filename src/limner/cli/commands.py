"""What a command does with its verb: make pictures, measure, print, serve.

Every function here has the form ``run(verb, inputs, options, *, ...) -> exit code``. Its keyword
options are options of the command too, beside those of the verb.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Any, Literal

from limner import signature
from limner.batch.forecast import MAX_WORKERS
from limner.batch.plan import NAME, is_many, make_plan
from limner.checks import check_range
from limner.cli import outputs, pipes
from limner.cli.console import Console, say
from limner.cli.many import make_many
from limner.cli.options import place_of_many
from limner.cli.picture import make_one
from limner.errors import DONE, INTERRUPTED, OptionError, OutputError, printable, reason
from limner.io import check_output, write, write_view
from limner.io.atomic import remove_left
from limner.progress import Stop


def make_picture(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    output: str | Path,
    overwrite: bool = False,
    keep_exif: bool = False,
    no_recipe: bool = False,
    json: bool = False,
    dry_run: bool = False,
    from_: Path | None = None,
    recursive: bool = False,
    name: str = NAME,
    frames: Literal["first", "all"] = "first",
    sheet: bool = False,
    fail_fast: bool = False,
    jobs: int | None = None,
    cluster: str | None = None,
    upload: str | None = None,
    format_: Literal["png", "jpg", "webp", "tiff"] | None = None,
) -> int:
    """Make a picture with a verb and write it; return the exit code.

    Parameters
    ----------
    verb : callable
        It takes ``on_step`` and returns a PIL image that has its recipe.
    inputs, options
        The verb's arguments. The first input that is a picture may be a folder or a pattern, and
        several pictures if it is the last one.
    output : path
        The picture to write. The suffix chooses the format: .png, .jpg, .webp, .avif, .tif or .pdf.
        For several pictures, the folder to write them into. With - it goes to standard output.
    overwrite : bool
        Replace files that exist.
    keep_exif : bool
        Keep the camera data that may tell where a photo was taken: GPS and the maker's notes.
    no_recipe : bool
        Leave the recipe out of the picture: verb, options, and names of the inputs.
    json : bool
        Print one JSON object per picture instead of its path.
    dry_run : bool
        Check the files and print the plan, but make no picture.
    from_ : path
        A text file that names more pictures, folders or patterns, one per line. With - the list
        comes from standard input. `hybridize` with a list takes only the far photo.
    recursive : bool
        Search the subfolders of a folder too, and make the same subfolders in the output folder.
    name : str
        Names of the results in a folder. {stem} and {ext} are the parts of the picture's name,
        {verb} is the command.
    frames : {"first", "all"}
        Which frames of an animation or pages of a TIFF to use: the first, or all of them, each as a
        picture of its own in a folder.
    sheet : bool
        Also write a contact sheet of all pictures of the folder: limner-sheet.png.
    fail_fast : bool
        Stop at the first of several pictures that cannot be made.
    jobs : int
        How many of several pictures to make at the same time, from 1 to 60. Default: as many as
        the cores and the memory of this machine allow, or all of a cluster.
    cluster : str
        Make the pictures of a folder on a Ray cluster: ray://HOST:10001, or auto for the cluster
        that RAY_ADDRESS names, or if there is none, one on this machine. Needs limner[ray].
    upload : str
        Also copy the results of a folder to a URL, such as s3://bucket/folder. Each picture is
        copied as soon as it is made, by the process that made it.
    format_ : {"png", "jpg", "webp", "tiff"}
        The format on standard output, with -o -. Default: png.
    """
    check_range("jobs", jobs, 1, MAX_WORKERS)
    to_pipe = pipes.is_pipe(output)
    if format_ and not to_pipe:
        raise OptionError(f"--format {format_}: is for -o -; end the output's name in .{format_}")
    if "://" in str(output):
        raise OptionError(f"-o {printable(output)}: is a URL; name a folder, and add --upload URL")
    places = [option for option in signature.of(verb) if option.input]
    first = place_of_many(places)
    end = len(inputs) if first == len(places) - 1 else first + 1
    if from_ is not None and len(inputs) < len(places):  # the list has all the pictures
        end = first
    elif first < len(inputs) < len(places) and not places[-1].several:
        raise OptionError(f"{places[-1].name.upper()}: is missing; name it, or use --from LIST")
    words = list(map(str, inputs[first:end]))
    if places and (frames == "all" or is_many(words, str(output), from_)):
        if to_pipe or any(map(pipes.is_pipe, words)):
            raise OptionError("-: stands for one picture; name files and a folder for several")
        plan = make_plan(
            verb.__name__,
            words,
            str(output),
            before=inputs[:first],
            after=inputs[end:],
            listed=from_,
            recursive=recursive,
            name=name,
            all_frames=frames == "all",
        )
        return make_many(
            verb,
            options,
            Path(output),
            plan,
            overwrite=overwrite,
            keep_exif=keep_exif,
            no_recipe=no_recipe,
            json=json,
            dry_run=dry_run,
            sheet=sheet,
            fail_fast=fail_fast,
            workers=jobs,
            cluster=cluster,
            upload=upload,
        )
    for option, given in (("--sheet", sheet), ("--cluster", cluster), ("--upload", upload)):
        if given:
            raise OptionError(f"{option}: is for the pictures of a folder; leave it out here")
    piped = pipes.as_files(inputs, Path(output), f".{format_ or 'png'}")
    with piped as (files, target), outputs.reserved(target), Console(dry_run) as console:
        if to_pipe:
            outputs.check_alone(verb, files, options, json=json)
        return make_one(
            verb,
            files,
            options,
            target,
            console,
            overwrite=overwrite,
            keep_exif=keep_exif,
            no_recipe=no_recipe,
            json=json,
        )


def make_pictures(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    output: Path = Path("new"),
    overwrite: bool = False,
    no_recipe: bool = False,
    json: bool = False,
) -> int:
    """Make several pictures with a verb and write them into a folder; return the exit code.

    Parameters
    ----------
    verb : callable
        It takes ``on_step`` and returns PIL images that have their recipes.
    inputs, options
        The verb's arguments.
    output : path
        The folder for the pictures. It is created if it does not exist.
    overwrite : bool
        Write into a folder that is not empty, and replace files of the same names.
    no_recipe : bool
        Leave the recipe out of the pictures: verb, options, and names of the inputs.
    json : bool
        Print one JSON object instead of the paths.
    """

    def place(name: str) -> Path:
        return output / (name if Path(name).suffix else f"{name}.png")

    count = options.get("n") or 0
    beside = outputs.side_files(verb, inputs, options, place)
    names = [_numbered_name(number, count) for number in range(1, count + 1)]
    names += [path.name for path in beside.values()]
    with outputs.reserved(output), Console() as console:
        outputs.check_folder(output, names, overwrite=overwrite)
        try:
            pictures = verb(*inputs, **options, on_step=console)
        except Stop:
            say("interrupted before the first picture; nothing was written")
            return INTERRUPTED
        try:
            output.mkdir(parents=True, exist_ok=True)  # the folder around it may be gone by now
        except OSError as error:
            where = printable(output)
            raise OutputError(f"{where}: cannot be made ({reason(error)})") from error
        written = []
        for number, picture in enumerate(pictures, 1):
            written.append(output / _numbered_name(number, len(pictures)))
            for note in write(picture, written[-1], overwrite=overwrite, recipe=not no_recipe):
                say(note)
        for name, view in pictures[0].info.get("beside", {}).items():
            written.append(beside[name])
            for note in write_view(view, written[-1], overwrite=overwrite, recipe=not no_recipe):
                say(note)
    if console.cut_by:
        say(f"{console.cut_by}: {output} has {len(pictures)} of {console.last.steps} pictures")
    paths = [str(path) for path in written]
    seconds = round(console.last.seconds, 3)
    about = {"outputs": paths, "seconds": seconds, "stopped": console.cut_by}
    print(dumps(about) if json else "\n".join(paths))
    return INTERRUPTED if console.cut_by else DONE


def _numbered_name(number: int, count: int) -> str:
    return f"{number:0{max(2, len(str(count)))}d}.png"


def print_result(
    verb: Callable[..., Any],
    inputs: Sequence[object],
    options: Mapping[str, Any],
    *,
    json: bool = False,
) -> int:
    """Call a verb and print what it returns; return the exit code.

    Parameters
    ----------
    verb : callable
        It returns a dataclass whose ``str()`` is text for people, or the path of what it wrote.
    inputs, options
        The verb's arguments.
    json : bool
        Print one JSON object instead of text.
    """
    result = verb(*inputs, **options)
    if json:
        print(dumps({"output": str(result)} if isinstance(result, Path) else asdict(result)))
    else:
        print(result)
    return DONE


def serve(verb: Callable[..., None], inputs: Sequence[object], options: Mapping[str, Any]) -> int:
    """Call a verb that runs until it is ended; return the exit code."""
    verb(*inputs, **options)
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
    """Measure a picture and print the numbers; return the exit code.

    Parameters
    ----------
    verb : callable
        It returns a dataclass of numbers and a picture, ``map``.
    inputs, options
        The verb's arguments.
    map_ : path
        Write a map of the values to this picture.
    overwrite : bool
        Replace a file that exists.
    json : bool
        Print one JSON object instead of one line per number.
    """
    if map_ is not None:
        check_output(map_, overwrite=overwrite)
        remove_left(map_.parent)
    with pipes.as_files(inputs) as (files, _):
        found = vars(verb(*files, **options))
    numbers = {name: value for name, value in found.items() if isinstance(value, float)}
    if map_ is not None:
        write(found["map"], map_, overwrite=overwrite)
    if json:
        print(dumps({"map": map_ and str(map_), **numbers}))
    else:
        print("\n".join(f"{name}: {value:.3f}" for name, value in numbers.items()))
    return DONE
