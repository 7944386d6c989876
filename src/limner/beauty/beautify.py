"""`beautify`: improve light and color, so that a picture is easier to predict.

The article this verb grew out of trains one network to predict hidden squares of a picture, and
another one, the improver, to change the picture so that the first errs less. Its improver may
change every pixel (``closeness``). Ours only move colors and local light (``relative``,
``progress``). That of ``relative`` also learned to correct exposure, haze and color casts.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import Beautifier, load
from limner.beauty.bilateral import INPUT_SIZE, BilateralImprover
from limner.beauty.cube_lut import CubeLUT
from limner.beauty.improver import Improver, TableImprover
from limner.beauty.objective import Predictors, relative
from limner.beauty.predictability import MAX_SIZE, SHIPPED, SIZE, resize_to_measure
from limner.checks import check_choice, check_range
from limner.errors import OptionError, WeightsError, printable
from limner.io import Source
from limner.nn import images, onnx_model, weights
from limner.progress import OnStep, Reporter, Stop, silent

METHODS = ("relative", "progress", "closeness", "optimize")
WHITE_BALANCE = 0.5  # default share of the white balance
_ROWS = 32  # rows of the picture that are changed at once; more do not fit the cache of a CPU
# of ``optimize``
_STEPS, _LEARNING_RATE = 30, 0.0015  # for light in 0..1
_CELL = 8  # pixels between the values of the light map


def beautify(
    picture: Source,
    *,
    strength: float = 1.0,
    white_balance: float = WHITE_BALANCE,
    mask: Source | None = None,
    method: Literal["relative", "progress", "closeness", "optimize"] = "relative",
    save_cube: Path | None = None,
    size: int = SIZE,
    model: str | None = None,
    device: str = "auto",
    runtime: Literal["torch", "onnxruntime"] = "torch",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Improve the light and color of a picture.

    Parameters
    ----------
    picture : str, path or PIL image
        Picture to improve.
    strength : float
        Strength of the change, from 0 (none) to 2 (double). Above 1, ``relative`` changes only
        contrast, saturation and local light further.
    white_balance : float
        How much of a color cast to remove, from 0 (keep the colors of a sunset) to 1. Only for
        ``--method relative``.
    mask : str, path or PIL image
        Where to change the picture: white yes, black no, gray in part. Transparent parts count as
        black. Default: everywhere.
    method : str
        How to improve the picture. The default, ``relative``, corrects exposure, haze and color,
        and changes local light; it cannot blur. ``progress`` changes color and local light a
        little, and was trained to help a good predictor more than a bad one. ``closeness`` is a
        network that may change every pixel, as in the article this command grew out of; it smooths
        a little. ``optimize`` uses no trained network: it changes the light of this one picture, in
        30 steps.
    save_cube : path
        Also save the color change as a .cube file, a lookup table for photo and video editors.
        Local light is not part of it.
    size : int
        Short side, in pixels, of the copy that ``--method optimize`` works on, from 128 to 2048.
        The change is then enlarged to the size of the picture.
    model : str
        Weights file with other networks, as made by ``limner train beautifier``. Default: the
        networks that come with limner.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    runtime : str
        What computes the network: ``torch``, or ``onnxruntime``, on the CPU, with limner[export]
        installed. Only for ``--method relative``.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    on_step : callable
        Called with a `Progress` before the first and after every step. If it raises `Stop`,
        ``optimize`` returns the picture so far; the other methods let it through.

    Returns
    -------
    PIL.Image.Image
        RGB, or RGBA if the picture has transparency, of the same size, with its recipe. With
        ``relative``, a picture of 16 bits per channel keeps them; see `limner.write`.
        ``info["beside"]`` has the table that ``save_cube`` asks for.

    Raises
    ------
    InputError
        The picture cannot be read, or is too small for ``optimize``.
    OptionError
        An option is out of its range or has no effect with the method, or the aspect ratio of the
        mask differs from the picture's.
    WeightsError
        The weights cannot be used, or have no improver for the method.
    """
    _check(strength, white_balance, method, size, runtime)
    report = Reporter("beautify", on_step)
    torch_device = onnx_model.pick_device(device, runtime)
    path = Path(model) if model else SHIPPED
    beautifier = load(path, torch_device)
    improver = _improver(beautifier, method, path)
    _check_cube(save_cube, method, beautifier)
    if runtime == "onnxruntime":
        assert isinstance(improver, BilateralImprover)  # that of the method
        examples = [torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE), *torch.zeros(2, 1, 1, 1, 1)]
        onnx_model.use_onnx_runtime(improver, "see", examples)
    subject = io.read(picture, allow_huge=allow_huge, deep=True)
    rgb = subject.rgb
    height, width = images.size_of(rgb)
    mask_read = None if mask is None else io.read(mask, allow_huge=allow_huge)
    share = None if mask_read is None else _share(mask_read, subject)
    stage = f"{width}×{height} px"
    notes = [stage, *subject.notes, *(mask_read.notes if mask_read else ())]
    if mask_read and io.is_black(mask_read):
        notes.append(f"{printable(mask_read.name)}: has no white area, so nothing changes")
    for note in notes:
        report(stage, 0, 1, note=note, size=(height, width))

    change = None
    if improver is None:
        small = resize_to_measure(io.on_white(subject), size, subject.name).to(torch_device)
        light = _optimize(small, beautifier.predictors, report, stage) - small
        light = F.interpolate(light, (height, width), mode="bicubic", align_corners=False)
        result = _without_clipping(rgb, rgb + strength * light.to(rgb.device))
        result = result if share is None else rgb.lerp(result, share)
    else:
        change = improver.change(rgb.to(torch_device), strength, white_balance)
        dither = isinstance(improver, BilateralImprover)  # the article's methods stay as they are
        depth = torch.uint16 if subject.deep and dither else torch.uint8
        result = _apply(change.rows, rgb, share, depth, dither, report, stage)

    options = {
        "strength": float(strength),
        "white_balance": float(white_balance),
        "mask": mask_read.name if mask_read else None,
        "method": method,
        "size": size,
        "model": model,
        "runtime": runtime,
        "allow_huge": allow_huge,
    }
    pictures = [subject] if mask_read is None else [subject, mask_read]
    hashes = {model: weights.sha256(path)} if model else None
    recipe = io.make_recipe("beautify", [subject.name], options, pictures, hashes)
    made = io.to_picture(result, _alpha(subject, result), like=subject, recipe=recipe)
    if save_cube is not None:
        assert change is not None and change.colors is not None  # `_check_cube` made sure
        made.info["beside"] = {"cube": CubeLUT(change.colors)}
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


