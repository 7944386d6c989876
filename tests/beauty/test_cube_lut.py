"""Color tables for photo editors: read back as an editor reads them."""

from functools import partial
from io import BytesIO
from itertools import product

import numpy as np
import torch
from torch import Tensor

from limner.beauty.cube_lut import CubeLUT
from limner.beauty.improver import adjust


def cube(table: Tensor) -> np.ndarray:
    """What is written, [blue, green, red, 3]."""
    file = BytesIO()
    CubeLUT(partial(adjust, table=table, light=torch.zeros(1, 1, 1, 1))).save(file)
    lines = file.getvalue().decode("ascii").splitlines()
    heads = [line for line in lines if not line[0].isdecimal()]
    assert heads == ['TITLE "limner"', "LUT_3D_SIZE 33"] == lines[:2]
    assert file.getvalue().endswith(b"\n")
    rows = [[float(number) for number in line.split(" ")] for line in lines[2:]]
    return np.array(rows).reshape(33, 33, 33, 3)  # red fastest


def random_table() -> Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.rand((1, 3, 9, 9, 9), generator=random) * 2 - 1


def applied_to(colors: np.ndarray, table: Tensor) -> np.ndarray:
    """Colors [N, 3], moved as a picture's are where the light is even."""
    picture = torch.from_numpy(colors.T[None, :, None]).float()
    return adjust(picture, table, torch.zeros(1, 1, 1, 1))[0, :, 0].numpy().T


def test_a_table_that_moves_nothing_is_the_identity() -> None:
    blue, green, red = np.meshgrid(*[np.linspace(0, 1, 33)] * 3, indexing="ij")
    found = cube(torch.zeros(1, 3, 9, 9, 9))
    np.testing.assert_allclose(found, np.stack((red, green, blue), -1), atol=1e-6)


def test_at_its_steps_it_is_what_the_picture_gets() -> None:
    table = random_table()
    steps = list(product(range(33), repeat=3))[::7]
    colors = np.array(steps) / 32
    found = cube(table)
    wanted = applied_to(colors, table)
    there = [found[blue, green, red] for red, green, blue in steps]
    np.testing.assert_allclose(there, wanted, atol=2e-6)
    assert np.abs(wanted - colors).max() > 0.05


def test_between_them_it_is_nearly_that() -> None:
    table, random = random_table(), np.random.default_rng(0)
    colors = random.random((500, 3))
    found, made = cube(table), np.zeros((500, 3))
    low = np.minimum((colors * 32).astype(int), 31)
    for corner in product((0, 1), repeat=3):
        part = colors * 32 - low
        share = np.where(corner, part, 1 - part).prod(1)
        red, green, blue = (low + corner).T
        made += share[:, None] * found[blue, green, red]
    np.testing.assert_allclose(made, applied_to(colors, table), atol=2e-3)


def test_black_and_white_stay() -> None:
    found = cube(2 * random_table())
    assert found[0, 0, 0].tolist() == [0, 0, 0] and found[-1, -1, -1].tolist() == [1, 1, 1]
    assert found.min() >= 0 and found.max() <= 1
