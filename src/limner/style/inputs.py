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
from limner.errors import InputError, OptionError, printable
from limner.io import VISIBLE, Picture, Source
from limner.io.formats import READING_BYTES
from limner.nn import images
from limner.nn.seeding import generator
from limner.patches.sources import SourcePicture
from limner.style.mat import remark, without_mat
from limner.style.plan import Plan

StyleSource = Source | tuple[Source, float]

INITS = ("content", "noise")
DETAILS = ("auto", "none")
_ENLARGED = 1.5  # most that a painting is enlarged for its strokes: more would be blurred
SMALLEST_SOURCE = 32  # pixels of the longest side
_SOURCE_AREA = 3.0  # most pixels of all paintings together, relative to the result
_PLAIN = 0.01  # standard deviation of the colors of a painting without strokes


@dataclass(frozen=True)
class Style:
    """A painting, its weight, and the mask of where it goes; None for everywhere."""

    painting: Picture
    weight: float
    mask: Picture | None

    @property
    def is_used(self) -> bool:
        """Whether the mask is not black."""
        return self.mask is None or not io.is_black(self.mask)

    @property
    def note(self) -> str | None:
        """A remark for the user if the painting gives nothing."""
        if self.mask is not None and not self.is_used:
            mask = printable(self.mask.name)
            return f"{mask}: has no white area, so its painting goes nowhere"
        colors = visible_colors(_with_alpha(self.painting)).flatten(2)
        if float(colors.std(2, correction=0).max()) < _PLAIN:
            return f"{printable(self.painting.name)}: is one plain color, without brush strokes"
        return remark(self.painting)


@dataclass(frozen=True)
class InputPictures:
    """All pictures of a call, as they were read.

    Attributes
    ----------
    photo : Picture
    styles : tuple of Style
    init : Picture or str
        A picture, or one of ``INITS``.
    detail : Picture or str
        A mask, or one of ``DETAILS``.
    """

    photo: Picture
    styles: tuple[Style, ...]
    init: Picture | str
    detail: Picture | str = "auto"

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
        others = [one for one in (self.init, self.detail) if isinstance(one, Picture)]
        return [self.photo, *paintings, *self.masks, *others]

    @property
    def names(self) -> list[str]:
        """The inputs for the recipe: the photo, and the paintings with their weights."""
        styles = (f"{style.painting.name}:{style.weight!r}" for style in self.styles)
        return [self.photo.name, *styles]

    @property
    def notes(self) -> list[str]:
        """Remarks for the user about the pictures."""
        about = [style.note for style in self.styles]
        return [
            *(note for picture in self.all for note in picture.notes),
            *(note for note in about if note),
        ]

    def source_pixels(self, plan: Plan) -> int:
        """Pixels of the paintings in the size in which strokes are taken."""
        sizes = [images.size_of(style.painting.rgb) for style in self.used_styles]
        return sum(height * width for height, width in source_sizes(sizes, plan)) if sizes else 0

    @property
    def memory(self) -> int:
        """Bytes that the pictures take."""
        return sum(map(_held, self.all))

    @property
    def reading_memory(self) -> int:
        """Most bytes that the pictures take while they are read, one after the other."""
        held, most = 0, 0
        for picture in self.all:
            height, width = images.size_of(picture.rgb)
            reading = height * width * READING_BYTES[picture.alpha is not None]
            most = max(most, held + reading)
            held += _held(picture)
        return most


def _held(picture: Picture) -> int:
    """Bytes of the pixels of a picture."""
    return picture.rgb.nbytes + (0 if picture.alpha is None else picture.alpha.nbytes)


@dataclass(frozen=True)
class Inputs:
    """What is optimized: tensors on the device, sRGB in 0..1.

    Attributes
    ----------
    photo : Tensor
        [1, 3, H, W], the final size with padding.
    paintings : tuple of Tensor
        [1, 3, H', W'], each in its own size; with its alpha, [1, 4, H', W'], if it has
        transparent parts.
    weights : tuple of float
        The weight of each painting. Only their proportions matter.
    masks : tuple of Tensor
        [1, 1, H, W] for each painting; none if the paintings go everywhere.
    init : Tensor or None
        [1, 3, H', W'], the first iterate; None for the photo.
    sources : tuple of SourcePicture
        The paintings in the size in which strokes are taken; none if the method lays no strokes.
    detail : Tensor or None
        [1, 1, H, W], where the strokes keep the detail of the photo; None to find it.
    """

    photo: Tensor
    paintings: tuple[Tensor, ...]
    weights: tuple[float, ...]
    masks: tuple[Tensor, ...] = ()
    init: Tensor | None = None
    sources: tuple[SourcePicture, ...] = ()
    detail: Tensor | None = None


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
    detail: Source,
    *,
    allow_huge: bool,
    crop_style: bool = False,
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
    for one in paintings_read:
        if io.is_transparent(one):
            raise InputError(f"{printable(one.name)}: is transparent; use another painting")
    if crop_style:
        paintings_read = [without_mat(painting) for painting in paintings_read]
    masks_read: Sequence[Picture | None] = [read(source) for source in masks]
    init_read = init if isinstance(init, str) and init in INITS else read(init)
    is_word = isinstance(detail, str) and detail in DETAILS
    detail_read = str(detail) if is_word else read(detail)
    for other in (*masks_read, init_read, detail_read):
        if isinstance(other, Picture):
            io.check_aspect(other, photo_read, what="photo")
    weights = [weight for _, weight in paintings]
    styles = map(Style, paintings_read, weights, masks_read or [None] * len(paintings))
    return InputPictures(photo_read, tuple(styles), init_read, detail_read)


