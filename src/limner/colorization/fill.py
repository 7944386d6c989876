"""Colour that flows as far as the lines let it: one filter for enlarging and for hints."""

import torch
from torch import Tensor

_WALL = 40.0  # steps of bare paper that crossing a black line is worth
_FAINT = 0.1  # ink that a flood does not see: grain of the paper
_STOPS = 8.0  # a flood falls to exp(−8) behind a black line of one pixel


def flow(values: Tensor, ink: Tensor, reach: float, rounds: int = 3) -> Tensor:
    """Smooth values within regions, and not across lines.

    After the recursive form of the domain transform (Gastal & Oliveira 2011, section 5): along rows
    and columns in turn, each pixel takes from its neighbour a share that falls with the ink
    between. Its time is that of the number of pixels, whatever the reach. Unlike the paper, the
    passes forth and back are summed and not chained, so that borders and lines weigh alike.

    Parameters
    ----------
    values : Tensor
        [1, C, H, W].
    ink : Tensor
        [1, 1, H, W], 0 paper to 1 line.
    reach : float
        Standard deviation on bare paper, in pixels.
    rounds : int
        How often along rows and columns; with more, corners are reached.

    Returns
    -------
    Tensor
        [1, C, H, W].
    """
    steps = [1 + reach * _WALL / 10 * torch.maximum(a, b) for a, b in _neighbours(ink)]
    for turn in range(rounds):
        # each round is narrower, and all together as wide as asked for (equation 14)
        sigma = reach * 3**0.5 * 2 ** (rounds - turn - 1) / (4**rounds - 1) ** 0.5
        share = torch.exp(torch.tensor(-(2**0.5) / sigma))
        along, down = (share**step for step in steps)
        values = _along(values, along)
        values = _along(values.mT, down.mT).mT
    return values


def spread(values: Tensor, where: Tensor, ink: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Let values that are known somewhere flow to where they are not.

    Normalised convolution (Knutsson & Westin 1993): values and knowledge flow alike.

    Parameters
    ----------
    values : Tensor
        [1, C, H, W].
    where : Tensor
        [1, 1, H, W], 1 where they are known, else 0.
    ink : Tensor
        [1, 1, H, W].
    reach : float
        How far, in pixels of bare paper.

    Returns
    -------
    tuple of Tensor
        The values [1, C, H, W], and how surely they hold [1, 1, H, W], from 0 to 1.
    """
    both = flow(torch.cat((values * where, where), 1), ink, reach)
    known = both[:, -1:].clamp(min=0)
    return both[:, :-1] / known.clamp(min=1e-8), known


def flood(ink: Tensor, rounds: int = 2) -> Tensor:
    """Tell the ground from what is drawn on it: how freely each place is reached from the border.

    Parameters
    ----------
    ink : Tensor
        [N, C, H, W], 0 paper to 1 line.
    rounds : int
        How often along rows and columns; with more, winding ways are found.

    Returns
    -------
    Tensor
        [N, C, H, W]: 1 on bare paper around the drawing, near 0 behind closed lines.
    """
    wall = torch.exp(-_STOPS * (ink - _FAINT).clamp(min=0))
    reached = wall.clone()
    reached[..., 1:-1, 1:-1] = 0
    for _ in range(rounds):
        reached = _reaching(reached, wall)
        reached = _reaching(reached.mT, wall.mT).mT
    return reached


def _reaching(reached: Tensor, wall: Tensor) -> Tensor:
    """Pass along rows, forth and back: the freest way that leads to each pixel."""
    best, walls = list(reached.unbind(-1)), wall.unbind(-1)
    for x in range(1, len(best)):
        best[x] = torch.maximum(best[x], best[x - 1] * walls[x])
    for x in range(len(best) - 2, -1, -1):
        best[x] = torch.maximum(best[x], best[x + 1] * walls[x])
    return torch.stack(best, -1)


def _neighbours(ink: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Each pixel and the next, along rows and along columns."""
    return [(ink[..., 1:], ink[..., :-1]), (ink[..., 1:, :], ink[..., :-1, :])]


def _along(values: Tensor, share: Tensor) -> Tensor:
    """Pass along rows, forth and back; shares [1, 1, H, W − 1] of what the neighbour has.

    Each pixel ends with the mean of its row, weighted by the product of the shares between.
    """
    ones = torch.ones_like(values[:, :1])
    own = torch.cat((values, ones), 1).unbind(-1)  # the weights are summed in the last channel
    shares = share.unbind(-1)
    forth, back = list(own), list(own)
    for x in range(1, len(own)):
        forth[x] = torch.addcmul(own[x], shares[x - 1], forth[x - 1])
    for x in range(len(own) - 2, -1, -1):
        back[x] = torch.addcmul(own[x], shares[x], back[x + 1])
    total = torch.stack(forth, -1) + torch.stack(back, -1) - torch.stack(own, -1)
    return total[:, :-1] / total[:, -1:]
