"""Reading, converting and writing pictures, against numbers worked out in another way."""

import errno
import hashlib
import itertools
import json
import logging
import os
import struct
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import IFDRational

from crafted import ADOBE, D50, STORED, adobe, gamma, profile
from limner import io
from limner.errors import InputError, OptionError, OutputError
from limner.io import formats, reading, writing
from limner.nn import images

SHARED = Path(__file__).parents[3] / "shared" / "test" / "images"
SUFFIXES = sorted(formats.WRITABLE)
READABLE = [suffix for suffix in SUFFIXES if suffix != ".pdf"]  # of what is written
RECIPE = {
    "verb": "stylize",
    "options": {"strength": 0.5, "size": None},
    "inputs": ["Ünï 波 \U0001f3a8"],
}


def pixels(picture: io.Picture) -> np.ndarray:
    return picture.rgb[0].permute(1, 2, 0).numpy()


def noise(height: int = 24, width: int = 32, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def painted(**info: object) -> Image.Image:
    """A smooth picture, which lossy formats keep well."""
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 48, 64)
    picture = io.to_picture(ramp, recipe=RECIPE)
    picture.info.update(info)
    return picture


def camera_exif() -> bytes:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Orientation] = "Canon", 6
    exif.get_ifd(IFD.Exif).update(
        {Base.ISOSpeedRatings: 200, Base.MakerNote: b"at home", Base.ColorSpace: 65535}
    )
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (48.0, 51.0, 29.0)})
    return exif.tobytes()


SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


# --- reading ---------------------------------------------------------------------------------


def test_a_file_and_the_same_picture_in_memory_read_the_same(tmp_path: Path) -> None:
    image = Image.fromarray(noise())
    image.save(tmp_path / "a.png")
    from_file, from_memory = io.read(tmp_path / "a.png"), io.read(image)
    assert from_file.rgb.shape == (1, 3, 24, 32) and from_file.rgb.dtype == torch.float32
    assert torch.equal(from_file.rgb, from_memory.rgb)
    np.testing.assert_allclose(pixels(from_file), noise() / 255, atol=1e-7)
    assert from_file.name == str(tmp_path / "a.png") and from_memory.name == "picture"
    assert from_file.sha256 == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert from_memory.sha256 == io.read(image.copy()).sha256
    assert from_memory.sha256 != io.read(image.rotate(90)).sha256
    assert from_file.alpha is None and from_file.notes == ()


def test_palettes_tell_pictures_in_memory_apart() -> None:
    one = Image.new("P", (4, 4))
    one.putpalette([0, 0, 0])
    other = one.copy()
    other.putpalette([255, 0, 0])
    assert io.read(one).sha256 != io.read(other).sha256


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_gray_keeps_its_depth(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 1, 257], [32768, 65534, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"deep{suffix}")
    read = io.read(tmp_path / f"deep{suffix}")
    for plane in read.rgb[0]:
        np.testing.assert_allclose(plane, values / 65535, atol=1e-7)


def test_16_bit_gray_of_a_pgm(tmp_path: Path) -> None:
    (tmp_path / "deep.pgm").write_bytes(b"P5 3 1 65535\n" + struct.pack(">3H", 0, 32768, 65535))
    np.testing.assert_allclose(
        io.to_mask(io.read(tmp_path / "deep.pgm")), [[[[0, 32768 / 65535, 1]]]], atol=1e-6
    )


def test_gray_above_16_bits_is_clipped_and_said(tmp_path: Path) -> None:
    Image.fromarray(np.array([[-5, 65535, 70000]], dtype=np.int32)).save(tmp_path / "int.tif")
    read = io.read(tmp_path / "int.tif")
    assert read.rgb[0, 0].tolist() == [[0, 1, 1]]
    assert read.notes == (
        f"{tmp_path / 'int.tif'}: negative values become black",
        f"{tmp_path / 'int.tif'}: values above 65535 are clipped to white",
    )


