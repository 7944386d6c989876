"""The pictures of a run: read and checked, then prepared for the optimization."""

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner import io
from limner.color.transfer import transfer_colors
from limner.errors import OptionError, printable
from limner.io import Picture, Source
from limner.nn import images
from limner.nn.seeding import generator
from limner.style.plan import Plan

StyleSource = Source | tuple[Source, float]

INITS = ("content", "noise")
_BLACK = 1e-3  # mean below which a mask counts as black
_ASPECT_TOLERANCE = 0.02  # sizes are rounded to whole pixels


@dataclass(frozen=True)
class Style:
    """A painting, its weight, and the mask of where it goes; None for everywhere."""

    painting: Picture
    weight: float
    mask: Picture | None

    @property
    def is_used(self) -> bool:
        """Whether the mask is not black."""
        return self.mask is None or io.to_mask(self.mask).mean().item() > _BLACK


@dataclass(frozen=True)
class InputPictures:
    """All pictures of a call, as they were read.

    Attributes
    ----------
    photo : Picture
    styles : tuple of Style
    init : Picture or str
        A picture, or one of ``INITS``.
    """

    photo: Picture
    styles: tuple[Style, ...]
    init: Picture | str

    @property
    def used_styles(self) -> list[Style]:
        """The styles whose masks are not black."""
        return [style for style in self.styles if style.is_used]

    @property
    def masks(self) -> list[Picture]:
        """The masks, in the order of the styles; none or one for each."""
        return [style.mask for style in self.styles if style.mask is not None]

    @property
    def all(self) -> list[Picture]:
        """Every picture."""
        paintings = [style.painting for style in self.styles]
        init = [self.init] if isinstance(self.init, Picture) else []
        return [self.photo, *paintings, *self.masks, *init]

    @property
    def names(self) -> list[str]:
        """The inputs for the recipe: the photo, and the paintings with their weights."""
        styles = (f"{style.painting.name}:{style.weight!r}" for style in self.styles)
        return [self.photo.name, *styles]

    @property
    def notes(self) -> list[str]:
        """Remarks for the user about the pictures."""
        return [note for picture in self.all for note in picture.notes]

    @property
    def memory(self) -> int:
        """Bytes that the pictures take."""
        return sum(picture.rgb.nbytes for picture in self.all)


@dataclass(frozen=True)
class Inputs:
    """What is optimized: tensors on the device, sRGB in 0..1.

    Attributes
    ----------
    photo : Tensor
        [1, 3, H, W], the final size with padding.
    paintings : tuple of Tensor
        [1, 3, H', W'], each in its own size.
    weights : tuple of float
        The weight of each painting. Only their proportions matter.
    masks : tuple of Tensor
        [1, 1, H, W] for each painting; none if the paintings go everywhere.
    init : Tensor or None
        [1, 3, H', W'], the first iterate; None for the photo.
    """

    photo: Tensor
    paintings: tuple[Tensor, ...]
    weights: tuple[float, ...]
    masks: tuple[Tensor, ...] = ()
    init: Tensor | None = None


def split_weights(styles: Sequence[StyleSource]) -> list[tuple[Source, float]]:
    """Separate paintings from their weights: ``("wave.jpg", 0.7)``, or ``"wave.jpg:0.7"``.

    Raises
    ------
    OptionError
        There is no painting, or a weight is not above 0.
    """
    if not styles:
        raise OptionError("no painting: give at least one after the photo")
    return [_split_weight(style) for style in styles]


def _split_weight(style: StyleSource) -> tuple[Source, float]:
    source, weight = style if isinstance(style, tuple) else (style, 1.0)
    if isinstance(source, str) and not os.path.exists(source):  # noqa: PTH110 - raises nothing
        name, colon, number = source.rpartition(":")
        with suppress(ValueError):
            source, weight = (name, float(number)) if colon else (source, weight)
    if not 0 < weight < math.inf:
        raise OptionError(f"weight {weight:g} of a painting: must be above 0, as in wave.jpg:0.7")
    return source, float(weight)


def read_inputs(
    photo: Source,
    paintings: Sequence[tuple[Source, float]],
    masks: Sequence[Source],
    init: Source,
    *,
    allow_huge: bool,
) -> InputPictures:
    """Read all pictures of a call, and check that masks and start have the photo's aspect ratio.

    Raises
    ------
    InputError
        A picture cannot be read.
    OptionError
        A mask or the start has another aspect ratio than the photo.
    """

    def read(source: Source) -> Picture:
        return io.read(source, allow_huge=allow_huge)

    photo_read = read(photo)
    paintings_read = [read(source) for source, _ in paintings]
    masks_read: Sequence[Picture | None] = [read(source) for source in masks]
    init_read = init if isinstance(init, str) and init in INITS else read(init)
    for other in (*masks_read, init_read):
        if isinstance(other, Picture):
            _check_aspect(other, photo_read)
    weights = [weight for _, weight in paintings]
    styles = map(Style, paintings_read, weights, masks_read or [None] * len(paintings))
    return InputPictures(photo_read, tuple(styles), init_read)


def _check_aspect(other: Picture, photo: Picture) -> None:
    height, width = images.size_of(other.rgb)
    photo_height, photo_width = images.size_of(photo.rgb)
    if abs(math.log(width / height * photo_height / photo_width)) > _ASPECT_TOLERANCE:
        raise OptionError(
            f"{printable(other.name)}: is {width}×{height}, but the photo is "
            f"{photo_width}×{photo_height}; crop it to the photo's aspect ratio"
        )


def prepare(pictures: InputPictures, plan: Plan, device: torch.device) -> Inputs:
    """Bring the pictures to the device, and photo, masks and start to the final size."""

    def padded(tensor: Tensor) -> Tensor:
        sized = images.resize(tensor.to(device), plan.size)
        return F.pad(sized, (plan.pad,) * 4, mode="reflect") if plan.pad else sized

    photo = padded(pictures.photo.rgb)
    styles = pictures.used_styles if plan.strength else list(pictures.styles)
    paintings = [io.on_white(style.painting).to(device) for style in styles]
    if plan.keep_colors:
        longest = round(max(images.size_of(photo)) * plan.style_scale)
        paintings = [transfer_colors(resize_painting(p, longest), photo) for p in paintings]
    masks = [padded(io.to_mask(style.mask)) for style in styles if style.mask is not None]
    init = None
    if plan.strength and isinstance(pictures.init, Picture):
        init = padded(pictures.init.rgb)
    elif plan.strength and pictures.init == "noise":
        # in the size of the first scale: noise that is made smaller becomes flat gray
        first = plan.scales[0]
        random = generator(plan.seed, 0)
        init = torch.rand((1, 3, first.height, first.width), generator=random).to(device)
    weights = tuple(style.weight for style in styles)
    return Inputs(photo, tuple(paintings), weights, tuple(masks), init)


def resize_painting(painting: Tensor, longest: int) -> Tensor:
    """Resize a painting [1, 3, H, W] to a longest side, with a short side of at least 32 pixels."""
    height, width = images.fit(*images.size_of(painting), longest)
    return images.resize(painting, (max(32, height), max(32, width)))
