"""TIFF with 16 bits per channel, against tifffile and files put together from their parts."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from crafted import STORED, adobe, damaged, deep_tiff
from limner import io
from limner.errors import InputError
from limner.io import tiff
from limner.io.recipe import pack_exif

RECIPE = {"verb": "upscale", "inputs": ["Ünï 波 \U0001f3a8"]}


def noise(height: int = 37, width: int = 45, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 65536, (height, width, channels), np.uint16)
    values[..., 3:] |= 0x4000  # alpha: colors multiplied by less are hardly kept
    return values


def packed(values: np.ndarray, planes: bool = True, **options: object) -> bytes:
    """What tifffile makes of [H, W, channels]."""
    extra = values.shape[2] - 3
    options = {"photometric": "rgb", "extrasamples": [2] * extra or None} | options
    file = BytesIO()
    planar = "separate" if planes else "contig"
    stored = np.moveaxis(values, 2, 0) if planes else values
    tifffile.imwrite(file, stored, planarconfig=planar, metadata=None, **options)  # type: ignore
    return file.getvalue()


def values_of(picture: io.Picture) -> np.ndarray:
    """A picture's channels in 65535ths, [H, W, 3 or 4]."""
    planes = [picture.rgb] if picture.alpha is None else [picture.rgb, picture.alpha]
    return torch.cat(planes, 1)[0].permute(1, 2, 0).double().numpy() * 65535


def read(content: bytes, folder: Path, frame: str = "", *, native: bool = True) -> io.Picture:
    (folder / "a.tif").write_bytes(content)
    return io.read(f"{folder / 'a.tif'}{frame}", native=native)


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("coding", [{}, {"compression": "zlib"},
                                    {"compression": "zlib", "predictor": True}])  # fmt: skip
@pytest.mark.parametrize("parts", [{}, {"rowsperstrip": 10}, {"tile": (16, 32)}])
@pytest.mark.parametrize("kind", [{"byteorder": ">"}, {"byteorder": "<"}, {"bigtiff": True}])
def test_separate_planes_are_read_at_16_bits(
    tmp_path: Path, channels: int, coding: dict, parts: dict, kind: dict
) -> None:
    values = noise(channels=channels)
    content = packed(values, **coding, **parts, **kind)
    deep = read(content, tmp_path)
    assert deep.deep and deep.notes == ()
    np.testing.assert_allclose(values_of(deep), values, atol=0.02)
    plain = read(content, tmp_path, native=False)
    assert not plain.deep
    np.testing.assert_allclose(values_of(plain), (values >> 8) * 257.0, atol=0.02)


def test_planes_packed_with_lzw(tmp_path: Path) -> None:
    values = noise()
    strips = []
    for plane in np.moveaxis(values, 2, 0):
        file = BytesIO()
        Image.fromarray(plane).save(file, "TIFF", compression="tiff_lzw", strip_size=10 * 90)
        with Image.open(file) as image:
            places = zip(image.tag_v2[273], image.tag_v2[279], strict=True)
            strips += [file.getvalue()[start : start + length] for start, length in places]
    file = BytesIO()
    with tifffile.TiffWriter(file, byteorder="<") as writer:
        writer.write(iter(strips), shape=(3, 37, 45), dtype=np.uint16, photometric="rgb",
                     planarconfig="separate", compression="zlib", rowsperstrip=10)  # fmt: skip
    deflate, lzw = (struct.pack("<HHIH", 259, 3, 1, method) for method in (8, 5))
    assert file.getvalue().count(deflate) == 1
    picture = read(file.getvalue().replace(deflate, lzw), tmp_path)
    assert picture.deep
    np.testing.assert_allclose(values_of(picture), values, atol=0.02)


