"""A callback that ends a run after some step, for tests."""

from collections.abc import Callable

from limner.progress import Progress, Stop


def until(step: int, told: list[Progress]) -> Callable[[Progress], None]:
    """Keep what is told, and stop at this step."""

    def on_step(progress: Progress) -> None:
        told.append(progress)
        if progress.step == step:
            raise Stop

    return on_step
