"""Predictors: what they make of surroundings, and that they see nothing of what is hidden."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import Beautifier
from limner.beauty.objective import Rebuild
from limner.beauty.predictor import Context, Predictor, rebuilt, rebuilt_by_windows

Draw = Callable[[str], Beautifier]
CENTRES = [(0, 0), (1, 2), (2, 1), (2, 3)]  # in three rows of four


@pytest.fixture(params=["default", "article"])
def predict(request: pytest.FixtureRequest, drawn: Draw) -> Rebuild:
    return drawn(request.param).eye.good


def frame_of(count: int = 1, seed: int = 0) -> Tensor:
    """Noise with three rows of four centres."""
    random = torch.Generator().manual_seed(seed)
    return torch.rand((count, 3, 192, 224), generator=random)


def spot(row: int, column: int, by: int = 0) -> tuple[slice, slice]:
    """Where a centre is among centres; with 48, in the frame."""
    return slice(by + 32 * row, by + 32 * row + 32), slice(by + 32 * column, by + 32 * column + 32)


@pytest.mark.parametrize("centre", CENTRES)
def test_nothing_of_a_centre_is_seen_when_it_is_predicted(
    predict: Rebuild, centre: tuple[int, int]
) -> None:
    frame = frame_of()
    changed = frame.clone()
    rows, columns = spot(*centre, 48)
    changed[..., rows, columns] = frame_of(seed=1)[..., rows, columns]
    off = (predict(changed) - predict(frame)).abs()
    there = (..., *spot(*centre))
    assert off[there].max() == 0
    off[there] = 1
    assert off.max() == 1 and (off > 1e-5).float().mean() > 0.2  # the others do see it


@pytest.mark.parametrize("centre", CENTRES)
def test_what_lies_next_to_a_centre_is_seen(predict: Rebuild, centre: tuple[int, int]) -> None:
    frame = frame_of()
    rows, columns = spot(*centre, 48)
    for row, column in (
        (rows.start - 1, columns.start),
        (rows.stop, columns.stop - 1),
        (rows.start, columns.start - 1),
        (rows.stop - 1, columns.stop + 3),
    ):
        changed = frame.clone()
        changed[..., row, column] = 1 - changed[..., row, column].round()
        off = (predict(changed) - predict(frame)).abs()
        assert off[(..., *spot(*centre))].max() > 1e-6, (row, column)


def seen_by(predict: Rebuild, centre: tuple[int, int]) -> Tensor:
    """How much each pixel of a frame weighs in what is predicted for a centre, [H, W]."""
    frame = frame_of().requires_grad_()
    weights = frame_of(seed=2)[..., :32, :32]  # so that nothing cancels out
    (predict(frame)[(..., *spot(*centre))] * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert frame.grad is not None
    return frame.grad[0].abs().sum(0)


@pytest.mark.parametrize("centre", CENTRES)
def test_no_gradient_comes_out_of_a_centre(predict: Rebuild, centre: tuple[int, int]) -> None:
    seen = seen_by(predict, centre)
    rows, columns = spot(*centre, 48)
    assert seen[rows, columns].max() == 0
    for beside in (seen[rows.start - 1, columns], seen[rows, columns.stop]):
        assert beside.min() > 0


def test_the_article_s_predictor_sees_its_window_alone(drawn: Draw) -> None:
    seen = seen_by(drawn("article").eye.good, (1, 1))
    window = torch.zeros_like(seen, dtype=torch.bool)
    window[32 : 32 + 128, 32 : 32 + 128] = True
    assert seen[~window].max() == 0
    window[80:112, 80:112] = False
    assert seen[window].min() > 0


@pytest.mark.parametrize("batch", [2, 5, 16])
def test_windows_all_at_once_are_the_loop_over_each(drawn: Draw, batch: int) -> None:
    network = cast(Context, drawn("article").parts["good"])
    frame = frame_of(2)
    one, several = (rebuilt_by_windows(network, frame, batch=n) for n in (1, batch))
    np.testing.assert_allclose(several, one, atol=1e-5)
    for number, (row, column) in ((0, (0, 0)), (1, (2, 3))):  # and each is the network's own
        rows, columns = spot(row, column)
        window = frame[number, :, rows.start : rows.start + 128, columns.start :][..., :128]
        alone = network(window[None])[0]
        np.testing.assert_allclose(one[number, :, rows, columns], alone, atol=1e-5)
    assert one.std() > 0.01


def test_frames_do_not_disturb_each_other(predict: Rebuild) -> None:
    frames = frame_of(3)
    together = predict(frames)
    for frame, made in zip(frames, together, strict=True):
        np.testing.assert_allclose(predict(frame[None])[0], made, atol=1e-5)


def test_before_it_has_learnt_it_knows_the_soap_film() -> None:
    torch.manual_seed(0)
    network = Predictor((8, 16)).requires_grad_(False)
    frame = frame_of(2)
    np.testing.assert_allclose(rebuilt(network, frame), masks.harmonic(frame), atol=1e-6)


def test_what_the_network_says_is_added_to_the_film() -> None:
    """With a network that says its own input: the film less a half, where it is asked."""

    class Echo(Predictor):
        def forward(self, filled: Tensor, hidden: Tensor) -> Tensor:
            assert hidden.shape == (4, 1, 192, 224)  # the four passes over one frame
            asked.extend(hidden[:, 0, 48:-48, 48:-48].mean((1, 2)).tolist())
            return filled - 0.5

    asked: list[float] = []
    frame = frame_of(2)
    made = rebuilt(Echo((8, 8)), frame)
    np.testing.assert_allclose(made, 2 * masks.harmonic(frame) - 0.5, atol=1e-6)
    assert asked == pytest.approx([4 / 12, 4 / 12, 2 / 12, 2 / 12] * 2)
