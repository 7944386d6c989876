"""`stylize`: make a photo look like one or more paintings.

Neural style transfer by optimizing the pixels of a small picture (Gatys, Ecker & Bethge 2016), then
strokes of the paintings over it, laid by guided patch synthesis (`limner.patches.synthesis`).
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from PIL import Image

from limner import io
from limner.checks import check_choice, check_range
from limner.color.transfer import keep_chroma
from limner.errors import OptionError, OutputError, printable
from limner.io import Picture, Source
from limner.nn import devices, images, weights
from limner.nn import features as networks
from limner.progress import OnStep, Reporter, Stop, silent
from limner.style import checkpoint as checkpoints
from limner.style.inputs import (
    InputPictures,
    Inputs,
    StyleSource,
    prepare,
    read_inputs,
    split_weights,
)
from limner.style.method import METHODS, Method
from limner.style.paint import PaintingState, union
from limner.style.plan import (
    Plan,
    check_size_and_steps,
    make_plan,
    runs_network,
    within_memory,
)
from limner.style.strokes import Reference, crop, finish, make_reference, paint_with_strokes
from limner.units import to_seconds

PRESETS = ("limner", "gatys")


def stylize(
    photo: Source,
    *styles: StyleSource,
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
    method: Literal["patches", "network"] | None = None,
    detail_mask: Source | Literal["auto", "none"] = "auto",
    crop_style: bool = False,
    allow_huge: bool = False,
    checkpoint: str | Path | None = None,
    save_every: int = 0,
    resume: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Make a photo look like a painting.

    Parameters
    ----------
    photo : str, path or PIL image
        The photo to paint.
    *styles : str, path, PIL image, or a pair of one of these and a weight
        One or more paintings whose style the photo gets. To mix several, give each its share after
        a colon: wave.jpg:0.7 starry.jpg:0.3.
    strength : float
        Strength of the style, from 0 (the photo) to 2 (little of the photo is left). At 0.5 the
        photo keeps its shapes and gets the colors and strokes of the painting.
    size : int
        Longest side of the result in pixels, at least 64. Default: 1024, or 512 with the preset
        gatys.
    style_scale : float
        Size of the brush strokes, from 0.25 (fine) to 4 (coarse). At 1 they are as large, relative
        to the picture, as in the painting, if the painting has enough pixels.
    keep_colors : bool
        Keep the colors of the photo, and take only the brush strokes from the paintings.
    mask : sequence of str, path or PIL image
        Where the style goes: a black-and-white picture with the aspect ratio of the photo. White
        areas are painted, black areas stay as in the photo. For several paintings, give one for
        each, in the same order. Default: everywhere.
    init : "content", "noise", or a picture
        What to start from: content (the photo), noise, or a picture with the aspect ratio of the
        photo.
    steps : int or sequence of int
        Number of steps of the network in total, or at each size from small to large, such as
        100,45. One number more limits the levels of strokes. Default: the preset's value.
    time_budget : float or str
        Finish within this time, such as 30s, 2m or 1h, by skipping steps of the network at the
        largest sizes. Default: no limit.
    seed : int
        Random seed. The same seed gives the same picture on the same machine.
    device : str
        Where to compute: cpu, cuda, mps, or auto for the fastest on this machine.
    features : str
        Network that compares the pictures: compact, vgg16 or vgg19 (downloaded on first use), or
        the path of a weights file. Default: compact, or vgg19 with the preset gatys.
    preset : str
        Method: limner, or gatys for the original by Gatys, Ecker & Bethge (2016) as in
        TensorFlow's tutorial: VGG-19, Gram matrices, one size, 1000 steps. It takes much longer.
    method : str
        How to paint: patches lays strokes of the paintings over a small picture of the network;
        network lays none, which is slower and grainy. Default: patches, and neither with the preset
        gatys.
    detail_mask : "auto", "none", or a picture
        Where strokes keep the detail of the photo: auto (eyes, mouths, windows, lettering), none
        (nowhere), or a gray picture with the aspect ratio of the photo, white where detail is
        kept most.
    crop_style : bool
        Cut off the plain border (mat) around each painting.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    checkpoint : path
        A safetensors file, where ``save_every`` saves the state and ``resume`` finds it.
    save_every : int
        Number of steps after which the picture so far and a checkpoint are saved, again and again.
        0 saves none.
    resume : bool
        Resume from the checkpoint of an interrupted run with the same pictures and options. The
        result is the same as without the interruption.
    on_step : callable
        Called with a `Progress` before the first step and after each. If it raises `Stop` after
        the first step, the picture so far is returned.

    Returns
    -------
    PIL.Image.Image
        RGB, or RGBA if the photo has transparency, with an sRGB profile, the photo's resolution
        and the recipe.

    Raises
    ------
    InputError
        A picture cannot be read.
    OptionError
        An option is out of range, there is no painting, or a picture does not fit the photo.
    OutputError
        The checkpoint cannot be written.
    WeightsError
        The perceptual network cannot be loaded, or the checkpoint does not fit this call.
    """
    report = Reporter("stylize", on_step)
    check_choice("preset", preset, PRESETS)
    check_range("strength", strength, 0, 2)
    check_range("style_scale", style_scale, 0.25, 4)
    check_range("seed", seed, 0, 2**31 - 1)
    check_range("save_every", save_every, 0)
    check_size_and_steps(size, steps)
    seconds = math.inf if time_budget is None else to_seconds("time_budget", time_budget)
    torch_device, chosen = devices.pick(device), _choose_method(preset, method, detail_mask)
    network_name = chosen.network if features is None else features
    _check_network(network_name, chosen, preset)
    paintings = split_weights(styles)
    if mask and len(mask) != len(paintings):
        raise OptionError(f"--mask: {len(mask)} for {len(paintings)} paintings; give one for each")
    checkpoint = Path(checkpoint) if checkpoint else None
    checkpoints.check(checkpoint, save_every, resume)

    pictures = read_inputs(
        photo, paintings, mask, init, detail_mask, allow_huge=allow_huge, crop_style=crop_style
    )
    plan = make_plan(
        *images.size_of(pictures.photo.rgb),
        chosen,
        size=size,
        steps=steps,
        strength=strength if pictures.used_styles else 0.0,
        style_scale=style_scale,
        keep_colors=keep_colors,
        seed=seed,
    )
    network = networks.load(network_name, torch_device, padding=chosen.conv_padding)
    _check_layers(network.convolutions, network_name, chosen, preset)
    plan = within_memory(
        plan,
        network.shape,
        torch_device,
        pictures.memory,
        pictures.source_pixels,
        pictures.reading_memory,
    )
    for note in (str(plan), *pictures.notes, *_without_effect(plan, init, features)):
        report(plan.stage(()), 0, plan.steps, note=note)

    options: dict[str, object] = {
        "strength": float(strength),
        "size": max(plan.size),
        "style_scale": float(style_scale),
        "keep_colors": keep_colors,
        "mask": [source.name for source in pictures.masks],
        "init": getattr(pictures.init, "name", pictures.init),
        "seed": seed,
        "features": features,
        "preset": preset,
        "method": method if preset == "gatys" else method or "patches",
        "detail_mask": getattr(pictures.detail, "name", pictures.detail),
        "crop_style": crop_style,
        "allow_huge": allow_huge,
    }
    network_hash = _hash_of(features)

    def recipe(steps_done: Sequence[int], levels_done: int) -> dict[str, object]:
        call = options | {"steps": plan.steps_option(steps_done, levels_done)}
        return io.make_recipe("stylize", pictures.names, call, pictures.all, network_hash)

    inputs = prepare(pictures, plan, torch_device)
    planned = recipe([scale.steps for scale in plan.scales], plan.levels)
    fingerprint = _fingerprint(planned, pictures)
    resumed = None
    if checkpoint and resume:
        resumed = checkpoints.load(checkpoint, fingerprint, inputs, plan)
    reference = make_reference(inputs, plan) if plan.levels else None

    def picture(state: PaintingState) -> Image.Image:
        made = recipe(state.steps_done, state.levels_done)
        return _render(state, plan, inputs, reference, pictures.photo, made)

    def tell(state: PaintingState, loss: float | None = None) -> None:
        stage = plan.stage(state.steps_done, state.strokes.size if state.strokes else None)
        share, preview = plan.share(state.steps_done, state.levels_done), partial(picture, state)
        report(stage, state.step, plan.steps, loss=loss, preview=preview, share=share)

    deadline = report.began + seconds
    with suppress(Stop):
        for state in paint_with_strokes(
            inputs, network, plan, reference, deadline=deadline, resumed=resumed, tick=tell
        ):
            if checkpoint and state.is_due(save_every):
                try:
                    checkpoints.save(checkpoint, state, fingerprint)
                except OutputError as error:  # the disk is full, for example; the result counts
                    note = f"{error}; the work goes on without this checkpoint"
                    report(plan.stage(state.steps_done), state.step, plan.steps, note=note)
            tell(state, state.loss)
    return picture(state)


