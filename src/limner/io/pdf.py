"""A print-ready PDF: one page with its size, trim box, bleed box and color profile."""

from io import BytesIO
from typing import BinaryIO

from PIL import Image
from PIL.PdfParser import PdfDict, PdfName, PdfParser

_POINTS = 72  # PDF units per inch
LONGEST = 200  # inches; Acrobat shows no longer page (ISO 32000-1, annex C: 14,400 units)


def save(
    picture: Image.Image,
    file: BinaryIO,
    *,
    quality: int,
    dpi: tuple[float, float],
    bleed: int,
    profile: bytes,
    recipe: str,
) -> None:
    """Write one page, filled by a picture (ISO 32000-1, 14.11.2: page boundaries).

    Parameters
    ----------
    picture : PIL.Image.Image
        RGB.
    file : binary file
        Empty, open for writing.
    quality : int
        JPEG quality, from 1 to 100.
    dpi : tuple of float
        Pixels per inch across and down.
    bleed : int
        Pixels on each side that are trimmed after printing.
    profile : bytes
        The ICC profile of the colors.
    recipe : str
        The recipe as JSON, or empty.
    """
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=quality, subsampling="4:4:4")
    width, height = (side / d * _POINTS for side, d in zip(picture.size, dpi, strict=True))
    across, down = (bleed / d * _POINTS for d in dpi)
    sheet = [0.0, 0.0, width, height]
    # Pillow's writer of objects; its writer of pages has neither boxes nor profiles
    pdf = PdfParser()
    pdf.f = file
    if recipe:
        pdf.info["limner"] = recipe
    pdf.write_header()
    page, contents, image, colors = (pdf.next_object_id(0) for _ in range(4))
    pdf.pages.append(page)
    pdf.write_catalog()
    pdf.write_obj(colors, stream=profile, N=3, Alternate=PdfName("DeviceRGB"))
    pdf.write_obj(
        image,
        stream=jpeg.getvalue(),
        Type=PdfName("XObject"),
        Subtype=PdfName("Image"),
        Width=picture.width,
        Height=picture.height,
        BitsPerComponent=8,
        ColorSpace=[PdfName("ICCBased"), colors],
        Filter=PdfName("DCTDecode"),
    )
    pdf.write_page(
        page,
        Resources=PdfDict({"XObject": PdfDict({"picture": image})}),
        MediaBox=sheet,
        BleedBox=sheet,
        TrimBox=[across, down, width - across, height - down],
        Contents=contents,
    )
    pdf.write_obj(contents, stream=b"q %f 0 0 %f 0 0 cm /picture Do Q" % (width, height))
    pdf.write_xref_and_trailer()


class _Reader(PdfParser):
    """Reads the information dictionary only: pages could refer to each other in a cycle."""

    def linearize_page_tree(self, node: object = None) -> list[object]:  # type: ignore[override]
        return []


def recipe_of(data: bytes) -> str | None:
    """Return the recipe in a PDF of `save`, or None; a damaged file raises."""
    found: str | None = getattr(_Reader(buf=data).info, "limner", None)
    return found
