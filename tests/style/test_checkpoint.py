"""Checkpoints of `stylize`: a resumed run gives the same bytes, and nothing else is resumed."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from style_pictures import BLUE, PAINTING, PHOTO, Paint, blobs, recipe_of, stop_at

from disk import full_disk
from limner._version import __version__
from limner.errors import OptionError, OutputError, WeightsError
from limner.nn import weights
from limner.progress import Progress


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "steps", "stop", "every"),
    [(64, [8], 5, 2), (224, [3, 3], 2, 2), (224, [3, 3], 3, 3), (224, [3, 3], 4, 2)],
)
def test_a_resumed_run_gives_the_same_bytes(
    paint: Paint, tmp_path: Path, size: int, steps: list[int], stop: int, every: int
) -> None:
    path = tmp_path / "unfinished.safetensors"
    photo = blobs(4, size * 3 // 4, size, (90, 120, 150))
    options = {"size": size, "steps": steps, "strength": 0.6, "seed": 5}
    whole = paint(photo, PAINTING, **options)
    kept = {"checkpoint": path, "save_every": every}
    stopped = paint(photo, PAINTING, **options, **kept, on_step=stop_at(stop))
    reports: list[Progress] = []
    resumed = paint(photo, PAINTING, **options, **kept, resume=True, on_step=reports.append)
    assert stopped.tobytes() != whole.tobytes()
    assert resumed.tobytes() == whole.tobytes()
    assert recipe_of(resumed) == recipe_of(whole)
    assert next(p.step for p in reports if p.loss is not None) == stop // every * every + 1


def test_a_checkpoint_belongs_to_one_call(paint: Paint, tmp_path: Path) -> None:
    path = tmp_path / "unfinished.safetensors"
    for name, picture in (("photo", PHOTO), ("other", BLUE), ("wave", PAINTING)):
        picture.resize((64, 48)).save(tmp_path / f"{name}.png")
    photo, wave = tmp_path / "photo.png", tmp_path / "wave.png"
    usual: dict[str, Any] = {"checkpoint": path, "save_every": 2}
    paint(photo, wave, **usual, on_step=stop_at(2))
    assert weights.describe(path)["kind"] == "stylize checkpoint"
    for inputs, other in (
        ((photo, wave), {"strength": 0.5}),
        ((photo, wave), {"seed": 1}),
        ((photo, wave), {"steps": 5}),
        ((photo, wave), {"size": 65}),
        ((photo, wave), {"keep_colors": True}),
        ((photo, (wave, 0.5), (wave, 0.5)), {}),
        ((tmp_path / "other.png", wave), {}),
    ):
        with pytest.raises(
            WeightsError, match="is the checkpoint of a call with other pictures or"
        ):
            paint(*inputs, **usual, **other, resume=True)
    assert paint(photo, wave, **usual, resume=True).size == (64, 48)


def test_pictures_in_memory_are_told_apart_too(paint: Paint, tmp_path: Path) -> None:
    usual: dict[str, Any] = {"checkpoint": tmp_path / "a.safetensors", "save_every": 2}
    paint(PHOTO, PAINTING, **usual, on_step=stop_at(2))
    with pytest.raises(WeightsError, match="of a call with other pictures or options"):
        paint(PHOTO.transpose(Image.Transpose.ROTATE_180), PAINTING, **usual, resume=True)


def test_missing_and_damaged_checkpoints_are_refused(paint: Paint, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(OptionError, match=r"^--resume: there is no checkpoint .*a\.safetensors"):
        paint(PHOTO, PAINTING, checkpoint=path, resume=True)
    with pytest.raises(OptionError, match=r"^--resume: there is no checkpoint; leave"):
        paint(PHOTO, PAINTING, resume=True)
    path.write_bytes(b"\0no checkpoint")
    with pytest.raises(WeightsError, match=r"a\.safetensors: .*damaged"):
        paint(PHOTO, PAINTING, checkpoint=path, resume=True)
    weights.write(path, {"picture": torch.zeros(1, 3, 8, 8)}, {"kind": "features"})
    with pytest.raises(WeightsError, match=r"a\.safetensors: is not a checkpoint of stylize"):
        paint(PHOTO, PAINTING, checkpoint=path, resume=True)


def test_a_checkpoint_of_another_version_is_refused(paint: Paint, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    usual: dict[str, Any] = {"checkpoint": path, "save_every": 2}
    paint(PHOTO, PAINTING, **usual, on_step=stop_at(2))
    weights.write(path, weights.read(path), weights.describe(path) | {"version": "0.0.9"})
    says = f"was saved by limner 0.0.9, and this is {__version__}; start again without --resume"
    with pytest.raises(WeightsError, match=re.escape(says)):
        paint(PHOTO, PAINTING, **usual, resume=True)


def test_options_of_a_checkpoint_that_have_no_effect_are_refused(
    paint: Paint, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=r"^--save-every 3: there is no path for the checkpoint"):
        paint(PHOTO, PAINTING, save_every=3)
    with pytest.raises(OptionError, match="has no effect without --save-every or --resume"):
        paint(PHOTO, PAINTING, checkpoint=tmp_path / "a.safetensors")


def test_a_checkpoint_that_cannot_be_written_is_refused_before_the_work(
    paint: Paint, tmp_path: Path
) -> None:
    long = tmp_path / f"{'x' * 250}.safetensors"  # 262 bytes; most file systems allow 255
    for path, says in (
        (tmp_path / "no" / "a.safetensors", "make it first"),
        (long, "another name"),
    ):
        reports: list[Progress] = []
        with pytest.raises(OutputError, match=says) as raised:
            paint(PHOTO, PAINTING, checkpoint=path, save_every=1, on_step=reports.append)
        assert "\n" not in str(raised.value) and not reports


def test_a_full_disk_costs_a_checkpoint_and_not_the_picture(paint: Paint, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    usual: dict[str, Any] = {"checkpoint": path, "save_every": 2}
    paint(PHOTO, PAINTING, **usual, on_step=stop_at(2))
    before, told = path.read_bytes(), list[str]()
    with full_disk(1000):
        made = paint(
            PHOTO, PAINTING, **usual, resume=True, on_step=lambda step: told.append(step.note)
        )
    assert made.tobytes() == paint(PHOTO, PAINTING).tobytes()
    (note,) = [note for note in told if "cannot be written" in note]
    assert note.endswith("; the work goes on without this checkpoint")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
