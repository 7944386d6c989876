"""`generate`: variations of pictures, or new pictures from a generator that was trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_range, flag
from limner.errors import InputError, OptionError, printable
from limner.generation import sheets, works
from limner.generation.animation import Animation
from limner.generation.contact_sheet import contact_sheet
from limner.generation.enlarge import Enlarged, Enlarger
from limner.generation.gan import latent_space, painter
from limner.generation.gan.dataset import crop, resize_to_cover
from limner.generation.variations import parse_size, variations
from limner.io import Source
from limner.io.formats import ENDINGS
from limner.nn import devices, images, weights
from limner.progress import OnStep, Reporter, Stop, silent

COUNT, MAX_COUNT = 25, 1000  # pictures from a painter
TRUNCATION = 0.8
MAX_FRAMES = 240  # from one picture to the next
_SHEET_SIDE = 512  # pixels of the longer side of large pictures on the contact sheet
# The options that have an effect in each mode, beside the seed and the device.
_EFFECTIVE = {
    "--like": {"n", "size", "variety", "keep_layout", "protect", "tileable", "allow_huge"},
    "--project": {"allow_huge"},
    "a painter": {
        *("n", "size", "truncation", "interpolate", "mix", "nearest"),
        *("pictures", "allow_changed", "max_copy"),
    },
}
_NO_MODEL = """\
generate: needs a picture to vary, or a painter; none comes with limner
variations of one picture, at once: limner generate --like picture.jpg -n 8 -o new/
a painter from your own pictures, in hours: limner train painter pictures/ -o run/"""


def generate(
    model: Path | None = None,
    *,
    like: Sequence[Source] | Path | Image.Image = (),
    n: int | None = None,
    size: str | None = None,
    variety: float | None = None,
    keep_layout: float | None = None,
    protect: Source | None = None,
    tileable: bool = False,
    truncation: float | None = None,
    interpolate: int | None = None,
    mix: bool = False,
    project: Source | None = None,
    nearest: Path | None = None,
    pictures: Path | None = None,
    allow_changed: bool = False,
    max_copy: float | None = None,
    seed: int = 0,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> list[Image.Image]:
    """Make new pictures: variations of pictures, or from a network you trained.

    Parameters
    ----------
    model : Path
        A painter: a run folder of ``limner train painter``, or its weights file. Leave it out with
        ``--like``.
    like : str, path or PIL image, or a sequence of them
        Make variations of this picture. This needs no training. Of several pictures, or a folder,
        each new picture mixes two; see also ``--keep-layout``.
    n : int
        Number of pictures: from 1 to 100 with ``--like``, or from 1 to 1000 from a painter.
        Default: 8 with ``--like``, 25 from a painter.
    size : str
        Width and height in pixels, such as ``1200x800``, each from 64 to 4096. A painter's small
        pictures are drawn again in this size, with strokes of the pictures it learned from.
        Default: the small picture itself; with ``--like`` the size of the picture, reduced to 1024
        pixels on the longer side.
    variety : float
        How far things move in variations, from 0 (they stay in place) to 1 (hardly anything stays).
        Default: 0.5.
    keep_layout : float
        With ``--like``: from 0 (things move, as far as ``--variety`` says) to 1 (everything stays
        in place). Above 0 the picture is painted anew. One picture is painted with the strokes of
        its mirror image. Of several, the first gives the layout, and the others give the strokes.
        Default: 0.
    protect : str, path or PIL image
        With ``--like``: a black-and-white picture with the aspect ratio of the first picture. What
        is white in it is kept whole, and appears once. Faces and single objects are found without
        it, if they stand out.
    tileable : bool
        With ``--like``: make pictures that can be repeated side by side without a visible border,
        for fabric and wallpaper.
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
    pictures : Path
        With ``--size``: where the pictures are that the painter learned from. Default: where they
        were, or the copies of ``limner train painter --pack``.
    allow_changed : bool
        With ``--size``: use the pictures that are there, even if some are missing or changed since
        the training.
    max_copy : float
        With ``--size``: the largest share of a picture, from 0 to 1, that may come from one work in
        one piece. A picture above it is drawn again, up to 3 times. Default: no limit.
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
        "keep_layout": keep_layout,
        "protect": protect,
        "tileable": tileable,
        "truncation": truncation,
        "interpolate": interpolate,
        "mix": mix,
        "nearest": nearest,
        "pictures": pictures,
        "allow_changed": allow_changed,
        "max_copy": max_copy,
        "allow_huge": allow_huge,
    }
    pictures_like = [like] if isinstance(like, str | Path | Image.Image) else list(like)
    _check_mode(model, bool(pictures_like), project, options)
    _check_large(options)
    if pictures_like:
        given = {name: options[name] for name in _EFFECTIVE["--like"] if options[name] is not None}
        return _vary(pictures_like, given | {"seed": seed, "device": device, "on_step": on_step})
    count = COUNT if n is None else n
    truncation = TRUNCATION if truncation is None else truncation
    _check_ranges(count, truncation, interpolate, mix)
    check_range("max_copy", max_copy, 0, 1)
    pixels = None if size is None else parse_size(size)
    assert model is not None
    if _is_picture(model):
        name = printable(model)
        raise InputError(f"{name}: is a picture; generate --like {name} makes variations of it")
    report = Reporter("generate", on_step)
    network, path = painter.load(Path(model), devices.pick(device))
    hashes = {str(path): weights.sha256(path)}
    if project is not None:
        return [_project(network, hashes, project, seed, allow_huge, report)]
    if mix and network.layers < 2:
        raise OptionError("--mix: needs a painter with several styles; a DCGAN has only one")
    originals = None if nearest is None else sheets.read_originals(Path(nearest), network.size)
    large = None
    if pixels is not None:
        paths = works.find(path, None if pictures is None else Path(pictures), allow_changed)
        # a recipe names no folder: `replay` would read any folder that a stranger's picture names
        recorded = {"size": size, "max_copy": max_copy, "allow_changed": allow_changed}
        large = _Large(pixels, Enlarger(paths), max_copy, recorded)
    latents, rgb, made = _paint(network, hashes, count, truncation, seed, large, report)
    beside: dict[str, Image.Image | Animation] = {}
    if len(made) > 1:
        beside["sheet"] = io.to_picture(contact_sheet(rgb if large is None else _shrunk(made)))
    if interpolate:
        beside["interpolation"] = sheets.animate(network, latents, truncation, interpolate, seed)
    if mix and len(made) > 1:
        styles = latent_space.to_styles(network, latents, truncation)
        beside["mix"] = sheets.mix(network, styles, seed)
    if originals is not None:
        beside["nearest"] = sheets.show_nearest(rgb, originals)
    made[0].info["beside"] = beside
    return made


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


