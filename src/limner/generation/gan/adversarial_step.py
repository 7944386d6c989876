"""How a generator and a discriminator learn from each other, one step at a time."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from limner.generation.gan import stylegan2
from limner.generation.gan.augment import Adaptive, changed
from limner.generation.gan.presets import Preset
from limner.train.adversarial import LOSSES, gradient_penalty
from limner.train.optim import Stage, descend

PENALTIES = ("none", "r1", "r1r2")
EMA = 0.998  # a picture's weights are the mean of the last 500 steps' or so
# StyleGAN2's path length: steps from one to the next, share of the batch, weight, memory of the
# usual length (Karras et al. 2020, appendix B); and how often two styles are mixed
PATH_EVERY, PATH_SHARE, PATH_WEIGHT, PATH_MEMORY = 4, 0.5, 2.0, 0.01
MIXED = 0.9


class Game(Stage[nn.Module]):
    """A generator, its average, a discriminator, their optimisers, the augmentation.

    Parameters
    ----------
    generator, discriminator : nn.Module
        On the device where they are trained.
    preset : Preset
        Loss, penalty, augmentation and numbers.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, preset: Preset) -> None:
        def adam(network: nn.Module, every: int) -> torch.optim.Adam:
            # a penalty every so many steps makes as many more: the same pace (appendix B)
            slower = every / (every + 1)
            betas = preset.betas[0] ** slower, preset.betas[1] ** slower
            return torch.optim.Adam(network.parameters(), preset.rate * slower, betas=betas)

        self.preset = preset
        self.discriminator, self.augmentation = discriminator, Adaptive(preset.augment)
        self._path = isinstance(generator, stylegan2.Generator)
        self._usual = Usual()
        pixels = math.prod(generator.size)  # type: ignore[arg-type]
        self._gamma = preset.gamma * pixels / 64**2 * 16 / preset.batch_size
        self._adam = adam(generator, PATH_EVERY if self._path else 10**9)
        self._rival_adam = adam(discriminator, preset.every if self._path else 10**9)
        super().__init__(
            generator,
            adam=self._adam,
            rival=discriminator,
            rival_adam=self._rival_adam,
            augmentation=self.augmentation,
            usual=self._usual,
        )
        self.average.decay = EMA

    def step(self, real: Tensor, step: int, share: float) -> dict[str, float]:
        """Learn from real pictures [N, 3, H, W] at a share of the rates; give the losses.

        The discriminator first, and from what it then says of the same pictures the generator.
        """
        of_rival, of_generator = LOSSES[self.preset.loss]
        made = self._made(len(real), real.device)
        above, below, loss = self._judged(real, made.detach(), step % self.preset.every == 0)
        loss = loss + of_rival(above, below)
        descend(loss, share, self._rival_adam)
        self.augmentation.update(above.detach(), below.detach())
        self.discriminator.requires_grad_(False)
        wins = of_generator(above.detach(), self._logits(self._changed(made)))
        self.discriminator.requires_grad_(True)
        losses = {"loss": wins, "discriminator": loss}
        if self._path and step % PATH_EVERY == 0:
            losses["path"] = self._path_length(len(real), real.device)
        descend(wins + losses.get("path", 0), share, self._adam)
        self.average.update(self.network)
        return {name: value.item() for name, value in losses.items()} | {
            "augmented": self.augmentation.share
        }

    def is_sound(self) -> bool:
        """Whether all weights are numbers."""
        states = (self.network.state_dict(), self.average.state, self.discriminator.state_dict())
        return all(bool(v.isfinite().all()) for state in states for v in state.values())

    def _judged(self, real: Tensor, made: Tensor, penalised: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of real and of made pictures, and the penalty."""
        real, made = self._changed(real.detach()), self._changed(made)
        kinds = {"none": (), "r1": (real,), "r1r2": (real, made)}[self.preset.penalty]
        kinds = kinds if penalised else ()
        for pictures in kinds:
            pictures.requires_grad_(True)
        above, below = self._logits(real), self._logits(made)
        penalty = torch.zeros((), device=real.device)
        for pictures, logits in zip(kinds, (above, below), strict=False):
            # patches hardly overlap: so the penalty is the mean of what each has alone
            patches = logits.view(len(logits), -1)
            one = patches.sum(1) / patches.shape[1] ** 0.5
            penalty = penalty + gradient_penalty(one, pictures)
        return above, below, penalty * self._gamma / 2 * self.preset.every

    def _made(self, count: int, device: torch.device) -> Tensor:
        with _half(device):
            pictures: Tensor = self.network.paint(self._styles(count, device))  # type: ignore[operator]
        return pictures.float()

    def _styles(self, count: int, device: torch.device) -> Tensor:
        """Styles of pictures; StyleGAN2's are mixed (Karras et al. 2019, section 3.1)."""
        network: Any = self.network
        z = torch.randn((2, count, network.latent)).to(device)
        styles: Tensor = network.map(z[0])
        if not self._path:
            return styles
        styles = styles[:, None].expand(-1, network.layers, -1)
        if torch.rand(()) < MIXED:
            first = int(torch.randint(1, network.layers, ()))
            other = network.map(z[1])[:, None].expand(-1, network.layers - first, -1)
            styles = torch.cat((styles[:, :first], other), 1)
        return styles

    def _path_length(self, batch: int, device: torch.device) -> Tensor:
        """How far path lengths are from their usual (Karras et al. 2020, section 3.2)."""
        network: Any = self.network
        styles = self._styles(max(1, int(batch * PATH_SHARE)), device)
        pictures = network.paint(styles) * 2 - 1  # the paper's range
        noise = torch.randn_like(pictures) / math.prod(network.size) ** 0.5
        (gradient,) = torch.autograd.grad((pictures * noise).sum(), styles, create_graph=True)
        lengths = gradient.square().sum(2).mean(1).sqrt()
        usual = self._usual.follow(lengths.detach().mean().item())
        return (lengths - usual).square().mean() * PATH_WEIGHT * PATH_EVERY

    def _changed(self, pictures: Tensor) -> Tensor:
        return changed(pictures, self.augmentation.share)

    def _logits(self, pictures: Tensor) -> Tensor:
        with _half(pictures.device):
            logits: Tensor = self.discriminator(pictures)
        return logits.float()


class Usual:
    """The usual length of paths, followed."""

    def __init__(self) -> None:
        self.length = 0.0

    def follow(self, length: float) -> float:
        """Take in one more; give the mean so far."""
        self.length += PATH_MEMORY * (length - self.length)
        return self.length

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint holds."""
        return {"length": self.length}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on from there."""
        self.length = state_dict["length"]


def _half(device: torch.device) -> torch.autocast:
    """Half the precision in the networks' layers where that is quicker and safe: in CUDA's."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
