"""Training an upscaler: patches, scores, averages, and a run of a few steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from limner import training, weights
from limner.errors import InputError, OptionError
from limner.progress import Progress, Stop
from limner.upscaling import models
from limner.upscaling.network import Compact
from limner.upscaling.train import Patches, psnr, smaller, train_upscaler
from stopping import until

BICUBIC = Image.Resampling.BICUBIC
HELD_OUT = ("10.png", "11.png")  # their sha256 begins with a multiple of ten


def blobs(seed: int, side: int, grain: int, dark: int = 2) -> Image.Image:
    """Soft spots of colour, with hard stripes across where `dark` is more than 1."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (grain, grain, 3), dtype=np.uint8)
    soft = np.array(Image.fromarray(coarse).resize((side, side), BICUBIC))
    y, x = np.mgrid[:side, :side]
    soft[(x * (seed + 1) + 3 * y) % 37 < 15] //= dark
    return Image.fromarray(soft)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(4):
        blobs(number, 300, 20).save(folder / f"{number}.png")
    for number, name in enumerate(HELD_OUT):  # one softer than the other
        blobs(10 + number, 300, 40, 1 + number).save(folder / name)
    return folder


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
    small, large = Patches([photos], 16, scale).batch(6, training.generator(0, 0))
    assert small.shape == (6, 3, 16, 16) and large.shape == (6, 3, 16 * scale, 16 * scale)
    for one, whole in zip(small, large, strict=True):
        shrunk(one, eight_bits(whole))


@pytest.mark.parametrize(("height", "width", "scale"), [(40, 60, 2), (41, 62, 3), (39, 47, 4)])
def test_shrinking_is_pillow_s(height: int, width: int, scale: int) -> None:
    """Of noise, which overshoots black and white on the way."""
    pixels = np.random.default_rng(scale).integers(0, 256, (height, width, 3), dtype=np.uint8)
    planes = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / np.float32(255))
    shrunk(smaller(planes, scale)[0], pixels)


def test_the_same_generator_gives_the_same_patches(photos: Path) -> None:
    patches = Patches([photos], 16, 2)
    first, again, other = (
        patches.batch(4, training.generator(0, step))[1].numpy() for step in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_patches_are_cut_anywhere_turned_and_mirrored(tmp_path: Path) -> None:
    """Out of a picture whose red is the column and whose green is the row."""
    height, width, side = 50, 70, 32
    y, x = np.mgrid[:height, :width]
    Image.fromarray(np.stack([x, y, 0 * x], 2).astype(np.uint8)).save(tmp_path / "0.png")
    _, large = Patches([tmp_path], 16, 2).batch(1500, training.generator(0, 0))
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
    _, large = Patches([tmp_path], 16, 2).batch(1000, training.generator(0, 0))
    reds = (large[:, 0, 0, 0] * 255).round().numpy()
    assert set(reds.tolist()) == {100, 200} and large[:, 1:].max() == 0
    assert (reds == 200).mean() == pytest.approx(3 / 4, abs=0.05)  # ± 0.014


# --- scores ----------------------------------------------------------------------------------


def luma(pixels: np.ndarray) -> np.ndarray:
    """BT.601 of [H, W, 3] in 0..255, as MATLAB's rgb2ycbcr: 16..235."""
    red, green, blue = np.moveaxis(pixels.astype(float), 2, 0)
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def decibels(ours: np.ndarray, theirs: np.ndarray, border: int) -> float:
    """Of [H, W, 3] in 0..255."""
    off = (luma(ours) - luma(theirs))[border:-border, border:-border]
    return float(10 * np.log10(255**2 / np.mean(off**2)))


def test_psnr_by_hand() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (2, 20, 30, 3))
    ours, theirs = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255).float()[:, None]
    for border in (1, 4):
        wanted = decibels(pixels[0], pixels[1], border)
        assert psnr(ours, theirs, border) == pytest.approx(wanted, abs=1e-4)


def test_psnr_of_known_pictures() -> None:
    grey = torch.full((1, 3, 16, 16), 100 / 255)
    assert psnr(grey, grey, 2) == pytest.approx(100)
    # a step in 8 bits is 219/255 of one in luma: 20 log10(255² / 219) = 49.453 dB
    assert psnr(grey + 1 / 255, grey, 2) == pytest.approx(49.453, abs=1e-3)
    assert psnr(grey + 0.4 / 255, grey, 2) == pytest.approx(100)  # rounded off
    # white on black: 20 log10(255 / 219) = 1.322 dB, and no more beyond white
    black, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    assert psnr(3 * white, black, 2) == pytest.approx(1.322, abs=1e-3)
    framed = black.clone()
    framed[..., :2, :] = framed[..., -2:] = 1
    assert psnr(framed, black, 2) == pytest.approx(100)
    assert psnr(framed, black, 1) < 20
    green = torch.tensor([0, 1, 0])[None, :, None, None] / 255 + grey
    assert psnr(green, grey, 2) == pytest.approx(20 * np.log10(255**2 / 128.553), abs=1e-3)


