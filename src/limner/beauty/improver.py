"""Networks that change a picture so that it is easier to predict.

Attributes of the networks are names in weights files, so renaming one breaks files that exist.
"""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.beauty.bilateral import BilateralImprover, Change
from limner.nn import images

INPUT_SIZE = 256  # both sides, in pixels, at which a `TableImprover` sees a picture
TABLES, TABLE_SIZE = 4, 9  # lookup tables that are mixed, and their entries per channel
_MAX_SHIFT = 0.4  # the most that a table moves a channel x at strength 1, times x·(1 - x)
_MAX_EXPONENT = 0.6  # the light map raises tones to powers from 2^-0.6 to 2^0.6


class TableImprover(nn.Module):
    """The improver of ``progress``: lookup tables for color and a map of local light.

    Four 3D lookup tables are mixed for each picture (Zeng et al. 2020, section 3). A light map of
    64×64 exponents, interpolated between, lightens and darkens places. Both leave black and white
    as they are, so nothing is clipped. One network serves every size, because it sees the picture
    at 256×256 pixels.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.width, wide = width, 2 * width

        def layer(narrow: int, wide: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
            # borders are repeated: zeros would darken the margins of pictures
            return nn.Conv2d(narrow, wide, 3, stride, dilation, dilation, padding_mode="replicate")

        self.seen = nn.ModuleList((layer(3, width, 2), layer(width, wide, 2)))  # 128, 64 pixels
        self.whole = nn.Linear(wide, wide)
        self.around = nn.ModuleList(layer(wide, wide, dilation=reach) for reach in (1, 2, 4))
        self.light = layer(wide, 1)
        self.mix = nn.Linear(wide, TABLES)
        self.tables = nn.Parameter(0.02 * torch.randn(TABLES, 3, *(TABLE_SIZE,) * 3))
        for parameter in self.light.parameters():
            nn.init.zeros_(parameter)

    def adjustments(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Choose how to change pictures [N, 3, H, W] in 0..1.

        Returns
        -------
        tuple of Tensor
            The tables [N, 3, 9, 9, 9], with shifts in -1..1 at blue, green, red; and the light maps
            [N, 1, 64, 64], in exponents of 2.
        """
        x = F.interpolate(picture, (INPUT_SIZE,) * 2, mode="bilinear", antialias=True) - 0.5
        first, second = self.seen
        x = second(F.silu(first(x)))
        x = x + self.whole(x.mean((2, 3)))[..., None, None]
        for layer in self.around:
            x = x + layer(F.silu(x))
        x = F.silu(x)
        table = torch.einsum("nt,tcbgr->ncbgr", self.mix(x.mean((2, 3))), self.tables)
        return table.tanh(), _MAX_EXPONENT * self.light(x).tanh()

    def change(self, picture: Tensor, strength: float, white_balance: float = 0.0) -> Change:
        """Decide how to change pictures [N, 3, H, W] in 0..1.

        Strength 0 changes nothing, 2 twice as much. There is no white balance.
        """
        del white_balance
        table, light = self._enlarged(picture, strength)
        even = torch.zeros(1, 1, 1, 1)
        return Change(
            lambda rows: adjust(picture[..., rows, :], table, light[..., rows, :]),
            partial(adjust, table=table.cpu(), light=even),
        )

    def forward(self, picture: Tensor, strength: float = 1.0) -> Tensor:
        """Improve pictures [N, 3, H, W] in 0..1 as a whole."""
        return adjust(picture, *self._enlarged(picture, strength))

    def _enlarged(self, picture: Tensor, strength: float) -> tuple[Tensor, Tensor]:
        """Return the tables, and the light maps in the size of the pictures."""
        table, light = (strength * one for one in self.adjustments(picture))
        size = images.size_of(picture)
        return table, F.interpolate(light, size, mode="bicubic", align_corners=False)


def adjust(picture: Tensor, table: Tensor, light: Tensor) -> Tensor:
    """Change pictures [N, 3, H, W] in 0..1 by color tables, then by light maps.

    Parameters
    ----------
    table : Tensor
        [N, 3, 9, 9, 9], as `TableImprover.adjustments` returns it.
    light : Tensor
        [N, 1, H, W] or of one pixel.
    """
    places = picture.permute(0, 2, 3, 1)[:, None] * 2 - 1  # x, y, z of a table: red, green, blue
    shift = F.grid_sample(table, places, mode="bilinear", align_corners=True)[:, :, 0]
    moved = (picture + _MAX_SHIFT * shift * picture * (1 - picture)).clamp(1e-4, 1)
    return torch.where(picture > 0, moved ** torch.exp2(-light), picture)


class ConvolutionalImprover(nn.Module):
    """The article's improver: a convolutional network that may change every pixel freely."""

    def __init__(self, width: int = 24, depth: int = 4) -> None:
        super().__init__()
        self.radius = depth  # of the receptive field, in pixels
        sizes = (3, *(width,) * (depth - 1), 3)
        self.layers = nn.ModuleList(
            nn.Conv2d(narrow, wide, 3, padding=1, padding_mode="replicate")
            for narrow, wide in pairwise(sizes)
        )
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def change(self, picture: Tensor, strength: float, white_balance: float = 0.0) -> Change:
        """Return what changes rows of pictures [N, 3, H, W] in 0..1. It has no table of colors."""
        del white_balance
        height, _ = images.size_of(picture)

        def changed(rows: slice) -> Tensor:
            first, last, _ = rows.indices(height)
            above = max(0, first - self.radius)  # with the receptive field around them
            part: Tensor = self(picture[..., above : last + self.radius, :], strength)
            return part[..., first - above : last - above, :]

        return Change(changed)

    def forward(self, picture: Tensor, strength: float = 1.0) -> Tensor:
        """Improve pictures [N, 3, H, W] in 0..1. Strength 0 changes nothing, 2 twice as much."""
        x = picture - 0.5
        for layer in self.layers[:-1]:
            x = F.silu(layer(x))
        improved: Tensor = picture + strength * self.layers[-1](x)
        return improved.clamp(0, 1)


Improver = BilateralImprover | TableImprover | ConvolutionalImprover
