"""The loss of a picture and its gradient, computed at once or in tiles, with the same result."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn.features import VGG
from limner.nn.tiles import Tile
from limner.style import losses
from limner.style.losses import FeatureStatistics
from limner.style.method import Method

Sums = dict[str, tuple[Tensor, Tensor]]  # for each layer, what `losses.weighted_sums` returns


def stride(layer: str) -> int:
    """Return how many pixels are between two positions of a layer."""
    return int(2 ** (int(layer[0]) - 1))


def masks_at_layers(mask: Tensor, layers: Iterable[str], border: int) -> dict[str, Tensor]:
    """Resize a mask [1, 1, H, W] to each layer, and leave out a border of the picture.

    The border is given in pixels of the picture. If nothing is left inside it, it is kept.
    """
    masks = {}
    for layer in layers:
        coarse = F.avg_pool2d(mask, stride(layer))
        height, width = coarse.shape[-2:]
        if coarse.sum() <= 0:  # the mask has only the last rows and columns, which pooling drops
            # on the CPU: on MPS it needs divisible sizes
            coarse = F.adaptive_avg_pool2d(mask.cpu(), (height, width)).to(mask.device)
        inside = losses.border_mask(height, width, -(-border // stride(layer))).to(coarse)
        inner = coarse * inside
        masks[layer] = inner if inner.sum() > 0 else coarse
    return masks


@dataclass(frozen=True)
class Region:
    """A part of the picture that gets one style, or one blend of styles.

    Attributes
    ----------
    targets : dict of str to FeatureStatistics
        The style at each layer.
    masks : dict of str to Tensor
        The mask of the region at each layer, [1, 1, H', W'] in 0..1.
    weight : float
        Weight of the region in the style loss: the share of the picture that it covers, times the
        weight of its style relative to the mean weight.
    """

    targets: dict[str, FeatureStatistics]
    masks: dict[str, Tensor]
    weight: float


@dataclass(frozen=True)
class Objective:
    """Style loss, content loss and total variation of a picture at one scale.

    Attributes
    ----------
    network : VGG
        The perceptual network.
    tiles : list of Tile
        How the picture is cut; one tile is the whole picture.
    method : Method
        Its style loss, and whether the content loss is relative.
    content : dict of str to Tensor
        The content features at each content layer, [1, C, H', W'].
    style_weight, content_weight, tv_weight : float
        The style loss is summed over regions and layers, and divided by the number of style
        layers. The content loss is averaged over layers.
    """

    network: VGG
    tiles: list[Tile]
    method: Method
    content: dict[str, Tensor]
    style_weight: float
    content_weight: float
    tv_weight: float

    @torch.enable_grad()  # the caller may have turned gradients off
    def gradient(self, picture: Tensor, regions: list[Region]) -> tuple[float, Tensor]:
        """Return the loss of a picture [1, 3, H, W], and its gradient of the same shape.

        The style loss is a function of sums over all positions. So with several tiles there are
        two passes. The first computes the sums, and with them the loss and its gradient with
        respect to the sums. The second backpropagates this gradient through each tile. A single
        tile needs one pass: its features are kept.
        """
        whole = len(self.tiles) == 1
        totals: list[Sums] = []
        for tile in self.tiles:
            with torch.set_grad_enabled(whole):
                part, features = self._features(picture, tile, regions)
                sums = [self._sums(features, tile, region) for region in regions]
            totals = [_add(a, b) for a, b in zip(totals, sums, strict=True)] if totals else sums

        leaves = [{k: (a.detach(), b.detach()) for k, (a, b) in total.items()} for total in totals]
        flat = [x.requires_grad_() for total in leaves for pair in total.values() for x in pair]
        style = self.style_weight * self._style_loss(leaves, regions)
        flat_gradients = iter(torch.autograd.grad(style, flat))
        sum_gradients = [
            {layer: (next(flat_gradients), next(flat_gradients)) for layer in total}
            for total in leaves
        ]

        gradient = torch.zeros_like(picture)
        loss = style.item()
        for tile in self.tiles:
            if not whole:
                part, features = self._features(picture, tile, regions)
                sums = [self._sums(features, tile, region) for region in regions]
            content = self.content_weight * self._content_loss(features, tile)
            # its gradient is that of the loss: the style loss enters by the chain rule
            surrogate = content + sum(
                (a * x).sum() + (b * y).sum()
                for total, gradients in zip(sums, sum_gradients, strict=True)
                for (x, y), (a, b) in zip(total.values(), gradients.values(), strict=True)
            )
            top, bottom, left, right = tile.outer
            gradient[..., top:bottom, left:right] += torch.autograd.grad(surrogate, part)[0]
            loss += content.item()

        if self.tv_weight:
            leaf = picture.detach().requires_grad_()
            variation = self.tv_weight * losses.total_variation(leaf)
            gradient += torch.autograd.grad(variation, leaf)[0]
            loss += variation.item()
        return loss, gradient

    def _features(
        self, picture: Tensor, tile: Tile, regions: list[Region]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return a tile of the picture as a leaf of autograd, and its features."""
        top, bottom, left, right = tile.outer
        part = picture[..., top:bottom, left:right].detach().requires_grad_()
        laid_out = part.contiguous(memory_format=torch.channels_last)
        return part, self.network(laid_out, {*regions[0].targets, *self.content})

    def _sums(self, features: Mapping[str, Tensor], tile: Tile, region: Region) -> Sums:
        centers = {layer: target.mean for layer, target in region.targets.items()}
        return _tile_sums(features, tile, region.masks, centers)

    def _style_loss(self, totals: list[Sums], regions: list[Region]) -> Tensor:
        parts = []
        for total, region in zip(totals, regions, strict=True):
            for layer, target in region.targets.items():
                total_weight = region.masks[layer].sum()
                ours = losses.statistics_from_sums(*total[layer], total_weight, target.mean)
                parts.append(region.weight * self.method.style_loss(ours, target))
        return torch.stack(parts).sum() / len(regions[0].targets)

    def _content_loss(self, features: Mapping[str, Tensor], tile: Tile) -> Tensor:
        parts = []
        for layer, content in self.content.items():
            ours = crop_tile(features[layer], tile, layer)
            difference = ours - crop_whole(content, tile, layer)
            scale = content.numel() * (content.var() if self.method.relative_content else 1)
            parts.append(difference.square().sum() / scale)
        return torch.stack(parts).mean()