def _is_picture(model: str | Path) -> bool:
    return Path(model).suffix.lower() in ENDINGS and Path(model).is_file()


def _check_mode(
    model: Path | None, like: bool, project: Source | None, options: Mapping[str, object]
) -> None:
    """Refuse a call without a mode or with two, and options without an effect in its mode."""
    if like and model is not None and _is_picture(model):
        raise OptionError(f"{printable(model)}: put --like before each picture")
    if like and model is not None:
        raise OptionError("--like: cannot be used with a painter; give only one of them")
    if like and project is not None:
        raise OptionError("--like and --project: cannot be used together; give only one")
    if not like and model is None:
        raise OptionError(_NO_MODEL)
    mode = "--like" if like else "--project" if project is not None else "a painter"
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


def _check_large(options: Mapping[str, object]) -> None:
    """Refuse options of large pictures without a size."""
    for name in ("pictures", "allow_changed", "max_copy"):
        if options["size"] is None and options[name] not in (None, False):
            raise OptionError(f"{flag(name)}: has no effect without --size; give both or neither")


def _check_ranges(count: int, truncation: float, interpolate: int | None, mix: bool) -> None:
    check_range("n", count, 1, MAX_COUNT)
    check_range("truncation", truncation, 0, 1)
    check_range("interpolate", interpolate, 1, MAX_FRAMES)
    for name, value in (("interpolate", interpolate), ("mix", mix)):
        if value and count < 2:
            raise OptionError(f"{flag(name)}: needs at least two pictures; use -n 2 or more")


