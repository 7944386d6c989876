"""Sizes of the pictures that generators make."""

SIZES = (64, 128, 256, 512)  # pixels of the short side, for a training


def start_size(size: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """Return the size that a generator starts at, and how often it doubles.

    ``(64, 96)`` gives ``(4, 6), 4``. The papers' pictures are square. Ours have a short side of
    4 · 2^k pixels, and a long side that is a multiple of 2^k.
    """
    short, doublings = min(size), 0
    while short > 4 and short % 2 == 0:
        short, doublings = short // 2, doublings + 1
    assert short == 4 and max(size) % 2**doublings == 0, size
    return (size[0] >> doublings, size[1] >> doublings), doublings
