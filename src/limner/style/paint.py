"""The optimization: a photo becomes a painting, scale by scale and step by step."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.color.transfer import transfer_colors
from limner.nn import features, images
from limner.nn.features import VGG
from limner.nn.seeding import generator
from limner.nn.tiles import Tile, cover
from limner.patches.synthesis import Synthesis
from limner.style.inputs import Inputs, resize_painting, visible_colors
from limner.style.losses import FeatureStatistics, blend
from limner.style.method import Method
from limner.style.objective import (
    Objective,
    Region,
    feature_maps,
    masks_at_layers,
    stride,
    style_statistics,
)
from limner.style.optimizer import PictureOptimizer
from limner.style.plan import Plan, Scale


@dataclass(frozen=True)
class PaintingState:
    """The state after a step.

    Attributes
    ----------
    optimizer : PictureOptimizer
    steps_done : tuple of int
        Steps done at each scale.
    loss : float or None
        The loss before this step.
    strokes : Synthesis or None
        The strokes that lie over the optimizer's result.
    """

    optimizer: PictureOptimizer
    steps_done: tuple[int, ...]
    loss: float | None
    strokes: Synthesis | None = None

    @property
    def levels_done(self) -> int:
        """Levels of strokes that are done."""
        return self.strokes.level if self.strokes else 0

    @property
    def step(self) -> int:
        """Steps done at all scales together, and levels of strokes."""
        return sum(self.steps_done) + self.levels_done

    def is_due(self, every: int) -> bool:
        """Whether to save a checkpoint after this step, if one is saved every ``every`` steps."""
        started = self.loss is not None or self.strokes is not None
        return every > 0 and started and self.step % every == 0


@dataclass(frozen=True)
class ScaledInputs:
    """The inputs at the size of one scale.

    Attributes
    ----------
    content : Tensor
        [1, 3, H, W], the photo, in the colors of the paintings if the method transfers them.
    paintings, masks : list of Tensor
        As in `Inputs`.
    paint_mask : Tensor
        [1, 1, H, W], from 0 where the photo stays to 1 where it is painted.
    """

    content: Tensor
    paintings: list[Tensor]
    masks: list[Tensor]
    paint_mask: Tensor


def paint(
    inputs: Inputs,
    network: VGG,
    plan: Plan,
    *,
    deadline: float = math.inf,
    resumed: PaintingState | None = None,
) -> Iterator[PaintingState]:
    """Paint a photo, and yield the state before the first step and after each step.

    Parameters
    ----------
    inputs : Inputs
        Photo, paintings, masks and start.
    network : VGG
        The perceptual network.
    plan : Plan
        Sizes, steps and options.
    deadline : float
        When to end, on the clock `time.monotonic`. The coarse scales, which decide most, get all
        their steps first; the fine scales get the time that is left.
    resumed : PaintingState or None
        Continue from this state.
    """
    method = plan.method
    steps_done = list(resumed.steps_done) if resumed else [0] * len(plan.scales)
    optimizer = resumed.optimizer if resumed else None
    unfinished = next((i for i in reversed(range(len(steps_done))) if steps_done[i]), 0)
    if resumed:
        yield resumed
    for index, scale in enumerate(plan.scales):
        no_steps_left = steps_done[index] >= scale.steps or time.monotonic() >= deadline
        if index < unfinished or (optimizer is not None and no_steps_left):
            continue  # without enlarging: a run cut here and its replay end with the same picture

        scaled = scale_inputs(inputs, (scale.height, scale.width), plan)
        if optimizer is None:
            optimizer = PictureOptimizer(first_iterate(inputs, scaled))
            yield PaintingState(optimizer, tuple(steps_done), None)
        elif steps_done[index] == 0:
            optimizer = PictureOptimizer(enlarge(optimizer, inputs, scaled, plan))
        if no_steps_left:
            continue

        objective = make_objective(scaled, network, plan, scale)
        regions = make_regions(scaled, inputs.weights, network, plan)
        while steps_done[index] < scale.steps and (
            not steps_done[index] or time.monotonic() < deadline
        ):
            random = generator(plan.seed, index * 10_007 + steps_done[index])
            windows = random_windows(regions, method, random)
            loss, gradient = objective.gradient(optimizer.picture, [*regions, *windows])
            optimizer.step(
                loss,
                gradient,
                scale.learning_rate,
                method.betas,
                method.epsilon,
                scaled.paint_mask,
            )
            steps_done[index] += 1
            yield PaintingState(optimizer, tuple(steps_done), loss)


def scale_inputs(inputs: Inputs, size: tuple[int, int], plan: Plan) -> ScaledInputs:
    """Resize the inputs for a scale, and transfer the colors of the paintings to the photo."""
    photo = images.resize(inputs.photo, size)
    masks = [images.resize(mask, size) for mask in inputs.masks]
    longest = round(max(size) * plan.style_scale)
    paintings = [resize_painting(painting, longest) for painting in inputs.paintings]
    paint_mask = union(masks) if masks else torch.ones_like(photo[:, :1])
    content = photo
    if plan.method.transfer_colors:
        content = transfer_palettes(photo, paintings, inputs.weights, masks, plan.strength)
    return ScaledInputs(content, paintings, masks, paint_mask)


def union(masks: Sequence[Tensor]) -> Tensor:
    """Return the sum of masks, at most 1."""
    return sum(masks[1:], masks[0]).clamp(max=1)


def transfer_palettes(
    photo: Tensor,
    paintings: Sequence[Tensor],
    weights: Sequence[float],
    masks: Sequence[Tensor],
    strength: float,
) -> Tensor:
    """Give the photo the colors of each painting under its mask, or of all in their proportions.

    The optimization starts from the result and takes its content from it, so it does not have to
    trade color against edges.

    Parameters
    ----------
    photo : Tensor
        [1, 3, H, W], sRGB in 0..1.
    paintings : sequence of Tensor
        [1, 3, H', W'], each in its own size; with alpha, [1, 4, H', W'].
    weights : sequence of float
        The weight of each painting.
    masks : sequence of Tensor
        [1, 1, H, W] for each painting; none if the paintings go everywhere.
    strength : float
        Share of the change, up to 1.
    """
    masks = masks or [torch.ones_like(photo[:, :1]) for _ in weights]
    weighted = [weight * mask for weight, mask in zip(weights, masks, strict=True)]
    total, paint_mask = sum(weighted[1:], weighted[0]), union(masks)
    transferred = photo
    for painting, part in zip(paintings, weighted, strict=True):
        share = paint_mask * part / total.clamp(min=1e-12)  # masks may overlap
        recolored = transfer_colors(photo, visible_colors(painting))
        transferred = transferred + share * (recolored - photo)
    return torch.lerp(photo, transferred, min(1.0, strength)).clamp(0, 1)


def first_iterate(inputs: Inputs, scaled: ScaledInputs) -> Tensor:
    """Return the start where the photo is painted, and the photo elsewhere."""
    init = scaled.content
    if inputs.init is not None:
        init = images.resize(inputs.init, images.size_of(scaled.content))
    return torch.lerp(scaled.content, init, scaled.paint_mask)


def enlarge(
    optimizer: PictureOptimizer, inputs: Inputs, scaled: ScaledInputs, plan: Plan
) -> Tensor:
    """Return the first iterate of a scale: the result of the scale before, enlarged.

    At strengths below 1 and outside masks, the photo's own detail is added.
    """
    size = images.size_of(scaled.content)
    enlarged = images.resize(optimizer.result(plan.method.keep), size)
    if plan.strength >= 1 and not scaled.masks:
        return enlarged
    coarse = scale_inputs(inputs, images.size_of(optimizer.picture), plan).content
    detail = scaled.content - images.resize(coarse, size)
    share = 1 - min(1.0, plan.strength) * scaled.paint_mask
    return (enlarged + share * detail).clamp(0, 1)


def make_objective(scaled: ScaledInputs, network: VGG, plan: Plan, scale: Scale) -> Objective:
    """Compute the content features of a scale, and weigh the losses for the strength.

    Up to strength 1 the style loss grows; beyond, the content loss falls.
    """
    method = plan.method
    tiles = cut(images.size_of(scaled.content), network, plan)
    return Objective(
        network,
        tiles,
        method,
        content=feature_maps(network, scaled.content, method.content_layers, tiles),
        style_weight=method.style_weight * min(1.0, plan.strength),
        content_weight=scale.content_weight * 10 ** min(0.0, 1 - plan.strength),
        tv_weight=method.tv_weight * min(1.0, plan.strength),
    )


def make_regions(
    scaled: ScaledInputs, weights: Sequence[float], network: VGG, plan: Plan
) -> list[Region]:
    """Compute the style of the paintings at a scale: one region for each mask, or one for all."""
    method = plan.method
    styles = []
    for painting in scaled.paintings:
        tiles = cut(images.size_of(painting), network, plan)
        styles.append(
            style_statistics(network, painting, method.style_layers, tiles, method.border)
        )
    if not scaled.masks:
        return [blended_region(styles, weights, scaled.paint_mask, method)]
    return [
        Region(
            style,
            masks_at_layers(mask, method.style_layers, method.border),
            weight * len(weights) / sum(weights) * mask.mean().item(),
        )
        for style, weight, mask in zip(styles, weights, scaled.masks, strict=True)
    ]


def blended_region(
    styles: Sequence[dict[str, FeatureStatistics]],
    weights: Sequence[float],
    mask: Tensor,
    method: Method,
) -> Region:
    """Return a region, given by its mask [1, 1, H, W], that gets a blend of styles."""
    layers = method.style_layers
    blended = {layer: blend([style[layer] for style in styles], weights) for layer in layers}
    return Region(blended, masks_at_layers(mask, layers, method.border), 1.0)


def cut(size: tuple[int, int], network: VGG, plan: Plan) -> list[Tile]:
    """Cut a picture into tiles whose features are the same as those of the whole picture."""
    deepest = max(plan.method.layers)
    margin = features.receptive_radius(network.shape, deepest)
    return cover(*size, side=plan.tile, margin=margin, multiple=stride(deepest))


def random_windows(
    regions: Sequence[Region], method: Method, random: torch.Generator
) -> list[Region]:
    """Limit regions to a random window of half the height and half the width of the picture."""
    top, left = (torch.rand(2, generator=random) / 2).tolist()
    limited = []
    for region in regions:
        masks = {}
        for layer in method.window_layers:
            full = region.masks[layer]
            height, width = images.size_of(full)
            rows = slice(int(top * height), int(top * height) + -(-height // 2))
            columns = slice(int(left * width), int(left * width) + -(-width // 2))
            masks[layer] = torch.zeros_like(full)
            masks[layer][..., rows, columns] = full[..., rows, columns]
        # a region with a mask may lie outside the window
        if masks and min(mask.sum().item() for mask in masks.values()) > 0.5:
            targets = {layer: region.targets[layer] for layer in masks}
            limited.append(Region(targets, masks, region.weight * method.window_weight))
    return limited
