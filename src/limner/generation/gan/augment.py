"""Augmentation of what a discriminator sees, so that it does not memorize a few pictures.

DiffAugment's color, translation and cutout (Zhao et al. 2020, section 3.2). Real and generated
pictures get the same kinds of changes. The changes are differentiable, so the generator still
learns to make unchanged pictures.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.train import parallel

KINDS = ("none", "diffaugment", "adaptive")
TARGET = 0.6  # of the overfitting measure: the mean sign of the logits of real pictures
FULL_RANGE = 20_000  # real pictures in which the share goes from 0 to 1, at the fastest


def augment(pictures: Tensor, share: float) -> Tensor:
    """Change pictures at random: their color, their position, and a hole in them.

    Parameters
    ----------
    pictures : Tensor
        [N, 3, H, W] in 0..1.
    share : float
        Share of the pictures to which each kind of change is applied, from 0 to 1. It is the
        probability p of ADA (Karras et al. 2020, "Limited Data").

    Returns
    -------
    Tensor
        [N, 3, H, W]. The random numbers come from torch's global generator.
    """
    if not share:
        return pictures
    count, _, height, width = pictures.shape

    def draw(low: float, high: float, unchanged: float) -> Tensor:
        """Draw a number for each picture, [N, 1, 1, 1]: in a range, or the one without effect."""
        random = torch.rand((2, count, 1, 1, 1))
        value = torch.where(random[0] < share, low + (high - low) * random[1], unchanged)
        return value.to(pictures)

    x = pictures + draw(-0.25, 0.25, 0)  # brightness
    gray = x.mean(1, keepdim=True)
    x = gray + (x - gray) * draw(0, 2, 1)  # saturation
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * draw(0.5, 1.5, 1)  # contrast
    moved = draw(1, 1, 0)
    down, across = (moved * (2 * torch.rand((count, 1, 1, 1)).to(x) - 1) for _ in range(2))
    x = _translate(x, down.flatten(), across.flatten())
    # cutout: a hole of half the sides around a random place, or far outside where there is none
    outside = 9 * (1 - draw(1, 1, 0))
    beyond = [
        (places - outside - torch.rand((count, 1, 1, 1)).to(x)).abs() > 0.25
        for places in (
            (torch.arange(height).to(x) / height).view(1, 1, -1, 1),
            (torch.arange(width).to(x) / width).view(1, 1, 1, -1),
        )
    ]
    return x * (beyond[0] | beyond[1])


def _translate(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Move pictures by up to an eighth of their sides; the new border is 0.

    `down` and `across` [N] are from -1 to 1.
    """
    count, _channels, height, width = x.shape
    most = height // 8, width // 8
    padded = F.pad(x, (most[1], most[1], most[0], most[0]))
    rows = (
        torch.arange(height, device=x.device) + most[0] + (down[:, None] * most[0]).round().long()
    )
    columns = (
        torch.arange(width, device=x.device) + most[1] + (across[:, None] * most[1]).round().long()
    )
    each = torch.arange(count, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


class AugmentationShare:
    """The share of pictures that are augmented: fixed, or rising if the discriminator overfits.

    The adaptive share follows ADA (Karras et al. 2020, "Limited Data", section 3.2). Overfitting is
    measured by the mean sign of the real pictures' logits, relative to the mean logit of real and
    fake pictures. ADA has 0 instead of that mean, but relativistic losses have no fixed zero.

    Parameters
    ----------
    kind : str
        ``none``, ``diffaugment`` (all pictures, always) or ``adaptive``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.share = 1.0 if kind == "diffaugment" else 0.0
        self._overfitting = 0.0

    def update(self, real: Tensor, fake: Tensor) -> None:
        """Adapt the share to the logits of real and of fake pictures, [N] or [N, patches]."""
        if self.kind != "adaptive":
            return
        middle = parallel.mean((real.mean() + fake.mean()) / 2)
        sign = parallel.mean(torch.sign(real - middle).mean()).item()
        self._overfitting = 0.9 * self._overfitting + 0.1 * sign
        step = len(real) * parallel.world_size() / FULL_RANGE
        step = step if self._overfitting > TARGET else -step
        self.share = min(1.0, max(0.0, self.share + step))

    def state_dict(self) -> dict[str, float]:
        """Return what a checkpoint holds."""
        return {"share": self.share, "overfitting": self._overfitting}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Continue from a checkpoint."""
        self.share, self._overfitting = state_dict["share"], state_dict["overfitting"]
