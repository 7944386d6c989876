"""One training step of a generator and a discriminator against each other."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from limner.generation.gan import stylegan2
from limner.generation.gan.augment import AugmentationShare, augment
from limner.generation.gan.presets import Preset
from limner.train import parallel
from limner.train.adversarial import LOSSES, gradient_penalty
from limner.train.optim import Stage, optimizer_step

PENALTIES = ("none", "r1", "r1r2")
EMA_DECAY = 0.998  # the EMA averages about the last 500 steps
# StyleGAN2's path length regularization (Karras et al. 2020, appendix B): every 4 steps, on half a
# batch, with this weight; and how fast its mean follows
PATH_EVERY, PATH_SHARE, PATH_WEIGHT, PATH_DECAY = 4, 0.5, 2.0, 0.01
MIXING_PROBABILITY = 0.9  # of two styles in one picture (Karras et al. 2019, section 3.1)


class AdversarialStep(Stage[nn.Module]):
    """A generator, its EMA, a discriminator, their optimizers, and the augmentation.

    Parameters
    ----------
    generator, discriminator : nn.Module
        On the device where they train.
    preset : Preset
        Loss, penalty, augmentation and numbers.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, preset: Preset) -> None:
        self.preset = preset
        self.discriminator, self.augmentation = discriminator, AugmentationShare(preset.augment)
        self._has_path = isinstance(generator, stylegan2.Generator)
        self._path_mean = PathLengthMean()
        pixels = math.prod(generator.size)  # type: ignore[arg-type]
        self._gamma = preset.gamma * pixels / 64**2 * 16 / preset.batch_size
        # regularization every k steps adds to the gradients (appendix B); we correct only StyleGAN2
        self._adam = _adam(generator, preset, PATH_EVERY if self._has_path else None)
        self._discriminator_adam = _adam(
            discriminator, preset, preset.penalty_every if self._has_path else None
        )
        super().__init__(
            generator,
            adam=self._adam,
            discriminator=discriminator,
            discriminator_adam=self._discriminator_adam,
            augmentation=self.augmentation,
            path_mean=self._path_mean,
        )
        self.average.decay = EMA_DECAY

    def step(self, real: Tensor, step: int, share: float) -> dict[str, float]:
        """Train on one batch; return the losses.

        The discriminator learns first. Then the generator learns from the updated discriminator,
        with the same fake pictures.

        Parameters
        ----------
        real : Tensor
            [N, 3, H, W] in 0..1.
        step : int
            Steps done before. Penalties are added every few steps.
        share : float
            Share of the learning rates.
        """
        loss_of_discriminator, loss_of_generator = LOSSES[self.preset.loss]
        fake = self._generate(len(real), real.device)
        penalized = step % self.preset.penalty_every == 0
        on_real, on_fake, penalty = self._logits_and_penalty(real, fake.detach(), penalized)
        discriminator_loss = penalty + loss_of_discriminator(on_real, on_fake)
        optimizer_step(discriminator_loss, share, self._discriminator_adam)
        self.augmentation.update(on_real.detach(), on_fake.detach())
        self.discriminator.requires_grad_(False)
        generator_loss = loss_of_generator(on_real.detach(), self._logits(self._augment(fake)))
        self.discriminator.requires_grad_(True)
        losses = {"loss": generator_loss, "discriminator": discriminator_loss}
        if self._has_path and step % PATH_EVERY == 0:
            losses["path"] = self._path_length_penalty(len(real), real.device)
        optimizer_step(generator_loss + losses.get("path", 0), share, self._adam)
        self.average.update(self.network)
        return {name: value.item() for name, value in losses.items()} | {
            "augmented": self.augmentation.share
        }

    def is_finite(self) -> bool:
        """Return whether no weight is infinite or NaN: whether the training has not diverged."""
        states = (self.network.state_dict(), self.average.state, self.discriminator.state_dict())
        return all(bool(v.isfinite().all()) for state in states for v in state.values())

    def _logits_and_penalty(
        self, real: Tensor, fake: Tensor, penalized: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the logits of real and of fake pictures, and the gradient penalty."""
        real, fake = self._augment(real.detach()), self._augment(fake)
        inputs = {"none": (), "r1": (real,), "r1r2": (real, fake)}[self.preset.penalty]
        inputs = inputs if penalized else ()
        for pictures in inputs:
            pictures.requires_grad_(True)
        on_real, on_fake = self._logits(real), self._logits(fake)
        penalty = torch.zeros((), device=real.device)
        for pictures, logits in zip(inputs, (on_real, on_fake), strict=False):
            # patches hardly overlap, so this is about the mean of the penalties of single patches
            patches = logits.view(len(logits), -1)
            summed = patches.sum(1) / patches.shape[1] ** 0.5
            penalty = penalty + gradient_penalty(summed, pictures)
        return on_real, on_fake, penalty * self._gamma / 2 * self.preset.penalty_every

    def _generate(self, count: int, device: torch.device) -> Tensor:
        with _autocast(device):
            pictures: Tensor = self.network.paint(self._draw_styles(count, device))  # type: ignore[operator]
        return pictures.float()

    def _draw_styles(self, count: int, device: torch.device) -> Tensor:
        """Draw styles; those of StyleGAN2 are mixed (Karras et al. 2019, section 3.1)."""
        network: Any = self.network
        z = torch.randn((2, count, network.latent_size)).to(device)
        styles: Tensor = network.map(z[0])
        if not self._has_path:
            return styles
        styles = styles[:, None].expand(-1, network.layers, -1)
        if torch.rand(()) < MIXING_PROBABILITY:
            first = int(torch.randint(1, network.layers, ()))
            other = network.map(z[1])[:, None].expand(-1, network.layers - first, -1)
            styles = torch.cat((styles[:, :first], other), 1)
        return styles

    def _path_length_penalty(self, batch: int, device: torch.device) -> Tensor:
        """Penalize path lengths that differ from their mean (Karras et al. 2020, section 3.2)."""
        network: Any = self.network
        styles = self._draw_styles(max(1, int(batch * PATH_SHARE)), device)
        pictures = network.paint(styles) * 2 - 1  # the paper's range
        noise = torch.randn_like(pictures) / math.prod(network.size) ** 0.5
        (gradient,) = torch.autograd.grad((pictures * noise).sum(), styles, create_graph=True)
        lengths = gradient.square().sum(2).mean(1).sqrt()
        mean = self._path_mean.update(parallel.mean(lengths.detach().mean()).item())
        return (lengths - mean).square().mean() * PATH_WEIGHT * PATH_EVERY

    def _augment(self, pictures: Tensor) -> Tensor:
        return augment(pictures, self.augmentation.share)

    def _logits(self, pictures: Tensor) -> Tensor:
        with _autocast(pictures.device):
            logits: Tensor = self.discriminator(pictures)
        return logits.float()


class PathLengthMean:
    """The moving average of path lengths, the target of the path length regularization."""

    def __init__(self) -> None:
        self.mean = 0.0

    def update(self, length: float) -> float:
        """Add one more length; return the mean so far."""
        self.mean += PATH_DECAY * (length - self.mean)
        return self.mean

    def state_dict(self) -> dict[str, float]:
        """Return what a checkpoint holds."""
        return {"mean": self.mean}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Continue from a checkpoint."""
        self.mean = state_dict["mean"]


def _adam(network: nn.Module, preset: Preset, lazy_every: int | None) -> torch.optim.Adam:
    """Make an Adam; lazy regularization makes it slower by k / (k + 1) (appendix B)."""
    factor = 1.0 if lazy_every is None else lazy_every / (lazy_every + 1)
    betas = preset.betas[0] ** factor, preset.betas[1] ** factor
    return torch.optim.Adam(network.parameters(), preset.learning_rate * factor, betas=betas)


def _autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Compute layers in bfloat16 on CUDA, where it is faster and safe, and in float32 elsewhere."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
