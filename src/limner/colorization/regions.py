"""Drawings as tokens for the network: their regions, and the colors these have in a picture."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limner.colorization.tokens import CELL, Tokens, describe, largest, median_colors
from limner.line_art.regions import cover_lines, find_regions


def find(ink: NDArray[np.float32], most: int, gap: int | None = None) -> NDArray[np.int32]:
    """Find the regions of a drawing: at least one, and at most so many, the largest.

    Parameters
    ----------
    ink : NDArray
        [H, W], from 0 (paper) to 1 (line).
    most : int
        The smallest regions beyond that become lines.
    gap : int or None
        As in `limner.regions`.

    Returns
    -------
    NDArray
        Labels [H, W], 0 on lines.
    """
    labels = largest(find_regions(ink, gap), most)
    return labels if labels.any() else np.ones_like(labels)  # all of it is ink


def split(ink: Tensor, most: int) -> tuple[Tokens, NDArray[np.int32]]:
    """Find the regions of a drawing.

    Parameters
    ----------
    ink : Tensor
        [1, 1, H, W], on the CPU; H and W are multiples of ``CELL``.
    most : int
        Only so many regions: the smallest beyond that belong to their neighbors.

    Returns
    -------
    tuple
        The tokens, and the labels [H, W], 0 on lines.
    """
    plain = ink[0, 0].numpy()
    labels = find(plain, most)
    height, width = plain.shape
    cells = height // CELL, width // CELL
    covered = torch.from_numpy(cover_lines(labels, plain))
    return describe(covered, ink[0, 0], cells, int(labels.max())), labels


def colored(ink: Tensor, rgb: Tensor, most: int) -> tuple[Tokens, Tensor]:
    """Find the regions of a drawing, and their median colors in the picture it was made from.

    Parameters
    ----------
    ink, most
        As in `split`.
    rgb : Tensor
        [1, 3, H, W] in 0..1.

    Returns
    -------
    tuple
        The tokens, and the colors [1, T, 3].
    """
    tokens, labels = split(ink, most)
    values = (rgb[0] * 255).round().byte().numpy()
    colors = torch.from_numpy(median_colors(labels, values).astype(np.float32) / 255)
    return tokens, colors[None]
