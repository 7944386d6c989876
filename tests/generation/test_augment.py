"""Augmented pictures: how much they change, how often, and with which gradient."""

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.generation.gan import augment as module
from limner.generation.gan.augment import AugmentationShare, augment

LEFT, RIGHT = torch.tensor([0.7, 0.6, 0.5]), torch.tensor([0.3, 0.4, 0.5])


def halves(count: int, height: int = 32, width: int = 32) -> Tensor:
    """One color on the left and one on the right."""
    picture = torch.empty((3, height, width))
    picture[..., : width // 2] = LEFT.view(3, 1, 1)
    picture[..., width // 2 :] = RIGHT.view(3, 1, 1)
    return picture.expand(count, -1, -1, -1)


def changes(share: float, count: int = 400) -> dict[str, np.ndarray]:
    """By how much each of many pictures was changed, found from its pixels."""
    torch.manual_seed(0)
    made = augment(halves(count), share).numpy()
    black = (made == 0).all(1)
    full_rows, full_columns = black.all(2), black.all(1)
    ways = []
    for full in (full_rows, full_columns):  # in is what is black at the end: up is positive
        ways.append(full[:, 16:].sum(1) - full[:, :16].sum(1))
    hole = black & ~full_rows[:, :, None] & ~full_columns[:, None]
    shown = [
        np.stack([one[:, :, a:b][:, ~dark[:, a:b]][:, 0] for one, dark in zip(made, black)])  # noqa: B905
        for a, b in ((0, 12), (20, 32))
    ]
    grays = [one.mean(1) for one in shown]
    contrast = (grays[0] - grays[1]) / 0.2
    colorful = (shown[0][:, 0] - shown[0][:, 2]) / 0.2
    return {
        "brightness": (grays[0] + grays[1]) / 2 - 0.5,
        "contrast": contrast,
        "saturation": colorful / contrast,
        "down": ways[0],
        "across": ways[1],
        "hole": hole.any((1, 2)),
    }


def test_nothing_is_changed_at_a_share_of_0() -> None:
    pictures = halves(3)
    assert augment(pictures, 0.0) is pictures


def test_all_is_changed_at_a_share_of_1_within_limits() -> None:
    found = changes(1.0)
    for name, low, high in (
        ("brightness", -0.25, 0.25),
        ("contrast", 0.5, 1.5),
        ("saturation", 0.0, 2.0),
        ("down", -4, 4),
        ("across", -4, 4),
    ):
        values, reach = found[name], high - low
        assert low - 1e-4 <= values.min() <= low + 0.05 * reach, name
        assert high - 0.05 * reach <= values.max() <= high + 1e-4, name
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.06 * reach), name
    assert found["hole"].all()
    corner = np.corrcoef([found[name] for name in list(found)[:5]])
    assert np.abs(corner - np.eye(5)).max() < 0.2  # each of its own


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_colors_are_changed_as_often_as_the_share_says(share: float) -> None:
    found = changes(share)
    for name, default in (("brightness", 0), ("contrast", 1), ("saturation", 1)):
        often = np.mean(np.abs(found[name] - default) > 1e-4)
        assert often == pytest.approx(share, abs=0.08), name


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_places_are_changed_as_often_as_the_share_says(share: float) -> None:
    found = changes(share)
    moved = (found["down"] != 0) | (found["across"] != 0)
    often = {"moved": float(moved.mean()), "hole": float(found["hole"].mean())}
    assert often == {name: pytest.approx(share, abs=0.1) for name in often}


def test_pictures_are_moved_by_an_eighth_at_most_and_black_comes_in() -> None:
    """Up and to the left are positive, each in its own side's eighths."""
    picture = torch.rand((3, 3, 24, 40), generator=torch.Generator().manual_seed(0))
    down, across = torch.tensor([1.0, -1.0, 0.4]), torch.tensor([-1.0, 0.59, 0.0])
    made = module._translate(picture, down, across)
    for number, (y, x) in enumerate(((3, -5), (-3, 3), (1, 0))):
        wanted = np.zeros((3, 24, 40), np.float32)
        for row in range(24):
            for column in range(40):
                if 0 <= row + y < 24 and 0 <= column + x < 40:
                    wanted[:, row, column] = picture[number, :, row + y, column + x]
        np.testing.assert_array_equal(made[number], wanted)


def test_a_hole_has_half_of_both_sides_unless_it_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_translate", lambda x, *_: x)
    torch.manual_seed(1)
    dark = (augment(halves(500, 32, 48), 1.0) == 0).all(1)
    sides = []
    for one in dark:
        rows, columns = one.any(1), one.any(0)
        np.testing.assert_array_equal(one, rows[:, None] & columns)
        for line in (rows, columns):  # in one piece
            assert line.diff(prepend=torch.tensor([False])).sum() in (1, 2)
        sides.append([int(rows.sum()) / 32, int(columns.sum()) / 48])
    assert np.min(sides) >= 0.25 and np.max(sides) <= 0.5 + 1 / 32
    # around a place anywhere: the half of them that is near a border has 3/8 on average
    np.testing.assert_allclose(np.mean(sides, 0), (0.5 + 0.375) / 2, atol=0.02)
    corners = dark[:, [0, 0, -1, -1], [0, -1, 0, -1]].float().mean(0)
    np.testing.assert_allclose(corners, 1 / 16, atol=0.04)


def test_the_gradient_is_that_of_the_change() -> None:
    """Which is a sum and products: a difference of any size shows its slope."""
    generator = torch.Generator().manual_seed(0)
    x, other, weights = torch.rand((3, 4, 3, 16, 24), generator=generator, dtype=torch.double)

    def made(pictures: Tensor) -> Tensor:
        torch.manual_seed(5)
        return (augment(pictures, 1.0) * weights).sum((1, 2, 3))

    x.requires_grad_(True)
    (slope,) = torch.autograd.grad(made(x).sum(), x)
    wanted = made(x + other) - made(x)
    np.testing.assert_allclose((slope * other).sum((1, 2, 3)), wanted.detach(), rtol=1e-9)
    assert (slope.abs().amax((1, 2, 3)) > 0.1).all()


# --- how often -------------------------------------------------------------------------------

SURE = torch.full((100,), 3.0), torch.full((100,), 1.0)


def test_the_share_rises_when_the_discriminator_is_sure_and_falls_when_not() -> None:
    """By a 20,000th for each picture, once nine tenths, nine times, leave less than 0.4."""
    found = AugmentationShare("adaptive")
    shares = []
    for _ in range(20):
        found.update(*SURE)
        shares.append(found.share)
    np.testing.assert_allclose(shares, [0] * 8 + [0.005 * n for n in range(1, 13)], atol=1e-9)
    unsure = torch.cat((SURE[0][:60], SURE[1][:40]))  # 0.2 more right than wrong
    for _ in range(20):
        found.update(unsure, 4 - unsure)
    assert found.share < shares[-1]
    for _ in range(400):
        found.update(*SURE)
        assert 0 <= found.share <= 1
    assert found.share == 1
    for _ in range(400):
        found.update(*reversed(SURE))
        assert 0 <= found.share <= 1
    assert found.share == 0


def test_logits_of_patches_and_of_any_height_count_alike() -> None:
    for off in (0.0, 50.0):
        found = AugmentationShare("adaptive")
        for _ in range(9):
            found.update(SURE[0].view(10, 10) + off, SURE[1].view(10, 10) + off)
        assert found.share == pytest.approx(10 / 20_000)


@pytest.mark.parametrize(("kind", "share"), [("none", 0), ("diffaugment", 1)])
def test_others_do_not_adapt(kind: str, share: float) -> None:
    found = AugmentationShare(kind)
    for _ in range(20):
        found.update(*SURE)
    assert found.share == share


def test_a_checkpoint_holds_all_of_it() -> None:
    found, other = AugmentationShare("adaptive"), AugmentationShare("adaptive")
    for _ in range(15):
        found.update(*SURE)
    other.load_state_dict(found.state_dict())
    for _ in range(5):
        found.update(*reversed(SURE))
        other.update(*reversed(SURE))
        assert found.state_dict() == other.state_dict()
    assert 0 < other.share < 0.1
