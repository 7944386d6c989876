"""`predictability`: measure how well a picture can be predicted from itself, and where.

The article that `beautify` grew out of measures the beauty of a picture by its predictability: a
network predicts hidden squares of 32×32 pixels from their surroundings, and the error of the
prediction is the score.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import load
from limner.beauty.objective import measure_errors
from limner.checks import check_range
from limner.errors import InputError
from limner.io import Source
from limner.nn import devices, images, weights

SIZE, MAX_SIZE = 512, 2048  # short side, in pixels, at which pictures are measured
SHIPPED = weights.SHIPPED / "beautifier.safetensors"
_SIGMA = 16  # pixels over which the map averages
# colors of the map, from easy to hard to predict: blue, gray, orange
_COLORS = ((0.10, 0.35, 0.85), (0.75, 0.75, 0.75), (1.0, 0.45, 0.0))


@dataclass(frozen=True)
class Predictability:
    """How predictable a picture is.

    Attributes
    ----------
    error : float
        Mean absolute error of the prediction, from 0 to 255: the article's number. A faded or
        blurred picture has a smaller one.
    relative : float
        The error divided by the mean difference of neighboring pixels. Fading does not change it,
        so use it to compare pictures.
    progress : float
        How many times smaller the error is than that of a smooth fill, which has learned nothing.
    map : PIL image
        The picture in gray, tinted blue where it is easy to predict for its contrast, and orange
        where it is hard.
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
        Picture to measure.
    size : int
        Short side, in pixels, at which the picture is measured, from 128 to 2048. A smaller picture
        keeps its size. Compare only numbers that were measured at the same size.
    model : str
        Weights file with another predictor, as made by ``limner train beautifier``. Default: the
        predictor that comes with limner.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.

    Returns
    -------
    Predictability
        Three numbers and a map.

    Raises
    ------
    InputError
        The picture cannot be read, or has less than 128 pixels a side.
    OptionError
        An option is out of its range.
    WeightsError
        The weights cannot be used.
    """
    check_range("size", size, masks.WINDOW, MAX_SIZE)
    torch_device = devices.pick(device)
    subject = io.read(picture, allow_huge=allow_huge)
    rgb = resize_to_measure(io.on_white(subject), size, subject.name).to(torch_device)
    predictors = load(Path(model) if model else SHIPPED, torch_device).predictors
    frame, holes = masks.crop_frame(rgb)
    prediction, truth = predictors.good(frame), masks.crop_holes(frame)
    errors = measure_errors(frame, prediction, predictors.bad(frame))
    error = (truth - prediction).abs().mean(1, keepdim=True)
    luma = images.luma(truth)
    detail = (luma - images.gaussian_blur(luma, _SIGMA / 2)).abs()
    return Predictability(
        error=float(errors.good) * 255,
        relative=float(errors.relative),
        progress=float(errors.progress),
        map=_draw_map(images.luma(rgb), error, detail, holes),
    )


def resize_to_measure(rgb: Tensor, size: int, name: str) -> Tensor:
    """Shrink a picture [1, 3, H, W] to a short side of `size` pixels; smaller ones stay.

    Raises
    ------
    InputError
        The picture is too small for a window.
    """
    height, width = images.size_of(rgb)
    if min(height, width) < masks.WINDOW:
        raise InputError(
            f"{name}: is {width}×{height} px; each side must be at least {masks.WINDOW} px; use a "
            "larger picture"
        )
    scale = min(1.0, size / min(height, width))
    return images.resize(rgb, (round(height * scale), round(width * scale)))


def _draw_map(
    gray: Tensor, error: Tensor, detail: Tensor, holes: tuple[slice, slice]
) -> Image.Image:
    """Tint a gray picture by the error for its contrast.

    Parameters
    ----------
    gray : Tensor
        [1, 1, H, W].
    error, detail : Tensor
        [1, 1, 32m, 32n]: the error of each pixel, and its difference from its surroundings.
    holes : tuple of slice
        Rows and columns of these in the picture.
    """
    error, detail = (images.gaussian_blur(one, _SIGMA) for one in (error, detail))
    ratio = ((error + 0.02) / (detail + 0.02)).log()
    share = (0.5 + 0.5 * (ratio - ratio.median()) / (2 * ratio.std() + 1e-6)).clamp(0, 1)
    (height, width), (rows, columns) = images.size_of(gray), holes
    margins = (columns.start, width - columns.stop, rows.start, height - rows.stop)
    share = F.pad(share, margins, mode="replicate")
    easy, middle, hard = (torch.tensor(c).to(gray).view(1, 3, 1, 1) for c in _COLORS)
    color = torch.where(
        share < 0.5, torch.lerp(easy, middle, 2 * share), torch.lerp(middle, hard, 2 * share - 1)
    )
    return io.to_picture((0.35 + 0.65 * gray) * color)
