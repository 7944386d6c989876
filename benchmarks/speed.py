"""How long `stylize` takes, against the article's recipe in the same run.

    python benchmarks/speed.py

The article's recipe is the preset ``gatys``: 1000 steps of VGG-19 at 512 px. A few of its steps are
timed and multiplied. Random weights serve for timing, so nothing is fetched.
"""

import tempfile
import time
from pathlib import Path

from child import measured

EXAMPLES = Path(__file__).parents[1] / "examples"
TIMED = 4  # steps of the article's recipe, after a first that is not counted


def ours(size: int) -> float:
    """Seconds of one call with the defaults, imports not counted."""
    import limner

    stylize = limner.stylize
    began = time.perf_counter()
    stylize(EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg", size=size)
    return time.perf_counter() - began


def article(size: int) -> float:
    """Seconds of 1000 steps of the article's recipe, from a few."""
    import torch

    import limner
    from limner.nn import features, weights
    from limner.progress import Progress

    torch.manual_seed(0)
    names = iter(features.VGG("vgg19").state_dict().items())
    state = {}
    index = 0
    for depth in features.SHAPES["vgg19"][1]:
        for _ in range(depth):
            for part in ("weight", "bias"):
                state[f"features.{index}.{part}"] = next(names)[1]
            index += 2
        index += 1
    ticks: list[float] = []

    def on_step(progress: Progress) -> None:
        if progress.step:
            ticks.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        weights.write(path, state, {"kind": "features"})
        limner.stylize(
            EXAMPLES / "photo.jpg",
            EXAMPLES / "painting.jpg",
            size=size,
            preset="gatys",
            steps=TIMED + 1,
            features=str(path),
            on_step=on_step,
        )
    return (ticks[-1] - ticks[0]) / TIMED * 1000


if __name__ == "__main__":
    article_seconds, _, article_peak = measured(article, 512)
    small, _, small_peak = measured(ours, 512)
    large, _, large_peak = measured(ours, 1024)
    of_it = f"{article_seconds:.0f} s, peak {article_peak / 2**30:.2f} GiB"
    print(f"article, 512 px, 1000 steps: {of_it}")
    print(f"limner,  512 px, default:    {small:6.1f} s, peak {small_peak / 2**30:.2f} GiB")
    print(f"limner, 1024 px, default:    {large:6.1f} s, peak {large_peak / 2**30:.2f} GiB")
    print(f"article : limner at 512 px = {article_seconds / small:.0f} : 1")
    print(f"1024 px : 512 px = {large / small:.2f} : 1")
