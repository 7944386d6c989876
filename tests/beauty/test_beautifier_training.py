"""Training a beautifier: its stages by hand, and short runs, stopped and resumed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import beautify, predictability
from limner.beauty import beautifier, dataset, objective, retouching, stages
from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import Beautifier, load
from limner.beauty.train import train_beautifier
from limner.cli.main import main
from limner.color import oklab
from limner.errors import InputError, OptionError, OutputError, WeightsError
from limner.nn import seeding, weights
from limner.progress import Progress, Stop
from limner.train import parallel
from stopping import same, until

Scene = Callable[..., Image.Image]
KNOWN, HELD_OUT = ("0.png", "2.png", "3.png", "4.png"), ("1.png", "6.png")  # by a hash of it
SIDE = 160  # two rows of two centers

# checkpoints at 2, 4, 6, 7, 8, 10, 12, 13
DEFAULT: dict[str, Any] = {"steps": 4, "improver_steps": 3, "save_every": 2}
ARTICLE: dict[str, Any] = {**DEFAULT, "preset": "article"}
PARTS = {
    "default": ["good"] * 4 + ["relative"] * 3 + ["progress"] * 3 + ["closeness"] * 3,
    "article": ["bad"] + ["good"] * 4 + ["closeness"] * 3 + ["progress"] * 3,
}


@pytest.fixture(scope="module", autouse=True)
def small_crops() -> Iterator[None]:
    """Crops of 160 pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "MIN_SIDE", SIDE)
        patch.setattr(stages.UNetStage, "crop_size", SIDE)
        patch.setattr(stages.ImproverStage, "crop_size", SIDE)
        patch.setattr(stages.BilateralStage, "crop_size", SIDE)
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, scene: Scene) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number, name in enumerate((*KNOWN, *HELD_OUT)):
        scene(190, 170, number).save(folder / name)
    return folder


def learn(run: Path, folder: Path, **options: Any) -> dict[str, float]:
    few = {"batch_size": 2, "steps": 1, "improver_steps": 0}
    return train_beautifier([folder], run, **few | options)


PROCESSES = ("processes", "batch_per_process")  # the last columns of a log


def stopped(run: Path, folder: Path, step: int, **options: Any) -> list[Progress]:
    told: list[Progress] = []
    with pytest.raises(Stop):
        learn(run, folder, on_step=until(step, told), **options)
    return told


Run = tuple[Path, dict[str, float], list[Progress]]


