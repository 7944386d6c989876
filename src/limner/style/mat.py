"""Find and cut off the mat around a painting: the uniform border of a scan or a photo."""

from dataclasses import replace

from torch import Tensor

from limner.errors import printable
from limner.io import VISIBLE, Picture
from limner.nn import images

_SAME = 0.06  # largest difference of a channel within a mat
_FILLED = 0.98  # share of a row's pixels that have the color of the mat
_NARROWEST = 0.01  # of the side: a narrower mat is no trouble
_ENOUGH = 800  # pixels of the short side: in larger pictures some are skipped
_FRAMES = 3  # borders of different colors, one in another: a black frame around a white mat
_WIDEST = 0.4  # of the side: more than that is the picture itself


def find_mat(rgb: Tensor) -> tuple[int, int, int, int]:
    """Return the width of the mat in pixels: top, bottom, left and right.

    All are 0 unless all four sides have a mat of the same color.

    Parameters
    ----------
    rgb : Tensor
        [1, 3, H, W], sRGB in 0..1.
    """
    step = max(1, min(images.size_of(rgb)) // _ENOUGH)
    rgb = rgb[..., ::step, ::step]
    height, width = images.size_of(rgb)
    corners = rgb[0, :, :: max(1, height - 1), :: max(1, width - 1)].flatten(1)
    color = corners.median(1).values.view(1, 3, 1, 1)
    same = ((rgb - color).abs().amax(1)[0] <= _SAME).float()
    found = []
    for lines in (same.mean(1), same.mean(0)):
        filled = (lines >= _FILLED).tolist()
        for side in (filled, filled[::-1]):
            found.append(side.index(False) if False in side else len(side))
    top, bottom, left, right = found
    shares = [top / height, bottom / height, left / width, right / width]
    if min(shares) < _NARROWEST or max(shares) > _WIDEST:
        return 0, 0, 0, 0
    return top * step, bottom * step, left * step, right * step


def without_mat(painting: Picture) -> Picture:
    """Return a painting without its mat, and without a frame around it."""
    for _ in range(_FRAMES):
        painting = _without_one(painting)
    return painting


def _without_one(painting: Picture) -> Picture:
    top, bottom, left, right = find_mat(painting.rgb)
    height, width = images.size_of(painting.rgb)

    def cut(tensor: Tensor) -> Tensor:
        return tensor[..., top : height - bottom, left : width - right].clone()

    alpha = None if painting.alpha is None else cut(painting.alpha)
    return replace(painting, rgb=cut(painting.rgb), alpha=alpha)


def remark(painting: Picture) -> str | None:
    """Return a remark for the user about the mat of a painting, or None if it has none."""
    mat = find_mat(painting.rgb)
    if not any(mat):
        return None
    if painting.alpha is not None and float(painting.alpha[..., : mat[0], :].mean()) < VISIBLE:
        return None  # it is transparent, and not painted
    least, most = min(filter(None, mat)), max(mat)
    wide = f"{least} to {most}" if least < most else f"{most}"
    return (
        f"{printable(painting.name)}: has a plain border of {wide} pixels, which is painted too; "
        "--crop-style cuts it off"
    )
