"""The plan of a run, made before its first step: scales, steps, memory and tiles."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from limner.checks import check_range
from limner.errors import OptionError
from limner.nn import devices
from limner.nn.images import fit
from limner.patches.index import MAX_SIMILAR
from limner.patches.synthesis import SCALE_STEP, count_levels
from limner.style.method import Method

# Peak bytes per pixel of one step without tiles, and what the process holds before the first step:
# see benchmarks/memory.py.
BYTES_PER_PIXEL = {"compact": 1100, "vgg16": 3700, "vgg19": 3700}
BASE_BYTES = 350 * 2**20
# Held for the whole picture even with tiles: the picture, its gradient, four tensors of the
# optimizer, the start, the photo and the content features.
WHOLE_BYTES_PER_PIXEL = 210

# A run that would need more is cut into tiles. On a machine with less than 18 GiB, a quarter of its
# memory.
MEMORY_LIMIT = 4.5 * 2**30

# Of laying strokes: before the last level, for the picture, and for the patches of the paintings.
# See benchmarks/memory.py.
STROKES_BASE_BYTES, STROKES_BYTES_PER_PIXEL = 410 * 2**20, 175
STROKES_BYTES_PER_SOURCE_PIXEL = 275
SIMILAR_BYTES_PER_SOURCE_PIXEL = 520  # where the most similar patches of each patch are found
STEPS_PER_LEVEL = 10  # steps of the network that take as long as a level of strokes, per pixel

SMALLEST = 64  # pixels, the longest side of the result
SHORTEST = 16  # pixels, the shortest side at every scale: one position of VGG's coarsest layers

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Scale:
    """One size at which the picture is optimized.

    Attributes
    ----------
    side : int
        Longest side of the picture in pixels, without padding.
    height, width : int
        Size of the optimized picture, with padding.
    steps : int
        Steps at this scale.
    learning_rate : float
        Adam's learning rate.
    content_weight : float
        Weight of the content loss at strength 1.
    """

    side: int
    height: int
    width: int
    steps: int
    learning_rate: float
    content_weight: float


@dataclass(frozen=True)
class Plan:
    """Everything about a run except its pictures.

    Attributes
    ----------
    method : Method
        The preset.
    scales : tuple of Scale
        The coarsest first.
    size : tuple of int
        Height and width of the result.
    pad : int
        Pixels of reflection padding on each side at the last scale.
    tile : int
        Longest side of a tile in pixels; that of the padded picture for no tiles.
    strength, style_scale, keep_colors, seed
        Options of `stylize`. The strength is 0 if the result is the photo itself.
    memory : int
        Forecast of the peak memory in bytes; 0 until `within_memory` computes it.
    levels : int
        Levels of strokes, 0 for none.
    """

    method: Method
    scales: tuple[Scale, ...]
    size: tuple[int, int]
    pad: int
    tile: int
    strength: float = 1.0
    style_scale: float = 1.0
    keep_colors: bool = False
    seed: int = 0
    memory: int = 0
    levels: int = 0

    @property
    def steps(self) -> int:
        """Steps at all scales together, and levels of strokes."""
        return sum(scale.steps for scale in self.scales) + self.levels

    def steps_option(self, steps_done: Sequence[int], levels_done: int) -> list[int]:
        """Return the value of ``steps`` that makes a run end after these steps and levels."""
        all_levels = count_levels(self.size) if self.method.strokes and self.strength else 0
        return [*steps_done, *([levels_done] if levels_done < all_levels else [])]

    def share(self, steps_done: Sequence[int], levels_done: int = 0) -> float:
        """Return the share of the work that is done, 0 to 1, after these steps and levels."""
        costs = [scale.height * scale.width for scale in self.scales]
        total = sum(cost * scale.steps for cost, scale in zip(costs, self.scales, strict=True))
        done = sum(cost * steps for cost, steps in zip(costs, steps_done, strict=True))
        strokes = self.size[0] * self.size[1] * STEPS_PER_LEVEL
        laid = [strokes * SCALE_STEP ** (2 * (i - self.levels)) for i in range(self.levels)]
        return (done + sum(laid[:levels_done])) / max(1, total + sum(laid))

    def stage(self, steps_done: Sequence[int], level_size: tuple[int, int] | None = None) -> str:
        """Return the last scale that has steps, or the size of the strokes: ``"512 px"``."""
        if level_size:
            return f"strokes at {max(level_size)} px"
        index = max((i for i, steps in enumerate(steps_done) if steps), default=0)
        return f"{self.scales[index].side} px"

    def __str__(self) -> str:
        """Describe the plan in one line for the user."""
        height, width = self.size
        parts = [f"{width}×{height} px"]
        if len(self.scales) > 1:
            parts = [f"{parts[0]}, from coarse to fine: " + " → ".join(self._sides())]
        if self.levels:
            parts.append("strokes of the paintings")
        memory = f"about {self.memory / 2**30:.1f} GiB of memory"
        last = self.scales[-1]
        if self.tile < max(last.height, last.width):
            memory += f", in tiles of {self.tile} px"
        return "; ".join((*parts, f"{self.steps} steps", memory))

    def _sides(self) -> list[str]:
        return [str(scale.side) for scale in self.scales]


def check_size_and_steps(size: int | None, steps: int | Sequence[int] | None) -> None:
    """Refuse sizes and steps that suit no photo.

    Raises
    ------
    OptionError
        The size is below 64, or a number of steps is too low.
    """
    check_range("size", size, SMALLEST)
    if isinstance(steps, int):
        check_range("steps", steps, 1)
    elif steps is not None and min(steps, default=-1) < 0:
        raise OptionError(
            f"--steps {','.join(map(str, steps))}: give one number, or one for each size, each at "
            "least 0"
        )


def make_plan(
    height: int,
    width: int,
    method: Method,
    *,
    size: int | None = None,
    steps: int | Sequence[int] | None = None,
    strength: float = 1.0,
    style_scale: float = 1.0,
    keep_colors: bool = False,
    seed: int = 0,
) -> Plan:
    """Plan a run for a photo of this height and width.

    Parameters
    ----------
    height, width : int
        Size of the photo in pixels.
    method : Method
        The preset.
    size, steps, strength, style_scale, keep_colors, seed
        See `stylize`. With strength 0 there is one scale without steps.

    Raises
    ------
    OptionError
        The size makes the picture too narrow, or the steps do not fit the scales.
    """
    size = method.size if size is None else size
    final = fit(height, width, size)
    if min(final) < SHORTEST:
        needed = -(-SHORTEST * max(height, width) // min(height, width))
        raise OptionError(
            f"--size {size}: the result would be {final[1]}×{final[0]} pixels, and both sides must "
            f"be at least {SHORTEST}; use --size {needed} or more, or crop the photo"
        )
    network = runs_network(method, strength)
    narrowest = SHORTEST * max(height, width) / min(height, width)
    network_size = max(method.network_size or size, math.ceil(narrowest))
    sides = [min(size, network_size) if network else size]
    if method.coarsest and network:
        while sides[0] / 2 >= max(method.coarsest, narrowest):
            sides.insert(0, round(sides[0] / 2))
    defaults = [_at_scale(method.steps, i) for i in range(len(sides))]
    levels = count_levels(final) if method.strokes and strength else 0
    if not isinstance(steps, int | None) and levels and len(steps) == len(sides) + 1:
        if steps[-1] > levels:
            raise OptionError(
                f"--steps {','.join(map(str, steps))}: the last number is that of the levels of "
                f"strokes; must be from 0 to {levels}"
            )
        *steps, levels = steps
    steps_per_scale = _distribute(steps, defaults) if network else [0]
    pad = min(round(size * method.pad), min(final) - 1)  # reflection reaches no further
    padded = (final[0] + 2 * pad, final[1] + 2 * pad)
    scales = tuple(
        Scale(
            side,
            *fit(*padded, round(max(padded) * side / size)),
            count,
            _at_scale(method.learning_rates, i),
            _at_scale(method.content_weights, i),
        )
        for i, (side, count) in enumerate(zip(sides, steps_per_scale, strict=True))
    )
    tile = max(padded)
    return Plan(
        method, scales, final, pad, tile, strength, style_scale, keep_colors, seed, levels=levels
    )


def runs_network(method: Method, strength: float) -> bool:
    """Say whether the network runs. Up to strength 0.5, strokes follow the photo alone."""
    return strength > (0.5 if method.strokes else 0)


def within_memory(
    plan: Plan,
    shape: str,
    device: torch.device,
    pictures: int = 0,
    source_pixels: Callable[[Plan], int] = lambda plan: 0,
    reading: int = 0,
) -> Plan:
    """Return a plan with the forecast of its memory, and with tiles if it would need too much.

    Parameters
    ----------
    plan : Plan
        As `make_plan` returns it.
    shape : str
        The network: a key of `limner.nn.features.SHAPES`.
    device : torch.device
        Where to compute.
    pictures : int
        Bytes that the input pictures take. They count in the forecast, not for the tiles.
    source_pixels : callable
        Returns the pixels of the paintings from which the strokes of a plan are taken.
    reading : int
        Most bytes that the input pictures took while they were read. It counts in the forecast,
        but is no reason to refuse: the pictures have been read.

    Raises
    ------
    OptionError
        The machine has too little memory for this size.
    """
    available, size = devices.room(device), max(plan.size)
    limit = min(MEMORY_LIMIT, devices.memory(device) // 4)  # what others hold changes no pixel

    def forecast(size: int) -> tuple[int, int]:
        """Return bytes and tile for a longest side of at most that of the plan."""
        scaled, last = _scaled(plan, size), plan.scales[-1]
        longest = max(last.height, last.width)
        if last.side > size:
            longest = round(longest * size / last.side)
        network, tile = _choose_tile(*fit(last.height, last.width, longest), shape, limit)
        strokes = 0
        if plan.levels:
            strokes = STROKES_BASE_BYTES + math.prod(scaled.size) * STROKES_BYTES_PER_PIXEL
            strokes += _source_bytes(source_pixels(scaled))
        return max(network, strokes) + pictures, tile

    needed, tile = forecast(size)
    if needed > available:
        sizes = range(10, size, 10)
        free = 0.99 * available  # sizes are rounded
        fitting = bisect_left(sizes, True, key=lambda side: forecast(side)[0] > free)
        largest = 10 * fitting
        remedy = f"use --size {largest}" if largest >= SMALLEST else "close other programs"
        raise OptionError(
            f"--size {size}: needs about {needed / 2**30:.1f} GiB of memory, and "
            f"{available / 2**30:.1f} GiB are free; {remedy}"
        )
    return replace(plan, memory=max(needed, BASE_BYTES + reading), tile=tile)


def _source_bytes(pixels: int) -> int:
    """Return the bytes for the patches of paintings that have these pixels together."""
    finds_similar = pixels <= MAX_SIMILAR
    per_pixel = SIMILAR_BYTES_PER_SOURCE_PIXEL if finds_similar else STROKES_BYTES_PER_SOURCE_PIXEL
    return pixels * per_pixel


def _scaled(plan: Plan, size: int) -> Plan:
    """Return a plan with the same result in another size, for its memory alone."""
    return replace(plan, size=fit(*plan.size, max(1, size)))


def _choose_tile(height: int, width: int, shape: str, limit: float) -> tuple[int, int]:
    """Halve the tile until the forecast is within the limit; return the forecast and the tile."""
    pixels = height * width
    tile = max(height, width)

    def forecast() -> int:
        held = BASE_BYTES + pixels * WHOLE_BYTES_PER_PIXEL
        per_step = min(pixels, (tile + 160) ** 2)  # with a margin of 80 on each side
        return held + per_step * BYTES_PER_PIXEL[shape]

    while forecast() > limit and tile > 512:
        tile = max(512, -(-tile // 32) * 16)
    return forecast(), tile


def _at_scale(values: tuple[Number, ...], index: int) -> Number:
    return values[min(index, len(values) - 1)]


def _distribute(steps: int | Sequence[int] | None, defaults: list[int]) -> list[int]:
    """Return the steps at each scale.

    The default; or as given for each scale; or a given total in the proportions of the default.
    """
    if steps is None:
        return defaults
    if isinstance(steps, int):
        if steps < len(defaults):
            raise OptionError(
                f"--steps {steps}: must be at least {len(defaults)}, one for each size"
            )
        shares = [steps * default / sum(defaults) for default in defaults]
        counts = [max(1, int(share)) for share in shares]
        while sum(counts) != steps:  # correct the rounding where the difference is largest
            by = 1 if sum(counts) < steps else -1
            gaps = [by * (share - count) for share, count in zip(shares, counts, strict=True)]
            counts[max((g, i) for i, g in enumerate(gaps) if counts[i] + by > 0)[1]] += by
        return counts
    given = list(steps)
    if len(given) == 1 and len(defaults) > 1:
        return _distribute(given[0], defaults)
    if len(given) != len(defaults):
        remedy = "give one number, because this size is painted in one stage"
        if len(defaults) > 1:
            remedy = f"give a total, or {len(defaults)} numbers, for the sizes from small to large"
        raise OptionError(f"--steps {','.join(map(str, given))}: {remedy}")
    return given
