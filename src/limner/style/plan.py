"""What a run will do, before it does it: scales, steps, memory, tiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from limner.errors import OptionError
from limner.nn import devices
from limner.nn.images import fit
from limner.style.method import Method

# Peak bytes per pixel of one step in one piece, and what is there before: see benchmarks/memory.py.
BYTES_PER_PIXEL = {"compact": 1100, "vgg16": 3700, "vgg19": 3700}
BASE_BYTES = 350 * 2**20
# The picture, its gradient, the solver's four, the start, the photo and the content's features are
# held whole, tiles or not.
WHOLE_BYTES_PER_PIXEL = 210

# A run that would hold more is cut into tiles; on a machine of less than 18 GiB, a quarter of it.
BUDGET = 4.5 * 2**30

Number = TypeVar("Number", int, float)

SHORTEST = 16  # pixels: one position on the coarsest grid of a VGG


@dataclass(frozen=True)
class Scale:
    """One size at which the picture is painted.

    Attributes
    ----------
    side : int
        Longest side of the picture in pixels, bleed not counted.
    height, width : int
        Of what is painted, bleed included.
    steps, rate, content_weight
        How many, Adam's learning rate, and how much the content counts at strength 1.
    """

    side: int
    height: int
    width: int
    steps: int
    rate: float
    content_weight: float


@dataclass(frozen=True)
class Plan:
    """The scales of a run from the coarsest on, the memory of the largest, and how it is cut.

    Attributes
    ----------
    scales : tuple of Scale
    size : tuple of int
        Height and width of the result.
    bleed : int
        Pixels painted beyond it on every side of the last scale.
    memory : int
        Forecast of the peak, in bytes.
    tile : int
        Longest side of a tile in pixels; the longest side of the picture for no tiles.
    """

    scales: tuple[Scale, ...]
    size: tuple[int, int]
    bleed: int
    memory: int
    tile: int

    @property
    def steps(self) -> int:
        """Steps in all."""
        return sum(scale.steps for scale in self.scales)

    def share(self, done: Sequence[int]) -> float:
        """How much of the work is done, 0 to 1, after so many steps of each scale."""
        costs = [scale.height * scale.width for scale in self.scales]
        whole = sum(cost * scale.steps for cost, scale in zip(costs, self.scales, strict=True))
        return sum(cost * steps for cost, steps in zip(costs, done, strict=False)) / max(1, whole)

    def __str__(self) -> str:
        """One line for the user."""
        sizes = " → ".join(str(scale.side) for scale in self.scales)
        last = self.scales[-1]
        cut = f", in tiles of {self.tile} px" if self.tile < max(last.height, last.width) else ""
        return (
            f"{self.size[1]}×{self.size[0]} px by way of {sizes}; {self.steps} steps; "
            f"about {self.memory / 2**30:.1f} GiB of memory{cut}"
        )


def make_plan(
    height: int,
    width: int,
    size: int | None,
    steps: int | Sequence[int] | None,
    method: Method,
    shape: str,
    device: torch.device,
) -> Plan:
    """Plan a run for a photo of this height and width.

    Raises
    ------
    OptionError
        The size is below 64 or makes the picture too narrow; steps do not fit the scales.
    """
    size = method.size if size is None else size
    if size < 64:
        raise OptionError(f"--size {size}: must be at least 64 pixels")
    final = fit(height, width, size)
    if min(final) < SHORTEST:
        needed = -(-SHORTEST * max(height, width) // min(height, width))
        raise OptionError(
            f"--size {size}: the short side of {width}×{height} would be {min(final)} pixels, "
            f"less than {SHORTEST}; use --size {needed} or more, or crop the photo"
        )
    sides = [size]
    if method.coarsest:
        narrowest = SHORTEST * max(height, width) / min(height, width)
        while sides[0] / 2 >= max(method.coarsest, narrowest):
            sides.insert(0, round(sides[0] / 2))
    counts = _share_out(steps, [_nth(method.steps, i) for i in range(len(sides))])
    bleed = min(round(size * method.bleed), min(final) - 1)  # as far as reflection goes
    outer = (final[0] + 2 * bleed, final[1] + 2 * bleed)
    scales = tuple(
        Scale(
            side,
            *fit(*outer, round(max(outer) * side / size)),
            count,
            _nth(method.rates, i),
            _nth(method.content_weights, i),
        )
        for i, (side, count) in enumerate(zip(sides, counts, strict=True))
    )
    memory, tile = _within_memory(*outer, shape, min(BUDGET, devices.memory(device) // 4))
    return Plan(scales, final, bleed, memory, tile)


def _within_memory(height: int, width: int, shape: str, budget: float) -> tuple[int, int]:
    """Halve the tile until the forecast is within the budget; give the forecast and the tile."""
    pixels = height * width
    tile = max(height, width)

    def forecast() -> int:
        held = BASE_BYTES + pixels * WHOLE_BYTES_PER_PIXEL
        looked_at = min(pixels, (tile + 160) ** 2)  # a margin of 80 on each side
        return held + looked_at * BYTES_PER_PIXEL[shape]

    while forecast() > budget and tile > 512:
        tile = max(512, -(-tile // 32) * 16)
    return forecast(), tile


def _nth(values: tuple[Number, ...], index: int) -> Number:
    return values[min(index, len(values) - 1)]


def _share_out(steps: int | Sequence[int] | None, usual: list[int]) -> list[int]:
    """Steps of each scale: as usual, as given, or a total in the usual proportions."""
    if steps is None:
        return usual
    if isinstance(steps, int):
        if steps < len(usual):
            raise OptionError(f"--steps {steps}: must be at least {len(usual)}, one for each scale")
        shares = [steps * count / sum(usual) for count in usual]
        counts = [max(1, int(share)) for share in shares]
        while sum(counts) != steps:  # what rounding lost or gave too much, where it hurts least
            by = 1 if sum(counts) < steps else -1
            gaps = [by * (share - count) for share, count in zip(shares, counts, strict=True)]
            counts[max((g, i) for i, g in enumerate(gaps) if counts[i] + by > 0)[1]] += by
        return counts
    given = list(steps)
    if len(given) == 1 and len(usual) > 1:
        return _share_out(given[0], usual)
    if len(given) != len(usual) or min(given) < 0:
        raise OptionError(
            f"--steps {','.join(map(str, given))}: give one number, or {len(usual)}, one for each "
            "scale from the coarsest on"
        )
    return given
