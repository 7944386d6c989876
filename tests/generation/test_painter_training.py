"""Training a painter: what a run leaves behind, its options, and what is refused."""

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_training import (
    MEASURED,
    SAMPLES,
    Run,
    learn,
    painted,
    rows,
    small_networks,
)
from torch import Tensor

from limner.errors import InputError, OptionError, OutputError
from limner.generation.contact_sheet import contact_sheet
from limner.generation.gan import painter, train
from limner.generation.gan.dataset import Dataset, read_folder
from limner.generation.gan.metrics import Score
from limner.generation.gan.presets import PRESETS
from limner.generation.gan.train import train_painter
from limner.generation.gan.training_state import TrainingState
from limner.nn import seeding, weights
from limner.progress import Progress, Stop


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    with small_networks():
        yield


# --- what a run leaves behind ----------------------------------------------------------------


def test_every_step_is_reported(auto_run: Run) -> None:
    _, scores, (first, *told) = auto_run
    assert (first.step, first.loss, first.note) == (0, None, "15 pictures, 64×64 px")
    assert [(p.verb, p.stage, p.step, p.steps, p.share) for p in told] == [
        ("train painter", "auto", step, 4, step / 4) for step in (1, 2, 3, 4)
    ]
    assert all(p.loss is not None and np.isfinite(p.loss) for p in told)
    assert (told[0].note, told[2].note) == ("", "")
    assert told[3].note == (
        f"step 4: KID {scores['kid']:.1f} ± {scores['spread']:.1f}; the training pictures "
        f"themselves: {scores['real_kid']:.1f} ± {scores['real_spread']:.1f} (×1000, lower is "
        "better)"
    )


def test_there_are_a_log_samples_a_checkpoint_and_a_painter(auto_run: Run) -> None:
    run, scores, told = auto_run
    left = {path.name for path in run.iterdir()}
    weights_files = {"model.safetensors", "best.safetensors"}
    described = {"options.json", "pictures.json"}
    assert left == weights_files | described | {"checkpoint.pt", "samples", "log.csv"}
    assert sorted(p.name for p in (run / "samples").iterdir()) == ["000002.png", "000004.png"]
    measured = [*Score.__annotations__, "real_kid", "real_spread"]
    assert list(scores) == measured
    assert np.isfinite(list(scores.values())).all()
    first, last = rows(run)
    processes = ["processes", "batch_per_process"]
    assert list(last) == ["step", "loss", "discriminator", "augmented", *measured, *processes]
    assert (first["step"], last["step"]) == (2, 4)
    assert last["loss"] == pytest.approx(told[-1].loss, rel=1e-4)
    assert [last[key] for key in measured] == pytest.approx([scores[k] for k in measured], rel=1e-4)


def test_the_best_is_kept(auto_run: Run) -> None:
    run, _, _ = auto_run
    best = min(rows(run), key=lambda row: float(row["kid"]))
    about = weights.describe(run / "best.safetensors")
    assert json.loads(about["training"])["steps"] == best["step"]


def test_samples_and_scores_are_those_of_the_painter(auto_run: Run, pictures: Path) -> None:
    run, scores, _ = auto_run
    made = painted(run)
    sheet = np.asarray(Image.open(run / "samples" / "000004.png"))
    wanted = 255 * contact_sheet(made[:SAMPLES])[0].permute(1, 2, 0).numpy()
    assert sheet.shape == (2 * 68 + 4, 2 * 68 + 4, 3)
    assert np.abs(sheet - wanted).max() < 2.5  # the network's weights were rounded
    network, _ = painter.load(run, torch.device("cpu"))
    shown, measured = train._generate(network, 0)
    np.testing.assert_array_equal(measured, made[SAMPLES:])
    np.testing.assert_array_equal(shown, made[:SAMPLES])
    folder = Dataset(pictures, read_folder(pictures, (64, 64)), (64, 64), mirror=False)
    evaluator = train.Evaluator(
        folder.training_centers(), folder.held_out_centers(), folder.training_crops()
    )
    found = evaluator.score(made[SAMPLES:], seeding.generator(0, 0))
    assert scores["kid"] == pytest.approx(found.kid, rel=0.02)
    real = evaluator.score_training(seeding.generator(0, 0))
    assert (scores["real_kid"], scores["real_spread"]) == (real.kid, real.spread)


def test_the_result_is_the_ema_in_half_precision(auto_run: Run, article_run: Run) -> None:
    for run, _, _ in (auto_run, article_run):
        kept = torch.load(run / "checkpoint.pt", weights_only=True)
        assert (kept["step"], kept["rate_share"], kept["divergences"]) == (4, 1.0, 0)
        assert kept["last_good"] is None  # not stored twice
        found = weights.read(run / "model.safetensors")
        for key, value in kept["stage"]["average"]["state"].items():
            wanted = value.half() if value.is_floating_point() else value
            np.testing.assert_array_equal(found.pop(key), wanted)
        assert not found
    about = weights.describe(run / "model.safetensors")
    assert (about["kind"], about["architecture"]) == ("painter", "dcgan")
    told = json.loads(about["training"])
    assert told.pop("steps") == 4
    options = json.loads((run / "options.json").read_text())
    assert options.pop("training") == "painter" and told == options
    assert told["augment"] == "adaptive" and told["resolution"] == 64
    assert about["license"] == "that of the pictures it was trained on"


