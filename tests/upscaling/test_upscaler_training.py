"""Training an upscaler: averages, and runs of a few steps in one stage and in two."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from blobs import HELD_OUT, blobs
from likeness import decibels, similarity
from limner.errors import InputError, OptionError, WeightsError
from limner.nn import seeding, weights
from limner.progress import Progress, Stop
from limner.train import optim
from limner.upscaling import models
from limner.upscaling import train as module
from limner.upscaling.compact import SHAPES, Compact
from limner.upscaling.dataset import DEGRADATIONS, Patches, degrade
from limner.upscaling.train import train_upscaler
from stopping import same, until

BICUBIC = Image.Resampling.BICUBIC


def test_the_options_of_a_run_name_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, object]] = []

    def begin(training: str, folder: Path, options: dict[str, object], **_: object) -> None:
        begun.append(options)
        raise Stop

    monkeypatch.setattr(module, "Run", begin)
    teacher, init = "/zaphod/teacher.pth", Path("/zaphod/init.pth")
    with pytest.raises(Stop):
        train_upscaler([Path("/zaphod/photos")], tmp_path, teacher=teacher, init=init)
    assert "zaphod" not in str(begun)
    assert begun[0]["teacher"] == "teacher.pth" and begun[0]["init"] == "init.pth"


# --- the average, and how weights begin ------------------------------------------------------


@pytest.mark.parametrize("decay", [0.999, 0.5])
def test_the_average_is_its_recursion(decay: float) -> None:
    network = Compact(8, 1, 2).double()
    average = optim.EMA(network, decay)
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
    network.initialize()
    after = network.state_dict()
    x = torch.randn((1, 8, 9, 9))
    for layer in ("body.2.weight", "body.4.weight"):
        found, was = (F.conv2d(x, state[layer], padding=1) for state in (after, before))
        np.testing.assert_allclose(found, x + was / 2, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(after["body.6.weight"], before["body.6.weight"] / 10, rtol=1e-6)
    for key in before.keys() - {"body.2.weight", "body.4.weight", "body.6.weight"}:
        np.testing.assert_array_equal(after[key], before[key], err_msg=key)


# --- training --------------------------------------------------------------------------------

TWO_STAGES = {"steps": 3, "perceptual_steps": 3, "save_every": 2, "scale": 3, "learning_rate": 0.5}


def train(run: Path, photos: Path, **options: Any) -> dict[str, float]:
    return train_upscaler([photos], run, **{"batch_size": 2, "size": 16, "scale": 2} | options)


def stopped(run: Path, photos: Path, step: int, **options: Any) -> list[Progress]:
    told: list[Progress] = []
    with pytest.raises(Stop):
        train(run, photos, on_step=until(step, told), **options)
    return told


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A run of two stages, and its scores."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    return run, train(run, photos, **TWO_STAGES)


def untrained(scale: int, quality: str = "fast", seed: int = 0) -> Compact:
    torch.manual_seed(seed)
    network = Compact(*SHAPES[quality], scale, smooth=True)
    network.initialize()
    return network.requires_grad_(False)


def kept(path: Path, network: Compact) -> Path:
    """In single precision."""
    weights.write(path, network.state_dict(), {"kind": "upscaler"})
    return path


def first_batch(patches: Patches, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first batch of two; each has random numbers of its own."""
    one, other = (patches.batch(1, seeding.generator(seed, item)) for item in (0, 1))
    return torch.cat((one[0], other[0])), torch.cat((one[1], other[1]))


def test_the_loss_falls(tmp_path: Path, photos: Path) -> None:
    # the rate rises over 200 steps, so it is set high to be felt in 40
    told = stopped(tmp_path, photos, 40, steps=40, batch_size=4, learning_rate=0.02, seed=1)
    losses = np.array([progress.loss for progress in told])
    assert [progress.step for progress in told] == list(range(1, 41))
    assert {progress.steps for progress in told} == {40} and told[-1].share == 1
    assert losses[-8:].mean() < 0.8 * losses[:8].mean()


