"""`beautify`: improve light and color, so that a picture is easier to predict.

The article this verb grew out of trains one network to predict hidden squares of a picture, and
another one, the improver, to change the picture so that the first errs less. Its improver may
change every pixel (``closeness``). Ours only move colors and local light (``relative``,
``progress``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import Beautifier, load
from limner.beauty.cube_lut import CubeLUT
from limner.beauty.improver import Improver, TableImprover, adjust
from limner.beauty.objective import Predictors, relative
from limner.beauty.predictability import MAX_SIZE, SHIPPED, SIZE, resize_to_measure
from limner.checks import check_choice, check_range
from limner.errors import OptionError, WeightsError
from limner.io import Source
from limner.nn import devices, images, weights
from limner.progress import OnStep, Reporter, Stop, silent

METHODS = ("relative", "progress", "closeness", "optimize")
_ROWS = 256  # rows of the picture that are changed at once
# of ``optimize``
_STEPS, _LEARNING_RATE = 30, 0.0015  # for light in 0..1
_CELL = 8  # pixels between the values of the light map


def beautify(
    picture: Source,
    *,
    strength: float = 1.0,
    method: Literal["relative", "progress", "closeness", "optimize"] = "relative",
    save_cube: Path | None = None,
    size: int = SIZE,
    model: str | None = None,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Improve the light and color of a picture.

    Parameters
    ----------
    picture : str, path or PIL image
        Picture to improve.
    strength : float
        Strength of the change, from 0 (none) to 2 (double).
    method : str
        What makes the picture easier to predict. ``relative`` changes color and local light, and
        cannot blur. ``progress`` does the same, but was trained to help a good predictor more
        than a bad one. ``closeness`` is a network that may change every pixel, as in the article
        this command grew out of; it smooths a little. ``optimize`` uses no trained network: it
        changes the light of this one picture, in 30 steps.
    save_cube : path
        Also write the color change to this .cube file, a lookup table for photo and video editors.
        Local light is not part of it.
    size : int
        Short side, in pixels, of the copy that ``--method optimize`` works on, from 128 to 2048.
        The change is then enlarged to the size of the picture.
    model : str
        Weights file with other networks, as made by ``limner train beautifier``. Default: the
        networks that come with limner.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    on_step : callable
        Called with a `Progress` before the first and after every step. If it raises `Stop`,
        ``optimize`` returns the picture so far; the other methods let it through.

    Returns
    -------
    PIL.Image.Image
        RGB, or RGBA if the picture has transparency, of the same size, with its recipe.
        ``info["beside"]`` has the table that ``save_cube`` asks for.

    Raises
    ------
    InputError
        The picture cannot be read, or is too small for ``optimize``.
    OptionError
        An option is out of its range, or has no effect with the method.
    WeightsError
        The weights cannot be used, or have no improver for the method.
    """
    _check(strength, method, size)
    report = Reporter("beautify", on_step)
    torch_device = devices.pick(device)
    path = Path(model) if model else SHIPPED
    beautifier = load(path, torch_device)
    improver = _improver(beautifier, method, path)
    _check_cube(save_cube, method, beautifier)
    subject = io.read(picture, allow_huge=allow_huge)
    rgb = subject.rgb
    height, width = images.size_of(rgb)
    stage = f"{width}×{height} px"
    for note in (stage, *subject.notes):
        report(stage, 0, 1, note=note, size=(height, width))

    if improver is None:
        small = resize_to_measure(io.on_white(subject), size, subject.name).to(torch_device)
        change = _optimize(small, beautifier.predictors, report, stage) - small
        change = F.interpolate(change, (height, width), mode="bicubic", align_corners=False)
        result = _without_clipping(rgb, rgb + strength * change.to(rgb.device))
    else:
        result = _improve(improver, rgb.to(torch_device), strength, report, stage)

    options = {
        "strength": float(strength),
        "method": method,
        "size": size,
        "model": model,
        "allow_huge": allow_huge,
    }
    hashes = {model: weights.sha256(path)} if model else None
    recipe = io.make_recipe("beautify", [subject.name], options, [subject], hashes)
    made = io.to_picture(result, _alpha(subject, result), like=subject, recipe=recipe)
    if isinstance(improver, TableImprover) and save_cube is not None:
        made.info["beside"] = {"cube": _cube(improver, rgb.to(torch_device), strength)}
    return made


def side_files(options: Mapping[str, Any]) -> dict[str, str | Path]:
    """Return the files that `beautify` makes beside its result with these options.

    Parameters
    ----------
    options : mapping
        Keyword options of `beautify`.

    Returns
    -------
    dict
        Name to path.
    """
    path = options.get("save_cube")
    return {} if path is None else {"cube": Path(path)}


