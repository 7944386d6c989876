"""Trainings of painters that are stopped and resumed, that diverge, or that end early."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_training import (
    ARTICLE,
    AUTO,
    FOUR,
    Run,
    alike,
    learn,
    painted,
    rows,
    small_networks,
    stopped,
    trained_steps,
)
from torch import Tensor

from limner import progress
from limner.errors import OptionError, OutputError
from limner.generation.gan.adversarial_step import AdversarialStep
from limner.generation.gan.metrics import Evaluator, Score
from limner.nn import weights
from limner.progress import Progress, Stop


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    with small_networks():
        yield


# --- stopped and resumed ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "step"), [("auto", 0), ("auto", 1), ("auto", 3), ("article", 2), ("article", 3)]
)
def test_resuming_gives_the_same_bits(
    name: str, step: int, tmp_path: Path, pictures: Path, request: pytest.FixtureRequest
) -> None:
    """A run that is stopped after a step continues there, also between two checkpoints."""
    options = {"auto": AUTO, "article": ARTICLE}[name]
    run, scores, _ = request.getfixturevalue(f"{name}_run")
    stopped(tmp_path, pictures, step, **options)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == step
    torch.rand(5)  # other random numbers do not matter
    told: list[Progress] = []
    found = learn(tmp_path, pictures, **options, resume=True, on_step=told.append)
    assert trained_steps(told) == list(range(step + 1, 5)) and found == scores
    alike(run, tmp_path)


def test_a_finished_run_is_resumed_with_the_same_scores(
    tmp_path: Path, pictures: Path, article_run: Run
) -> None:
    stopped(tmp_path, pictures, 4, **ARTICLE)
    assert learn(tmp_path, pictures, **ARTICLE, resume=True) == article_run[1]
    alike(article_run[0], tmp_path)


def test_a_run_can_be_made_longer(tmp_path: Path, pictures: Path, article_run: Run) -> None:
    learn(tmp_path, pictures, **ARTICLE | {"steps": 2})
    assert learn(tmp_path, pictures, **ARTICLE, resume=True) == article_run[1]
    alike(article_run[0], tmp_path)


def test_the_seed_makes_the_painter(tmp_path: Path, pictures: Path) -> None:
    for name, seed in (("a", 5), ("b", 6)):
        learn(tmp_path / name, pictures, seed=seed)
    one, other = (weights.read(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert (one["body.0.weight"] - other["body.0.weight"]).abs().max() > 0.01


def test_every_step_has_pictures_and_numbers_of_its_own(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float]] = []

    def step(stage: AdversarialStep, real: Tensor, number: int, share: float) -> dict[str, float]:
        seen.append((real.sum().item(), torch.rand(()).item()))
        return {"loss": 1.0, "augmented": 0.0}

    monkeypatch.setattr(AdversarialStep, "step", step)
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
        with pytest.raises(OptionError, match=f"^{says}; resume it with the same options"):
            learn(tmp_path, pictures, **options, resume=True)
    with pytest.raises(OutputError, match="already holds a run"):
        learn(tmp_path, pictures)
    with pytest.raises(OutputError, match="has no checkpoint to resume"):
        learn(tmp_path / "other", pictures, resume=True)


def test_the_message_names_the_option(tmp_path: Path, pictures: Path) -> None:
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
    assert trained_steps(told) == [1] and told[-1].share == 1
    assert "kid" in scores and [row["step"] for row in rows(tmp_path)] == [1]
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["seconds"] > 0.001


def test_a_budget_of_time_is_of_all_calls(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that moves one second at every report."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    told: list[Progress] = []

    def on_step(progress: Progress) -> None:
        told.append(progress)
        clock[0] += 1
        if trained_steps(told) == [1, 2, 3]:
            raise Stop

    options = {"steps": 50, "time_budget": "5.5s", "save_every": 100, "on_step": on_step}
    with pytest.raises(Stop):
        learn(tmp_path, pictures, **options)
    assert trained_steps(told) == [1, 2, 3]  # after 1, 2 and 3 seconds
    clock[0] = 100
    told.clear()
    learn(tmp_path, pictures, **options, resume=True)
    assert trained_steps(told) == [4, 5, 6]  # 4, 5 and 6
    assert [p.share for p in told[1:]] == [pytest.approx(n / 5.5) for n in (4, 5)] + [1]


def copying(monkeypatch: pytest.MonkeyPatch, shares: list[float]) -> None:
    """Scores as they are, with other shares of copies."""
    plain, left = Evaluator.score, iter(shares)

    def score(evaluator: Evaluator, made: Tensor, random: torch.Generator) -> Score:
        return replace(plain(evaluator, made, random), copies=next(left))

    monkeypatch.setattr(Evaluator, "score", score)


@pytest.mark.parametrize("stop", [False, True])
def test_copies_cause_a_warning_and_can_end_the_training(
    stop: bool, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying(monkeypatch, [0.3, 0.42, 0.1])  # a share of 0.3 is not yet too much
    told: list[Progress] = []
    options = {"steps": 3, "save_every": 1, "stop_on_copies": stop}
    scores = learn(tmp_path, pictures, **options, on_step=told.append)
    said = (
        "step 2: the pictures become copies: 42% are nearer to a training picture than 90% of "
        "the held-out pictures are"
    )
    notes = [progress.note for progress in told]
    assert [said in note for note in notes] == [False, False, True, False][: 3 if stop else 4]
    assert sum("copies" in note for note in notes) == 1
    assert scores["copies"] == (0.42 if stop else 0.1)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == (2 if stop else 3)


# --- divergence ------------------------------------------------------------------------------


def diverging(
    monkeypatch: pytest.MonkeyPatch, at: int, times: int, name: str, value: float
) -> list[tuple[int, float]]:
    """Make a loss NaN or infinite at a step, some times; return the steps and shares of rates."""
    asked: list[tuple[int, float]] = []
    plain, left = AdversarialStep.step, [times]

    def step(stage: AdversarialStep, real: Tensor, number: int, share: float) -> dict[str, float]:
        asked.append((number, share))
        losses = plain(stage, real, number, share)
        if number == at and left[0]:
            left[0] -= 1
            with torch.no_grad():
                next(stage.network.parameters()).fill_(value)
            losses[name] = value
        return losses

    monkeypatch.setattr(AdversarialStep, "step", step)
    return asked


@pytest.mark.parametrize(
    ("name", "value"), [("loss", float("nan")), ("discriminator", float("inf"))]
)
def test_a_training_that_diverges_falls_back_with_half_the_rate(
    name: str, value: float, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = diverging(monkeypatch, 2, 2, name, value)
    told: list[Progress] = []
    learn(tmp_path, pictures, **FOUR, on_step=told.append)
    assert asked == [(0, 1), (1, 1), (2, 1), (2, 0.5), (2, 0.25), (3, 0.25)]
    assert trained_steps(told) == [1, 2, 3, 4]
    assert told[3].note == "; ".join(
        2 * ["diverged at step 3; back to step 2 with half the learning rate"]
    )
    assert [row["step"] for row in rows(tmp_path)] == [2, 4]
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (kept["rate_share"], kept["divergences"]) == (0.25, 2)
    assert painted(tmp_path).isfinite().all()


def test_a_training_may_diverge_before_its_first_checkpoint(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = diverging(monkeypatch, 1, 1, "loss", float("nan"))
    learn(tmp_path, pictures, **FOUR | {"steps": 2})
    assert asked == [(0, 1), (1, 1), (0, 0.5), (1, 0.5)]


def test_a_training_that_keeps_diverging_ends_and_keeps_its_checkpoint(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, article_run: Run
) -> None:
    with monkeypatch.context() as patch:
        asked = diverging(patch, 2, 99, "loss", float("nan"))
        with pytest.raises(
            OptionError, match=r"^--learning-rate 0\.0001: .* 4 times, last at step 3;"
        ):
            learn(tmp_path, pictures, **ARTICLE)
    assert asked[2:] == [(2, 1), (2, 0.5), (2, 0.25), (2, 0.125)]
    assert [row["step"] for row in rows(tmp_path)] == [2]
    learn(tmp_path, pictures, **ARTICLE, resume=True)
    alike(article_run[0], tmp_path)


def test_no_checkpoint_has_weights_that_are_not_finite(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss can be finite although its gradient is not."""
    plain, left = AdversarialStep.step, [1]

    def step(stage: AdversarialStep, real: Tensor, number: int, share: float) -> dict[str, float]:
        losses = plain(stage, real, number, share)
        if number == 1 and left[0]:
            left[0] -= 1
            for parameter in stage.network.parameters():
                parameter.data.fill_(float("nan"))
            stage.average.update(stage.network)
        return losses

    monkeypatch.setattr(AdversarialStep, "step", step)
    learn(tmp_path, pictures, **FOUR)
    assert painted(tmp_path).isfinite().all()


