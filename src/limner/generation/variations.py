"""`variations`: new pictures from one picture, in other arrangements and shapes, without training.

The picture is rearranged in patches of 7×7 pixels, from a coarse to a fine scale.
"""

import math
import re
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_range
from limner.errors import InputError, OptionError, printable
from limner.nn import devices, images
from limner.patches import field as fields
from limner.patches import search
from limner.patches.field import PATCH_SIZE
from limner.patches.vote import vote
from limner.progress import OnStep, Reporter, Stop, silent

COUNT, MAX_COUNT = 8, 100  # pictures
VARIETY = 0.5
MIN_SIDE, MAX_SIDE = 64, 4096  # pixels of a result's side
_LONGEST_SIDE = 1024  # pixels of a result's longer side, unless --size asks for another
_MIN_SOURCE_SIDE = 32  # pixels
_COARSEST = 16  # pixels of the shorter side where patches are first arranged: about two patches
_SCALE_STEP = 1.5  # ratio of the sizes of two levels
_MAX_EXACT = 20_000_000  # most pairs of patches of a level that compares all pairs
_MAX_SEARCHED = 1_600_000  # most pixels of a level that is searched; finer ones are upsampled only
_ROUNDS = (10, 3, 1)  # of search and vote: on the coarsest level, on exact levels, on finer ones
_COMPONENTS = (32, 16)  # principal components of a patch, on exact levels and on finer ones
_ALPHA = 0.3  # of the normalized scores, relative to the variance of the patches
_HEIGHT_WEIGHT = 1.0  # weight of a patch's height in the picture, relative to their deviation
_DRIFT = (0.12, 0.5)  # RMS drift of patches, vertical and horizontal, relative to the shorter side
_SOFT, _SHARP = 2.0, 1.0  # sigma of the votes in pixels: on the way, and at the end


@dataclass(frozen=True)
class _Level:
    """One level of the pyramid: the source at one scale, and the size of the result there."""

    source: Tensor  # [1, 3, H, W]
    size: tuple[int, int]  # height and width of the result
    exact: bool  # whether all pairs of patches are compared
    filters: Tensor | None  # [D, 3, 7, 7]; None: too large to be searched
    keys: Tensor | None  # descriptions of the source's patches, [H − 6, W − 6, D]


