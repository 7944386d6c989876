"""Work in a generator's latent space: truncate, interpolate, mix styles, and project a picture."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.generation.gan.painter import Painter
from limner.nn import features, seeding
from limner.progress import Stop

TAPS = ("1_2", "2_2", "3_3", "4_3")  # of the compact perceptual network, for the projection
STARTS, STEPS, RATE = 64, 200, 0.05  # of the projection: random starts, steps, learning rate
SPREAD_WEIGHT = 0.02  # keeps the styles of the layers together: far apart they make no good picture


def draw_latent(network: Painter, seed: int) -> Tensor:
    """The latent [1, latent_size] of a seed, on the generator's device."""
    random = seeding.generator(seed, 0)
    return torch.randn((1, network.latent_size), generator=random).to(network.mean.device)


@torch.no_grad()
def to_styles(network: Painter, z: Tensor, truncation: float) -> Tensor:
    """Styles [N, layers, latent_size] of latents [N, latent_size].

    Truncation moves them toward their mean: 1 changes nothing, 0 gives the mean (Karras et al.
    2019, appendix B).
    """
    styles = network.mean + truncation * (network.map(z) - network.mean)
    return styles[:, None].repeat(1, network.layers, 1)


@torch.no_grad()
def paint(network: Painter, styles: Tensor, seed: int) -> Tensor:
    """Pictures [N, 3, H, W] on the CPU, in 0..1, of styles [N, layers, latent_size].

    They are made one by one, all with the same noise, which the seed gives.
    """
    pictures = []
    with seeding.preserved():
        for one in torch.split(styles, 1):
            torch.manual_seed(seed % 2**63)
            pictures.append(network.paint(one).clamp(0, 1).cpu())
    return torch.cat(pictures)


def interpolate(latents: Tensor, frames: int) -> Iterator[Tensor]:
    """Move from each latent [N, latent_size] to the next, and from the last to the first.

    It yields `frames` latents [1, latent_size] per move, along the sphere: a straight line would
    pass near its center, where the generator was not trained.
    """
    for one, other in zip(latents, latents.roll(-1, 0), strict=True):
        angle = torch.arccos(F.cosine_similarity(one, other, 0).clamp(-0.9999, 0.9999))
        for frame in range(frames):
            share = frame / frames
            ends = torch.sin((1 - share) * angle) * one + torch.sin(share * angle) * other
            yield (ends / torch.sin(angle))[None]


def mix_styles(coarse: Tensor, fine: Tensor) -> Tensor:
    """Combine the coarse layers of some styles with the fine layers of others.

    From [A, layers, latent_size] and [B, layers, latent_size] all pairs,
    [A·B, layers, latent_size].
    """
    count = coarse.shape[1] // 2
    first = coarse[:, None, :count].expand(-1, len(fine), -1, -1)
    second = fine[None, :, count:].expand(len(coarse), -1, -1, -1)
    return torch.cat((first, second), 2).flatten(0, 1)


def project(
    network: Painter, target: Tensor, seed: int, on_step: Callable[[int, float], None]
) -> Tensor:
    """Find the styles whose picture is most like a given one.

    The best of 64 random starts, then gradient descent on the distance of features and pixels, with
    a different style in each layer (Abdal et al. 2019, "Image2StyleGAN").

    Parameters
    ----------
    network : Painter
        The generator.
    target : Tensor
        [1, 3, H, W] in 0..1, on the generator's device.
    seed : int
        Random seed of the starts and of the noise.
    on_step : callable
        Called with the steps done and the loss. If it raises `Stop`, the search ends.

    Returns
    -------
    Tensor
        [1, layers, latent_size].
    """
    perceptual = features.load("compact", target.device)

    def distance(made: Tensor) -> Tensor:
        return features.distance(perceptual, made, target, TAPS) + F.l1_loss(made, target)

    z = [draw_latent(network, seed + number) for number in range(STARTS)]
    starts = torch.cat([to_styles(network, one, 0.7) for one in z])
    made = paint(network, starts, seed).to(target.device)
    with torch.no_grad():
        losses = [distance(one[None]).item() for one in made]
    best = starts[min(range(STARTS), key=losses.__getitem__)]
    styles = best[None].clone().requires_grad_(True)
    adam = torch.optim.Adam([styles], RATE)
    with seeding.preserved():
        for step in range(STEPS):
            torch.manual_seed(seed % 2**63)  # the noise that the final picture will have
            loss: Any = distance(network.paint(styles))
            spread = (styles - styles.mean(1, keepdim=True)).square().mean()
            adam.zero_grad()
            (loss + SPREAD_WEIGHT * spread).backward()
            for group in adam.param_groups:
                group["lr"] = RATE * min(1.0, 2 - 2 * step / STEPS)
            adam.step()
            try:
                on_step(step + 1, loss.item())
            except Stop:
                break
    return styles.detach()
