"""Patches to train an upscaler on, and what they look like small."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from blobs import HELD_OUT
from limner.nn import seeding
from limner.upscaling.dataset import DEGRADATIONS, Degradation, Patches, degrade, shrink

BICUBIC = Image.Resampling.BICUBIC
CLEAN = DEGRADATIONS["clean"]


def eight_bits(picture: torch.Tensor) -> np.ndarray:
    """[3, H, W] in 0..1 → [H, W, 3] in 0..255."""
    values = picture.double().numpy().transpose(1, 2, 0) * 255
    np.testing.assert_allclose(values, values.round(), atol=1e-4)
    return values.round().astype(np.uint8)


def shrunk(small: torch.Tensor, pixels: np.ndarray) -> None:
    """Is it [H, W, 3] in 0..255 after Pillow's BICUBIC, rounded once, at the end?"""
    size = (small.shape[2], small.shape[1])
    for found, plane in zip(eight_bits(small).transpose(2, 0, 1), pixels.T, strict=True):
        exact = np.asarray(Image.fromarray(plane.T.astype(np.float32)).resize(size, BICUBIC))
        np.testing.assert_allclose(found, exact.clip(0, 255), rtol=0, atol=0.502)


# --- patches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_small_patch_is_the_large_one_shrunk(photos: Path, scale: int) -> None:
    small, large, _ = Patches([photos], 16, scale, CLEAN).batch(6, seeding.generator(0, 0))
    assert small.shape == (6, 3, 16, 16) and large.shape == (6, 3, 16 * scale, 16 * scale)
    for one, whole in zip(small, large, strict=True):
        shrunk(one, eight_bits(whole))


@pytest.mark.parametrize(("height", "width", "scale"), [(40, 60, 2), (41, 62, 3), (39, 47, 4)])
def test_shrinking_is_pillow_s(height: int, width: int, scale: int) -> None:
    """Of noise, which overshoots black and white on the way."""
    pixels = np.random.default_rng(scale).integers(0, 256, (height, width, 3), dtype=np.uint8)
    planes = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / np.float32(255))
    shrunk(shrink(planes, scale)[0], pixels)


def test_the_same_generator_gives_the_same_patches(photos: Path) -> None:
    patches = Patches([photos], 16, 2, CLEAN)
    first, again, other = (
        patches.batch(4, seeding.generator(0, step))[1].numpy() for step in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_patches_are_cut_anywhere_turned_and_mirrored(tmp_path: Path) -> None:
    """Out of a picture whose red is the column and whose green is the row."""
    height, width, side = 50, 70, 32
    y, x = np.mgrid[:height, :width]
    Image.fromarray(np.stack([x, y, 0 * x], 2).astype(np.uint8)).save(tmp_path / "0.png")
    _, large, _ = Patches([tmp_path], 16, 2, CLEAN).batch(1500, seeding.generator(0, 0))
    ways, columns, rows = [], set(), set()
    for patch in (large * 255).round().int().numpy():
        red, green, blue = patch
        turned = red[0, 0] == red[0, 1]
        red, green = (red.T, green.T) if turned else (red, green)
        signs = (int(red[0, 1] - red[0, 0]), int(green[1, 0] - green[0, 0]))
        left, top = int(red.min()), int(green.min())
        across, down = (np.arange(side)[::sign] for sign in signs)
        np.testing.assert_array_equal(red, np.tile(left + across, (side, 1)))
        np.testing.assert_array_equal(green, np.tile(top + down, (side, 1)).T)
        assert not blue.any()
        ways.append((bool(turned), *signs))
        columns.add(left)
        rows.add(top)
    counts = [ways.count((turned, a, b)) for turned in (0, 1) for a in (-1, 1) for b in (-1, 1)]
    assert sum(counts) == 1500 and min(counts) > 130 and max(counts) < 250  # 187.5 ± 13
    assert columns == set(range(width - side + 1)) and rows == set(range(height - side + 1))


def test_large_pictures_give_more_and_held_out_ones_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (100, 0, 0)).save(tmp_path / "0.png")
    Image.new("RGB", (64, 192), (200, 0, 0)).save(tmp_path / "1.png")
    Image.new("RGB", (300, 300), (0, 255, 0)).save(tmp_path / HELD_OUT[0])
    Image.new("RGB", (300, 31), (0, 255, 0)).save(tmp_path / "2.png")  # too small
    _, large, _ = Patches([tmp_path], 16, 2, CLEAN).batch(1000, seeding.generator(0, 0))
    reds = (large[:, 0, 0, 0] * 255).round().numpy()
    assert set(reds.tolist()) == {100, 200} and large[:, 1:].max() == 0
    assert (reds == 200).mean() == pytest.approx(3 / 4, abs=0.05)  # ± 0.014


