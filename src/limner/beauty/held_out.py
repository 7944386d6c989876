"""The held-out photos of `train_beautifier`: scores, and samples to look at."""

from statistics import fmean

import torch
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import PREDICTORS, Beautifier
from limner.beauty.dataset import Photos
from limner.beauty.objective import gradient_energy
from limner.beauty.predictor import predictor_of

SAMPLES = 3  # photos on a sample sheet


class HeldOut:
    """Photos that no network is trained on.

    Parameters
    ----------
    photos : Photos
        The photos, read with ``held_out=True``.
    device : torch.device or str
        The device of the networks.
    """

    def __init__(self, photos: Photos, device: torch.device | str = "cpu") -> None:
        self._photos, self._device = photos, device

    @torch.no_grad()
    def scores(self, beautifier: Beautifier, part: str) -> dict[str, float]:
        """Score one part of a beautifier.

        Returns
        -------
        dict of str to float
            For a predictor its mean absolute ``error`` of 255, and that of the ``harmonic`` fill.
            For an improver two ratios of after to before: of the ``relative`` error of the
            predictor, and of the gradient ``energy``.
        """
        before = [photo[None].to(self._device) for photo in self._photos.centers()]
        if part in PREDICTORS:
            predict = predictor_of(beautifier.parts[part])
            results = [
                (masks.crop_holes(one), predict(one), masks.harmonic_fill(one)) for one in before
            ]
            return {
                "error": 255 * fmean(float((x - z).abs().mean()) for x, z, _ in results),
                "harmonic": 255 * fmean(float((x - fill).abs().mean()) for x, _, fill in results),
            }
        improver, predictors = beautifier.improver(part), beautifier.predictors
        assert improver is not None
        after = [improver(one) for one in before]
        relative, energy = [], []
        for photos in (before, after):
            relative.append(fmean(float(predictors.errors(one).relative) for one in photos))
            energy.append(float(gradient_energy(torch.cat(photos)).mean()))
        return {"relative": relative[1] / relative[0], "energy": energy[1] / energy[0]}

    @torch.no_grad()
    def samples(self, beautifier: Beautifier, method: str) -> Tensor:
        """Return a sheet of some photos, and below each the result of an improver."""
        improver = beautifier.improver(method)
        assert improver is not None
        before = self._photos.centers()[:SAMPLES].to(self._device)
        rows = [torch.cat(list(photos), 2) for photos in (before, improver(before))]
        return torch.cat(rows, 1)[None]
