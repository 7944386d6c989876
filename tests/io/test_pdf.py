"""Pages of PDF, taken apart by the rules of ISO 32000-1."""

import json
import os
import re
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin
from PIL.ExifTags import IFD, Base

from crafted import adobe, damaged
from disk import full_disk
from limner import io
from limner.errors import InputError, OutputError, printable
from limner.io import reading

RECIPE = {"verb": "upscale", "inputs": ["Ünï 波 \U0001f3a8 (1)\\).jpg"], "options": {"a": None}}
SECONDS = 10  # for any one file, on a busy machine; the slowest takes 1


def painted(**info: object) -> Image.Image:
    """Ramps across and down, 64 × 48, which JPEG keeps well."""
    across, down = torch.linspace(0, 1, 64), torch.linspace(0, 1, 48)[:, None]
    rgb = torch.stack([across.expand(48, 64), down.expand(48, 64), 1 - across.expand(48, 64)])
    picture = io.to_picture(rgb[None], recipe=RECIPE)
    picture.info.update(info)
    return picture


class Pdf:
    """The objects of a file by number, found through its cross-reference table."""

    def __init__(self, data: bytes) -> None:
        assert data.startswith(b"%PDF-1.") and data.rstrip().endswith(b"%%EOF")
        start = re.search(rb"\nstartxref\n(\d+)\n%%EOF\s*$", data)
        assert start
        table = re.compile(
            rb"xref\n0 (\d+)\n((?:\d{10} \d{5} [fn][ \r]\n)+)trailer\n<<(.*)>>\nstartxref",
            re.DOTALL,
        ).match(data, int(start[1]))
        assert table
        entries, self.trailer = table[2].splitlines(), table[3]
        assert len(entries) == int(table[1]) == number(self.trailer, b"Size")
        assert entries[0].split()[::2] == [b"0000000000", b"f"]
        assert all(entry[17:18] == b"n" for entry in entries[1:])
        self.data = data
        self.offsets = [int(entry[:10]) for entry in entries]

    def __getitem__(self, wanted: int) -> tuple[bytes, bytes]:
        """What an object says, and its stream."""
        pattern = re.compile(rb"%d 0 obj\s*(.*?)(stream\r?\n|endobj\s)" % wanted, re.DOTALL)
        found = pattern.match(self.data, self.offsets[wanted])
        assert found, wanted
        if found[2].startswith(b"endobj"):
            return found[1], b""
        length = number(found[1], b"Length")
        end = found.end() + length
        assert re.compile(rb"\r?\nendstream\s+endobj\s").match(self.data, end)
        return found[1], self.data[found.end() : end]

    def page(self) -> bytes:
        catalogue, _ = self[reference(self.trailer, b"Root")]
        assert b"/Type /Catalog" in catalogue
        pages, _ = self[reference(catalogue, b"Pages")]
        assert b"/Type /Pages" in pages and number(pages, b"Count") == 1
        page, _ = self[reference(pages, b"Kids [")]
        assert b"/Type /Page\n" in page
        assert reference(page, b"Parent") == reference(catalogue, b"Pages")
        return page

    def image(self) -> tuple[bytes, bytes]:
        """What is said of the picture that the page draws, and its JPEG."""
        _, drawn = self[reference(self.page(), b"Contents")]
        name = re.fullmatch(rb"q [-\d. ]+ cm (/\w+) Do Q\s*", drawn)
        assert name
        return self[reference(self.page(), name[1][1:])]


def number(text: bytes, key: bytes) -> int:
    found = re.search(rb"/%s (\d+)\b(?! \d+ R)" % key, text)
    assert found, key
    return int(found[1])


def reference(text: bytes, key: bytes) -> int:
    found = re.search(rb"/%s (\d+) 0 R\b" % re.escape(key), text)
    assert found, key
    return int(found[1])


def numbers(text: bytes, key: bytes) -> list[float]:
    """An array of numbers; ISO 32000-1, 7.3.3, knows no exponents."""
    found = re.search(rb"/%s \[ ?((?:-?\d+(?:\.\d*)? ?)*)\]" % key, text)
    assert found, key
    return [float(part) for part in found[1].split()]


def written(picture: Image.Image, path: Path) -> Pdf:
    assert io.write(picture, path, overwrite=True) == ()
    return Pdf(path.read_bytes())


