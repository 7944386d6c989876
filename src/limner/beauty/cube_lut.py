"""Colour tables that photo editors load."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import torch
from torch import Tensor

from limner.beauty.improver import applied

_STEPS = 33  # a channel, which editors know best


@dataclass(frozen=True)
class Look:
    """What an improver does to the colours of a picture, wherever they are.

    Attributes
    ----------
    table : Tensor
        [1, 3, 9, 9, 9], as `limner.beauty.improver.Tables` plans it, times the strength.
    place : Path
        Where it is to be written.
    """

    table: Tensor
    place: Path
    ending: ClassVar[str] = ".cube"

    def save(self, file: BinaryIO) -> None:
        """Write a .cube file (Adobe's specification 1.0): red changes fastest."""
        steps = torch.linspace(0, 1, _STEPS)
        blue, green, red = torch.meshgrid(steps, steps, steps, indexing="ij")
        colours = torch.stack((red, green, blue)).flatten(2)[None]  # [1, 3, 33, 33·33]
        moved = applied(colours, self.table.cpu(), torch.zeros(1, 1, 1, 1))
        rows = moved[0].flatten(1).mT.tolist()
        head = f'TITLE "limner"\nLUT_3D_SIZE {_STEPS}\n'
        lines = (" ".join(f"{value:.6f}" for value in row) for row in rows)
        file.write((head + "\n".join(lines) + "\n").encode("ascii"))
