"""`variations`: new pictures out of one, of other arrangement and other shape, without training."""

import math
import re
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner._version import __version__
from limner.errors import InputError, OptionError, printable
from limner.nn import devices, images
from limner.patches import search
from limner.patches.field import carry
from limner.patches.search import SIDE
from limner.patches.vote import vote
from limner.progress import OnStep, Progress, Stop, silent

MOST = 100  # pictures
SIDES = (64, 4096)  # pixels that a side may have
_LONGEST = 1024  # pixels of the longer side, where none is asked for
_LEAST = 32  # pixels of a side of the source
_COARSEST = 16  # pixels of the shortest side where the arrangement is made: two patches and a bit
_STEP = 1.5  # from one level to the next
_EXACT = 20_000_000  # distances between patches up to which all are looked at
_REFINED = 1_600_000  # pixels up to which neighbours are asked; beyond them places are carried
_ROUNDS = (10, 3, 1)  # of search and vote: at the coarsest level, at exact ones, at finer ones
_DEPTH = (32, 16)  # numbers that a patch is described by, at exact levels and at finer ones
_EVEN = 0.3  # alpha of the normalised scores, as a share of the variance of patches
_HEIGHT = 1.0  # weight of a patch's height in the picture, as a share of their spread
_WANDER = (0.12, 0.5)  # of the shortest side: how far patches go, up and across (RMS)
_SOFT, _SHARP = 2.0, 1.0  # sigma of the votes, on the way and at last


@dataclass(frozen=True)
class _Level:
    """The source at one scale, and the size of the picture there."""

    source: Tensor  # [1, 3, H, W]
    size: tuple[int, int]  # height and width
    exact: bool  # whether all patches are compared with all
    filters: Tensor | None  # None: too large to be searched
    keys: Tensor | None  # [H − 6, W − 6, D]


