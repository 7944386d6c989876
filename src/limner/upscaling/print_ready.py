"""`print_ready`: a picture on its paper."""

from typing import Literal

from PIL import Image

from limner.io import Source
from limner.progress import OnStep, silent
from limner.upscaling.upscale import upscale


def print_ready(
    picture: Source,
    paper: str,
    *,
    dpi: float = 150,
    fit: Literal["fit", "fill", "pad"] = "fill",
    bleed: float | str | None = None,
    quality: Literal["fast", "best"] = "fast",
    detail: float = 0,
    on_step: OnStep = silent,
) -> Image.Image:
    """Make a picture as large as its paper, ready for `limner.output.write` as .pdf, .tif or .png.

    The same as `limner.upscale` with ``print_``, which tells of every option.

    Parameters
    ----------
    picture : str, path or PIL image
        What to print.
    paper : str
        Its size, ``60x40cm`` or ``24x16in``, the width first.
    dpi : float
        Pixels on an inch of it, 30 to 1200.
    fit : str
        ``fill`` the paper, ``fit`` into it, or ``pad`` with white.
    bleed : float or str
        How far the picture goes on beyond every edge of the paper, where it will be cut: ``3mm``.
    quality : str
        The network that ships: ``fast`` or ``best``.
    detail : float
        From 0, faithful, to 1, inventive.
    on_step : callable
        Called with a `Progress` before the first and after every tile.

    Returns
    -------
    PIL.Image.Image
        With profile, resolution, bleed and recipe in its ``info``.

    Raises
    ------
    LimnerError
        As `limner.upscale`.
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
