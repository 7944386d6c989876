"""What `hybridize` tells the user: the plan, warnings about the photos, and how well it worked."""

from collections.abc import Mapping

from torch import Tensor

from limner.hybrid import metrics
from limner.units import as_length

_MIN_EDGES = 0.1  # correlation of the edges below which the photos do not match
_MIN_CONTRAST = 0.01  # standard deviation of values in 0..1 below which there is nothing to see


def warnings(near: Tensor, far: Tensor, edge_correlation: float | None) -> list[str]:
    """Say what is wrong with two photos [1, 3, H, W] that were shrunk to `metrics.SIDE`."""

    def contrast(picture: Tensor) -> float:
        return picture.std((-2, -1)).max().item()

    found = []
    if contrast(metrics.fine_detail(near)) < _MIN_CONTRAST:
        found.append("the near photo has hardly any detail, so little of it will be visible")
    if contrast(far) < _MIN_CONTRAST:
        found.append("the far photo is flat, so there is nothing to see from far away")
    if (near - far).abs().max() < 1 / 255:
        found.append("the two photos are the same, and so is the result")
    elif edge_correlation is not None and edge_correlation < _MIN_EDGES:
        found.append(
            f"the two photos do not match well: the correlation of their edges is "
            f"{edge_correlation:.2f}, and must be at least {_MIN_EDGES} for a good hybrid; use "
            "--points to align them, or choose other photos"
        )
    return found


def results(
    scores: metrics.Scores,
    sigma: float,
    widths: Mapping[str, float],
    print_width: float | None,
    method: str,
) -> list[str]:
    """Say how well it worked, and from where to look.

    Parameters
    ----------
    scores : Scores
    sigma : float
        The cut-off in pixels at `metrics.SIDE`.
    widths : mapping of str to float
        The distances ``near`` and ``far``, in picture widths.
    print_width : float or None
        Width of the print in meters.
    method : str
        As in `hybridize`.
    """
    near, far = widths["near"], widths["far"]
    if print_width is None:
        places = f"{near:.1f} picture widths away, and only the far photo from {far:.1f}"
    else:
        near, far = near * print_width, far * print_width
        places = f"{as_length(near)} away, and only the far photo from {as_length(far)}"
    found = [
        f"sigma {sigma:.3g}. Correlation of the detail with the near photo: {scores.near:.2f} "
        f"(1 is best). Of the thumbnail with the far photo: {scores.far:.2f} (1 is best), with "
        f"the near photo: {scores.leak:.2f} (about {scores.floor:.2f} is best)",
        f"you see the near photo from up to {places}",
    ]
    other_method = "--method detail" if method == "article" else None
    if scores.near < metrics.MIN_NEAR:
        remedy = other_method or "a larger --sigma"
        found.append(f"from near, the near photo stays faint; try {remedy}")
    if scores.shortfall > 0:
        remedy = other_method or "a smaller --sigma, or a far photo with bolder shapes"
        found.append(f"from far away, the far photo does not dominate everywhere; try {remedy}")
    return found
