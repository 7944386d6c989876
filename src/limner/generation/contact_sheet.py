"""Lay many small pictures on one sheet."""

import math

import torch.nn.functional as F
from torch import Tensor

GAP = 4  # white pixels around each picture


def contact_sheet(pictures: Tensor, columns: int | None = None) -> Tensor:
    """Lay pictures on one white sheet, row by row.

    Parameters
    ----------
    pictures : Tensor
        [N, 3, H, W].
    columns : int or None
        Pictures in a row. Default: about as many as there are rows.

    Returns
    -------
    Tensor
        [1, 3, height, width].
    """
    columns = columns or math.ceil(len(pictures) ** 0.5)
    rows = math.ceil(len(pictures) / columns)
    framed = F.pad(pictures, (0, GAP, 0, GAP), value=1.0)
    framed = F.pad(framed, (0,) * 7 + (rows * columns - len(pictures),), value=1.0)
    lines = framed.view(rows, columns, *framed.shape[1:]).permute(2, 0, 3, 1, 4)
    sheet = lines.flatten(3, 4).flatten(1, 2)
    return F.pad(sheet, (GAP, 0, GAP, 0), value=1.0)[None]
