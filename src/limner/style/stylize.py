"""`stylize`: a photo, painted after one or more paintings.

Neural style transfer by optimising the picture itself (Gatys, Ecker & Bethge 2016), coarse to fine.
"""

import json
import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner._version import __version__
from limner.color.transfer import keep_chroma, move_colors
from limner.errors import OptionError, WeightsError
from limner.io import Picture, Source
from limner.nn import devices, images, weights
from limner.nn import features as networks
from limner.nn.seeding import generator
from limner.progress import OnStep, Progress, Stop, silent, to_seconds
from limner.style.method import METHODS
from limner.style.optimizer import Canvas
from limner.style.paint import Moment, look, paint
from limner.style.plan import make_plan

Style = Source | tuple[Source, float]

_DARKEST = 1e-3  # a mask's least mean
_ASPECT = 0.02  # by this share may a mask's shape differ from the photo's, for rounding


def stylize(
    photo: Source,
    *styles: Style,
    strength: float = 1.0,
    size: int | None = None,
    style_scale: float = 1.0,
    keep_colors: bool = False,
    mask: Sequence[Source] = (),
    init: Source | Literal["content", "noise"] = "content",
    steps: int | Sequence[int] | None = None,
    time_budget: float | str | None = None,
    seed: int = 0,
    device: str = "auto",
    features: str | None = None,
    preset: Literal["limner", "gatys"] = "limner",
    allow_huge: bool = False,
    checkpoint: str | Path | None = None,
    save_every: int = 0,
    resume: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Paint a photo in the style of one or more paintings.

    Parameters
    ----------
    photo : str, path or PIL image
        What to paint.
    *styles : str, path, PIL image, or one of these with a weight
        Paintings. A weight stands behind a colon, ``wave.jpg:0.7``, or in a pair, ``(wave, 0.7)``.
    strength : float
        From 0, the photo itself, to 2, hardly the photo any more.
    size : int
        Longest side of the result in pixels, at least 64. Left out: 1024, or the preset's own.
    style_scale : float
        Size of the strokes, 0.25 to 4: the size at which the painting is looked at, relative to the
        result.
    keep_colors : bool
        Take the strokes of the paintings and keep the colours of the photo.
    mask : sequence of str, path or PIL image
        A grey picture for each style, white where it is wanted, of the photo's aspect. Where all
        are black, the photo stays.
    init : "content", "noise", or a picture
        What to start from; a picture of the photo's aspect.
    steps : int or sequence of int
        Steps in all, or of each scale from the coarsest on. Left out: the preset's own.
    time_budget : float or str
        Seconds, or ``"30s"``, ``"2m"``, ``"1h"``: the finest steps are left out to end
        in this time.
    seed : int
        Of all that is random. The same seed gives the same bytes on one CPU.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    features : str
        The perceptual network: ``compact``, ``vgg16``, ``vgg19`` or the path of a weights file.
        Left out: the preset's own.
    preset : str
        ``limner``, or ``gatys`` for the original way: VGG-19, Gram matrices, one scale of 512
        pixels, 1000 steps.
    allow_huge : bool
        Read pictures of more than 100 megapixels too.
    checkpoint : path
        Where the unfinished picture and the solver's state are kept, as safetensors.
    save_every : int
        Steps between two checkpoints; 0 for none.
    resume : bool
        Go on from the checkpoint, to the same bits as without the stop.
    on_step : callable
        Called with a `Progress` before the first and after every step. Raise `Stop` in it to end
        early and have the picture so far.

    Returns
    -------
    PIL.Image.Image
        RGB, or RGBA where the photo has alpha, with sRGB profile, resolution and recipe.

    Raises
    ------
    InputError
        A picture that cannot be read.
    OptionError
        An option out of its range, or no style.
    WeightsError
        The perceptual network cannot be had, or the checkpoint is another call's.
    """
    began = time.monotonic()
    if preset not in METHODS:
        raise OptionError(f"--preset {preset}: must be one of {', '.join(METHODS)}")
    if not styles:
        raise OptionError("no painting: name one at least after the photo")
    _check_range("strength", strength, 0, 2)
    _check_range("style-scale", style_scale, 0.25, 4)
    _check_range("save-every", save_every, 0, math.inf)
    _check_range("seed", seed, 0, 2**31 - 1)
    budget = math.inf if time_budget is None else to_seconds(time_budget)
    checkpoint = Path(checkpoint) if checkpoint else None
    if checkpoint and not checkpoint.parent.is_dir():
        raise OptionError(f"{checkpoint.parent}: no such folder for the checkpoint; make it first")
    method = METHODS[preset]
    where = devices.pick(device)

    named = [_named(style) for style in styles]
    shares = [share for _, share in named]
    subject = io.read(photo, allow_huge=allow_huge)
    paintings = [io.read(source, allow_huge=allow_huge) for source, _ in named]
    masks = [io.read(source, allow_huge=allow_huge) for source in mask]
    if masks and len(masks) != len(paintings):
        raise OptionError(f"--mask: {len(masks)} for {len(paintings)} paintings; give one for each")
    begun = [] if init in ("content", "noise") else [io.read(init, allow_huge=allow_huge)]
    for other in (*masks, *begun):
        _check_aspect(other, subject)
    network = networks.load(features or method.features, where, padding=method.padding)
    lacking = {*method.style_taps, *method.content_taps} - set(network.convolutions)
    if lacking:
        raise OptionError(
            f"--features {features}: has no layer {', '.join(sorted(lacking))}, which --preset "
            f"{preset} needs; use vgg16 or vgg19"
        )
    areas = [io.to_mask(source) for source in masks]
    placed = [not areas or areas[i].mean().item() > _DARKEST for i in range(len(paintings))]
    nothing = strength == 0 or not any(placed)
    if nothing:
        placed = [True] * len(paintings)
        method, steps = replace(method, steps=(0,), coarsest=0), None
    sources = [subject, *paintings, *masks, *begun]
    plan = make_plan(*images.size_of(subject.rgb), size, steps, method, network.shape, where)
    plan = replace(plan, memory=plan.memory + 4 * sum(s.rgb.numel() for s in sources))
    files = {source.name: source.sha256 for source in sources}
    if features and Path(features).is_file():
        files[features] = weights.sha256(Path(features))
    options: dict[str, object] = {
        "strength": float(strength),
        "size": max(plan.size),
        "style_scale": float(style_scale),
        "keep_colors": keep_colors,
        "mask": [source.name for source in masks],
        "init": begun[0].name if begun else init,
        "seed": seed,
        "features": features,
        "preset": preset,
        "allow_huge": allow_huge,
    }
    recipe: dict[str, object] = {
        "verb": "stylize",
        "version": __version__,
        "inputs": [
            subject.name,
            *(f"{p.name}:{s!r}" for p, s in zip(paintings, shares, strict=True)),
        ],
        "options": options,
        "files": files,
    }

    def tell(moment: Moment | None, note: str = "") -> None:
        """Report, with a preview once there is something to see."""
        done = moment.done if moment else (0,)
        index = max((i for i, n in enumerate(done) if n), default=0)
        stage = f"{plan.scales[index].side} px"
        on_step(
            Progress(
                "stylize",
                stage,
                sum(done),
                plan.steps,
                time.monotonic() - began,
                moment.loss if moment else None,
                (lambda: picture_of(moment)) if moment else None,
                note,
                plan.share(done),
            )
        )

    def picture_of(moment: Moment) -> Image.Image:
        """The picture at a moment, in its final size, with all that belongs into its file."""
        last = plan.scales[-1]
        whole = images.resize(moment.canvas.result(method.keep), (last.height, last.width))
        whole = keep_chroma(whole, photograph) if keep_colors else whole
        (height, width), bleed = plan.size, plan.bleed
        rgb = whole[..., bleed : bleed + height, bleed : bleed + width]
        alpha = subject.alpha if subject.alpha is None else images.resize(subject.alpha, plan.size)
        done = {"options": options | {"steps": list(moment.done)}}
        return io.to_picture(rgb, alpha, like=subject, recipe=recipe | done)

    def bled(tensor: Tensor) -> Tensor:
        """A picture of the photo's aspect in its final size, reflected into the bleed."""
        sized = images.resize(tensor.to(where), plan.size)
        return F.pad(sized, (plan.bleed,) * 4, mode="reflect") if plan.bleed else sized

    for note in (str(plan), *(note for source in sources for note in source.notes)):
        tell(None, note)

    photograph = bled(subject.rgb)
    looks = [io.on_white(painting).to(where) for painting in compress(paintings, placed)]
    if keep_colors:
        longest = round(max(images.size_of(photograph)) * style_scale)
        looks = [move_colors(look(painting, longest), photograph) for painting in looks]
    start = bled(begun[0].rgb) if begun else None
    if init == "noise":  # at the size of the first scale: shrunk to it, it would be flat grey
        first = plan.scales[0]
        start = torch.rand((1, 3, first.height, first.width), generator=generator(seed, 0))
        start = start.to(where)
    call = {"steps": [s.steps for s in plan.scales], "hashes": [s.sha256 for s in sources]}
    fingerprint = json.dumps(recipe | call, sort_keys=True)
    resumed = _load(checkpoint, fingerprint, where) if resume else None
    moments = paint(
        photograph,
        looks,
        list(compress(shares, placed)),
        [bled(area) for area in compress(areas, placed)],
        network,
        method,
        plan,
        strength=0.0 if nothing else strength,
        style_scale=style_scale,
        start=None if nothing else start,
        seed=seed,
        budget=budget - (time.monotonic() - began),
        resumed=resumed,
    )
    with suppress(Stop):
        for moment in moments:
            if (
                checkpoint
                and save_every
                and moment.loss is not None
                and sum(moment.done) % save_every == 0
            ):
                _save(checkpoint, moment, fingerprint)
            tell(moment)

    return picture_of(moment)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise OptionError(f"--{name} {value:.10g}: must be from {low:.10g} to {high:.10g}")


def _named(style: Style) -> tuple[Source, float]:
    """Tell a painting from its weight: ``(wave, 0.7)``, or ``wave.jpg:0.7``."""
    source, weight = style if isinstance(style, tuple) else (style, 1.0)
    if isinstance(source, str) and not os.path.exists(source):  # noqa: PTH110 - raises nothing
        name, colon, number = source.rpartition(":")
        with suppress(ValueError):
            source, weight = (name, float(number)) if colon else (source, weight)
    if not 0 < weight < math.inf:
        raise OptionError(f"weight {weight:g} of a painting: must be above 0")
    return source, float(weight)


def _check_aspect(other: Picture, subject: Picture) -> None:
    height, width = other.rgb.shape[-2:]
    wanted_height, wanted_width = subject.rgb.shape[-2:]
    if abs(math.log(width / height * wanted_height / wanted_width)) > _ASPECT:
        raise OptionError(
            f"{other.name}: is {width}×{height}, of another shape than the photo's "
            f"{wanted_width}×{wanted_height}; crop it to the same aspect"
        )


def _save(path: Path, moment: Moment, fingerprint: str) -> None:
    about = {"kind": "stylize checkpoint", "call": fingerprint}
    weights.write(path, moment.canvas.state() | {"done": torch.tensor(moment.done)}, about)


def _load(path: Path | None, fingerprint: str, device: torch.device) -> Moment:
    if path is None or not path.is_file():
        raise OptionError(
            f"--resume: there is no checkpoint {path or ''}; leave it out to begin anew"
        )
    if weights.describe(path).get("call") != fingerprint:
        raise WeightsError(
            f"{path}: is the checkpoint of another call; give the same options, or begin anew"
        )
    state = {name: tensor.to(device) for name, tensor in weights.read(path).items()}
    done = tuple(state.pop("done").tolist())
    canvas = Canvas(state["picture"])
    canvas.restore(state)
    return Moment(canvas, done, None)
