"""Networks that predict the holes of a frame from what is around them.

See `limner.beauty.inpainting_masks` for holes, windows, frames and phases. Attributes of the
networks are names in weights files, so renaming one breaks files that exist.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.beauty import inpainting_masks as masks
from limner.nn.blocks import Block

CELL = 8  # pixels: the U-Net sees the picture in cells of 8×8

Predictor = Callable[[Tensor], Tensor]  # frames [N, 3, H, W] → their holes [N, 3, 32m, 32n]


class UNet(nn.Module):
    """Our predictor: a small U-Net that fills all holes of one phase at once.

    The holes are first filled harmonically, and the network adds what the fill lacks. Between the
    holes of a phase there are 32 pixels of picture, where a window has 48.

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
        """Predict the difference between the picture and its harmonic fill.

        Parameters
        ----------
        filled : Tensor
            Frames [N, 3, H, W] in 0..1, with the hidden holes filled harmonically.
        hidden : Tensor
            [N, 1, H, W], 1 in hidden holes, 0 elsewhere.

        Returns
        -------
        Tensor
            [N, 3, H, W], to add to the fill. Only the values in hidden holes mean something.
        """
        cells = F.pixel_unshuffle(filled - 0.5, CELL)
        mask = hidden[..., ::CELL, ::CELL]
        x = self.first(torch.cat((cells, mask, torch.ones_like(mask)), 1))
        x = self.before(x)
        coarse = self.within(self.down(x))
        x = x + F.interpolate(self.up(coarse), scale_factor=2, mode="nearest")
        difference: Tensor = F.pixel_shuffle(self.last(self.after(x)), CELL)
        return difference


class ContextEncoder(nn.Module):
    """The article's predictor: from a window of 128×128 pixels to its hole of 32×32.

    A context encoder (Pathak et al. 2016, section 3) for windows of the same size, with a quarter
    of its bottleneck.
    """

    def __init__(self, width: int = 64, bottleneck: int = 1000) -> None:
        super().__init__()
        sizes = (4, width, width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for narrow, wide in pairwise(sizes):  # 64, 32, 16, 8, 4 pixels a side
            layers += [nn.Conv2d(narrow, wide, 4, 2, padding=1), nn.BatchNorm2d(wide)]
            layers += [nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(sizes[-1], bottleneck, 4), nn.LeakyReLU(0.2)]
        layers += [nn.ConvTranspose2d(bottleneck, 4 * width, 4), nn.BatchNorm2d(4 * width)]
        layers += [nn.ReLU()]
        for wide, narrow in ((4 * width, 2 * width), (2 * width, width)):  # 8, 16 pixels a side
            layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, padding=1), nn.BatchNorm2d(narrow)]
            layers += [nn.ReLU()]
        layers += [nn.ConvTranspose2d(width, 3, 4, 2, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, window: Tensor) -> Tensor:
        """Predict the holes [N, 3, 32, 32] of windows [N, 3, 128, 128] in 0..1.

        What the windows have in their holes is ignored.
        """
        hidden = torch.zeros_like(window[:, :1])
        hole = slice(masks.CONTEXT, -masks.CONTEXT)
        hidden[..., hole, hole] = 1
        given = torch.cat(((window - 0.5) * (1 - hidden), hidden), 1)
        holes: Tensor = self.layers(given) + 0.5
        return holes


def predictor_of(network: nn.Module) -> Predictor:
    """Return the function that predicts all holes of frames with this network."""
    if isinstance(network, UNet):
        return partial(predict_by_phases, network)
    assert isinstance(network, ContextEncoder), type(network)
    return partial(predict_by_windows, network)


def predict_by_phases(network: UNet, frame: Tensor) -> Tensor:
    """Predict all holes of frames [N, 3, H, W], one phase at a time, [N, 3, 32m, 32n]."""
    fill = masks.harmonic_fill(frame)
    padded = F.pad(fill, (masks.CONTEXT,) * 4)
    phases = masks.phase_map(frame)
    hidden = torch.cat([(phases == phase).to(frame) for phase in range(masks.PHASES)])
    differences = []
    for one, one_filled in zip(frame, padded, strict=True):  # its four phases as one batch
        filled = torch.where(hidden > 0, one_filled, one)
        differences.append((hidden * network(filled, hidden)).sum(0))
    return fill + masks.crop_holes(torch.stack(differences))


def predict_by_windows(network: ContextEncoder, frame: Tensor, batch: int = 16) -> Tensor:
    """Predict all holes of frames [N, 3, H, W], each from its own window, [N, 3, 32m, 32n].

    `batch` windows are predicted at once. 1 is the article's loop over the holes.
    """
    windows = masks.cut_windows(frame)
    parts = [network(windows[first : first + batch]) for first in range(0, len(windows), batch)]
    return masks.join_holes(torch.cat(parts), frame)
