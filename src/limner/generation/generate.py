"""`generate`: variations of one picture, or new pictures from a generator that was trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_range, flag
from limner.errors import InputError, OptionError, printable
from limner.generation import variations as vary
from limner.generation.animation import Animation
from limner.generation.contact_sheet import contact_sheet
from limner.generation.gan import latent_space, metrics, painter
from limner.generation.gan.dataset import crop, crops_and_mirrors, read_folder, resize_to_cover
from limner.io import Source
from limner.nn import devices, features, weights
from limner.progress import OnStep, Reporter, Stop, silent

COUNT, MAX_COUNT = 25, 1000  # pictures from a painter
TRUNCATION = 0.8
MAX_FRAMES = 240  # from one picture to the next
MAX_COLUMNS = 5  # of a sheet of mixed pictures, or of nearest pictures
# The options that have an effect in each mode, beside the seed and the device.
_EFFECTIVE = {
    "--like": {"n", "size", "variety", "allow_huge"},
    "--project": {"allow_huge"},
    "a painter": {"n", "truncation", "interpolate", "mix", "nearest"},
}
_NO_MODEL = """\
generate: needs a picture to vary, or a painter; none comes with limner
variations of one picture, at once: limner generate --like picture.jpg -n 8 -o new/
a painter from your own pictures, in hours: limner train painter pictures/ -o run/"""


def generate(
    model: Path | None = None,
    *,
    like: Source | None = None,
    n: int | None = None,
    size: str | None = None,
    variety: float | None = None,
    truncation: float | None = None,
    interpolate: int | None = None,
    mix: bool = False,
    project: Source | None = None,
    nearest: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> list[Image.Image]:
    """Make new pictures: variations of one picture, or from a network you trained.

    Parameters
    ----------
    model : Path
        A painter: a run folder of ``limner train painter``, or its weights file. Leave it out with
        ``--like``.
    like : str, path or PIL image
        Make variations of this picture. This needs no training.
    n : int
        Number of pictures: from 1 to 100 with ``--like``, or from 1 to 1000 from a painter.
        Default: 8 with ``--like``, 25 from a painter.
    size : str
        Width and height of variations in pixels, such as ``1200x800``, each from 64 to 4096.
        Default: the size of the picture, reduced to 1024 pixels on the longer side.
    variety : float
        How far things move in variations, from 0 (they stay in place) to 1 (hardly anything stays).
        Default: 0.5.
    truncation : float
        Variety of a painter's pictures, from 0 (all the same) to 1 (most varied, but more of them
        fail). Default: 0.8.
    interpolate : int
        Also write an animation that moves from each picture to the next in this number of frames,
        from 1 to 240.
    mix : bool
        Also write a sheet that mixes pictures: composition from one, details from another.
    project : str, path or PIL image
        Instead of random pictures, make one picture that is as similar as possible to this one.
    nearest : Path
        Also write a sheet with each picture beside the most similar one in this folder, to check
        for copies. Flipped and cropped copies are found too.
    seed : int
        Random seed of the first picture. Each further picture has the next seed. The same seed
        gives the same picture.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    allow_huge : bool
        Also read pictures of more than 100 megapixels, for ``--like`` and ``--project``.
    on_step : callable
        Called with a `Progress` before the first picture and after each one. If it raises `Stop`,
        the pictures that are done are returned.

    Returns
    -------
    list of PIL.Image.Image
        RGB. Each picture has its own recipe. ``info["beside"]`` of the first one holds the contact
        sheet and what else was asked for; see `side_files`.

    Raises
    ------
    InputError
        A picture or a folder cannot be read.
    OptionError
        There is no painter and no picture, or an option is out of range or has no effect.
    WeightsError
        The weights file is missing, damaged, or not a painter.
    """
    options: dict[str, object] = {
        "n": n,
        "size": size,
        "variety": variety,
        "truncation": truncation,
        "interpolate": interpolate,
        "mix": mix,
        "nearest": nearest,
        "allow_huge": allow_huge,
    }
    _check_mode(model, like, project, options)
    if like is not None:
        return _vary(like, n, size, variety, seed, device, allow_huge, on_step)
    count = COUNT if n is None else n
    truncation = TRUNCATION if truncation is None else truncation
    _check_ranges(count, truncation, interpolate, mix)
    assert model is not None
    report = Reporter("generate", on_step)
    network, path = painter.load(Path(model), devices.pick(device))
    hashes = {str(path): weights.sha256(path)}
    if project is not None:
        return [_project(network, hashes, project, seed, allow_huge, report)]
    if mix and network.layers < 2:
        raise OptionError("--mix: needs a painter with several styles; a DCGAN has only one")
    originals = None if nearest is None else _read_originals(Path(nearest), network.size)
    latents, rgb, pictures = _paint(network, hashes, count, truncation, seed, report)
    beside: dict[str, Image.Image | Animation] = {}
    if len(pictures) > 1:
        beside["sheet"] = io.to_picture(contact_sheet(rgb))
    if interpolate:
        beside["interpolation"] = _animate(network, latents, truncation, interpolate, seed)
    if mix and len(pictures) > 1:
        beside["mix"] = _mix(network, latent_space.to_styles(network, latents, truncation), seed)
    if originals is not None:
        beside["nearest"] = _show_nearest(rgb, originals)
    pictures[0].info["beside"] = beside
    return pictures


def side_files(options: Mapping[str, Any]) -> dict[str, str | Path]:
    """Return the side files that `generate` makes with these options: name to file ending.

    An empty ending stands for the format of the pictures. A call that is stopped early can make
    fewer.
    """
    if options.get("project") is not None:
        return {"compared": ""}
    files: dict[str, str | Path] = {} if options.get("n") == 1 else {"sheet": ""}
    if options.get("interpolate"):
        files["interpolation"] = Animation.ending
    if options.get("mix"):
        files["mix"] = ""
    if options.get("nearest") is not None:
        files["nearest"] = ""
    return files


def _check_mode(
    model: Path | None, like: Source | None, project: Source | None, options: Mapping[str, object]
) -> None:
    """Refuse a call without a mode or with two, and options without an effect in its mode."""
    if like is not None and model is not None:
        raise OptionError("--like: cannot be used with a painter; give only one of them")
    if like is not None and project is not None:
        raise OptionError("--like and --project: cannot be used together; give only one")
    if like is None and model is None:
        raise OptionError(_NO_MODEL)
    mode = "--like" if like is not None else "--project" if project is not None else "a painter"
    for name, value in options.items():
        if value is None or value is False or name in _EFFECTIVE[mode]:
            continue
        if mode == "--project" and (name, value) == ("n", 1):  # what recipes say
            continue
        given = flag(name) if value is True else f"{flag(name)} {printable(str(value))}"
        if mode == "a painter":
            others = [other for other, names in _EFFECTIVE.items() if name in names]
            raise OptionError(f"{given}: works only with {' or '.join(others)}; leave it out")
        raise OptionError(f"{given}: has no effect with {mode}; leave it out")


def _check_ranges(count: int, truncation: float, interpolate: int | None, mix: bool) -> None:
    check_range("n", count, 1, MAX_COUNT)
    check_range("truncation", truncation, 0, 1)
    check_range("interpolate", interpolate, 1, MAX_FRAMES)
    for name, value in (("interpolate", interpolate), ("mix", mix)):
        if value and count < 2:
            raise OptionError(f"{flag(name)}: needs at least two pictures; use -n 2 or more")


def _vary(
    like: Source,
    n: int | None,
    size: str | None,
    variety: float | None,
    seed: int,
    device: str,
    allow_huge: bool,
    on_step: OnStep,
) -> list[Image.Image]:
    """Make variations of a picture, and a contact sheet of them."""
    pictures = vary.variations(
        like,
        n=vary.COUNT if n is None else n,
        size=size,
        variety=vary.VARIETY if variety is None else variety,
        seed=seed,
        device=device,
        allow_huge=allow_huge,
        on_step=on_step,
    )
    beside = {}
    if len(pictures) > 1:
        rgb = torch.cat([io.read(picture).rgb for picture in pictures])
        beside["sheet"] = io.to_picture(contact_sheet(rgb))
    pictures[0].info["beside"] = beside
    return pictures


def _paint(
    network: painter.Painter,
    hashes: Mapping[str, str],
    count: int,
    truncation: float,
    seed: int,
    report: Reporter,
) -> tuple[Tensor, Tensor, list[Image.Image]]:
    """Make pictures of consecutive seeds.

    Returns the latents [N, latent_size], the pictures [N, 3, H, W] in 0..1, and the same pictures
    with their recipes. N is less than the count if the user stops early.
    """
    stage = _stage(network)
    report(stage, 0, count, note=f"{count} picture{'s' * (count > 1)}, {stage}")
    latents: list[Tensor] = []
    rgb: list[Tensor] = []
    pictures: list[Image.Image] = []
    for number in range(seed, seed + count):
        latents.append(latent_space.draw_latent(network, number))
        styles = latent_space.to_styles(network, latents[-1], truncation)
        rgb.append(latent_space.paint(network, styles, number))
        options = {"n": 1, "truncation": truncation, "seed": number}
        recipe = io.make_recipe("generate", list(hashes), options, [], hashes)
        pictures.append(io.to_picture(rgb[-1], recipe=recipe))
        try:
            report(stage, len(pictures), count, preview=pictures[-1].copy)
        except Stop:
            break
    return torch.cat(latents), torch.cat(rgb), pictures


def _project(
    network: painter.Painter,
    hashes: Mapping[str, str],
    project: Source,
    seed: int,
    allow_huge: bool,
    report: Reporter,
) -> Image.Image:
    """Find the picture of a painter that is most like the center of another picture."""
    target = io.read(project, allow_huge=allow_huge)
    stage, steps = _stage(network), latent_space.STEPS
    note = f"looking for the picture that is most like the center of {printable(target.name)}"
    report(stage, 0, steps, note=note)
    cover = resize_to_cover(io.on_white(target), network.size)
    center = crop(cover, network.size, 0.5, 0.5)[None]
    styles = latent_space.project(
        network,
        center.to(network.mean.device),
        seed,
        lambda step, loss: report(stage, step, steps, loss=loss),
    )
    rgb = latent_space.paint(network, styles, seed)
    options = {"n": 1, "seed": seed, "project": target.name, "allow_huge": allow_huge}
    recipe = io.make_recipe("generate", list(hashes), options, [target], hashes)
    picture = io.to_picture(rgb, recipe=recipe)
    picture.info["beside"] = {"compared": io.to_picture(contact_sheet(torch.cat((center, rgb)), 2))}
    return picture


def _stage(network: painter.Painter) -> str:
    height, width = network.size
    return f"{width}×{height} px"


def _animate(
    network: painter.Painter, latents: Tensor, truncation: float, frames: int, seed: int
) -> Animation:
    """Make an animation from each picture to the next, and back to the first."""
    made = []
    for z in latent_space.interpolate(latents, frames):
        styles = latent_space.to_styles(network, z, truncation)
        made.append(io.to_picture(latent_space.paint(network, styles, seed)))
    return Animation(made)


def _mix(network: painter.Painter, styles: Tensor, seed: int) -> Image.Image:
    """Make a sheet of mixtures: each row has one composition, each column the details of one."""
    half = min(MAX_COLUMNS, len(styles) // 2)
    coarse, fine = styles[:half], styles[half : 2 * half]
    top, left, inner = (
        latent_space.paint(network, some, seed)
        for some in (fine, coarse, latent_space.mix_styles(coarse, fine))
    )
    rows = [torch.cat((torch.ones_like(top[:1]), top))]
    rows += [torch.cat((left[row, None], inner[row * half :][:half])) for row in range(half)]
    return io.to_picture(contact_sheet(torch.cat(rows), half + 1))


def _read_originals(folder: Path, size: tuple[int, int]) -> Tensor:
    """Read what a picture could be a copy of: crops of a folder's pictures, [N, 3, H, W]."""
    contents = read_folder(folder, size)
    if not contents.covers:
        raise InputError(
            f"{printable(folder)}: has no picture that can be read; name the folder that the "
            "painter was trained on"
        )
    return crops_and_mirrors(contents.covers, size)


def _show_nearest(generated: Tensor, originals: Tensor) -> Image.Image:
    """Make a sheet of pictures [N, 3, H, W], each beside the most similar original."""
    network = features.load("compact")
    layouts, original_layouts = (
        metrics.extract_features(network, some)[1] for some in (generated, originals)
    )
    most_similar = originals[torch.cdist(layouts, original_layouts).argmin(1)]
    pairs = torch.stack((generated, most_similar), 1).flatten(0, 1)
    return io.to_picture(contact_sheet(pairs, 2 * min(MAX_COLUMNS, len(generated))))