def _check(strength: float, white_balance: float, method: str, size: int, runtime: str) -> None:
    """Refuse options that are out of range, or that have no effect with the method."""
    check_range("strength", strength, 0, 2)
    check_range("white_balance", white_balance, 0, 1)
    check_choice("method", method, METHODS)
    check_range("size", size, masks.WINDOW, MAX_SIZE)
    if size != SIZE and method != "optimize":
        raise OptionError(
            f"--size {size}: has no effect with --method {method}; leave it out, or use --method "
            "optimize"
        )
    if runtime != "torch" and method != "relative":
        raise OptionError(
            f"--runtime {runtime}: has no effect with --method {method}; leave it out, or use "
            "--method relative"
        )
    if white_balance != WHITE_BALANCE and method != "relative":
        raise OptionError(
            f"--white-balance {white_balance:g}: has no effect with --method {method}; leave it "
            "out, or use --method relative"
        )


def _share(mask: io.Picture, subject: io.Picture) -> Tensor:
    """Return a mask [1, 1, H, W] in the size of the picture."""
    io.check_aspect(mask, subject, option="--mask", what="picture")
    return images.resize(io.to_mask(mask), images.size_of(subject.rgb))


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
    kinds = BilateralImprover | TableImprover
    with_colors = [name for name, part in beautifier.parts.items() if isinstance(part, kinds)]
    if save_cube is not None and method not in with_colors:
        remedy = f", or use --method {' or '.join(with_colors)}" if with_colors else ""
        raise OptionError(
            f"--save-cube {save_cube}: --method {method} has no color table; leave it out{remedy}"
        )


@torch.no_grad()
def _apply(
    change: Callable[[slice], Tensor],
    rgb: Tensor,
    share: Tensor | None,
    depth: torch.dtype,
    dither: bool,
    report: Reporter,
    stage: str,
) -> Tensor:
    """Change a picture [1, 3, H, W] in 0..1, some rows at a time; return integers, on the CPU."""
    size, highest = images.size_of(rgb), torch.iinfo(depth).max
    result = torch.empty(rgb.shape, dtype=depth, memory_format=torch.channels_last)
    noise = _noise(size[1]) if dither and depth == torch.uint8 else None
    starts = range(0, size[0], _ROWS)
    for done, top in enumerate(starts, 1):
        rows = slice(top, top + _ROWS)
        before = rgb[..., rows, :]
        after = _without_clipping(before, change(rows).cpu(), highest)
        if share is not None:
            after = before.lerp(after, share[..., rows, :])
        after = after * highest
        if noise is not None:
            after += noise[torch.arange(top, top + after.shape[-2]) % len(noise)]
        result[..., rows, :] = after.round().to(depth)
        report(stage, done, len(starts), size=size)
    return result


def _noise(width: int) -> Tensor:
    """Return 64 rows of noise [64, W] in -0.5..0.5: dither against banding.

    It is interleaved gradient noise (Jimenez 2014), whose pattern shows only at the scale of single
    pixels. The amplitude is just below half a step, so that whole values do not change.
    """
    down = torch.arange(64, dtype=torch.float64)[:, None]
    across = torch.arange(width, dtype=torch.float64)
    fraction = (0.06711056 * across + 0.00583715 * down) % 1
    noise = (52.9829189 * fraction) % 1
    return (0.99 * (noise - 0.5)).float()


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


def _without_clipping(before: Tensor, after: Tensor, top: int = 255) -> Tensor:
    """Keep values from becoming black or white, 0 or `top`, that were not before."""
    inside = (before > 0) & (before < 1)
    return torch.where(inside, after.clamp(1 / top, 1 - 1 / top), after.clamp(0, 1))


def _alpha(subject: io.Picture, result: Tensor) -> Tensor | None:
    """Return the alpha channel of a picture in the number type of a result."""
    if subject.alpha is None or result.is_floating_point():
        return subject.alpha
    return (subject.alpha * torch.iinfo(result.dtype).max).round()