def prepare(pictures: InputPictures, plan: Plan, device: torch.device) -> Inputs:
    """Bring the pictures to the device, and photo, masks and start to the final size."""

    def padded(tensor: Tensor) -> Tensor:
        sized = images.resize(tensor.to(device), plan.size)
        return F.pad(sized, (plan.pad,) * 4, mode="reflect") if plan.pad else sized

    photo = padded(pictures.photo.rgb)
    styles = pictures.used_styles if plan.strength else list(pictures.styles)
    paintings = [_with_alpha(style.painting).to(device) for style in styles]
    if plan.keep_colors:
        longest = round(max(images.size_of(photo)) * plan.style_scale)
        paintings = [_recolored(resize_painting(p, longest), photo) for p in paintings]
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
    sources: list[SourcePicture] = []
    if plan.levels:
        sizes = source_sizes([images.size_of(painting) for painting in paintings], plan)
        for painting, size in zip(paintings, sizes, strict=True):
            sized = images.resize(painting, size)
            sources.append(SourcePicture(sized[:, :3], sized[:, 3:] if has_alpha(sized) else None))
    detail = None
    if isinstance(pictures.detail, Picture):
        detail = padded(io.to_mask(pictures.detail))
    elif pictures.detail == "none":
        detail = torch.zeros_like(photo[:, :1])
    return Inputs(photo, tuple(paintings), weights, tuple(masks), init, tuple(sources), detail)


def _with_alpha(painting: Picture) -> Tensor:
    """Return a painting, and 1 where it is visible, 0 where not, if parts are transparent.

    Those have the average color of what is visible.
    """
    if painting.alpha is None or float(painting.alpha.min()) >= VISIBLE:
        return painting.rgb
    visible = (painting.alpha >= VISIBLE).to(painting.rgb)
    average = (painting.rgb * visible).sum((2, 3), keepdim=True) / visible.sum()
    return torch.cat((torch.lerp(average, painting.rgb, visible), visible), 1)


def _recolored(painting: Tensor, photo: Tensor) -> Tensor:
    """Give a painting, with or without alpha, the colors of the photo."""
    colors = transfer_colors(visible_colors(painting), photo)
    if colors.shape[2:] == painting.shape[2:]:
        return torch.cat((colors, painting[:, 3:]), 1)
    recolored = painting.clone()
    recolored[:, :3] = colors.mean((2, 3), keepdim=True)
    recolored[:, :3, painting[0, 3] >= VISIBLE] = colors[:, :, 0]
    return recolored


def has_alpha(painting: Tensor) -> bool:
    """Whether a painting has a channel of alpha."""
    return painting.shape[1] == 4


def visible_colors(painting: Tensor) -> Tensor:
    """Return the colors of the visible pixels, [1, 3, 1, N]; of a painting without alpha, all.

    If fewer than two are left in a small copy, all count: the others have the average color.
    """
    if not has_alpha(painting):
        return painting
    visible = painting[0, 3] >= VISIBLE
    return painting[:, :3, visible][:, :, None] if visible.sum() > 1 else painting[:, :3]


def source_sizes(paintings: Sequence[tuple[int, int]], plan: Plan) -> list[tuple[int, int]]:
    """Return the sizes in which strokes are taken from paintings of these heights and widths."""
    sizes = []
    for height, width in paintings:
        longest = min(max(plan.size) * plan.style_scale, max(height, width) * _ENLARGED)
        sizes.append(images.fit(height, width, max(SMALLEST_SOURCE, round(longest))))
    area = sum(height * width for height, width in sizes)
    most = _SOURCE_AREA * plan.size[0] * plan.size[1] * max(1.0, plan.style_scale) ** 2
    ratio = min(1.0, most / area) ** 0.5
    return [
        (max(SMALLEST_SOURCE // 2, round(h * ratio)), max(SMALLEST_SOURCE // 2, round(w * ratio)))
        for h, w in sizes
    ]


def resize_painting(painting: Tensor, longest: int) -> Tensor:
    """Resize a painting [1, 3, H, W] to a longest side, with a short side of at least 32 pixels."""
    height, width = images.fit(*images.size_of(painting), longest)
    return images.resize(painting, (max(32, height), max(32, width)))
