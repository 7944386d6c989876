"""Training a colorizing network: losses by hand, short runs, runs stopped and resumed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from likeness import decibels, similarity
from limner import colorize
from limner.cli.main import main
from limner.color import oklab
from limner.colorization import (
    coloring,
    dataset,
    models,
    pix2pix,
    proposal,
    region_batches,
    stages,
    train,
)
from limner.colorization.held_out import colorfulness
from limner.colorization.network import COLORS, WIDTHS, Colorizer
from limner.colorization.region_batches import Batch, choose_colors
from limner.colorization.stages import RegionStage, _Frequency, soft_targets
from limner.colorization.tokens import Tokens, stack
from limner.colorization.train import train_colorizer
from limner.errors import InputError, OptionError, OutputError
from limner.nn import seeding, weights
from limner.progress import Progress, Stop
from stopping import same, until

Names = tuple[list[str], list[str]]
Paint = Callable[..., Image.Image]
Grid = Callable[..., Tokens]


def small() -> Colorizer:
    return Colorizer((8, 8))


@pytest.fixture(scope="module", autouse=True)
def small_scale() -> Iterator[None]:
    """Train a small network, and keep pictures of 64 pixels as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "Colorizer", small)
        patch.setattr(models, "Colorizer", small)
        patch.setattr(dataset, "SIDE", 64)
        patch.setattr(region_batches, "_SAMPLES", 1500)
        yield


# --- the stage -------------------------------------------------------------------------------


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """Oklab of colors [..., 3]."""
    return oklab.of_colors(torch.from_numpy(rgb)).double().numpy()


def test_soft_targets_are_gaussians_of_the_distance_in_oklab() -> None:
    random = torch.Generator().manual_seed(0)
    rgb, colors = torch.rand((2, 5, 3), generator=random), torch.rand((COLORS, 3), generator=random)
    found = soft_targets(rgb, colors)
    assert found.shape == (2, 5, COLORS)
    away = rgb_to_lab(rgb.numpy())[:, :, None] - rgb_to_lab(colors.numpy())
    weight = np.exp(-(away**2).sum(-1) / 0.04**2)
    np.testing.assert_allclose(found, weight / weight.sum(-1, keepdims=True), atol=2e-4)


def test_a_color_of_the_set_is_its_own_target() -> None:
    colors = torch.rand((COLORS, 3), generator=torch.Generator().manual_seed(0))
    found = soft_targets(colors[None], colors)[0]
    assert (found.argmax(1) == torch.arange(COLORS)).all()


def test_rebalancing_weighs_rare_colors_more_and_1_in_the_mean() -> None:
    frequency = _Frequency(torch.device("cpu"))
    target = torch.zeros((1, 4, COLORS))
    target[0, :3, 7] = target[0, 3, 9] = 1  # of four regions, three have one color
    weight = torch.tensor([[1.0, 1, 1, 1]])
    share = np.full(COLORS, 1 / COLORS)
    seen = np.zeros(COLORS)
    seen[7], seen[9] = 0.75, 0.25
    for _ in range(50):
        found = frequency.update(target, weight).double().numpy()
        share = 0.99 * share + 0.01 * seen
        wanted = 1 / (0.5 * share + 0.5 / COLORS)  # Zhang et al. 2016, equation 4
        np.testing.assert_allclose(found, wanted / (wanted * share).sum(), rtol=1e-4)
        assert (found * share).sum() == pytest.approx(1, rel=1e-5)
    assert found[7] < found[9] < found[0]
    other = _Frequency(torch.device("cpu"))
    other.load_state_dict(frequency.state_dict())
    np.testing.assert_array_equal(other.share, frequency.share)


def test_a_batch_without_any_weight_does_not_spoil_the_frequency() -> None:
    frequency = _Frequency(torch.device("cpu"))
    found = frequency.update(torch.rand((1, 4, COLORS)), torch.zeros((1, 4)))
    assert found.isfinite().all()


def random_batch(grid: Grid) -> Batch:
    """Two drawings of six and of two regions, of which a few are known."""
    random = torch.Generator().manual_seed(0)
    known = torch.zeros((2, 6), dtype=torch.bool)
    known[0, [1, 4]] = True
    ink = (torch.rand((2, 1, 64, 96), generator=random) > 0.9).float()
    rgb = torch.rand((2, 6, 3), generator=random)
    return Batch(ink, stack([grid(2, 3), grid(1, 2)]), rgb, known)


