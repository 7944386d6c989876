"""Choose one color per region: the network's distribution, a palette or a reference picture."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.color import oklab
from limner.colorization import regions
from limner.colorization.network import Colorizer
from limner.colorization.tokens import Tokens
from limner.line_art import lines
from limner.line_art.regions import cover_lines
from limner.nn import images

MAX_REGIONS = 1000  # of a drawing: the smallest beyond that belong to their neighbors
ROUNDS = 2  # more of them make one color spread over the drawing
_MEAN_WEIGHT = 8.0  # how much the mean color pulls a choice, per squared distance in sRGB
_CHROMA, _DULL = 2.0, 1.0  # preference for colors, per unit of chroma; against dull ones
_NOISE = 0.6  # temperature of variations; at 1 every region gets another hue
_PALETTE_WIDTH = 0.12  # in Oklab: a color of a palette gathers the votes of colors this near to it
_WHITE_WIDTH = 0.03  # in Oklab: only what is nearly white stays white beside a palette
_LIKENESS = 12.0  # weight of the cosine similarity of a region and one of the reference's
_REFERENCE_REGIONS = 200  # of a reference picture
_ASPECT = 16  # the longest side, as a multiple of the short side, that the network sees in full
_SMALLEST = 0.002  # share of the drawing from which a region may be given an unused palette color


def working_size(size: tuple[int, int], short: int, multiple: int) -> tuple[int, int]:
    """Return the height and width, multiples of a number, at which the network sees a picture.

    Its short side is about `short` pixels. Of a very long strip, the long side is limited instead.
    """
    scale = min(short / min(size), _ASPECT * short / max(size)) / multiple
    height, width = (max(1, round(side * scale)) * multiple for side in size)
    return height, width


@dataclass(frozen=True, eq=False)
class Choices:
    """The colors that regions can get.

    Attributes
    ----------
    colors : Tensor
        [E, 3], sRGB in 0..1.
    votes : Tensor or None
        [COLORS, E]: log of how much a color of the network speaks for each of them; None if they
        are the network's own colors.
    bonus : Tensor or None
        [1, T, E], added to the log-probability of each region's color.
    used : int
        The first so many colors should all appear.
    """

    colors: Tensor
    votes: Tensor | None = None
    bonus: Tensor | None = None
    used: int = 0


def from_palette(network: Colorizer, palette: Tensor) -> Choices:
    """Let regions choose from a palette [E, 3], all of which is used; paper stays white."""
    colors = torch.cat((palette, torch.ones_like(palette[:1])))
    distance = torch.cdist(oklab.of_colors(network.colors), oklab.of_colors(colors))
    width = torch.full((len(colors),), _PALETTE_WIDTH)
    width[-1] = _WHITE_WIDTH
    return Choices(colors, -((distance / width.to(distance)) ** 2), used=len(palette))


def from_reference(network: Colorizer, described: Tensor, reference: Tensor) -> Choices:
    """Let regions choose from the colors of a reference picture, by likeness of parts.

    Parameters
    ----------
    network : Colorizer
        It described the drawing.
    described : Tensor
        The drawing's regions, [1, T, C].
    reference : Tensor
        A colored picture [1, 3, H, W], on the CPU.
    """
    size = working_size(images.size_of(reference), network.size, network.multiple)
    rgb = images.resize(reference, size)
    ink = lines.contour(rgb)
    tokens, colors = regions.colored(ink, rgb, _REFERENCE_REGIONS)
    tokens, colors = tokens.to(described.device), colors[0].to(described)
    theirs = network.embed(network.encode(ink.to(described)), tokens)
    center = torch.cat((described, theirs), 1).mean(1, keepdim=True)
    likeness = F.cosine_similarity(
        (described - center)[:, :, None], (theirs - center)[:, None], dim=-1
    )
    bonus = _LIKENESS * likeness
    # white paper stays white unless a part is very like one of the reference's
    bonus = torch.cat((bonus, bonus.amax(-1, keepdim=True) / 2), -1)
    return replace(from_palette(network, colors), bonus=bonus, used=0)


@torch.no_grad()
def propose(
    network: Colorizer,
    described: Tensor,
    tokens: Tokens,
    rgb: Tensor,
    known: Tensor,
    choices: Choices,
    noise: torch.Generator | None = None,
) -> Tensor:
    """Color the regions that are not known: the surest first, the others to go with them.

    In each round the network predicts all colors that are still open, given those that are fixed,
    and the surest ones are fixed (MaskGIT, Chang et al. 2022). A color is sure if it is probable
    and near the mean color.

    Parameters
    ----------
    network, described, tokens
        As `Colorizer.choose` takes them, for one drawing.
    rgb : Tensor
        [1, T, 3], sRGB in 0..1; read where the color is known.
    known : Tensor
        [1, T], true where the color is known.
    choices : Choices
        The colors to choose from.
    noise : torch.Generator or None
        Draw colors at random, probable ones more often, for a variation.

    Returns
    -------
    Tensor
        [T, 3].
    """
    fixed = known[0]
    score = _score(network, described, tokens, rgb, known, choices)
    for turn in range(ROUNDS):
        if turn:
            score = _score(network, described, tokens, rgb, known, choices)
        drawn = score if noise is None else score + _NOISE * _gumbel(score, noise)
        sure, best = drawn.max(-1)
        sure = sure.masked_fill(known, -torch.inf)
        left = (~known).sum()
        rank = sure.argsort(-1, descending=True).argsort(-1)
        now = ~known & (rank * (ROUNDS - turn) < left)
        rgb = torch.where(now[..., None], choices.colors[best], rgb)
        known = known | now
    if choices.used:
        _use_all(rgb[0], fixed, tokens.area[0], score[0], choices)
    return rgb[0]


def _score(
    network: Colorizer,
    described: Tensor,
    tokens: Tokens,
    rgb: Tensor,
    known: Tensor,
    choices: Choices,
) -> Tensor:
    """Return how well each color suits each region, [1, T, E]: a log-probability with a pull."""
    logits, mean = network.choose(described, tokens, rgb, known)
    away = ((mean[:, :, None] - network.colors) ** 2).sum(-1)
    score = logits.log_softmax(-1) - _MEAN_WEIGHT * away + _taste(network.colors)
    score = score.log_softmax(-1)
    if choices.votes is not None:
        score = torch.logsumexp(score[..., None] + choices.votes, 2).log_softmax(-1)
    return score if choices.bonus is None else (score + choices.bonus).log_softmax(-1)


def _taste(colors: Tensor) -> Tensor:
    """Return how much colors [E, 3] are preferred where the network is in doubt: [E].

    The likeliest single color is often a brown between all that would do. Illustrators take one of
    those instead.
    """
    lab = oklab.of_colors(colors)
    chroma: Tensor = lab[:, 1:].norm(dim=1)
    dull = (lab[:, 0] < 0.8) & (chroma < 0.09)
    return _CHROMA * chroma - _DULL * dull


def _gumbel(like: Tensor, noise: torch.Generator) -> Tensor:
    """Gumbel noise: the largest of log-probabilities plus noise is a draw from them."""
    uniform = torch.rand(like.shape, generator=noise).clamp(1e-9, 1 - 1e-7)
    return -(-uniform.log()).log().to(like)


def _use_all(rgb: Tensor, fixed: Tensor, area: Tensor, score: Tensor, choices: Choices) -> None:
    """Give every unused color to the region that loses least by it; changes `rgb` [T, 3].

    A region that alone holds a color keeps it, as do hinted regions and very small ones.
    """
    free = ~fixed & (area > _SMALLEST)
    holds = (rgb[:, None] == choices.colors).all(-1)
    for unused in (~holds.any(0))[: choices.used].nonzero()[:, 0].tolist():
        shared = (holds & (holds.sum(0) > 1)).any(-1) & free
        if not shared.any():
            return
        loss = (holds * score).sum(-1) - score[:, unused]
        index = int(loss.masked_fill(~shared, torch.inf).argmin())
        rgb[index] = choices.colors[unused]
        holds[index] = False
        holds[index, unused] = True


def fill(network: Colorizer, ink: Tensor) -> Tensor:
    """Color drawings [N, 1, H, W] without hints: [N, 3, H, W], on the CPU.

    Their sides are multiples of ``network.multiple``.
    """
    filled = []
    for one in torch.split(ink, 1):
        tokens, labels = regions.split(one.cpu(), MAX_REGIONS)
        described = network.embed(network.encode(one), tokens.to(ink.device))
        count = tokens.area.shape[1]
        unknown = torch.zeros((1, count), dtype=torch.bool, device=ink.device)
        blank = torch.zeros((1, count, 3), device=ink.device)
        colors = propose(
            network, described, tokens.to(ink.device), blank, unknown, Choices(network.colors)
        )
        covered = torch.from_numpy(cover_lines(labels, one[0, 0].cpu().numpy())).long()
        filled.append(colors.cpu()[covered - 1].permute(2, 0, 1)[None])
    return torch.cat(filled)
