"""Color lookup tables for photo and video editors, as .cube files."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import torch
from torch import Tensor

SIZE = 33  # entries per channel; every editor reads this size


@dataclass(frozen=True)
class CubeLUT:
    """A change of colors that is the same everywhere.

    Attributes
    ----------
    change : callable
        Changes a picture [1, 3, H, W], sRGB in 0..1.
    """

    change: Callable[[Tensor], Tensor]
    ending: ClassVar[str] = ".cube"

    def save(self, file: BinaryIO) -> None:
        """Write a .cube file (Adobe's specification 1.0). Red changes fastest."""
        steps = torch.linspace(0, 1, SIZE)
        blue, green, red = torch.meshgrid(steps, steps, steps, indexing="ij")
        colors = torch.stack((red, green, blue)).flatten(2)[None]  # [1, 3, 33, 33·33]
        rows = self.change(colors)[0].flatten(1).mT.tolist()
        head = f'TITLE "limner"\nLUT_3D_SIZE {SIZE}\n'
        lines = (" ".join(f"{value:.6f}" for value in row) for row in rows)
        file.write((head + "\n".join(lines) + "\n").encode("ascii"))