def variations(
    picture: io.Source,
    *,
    n: int = 8,
    size: str | None = None,
    variety: float = 0.5,
    seed: int = 0,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> list[Image.Image]:
    """Make new pictures out of one: the same things in other places.

    All that is in them comes from the picture, patch by patch. What is above stays above.

    Parameters
    ----------
    picture : str, path or PIL image
        At least 32 pixels a side. Transparent parts are taken as white.
    n : int
        How many, 1 to 100.
    size : str
        Their width and height in pixels, ``1200x800``, each 64 to 4096; left out, the picture's
        own, made smaller where its longer side is above 1024.
    variety : float
        How far things may wander, 0 to 1: at 0 it is the picture itself, where it has its
        shape; at 1 hardly anything stays where it was.
    seed : int
        Of the first; each further one's is one more.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    allow_huge : bool
        Read pictures of more than 100 megapixels too.
    on_step : callable
        Called with a `Progress` before the first picture and after every one. Raise `Stop` in it to
        end early with those that are done.

    Returns
    -------
    list of PIL.Image.Image
        RGB; each carries a recipe of its own.

    Raises
    ------
    InputError
        The picture cannot be read, or is too small.
    OptionError
        An option out of its range.

    Notes
    -----
    Patch nearest neighbours from coarse to fine, after Granot et al. 2022, "Drop the GAN: In
    Defense of Patches Nearest Neighbors as Single Image Generative Models". Unlike them we begin
    with the picture's own pieces, wandered smoothly, instead of noise; keep patches near their
    height; and carry places instead of colours to finer levels (Lefebvre and Hoppe 2005), where a
    patch asks its neighbours only.
    """
    began = time.monotonic()
    if not 1 <= n <= MOST:
        raise OptionError(f"-n {n}: must be from 1 to {MOST}")
    if not 0 <= variety <= 1:
        raise OptionError(f"--variety {variety:g}: must be from 0 to 1")
    asked = _sides(size) if size is not None else None
    where = devices.pick(device)
    subject = io.read(picture, allow_huge=allow_huge)
    height, width = images.size_of(subject.rgb)
    if min(height, width) < _LEAST:
        raise InputError(
            f"{printable(subject.name)}: is {width} × {height} pixels; "
            f"use one of at least {_LEAST} × {_LEAST}"
        )
    target = asked or _own(height, width)
    made: list[Image.Image] = []

    def tell(note: str = "") -> None:
        on_step(
            Progress(
                "variations",
                f"{target[1]}×{target[0]} px",
                len(made),
                n,
                time.monotonic() - began,
                preview=made[-1].copy if made else None,
                note=note,
                share=len(made) / n,
                size=target,
            )
        )

    tell(f"{target[1]}×{target[0]} px, {n} picture{'s' * (n > 1)}")
    for note in subject.notes:
        tell(note)
    levels = _levels(io.on_white(subject), target, where)
    for number in range(seed, seed + n):
        rgb = _arranged(levels, variety, number)
        options = {"n": 1, "size": size, "variety": variety, "seed": number}
        recipe = {
            "verb": "variations",
            "version": __version__,
            "inputs": [subject.name],
            "options": {**options, "allow_huge": allow_huge},
            "files": {subject.name: subject.sha256},
        }
        made.append(io.to_picture(rgb, like=subject, recipe=recipe))
        try:
            tell()
        except Stop:
            break
    return made


def _sides(size: str) -> tuple[int, int]:
    """Height and width out of ``1200x800``."""
    found = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", size)
    if found is None:
        raise OptionError(
            f"--size {printable(size)}: must be a width and a height in pixels, as in 1200x800"
        )
    width, height = int(found[1]), int(found[2])
    if not SIDES[0] <= min(width, height) <= max(width, height) <= SIDES[1]:
        raise OptionError(f"--size {size}: each side must be from {SIDES[0]} to {SIDES[1]} pixels")
    return height, width


def _own(height: int, width: int) -> tuple[int, int]:
    """The picture's own size, made smaller as far as its shorter side allows."""
    least = _LEAST / min(height, width)
    scale = min(1.0, max(_LONGEST / max(height, width), least))
    return round(height * scale), round(width * scale)


def _levels(rgb: Tensor, target: tuple[int, int], device: torch.device) -> list[_Level]:
    """The source at all scales, the coarsest first."""
    height, width = images.size_of(rgb)
    share = target[0] * target[1] / (height * width)
    # As large as the picture that is made, or as high: we go half way, for what is above what is
    # what makes a scene, while beside a thing there may be another one.
    scale = min(share**0.25 * (target[0] / height) ** 0.5, (2 * share) ** 0.5)
    scale = max(scale, _COARSEST / min(height, width))
    source = round(height * scale), round(width * scale)
    coarsest = min(1.0, _COARSEST / min(*source, *target))
    count = math.ceil(-math.log(coarsest) / math.log(_STEP))
    levels = []
    for index in range(count + 1):
        factor = coarsest ** (1 - index / count) if count else 1.0
        there, here = (
            (max(SIDE + 1, round(size[0] * factor)), max(SIDE + 1, round(size[1] * factor)))
            for size in (source, target)
        )
        levels.append(_level(images.resize(rgb, there).to(device), here))
    return levels


def _level(source: Tensor, size: tuple[int, int]) -> _Level:
    """What is the same for all pictures at one scale."""
    queries = (size[0] - SIDE + 1) * (size[1] - SIDE + 1)
    exact = queries * (source.shape[-2] - SIDE + 1) * (source.shape[-1] - SIDE + 1) <= _EXACT
    if max(size[0] * size[1], source.shape[-2] * source.shape[-1]) > _REFINED:
        return _Level(source, size, exact, None, None)
    filters = search.basis(source, _DEPTH[0] if exact else _DEPTH[1])
    return _Level(source, size, exact, filters, search.describe(source, filters))


def _arranged(levels: list[_Level], variety: float, seed: int) -> Tensor:
    """One new picture [1, 3, H, W]."""
    random = torch.Generator().manual_seed(seed % 2**63)
    first, before = levels[0], levels[0]
    field = _wandered(first.size, images.size_of(first.source), variety, random)
    field = field.to(first.source.device)
    for level in levels:
        if level is not first:
            sizes = images.size_of(before.source), images.size_of(level.source)
            field = carry(field, (before.size, level.size), sizes)
        before = level
        rounds = _ROUNDS[0] if level is first else _ROUNDS[1] if level.exact else _ROUNDS[2]
        for _ in range(rounds if level.filters is not None else 0):
            field = _searched(level, field)
    return vote(before.source, field, _SHARP)


def _searched(level: _Level, field: Tensor) -> Tensor:
    """Put the picture together, and find what is nearest to each of its patches."""
    assert level.filters is not None and level.keys is not None
    queries = search.describe(vote(level.source, field, _SOFT), level.filters)
    if not level.exact:
        return search.refine(field, queries, level.keys)
    variance = float(level.keys.flatten(0, 1).var(0).sum())
    here, there = (_placed(one, _HEIGHT * variance**0.5) for one in (queries, level.keys))
    # of a source that is larger than the picture, not everything can be used
    alpha = _EVEN * variance * max(1.0, len(there) / len(here))
    found = search.nearest(here, there, alpha + 1e-6)
    width = level.keys.shape[1]
    return torch.stack((found // width, found % width)).view_as(field)


def _placed(described: Tensor, weight: float) -> Tensor:
    """Described patches [h, w, D] with their height in the picture beside, [h · w, D + 1]."""
    h, w, _ = described.shape
    heights = torch.linspace(0, weight, h, device=described.device)[:, None, None]
    return torch.cat((described, heights.expand(h, w, 1)), 2).flatten(0, 1)


def _wandered(
    size: tuple[int, int], source: tuple[int, int], variety: float, random: torch.Generator
) -> Tensor:
    """A first field: the source from top to bottom, repeated across, and wandered smoothly."""
    grid, inside = ([side - SIDE + 1 for side in one] for one in (size, source))
    cells = [max(3, round(3 * side / min(size))) + 1 for side in size]
    noise = torch.randn(1, 2, *cells, generator=random)
    drift = F.interpolate(noise, grid, mode="bicubic", align_corners=True)[0]
    drift = drift / drift.square().mean((1, 2), keepdim=True).sqrt()  # no picture stays behind
    spare = max(0, inside[1] - grid[1])  # a narrower picture is a window somewhere
    reach = variety * min(*source, *size)
    rows = torch.linspace(0, inside[0] - 1, grid[0])[:, None] + drift[0] * _WANDER[0] * reach
    columns = torch.arange(grid[1]) + spare * torch.rand((), generator=random)
    columns = columns + drift[1] * _WANDER[1] * reach
    rows = rows.round().long().clamp(0, inside[0] - 1)
    return torch.stack((rows, columns.round().long() % inside[1]))