def test_planes_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    values = noise(channels=5)
    try:
        picture = read(packed(values, extrasamples=[0, 0]), tmp_path)
    except InputError:
        pytest.skip("this version of Pillow refuses them")
    assert picture.deep
    np.testing.assert_allclose(values_of(picture), values[..., :3], atol=0.02)
    gray = packed(values[..., :2], photometric="minisblack", extrasamples=[0])
    np.testing.assert_allclose(values_of(read(gray, tmp_path)), values[..., [0] * 3], atol=0.02)


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("coding", [{}, {"compression": "zlib", "byteorder": ">"}])
def test_alpha_that_is_multiplied_in_is_divided_out(
    tmp_path: Path, planes: bool, coding: dict
) -> None:
    values = noise(channels=4)
    stored = values.copy()
    stored[..., :3] = (values[..., :3] / 65535.0 * values[..., 3:]).round()
    picture = read(packed(stored, planes, extrasamples=[1], **coding), tmp_path)
    # Pillow divides 8 bits, which differ from 16 by less than 1, by an alpha of at least 64.
    np.testing.assert_allclose(values_of(picture), values, atol=(1 + 255 / 64) * 257)
    assert not picture.deep


def test_a_fourth_plane_of_unknown_meaning_is_not_called_deep(tmp_path: Path) -> None:
    content = deep_tiff(noise(channels=4), planes=True, extra=2)
    tag = struct.pack("<HHI", 338, 3, 1)  # ExtraSamples, which becomes a private tag
    assert content.count(tag) == 1
    picture = read(content.replace(tag, struct.pack("<HHI", 65000, 3, 1)), tmp_path)
    assert picture.alpha is not None and not picture.deep


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_cmyk_of_16_bits_is_that_of_8(tmp_path: Path, planes: bool, order: str) -> None:
    values = noise(channels=4)
    upper = (values >> 8).astype(np.uint8).tobytes()
    Image.frombytes("CMYK", (45, 37), upper).save(tmp_path / "8.tif")
    content = packed(values, planes, photometric="separated", extrasamples=None, byteorder=order)
    assert torch.equal(read(content, tmp_path).rgb, io.read(tmp_path / "8.tif").rgb)


