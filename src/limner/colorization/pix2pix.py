"""The ``article`` preset: pix2pix's U-Net and patch discriminator, with Sketch2Color's losses.

The networks are pix2pix's (Isola et al. 2017). Losses and schedule are those of the article that
`colorize` grew out of: sanjay035, "Sketch2Color-anime-translation" (GitHub, 2019).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nn.features import load as load_features
from limner.train.optim import Stage, optimizer_step

EPOCHS, BATCH_SIZE, SIZE, LEARNING_RATE = 43, 8, 256, 2e-4
# weights of the losses: adversarial, L1, features, total variation
ADVERSARIAL_WEIGHT, PIXEL_WEIGHT, FEATURE_WEIGHT, TV_WEIGHT = 1.0, 100.0, 1e-2, 1e-4
REAL_LABEL = 0.9  # label of real pictures: one-sided label smoothing


class UNet(nn.Module):
    """pix2pix's U-Net: eight halvings to a single pixel, eight transposed convolutions, skips.

    Works at 256 × 256 pixels; values inside are in −1..1. It takes no hints.
    """

    multiple = size = SIZE

    def __init__(self) -> None:
        super().__init__()
        down, up = (64, 128, 256, 512, 512, 512, 512, 512), (512, 512, 512, 512, 256, 128, 64)
        self.down = nn.ModuleList()
        channels = 3
        for level, width in enumerate(down):
            layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
            layers.append(nn.Conv2d(channels, width, 4, 2, 1))
            if 0 < level < 7:  # neither the first layer nor the bottleneck of one pixel
                layers.append(nn.BatchNorm2d(width))
            self.down.append(nn.Sequential(*layers))
            channels = width
        self.up = nn.ModuleList()
        for level, width in enumerate(up):
            layers = [
                nn.ReLU(),
                nn.ConvTranspose2d(channels, width, 4, 2, 1),
                nn.BatchNorm2d(width),
            ]
            layers += [nn.Dropout(0.5)] if level < 3 else []
            self.up.append(nn.Sequential(*layers))
            channels = 2 * width
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(channels, 3, 4, 2, 1), nn.Tanh())
        _init_normal(self)

    def forward(self, ink: Tensor) -> Tensor:
        """Color ink [N, 1, 256, 256]: sRGB [N, 3, 256, 256] in 0..1."""
        x = (1 - 2 * ink).expand(-1, 3, -1, -1)
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = skips.pop()
        for layer in self.up:
            x = torch.cat((layer(x), skips.pop()), 1)
        colors: Tensor = (self.last(x) + 1) / 2
        return colors


class PatchDiscriminator(nn.Module):
    """pix2pix's PatchGAN: tells real (sketch, colors) pairs from made ones, by 70-pixel patches."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(6, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
        for narrow, wide, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
            layers += [nn.Conv2d(narrow, wide, 4, stride, 1), nn.BatchNorm2d(wide)]
            layers.append(nn.LeakyReLU(0.2))
        self.body = nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))
        _init_normal(self)

    def forward(self, ink: Tensor, rgb: Tensor) -> Tensor:
        """Logits [N, 1, 30, 30] of ink [N, 1, 256, 256] and sRGB [N, 3, 256, 256] in 0..1."""
        sketch = (1 - 2 * ink).expand(-1, 3, -1, -1)
        logits: Tensor = self.body(torch.cat((sketch, 2 * rgb - 1), 1))
        return logits


class Sketch2ColorStage(Stage[UNet]):
    """Sketch2Color's one training stage: adversarial, L1, VGG-16 and total variation losses.

    The discriminator takes a step only on every other batch.

    Parameters
    ----------
    network : UNet
        The network to train; the stage runs on its device.
    rate : float
        The learning rate of both networks. It stays constant.
    features : str
        The perceptual network, as `limner.nn.features.load` takes it.
    """

    def __init__(self, network: UNet, rate: float, features: str = "vgg16") -> None:
        device = next(network.parameters()).device
        discriminator = PatchDiscriminator().to(device)
        betas = (0.5, 0.999)
        self._features = load_features(features, device, padding="zeros")
        self._discriminator = discriminator
        self._adam = torch.optim.Adam(network.parameters(), rate, betas=betas)
        self._discriminator_adam = torch.optim.Adam(discriminator.parameters(), rate, betas=betas)
        super().__init__(
            network,
            adam=self._adam,
            discriminator=discriminator,
            discriminator_adam=self._discriminator_adam,
        )

    def step(self, ink: Tensor, rgb: Tensor, share: float) -> dict[str, float]:
        """Train on ink [N, 1, 256, 256] and colors [N, 3, 256, 256]; return the losses.

        The share of the learning rate is ignored: the rate is constant.
        """
        made = self.network(ink)
        fake_logits = self._discriminator(ink, made)
        adversarial = F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))
        pixels = F.l1_loss(2 * made, 2 * rgb)  # in −1..1, as are the differences below
        # the fourth convolution of VGG-16 is the second one of its second block
        ours, theirs = (self._features(picture, ("2_2",))["2_2"] for picture in (made, rgb))
        perceptual = F.mse_loss(ours, theirs)
        variation = (2 * made).diff(dim=-1).abs().sum() + (2 * made).diff(dim=-2).abs().sum()
        loss = (
            ADVERSARIAL_WEIGHT * adversarial + PIXEL_WEIGHT * pixels + FEATURE_WEIGHT * perceptual
        )
        loss = loss + TV_WEIGHT * variation / len(ink)
        optimizer_step(loss, 1, self._adam)
        self.average.update(self.network)
        real, fake = self._discriminator(ink, rgb), self._discriminator(ink, made.detach())
        on_real = F.binary_cross_entropy_with_logits(real, torch.full_like(real, REAL_LABEL))
        on_fake = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        if self.average.steps % 2:
            optimizer_step((on_real + on_fake) / 2, 1, self._discriminator_adam)
        losses = {"loss": pixels / 2, "features": perceptual, "adversarial": adversarial}
        losses |= {"discriminator": (on_real + on_fake) / 2}
        return {name: value.item() for name, value in losses.items()}


def _init_normal(network: nn.Module) -> None:
    """Draw the weights of convolutions as pix2pix does, with a deviation of 0.02."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
