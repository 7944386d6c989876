"""Read pictures: files and PIL images become tensors [1, 3, H, W], sRGB in 0..1, upright."""

import hashlib
import os
from dataclasses import replace
from io import BytesIO
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from limner.errors import InputError, printable
from limner.io import formats, frames, missing_rows, png16, profiles, tiff
from limner.io.bleeding import bleed
from limner.io.formats import PIXEL_LIMIT, srgb_profile
from limner.io.picture import Picture, Source
from limner.io.recipe import text_of
from limner.nn import machine

_ROWS = 64  # of a picture that are converted at once

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> the transpose that turns the picture upright
_PER_INCH = {2: 1.0, 3: 2.54}  # EXIF resolution unit, inch or cm -> how many are an inch


def read(
    source: Source,
    *,
    allow_huge: bool = False,
    native: bool = False,
    deep: bool = False,
    bytes_per_pixel: float = 0,
) -> Picture:
    """Read a picture: upright, in sRGB; the first frame of an animation.

    The color profile that is embedded, or that `profiles.profile_of` finds, is converted to sRGB
    (relative colorimetric, with black point compensation). 16-bit color keeps its depth if the
    profile is made of curves and a matrix; otherwise it is read at 8 bits. 16-bit gray keeps its
    depth. 32-bit gray is divided by 65535, and larger values are clipped to white. Fully
    transparent pixels get the colors around them.

    Parameters
    ----------
    source : str, path or PIL image
        A file in one of the formats of `limner.io.formats.READABLE`; ``walk.gif#3`` is its third
        frame. Or a PIL image (its current frame).
    allow_huge : bool
        Read pictures of more than `PIXEL_LIMIT` pixels too.
    native : bool
        Keep RGB in the file's own profile and depth, for verbs that do not change colors.
    deep : bool
        Keep the depth of RGB that is in sRGB already.
    bytes_per_pixel : float
        Memory that the caller will need for the picture, at the peak. Reading needs some too.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        The file is missing, damaged, too large for the limit or for the memory, not a picture, or
        holds floating-point values.
    """
    if isinstance(source, Image.Image):
        with formats.guarded("picture"), formats.memory_for(source, "picture"):
            _check_size(source, "picture", allow_huge, bytes_per_pixel)
            if isinstance(source, TiffImageFile) and source.tile and source.fp:  # not loaded yet
                _check_rows(source, source.fp, "picture")
                if tiff.has_deep_planes(source):
                    tiff.use_libtiff(source)
            source.load()
            palette = source.getpalette("RGBA")
            content = f"{source.mode} {source.size} {palette} ".encode() + source.tobytes()
            native = native or (deep and _is_srgb(source))
            picture = _picture(source, "picture", hashlib.sha256(content).hexdigest(), native)
            return replace(picture, recipe=text_of(source))
    path, number = frames.split(source)
    with formats.opened(path, allow_huge=allow_huge) as (image, file):
        _check_size(image, printable(source), allow_huge, bytes_per_pixel)
        # also for what a decoder makes on its way, such as the tiles of a TIFF
        Image.MAX_IMAGE_PIXELS = None if allow_huge else PIXEL_LIMIT
        places = frames.places(image)
        if number is not None and number > len(places):
            raise InputError(f"{printable(source)}: the last frame is {len(places)}; name that one")
        place = places[(number or 1) - 1]
        if place or number is not None:
            image.seek(place)
            # frames may differ
            _check_size(image, printable(source), allow_huge, bytes_per_pixel)
        is_hdr = profiles.name_colors(image, file)
        _check_rows(image, file, printable(source))
        if tiff.has_deep_planes(image):
            tiff.use_libtiff(image)
        # later frames of a PNG may hold changes of the one before; pages of a TIFF are whole
        whole = number is None or image.format == "TIFF"
        native = native or (deep and _is_srgb(image))
        png16.use_raw_decoder(image)
        is_deep = whole and png16.is_deep(image)
        if is_deep and not native:  # the curves of a profile take longer than the other questions
            is_deep = profiles.converter_of(profiles.profile_of(image)) is not None
        is_gray_alpha = png16.is_gray_alpha(image)
        png16.scale_transparent(image)
        tiff.turn_resolution(image)
        key = png16.transparent_color(image) if whole else None
        whole_image = missing_rows.load(image, file)
        if image.format == "PNG":
            Image.open(file, formats=["PNG"]).verify()  # `load` does not check the checksums
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        lower = png16.lower_half(file, place) if is_deep or key else None
        loaded, lower = png16.gray_alpha(file, image) if is_gray_alpha else (whole_image, lower)
        if key and lower:
            loaded, lower = png16.cut_out(image, lower, key), lower if is_deep else None
        picture = _picture(loaded, os.fspath(source), sha256, native, lower)
        picture = replace(picture, recipe=text_of(image))
        notes = picture.notes
        if whole_image is not image:
            notes += (f"{printable(source)}: its end marker is missing, but all rows are there",)
        if is_hdr:
            notes += (f"{printable(source)}: its high dynamic range is compressed to that of sRGB",)
        if number is None and len(places) > 1:
            notes += (f"{printable(source)}: only the first of {len(places)} frames is used",)
        return replace(picture, notes=notes)


