"""Networks that predict hidden centres from what lies around them."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.beauty import inpainting_masks as masks
from limner.nn.blocks import Block

CELL = 8  # pixels of the side of what our network takes as one


class Predictor(nn.Module):
    """Predicts every other centre of a frame in one pass, so that four passes rebuild all of it.

    It sees the picture in cells of 8×8 pixels, hidden centres filled harmonically, and adds what a
    soap film cannot know. Between hidden centres lie 32 pixels of picture, where a window has 48.

    Parameters
    ----------
    widths : tuple of int
        Channels at 1/8 and at 1/16 of the picture.
    """

    def __init__(self, widths: tuple[int, int] = (48, 96)) -> None:
        super().__init__()
        self.widths = widths
        fine, coarse = widths
        self.first = nn.Conv2d(3 * CELL**2 + 2, fine, 1)
        self.before = Block(fine)
        self.down = nn.Conv2d(fine, coarse, 3, 2, padding=1)
        self.within = nn.Sequential(Block(coarse), Block(coarse))
        self.up = nn.Conv2d(coarse, fine, 1)
        self.after = Block(fine)
        self.last = nn.Conv2d(fine, 3 * CELL**2, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, filled: Tensor, hidden: Tensor) -> Tensor:
        """Predict what the harmonic fill lacks.

        Parameters
        ----------
        filled : Tensor
            Frames [N, 3, H, W] in 0..1, hidden centres filled harmonically.
        hidden : Tensor
            [N, 1, H, W], 1 where centres are hidden, else 0.

        Returns
        -------
        Tensor
            [N, 3, H, W], to be added; it means something where centres are hidden.
        """
        cells = F.pixel_unshuffle(filled - 0.5, CELL)
        mask = hidden[..., ::CELL, ::CELL]
        x = self.first(torch.cat((cells, mask, torch.ones_like(mask)), 1))
        x = self.before(x)
        coarse = self.within(self.down(x))
        x = x + F.interpolate(self.up(coarse), scale_factor=2, mode="nearest")
        lacking: Tensor = F.pixel_shuffle(self.last(self.after(x)), CELL)
        return lacking


class Context(nn.Module):
    """The article's predictor: a window of 128×128 pixels in, its hidden 32×32 centre out.

    A context encoder (Pathak et al. 2016, section 3), which has the same window; a quarter of its
    bottleneck.
    """

    def __init__(self, width: int = 64, bottleneck: int = 1000) -> None:
        super().__init__()
        sizes = (4, width, width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for narrow, wide in pairwise(sizes):  # 64, 32, 16, 8, 4
            layers += [nn.Conv2d(narrow, wide, 4, 2, padding=1), nn.BatchNorm2d(wide)]
            layers += [nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(sizes[-1], bottleneck, 4), nn.LeakyReLU(0.2)]
        layers += [nn.ConvTranspose2d(bottleneck, 4 * width, 4), nn.BatchNorm2d(4 * width)]
        layers += [nn.ReLU()]
        for wide, narrow in ((4 * width, 2 * width), (2 * width, width)):  # 8, 16
            layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, padding=1), nn.BatchNorm2d(narrow)]
            layers += [nn.ReLU()]
        layers += [nn.ConvTranspose2d(width, 3, 4, 2, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, window: Tensor) -> Tensor:
        """Predict the centres [N, 3, 32, 32] of windows [N, 3, 128, 128], whatever is in them."""
        hidden = torch.zeros_like(window[:, :1])
        centre = slice(masks.CONTEXT, -masks.CONTEXT)
        hidden[..., centre, centre] = 1
        given = torch.cat(((window - 0.5) * (1 - hidden), hidden), 1)
        centres: Tensor = self.layers(given) + 0.5
        return centres


def rebuilt(network: Predictor, frame: Tensor) -> Tensor:
    """Predict all centres of frames [N, 3, H, W] in four passes, [N, 3, 32m, 32n]."""
    film = masks.harmonic(frame)
    filled = F.pad(film, (masks.CONTEXT,) * 4)
    phases = masks.phase_of(frame)
    hidden = torch.cat([(phases == phase).to(frame) for phase in range(masks.PHASES)])
    found = []
    for one, fill in zip(frame, filled, strict=True):  # its four passes as one batch
        given = torch.where(hidden > 0, fill, one)
        found.append((hidden * network(given, hidden)).sum(0))
    return film + masks.inner(torch.stack(found))


def rebuilt_by_windows(network: Context, frame: Tensor, batch: int = 16) -> Tensor:
    """Predict all centres of frames from their own windows, exactly, some at a time.

    The article's loop, centre after centre, is ``batch=1``.
    """
    cut = masks.windows(frame)
    parts = [network(cut[first : first + batch]) for first in range(0, len(cut), batch)]
    return masks.assembled(torch.cat(parts), frame)
