"""Training batches of the colorizing network: drawings, their regions, and the true colors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from limner.colorization import regions, scenes
from limner.colorization.dataset import Pictures, draw, rotate_hues
from limner.colorization.network import COLORS
from limner.colorization.tokens import Tokens, stack
from limner.nn import seeding

SCENES = 0.35  # share of the drawings that show a scene instead of one picture
MAX_REGIONS = 128  # of a drawing in training: the largest; the rest count as one of them
_WHITE = 0.97  # brighter colors count as white, which is a color by itself
_SAMPLES = 40_000  # pixels that the set of colors is chosen from


class Batch(NamedTuple):
    """N drawings and their regions.

    Attributes
    ----------
    ink : Tensor
        [N, 1, H, W].
    tokens : Tokens
        The regions, T per drawing.
    rgb : Tensor
        The true colors of the regions, [N, T, 3].
    known : Tensor
        [N, T], true where the network may see the color.
    """

    ink: Tensor
    tokens: Tokens
    rgb: Tensor
    known: Tensor


def sample(pictures: Pictures, size: int, randoms: Sequence[torch.Generator]) -> Batch:
    """Draw a batch of pictures, `size` pixels a side, each with random numbers of its own.

    About a third are scenes, unless the pictures come with their own drawings.
    The colors of every second picture are all hidden. Of the others, a few regions are known, as
    with hints, or a random share of them. A third of those pictures have their hues rotated, so
    that the network can know the colors only from the known ones.
    """
    drawn = [_draw(pictures, size, random) for random in randoms]
    return Batch(
        torch.cat([one.ink for one in drawn]),
        stack([one.tokens for one in drawn]),
        pad_sequence([one.rgb[0] for one in drawn], batch_first=True),
        pad_sequence([one.known[0] for one in drawn], batch_first=True),
    )


def _draw(pictures: Pictures, size: int, random: torch.Generator) -> Batch:
    """Draw one picture."""
    rgb, drawing = pictures.sample(size, random)
    if drawing is None and float(torch.rand((), generator=random)) < SCENES:
        rgb = scenes.draw(pictures, size, random)
    kind, rotate, amount = torch.rand(3, generator=random).tolist()
    if kind > 0.5 and rotate < 1 / 3:
        rgb = rotate_hues(rgb, random)
    ink = draw(rgb, drawing, random)
    tokens, colors = regions.colored(ink, rgb, MAX_REGIONS)
    number = len(colors[0])
    if kind < 0.5:
        hints = 0
    elif kind < 0.8:
        hints = min(number, int(min(20, number) ** amount))
    else:
        hints = round(amount * number)
    known = torch.zeros(1, number, dtype=torch.bool)
    if hints:  # large regions are hinted more often
        known[0, torch.multinomial(tokens.area[0].sqrt(), hints, generator=random)] = True
    return Batch(ink, tokens, colors, known)


def choose_colors(pictures: Pictures, seed: int) -> Tensor:
    """Choose the colors that the network can give: k-means of the pictures' colors, and white.

    Rare colors count more than their area (Zhang et al. 2016): each of 4,096 cells of RGB weighs
    the square root of its pixels.
    """
    random = seeding.generator(seed, 0)
    pixels = torch.cat([pictures.thumbnail(index) for index in range(len(pictures))])
    codes = (pixels.long() >> 4) @ torch.tensor([256, 16, 1])
    weights = torch.bincount(codes, minlength=4096).double()[codes].rsqrt()
    drawn = pixels[torch.multinomial(weights.float(), _SAMPLES, True, generator=random)]
    points = drawn.numpy().astype(np.float64) / 255
    if len(np.unique(drawn, axis=0)) < COLORS:  # k-means needs as many different points
        points = (points + np.random.default_rng(seed).normal(0, 0.01, points.shape)).clip(0, 1)
    points = points[points.min(1) < _WHITE]
    centers, _ = kmeans2(points, COLORS - 1, minit="++", seed=seed)
    return torch.from_numpy(np.vstack((np.ones((1, 3)), centers)).astype(np.float32))