def test_each_small_patch_has_its_own_share_of_wear(photos: Path) -> None:
    """The large ones stay as they are, and the small ones are no longer clean."""
    wear = Degradation(noise=20)
    small, large, _ = Patches([photos], 16, 2, wear).batch(8, seeding.generator(0, 0))
    random = seeding.generator(0, 0)
    clean, same, _ = Patches([photos], 16, 2, CLEAN).batch(8, random)
    np.testing.assert_array_equal(large, same)
    wanted = [degrade(one[None], wear, random)[0].numpy() for one in clean]
    np.testing.assert_array_equal(small, np.stack(wanted))
    off = ((small - clean) * 255).square().mean((1, 2, 3)).sqrt()
    assert len(set(off.round().tolist())) > 4 and off.max() > 2 * off.min()


def test_the_target_of_a_teacher_lies_over_the_original(photos: Path) -> None:
    """A teacher that paints the picture's place: patches are cut at whole small pixels."""
    calls = []

    def teacher(small: torch.Tensor) -> torch.Tensor:
        calls.append(tuple(small.shape))
        negative = 1 - torch.nn.functional.interpolate(small, scale_factor=4.0, mode="nearest")
        return (negative * 255).round().byte()

    patches = Patches([photos], 16, 4, CLEAN, teacher)
    small, large, target = patches.batch(40, seeding.generator(0, 0))
    assert large.shape == target.shape == (40, 3, 64, 64)
    means = torch.nn.functional.avg_pool2d(target, 4)
    # away from the border, the small patch is the small picture
    np.testing.assert_allclose((means + small)[..., 2:-2, 2:-2], 1, atol=1.01 / 255)
    trained_on = {path.name for path in photos.iterdir()} - {*HELD_OUT}
    assert 1 < len(calls) <= len(trained_on) < 40  # once for each picture, not for each patch
    _, large, target = Patches([photos], 16, 4, CLEAN).batch(4, seeding.generator(0, 0))
    np.testing.assert_array_equal(target, large)


# --- what small pictures have been through ---------------------------------------------------


def noisy(seed: int, height: int = 20, width: int = 28) -> np.ndarray:
    """[H, W, 3] in 0..255."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def worn(pixels: np.ndarray, degradation: Degradation, step: int) -> np.ndarray:
    """[H, W, 3] in 0..255, before and after."""
    small = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / np.float32(255))
    return eight_bits(degrade(small, degradation, seeding.generator(0, step))[0])


def drawn(step: int) -> list[float]:
    """Shares of blur, noise and loss that chance gives at a step."""
    return torch.rand(3, generator=seeding.generator(0, step)).tolist()


def blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian, four pixels to each side; beyond the border its last pixels go on."""
    places = np.arange(-4, 5)
    share = np.exp(-(places[:, None] ** 2 + places**2) / (2 * sigma**2))
    padded = np.pad(pixels.astype(float), ((4, 4), (4, 4), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), (0, 1))
    return np.einsum("yxcij,ij->yxc", windows, share / share.sum())


def saved(pixels: np.ndarray, quality: int) -> np.ndarray:
    """What is left of it after Pillow's JPEG."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_what_pictures_are_for() -> None:
    assert DEGRADATIONS.keys() == {"clean", "web", "paintings", "drawings", "camera", "worn"}
    assert Degradation() == CLEAN
    web, paintings = DEGRADATIONS["web"], DEGRADATIONS["paintings"]
    assert paintings.blur > web.blur > 0 and web.noise > paintings.noise > 0


def test_clean_pictures_stay_as_they_are() -> None:
    for step in range(5):
        np.testing.assert_array_equal(worn(noisy(step), CLEAN, step), noisy(step))


def test_blur_is_gaussian() -> None:
    sigmas = []
    for step in range(8):
        sigma = drawn(step)[0] * 1.5
        found = worn(noisy(step), Degradation(blur=1.5), step)
        wanted = blurred(noisy(step), sigma) if sigma > 0.1 else noisy(step)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=0.502)
        sigmas.append(sigma)
    assert min(sigmas) < 0.3 and max(sigmas) > 1.2


def test_hardly_any_blur_is_none() -> None:
    steps = [step for step in range(60) if drawn(step)[0] < 0.1]
    assert len(steps) > 2
    for step in steps:
        np.testing.assert_array_equal(worn(noisy(0), Degradation(blur=1), step), noisy(0))


def test_noise_has_the_deviation_that_chance_gives() -> None:
    """Of any size up to the most; its mean is none, and neighbours know nothing of each other."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    deviations = []
    for step in range(150):
        noise = worn(grey, Degradation(noise=20), step) - 128.0
        wanted = np.hypot(drawn(step)[1] * 20, np.sqrt(1 / 12))  # rounding to 8 bits adds its own
        if wanted > 1:  # below, rounding is more than noise
            assert noise.std() == pytest.approx(wanted, rel=0.035)  # ± 0.64 %
        assert abs(noise.mean()) < 5 * 20 / 64 / np.sqrt(3)
        deviations.append(noise.std())
    assert np.mean(deviations) == pytest.approx(10, abs=1.9)  # ± 0.47
    assert min(deviations) < 1 and 19 < max(deviations) < 20.7
    strong = worn(grey, Degradation(noise=20), int(np.argmax(deviations))) - 128.0
    for other in (np.roll(strong, 1, 0), np.roll(strong, 1, 1), np.roll(strong, 1, 2)):
        assert abs((strong * other).mean()) < 0.05 * strong.var()  # ± 0.009


