"""Pictures in: files and PIL images become tensors, upright and in sRGB; tensors become pictures.

Inside limner a picture is a float32 tensor [N, 3, H, W], sRGB in 0..1. :mod:`limner.output` writes
what :func:`to_picture` makes.
"""

import hashlib
import os
from dataclasses import replace
from io import BytesIO

import numpy as np
import torch
from PIL import Image, ImageCms, ImageFile
from PIL.ExifTags import IFD, Base
from torch import Tensor

from limner.errors import InputError, printable
from limner.io import formats, png16
from limner.io.formats import srgb_profile
from limner.io.picture import Picture, Source

PIXEL_LIMIT = 100_000_000

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation → what turns the picture upright


def read(source: Source, *, allow_huge: bool = False, native: bool = False) -> Picture:
    """Read a picture: upright, in sRGB, the first frame if there are several.

    An embedded colour profile is converted to sRGB (relative colorimetric, with black point
    compensation), which takes 8 bits: colour of 16 is read at 8. Grey of 16 bits keeps its depth.
    Values of 32-bit grey count in 65535ths, and those above are clipped.

    Parameters
    ----------
    source : str, path or PIL image
        A file in one of `limner.files.FORMATS`, or a picture in memory: its current frame.
    allow_huge : bool
        Read also what has more than `PIXEL_LIMIT` pixels.
    native : bool
        Leave RGB in the profile and the depth of the file, for verbs that keep colours as they are.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        The file is missing, damaged, too large, of floating-point values, or no picture.
    """
    if isinstance(source, Image.Image):
        with formats.guarded("picture"):
            _check_size(source, "picture", allow_huge)
            source.load()
            palette = source.getpalette("RGBA")
            content = f"{source.mode} {source.size} {palette} ".encode() + source.tobytes()
            return _picture(source, "picture", hashlib.sha256(content).hexdigest(), native)
    with formats.opened(source) as (image, file):
        _check_size(image, printable(source), allow_huge)
        # From here on for what a decoder makes on its way, such as the tiles of a TIFF.
        Image.MAX_IMAGE_PIXELS = None if allow_huge else PIXEL_LIMIT
        is_deep = native and png16.is_deep(image)
        image.load()
        if image.format == "PNG":
            Image.open(file, formats=["PNG"]).verify()  # the checksums, which `load` passes over
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        lower = png16.lower_half(file) if is_deep else None
        picture = _picture(image, os.fspath(source), sha256, native, lower)
        frames = _count_frames(image)
        note = f"{printable(source)}: the first of {frames} frames is used"
        return replace(picture, notes=(*picture.notes, note)) if frames > 1 else picture


def _check_size(image: Image.Image, name: str, allow_huge: bool) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise InputError(f"{name}: is {width} × {height} pixels; use one of at least 1 × 1")
    if width * height > PIXEL_LIMIT and not allow_huge:
        raise InputError(
            f"{name}: is {width} × {height} = {width * height / 1e6:.0f} megapixels, more than "
            f"{PIXEL_LIMIT / 1e6:.0f}; make it smaller, or pass --allow-huge"
        )


def _count_frames(image: ImageFile.ImageFile) -> int:
    if image.format == "MPO":
        return 1  # what follows in a camera's MPO is previews and gain maps, which nobody misses
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a later frame is damaged: no matter, the first was read
        return 1


def _picture(
    image: Image.Image, name: str, sha256: str, native: bool, lower: Image.Image | None = None
) -> Picture:
    """Turn a loaded image, and the lower half of its 16 bits, upright and into tensors."""
    notes: list[str] = []
    shown = printable(name)
    orientation, exif = _read_exif(image, shown, notes)
    dpi, profile = _read_dpi(image), image.info.get("icc_profile")
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
        lower = lower and lower.transpose(_UPRIGHT[orientation])
    if image.mode == "F":
        raise InputError(f"{shown}: holds floating-point values; save it as PNG of 8 or 16 bits")
    if image.mode.startswith("I"):
        rgb, alpha = _deep_grey(image, profile, shown, notes)
        return Picture(rgb, alpha, name, sha256, dpi, exif, None, True, tuple(notes))
    if image.mode in ("La", "RGBa"):  # colours already multiplied by alpha
        image = image.convert(image.mode.upper())
    alpha = _tensor(image.convert("RGBA").getchannel("A")) if image.has_transparency_data else None
    plain = "L" if image.mode in ("1", "L", "LA") else "RGB"
    base = image if image.mode in ("CMYK", "LAB") else image.convert(plain)
    native = native and image.mode in ("RGB", "RGBA") and _is_rgb(profile)
    rgb = _tensor(base if native else _to_srgb(base, profile, shown, notes))
    if native and lower is not None:
        rgb = (rgb * 256 + _tensor(lower.convert("RGB"))) / 257
        if alpha is not None and lower.mode == "RGBA":
            alpha = (alpha * 256 + _tensor(lower.getchannel("A"))) / 257
    own = profile if native and profile != srgb_profile() else None
    deep = native and lower is not None
    return Picture(rgb, alpha, name, sha256, dpi, exif, own, deep, tuple(notes))


