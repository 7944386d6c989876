"""The article's colouriser, to the letter: pix2pix's U-Net and patches, four losses.

Isola et al. (2017) for both networks; the losses and the schedule are the article's.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nn import features
from limner.train.optim import Stage, descend

EPOCHS, BATCH, SIZE, RATE = 43, 8, 256, 2e-4
ADVERSARIAL, PIXELS, SEEN, VARIATION = 1.0, 100.0, 1e-2, 1e-4
REAL = 0.9  # label of real pictures: smoothed to one side


class UNet(nn.Module):
    """Eight halvings down to one pixel, eight doublings by transposed convolutions, skips.

    Works at 256 × 256 pixels, values in −1..1 inside.
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
            if 0 < level < 7:  # neither the first nor the bottleneck of one pixel
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
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, ink: Tensor, hints: Tensor) -> Tensor:
        """Colour ink [N, 1, 256, 256] to [N, 3, 256, 256] in 0..1; it knows no hints."""
        x = (1 - 2 * ink).expand(-1, 3, -1, -1)
        seen = []
        for layer in self.down:
            x = layer(x)
            seen.append(x)
        x = seen.pop()
        for layer in self.up:
            x = torch.cat((layer(x), seen.pop()), 1)
        coloured: Tensor = (self.last(x) + 1) / 2
        return coloured


class Patches(nn.Module):
    """Judges (sketch, colours) by patches of 70 pixels: 30 × 30 answers at 256 pixels."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(6, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
        for narrow, wide, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
            layers += [nn.Conv2d(narrow, wide, 4, stride, 1), nn.BatchNorm2d(wide)]
            layers.append(nn.LeakyReLU(0.2))
        self.body = nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, ink: Tensor, rgb: Tensor) -> Tensor:
        """Logits [N, 1, 30, 30] of ink [N, 1, 256, 256] and colours [N, 3, 256, 256] in 0..1."""
        sketch = (1 - 2 * ink).expand(-1, 3, -1, -1)
        logits: Tensor = self.body(torch.cat((sketch, 2 * rgb - 1), 1))
        return logits


class Article(Stage[UNet]):
    """GAN + L1 + VGG-16's fourth layer + total variation; a rested discriminator."""

    def __init__(self, network: UNet, rate: float, judge: str = "vgg16") -> None:
        self._rival, self._features = Patches(), features.load(judge, padding="zeros")
        self._adam = torch.optim.Adam(network.parameters(), rate, betas=(0.5, 0.999))
        self._rival_adam = torch.optim.Adam(self._rival.parameters(), rate, betas=(0.5, 0.999))
        rival, rival_adam = self._rival, self._rival_adam
        super().__init__(network, adam=self._adam, rival=rival, rival_adam=rival_adam)

    def step(self, ink: Tensor, hints: Tensor, rgb: Tensor, share: float) -> dict[str, float]:
        """Learn from a batch; give the losses. The rate stays what it is."""
        made = self.network(ink, hints)
        judged = self._rival(ink, made)
        wins = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
        pixels = F.l1_loss(2 * made, 2 * rgb)
        # the fourth convolution of VGG-16 is the second of its second block
        ours, theirs = (self._features(picture, ("2_2",))["2_2"] for picture in (made, rgb))
        seen = F.mse_loss(ours, theirs)
        variation = (2 * made).diff(dim=-1).abs().sum() + (2 * made).diff(dim=-2).abs().sum()
        loss = ADVERSARIAL * wins + PIXELS * pixels + SEEN * seen + VARIATION * variation / len(ink)
        descend(loss, 1, self._adam)
        self.average.update(self.network)
        real, fake = self._rival(ink, rgb), self._rival(ink, made.detach())
        truth = F.binary_cross_entropy_with_logits(real, torch.full_like(real, REAL))
        lies = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        if self.average.steps % 2:  # it rests on even batches
            descend((truth + lies) / 2, 1, self._rival_adam)
        losses = {"loss": pixels / 2, "features": seen, "adversarial": wins}
        losses |= {"discriminator": (truth + lies) / 2}
        return {name: value.item() for name, value in losses.items()}