# --- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "dpi", "bleed"),
    [
        ({}, (72, 72), 0),
        ({"dpi": (300.0, 300.0)}, (300, 300), 0),
        ({"dpi": (300.0, 300.0), "bleed": 5}, (300, 300), 5),
        ({"dpi": (240.0, 120.5), "bleed": 7}, (240, 120.5), 7),
        ({"dpi": (65535.0, 65535.0), "bleed": 1}, (65535, 65535), 1),
        ({"dpi": (1.0, 1.0), "bleed": 2}, (1, 1), 2),
    ],
)
def test_the_boxes_are_what_is_to_be_printed(
    tmp_path: Path, info: dict[str, object], dpi: tuple[float, float], bleed: int
) -> None:
    pdf = written(painted(**info), tmp_path / "a.pdf")
    width, height = 64 * 72 / dpi[0], 48 * 72 / dpi[1]  # in points
    for box in (b"MediaBox", b"BleedBox"):
        np.testing.assert_allclose(numbers(pdf.page(), box), [0, 0, width, height], atol=1e-3)
    trim = [bleed * 72 / dpi[0], bleed * 72 / dpi[1],
            (64 - bleed) * 72 / dpi[0], (48 - bleed) * 72 / dpi[1]]  # fmt: skip
    np.testing.assert_allclose(numbers(pdf.page(), b"TrimBox"), trim, atol=1e-3)
    # 8.9.5: an image fills the unit square, which this matrix lays over the page.
    _, drawn = pdf[reference(pdf.page(), b"Contents")]
    matrix = [float(part) for part in drawn.split(b" cm ")[0].split()[1:]]
    np.testing.assert_allclose(matrix, [width, 0, 0, height, 0, 0], atol=1e-3)


def test_print_boxes_of_a_known_size(tmp_path: Path) -> None:
    # A6, 105 × 148 mm, and 3 mm of bleed, at 300 dpi; in points 297.6 × 419.5.
    sheet = Image.new("RGB", (1240 + 2 * 35, 1748 + 2 * 35), "navy")
    sheet.info.update(dpi=(300.0, 300.0), bleed=35)
    page = written(sheet, tmp_path / "a.pdf").page()
    left, bottom, right, top = numbers(page, b"TrimBox")
    np.testing.assert_allclose([right - left, top - bottom], [297.6, 419.52], atol=1e-3)
    np.testing.assert_allclose([left, bottom], 8.4, atol=1e-3)
    np.testing.assert_allclose(numbers(page, b"MediaBox"), [0, 0, 314.4, 436.32], atol=1e-3)


@pytest.mark.parametrize("dpi", [None, (72.0, 36.0)])
def test_a_page_longer_than_viewers_show_is_made_shorter(
    tmp_path: Path, dpi: tuple[float, float] | None
) -> None:
    """14,400 units: what a phone's photo is at 72 dpi when it has been enlarged four times."""
    picture = Image.new("RGB", (16128, 8))
    picture.info.update({"dpi": dpi} if dpi else {})
    path = tmp_path / "a.pdf"
    assert io.write(picture, path) == (
        f"{path}: at 72 dpi the page would be 569 cm long, more than the 508 cm that PDF viewers "
        "show, so it has that length. limner upscale --print makes a page of another size",
    )
    height = 14400 / 16128 * 8 * (2 if dpi else 1)
    box = numbers(Pdf(path.read_bytes()).page(), b"MediaBox")
    np.testing.assert_allclose(box, [0, 0, 14400, height], atol=1e-3)


def test_every_object_is_where_the_table_says(tmp_path: Path) -> None:
    pdf = written(painted(), tmp_path / "a.pdf")
    for wanted in range(1, len(pdf.offsets)):
        pdf[wanted]
    begun = [m.start() for m in re.finditer(rb"(?<=\n)\d+ 0 obj<<", pdf.data)]
    assert begun == sorted(pdf.offsets[1:])  # and there is none besides


def test_the_picture_in_it_is_a_jpeg_without_subsampling(tmp_path: Path) -> None:
    picture = painted()
    said, jpeg = written(picture, tmp_path / "a.pdf").image()
    assert b"/Subtype /Image" in said and b"/Filter /DCTDecode" in said
    assert [number(said, key) for key in (b"Width", b"Height", b"BitsPerComponent")] == [64, 48, 8]
    with Image.open(BytesIO(jpeg)) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 48))
        assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
        np.testing.assert_allclose(np.asarray(image), np.asarray(picture), atol=4)


@pytest.mark.parametrize("icc", [None, adobe()])
def test_its_colors_have_the_profile(tmp_path: Path, icc: bytes | None) -> None:
    picture = painted() if icc is None else painted(icc_profile=icc)
    pdf = written(picture, tmp_path / "a.pdf")
    said, _ = pdf.image()
    colors = re.search(rb"/ColorSpace \[ /ICCBased (\d+) 0 R \]", said)
    assert colors
    head, stream = pdf[int(colors[1])]
    assert stream == (reading.srgb_profile() if icc is None else icc)
    assert number(head, b"N") == 3 and b"/Alternate /DeviceRGB" in head