# --- the average, and how weights begin ------------------------------------------------------


@pytest.mark.parametrize("decay", [0.999, 0.5])
def test_the_average_is_its_recursion(decay: float) -> None:
    network = Compact(8, 1, 2).double()
    average = training.Average(network, decay)
    random = np.random.default_rng(0)
    wanted = {key: value.numpy().copy() for key, value in network.state_dict().items()}
    for step in range(1, 21):
        share = min(decay, step / (9 + step))
        for key, value in network.state_dict().items():
            new = random.normal(size=tuple(value.shape))
            value.copy_(torch.from_numpy(new))
            wanted[key] = share * wanted[key] + (1 - share) * new
        average.update(network)
        for key, value in average.state.items():
            np.testing.assert_allclose(value, wanted[key], rtol=1e-12, atol=1e-12)


def test_inner_layers_begin_as_the_identity_and_half_of_what_they_were() -> None:
    torch.manual_seed(0)
    network = Compact(8, 2, 2).requires_grad_(False)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.begin()
    after = network.state_dict()
    x = torch.randn((1, 8, 9, 9))
    for layer in ("body.2.weight", "body.4.weight"):
        found, was = (F.conv2d(x, state[layer], padding=1) for state in (after, before))
        np.testing.assert_allclose(found, x + was / 2, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(after["body.6.weight"], before["body.6.weight"] / 10, rtol=1e-6)
    for key in before.keys() - {"body.2.weight", "body.4.weight", "body.6.weight"}:
        np.testing.assert_array_equal(after[key], before[key], err_msg=key)


# --- training --------------------------------------------------------------------------------


def train(run: Path, photos: Path, **options: Any) -> dict[str, float]:
    return train_upscaler([photos], run, **{"batch_size": 2, "size": 16, "scale": 2} | options)


def stopped(run: Path, photos: Path, step: int, **options: Any) -> list[Progress]:
    told: list[Progress] = []
    with pytest.raises(Stop):
        train(run, photos, on_step=until(step, told), **options)
    return told


def test_the_loss_falls(tmp_path: Path, photos: Path) -> None:
    # the rate rises over 200 steps, so it is set high to be felt in 40
    told = stopped(tmp_path, photos, 40, steps=40, batch_size=4, learning_rate=0.02)
    losses = np.array([progress.loss for progress in told])
    assert [progress.step for progress in told] == list(range(1, 41))
    assert {progress.steps for progress in told} == {40} and told[-1].share == 1
    assert losses[-8:].mean() < 0.8 * losses[:8].mean()


def test_what_is_written_is_an_upscaler_and_its_scores_are_true(
    tmp_path: Path, photos: Path
) -> None:
    """Both scores again, in NumPy and Pillow, over the middles of the held-out pictures."""
    # at this rate the last weights alone would score 0.5 dB otherwise than the average
    scores = train(tmp_path, photos, steps=5, scale=3, seed=5, learning_rate=1.0)
    about = weights.describe(tmp_path / "model.safetensors")
    found = (about["kind"], about["scale"], about["receptive_radius"])
    assert found == ("upscaler", "3", "10") and '"seed": 5' in about["training"]
    network = models.load(tmp_path / "model.safetensors", torch.device("cpu"))
    assert isinstance(network, Compact) and (network.scale, network.radius) == (3, 10)
    assert len(network.body) == 19 and len(network.body[0].weight) == 32
    by_hand: dict[str, list[float]] = {"psnr": [], "bicubic": []}
    for name in HELD_OUT:
        large = Image.open(photos / name).crop((22, 22, 277, 277))  # 255: the most of 256 in 3
        small = large.resize((85, 85), BICUBIC)
        bicubic = np.asarray(small.resize((255, 255), BICUBIC))
        planes = torch.from_numpy(np.array(small).transpose(2, 0, 1)[None]).float() / 255
        ours = (network(planes)[0].numpy().transpose(1, 2, 0).clip(0, 1) * 255).round()
        for key, enlarged in (("psnr", ours), ("bicubic", bicubic)):
            by_hand[key].append(decibels(enlarged, np.asarray(large), 3))
    assert np.ptp(by_hand["bicubic"]) > 1  # so that a mean of errors would be another number
    assert scores.keys() == by_hand.keys()
    for key, values in by_hand.items():
        assert scores[key] == pytest.approx(np.mean(values), abs=0.05)


def test_the_result_is_the_average_of_all_steps(tmp_path: Path, photos: Path) -> None:
    """From checkpoints of every step: the recursion in NumPy, then half precision."""
    checkpoints: list[dict[str, Any]] = []

    def on_step(progress: Progress) -> None:
        checkpoints.append(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
        assert checkpoints[-1]["step"] == progress.step

    train(tmp_path, photos, steps=6, save_every=1, learning_rate=0.1, on_step=on_step)
    wanted = {key: value.double().numpy() for key, value in checkpoints[0]["average"].items()}
    for number, checkpoint in enumerate(checkpoints[1:], 2):
        for key, value in checkpoint["network"].items():
            share = number / (number + 9)
            wanted[key] = share * wanted[key] + (1 - share) * value.double().numpy()
    state = weights.read(tmp_path / "model.safetensors")
    assert state.keys() == wanted.keys() and len(checkpoints) == 6
    for key, value in state.items():
        np.testing.assert_allclose(value, wanted[key], rtol=1e-3, atol=1e-6, err_msg=key)
        assert np.abs(wanted[key] - checkpoints[-1]["network"][key].numpy()).max() > 1e-4


def test_the_same_seed_gives_the_same_network(tmp_path: Path, photos: Path) -> None:
    states = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        stopped(tmp_path / name, photos, 3, steps=3, seed=seed)
        states.append(weights.read(tmp_path / name / "model.safetensors"))
    for key, tensor in states[0].items():
        np.testing.assert_array_equal(tensor, states[1][key])
    assert (states[0]["body.0.weight"] - states[2]["body.0.weight"]).abs().max() > 0.01


def test_resuming_gives_the_same_bits(tmp_path: Path, photos: Path) -> None:
    """A run stopped after its fourth step goes on from the checkpoint of its third."""
    options = {"steps": 6, "save_every": 3}
    stopped(tmp_path / "whole", photos, 6, **options)
    stopped(tmp_path / "broken", photos, 4, **options)
    with pytest.raises(OptionError, match="--scale 3: this run was started with 2"):
        train(tmp_path / "broken", photos, **options, resume=True, scale=3)
    torch.rand(5)  # what else draws numbers does not matter
    told = stopped(tmp_path / "broken", photos, 6, **options, resume=True)
    assert [progress.step for progress in told] == [4, 5, 6]
    whole, broken = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        for name in ("whole", "broken")
    )
    assert whole["step"] == broken["step"] == 6
    for part in ("network", "average"):
        assert whole[part].keys() == broken[part].keys()
        for key, tensor in whole[part].items():
            np.testing.assert_array_equal(tensor, broken[part][key], err_msg=key)
    for number, moments in whole["optimiser"]["state"].items():
        for key, tensor in moments.items():
            np.testing.assert_array_equal(tensor, broken["optimiser"]["state"][number][key])
    models_ = [weights.read(tmp_path / n / "model.safetensors") for n in ("whole", "broken")]
    for key, tensor in models_[0].items():
        np.testing.assert_array_equal(tensor, models_[1][key])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": 1}, "--scale 1: must be one of 2, 3, 4"),
        ({"scale": 5}, "--scale 5: must be one of 2, 3, 4"),
        ({"quality": "finest"}, "--quality finest: must be one of fast, best"),
        ({"size": 15}, "--size 15: must be at least 16 pixels"),
        ({"steps": 0}, "--steps, --batch-size and --save-every: must be at least 1"),
        ({"batch_size": 0}, "--steps, --batch-size and --save-every: must be at least 1"),
        ({"save_every": 0}, "--steps, --batch-size and --save-every: must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused(
    tmp_path: Path, photos: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(OptionError) as raised:
        train(tmp_path / "run", photos, **options)
    assert str(raised.value) == says and not (tmp_path / "run").exists()


def test_folders_that_give_too_little_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(InputError, match=r"p: holds no picture of at least 32×32 pixels$"):
        train(tmp_path / "a", tmp_path / "p", steps=1)
    blobs(0, 64, 8).save(tmp_path / "p" / "0.png")
    with pytest.raises(InputError, match="of at least 256×256 pixels among the tenth held out"):
        train(tmp_path / "b", tmp_path / "p", steps=1)
