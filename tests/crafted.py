"""Files and color profiles put together byte by byte, for tests of what reads them."""

import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np

# EXIF 2.32, 4.6.5: what a camera stores of a scene, by the orientation it states.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def deep_png(values: np.ndarray, *between: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16 bits, unfiltered: gray, RGB, or either with alpha."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = (b"IHDR", struct.pack(">2I5B", width, height, 16, kind, 0, 0, 0))
    return png(head, *between, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))


def deep_tiff(
    values: np.ndarray,
    order: str = "<",
    *,
    deflate: bool = False,
    planes: bool = False,
    extra: int = 2,
    orientation: int = 1,
    icc: bytes = b"",
) -> bytes:
    """A TIFF 6.0 of 16-bit RGB, and `extra`, 1 for alpha multiplied in or 2 for plain alpha.

    Its pixels lie in one strip, or in one for each channel.
    """
    height, width, channels = values.shape
    parts = np.moveaxis(values, 2, 0) if planes else values[None]
    strips = [part.astype(f"{order}u2").tobytes() for part in parts]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    starts = 8 + np.cumsum([0, *map(len, strips)])
    body = b"".join(strips) + b"\0" * (starts[-1] % 2)
    tags = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [16] * channels),
        259: ("H", [8 if deflate else 1]),
        262: ("H", [2]),  # RGB
        273: ("I", starts[:-1]),
        274: ("H", [orientation]),
        277: ("H", [channels]),
        278: ("I", [height]),
        279: ("I", [len(strip) for strip in strips]),
        284: ("H", [2 if planes else 1]),
        338: ("H", [extra] * (channels - 3)),
        34675: ("B", icc),
    }
    entries = b""
    for tag, (kind, content) in tags.items():
        data = struct.pack(f"{order}{len(content)}{kind}", *content)
        if len(data) > 4:
            data, place = struct.pack(f"{order}I", 8 + len(body)), data + b"\0" * (len(data) % 2)
            body += place
        if data:
            number = {"B": 7, "H": 3, "I": 4}[kind]
            entries += struct.pack(f"{order}HHI4s", tag, number, len(content), data)
    head = struct.pack(f"{order}2sHI", {"<": b"II", ">": b"MM"}[order], 42, 8 + len(body))
    count = struct.pack(f"{order}H", len(entries) // 12)
    return head + body + count + entries + struct.pack(f"{order}I", 0)


def damaged(content: bytes) -> Iterator[bytes]:
    """The file cut short at many places, and with bytes of it changed."""
    for end in np.linspace(1, len(content) - 1, 12).astype(int):
        yield content[:end]
    random = np.random.default_rng(0)
    for _ in range(25):
        changed = bytearray(content)
        for position in random.integers(0, len(content), 4):
            changed[position] = random.integers(256)
        yield bytes(changed)


# --- color profiles -------------------------------------------------------------------------


def profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2 (ICC.1:2001-04, 6.1 to 6.5)."""
    start = 128 + 4 + 12 * len(tags)
    table, body = b"", b""
    for signature, data in tags.items():
        table += struct.pack(">4sII", signature, start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    white = struct.pack(">3i", 63190, 65536, 54061)  # D50, in 65536ths
    head = struct.pack(">I4sI4s4s4s12x4s28x12s48x", start + len(body), b"", 0x02400000, b"mntr",
                       space, b"XYZ ", b"acsp", white)  # fmt: skip
    return head + struct.pack(">I", len(tags)) + table + body


def gamma(value: float) -> bytes:
    return struct.pack(">4s4xIHxx", b"curv", 1, round(value * 256))


def xyz(*values: float) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(v * 65536) for v in values))


D50 = xyz(0.9642, 1.0, 0.8249)
# Adobe RGB (1998), adapted to D50: columns are the XYZ of the primaries.
ADOBE = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)


def adobe() -> bytes:
    tags = {b"wtpt": D50, b"rTRC": gamma(2.2), b"gTRC": gamma(2.2), b"bTRC": gamma(2.2)}
    tags |= {s: xyz(*c) for s, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), ADOBE.T, strict=True)}
    return profile(b"RGB ", tags)
