"""Training a painter: runs of four steps, stopped and resumed, diverging, and copying."""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from limner.errors import InputError, OptionError, OutputError
from limner.generation.gan import dcgan, metrics, painter, train
from limner.generation.gan import lightweight_gan as light
from limner.generation.gan.adversarial_step import Game
from limner.generation.gan.dataset import Folder, read
from limner.generation.gan.metrics import Judge, Score
from limner.generation.gan.train import shaped, train_painter
from limner.generation.sheet import grid
from limner.nn import seeding, weights
from limner.progress import Progress, Stop
from limner.train import run as training
from stopping import same, until

CPU = torch.device("cpu")
SHOWN, MEASURED = 4, 8
FOUR: dict[str, Any] = {"steps": 4, "save_every": 2}
AUTO: dict[str, Any] = {**FOUR, "preset": "auto"}
ARTICLE: dict[str, Any] = {**FOUR, "preset": "relativistic", "augment": "adaptive"}


class Small(dcgan.Generator):
    """A sixteenth of the channels."""

    def __init__(self, size: tuple[int, int], latent: int = 16) -> None:
        super().__init__(size, latent, 4)


@pytest.fixture(autouse=True, scope="module")
def little() -> Iterator[None]:
    """Networks of few weights, and few pictures that are measured."""
    plain, judges = train.build, dict[tuple[float, ...], Judge]()

    def build(architecture: str, size: tuple[int, int]) -> tuple[nn.Module, nn.Module]:
        if architecture == "dcgan":
            return Small(size), dcgan.Discriminator(size, 4)
        return plain(architecture, size)

    def judge(*lots: Tensor) -> Judge:
        """The same for the same pictures."""
        known = tuple(value for lot in lots for value in (*lot.shape, lot.double().sum().item()))
        return judges.setdefault(known, judges.get(known) or Judge(*lots))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "build", build)
        patch.setitem(painter.ARCHITECTURES, "dcgan", Small)
        patch.setattr(train, "Judge", judge)
        patch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if it were not installed
        patch.setattr(metrics, "SUBSETS", 3)
        patch.setattr(light, "HEAD", 4)
        patch.setattr(light, "SEEN", 32)
        patch.setattr(light, "WIDTHS", (12, 10, 8, 8, 8, 8))
        patch.setattr(train, "MEASURED", MEASURED)
        patch.setattr(train, "SHOWN", SHOWN)
        yield


def learn(run: Path, folder: Path, **options: Any) -> dict[str, float]:
    return train_painter(folder, run, **{"preset": "dcgan", "batch_size": 2, "steps": 1} | options)


def stopped(run: Path, folder: Path, step: int, **options: Any) -> list[Progress]:
    told: list[Progress] = []
    with pytest.raises(Stop):
        learn(run, folder, on_step=until(step, told), **options)
    return told


def played(told: list[Progress]) -> list[int]:
    """The steps that were made; what is only said has no loss."""
    return [progress.step for progress in told if progress.loss is not None]


def rows(run: Path) -> list[dict[str, float]]:
    heads, *lines = (line.split(",") for line in (run / "log.csv").read_text().splitlines())
    return [dict(zip(heads, map(float, line), strict=True)) for line in lines]


def sha(run: Path) -> str:
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


Run = tuple[Path, dict[str, float], list[Progress]]


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of `auto`, its scores and its progress."""
    run, told = tmp_path_factory.mktemp("runs") / "auto", list[Progress]()
    return run, learn(run, pictures, **AUTO, on_step=told.append), told


@pytest.fixture(scope="module")
def article(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of `relativistic`, which normalises batches, with adaptive augmentation."""
    run, told = tmp_path_factory.mktemp("runs") / "article", list[Progress]()
    return run, learn(run, pictures, **ARTICLE, on_step=told.append), told


# --- what a run leaves behind ----------------------------------------------------------------


def test_progress_is_told_at_every_step(whole: Run) -> None:
    _, scores, (first, *told) = whole
    assert (first.step, first.loss, first.note) == (0, None, "15 pictures at 64×64 pixels")
    assert [(p.verb, p.stage, p.step, p.steps, p.share) for p in told] == [
        ("train painter", "auto", step, 4, step / 4) for step in (1, 2, 3, 4)
    ]
    assert all(p.loss is not None and np.isfinite(p.loss) for p in told)
    assert (told[0].note, told[2].note) == ("", "")
    assert told[3].note == (
        f"step 4: KID {scores['kid']:.1f} ± {scores['spread']:.1f}, of the folder's own pictures "
        f"{scores['real_kid']:.1f} ± {scores['real_spread']:.1f} (all ×1000)"
    )


