"""TIFF strips and JPEG files that lack rows are refused; libtiff would show old memory."""

import itertools
import os
import random
import re
import struct
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from limner import io
from limner.errors import InputError
from limner.io import Source, missing_rows
from limner.web import thumbnails

PAGE = Image.fromarray(np.add.outer(np.arange(90), np.arange(120)) // 9 % 3 == 0).convert("1")
PHOTO = Image.radial_gradient("L").resize((120, 90))
_HASH = (
    "import sys, hashlib; from PIL import Image; "
    "print(*[hashlib.md5(Image.open(p).tobytes()).hexdigest() for p in sys.argv[1:]])"
)


def tiff(picture: Image.Image, compression: str, *, strip_size: int = 2**20, **tags: int) -> bytes:
    file = BytesIO()
    info = {Base[name]: value for name, value in tags.items()}
    picture.save(file, "TIFF", compression=compression, strip_size=strip_size, tiffinfo=info)
    return file.getvalue()


def strips(data: bytes) -> list[slice]:
    with Image.open(BytesIO(data)) as image:
        assert isinstance(image, TiffImageFile)
        places = zip(image.tag_v2[273], image.tag_v2[279], strict=True)
        return [slice(place, place + length) for place, length in places]


def cut_fax(data: bytes, number: int, share: float) -> bytes:
    """Zeros in place of the end of a strip, where a decoder takes them for its end."""
    damaged, strip = bytearray(data), strips(data)[number]
    start = strip.start + int((strip.stop - strip.start) * share)
    damaged[start : strip.stop] = bytes(strip.stop - start)
    return bytes(damaged)


def low_jpeg(data: bytes, number: int, *, place: int, value: int) -> bytes:
    """Another height (place 5) or width (7) in the frame header of a strip."""
    damaged, strip = bytearray(data), strips(data)[number]
    frame = damaged.index(b"\xff\xc0", strip.start)
    damaged[frame + place : frame + place + 2] = value.to_bytes(2)
    return bytes(damaged)


def is_refused(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    refused = refusal(path)
    with Image.open(path) as image:  # opened but not loaded
        assert (refusal(image) is None) == (refused is None)
    if refused is None:
        return False
    # of a strip without any row, libtiff says so
    assert "is damaged: rows are missing" in refused or "decoder error" in refused
    return True


def refusal(source: Source) -> str | None:
    try:
        io.read(source)
    except InputError as error:
        return str(error)
    return None


def tiled(data: bytes) -> bytes:
    """A page of one strip as tiles of 64 pixels."""
    page, parts = PAGE.crop((0, 0, 128, 128)), []
    for top, left in ((0, 0), (0, 64), (64, 0), (64, 64)):
        tile = tiff(page.crop((left, top, left + 64, top + 64)), "group4")
        parts.append(tile[strips(tile)[0]])
    directory = ImageFileDirectory_v2(prefix=b"II")
    for tag, value in {
        "ImageWidth": 120, "ImageLength": 90, "BitsPerSample": 1, "Compression": 4,
        "PhotometricInterpretation": 1, "TileWidth": 64, "TileLength": 64,
    }.items():  # fmt: skip
        directory[Base[tag]] = value
    lengths = [len(part) for part in parts]
    directory[Base.TileByteCounts] = tuple(lengths)
    base = 8 + 2 + 12 * 9 + 4 + 2 * 16  # the header, the directory and two lists
    directory[Base.TileOffsets] = tuple(base + sum(lengths[:n]) for n in range(4))
    file = BytesIO()
    directory.save(file)
    assert file.tell() <= base
    return file.getvalue().ljust(base, b"\0") + b"".join(parts)


@pytest.mark.parametrize("strip_size", [2**20, 150])
@pytest.mark.parametrize("fill_order", [1, 2])
def test_a_fax_page_that_ends_early(tmp_path: Path, strip_size: int, fill_order: int) -> None:
    sound = tiff(PAGE, "group4", strip_size=strip_size, FillOrder=fill_order)
    path = tmp_path / "page.tif"
    assert not is_refused(path, sound)
    np.testing.assert_array_equal(io.read(path).rgb[0, 0].numpy(), np.asarray(PAGE))
    for number in range(len(strips(sound))):
        for share in (0.2, 0.5, 0.8):
            assert is_refused(path, cut_fax(sound, number, share)), (number, share)


def test_fax_tiles(tmp_path: Path) -> None:
    path = tmp_path / "page.tif"
    assert not is_refused(path, tiled(b""))
    np.testing.assert_array_equal(io.read(path).rgb[0, 0].numpy(), np.asarray(PAGE))
    data = bytearray(tiled(b""))
    data[-20:] = bytes(20)
    assert is_refused(path, bytes(data))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("place", "value"), [(5, 1), (5, 8), (7, 16)])
def test_jpeg_strips_that_are_too_small(tmp_path: Path, mode: str, place: int, value: int) -> None:
    sound = tiff(PHOTO.convert(mode), "jpeg", strip_size=4096)
    assert len(strips(sound)) > 1 and not is_refused(tmp_path / "a.tif", sound)
    for number in range(len(strips(sound))):
        damaged = low_jpeg(sound, number, place=place, value=value)
        assert is_refused(tmp_path / "a.tif", damaged)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="MALLOC_PERTURB_ is of glibc")
