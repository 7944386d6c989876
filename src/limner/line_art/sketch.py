"""`draw`, the command `sketch`: a line drawing of a picture."""

import time
from typing import Literal

import torch.nn.functional as F
from PIL import Image

from limner import io
from limner._version import __version__
from limner.errors import OptionError
from limner.io import Source
from limner.line_art import lines
from limner.nn import devices, images
from limner.progress import OnStep, Progress, silent

DRAWN = 512  # pixels of the longest side for which the widths of lines are meant


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
    """Make a line drawing of a picture.

    Parameters
    ----------
    picture : str, path or PIL image
        What to draw.
    style : str
        ``ink``: black strokes that swell (extended difference of Gaussians); ``contour``: thin
        lines where colours meet; ``pencil``: soft grey ones.
    thickness : float
        Of the lines, 0.5 to 4.
    strength : float
        How much is drawn: from 0.2, the strongest edges, to 3, faint ones too.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    allow_huge : bool
        Read pictures of more than 100 megapixels too.
    on_step : callable
        Called with a `Progress` before and after.

    Returns
    -------
    PIL.Image.Image
        Grey lines on white, as RGB, of the picture's size, with recipe.

    Raises
    ------
    InputError, OptionError
        A picture that cannot be read, an option out of its range.
    """
    began = time.monotonic()
    if style not in ("ink", "contour", "pencil"):
        raise OptionError(f"--style {style}: must be one of ink, contour, pencil")
    if not 0.5 <= thickness <= 4:
        raise OptionError(f"--thickness {thickness:g}: must be from 0.5 to 4")
    if not 0.2 <= strength <= 3:
        raise OptionError(f"--strength {strength:g}: must be from 0.2 to 3")
    where = devices.pick(device)
    subject = io.read(picture, allow_huge=allow_huge)
    rgb = io.on_white(subject).to(where)
    size = images.size_of(rgb)

    def tell(done: int, note: str) -> None:
        seconds = time.monotonic() - began
        stage = f"{size[1]}×{size[0]} px"
        on_step(Progress("sketch", stage, done, 1, seconds, note=note, share=done, size=size))

    for note in (f"{size[1]}×{size[0]} px", *subject.notes):
        tell(0, note)
    width = thickness * max(1.0, max(size) / DRAWN)  # pixels
    if style == "ink":
        ink = lines.xdog(images.luma(rgb), sigma=0.6 * width, epsilon=-0.004 / strength)
    elif style == "contour":
        ink = lines.contour(rgb, sigma=0.7 * width, strength=8 * strength * width)
        around = round(width) // 2 * 2 + 1  # ridges are one pixel wide
        ink = F.max_pool2d(ink, around, 1, around // 2)
    else:
        ink = lines.pencil(images.luma(rgb), radius=max(1, round(width))) * strength
    recipe: dict[str, object] = {
        "verb": "sketch",
        "version": __version__,
        "inputs": [subject.name],
        "options": {
            "style": style,
            "thickness": float(thickness),
            "strength": float(strength),
            "allow_huge": allow_huge,
        },
        "files": {subject.name: subject.sha256},
    }
    drawing = 1 - ink.clamp(0, 1).expand(-1, 3, -1, -1)
    result = io.to_picture(drawing, like=subject, recipe=recipe)
    tell(1, "")
    return result