def _check_size(image: Image.Image, name: str, allow_huge: bool, bytes_per_pixel: float) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise InputError(f"{name}: is {width} × {height} pixels; use a picture of at least 1 × 1")
    if width * height > PIXEL_LIMIT and not allow_huge:
        raise InputError(
            f"{name}: is {width} × {height} = {width * height / 1e6:.0f} megapixels, more than "
            f"{PIXEL_LIMIT / 1e6:.0f}; make it smaller, or pass --allow-huge"
        )
    reading = formats.READING_BYTES[image.has_transparency_data]
    machine.check_room(name, height, width, max(reading, bytes_per_pixel))


def _check_rows(image: Image.Image, file: IO[bytes], name: str) -> None:
    if missing_rows.lacks_rows(image, file):
        raise InputError(f"{name}: is damaged: rows are missing; copy or download it again")


def _picture(
    image: Image.Image, name: str, sha256: str, native: bool, lower: Image.Image | None = None
) -> Picture:
    """Turn a loaded image upright and into tensors.

    ``lower`` holds the lower 8 bits of 16-bit color; for 16-bit gray it is the alpha channel.
    """
    notes: list[str] = []
    shown = printable(name)
    orientation, exif = _read_exif(image, shown, notes)
    dpi, profile = _read_dpi(image), profiles.profile_of(image)
    if dpi and orientation in tiff.SIDEWAYS:
        dpi = dpi[1], dpi[0]
    is_signed, bits = tiff.sign_and_bits(image)
    if is_signed and bits < 32:  # their range is not known, and Pillow reads 8 bits without sign
        raise InputError(f"{shown}: {tiff.HOLDS_SIGNED}")
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
        lower = lower and lower.transpose(_UPRIGHT[orientation])
    if image.mode == "F":
        raise InputError(f"{shown}: {tiff.HOLDS_FLOATS}")
    if image.mode.startswith("I"):
        rgb, alpha = _deep_gray(image, profile, shown, notes)
        if lower is not None:
            alpha = torch.from_numpy(np.array(lower, np.float32) / 65535)[None, None]
        rgb = rgb if alpha is None else bleed(rgb, alpha)
        return Picture(rgb, alpha, name, sha256, dpi, exif, None, True, tuple(notes))
    if image.mode in ("La", "RGBa"):  # premultiplied alpha
        image = image.convert(image.mode.upper())
    alpha = _tensor(image.convert("RGBA").getchannel("A")) if image.has_transparency_data else None
    plain = "L" if image.mode in ("1", "L", "LA") else "RGB"
    base = image if image.mode in ("CMYK", "LAB") else image.convert(plain)
    native = native and image.mode in ("RGB", "RGBA") and _is_rgb(profile)
    converter = None if native or lower is None else profiles.converter_of(profile)
    deep = lower is not None and (native or converter is not None)
    if converter is not None and lower is not None:
        values = 256 * np.asarray(base, np.uint16) + np.asarray(lower.convert("RGB"))
        rgb = torch.from_numpy(converter.convert(values))[None]
    else:
        rgb = _tensor(base if native else _to_srgb(base, profile, shown, notes))
    if native and lower is not None:
        rgb = (rgb * 256 + _tensor(lower.convert("RGB"))) / 257
    if deep and lower is not None and alpha is not None and lower.mode == "RGBA":
        alpha = (alpha * 256 + _tensor(lower.getchannel("A"))) / 257
    own = profile if native and profile != srgb_profile() else None
    rgb = rgb if alpha is None else bleed(rgb, alpha)
    return Picture(rgb, alpha, name, sha256, dpi, exif, own, deep, tuple(notes))


def _is_srgb(image: Image.Image) -> bool:
    """Whether the values of an image are in sRGB: it has our profile, or none."""
    return profiles.profile_of(image) in (None, srgb_profile())


def _is_rgb(profile: bytes | None) -> bool:
    """Whether a profile is a valid RGB profile, or there is none."""
    if profile is None:
        return True
    try:
        return ImageCms.ImageCmsProfile(BytesIO(profile)).profile.xcolor_space.strip() == "RGB"
    except Exception:
        return False