def test_the_losses_are_those_of_their_formulas(
    monkeypatch: pytest.MonkeyPatch, grid: Grid
) -> None:
    """In NumPy, region by region: neither known colors nor padding count."""
    totals: list[tuple[float, float]] = []
    plain = stages.optimizer_step

    def step(loss: Tensor, share: float, *optimizers: torch.optim.Optimizer) -> None:
        totals.append((loss.item(), share))
        plain(loss, share, *optimizers)

    monkeypatch.setattr(stages, "optimizer_step", step)
    torch.manual_seed(0)
    network = small()
    network.colors.copy_(torch.rand((COLORS, 3)))
    stage = RegionStage(network, 1e-3)
    ink, tokens, rgb, known = batch = random_batch(grid)
    with torch.no_grad():
        described = network.embed(network.encode(ink), tokens)
        logits, mean = (
            one.double().numpy() for one in network.choose(described, tokens, rgb, known)
        )
    target = soft_targets(rgb, network.colors).double().numpy()
    weight = np.zeros((2, 6))
    for drawing in range(2):
        for region in range(6):
            if tokens.valid[drawing, region] and not known[drawing, region]:
                weight[drawing, region] = np.sqrt(float(tokens.area[drawing, region]))
        weight[drawing] /= weight[drawing].sum()
    seen = np.einsum("nt,ntc->c", weight, target) / weight.sum()
    share = 0.99 / COLORS + 0.01 * seen
    rarity = 1 / (0.5 * share + 0.5 / COLORS)
    rarity /= (rarity * share).sum()
    classes = distance = 0.0
    for drawing in range(2):
        for region in range(6):
            log_share = logits[drawing, region] - np.logaddexp.reduce(logits[drawing, region])
            entropy = -(target[drawing, region] * log_share).sum()
            rare = target[drawing, region] @ rarity
            classes += weight[drawing, region] * entropy * rare / 2
            off = np.abs(mean[drawing, region] - rgb[drawing, region].numpy()).mean()
            distance += weight[drawing, region] * off / 2
    found = stage.step(*batch, 0.5)
    total = classes + 6 * distance
    assert found == {
        "loss": pytest.approx(total, rel=1e-4),
        "classes": pytest.approx(classes, rel=1e-4),
        "mean": pytest.approx(distance, rel=1e-4),
    }
    assert totals == [(pytest.approx(total, rel=1e-4), 0.5)]


def test_a_batch_of_known_colors_only_gives_no_loss(grid: Grid) -> None:
    batch = random_batch(grid)
    stage = RegionStage(small(), 1e-3)
    losses = stage.step(*batch._replace(known=torch.ones_like(batch.known)), 1)
    assert losses == {"loss": 0, "classes": 0, "mean": 0}
    assert all(p.isfinite().all() for p in stage.network.parameters())


def test_the_colors_of_the_network_are_not_trained(grid: Grid) -> None:
    network = small()
    network.colors.copy_(torch.rand((COLORS, 3)))
    before = network.colors.clone()
    stage = RegionStage(network, 1e-3)
    for _ in range(3):
        stage.step(*random_batch(grid), 1)
    np.testing.assert_array_equal(network.colors, before)
    np.testing.assert_array_equal(stage.averaged().colors, before)


def test_every_weight_has_exactly_one_optimizer() -> None:
    network = Colorizer(WIDTHS)
    stage = RegionStage(network, 2e-3)
    ways = (stage._muon, stage._adam)
    orthogonal, plain = ({id(p) for g in way.param_groups for p in g["params"]} for way in ways)
    assert not orthogonal & plain
    assert orthogonal | plain == {id(p) for p in network.parameters()}
    assert all(id(p) in plain for p in network.parameters() if p.dim() == 1)
    assert [way.param_groups[0]["lr"] for way in ways] == [8e-3, 2e-3]


# --- runs ------------------------------------------------------------------------------------

SIX = {"steps": 6, "save_every": 4}


