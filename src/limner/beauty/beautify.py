"""`beautify`: a picture that is easier to predict."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner._version import __version__
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import load
from limner.beauty.cube_lut import Look
from limner.beauty.improver import Free, Tables, applied
from limner.beauty.objective import Eye, relative
from limner.beauty.predictability import SHIPPED, judged
from limner.errors import OptionError, WeightsError
from limner.io import Source
from limner.nn import devices, images, weights
from limner.progress import OnStep, Progress, Stop, silent

METHODS = ("relative", "progress", "closeness", "optimise")
_ROWS = 256  # of a picture that are changed at once
_STEPS, _RATE = 30, 0.0015  # of the picture's own descent; sRGB in 0..1
_COARSE = 8  # pixels over which it is smooth


def beautify(
    picture: Source,
    *,
    strength: float = 1.0,
    method: Literal["relative", "progress", "closeness", "optimise"] = "relative",
    save_look: Path | None = None,
    size: int = 512,
    model: str | None = None,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Make a picture easier to predict, and so, perhaps, on the eye.

    Parameters
    ----------
    picture : str, path or PIL image
        What to change.
    strength : float
        0 the picture itself, 1 a little, 2 twice as much.
    method : str
        ``relative`` and ``progress`` move colours and light by tables, which cannot blur:
        ``relative`` lowers the prediction error in shares of the contrast, ``progress`` raises the
        article's ratio between a bad and a good predictor. ``closeness`` is the article's improver:
        a network that is free to smooth, and does. ``optimise`` moves the picture itself.
    save_look : path
        Write the colour table too, as a .cube file for photo editors; without the light, which
        differs from place to place.
    size : int
        Pixels of the short side at which ``optimise`` works, 128 to 2048; what it changes is
        enlarged to the picture's own size.
    model : str
        Other weights, as `limner train beautifier` makes them.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    allow_huge : bool
        Read pictures of more than 100 megapixels too.
    on_step : callable
        Called with a `Progress` at every step, or every 256 rows. Raise `Stop` in it to end early.

    Returns
    -------
    PIL.Image.Image
        RGB, or RGBA where the picture has alpha, of its size, with recipe.

    Raises
    ------
    InputError, OptionError, WeightsError
        A picture that cannot be read, an option out of its range, weights that cannot be had.
    """
    began = time.monotonic()
    if not 0 <= strength <= 2:
        raise OptionError(f"--strength {strength:g}: must be from 0 to 2")
    if method not in METHODS:
        raise OptionError(f"--method {method}: must be one of {', '.join(METHODS)}")
    if not masks.WINDOW <= size <= 2048:
        raise OptionError(f"--size {size}: must be from {masks.WINDOW} to 2048 pixels")
    where = devices.pick(device)
    path = Path(model) if model else SHIPPED
    trained = load(path)
    improver = trained.improver(method)
    if improver is None and method != "optimise":
        known = ", ".join((*trained.methods, "optimise"))
        raise WeightsError(f"--method {method}: {path} was trained for {known}; use one of these")
    if save_look is not None and not isinstance(improver, Tables):
        raise OptionError(f"--save-look: --method {method} has no colour table; relative has")
    subject = io.read(picture, allow_huge=allow_huge)
    rgb = subject.rgb
    height, width = images.size_of(rgb)
    files = {subject.name: subject.sha256}
    if model:
        files[model] = weights.sha256(path)
    recipe: dict[str, object] = {
        "verb": "beautify",
        "version": __version__,
        "inputs": [subject.name],
        "options": {
            "strength": float(strength),
            "method": method,
            "size": size,
            "model": model,
            "allow_huge": allow_huge,
        },
        "files": files,
    }

    def tell(
        done: int,
        steps: int,
        note: str = "",
        loss: float | None = None,
        preview: Callable[[], Image.Image] | None = None,
    ) -> None:
        on_step(
            Progress(
                "beautify",
                f"{width}×{height} px",
                done,
                steps,
                time.monotonic() - began,
                loss,
                preview,
                note,
                share=done / steps,
                size=(height, width),
            )
        )

    for note in (f"{width}×{height} px", *subject.notes):
        tell(0, 1, note)
    if improver is None:
        small = judged(io.on_white(subject), size, subject.name).to(where)
        moved = _optimised(small, trained.eye, tell) - small
        moved = F.interpolate(moved, (height, width), mode="bicubic", align_corners=False)
        result = _between(rgb, rgb + strength * moved.to(rgb.device))
    else:
        result = _improved(improver.to(where), rgb.to(where), strength, tell)
    alpha = subject.alpha
    if alpha is not None and result.dtype == torch.uint8:
        alpha = (alpha * 255).round()
    made = io.to_picture(result, alpha, like=subject, recipe=recipe)
    if save_look is not None:
        assert isinstance(improver, Tables)
        with torch.no_grad():
            table = strength * improver.plan(rgb.to(where))[0]
        made.info["beside"] = {"look": Look(table, save_look)}
    return made


@torch.no_grad()
def _improved(
    improver: Tables | Free, rgb: Tensor, strength: float, tell: Callable[..., None]
) -> Tensor:
    """Improve a picture [1, 3, H, W] in 0..1 to uint8, some rows at a time."""
    height, width = images.size_of(rgb)
    made = torch.empty(rgb.shape, dtype=torch.uint8)
    if isinstance(improver, Tables):
        table, light = (strength * one for one in improver.plan(rgb))
        light = F.interpolate(light, (height, width), mode="bicubic", align_corners=False)
    starts = range(0, height, _ROWS)
    for done, top in enumerate(starts, 1):
        rows = slice(top, top + _ROWS)
        if isinstance(improver, Tables):
            part = applied(rgb[..., rows, :], table, light[..., rows, :])
        else:
            first = max(0, top - improver.radius)
            seen = rgb[..., first : rows.stop + improver.radius, :]
            part = improver(seen, strength)[..., top - first :, :][..., :_ROWS, :]
        part = _between(rgb[..., rows, :], part)
        made[..., rows, :] = (part * 255).round().to(torch.uint8).cpu()
        tell(done, len(starts))
    return made


def _optimised(before: Tensor, eye: Eye, tell: Callable[..., None]) -> Tensor:
    """Move a picture [1, 3, H, W] itself down the loss of the method ``relative``.

    By a small change of its light alone, smooth over some pixels: one free in each pixel turns into
    a chequer, and one of colours into spots, that only the predictor finds easy.
    """
    frame, _ = masks.framed(before)
    size = images.size_of(before)
    change = torch.zeros((1, 1, *(-(-side // _COARSE) for side in size)), device=before.device)
    change.requires_grad_()
    adam = torch.optim.Adam([change], _RATE)

    def moved() -> Tensor:
        smooth = F.interpolate(change, size, mode="bicubic", align_corners=False)
        return _between(before, before + smooth)

    try:
        for step in range(1, _STEPS + 1):
            adam.zero_grad()
            loss = relative(eye, frame, masks.framed(moved())[0])
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            tell(
                step,
                _STEPS,
                loss=loss.item(),
                preview=lambda: io.to_picture(moved().detach()),
            )
    except Stop:
        pass  # what there is so far
    return moved().detach()


def _between(before: Tensor, after: Tensor) -> Tensor:
    """Let nothing become black or white that was not."""
    inside = (before > 0) & (before < 1)
    return torch.where(inside, after.clamp(1 / 255, 254 / 255), after.clamp(0, 1))
