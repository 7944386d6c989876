"""Color lookup tables for photo and video editors, as .cube files."""

from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import torch
from torch import Tensor

from limner.beauty.improver import adjust

SIZE = 33  # entries per channel; every editor reads this size


@dataclass(frozen=True)
class CubeLUT:
    """The color change of a `TableImprover`, without its local light.

    Attributes
    ----------
    table : Tensor
        [1, 3, 9, 9, 9], from `TableImprover.adjustments`, times the strength.
    """

    table: Tensor
    ending: ClassVar[str] = ".cube"

    def save(self, file: BinaryIO) -> None:
        """Write a .cube file (Adobe's specification 1.0). Red changes fastest."""
        steps = torch.linspace(0, 1, SIZE)
        blue, green, red = torch.meshgrid(steps, steps, steps, indexing="ij")
        colors = torch.stack((red, green, blue)).flatten(2)[None]  # [1, 3, 33, 33·33]
        moved = adjust(colors, self.table.cpu(), torch.zeros(1, 1, 1, 1))
        rows = moved[0].flatten(1).mT.tolist()
        head = f'TITLE "limner"\nLUT_3D_SIZE {SIZE}\n'
        lines = (" ".join(f"{value:.6f}" for value in row) for row in rows)
        file.write((head + "\n".join(lines) + "\n").encode("ascii"))
