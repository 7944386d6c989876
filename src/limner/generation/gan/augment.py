"""What a discriminator sees is changed at random, lest it learn few pictures by heart.

Colour, translation and cutout (Zhao et al. 2020, section 3.2): the same kinds of change for real
and made pictures, differentiable, so that the generator learns to make unchanged ones.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

KINDS = ("none", "diffaugment", "adaptive")
TARGET = 0.6  # of how often the discriminator is right about real pictures, from -1 to 1
PICTURES = 20_000  # real ones, over which the share goes from 0 to 1 at most


def changed(pictures: Tensor, share: float) -> Tensor:
    """Change pictures [N, 3, H, W] in 0..1; each kind of change befalls a `share` of them.

    Random numbers are torch's own, which a training seeds at every step.
    """
    if not share:
        return pictures
    count, _, height, width = pictures.shape

    def drawn(low: float, high: float, default: float) -> Tensor:
        """A number for each picture, [N, 1, 1, 1]; the default where it is to stay as it is."""
        dice = torch.rand((2, count, 1, 1, 1))
        value = torch.where(dice[0] < share, low + (high - low) * dice[1], default)
        return value.to(pictures)

    x = pictures + drawn(-0.25, 0.25, 0)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * drawn(0, 2, 1)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * drawn(0.5, 1.5, 1)
    moved = drawn(1, 1, 0)
    down, across = (moved * (2 * torch.rand((count, 1, 1, 1)).to(x) - 1) for _ in range(2))
    x = _shifted(x, down.flatten(), across.flatten())
    # a hole of half the sides, around a random place, or far outside
    outside = 9 * (1 - drawn(1, 1, 0))
    far = [
        (places - outside - torch.rand((count, 1, 1, 1)).to(x)).abs() > 0.25
        for places in (
            (torch.arange(height).to(x) / height).view(1, 1, -1, 1),
            (torch.arange(width).to(x) / width).view(1, 1, 1, -1),
        )
    ]
    return x * (far[0] | far[1])


def _shifted(x: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Move pictures by up to an eighth of their sides; what comes in is black (there: grey)."""
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


class Adaptive:
    """The share of pictures that are changed: more when the discriminator is too sure of itself.

    As in ADA (Karras et al. 2020, "Limited Data", section 3.2), with a threshold between the mean
    logits of real and made pictures where the paper has 0: relativistic losses know no zero.

    Parameters
    ----------
    kind : str
        ``none``, ``diffaugment`` (all pictures, always) or ``adaptive``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.share = 1.0 if kind == "diffaugment" else 0.0
        self._sure = 0.0

    def update(self, real: Tensor, made: Tensor) -> None:
        """Take note of the logits [N] of a batch."""
        if self.kind != "adaptive":
            return
        between = (real.mean() + made.mean()) / 2
        self._sure = 0.9 * self._sure + 0.1 * torch.sign(real - between).mean().item()
        step = len(real) / PICTURES * (1 if self._sure > TARGET else -1)
        self.share = min(1.0, max(0.0, self.share + step))

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint holds."""
        return {"share": self.share, "sure": self._sure}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from there."""
        self.share, self._sure = state_dict["share"], state_dict["sure"]