def test_jpeg_is_pillow_s_at_the_quality_that_chance_gives(photos: Path) -> None:
    pixels = np.asarray(Image.open(photos / "0.png").resize((40, 30)))
    qualities = []
    for step in range(12):
        quality = round(20 + 70 * drawn(step)[2])
        found = worn(pixels, Degradation(jpeg=(20, 90)), step)
        np.testing.assert_array_equal(found, saved(pixels, quality))
        assert (found != saved(pixels, quality + 5)).any()
        qualities.append(quality)
    assert min(qualities) < 35 and max(qualities) > 75
    fixed = worn(pixels, Degradation(jpeg=(60, 60)), 0)
    np.testing.assert_array_equal(fixed, saved(pixels, 60))


def test_blur_comes_first_and_jpeg_last() -> None:
    wear = Degradation(blur=1.5, noise=30, jpeg=(30, 60))
    for step in range(4):
        random = seeding.generator(0, step)
        blur, noise, loss = torch.rand(3, generator=random).tolist()
        grain = torch.randn((1, 3, 20, 28), generator=random)[0].numpy().transpose(1, 2, 0)
        soft = blurred(noisy(step), blur * 1.5) + grain * noise * 30
        wanted = saved(soft.clip(0, 255).round().astype(np.uint8), round(30 + loss * 30))
        off = np.abs(worn(noisy(step), wear, step) - wanted.astype(float))
        assert off.mean() < 0.1  # none, but where the last bit of a sum rounds the other way


@pytest.mark.parametrize(
    "wear",
    [*DEGRADATIONS.values(), Degradation(blur=3, noise=90, jpeg=(5, 95)), Degradation(3, 90)],
)
def test_what_comes_out_has_8_bits(wear: Degradation) -> None:
    """Of black and white, which noise goes beyond; what goes in is left as it was."""
    pixels = np.where(noisy(1) < 128, 0, 255).astype(np.float32)
    small = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / 255)
    before = small.clone()
    for step in range(10):
        found = degrade(small, wear, seeding.generator(0, step))
        assert found.shape == small.shape and found.dtype == torch.float32
        assert found.min() >= 0 and found.max() <= 1
        eight_bits(found[0])
    np.testing.assert_array_equal(small, before)


def test_film_has_gray_noise_and_dust_covers_little() -> None:
    gray = np.full((64, 64, 3), 128, np.uint8)
    film = worn(gray, Degradation(noise=40, film=1), 0) - 128.0
    assert film.std() > 2 and (film == film[..., :1]).all()
    covered = [worn(gray, Degradation(dust=1), step) != gray for step in range(20)]
    shares = [where.all(axis=2).mean() for where in covered]
    assert min(shares) > 0 and max(shares) < 0.1


def test_jagged_patches_leave_pixels_out(photos: Path) -> None:
    small, large, _ = Patches([photos], 16, 4, Degradation(jagged=1)).batch(
        20, seeding.generator(0, 0)
    )
    places = set()
    for one, whole in zip(small, large, strict=True):
        same = [place for place in range(4) if (whole[:, place::4, place::4] == one).all()]
        assert same
        places |= set(same)
    assert places == {0, 1, 2, 3}


def test_wear_comes_as_often_as_stated() -> None:
    pixels = noisy(0)
    for share in (0.25, 0.75):
        wear = Degradation(jpeg=(20, 20), clean=share)
        same = [(worn(pixels, wear, step) == pixels).all() for step in range(200)]
        assert np.mean(same) == pytest.approx(share, abs=0.12)  # ± 0.031
    once, twice = Degradation(jpeg=(40, 40)), Degradation(jpeg=(40, 40), twice=0.5)
    other = [(worn(pixels, twice, n) != worn(pixels, once, n)).any() for n in range(60)]
    assert 0.3 < np.mean(other) < 0.9


def test_the_same_generator_gives_the_same_wear() -> None:
    for wear in (DEGRADATIONS["web"], DEGRADATIONS["paintings"], DEGRADATIONS["worn"]):
        first, again, other = (worn(noisy(0), wear, step) for step in (5, 5, 6))
        np.testing.assert_array_equal(first, again)
        assert (first != other).mean() > 0.2
