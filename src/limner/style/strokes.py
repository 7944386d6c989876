"""The strokes: patches of the paintings, laid over the result of the network from coarse to fine.

The network decides where strokes flow. The photo, in the colors of the paintings, decides the
colors of larger areas, and everything where it has detail.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from limner.nn import images
from limner.nn.features import VGG
from limner.patches.sources import resize_guides
from limner.patches.synthesis import Settings, count_levels, synthesize
from limner.style.detail import find_detail
from limner.style.inputs import Inputs
from limner.style.paint import PaintingState, paint, transfer_palettes
from limner.style.plan import Plan

_ANCHOR = (12 / 512, 0.8)  # sigma, relative to the longest side, and share at strength 1
_FOREIGN = (4 / 512, 0.15)  # sigma, and the distance in sRGB from which on colors are foreign
_PATCH_SIGMA = 2.0  # pixels, about a patch: what varies inside a patch is brushwork
_FINE, _FINE_SHARE = 4 / 512, 0.92  # sigma, and share of the photo's luma that is finer


@dataclass(frozen=True)
class Reference:
    """The photo as the strokes should follow it, in the final size.

    Attributes
    ----------
    recolored : Tensor
        The photo in the colors of the paintings, [1, 3, H, W].
    detail : Tensor
        Where the detail of the photo is kept, [1, 1, H, W] in 0..1.
    """

    recolored: Tensor
    detail: Tensor


def make_reference(inputs: Inputs, plan: Plan) -> Reference:
    """Recolor the photo, and find its detail unless the user gave a mask of it."""
    photo, masks = crop(inputs.photo, plan), [crop(mask, plan) for mask in inputs.masks]
    share = min(1.0, 2 * plan.strength)
    paintings = [
        source.rgb if source.mask is None else torch.cat((source.rgb, source.mask), 1)
        for source in inputs.sources
    ]
    recolored = transfer_palettes(photo, paintings, inputs.weights, masks, share)
    detail = find_detail(photo) if inputs.detail is None else crop(inputs.detail, plan)
    return Reference(recolored, detail)


def paint_with_strokes(
    inputs: Inputs,
    network: VGG,
    plan: Plan,
    reference: Reference | None,
    *,
    deadline: float = math.inf,
    resumed: PaintingState | None = None,
    tick: Callable[[PaintingState], None] = lambda state: None,
) -> Iterator[PaintingState]:
    """Paint with the network, then lay strokes over the result: see `limner.style.paint.paint`.

    Without a reference no strokes are laid. With a deadline, the network gets the time that the
    strokes leave. `tick` is called with the state so far every second or so while strokes are laid.
    """
    state = resumed
    if resumed is None or resumed.strokes is None:
        if plan.levels and deadline < math.inf:
            deadline -= strokes_seconds(inputs, plan)
        for state in paint(inputs, network, plan, deadline=deadline, resumed=resumed):
            yield state
    else:
        yield resumed
    assert state is not None
    if reference and plan.levels > state.levels_done:
        yield from lay_strokes(state, inputs, plan, reference, tick)


def lay_strokes(
    state: PaintingState,
    inputs: Inputs,
    plan: Plan,
    reference: Reference,
    tick: Callable[[PaintingState], None],
) -> Iterator[PaintingState]:
    """Lay strokes over a painted picture, and yield the state after each level.

    Parameters
    ----------
    state : PaintingState
        What the network painted, and the strokes so far.
    inputs, plan
        As `limner.style.paint.paint` takes them.
    reference : Reference
        What `make_reference` returns.
    tick : callable
        See `paint_with_strokes`.
    """
    target = make_target(state, inputs, plan, reference)
    labels = regions(inputs, plan.size)
    levels = synthesize(
        target,
        inputs.sources,
        detail=reference.detail,
        labels=labels,
        shares=inputs.weights,
        settings=settings_for(plan.strength),
        resumed=state.strokes,
        tick=lambda: tick(state),
    )
    for strokes in islice(levels, plan.levels - state.levels_done):
        state = replace(state, strokes=strokes, loss=None)
        yield state


def settings_for(strength: float) -> Settings:
    """Return the weights of the search: a higher strength takes more and larger pieces.

    From strength 1 to 2, detail of the photo counts less, until it counts as much as the rest.
    """
    share = min(1.0, strength)
    beyond = max(0.0, strength - 1)
    default = Settings()
    target = default.target_weight * (1 - 0.4 * beyond)
    return replace(
        default,
        target_weight=target,
        detail_weight=default.detail_weight + beyond * (target - default.detail_weight),
        uniformity=default.uniformity * share,
        match_colors=default.match_colors * share,
    )


def make_target(state: PaintingState, inputs: Inputs, plan: Plan, reference: Reference) -> Tensor:
    """Return what the strokes should look like, [1, 3, H, W] in the final size.

    Up to strength 0.5 that is the photo in the colors of the paintings. From then on the picture of
    the network is mixed in, where the photo has little detail.
    """
    recolored = reference.recolored
    freedom = min(1.0, max(0.0, 2 * plan.strength - 1))
    if freedom == 0 or sum(state.steps_done) == 0:
        return recolored
    beyond = max(0.0, plan.strength - 1)
    small = state.optimizer.result(plan.method.keep)
    padded = images.size_of(inputs.photo)
    painted = crop(images.resize(small, padded), plan)
    # The network's picture is small: finer detail comes from the photo.
    ratio = images.size_of(small)[0] / padded[0]
    coarse = images.resize(recolored, _scaled(plan.size, ratio))
    painted = painted + recolored - images.resize(coarse, plan.size)
    sigma, share = _ANCHOR
    drift = _drift(painted, recolored, sigma)
    painted = painted + share * (1 - 0.5 * beyond) * resize_guides(drift, plan.size)
    kept = 1 - freedom * (1 - reference.detail * (1 - beyond))
    return torch.lerp(painted, recolored, kept).clamp_(0, 1)


def finish(picture: Tensor, inputs: Inputs, plan: Plan, reference: Reference) -> Tensor:
    """Give a picture of strokes the photo's detail back, and remove foreign colors."""
    picture = restore_detail(picture, plan, reference)
    if len(inputs.sources) > 1 and not inputs.masks:
        return picture  # a region has one painting's colors, and the recolored photo a mix of all
    beyond = max(0.0, plan.strength - 1)
    return torch.lerp(remove_foreign_colors(picture, reference.recolored), picture, beyond)


