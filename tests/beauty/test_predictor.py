"""Predictors: they use the surroundings of a hole, and nothing of its content."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import Beautifier
from limner.beauty.predictor import (
    ContextEncoder,
    Predictor,
    UNet,
    predict_by_phases,
    predict_by_windows,
)

Draw = Callable[[str], Beautifier]
HOLES = [(0, 0), (1, 2), (2, 1), (2, 3)]  # in three rows of four


@pytest.fixture(params=["default", "article"])
def predict(request: pytest.FixtureRequest, drawn: Draw) -> Predictor:
    return drawn(request.param).predictors.good


def frame_of(count: int = 1, seed: int = 0) -> Tensor:
    """Noise with three rows of four holes."""
    random = torch.Generator().manual_seed(seed)
    return torch.rand((count, 3, 192, 224), generator=random)


def spot(row: int, column: int, by: int = 0) -> tuple[slice, slice]:
    """Return rows and columns of a hole; `by` 48 counts them in the frame."""
    return slice(by + 32 * row, by + 32 * row + 32), slice(by + 32 * column, by + 32 * column + 32)


@pytest.mark.parametrize("hole", HOLES)
def test_the_content_of_a_hole_does_not_matter(predict: Predictor, hole: tuple[int, int]) -> None:
    frame = frame_of()
    changed = frame.clone()
    rows, columns = spot(*hole, 48)
    changed[..., rows, columns] = frame_of(seed=1)[..., rows, columns]
    off = (predict(changed) - predict(frame)).abs()
    there = (..., *spot(*hole))
    assert off[there].max() == 0
    off[there] = 1
    assert off.max() == 1 and (off > 1e-5).float().mean() > 0.2  # the others do see it


@pytest.mark.parametrize("hole", HOLES)
def test_pixels_next_to_a_hole_matter(predict: Predictor, hole: tuple[int, int]) -> None:
    frame = frame_of()
    rows, columns = spot(*hole, 48)
    for row, column in (
        (rows.start - 1, columns.start),
        (rows.stop, columns.stop - 1),
        (rows.start, columns.start - 1),
        (rows.stop - 1, columns.stop + 3),
    ):
        changed = frame.clone()
        changed[..., row, column] = 1 - changed[..., row, column].round()
        off = (predict(changed) - predict(frame)).abs()
        assert off[(..., *spot(*hole))].max() > 1e-6, (row, column)


def seen_by(predict: Predictor, hole: tuple[int, int]) -> Tensor:
    """How much each pixel of a frame weighs in what is predicted for a hole, [H, W]."""
    frame = frame_of().requires_grad_()
    weights = frame_of(seed=2)[..., :32, :32]  # so that nothing cancels out
    (predict(frame)[(..., *spot(*hole))] * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert frame.grad is not None
    return frame.grad[0].abs().sum(0)


@pytest.mark.parametrize("hole", HOLES)
def test_no_gradient_comes_from_inside_a_hole(predict: Predictor, hole: tuple[int, int]) -> None:
    seen = seen_by(predict, hole)
    rows, columns = spot(*hole, 48)
    assert seen[rows, columns].max() == 0
    for beside in (seen[rows.start - 1, columns], seen[rows, columns.stop]):
        assert beside.min() > 0


def test_the_article_s_predictor_uses_only_its_window(drawn: Draw) -> None:
    seen = seen_by(drawn("article").predictors.good, (1, 1))
    window = torch.zeros_like(seen, dtype=torch.bool)
    window[32 : 32 + 128, 32 : 32 + 128] = True
    assert seen[~window].max() == 0
    window[80:112, 80:112] = False
    assert seen[window].min() > 0


@pytest.mark.parametrize("batch", [2, 5, 16])
def test_batches_of_windows_equal_the_loop(drawn: Draw, batch: int) -> None:
    network = cast(ContextEncoder, drawn("article").parts["good"])
    frame = frame_of(2)
    one, several = (predict_by_windows(network, frame, batch=n) for n in (1, batch))
    np.testing.assert_allclose(several, one, atol=1e-5)
    for number, (row, column) in ((0, (0, 0)), (1, (2, 3))):  # and each is the network's own
        rows, columns = spot(row, column)
        window = frame[number, :, rows.start : rows.start + 128, columns.start :][..., :128]
        alone = network(window[None])[0]
        np.testing.assert_allclose(one[number, :, rows, columns], alone, atol=1e-5)
    assert one.std() > 0.01


def test_frames_do_not_disturb_each_other(predict: Predictor) -> None:
    frames = frame_of(3)
    together = predict(frames)
    for frame, made in zip(frames, together, strict=True):
        np.testing.assert_allclose(predict(frame[None])[0], made, atol=1e-5)


def test_before_training_it_predicts_the_harmonic_fill() -> None:
    torch.manual_seed(0)
    network = UNet((8, 16)).requires_grad_(False)
    frame = frame_of(2)
    np.testing.assert_allclose(
        predict_by_phases(network, frame), masks.harmonic_fill(frame), atol=1e-6
    )


def test_the_output_of_the_network_is_added_to_the_fill() -> None:
    """With a network that returns its own input minus a half."""

    class Echo(UNet):
        def forward(self, filled: Tensor, hidden: Tensor) -> Tensor:
            assert hidden.shape == (4, 1, 192, 224)  # the four passes over one frame
            asked.extend(hidden[:, 0, 48:-48, 48:-48].mean((1, 2)).tolist())
            return filled - 0.5

    asked: list[float] = []
    frame = frame_of(2)
    made = predict_by_phases(Echo((8, 8)), frame)
    np.testing.assert_allclose(made, 2 * masks.harmonic_fill(frame) - 0.5, atol=1e-6)
    assert asked == pytest.approx([4 / 12, 4 / 12, 2 / 12, 2 / 12] * 2)
