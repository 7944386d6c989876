"""How well a hybrid does, the cut-off that does best, and from where it is to be looked at."""

from dataclasses import dataclass

import torch
from torch import Tensor

from limner.errors import OptionError
from limner.hybrid.blend import RESPONSES
from limner.hybrid.spectrum import blurred, low_pass
from limner.nn import images

SIDE = 512  # longest side, in pixels, of what is scored and searched; sigmas are in its pixels
THUMBNAIL = 64  # and of a picture seen from afar
FINE = 3.0  # sigma above which, in `SIDE`, detail counts as seen from near
SIGMAS = (2.0, 2.4, 2.8, 3.4, 4.0, 4.8, 5.7, 6.7, 8.0)
CONTRASTS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
LEAST_NEAR = 0.85
LEAST_FAR, MOST_LEAK, LEAST_WORST = 0.95, 0.05, 0.85
MOST_CLIPPED = 0.005

_PART, _UNSEEN = 16, 2e-3  # pixels of a thumbnail; about twice the variance of a contrast of 3%

_CYCLES = 0.187  # cycles a pixel at which a Gaussian of one pixel has fallen to a half
_ACUITY = 15.0  # cycles a degree that an eye makes out without effort
_DEGREES = 57.3  # in a radian
_CLOSER = 3.0  # times: so much nearer than the far picture's distance the near one is seen well


@dataclass(frozen=True)
class Scores:
    """How a hybrid compares with its two pictures; correlations, 1 for the same.

    Attributes
    ----------
    near : float
        Detail of the hybrid and of the near picture.
    far : float
        Thumbnails of the hybrid and of the far picture.
    leak, floor : float
        Thumbnails of the hybrid and of the near picture; and of the far and the near one, below
        which no leak can be expected to fall.
    worst : float
        Structural similarity of the first two thumbnails in the worst of their parts. A shape of
        the near picture in the far one's empty sky spoils the view, and no correlation of all.
    """

    near: float
    far: float
    leak: float
    floor: float
    worst: float

    @property
    def lack(self) -> float:
        """By how much the far picture fails to rule from afar; at most 0 where it rules."""
        return max(
            LEAST_FAR - self.far, self.leak - self.floor - MOST_LEAK, LEAST_WORST - self.worst
        )


def shrunk(picture: Tensor, longest: int = SIDE) -> Tensor:
    """Return a picture [1, C, H, W] with its longest side at most so long."""
    size = images.size_of(picture)
    return picture if max(size) <= longest else images.resize(picture, images.fit(*size, longest))


def fine_detail(picture: Tensor) -> Tensor:
    """What of a picture [1, C, H, W] counts as seen from near."""
    return picture - blurred(picture, FINE * max(images.size_of(picture)) / SIDE)


def score(hybrid: Tensor, near: Tensor, far: Tensor) -> Scores:
    """Score a hybrid; all [1, 3, H, W], sRGB in 0..1, of one size.

    The far picture with the contrast that it has in the hybrid.
    """
    hybrid, near, far = shrunk(hybrid), shrunk(near), shrunk(far)
    ours, nears, fars = (shrunk(picture, THUMBNAIL) for picture in (hybrid, near, far))
    return Scores(
        correlation(fine_detail(hybrid), fine_detail(near)),
        correlation(ours, fars),
        correlation(ours, nears),
        correlation(fars, nears),
        worst_similarity(ours, fars),
    )


def correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's, over all values; 0 where one of them has no contrast at all."""
    one, other = one - one.mean(), other - other.mean()
    norms = (one.norm() * other.norm()).item()
    return (one * other).sum().item() / norms if norms > 1e-6 else 0.0


