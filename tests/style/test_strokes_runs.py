"""Runs of `stylize` with strokes: progress, stopping, resuming, recipes and their replay."""

import json
import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from style_pictures import COLD, HOUSE, WARM, Paint, blobs, distance, half, recipe_of, stop_at

import limner
from limner.errors import OptionError, WeightsError
from limner.nn import weights
from limner.progress import Progress, Stop

pytestmark = pytest.mark.slow  # whole pictures in strokes


@pytest.fixture
def files(tmp_path: Path, network: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Photo and painting as files in the current folder, and the network in one below."""
    monkeypatch.chdir(tmp_path)
    Path("weights").mkdir()
    shutil.copy(network, "weights")
    for name, picture in (("house.png", HOUSE), ("warm.png", WARM), ("cold.png", COLD)):
        picture.save(name)
    half("left", 96, 72).save("mask.png")
    return ["house.png", "warm.png"]


def replayed(picture: Image.Image, change: Callable[[dict[str, Any]], None] | None = None) -> Any:
    """Write a picture to the current folder, change its recipe, and replay it."""
    recipe = recipe_of(picture)
    if change:
        change(recipe)
    picture.info["limner"] = json.dumps(recipe)
    limner.write(picture, "written.png", overwrite=True)
    return limner.replay(Path("written.png"), device="cpu")


def steps_of(picture: Image.Image) -> object:
    return recipe_of(picture)["options"]["steps"]


# --- progress --------------------------------------------------------------------------------


def test_progress_counts_steps_of_the_network_and_levels_of_strokes(
    stroke: Paint, four_levels: None
) -> None:
    reports: list[Progress] = []
    result = stroke(HOUSE, WARM, on_step=reports.append)
    assert reports[0].note.startswith("96×72 px; strokes of the paintings; 8 steps; about ")
    assert {p.steps for p in reports} == {8} and {p.verb for p in reports} == {"stylize"}
    steps = [p.step for p in reports]
    assert steps == sorted(steps) and set(steps) == set(range(9))
    stages = {p.step: p.stage for p in reports}
    assert [stages[step] for step in range(9)] == [*["96 px"] * 5, *(
        f"strokes at {side} px" for side in (28, 43, 64, 96)
    )]  # fmt: skip
    shares = [p.share for p in reports if p.preview is not None]
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares)
    assert all(p.share > 0 for p in reports if p.step)
    previews = [p.preview() for p in reports if p.preview is not None]
    assert {preview.size for preview in previews} == {(96, 72)} == {result.size}
    assert previews[-1].tobytes() == result.tobytes()
    assert all(distance(one, result) > 1 for one in previews[:-1])


def test_a_loss_is_reported_for_steps_of_the_network_only(stroke: Paint, four_levels: None) -> None:
    reports: list[Progress] = []
    stroke(HOUSE, WARM, on_step=reports.append)
    assert [p.step for p in reports if p.loss is not None] == [1, 2, 3, 4]


def test_the_share_of_the_strokes_grows_with_their_pixels(stroke: Paint, four_levels: None) -> None:
    reports: list[Progress] = []
    stroke(HOUSE, WARM, strength=0.5, on_step=reports.append)
    shares = [next(p.share for p in reports if p.step == step and p.preview) for step in range(5)]
    gains = np.diff(shares)
    np.testing.assert_allclose(gains[1:] / gains[:-1], 2.25, rtol=1e-6)
    assert shares[0] == 0 and shares[-1] == 1


# --- stopping and replaying ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "steps"),
    [(1, [1, 0]), (2, [2, 0]), (3, [2, 1]), (4, [2, 2]), (5, [2, 3]), (6, [2])],
)
def test_a_stopped_picture_can_be_replayed(
    stroke: Paint, four_levels: None, files: list[str], stop: int, steps: list[int]
) -> None:
    """The number after those of the network is that of the levels of strokes."""
    stopped = stroke(*files, steps=2, on_step=stop_at(stop))
    assert steps_of(stopped) == steps and stopped.size == (96, 72)
    again = replayed(stopped)
    assert again.tobytes() == stopped.tobytes()
    assert recipe_of(again) == recipe_of(stopped)


@pytest.mark.parametrize("stop", [2, 4])
def test_a_picture_stopped_at_one_of_two_sizes_can_be_replayed(
    stroke: Paint, files: list[str], stop: int
) -> None:
    """Two sizes of the network and two levels of strokes."""
    Image.open("house.png").resize((224, 168)).save("house.png")
    stopped = stroke(*files, size=224, steps=(2, 1), on_step=stop_at(stop))
    assert steps_of(stopped) == {2: [2, 0, 0], 4: [2, 1, 1]}[stop]
    again = replayed(stopped)
    assert again.tobytes() == stopped.tobytes()
    assert recipe_of(again) == recipe_of(stopped)


@pytest.mark.parametrize(
    ("options", "stop", "steps"),
    [
        ({"strength": 0.5}, 2, [0, 2]),
        ({"strength": 0.25}, 1, [0, 1]),
        ({"strength": 0.75}, 3, [2, 1]),
        ({"strength": 0.75}, 1, [1, 0]),
        ({"strength": 2.0}, 4, [2, 2]),
        ({"mask": ["mask.png"]}, 3, [2, 1]),
        ({"keep_colors": True}, 3, [2, 1]),
        ({"init": "noise", "detail_mask": "mask.png"}, 3, [2, 1]),
        ({"init": "mask.png", "detail_mask": "none"}, 6, [2]),
        ({"style_scale": 0.5}, 5, [2, 3]),
    ],
)
def test_a_replay_has_all_options(
    stroke: Paint,
    four_levels: None,
    files: list[str],
    options: dict[str, Any],
    stop: int,
    steps: list[int],
) -> None:
    stopped = stroke(*files, steps=2, **options, on_step=stop_at(stop))
    assert steps_of(stopped) == steps
    again = replayed(stopped)
    assert again.tobytes() == stopped.tobytes() and recipe_of(again) == recipe_of(stopped)


def test_a_picture_of_two_paintings_can_be_replayed(
    stroke: Paint, four_levels: None, files: list[str]
) -> None:
    inputs = [files[0], "warm.png:1", "cold.png:3"]
    stopped = stroke(*inputs, steps=1, on_step=stop_at(3))
    assert steps_of(stopped) == [1, 2]
    assert replayed(stopped).tobytes() == stopped.tobytes()


def test_a_stop_between_the_steps_returns_the_last_level(
    stroke: Paint, four_levels: None, monkeypatch: pytest.MonkeyPatch, files: list[str]
) -> None:
    """While a level is laid, the state is reported again every second or so."""
    reports: list[Progress] = []

    def on_step(progress: Progress) -> None:
        reports.append(progress)
        if progress.step == 4 and sum(p.step == 4 for p in reports) == 3:
            raise Stop

    stopped = stroke(*files, steps=2, on_step=on_step)
    assert steps_of(stopped) == [2, 2] and {p.step for p in reports} == {0, 1, 2, 3, 4}
    last = reports[-1].preview
    assert last is not None and last().tobytes() == stopped.tobytes()
    assert replayed(stopped).tobytes() == stopped.tobytes()


def test_stop_before_the_first_level_of_strokes_returns_the_picture_of_the_network(
    stroke: Paint, four_levels: None, files: list[str]
) -> None:
    for strength, step, steps in ((1.0, 2, [2, 0]), (0.5, 0, [0, 0])):
        seen: list[Progress] = []

        def on_step(progress: Progress, seen: list[Progress] = seen, step: int = step) -> None:
            if progress.step == step and progress.preview is not None:
                seen.append(progress)
                if len(seen) == 2:  # from within the first level
                    raise Stop

        stopped = stroke(*files, steps=2, strength=strength, on_step=on_step)
        assert steps_of(stopped) == steps
        assert replayed(stopped).tobytes() == stopped.tobytes()


def test_stop_before_the_first_step_propagates(stroke: Paint) -> None:
    def at_once(_: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        stroke(HOUSE, WARM, on_step=at_once)


def test_other_exceptions_of_the_callback_propagate_from_the_strokes(
    stroke: Paint, four_levels: None
) -> None:
    def broken(progress: Progress) -> None:
        if progress.step == 6:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        stroke(HOUSE, WARM, on_step=broken)


# --- resuming --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"strength": 0.6, "keep_colors": True}, {"init": "noise", "detail_mask": "none"}],
)
def test_a_run_resumed_after_any_step_gives_the_same_bytes(
    stroke: Paint, four_levels: None, tmp_path: Path, options: dict[str, Any]
) -> None:
    options = {"steps": 2, "seed": 5} | options
    whole = stroke(HOUSE, WARM, **options)
    for stop in range(1, 6):
        path = tmp_path / f"{stop}.safetensors"
        kept = {"checkpoint": path, "save_every": 1}
        stroke(HOUSE, WARM, **options, **kept, on_step=stop_at(stop))
        reports: list[Progress] = []
        resumed = stroke(
            HOUSE, WARM, **options, checkpoint=path, resume=True, on_step=reports.append
        )
        assert resumed.tobytes() == whole.tobytes()
        assert recipe_of(resumed) == recipe_of(whole)
        assert next(p.step for p in reports if p.preview is not None) == stop


def test_a_checkpoint_in_the_strokes_is_every_so_many_steps(
    stroke: Paint, four_levels: None, tmp_path: Path
) -> None:
    options = {"steps": 3, "strength": 0.75, "seed": 5}
    whole = stroke(HOUSE, (WARM, 1.0), (COLD, 2.0), **options)
    kept = {"checkpoint": tmp_path / "a.safetensors", "save_every": 4}
    stopped = stroke(HOUSE, (WARM, 1.0), (COLD, 2.0), **options, **kept, on_step=stop_at(6))
    assert int(weights.read(tmp_path / "a.safetensors")["level"]) == 1
    reports: list[Progress] = []
    resumed = stroke(
        HOUSE, (WARM, 1.0), (COLD, 2.0), **options, **kept, resume=True, on_step=reports.append
    )
    assert stopped.tobytes() != whole.tobytes()
    assert resumed.tobytes() == whole.tobytes() and recipe_of(resumed) == recipe_of(whole)
    assert next(p.step for p in reports if p.preview is not None) == 4


def test_a_run_with_masks_is_resumed_in_the_strokes(
    stroke: Paint, four_levels: None, tmp_path: Path
) -> None:
    options = {"steps": 1, "mask": [half("left", 96, 72), half("right", 96, 72)]}
    whole = stroke(HOUSE, WARM, COLD, **options)
    kept = {"checkpoint": tmp_path / "a.safetensors", "save_every": 1}
    stroke(HOUSE, WARM, COLD, **options, **kept, on_step=stop_at(3))
    resumed = stroke(HOUSE, WARM, COLD, **options, **kept, resume=True)
    assert resumed.tobytes() == whole.tobytes() and recipe_of(resumed) == recipe_of(whole)


def test_a_resumed_run_that_is_stopped_again_has_the_recipe_of_its_picture(
    stroke: Paint, four_levels: None, files: list[str]
) -> None:
    kept: dict[str, Any] = {"checkpoint": "a.safetensors", "save_every": 1}
    stroke(*files, steps=2, **kept, on_step=stop_at(3))
    stopped = stroke(*files, steps=2, **kept, resume=True, on_step=stop_at(5))
    assert steps_of(stopped) == [2, 3]
    assert replayed(stopped).tobytes() == stopped.tobytes()


@pytest.mark.parametrize("change", [{"method": "network"}, {"detail_mask": "none"}])
def test_a_checkpoint_belongs_to_one_method_and_detail_mask(
    stroke: Paint, tmp_path: Path, change: dict[str, str]
) -> None:
    kept = {"checkpoint": tmp_path / "a.safetensors", "save_every": 1}
    stroke(HOUSE, WARM, **kept, on_step=stop_at(2))
    with pytest.raises(WeightsError, match="is the checkpoint of a call with other pictures or"):
        stroke(HOUSE, WARM, **kept, **change, resume=True)


# --- the time budget -------------------------------------------------------------------------


def test_without_any_time_there_are_still_strokes(
    stroke: Paint, four_levels: None, files: list[str]
) -> None:
    began = time.monotonic()
    result = stroke(*files, steps=1000, time_budget=1e-9)
    assert time.monotonic() - began < 20  # with margin for a slow machine
    assert result.size == (96, 72) and steps_of(result) == [0]
    assert distance(result, HOUSE) > 20  # in the colors of the painting
    assert replayed(result).tobytes() == result.tobytes()


def test_a_time_budget_cuts_the_steps_of_the_network(stroke: Paint, files: list[str]) -> None:
    began = time.monotonic()
    result = stroke(*files, steps=100_000, time_budget="1.5s")
    assert time.monotonic() - began < 20
    (done,) = steps_of(result)  # type: ignore[misc]
    assert done < 2000
    assert replayed(result).tobytes() == result.tobytes()


# --- recipes and options ---------------------------------------------------------------------


def test_a_recipe_says_how_the_picture_was_made(stroke: Paint, files: list[str]) -> None:
    for given, kept in (({}, "patches"), ({"method": "network"}, "network")):
        options = recipe_of(stroke(*files, **given))["options"]
        assert options["method"] == kept and options["detail_mask"] == "auto"
        assert options["steps"] == [4]
    options = recipe_of(stroke(*files, method=None))["options"]
    assert options["method"] == "patches"  # the default


def test_a_recipe_without_a_method_means_the_network(stroke: Paint, files: list[str]) -> None:
    """Version 0.1 had no other."""
    made = stroke(*files, method="network")

    def old(recipe: dict[str, Any]) -> None:
        for name in ("method", "detail_mask", "crop_style"):
            recipe["options"].pop(name, None)

    again = replayed(made, old)
    assert again.tobytes() == made.tobytes()
    assert again.tobytes() != stroke(*files).tobytes()


def test_gatys_has_no_method_and_no_strokes(files: list[str]) -> None:
    state, before = {}, 3
    random = torch.Generator().manual_seed(0)
    places = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
    for place, width in zip(places, (64, 64, 128, 128, *[256] * 4, *[512] * 8), strict=True):
        drawn = torch.randn((width, before, 3, 3), generator=random) * (2 / (9 * before)) ** 0.5
        state |= {f"features.{place}.weight": drawn, f"features.{place}.bias": torch.zeros(width)}
        before = width
    weights.write(Path("vgg19.safetensors"), state, {})
    usual: dict[str, Any] = {
        "preset": "gatys", "size": 64, "steps": 2, "features": "vgg19.safetensors", "device": "cpu"
    }  # fmt: skip
    reports: list[Progress] = []
    made = limner.stylize(*files, **usual, on_step=reports.append)
    assert recipe_of(made)["options"]["method"] is None and steps_of(made) == [2]
    assert {p.stage for p in reports} == {"64 px"} and reports[-1].step == 2
    again = replayed(made)
    assert again.tobytes() == made.tobytes() and recipe_of(again) == recipe_of(made)

    def old(recipe: dict[str, Any]) -> None:
        for name in ("method", "detail_mask", "crop_style"):
            recipe["options"].pop(name, None)

    assert replayed(made, old).tobytes() == made.tobytes()


NO_EFFECT = "has no effect with --preset gatys; leave it out"
ONLY_PATCHES = "--detail-mask: has an effect with --method patches only; leave it out"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "patches", "preset": "gatys"}, f"--method patches: {NO_EFFECT}"),
        ({"method": "network", "preset": "gatys"}, f"--method network: {NO_EFFECT}"),
        ({"method": "network", "detail_mask": "none"}, ONLY_PATCHES),
        ({"method": "network", "detail_mask": HOUSE}, ONLY_PATCHES),
        ({"method": None, "preset": "gatys", "detail_mask": "none"}, ONLY_PATCHES),
        ({"method": "brush"}, "--method brush"),
    ],
)
def test_options_without_effect_are_refused(
    stroke: Paint, options: dict[str, Any], says: str
) -> None:
    reports: list[Progress] = []
    with pytest.raises(OptionError, match=f"^{says}") as raised:
        stroke(HOUSE, WARM, **options, on_step=reports.append)
    assert "\n" not in str(raised.value) and not reports


def test_options_of_a_network_that_does_not_run_are_named(stroke: Paint) -> None:
    reports: list[Progress] = []
    stroke(HOUSE, WARM, strength=0.5, init="noise", on_step=reports.append)
    notes = {report.note for report in reports if report.note.startswith("no effect")}
    (note,) = notes
    assert "--strength 0.5 or less" in note and "--init" in note


@pytest.mark.parametrize("options", [{"strength": 0.5}, {"strength": 0.6, "init": "noise"}])
def test_without_such_options_nothing_is_said(stroke: Paint, options: dict[str, Any]) -> None:
    reports: list[Progress] = []
    stroke(HOUSE, WARM, **options, features=None, on_step=reports.append)
    assert not any(report.note.startswith("no effect") for report in reports)


@pytest.mark.parametrize("steps", [[2, 9], [2, -1], [1, 1, 1]])
def test_levels_that_are_not_there_are_refused(
    stroke: Paint, four_levels: None, steps: list[int]
) -> None:
    with pytest.raises(OptionError, match=r"^--steps ") as raised:
        stroke(HOUSE, WARM, steps=steps)
    assert "\n" not in str(raised.value)


def test_fewer_levels_can_be_chosen(stroke: Paint, four_levels: None) -> None:
    results = [stroke(HOUSE, WARM, steps=[2, levels]) for levels in range(5)]
    assert [steps_of(one) for one in results] == [[2, 0], [2, 1], [2, 2], [2, 3], [2]]
    assert all(distance(one, other) > 1 for one, other in pairwise(results))
    assert results[0].tobytes() == stroke(HOUSE, WARM, steps=[2], method="network").tobytes()


def test_a_small_painting_of_another_shape_is_enough(stroke: Paint) -> None:
    assert stroke(HOUSE, blobs(3, 40, 200, (190, 120, 60)), steps=1).size == (96, 72)
