"""The squares of a picture that a predictor has to fill in, and how they are hidden.

Terms, as for context encoders (Pathak et al. 2016):

- A *hole* is a hidden square of 32×32 pixels.
- A *window* is a hole with its context: 128×128 pixels.
- A *frame* is the part of a picture that can be tiled with m rows of n holes, with the context of
  the outer holes around it: 32m + 96 by 32n + 96 pixels.
- A *phase* is every other hole of a frame in both directions. The four phases together hide all.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import images

HOLE = 32  # side of a hole in pixels
CONTEXT = 48  # pixels around it
WINDOW = HOLE + 2 * CONTEXT  # 128, as in the article's recipe
PHASES = 4


def crop_frame(picture: Tensor) -> tuple[Tensor, tuple[slice, slice]]:
    """Crop the largest frame from the center of pictures.

    Parameters
    ----------
    picture : Tensor
        [N, C, H, W], at least 128 pixels a side.

    Returns
    -------
    tuple
        The frame [N, C, 32m + 96, 32n + 96], and rows and columns of its holes in the picture.
    """
    frame, holes = [], []
    for side in images.size_of(picture):
        assert side >= WINDOW, "too small for a window"
        covered = (side - 2 * CONTEXT) // HOLE * HOLE
        first = (side - covered) // 2
        frame.append(slice(first - CONTEXT, first + covered + CONTEXT))
        holes.append(slice(first, first + covered))
    return picture[..., frame[0], frame[1]], (holes[0], holes[1])


def crop_holes(frame: Tensor) -> Tensor:
    """Return the part of frames that the holes cover, [N, C, 32m, 32n]."""
    return frame[..., CONTEXT:-CONTEXT, CONTEXT:-CONTEXT]


def cut_windows(frame: Tensor) -> Tensor:
    """Return the windows of all holes, row by row, [N·m·n, C, 128, 128]."""
    windows = frame.unfold(2, WINDOW, HOLE).unfold(3, WINDOW, HOLE)  # [N, C, m, n, 128, 128]
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def join_holes(holes: Tensor, frame: Tensor) -> Tensor:
    """Put predicted holes [N·m·n, C, 32, 32] of frames together, [N, C, 32m, 32n]."""
    rows, columns = ((side - 2 * CONTEXT) // HOLE for side in images.size_of(frame))
    grid = holes.view(-1, rows, columns, *holes.shape[1:])
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(-1, holes.shape[1], rows * HOLE, columns * HOLE)


def phase_map(frame: Tensor) -> Tensor:
    """Return the phase that hides each pixel of a frame, 0 to 3; -1 around the holes. [1, 1, H, W].

    The frame's values do not matter.
    """
    rows, columns = ((side - 2 * CONTEXT) // HOLE for side in images.size_of(frame))
    down = (torch.arange(rows, device=frame.device) % 2)[:, None]
    phases = 2 * down + torch.arange(columns, device=frame.device) % 2
    phases = phases.repeat_interleave(HOLE, 0).repeat_interleave(HOLE, 1)
    return F.pad(phases, (CONTEXT,) * 4, value=-1)[None, None]


def harmonic_fill(frame: Tensor) -> Tensor:
    """Fill every hole of frames from the pixels along its border alone, [N, C, 32m, 32n].

    The fill is the smoothest surface with the values of the border: it solves Laplace's equation.
    It has learned nothing about pictures, so a predictor has to do better.
    """
    ring = frame[..., CONTEXT - 1 : 1 - CONTEXT, CONTEXT - 1 : 1 - CONTEXT]
    cut = ring.unfold(2, HOLE + 2, HOLE).unfold(3, HOLE + 2, HOLE)  # [N, C, m, n, 34, 34]
    sides = (cut[..., 0, 1:-1], cut[..., -1, 1:-1], cut[..., 1:-1, 0], cut[..., 1:-1, -1])
    filled = torch.cat(sides, -1) @ _laplace_solution().to(frame).mT  # [N, C, m, n, 1024]
    channels = frame.shape[1]
    holes = filled.permute(0, 2, 3, 1, 4).reshape(-1, channels, HOLE, HOLE)
    return join_holes(holes, frame)


@lru_cache(maxsize=1)
def _laplace_solution() -> Tensor:
    """Return the weight of each border pixel in each pixel of a hole, [1024, 128], on the CPU.

    The border is top, bottom, left, right.
    """
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
    solution: Tensor = torch.linalg.solve(equations, border).float()
    return solution