def learn(run: Path, folder: Path, **options: Any) -> dict[str, float]:
    few = {"batch_size": 2, "size": 64, "steps": 1, "device": "cpu"}
    return train_colorizer([folder], run, **few | options)


def stopped(run: Path, folder: Path, step: int, **options: Any) -> list[Progress]:
    reports: list[Progress] = []
    with pytest.raises(Stop):
        learn(run, folder, on_step=until(step, reports), **options)
    return reports


@pytest.fixture(scope="module")
def whole(
    pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, float]]:
    """A run with checkpoints at steps 4 and 6, and its scores."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    return run, learn(run, pictures, **SIX)


def two_of(seed: int) -> list[torch.Generator]:
    """The random numbers of the first batch of two."""
    return [seeding.generator(seed, item) for item in (0, 1)]


def test_the_loss_falls(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If every step draws the same batch."""
    batch = region_batches.sample(dataset.Pictures([pictures]), 64, two_of(0))
    batch = batch._replace(known=torch.zeros_like(batch.known))
    monkeypatch.setattr(region_batches, "sample", lambda *given: batch)
    # the rate warms up over 200 steps: a high one has an effect within 20
    reports = stopped(tmp_path / "run", pictures, 20, steps=20, learning_rate=0.05)
    losses = np.array([progress.loss for progress in reports])
    assert [progress.step for progress in reports] == list(range(1, 21))
    assert {progress.steps for progress in reports} == {20} and reports[-1].share == 1
    assert losses[-5:].mean() < 0.6 * losses[0]


def first_loss(known: dataset.Pictures, seed: int) -> float:
    """The loss of a new network for the first batch of two pictures."""
    torch.manual_seed(seed)
    network = small()
    network.colors.copy_(choose_colors(known, seed))
    batch = region_batches.sample(known, 64, two_of(seed))
    return RegionStage(network, 1e-3).step(*batch, 0)["loss"]


def test_the_first_loss_is_that_of_the_first_batch(tmp_path: Path, pictures: Path) -> None:
    (report,) = stopped(tmp_path, pictures, 1, steps=9, seed=3)
    # the training's channels-last convolutions may round differently
    assert report.loss == pytest.approx(first_loss(dataset.Pictures([pictures]), 3), rel=1e-4)
    assert report.stage == "train"


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def averaged(run: Path) -> Colorizer:
    """The averaged network of a checkpoint, in full precision."""
    network = small().requires_grad_(False).eval()
    state = torch.load(run / "checkpoint.pt", weights_only=True)["stage"]["average"]["state"]
    network.load_state_dict(state)
    return network


def held_out(pictures: Path, names: Names, run: Path) -> tuple[list[np.ndarray], ...]:
    """Return ink, colors by the run's network, and originals of the held-out pictures."""
    real = [pixels(pictures / name) for name in sorted(names[1])]
    random, network = seeding.generator(0, 0), averaged(run)
    rgb = [torch.from_numpy(one.transpose(2, 0, 1)[None] / np.float32(255)) for one in real]
    ink = [dataset.random_line_art(one, random) for one in rgb]
    made = [proposal.fill(network, one) for one in ink]
    gray = [255 * (1 - one[0].expand(3, -1, -1)).permute(1, 2, 0).numpy() for one in ink]
    return gray, [255 * one[0].permute(1, 2, 0).numpy() for one in made], real


def colorfulness_by_hand(picture: np.ndarray) -> float:
    """Hasler & Süsstrunk (2003), equation 10."""
    red, green, blue = np.moveaxis(picture.astype(float), 2, 0)
    opponents = np.stack((red - green, (red + green) / 2 - blue)).reshape(2, -1)
    deviation, mean = opponents.std(1, ddof=1), opponents.mean(1)
    return float(np.hypot(*deviation) + 0.3 * np.hypot(*mean))


def test_devices_without_float64_can_measure_colorfulness(
    without_float64: Callable[[Tensor], Tensor],
) -> None:
    picture = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    found = colorfulness(without_float64(picture))
    wanted = colorfulness_by_hand(255 * picture[0].permute(1, 2, 0).numpy())
    assert found == pytest.approx(wanted, rel=1e-6)  # against float32 values, times 255


