"""Peak memory of `stylize` against the forecast it makes before the run.

    python benchmarks/memory.py

One step a scale is enough: every step of a scale holds the same.
"""

from pathlib import Path

from child import measured

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZES = (512, 1024, 2048, 4096)


def forecast(size: int) -> str:
    """Paint with one step at each scale, and return the plan as the user is told it."""
    import limner
    from limner.progress import Progress
    from limner.style.method import METHODS

    said: list[str] = []

    def on_step(progress: Progress) -> None:
        if progress.note:
            said.append(progress.note)

    scales = 1
    while size / 2**scales >= METHODS["limner"].coarsest:
        scales += 1
    photo, painting = EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg"
    limner.stylize(photo, painting, size=size, steps=[1] * scales, on_step=on_step)
    return said[0]


if __name__ == "__main__":
    for size in SIZES:
        plan, _, peak = measured(forecast, size)
        said = float(plan.split("about ")[1].split(" GiB")[0])
        gigabytes = peak / 2**30
        off = f"{said / gigabytes - 1:+.0%}"
        print(f"{size:5} px: forecast {said:.2f} GiB, held {gigabytes:.2f}: {off}")
        print(f"          ({plan})")