def test_a_run_that_is_stopped_and_then_diverges_gives_the_same_bits(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between two checkpoints, it still falls back to the last regular one."""
    runs = [tmp_path / name for name in ("whole", "stopped")]
    for run in runs:
        with monkeypatch.context() as patch:
            asked = diverging(patch, 3, 1, "loss", float("nan"))
            if run.name == "stopped":
                stopped(run, pictures, 3, **ARTICLE)
                kept = torch.load(run / "checkpoint.pt", weights_only=True)
                assert (kept["step"], kept["last_good"]["step"]) == (3, 2)
            learn(run, pictures, **ARTICLE, resume=run.name != "whole")
            assert asked == [(0, 1), (1, 1), (2, 1), (3, 1), (2, 0.5), (3, 0.5)]
    alike(*runs)


def test_a_run_that_is_stopped_after_it_diverged_gives_the_same_bits(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The halved learning rate and the state to fall back to are in the checkpoint."""
    runs = [tmp_path / name for name in ("whole", "stopped")]
    for run in runs:
        with monkeypatch.context() as patch:
            asked = diverging(patch, 1, 2, "loss", float("nan"))
            if run.name == "stopped":
                told: list[Progress] = []

                def on_step(progress: Progress, told: list[Progress] = told) -> None:
                    told.append(progress)
                    if trained_steps(told) == [1, 1]:
                        raise Stop

                with pytest.raises(Stop):
                    learn(run, pictures, **ARTICLE, on_step=on_step)
                kept = torch.load(run / "checkpoint.pt", weights_only=True)
                assert (kept["step"], kept["rate_share"], kept["divergences"]) == (1, 0.5, 1)
                assert kept["last_good"]["step"] == 0
            learn(run, pictures, **ARTICLE, resume=run.name != "whole")
            steps = [(0, 1), (1, 1), (0, 0.5), (1, 0.5), (0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25)]
            assert asked == steps
    alike(*runs)


def test_a_checkpoint_of_limner_0_1_is_resumed(
    tmp_path: Path, pictures: Path, article_run: Run
) -> None:
    stopped(tmp_path, pictures, 2, **ARTICLE)
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    stage = kept.pop("stage")
    augmentation = stage["augmentation"]
    assert kept.pop("last_good") is None
    kept |= {"share": kept.pop("rate_share"), "falls": kept.pop("divergences")}
    kept.pop("format")
    kept["game"] = {
        "network": stage["network"],
        "average": stage["average"],
        "adam": stage["adam"],
        "rival": stage["discriminator"],
        "rival_adam": stage["discriminator_adam"],
        "augmentation": {"share": augmentation["share"], "sure": augmentation["overfitting"]},
        "usual": {"length": stage["path_mean"]["mean"]},
    }
    torch.save(kept, tmp_path / "checkpoint.pt")
    assert learn(tmp_path, pictures, **ARTICLE, resume=True) == article_run[1]
    alike(article_run[0], tmp_path)