def test_the_scores_are_those_of_the_held_out_pictures(
    pictures: Path, names: Names, whole: tuple[Path, dict[str, float]]
) -> None:
    run, scores = whole
    _, made, real = held_out(pictures, names, run)
    pairs = list(zip(made, real, strict=True))
    assert set(scores) == {"psnr", "ssim", "colorfulness"}
    assert scores["psnr"] == pytest.approx(np.mean([decibels(*p, 0) for p in pairs]), abs=0.05)
    assert scores["ssim"] == pytest.approx(np.mean([similarity(*p, 0) for p in pairs]), abs=2e-3)
    share = np.mean([colorfulness_by_hand(one) for one in made]) / np.mean(
        [colorfulness_by_hand(one) for one in real]
    )
    assert scores["colorfulness"] == pytest.approx(share, rel=0.02)


def test_there_are_samples_at_every_checkpoint(
    pictures: Path, names: Names, whole: tuple[Path, dict[str, float]]
) -> None:
    run, _ = whole
    names_of = [path.name for path in sorted((run / "samples").iterdir())]
    assert names_of == [f"{step:06d}.png" for step in (4, 6)]
    wanted = np.concatenate([np.concatenate(row, 1) for row in held_out(pictures, names, run)])
    sheet = pixels(run / "samples" / "000006.png")
    assert sheet.shape == (3 * 64, 2 * 64, 3)
    assert np.abs(sheet - wanted).max() <= 0.51


def test_a_run_has_a_log(whole: tuple[Path, dict[str, float]]) -> None:
    run, scores = whole
    heads, *rows = (line.split(",") for line in (run / "log.csv").read_text().splitlines())
    assert heads == [
        *("step", "loss", "classes", "mean", *scores),
        *("processes", "batch_per_process"),
    ]
    assert [int(row[0]) for row in rows] == [4, 6]
    last = dict(zip(heads, map(float, rows[-1]), strict=True))
    assert {key: last[key] for key in scores} == pytest.approx(scores, rel=1e-4)
    assert last["loss"] == pytest.approx(last["classes"] + 6 * last["mean"], rel=1e-4)
    left = {path.name for path in run.iterdir() if not path.name.startswith("events")}
    assert left == {"checkpoint.pt", "log.csv", "model.safetensors", "options.json", "samples"}


def test_the_result_is_a_colorizing_network(
    whole: tuple[Path, dict[str, float]], pictures: Path, drawing: Paint
) -> None:
    path = whole[0] / "model.safetensors"
    about = weights.describe(path)
    found = [about[key] for key in ("kind", "architecture", "multiple", "size", "recipe")]
    assert found == ["colorizer", "default", "8", "64", "recipes/colorizer.md"]
    assert about["license"] == "Apache-2.0"
    assert models.load(path).size == 64 and small().size == 128
    options = json.loads((whole[0] / "options.json").read_text())
    assert options.pop("training") == "colorizer"
    assert json.loads(about["training"]) == options and options["steps"] == 6
    state = weights.read(path)
    assert state.keys() == small().state_dict().keys()
    found = choose_colors(dataset.Pictures([pictures]), 0)
    np.testing.assert_allclose(state["colors"], found, atol=3e-4)  # in half precision
    assert colorize(drawing(), model=path).size == (160, 120)


def test_the_result_is_the_ema_of_the_steps(tmp_path: Path, pictures: Path) -> None:
    """From checkpoints of every step: the recursion in NumPy, then half precision."""
    checkpoints: list[dict[str, Any]] = []

    def on_step(_: Progress) -> None:
        checkpoints.append(torch.load(tmp_path / "checkpoint.pt", weights_only=True))

    learn(tmp_path, pictures, steps=3, save_every=1, on_step=on_step)
    torch.manual_seed(0)
    wanted = {key: value.double().numpy() for key, value in small().state_dict().items()}
    wanted["colors"] = choose_colors(dataset.Pictures([pictures]), 0).double().numpy()
    assert len(checkpoints) == 3
    for number, one in enumerate(checkpoints, 1):
        share = number / (number + 9)
        for key, value in one["stage"]["network"].items():
            wanted[key] = share * wanted[key] + (1 - share) * value.double().numpy()
    for key, value in weights.read(tmp_path / "model.safetensors").items():
        np.testing.assert_allclose(value, wanted[key], rtol=1e-3, atol=1e-6, err_msg=key)