def test_a_native_picture_takes_its_profile_into_pdf(tmp_path: Path) -> None:
    values = np.asarray(painted()) // 2 + 60
    Image.fromarray(values).save(tmp_path / "a.png", icc_profile=adobe(), dpi=(200, 200))
    read = io.read(tmp_path / "a.png", native=True)
    pdf = written(io.to_picture(read.rgb, like=read), tmp_path / "a.pdf")
    assert pdf.data.count(adobe()) == 1 and reading.srgb_profile() not in pdf.data
    with Image.open(BytesIO(pdf.image()[1])) as image:
        np.testing.assert_allclose(np.asarray(image), values, atol=4)
    np.testing.assert_allclose(numbers(pdf.page(), b"MediaBox")[2:], [23.04, 17.28], atol=1e-3)


def test_the_same_picture_gives_the_same_page_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(painted(), tmp_path / "a.pdf")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert written(painted(), tmp_path / "b.pdf").data == first.data
    assert b"Date" not in first.data


def test_transparency_is_laid_on_white_and_said(tmp_path: Path) -> None:
    black = torch.zeros(1, 3, 16, 16)
    path = tmp_path / "a.pdf"
    (note,) = io.write(io.to_picture(black, torch.full((1, 1, 16, 16), 0.2)), path)
    assert note == f"{path}: PDF has no transparency; the picture is put on white"
    with Image.open(BytesIO(Pdf(path.read_bytes()).image()[1])) as image:
        np.testing.assert_allclose(np.asarray(image), 0.8 * 255, atol=2)
    opaque = written(io.to_picture(black, torch.ones(1, 1, 16, 16)), path)
    with Image.open(BytesIO(opaque.image()[1])) as image:
        np.testing.assert_allclose(np.asarray(image), 0, atol=2)


def test_gray_is_written_as_rgb(tmp_path: Path) -> None:
    said, jpeg = written(Image.new("L", (16, 16), 100), tmp_path / "a.pdf").image()
    assert b"/ICCBased" in said
    with Image.open(BytesIO(jpeg)) as image:
        np.testing.assert_allclose(np.asarray(image.convert("RGB")), 100, atol=2)
        assert image.mode == "RGB"


def test_where_it_was_taken_is_not_in_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.MakerNote] = b"at home"
    pdf = written(painted(exif=exif.tobytes()), tmp_path / "a.pdf")
    assert b"at home" not in pdf.data and b"Exif" not in pdf.data