def worst_similarity(one: Tensor, other: Tensor) -> float:
    """Structure and contrast of two pictures in the part where they differ most; 1 for the same.

    The structural similarity of Wang et al. (2004), equation 13 without its term of brightness, of
    luma, over overlapping parts; its constant stands for contrasts of 3% that nobody notices.
    """
    side = min(_PART, *images.size_of(one))
    parts = []
    for picture in (one, other):
        grey = images.luma(picture)
        both_ways = torch.cat((grey, grey.flip((-2, -1))))  # what one leaves over, the other has
        parts.append(both_ways.unfold(2, side, side // 2).unfold(3, side, side // 2))
    ours, theirs = (part - part.mean((-1, -2), keepdim=True) for part in parts)
    both = (ours * theirs).mean((-1, -2))
    each = (ours.square() + theirs.square()).mean((-1, -2))
    return ((2 * both + _UNSEEN) / (each + _UNSEEN)).min().item()


def clipped(picture: Tensor) -> float:
    """Share of the values that lie outside 0..1."""
    return ((picture < 0) | (picture > 1)).float().mean().item()


def search(
    near: Tensor, far: Tensor, method: str, sigma: float | None, contrast: float | None
) -> tuple[float, float]:
    """Find the cut-off and the far picture's contrast.

    Of each cut-off the highest contrast at which hardly anything clips; of those at which the far
    picture rules from afar, the one that keeps most of the near one's detail.

    Parameters
    ----------
    near, far : Tensor
        [1, 3, H, W], sRGB in 0..1, of one size.
    method : str
        A key of ``RESPONSES``.
    sigma, contrast : float or None
        Found unless given.

    Returns
    -------
    tuple of float
        Sigma, in pixels of a picture whose longest side is ``SIDE``, and contrast.
    """
    near, far = shrunk(near), shrunk(far)
    pixels = max(images.size_of(near)) / SIDE
    found = []
    for one in reversed(SIGMAS) if sigma is None else (sigma,):
        both = torch.cat((near, far - 0.5))
        low_near, low_far = low_pass(both, one * pixels, RESPONSES[method]).chunk(2)
        detail = near - low_near + 0.5
        for level in CONTRASTS if contrast is None else (contrast,):
            hybrid = detail + level * low_far
            if clipped(hybrid) <= MOST_CLIPPED:
                break
        scores = score(hybrid.clamp(0, 1), near, 0.5 + level * (far - 0.5))
        found.append((scores.lack, one, level))
        if scores.lack <= 0:  # and smaller ones would only keep less of the near picture
            break
    return min(found)[1:]


# --- distances ------------------------------------------------------------------------------


def distance(sigma: float, width: float) -> float:
    """Distance, in widths of the picture, from which the near picture's detail is not made out.

    Parameters
    ----------
    sigma : float
        In pixels of a picture whose longest side is ``SIDE``.
    width : float
        The picture's width as a share of its longest side.
    """
    return _DEGREES * _ACUITY / (_CYCLES * SIDE * width / sigma)


def sigma_for(near: float, far: float, print_width: float, width: float) -> float:
    """Return the cut-off for a print that is to show one picture at one distance, one at another.

    Parameters
    ----------
    near, far, print_width : float
        In metres.
    width : float
        The picture's width as a share of its longest side.

    Raises
    ------
    OptionError
        No cut-off does it.
    """
    if near > 1.005 * far / _CLOSER:  # what is named as the limit is rounded
        raise OptionError(
            f"--near {near:g}m: must be at most a third of --far, {far / _CLOSER:.3g}m here; "
            "closer up, there is detail to see that is gone from afar"
        )
    sigma = far / print_width / distance(1.0, width)
    if not 0.99 <= sigma <= 16.16:  # the limits that are named are rounded
        nearest, furthest = (distance(limit, width) * print_width for limit in (1.0, 16.0))
        raise OptionError(
            f"--far {far:g}m: must be from {nearest:.3g}m to {furthest:.3g}m for a print of "
            f"{print_width:g}m; change it, or the print's width"
        )
    return sigma


def near_distance(sigma: float, width: float) -> float:
    """Distance, in widths, up to which the near picture is seen well: a third of the other's."""
    return distance(sigma, width) / _CLOSER