@pytest.mark.parametrize(
    ("preset", "wanted"),
    [
        (
            "default",
            {"batch_size": 32, "size": 128, "steps": 3000}
            | {"learning_rate": 1.5e-3, "features": None},
        ),
        (  # 43 epochs of ten pictures, eight at a time
            "article",
            {"batch_size": 8, "size": 256, "steps": 86}
            | {"learning_rate": 2e-4, "features": "vgg16"},
        ),
    ],
)
def test_each_preset_has_its_defaults(
    tmp_path: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    preset: Any,
    wanted: dict[str, object],
) -> None:
    begun: list[dict[str, object]] = []

    def begin(training: str, folder: Path, options: dict[str, object], **_: object) -> None:
        assert training == "colorizer"
        begun.append(options)
        raise Stop

    loaded: list[str] = []
    monkeypatch.setattr(train, "Run", begin)
    monkeypatch.setattr(train, "load_features", loaded.append)
    with pytest.raises(Stop):
        train_colorizer([pictures], tmp_path / "run", preset=preset)
    with pytest.raises(Stop):
        train_colorizer([pictures], tmp_path / "run", preset="article", features="/zaphod/a.pth")
    assert begun.pop()["features"] == loaded.pop().rpartition("/")[2] == "a.pth"  # no folder
    (options,) = begun
    assert loaded == ([] if preset == "default" else ["vgg16"])
    assert {key: options[key] for key in wanted} == wanted


def test_the_network_trains_at_the_size(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    plain = RegionStage.step

    def step(stage: RegionStage, ink: Tensor, *given: Any) -> dict[str, float]:
        seen.append(tuple(ink.shape))
        return plain(stage, ink, *given)

    monkeypatch.setattr(RegionStage, "step", step)
    stopped(tmp_path / "run", pictures, 1, size=128, steps=5)
    assert seen == [(2, 1, 128, 128)]


def test_the_same_seed_gives_the_same_network(tmp_path: Path, pictures: Path) -> None:
    states = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        stopped(tmp_path / name, pictures, 2, steps=2, seed=seed)
        states.append(weights.read(tmp_path / name / "model.safetensors"))
    for key, tensor in states[0].items():
        np.testing.assert_array_equal(tensor, states[1][key])
    assert (states[0]["first.weight"] - states[2]["first.weight"]).abs().max() > 0.01


# --- stopped and resumed ---------------------------------------------------------------------


def alike(one: Path, other: Path) -> None:
    """Check that all files of two runs are the same."""
    same(*(weights.read(run / "model.safetensors") for run in (one, other)))
    same(*(torch.load(run / "checkpoint.pt", weights_only=True) for run in (one, other)))
    for path in (*one.glob("*.csv"), *one.glob("samples/*.png"), one / "options.json"):
        assert (other / path.relative_to(one)).read_bytes() == path.read_bytes(), path.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "left"),
    [(1, [2, 3, 4, 5, 6]), (4, [5, 6]), (5, [6]), (6, [])],
    ids=["before any checkpoint", "at a checkpoint", "between two checkpoints", "at the end"],
)
def test_resuming_gives_the_same_bits(
    tmp_path: Path,
    pictures: Path,
    whole: tuple[Path, dict[str, float]],
    step: int,
    left: list[int],
) -> None:
    """Checkpoints are at steps 4 and 6; stopping at 1 or 5 writes one there too."""
    stopped(tmp_path, pictures, step, **SIX)
    torch.rand(5)  # other random numbers in between do not matter
    reports: list[Progress] = []
    scores = learn(tmp_path, pictures, **SIX, resume=True, on_step=reports.append)
    assert [progress.step for progress in reports] == left
    assert all(f"after step {step}" in progress.note for progress in reports[:1])
    alike(whole[0], tmp_path)
    assert scores == whole[1]


def test_torch_s_global_random_state_stays(tmp_path: Path, pictures: Path) -> None:
    torch.manual_seed(7)
    wanted = torch.rand(4)
    torch.manual_seed(7)
    learn(tmp_path, pictures)
    np.testing.assert_array_equal(torch.rand(4), wanted)


