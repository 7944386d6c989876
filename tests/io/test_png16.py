"""16 bits a channel, against files packed and unpacked byte by byte."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ExifTags import Base

from crafted import STORED, adobe, deep_png, deep_tiff, png
from disk import full_disk
from limner import io
from limner.errors import InputError, OutputError
from limner.io import formats

SHARED = Path(__file__).parents[3] / "shared" / "test" / "images"
PACKED = {
    "png": deep_png,
    "tiff": deep_tiff,
    "tiff, big-endian": partial(deep_tiff, order=">"),
    "tiff, deflate": partial(deep_tiff, deflate=True),
    "tiff, deflate, big-endian": partial(deep_tiff, order=">", deflate=True),
}
RECIPE = {"verb": "upscale", "inputs": ["Ünï 波 \U0001f3a8"]}


def noise(height: int = 9, width: int = 7, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 65536, (height, width, channels), np.uint16)
    values.flat[:2] = 0, 65535
    return values


def values_of(picture: io.Picture) -> np.ndarray:
    """A picture's channels in 65535ths, [H, W, 3 or 4]."""
    planes = [picture.rgb] if picture.alpha is None else [picture.rgb, picture.alpha]
    return torch.cat(planes, 1)[0].permute(1, 2, 0).double().numpy() * 65535


def made(values: np.ndarray, **info: object) -> Image.Image:
    planes = torch.from_numpy(values).permute(2, 0, 1)[None]
    picture = io.to_picture(planes[:, :3], planes[:, 3:] if len(planes[0]) > 3 else None)
    picture.info.update(info)
    return picture


def chunks(packed: bytes) -> list[tuple[bytes, bytes]]:
    """Names and contents of what a PNG is made of, its checksums right."""
    assert packed[:8] == b"\x89PNG\r\n\x1a\n"
    found, place = [], 8
    while place < len(packed):
        length, kind = struct.unpack_from(">I4s", packed, place)
        content = packed[place + 8 : place + 8 + length]
        assert packed[place + 8 + length :][:4] == struct.pack(">I", zlib.crc32(kind + content))
        found.append((kind, content))
        place += 12 + length
    return found


def unpacked(path: Path) -> np.ndarray:
    """The 16-bit values of a PNG (ISO/IEC 15948, clause 9: filters None, Sub and Up)."""
    parts = chunks(path.read_bytes())
    width, height, depth, kind, *rest = struct.unpack(">2I5B", dict(parts)[b"IHDR"])
    assert (depth, rest) == (16, [0, 0, 0])
    step = 2 * {2: 3, 6: 4}[kind]
    packed = zlib.decompress(b"".join(content for name, content in parts if name == b"IDAT"))
    above, rows = np.zeros((width, step), np.uint8), []
    for line in np.frombuffer(packed, np.uint8).reshape(height, 1 + width * step):
        row = line[1:].reshape(width, step)
        above = (row, row.cumsum(0, np.uint8), row + above)[line[0]]
        rows.append(above)
    return np.stack(rows).view(">u2").astype(np.uint16)


def depth_of(path: Path) -> int:
    return path.read_bytes()[24]  # after signature, length and name of IHDR, width and height


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("form", PACKED)
def test_native_reading_keeps_16_bits(tmp_path: Path, form: str, channels: int) -> None:
    values = noise(channels=channels)
    (tmp_path / "a").write_bytes(PACKED[form](values))
    read = io.read(tmp_path / "a", native=True)
    assert (read.deep, read.profile, read.notes) == (True, None, ())
    assert read.rgb.dtype == torch.float32 and (read.alpha is None) == (channels == 3)
    np.testing.assert_allclose(values_of(read), values, atol=0.02)
    assert io.read(tmp_path / "a").sha256 == read.sha256


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("form", PACKED)
def test_any_other_reading_has_8_bits_as_ever(tmp_path: Path, form: str, channels: int) -> None:
    values = noise(channels=channels)
    (tmp_path / "a").write_bytes(PACKED[form](values))
    read = io.read(tmp_path / "a")
    assert (read.deep, read.profile, read.notes) == (False, None, ())
    expected = (values >> 8) * 257.0
    is_visible = expected[..., -1:] > 0 if channels == 4 else True
    found = np.where(is_visible, values_of(read), expected)
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize(("bits", "row"), [(1, 0b01100000), (2, 0b00011011), (4, 0x1F)])
def test_a_transparent_value_of_few_bits(tmp_path: Path, bits: int, row: int) -> None:
    count, most = min(4, 8 // bits), 2**bits - 1
    header = (b"IHDR", struct.pack(">2I5B", count, 1, bits, 0, 0, 0, 0))
    for key in (0, 1, most):
        parts = [
            header,
            (b"tRNS", struct.pack(">H", key)),
            (b"IDAT", zlib.compress(bytes([0, row]))),
        ]
        (tmp_path / "a.png").write_bytes(png(*parts, (b"IEND", b"")))
        read = io.read(tmp_path / "a.png")
        values = [row >> (8 - bits * (n + 1)) & most for n in range(count)]
        assert read.alpha is not None
        assert read.alpha.flatten().tolist() == [float(value != key) for value in values]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("size", [(3, 4), (1, 1)])
def test_a_transparent_color_of_16_bits(
    tmp_path: Path, native: bool, size: tuple[int, int]
) -> None:
    values = np.full((*size, 3), (0x1234, 0x5678, 0x9ABC), np.uint16)
    values[1:, :, 2] += 1  # the same in the upper 8 bits
    key = (b"tRNS", struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))
    (tmp_path / "a.png").write_bytes(deep_png(values, key))
    read = io.read(tmp_path / "a.png", native=native)
    assert read.alpha is not None and read.deep is native
    assert read.alpha[0, 0, :, 0].tolist() == [0.0, 1.0, 1.0][: size[0]]
    if native and size[0] > 1:
        np.testing.assert_allclose(values_of(read)[1:, :, :3], values[1:], atol=0.02)


