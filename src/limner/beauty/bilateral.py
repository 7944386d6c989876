"""The default improver: levels, white balance, contrast, and local light in a bilateral grid.

Attributes of the network are names in weights files, so renaming one breaks files that exist.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nn import images

INPUT_SIZE = 128  # both sides, in pixels, at which the network sees a picture
BINS, CELLS = 8, 16  # of the bilateral grid: along luma, and along both sides of the picture
HISTOGRAM = 32  # bins for each of red, green, blue and luma

_MAX_BLACK, _MAX_WHITE = 0.5, 0.6  # the most that levels move the ends of the range inward
_MAX_BALANCE = 0.22  # log2 of the factor of a channel, before the mean of the channels is removed
_TOO_FAR = 0.2  # what levels wish for so far beyond the pixels of a picture counts as a mistake
_MIN_SPAN = 0.1  # between black and white
_MAX_MIDTONES, _MAX_CONTRAST = 0.8, 0.5  # shift of log2 odds; log2 of their factor
_MAX_SATURATION = 0.5
_MAX_LIGHT, _MAX_SLOPE = 0.6, 0.3  # of the grid, in log2 odds: all over, and from bin to bin
RARE = 5e-4  # share of the pixels beyond each end of the range of a picture
SAMPLES = 512  # about this number squared of pixels is looked at for that range
_DROPOUT = 0.2
_SHOULDER, _TOE = 0.7, 0.1  # what levels would clip is compressed beyond these
_NEAR_ENDS = 1e-6  # what counts as black or white
_STEPS = 1 << 16  # entries of a lookup table; all values of 8 and of 16 bits are among them


class Tones(NamedTuple):
    """A change of all colors that is the same everywhere. All are [N, 1, 1, 1], except `balance`.

    Attributes
    ----------
    black, white : Tensor
        The values that levels map to 0 and 1; values beyond them are compressed.
    balance : Tensor
        [N, 3, 1, 1], white balance: log2 of the factor of each channel. Their mean is 0.
    midtones : Tensor
        Added to log2(x / (1 - x)) of every value x.
    contrast : Tensor
        Log2 of the factor of log2(x / (1 - x)).
    saturation : Tensor
        Added to 1, this is the factor of the saturation; less where colors are strong.
    low, high : Tensor
        The range of values to keep apart; roughly that of the picture.
    """

    black: Tensor
    white: Tensor
    balance: Tensor
    midtones: Tensor
    contrast: Tensor
    saturation: Tensor
    low: Tensor
    high: Tensor

    def scaled(self, strength: float | Tensor, white_balance: float | Tensor) -> "Tones":
        """Return the change at another strength. Levels and balance are not exaggerated."""
        share = strength.clamp(max=1) if isinstance(strength, Tensor) else min(strength, 1.0)
        return self._replace(
            black=self.black * share,
            white=self.white**share,
            balance=self.balance * share * white_balance,
            midtones=self.midtones * share,
            contrast=self.contrast * strength,
            saturation=self.saturation * strength,
        )


class Change(NamedTuple):
    """What an improver has decided for a picture.

    Attributes
    ----------
    rows : callable
        Changes some rows of the picture.
    colors : callable or None
        Changes colors [1, 3, H, W], on the CPU: the part of the change that is the same everywhere,
        if the improver has one.
    """

    rows: Callable[[slice], Tensor]
    colors: Callable[[Tensor], Tensor] | None = None


class BilateralImprover(nn.Module):
    """Our default improver. It cannot blur, and light changes at edges without a halo.

    It sees a picture at 128×128 pixels, and decides on two changes. The first is the same
    everywhere: levels, white balance, contrast and saturation. The second is local: a bilateral
    grid (Chen et al. 2007) of light that a network fills, as in HDRNet (Gharbi et al. 2017). One
    axis of the grid is luma, so the light changes at an edge and hardly beside it.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.width, wide = width, 2 * width

        def layer(narrow: int, wide: int, stride: int = 1) -> nn.Conv2d:
            # borders are repeated: zeros would darken the margins of pictures
            return nn.Conv2d(narrow, wide, 3, stride, 1, padding_mode="replicate")

        self.seen = nn.ModuleList((layer(3, width, 2), layer(width, wide, 2)))
        self.hidden = nn.Linear(4 * HISTOGRAM + wide, 64)
        self.tones = nn.Linear(64, 8)
        self.parts = nn.ModuleList(
            (layer(3, width, 2), layer(width, wide, 2), layer(wide, wide, 2))
        )
        self.whole = nn.Linear(wide, wide)
        self.around = layer(wide, wide)
        self.grid = layer(wide, BINS)
        for last in (self.tones, self.grid):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def adjustments(self, picture: Tensor) -> tuple[Tones, Tensor]:
        """Decide how to change pictures [N, 3, H, W] in 0..1.

        Returns
        -------
        tuple
            The tones, and the bilateral grid [N, 8, 16, 16] in log2 odds.
        """
        small = F.interpolate(picture, (INPUT_SIZE,) * 2, mode="bilinear", antialias=True)
        return self.decide(small, *extremes(picture))

    def decide(self, small: Tensor, low: Tensor, high: Tensor) -> tuple[Tones, Tensor]:
        """Do the same for pictures that are shrunk already, [N, 3, 128, 128], with `extremes`."""
        *tones, grid = self.see(small, low, high)
        return Tones(*tones), grid

    def see(self, small: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, ...]:
        """Do the same, and return the tones and the grid as one tuple."""
        tones = self._tones(small, low, high)
        x = tone(small, tones).detach() - 0.5
        for conv in self.parts:
            x = F.silu(conv(x))
        x = x + self.whole(x.mean((2, 3)))[..., None, None]
        x = x + self.around(F.silu(x))
        x = self.grid(F.silu(x)).tanh()
        bins = torch.arange(BINS, device=x.device)
        below = (bins[:-1] < bins[:, None]).to(x)  # a bin is the sum of the slopes below it
        slopes = F.conv2d(_MAX_SLOPE * x[:, 1:], below[..., None, None])
        return *tones, _MAX_LIGHT * x[:, :1] + slopes - slopes.mean(1, keepdim=True)

    def _tones(self, small: Tensor, low: Tensor, high: Tensor) -> Tones:
        x = small - 0.5
        for conv in self.seen:
            x = F.silu(conv(x))
        x = torch.cat((histogram(small).sqrt(), x.mean((2, 3))), 1)
        x = F.dropout(F.silu(self.hidden(x)), _DROPOUT, self.training)
        raw = self.tones(x).tanh()[..., None, None]
        colorful = (small.amax(1) - small.amin(1)).mean((1, 2))[:, None, None, None]
        balance = raw[:, 4:7] - raw[:, 4:7].mean(1, keepdim=True)
        return Tones(
            black=_within(_MAX_BLACK * raw[:, 0:1].clamp(min=0), low),
            white=1 - _within(_MAX_WHITE * raw[:, 1:2].clamp(min=0), 1 - high),
            balance=_MAX_BALANCE * balance * (1 - torch.exp(-100 * colorful)),
            midtones=_MAX_MIDTONES * raw[:, 2:3],
            contrast=_MAX_CONTRAST * raw[:, 3:4],
            saturation=_MAX_SATURATION * raw[:, 7:8],
            low=0.9 * low,
            high=high + 0.1 * (1 - high),
        )

    def change(self, picture: Tensor, strength: float, white_balance: float) -> Change:
        """Decide how to change a picture.

        Parameters
        ----------
        picture : Tensor
            [1, 3, H, W] in 0..1, in steps of 8 or 16 bits.
        strength : float
            0 changes nothing; 2 doubles contrast, saturation and local light.
        white_balance : float
            Share of the white balance, from 0 to 1.
        """
        tones, grid = self.adjustments(picture)
        tones, size = tones.scaled(strength, white_balance), images.size_of(picture)
        steps = torch.arange(_STEPS, device=picture.device) / (_STEPS - 1)
        tables = curve(steps.expand(1, 3, 1, -1), tones)[0, :, 0]
        down, across = (_splines(side, picture.device) for side in size)
        columns = strength * grid @ across.mT

        def changed(rows: slice) -> Tensor:
            part = picture[0, :, rows]
            entries = (part * (_STEPS - 1)).round_().int().flatten(1)
            found = [
                table.index_select(0, entry) for table, entry in zip(tables, entries, strict=True)
            ]
            toned = saturate(torch.stack(found).view(1, *part.shape), tones.saturation)
            return relight(toned, down[rows] @ columns)

        everywhere = Tones(*(one.cpu() for one in tones))
        return Change(changed, partial(tone, tones=everywhere))

    def forward(self, picture: Tensor, strength: float = 1.0) -> Tensor:
        """Improve pictures [N, 3, H, W] in 0..1 as a whole, with all of the white balance."""
        tones, grid = self.adjustments(picture)
        light = spread(strength * grid, slice(None), images.size_of(picture))
        return relight(tone(picture, tones.scaled(strength, 1.0)), light)


