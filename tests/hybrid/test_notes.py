"""What `hybridize` says about its result."""

import pytest

from limner.hybrid.metrics import Scores
from limner.hybrid.notes import results

GOOD = Scores(near=0.94, far=0.98, leak=0.23, floor=0.2, worst=0.9)
FAINT = Scores(near=0.8, far=0.98, leak=0.23, floor=0.2, worst=0.9)
WEAK = Scores(near=0.94, far=0.9, leak=0.23, floor=0.2, worst=0.9)
WIDTHS = {"near": 9.04, "far": 27.1}


def test_good_scores_give_two_lines() -> None:
    assert results(GOOD, 4.8, WIDTHS, None, "detail") == [
        "sigma 4.8. Correlation of the detail with the near photo: 0.94 (1 is best). Of the "
        "thumbnail with the far photo: 0.98 (1 is best), with the near photo: 0.23 (about 0.20 is "
        "best)",
        "you see the near photo from up to 9.0 picture widths away, and only the far photo "
        "from 27.1",
    ]


def test_distances_of_a_print_are_in_meters() -> None:
    _, line = results(GOOD, 4.8, WIDTHS, 0.4, "detail")
    assert line == "you see the near photo from up to 3.6 m away, and only the far photo from 11 m"


@pytest.mark.parametrize(
    ("scores", "method", "says"),
    [
        (FAINT, "detail", "from near, the near photo stays faint; try a larger --sigma"),
        (FAINT, "article", "from near, the near photo stays faint; try --method detail"),
        (WEAK, "fourier", "does not dominate everywhere; try a smaller --sigma, or a far photo wi"),
        (WEAK, "article", "does not dominate everywhere; try --method detail"),
    ],
)
def test_bad_scores_come_with_a_remedy(scores: Scores, method: str, says: str) -> None:
    assert says in results(scores, 4.8, WIDTHS, None, method)[2]
