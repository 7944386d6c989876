"""A picture that was read, and the way back from tensors to a picture."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from limner.errors import OptionError, printable
from limner.io.formats import srgb_profile
from limner.nn import images

VISIBLE = 0.5  # alpha from which on a pixel counts
_BLACK = 1e-3  # mean up to which a mask counts as black

Source = str | os.PathLike[str] | Image.Image


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that was read.

    Attributes
    ----------
    rgb : Tensor
        Float32 [1, 3, H, W], sRGB in 0..1, upright.
    alpha : Tensor or None
        Float32 [1, 1, H, W], from 0 (transparent) to 1 (opaque); None if the file has none.
    name : str
        The file's name as the user gave it; ``"picture"`` for a PIL image.
    sha256 : str
        Hexadecimal hash of the file's bytes; for a PIL image, of its mode, size and pixels.
    dpi : tuple of float or None
        Dots per inch across and down, if the file states them.
    exif : bytes or None
        The EXIF data, GPS included, without orientation and thumbnail.
    profile : bytes or None
        The ICC profile of the values, if it is not sRGB.
    deep : bool
        Whether the file has 16 bits per channel.
    notes : tuple of str
        Remarks for the user: ``"anim.gif: only the first of 12 frames is used"``.
    recipe : str or None
        The limner recipe in it, as JSON, if limner wrote it.
    """

    rgb: Tensor
    alpha: Tensor | None
    name: str
    sha256: str
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    profile: bytes | None = None
    deep: bool = False
    notes: tuple[str, ...] = ()
    recipe: str | None = None


def to_mask(picture: Picture) -> Tensor:
    """Return a mask [1, 1, H, W] in 0..1: the luma of the picture, 0 where it is transparent."""
    luma = images.luma(picture.rgb)
    return luma if picture.alpha is None else luma * picture.alpha


def is_transparent(picture: Picture) -> bool:
    """Whether no pixel of a picture is visible."""
    return picture.alpha is not None and float(picture.alpha.max()) < VISIBLE


def is_black(mask: Picture) -> bool:
    """Whether a mask has no white area, such as one of black strokes on transparency."""
    return to_mask(mask).mean().item() <= _BLACK


def check_aspect(other: Picture, picture: Picture, *, option: str = "", what: str) -> None:
    """Refuse a picture, such as a mask, that has another aspect ratio than the one it is for.

    Parameters
    ----------
    other, picture : Picture
        The mask, and the picture that it is for.
    option : str
        The option that takes the mask: ``--mask``.
    what : str
        What the message calls the other picture.

    Raises
    ------
    OptionError
        The aspect ratios differ by more than 2%.
    """
    size, wanted = images.size_of(other.rgb), images.size_of(picture.rgb)
    if not images.is_same_shape(size, wanted):
        (height, width), (wanted_height, wanted_width) = size, wanted
        raise OptionError(
            f"{f'{option} ' if option else ''}{printable(other.name)}: is {width}×{height}, but "
            f"the {what} is {wanted_width}×{wanted_height}; crop it to the {what}'s aspect ratio"
        )


def on_white(picture: Picture) -> Tensor:
    """Return the picture [1, 3, H, W] over a white background."""
    alpha = picture.alpha
    return picture.rgb if alpha is None else picture.rgb * alpha + 1 - alpha


def tell_transparent(pictures: Iterable[Picture], what: str = "put on white") -> list[str]:
    """Return remarks for the user: what became of the transparent parts of these pictures."""
    return [
        f"{printable(picture.name)}: its transparent parts are {what}"
        for picture in pictures
        if picture.alpha is not None and float(picture.alpha.min()) < 0.99
    ]


def to_picture(
    rgb: Tensor,
    alpha: Tensor | None = None,
    *,
    like: Picture | None = None,
    recipe: Mapping[str, object] | None = None,
) -> Image.Image:
    """Make an 8-bit PIL image, ready for `limner.write`.

    Parameters
    ----------
    rgb : Tensor
        [1, 3, H, W]: float (clipped to 0..1), uint8 or uint16.
    alpha : Tensor or None
        [1, 1, H, W], of the same type, for a picture with transparency.
    like : Picture or None
        Copy the resolution, camera data and profile of this picture.
    recipe : mapping or None
        How the picture was made, fit for JSON. Other values are kept as their ``str()``.

    Returns
    -------
    PIL.Image.Image
        RGB or RGBA. Its ``info`` holds ``icc_profile`` and, if known, ``dpi``, ``exif`` and
        ``limner`` (the recipe as JSON). For uint16 input it also holds ``deep``: all 16 bits of
        [H, W, 3 or 4] as bytes.
    """
    assert rgb.ndim == 4 and rgb.shape[:2] == (1, 3), rgb.shape
    planes = rgb.detach()
    if alpha is not None:
        assert alpha.shape == (1, 1, *rgb.shape[2:]), (alpha.shape, rgb.shape)
        planes = torch.cat((planes, alpha.detach().to(planes)), dim=1)
    deep = None
    if planes.dtype == torch.uint16:
        deep = planes[0].permute(1, 2, 0).contiguous().cpu().numpy().tobytes()
        planes = planes.float() / 65535
    if planes.dtype != torch.uint8:
        planes = planes.float().clamp(0, 1).mul(255).round().to(torch.uint8)
    picture = Image.fromarray(planes[0].permute(1, 2, 0).contiguous().cpu().numpy())
    picture.info["icc_profile"] = (like and like.profile) or srgb_profile()
    if deep is not None:
        picture.info["deep"] = deep
    if like is not None:
        kept = {"dpi": like.dpi, "exif": like.exif}
        picture.info.update({key: value for key, value in kept.items() if value is not None})
    if recipe is not None:
        picture.info["limner"] = json.dumps(dict(recipe), sort_keys=True, default=str)
    return picture