@pytest.mark.parametrize("for_", ["clean", "web", "paintings", "drawings", "camera", "worn"])
def test_the_first_loss_is_of_the_first_patches(tmp_path: Path, photos: Path, for_: str) -> None:
    """As what they are for has them."""
    (told,) = stopped(tmp_path, photos, 1, steps=9, seed=3, for_=for_)
    patches = Patches([photos], 16, 2, DEGRADATIONS[for_])
    small, large = first_batch(patches, seed=3)
    off = np.abs(untrained(2, seed=3)(small).numpy() - large.numpy()).mean()
    assert told.loss == pytest.approx(off, rel=1e-5)


Enlarge = Callable[[np.ndarray], np.ndarray]


def scored(photos: Path, enlarge: Enlarge, for_: str, scale: int = 3) -> dict[str, float]:
    """Both scores in NumPy and Pillow, over the middles of the held-out pictures."""
    found: dict[str, list[float]] = {"psnr": [], "ssim": []}
    for number, name in enumerate(HELD_OUT):
        large = Image.open(photos / name).crop((22, 22, 277, 277))  # 255: the most of 256 in 3
        small = np.array(large.resize((85, 85), BICUBIC))
        if for_ != "clean":
            random = seeding.generator(0, number)
            small = pixels(degrade(planes(small), DEGRADATIONS[for_], random))
        for key, score in (("psnr", decibels), ("ssim", similarity)):
            found[key].append(score(enlarge(small), np.asarray(large), scale))
    assert np.ptp(found["psnr"]) > 0.5  # so that a mean of errors would be another number
    return {key: float(np.mean(values)) for key, values in found.items()}


def planes(picture: np.ndarray) -> torch.Tensor:
    """[H, W, 3] in 0..255 → [1, 3, H, W] in 0..1."""
    return torch.from_numpy(picture.transpose(2, 0, 1)[None]).float() / 255


def pixels(picture: torch.Tensor) -> np.ndarray:
    """And back, rounded."""
    return (picture[0].numpy().transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8)


def of_weights(path: Path) -> Enlarge:
    network = models.load(path, torch.device("cpu"))
    return lambda small: pixels(network(planes(small)))


def bicubic(small: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(small).resize((255, 255), BICUBIC))


def test_the_scores_are_true(photos: Path, whole: tuple[Path, dict[str, float]]) -> None:
    run, scores = whole
    ways = {
        "": of_weights(run / "model.safetensors"),
        "bicubic ": bicubic,
        "inventive ": of_weights(run / "inventive.safetensors"),
    }
    assert len(scores) == 6
    for of, enlarge in ways.items():
        for key, value in scored(photos, enlarge, "clean").items():
            assert scores[of + key] == pytest.approx(value, abs=0.05 if key == "psnr" else 5e-4)
    assert abs(scores["psnr"] - scores["inventive psnr"]) > 0.03  # told apart


def test_scores_are_of_what_the_network_is_for(
    tmp_path: Path, photos: Path, whole: tuple[Path, dict[str, float]]
) -> None:
    """Pictures off the web; and one stage alone makes one file."""
    scores = train(tmp_path, photos, steps=1, scale=3, for_="web")
    ways = {"": of_weights(tmp_path / "model.safetensors"), "bicubic ": bicubic}
    assert len(scores) == 4
    for of, enlarge in ways.items():
        for key, value in scored(photos, enlarge, "web").items():
            assert scores[of + key] == pytest.approx(value, abs=0.05 if key == "psnr" else 5e-4)
    assert whole[1]["bicubic psnr"] - scores["bicubic psnr"] > 0.2
    assert whole[1]["bicubic ssim"] - scores["bicubic ssim"] > 0.01
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith("events")}
    assert names == {"checkpoint.pt", "model.safetensors", "options.json", "pixels.csv"}


