"""Color profiles that files imply, and their conversion with all 16 bits."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.ExifTags import Base

from crafted import ADOBE, D50, adobe, deep_png, gamma, png, profile, xyz
from limner import io
from limner.io import profiles
from limner.upscaling.upscale import upscale
from limner.web import thumbnails

GAMMA_1 = (b"gAMA", struct.pack(">I", 100000))
CHROMATICITY = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)  # Adobe RGB
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)


def encoded(light: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def colors_of(picture: io.Picture) -> np.ndarray:
    return picture.rgb[0].movedim(0, -1).double().numpy()


def small_png(*chunks: tuple[bytes, bytes]) -> tuple[bytes, np.ndarray]:
    values = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    head = (b"IHDR", struct.pack(">2I5B", 8, 8, 8, 2, 0, 0, 0))
    return png(head, *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")), values / 255


# --- PNG, AVIF -----------------------------------------------------------------------------------


def test_the_gamma_of_a_png_counts(tmp_path: Path) -> None:
    content, values = small_png(GAMMA_1)
    (tmp_path / "a.png").write_bytes(content)
    read = io.read(tmp_path / "a.png")
    np.testing.assert_allclose(colors_of(read), encoded(values), atol=1.5 / 255)
    native = io.read(tmp_path / "a.png", native=True)
    np.testing.assert_allclose(colors_of(native), values, atol=1e-6)
    io.write(upscale(tmp_path / "a.png", scale=2), tmp_path / "large.png")
    again = io.read(tmp_path / "large.png").rgb.mean((2, 3))
    np.testing.assert_allclose(again, read.rgb.mean((2, 3)), atol=0.05)  # 0.15 without


def test_gray_of_16_bits_too(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint16).reshape(16, 16, 1)  # the darkest 8-bit value
    (tmp_path / "a.png").write_bytes(deep_png(values, GAMMA_1))
    read = io.read(tmp_path / "a.png")
    np.testing.assert_allclose(colors_of(read)[..., :1], encoded(values / 65535), atol=1e-4)


def test_the_primaries_of_a_png_count(tmp_path: Path) -> None:
    colors = (b"cHRM", struct.pack(">8I", *CHROMATICITY))
    content, values = small_png((b"gAMA", struct.pack(">I", 45471)), colors)
    (tmp_path / "a.png").write_bytes(content)
    linear = values ** (563 / 256) @ ADOBE.T @ np.linalg.inv(SRGB).T
    np.testing.assert_allclose(
        colors_of(io.read(tmp_path / "a.png")), encoded(linear), atol=2.5 / 255
    )


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">I", 45455))],
        [(b"sRGB", b"\0"), GAMMA_1],
        [(b"gAMA", struct.pack(">I", 0))],
        [(b"gAMA", struct.pack(">I", 2**31))],
        [GAMMA_1, (b"cHRM", bytes(32))],
        [GAMMA_1, (b"cHRM", struct.pack(">8I", *[33000] * 8))],
        [(b"cHRM", struct.pack(">8I", *CHROMATICITY))],
    ],
)
def test_what_is_srgb_or_nonsense_changes_nothing(
    tmp_path: Path, chunks: list[tuple[bytes, bytes]]
) -> None:
    content, values = small_png(*chunks)
    (tmp_path / "a.png").write_bytes(content)
    read = io.read(tmp_path / "a.png", native=True)
    np.testing.assert_allclose(colors_of(read), values, atol=1e-6)
    assert (read.profile, read.notes) == (None, ())


P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)  # Display P3 as Apple's profile has it


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("transfer", [8, 13])
def test_display_p3_named_by_numbers(tmp_path: Path, native: bool, transfer: int) -> None:
    content, values = small_png((b"cICP", bytes([12, transfer, 0, 1])))
    (tmp_path / "a.png").write_bytes(content)
    read = io.read(tmp_path / "a.png", native=native)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = (light if transfer == 13 else values) @ P3.T @ np.linalg.inv(SRGB).T
    wanted = values if native else encoded(linear)
    np.testing.assert_allclose(colors_of(read), wanted, atol=1e-6 if native else 3 / 255)
    assert (read.profile is not None) == native and read.notes == ()


HDR = [  # transfer, value, light: 1 is 203 cd/m², linear up to 80 cd/m²
    (16, 0.0, 0),
    (16, 0.4403, 50 / 203),  # of 50 cd/m² (SMPTE ST 2084)
    (16, 0.5081, None),  # 100 cd/m²
    (16, 0.5807, 0.79),  # 203 cd/m², a white page
    (16, 0.7518, 1),  # 1000 cd/m²
    (16, 1.0, 1),  # 10,000 cd/m²
    (18, 0.5, 1000 / 203 * (1 / 12) ** 1.2),  # one twelfth of the light of the scene
    (18, 0.75, 0.79),  # Report ITU-R BT.2408: a white page
    (18, 1.0, 1),
]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("primaries", [1, 9, 12])
@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_compressed(tmp_path: Path, deep: bool, primaries: int, transfer: int) -> None:
    values = np.array([[value] for kind, value, _ in HDR if kind == transfer])
    wanted = [light for kind, _, light in HDR if kind == transfer]
    chunk = (b"cICP", bytes([primaries, transfer, 0, 1]))
    path, most = tmp_path / "a.png", 65535 if deep else 255
    rgb = (values * most).round().astype(np.uint16)[..., None].repeat(3, -1)
    if deep:
        path.write_bytes(deep_png(rgb, chunk))
    else:
        plain = BytesIO()
        Image.fromarray(rgb.astype(np.uint8)).save(plain, "PNG")
        head = 8 + 25  # the signature, and the chunk IHDR
        content = plain.getvalue()
        path.write_bytes(content[:head] + png(chunk)[8:] + content[head:])
    read = io.read(path)
    assert read.notes == (f"{path}: its high dynamic range is compressed to that of sRGB",)
    gray = colors_of(read)
    assert np.ptp(gray, axis=-1).max() < 0.006 and (np.diff(gray[:, 0, 0]) >= 0).all()
    for (found,), light in zip(gray[..., 1], wanted, strict=True):
        if light is not None:
            assert abs(found - encoded(np.array(light))) < (0.004 if deep else 0.012)
    thumbnails.write_view(path, tmp_path / "small.webp", 100)
    with Image.open(tmp_path / "small.webp") as small:
        assert b"HDR, compressed" in small.info["icc_profile"]


def test_numbers_of_an_avif(tmp_path: Path) -> None:
    plain = BytesIO()
    Image.new("RGB", (16, 16), (112, 112, 112)).save(plain, "AVIF", quality=100)
    assert plain.getvalue().count(b"colrnclx" + bytes([0, 1, 0, 13])) == 1
    for numbers, value in (((1, 13), 112), ((9, 16), 137), ((2, 2), 112)):
        box = b"colrnclx" + struct.pack(">2H", *numbers)
        content = plain.getvalue().replace(b"colrnclx" + bytes([0, 1, 0, 13]), box)
        (tmp_path / "a.avif").write_bytes(content)
        read = io.read(tmp_path / "a.avif")
        np.testing.assert_allclose(colors_of(read) * 255, value, atol=2)
        assert bool(read.notes) == (numbers == (9, 16))


@pytest.mark.parametrize("numbers", [(1, 13, 0, 1), (2, 16, 0, 1), (12, 13, 0, 0), (12, 13)])
def test_srgb_and_nonsense_by_numbers_change_nothing(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    content, values = small_png((b"cICP", bytes(numbers)))
    (tmp_path / "a.png").write_bytes(content)
    np.testing.assert_allclose(colors_of(io.read(tmp_path / "a.png")), values, atol=1e-6)


# --- cameras ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "space", "is_adobe"), [("R03", 65535, True), ("R98", 1, False), ("R03", 1, False)]
)
def test_adobe_rgb_of_a_camera(tmp_path: Path, index: str, space: int, is_adobe: bool) -> None:
    exif = Image.Exif()
    details = exif.get_ifd(Base.ExifOffset)
    details[Base.ColorSpace] = space
    details[Base.ExifInteroperabilityOffset] = {1: index, 2: b"0100"}
    color = (40, 180, 60)
    Image.new("RGB", (16, 16), color).save(tmp_path / "_DSC1.jpg", exif=exif, quality=100)
    native = io.read(tmp_path / "_DSC1.jpg", native=True)
    assert native.notes == () and (native.profile is not None) == is_adobe
    stored = colors_of(native)[8, 8]
    linear = stored ** (563 / 256) @ ADOBE.T @ np.linalg.inv(SRGB).T
    wanted = encoded(linear) if is_adobe else stored
    found = colors_of(io.read(tmp_path / "_DSC1.jpg"))[8, 8]
    np.testing.assert_allclose(found, wanted, atol=1.5 / 255)


def test_a_profile_we_make_is_sound() -> None:
    chromaticity = tuple(value / 100000 for value in CHROMATICITY)
    made = profiles.make_profile("like Adobe RGB", chromaticity, 563 / 256)
    opened = ImageCms.ImageCmsProfile(BytesIO(made))
    assert ImageCms.getProfileDescription(opened).strip() == "like Adobe RGB"
    parts = opened.profile.red_colorant, opened.profile.green_colorant, opened.profile.blue_colorant
    found = np.array([part[0] for part in parts if part is not None]).T
    np.testing.assert_allclose(found, ADOBE, atol=1e-4)


# --- 16 bits ---------------------------------------------------------------------------------


def linear_profile() -> bytes:
    tags = {b"wtpt": D50, **{sign + b"TRC": gamma(1.0) for sign in (b"r", b"g", b"b")}}
    tags |= {s: xyz(*c) for s, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), SRGB.T, strict=True)}
    return profile(b"RGB ", tags)


def test_shadows_in_linear_light_have_no_bands(tmp_path: Path) -> None:
    """8 bits of linear light begin with 0, 13, 22, 28 of 255 in sRGB."""
    values = np.arange(2048, dtype=np.uint16).reshape(32, 64)[..., None].repeat(3, 2)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", iccprofile=linear_profile())
    read = io.read(tmp_path / "a.tif")
    np.testing.assert_allclose(colors_of(read), encoded(values / 65535), atol=2e-4)
    assert read.deep and len(np.unique(colors_of(read)[..., 1])) == 2048


def test_srgb_of_other_programs_is_srgb() -> None:
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    converter = profiles.converter_of(other)
    assert converter is not None
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), np.uint16)
    found = np.moveaxis(converter.convert(values), 0, -1)
    np.testing.assert_allclose(found, values / 65535, atol=5e-4)


def test_it_is_what_littlecms_says() -> None:
    converter = profiles.converter_of(adobe())
    assert converter is not None
    values = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    by_lcms = ImageCms.profileToProfile(
        Image.fromarray(values),
        ImageCms.ImageCmsProfile(BytesIO(adobe())),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    found = np.moveaxis(converter.convert(values.astype(np.uint16) * 257), 0, -1)
    np.testing.assert_allclose(found, np.asarray(by_lcms) / 255, atol=1.5 / 255)


def test_curves_with_parameters() -> None:
    """ICC.1:2022, table 68: each type, with the curve of sRGB where it can be."""
    numbers = {0: [2.4], 3: [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]}
    numbers |= {1: [2.0, 1.25, -0.25], 2: [2.0, 1.0, -0.25, 0.25]}
    numbers |= {4: [*numbers[3], 0.0, 0.0]}
    x = np.linspace(0, 1, 65536)
    srgb = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    wanted = {0: x**2.4, 3: srgb, 4: srgb, 1: np.maximum(1.25 * x - 0.25, 0) ** 2}
    wanted |= {2: (np.maximum(x - 0.25, 0) ** 2 + 0.25)}
    for kind, values in numbers.items():
        packed = struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))
        curve = struct.pack(">4s4xHxx", b"para", kind) + packed
        converter = profiles.converter_of(profile(b"GRAY", {b"wtpt": D50, b"kTRC": curve}))
        assert converter is not None
        np.testing.assert_allclose(converter.curves[0], wanted[kind], atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"nonsense", adobe()[:200], profile(b"CMYK", {})])
def test_other_profiles_are_left_to_littlecms(content: bytes) -> None:
    assert profiles.converter_of(content) is None