# --- the article's preset --------------------------------------------------------------------


class Chain(nn.Module):
    """Stand in for pix2pix's U-Net, with dropout."""

    multiple = size = 256

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, ink: Tensor) -> Tensor:
        return self.last(F.dropout(torch.relu(self.first(ink)), 0.5, self.training)).sigmoid()


class Normed(Chain):
    """With batch normalization too, which counts its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(4)

    def forward(self, ink: Tensor) -> Tensor:
        return self.last(F.dropout(self.norm(self.first(ink)), 0.5, self.training)).sigmoid()


class SmallDiscriminator(nn.Module):
    """Stand in for its discriminator."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 4, 4, 4), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 4, 4))

    def forward(self, ink: Tensor, rgb: Tensor) -> Tensor:
        return self.body(torch.cat((ink, rgb), 1))


ARTICLE = {
    "preset": "article",
    "size": 256,
    "features": "compact",
    "steps": 3,
    "save_every": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "step"),
    [(Chain, 1), (Chain, 2), (Normed, 2)],
)
def test_runs_of_the_article_resume_with_the_same_bits(
    tmp_path: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    drawing: Paint,
    network: type[nn.Module],
    step: int,
) -> None:
    for place in (pix2pix, models, coloring):
        monkeypatch.setattr(place, "UNet", network)
    monkeypatch.setattr(pix2pix, "PatchDiscriminator", SmallDiscriminator)
    reports: list[Progress] = []
    scores = learn(tmp_path / "whole", pictures, **ARTICLE, on_step=reports.append)
    assert [(p.stage, p.step, p.steps) for p in reports] == [("train", n, 3) for n in (1, 2, 3)]
    stopped(tmp_path / "broken", pictures, step, **ARTICLE)
    assert learn(tmp_path / "broken", pictures, **ARTICLE, resume=True) == scores
    alike(tmp_path / "whole", tmp_path / "broken")
    heads = (tmp_path / "whole" / "log.csv").read_text().splitlines()[0]
    losses = "loss,features,adversarial,discriminator"
    scored = "psnr,ssim,colorfulness"
    assert heads == f"step,{losses},{scored},processes,batch_per_process"
    # the result colors drawings of any size, though it works at 256 pixels
    assert weights.describe(tmp_path / "whole" / "model.safetensors")["architecture"] == "article"
    path = tmp_path / "whole" / "model.safetensors"
    assert colorize(drawing().resize((300, 200)), model=path).size == (300, 200)


def test_a_run_is_resumed_as_it_was_started(tmp_path: Path, pictures: Path) -> None:
    stopped(tmp_path, pictures, 1)
    for options, says in (
        ({"size": 128}, "--size 128: this run was started with 64"),
        ({"steps": 5}, "--steps 5: this run was started with 1"),
        ({"seed": 1}, "--seed 1: this run was started with 0"),
    ):
        with pytest.raises(OptionError, match=f"^{says}; resume it with the same options"):
            learn(tmp_path, pictures, **options, resume=True)
    with pytest.raises(OutputError, match="already holds a run; continue it with --resume"):
        learn(tmp_path, pictures)
    with pytest.raises(OutputError, match="has no checkpoint to resume"):
        learn(tmp_path / "other", pictures, resume=True)


# --- drawings of their own -------------------------------------------------------------------


@pytest.fixture
def pairs(tmp_path: Path, pictures: Path, names: Names, drawing: Paint) -> tuple[Path, Path, Path]:
    """Drawings of all pictures, and both side by side, colors on the left."""
    drawings, beside = tmp_path / "drawings", tmp_path / "beside"
    drawings.mkdir(), beside.mkdir()
    page = drawing().resize((64, 64))
    for name in (*names[0], *names[1]):
        page.save((drawings / name).with_suffix(".webp"), lossless=True)
        both = Image.new("RGB", (128, 64))
        both.paste(Image.open(pictures / name), (0, 0))
        both.paste(page, (64, 0))
        both.save(beside / name)
    return pictures, drawings, beside


