"""Paint a composition anew, in its own size, with strokes of one or more pictures."""

from collections import deque
from collections.abc import Callable, Sequence

from torch import Tensor

from limner.nn import images
from limner.patches.sources import SourcePicture
from limner.patches.synthesis import Settings, Synthesis, synthesize

MOST_WORKS = 4  # pictures that give strokes
# The composition is seen at this size only: with less, things move and faces dissolve; with more,
# strokes are cut into pieces.
_SEEN = 150  # pixels of the longer side
_SETTINGS = Settings(
    target_weight=0.5, detail_weight=0.9, uniformity=0.02, match_colors=0.0, coarsest=64
)


def repaint(
    composition: Tensor,
    works: Sequence[SourcePicture],
    detail: Tensor,
    tick: Callable[[], None],
) -> Synthesis:
    """Paint a composition anew with strokes of works.

    Parameters
    ----------
    composition : Tensor
        [1, 3, H, W] in 0..1.
    works : sequence of SourcePicture
        In the size of the composition, about, so that their strokes have the right size. Of several
        works, each paints a region of the same area.
    detail : Tensor
        [1, 1, H, W] in 0..1: where the composition is followed more closely, such as a face.
    tick : callable
        Called every second or so. What it raises ends the work.
    """
    size = images.size_of(composition)
    seen = images.resize(composition, images.fit(*size, min(_SEEN, max(size)))).clamp(0, 1)
    levels = synthesize(seen, works, size=size, detail=detail, settings=_SETTINGS, tick=tick)
    (done,) = deque(levels, maxlen=1)
    return done
