"""The quantity that is made small, and its gradient: exact in one piece and exact in tiles."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn.features import VGG
from limner.nn.tiles import Tile
from limner.style import losses
from limner.style.losses import Moments
from limner.style.method import Method

Sums = dict[str, tuple[Tensor, Tensor]]  # by tap: the sums of `losses.sums`


def stride(tap: str) -> int:
    """Pixels from one position of a tap to the next."""
    return int(2 ** (int(tap[0]) - 1))


def weights_at_taps(weight: Tensor, taps: Iterable[str], ring: int) -> dict[str, Tensor]:
    """Bring a weight per pixel [1, 1, H, W] to each tap's grid, less ``ring`` pixels of border."""
    found = {}
    for tap in taps:
        coarse = F.avg_pool2d(weight, stride(tap))
        height, width = coarse.shape[-2:]
        if coarse.sum() <= 0:  # all of it lies in the rows and columns that pooling drops
            coarse = F.adaptive_avg_pool2d(weight, (height, width))
        border = losses.border_weight(height, width, -(-ring // stride(tap))).to(coarse)
        inner = coarse * border
        found[tap] = inner if inner.sum() > 0 else coarse  # a speck at the rim has no inside
    return found


@dataclass(frozen=True)
class Region:
    """Where one style, or one blend of styles, is wanted.

    Attributes
    ----------
    targets : dict of str to Moments
        The style, by tap.
    weights : dict of str to Tensor
        How much each position [1, 1, H', W'] of a tap belongs to the region.
    share : float
        The region's part in the loss: the part of the picture it covers, times its style's weight
        relative to their mean.
    """

    targets: dict[str, Moments]
    weights: dict[str, Tensor]
    share: float


@dataclass(frozen=True)
class Objective:
    """Style, content and smoothness of a picture at one scale.

    Attributes
    ----------
    network : VGG
        Whose features are compared.
    tiles : list of Tile
        How the picture is cut; one tile is the whole.
    method : Method
        Which taps, and how their distance is measured.
    content : dict of str to Tensor
        [1, C, H', W'], the features to keep, by tap.
    style_weight, content_weight, smoothness_weight : float
        Of the three parts. The first is summed over regions and taps and divided by the number of
        the method's style taps; the second is a mean over taps.
    """

    network: VGG
    tiles: list[Tile]
    method: Method
    content: dict[str, Tensor]
    style_weight: float
    content_weight: float
    smoothness_weight: float

    def gradient(self, picture: Tensor, regions: list[Region]) -> tuple[float, Tensor]:
        """Loss of a picture [1, 3, H, W] and its gradient, of the same shape.

        The style loss is a function of sums over all positions. So with several tiles there are
        two passes: the first adds up the sums, of which the loss and its gradient with respect to
        them follow; the second takes the gradient of each tile's share in them. With one tile the
        first pass is kept and the second need not look again.
        """
        whole = len(self.tiles) == 1
        totals: list[Sums] = []
        for tile in self.tiles:
            with torch.set_grad_enabled(whole):
                part, features = self._look(picture, tile, regions)
                parts = [self._sums(features, tile, region) for region in regions]
            totals = [_add(a, b) for a, b in zip(totals, parts, strict=True)] if totals else parts

        leaves = [{t: (a.detach(), b.detach()) for t, (a, b) in sums.items()} for sums in totals]
        flat = [x.requires_grad_() for sums in leaves for pair in sums.values() for x in pair]
        loss = self.style_weight * self._style(leaves, regions)
        slopes = iter(torch.autograd.grad(loss, flat))
        pulls = [{tap: (next(slopes), next(slopes)) for tap in sums} for sums in leaves]

        gradient = torch.zeros_like(picture)
        value = loss.item()
        for tile in self.tiles:
            if not whole:
                part, features = self._look(picture, tile, regions)
                parts = [self._sums(features, tile, region) for region in regions]
            content = self.content_weight * self._content(features, tile)
            pulled = content + sum(
                (a * x).sum() + (b * y).sum()
                for sums, pull in zip(parts, pulls, strict=True)
                for (x, y), (a, b) in zip(sums.values(), pull.values(), strict=True)
            )
            top, bottom, left, right = tile.outer
            gradient[..., top:bottom, left:right] += torch.autograd.grad(pulled, part)[0]
            value += content.item()

        if self.smoothness_weight:
            smooth = picture.detach().requires_grad_()
            roughness = self.smoothness_weight * losses.total_variation(smooth)
            gradient += torch.autograd.grad(roughness, smooth)[0]
            value += roughness.item()
        return value, gradient

    def _look(
        self, picture: Tensor, tile: Tile, regions: list[Region]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        top, bottom, left, right = tile.outer
        part = picture[..., top:bottom, left:right].detach().requires_grad_()
        laid = part.contiguous(memory_format=torch.channels_last)
        return part, self.network(laid, {*regions[0].targets, *self.content})

    def _sums(self, features: Mapping[str, Tensor], tile: Tile, region: Region) -> Sums:
        return {
            tap: losses.sums(
                in_core(features[tap], tile, tap),
                on_core(region.weights[tap], tile, tap),
                target.mean,
            )
            for tap, target in region.targets.items()
        }

    def _style(self, totals: list[Sums], regions: list[Region]) -> Tensor:
        found = []
        for sums, region in zip(totals, regions, strict=True):
            for tap, target in region.targets.items():
                mass = region.weights[tap].sum()
                ours = losses.moments(*sums[tap], mass, target.mean)
                found.append(region.share * self.method.style_loss(ours, target))
        return torch.stack(found).sum() / len(regions[0].targets)

    def _content(self, features: Mapping[str, Tensor], tile: Tile) -> Tensor:
        found = []
        for tap, whole in self.content.items():
            difference = in_core(features[tap], tile, tap) - on_core(whole, tile, tap)
            size = whole.numel() * (whole.var() if self.method.relative_content else 1)
            found.append(difference.square().sum() / size)
        return torch.stack(found).mean()


def in_core(feature: Tensor, tile: Tile, tap: str) -> Tensor:
    """Cut a tile's features to the positions in its core."""
    top, bottom, left, right = (edge // stride(tap) for edge in tile.core)
    above, before = tile.outer[0] // stride(tap), tile.outer[2] // stride(tap)
    return feature[..., top - above : bottom - above, left - before : right - before]


def on_core(field: Tensor, tile: Tile, tap: str) -> Tensor:
    """Cut a whole picture's features to the positions in a tile's core."""
    top, bottom, left, right = (edge // stride(tap) for edge in tile.core)
    return field[..., top:bottom, left:right]


@torch.no_grad()
def feature_maps(
    network: VGG, picture: Tensor, taps: Iterable[str], tiles: list[Tile]
) -> dict[str, Tensor]:
    """Features of a whole picture [1, 3, H, W] at some taps, computed tile by tile."""
    found: dict[str, Tensor] = {}
    height, width = picture.shape[-2:]
    for tile, features in _each(network, picture, taps, tiles):
        for tap, seen in features.items():
            part = in_core(seen, tile, tap)
            if tap not in found:
                shape = (1, part.shape[1], height // stride(tap), width // stride(tap))
                found[tap] = part.new_empty(shape)
            on_core(found[tap], tile, tap).copy_(part)
    return found


@torch.no_grad()
def style_moments(
    network: VGG, painting: Tensor, taps: Iterable[str], tiles: list[Tile], ring: int
) -> dict[str, Moments]:
    """Moments of a painting [1, 3, H, W] at each tap, computed tile by tile."""
    weights = weights_at_taps(torch.ones_like(painting[:, :1]), taps, ring)
    centres: dict[str, Tensor] = {}
    totals: Sums = {}
    for tile, features in _each(network, painting, weights, tiles):
        if not centres:
            centres = {tap: features[tap].mean((0, 2, 3)) for tap in weights}
        sums = {
            tap: losses.sums(
                in_core(features[tap], tile, tap), on_core(weights[tap], tile, tap), centres[tap]
            )
            for tap in weights
        }
        totals = _add(totals, sums) if totals else sums
    return {tap: losses.moments(*totals[tap], weights[tap].sum(), centres[tap]) for tap in weights}


def _each(
    network: VGG, picture: Tensor, taps: Iterable[str], tiles: list[Tile]
) -> Iterator[tuple[Tile, dict[str, Tensor]]]:
    wanted = list(taps)
    for tile in tiles:
        top, bottom, left, right = tile.outer
        part = picture[..., top:bottom, left:right]
        yield tile, network(part.contiguous(memory_format=torch.channels_last), wanted)


def _add(one: Sums, other: Sums) -> Sums:
    return {tap: (one[tap][0] + other[tap][0], one[tap][1] + other[tap][1]) for tap in one}
