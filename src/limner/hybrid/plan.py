"""Prepare a hybrid: align the two photos, crop them to what both show, and settle the options."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from limner.errors import OptionError
from limner.hybrid import metrics, optimization
from limner.hybrid.align import (
    Similarity,
    common_rectangle,
    find_similarity,
    from_points,
    warp_to_part,
)
from limner.nn import images
from limner.units import INCH

MIN_SIZE, MAX_SIZE, MIN_SHORT_SIDE = 64, 32768, 16  # of the result, in pixels
# Memory at the peak: bytes per pixel of the result, and of everything else. benchmarks/hybrid.py
# measures both.
BYTES_PER_PIXEL = {"detail": 60, "fourier": 60, "descent": 200, "fast": 420}
BASE_BYTES = 350 * 2**20


@dataclass(frozen=True)
class Plan:
    """One hybrid to make: two aligned photos, and how to combine them.

    Attributes
    ----------
    near, far : Tensor
        [1, 3, H, W], sRGB in 0..1: the photos, cropped to what both show, at the size of the
        result.
    similarity : Similarity
        How the far photo was aligned.
    edge_correlation : float or None
        How well the edges meet, if that was measured.
    method, solver : str
        As in `limner.hybridize`.
    sigma, contrast : float or None
        The given cut-off, in pixels at `metrics.SIDE`, and the given contrast of the far photo.
        None: to be searched for.
    weight : float
        Weight of the near photo in the article's loss.
    steps : int
        Steps to do; 1 without optimization.
    print_width : float or None
        Width of the print in meters.
    """

    near: Tensor
    far: Tensor
    similarity: Similarity
    edge_correlation: float | None
    method: str
    solver: str
    sigma: float | None
    contrast: float | None
    weight: float
    steps: int
    print_width: float | None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result in pixels."""
        return images.size_of(self.near)

    @property
    def scale(self) -> float:
        """Pixels of the result for one pixel at `metrics.SIDE`."""
        return max(self.size) / metrics.SIDE

    @property
    def relative_width(self) -> float:
        """Width as a share of the longest side."""
        return self.size[1] / max(self.size)

    @cached_property
    def small(self) -> tuple[Tensor, Tensor]:
        """The near and the far photo, at most `metrics.SIDE` long."""
        return metrics.shrink(self.near), metrics.shrink(self.far)

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Resolution of the print, across and down."""
        if self.print_width is None:
            return None
        return (round(self.size[1] / self.print_width * INCH, 1),) * 2

    @property
    def stage(self) -> str:
        """What the progress display says."""
        return f"{max(self.size)} px"

    def summary(self, inputs: int) -> str:
        """Return the plan in one line. `inputs` are the bytes of the two photos in memory."""
        height, width = self.size
        algorithm = self.solver if self.method == "article" else self.method
        memory = BASE_BYTES + height * width * BYTES_PER_PIXEL[algorithm] + inputs
        return f"{width}×{height} px, {self.method}; about {memory / 2**30:.1f} GiB of memory"


def make_plan(
    near: Tensor, far: Tensor, options: Mapping[str, Any], lengths: Mapping[str, float]
) -> Plan:
    """Align two photos and plan their hybrid.

    Parameters
    ----------
    near, far : Tensor
        [1, 3, H, W], sRGB in 0..1. Their sizes may differ.
    options : mapping
        Keyword options of `limner.hybridize`, checked.
    lengths : mapping of str to float
        Those of ``near``, ``far`` and ``print_width`` that are given, in meters.

    Raises
    ------
    OptionError
        The points or distances cannot be used, or the result would be too small.
    """
    article = options["method"] == "article"
    longest = optimization.SIZE if article and options["size"] is None else options["size"]
    similarity, edge_correlation = _align(near, far, options)
    near, far = crop_to_common(near, far, similarity, longest)
    if options["near_gray"]:
        near = images.luma(near).expand_as(near)
    height, width = images.size_of(near)
    sigma = options["sigma"]
    if "far" in lengths:
        aspect = width / max(height, width)
        sigma = metrics.sigma_for_distances(
            lengths["near"], lengths["far"], lengths["print_width"], aspect
        )
    solver = options["solver"] or "descent"
    steps = 1
    if article:
        default = optimization.FAST_STEPS if solver == "fast" else optimization.STEPS
        steps = options["steps"] or default
    return Plan(
        near=near,
        far=far,
        similarity=similarity,
        edge_correlation=edge_correlation,
        method=options["method"],
        solver=solver,
        sigma=sigma,
        contrast=options["contrast"],
        weight=optimization.WEIGHT if options["weight"] is None else options["weight"],
        steps=steps,
        print_width=lengths.get("print_width"),
    )


def _align(
    near: Tensor, far: Tensor, options: Mapping[str, Any]
) -> tuple[Similarity, float | None]:
    """Return how to transform the far photo, and how well the edges then meet."""
    if options["points"]:
        sizes = images.size_of(near), images.size_of(far)
        return from_points(options["points"], *sizes), None
    return find_similarity(near, far) if options["align"] == "auto" else (Similarity(), None)


def crop_to_common(
    near: Tensor, far: Tensor, similarity: Similarity, longest: int | None
) -> tuple[Tensor, Tensor]:
    """Crop two photos [1, 3, H, W] to what both show, and resize them to `longest` pixels.

    With None they keep the resolution of the near photo.

    Raises
    ------
    OptionError
        They have too little in common, or the result would be too narrow.
    """
    whole = images.size_of(near)
    rows, columns = common_rectangle(similarity, whole, images.size_of(far))
    near = near[..., rows, columns]
    common = images.size_of(near)
    size = common if longest is None else images.fit(*common, longest)
    if min(size) < MIN_SHORT_SIDE:
        raise OptionError(
            f"--size: the result would be {size[1]}×{size[0]} px, and its short side must have at "
            f"least {MIN_SHORT_SIDE}; give a larger --size, or crop the photos"
        )
    return (
        near if size == common else images.resize(near, size),
        warp_to_part(far, similarity, whole, rows, columns, size),
    )
