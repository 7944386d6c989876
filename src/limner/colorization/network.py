"""The colouring networks: ours, and the article's U-Net."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.colorization.fill import flood
from limner.nn import images
from limner.nn.blocks import Block

WIDTHS = (48, 80, 144, 192, 224)  # channels at 1/4, 1/8, … 1/64 of the picture
HINTS = 4  # channels of hints: RGB where there is one, and a 1 there
SIZE = 128  # pixels of the short side that it sees best
_GIVEN = 1 + 2 + HINTS  # ink, what it encloses, hints
_GAP = 5  # pixels: breaks of a line that are closed for one of the two floods


class Colorizer(nn.Module):
    """A U-Net (Ronneberger et al. 2015) from ink and hints to colours.

    The decoder enlarges by repeating pixels and convolves after: a transposed convolution leaves a
    checkerboard (Odena et al. 2016). Beside the ink it sees what a flood from the border reaches,
    with the lines as they are and with small gaps closed, which no receptive field can tell. At the
    bottleneck the mean of the whole picture is added, so that one thing has one colour wherever it
    lies.

    Parameters
    ----------
    widths : tuple of int
        Channels at every halving of the picture.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.widths = widths
        self.multiple = 2 * 2 ** len(widths)
        self.size = SIZE
        self.first = nn.Conv2d(_GIVEN * 16, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(Block(width) for width in widths)
        self.down = nn.ModuleList(
            nn.Conv2d(narrow, wide, 3, 2, padding=1) for narrow, wide in pairwise(widths)
        )
        self.everywhere = nn.Linear(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            nn.Conv2d(narrow + wide, narrow, 3, padding=1) for narrow, wide in pairwise(widths)
        )
        self.decoder = nn.ModuleList(Block(width) for width in widths[:-1])
        self.middle = nn.Conv2d(widths[0], 24, 3, padding=1)
        self.last = nn.Conv2d(24 + _GIVEN, 12, 3, padding=1)
        self.out = nn.Conv2d(12, 3, 3, padding=1)

    def forward(self, ink: Tensor, hints: Tensor) -> Tensor:
        """Colour drawings.

        Parameters
        ----------
        ink : Tensor
            [N, 1, H, W], 0 paper to 1 line.
        hints : Tensor
            [N, 4, H, W]: RGB in 0..1 and 1 where there is a hint, 0 elsewhere.

        Returns
        -------
        Tensor
            [N, 3, H, W], sRGB, mostly in 0..1.
        """
        height, width = images.size_of(ink)
        more = (0, -width % self.multiple, 0, -height % self.multiple)
        ink, hints = F.pad(ink, more), F.pad(hints, more)
        # what lies within lines has a colour, what lies around them has none
        around = flood(torch.cat((ink, F.max_pool2d(ink, _GAP, 1, _GAP // 2)), 1))
        given = torch.cat((ink, around, hints), 1)
        x = self.first(F.pixel_unshuffle(given, 4))
        seen = []
        for level, block in enumerate(self.encoder):
            x = block(self.down[level - 1](x) if level else x)
            seen.append(x)
        x = x + self.everywhere(x.mean((2, 3)))[..., None, None]
        for level in reversed(range(len(self.up))):
            x = torch.cat((seen[level], F.interpolate(x, scale_factor=2, mode="nearest")), 1)
            x = self.decoder[level](self.up[level](x))
        x = F.silu(self.middle(F.interpolate(x, scale_factor=2, mode="nearest")))
        x = torch.cat((F.interpolate(x, scale_factor=2, mode="nearest"), given), 1)
        coloured: Tensor = 0.5 + self.out(F.silu(self.last(x)))
        return coloured[..., :height, :width]
