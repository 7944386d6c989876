"""The algorithm: a photo becomes a painting, scale by scale, step by step."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.color.transfer import move_colors
from limner.nn import features, images
from limner.nn.features import VGG
from limner.nn.seeding import generator
from limner.nn.tiles import cover
from limner.style import objective
from limner.style.losses import Moments, blend
from limner.style.method import Method
from limner.style.objective import Objective, Region, feature_maps, style_moments
from limner.style.optimizer import Canvas
from limner.style.plan import Plan


@dataclass(frozen=True)
class Moment:
    """After a step: the canvas, the steps done at each scale, the loss before the step."""

    canvas: Canvas
    done: tuple[int, ...]
    loss: float | None


def paint(
    photo: Tensor,
    paintings: Sequence[Tensor],
    shares: Sequence[float],
    masks: Sequence[Tensor],
    network: VGG,
    method: Method,
    plan: Plan,
    *,
    strength: float,
    style_scale: float,
    start: Tensor | None,
    seed: int,
    budget: float,
    resumed: Moment | None = None,
) -> Iterator[Moment]:
    """Paint a photo, and give every moment of it: one before the first step, one after each.

    Parameters
    ----------
    photo : Tensor
        [1, 3, H, W], sRGB in 0..1, as are the paintings and the start, each of its own size.
    paintings : sequence of Tensor
        The styles.
    shares : sequence of float
        Weight of each painting.
    masks : sequence of Tensor
        [1, 1, H', W'] for each painting, 1 where it is wanted; none for everywhere.
    network, method, plan
        Whose features, which losses, what sizes.
    strength : float
        0 to 2. Up to 1 the style's part grows; beyond, the content's part falls.
    style_scale : float
        Longest side at which a painting is looked at, relative to the picture's.
    start : Tensor or None
        What to begin with; None for the photo.
    seed : int
        Of the random windows.
    budget : float
        Seconds for everything, infinite for no limit. The coarse scales, which decide most, have
        all they need; what is left goes to the fine ones.
    resumed : Moment or None
        Go on from here.
    """
    end = time.monotonic() + budget
    deepest = max((*method.style_taps, *method.content_taps))
    grid = objective.stride(deepest)
    margin = features.receptive_radius(network.shape, deepest)
    style_weight = method.style_weight * min(1.0, strength)
    smoothness = method.smoothness_weight * min(1.0, strength)
    done = list(resumed.done) if resumed else [0] * len(plan.scales)
    canvas = resumed.canvas if resumed else None
    unfinished = next((i for i in reversed(range(len(done))) if done[i]), 0)

    def wanted_at(size: tuple[int, int]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """At one size: the photo as it is to be, the paintings and the masks."""
        here = images.resize(photo, size)
        areas = [images.resize(mask, size) for mask in masks]
        looks = [look(painting, round(max(size) * style_scale)) for painting in paintings]
        wanted = recolor(here, looks, shares, areas, strength) if method.recolor else here
        return wanted, looks, areas

    if resumed:
        yield resumed
    for index, scale in enumerate(plan.scales):
        spent = done[index] >= scale.steps or time.monotonic() >= end
        if index < unfinished or (canvas is not None and spent):
            continue  # and not enlarge: a run cut here, and its replay, end with the same canvas

        # where the picture stands: the photo at first, then the scale before, enlarged
        size = (scale.height, scale.width)
        wanted, looks, areas = wanted_at(size)
        everywhere = torch.ones_like(wanted[:, :1])
        reach = sum(areas[1:], areas[0]).clamp(max=1) if areas else everywhere
        if canvas is None:
            given = wanted if start is None else images.resize(start, size)
            canvas = Canvas(torch.lerp(wanted, given, reach))
            yield Moment(canvas, tuple(done), None)
        elif done[index] == 0:
            enlarged = images.resize(canvas.result(method.keep), size)
            if strength < 1 or areas:
                # part of the photo's detail comes along; at strength 0 and beside masks all of it
                before, *_ = wanted_at(images.size_of(canvas.picture))
                detail = (1 - min(1.0, strength) * reach) * (wanted - images.resize(before, size))
                enlarged = (enlarged + detail).clamp(0, 1)
            canvas = Canvas(enlarged)
        if spent:
            continue

        # what is wanted of it
        tiles = cover(*size, side=plan.tile, margin=margin, multiple=grid)
        styles = []
        for picture in looks:
            cuts = cover(*images.size_of(picture), side=plan.tile, margin=margin, multiple=grid)
            styles.append(style_moments(network, picture, method.style_taps, cuts, method.ring))
        regions = regions_of(styles, shares, areas, size, method)
        content = feature_maps(network, wanted, method.content_taps, tiles)
        content_weight = scale.content_weight * 10 ** min(0.0, 1 - strength)
        goal = Objective(network, tiles, method, content, style_weight, content_weight, smoothness)

        # and the way there
        while done[index] < scale.steps and (not done[index] or time.monotonic() < end):
            random = generator(seed, index * 10_007 + done[index])
            seen = [*regions, *windows(regions, method, random)]
            loss, gradient = goal.gradient(canvas.picture, seen)
            canvas.step(loss, gradient, scale.rate, method.betas, method.epsilon, reach)
            done[index] += 1
            yield Moment(canvas, tuple(done), loss)


def look(painting: Tensor, longest: int) -> Tensor:
    """A painting at the size at which it is looked at, its short side no less than 32 pixels."""
    height, width = images.fit(*images.size_of(painting), longest)
    return images.resize(painting, (max(32, height), max(32, width)))


def recolor(
    photo: Tensor,
    paintings: Sequence[Tensor],
    shares: Sequence[float],
    areas: Sequence[Tensor],
    strength: float,
) -> Tensor:
    """The photo in the paintings' colours: each where its mask is, or all in their shares.

    A picture that starts from there, and whose content is taken from there, need not trade its
    colours against its edges.
    """
    areas = areas or [torch.ones_like(photo[:, :1]) for _ in shares]
    weighed = [share * area for share, area in zip(shares, areas, strict=True)]
    whole, reach = sum(weighed[1:], weighed[0]), sum(areas[1:], areas[0]).clamp(max=1)
    parts = [reach * weight / whole.clamp(min=1e-12) for weight in weighed]  # masks may meet
    moved = photo
    for painting, part in zip(paintings, parts, strict=True):
        moved = moved + part * (move_colors(photo, painting) - photo)
    return torch.lerp(photo, moved, min(1.0, strength)).clamp(0, 1)


def regions_of(
    styles: Sequence[dict[str, Moments]],
    shares: Sequence[float],
    areas: Sequence[Tensor],
    size: tuple[int, int],
    method: Method,
) -> list[Region]:
    """One region for each masked style, or one of all styles blended."""
    taps = method.style_taps
    if areas:
        return [
            Region(
                style,
                objective.weights_at_taps(area, taps, method.ring),
                share * len(shares) / sum(shares) * area.mean().item(),
            )
            for style, share, area in zip(styles, shares, areas, strict=True)
        ]
    blended = {tap: blend([style[tap] for style in styles], shares) for tap in taps}
    everywhere = torch.ones((1, 1, *size), device=blended[taps[0]].mean.device)
    return [Region(blended, objective.weights_at_taps(everywhere, taps, method.ring), 1.0)]


def windows(regions: Sequence[Region], method: Method, random: torch.Generator) -> list[Region]:
    """The same regions seen through a random window of half the height and half the width."""
    top, left = (torch.rand(2, generator=random) / 2).tolist()
    found = []
    for region in regions:
        seen = {}
        for tap in method.window_taps:
            full = region.weights[tap]
            height, width = full.shape[-2:]
            rows = slice(int(top * height), int(top * height) + -(-height // 2))
            columns = slice(int(left * width), int(left * width) + -(-width // 2))
            seen[tap] = torch.zeros_like(full)
            seen[tap][..., rows, columns] = full[..., rows, columns]
        # a masked style may be elsewhere
        if seen and min(part.sum().item() for part in seen.values()) > 0.5:
            targets = {tap: region.targets[tap] for tap in seen}
            found.append(Region(targets, seen, region.share * method.window_weight))
    return found
