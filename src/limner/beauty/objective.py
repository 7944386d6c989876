"""How predictable a picture is, and the losses that improvers are trained with."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.beauty.predictor import Predictor
from limner.nn import images

EPSILON = 1e-4  # added to contrasts and errors, in 0..1, before dividing by them

# Weights of the terms of `fidelity`. The terms with logarithms have weight 1.
_ENERGY_WEIGHT, _DISTANCE_WEIGHT = 100.0, 0.3


@dataclass(frozen=True)
class Predictors:
    """A good predictor, and a bad one to compare it with.

    Attributes
    ----------
    good, bad : callable
        Both predict the holes of frames. The default bad one is the harmonic fill.
    """

    good: Predictor
    bad: Predictor = masks.harmonic_fill

    def errors(self, frame: Tensor) -> "Errors":
        """Predict all holes of frames [N, 3, H, W] in 0..1 and measure the errors."""
        return measure_errors(frame, self.good(frame), self.bad(frame))


@dataclass(frozen=True)
class Errors:
    """Mean absolute errors (MAE) in the holes of frames, sRGB in 0..1; each [N].

    Attributes
    ----------
    good : Tensor
        Error of the good predictor: MAE(Y, Z) in the article, with Y the picture and Z the
        prediction.
    bad : Tensor
        Error of the bad predictor.
    contrast : Tensor
        Mean absolute difference of neighboring pixels.
    """

    good: Tensor
    bad: Tensor
    contrast: Tensor

    @property
    def relative(self) -> Tensor:
        """Error divided by the contrast. Fading does not change it, and blur raises it."""
        return self.good / (self.contrast + EPSILON)

    @property
    def progress(self) -> Tensor:
        """How many times smaller the error of the good predictor is: what learning has gained."""
        return self.bad / (self.good + EPSILON)


def measure_errors(frame: Tensor, good: Tensor, bad: Tensor) -> Errors:
    """Compare the holes of frames [N, 3, H, W] with two predictions of them."""
    truth = masks.crop_holes(frame)
    good_error, bad_error = ((truth - made).abs().mean((1, 2, 3)) for made in (good, bad))
    return Errors(good_error, bad_error, contrast(truth))


def contrast(picture: Tensor) -> Tensor:
    """Mean absolute difference of neighboring pixels of pictures [N, C, H, W]: [N]."""
    across, down = picture.diff(dim=-1), picture.diff(dim=-2)
    return (across.abs().mean((1, 2, 3)) + down.abs().mean((1, 2, 3))) / 2


def gradient_energy(picture: Tensor) -> Tensor:
    """Mean square of the gradient of the luma of pictures [N, 3, H, W]: [N]."""
    luma = images.luma(picture)
    across, down = luma.diff(dim=-1), luma.diff(dim=-2)
    return across.square().mean((1, 2, 3)) + down.square().mean((1, 2, 3))


# --- losses: scalars, of predictors and of frames [N, 3, H, W] before and after the change ------


def closeness(predictors: Predictors, before: Tensor, after: Tensor) -> Tensor:
    """The article's first loss: half of MAE(X, Y), half of MAE(Y, Z), with X the original."""
    return 0.5 * F.l1_loss(after, before) + 0.5 * predictors.errors(after).good.mean()


def log_ratio(predictors: Predictors, before: Tensor, after: Tensor) -> Tensor:
    """The article's second loss, as a logarithm: minus the error ratio of bad to good predictor."""
    del before  # not part of this loss
    return -predictors.errors(after).progress.log().mean()


def progress(predictors: Predictors, before: Tensor, after: Tensor) -> Tensor:
    """The article's second loss plus `fidelity`."""
    return log_ratio(predictors, before, after) + fidelity(before, after)


def relative(predictors: Predictors, before: Tensor, after: Tensor) -> Tensor:
    """The logarithm of the error divided by the contrast, plus `fidelity`."""
    return predictors.errors(after).relative.log().mean() + fidelity(before, after)


def fidelity(before: Tensor, after: Tensor) -> Tensor:
    """Penalty for moving away from the original, and for changing the gradient energy.

    Without it, blur would lower the error and sharpening the relative error. The energy may change
    by 1% for free; beyond that, the square of the logarithm counts. The distance is MAE(X, Y).
    """
    change = (gradient_energy(after) + 1e-6).log() - (gradient_energy(before) + 1e-6).log()
    excess = (change.abs() - 0.01).clamp(min=0)
    distance = F.l1_loss(after, before)
    return _ENERGY_WEIGHT * (excess**2).mean() + _DISTANCE_WEIGHT * distance


Loss = Callable[[Predictors, Tensor, Tensor], Tensor]

# preset -> method -> the loss of its improver; `BilateralStage` has losses of its own
LOSSES: dict[str, dict[str, Loss]] = {
    "default": {"closeness": closeness, "progress": progress},
    "article": {"closeness": closeness, "progress": log_ratio},
}