def test_what_is_written_are_upscalers(whole: tuple[Path, dict[str, float]]) -> None:
    run, _ = whole
    states = []
    for name in ("model", "inventive"):
        about = weights.describe(run / f"{name}.safetensors")
        found = (about["kind"], about["scale"], about["receptive_radius"], about["recipe"])
        recipe = "recipes/upscaler-fast-x3" + ("" if name == "model" else "-inventive") + ".md"
        assert found == ("upscaler", "3", "10", recipe)
        assert '"seed": 0' in about["training"] and '"for": "clean"' in about["training"]
        network = models.load(run / f"{name}.safetensors", torch.device("cpu"))
        assert isinstance(network, Compact) and network.shape == (32, 8, 3)
        states.append(network.state_dict())
    assert max((states[0][key] - states[1][key]).abs().max() for key in states[0]) > 1e-4


def test_each_stage_has_a_log(whole: tuple[Path, dict[str, float]]) -> None:
    """A row whenever there is a checkpoint; the last has the scores of what is written."""
    run, scores = whole
    of_both = ["loss", "psnr", "ssim"]
    adversarial = ["loss", "features", "adversarial", "grid", "discriminator", "psnr", "ssim"]
    for name, steps, of, columns in (
        ("pixels", [2, 3], "", of_both),
        ("perceptual", [4, 6], "inventive ", adversarial),
    ):
        heads, *rows = (line.split(",") for line in (run / f"{name}.csv").read_text().splitlines())
        assert heads == ["step", *columns, "processes", "batch_per_process"]
        assert [int(row[0]) for row in rows] == steps
        last = dict(zip(heads, map(float, rows[-1]), strict=True))
        assert last["psnr"] == pytest.approx(scores[f"{of}psnr"], abs=0.02)  # half precision
        assert last["ssim"] == pytest.approx(scores[f"{of}ssim"], abs=0.002)
    names = {path.name for path in run.iterdir() if not path.name.startswith("events")}
    results = {"model.safetensors", "inventive.safetensors", "pixels.csv", "perceptual.csv"}
    assert names == {"checkpoint.pt", "options.json"} | results


def test_the_results_are_the_averages_of_their_steps(tmp_path: Path, photos: Path) -> None:
    """From checkpoints of every step: the recursion in NumPy, then half precision."""
    checkpoints: list[dict[str, Any]] = []

    def on_step(progress: Progress) -> None:
        checkpoints.append(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
        assert checkpoints[-1]["step"] == progress.step and progress.steps == 6
        assert progress.stage == ("pixels" if progress.step < 4 else "perceptual")

    options = {"steps": 3, "perceptual_steps": 3, "scale": 4, "learning_rate": 0.5}
    train(tmp_path, photos, save_every=1, on_step=on_step, **options)
    wanted = {key: value.double().numpy() for key, value in untrained(4).state_dict().items()}
    for stage, name in (("pixels", "model"), ("perceptual", "inventive")):
        found = [one[stage]["network"] for one in checkpoints if stage in one]
        assert len(found) == 3
        for number, network in enumerate(found, 1):  # the second begins with the first's average
            share = number / (number + 9)
            for key, value in network.items():
                wanted[key] = share * wanted[key] + (1 - share) * value.double().numpy()
        state = weights.read(tmp_path / f"{name}.safetensors")
        assert state.keys() == wanted.keys()
        for key, value in state.items():
            np.testing.assert_allclose(value, wanted[key], rtol=1e-3, atol=1e-6, err_msg=key)
        inner = "body.2.weight"  # which a step moves by more than what half precision rounds off
        assert np.abs(network[inner].numpy() - wanted[inner]).max() > 5e-5


def test_the_same_seed_gives_the_same_network(tmp_path: Path, photos: Path) -> None:
    states = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        stopped(tmp_path / name, photos, 3, steps=3, seed=seed)
        states.append(weights.read(tmp_path / name / "model.safetensors"))
    for key, tensor in states[0].items():
        np.testing.assert_array_equal(tensor, states[1][key])
    assert (states[0]["body.0.weight"] - states[2]["body.0.weight"]).abs().max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "left"),
    [(1, [2, 3, 4, 5, 6]), (2, [3, 4, 5, 6]), (3, [4, 5, 6]), (5, [6])],
    ids=["between two saves", "in the first stage", "between the stages", "in the second stage"],
)
def test_resuming_gives_the_same_bits(
    tmp_path: Path,
    photos: Path,
    whole: tuple[Path, dict[str, float]],
    step: int,
    left: list[int],
) -> None:
    """Regular checkpoints are at steps 2, 3, 4 and 6; a stopped run writes one where it stops."""
    stopped(tmp_path, photos, step, **TWO_STAGES)
    torch.rand(5)  # what else draws numbers does not matter
    told: list[Progress] = []
    scores = train(tmp_path, photos, **TWO_STAGES, resume=True, on_step=told.append)
    assert [progress.step for progress in told] == left
    for name in ("model.safetensors", "inventive.safetensors"):
        same(weights.read(whole[0] / name), weights.read(tmp_path / name), name)
    same(*(torch.load(run / "checkpoint.pt", weights_only=True) for run in (whole[0], tmp_path)))
    for name in ("pixels.csv", "perceptual.csv"):
        assert (tmp_path / name).read_bytes() == (whole[0] / name).read_bytes()
    assert scores == whole[1]


