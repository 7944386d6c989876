"""Compare the peak memory of `stylize` with the forecast of its plan.

    python benchmarks/memory.py

One step of the network at each scale is enough: all steps of a scale need the same memory.
"""

from pathlib import Path

from child import measured

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZES = (512, 1024, 2048, 4096)


def forecast(size: int) -> str:
    """Paint with one step of the network at each scale, and return the plan as the user sees it."""
    import limner
    from limner.progress import Progress

    notes: list[str] = []

    def on_step(progress: Progress) -> None:
        if progress.note:
            notes.append(progress.note)

    photo, painting = EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg"
    limner.stylize(photo, painting, size=size, steps=[1, 1], on_step=on_step)
    return notes[0]


if __name__ == "__main__":
    for size in SIZES:
        plan, _, peak = measured(forecast, size)
        predicted = float(plan.split("about ")[1].split(" GiB")[0])
        measured_peak = peak / 2**30
        error = f"{predicted / measured_peak - 1:+.0%}"
        print(f"{size:5} px: forecast {predicted:.2f} GiB, peak {measured_peak:.2f}: {error}")
        print(f"          ({plan})")