def _choose_method(preset: str, method: str | None, detail_mask: object) -> Method:
    """Return the method of a preset, and refuse options that have no effect with it."""
    if preset == "gatys":
        if method is not None:
            raise OptionError(f"--method {method}: has no effect with --preset gatys; leave it out")
        chosen = METHODS["gatys"]
    else:
        check_choice("method", method, ("patches", "network"))
        chosen = METHODS[method or "patches"]
    if detail_mask != "auto" and not chosen.strokes:
        raise OptionError("--detail-mask: has an effect with --method patches only; leave it out")
    return chosen


def _without_effect(plan: Plan, init: object, features: str | None) -> list[str]:
    """Name the options that have no effect because the strokes follow the photo alone."""
    given = [("--init", init != "content"), ("--features", features is not None)]
    ignored = " and ".join(name for name, is_given in given if is_given)
    if not ignored or not plan.method.strokes or runs_network(plan.method, plan.strength):
        return []
    return [f"no effect at --strength 0.5 or less, where the network does not run: {ignored}"]


def _check_network(name: str, method: Method, preset: str) -> None:
    """Refuse an unknown network, and a known one without the layers of the method."""
    networks.check_name(name)
    if name in networks.SHAPES:
        _check_layers(networks.layers_of(name), name, method, preset)


