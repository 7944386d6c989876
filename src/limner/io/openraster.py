"""Layered pictures as OpenRaster files, which GIMP, Krita and MyPaint open."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO, ClassVar, Protocol, runtime_checkable
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from PIL import Image

_DATE = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that the same picture gives the same bytes


@runtime_checkable
class Saved(Protocol):
    """A side file that is not a plain picture, such as layers: an object that writes itself.

    Attributes
    ----------
    ending : str
        The suffix of the file: ``".ora"``.
    """

    ending: ClassVar[str]

    def save(self, file: BinaryIO) -> None:
        """Write the whole file."""


@dataclass(frozen=True)
class Layers:
    """Layers of one picture.

    Attributes
    ----------
    layers : dict of str to PIL image
        The layers by name, the top one first.
    merged : PIL image
        All visible layers together.
    hidden : tuple of str
        Names of the layers that are not visible.
    places : dict of str to tuple of int
        Where the top left corner of a layer lies, x and y. Default: 0, 0.
    blends : dict of str to str
        How a layer is laid over those below, as OpenRaster names it: ``svg:multiply``. Default:
        ``svg:src-over``.
    """

    layers: dict[str, Image.Image]
    merged: Image.Image
    hidden: tuple[str, ...] = ()
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    blends: dict[str, str] = field(default_factory=dict)
    ending: ClassVar[str] = ".ora"

    def save(self, file: BinaryIO) -> None:
        """Write an OpenRaster file (the baseline of its specification, 0.0.6)."""
        width, height = self.merged.size
        root = ElementTree.Element("image", version="0.0.6", w=str(width), h=str(height))
        stack = ElementTree.SubElement(root, "stack")
        for name in self.layers:
            source = f"data/{name}.png"
            shown = "hidden" if name in self.hidden else "visible"
            x, y = self.places.get(name, (0, 0))
            layer = ElementTree.SubElement(
                stack, "layer", name=name, src=source, x=str(x), y=str(y), visibility=shown
            )
            if name in self.blends:
                layer.set("composite-op", self.blends[name])
        thumbnail = self.merged.copy()
        thumbnail.thumbnail((256, 256))
        pictures = {f"data/{name}.png": layer for name, layer in self.layers.items()}
        pictures |= {"mergedimage.png": self.merged, "Thumbnails/thumbnail.png": thumbnail}
        with ZipFile(file, "w") as archive:
            archive.writestr(ZipInfo("mimetype", _DATE), "image/openraster", ZIP_STORED)
            text = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
            archive.writestr(ZipInfo("stack.xml", _DATE), text, ZIP_DEFLATED)
            for name, picture in pictures.items():
                encoded = BytesIO()
                picture.save(encoded, "PNG")
                archive.writestr(ZipInfo(name, _DATE), encoded.getvalue(), ZIP_STORED)
