"""Edge-aware filters: smoothing that stops at lines, color propagation, and a flood fill."""

import torch
import torch.nn.functional as F
from torch import Tensor

_LINE = 40.0  # how many steps over bare paper one step across a black line counts as
_IGNORED_INK = 0.1  # ink up to this value (paper grain) does not slow a flood
_ATTENUATION = 8.0  # a flood falls to exp(−8) behind a black line one pixel wide


def smooth(values: Tensor, ink: Tensor, sigma: float, rounds: int = 3) -> Tensor:
    """Smooth values within regions, but not across lines.

    The recursive form of the domain transform (Gastal & Oliveira 2011, section 5): along rows and
    columns in turn, each pixel takes a share of its neighbor's value, and the share falls with the
    ink between them. The time does not depend on sigma. Unlike the paper, the forward and backward
    passes are added instead of chained, so that borders and lines on both sides weigh the same.

    Parameters
    ----------
    values : Tensor
        [1, C, H, W].
    ink : Tensor
        [1, 1, H, W], from 0 (paper) to 1 (line).
    sigma : float
        Standard deviation on bare paper, in pixels.
    rounds : int
        Number of passes over rows and columns. More passes reach around more corners.

    Returns
    -------
    Tensor
        [1, C, H, W].
    """
    steps = [1 + sigma * _LINE / 10 * torch.maximum(a, b) for a, b in _neighbors(ink)]
    for turn in range(rounds):
        # each round is narrower than the one before; together they have sigma (equation 14)
        width = sigma * 3**0.5 * 2 ** (rounds - turn - 1) / (4**rounds - 1) ** 0.5
        share = torch.exp(torch.tensor(-(2**0.5) / width)).to(ink.device)
        rows, columns = (share**step for step in steps)
        values = _smooth_rows(values, rows)
        values = _smooth_rows(values.mT, columns.mT).mT
    return values


def propagate(values: Tensor, known: Tensor, ink: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Spread known values over the region around them, up to its lines.

    Normalized convolution (Knutsson & Westin 1993): values and their weights are smoothed alike.

    Parameters
    ----------
    values : Tensor
        [1, C, H, W].
    known : Tensor
        [1, 1, H, W], 1 where the values are known, else 0.
    ink : Tensor
        [1, 1, H, W], from 0 (paper) to 1 (line).
    sigma : float
        How far the values spread over bare paper, in pixels.

    Returns
    -------
    tuple of Tensor
        The values [1, C, H, W], and the confidence in them [1, 1, H, W], from 0 to 1.
    """
    both = smooth(torch.cat((values * known, known), 1), ink, sigma)
    confidence = both[:, -1:].clamp(min=0)
    return both[:, :-1] / confidence.clamp(min=1e-8), confidence


def flood_fill(ink: Tensor, rounds: int = 2) -> Tensor:
    """Flood a drawing from its border: tell the background from what lines enclose.

    Each pixel gets the value of the freest path from the border to it, where ink along the path
    multiplies the value down.

    Parameters
    ----------
    ink : Tensor
        [N, C, H, W], from 0 (paper) to 1 (line).
    rounds : int
        Number of passes over rows and columns. More passes follow more winding paths.

    Returns
    -------
    Tensor
        [N, C, H, W]: 1 on bare paper around the drawing, near 0 behind closed lines.
    """
    passage = torch.exp(-_ATTENUATION * (ink - _IGNORED_INK).clamp(min=0))
    reached = passage.clone()
    reached[..., 1:-1, 1:-1] = 0
    for _ in range(rounds):
        reached = _flood_rows(reached, passage)
        columns = _flood_rows(reached.transpose(-1, -2), passage.transpose(-1, -2))
        reached = columns.transpose(-1, -2)
    return reached


def _flood_rows(reached: Tensor, passage: Tensor) -> Tensor:
    """Flood along rows, forward and backward: the larger of a pixel's value and its neighbor's."""
    if not torch.onnx.is_in_onnx_export():  # faster, but a graph would have thousands of nodes
        best, through = list(reached.unbind(-1)), passage.unbind(-1)
        for x in range(1, len(best)):
            best[x] = torch.maximum(best[x], best[x - 1] * through[x])
        for x in range(len(best) - 2, -1, -1):
            best[x] = torch.maximum(best[x], best[x + 1] * through[x])
        return torch.stack(best, -1)
    forward = _flood_forward(reached, passage)
    return _flood_forward(forward.flip(-1), passage.flip(-1)).flip(-1)


def _flood_forward(reached: Tensor, passage: Tensor) -> Tensor:
    """Flood along rows: each turn doubles how far values come from."""
    reach = 1
    while reach < reached.shape[-1]:
        reached = torch.maximum(reached, F.pad(reached[..., :-reach], (reach, 0)) * passage)
        passage = F.pad(passage[..., :-reach], (reach, 0)) * passage  # product over the new reach
        reach *= 2
    return reached


def _neighbors(ink: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return each pixel and the next one, along rows and along columns."""
    return [(ink[..., 1:], ink[..., :-1]), (ink[..., 1:, :], ink[..., :-1, :])]


def _smooth_rows(values: Tensor, share: Tensor) -> Tensor:
    """Smooth along rows, forward and backward.

    Each pixel becomes the mean of its row, weighted by the product of the shares [1, 1, H, W − 1]
    between it and the other pixel.
    """
    ones = torch.ones_like(values[:, :1])
    own = torch.cat((values, ones), 1).unbind(-1)  # the last channel sums the weights
    shares = share.unbind(-1)
    forward, backward = list(own), list(own)
    for x in range(1, len(own)):
        forward[x] = torch.addcmul(own[x], shares[x - 1], forward[x - 1])
    for x in range(len(own) - 2, -1, -1):
        backward[x] = torch.addcmul(own[x], shares[x], backward[x + 1])
    total = torch.stack(forward, -1) + torch.stack(backward, -1) - torch.stack(own, -1)
    return total[:, :-1] / total[:, -1:]