def test_16_bit_gray_with_alpha_keeps_its_depth(tmp_path: Path) -> None:
    values = noise(channels=2)
    (tmp_path / "a.png").write_bytes(deep_png(values))
    for native in (False, True):
        read = io.read(tmp_path / "a.png", native=native)
        np.testing.assert_allclose(values_of(read)[..., [0, 3]], values, atol=0.02)
        assert read.deep and torch.equal(read.rgb[:, 0], read.rgb[:, 2])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_gray_with_alpha_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    values = noise(channels=2)
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    stored = STORED[orientation](values)
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    (tmp_path / "a.png").write_bytes(deep_png(stored, (b"eXIf", data)))
    read = io.read(tmp_path / "a.png")
    np.testing.assert_allclose(values_of(read)[..., [0, 3]], values, atol=0.02)


@pytest.mark.parametrize("form", [{"extra": 1}, {"deflate": True, "planes": True}])
def test_16_bits_are_claimed_only_where_they_are_had(
    tmp_path: Path, form: dict[str, int | bool]
) -> None:
    values = np.full((5, 5, 4), 0x40FF, np.uint16)
    values[..., 3] = 0x8000
    (tmp_path / "a.tif").write_bytes(deep_tiff(values, **form))  # type: ignore[arg-type]
    read = io.read(tmp_path / "a.tif", native=True)
    value = 0x40FF * 65535 / 0x8000 if "extra" in form else 0x40FF  # alpha multiplied in, or not
    expected = np.broadcast_to([value] * 3 + [0x8000], (5, 5, 4))
    np.testing.assert_allclose(values_of(read), expected, atol=1 if read.deep else 3 * 257)


def test_gray_of_16_bits_was_deep_before(tmp_path: Path) -> None:
    values = noise(channels=1)
    (tmp_path / "a.png").write_bytes(deep_png(values))
    for native in (False, True):
        read = io.read(tmp_path / "a.png", native=native)
        np.testing.assert_allclose(values_of(read), np.tile(values, 3), atol=0.02)
        assert read.deep and read.alpha is None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["png", "tiff", "tiff, deflate"])
