"""Recorded pictures, replayed from the recipes inside them: old recipes work, pixels stay the same.

`golden/recorded` has one small picture of every verb, preset and method, with its inputs.
``manifest.json`` gives the largest difference allowed, ``max`` and ``mean``, out of 255.
``weights.json`` describes weights that do not ship; the test makes them up, the same everywhere.
With ``LIMNER_SAME_MACHINE=1`` the pixels must be equal: this holds on the CPU and the version of
torch that recorded them.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import limner

RECORDED = Path(__file__).parent / "golden" / "recorded"
MANIFEST = json.loads((RECORDED / "manifest.json").read_text())
SCORES = json.loads((RECORDED / "predictability.json").read_text())
SAME_MACHINE = os.environ.get("LIMNER_SAME_MACHINE") == "1"
BESIDE, DEEP = "beside", "deep"  # keys of ``info``: side files, and all 16 bits
NOW_CALLED = {"draw": "sketch"}  # renamed verbs


def make_weights(path: Path, spec: Mapping[str, Any]) -> None:
    """Write a safetensors file of made-up weights, the same bytes everywhere.

    Each tensor has a shape, a center and a scale: float16 values within ``scale`` of the center.
    Without a scale they equal the center; without a center they are int64 zeros.
    """
    header: dict[str, Any] = {"__metadata__": spec["metadata"]}
    parts, end = [], 0
    for name, (shape, center, scale) in spec["tensors"].items():
        count = int(np.prod(shape))
        if center is None:
            part = bytes(8 * count)
        elif not scale:
            part = np.full(count, center, "<f2").tobytes()
        else:
            drawn = np.frombuffer(hashlib.shake_128(name.encode()).digest(count), np.int8)
            part = (drawn * np.float32(scale / 128) + np.float32(center)).astype("<f2").tobytes()
        parts.append(part)
        kind = "I64" if center is None else "F16"
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + len(part)]}
        end += len(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(parts)


def lay_out(files: Set[str], folder: Path) -> None:
    """Make up the weights files among these, unless they exist."""
    specs = json.loads((RECORDED / "weights.json").read_text())
    for file in files & specs.keys():
        if not (folder / file).exists():
            make_weights(folder / file, specs[file])


def recipe_in(picture: Image.Image) -> dict[str, Any]:
    recipe: dict[str, Any] = json.loads(picture.info["limner"])
    return recipe


def pixels(picture: Image.Image) -> np.ndarray:
    """Values in 0..255; of 16 bits the upper eight, as Pillow reads the file."""
    if DEEP in picture.info:
        values = np.frombuffer(picture.info[DEEP], np.uint16)
        return (values >> 8).reshape(picture.height, picture.width, -1).astype(int)
    return np.asarray(picture).astype(int)


def digest(picture: Image.Image) -> str:
    return hashlib.sha256(pixels(picture).astype(np.uint8)).hexdigest()


def check(made: Image.Image, path: Path, entry: Mapping[str, Any]) -> None:
    """Compare a picture with the recorded one."""
    with Image.open(path) as kept:
        kept.load()
    assert digest(kept) == entry["exact"], f"{path.name} is not the picture that was recorded"
    assert (made.mode, made.size) == (kept.mode, kept.size)
    off = np.abs(pixels(made) - pixels(kept))
    said = f"{path.name}: off by {off.mean():.3f} of 255 on average, by {off.max()} at most"
    assert off.mean() <= entry["mean"], said
    assert off.max() <= entry["max"], said
    if SAME_MACHINE:
        assert digest(made) == entry["exact"], said
        if "deep" in entry:
            assert hashlib.sha256(made.info[DEEP]).hexdigest() == entry["deep"], said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for made-up weights, removed afterwards: they are large."""
    path = tmp_path_factory.mktemp("weights")
    yield path
    shutil.rmtree(path)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Each test sets the number of threads it was recorded with; it changes the last bits."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", MANIFEST)
def test_a_recorded_picture(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, path = MANIFEST[name], RECORDED / f"{name}.png"
    torch.set_num_threads(entry["threads"])
    with Image.open(path) as kept:
        before = recipe_in(kept)
    assert before["verb"] == entry["verb"]
    lay_out(before["files"].keys(), folder)
    monkeypatch.chdir(folder)

    made = limner.replay(path, device="cpu")

    check(made, path, entry)
    for key, beside in entry.get("beside", {}).items():
        check(made.info[BESIDE][key], RECORDED / f"{name}.{key}.png", beside)
    after = recipe_in(made)
    verb = before["verb"]
    assert after["verb"] in (verb, NOW_CALLED.get(verb))
    assert after["inputs"] == before["inputs"]
    assert after["files"] == before["files"]
    assert after["version"] == limner.__version__


@pytest.mark.parametrize("name", SCORES)
def test_recorded_scores(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = SCORES[name]
    torch.set_num_threads(kept["threads"])
    if kept["model"]:
        lay_out({kept["model"]}, folder)
    monkeypatch.chdir(folder)

    found = limner.predictability(RECORDED / kept["picture"], model=kept["model"], device="cpu")

    for key, value in kept["numbers"].items():
        near = value if SAME_MACHINE else pytest.approx(value, rel=kept["relative"])
        assert getattr(found, key) == near, key
    check(found.map, RECORDED / f"{name}.png", kept)


def test_what_is_recorded_is_what_is_compared() -> None:
    compared = MANIFEST.keys() | SCORES.keys()
    compared |= {f"{name}.{key}" for name in MANIFEST for key in MANIFEST[name].get("beside", {})}
    inputs = {Path(score["picture"]).stem for score in SCORES.values()}
    for name in MANIFEST:
        with Image.open(RECORDED / f"{name}.png") as kept:
            inputs |= {Path(file).stem for file in recipe_in(kept)["files"]}
    there = {path.stem for path in RECORDED.glob("*.png")}
    assert compared <= there <= compared | inputs