def _deep_gray(
    image: Image.Image, profile: bytes | None, shown: str, notes: list[str]
) -> tuple[Tensor, Tensor | None]:
    """Convert 16-bit or 32-bit gray at full depth: RGB, and alpha from a transparent value."""
    values = np.array(image.convert("I"))
    if tiff.sign_and_bits(image) == (False, 32):  # Pillow has signed values only
        values = values.view(np.uint32).clip(0, 2**31 - 1).astype(np.int32)
    if image.format == "TIFF" and image.getexif().get(Base.PhotometricInterpretation) == 0:
        values = 65535 - values  # 0 is white, which Pillow ignores
    if values.min() < 0:
        notes.append(f"{shown}: negative values become black")
    if values.max() > 65535:
        notes.append(f"{shown}: values above 65535 are clipped to white")
    gray = values.clip(0, 65535)
    if converter := profiles.converter_of(profile):
        curves = converter.convert(np.arange(65536, dtype=np.uint16)[None, :, None])[:, 0]
    else:  # LittleCMS converts 8 bits: convert a ramp, and interpolate between its values
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        steps = np.array(_to_srgb(ramp, profile, shown, notes))[0].T / 255  # [3, 256]
        places = np.arange(65536) / 257
        curves = np.stack([np.interp(places, np.arange(256), one) for one in steps])
    planes = [curve.astype(np.float32)[gray] for curve in curves]
    rgb = torch.from_numpy(np.stack(planes))[None]
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return rgb, None
    return rgb, torch.from_numpy(values != transparent).float()[None, None]


def _to_srgb(base: Image.Image, profile: bytes | None, shown: str, notes: list[str]) -> Image.Image:
    """Convert L, RGB, CMYK or LAB to RGB in sRGB, through the embedded profile if it is valid."""
    if profile is not None and profile != srgb_profile() and base.mode != "LAB":
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            if base.mode == "L" and source.profile.xcolor_space.strip() == "RGB":
                base = base.convert("RGB")
            if base.mode != "L":
                return _converted(base, source)
            # LittleCMS is up to 10 of 255 off in dark gray, unless it computes each pixel: 256 do
            ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
            curves = _converted(ramp, source, ImageCms.Flags.NOOPTIMIZE).split()
            return Image.merge("RGB", [base.point(curve.tobytes()) for curve in curves])
        except Exception:
            notes.append(f"{shown}: its color profile does not fit the picture and is ignored")
    return base.convert("RGB")


def _converted(
    base: Image.Image,
    source: ImageCms.ImageCmsProfile,
    flags: ImageCms.Flags = ImageCms.Flags.NONE,
) -> Image.Image:
    converted = ImageCms.profileToProfile(
        base,
        source,
        ImageCms.ImageCmsProfile(BytesIO(srgb_profile())),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | flags,
    )
    assert converted is not None  # it is None only for conversion in place
    return converted


def _tensor(image: Image.Image) -> Tensor:
    """Convert 8-bit L or RGB to float32 [1, 1 or 3, H, W] in 0..1."""
    planes = torch.from_numpy(np.atleast_3d(np.array(image))).permute(2, 0, 1)
    made = torch.empty(1, *planes.shape)
    for top in range(0, image.height, _ROWS):  # no other copy of the whole
        rows = slice(top, top + _ROWS)
        torch.div(planes[:, rows], 255, out=made[0, :, rows])
    return made


def _read_exif(image: Image.Image, shown: str, notes: list[str]) -> tuple[int, bytes | None]:
    """Return the orientation, and the EXIF data without it."""
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
        notes.append(f"{shown}: its EXIF data is damaged and ignored")
        return orientation, None


def _read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """Return dots per inch, rounded to 0.1: PNG counts per meter and would give 299.9994."""
    try:
        stated = image.info.get("dpi")
        if image.format == "JPEG" and image.info.get("jfif_unit") not in (1, 2):
            stated = None  # where a JPEG states none, Pillow takes one of EXIF for both, or 72
        unit = _PER_INCH.get(image.getexif().get(Base.ResolutionUnit, 0))
        if stated is None and unit is not None:
            stated = [image.getexif()[tag] * unit for tag in (Base.XResolution, Base.YResolution)]
        across, down = (round(float(value), 1) for value in stated or ())
    except Exception:  # damaged, or not stated
        return None
    # 65535 is the most a JPEG can state; NaN fails the comparison too
    return (across, down) if 1 <= min(across, down) <= max(across, down) <= 65535 else None