@pytest.mark.parametrize("coding", [{}, {"compression": "zlib"}])
def test_gray_with_white_as_0(tmp_path: Path, coding: dict) -> None:
    values = noise(channels=1)[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite", **coding)
    np.testing.assert_allclose(
        values_of(io.read(tmp_path / "a.tif"))[..., 0], 65535 - values.astype(int), atol=0.02
    )


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize(
    ("photometric", "channels", "extra"),
    [("minisblack", 2, [1]), ("minisblack", 2, [2]), ("cielab", 3, None), ("rgb", 5, [2, 0])],
)
def test_what_pillow_does_not_know_is_refused(
    tmp_path: Path, photometric: str, channels: int, extra: list[int] | None, planes: bool
) -> None:
    content = packed(noise(channels=channels), planes, photometric=photometric, extrasamples=extra)
    with pytest.raises(InputError, match=r"a\.tif: is damaged, or a TIFF of a kind .*; save it as"):
        read(content, tmp_path)


def test_32_bits_without_a_sign(tmp_path: Path) -> None:
    values = np.array([[0, 32768, 65535, 2**31, 2**32 - 1]], np.uint32)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    found = io.read(tmp_path / "a.tif").rgb[0, 0, 0]
    np.testing.assert_allclose(found, [0, 32768 / 65535, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deflate", [False, True])
def test_both_halves_of_planes_are_turned_upright(
    tmp_path: Path, orientation: int, deflate: bool
) -> None:
    scene = noise(5, 8, 4)
    stored = STORED[orientation](scene)
    content = deep_tiff(stored, planes=True, deflate=deflate, orientation=orientation)
    picture = read(content, tmp_path)
    assert picture.deep
    np.testing.assert_allclose(values_of(picture), scene, atol=0.02)


def test_what_else_is_in_a_file_of_planes(tmp_path: Path) -> None:
    content = packed(noise(), iccprofile=adobe(), resolution=(300, 240), resolutionunit="inch",
                     extratags=[(Base.Make, 2, 0, "Canon", True)])  # fmt: skip
    picture = read(content, tmp_path)
    assert picture.profile == adobe() and picture.dpi == (300.0, 240.0)
    assert picture.exif is not None and b"Canon" in picture.exif


def test_pages_keep_16_bits(tmp_path: Path) -> None:
    pages = [noise(), noise(5, 6), noise(7, 3, 4)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page, planar in zip(pages, ("separate", "contig", "separate"), strict=True):
            stored = np.moveaxis(page, 2, 0) if planar == "separate" else page
            writer.write(stored, planarconfig=planar, photometric="rgb", metadata=None,
                         extrasamples=[2] * (page.shape[2] - 3) or None)  # fmt: skip
    for number, page in enumerate(pages, 1):
        picture = io.read(f"{tmp_path / 'a.tif'}#{number}", native=True)
        assert picture.deep
        np.testing.assert_allclose(values_of(picture), page, atol=0.02)


def test_a_pil_image_of_planes(tmp_path: Path) -> None:
    image = Image.open(BytesIO(packed(noise())))
    for _ in range(2):  # read when it is not loaded, then when it is
        np.testing.assert_allclose(values_of(io.read(image)), (noise() >> 8) * 257.0, atol=0.02)


def test_the_size_is_checked_before_any_pixel(tmp_path: Path) -> None:
    content = bytearray(deep_tiff(noise(), planes=True))
    for tag, old in ((256, 45), (257, 37)):
        place = content.index(struct.pack("<HHII", tag, 4, 1, old))
        struct.pack_into("<I", content, place + 8, 60_000)
    with pytest.raises(InputError, match="60000 × 60000 = 3600 megapixels, more than 100"):
        read(bytes(content), tmp_path)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_damage_to_planes_is_survived(tmp_path: Path, options: dict) -> None:
    refused = 0
    for content in damaged(packed(noise(24, 16, 4), **options)):
        try:
            read(content, tmp_path)
        except InputError as error:
            assert str(error).isprintable()
            refused += 1
    assert refused >= 11  # those cut short, but for the last bytes


# --- writing ---------------------------------------------------------------------------------


def made(values: np.ndarray, **info: object) -> Image.Image:
    planes = torch.from_numpy(values).permute(2, 0, 1)[None]
    picture = io.to_picture(planes[:, :3], planes[:, 3:] if len(planes[0]) > 3 else None)
    picture.info.update(info)
    return picture


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("strip", [2**26, 1000, 1])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (37, 45)])
def test_16_bits_survive_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, strip: int,
    size: tuple[int, int],
) -> None:  # fmt: skip
    monkeypatch.setattr(tiff, "_STRIP", strip)
    values, path = noise(*size, channels), tmp_path / "a.tif"
    assert io.write(made(values), path) == ()
    np.testing.assert_array_equal(tifffile.imread(path), values)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), values >> 8)
    picture = io.read(path, native=True)
    assert picture.deep
    np.testing.assert_allclose(values_of(picture), values, atol=0.02)


def camera() -> bytes:
    exif = Image.Exif()
    exif[Base.Make] = "Canon"
    exif.get_ifd(IFD.Exif).update({Base.ISOSpeedRatings: 200, Base.ExposureTime: 0.01})
    exif.get_ifd(IFD.GPSInfo)[1] = "N"
    return exif.tobytes()


