"""What lies between a painter's pictures: truncated, interpolated, mixed, and found again."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.generation.gan.painter import Painter
from limner.nn import features
from limner.nn.seeding import generator
from limner.progress import Stop

TAPS = ("1_2", "2_2", "3_3", "4_3")  # of the compact features, compared alike
STARTS, STEPS, RATE = 64, 200, 0.05  # of a projection
SPREAD = 0.02  # weight of styles' distance from each other: far ones paint anything, and badly


def latents(network: Painter, seed: int) -> Tensor:
    """The latent [1, latent] of a seed, on the painter's device."""
    return torch.randn((1, network.latent), generator=generator(seed, 0)).to(network.mean.device)


@torch.no_grad()
def styled(network: Painter, z: Tensor, truncation: float) -> Tensor:
    """Styles [N, layers, latent] of latents [N, latent].

    Truncation brings them nearer to their mean: 1 leaves them, at 0 all are the mean (Karras et al.
    2019, appendix B).
    """
    styles = network.mean + truncation * (network.map(z) - network.mean)
    return styles[:, None].repeat(1, network.layers, 1)


@torch.no_grad()
def painted(network: Painter, styles: Tensor, seed: int) -> Tensor:
    """Paint styles [N, layers, latent] one by one, all with the noise of one seed."""
    pictures = []
    with torch.random.fork_rng():
        for one in torch.split(styles, 1):
            torch.manual_seed(seed % 2**63)
            pictures.append(network.paint(one).clamp(0, 1).cpu())
    return torch.cat(pictures)


def between(latents: Tensor, frames: int) -> Iterator[Tensor]:
    """Go from each latent [N, latent] to the next, and back to the first: so many [1, latent] each.

    Along the sphere, for the short way through its middle leads where no picture was learnt.
    """
    for one, other in zip(latents, latents.roll(-1, 0), strict=True):
        angle = torch.arccos(F.cosine_similarity(one, other, 0).clamp(-0.9999, 0.9999))
        for frame in range(frames):
            share = frame / frames
            ends = torch.sin((1 - share) * angle) * one + torch.sin(share * angle) * other
            yield (ends / torch.sin(angle))[None]


def mixed(coarse: Tensor, fine: Tensor) -> Tensor:
    """The first half of some styles' layers with the second half of others'.

    Of [A, layers, latent] and [B, layers, latent] all pairs, [A·B, layers, latent].
    """
    count = coarse.shape[1] // 2
    first = coarse[:, None, :count].expand(-1, len(fine), -1, -1)
    second = fine[None, :, count:].expand(len(coarse), -1, -1, -1)
    return torch.cat((first, second), 2).flatten(0, 1)


def projected(
    network: Painter, target: Tensor, seed: int, on_step: Callable[[int, float], None]
) -> Tensor:
    """Find the styles [1, layers, latent] whose picture is most like a target [1, 3, H, W].

    From the best of 64 random ones down the gradient of features and pixels, every layer for itself
    (Abdal et al. 2019, "Image2StyleGAN"). `on_step` is told steps and losses, and may raise `Stop`.
    """
    judge = features.load("compact", target.device)

    def unlike(made: Tensor) -> Tensor:
        return features.distance(judge, made, target, TAPS) + F.l1_loss(made, target)

    starts = torch.cat([styled(network, latents(network, seed + i), 0.7) for i in range(STARTS)])
    made = painted(network, starts, seed).to(target.device)
    with torch.no_grad():
        losses = [unlike(one[None]).item() for one in made]
    first = starts[min(range(STARTS), key=losses.__getitem__)]
    styles = first[None].clone().requires_grad_(True)
    adam = torch.optim.Adam([styles], RATE)
    with torch.random.fork_rng():
        for step in range(STEPS):
            torch.manual_seed(seed % 2**63)  # the same noise as when it is painted
            loss: Any = unlike(network.paint(styles))
            apart = (styles - styles.mean(1, keepdim=True)).square().mean()
            adam.zero_grad()
            (loss + SPREAD * apart).backward()
            for group in adam.param_groups:
                group["lr"] = RATE * min(1.0, 2 - 2 * step / STEPS)
            adam.step()
            try:
                on_step(step + 1, loss.item())
            except Stop:
                break
    return styles.detach()
