"""Contact sheets, pixel by pixel."""

import numpy as np
import pytest
import torch

from limner.generation.contact_sheet import GAP, contact_sheet


@pytest.mark.parametrize(
    ("count", "columns", "shape"),
    [
        (1, None, (1, 1)),
        (2, None, (1, 2)),
        (3, None, (2, 2)),
        (4, None, (2, 2)),
        (5, None, (2, 3)),
        (7, None, (3, 3)),
        (25, None, (5, 5)),
        (5, 4, (2, 4)),
        (3, 3, (1, 3)),
        (2, 1, (2, 1)),
        (2, 5, (1, 5)),
    ],
)
def test_pictures_lie_row_by_row_on_white(
    count: int, columns: int | None, shape: tuple[int, int]
) -> None:
    pictures = torch.rand((count, 3, 6, 9), generator=torch.Generator().manual_seed(0))
    made = contact_sheet(pictures, columns)
    rows, across = shape
    wanted = np.ones((1, 3, 4 + rows * 10, 4 + across * 13), np.float32)
    for number, picture in enumerate(pictures.numpy()):
        top, left = 4 + number // across * 10, 4 + number % across * 13
        wanted[0, :, top : top + 6, left : left + 9] = picture
    assert GAP == 4
    np.testing.assert_array_equal(made, wanted)
