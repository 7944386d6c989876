"""Scores of generated pictures against held-out ones: quality, variety, and copies.

FID needs thousands of pictures: its value depends on their number. The kernel distance (KID,
Bińkowski et al. 2018) has no such bias. We compute it with limner's own perceptual network, because
the Inception network of the papers cannot ship with limner. So these scores can be compared with
each other, but not with those of papers.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import features

TAPS = ("2_2", "3_3", "4_3", "5_1")
NEIGHBORS = 3  # k of precision and recall (Kynkäänniemi et al. 2019, section 3)
SUBSETS = 50
COPY_QUANTILE = 0.1  # nearer to a training picture than this share of the held-out ones: a copy


@dataclass(frozen=True)
class Score:
    """The scores of some generated pictures.

    Attributes
    ----------
    kid, spread : float
        Kernel distance to the held-out pictures, times 1000, and its standard deviation over
        subsets. Lower is better.
    precision : float
        Share of the generated pictures that are close to held-out ones.
    recall : float
        Share of the held-out pictures that are close to generated ones.
    density, coverage : float
        The same, but less sensitive to outliers (Naeem et al. 2020).
    copies : float
        Share of the generated pictures that are nearer to a training picture than 90% of the
        held-out pictures are.
    """

    kid: float
    spread: float
    precision: float
    recall: float
    density: float
    coverage: float
    copies: float


@torch.no_grad()
def extract_features(network: features.VGG, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Compute perceptual features of pictures [N, 3, H, W], in batches of 16.

    Returns
    -------
    tuple of Tensor
        The means of the features, [N, C]: what is in a picture. And features averaged over 4×4
        areas, of norm 1, [N, D]: where in the picture it is.
    """
    means, layouts = [], []
    if min(pictures.shape[2:]) < 16:  # the deepest tap needs 16 pixels
        pictures = F.interpolate(pictures, scale_factor=2.0)
    for batch in torch.split(pictures, 16):
        taps = network(batch.clamp(0, 1), TAPS)
        means.append(torch.cat([taps[tap].mean((2, 3)) for tap in TAPS], 1))
        areas = F.adaptive_avg_pool2d(taps["3_3"], 4).flatten(1)
        layouts.append(F.normalize(areas, dim=1))
    return torch.cat(means), torch.cat(layouts)


class Evaluator:
    """Compares generated pictures with held-out ones. It runs on the CPU.

    Parameters
    ----------
    training, held_out : Tensor
        Pictures [N, 3, H, W] in 0..1.
    crops : Tensor
        What a generated picture could be a copy of: crops of the training pictures, mirrored too.
    network : str
        The perceptual network; see `limner.nn.features.load`.
    """

    def __init__(
        self, training: Tensor, held_out: Tensor, crops: Tensor, network: str = "compact"
    ) -> None:
        self._network = features.load(network)
        means, _ = extract_features(self._network, training)
        self._typical = means.mean(0).clamp_min(0.01)  # so that no absent feature dominates
        self.training = self._scale(means)
        means, layouts = extract_features(self._network, held_out)
        self.held_out = self._scale(means)
        _, self._crops = extract_features(self._network, crops)
        self.held_out_distances = torch.cdist(layouts, self._crops).amin(1)
        self._copy_distance = torch.quantile(self.held_out_distances, COPY_QUANTILE)

    def _scale(self, means: Tensor) -> Tensor:
        """Scale features to 0..1, with 0.5 for a typical value, so that no single one dominates."""
        return means / (means + self._typical)

    def score_training(self, random: torch.Generator) -> Score:
        """Score the training pictures themselves: the best that a generator can reach."""
        return self._score(self.training, 0.0, random)

    def score(self, generated: Tensor, random: torch.Generator) -> Score:
        """Score generated pictures [N, 3, H, W] in 0..1."""
        means, layouts = extract_features(self._network, generated)
        is_copy = torch.cdist(layouts, self._crops).amin(1) < self._copy_distance
        return self._score(self._scale(means), is_copy.float().mean().item(), random)

    def nearest(self, generated: Tensor) -> tuple[Tensor, Tensor]:
        """Find the nearest crop of each picture: its index [N], and its distance [N]."""
        _, layouts = extract_features(self._network, generated)
        distances, indices = torch.cdist(layouts, self._crops).min(1)
        return indices, distances

    def _score(self, generated: Tensor, copies: float, random: torch.Generator) -> Score:
        real = self.held_out
        size = min(len(real), len(generated) // 2)  # half of them, so that subsets differ

        def subset(means: Tensor) -> Tensor:
            return means[torch.randperm(len(means), generator=random)[:size]]

        subsets = [(subset(generated), subset(real)) for _ in range(SUBSETS)]
        distances = torch.stack([kernel_distance(*pair) for pair in subsets])
        scores = torch.tensor([precision_recall(theirs, ours) for ours, theirs in subsets])
        precision, recall, density, coverage = scores.mean(0).tolist()
        return Score(
            kernel_distance(generated, real).item() * 1000,
            distances.std().item() * 1000,
            precision,
            recall,
            density,
            coverage,
            copies,
        )


def kernel_distance(generated: Tensor, real: Tensor) -> Tensor:
    """Unbiased squared maximum mean discrepancy of features [N, C] and [M, C], in float64.

    The kernel is (x·y / C + 1)³ (Bińkowski et al. 2018, section 4).
    """
    # on the CPU: MPS has no float64
    generated, real = generated.cpu().double(), real.cpu().double()

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def mean_without_diagonal(x: Tensor) -> Tensor:
        own = kernel(x, x)
        return (own.sum() - own.diagonal().sum()) / (len(x) * (len(x) - 1))

    return (
        mean_without_diagonal(generated)
        + mean_without_diagonal(real)
        - 2 * kernel(generated, real).mean()
    )


def precision_recall(real: Tensor, generated: Tensor) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage of features [N, C] and [N, C]."""
    k = min(NEIGHBORS, len(real) - 1)
    distances = torch.cdist(generated, real)  # [generated, real]
    # k + 1, because the nearest neighbor of a picture among its own is itself
    real_radius = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
    generated_radius = torch.cdist(generated, generated).kthvalue(k + 1, dim=1).values
    inside = distances <= real_radius[None]
    return (
        inside.any(1).float().mean().item(),
        (distances <= generated_radius[:, None]).any(0).float().mean().item(),
        inside.float().sum().item() / (k * len(generated)),
        (distances.amin(0) <= real_radius).float().mean().item(),
    )