def crop_tile(feature: Tensor, tile: Tile, layer: str) -> Tensor:
    """Crop the features of a tile [1, C, h, w] to its core."""
    top, bottom, left, right = (edge // stride(layer) for edge in tile.core)
    above, before = tile.outer[0] // stride(layer), tile.outer[2] // stride(layer)
    return feature[..., top - above : bottom - above, left - before : right - before]


def crop_whole(field: Tensor, tile: Tile, layer: str) -> Tensor:
    """Crop the features of the whole picture [1, C, H, W] to the core of a tile."""
    top, bottom, left, right = (edge // stride(layer) for edge in tile.core)
    return field[..., top:bottom, left:right]


@torch.no_grad()
def feature_maps(
    network: VGG, picture: Tensor, layers: Iterable[str], tiles: list[Tile]
) -> dict[str, Tensor]:
    """Compute the features of a picture [1, 3, H, W] at some layers, tile by tile."""
    maps: dict[str, Tensor] = {}
    height, width = picture.shape[-2:]
    for tile, features in _tile_features(network, picture, layers, tiles):
        for layer, feature in features.items():
            core = crop_tile(feature, tile, layer)
            if layer not in maps:
                shape = (1, core.shape[1], height // stride(layer), width // stride(layer))
                maps[layer] = core.new_empty(shape)
            crop_whole(maps[layer], tile, layer).copy_(core)
    return maps


@torch.no_grad()
def style_statistics(
    network: VGG, painting: Tensor, layers: Iterable[str], tiles: list[Tile], border: int
) -> dict[str, FeatureStatistics]:
    """Compute the style of a painting [1, 3, H, W] at each layer, tile by tile.

    Of one with alpha, [1, 4, H, W], what is transparent has no part in it.
    """
    painting, alpha = painting[:, :3], painting[:, 3:]
    visible = alpha if alpha.shape[1] else torch.ones_like(painting[:, :1])
    masks = masks_at_layers(visible, layers, border)
    centers: dict[str, Tensor] = {}
    totals: Sums = {}
    for tile, features in _tile_features(network, painting, masks, tiles):
        if not centers:
            centers = {layer: features[layer].mean((0, 2, 3)) for layer in masks}
        sums = _tile_sums(features, tile, masks, centers)
        totals = _add(totals, sums) if totals else sums
    return {
        layer: losses.statistics_from_sums(*totals[layer], mask.sum(), centers[layer])
        for layer, mask in masks.items()
    }


def _tile_features(
    network: VGG, picture: Tensor, layers: Iterable[str], tiles: list[Tile]
) -> Iterator[tuple[Tile, dict[str, Tensor]]]:
    names = list(layers)
    for tile in tiles:
        top, bottom, left, right = tile.outer
        part = picture[..., top:bottom, left:right]
        yield tile, network(part.contiguous(memory_format=torch.channels_last), names)


def _tile_sums(
    features: Mapping[str, Tensor],
    tile: Tile,
    masks: Mapping[str, Tensor],
    centers: Mapping[str, Tensor],
) -> Sums:
    """Return `losses.weighted_sums` at each layer of `centers`, over the core of one tile."""
    return {
        layer: losses.weighted_sums(
            crop_tile(features[layer], tile, layer), crop_whole(masks[layer], tile, layer), center
        )
        for layer, center in centers.items()
    }


def _add(one: Sums, other: Sums) -> Sums:
    return {
        layer: (one[layer][0] + other[layer][0], one[layer][1] + other[layer][1]) for layer in one
    }