def _vary(pictures: Sequence[Source], options: Mapping[str, Any]) -> list[Image.Image]:
    """Make variations of pictures, and a contact sheet of them."""
    made = variations(*pictures, **options)
    beside = {}
    if len(made) > 1:
        beside["sheet"] = io.to_picture(contact_sheet(_shrunk(made)))
    made[0].info["beside"] = beside
    return made


@dataclass(frozen=True)
class _Large:
    """How a painter's small pictures are drawn again, large."""

    pixels: tuple[int, int]  # height and width
    enlarger: Enlarger
    max_copy: float | None
    options: Mapping[str, object]  # for the recipe

    def note(self, made: Enlarged) -> str:
        """Say whose strokes a picture has, and how much of it is a copy."""
        share, name = made.longest_piece, printable(Path(made.work.name).name)
        text = f"strokes of {name}; largest piece copied without a seam: {share:.1%} of the picture"
        if self.max_copy is not None and share > self.max_copy:
            text += f", above --max-copy {self.max_copy:g}"
        return text


def _paint(
    network: painter.Painter,
    hashes: Mapping[str, str],
    count: int,
    truncation: float,
    seed: int,
    large: _Large | None,
    report: Reporter,
) -> tuple[Tensor, Tensor, list[Image.Image]]:
    """Make pictures of consecutive seeds.

    Returns the latents [N, latent_size], the small pictures [N, 3, H, W] in 0..1, and the pictures
    with their recipes. N is less than the count if the user stops early.
    """
    stage = _stage(network)
    if large is not None:
        stage += f" → {large.pixels[1]}×{large.pixels[0]} px"
    summary = f"{count} picture{'s' * (count > 1)}, {stage}"
    for note in (summary, *(large.enlarger.notes if large else ())):
        report(stage, 0, count, note=note)
    latents: list[Tensor] = []
    rgb: list[Tensor] = []
    pictures: list[Image.Image] = []
    for number in range(seed, seed + count):
        latent = latent_space.draw_latent(network, number)
        styles = latent_space.to_styles(network, latent, truncation)
        small = latent_space.paint(network, styles, number)
        options: dict[str, object] = {"n": 1, "truncation": truncation, "seed": number}
        result, files, copied, note = small, dict(hashes), {}, ""
        try:
            if large is not None:
                tick = partial(report, stage, len(pictures), count)
                made = large.enlarger.enlarge(small, large.pixels, large.max_copy, tick)
                result, note, options = made.rgb, large.note(made), options | dict(large.options)
                work = Path(made.work.name).name
                files[work] = made.work.sha256
                copied = {"strokes": {"work": work, "largest_piece": round(made.longest_piece, 4)}}
            recipe = io.make_recipe("generate", list(hashes), options, [], files) | copied
            latents.append(latent)
            rgb.append(small)
            pictures.append(io.to_picture(result, recipe=recipe))
            report(stage, len(pictures), count, note=note, preview=pictures[-1].copy)
        except Stop:
            if not pictures:
                raise
            break
    return torch.cat(latents), torch.cat(rgb), pictures


def _shrunk(pictures: list[Image.Image]) -> Tensor:
    """Return pictures of one size for a sheet, [N, 3, H, W]."""
    rgb = [io.read(picture).rgb for picture in pictures]
    height, width = images.size_of(rgb[0])
    size = images.fit(height, width, min(_SHEET_SIDE, max(height, width)))
    return torch.cat([images.resize(one, size) for one in rgb])


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
    for remark in (note, *target.notes, *io.tell_transparent([target])):
        report(stage, 0, steps, note=remark)
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
