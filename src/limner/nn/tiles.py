"""A picture larger than memory, in parts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One part of a picture: what is looked at, and what of it counts.

    Attributes
    ----------
    outer : tuple of int
        top, bottom, left, right of the pixels looked at: the core with a margin around it, less
        where the picture ends.
    core : tuple of int
        The same of the pixels that count. The cores of all tiles cover the picture once.
    """

    outer: tuple[int, int, int, int]
    core: tuple[int, int, int, int]


def cover(height: int, width: int, *, side: int, margin: int, multiple: int) -> list[Tile]:
    """Cut a picture into tiles.

    Parameters
    ----------
    height, width : int
        Of the picture, in pixels.
    side : int
        Longest side of a core.
    margin : int
        Pixels around a core. What a network computes in the core is that of the whole picture when
        this is its receptive radius or more.
    multiple : int
        Every cut is at a multiple of this, so that the network's poolings fall as in the whole.

    Returns
    -------
    list of Tile
        Row by row. One tile where the picture fits into ``side``.
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
    """Cut a length into equal parts of at most ``side``, the last taking what is left over."""
    parts = -(-length // max(side, multiple))
    step = -(-length // (parts * multiple)) * multiple
    ends = [*range(step, length, step), length]
    # a last part narrower than one multiple would have no position on the coarsest grid
    if len(ends) > 1 and ends[-1] - ends[-2] < multiple:
        del ends[-2]
    return list(zip([0, *ends[:-1]], ends, strict=True))