def extremes(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lowest and highest values [N, 1, 1, 1] of pictures, but for a few pixels.

    They are of full size: small lights vanish in a shrunk copy.
    """
    stride = max(1, int(math.prod(images.size_of(picture)) ** 0.5 / SAMPLES))
    values = picture[..., ::stride, ::stride]
    low = values.amin(1).flatten(1).quantile(RARE, 1, interpolation="lower")
    high = values.amax(1).flatten(1).quantile(1 - RARE, 1, interpolation="higher")
    return low.view(-1, 1, 1, 1), high.view(-1, 1, 1, 1)


def histogram(picture: Tensor) -> Tensor:
    """Return the shares [N, 128] of values in 32 bins, for red, green, blue and luma."""
    values = torch.cat((picture, images.luma(picture)), 1)
    centers = torch.arange(HISTOGRAM, device=picture.device).repeat(4) / (HISTOGRAM - 1)
    away = F.conv2d(values, values.new_ones(len(centers), 1, 1, 1), -centers, stride=2, groups=4)
    return (1 - away.abs() * (HISTOGRAM - 1)).clamp(min=0).mean((2, 3))


def tone(picture: Tensor, tones: Tones) -> Tensor:
    """Change the colors of pictures [N, 3, H, W] in 0..1, the same way everywhere."""
    return saturate(curve(picture, tones), tones.saturation)


def curve(picture: Tensor, tones: Tones) -> Tensor:
    """Change each channel of pictures [N, 3, H, W] in 0..1: levels, white balance and contrast.

    Values keep their order, and none is clipped inside ``tones.low`` to ``tones.high``.
    """
    span, gain = (tones.white - tones.black).clamp(min=_MIN_SPAN), _exp2(tones.balance)

    def level(x: Tensor) -> Tensor:
        return gain * (x - tones.black) / span

    x = level(picture)
    x = _compress(x, _SHOULDER, level(torch.maximum(tones.high, tones.white)))
    x = 1 - _compress(1 - x, 1 - _TOE, 1 - level(torch.minimum(tones.low, tones.black)))
    x = x.clamp(_NEAR_ENDS, 1 - _NEAR_ENDS)  # powers have no finite slope at 0
    factor = _exp2(tones.contrast)
    x, rest = x**factor * _exp2(tones.midtones), (1 - x) ** factor
    return x / (x + rest)


def saturate(picture: Tensor, amount: float | Tensor) -> Tensor:
    """Strengthen the colors of pictures [N, 3, H, W] by a factor of 1 + amount.

    Less where they are strong: a color that cannot be stronger at its luma stays.
    """
    luma = images.luma(picture)
    highest, lowest = picture.amax(1, keepdim=True), picture.amin(1, keepdim=True)
    strong = torch.maximum((highest - luma) / (1 - luma + 1e-4), (luma - lowest) / (luma + 1e-4))
    return (luma + (picture - luma) * (1 + amount * (1 - strong.clamp(0, 1)))).clamp(0, 1)


def relight(picture: Tensor, light: Tensor) -> Tensor:
    """Lighten and darken pictures [N, 3, H, W] in 0..1, where `light` says so.

    Parameters
    ----------
    light : Tensor
        [N, 8, H, W], in log2 odds for each bin of luma; see `spread`.
    """
    place = images.luma(picture) * (BINS - 1)
    exponent = light[:, :1]
    for low in range(BINS - 1):  # the slopes below a place, summed: three times as fast as `gather`
        slope = light[:, low + 1 : low + 2] - light[:, low : low + 1]
        exponent = torch.addcmul(exponent, slope, (place - low).clamp(0, 1))
    return multiply_odds(picture, exponent)


def multiply_odds(picture: Tensor, exponent: Tensor) -> Tensor:
    """Multiply the odds x / (1 - x) of pictures [N, 3, H, W] by 2 to a power [N, 1, H, W]."""
    factor = _exp2(exponent)
    return picture * factor / (1 + picture * (factor - 1))


def spread(grid: Tensor, rows: slice, size: tuple[int, int]) -> Tensor:
    """Interpolate a grid [N, 8, 16, 16] to some rows of a picture [N, 8, H, W].

    Cubic B-splines, so that the cells do not show.
    """
    down, across = (_splines(side, grid.device).T.to(grid) for side in size)
    return ((grid @ across).transpose(-1, -2) @ down[:, rows]).transpose(-1, -2)


def _splines(side: int, device: torch.device) -> Tensor:
    """Return the weights [side, 16] of the cells at the pixels along one side of a picture."""
    places = torch.arange(side, device=device)
    cells = torch.arange(-1, CELLS + 1, device=device)
    away = ((places[:, None] + 0.5) / side * CELLS - 0.5 - cells).abs()
    near, far = 2 / 3 - away**2 + away**3 / 2, (2 - away).clamp(min=0) ** 3 / 6
    weights = torch.where(away < 1, near, far)
    before, inner, after = weights[:, :1], weights[:, 1:-1], weights[:, -1:]
    # the outermost cells are repeated
    inner = inner + F.pad(before, (0, CELLS - 1)) + F.pad(after, (CELLS - 1, 0))
    return inner / inner.sum(1, keepdim=True)


def _within(level: Tensor, end: Tensor) -> Tensor:
    """Return how far levels move an end of the range inward: not beyond the pixels of a picture.

    Where the wish lies far beyond them, nothing moves: a night photo with a few bright lights is
    not underexposed.
    """
    return torch.minimum(level, end) * (1 - (level - end) / _TOO_FAR).clamp(0, 1)


def _compress(x: Tensor, start: float, top: Tensor) -> Tensor:
    """Move what lies between `start` and `top` into `start` to 1, smoothly at `start`."""
    reach = ((top - start) / (1 - start)).clamp(min=0.05)
    beyond = torch.minimum(((x - start) / (1 - start)).clamp(min=0), reach)
    squeezed = beyond / (1 + beyond * (reach - 1) / reach)
    return x.clamp(max=start) + (1 - start) * squeezed


def _exp2(x: Tensor) -> Tensor:
    """Raise 2 to a power. `torch.exp2` cannot be exported, and OpenCV misreads ``2**x``."""
    return (math.log(2) * x).exp()
