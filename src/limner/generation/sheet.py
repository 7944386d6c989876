"""Many pictures on one sheet, or one after the other."""

import math
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

GAP = 4  # white pixels between pictures


def grid(pictures: Tensor, columns: int | None = None) -> Tensor:
    """Lay pictures [N, 3, H, W] on one white sheet [1, 3, height, width], row by row.

    As many columns as rows, or one more, unless the columns are given.
    """
    columns = columns or math.ceil(len(pictures) ** 0.5)
    rows = math.ceil(len(pictures) / columns)
    framed = F.pad(pictures, (0, GAP, 0, GAP), value=1.0)
    framed = F.pad(framed, (0,) * 7 + (rows * columns - len(pictures),), value=1.0)
    lines = framed.view(rows, columns, *framed.shape[1:]).permute(2, 0, 3, 1, 4)
    sheet = lines.flatten(3, 4).flatten(1, 2)
    return F.pad(sheet, (GAP, 0, GAP, 0), value=1.0)[None]


@dataclass(frozen=True)
class Animation:
    """Frames that follow each other for ever, as WebP."""

    frames: list[Image.Image]
    milliseconds: int = 40
    ending: ClassVar[str] = ".webp"

    def save(self, file: BinaryIO) -> None:
        """Write all of it."""
        first, *others = self.frames
        first.save(
            file, "WEBP", save_all=True, append_images=others, duration=self.milliseconds, loop=0
        )
