"""Where a predictor looks: 32×32 centres, hidden one by one, by phases, or all in a batch.

A frame is the part of a picture that is tiled by centres, m rows of n, with 48 pixels of context on
every side, so that no window reaches beyond the picture.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import images

HOLE = 32  # pixels of a hidden centre's side
CONTEXT = 48  # around it
WINDOW = HOLE + 2 * CONTEXT  # the article's 128
PHASES = 4  # of every other centre in both directions: so many together cover a frame


def framed(picture: Tensor) -> tuple[Tensor, tuple[slice, slice]]:
    """Cut the frame out of the middle of a picture.

    Parameters
    ----------
    picture : Tensor
        [N, C, H, W], at least 128 pixels a side.

    Returns
    -------
    tuple
        The frame [N, C, 32m + 96, 32n + 96], and where its centres lie in the picture.
    """
    parts, centres = [], []
    for side in images.size_of(picture):
        assert side >= WINDOW, "no window fits"
        covered = (side - 2 * CONTEXT) // HOLE * HOLE
        first = (side - covered) // 2
        parts.append(slice(first - CONTEXT, first + covered + CONTEXT))
        centres.append(slice(first, first + covered))
    return picture[..., parts[0], parts[1]], (centres[0], centres[1])


def inner(frame: Tensor) -> Tensor:
    """The centres of a frame, [N, C, 32m, 32n]."""
    return frame[..., CONTEXT:-CONTEXT, CONTEXT:-CONTEXT]


def windows(frame: Tensor) -> Tensor:
    """Every centre with what lies around it, row by row, [N·m·n, C, 128, 128]."""
    cut = frame.unfold(2, WINDOW, HOLE).unfold(3, WINDOW, HOLE)  # [N, C, m, n, 128, 128]
    return cut.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def assembled(centres: Tensor, frame: Tensor) -> Tensor:
    """Put predicted centres [N·m·n, C, 32, 32] together, [N, C, 32m, 32n]."""
    rows, columns = ((side - 2 * CONTEXT) // HOLE for side in images.size_of(frame))
    grid = centres.view(-1, rows, columns, *centres.shape[1:])
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(-1, centres.shape[1], rows * HOLE, columns * HOLE)


def phase_of(frame: Tensor) -> Tensor:
    """Which of the four phases hides each pixel, 0 to 3; −1 in the margin. [1, 1, H, W]."""
    rows, columns = ((side - 2 * CONTEXT) // HOLE for side in images.size_of(frame))
    down = (torch.arange(rows, device=frame.device) % 2)[:, None]
    phases = 2 * down + torch.arange(columns, device=frame.device) % 2
    phases = phases.repeat_interleave(HOLE, 0).repeat_interleave(HOLE, 1)
    return F.pad(phases, (CONTEXT,) * 4, value=-1)[None, None]


def harmonic(frame: Tensor) -> Tensor:
    """Fill every centre from the pixels along its border alone, as smoothly as can be.

    What a soap film would do: Laplace's equation with the border's values, [N, C, 32m, 32n]. It
    knows nothing of pictures, and is what a predictor has to beat.
    """
    ring = frame[..., CONTEXT - 1 : 1 - CONTEXT, CONTEXT - 1 : 1 - CONTEXT]
    cut = ring.unfold(2, HOLE + 2, HOLE).unfold(3, HOLE + 2, HOLE)  # [N, C, m, n, 34, 34]
    sides = (cut[..., 0, 1:-1], cut[..., -1, 1:-1], cut[..., 1:-1, 0], cut[..., 1:-1, -1])
    filled = torch.cat(sides, -1) @ _film().to(frame).mT  # [N, C, m, n, 1024]
    channels = frame.shape[1]
    centres = filled.permute(0, 2, 3, 1, 4).reshape(-1, channels, HOLE, HOLE)
    return assembled(centres, frame)


@lru_cache(maxsize=1)
def _film() -> Tensor:
    """What each pixel of a centre takes of its border, [1024, 128]: top, bottom, left, right."""
    count = HOLE * HOLE
    places = torch.arange(count).view(HOLE, HOLE)
    equations = 4 * torch.eye(count, dtype=torch.float64)
    for one, other in ((places[1:], places[:-1]), (places[:, 1:], places[:, :-1])):
        equations[one.flatten(), other.flatten()] = -1
        equations[other.flatten(), one.flatten()] = -1
    border = torch.zeros((count, 4 * HOLE), dtype=torch.float64)
    edges = (places[0], places[-1], places[:, 0], places[:, -1])
    for side, edge in enumerate(edges):
        border[edge, side * HOLE + torch.arange(HOLE)] = 1
    film: Tensor = torch.linalg.solve(equations, border).float()
    return film