def test_there_are_a_log_samples_a_checkpoint_and_a_painter(whole: Run) -> None:
    run, scores, told = whole
    left = {path.name for path in run.iterdir()}
    weights_files = {"model.safetensors", "best.safetensors"}
    assert left == weights_files | {"checkpoint.pt", "options.json", "samples", "log.csv"}
    assert sorted(p.name for p in (run / "samples").iterdir()) == ["000002.png", "000004.png"]
    measured = [*Score.__annotations__, "real_kid", "real_spread"]
    assert list(scores) == measured
    assert np.isfinite(list(scores.values())).all()
    first, last = rows(run)
    assert list(last) == ["step", "loss", "discriminator", "augmented", *measured]
    assert (first["step"], last["step"]) == (2, 4)
    assert last["loss"] == pytest.approx(told[-1].loss, rel=1e-4)
    assert [last[key] for key in measured] == pytest.approx([scores[k] for k in measured], rel=1e-4)


def test_the_best_is_kept(whole: Run) -> None:
    run, _, _ = whole
    best = min(rows(run), key=lambda row: float(row["kid"]))
    about = weights.describe(run / "best.safetensors")
    assert json.loads(about["training"])["steps"] == best["step"]


def painted(run: Path) -> Tensor:
    """Of seed 0 the pictures that are shown, and those that are measured."""
    network, _ = painter.load(run, CPU)
    z = torch.randn((SHOWN + MEASURED, network.latent), generator=seeding.generator(0, 0))
    torch.manual_seed(0)
    return network.paint(network.map(z)).clamp(0, 1)


def test_samples_and_scores_are_those_of_the_painter(whole: Run, pictures: Path) -> None:
    run, scores, _ = whole
    made = painted(run)
    sheet = np.asarray(Image.open(run / "samples" / "000004.png"))
    wanted = 255 * grid(made[:SHOWN])[0].permute(1, 2, 0).numpy()
    assert sheet.shape == (2 * 68 + 4, 2 * 68 + 4, 3)
    assert np.abs(sheet - wanted).max() < 2.5  # the network's weights were rounded
    measured, shown = train._paint(painter.load(run, CPU)[0], 0)
    np.testing.assert_array_equal(measured, made[SHOWN:])
    np.testing.assert_array_equal(shown, made[:SHOWN])
    folder = Folder(pictures, read(pictures, (64, 64)), (64, 64), mirror=False)
    judge = train.Judge(folder.learnt(), folder.unseen(), folder.crops())
    found = judge.score(made[SHOWN:], seeding.generator(0, 0))
    assert scores["kid"] == pytest.approx(found.kid, rel=0.02)
    real = judge.real(seeding.generator(0, 0))
    assert (scores["real_kid"], scores["real_spread"]) == (real.kid, real.spread)


def test_what_is_written_is_the_average_in_half_precision(whole: Run, article: Run) -> None:
    for run, _, _ in (whole, article):
        kept = torch.load(run / "checkpoint.pt", weights_only=True)
        assert (kept["step"], kept["share"], kept["falls"]) == (4, 1.0, 0)
        found = weights.read(run / "model.safetensors")
        for key, value in kept["game"]["average"]["state"].items():
            wanted = value.half() if value.is_floating_point() else value
            np.testing.assert_array_equal(found.pop(key), wanted)
        assert not found
    about = weights.describe(run / "model.safetensors")
    assert (about["kind"], about["architecture"]) == ("painter", "dcgan")
    told = json.loads(about["training"])
    assert told.pop("steps") == 4 and told == json.loads((run / "options.json").read_text())
    assert told["augment"] == "adaptive" and told["resolution"] == 64
    assert about["licence"] == "that of the pictures it learnt from"


