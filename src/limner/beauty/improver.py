"""Networks that change a picture so that it is easier to predict."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SEEN = 256  # pixels of both sides that a network of tables sees; its light has 64 cells on each
TABLES, STEPS = 4, 9  # colour tables that are mixed; their steps a channel
_SHIFT = 0.4  # of x·(1 − x): the most that a table moves a channel at strength 1
_STOPS = 0.6  # most that light bends a tone: exponents from 2^−0.6 to 2^0.6


class Tables(nn.Module):
    """Colour tables and a grid of light: whatever it learns, it cannot blur.

    Four tables, mixed for each picture (Zeng et al. 2020, section 3), move colours; a grid of 64×64
    exponents, smooth between, lightens and darkens places. Both leave black black and white white,
    so nothing is clipped. The same network serves every size, for it sees the picture small.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.width, wide = width, 2 * width

        def layer(narrow: int, wide: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
            # borders are continued: zeros there would darken the margins of pictures
            return nn.Conv2d(narrow, wide, 3, stride, dilation, dilation, padding_mode="replicate")

        self.seen = nn.ModuleList((layer(3, width, 2), layer(width, wide, 2)))  # 128, 64
        self.whole = nn.Linear(wide, wide)
        self.around = nn.ModuleList(layer(wide, wide, dilation=reach) for reach in (1, 2, 4))
        self.light = layer(wide, 1)
        self.mix = nn.Linear(wide, TABLES)
        self.tables = nn.Parameter(0.02 * torch.randn(TABLES, 3, STEPS, STEPS, STEPS))
        for parameter in self.light.parameters():
            nn.init.zeros_(parameter)

    def plan(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Look at pictures [N, 3, H, W] in 0..1 and say what to do with them.

        Returns
        -------
        tuple of Tensor
            A table for each, [N, 3, 9, 9, 9] of shares −1..1 at blue, green, red; and its light,
            [N, 1, 64, 64] in exponents of 2.
        """
        x = F.interpolate(picture, (SEEN, SEEN), mode="bilinear", antialias=True) - 0.5
        first, second = self.seen
        x = second(F.silu(first(x)))
        x = x + self.whole(x.mean((2, 3)))[..., None, None]
        for layer in self.around:
            x = x + layer(F.silu(x))
        x = F.silu(x)
        table = torch.einsum("nt,tcbgr->ncbgr", self.mix(x.mean((2, 3))), self.tables)
        return table.tanh(), _STOPS * self.light(x).tanh()

    def forward(self, picture: Tensor, strength: float = 1.0) -> Tensor:
        """Improve pictures [N, 3, H, W] in 0..1; strength 0 leaves them, 2 does twice as much."""
        table, light = self.plan(picture)
        light = F.interpolate(light, picture.shape[-2:], mode="bicubic", align_corners=False)
        return applied(picture, strength * table, strength * light)


def applied(picture: Tensor, table: Tensor, light: Tensor) -> Tensor:
    """Move the colours of pictures [N, 3, H, W] by tables, then bend their tones by light."""
    places = picture.permute(0, 2, 3, 1)[:, None] * 2 - 1  # x, y, z of a table: red, green, blue
    shift = F.grid_sample(table, places, mode="bilinear", align_corners=True)[:, :, 0]
    moved = (picture + _SHIFT * shift * picture * (1 - picture)).clamp(1e-4, 1)
    return torch.where(picture > 0, moved ** torch.exp2(-light), picture)


class Free(nn.Module):
    """The article's improver: a convolutional network, free to do with the pixels as it likes."""

    def __init__(self, width: int = 24, depth: int = 4) -> None:
        super().__init__()
        self.radius = depth
        sizes = (3, *(width,) * (depth - 1), 3)
        self.layers = nn.ModuleList(
            nn.Conv2d(narrow, wide, 3, padding=1, padding_mode="replicate")
            for narrow, wide in pairwise(sizes)
        )
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, picture: Tensor, strength: float = 1.0) -> Tensor:
        """Improve pictures [N, 3, H, W] in 0..1; strength 0 leaves them, 2 does twice as much."""
        x = picture - 0.5
        for layer in self.layers[:-1]:
            x = F.silu(layer(x))
        improved: Tensor = picture + strength * self.layers[-1](x)
        return improved.clamp(0, 1)