def _check(strength: float, method: str, size: int) -> None:
    """Refuse options that are out of range, or that have no effect with the method."""
    check_range("strength", strength, 0, 2)
    check_choice("method", method, METHODS)
    check_range("size", size, masks.WINDOW, MAX_SIZE)
    if size != SIZE and method != "optimize":
        raise OptionError(
            f"--size {size}: has no effect with --method {method}; leave it out, or use --method "
            "optimize"
        )


def _improver(beautifier: Beautifier, method: str, path: Path) -> Improver | None:
    """Return the improver of a method, or None for ``optimize``."""
    improver = beautifier.improver(method)
    if improver is None and method != "optimize":
        known = " or ".join((*beautifier.methods, "optimize"))
        raise WeightsError(f"--method {method}: {path} has no network for it; use {known}")
    return improver


def _check_cube(save_cube: Path | None, method: str, beautifier: Beautifier) -> None:
    """Refuse a color table with another suffix, or of a method that has no tables."""
    if save_cube is not None and save_cube.suffix.lower() != ".cube":
        raise OptionError(f"--save-cube {save_cube}: must end in .cube, as photo editors expect")
    parts = beautifier.parts.items()
    tables = [name for name, part in parts if isinstance(part, TableImprover)]
    if save_cube is not None and method not in tables:
        remedy = f", or use --method {' or '.join(tables)}" if tables else ""
        raise OptionError(
            f"--save-cube {save_cube}: --method {method} has no color table; leave it out{remedy}"
        )


@torch.no_grad()
def _improve(
    improver: Improver, rgb: Tensor, strength: float, report: Reporter, stage: str
) -> Tensor:
    """Improve a picture [1, 3, H, W] in 0..1, some rows at a time; return uint8, on the CPU."""
    size = images.size_of(rgb)
    result = torch.empty(rgb.shape, dtype=torch.uint8)
    if isinstance(improver, TableImprover):
        table, light = (strength * one for one in improver.adjustments(rgb))
        light = F.interpolate(light, size, mode="bicubic", align_corners=False)
    starts = range(0, size[0], _ROWS)
    for done, top in enumerate(starts, 1):
        rows = slice(top, top + _ROWS)
        if isinstance(improver, TableImprover):
            part = adjust(rgb[..., rows, :], table, light[..., rows, :])
        else:
            first = max(0, top - improver.radius)
            with_context = rgb[..., first : rows.stop + improver.radius, :]
            part = improver(with_context, strength)[..., top - first :, :][..., :_ROWS, :]
        part = _without_clipping(rgb[..., rows, :], part)
        result[..., rows, :] = (part * 255).round().to(torch.uint8).cpu()
        report(stage, done, len(starts), size=size)
    return result


def _optimize(before: Tensor, predictors: Predictors, report: Reporter, stage: str) -> Tensor:
    """Minimize the loss of ``relative`` for a picture [1, 3, H, W]; return the changed picture.

    Only light changes, and smoothly over some pixels. If every pixel were free it would become a
    checkerboard, and with free colors it would get spots: both look easy only to the predictor.
    """
    frame, _ = masks.crop_frame(before)
    size = images.size_of(before)
    light = torch.zeros((1, 1, *(-(-side // _CELL) for side in size)), device=before.device)
    light.requires_grad_()
    adam = torch.optim.Adam([light], _LEARNING_RATE)

    def changed() -> Tensor:
        smooth = F.interpolate(light, size, mode="bicubic", align_corners=False)
        return _without_clipping(before, before + smooth)

    try:
        for step in range(1, _STEPS + 1):
            adam.zero_grad()
            loss = relative(predictors, frame, masks.crop_frame(changed())[0])
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            report(
                stage,
                step,
                _STEPS,
                loss=loss.item(),
                preview=lambda: io.to_picture(changed().detach()),
            )
    except Stop:
        pass  # the picture so far is the result
    return changed().detach()


def _without_clipping(before: Tensor, after: Tensor) -> Tensor:
    """Keep values from becoming 0 or 255 of 255 that were not before."""
    inside = (before > 0) & (before < 1)
    return torch.where(inside, after.clamp(1 / 255, 254 / 255), after.clamp(0, 1))


def _alpha(subject: io.Picture, result: Tensor) -> Tensor | None:
    """Return the alpha channel of a picture in the number type of a result."""
    if subject.alpha is not None and result.dtype == torch.uint8:
        return (subject.alpha * 255).round()
    return subject.alpha


@torch.no_grad()
def _cube(improver: TableImprover, rgb: Tensor, strength: float) -> CubeLUT:
    """Return the color change of a picture [1, 3, H, W] as a table."""
    return CubeLUT(strength * improver.adjustments(rgb)[0])
