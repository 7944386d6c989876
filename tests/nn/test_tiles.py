"""Cutting a picture into tiles: what every cut must fulfil, counted pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.nn.tiles import cover

MULTIPLES = st.sampled_from([1, 2, 4, 8, 16])
LENGTHS = st.integers(1, 150)
SIDES = st.integers(1, 100)
MARGINS = st.integers(0, 60)

gently = settings(deadline=None, max_examples=60)


@gently
@given(LENGTHS, LENGTHS, SIDES, MARGINS, MULTIPLES)
def test_every_pixel_is_in_one_core(
    height: int, width: int, side: int, margin: int, multiple: int
) -> None:
    counted = np.zeros((height, width), int)
    for tile in cover(height, width, side=side, margin=margin, multiple=multiple):
        top, bottom, left, right = tile.core
        counted[top:bottom, left:right] += 1
    assert counted.min() == 1 and counted.max() == 1


@gently
@given(LENGTHS, LENGTHS, SIDES, MARGINS, MULTIPLES)
def test_cuts_fall_on_multiples_and_no_core_is_without_a_position(
    height: int, width: int, side: int, margin: int, multiple: int
) -> None:
    for tile in cover(height, width, side=side, margin=margin, multiple=multiple):
        for box in (tile.outer, tile.core):
            for start, end, length in ((*box[:2], height), (*box[2:], width)):
                assert start % multiple == 0
                assert end % multiple == 0 or end == length
                # positions whose whole block of pixels lies in the picture
                assert end // multiple > start // multiple or length < multiple


@gently
@given(LENGTHS, LENGTHS, SIDES, MARGINS, MULTIPLES)
def test_what_is_looked_at_is_the_core_and_its_margin(
    height: int, width: int, side: int, margin: int, multiple: int
) -> None:
    for tile in cover(height, width, side=side, margin=margin, multiple=multiple):
        for axis, length in ((slice(0, 2), height), (slice(2, 4), width)):
            (first, last), (start, end) = tile.outer[axis], tile.core[axis]
            assert 0 <= first <= max(0, start - margin)
            assert min(length, end + margin) <= last <= length
            # and no more than the next multiple asks for
            assert first > start - margin - multiple and last < end + margin + multiple


@gently
@given(st.integers(1, 2000), SIDES, MULTIPLES)
def test_cores_are_no_larger_than_asked_for_but_for_the_grid(
    length: int, side: int, multiple: int
) -> None:
    tiles = cover(length, multiple, side=side, margin=0, multiple=multiple)
    sizes = [tile.core[1] - tile.core[0] for tile in tiles]
    # rounded up to the grid, and what is left of one position is added to the last
    assert max(sizes) < -(-max(side, multiple) // multiple) * multiple + multiple
    assert len(tiles) <= -(-length // max(side, multiple))


@gently
@given(LENGTHS, LENGTHS, MARGINS, MULTIPLES)
def test_one_tile_where_it_fits(height: int, width: int, margin: int, multiple: int) -> None:
    (tile,) = cover(height, width, side=max(height, width), margin=margin, multiple=multiple)
    assert tile.core == tile.outer == (0, height, 0, width)


@pytest.mark.parametrize(
    ("length", "side", "cores"),
    [
        (64, 32, [(0, 32), (32, 64)]),
        (96, 64, [(0, 48), (48, 96)]),  # equal parts rather than 64 and 32
        (97, 64, [(0, 64), (64, 97)]),
        (65, 32, [(0, 32), (32, 65)]),  # one pixel is no position of its own
        (80, 32, [(0, 32), (32, 64), (64, 80)]),
    ],
)
def test_known_cuts(length: int, side: int, cores: list[tuple[int, int]]) -> None:
    down = cover(length, 16, side=side, margin=20, multiple=16)
    across = cover(16, length, side=side, margin=20, multiple=16)
    assert [tile.core[:2] for tile in down] == cores == [tile.core[2:] for tile in across]
    # a margin of 20 needs two positions of 16
    assert [tile.outer[:2] for tile in down] == [
        (max(0, start - 32), min(length, end + 32)) for start, end in cores
    ]