def test_16_bit_gray_with_a_transparent_value(tmp_path: Path) -> None:
    values = np.array([[7, 8, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png", transparency=8)
    alpha = io.read(tmp_path / "a.png").alpha
    assert alpha is not None and alpha.tolist() == [[[[1, 0, 1]]]]


def test_floating_point_values_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"^picture: holds floating-point values; save it as an 8-bit"
    ):
        io.read(Image.new("F", (4, 4)))


@pytest.mark.parametrize(
    ("mode", "color", "rgb", "alpha"),
    [
        ("1", 255, (255, 255, 255), None),
        ("L", 100, (100, 100, 100), None),
        ("LA", (100, 51), (100, 100, 100), 51),
        ("RGBA", (10, 20, 30, 51), (10, 20, 30), 51),
        ("RGBa", (10, 20, 30, 51), (50, 100, 150), 51),  # 51/255 = 1/5
        ("La", (10, 51), (50, 50, 50), 51),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255), None),
        ("LAB", (255, 128, 128), (255, 255, 255), None),
        ("YCbCr", (128, 128, 128), (128, 128, 128), None),
        ("I;16", 65535, (255, 255, 255), None),
    ],
)
def test_every_mode(mode: str, color: object, rgb: tuple[int, ...], alpha: int | None) -> None:
    read = io.read(Image.new(mode, (2, 3), color))  # type: ignore[arg-type]
    np.testing.assert_allclose(pixels(read) * 255, np.broadcast_to(rgb, (3, 2, 3)), atol=1)
    if alpha is None:
        assert read.alpha is None
    else:
        assert read.alpha is not None and read.alpha.shape == (1, 1, 3, 2)
        np.testing.assert_allclose(read.alpha * 255, alpha, atol=1e-4)


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "p.png", transparency=bytes((51, 255)))
    read = io.read(tmp_path / "p.png")
    assert pixels(read).tolist() == [[[1, 0, 0], [0, 0, 1]]]
    assert read.alpha is not None
    np.testing.assert_allclose(read.alpha, [[[[0.2, 1]]]], atol=1e-7)


