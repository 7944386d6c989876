"""Layered pictures against what OpenRaster's specification says of them."""

from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import pytest
from PIL import Image

from disk import full_disk
from limner.errors import OutputError
from limner.io import write_view
from limner.io.openraster import Layers


def layered(width: int = 30, height: int = 20) -> Layers:
    """A slanting veil of black over colors."""
    random = np.random.default_rng(0)
    colors = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    black = np.zeros((height, width, 4), np.uint8)
    black[..., 3] = np.arange(width) * 255 // width
    veil = Image.fromarray(black)
    merged = Image.alpha_composite(colors.convert("RGBA"), veil).convert("RGB")
    return Layers({"lines": veil, "colors": colors}, merged)


def written(layers: Layers) -> ZipFile:
    file = BytesIO()
    layers.save(file)
    return ZipFile(file)


def opened(archive: ZipFile, name: str) -> Image.Image:
    picture = Image.open(BytesIO(archive.read(name)))
    assert picture.format == "PNG"
    return picture


def test_the_first_bytes_say_what_it_is() -> None:
    """So that no archive need be opened: the name at byte 30, the type after it, plain."""
    file = BytesIO()
    layered().save(file)
    assert file.getvalue()[:4] == b"PK\3\4"
    assert file.getvalue()[30:54] == b"mimetypeimage/openraster"
    first = ZipFile(file).infolist()[0]
    assert first.compress_type == ZIP_STORED and not first.extra
    assert ZipFile(file).testzip() is None


def test_the_stack_names_the_layers_from_the_top() -> None:
    archive = written(layered())
    image = ElementTree.fromstring(archive.read("stack.xml"))  # noqa: S314 - our own
    assert image.tag == "image" and (image.get("w"), image.get("h")) == ("30", "20")
    assert image.get("version") == "0.0.6"
    (stack,) = image
    assert stack.tag == "stack" and [layer.get("name") for layer in stack] == ["lines", "colors"]
    for layer in stack:
        assert layer.tag == "layer" and (layer.get("x"), layer.get("y")) == ("0", "0")
        source = layer.get("src")
        assert source and source.startswith("data/") and source in archive.namelist()


def test_the_pictures_are_whole_and_compose_to_the_merged_one() -> None:
    layers = layered()
    archive = written(layers)
    found = {name: opened(archive, f"data/{name}.png") for name in layers.layers}
    for name, picture in layers.layers.items():
        assert found[name].mode == picture.mode
        np.testing.assert_array_equal(found[name], picture)
    merged = opened(archive, "mergedimage.png")
    np.testing.assert_array_equal(merged, layers.merged)
    composed = Image.alpha_composite(found["colors"].convert("RGBA"), found["lines"])
    np.testing.assert_array_equal(composed.convert("RGB"), merged)


def test_layers_have_places_and_blend_modes() -> None:
    plain = layered()
    layers = Layers(
        plain.layers,
        plain.merged,
        hidden=("colors",),
        places={"colors": (7, 3)},
        blends={"lines": "svg:multiply"},
    )
    lines, colors = ElementTree.fromstring(written(layers).read("stack.xml"))[0]  # noqa: S314
    assert (lines.get("x"), lines.get("y")) == ("0", "0")
    assert (colors.get("x"), colors.get("y")) == ("7", "3")
    assert (lines.get("composite-op"), colors.get("composite-op")) == ("svg:multiply", None)
    assert (lines.get("visibility"), colors.get("visibility")) == ("visible", "hidden")


@pytest.mark.parametrize(
    ("size", "small"), [((30, 20), (30, 20)), ((700, 350), (256, 128)), ((2, 600), (1, 256))]
)
def test_there_is_a_small_picture(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert opened(written(layered(*size)), "Thumbnails/thumbnail.png").size == small


def test_the_same_layers_are_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = BytesIO(), BytesIO()
    layered().save(one)
    monkeypatch.setattr("time.time", lambda: 2e9)
    layered().save(other)
    assert one.getvalue() == other.getvalue()


def test_a_file_is_written_whole_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.ora"
    write_view(layered(), path)
    whole = path.read_bytes()
    with pytest.raises(OutputError, match=r"a\.ora: already exists"):
        write_view(layered(), path)
    write_view(layered(40), path, overwrite=True)
    assert path.read_bytes() != whole and written(layered(40)).testzip() is None
    with full_disk(1000), pytest.raises(OutputError, match=r"b\.ora: cannot be written"):
        write_view(layered(200, 200), tmp_path / "b.ora")
    assert [left.name for left in tmp_path.iterdir()] == ["a.ora"]
