"""Files that are no pictures limner reads are named, and HEIC is read with an extra."""

from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from limner import io
from limner.errors import InputError
from limner.io import formats

# 48×32 pixels, red at the left and blue at the right
HEIC = b64decode("""
AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAb5tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA
AAAAADRpbG9jAAAAAERAAAIAAQAAAAAB4gABAAAAAAAAAE4AAgAAAAACMAABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVp
bmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZo
dmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAA
AwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAA
AAAAQAAAAEAAAAAoY2xhcAAAADAAAAABAAAAIAAAAAH////wAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1h
AAAAAAAAAAEAAQWBAgMFhAAAABppcmVmAAAAAAAAAA5jZHNjAAIAAQABAAAAem1kYXQAAABKKAGvCeDIfzip/+tnf/2UnZej
DkqgR/zJB3lwP/xbn3hBzL8b3FkF5Jc8CcZl25YZ/bKquZUdVetiNyBUdMvdbEFDHPSFanHSLuAAAAAGRXhpZgAATU0AKgAA
AAgAAQESAAMAAAABAAYAAAAAAAA=
""")

KINDS = [
    ("photo.jpg", HEIC, "is a HEIC photo; pip install"),
    ("a.png", b"%PDF-1.7", "is a PDF document; export its page as PNG"),
    ("a.psd", b"8BPS\0\1", "is a Photoshop document; export it as PNG"),
    ("a.xcf", b"gimp xcf v011", "is a GIMP document; export it as PNG"),
    ("a.jxl", b"\xff\x0a\xfa\x1f", "is a JPEG XL picture; convert it to PNG"),
    ("a.exr", b"v/1\1\2\0\0\0", "is an OpenEXR picture with high dynamic range; tone-map it, and"),
    ("a.hdr", b"#?RADIANCE\n", "is a Radiance picture with high dynamic range; tone-map it, and"),
    ("a.pic", b"#?RGBE\n", "is a Radiance picture with high dynamic range; tone-map it, and"),
    ("a.pfm", b"PF\n2 2\n-1.0\n", "is a PFM picture with high dynamic range; tone-map it, and"),
    ("a.fits", b"SIMPLE  =      T", "is a FITS file of measurements; scale them, and save them"),
    ("a.jxr", b"II\xbc\1", "is a JPEG XR picture; convert it to PNG"),
    ("a.dpx", b"SDPX", "is a DPX frame of a film; convert it to PNG"),
    ("a.dds", b"DDS |", "is a DDS texture; convert it to PNG"),
    ("a.qoi", b"qoif", "is a QOI picture; convert it to PNG"),
    ("a.djvu", b"AT&TFORM", "is a DjVu document; export its page as PNG"),
    ("a.ico", b"\0\0\1\0\1\0", "is an icon (ICO); save one of its pictures as PNG"),
    ("a.icns", b"icns", "is an icon (ICNS); save one of its pictures as PNG"),
    ("a.svg", b'<?xml version="1.0"?>\n<svg xmlns="a">', "is an SVG drawing; export it as PNG"),
    ("saved.jpg", b"\n<!DOCTYPE HTML><html>", "is a web page, not a picture; open it in a browser"),
    ("a.zip", b"PK\x03\x04", "is an archive or a document (ZIP); take the picture out of it"),
    ("a.mp4", b"\0\0\0\x20ftypisom", "is a video; save one frame as PNG"),
    ("cut.avif", b"\0\0\0\x20ftypavif", "is damaged, or not a picture in"),
    ("a.png", b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer, not a pict"),
    ("a.NEF", b"II*\0", "is a camera raw file; develop it, and save it as TIFF or JPEG"),
    (
        "a.tif",
        b"MM\0+\0\x08\0\0",
        "is damaged, or a TIFF of a kind that limner does not",
    ),
    ("a.jpg", b"II*\0\x10\0\0\0CR\2\0", "is a camera raw file; develop it"),
    ("a.jpg", b"FUJIFILMCCD-RAW 0201", "is a camera raw file; develop it"),
    ("a.jpg", b"\0\0\0\x18ftypcrx \0", "is a camera raw file; develop it"),
    ("a.png", b"hello", "is damaged, or a text file; copy or download the picture"),
    ("a.png", "{'error': 'größer'}".encode(), "is damaged, or a text file; copy"),
    ("a.png", b"hello\0", "is damaged, or not a picture in JPEG"),
]


@pytest.mark.parametrize(("name", "content", "message"), KINDS)
def test_each_kind_is_named_with_a_remedy(
    name: str, content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        io.read(path)
    assert f"{name}: {message}" in str(error.value)


@pytest.mark.parametrize(
    ("marker", "bits", "kind"),
    [(0xC1, 12, "of 12 bits per channel"), (0xC3, 16, "without loss"), (0xF7, 8, "without loss")],
)
def test_a_jpeg_of_another_kind(tmp_path: Path, marker: int, bits: int, kind: str) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg")
    content = bytearray((tmp_path / "a.jpg").read_bytes())
    frame = content.index(b"\xff\xc0")
    content[frame + 1], content[frame + 4] = marker, bits
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError) as error:
        io.read(tmp_path / "a.jpg")
    wanted = f"a.jpg: is a JPEG {kind}, which limner does not read; save it as PNG"
    assert str(error.value).endswith(wanted)


@pytest.mark.parametrize("place", [8, 4000])
def test_floating_point_color_is_named(place: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tags = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0" + place.to_bytes(4, "little"))
    tags[256], tags[257], tags[277] = 2, 2, 3
    tags[258], tags[262], tags[339] = (32, 32, 32), 2, (3, 3, 3)
    tags[273], tags[278], tags[279] = 5000, 2, 48
    header = b"II*\0" + place.to_bytes(4, "little")
    path.write_bytes((header.ljust(place, b"\0") + tags.tobytes(place)).ljust(5048, b"\0"))
    with pytest.raises(InputError, match=r"a\.tif: holds floating-point values; save it as an 8"):
        io.read(path)


def test_heic_is_read_with_the_extra(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    path = tmp_path / "photo.heic"
    path.write_bytes(HEIC)
    rgb = io.read(path).rgb[0].movedim(0, -1).numpy()
    assert rgb.shape == (32, 48, 3)
    np.testing.assert_allclose(rgb[16, 8] * 255, (200, 60, 20), atol=8)
    np.testing.assert_allclose(rgb[16, 40] * 255, (20, 80, 200), atol=8)
    path.write_bytes(HEIC[:400])
    with pytest.raises(InputError, match=r"photo.heic: cannot be read|photo.heic: is damaged"):
        io.read(path)


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 271: "NIKON CORPORATION", 330: 8}])
def test_the_preview_of_a_raw_file_is_not_the_photo(
    tags: dict[int, bytes | str | int], tmp_path: Path
) -> None:
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (16, 12)).save(path, "TIFF", tiffinfo=directory)
    with pytest.raises(InputError, match=r"photo.jpg: is a camera raw file; develop it"):
        io.read(path)


ADDRESSES = ["https://example.com/a.jpg", "HTTP://a.org/b c.png", "s3://photos/a.png", "file:///a"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_not_a_file(address: str) -> None:
    whole = address.replace("///", "//")
    for source in (address, Path(address)):
        with pytest.raises(InputError, match=rf"^{whole}: is an address; download the fil"):
            io.read(source)


def test_a_name_with_a_colon_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trip:").mkdir()
    Image.new("RGB", (4, 4)).save("trip:/a.png")
    assert io.read("trip:/a.png").rgb.shape == (1, 3, 4, 4)
    for name in ("C:/a.png", "C:\\a.png", "wave.jpg:0.7"):
        with pytest.raises(InputError, match="there is no such file"):
            io.read(name)


def test_a_picture_in_memory_has_no_kind(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "version.png")
    assert io.read(tmp_path / "version.png").rgb.shape == (1, 3, 4, 4)
