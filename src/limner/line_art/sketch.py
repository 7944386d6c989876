"""`sketch`: turn a picture into a line drawing."""

from typing import Literal

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_choice, check_range
from limner.io import Source
from limner.line_art import lines
from limner.line_art.softness import edge_width, without_grain
from limner.nn import devices, images
from limner.progress import OnStep, Reporter, silent

STYLES = ("ink", "contour", "pencil")
_REFERENCE = 512  # pixels: pictures with a longer side get proportionally wider lines
_SHARP = 1.2  # pixels: edges that are blurred more get proportionally wider lines
_BYTES_PER_PIXEL = 115  # of memory at the peak
_BLANK = 1e-4  # mean ink of a drawing that is told to be nearly blank


def sketch(
    picture: Source,
    *,
    style: Literal["ink", "contour", "pencil"] = "ink",
    thickness: float = 1.0,
    strength: float = 1.0,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Turn a picture into a line drawing.

    Parameters
    ----------
    picture : str, path or PIL image
        The picture to draw.
    style : str
        Kind of drawing. Use ``ink`` for black strokes of varying width, ``contour`` for thin lines
        where colors meet, and ``pencil`` for soft gray lines.
    thickness : float
        Thickness of the lines, from 0.5 (thin) to 4 (thick).
    strength : float
        Amount of detail, from 0.2 to 3. Low values draw only strong edges, high values also draw
        faint ones.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    on_step : callable
        Called with a `Progress` before and after the work.

    Returns
    -------
    PIL.Image.Image
        Gray lines on white, in RGB, of the size of the picture, with its recipe.

    Raises
    ------
    InputError
        The picture cannot be read.
    OptionError
        An option is out of its range.

    Notes
    -----
    ``ink`` is the extended difference of Gaussians (Winnemöller et al. 2012). ``contour`` keeps the
    ridges (Canny 1986) of the color gradient (Di Zenzo 1986). ``pencil`` compares each pixel with
    the lightest one near it. Grain is smoothed first (Lee 1980), and lines are as wide as the edges
    of the picture are soft (Zhuo & Sim 2011).
    """
    report = Reporter("sketch", on_step)
    check_choice("style", style, STYLES)
    check_range("thickness", thickness, 0.5, 4)
    check_range("strength", strength, 0.2, 3)
    torch_device = devices.pick(device)
    subject = io.read(picture, allow_huge=allow_huge, bytes_per_pixel=_BYTES_PER_PIXEL)
    height, width = size = images.size_of(subject.rgb)
    stage = f"{width}×{height} px"
    for note in (stage, *subject.notes, *io.tell_transparent([subject])):
        report(stage, 0, 1, note=note, size=size)
    ink = _draw(io.on_white(subject).to(torch_device), style, thickness, strength)
    options = {
        "style": style,
        "thickness": float(thickness),
        "strength": float(strength),
        "allow_huge": allow_huge,
    }
    recipe = io.make_recipe("sketch", [subject.name], options, [subject])
    drawing = 1 - ink.clamp(0, 1).expand(-1, 3, -1, -1)
    result = io.to_picture(drawing, like=subject, recipe=recipe)
    blank = "" if ink.mean() > _BLANK else "hardly any lines were found; try a higher --strength"
    report(stage, 1, 1, note=blank, size=size)
    return result


def _draw(rgb: Tensor, style: str, thickness: float, strength: float) -> Tensor:
    """Draw the ink [1, 1, H, W] of a picture [1, 3, H, W]; it may exceed 1."""
    softness = edge_width(images.luma(rgb)) / _SHARP
    rgb = without_grain(rgb, max(1, int(softness)))
    side = images.page_side(*images.size_of(rgb))
    width = thickness * max(1.0, side / _REFERENCE, softness)  # pixels
    if style == "ink":
        return lines.xdog(images.luma(rgb), sigma=0.6 * width, epsilon=-0.004 / strength)
    if style == "contour":
        ink = lines.contour(rgb, sigma=0.7 * width, strength=8 * strength * width)
        side = round(width) // 2 * 2 + 1  # ridges are one pixel wide: widen them
        return F.max_pool2d(ink, side, 1, side // 2)
    return lines.pencil(images.luma(rgb), radius=max(1, round(width))) * strength
