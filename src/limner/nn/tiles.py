"""Cut a picture into tiles, so that one larger than memory can be processed in parts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One part of a picture.

    Attributes
    ----------
    outer : tuple of int
        The pixels that are processed, as top, bottom, left, right: the core with a margin around
        it, cut off where the picture ends.
    core : tuple of int
        The pixels whose result is kept. The cores of all tiles cover the picture exactly once.
    """

    outer: tuple[int, int, int, int]
    core: tuple[int, int, int, int]


def cover(height: int, width: int, *, side: int, margin: int, multiple: int) -> list[Tile]:
    """Cut a picture into tiles.

    Parameters
    ----------
    height, width : int
        Size of the picture in pixels.
    side : int
        Longest side of a core in pixels.
    margin : int
        Pixels around a core. If this is at least the receptive radius of a network, the core's
        result is the same as when the network sees the whole picture.
    multiple : int
        Every cut is at a multiple of this, so that pooling layers see the same grid as in the whole
        picture.

    Returns
    -------
    list of Tile
        Row by row. One tile if the picture fits into ``side``.
    """
    margin = -(-margin // multiple) * multiple
    return [
        Tile(
            (
                max(0, top - margin),
                min(height, bottom + margin),
                max(0, left - margin),
                min(width, right + margin),
            ),
            (top, bottom, left, right),
        )
        for top, bottom in _cuts(height, side, multiple)
        for left, right in _cuts(width, side, multiple)
    ]


def _cuts(length: int, side: int, multiple: int) -> list[tuple[int, int]]:
    """Cut a length into equal parts of at most ``side``; the last takes what is left over."""
    parts = -(-length // max(side, multiple))
    step = -(-length // (parts * multiple)) * multiple
    ends = [*range(step, length, step), length]
    # a last part narrower than `multiple` would have no pixel after pooling
    if len(ends) > 1 and ends[-1] - ends[-2] < multiple:
        del ends[-2]
    return list(zip([0, *ends[:-1]], ends, strict=True))