@pytest.fixture(scope="module")
def runs(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """An uninterrupted run of each preset, its scores and its progress."""
    found = {}
    for options in (DEFAULT, ARTICLE):
        name, told = str(options.get("preset", "default")), list[Progress]()
        run = tmp_path_factory.mktemp("runs") / name
        found[name] = run, learn(run, photos, **options, on_step=told.append), told
    return found


def crops(photos: Path, count: int, side: int, seed: int, step: int) -> Tensor:
    known = dataset.Photos([photos], held_out=False)
    return known.crops(side, parallel.generators(seed, step, count))


def found_in(view: np.ndarray, crop: np.ndarray) -> bool:
    """Whether a crop is in a picture. The corner is compared first, for speed."""
    likely = (view[..., :4, :4] == crop[:, :4, :4]).all((2, 3, 4))
    return any((view[y, x] == crop).all() for y, x in np.argwhere(likely))


# --- what is learned -------------------------------------------------------------------------


def test_crops_are_parts_of_the_photos_that_are_not_held_out(photos: Path) -> None:
    pictures = [np.asarray(Image.open(photos / name)) for name in KNOWN]
    views = [
        np.lib.stride_tricks.sliding_window_view(one, (SIDE, SIDE), (0, 1))
        for picture in pictures
        for one in (picture, picture[:, ::-1])
    ]
    found = (crops(photos, 8, SIDE, 0, 0) * 255).round().numpy()
    seen = set()
    for crop in found:
        hits = [n for n, view in enumerate(views) if found_in(view, crop)]
        assert len(hits) == 1
        seen.add(hits[0])
    assert len({hit // 2 for hit in seen}) > 2 and {hit % 2 for hit in seen} == {0, 1}


def test_the_first_loss_is_of_the_first_phase(tmp_path: Path, photos: Path) -> None:
    """It is the mean error, of 255, in the upper left of every four holes."""
    (told,) = stopped(tmp_path, photos, 1, steps=9, seed=3)
    batch = crops(photos, 2, SIDE, 3, 0)
    torch.manual_seed(3)
    network = beautifier.NETWORKS["default"]["good"]().requires_grad_(False)
    hidden, given = torch.zeros((2, 1, SIDE, SIDE)), batch.clone()
    there = (slice(48, 80), slice(48, 80))
    hidden[(..., *there)] = 1
    given[(..., *there)] = masks.harmonic_fill(batch)[..., :32, :32]
    off = (given + network(given, hidden) - batch).abs()[(..., *there)].mean()
    assert told.loss == pytest.approx(255 * off.item(), rel=1e-5) and told.stage == "good"


@pytest.mark.parametrize("preset", ["default", "article"])
def test_improvers_start_with_the_loss_of_their_method(
    preset: str, runs: dict[str, Run], photos: Path
) -> None:
    """Judged by the predictors that were trained before."""
    run, _, told = runs[preset]
    kept = torch.load(run / "checkpoint.pt", weights_only=True)["done"]
    makers = beautifier.NETWORKS[preset]
    parts = {name: makers[name]().requires_grad_(False).eval() for name in makers}
    for name in beautifier.PREDICTORS:
        if name in parts:
            parts[name].load_state_dict(kept[name])
    predictors, losses = Beautifier(parts).predictors, objective.LOSSES[preset]
    for name in losses:
        first = PARTS[preset].index(name)
        torch.manual_seed(0)
        improver, before = makers[name](), crops(photos, 1, SIDE, 0, first)  # a third of two
        wanted = losses[name](predictors, before, improver(before)).item()
        assert told[first].loss == pytest.approx(wanted, rel=1e-4), name


def test_our_improver_starts_with_the_distance_to_the_retouched_photo(
    runs: dict[str, Run], photos: Path
) -> None:
    """Its last layers are 0 at first, so it returns the worsened photo."""
    _, _, told = runs["default"]
    drawn, random = crops(photos, 2, SIDE, 0, 4), seeding.generator(0, 0)
    both = (drawn, retouching.worsen(drawn, random)[0])
    before, worse = (F.interpolate(one, (128, 128), mode="area") for one in both)
    top, left = torch.randint(65, (2,), generator=random).tolist()
    window = (..., slice(top, top + 64), slice(left, left + 64))
    colors = [oklab.from_srgb(one[window]) for one in (worse, retouching.retouch(before))]
    apart = (100 * (colors[0] - colors[1])).norm(dim=1).mean((1, 2))
    shares = 1 + 0.5 * ((worse - before).abs().mean((1, 2, 3)) < 1 / 255)
    wanted = float((shares * apart).sum() / shares.sum())
    assert told[4].loss == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("preset", ["default", "article"])
def test_the_loss_falls(
    preset: str, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If every step draws the same crops."""
    draw = parallel.generators
    monkeypatch.setattr(parallel, "generators", lambda seed, _, count: draw(seed, 0, count))
    # the rate rises over 50 steps, and the small networks can bear a high one
    rate = 0.04 if preset == "default" else 0.1
    options = {"steps": 45, "save_every": 999, "learning_rate": rate, "preset": preset}
    told = stopped(tmp_path, photos, 45, **options)
    losses = np.array([progress.loss for progress in told if progress.stage == "good"])
    assert losses[-4:].mean() < 0.75 * losses[:4].mean()  # there are four phases of holes


def test_every_weight_has_one_optimizer() -> None:
    network = beautifier.NETWORKS["default"]["good"]()
    stage = stages.UNetStage(network, 2e-3)  # type: ignore[arg-type]
    both = (stage._muon, stage._adam)
    orthogonal, plain = ({id(p) for g in one.param_groups for p in g["params"]} for one in both)
    assert not orthogonal & plain
    assert orthogonal | plain == {id(p) for p in network.parameters()}
    assert all((id(p) in plain) == (p.dim() == 1) for p in network.parameters())
    assert [one.param_groups[0]["lr"] for one in both] == [8e-3, 2e-3]


# --- what a run leaves behind ----------------------------------------------------------------


@pytest.mark.parametrize("preset", ["default", "article"])
def test_progress_goes_through_all_parts(preset: str, runs: dict[str, Run]) -> None:
    _, _, told = runs[preset]
    parts = PARTS[preset]
    assert [progress.stage for progress in told] == parts
    assert [progress.step for progress in told] == list(range(1, len(parts) + 1))
    assert {progress.steps for progress in told} == {len(parts)} and told[-1].share == 1


def middles(photos: Path) -> list[Tensor]:
    """The centers of the held-out photos, in 0..1."""
    pictures = [np.asarray(Image.open(photos / name)) for name in HELD_OUT]
    parts = [one[5:165, 15:175].transpose(2, 0, 1)[None] / np.float32(255) for one in pictures]
    return [torch.from_numpy(one) for one in parts]


@pytest.mark.parametrize("preset", ["default", "article"])
def test_the_scores_are_those_of_the_weights(
    preset: str, runs: dict[str, Run], photos: Path
) -> None:
    run, scores, _ = runs[preset]
    made = load(run / "model.safetensors")
    for name, predict in (("error", made.predictors.good), ("harmonic", masks.harmonic_fill)):
        held_out = middles(photos)
        offs = [float((predict(one) - masks.crop_holes(one)).abs().mean()) for one in held_out]
        assert scores[name] == pytest.approx(255 * np.mean(offs), rel=2e-3)
    assert set(scores) == {"error", "harmonic"}


@pytest.mark.parametrize("preset", ["default", "article"])
def test_each_part_has_a_log(preset: str, runs: dict[str, Run], photos: Path) -> None:
    """One row per checkpoint. The last one has the scores of the weights file."""
    run, scores, told = runs[preset]
    made = load(run / "model.safetensors")
    for name in dict.fromkeys(PARTS[preset]):
        rows = [line.split(",") for line in (run / f"{name}.csv").read_text().splitlines()]
        steps = [n for n, part in enumerate(PARTS[preset], 1) if part == name]
        wanted = [str(n) for n in steps if n % 2 == 0 or n == steps[-1]]
        assert [row[0] for row in rows[1:]] == wanted
        last = {key: float(text) for key, text in zip(rows[0], rows[-1], strict=True)}
        assert last["loss"] == pytest.approx(told[steps[-1] - 1].loss, rel=1e-4)
        improver = made.improver(name)
        if name in beautifier.PREDICTORS or improver is None:
            assert rows[0] == ["step", "loss", "error", "harmonic", *PROCESSES]
            assert last["harmonic"] == pytest.approx(scores["harmonic"], rel=1e-4)
            continue
        assert rows[0] == ["step", "loss", "relative", "energy", *PROCESSES]
        with torch.no_grad():
            pairs = [(one, improver(one)) for one in middles(photos)]
        shares = [[float(made.predictors.errors(one).relative) for one in pair] for pair in pairs]
        gained = np.mean([after for _, after in shares]) / np.mean([before for before, _ in shares])
        energy = [[grain(one) for one in pair] for pair in pairs]
        changed = np.mean([after for _, after in energy]) / np.mean([b for b, _ in energy])
        assert last["relative"] == pytest.approx(gained, rel=0.01)
        assert last["energy"] == pytest.approx(changed, rel=0.01)
    names = {path.name for path in run.iterdir() if not path.name.startswith("events")}
    results = {"checkpoint.pt", "model.safetensors", "options.json", "samples"}
    assert names == results | {f"{name}.csv" for name in PARTS[preset]}


def grain(picture: Tensor) -> float:
    """Mean square of the differences of the luma, both ways."""
    luma = np.tensordot([0.299, 0.587, 0.114], picture[0].double().numpy(), 1)
    return float(sum(np.square(np.diff(luma, axis=axis)).mean() for axis in (0, 1)))


def test_there_are_samples_of_improvers(runs: dict[str, Run], photos: Path) -> None:
    run, _, _ = runs["default"]
    names = [path.name for path in sorted((run / "samples").iterdir())]
    assert names == [f"{step:06d}.png" for step in (6, 7, 8, 10, 12, 13)]
    improver = load(run / "model.safetensors").improver("closeness")
    assert improver is not None
    before = torch.cat(middles(photos))
    rows = [torch.cat(list(photos), 2) for photos in (before, improver(before))]
    wanted = 255 * torch.cat(rows, 1).permute(1, 2, 0).numpy()
    sheet = np.asarray(Image.open(run / "samples" / "000013.png"))
    assert sheet.shape == (2 * SIDE, 2 * SIDE, 3)
    assert np.abs(sheet - wanted).max() < 1.5  # the network's weights were rounded


@pytest.mark.parametrize("preset", ["default", "article"])
def test_the_weights_file_has_averages_in_half_precision(preset: str, runs: dict[str, Run]) -> None:
    run, _, _ = runs[preset]
    kept = torch.load(run / "checkpoint.pt", weights_only=True)
    last = PARTS[preset][-1]
    parts = kept["done"] | {last: kept[last]["average"]["state"]}
    assert list(parts) == list(dict.fromkeys(PARTS[preset]))
    found = weights.read(run / "model.safetensors")
    for name, state in parts.items():
        for key, value in state.items():
            np.testing.assert_array_equal(found.pop(f"{name}.{key}"), value.half())
    assert not found
    about = weights.describe(run / "model.safetensors")
    assert (about["kind"], about["architecture"]) == ("beautifier", preset)
    wanted = json.loads((run / "options.json").read_text())
    assert {"training": "beautifier", **json.loads(about["training"])} == wanted
    assert wanted["photos"] == ["photos0"]


# --- stopped and resumed ---------------------------------------------------------------------


def killed(run: Path, folder: Path, step: int, **options: Any) -> None:
    """Train as if the process were killed after a step: no checkpoint is written there."""

    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise SystemError("killed")

    with pytest.raises(SystemError, match="killed"):
        learn(run, folder, on_step=on_step, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "end", "step", "first"),
    [
        # between two checkpoints, within a predictor or an improver
        (DEFAULT, stopped, 3, 4),
        (DEFAULT, stopped, 9, 10),
        (DEFAULT, stopped, 11, 12),
        (ARTICLE, stopped, 3, 4),
        (ARTICLE, stopped, 9, 10),
        (DEFAULT, stopped, 5, 6),  # after the first step of an improver
        (DEFAULT, stopped, 7, 8),  # after the last one
        (ARTICLE, stopped, 1, 2),
        (ARTICLE, stopped, 11, 12),  # after the last step of all
        (DEFAULT, killed, 3, 3),
        (DEFAULT, killed, 5, 5),
        (ARTICLE, killed, 9, 9),
    ],
)
def test_resuming_gives_the_same_bits(
    tmp_path: Path,
    photos: Path,
    runs: dict[str, Run],
    options: dict[str, Any],
    end: Callable[..., object],
    step: int,
    first: int,
) -> None:
    """A stopped run continues after that step, a killed one after the checkpoint before."""
    run, scores, told = runs[options.get("preset", "default")]
    end(tmp_path, photos, step, **options)
    torch.rand(5)  # other random numbers do not matter
    again: list[Progress] = []
    assert learn(tmp_path, photos, **options, resume=True, on_step=again.append) == scores
    assert all(p.note == "" for p in again[1:])
    assert [p.note for p in again[:1]] == [f"resuming after step {first - 1}"] * (step < len(told))
    assert [(p.step, p.stage, p.loss) for p in again] == [
        (p.step, p.stage, p.loss) for p in told[first - 1 :]
    ]
    models = [weights.read(one / "model.safetensors") for one in (run, tmp_path)]
    same(models[0], models[1])
    kept = [torch.load(one / "checkpoint.pt", weights_only=True) for one in (run, tmp_path)]
    same(kept[0], kept[1])
    for path in (*run.glob("*.csv"), *run.glob("samples/*.png"), run / "options.json"):
        assert (tmp_path / path.relative_to(run)).read_bytes() == path.read_bytes(), path.name


def test_training_leaves_torch_s_random_state_alone(tmp_path: Path, photos: Path) -> None:
    before = torch.get_rng_state()
    learn(tmp_path, photos, improver_steps=1)
    np.testing.assert_array_equal(torch.get_rng_state(), before)


def test_a_run_is_resumed_with_the_same_options(tmp_path: Path, photos: Path) -> None:
    stopped(tmp_path, photos, 1)
    for options, says in (
        ({"preset": "article"}, "--preset article: this run was started with default"),
        ({"improver_steps": 5}, "--improver-steps 5: this run was started with 0"),
        ({"batch_size": 3}, "--batch-size 3: this run was started with 2"),
        ({"learning_rate": 0.5}, "--learning-rate 0.5: this run was started with 0.002"),
        ({"seed": 1}, "--seed 1: this run was started with 0"),
    ):
        with pytest.raises(OptionError, match=f"^{says}; resume it with the same options"):
            learn(tmp_path, photos, **options, resume=True)
    with pytest.raises(OutputError, match="already holds a run; continue it with --resume"):
        learn(tmp_path, photos)
    with pytest.raises(OutputError, match="has no checkpoint to resume"):
        learn(tmp_path / "other", photos, resume=True)


# --- what cannot be trained ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"preset": "fast"}, "--preset fast: must be one of default, article"),
        ({"steps": 0}, "--steps 0: must be at least 1"),
        ({"improver_steps": -1}, "--improver-steps -1: must be at least 0"),
        ({"batch_size": 0}, "--batch-size 0: must be at least 1"),
        ({"save_every": 0}, "--save-every 0: must be at least 1"),
        ({"learning_rate": 0.0}, "--learning-rate 0: must be above 0 and below 1"),
        ({"learning_rate": 1.0}, "--learning-rate 1: must be above 0 and below 1"),
        ({"learning_rate": float("nan")}, "--learning-rate nan: must be above 0 and below 1"),
        ({"device": "tpu"}, "--device tpu: must be one of auto, cpu, cuda, mps"),
    ],
)
def test_invalid_options_are_refused(
    tmp_path: Path, photos: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(OptionError) as raised:
        learn(tmp_path / "run", photos, **options)
    assert str(raised.value) == says
    assert not (tmp_path / "run").exists()


def test_folders_without_photos_are_refused(tmp_path: Path, scene: Scene) -> None:
    (tmp_path / "p").mkdir()
    none = "p: holds no picture of at least 160×160 pixels"
    remedy = "check the name of the folder, or add pictures"
    held = f"{none} among those held out for the scores, one in 4; {remedy}"
    for size, name, says in (
        (None, "", none),
        ((200, 159), KNOWN[0], none),  # too small
        ((200, 160), HELD_OUT[0], none),  # held out alone
        ((160, 200), KNOWN[0], None),
    ):
        if size:
            scene(*size).save(tmp_path / "p" / name)
        if says:
            with pytest.raises(InputError) as raised:
                learn(tmp_path / "run", tmp_path / "p")
            assert str(raised.value) == f"{tmp_path}/{says}; {remedy}"
    (tmp_path / "p" / HELD_OUT[0]).unlink()
    with pytest.raises(InputError) as raised:
        learn(tmp_path / "run", tmp_path / "p")
    assert str(raised.value) == f"{tmp_path}/{held}"
    with pytest.raises(InputError, match="nowhere: there is no such folder"):
        learn(tmp_path / "run", tmp_path / "nowhere")
    assert not (tmp_path / "run").exists()


# --- the command -----------------------------------------------------------------------------


def test_the_command_trains_what_the_verbs_use(
    tmp_path: Path, photos: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    line = ["train", "beautifier", str(photos), "-o", run, "--steps", "1", "--batch-size", "1"]
    assert main([*line, "--improver-steps", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["output"] == f"{run}/model.safetensors"
    assert set(told["scores"]) == {"error", "harmonic"}
    model = told["output"]
    assert predictability(scene(), model=model).error > 0
    says = f"--method relative: {model} has no network for it; use optimize"
    with pytest.raises(WeightsError) as raised:
        beautify(scene(), model=model)
    assert str(raised.value) == says