def _is_rgb(profile: object) -> bool:
    """Whether a profile is a sound one of RGB, or none."""
    if profile is None:
        return True
    try:
        assert isinstance(profile, bytes)
        return ImageCms.ImageCmsProfile(BytesIO(profile)).profile.xcolor_space.strip() == "RGB"
    except Exception:
        return False


def _deep_grey(
    image: Image.Image, profile: object, shown: str, notes: list[str]
) -> tuple[Tensor, Tensor | None]:
    """Grey of 16 or 32 bits, all of it."""
    values = np.array(image.convert("I"))
    if values.max() > 65535:
        notes.append(f"{shown}: values above 65535 are clipped to white")
    grey = values.clip(0, 65535) / 65535
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    curve = np.array(_to_srgb(ramp, profile, shown, notes))[0]  # [256, 3]: LittleCMS takes 8 bits
    planes = [np.interp(grey * 255, np.arange(256), c / 255).astype(np.float32) for c in curve.T]
    rgb = torch.from_numpy(np.stack(planes))[None]
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return rgb, None
    return rgb, torch.from_numpy(values != transparent).float()[None, None]


def _to_srgb(base: Image.Image, profile: object, shown: str, notes: list[str]) -> Image.Image:
    """Convert L, RGB, CMYK or LAB to RGB in sRGB, through the embedded profile if it is sound."""
    if isinstance(profile, bytes) and profile != srgb_profile() and base.mode != "LAB":
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            grey_in_rgb = base.mode == "L" and source.profile.xcolor_space.strip() == "RGB"
            converted = ImageCms.profileToProfile(
                base.convert("RGB") if grey_in_rgb else base,
                source,
                ImageCms.ImageCmsProfile(BytesIO(srgb_profile())),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            assert converted is not None  # None is for conversion in place
            return converted
        except Exception:
            notes.append(f"{shown}: its colour profile does not fit and is left out")
    return base.convert("RGB")


def _tensor(image: Image.Image) -> Tensor:
    """L or RGB of 8 bits → float32 [1, 1 or 3, H, W] in 0..1."""
    planes = torch.from_numpy(np.atleast_3d(np.array(image))).permute(2, 0, 1)
    return planes.contiguous()[None].float().div_(255)


def _read_exif(image: Image.Image, shown: str, notes: list[str]) -> tuple[int, bytes | None]:
    """Orientation, and the EXIF data without it."""
    orientation = 1
    try:
        found = image.getexif()
        orientation = found.get(Base.Orientation, 1)
        exif = Image.Exif()  # a copy: what `getexif` returned belongs to the image
        tables = {IFD.Exif, IFD.GPSInfo} & found.keys()
        exif.update({tag: found[tag] for tag in found.keys() - tables - {Base.Orientation}})
        for table in tables:
            exif.get_ifd(table).update(found.get_ifd(table))
        return orientation, exif.tobytes() if exif or tables else None
    except Exception:
        notes.append(f"{shown}: its EXIF data is damaged and left out")
        return orientation, None


def _read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch in steps of 0.1 (PNG counts per metre, and would say 299.9994)."""
    try:
        stated = image.info.get("dpi")
        if stated is None and image.getexif().get(Base.ResolutionUnit) == 2:  # inch
            stated = [image.getexif()[tag] for tag in (Base.XResolution, Base.YResolution)]
        across, down = (round(float(value), 1) for value in stated or ())
    except Exception:  # damaged, or there is none
        return None
    # 65535 is the most a JPEG can state. Also false for NaN.
    return (across, down) if 1 <= min(across, down) <= max(across, down) <= 65535 else None