def restore_detail(picture: Tensor, plan: Plan, reference: Reference) -> Tensor:
    """Give a picture of strokes some of the photo's fine luma back, where the photo has detail.

    Patches alone lose eyes and lettering, for which no painting has patches.
    """
    share = _FINE_SHARE * max(0.0, min(1.0, 2 - plan.strength))
    sigma = max(0.5, _FINE * max(plan.size))

    def fine(rgb: Tensor) -> Tensor:
        luma = images.luma(rgb)
        return luma - images.gaussian_blur(luma, sigma)

    where = share * reference.detail.square()
    return (picture + where * (fine(reference.recolored) - fine(picture))).clamp_(0, 1)


def remove_foreign_colors(picture: Tensor, recolored: Tensor) -> Tensor:
    """Move areas whose color is far from that of the recolored photo toward it.

    Where a painting has no patch of the right color, the nearest one may be an orange piece of sky
    on a dark cheek.
    """
    sigma, most = _FOREIGN
    drift = _drift(picture, recolored, sigma, _PATCH_SIGMA)
    size = drift.norm(dim=1, keepdim=True)
    drift = drift * (1 - most / size.clamp(min=most))
    return (picture + resize_guides(drift, images.size_of(picture))).clamp_(0, 1)


def _drift(picture: Tensor, recolored: Tensor, sigma: float, least: float = 0.5) -> Tensor:
    """Return what larger areas lack of the recolored photo, at 512 pixels at most.

    `sigma` is relative to the longest side, and at least `least` pixels.
    """
    drift = resize_guides(recolored - picture, _at_most(images.size_of(picture), 512))
    return images.gaussian_blur(drift, max(least, sigma * max(images.size_of(drift))))


def regions(inputs: Inputs, size: tuple[int, int]) -> Tensor | None:
    """Return the painting with the largest share of the masks at each pixel; None without masks."""
    if not inputs.masks:
        return None
    most = max(inputs.weights)
    weighted = [w / most * mask for w, mask in zip(inputs.weights, inputs.masks, strict=True)]
    return images.resize(torch.cat(weighted, 1), size).argmax(1, keepdim=True)


def strokes_seconds(inputs: Inputs, plan: Plan) -> float:
    """Estimate how long the strokes take, by laying the first levels over the photo."""
    began, levels = time.monotonic(), count_levels(plan.size)
    tried = min(2, levels)
    for strokes in synthesize(crop(inputs.photo, plan), inputs.sources, shares=inputs.weights):
        if strokes.level == tried:
            break
    pixels = [2.25**level for level in range(levels)]
    return (time.monotonic() - began) * 1.5 * sum(pixels) / sum(pixels[:tried])


def _at_most(size: tuple[int, int], longest: int) -> tuple[int, int]:
    return images.fit(*size, longest) if max(size) > longest else size


def _scaled(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def crop(padded: Tensor, plan: Plan) -> Tensor:
    """Cut the padding off."""
    (height, width), pad = plan.size, plan.pad
    return padded[..., pad : pad + height, pad : pad + width]