def test_both_halves_are_turned_upright(tmp_path: Path, form: str, orientation: int) -> None:
    scene = noise(5, 8, 4)
    stored = STORED[orientation](scene)
    if form == "png":
        exif = Image.Exif()
        exif[Base.Orientation] = orientation
        packed = deep_png(stored, (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    else:
        packed = deep_tiff(stored, deflate=form.endswith("deflate"), orientation=orientation)
    (tmp_path / "a").write_bytes(packed)
    read = io.read(tmp_path / "a", native=True)
    assert read.deep
    np.testing.assert_allclose(values_of(read), scene, atol=0.02)


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_16_bits_of_another_profile(tmp_path: Path, form: str) -> None:
    values = noise()
    packed_icc = (b"iCCP", b"adobe\0\0" + zlib.compress(adobe()))
    packed = deep_png(values, packed_icc) if form == "png" else deep_tiff(values, icc=adobe())
    (tmp_path / "a").write_bytes(packed)
    native, plain = io.read(tmp_path / "a", native=True), io.read(tmp_path / "a")
    assert (native.profile, native.deep, native.notes) == (adobe(), True, ())
    np.testing.assert_allclose(values_of(native), values, atol=0.02)
    assert (plain.profile, plain.deep, plain.notes) == (None, True, ())
    # as LittleCMS converts the upper 8 bits, but for their rounding
    Image.fromarray((values / 257).round().astype(np.uint8)).save(
        tmp_path / "b.png", icc_profile=adobe()
    )
    np.testing.assert_allclose(plain.rgb, io.read(tmp_path / "b.png").rgb, atol=4 / 255)
    planes = torch.from_numpy(values).permute(2, 0, 1)[None]
    assert io.write(io.to_picture(planes, like=native), tmp_path / "c.png") == ()
    again = io.read(tmp_path / "c.png", native=True)
    assert again.profile == adobe() and torch.equal(again.rgb, native.rgb)
    np.testing.assert_array_equal(unpacked(tmp_path / "c.png"), values)


def test_a_damaged_profile_of_16_bits_is_left_out_and_said(tmp_path: Path) -> None:
    values = noise()
    icc = (b"iCCP", b"adobe\0\0" + zlib.compress(adobe()[:200]))
    (tmp_path / "a.png").write_bytes(deep_png(values, icc))
    read = io.read(tmp_path / "a.png", native=True)
    np.testing.assert_allclose(values_of(read), values, atol=255.02)  # 8 bits or 16
    assert read.profile is None
    assert read.notes == (
        f"{tmp_path / 'a.png'}: its color profile does not fit the picture and is ignored",
    )


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    for packed in (deep_png(noise()), deep_tiff(noise()), deep_tiff(noise(), deflate=True)):
        (tmp_path / "a").write_bytes(packed[: len(packed) // 2])
        with pytest.raises(InputError) as raised:
            io.read(tmp_path / "a", native=True)
        assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["basi2c16", "oi2n2c16", "oi9n2c16"])
def test_the_public_samples_agree(name: str) -> None:
    folder = SHARED / "pngsuite"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    one = io.read(folder / "basn2c16.png", native=True)
    other = io.read(folder / f"{name}.png", native=True)  # interlaced, or its data in parts
    assert one.deep and other.deep and torch.equal(one.rgb, other.rgb)
    steps = {round(step * 65535 / 31) for step in range(32)}  # 32 × 32 pixels, fading
    assert set(values_of(one).round().astype(int).ravel()) == steps


def test_native_reading_refuses_nothing_else() -> None:
    folder = SHARED / "pngsuite"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    read = 0
    for path in sorted(folder.glob("[!x]*.png")):  # x: damaged
        plain, native = io.read(path), io.read(path, native=True)
        if native.profile:  # of a gAMA chunk; its values stay
            native = replace(native, rgb=plain.rgb)
        assert (plain.rgb - native.rgb).abs().max() < 1.001 / 255, path
        read += 1
    assert read > 150


# --- making and writing ----------------------------------------------------------------------


def test_the_8_bits_beside_16_are_the_nearest() -> None:
    values = np.arange(65536, dtype=np.uint16).repeat(3).reshape(256, 256, 3)
    picture = made(values)
    nearest = (values.astype(int) + 128) // 257  # no value lies halfway: 257 is odd
    np.testing.assert_array_equal(np.asarray(picture), nearest)
    kept = np.frombuffer(picture.info["deep"], np.uint16)
    np.testing.assert_array_equal(kept, values.ravel())
    assert "deep" not in io.to_picture(torch.zeros(1, 3, 2, 2, dtype=torch.uint8)).info


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 5), (5, 1), (255, 3), (256, 3), (257, 3), (511, 2), (512, 2), (513, 1), (9, 300)],
)
def test_16_bits_survive_the_whole_way(
    tmp_path: Path, height: int, width: int, channels: int
) -> None:
    values = noise(height, width, channels)
    path = tmp_path / "a.png"
    assert io.write(made(values), path) == ()
    np.testing.assert_array_equal(unpacked(path), values)
    read = io.read(path, native=True)
    assert read.deep
    np.testing.assert_allclose(values_of(read), values, atol=0.02)
    with Image.open(path) as image:
        image.verify()
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), values >> 8)


