"""The photos that `train_beautifier` learns from, and those it holds out."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from limner.nn import images
from limner.train.crops import load_pictures

MAX_SIDE = 768  # longest side of a photo in pixels; larger ones are shrunk
MIN_SIDE = 288  # shortest side of a photo in pixels, and of what is scored
HELD_OUT_ONE_IN = 4  # photos; chosen by a hash of the name


class Photos:
    """Photos in memory, 8 bits per channel.

    Parameters
    ----------
    folders : sequence of Path
        Searched with all their subfolders.
    held_out : bool
        Take the photos that are held out, or the others.

    Raises
    ------
    InputError
        A folder is missing, or holds no such photo.
    """

    def __init__(self, folders: Sequence[Path], *, held_out: bool) -> None:
        found = load_pictures(
            folders, MIN_SIDE, longest=MAX_SIDE, held_out=held_out, one_in=HELD_OUT_ONE_IN
        )
        self._photos = list(chain.from_iterable(found))

    def crops(self, size: int, randoms: Sequence[torch.Generator]) -> Tensor:
        """Draw square crops [N, 3, size, size] in 0..1 at random places, half of them mirrored.

        Each is drawn with random numbers of its own. They are smaller if one of the drawn photos
        is.
        """
        draws = [torch.rand(4, generator=random).tolist() for random in randoms]
        photos = [self._photos[int(draw[0] * len(self._photos))] for draw in draws]
        size = min(size, *(min(images.size_of(photo)) for photo in photos))
        crops = []
        for photo, (_, down, across, mirror) in zip(photos, draws, strict=True):
            height, width = images.size_of(photo)
            top, left = int(down * (height - size + 1)), int(across * (width - size + 1))
            crop = photo[None, :, top : top + size, left : left + size].float() / 255
            crops.append(crop.flip(-1) if mirror < 0.5 else crop)
        return torch.cat(crops)

    def centers(self) -> Tensor:
        """Return the center of every photo, [N, 3, 288, 288] in 0..1."""
        centers = []
        for photo in self._photos:
            top, left = ((side - MIN_SIDE) // 2 for side in images.size_of(photo))
            crop = photo[None, :, top : top + MIN_SIDE, left : left + MIN_SIDE]
            centers.append(crop.float() / 255)
        return torch.cat(centers)