def test_a_picture_too_long_is_refused(tmp_path: Path) -> None:
    for size in ((65501, 1), (1, 65501)):
        with pytest.raises(OutputError, match=r"PDF holds at most 65500 .* has 65501; write a \.p"):
            io.write(Image.new("RGB", size), tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []
    longest = Image.new("RGB", (65500, 1))
    longest.info["dpi"] = (400, 400)
    said, _ = written(longest, tmp_path / "a.pdf").image()
    assert number(said, b"Width") == 65500


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "a.pdf"
    if overwrite:
        path.write_bytes(b"old")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
    for limit in (5, 2_000, 50_000):  # of some 100 KB
        with full_disk(limit), pytest.raises(OutputError, match="cannot be written") as raised:
            io.write(noise, path, overwrite=overwrite)
        assert str(raised.value).startswith(str(path)) and str(raised.value).isprintable()
        left = [(p.name, p.read_bytes()) for p in tmp_path.iterdir()]
        assert left == ([("a.pdf", b"old")] if overwrite else [])


# --- the recipe ------------------------------------------------------------------------------


def test_the_recipe_is_read_back(tmp_path: Path) -> None:
    pdf = written(painted(), tmp_path / "a.pdf")
    assert io.recipe_of(tmp_path / "a.pdf") == RECIPE
    info, _ = pdf[reference(pdf.trailer, b"Info")]
    text = re.search(rb"/limner \((.*)\)\s*>>", info, re.DOTALL)
    assert text
    plain = re.sub(rb"\\(.)", rb"\1", text[1], flags=re.DOTALL)  # 7.3.4.2, literal strings
    assert json.loads(plain.decode("utf-16")) == RECIPE  # 7.9.2.2: begins with the order of bytes
    (tmp_path / "a.pdf").rename(tmp_path / "B.PDF")
    assert io.recipe_of(tmp_path / "B.PDF") == RECIPE


def refusal(path: Path) -> str:
    """What is said of a PDF that holds no recipe: one line that names it, without delay."""
    begun = time.monotonic()
    with pytest.raises(InputError) as raised:
        io.recipe_of(path)
    assert time.monotonic() - begun < SECONDS
    message = str(raised.value)
    assert message.startswith(printable(path)) and message.isprintable()
    return message


def test_a_page_without_a_recipe_says_so(tmp_path: Path) -> None:
    picture = painted()
    del picture.info["limner"]
    pdf = written(picture, tmp_path / "a.pdf")
    assert b"/Info" not in pdf.trailer and b"limner" not in pdf.data
    assert "has no limner recipe" in refusal(tmp_path / "a.pdf")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.pdf", title="another program's")
    assert "has no limner recipe" in refusal(tmp_path / "b.pdf")


@pytest.mark.parametrize("text", ["{", "[1]", "null", "[" * 100_000, "x" * 1_000_001])
def test_a_damaged_recipe_is_refused(tmp_path: Path, text: str) -> None:
    written(painted(limner=text), tmp_path / "a.pdf")
    assert "its limner recipe is damaged" in refusal(tmp_path / "a.pdf")


def page(*objects: bytes, info: bytes = b"") -> bytes:
    """A PDF of these objects, the first its catalogue."""
    data, offsets = b"%PDF-1.4\n", []
    for place, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj%s endobj\n" % (place, content)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(offsets) + 1, entries)
    trailer = b"trailer\n<</Size %d/Root 1 0 R%s>>\n" % (len(offsets) + 1, info)
    return data + table + trailer + b"startxref\n%d\n%%%%EOF" % len(data)


CATALOGUE = b"<</Type/Catalog/Pages 2 0 R>>"
NONE = b"<</Type/Pages/Kids[]>>"
TABLE = page(CATALOGUE, NONE).index(b"xref")
NINES = b"9" * 30


def trailing(table: bytes, start: bytes = b"9") -> bytes:
    return b"%%PDF-1.4\nxref\n%strailer\n<</Size 2/Root 1 0 R>>\nstartxref\n%s\n%%%%EOF" % (
        table, start)  # fmt: skip


ENTRY = b"0000000000 65535 f \n"
HOSTILE = {
    "empty": b"",
    "a head": b"%PDF-1.4\n",
    "no table": b"%PDF-1.4\n%%EOF",
    "text": b"I am a page, believe me.\n" * 99,
    "random": np.random.default_rng(0).bytes(100_000),
    "a start beyond the file": trailing(b"0 1\n" + ENTRY, NINES),
    "more objects than anyone counts": trailing(b"0 " + NINES + b"\n" + ENTRY),
    "a first object of 30 digits": trailing(NINES + b" 1\n" + ENTRY),
    "a number of 5000 digits": trailing(b"0 " + b"9" * 5000 + b"\n" + ENTRY),
    "an object beyond the file": trailing(b"1 1\n9999999999 00000 n \n"),
    "no root": page(),
    "a root that is none": page(b"[]", NONE),
    "itself its page": page(CATALOGUE, b"<</Type/Pages/Kids[2 0 R]>>"),
    "a deep array": page(b"[" * 100_000),
    "a deep dictionary": page(b"<</A" * 100_000),
    "an open string": page(b"(" * 100_000),
    "an info of numbers": page(CATALOGUE, NONE, b"[1 2 3]", info=b"/Info 3 0 R"),
    "a recipe that is a number": page(CATALOGUE, NONE, b"<</limner 1>>", info=b"/Info 3 0 R"),
    "itself the one before": page(
        CATALOGUE, NONE, info=b"/Prev %d" % page(CATALOGUE, NONE).index(b"xref")
    ),
    "spaces": b" " * 100_000,
    "trailers": b"\ntrailer<<" * 10_000,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new\nline.pdf"
    path.write_bytes(HOSTILE[name])
    refusal(path)


def test_a_sound_page_made_the_same_way_is_read(tmp_path: Path) -> None:
    sound = page(CATALOGUE, NONE, b'<</limner({"a": 1})>>', info=b"/Info 3 0 R")
    (tmp_path / "a.pdf").write_bytes(sound)
    assert io.recipe_of(tmp_path / "a.pdf") == {"a": 1}


def test_damage_anywhere_is_survived(tmp_path: Path) -> None:
    sound = written(painted(), tmp_path / "a.pdf").data
    path = tmp_path / "b.pdf"
    for place, content in enumerate(damaged(sound)):
        path.write_bytes(content)
        if place < 12:  # cut short
            assert "cannot be read" in refusal(path)
            continue
        begun = time.monotonic()
        try:
            assert isinstance(io.recipe_of(path), dict)
        except InputError as error:
            assert str(error).startswith(str(path)) and str(error).isprintable()
        assert time.monotonic() - begun < SECONDS


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.pdf").mkdir()
    for name in ("folder.pdf", "none.pdf", "nul\0.pdf", "x" * 300 + ".pdf"):
        refusal(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    assert "pipe" in refusal(tmp_path / "pipe.pdf")


def test_pages_that_share_pages_take_no_time(tmp_path: Path) -> None:
    shared = [b"<</Type/Pages/Kids[%d 0 R %d 0 R]>>" % (n, n) for n in range(3, 63)]
    (tmp_path / "a.pdf").write_bytes(page(CATALOGUE, *shared, b"<</Type/Page>>"))
    refusal(tmp_path / "a.pdf")