def test_a_run_is_resumed_as_it_was_started(tmp_path: Path, photos: Path) -> None:
    init = kept(tmp_path / "init.safetensors", untrained(2))
    stopped(tmp_path / "run", photos, 1, steps=1, init=init)
    for options, says in (
        ({"scale": 3}, "--scale 3: this run was started with 2"),
        ({"for_": "web"}, "--for web: this run was started with clean"),
        ({"perceptual_steps": 5}, "--perceptual-steps 5: this run was started with 0"),
        ({"init": None}, "--init None: this run was started with init.safetensors"),
    ):
        with pytest.raises(OptionError, match=f"^{says}; resume it with the same options"):
            train(tmp_path / "run", photos, **{"steps": 1, "init": init} | options, resume=True)


# --- weights to begin with -------------------------------------------------------------------


def test_a_run_begins_with_the_weights_it_is_given(tmp_path: Path, photos: Path) -> None:
    network = untrained(2, seed=7)
    init = kept(tmp_path / "init.safetensors", network)
    options = {"steps": 1, "init": init, "learning_rate": 1e-9}
    (told,) = stopped(tmp_path / "run", photos, 1, **options)
    small, large = first_batch(Patches([photos], 16, 2, DEGRADATIONS["clean"]), seed=0)
    off = np.abs(network(small).numpy() - large.numpy()).mean()
    assert told.loss == pytest.approx(off, rel=1e-5)
    for key, value in weights.read(tmp_path / "run" / "model.safetensors").items():
        np.testing.assert_allclose(value, network.state_dict()[key], rtol=1e-3, atol=1e-6)
    about = weights.describe(tmp_path / "run" / "model.safetensors")
    assert '"init": "init.safetensors"' in about["training"]


@pytest.mark.slow
def test_a_network_that_repeats_pixels_gets_the_best_last_convolution(
    tmp_path: Path, photos: Path
) -> None:
    """The same features, and nearly the least squares on the patches it was fitted to."""
    torch.manual_seed(3)
    rough = Compact(*SHAPES["fast"], 2).requires_grad_(False)
    rough.initialize()
    init = kept(tmp_path / "rough.safetensors", rough)
    train(tmp_path / "run", photos, steps=0, init=init, seed=5)
    smooth = models.load(tmp_path / "run" / "model.safetensors", torch.device("cpu"))
    assert isinstance(smooth, Compact) and smooth.is_smooth
    for ours, theirs in zip(list(smooth.body)[:-1], list(rough.body)[:-1], strict=True):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)
    patches = Patches([photos], 16, 2, DEGRADATIONS["clean"])
    batches = [patches.batch(8, seeding.generator(5, batch)) for batch in range(80)]
    small, large = (torch.cat(parts) for parts in list(zip(*batches, strict=True))[:2])
    features = F.unfold(smooth.body[:-1](small), 3, padding=1).mT.flatten(0, 1).numpy()
    lacking = large - F.interpolate(small, scale_factor=2, mode="bilinear")
    wanted = F.pixel_unshuffle(lacking, 2).flatten(2).mT.flatten(0, 1).numpy()
    features = np.concatenate((features, np.ones((len(features), 1), np.float32)), axis=1)
    least = wanted - features @ np.linalg.lstsq(features, wanted)[0]
    off = np.square((smooth(small) - large).numpy()).mean()
    assert (
        np.square(least).mean() <= off < 1.02 * np.square(least).mean() < np.square(wanted).mean()
    )