@pytest.mark.parametrize("longest", [2**32, 0])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_what_is_written_with_the_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type, longest: int
) -> None:
    monkeypatch.setattr(tiff, "_LONGEST", longest)  # 0: every file is a BigTIFF
    values = noise(channels=4).astype(kind)
    planes = torch.from_numpy(values).permute(2, 0, 1)[None]
    like = io.Picture(planes, None, "a", "", (300.0, 240.0), camera(), adobe())
    picture = io.to_picture(planes[:, :3], planes[:, 3:], like=like, recipe=RECIPE)
    for name in ("a.tif", "b.tif"):
        assert io.write(picture, tmp_path / name, keep_exif=True) == ()
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff == (longest == 0)
        tags = {tag.code: tag.value for tag in file.pages[0].tags.values()}
        np.testing.assert_array_equal(file.asarray(), values)
    assert tags[Base.BitsPerSample] == (8 * values.itemsize,) * 4
    assert tags[Base.ExtraSamples] == (tifffile.EXTRASAMPLE.UNASSALPHA,)
    assert tags[Base.InterColorProfile] == adobe()
    assert (tags[Base.XResolution], tags[Base.YResolution]) == ((300, 1), (240, 1))
    assert tags[Base.ResolutionUnit] == 2 and tags[Base.Make] == "Canon"
    assert tags[IFD.Exif]["ISOSpeedRatings"] == 200 and tags[IFD.GPSInfo]["GPSLatitudeRef"] == "N"
    assert not {Base.Software, Base.DateTime} & tags.keys()
    assert io.recipe_of(tmp_path / "a.tif") == RECIPE
    back = io.read(tmp_path / "a.tif", native=True)
    assert (back.profile, back.dpi, back.deep) == (adobe(), (300.0, 240.0), kind is np.uint16)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("info", [{}, {"dpi": (72, 80), "exif": camera(), "icc_profile": adobe()}])
def test_8_bits_are_written_as_pillow_writes_them(
    tmp_path: Path, channels: int, info: dict
) -> None:
    picture = Image.fromarray((noise(channels=channels) >> 8).astype(np.uint8))
    picture.info.update(info)
    io.write(picture, tmp_path / "a.tif")
    file, picture.info = BytesIO(), {}
    exif = pack_exif(info.get("exif", b""), b"", info.get("dpi"), False, 2**31)
    picture.save(file, "TIFF", exif=exif, icc_profile=info.get("icc_profile"))
    assert (tmp_path / "a.tif").read_bytes() == file.getvalue()


def test_what_passes_4_gb_is_a_bigtiff() -> None:
    class Counted(BytesIO):
        """Keeps the first megabyte and counts the rest."""

        length = 0

        def tell(self) -> int:
            return self.length

        def write(self, content: bytes | memoryview) -> int:  # type: ignore[override]
            size = memoryview(content).nbytes
            if size < 2**20:
                super().write(content)
            self.length += size
            return size

    pixels = np.zeros((32_768, 32_768, 4), np.uint8)  # never touched, so it takes no memory
    for height, version in ((32_767, 42), (32_768, 43)):  # 2**32 bytes less one row, and all
        file = Counted()
        tiff.write(pixels[:height], file, {})
        packed = file.getvalue()
        assert struct.unpack_from("<2sH", packed) == (b"II", version)
        directory = ImageFileDirectory_v2(packed[: 8 if version == 42 else 16])
        head = BytesIO(packed)
        head.seek(directory.next)
        directory.load(head)
        places, lengths = directory[Base.StripOffsets], directory[Base.StripByteCounts]
        assert sum(lengths) == height * 2**17 and places[-1] + lengths[-1] == file.length
        assert places == tuple(np.cumsum((len(packed), *lengths[:-1])))


@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("i1", "i2", "i8"), "holds signed values; shift them to 0 and above, and save it as an"),
        (("f2", "f4", "f8"), "holds floating-point values; save it as an 8-bit or 16-bit PNG"),
        (("c8", "c16"), "holds complex numbers; save their magnitude as an 8-bit or 16-bit PNG"),
        (("u8",), "is damaged, or a TIFF of a kind that limner does not read; save it as PNG"),
    ],
)
def test_values_of_other_kinds_are_named(
    tmp_path: Path, kinds: tuple[str, ...], photometric: str, said: str
) -> None:
    values = np.arange(12).reshape(4, 3)
    values = values[..., None].repeat(3, -1) if photometric == "rgb" else values
    for kind in kinds:
        tifffile.imwrite(tmp_path / "a.tif", values.astype(kind), photometric=photometric)
        with pytest.raises(InputError) as told:
            io.read(tmp_path / "a.tif")
        assert str(told.value).startswith(f"{tmp_path / 'a.tif'}: {said}")