def variations(
    picture: io.Source,
    *,
    n: int = COUNT,
    size: str | None = None,
    variety: float = VARIETY,
    seed: int = 0,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> list[Image.Image]:
    """Make new pictures from one picture: the same things in other places.

    Every part of a new picture is copied from the original. What is at the top stays at the top.

    Parameters
    ----------
    picture : str, path or PIL image
        The original, at least 32 pixels wide and high. Transparent parts become white.
    n : int
        Number of pictures, from 1 to 100.
    size : str
        Width and height of the new pictures in pixels, such as ``1200x800``, each from 64 to 4096.
        Default: the size of the original, reduced to 1024 pixels on the longer side.
    variety : float
        How far things move, from 0 (they stay in place) to 1 (hardly anything stays).
    seed : int
        Random seed of the first picture. Each further picture has the next seed. The same seed
        gives the same picture.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    on_step : callable
        Called with a `Progress` before the first picture and after each one. If it raises `Stop`,
        the pictures that are done are returned.

    Returns
    -------
    list of PIL.Image.Image
        RGB. Each picture has its own recipe.

    Raises
    ------
    InputError
        The picture cannot be read, or is too small.
    OptionError
        An option is out of its range.

    Notes
    -----
    Patch nearest neighbors from coarse to fine, after Granot et al. 2022, "Drop the GAN: In Defense
    of Patches Nearest Neighbors as Single Image Generative Models". We differ in three ways. We
    start from the picture's own patches, moved by a smooth drift, and not from noise. Patches stay
    near their height in the picture. On fine levels we upsample coordinates, not colors (Lefebvre &
    Hoppe 2005), and compare a patch only with the candidates of its neighbors.
    """
    check_range("n", n, 1, MAX_COUNT)
    check_range("variety", variety, 0, 1)
    given_size = None if size is None else parse_size(size)
    torch_device, report = devices.pick(device), Reporter("variations", on_step)
    original = _read(picture, allow_huge)
    target = given_size or _default_size(*images.size_of(original.rgb))
    stage = f"{target[1]}×{target[0]} px"
    summary = f"{stage}, {n} picture{'s' * (n > 1)}"
    for note in (summary, *original.notes):
        report(stage, 0, n, note=note, size=target)
    pyramid = _build_pyramid(io.on_white(original), target, torch_device)
    results: list[Image.Image] = []
    for number in range(seed, seed + n):
        rgb = _synthesize(pyramid, variety, number)
        options = {
            "n": 1,
            "size": size,
            "variety": variety,
            "seed": number,
            "allow_huge": allow_huge,
        }
        recipe = io.make_recipe("variations", [original.name], options, [original])
        results.append(io.to_picture(rgb, like=original, recipe=recipe))
        try:
            report(stage, len(results), n, preview=results[-1].copy, size=target)
        except Stop:
            break
    return results


def _read(picture: io.Source, allow_huge: bool) -> io.Picture:
    original = io.read(picture, allow_huge=allow_huge)
    height, width = images.size_of(original.rgb)
    if min(height, width) < _MIN_SOURCE_SIDE:
        raise InputError(
            f"{printable(original.name)}: is {width} × {height} pixels; "
            f"use a picture of at least {_MIN_SOURCE_SIDE} × {_MIN_SOURCE_SIDE}"
        )
    return original


def parse_size(size: str) -> tuple[int, int]:
    """Return the height and width of ``1200x800``."""
    found = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", size)
    if found is None:
        raise OptionError(
            f"--size {printable(size)}: must be a width and a height in pixels, such as 1200x800"
        )
    width, height = int(found[1]), int(found[2])
    if not MIN_SIDE <= min(width, height) <= max(width, height) <= MAX_SIDE:
        raise OptionError(f"--size {size}: each side must be from {MIN_SIDE} to {MAX_SIDE} pixels")
    return height, width


def _default_size(height: int, width: int) -> tuple[int, int]:
    """The original's size, reduced, but with no side below the smallest that can be read."""
    smallest = _MIN_SOURCE_SIDE / min(height, width)
    scale = min(1.0, max(_LONGEST_SIDE / max(height, width), smallest))
    return round(height * scale), round(width * scale)


def _build_pyramid(rgb: Tensor, target: tuple[int, int], device: torch.device) -> list[_Level]:
    """The source at all scales, the coarsest first."""
    height, width = images.size_of(rgb)
    area = target[0] * target[1] / (height * width)
    # The source gets the area of the result, or its height. We use the geometric mean of both
    # scales: the vertical order makes a scene, but sideways things can be repeated.
    scale = min(area**0.25 * (target[0] / height) ** 0.5, (2 * area) ** 0.5)
    scale = max(scale, _COARSEST / min(height, width))
    source = round(height * scale), round(width * scale)
    coarsest = min(1.0, _COARSEST / min(*source, *target))
    count = math.ceil(-math.log(coarsest) / math.log(_SCALE_STEP))
    levels = []
    for index in range(count + 1):
        factor = coarsest ** (1 - index / count) if count else 1.0
        source_size, result_size = (
            (
                max(PATCH_SIZE + 1, round(one[0] * factor)),
                max(PATCH_SIZE + 1, round(one[1] * factor)),
            )
            for one in (source, target)
        )
        levels.append(_make_level(images.resize(rgb, source_size).to(device), result_size))
    return levels


def _make_level(source: Tensor, size: tuple[int, int]) -> _Level:
    """Prepare what all results share at one scale."""
    height, width = images.size_of(source)
    queries = (size[0] - PATCH_SIZE + 1) * (size[1] - PATCH_SIZE + 1)
    keys = (height - PATCH_SIZE + 1) * (width - PATCH_SIZE + 1)
    exact = queries * keys <= _MAX_EXACT
    if max(size[0] * size[1], height * width) > _MAX_SEARCHED:
        return _Level(source, size, exact, None, None)
    filters = search.pca_filters(source, _COMPONENTS[0] if exact else _COMPONENTS[1])
    return _Level(source, size, exact, filters, search.describe(source, filters))


def _synthesize(pyramid: list[_Level], variety: float, seed: int) -> Tensor:
    """Make one new picture [1, 3, H, W]."""
    random = torch.Generator().manual_seed(seed % 2**63)
    coarsest, previous = pyramid[0], pyramid[0]
    field = _first_field(coarsest.size, images.size_of(coarsest.source), variety, random)
    field = field.to(coarsest.source.device)
    for level in pyramid:
        if level is not coarsest:
            source_sizes = images.size_of(previous.source), images.size_of(level.source)
            field = fields.upsample(field, (previous.size, level.size), source_sizes)
        previous = level
        rounds = _ROUNDS[0] if level is coarsest else _ROUNDS[1] if level.exact else _ROUNDS[2]
        for _ in range(rounds if level.filters is not None else 0):
            field = _vote_and_search(level, field)
    return vote(previous.source, field, _SHARP)


def _vote_and_search(level: _Level, field: Tensor) -> Tensor:
    """Make the picture of a field, and find the source patch nearest to each of its patches."""
    assert level.filters is not None and level.keys is not None
    queries = search.describe(vote(level.source, field, _SOFT), level.filters)
    if not level.exact:
        return search.propagate(field, queries, level.keys)
    variance = float(level.keys.flatten(0, 1).var(0).sum())
    weight = _HEIGHT_WEIGHT * variance**0.5
    flat_queries, flat_keys = _append_height(queries, weight), _append_height(level.keys, weight)
    # a result that is smaller than the source cannot use all of it
    alpha = _ALPHA * variance * max(1.0, len(flat_keys) / len(flat_queries))
    found = search.nearest(flat_queries, flat_keys, alpha + 1e-6)
    width = level.keys.shape[1]
    return torch.stack((found // width, found % width)).view_as(field)


def _append_height(described: Tensor, weight: float) -> Tensor:
    """Append to descriptions [h, w, D] their height in the picture: [h · w, D + 1]."""
    h, w, _ = described.shape
    heights = torch.linspace(0, weight, h, device=described.device)[:, None, None]
    return torch.cat((described, heights.expand(h, w, 1)), 2).flatten(0, 1)


def _first_field(
    size: tuple[int, int], source: tuple[int, int], variety: float, random: torch.Generator
) -> Tensor:
    """The field to start from: the source, stretched to the height, repeated across, and moved.

    The movement is a smooth random drift. It is drawn on the CPU: the same on every device.
    """
    grid, inside = ([side - PATCH_SIZE + 1 for side in one] for one in (size, source))
    cells = [max(3, round(3 * side / min(size))) + 1 for side in size]
    noise = torch.randn(1, 2, *cells, generator=random)
    drift = F.interpolate(noise, grid, mode="bicubic", align_corners=True)[0]
    drift = drift / drift.square().mean((1, 2), keepdim=True).sqrt()  # the same RMS for every seed
    spare = max(0, inside[1] - grid[1])  # a narrower result begins anywhere in the source
    reach = variety * min(*source, *size)
    rows = torch.linspace(0, inside[0] - 1, grid[0])[:, None] + drift[0] * _DRIFT[0] * reach
    columns = torch.arange(grid[1]) + spare * torch.rand((), generator=random)
    columns = columns + drift[1] * _DRIFT[1] * reach
    rows = rows.round().long().clamp(0, inside[0] - 1)
    return torch.stack((rows, columns.round().long() % inside[1]))