def test_without_a_first_stage_its_result_is_what_was_given(tmp_path: Path, photos: Path) -> None:
    """In half precision; the second stage goes on from there."""
    network = untrained(4, seed=7)
    init = kept(tmp_path / "init.safetensors", network)
    options = {"steps": 0, "init": init, "perceptual_steps": 1, "learning_rate": 0.5, "scale": 4}
    told: list[Progress] = []
    scores = train(tmp_path / "run", photos, on_step=told.append, **options)
    assert [(p.step, p.steps, p.stage, p.share) for p in told] == [(1, 1, "perceptual", 1.0)]
    found = weights.read(tmp_path / "run" / "model.safetensors")
    inventive = weights.read(tmp_path / "run" / "inventive.safetensors")
    assert found.keys() == inventive.keys() == network.state_dict().keys()
    for key, value in network.state_dict().items():
        np.testing.assert_array_equal(found[key], value.numpy().astype(np.float16))
        # a two-hundredth of three tenths of the rate, for convolutions four times and up to a
        # quarter more, of which the average has nine tenths
        off = np.abs(inventive[key].numpy() - value.numpy())
        assert off.max() < 0.0034 + 0.0006 * value.abs().max()
    assert np.median(off) == pytest.approx(0.000675, rel=0.1)
    assert scores["psnr"] != scores["inventive psnr"]
    assert not (tmp_path / "run" / "pixels.csv").exists()


@pytest.mark.parametrize(("scale", "quality"), [(3, "fast"), (2, "best")])
def test_weights_of_another_network_are_refused(
    tmp_path: Path, photos: Path, scale: int, quality: str
) -> None:
    init = kept(tmp_path / "init.safetensors", untrained(scale, quality))
    with pytest.raises(OptionError) as raised:
        train(tmp_path / "run", photos, steps=1, init=init)
    says = f"--init {init}: is another network; use the --scale and --quality it was trained with"
    assert str(raised.value) == says
    with pytest.raises(WeightsError, match=r"no\.safetensors: there is no such weights file"):
        train(tmp_path / "other", photos, steps=1, init=tmp_path / "no.safetensors")


# --- what cannot be trained ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": 0}, "--scale 0: must be one of 1, 2, 3, 4"),
        ({"scale": 5}, "--scale 5: must be one of 1, 2, 3, 4"),
        ({"quality": "finest"}, "--quality finest: must be one of fast, best"),
        ({"for_": "print"}, "--for print: must be one of clean, web, paintings"),
        ({"size": 15}, "--size 15: must be at least 16"),
        ({"steps": 0}, "--steps 0: must be at least 1"),
        ({"steps": -1}, "--steps -1: must be at least 1"),
        ({"steps": 0, "perceptual_steps": 5}, "--steps 0: must be at least 1"),
        ({"steps": -1, "init": Path("shipped.safetensors")}, "--steps -1: must be at least 1"),
        ({"steps": 1, "perceptual_steps": -1}, "--perceptual-steps -1: must be at least 0"),
        ({"batch_size": 0}, "--batch-size 0: must be at least 1"),
        ({"save_every": 0}, "--save-every 0: must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused(
    tmp_path: Path, photos: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(OptionError) as raised:
        train(tmp_path / "run", photos, **options)
    message = str(raised.value)
    assert message.startswith(says) and "\n" not in message
    assert not (tmp_path / "run").exists()


def test_folders_that_give_too_little_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(
        InputError, match=r"p: holds no picture of at least 32×32 pixels; check the name"
    ):
        train(tmp_path / "a", tmp_path / "p", steps=1)
    blobs(0, 64, 8).save(tmp_path / "p" / "0.png")
    with pytest.raises(
        InputError, match="256×256 pixels among those held out for the scores, one in 10"
    ):
        train(tmp_path / "b", tmp_path / "p", steps=1)
