"""`predictability`: how well a picture can be predicted from itself, and where."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import load
from limner.beauty.objective import compared
from limner.errors import InputError, OptionError
from limner.io import Source
from limner.nn import devices, images, weights

SIZE = 512  # pixels of the short side at which pictures are judged, unless they have fewer
SHIPPED = weights.SHIPPED / "beautifier.safetensors"
_CELL = 16  # pixels of a place on the map
# colours of the map from the most to the least predictable: blue, grey, orange
_COLOURS = ((0.10, 0.35, 0.85), (0.75, 0.75, 0.75), (1.0, 0.45, 0.0))


@dataclass(frozen=True)
class Predictability:
    """How predictable a picture is.

    Attributes
    ----------
    error : float
        MAE(Y, Z) of 255, the article's number: of hidden 32×32 centres against what the predictor
        makes of their surroundings. Fading and blur make it smaller.
    relative : float
        The same in shares of the mean difference of neighbouring pixels. Fading leaves it.
    progress : float
        How many times better the predictor is than a harmonic fill, which has learnt nothing.
    map : PIL image
        The picture in grey, blue where it is predicted well for its contrast, orange where badly.
    """

    error: float
    relative: float
    progress: float
    map: Image.Image


@torch.no_grad()
def predictability(
    picture: Source,
    *,
    size: int = SIZE,
    model: str | None = None,
    device: str = "auto",
    allow_huge: bool = False,
) -> Predictability:
    """Measure how predictable a picture is, and where.

    Parameters
    ----------
    picture : str, path or PIL image
        What to look at.
    size : int
        Pixels of the short side at which it is judged, 128 to 2048; a smaller picture as it is.
    model : str
        Another predictor's weights, as `limner train beautifier` makes them.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    allow_huge : bool
        Read pictures of more than 100 megapixels too.

    Returns
    -------
    Predictability
        Three numbers, and a map.

    Raises
    ------
    InputError, OptionError, WeightsError
        A picture that cannot be read or is smaller than 128 pixels, an option out of its range, no
        such weights.
    """
    if not masks.WINDOW <= size <= 2048:
        raise OptionError(f"--size {size}: must be from {masks.WINDOW} to 2048 pixels")
    where = devices.pick(device)
    subject = io.read(picture, allow_huge=allow_huge)
    rgb = judged(io.on_white(subject), size, subject.name).to(where)
    eye = load(Path(model) if model else SHIPPED).eye
    frame, centres = masks.framed(rgb)
    made, truth = eye.good(frame), masks.inner(frame)
    errors = compared(frame, made, eye.bad(frame))
    wrong = (truth - made).abs().mean(1, keepdim=True)
    luma = images.luma(truth)
    detail = (luma - images.gaussian_blur(luma, _CELL / 2)).abs()
    return Predictability(
        float(errors.good) * 255,
        float(errors.relative),
        float(errors.progress),
        _drawn(images.luma(rgb), wrong, detail, centres),
    )


def judged(rgb: Tensor, size: int, name: str) -> Tensor:
    """Bring a picture [1, 3, H, W] to the size at which it is judged, or refuse it."""
    height, width = images.size_of(rgb)
    if min(height, width) < masks.WINDOW:
        raise InputError(
            f"{name}: {width}×{height} px; must have {masks.WINDOW} a side for a window to fit"
        )
    share = min(1.0, size / min(height, width))
    return images.resize(rgb, (round(height * share), round(width * share)))


def _drawn(
    grey: Tensor, wrong: Tensor, detail: Tensor, centres: tuple[slice, slice]
) -> Image.Image:
    """Lay the error for its contrast over a grey picture [1, 1, H, W], as colours."""
    seen, there = (images.gaussian_blur(one, _CELL) for one in (wrong, detail))
    ratio = ((seen + 0.02) / (there + 0.02)).log()
    share = (0.5 + 0.5 * (ratio - ratio.median()) / (2 * ratio.std() + 1e-6)).clamp(0, 1)
    (height, width), (rows, columns) = images.size_of(grey), centres
    margins = (columns.start, width - columns.stop, rows.start, height - rows.stop)
    share = F.pad(share, margins, mode="replicate")
    cold, middle, warm = (torch.tensor(c).to(grey).view(1, 3, 1, 1) for c in _COLOURS)
    colour = torch.where(
        share < 0.5, torch.lerp(cold, middle, 2 * share), torch.lerp(middle, warm, 2 * share - 1)
    )
    return io.to_picture((0.35 + 0.65 * grey) * colour)
