"""How predictable a picture is, and the losses that improvers go down."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.nn import images

FLOOR = 1e-4  # of contrasts and errors in 0..1 that are divided by: an empty picture has none

_ENERGY, _NEAR = 100.0, 0.3  # weights beside the 1 of the logarithms

Rebuild = Callable[[Tensor], Tensor]  # frames [N, 3, H, W] → their centres, predicted


@dataclass(frozen=True)
class Eye:
    """What looks at a picture: one that has learnt to predict, and one that has not, or less.

    Attributes
    ----------
    good, bad : callable
        Both rebuild the centres of frames.
    """

    good: Rebuild
    bad: Rebuild = masks.harmonic

    def errors(self, frame: Tensor) -> "Errors":
        """Predict all centres of frames [N, 3, H, W] in 0..1, and compare."""
        return compared(frame, self.good(frame), self.bad(frame))


@dataclass(frozen=True)
class Errors:
    """Mean absolute errors of the centres of frames, sRGB in 0..1, [N] each.

    Attributes
    ----------
    good : Tensor
        Of the trained predictor: the article's MAE(Y, Z).
    bad : Tensor
        Of the other one.
    contrast : Tensor
        Mean absolute difference of neighbouring pixels.
    """

    good: Tensor
    bad: Tensor
    contrast: Tensor

    @property
    def relative(self) -> Tensor:
        """Error in shares of the contrast: fading changes nothing, and blur makes it larger."""
        return self.good / (self.contrast + FLOOR)

    @property
    def progress(self) -> Tensor:
        """How many times better the trained one is: what is gained by having learnt."""
        return self.bad / (self.good + FLOOR)


def compared(frame: Tensor, good: Tensor, bad: Tensor) -> Errors:
    """Compare the centres of frames [N, 3, H, W] with two predictions of them."""
    truth = masks.inner(frame)
    good_error, bad_error = ((truth - made).abs().mean((1, 2, 3)) for made in (good, bad))
    return Errors(good_error, bad_error, contrast(truth))


def contrast(picture: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels of pictures [N, C, H, W], [N]."""
    across, down = picture.diff(dim=-1), picture.diff(dim=-2)
    return (across.abs().mean((1, 2, 3)) + down.abs().mean((1, 2, 3))) / 2


def gradient_energy(picture: Tensor) -> Tensor:
    """Mean square of the gradient of pictures' luma [N, 3, H, W], [N]."""
    luma = images.luma(picture)
    across, down = luma.diff(dim=-1), luma.diff(dim=-2)
    return across.square().mean((1, 2, 3)) + down.square().mean((1, 2, 3))


def closeness(eye: Eye, before: Tensor, after: Tensor) -> Tensor:
    """The article's first loss: half MAE(X, Y), half MAE(Y, Z)."""
    return 0.5 * F.l1_loss(after, before) + 0.5 * eye.errors(after).good.mean()


def ratio(eye: Eye, before: Tensor, after: Tensor) -> Tensor:
    """The article's second loss, as a logarithm: MAE(Y, Z bad) over MAE(Y, Z good), raised."""
    del before  # it is not in this loss
    return -eye.errors(after).progress.log().mean()


def progress(eye: Eye, before: Tensor, after: Tensor) -> Tensor:
    """The article's second loss, and what holds the picture together."""
    return ratio(eye, before, after) + together(before, after)


def relative(eye: Eye, before: Tensor, after: Tensor) -> Tensor:
    """The error in shares of the contrast, as a logarithm, and what holds the picture together."""
    return eye.errors(after).relative.log().mean() + together(before, after)


def together(before: Tensor, after: Tensor) -> Tensor:
    """Keep near the original, and its gradient energy within 1%: blur and noise are out of reach.

    Squares of logarithms of the ratio beyond, and MAE(X, Y), with their weights.
    """
    change = (gradient_energy(after) + 1e-6).log() - (gradient_energy(before) + 1e-6).log()
    beyond = (change.abs() - 0.01).clamp(min=0)
    return _ENERGY * (beyond**2).mean() + _NEAR * F.l1_loss(after, before)


Loss = Callable[[Eye, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {"closeness": closeness, "progress": progress, "relative": relative}
ARTICLES_LOSSES: dict[str, Loss] = {"closeness": closeness, "progress": ratio}
