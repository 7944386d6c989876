"""Check that the same seed gives the same bytes in two processes.

python benchmarks/repeat.py
"""

import hashlib
import tempfile
from pathlib import Path

from child import measured

EXAMPLES = Path(__file__).parents[1] / "examples"


def digest(seed: int) -> str:
    """Return the SHA-256 of the PNG file that the example gives at 256 px."""
    import limner
    from limner import io

    picture = limner.stylize(EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg", size=256, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "painted.png"
        io.write(picture, path)
        return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    first, second, other = (measured(digest, seed)[0] for seed in (0, 0, 1))
    print(f"seed 0: {first}\nseed 0: {second}\nseed 1: {other}")
    print("same seed, same bytes:", first == second, "| another seed, other bytes:", first != other)