def test_what_is_not_refused_is_the_same_whatever_was_in_memory(tmp_path: Path) -> None:
    """40 damaged files, read by Pillow with memory of two fills."""
    fax, jpeg = tiff(PAGE, "group4"), tiff(PHOTO, "jpeg")
    paths, refused = [], []
    for number in range(40):
        random.seed(number)
        sound = fax if number % 2 else jpeg
        damaged, strip = bytearray(sound), strips(sound)[0]
        for _ in range(5):
            damaged[random.randrange(strip.start, strip.stop)] = random.randrange(256)
        path = tmp_path / f"{number}.tif"
        path.write_bytes(damaged)
        try:
            Image.open(path).load()
        except Exception:  # Pillow sees it itself
            continue
        with Image.open(path) as image, path.open("rb") as file:
            refused.append(missing_rows.lacks_rows(image, file))
        paths.append(str(path))
    one, two = (
        subprocess.run(
            [sys.executable, "-c", _HASH, *paths],
            env={**os.environ, "MALLOC_PERTURB_": fill},
            capture_output=True,
            check=True,
        ).stdout.split()
        for fill in ("1", "170")
    )
    differ = [a != b for a, b in zip(one, two, strict=True)]
    assert sum(differ) > 5 and not any(d and not r for d, r in zip(differ, refused, strict=True))


@pytest.mark.parametrize(("tag", "value"), [(Base.RowsPerStrip, 0), (Base.ImageLength, 40000)])
def test_a_layout_that_lies(tmp_path: Path, tag: Base, value: int) -> None:
    data = bytearray(tiff(PAGE, "group4"))
    entry = data.index(int(tag).to_bytes(2, "little"), 8)
    data[entry + 8 : entry + 12] = value.to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError):
        io.read(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["group4", "jpeg"])
def test_a_strip_that_claims_four_gigabytes(tmp_path: Path, compression: str) -> None:
    sound = tiff(PAGE if compression == "group4" else PHOTO, compression)
    (strip,) = strips(sound)
    entry = struct.pack("<HHII", Base.StripByteCounts, 4, 1, strip.stop - strip.start)
    assert sound.count(entry) == 1
    path = tmp_path / "page.tif"
    path.write_bytes(sound.replace(entry, entry[:8] + struct.pack("<I", 2**32 - 1)))
    tracemalloc.start()
    with suppress(InputError):
        io.read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


@pytest.mark.parametrize("big", [False, True])
def test_a_layout_that_is_there_twice(tmp_path: Path, big: bool) -> None:
    """Of two entries, libtiff takes the first, and Pillow the last."""
    file = BytesIO()
    info = {Base.Orientation: 1}
    PAGE.save(file, "TIFF", compression="group4", big_tiff=big, tiffinfo=info)
    sound, of_entry = file.getvalue(), 20 if big else 12
    entry = sound.index(struct.pack("<HH", Base.Orientation, 3))
    strip = struct.pack("<HHQQ" if big else "<HHII", Base.StripByteCounts, 4, 1, 9)
    (tmp_path / "a.tif").write_bytes(sound)
    assert io.read(tmp_path / "a.tif").rgb.shape == (1, 3, 90, 120)
    (tmp_path / "a.tif").write_bytes(sound[:entry] + strip + sound[entry + of_entry :])
    with pytest.raises(InputError, match="is damaged: rows are missing"):
        io.read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": "4:2:0", "restart_marker_rows": 1}]
)
def test_a_jpeg_without_its_end_marker(tmp_path: Path, options: dict[str, object]) -> None:
    whole, cut = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    Image.merge("RGB", (PHOTO, PHOTO.rotate(90), PHOTO.rotate(45))).save(whole, **options)
    data = whole.read_bytes()
    assert data.endswith(b"\xff\xd9")
    for end in (data[:-2], data[:-1], data[:-2] + bytes(100)):
        cut.write_bytes(end)
        read = io.read(cut)
        assert torch.equal(read.rgb, io.read(whole).rgb)
        assert read.notes == (f"{cut}: its end marker is missing, but all rows are there",)
        thumbnails.write_view(cut, tmp_path / "small.webp", 30)
    for count, fill in itertools.product((6, 12, 50, 300, len(data) // 2), (0, 5000)):
        cut.write_bytes(data[:-count] + bytes(fill))
        with pytest.raises(
            InputError, match=r"cut\.jpg: cannot be read \(rows at its end are miss"
        ):
            io.read(cut)


def test_a_progressive_jpeg_without_its_last_scans(tmp_path: Path) -> None:
    """All rows are there, but not to their last bit."""
    PHOTO.convert("RGB").save(tmp_path / "a.jpg", progressive=True)
    data = (tmp_path / "a.jpg").read_bytes()
    scans = [place.start() for place in re.finditer(rb"\xff\xda", data)]
    tables = [data.rfind(b"\xff\xc4", 0, scan) for scan in scans[1:]]
    assert len(tables) > 5
    for table in tables:
        (tmp_path / "a.jpg").write_bytes(data[:table])
        with pytest.raises(InputError, match=r"a\.jpg: cannot be read \(rows at its end are miss"):
            io.read(tmp_path / "a.jpg")