def test_training_on_given_drawings(tmp_path: Path, pairs: tuple[Path, Path, Path]) -> None:
    """Two folders or side by side: the same scores, and the first loss is the right one."""
    folder, drawings, beside = pairs
    options: dict[str, Any] = {"steps": 2, "learning_rate": 1e-3}
    one = learn(tmp_path / "one", folder, drawings=drawings, **options)
    other = learn(tmp_path / "other", beside, direction="color-left", **options)
    assert one == other
    (report,) = stopped(tmp_path / "first", folder, 1, drawings=drawings)
    wanted = first_loss(dataset.Pictures([folder], drawings), 0)
    assert report.loss == pytest.approx(wanted, rel=1e-4) and report.note == ""


def test_swapped_pictures_and_drawings_get_a_note(
    tmp_path: Path, pairs: tuple[Path, Path, Path]
) -> None:
    reports = stopped(tmp_path / "run", pairs[2], 2, direction="color-right", steps=9)
    assert [bool(progress.note) for progress in reports] == [True, False]
    assert reports[0].note == "the drawings are more colorful than the pictures; check --direction"
    drawings, folder = pairs[0], pairs[1]
    reports = stopped(tmp_path / "two", folder, 1, drawings=drawings)
    assert "check --drawings" in reports[0].note


def test_gray_pictures_are_scored(tmp_path: Path, pairs: tuple[Path, Path, Path]) -> None:
    """Their colorfulness is 0, and scores are relative to it."""
    scores = learn(tmp_path / "run", pairs[2], direction="color-right")
    assert scores["psnr"] > 0


# --- what cannot be trained ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"preset": "fast"}, "--preset fast: must be one of default, article"),
        ({"size": 96}, "--size 96: must be a multiple of 64 pixels"),
        ({"size": 0}, "--size 0: must be a multiple of 64 pixels"),
        ({"preset": "article"}, "--size 64: must be 256 with --preset article"),
        ({"features": "vgg16"}, "--features vgg16: is used only with --preset article"),
        ({"device": "tpu"}, "--device tpu: must be one of auto, cpu, cuda, mps"),
        ({"steps": 0}, "--steps 0: must be at least 1"),
        ({"batch_size": 0}, "--batch-size 0: must be at least 1"),
        ({"save_every": 0}, "--save-every 0: must be at least 1"),
        ({"learning_rate": -1.0}, "--learning-rate -1: must be"),
        ({"learning_rate": float("nan")}, "--learning-rate nan: must"),
        ({"learning_rate": 0.0}, "--learning-rate 0: must be"),
        ({"direction": "up"}, "--direction up: must be one of color-left, color-right"),
        ({"drawings": None, "direction": "color-left"}, "--d"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, pictures: Path, options: dict[str, Any], says: str
) -> None:
    if "drawings" in options:  # given beside a direction
        options = options | {"drawings": pictures}
    with pytest.raises(OptionError) as raised:
        learn(tmp_path / "run", pictures, **options)
    message = str(raised.value)
    assert message.startswith(says) and "\n" not in message
    assert not (tmp_path / "run").exists()


def test_an_unknown_perceptual_network_is_refused(tmp_path: Path, pictures: Path) -> None:
    """Before any picture is read."""
    with pytest.raises(
        OptionError, match=r"features.*vgg11.*: must be one of compact, vgg16, vgg19"
    ):
        learn(tmp_path / "run", tmp_path / "nowhere", **ARTICLE | {"features": "vgg11"})


def test_folders_without_enough_pictures_are_refused(
    tmp_path: Path, pictures: Path, names: Names
) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(InputError, match=r"p: no readable picture to train on; choose"):
        learn(tmp_path / "run", tmp_path / "p")
    Image.open(pictures / names[0][0]).save(tmp_path / "p" / names[0][0])
    with pytest.raises(InputError, match=r"p: no readable picture to test on \(one in 20 is"):
        learn(tmp_path / "run", tmp_path / "p")
    with pytest.raises(InputError, match="nowhere: there is no such folder"):
        learn(tmp_path / "run", tmp_path / "nowhere")


def test_the_command_trains(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    line = ["train", "colorizer", str(pictures), "-o", run, "--steps", "1", "--size", "64"]
    assert main([*line, "--batch-size", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{run}/model.safetensors\n" and "psnr: " in printed.err
