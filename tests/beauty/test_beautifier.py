"""The weights of a beautifier: written, read, refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from limner.beauty import inpainting_masks as masks
from limner.beauty.beautifier import Beautifier, load, save
from limner.beauty.bilateral import BilateralImprover
from limner.beauty.improver import ConvolutionalImprover, Improver, TableImprover
from limner.errors import WeightsError
from limner.nn import weights

Draw = Callable[[str], Beautifier]
KINDS: dict[str, dict[str, type[Improver]]] = {
    "default": {
        "relative": BilateralImprover,
        "progress": TableImprover,
        "closeness": ConvolutionalImprover,
    },
    "article": {"closeness": ConvolutionalImprover, "progress": ConvolutionalImprover},
}


@pytest.mark.parametrize("preset", ["default", "article"])
def test_what_is_written_is_read_back(preset: str, drawn: Draw, tmp_path: Path) -> None:
    """In half precision. It predicts and improves as before."""
    before = drawn(preset)
    save(tmp_path / "a.safetensors", before, {"preset": preset})
    after = load(tmp_path / "a.safetensors")
    assert after.parts.keys() == before.parts.keys() and after.methods == list(KINDS[preset])
    for name, part in after.parts.items():
        wanted = before.parts[name].state_dict()
        assert part.state_dict().keys() == wanted.keys() and not part.training
        assert not any(weight.requires_grad for weight in part.parameters())
        for key, value in part.state_dict().items():
            np.testing.assert_array_equal(value, wanted[key].numpy().astype(np.float16), key)
    for method, kind in KINDS[preset].items():
        assert isinstance(after.improver(method), kind)
    frame = torch.rand((1, 3, 160, 128), generator=torch.Generator().manual_seed(0))
    errors = [one.predictors.errors(frame) for one in (before, after)]
    np.testing.assert_allclose(errors[1].good, errors[0].good, rtol=0.01)
    np.testing.assert_allclose(errors[1].bad, errors[0].bad, rtol=0.01)
    film = (masks.crop_holes(frame) - masks.harmonic_fill(frame)).abs().mean()
    assert (abs(float(errors[1].bad / film) - 1) < 1e-5) == (preset == "default")
    assert abs(float(errors[1].bad / errors[1].good) - 1) > 1e-3  # two predictors, not one


def test_the_file_says_what_it_is(model: Path) -> None:
    about = weights.describe(model)
    assert (about["kind"], about["architecture"]) == ("beautifier", "default")
    assert (about["license"], about["recipe"]) == ("Apache-2.0", "recipes/beautifier.md")
    assert json.loads(about["training"]) == {"preset": "default", "steps": 7}


def test_improvers_may_be_few_or_none(drawn: Draw, tmp_path: Path) -> None:
    parts = drawn("default").parts
    for names in (["good"], ["good", "progress"]):
        save(tmp_path / "a.safetensors", Beautifier({n: parts[n] for n in names}), {"preset": "x"})
        found = load(tmp_path / "a.safetensors")
        assert list(found.parts) == names and found.methods == names[1:]
        assert found.improver("relative") is None


def test_reading_leaves_torch_s_random_state_alone(model: Path) -> None:
    before = torch.get_rng_state()
    load(model)
    np.testing.assert_array_equal(torch.get_rng_state(), before)


def test_all_networks_are_on_the_device(model: Path) -> None:
    beautifier = load(model, torch.device("meta"))
    weights_of_all = [w for part in beautifier.parts.values() for w in part.parameters()]
    assert {weight.device.type for weight in weights_of_all} == {"meta"}
    frame = torch.empty((1, 3, 160, 192), device="meta")
    errors = beautifier.predictors.errors(frame)
    assert {one.device.type for one in (errors.good, errors.bad, errors.relative)} == {"meta"}
    for method in beautifier.methods:
        improver = beautifier.improver(method)
        assert improver is not None and improver(frame).device.type == "meta"


def test_files_that_hold_no_beautifier_are_refused(
    model: Path, drawn: Draw, tmp_path: Path
) -> None:
    (tmp_path / "text.safetensors").write_bytes(b"no weights")
    (tmp_path / "cut.safetensors").write_bytes(model.read_bytes()[:-100])
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    about = weights.describe(model)
    state = weights.read(model)
    several = {"first": "good.first.weight", "mix": "progress.mix.weight"}
    for name, key in several.items():
        less = {k: v for k, v in state.items() if k != key}
        weights.write(tmp_path / f"{name}.safetensors", less, about)
    wide = state | {"good.last.bias": torch.zeros(7)}
    weights.write(tmp_path / "wide.safetensors", wide, about)
    half = Beautifier({"bad": drawn("article").parts["bad"]})
    save(tmp_path / "half.safetensors", half, {"preset": "article"})
    other = "is for another network"
    none = "holds no beautifier weights; make some with `limner train beautifier`"
    for path, says in (
        (tmp_path / "nowhere.safetensors", ": there is no such weights file; check its name"),
        (tmp_path / "text.safetensors", ": is a text file, not weights; "),
        (tmp_path / "cut.safetensors", ": is damaged, or not a weights file; "),
        (tmp_path / "other.pth", f": {none}"),
        (weights.SHIPPED / "compact-features.safetensors", f": {none}"),
        (tmp_path / "first.safetensors", f": good: {other} (first.weight is missing)"),
        (tmp_path / "mix.safetensors", f": progress: {other} (mix.weight is missing)"),
        (tmp_path / "wide.safetensors", f": good: {other} (last.bias is (7,), not (192,))"),
        (tmp_path / "half.safetensors", f": good: {other} (layers.0.weight is missing)"),
    ):
        with pytest.raises(WeightsError) as raised:
            load(path)
        assert str(raised.value).startswith(f"{path}{says}") and "\n" not in str(raised.value)
