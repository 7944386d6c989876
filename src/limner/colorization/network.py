"""The colorizing network: a U-Net from ink and color hints to colors."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.colorization.edge_aware import flood_fill
from limner.nn import images
from limner.nn.blocks import Block

WIDTHS = (48, 80, 144, 192, 224)  # channels at 1/4, 1/8, … 1/64 of the picture's size
HINTS = 4  # channels of the hints: RGB, and a mask that is 1 where there is a hint
SIZE = 128  # pixels of the short side in training, unless the weights file says otherwise
_INPUTS = 1 + 2 + HINTS  # ink, two flood fills, hints
_GAP = 5  # pixels: the second flood fill closes gaps in lines up to one less than this


class Colorizer(nn.Module):
    """A U-Net (Ronneberger et al. 2015) from ink and hints to colors.

    Where it differs from the paper:

    - The decoder repeats pixels and then convolves. Transposed convolutions leave a checkerboard
      (Odena et al. 2016).
    - Two flood fills from the border are inputs too, one with the lines as they are and one with
      small gaps closed. They tell inside from outside, where no receptive field is large enough.
    - At the bottleneck the mean over the picture is added, so that distant parts of one object can
      get the same color.

    Parameters
    ----------
    widths : tuple of int
        Channels at each level, from 1/4 of the picture's size down.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.widths = widths
        self.multiple = 2 * 2 ** len(widths)
        self.size = SIZE
        self.first = nn.Conv2d(_INPUTS * 16, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(Block(width) for width in widths)
        self.down = nn.ModuleList(
            nn.Conv2d(narrow, wide, 3, 2, padding=1) for narrow, wide in pairwise(widths)
        )
        self.everywhere = nn.Linear(widths[-1], widths[-1])  # the names are keys of shipped weights
        self.up = nn.ModuleList(
            nn.Conv2d(narrow + wide, narrow, 3, padding=1) for narrow, wide in pairwise(widths)
        )
        self.decoder = nn.ModuleList(Block(width) for width in widths[:-1])
        self.middle = nn.Conv2d(widths[0], 24, 3, padding=1)
        self.last = nn.Conv2d(24 + _INPUTS, 12, 3, padding=1)
        self.out = nn.Conv2d(12, 3, 3, padding=1)

    def forward(self, ink: Tensor, hints: Tensor) -> Tensor:
        """Color drawings.

        Parameters
        ----------
        ink : Tensor
            [N, 1, H, W], from 0 (paper) to 1 (line).
        hints : Tensor
            [N, 4, H, W]: RGB in 0..1 and a mask of 1 where there is a hint; 0 elsewhere.

        Returns
        -------
        Tensor
            [N, 3, H, W], sRGB, mostly in 0..1.
        """
        height, width = images.size_of(ink)
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        ink, hints = F.pad(ink, padding), F.pad(hints, padding)
        closed = F.max_pool2d(ink, _GAP, 1, _GAP // 2)
        inputs = torch.cat((ink, flood_fill(torch.cat((ink, closed), 1)), hints), 1)
        x = self.first(F.pixel_unshuffle(inputs, 4))
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(self.down[level - 1](x) if level else x)
            skips.append(x)
        x = x + self.everywhere(x.mean((2, 3)))[..., None, None]
        for level in reversed(range(len(self.up))):
            x = torch.cat((skips[level], F.interpolate(x, scale_factor=2, mode="nearest")), 1)
            x = self.decoder[level](self.up[level](x))
        x = F.silu(self.middle(F.interpolate(x, scale_factor=2, mode="nearest")))
        x = torch.cat((F.interpolate(x, scale_factor=2, mode="nearest"), inputs), 1)
        colors: Tensor = 0.5 + self.out(F.silu(self.last(x)))
        return colors[..., :height, :width]
