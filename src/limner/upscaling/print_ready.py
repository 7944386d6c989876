"""`print_ready`: make a picture ready to print on a sheet of paper."""

from typing import Literal

from PIL import Image

from limner.io import Source
from limner.progress import OnStep, silent
from limner.upscaling.paper import DEFAULT_DPI
from limner.upscaling.upscale import upscale


def print_ready(
    picture: Source,
    paper: str,
    *,
    dpi: float = DEFAULT_DPI,
    fit: Literal["fit", "fill", "pad"] = "fill",
    bleed: str | float | None = None,
    quality: Literal["fast", "best"] | None = None,
    detail: float | None = None,
    on_step: OnStep = silent,
) -> Image.Image:
    """Make a picture as large as its paper, ready to print.

    This is `limner.upscale` with ``print_``, which has more options. Save the result with
    `limner.write` as .pdf, .tif or .png.

    Parameters
    ----------
    picture : str, path or PIL image
        The picture to print.
    paper : str
        Size of the paper, width x height, as in 60x40cm or 24x16in.
    dpi : float
        Print resolution in pixels per inch, from 30 to 1200.
    fit : str
        How the picture goes onto paper of another shape: ``fill`` covers the paper and crops what
        sticks out; ``fit`` keeps all of it, and the result has the shape of the picture; ``pad``
        keeps all of it and adds white borders.
    bleed : float or str
        Extra picture beyond each edge of the paper, for the printer to cut off, as in 3mm. At most
        5cm. Default: none.
    quality : str
        Network that comes with limner: ``best``, or ``fast``, which takes about a fifth of the
        time and is a little less sharp. Default: best.
    detail : float
        How sharp the result is: from 0, faithful and soft, to 1, sharp with plausible but invented
        texture. Default: 0.65.
    on_step : callable
        Called with a `Progress` before the first tile and after each.

    Returns
    -------
    PIL.Image.Image
        With color profile, resolution, bleed and recipe in its ``info``.

    Raises
    ------
    LimnerError
        As `limner.upscale` raises.
    """
    return upscale(
        picture,
        print_=paper,
        dpi=dpi,
        fit=fit,
        bleed=bleed,
        quality=quality,
        detail=detail,
        on_step=on_step,
    )