def test_unusable_files_are_reported_first_and_any_shape_is_trained(
    pictures: Path, tmp_path: Path
) -> None:
    folder, run = tmp_path / "folder", tmp_path / "run"
    folder.mkdir()
    for path in pictures.rglob("*.png"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "07.png").write_text("no picture")
    told: list[Progress] = []
    learn(run, folder, aspect="3:2", mirror=True, on_step=told.append)
    notes = [progress.note for progress in told]
    assert "07.png" in notes[0] and "\n" not in notes[0]
    assert notes[1] == "14 pictures, 96×64 px" and len(notes) == 3
    assert painted(run).shape == (SAMPLES + MEASURED, 3, 64, 96)
    assert json.loads((run / "options.json").read_text())["mirror"] is True


def test_the_callers_random_numbers_stay(pictures: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    learn(tmp_path, pictures)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_sample_sheet_is_written_whole_or_not_at_all(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(picture: Image.Image, file: Any, *_: Any, **__: Any) -> None:
        with file if hasattr(file, "write") else Path(file).open("wb") as opened:
            opened.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(OutputError, match=r"000001\.png: .*No space left") as error:
        learn(tmp_path, pictures)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "samples").iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*non-meta parameter")
def test_a_checkpoint_is_loaded_onto_the_device_of_the_networks() -> None:
    """As of another device: the optimizers and the EMA too."""
    preset = PRESETS["relativistic"]
    saved = TrainingState(train.make_stage(preset, (64, 64), torch.device("cpu")))
    saved.stage.step(torch.rand((2, 3, 64, 64)), 0, 1.0)
    saved.step = 1
    other = TrainingState(train.make_stage(preset, (64, 64), torch.device("meta")))
    other.load_state_dict(saved.state_dict())
    tensors = list(tensors_in(other.stage.state_dict()))
    exact = saved.stage.state_dict()
    assert len(tensors) == len(list(tensors_in(exact)))
    # Adam keeps its step counts on the CPU
    assert {one.device.type for one in tensors if one.dim()} == {"meta"}


def tensors_in(state: Any) -> Iterator[Tensor]:
    if isinstance(state, dict):
        for value in state.values():
            yield from tensors_in(value)
    elif isinstance(state, Tensor):
        yield state


# --- options -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"preset": "fast"}, "--preset fast: must be one of dcgan, relativistic, stylegan2, auto"),
        ({"loss": "l1"}, "--loss l1: must be one of standard, hinge, average, paired"),
        ({"penalty": "r2"}, "--penalty r2: must be one of none, r1, r1r2"),
        ({"augment": "all"}, "--augment all: must be one of none, diffaugment, adaptive"),
        ({"steps": 0}, "--steps 0: must be at least 1"),
        ({"batch_size": 1}, "--batch-size 1: must be at least 2"),
        ({"save_every": 0}, "--save-every 0: must be at least 1"),
        ({"learning_rate": 0.0}, "--learning-rate 0: must be above 0 and below 1"),
        ({"learning_rate": float("nan")}, "--learning-rate nan: must be above 0 and below 1"),
        ({"resolution": 100}, "--resolution 100: must be one of 64, 128, 256, 512"),
        ({"aspect": "3:1"}, "--aspect 3:1: must be folder, or from 1:2 to 2:1, such as 3:2"),
        ({"aspect": "wide"}, "--aspect wide: must be folder, or from 1:2 to 2:1, such as 3:2"),
        ({"aspect": "1:0"}, "--aspect 1:0: must be folder, or from 1:2 to 2:1, such as 3:2"),
        ({"aspect": "nan:1"}, "--aspect nan:1: must be folder, or from 1:2 to 2:1, such as 3:2"),
        (
            {"time_budget": "soon"},
            "--time-budget 'soon': must be a time above 0, as in 30s, 2m, 1h",
        ),
        ({"device": "gpu"}, "--device gpu"),
    ],
)
def test_an_option_out_of_range_is_one_line(
    options: dict[str, Any], says: str, tmp_path: Path, pictures: Path
) -> None:
    with pytest.raises(OptionError) as error:
        learn(tmp_path / "run", pictures, **options)
    assert str(error.value).startswith(says) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_an_unusable_folder_leaves_no_run(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for name, says in (("few", "has 0 pictures"), ("none", "there is no such folder")):
        with pytest.raises(InputError, match=says):
            learn(tmp_path / "run", tmp_path / name)
    assert not (tmp_path / "run").exists()


def test_a_run_folder_is_checked_before_the_pictures_are_read(
    tmp_path: Path, pictures: Path
) -> None:
    learn(tmp_path / "run", pictures)
    with pytest.raises(OutputError, match="already holds a run"):
        learn(tmp_path / "run", tmp_path / "missing")
    with pytest.raises(OutputError, match="has no checkpoint to resume"):
        learn(tmp_path / "other", tmp_path / "missing", resume=True)


def test_defaults_are_those_of_each_preset(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, Any]] = []

    def begin(training: str, folder: Path, options: dict[str, Any], **_: object) -> None:
        assert training == "painter"
        begun.append(options)
        raise Stop

    monkeypatch.setattr(train, "Run", begin)
    for preset, batch, rate in (
        ("auto", 16, 1e-3),
        ("dcgan", 32, 2e-4),
        ("relativistic", 32, 1e-4),
        ("stylegan2", 8, 2e-3),
    ):
        with pytest.raises(Stop):
            train_painter(pictures, tmp_path / "run", preset=preset)  # type: ignore[arg-type]
        said = begun.pop()
        assert (said["batch_size"], said["learning_rate"], said["preset"]) == (batch, rate, preset)