def test_an_animation_gives_its_first_frame_and_says_so(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    read = io.read(tmp_path / "a.gif")
    assert pixels(read)[0, 0].tolist() == [1, 0, 0]
    assert read.notes == (f"{tmp_path / 'a.gif'}: only the first of 3 frames is used",)


def test_damage_to_later_pages_does_not_matter(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    path = tmp_path / "pages.tif"
    pages[0].save(path)
    first = path.stat().st_size
    pages[0].save(path, save_all=True, append_images=pages[1:])
    whole = path.read_bytes()
    assert io.read(f"{path}#2").rgb[0, :, 0, 0].tolist() == [0, 1, 0]
    for place in range(first, len(whole), 3):
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        assert io.read(path).rgb[0, :, 0, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize("kinds", [(1, 0, 0), (0, 1, 0), (0, 0, 4), (1, 0, 4, 0, 1)])
def test_previews_and_levels_of_a_pyramid_are_no_pages(
    tmp_path: Path, kinds: tuple[int, ...]
) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number, kind in enumerate(kinds):
            if kind == 4:
                file.write(np.ones((8, 8), bool), photometric="mask", subfiletype=kind)
                continue
            page = np.full((4, 4, 3) if kind else (8, 8, 3), 10 * number, np.uint8)
            file.write(page, photometric="rgb", subfiletype=kind)
    wanted = [number for number, kind in enumerate(kinds) if kind == 0]
    first = io.read(tmp_path / "a.tif")
    assert first.rgb.shape == (1, 3, 8, 8)
    assert len(wanted) == 2 and "only the first of 2 frames" in first.notes[0]
    for place, number in enumerate(wanted, 1):
        page = io.read(f"{tmp_path / 'a.tif'}#{place}")
        assert float(page.rgb.max()) * 255 == pytest.approx(10 * number)
    with pytest.raises(InputError, match="the last frame is 2; name that one"):
        io.read(f"{tmp_path / 'a.tif'}#3")


def test_a_mask_counts_transparent_parts_as_black() -> None:
    mask = io.to_mask(io.read(Image.new("RGBA", (2, 2), (0, 255, 0, 51))))
    assert mask.shape == (1, 1, 2, 2)
    np.testing.assert_allclose(mask, 0.587 * 0.2, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_orientation_is_obeyed_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    scene = np.zeros((32, 64, 3), np.uint8)
    scene[:16, :16], scene[:16, -16:], scene[-16:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    Image.fromarray(np.ascontiguousarray(STORED[orientation](scene))).save(
        tmp_path / f"a{suffix}", exif=exif
    )
    read = io.read(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(pixels(read)[4::8, 4::8], scene[4::8, 4::8] / 255, atol=0.05)
    io.write(io.to_picture(read.rgb, like=read), tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert image.getexif().get(Base.Orientation, 1) == 1
    assert io.read(tmp_path / "b.png").rgb.shape == read.rgb.shape


@pytest.mark.parametrize("kind", ["Landscape", "Portrait"])
def test_orientation_of_the_public_samples(kind: str) -> None:
    folder = SHARED / "exif_orientation"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    first = io.read(folder / f"{kind}_1.jpg").rgb
    for orientation in range(2, 9):
        other = io.read(folder / f"{kind}_{orientation}.jpg").rgb
        assert other.shape == first.shape
        assert (other - first).abs().mean() < 0.02  # they differ by their JPEG compression


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_the_resolution_is_turned_with_the_picture(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    exif[Base.XResolution], exif[Base.YResolution], exif[Base.ResolutionUnit] = 200.0, 100.0, 2
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (40, 20)).save(path, exif=exif, dpi=(200, 100))
    assert io.read(path).dpi == ((100.0, 200.0) if orientation > 4 else (200.0, 100.0))


def test_a_jpeg_has_the_resolution_that_is_stated(tmp_path: Path) -> None:
    """Pillow takes the one across for both, and 72 where there is none."""
    exif = Image.Exif()
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert io.read(tmp_path / "a.jpg").dpi is None
    exif[Base.XResolution], exif[Base.YResolution], exif[Base.ResolutionUnit] = 204.0, 98.0, 2
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert io.read(tmp_path / "a.jpg").dpi == (204.0, 98.0)
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif, dpi=(300, 300))
    assert io.read(tmp_path / "a.jpg").dpi == (300.0, 300.0)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif"])
def test_a_resolution_in_centimeters(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[Base.XResolution], exif[Base.YResolution], exif[Base.ResolutionUnit] = 100.0, 100.0, 3
    Image.new("RGB", (40, 20)).save(tmp_path / f"a.{suffix}", exif=exif)
    assert io.read(tmp_path / f"a.{suffix}").dpi == (254.0, 254.0)


# --- color profiles -------------------------------------------------------------------------


def test_adobe_rgb_is_converted(tmp_path: Path) -> None:
    Image.fromarray(noise()).save(tmp_path / "adobe.png", icc_profile=adobe())
    read = io.read(tmp_path / "adobe.png")
    linear = (noise() / 255) ** (563 / 256) @ ADOBE.T @ np.linalg.inv(SRGB).T
    np.testing.assert_allclose(pixels(read), encode_srgb(linear), atol=2.5 / 255)
    assert np.abs(pixels(read) - noise() / 255).max() > 0.1  # it was no matter of course
    assert read.notes == ()


@pytest.mark.parametrize("suffix", READABLE)
def test_native_values_stay_and_take_their_profile_along(tmp_path: Path, suffix: str) -> None:
    values = np.asarray(painted()) // 2 + [20, 80, 50]  # greens that sRGB has not
    image = Image.fromarray(values.astype(np.uint8))
    image.putalpha(200)
    image.save(tmp_path / "adobe.png", icc_profile=adobe())
    read = io.read(tmp_path / "adobe.png", native=True)
    np.testing.assert_allclose(pixels(read), values / 255, atol=1e-7)
    assert (read.profile, read.deep, read.notes) == (adobe(), False, ())
    path = tmp_path / f"a{suffix}"
    io.write(io.to_picture(read.rgb, like=read), path)
    with Image.open(path) as written:
        assert written.info["icc_profile"] == adobe()
        np.testing.assert_allclose(np.asarray(written), values, atol=0.03 * 255)
    plain = io.read(tmp_path / "adobe.png")
    assert plain.profile is None and (plain.rgb - read.rgb).abs().max() > 0.05
    np.testing.assert_allclose(io.read(path).rgb, plain.rgb, atol=0.05)


def test_native_is_as_ever_without_an_rgb_profile_of_its_own(tmp_path: Path) -> None:
    cmyk = Image.fromarray(noise(channels=4), "CMYK")
    cmyk.save(tmp_path / "cmyk.tif")
    gray = profile(b"GRAY", {b"wtpt": D50, b"kTRC": gamma(1.0)})
    Image.fromarray(noise()[..., 0]).save(tmp_path / "gray.png", icc_profile=gray)
    Image.fromarray(noise()).quantize(9).save(tmp_path / "palette.png", icc_profile=adobe())
    Image.fromarray(noise()).save(tmp_path / "srgb.png", icc_profile=reading.srgb_profile())
    Image.fromarray(noise()).save(tmp_path / "none.png")
    Image.fromarray(noise()).save(tmp_path / "damaged.png", icc_profile=adobe()[:200])
    Image.fromarray(noise()).save(tmp_path / "other.png", icc_profile=profile(b"CMYK", {}))
    for path in tmp_path.iterdir():
        plain, native = io.read(path), io.read(path, native=True)
        assert torch.equal(plain.rgb, native.rgb), path
        assert (native.profile, native.deep, native.notes) == (None, False, plain.notes)
        said = f"{path}: its color profile does not fit the picture and is ignored"
        assert (said in native.notes) == (path.name in ("damaged.png", "other.png"))
        made = io.to_picture(native.rgb, like=native)
        assert made.info["icc_profile"] == reading.srgb_profile()


def test_it_is_what_littlecms_says(tmp_path: Path) -> None:
    swapped = reading.srgb_profile().replace(b"rXYZ", b"tXYZ", 1)
    swapped = swapped.replace(b"gXYZ", b"rXYZ", 1).replace(b"tXYZ", b"gXYZ", 1)
    rgba = np.dstack((noise(), noise(channels=1) | 1))  # visible everywhere
    Image.fromarray(rgba).save(tmp_path / "a.png", icc_profile=swapped)
    read = io.read(tmp_path / "a.png")
    np.testing.assert_allclose(pixels(read), noise()[..., [1, 0, 2]] / 255, atol=1.5 / 255)
    assert read.alpha is not None
    np.testing.assert_allclose(read.alpha[0, 0], rgba[..., 3] / 255, atol=1e-7)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_gray_profiles(tmp_path: Path, kind: type) -> None:
    top = np.iinfo(kind).max
    values = np.linspace(0, 1, 256)[None]
    icc = profile(b"GRAY", {b"wtpt": D50, b"kTRC": gamma(1.0)})
    image = Image.fromarray((values * top).round().astype(kind))
    image.save(tmp_path / "gray.png", icc_profile=icc)
    read = io.read(tmp_path / "gray.png")
    np.testing.assert_allclose(pixels(read)[..., 1], encode_srgb(values), atol=0.51 / 255)
    assert read.notes == ()


def test_a_gray_picture_may_carry_an_rgb_profile(tmp_path: Path) -> None:
    icc = reading.srgb_profile() + b"\0"  # not our own bytes
    Image.fromarray(noise()[..., 0]).save(tmp_path / "gray.png", icc_profile=icc)
    read = io.read(tmp_path / "gray.png")
    np.testing.assert_allclose(pixels(read)[..., 0], noise()[..., 0] / 255, atol=1.1 / 255)
    assert read.notes == ()


@pytest.mark.parametrize("icc", [b"nonsense", profile(b"CMYK", {}), reading.srgb_profile()[:200]])
def test_a_profile_that_does_not_fit_is_ignored_and_said(tmp_path: Path, icc: bytes) -> None:
    Image.fromarray(noise()).save(tmp_path / "a.png", icc_profile=icc)
    read = io.read(tmp_path / "a.png")
    np.testing.assert_allclose(pixels(read), noise() / 255, atol=1e-7)
    assert read.notes == (
        f"{tmp_path / 'a.png'}: its color profile does not fit the picture and is ignored",
    )


def test_our_own_profile_is_sound_and_says_nothing_of_today() -> None:
    bytes_ = reading.srgb_profile()
    assert struct.unpack(">6H", bytes_[24:36]) == (2000, 1, 1, 0, 0, 0)
    opened = ImageCms.getOpenProfile(BytesIO(bytes_))
    assert "sRGB" in ImageCms.getProfileDescription(opened)


# --- errors ----------------------------------------------------------------------------------


def test_the_limit_of_size_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (200, 100)).save(tmp_path / "a.png")
    # Pillow's own limit would refuse 20000 pixels, and be right to if another program set it.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert io.read(tmp_path / "a.png").rgb.shape == (1, 3, 100, 200)
    monkeypatch.setattr(reading, "PIXEL_LIMIT", 15_000)
    for source in (tmp_path / "a.png", Image.new("L", (200, 100))):
        with pytest.raises(InputError, match=r"is 200 × 100 = .* or pass --allow-huge$"):
            io.read(source)
        assert io.read(source, allow_huge=True).rgb.shape == (1, 3, 100, 200)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_nothing_of_the_process_is_left_changed(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS, logging.getLogger("PIL").level
    Image.new("L", (20, 10)).save(tmp_path / "a.png")
    io.read(tmp_path / "a.png")
    with pytest.raises(InputError):
        io.read(tmp_path / "none.png")
    assert (Image.MAX_IMAGE_PIXELS, logging.getLogger("PIL").level) == before


def test_threads_may_read_together(tmp_path: Path) -> None:
    Image.fromarray(noise()).save(tmp_path / "a.png")
    read: list[torch.Tensor] = []
    threads = [
        threading.Thread(target=lambda: read.append(io.read(tmp_path / "a.png").rgb))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 8 and all(torch.equal(rgb, read[0]) for rgb in read)


# --- making ----------------------------------------------------------------------------------


def test_rounding_is_to_the_nearest() -> None:
    rgb = torch.tensor([-1, 0.49, 0.51, 127.6, 254.4, 300]).div(255).expand(1, 3, 1, 6)
    assert np.asarray(io.to_picture(rgb))[0, :, 0].tolist() == [0, 0, 1, 128, 254, 255]


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from((3, 4))).flatmap(
        lambda shape: arrays.arrays(np.uint8, shape)
    )
)
def test_a_picture_survives_the_whole_way(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray
) -> None:
    if array.shape[-1] == 4:
        array = array | [0, 0, 0, 1]  # visible everywhere
    read = io.read(Image.fromarray(array.astype(np.uint8)))
    made = io.to_picture(read.rgb, read.alpha)
    np.testing.assert_array_equal(np.asarray(made), array)
    path = tmp_path_factory.getbasetemp() / "whole.png"
    io.write(made, path, overwrite=True)
    again = io.read(path)
    np.testing.assert_array_equal(np.asarray(io.to_picture(again.rgb, again.alpha)), array)


def test_fit_keeps_the_aspect() -> None:
    assert images.fit(300, 400, 200) == (150, 200)
    assert images.fit(400, 300, 800) == (800, 600)
    assert images.fit(1, 5000, 100) == (1, 100)


def test_resize_shrinks_without_aliasing_and_is_differentiable() -> None:
    stripes = torch.arange(64).remainder(2).float().expand(1, 3, 64, 64).clone().requires_grad_()
    small = images.resize(stripes, (16, 16))
    assert small.shape == (1, 3, 16, 16)
    assert (small[..., 2:-2] - 0.5).abs().max() < 0.05  # plain bicubic would give 0 or 1
    small.sum().backward()
    assert stripes.grad is not None and stripes.grad.abs().sum() > 0
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1
    large = images.resize(edge, (32, 32))
    assert large.min() == 0 and large.max() == 1  # bicubic alone overshoots


# --- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", READABLE)
def test_recipe_resolution_and_color_survive(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    made = painted(dpi=(300.0, 300.0))
    assert io.write(made, path) == ()
    assert io.recipe_of(path) == RECIPE
    read = io.read(path)
    assert read.dpi == (300.0, 300.0)
    np.testing.assert_allclose(pixels(read), np.asarray(made) / 255, atol=0.03)
    with Image.open(path) as image:
        assert image.info["icc_profile"] == reading.srgb_profile()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_picture_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    written = []
    for name in "ab":
        io.write(painted(exif=camera_exif()), tmp_path / f"{name}{suffix}")
        written.append((tmp_path / f"{name}{suffix}").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("suffix", READABLE)
@pytest.mark.parametrize("keep", [False, True])
def test_where_it_was_taken_is_left_out(tmp_path: Path, suffix: str, keep: bool) -> None:
    Image.fromarray(noise()).save(tmp_path / "photo.jpg", exif=camera_exif())
    photo = io.read(tmp_path / "photo.jpg")
    path = tmp_path / f"a{suffix}"
    assert io.write(io.to_picture(photo.rgb, like=photo), path, keep_exif=keep) == ()
    with Image.open(path) as image:
        exif = image.getexif()
        details, place = exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)
    assert exif[Base.Make] == "Canon" and details[Base.ISOSpeedRatings] == 200
    assert details[Base.ColorSpace] == 1 and exif.get(Base.Orientation, 1) == 1
    assert (place.get(1) == "N") == keep
    assert (details.get(Base.MakerNote) == b"at home") == keep
    assert keep or b"at home" not in path.read_bytes()


def exif_types(data: bytes) -> dict[tuple[int, int], int]:
    """The types of all tags of a TIFF or of EXIF data, by table and tag."""
    order = "<" if data.startswith(b"II") else ">"
    found: dict[tuple[int, int], int] = {}
    tables = [(0, *struct.unpack_from(f"{order}I", data, 4))]
    for table, place in tables:
        for number in range(*struct.unpack_from(f"{order}H", data, place)):
            entry = struct.unpack_from(f"{order}HHII", data, place + 2 + 12 * number)
            found[table, entry[0]] = entry[1]
            if entry[0] in (34665, 34853):  # EXIF and GPS
                tables.append((entry[0], entry[3]))
    return found


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".tif"])
def test_exif_tags_have_the_types_of_the_standard(tmp_path: Path, suffix: str) -> None:
    """EXIF 2.32, tables 4 to 15: 7 is UNDEFINED, 10 SRATIONAL, 5 RATIONAL, 1 BYTE."""
    exif = Image.Exif()
    types = {36864: 7, 37121: 7, 37500: 7, 37510: 7, 41728: 7, 41729: 7, 41730: 7}
    exif.get_ifd(IFD.Exif).update(dict.fromkeys(types, b"ASCII\0\0\0Hi"))
    signed = {Base.ShutterSpeedValue: 10, Base.ExposureBiasValue: 10, Base.ExposureTime: 5}
    exif.get_ifd(IFD.Exif).update({tag: IFDRational(1, 3) for tag in signed})
    exif.get_ifd(IFD.GPSInfo).update({2: (48.0, 51.0, 29.0), 5: b"\0", 27: b"ASCII\0\0\0GPS"})
    path = tmp_path / f"a{suffix}"
    io.write(painted(exif=exif.tobytes()), path, keep_exif=True)
    with Image.open(path) as image:
        packed = path.read_bytes() if suffix == ".tif" else image.info["exif"]
        comment = image.getexif().get_ifd(IFD.Exif)[Base.UserComment]
    found = exif_types(packed.removeprefix(b"Exif\0\0"))
    assert types | signed == {tag: found.get((34665, tag)) for tag in types | signed}
    assert {tag: found.get((34853, tag)) for tag in (2, 5, 27)} == {2: 5, 5: 1, 27: 7}
    assert comment.startswith(b"ASCII\0\0\0Hi" if suffix == ".png" else b"ASCII\0\0\0limner {")


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif"])
def test_alpha_survives(tmp_path: Path, suffix: str) -> None:
    alpha = torch.linspace(0, 1, 48)[:, None].expand(1, 1, 48, 64)
    io.write(io.to_picture(torch.ones(1, 3, 48, 64), alpha), tmp_path / f"a{suffix}")
    read = io.read(tmp_path / f"a{suffix}").alpha
    assert read is not None
    np.testing.assert_allclose(read, alpha, atol=0.03)


def test_jpeg_lays_a_transparent_picture_on_white_and_says_so(tmp_path: Path) -> None:
    black = torch.zeros(1, 3, 16, 16)
    made = io.to_picture(black, torch.full((1, 1, 16, 16), 0.2))
    (note,) = io.write(made, tmp_path / "a.jpg")
    assert note.endswith("JPEG has no transparency; the picture is put on white")
    np.testing.assert_allclose(pixels(io.read(tmp_path / "a.jpg")), 0.8, atol=0.01)
    opaque = io.to_picture(black, torch.ones(1, 1, 16, 16))
    assert io.write(opaque, tmp_path / "b.jpg") == ()


def test_a_recipe_too_long_for_jpeg_does_not_cost_the_picture(tmp_path: Path) -> None:
    made = io.to_picture(torch.zeros(1, 3, 8, 8), recipe={"inputs": ["x" * 70_000]})
    made.info["exif"] = camera_exif()
    *_, note = io.write(made, tmp_path / "a.jpg")
    assert "recipe is too long for JPEG" in note
    assert io.read(tmp_path / "a.jpg").rgb.shape == (1, 3, 8, 8)
    assert io.write(made, tmp_path / "a.webp") == ()
    assert len(json.dumps(io.recipe_of(tmp_path / "a.webp"))) > 70_000


def test_a_recipe_is_not_inherited(tmp_path: Path) -> None:
    io.write(painted(), tmp_path / "a.jpg")
    source = io.read(tmp_path / "a.jpg")
    io.write(io.to_picture(source.rgb, like=source), tmp_path / "b.jpg")
    with pytest.raises(InputError, match=r"b\.jpg: has no limner recipe"):
        io.recipe_of(tmp_path / "b.jpg")


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "x" * 1_000_001]
)
def test_a_damaged_recipe_is_refused(tmp_path: Path, text: str) -> None:
    made = painted(limner=text)
    io.write(made, tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: .*recipe"):
        io.recipe_of(tmp_path / "a.png")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failed_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if overwrite:
        (tmp_path / "a.png").write_bytes(b"old")
    for place, name in ((os, "fsync"), (Image.Image, "save")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises(OutputError, match=r"a\.png: cannot be written \(No space left"):
                io.write(painted(), tmp_path / "a.png", overwrite=overwrite)
        left = [(p.name, p.read_bytes()) for p in tmp_path.iterdir()]
        assert left == ([("a.png", b"old")] if overwrite else [])


def test_an_existing_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"already exists; .* --overwrite$"):
        io.write(painted(), path)
    assert path.read_bytes() == b"old"
    io.write(painted(), path, overwrite=True)
    assert io.read(path).rgb.shape == (1, 3, 48, 64)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    path, save = tmp_path / "a.png", Image.Image.save

    def slow(*args: object, **options: object) -> None:
        save(*args, **options)  # type: ignore[arg-type]
        path.write_bytes(b"another's")

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr(os, "link", no_links)
        io.write(painted(), tmp_path / "b.png")
        assert io.read(tmp_path / "b.png").rgb.shape == (1, 3, 48, 64)
        (tmp_path / "b.png").unlink()
    monkeypatch.setattr(Image.Image, "save", slow)
    with pytest.raises(OutputError, match="already exists"):
        io.write(painted(), path)
    assert path.read_bytes() == b"another's" and list(tmp_path.iterdir()) == [path]


def test_written_files_are_as_readable_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    io.write(painted(), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_cannot_be_written_is_known_beforehand(tmp_path: Path) -> None:
    io.check_output(tmp_path / "A.PNG", size=(10, 10))
    (tmp_path / "folder.png").mkdir()
    for name, error, says in (
        ("a.bmp", OptionError, r"does not write '\.bmp' files; use one of \.png, \.jpg"),
        ("a", OptionError, "does not write files without an ending; use one of .png"),
        ("no/a.png", OutputError, "folder .*no is missing"),
        ("folder.png", OutputError, "is a folder or a device"),
        ("x" * 300 + ".png", OutputError, "File name too long"),
        ("nul\0.png", OutputError, "null"),
    ):
        with pytest.raises(error, match=says) as raised:
            io.check_output(tmp_path / name, overwrite=True)
        assert "\n" not in str(raised.value)
    for suffix, longest in ((".webp", 16383), (".pdf", 65500)):
        io.check_output(tmp_path / f"a{suffix}", size=(10, longest))
        with pytest.raises(OutputError, match=f"at most {longest} pixels a side"):
            io.check_output(tmp_path / f"a{suffix}", size=(10, longest + 1))


def test_a_folder_that_cannot_be_written_is_known_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(writing, "TemporaryFile", refuse)  # root may write anywhere
    with pytest.raises(OutputError, match=r"cannot be written \(Permission denied\); choose"):
        io.check_output(tmp_path / "a.png")


def test_other_modes_are_written_too(tmp_path: Path) -> None:
    for number, (mode, suffix) in enumerate(itertools.product(("L", "P", "LA", "CMYK"), READABLE)):
        io.write(Image.new(mode, (16, 16)), tmp_path / f"{number}{suffix}")
        assert io.read(tmp_path / f"{number}{suffix}").rgb.shape == (1, 3, 16, 16)
