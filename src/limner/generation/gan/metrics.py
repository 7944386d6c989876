"""How new pictures compare with pictures that were held out, and whether they are copies.

FID needs thousands of pictures: with a few hundred it measures how many there are. The kernel
distance (KID, Bińkowski et al. 2018) is unbiased at any number. Inception, which the papers look
through, cannot ship with limner; these are measured through its own perceptual network, so numbers
compare with each other and not with those of papers.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import features

TAPS = ("2_2", "3_3", "4_3", "5_1")
NEIGHBOURS = 3  # k of precision and recall (Kynkäänniemi et al. 2019, section 3)
SUBSETS = 50
NEAR = 0.1  # share of held-out pictures that are as near to the training pictures as a "copy"


@dataclass(frozen=True)
class Score:
    """How a lot of new pictures does.

    Attributes
    ----------
    kid, spread : float
        Kernel distance to held-out pictures, times 1000, and its standard deviation over subsets.
    precision : float
        Share of the new pictures that lie where held-out ones do.
    recall : float
        Share of the held-out pictures that lie where the new ones do.
    density, coverage : float
        The same, less moved by single odd pictures (Naeem et al. 2020).
    copies : float
        Share that is nearer to a training picture than nine tenths of the held-out pictures are.
    """

    kid: float
    spread: float
    precision: float
    recall: float
    density: float
    coverage: float
    copies: float


@torch.no_grad()
def seen(network: features.VGG, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Look at pictures [N, 3, H, W], a few at a time.

    Returns
    -------
    tuple of Tensor
        What is in them, [N, C]: means of features. And what is where, [N, D]: of 4×4 fields.
    """
    what, where = [], []
    if min(pictures.shape[2:]) < 16:  # the deepest tap needs as many pixels
        pictures = F.interpolate(pictures, scale_factor=2.0)
    for few in torch.split(pictures, 16):
        taps = network(few.clamp(0, 1), TAPS)
        what.append(torch.cat([taps[tap].mean((2, 3)) for tap in TAPS], 1))
        fields = F.adaptive_avg_pool2d(taps["3_3"], 4).flatten(1)
        where.append(F.normalize(fields, dim=1))
    return torch.cat(what), torch.cat(where)


class Judge:
    """Measures new pictures against those held out.

    Parameters
    ----------
    learnt, unseen : Tensor
        Training pictures and held-out ones, [N, 3, H, W] in 0..1.
    crops : Tensor
        All that a copy could be of: crops of training pictures and their mirror images.
    name : str
        The network to look through; see `limner.features.load`.
    """

    def __init__(
        self, learnt: Tensor, unseen: Tensor, crops: Tensor, name: str = "compact"
    ) -> None:
        self._network = features.load(name)
        known, _ = seen(self._network, learnt)
        self._usual = known.mean(0).clamp_min(0.01)  # what none shows is not to rule
        self.learnt = self._scaled(known)
        what, where = seen(self._network, unseen)
        self.unseen = self._scaled(what)
        _, self._crops = seen(self._network, crops)
        self.usual = torch.cdist(where, self._crops).amin(1)
        self._near = torch.quantile(self.usual, NEAR)

    def _scaled(self, what: Tensor) -> Tensor:
        """Features in 0..1, half where they are as large as usual: no single one rules."""
        return what / (what + self._usual)

    def real(self, random: torch.Generator) -> Score:
        """The score of the training pictures themselves: as good as it gets."""
        return self._score(self.learnt, 0.0, random)

    def score(self, made: Tensor, random: torch.Generator) -> Score:
        """Measure new pictures [N, 3, H, W] in 0..1."""
        what, where = seen(self._network, made)
        near = torch.cdist(where, self._crops).amin(1) < self._near
        return self._score(self._scaled(what), near.float().mean().item(), random)

    def nearest(self, made: Tensor) -> tuple[Tensor, Tensor]:
        """The place among the crops of each picture's nearest, [N], and how far it is, [N]."""
        _, where = seen(self._network, made)
        apart, place = torch.cdist(where, self._crops).min(1)
        return place, apart

    def _score(self, made: Tensor, copies: float, random: torch.Generator) -> Score:
        real = self.unseen
        size = min(len(real), len(made) // 2)  # half: or all subsets would be one

        def subset(lot: Tensor) -> Tensor:
            return lot[torch.randperm(len(lot), generator=random)[:size]]

        lots = [(subset(made), subset(real)) for _ in range(SUBSETS)]
        distances = torch.stack([kernel_distance(*lot) for lot in lots])
        mean = torch.tensor([precision_recall(other, one) for one, other in lots]).mean(0).tolist()
        precision, recall, density, coverage = mean
        return Score(
            kernel_distance(made, real).item() * 1000,
            distances.std().item() * 1000,
            precision,
            recall,
            density,
            coverage,
            copies,
        )


def kernel_distance(made: Tensor, real: Tensor) -> Tensor:
    """Unbiased squared maximum mean discrepancy of two lots [N, C], [M, C].

    With the kernel (x·y / C + 1)³ (Bińkowski et al. 2018, section 4).
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        own = kernel(x, x)
        return (own.sum() - own.diagonal().sum()) / (len(x) * (len(x) - 1))

    return (
        within(made.double())
        + within(real.double())
        - 2 * kernel(made.double(), real.double()).mean()
    )


def precision_recall(real: Tensor, made: Tensor) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage of two lots [N, C] of equal number."""
    k = min(NEIGHBOURS, len(real) - 1)
    between = torch.cdist(made, real)  # [made, real]
    # the nearest to a picture among its own is itself
    around_real = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
    around_made = torch.cdist(made, made).kthvalue(k + 1, dim=1).values
    inside = between <= around_real[None]
    return (
        inside.any(1).float().mean().item(),
        (between <= around_made[:, None]).any(0).float().mean().item(),
        inside.float().sum().item() / (k * len(made)),
        (between.amin(0) <= around_real).float().mean().item(),
    )