def test_the_chunks_of_a_written_png(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Make] = "Canon"
    like = io.Picture(torch.zeros(1, 3, 1, 1), None, "a", "", (300.0, 240.0), exif.tobytes(),
                          adobe())  # fmt: skip
    planes = torch.from_numpy(noise(300)).permute(2, 0, 1)[None]
    picture = io.to_picture(planes, like=like, recipe=RECIPE)
    path = tmp_path / "a.png"
    assert io.write(picture, path) == ()
    parts = chunks(path.read_bytes())
    names = [name for name, _ in parts]
    data = names.index(b"IDAT")
    assert names[0] == b"IHDR" and names[-1] == b"IEND"
    assert set(names[data:-1]) == {b"IDAT"}  # ISO/IEC 15948, 5.6: one after the other
    assert {b"iCCP", b"pHYs", b"eXIf"} <= set(names[:data])
    assert len(set(names[:data])) == data and {b"tEXt", b"iTXt", b"zTXt"} & set(names)
    found = dict(parts)
    assert found[b"IHDR"] == struct.pack(">2I5B", 7, 300, 16, 2, 0, 0, 0)
    assert zlib.decompress(found[b"iCCP"].split(b"\0", 1)[1][1:]) == adobe()
    per_meter = struct.unpack(">2IB", found[b"pHYs"])
    assert per_meter == (11811, 9449, 1)  # 300 and 240 / 0.0254 m
    assert io.recipe_of(path) == RECIPE
    read = io.read(path, native=True)
    assert read.dpi == (300.0, 240.0) and read.profile == adobe()
    with Image.open(path) as image:
        assert image.getexif()[Base.Make] == "Canon"
    io.write(picture, tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes() == path.read_bytes()


def edited(picture: Image.Image) -> Image.Image:
    picture.putpixel((3, 4), tuple((v + 128) % 256 for v in picture.getpixel((3, 4))))
    return picture


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    "edit",
    [
        edited,
        lambda picture: picture.crop((1, 0, 6, 9)),
        lambda picture: picture.rotate(180),
        lambda picture: picture.transpose(Image.Transpose.TRANSPOSE),
        lambda picture: picture.resize((7, 9), Image.Resampling.BOX, (0, 0, 4, 5)),
        lambda picture: picture.convert("L"),
    ],
    ids=["one pixel", "crop", "rotate", "transpose", "resize", "gray"],
)
def test_a_picture_edited_since_is_written_with_8_bits(
    tmp_path: Path, edit: Callable[[Image.Image], Image.Image], channels: int
) -> None:
    picture = made(noise(channels=channels))
    stale = picture.info["deep"]
    picture = edit(picture)
    picture.info["deep"] = stale  # which some ways of editing drop
    io.write(picture, tmp_path / "a.png")
    assert depth_of(tmp_path / "a.png") == 8
    with Image.open(tmp_path / "a.png") as image:
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        np.testing.assert_array_equal(np.asarray(image), np.asarray(picture.convert(mode)))


@pytest.mark.parametrize("alpha", ["gained", "lost"])
def test_another_number_of_channels_is_written_with_8_bits(tmp_path: Path, alpha: str) -> None:
    picture = made(noise(channels=3 if alpha == "gained" else 4))
    stale = picture.info["deep"]
    if alpha == "gained":
        picture.putalpha(7)
    else:
        picture = picture.convert("RGB")
    picture.info["deep"] = stale
    io.write(picture, tmp_path / "a.png")
    assert depth_of(tmp_path / "a.png") == 8
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(picture))


def test_a_copy_keeps_16_bits(tmp_path: Path) -> None:
    io.write(made(noise(channels=4)).copy(), tmp_path / "a.png")
    np.testing.assert_array_equal(unpacked(tmp_path / "a.png"), noise(channels=4))


@pytest.mark.parametrize("suffix", sorted(formats.WRITABLE.keys() - {".png", ".tif", ".tiff"}))
def test_a_format_of_8_bits_gets_them_and_says_so(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(48, 64, 1).repeat(3, axis=2)
    path = tmp_path / f"a{suffix}"
    (note,) = io.write(made(ramp), path)
    assert note == f"{path}: written with 8 bits per channel; a .png or .tif keeps all 16"
    if suffix != ".pdf":
        with Image.open(path) as image:
            np.testing.assert_allclose(np.asarray(image), ramp / 257, atol=4)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "a.png"
    if overwrite:
        path.write_bytes(b"old")
    picture = made(noise(600, 40))  # of three bands, and 144 KB that no packing makes smaller
    for limit in (10, 20_000, 130_000):
        with (
            full_disk(limit),
            pytest.raises(OutputError, match=r"a\.png: cannot be writ") as raised,
        ):
            io.write(picture, path, overwrite=overwrite)
        assert str(raised.value).isprintable()
        left = [(p.name, p.read_bytes()) for p in tmp_path.iterdir()]
        assert left == ([("a.png", b"old")] if overwrite else [])


def test_frames_of_an_animation_have_8_bits(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "walk.webp", save_all=True, append_images=frames[1:])
    assert not io.read(tmp_path / "walk.webp", native=True).deep


@pytest.mark.parametrize("native", [False, True])
def test_a_ppm_of_16_bits(tmp_path: Path, native: bool) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), np.uint16)
    content = b"P6\n# dcraw\n7 5\n65535\n" + values.astype(">u2").tobytes()
    (tmp_path / "a.ppm").write_bytes(content)
    read = io.read(tmp_path / "a.ppm", native=native)
    assert read.deep == native
    error = np.abs(read.rgb[0].movedim(0, -1).numpy() - values / 65535).max()
    assert error < (1e-6 if native else 1 / 255)
    (tmp_path / "a.ppm").write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"a\.ppm: cannot be read \(image file is truncated"):
        io.read(tmp_path / "a.ppm", native=native)