def _check_layers(layers: Iterable[str], name: str, method: Method, preset: str) -> None:
    missing = set(method.layers) - set(layers)
    if missing:
        raise OptionError(
            f"--features {printable(name)}: has no layer {', '.join(sorted(missing))}, which "
            f"--preset {preset} needs; use vgg16 or vgg19"
        )


def _hash_of(features: str | None) -> dict[str, str]:
    """Return name and SHA-256 of a weights file, for the recipe; empty for other networks."""
    if features is None or features in networks.SHAPES:
        return {}
    return {features: weights.sha256(Path(features))}


def _fingerprint(recipe: Mapping[str, object], pictures: InputPictures) -> str:
    """Identify a call, because a checkpoint is only good for the call that saved it."""
    # the hashes again, because in the recipe all pictures in memory have the same name
    return json.dumps([recipe, [picture.sha256 for picture in pictures.all]], sort_keys=True)


def _render(
    state: PaintingState,
    plan: Plan,
    inputs: Inputs,
    reference: Reference | None,
    photo: Picture,
    recipe: Mapping[str, object],
) -> Image.Image:
    """Make the result from a state: in the final size, cropped, with alpha and recipe."""
    original = crop(inputs.photo, plan)
    if state.strokes is None:
        painted = images.resize(
            state.optimizer.result(plan.method.keep), images.size_of(inputs.photo)
        )
        rgb = crop(painted, plan)
    else:
        assert reference is not None
        rgb = finish(images.resize(state.strokes.picture, plan.size), inputs, plan, reference)
    if plan.keep_colors:
        rgb = keep_chroma(rgb, original)
    if state.strokes is not None:
        share = original.new_tensor(min(1.0, 2 * plan.strength))
        if inputs.masks:
            share = share * crop(union(inputs.masks), plan)
        rgb = torch.lerp(original, rgb, share)
    alpha = photo.alpha if photo.alpha is None else images.resize(photo.alpha, plan.size)
    return io.to_picture(rgb, alpha, like=photo, recipe=recipe)
