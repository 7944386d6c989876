"""Compare the time of `stylize` with that of TensorFlow's tutorial "Neural style transfer".

    python benchmarks/speed.py

The tutorial (tensorflow.org, after Gatys, Ecker & Bethge 2016) is the preset ``gatys``: 1000 steps
with VGG-19 at 512 px. A few steps are timed and multiplied. The weights are random, which does not
change the time, so nothing is downloaded.
"""

import tempfile
import time
from pathlib import Path

from child import measured

EXAMPLES = Path(__file__).parents[1] / "examples"
TIMED = 4  # steps of the tutorial, after a first that does not count


def ours(size: int) -> float:
    """Return the seconds of one call with the defaults, without imports."""
    import limner

    stylize = limner.stylize
    began = time.perf_counter()
    stylize(EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg", size=size)
    return time.perf_counter() - began


def tutorial(size: int) -> float:
    """Return the seconds of 1000 steps of the tutorial, estimated from a few."""
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
    tutorial_seconds, _, tutorial_peak = measured(tutorial, 512)
    small, _, small_peak = measured(ours, 512)
    large, _, large_peak = measured(ours, 1024)
    reference = f"{tutorial_seconds:.0f} s, peak {tutorial_peak / 2**30:.2f} GiB"
    print(f"tutorial, 512 px, 1000 steps: {reference}")
    print(f"limner,   512 px, default:    {small:6.1f} s, peak {small_peak / 2**30:.2f} GiB")
    print(f"limner,  1024 px, default:    {large:6.1f} s, peak {large_peak / 2**30:.2f} GiB")
    print(f"tutorial : limner at 512 px = {tutorial_seconds / small:.0f} : 1")
    print(f"1024 px : 512 px = {large / small:.2f} : 1")
