"""Files that are damaged, strange or meant to harm are read or refused, and nothing else."""

import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from crafted import damaged, deep_png, deep_tiff, png
from limner import io
from limner.errors import InputError, printable
from limner.io import formats

SHARED = Path(__file__).parents[3] / "shared" / "test" / "images"
SECONDS = 10  # for any one file; the slowest takes 1 or 2


def refusal(path: Path, *, native: bool = False) -> str | None:
    """What is wrong with the file, or None if it can be read; one line that names it."""
    begun = time.monotonic()
    try:
        picture = io.read(path, native=native)
    except InputError as error:
        message = str(error)
        assert message.startswith(printable(path)) and message.isprintable()
        return message
    finally:
        assert time.monotonic() - begun < SECONDS, path
    assert picture.rgb.shape[:2] == (1, 3)
    assert picture.rgb.min() >= 0 and picture.rgb.max() <= 1
    return None


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small tensors by the thousand: on a busy machine threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_whole_museum_of_strange_files() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here")
    files = sorted(path for path in SHARED.rglob("*") if path.is_file())
    refused = {path for path in files if refusal(path)}
    suite = {path for path in files if path.parent.name == "pngsuite" and path.suffix == ".png"}
    damaged = {path for path in suite if path.name.startswith("x")}
    assert refused & suite == damaged and len(damaged) == 14
    assert len(files) - len(refused) > 800


def head(width: int, height: int) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


PIXELS = (b"IDAT", zlib.compress(b"\0" * 13 * 4))  # of 4 × 4, with the filter byte of each row
END = (b"IEND", b"")
BOMB = zlib.compress(b"a" * 50_000_000)
# A screen of 1 × 1, on it a frame of 65535 × 65535.
GIF = b"GIF89a\1\0\1\0\0\0\0," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\2\1\4\0;"
# A screen of 65535 × 65535, on which the background replaces a frame. Pillow makes it when it
# opens the file.
WIPED = (
    b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x91\0\0" + bytes(12)
    + b"!\xf9\4\x08\0\0\0\0" + GIF[13:]
)  # fmt: skip
# A box that is said to have 4 GB.
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 2**32 - 1, b"jp2h") + bytes(99)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.png", b"", r"is empty \(0 bytes\)"),
        ("text.jpg", b"I am a picture, believe me.\n" * 99, "is damaged, or a text file"),
        ("pickle.png", pickle.dumps({"weights": [1, 2, 3]}), "not a picture in JPEG, PNG"),
        ("page.png", b"%PDF-1.7\n%%EOF\n", "is a PDF document"),
        (
            "postscript.png",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "is a PostScript document",
        ),
        ("head.png", png(head(4, 4)), "cannot be read|damaged"),
        ("huge.png", png(head(60000, 60000), PIXELS, END), r"60000 × 60000 = 3600 megapixels"),
        ("large.png", png(head(9999, 9999), PIXELS, END), "truncated"),
        ("none.png", png(head(0, 4), PIXELS, END), "damaged|at least 1"),
        ("text-bomb.png", png(head(4, 4), (b"zTXt", b"k\0\0" + BOMB), PIXELS, END), "too large"),
        ("icc-bomb.png", png(head(4, 4), (b"iCCP", b"k\0\0" + BOMB), PIXELS, END), "too large"),
        (
            "huge.gif",
            GIF,
            "is 4295 megapixels, more than 100; make it smaller, or pass --allow-huge",
        ),
        ("wiped.gif", WIPED, "is 4295 megapixels, more than 100"),
        ("new\nline.png", b"no picture", "is damaged, or a text file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_files_are_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        io.read(path)
    assert refusal(path)
    with pytest.raises(InputError):
        io.recipe_of(path)


def test_a_box_that_claims_four_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.jp2").write_bytes(JP2)
    tracemalloc.start()
    with pytest.raises(InputError, match="cannot be read"):
        io.read(tmp_path / "a.jp2")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


def test_a_png_that_claims_two_billion_frames_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(
        png(head(4, 4), (b"acTL", struct.pack(">II", 2**31 - 1, 0)), PIXELS, END)
    )
    tracemalloc.start()
    picture = io.read(tmp_path / "a.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert picture.notes == (f"{tmp_path / 'a.png'}: only the first of 2 frames is used",)
    assert peak < 2**22


def test_a_sound_file_made_the_same_way_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(head(4, 4), PIXELS, END))
    assert refusal(tmp_path / "a.png") is None


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"workflow\0\0" + zlib.compress(b"a" * 3_000_000)),
        (b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"a" * 3_000_000)),
        (b"iCCP", b"scanner\0\0" + zlib.compress(formats.srgb_profile() + bytes(3_000_000))),
        (b"tEXt", b"workflow\0" + b"a" * 70_000_000),
    ],
    ids=["zTXt", "iTXt", "iCCP", "tEXt"],
)
def test_large_texts_and_profiles_are_no_bombs(tmp_path: Path, chunk: tuple[bytes, bytes]) -> None:
    (tmp_path / "a.png").write_bytes(png(head(4, 4), chunk, PIXELS, END))
    assert io.read(tmp_path / "a.png").rgb.shape == (1, 3, 4, 4)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    special: list[tuple[Path, str]] = []
    if hasattr(os, "mkfifo"):  # not on Windows
        os.mkfifo(tmp_path / "pipe.png")
        special = [
            (tmp_path / "pipe.png", "is a folder, a pipe or a device"),
            (Path("/dev/zero"), "is a folder, a pipe or a device"),
        ]
    for path, says in (
        *special,
        (tmp_path, "is a folder, a pipe or a device"),
        (tmp_path / "none.png", "no such file"),
        (tmp_path / "a.png" / "b.png", "no such file"),
        (tmp_path / ("x" * 300), "File name too long"),
        (tmp_path / "nul\0", "null"),
        (Path(), "is a folder"),
    ):
        with pytest.raises(InputError, match=says):
            io.read(path)
        assert refusal(path)
    with pytest.raises(InputError):
        io.read("")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root and Windows read anything"
)
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch(0)
    with pytest.raises(InputError):
        io.read(tmp_path / "a.png")


