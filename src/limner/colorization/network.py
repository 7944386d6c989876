"""The colorizing network: a U-Net sees the lines, a transformer chooses a color per region."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.colorization.edge_aware import flood_fill
from limner.colorization.tokens import PAIR, SHAPE, Features, Tokens
from limner.nn import images
from limner.nn.blocks import Block

WIDTHS = (48, 80, 128, 160, 192)  # channels at 1/4, 1/8, … 1/64 of the drawing's size
COLORS = 192  # number of colors to choose from
SIZE = 128  # pixels of the short side in training, unless the weights file says otherwise
_INPUTS = 3  # ink and two flood fills
_GAP = 9  # pixels: the second flood fill closes gaps in lines up to one less than this
_WIDTH, _LAYERS, _HEADS = 192, 4, 6  # of the transformer


class Colorizer(nn.Module):
    """Propose a color for every region of a drawing, given the colors of some of them.

    Two parts:

    - A U-Net (Ronneberger et al. 2015) turns the ink into features at 1/4 of its size. Two flood
      fills from the border, one with the lines as they are and one with small gaps closed, are
      inputs too: they tell inside from outside, where no receptive field is large enough.
    - A transformer encoder (Vaswani et al. 2017) has one token per region: the mean of the
      features in the region, its shape, and its color where that is known. Attention has a bias
      for each pair of regions, from how they lie to each other. The output is a distribution over
      a fixed set of colors (Zhang et al. 2016), and one mean color.

    Training hides the colors of some regions at random, as masked language models hide words
    (Devlin et al. 2019). So one network colors without hints, with hints, and region after region.

    Parameters
    ----------
    widths : tuple of int
        Channels of the U-Net at each level, from 1/4 of the drawing's size down.
    """

    colors: Tensor  # [COLORS, 3], sRGB in 0..1: chosen from the training pictures

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.multiple = 2 * 2 ** len(widths)
        self.size = SIZE
        self.register_buffer("colors", torch.zeros(COLORS, 3))
        self.first = nn.Conv2d(_INPUTS * 16, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(Block(width) for width in widths)
        self.down = nn.ModuleList(
            nn.Conv2d(narrow, wide, 3, 2, padding=1) for narrow, wide in pairwise(widths)
        )
        self.context = nn.Linear(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            nn.Conv2d(narrow + wide, narrow, 3, padding=1) for narrow, wide in pairwise(widths)
        )
        self.decoder = nn.ModuleList(Block(width) for width in widths[:-1])
        self.features = nn.Linear(widths[0] + widths[1], _WIDTH)
        self.shape = nn.Sequential(nn.Linear(SHAPE, 64), nn.SiLU(), nn.Linear(64, _WIDTH))
        self.known = nn.Sequential(nn.Linear(4, 64), nn.SiLU(), nn.Linear(64, _WIDTH))
        self.pair = nn.Sequential(nn.Linear(PAIR, 16), nn.SiLU(), nn.Linear(16, _HEADS))
        self.layers = nn.ModuleList(_Layer() for _ in range(_LAYERS))
        self.norm = nn.LayerNorm(_WIDTH)
        self.choice = nn.Linear(_WIDTH, COLORS)
        self.mean = nn.Linear(_WIDTH, 3)

    def encode(self, ink: Tensor) -> Features:
        """Turn ink [N, 1, H, W] into features at 1/4 [N, C, h, w] and 1/8 [N, D, h/2, w/2].

        The size must be a multiple of ``multiple``.
        """
        closed = F.max_pool2d(ink, _GAP, 1, _GAP // 2)
        return self.see(torch.cat((ink, flood_fill(torch.cat((ink, closed), 1))), 1))

    def see(self, inputs: Tensor) -> Features:
        """Turn ink and two flood fills [N, 3, H, W] into the features of `encode`."""
        x = self.first(F.pixel_unshuffle(inputs, 4))
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(self.down[level - 1](x) if level else x)
            skips.append(x)
        x = x + self.context(x.mean((2, 3)))[..., None, None]
        coarse = x
        for level in reversed(range(len(self.up))):
            coarse = x
            x = torch.cat((skips[level], F.interpolate(x, scale_factor=2, mode="nearest")), 1)
            x = self.decoder[level](self.up[level](x))
        return x, coarse

    def embed(self, seen: Features, tokens: Tokens) -> Tensor:
        """Describe each region by its features and its shape, without its color: [N, T, C]."""
        fine, coarse = seen
        coarse = F.interpolate(coarse, images.size_of(fine), mode="bilinear", align_corners=False)
        pooled = tokens.pool @ torch.cat((fine, coarse), 1).flatten(2).transpose(-1, -2)
        described: Tensor = self.features(pooled) + self.shape(tokens.shape)
        return described

    def choose(
        self, described: Tensor, tokens: Tokens, rgb: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Predict the colors of the regions that are not known.

        Parameters
        ----------
        described : Tensor
            From `embed`, [N, T, C].
        tokens : Tokens
            The regions.
        rgb : Tensor
            [N, T, 3], sRGB in 0..1. Read only where the color is known.
        known : Tensor
            [N, T], 1 where the color of a region is known, else 0.

        Returns
        -------
        tuple of Tensor
            Logits over ``colors`` [N, T, COLORS], and mean colors [N, T, 3], mostly in 0..1.
        """
        known = known[..., None].to(described)
        x = described + self.known(torch.cat(((rgb - 0.5) * known, known), -1))
        bias = self.pair(tokens.pair).permute(0, 3, 1, 2)
        bias = bias.masked_fill(~tokens.valid[:, None, None, :], -1e4)
        for layer in self.layers:
            x = layer(x, bias)
        x = self.norm(x)
        return self.choice(x), 0.5 + self.mean(x)


class _Layer(nn.Module):
    """A transformer layer with the normalization first (Xiong et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(_WIDTH)
        self.attention = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.out = nn.Linear(_WIDTH, _WIDTH)
        self.norm = nn.LayerNorm(_WIDTH)
        self.wide = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.narrow = nn.Linear(3 * _WIDTH, _WIDTH)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Let tokens [N, T, C] attend to each other; the bias is [N, heads, T, T]."""
        parts = self.attention(self.attention_norm(x)).unflatten(-1, (3, _HEADS, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each [N, heads, T, C / heads]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        moved: Tensor = x + self.narrow(F.silu(self.wide(self.norm(x))))
        return moved