def test_what_cannot_be_read_is_told_first_and_any_shape_is_learnt(
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
    assert notes[1] == "14 pictures at 96×64 pixels" and len(notes) == 3
    assert painted(run).shape == (SHOWN + MEASURED, 3, 64, 96)
    assert json.loads((run / "options.json").read_text())["mirror"] is True


# --- stopped and resumed ---------------------------------------------------------------------


def alike(one: Path, other: Path) -> None:
    """Are all files of two runs the same?"""
    assert sha(one) == sha(other)
    kept = [torch.load(run / "checkpoint.pt", weights_only=True) for run in (one, other)]
    same(*(state | {"seconds": 0} for state in kept))
    for path in (one / "log.csv", *one.glob("samples/*.png"), one / "options.json"):
        assert (other / path.relative_to(one)).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(("name", "step"), [("auto", 3), ("article", 2), ("article", 3)])
def test_resuming_gives_the_same_bits(
    name: str, step: int, tmp_path: Path, pictures: Path, request: pytest.FixtureRequest
) -> None:
    """A run stopped after a step goes on from the checkpoint before, that of step 2."""
    options = {"auto": AUTO, "article": ARTICLE}[name]
    run, scores, _ = request.getfixturevalue({"auto": "whole"}.get(name, name))
    stopped(tmp_path, pictures, step, **options)
    assert sha(tmp_path) != sha(run)
    torch.rand(5)  # what else draws numbers does not matter
    told: list[Progress] = []
    found = learn(tmp_path, pictures, **options, resume=True, on_step=told.append)
    assert played(told) == [3, 4] and found == scores
    alike(run, tmp_path)


def test_a_call_of_no_time_makes_a_step_and_can_go_on(
    tmp_path: Path, pictures: Path, article: Run
) -> None:
    """With a checkpoint, and a line of the log, whenever it stops."""
    told: list[Progress] = []
    for number in range(4):
        options = ARTICLE | {"max_hours": 1e-9, "resume": number > 0}
        scores = learn(tmp_path, pictures, **options, on_step=told.append)
    assert played(told) == [1, 2, 3, 4]
    assert sha(tmp_path) == sha(article[0]) and scores == article[1]
    found = rows(tmp_path)
    assert [row["step"] for row in found] == [1, 2, 3, 4] and found[1::2] == rows(article[0])


def test_a_finished_run_is_resumed_with_the_same_scores(
    tmp_path: Path, pictures: Path, article: Run
) -> None:
    stopped(tmp_path, pictures, 4, **ARTICLE)
    assert learn(tmp_path, pictures, **ARTICLE, resume=True) == article[1]
    alike(article[0], tmp_path)


def test_a_run_can_be_made_longer(tmp_path: Path, pictures: Path, article: Run) -> None:
    learn(tmp_path, pictures, **ARTICLE | {"steps": 2})
    assert learn(tmp_path, pictures, **ARTICLE, resume=True) == article[1]
    alike(article[0], tmp_path)


def test_the_seed_makes_the_painter(tmp_path: Path, pictures: Path) -> None:
    for name, seed in (("a", 5), ("b", 6)):
        learn(tmp_path / name, pictures, seed=seed)
    one, other = (weights.read(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert (one["body.0.weight"] - other["body.0.weight"]).abs().max() > 0.01


def test_every_step_has_pictures_and_numbers_of_its_own(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float]] = []

    def step(game: Game, real: Tensor, number: int, share: float) -> dict[str, float]:
        seen.append((real.sum().item(), torch.rand(()).item()))
        return {"loss": 1.0, "augmented": 0.0}

    monkeypatch.setattr(Game, "step", step)
    learn(tmp_path, pictures, **FOUR)
    assert [len(set(lot)) for lot in zip(*seen, strict=True)] == [4, 4]


def test_a_run_is_resumed_as_it_was_started(tmp_path: Path, pictures: Path) -> None:
    learn(tmp_path, pictures)
    for options, says in (
        ({"preset": "auto"}, "--preset auto: this run was started with dcgan"),
        ({"mirror": True}, "--mirror True: this run was started with False"),
        ({"loss": "hinge"}, "--loss hinge: this run was started with standard"),
        ({"penalty": "r1"}, "--penalty r1: this run was started with none"),
        ({"augment": "adaptive"}, "--augment adaptive: this run was started with none"),
        ({"batch_size": 3}, "--batch-size 3: this run was started with 2"),
        ({"seed": 1}, "--seed 1: this run was started with 0"),
    ):
        with pytest.raises(OptionError, match=f"^{says}; resume it with the same, or start"):
            learn(tmp_path, pictures, **options, resume=True)
    with pytest.raises(OutputError, match="holds a run already; use --resume or another"):
        learn(tmp_path, pictures)
    with pytest.raises(OutputError, match="holds no checkpoint to resume"):
        learn(tmp_path / "other", pictures, resume=True)


def test_an_option_is_told_by_its_name(tmp_path: Path, pictures: Path) -> None:
    learn(tmp_path, pictures)
    with pytest.raises(
        OptionError, match=r"^--learning-rate 0\.5: this run was started with 0\.0002"
    ):
        learn(tmp_path, pictures, learning_rate=0.5, resume=True)
    with pytest.raises(OptionError, match=r"^--(aspect|resolution) "):
        learn(tmp_path, pictures, aspect="3:2", resume=True)


# --- an end before the last step -------------------------------------------------------------


def test_a_budget_of_time_ends_it(tmp_path: Path, pictures: Path) -> None:
    told: list[Progress] = []
    scores = learn(tmp_path, pictures, steps=50, time_budget="0.001s", on_step=told.append)
    assert played(told) == [1] and told[-1].share == 1
    assert "kid" in scores and [row["step"] for row in rows(tmp_path)] == [1]
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["seconds"] > 0.001


def test_a_budget_of_time_is_of_all_calls(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes on a second whenever a step was told."""
    clock = [0.0]
    monkeypatch.setattr(train.time, "monotonic", lambda: clock[0])
    told: list[Progress] = []

    def on_step(progress: Progress) -> None:
        told.append(progress)
        clock[0] += 1

    options = {"steps": 50, "time_budget": "5.5s", "save_every": 100, "on_step": on_step}
    learn(tmp_path, pictures, **options, max_hours=2.5 / 3600)
    assert played(told) == [1, 2, 3]  # after 1, 2 and 3 seconds
    clock[0] = 100
    told.clear()
    learn(tmp_path, pictures, **options, resume=True)
    assert played(told) == [4, 5, 6]  # 4, 5 and 6
    assert [p.share for p in told[1:]] == [pytest.approx(n / 5.5) for n in (4, 5)] + [1]


def copying(monkeypatch: pytest.MonkeyPatch, shares: list[float]) -> None:
    """Scores as they are, with other shares of copies."""
    plain, left = Judge.score, iter(shares)

    def score(judge: Judge, made: Tensor, random: torch.Generator) -> Score:
        return replace(plain(judge, made, random), copies=next(left))

    monkeypatch.setattr(Judge, "score", score)


@pytest.mark.parametrize("stop", [False, True])
def test_copies_are_told_and_can_end_it(
    stop: bool, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying(monkeypatch, [0.3, 0.42, 0.1])  # a share of 0.3 is not yet too much
    told: list[Progress] = []
    options = {"steps": 3, "save_every": 1, "stop_on_copies": stop}
    scores = learn(tmp_path, pictures, **options, on_step=told.append)
    said = (
        "step 2: they become copies: 42% are as near to one they learn from as a tenth of the "
        "held-out pictures are"
    )
    notes = [progress.note for progress in told]
    assert [said in note for note in notes] == [False, False, True, False][: 3 if stop else 4]
    assert sum("copies" in note for note in notes) == 1
    assert scores["copies"] == (0.42 if stop else 0.1)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == (2 if stop else 3)


# --- divergence ------------------------------------------------------------------------------


def falling(
    monkeypatch: pytest.MonkeyPatch, at: int, times: int, name: str, value: float
) -> list[tuple[int, float]]:
    """Let a loss be no number at a step, so many times; give what steps and shares were asked."""
    asked: list[tuple[int, float]] = []
    plain, left = Game.step, [times]

    def step(game: Game, real: Tensor, number: int, share: float) -> dict[str, float]:
        asked.append((number, share))
        losses = plain(game, real, number, share)
        if number == at and left[0]:
            left[0] -= 1
            with torch.no_grad():
                next(game.network.parameters()).fill_(value)
            losses[name] = value
        return losses

    monkeypatch.setattr(Game, "step", step)
    return asked


@pytest.mark.parametrize(
    ("name", "value"), [("loss", float("nan")), ("discriminator", float("inf"))]
)
def test_a_training_that_diverges_goes_back_at_half_the_rate(
    name: str, value: float, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = falling(monkeypatch, 2, 2, name, value)
    told: list[Progress] = []
    learn(tmp_path, pictures, **FOUR, on_step=told.append)
    assert asked == [(0, 1), (1, 1), (2, 1), (2, 0.5), (2, 0.25), (3, 0.25)]
    assert played(told) == [1, 2, 3, 4]
    assert told[3].note == "; ".join(2 * ["diverged at step 3: back to 2, half the rate"])
    assert [row["step"] for row in rows(tmp_path)] == [2, 4]
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (kept["share"], kept["falls"]) == (0.25, 2)
    assert painted(tmp_path).isfinite().all()


def test_a_training_may_diverge_before_its_first_checkpoint(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = falling(monkeypatch, 1, 1, "loss", float("nan"))
    learn(tmp_path, pictures, **FOUR | {"steps": 2})
    assert asked == [(0, 1), (1, 1), (0, 0.5), (1, 0.5)]


def test_a_training_that_keeps_diverging_ends_and_keeps_its_checkpoint(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, article: Run
) -> None:
    with monkeypatch.context() as patch:
        asked = falling(patch, 2, 99, "loss", float("nan"))
        with pytest.raises(
            OptionError, match=r"^--learning-rate 0\.0001: .* 4 times, last at step 3"
        ):
            learn(tmp_path, pictures, **ARTICLE)
    assert asked[2:] == [(2, 1), (2, 0.5), (2, 0.25), (2, 0.125)]
    assert [row["step"] for row in rows(tmp_path)] == [2]
    learn(tmp_path, pictures, **ARTICLE, resume=True)
    alike(article[0], tmp_path)


def test_no_checkpoint_is_of_weights_that_are_no_numbers(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss can be finite where its gradient is not."""
    plain, left = Game.step, [1]

    def step(game: Game, real: Tensor, number: int, share: float) -> dict[str, float]:
        losses = plain(game, real, number, share)
        if number == 1 and left[0]:
            left[0] -= 1
            for parameter in game.network.parameters():
                parameter.data.fill_(float("nan"))
            game.average.update(game.network)
        return losses

    monkeypatch.setattr(Game, "step", step)
    learn(tmp_path, pictures, **FOUR)
    assert painted(tmp_path).isfinite().all()


# --- shapes and options ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aspect", "resolution", "size"),
    [
        ("1:1", 64, (64, 64)),
        ("3:2", 64, (64, 96)),
        ("2:3", 64, (96, 64)),
        ("1:2", 128, (256, 128)),
        ("2:1", 64, (64, 128)),
        ("16:9", 64, (64, 112)),  # the nearest quarter of the short side
        ("1.25:1", 64, (64, 80)),
    ],
)
def test_an_aspect_is_width_to_height(
    aspect: str, resolution: int, size: tuple[int, int], pictures: Path
) -> None:
    found, lot = shaped(pictures, resolution, aspect)
    assert found == size
    for cover in lot.covers:
        assert cover.shape[1] >= size[0] and cover.shape[2] >= size[1]


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(90, 60), (60, 60), (96, 64), (99, 66), (200, 50)], (64, 96)),
        ([(60, 120), (60, 121), (50, 500)], (128, 64)),
        ([], (64, 64)),
    ],
)
def test_a_folders_aspect_is_its_median(
    sizes: list[tuple[int, int]], size: tuple[int, int], tmp_path: Path
) -> None:
    for number, one in enumerate(sizes):
        Image.new("RGB", one, (number, 0, 0)).save(tmp_path / f"{number}.png")
    assert shaped(tmp_path, 64, "folder")[0] == size


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
        ({"aspect": "3:1"}, '--aspect 3:1: must be "folder", or from 1:2 to 2:1'),
        ({"aspect": "wide"}, '--aspect wide: must be "folder", or from 1:2 to 2:1'),
        ({"aspect": "1:0"}, '--aspect 1:0: must be "folder", or from 1:2 to 2:1'),
        ({"aspect": "nan:1"}, '--aspect nan:1: must be "folder", or from 1:2 to 2:1'),
        ({"max_hours": 0.0}, "--max-hours 0: must be above 0"),
        ({"max_hours": float("nan")}, "--max-hours nan: must be above 0"),
        ({"time_budget": "soon"}, "time 'soon': must be above 0, as in 30s, 2m or 1h"),
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


def test_a_folder_that_will_not_do_leaves_no_run(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for name, says in (("few", "holds 0 pictures"), ("none", "there is no such folder")):
        with pytest.raises(InputError, match=says):
            learn(tmp_path / "run", tmp_path / name)
    assert not (tmp_path / "run").exists()


def test_left_out_is_what_each_preset_has(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, Any]] = []

    def begin(folder: Path, options: dict[str, Any], **_: object) -> None:
        begun.append(options)
        raise Stop

    monkeypatch.setattr(training, "Run", begin)
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