OTHERS = {".gif", ".bmp", ".ppm", ".jp2"}  # are read and not written


@pytest.mark.parametrize("suffix", sorted(formats.WRITABLE.keys() - {".pdf"} | OTHERS))
def test_damage_anywhere_is_survived(tmp_path: Path, suffix: str) -> None:
    sound, path = tmp_path / f"sound{suffix}", tmp_path / f"damaged{suffix}"
    exif = Image.Exif()
    exif[271] = "Canon"
    image = Image.effect_noise((24, 16), 80).convert("RGB")
    image.save(sound, **({} if suffix in OTHERS else {"exif": exif}))
    for content in damaged(sound.read_bytes()):
        path.write_bytes(content)
        refusal(path)


@pytest.mark.parametrize("pack", [deep_png, deep_tiff, partial(deep_tiff, deflate=True)])
def test_damage_to_16_bits_is_survived(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (24, 16, 4), dtype=np.uint16)
    path = tmp_path / "damaged"
    path.write_bytes(pack(values))
    assert refusal(path, native=True) is None
    refused = 0
    for content in damaged(pack(values)):
        path.write_bytes(content)
        refused += refusal(path, native=True) is not None
    assert refused >= 12  # those cut short at least


RAISED = (
    SyntaxError, ValueError, OSError, struct.error, IndexError, ZeroDivisionError, OverflowError,
    MemoryError, EOFError, TypeError, AttributeError, KeyError, RuntimeError, RecursionError,
    AssertionError, UnicodeError,
)  # fmt: skip


@pytest.mark.parametrize("kind", RAISED)
def test_whatever_a_decoder_raises_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[str], Exception]
) -> None:
    def fail(*_: object) -> None:
        raise kind("two\nlines")

    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    says = refusal(tmp_path / "a.png") or ""
    if kind is MemoryError:
        assert "not enough memory: 4 × 4 pixels need about 0.0 GiB" in says
    elif issubclass(kind, (OSError, SyntaxError, ValueError, EOFError, RuntimeError)):
        assert "cannot be read (two lines)" in says
    else:  # its text is of Python
        assert "is damaged; copy" in says and "two" not in says


def test_a_palette_picture_without_a_palette(tmp_path: Path) -> None:
    Image.new("P", (4, 4)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    start = data.index(b"PLTE") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    (tmp_path / "a.png").write_bytes(data[:start] + data[end:])
    assert "a.png: is damaged; copy or download" in (refusal(tmp_path / "a.png") or "")


def test_the_place_of_a_strip_that_is_a_fraction(tmp_path: Path) -> None:
    """A tag of another type than it must have is no mistake of Python."""
    path = tmp_path / "a.tif"
    Image.new("RGB", (4, 4)).save(path, "TIFF", dpi=(72, 72))
    data = bytearray(path.read_bytes())
    entry = data.index((0x111).to_bytes(2, "little"), 8)
    fraction = data[data.index((0x11A).to_bytes(2, "little"), 8) :][:12]
    data[entry + 2 : entry + 12] = fraction[2:]
    path.write_bytes(data)
    says = refusal(path) or ""
    assert "is damaged; copy or download" in says and "IFDRational" not in says


def test_a_fraction_as_orientation_is_harmless(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x11A] = 72.0  # a fraction
    packed = bytearray(exif.tobytes())
    entry = packed.index(b"\x01\x1a")
    packed[entry : entry + 2] = b"\x01\x12"
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.jpg", exif=bytes(packed))
    assert refusal(tmp_path / "a.jpg") is None


@pytest.mark.slow
def test_too_little_memory_is_told_with_the_need(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limits of this kind")
    del resource
    Image.new("RGB", (6000, 5000)).save(tmp_path / "large.png")
    script = (
        "import resource, sys; from limner.io import read; from limner.errors import InputError\n"
        "held = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (held + 200 * 2**20,) * 2)\n"
        "try: read(sys.argv[1])\n"
        "except InputError as error: print(error)"
    )
    if not Path("/proc/self/statm").is_file():
        pytest.skip("the memory of a process is counted in another way here")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "large.png")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    wanted = "large.png: not enough memory: 6000 × 5000 pixels need about 1.0 GiB, and "
    assert wanted in done.stdout


def test_libtiff_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.radial_gradient("L").save(tmp_path / "a.tif", compression="tiff_lzw")
    with Image.open(tmp_path / "a.tif") as image:
        assert isinstance(image, TiffImageFile)
        start = image.tag_v2[0x111][0]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[start + 40 : start + 400] = bytes(range(180)) * 2
    (tmp_path / "a.tif").write_bytes(data)
    with Image.open(tmp_path / "a.tif") as image, pytest.raises(OSError, match="decoder error"):
        image.load()
    assert "LZW" in capfd.readouterr().err  # what libtiff says without us
    assert refusal(tmp_path / "a.tif")
    told = capfd.readouterr().err
    assert not told or os.name == "nt"
    with Image.open(tmp_path / "a.tif") as image, pytest.raises(OSError, match="decoder error"):
        image.load()
    assert "LZW" in capfd.readouterr().err  # and says again afterwards
