"""`colorize`: turn a line drawing into a colored picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from limner.checks import check_range
from limner.colorization.coloring import MAX_VARIATIONS, Coloring, Hints
from limner.io import Source
from limner.progress import OnStep, silent


def colorize(
    sketch: Source,
    *,
    hints: Hints | None = None,
    hint: Sequence[str] = (),
    hint_edges: Literal["hard", "soft"] = "hard",
    palette: Source | None = None,
    reference: Source | None = None,
    vivid: float = 1.0,
    shading: float = 0.0,
    lines: Literal["keep", "soften", "drop"] = "keep",
    gap: int | None = None,
    layers: bool = False,
    flats: bool = False,
    keep_alpha: bool = False,
    variations: int = 1,
    size: int | None = None,
    model: str | None = None,
    seed: int = 0,
    device: str = "auto",
    runtime: Literal["torch", "onnxruntime"] = "torch",
    force: bool = False,
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Turn a line drawing into a colored picture.

    Parameters
    ----------
    sketch : str, path or PIL image
        The drawing: dark lines on white, on photographed paper or on transparency, or light lines
        on black.
    hints : str, path or PIL image
        A picture with a stroke of color wherever you want that color: transparent, on white, or
        painted on a copy of the drawing. The word ``self`` uses the colored pencil strokes of the
        drawing itself.
    hint : sequence of str
        A point and its color, such as ``120,80=#ffcc00`` or ``120,80=gold``: pixels from the left
        and from the top. There may be several.
    hint_edges : str
        Where two hints meet in one region: ``hard`` gives an edge along the weakest line, ``soft``
        a smooth transition.
    palette : str, path or PIL image
        The colors to use: from 1 to 256 colors, such as ``"#aa3311,#fed,gold"``, or a picture whose
        main colors are used.
    reference : str, path or PIL image
        A colored picture. Parts of the drawing get the colors of similar parts in it.
    vivid : float
        Strength of the colors that you did not choose, from 0 (gray) to 2 (strong).
    shading : float
        Strength of soft shading, from 0 (flat colors) to 1.
    lines : str
        What to do with the lines. Use ``keep`` to leave them over the colors, ``soften`` to make
        them a darker shade of the colors, and ``drop`` to leave them out.
    gap : int
        Gaps in lines up to this width are closed, in pixels of the drawing, 0 to 64. Default: a
        64th of the longest side, or in a long strip of three times the short side.
    layers : bool
        Also write the lines and one layer per region, as an OpenRaster file (.ora) for Krita, GIMP
        or MyPaint.
    flats : bool
        Also write the flat colors without lines and shading.
    keep_alpha : bool
        Keep the transparency of the drawing. Default: the result is on white.
    variations : int
        Number of pictures to make, from 1 to 16. Each has other colors, and a file of its own.
    size : int
        Short side of the drawing as the network sees it, 64 to 1024 pixels. The result always has
        the size of the drawing. Default: the size that the network was trained with.
    model : str
        Weights file of another network, as made by ``limner train colorizer``. Default: the
        network that comes with limner.
    seed : int
        Random seed of the variations. The same seed gives the same pictures.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    runtime : str
        What computes the network: ``torch``, or ``onnxruntime``, on the CPU, with limner[export]
        installed.
    force : bool
        Color a picture even if it looks like a photo.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    on_step : callable
        Called with a `Progress` before the first and after every variation. If it raises `Stop`,
        the variations that are done are returned.

    Returns
    -------
    PIL.Image.Image
        RGB, or RGBA with `keep_alpha`, of the size of the drawing, with its recipe.
        ``info["beside"]`` holds the further variations (``"2"``, ``"3"``, …), ``"flats"`` and
        ``"layers"``.

    Raises
    ------
    InputError
        A picture cannot be read; the drawing has no lines, or is a photo.
    OptionError
        An option is out of its range, or does not go with another.
    WeightsError
        The weights of the network are missing, damaged or of another kind.

    Notes
    -----
    The drawing is split into regions that small gaps do not join (`limner.regions`). A network
    proposes one color per region, and every hint fills its region. `limner.Coloring` keeps the
    regions between calls.
    """
    check_range("variations", variations, 1, MAX_VARIATIONS)
    coloring = Coloring(
        sketch,
        gap=gap,
        size=size,
        model=model,
        device=device,
        runtime=runtime,
        force=force,
        allow_huge=allow_huge,
    )
    return coloring.color(
        hints=hints,
        hint=hint,
        hint_edges=hint_edges,
        palette=palette,
        reference=reference,
        vivid=vivid,
        shading=shading,
        lines=lines,
        layers=layers,
        flats=flats,
        keep_alpha=keep_alpha,
        variations=variations,
        seed=seed,
        on_step=on_step,
    )


def side_files(options: Mapping[str, Any]) -> dict[str, str | Path]:
    """Name the files that `colorize` can write beside its picture: name to ending.

    Parameters
    ----------
    options : mapping
        Keyword options of `colorize`.

    Returns
    -------
    dict of str to str or path
        ``".ora"`` for layers; empty, for the picture's own format, for the flats and for the
        variations from 2 on.
    """
    variations = options.get("variations", 1)
    check_range("variations", variations, 1, MAX_VARIATIONS)
    files: dict[str, str | Path] = {"layers": ".ora"} if options.get("layers") else {}
    files |= {"flats": ""} if options.get("flats") else {}
    return files | {str(number): "" for number in range(2, variations + 1)}
