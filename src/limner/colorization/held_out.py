"""The held-out pictures of a training: scores, and samples to look at."""

import math
from collections.abc import Callable
from statistics import fmean

import torch
from torch import Tensor

from limner.colorization import dataset
from limner.nn import seeding
from limner.train.metrics import psnr, ssim

Network = Callable[[Tensor], Tensor]  # ink [N, 1, H, W] → colors [N, 3, H, W]

SAMPLES = 8  # drawings on a sample sheet
_BATCH = 8  # drawings that are colored at once


class HeldOut:
    """Pictures that the network is not trained on, and their drawings.

    Pictures without a drawing get line art in a random style, the same in every run.

    Parameters
    ----------
    pictures : dataset.Pictures
        The pictures, read with ``held_out=True``.
    size : int
        Side of the pictures in pixels.
    device : torch.device or str
        The device of the networks to score. The pictures stay on the CPU.
    """

    def __init__(
        self, pictures: dataset.Pictures, size: int, device: torch.device | str = "cpu"
    ) -> None:
        self.device = device
        self.rgb = torch.cat([pictures.center(index, size) for index in range(len(pictures))])
        random = seeding.generator(0, 0)
        drawn = [pictures.ink(index, size) for index in range(len(pictures))]
        self.ink = torch.cat(
            [
                dataset.random_line_art(rgb[None], random) if ink is None else ink
                for rgb, ink in zip(self.rgb, drawn, strict=True)
            ]
        )

    def scores(self, network: Network) -> dict[str, float]:
        """Return PSNR, SSIM and relative colorfulness, without hints."""
        made = self._color(network, self.ink)
        pairs = [(one[None], rgb[None]) for one, rgb in zip(made, self.rgb, strict=True)]
        ours = fmean(colorfulness(one) for one, _ in pairs)
        theirs = fmean(colorfulness(rgb) for _, rgb in pairs)
        return {
            "psnr": fmean(psnr(one, rgb, 0) for one, rgb in pairs),
            "ssim": fmean(ssim(one, rgb, 0) for one, rgb in pairs),
            "colorfulness": ours / max(1e-6, theirs),
        }

    def samples(self, network: Network) -> Tensor:
        """Return a sheet of three rows: drawings, their colors by the network, the pictures."""
        ink, rgb = self.ink[:SAMPLES], self.rgb[:SAMPLES]
        rows = [(1 - ink).expand(-1, 3, -1, -1), self._color(network, ink), rgb]
        return torch.cat([torch.cat(list(row), 2) for row in rows], 1)[None]

    @torch.no_grad()
    def _color(self, network: Network, ink: Tensor) -> Tensor:
        """Color drawings [N, 1, H, W] without hints: [N, 3, H, W] on the CPU."""
        made = []
        for start in range(0, len(ink), _BATCH):
            part = ink[start : start + _BATCH]
            made.append(network(part.to(self.device)).cpu())
        return torch.cat(made).clamp(0, 1)


def colorfulness(rgb: Tensor) -> float:
    """Colorfulness of a picture [1, 3, H, W] in 0..1 (Hasler & Süsstrunk 2003), in units of 1/255.

    Float64, on the CPU: Apple's GPUs have no float64.
    """
    red, green, blue = (rgb[0].cpu().double() * 255).unbind(0)
    first, second = red - green, (red + green) / 2 - blue
    spread = math.hypot(first.std().item(), second.std().item())
    return spread + 0.3 * math.hypot(first.mean().item(), second.mean().item())
