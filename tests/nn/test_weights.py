"""Weights files: written whole, read without running anything."""

import hashlib
import json
import os
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from disk import full_disk
from limner import io
from limner._version import __version__
from limner.errors import OutputError, WeightsError
from limner.nn import features, images, weights

SHIPPED = weights.SHIPPED / "compact-features.safetensors"


def tensors() -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return {
        "layer.weight": torch.randn((4, 3, 3, 3), generator=random),
        "layer.bias": torch.randn(4, generator=random).half(),
        "steps": torch.tensor([3, 1, 4]),
    }


class Hostile:
    """Unpickled by a careless reader, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path, state = tmp_path / "a.safetensors", tensors()
    about = {"kind": "features", "license": "Apache-2.0", "radius": 73, "options": {"seed": 0}}
    weights.write(path, state, about)
    read = weights.read(path)
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(read[name], tensor)
        assert read[name].dtype == (torch.int64 if name == "steps" else torch.float32)
    described = weights.describe(path)
    assert described == {
        "version": __version__,
        "kind": "features",
        "license": "Apache-2.0",
        "radius": "73",
        "options": json.dumps({"seed": 0}),
    }
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    about = {f"key {n}": "é" * n for n in range(12)}
    path = tmp_path / "a.safetensors"
    found = set()
    for order in (1, -1) * 4:
        weights.write(path, tensors(), dict(list(about.items())[::order]))
        found.add(path.read_bytes())
    assert len(found) == 1
    assert weights.describe(path) == about | {"version": __version__}
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
    assert all(torch.equal(v, tensors()[k].float()) for k, v in weights.read(path).items())


def test_the_precision_on_disk_is_the_one_given(tmp_path: Path) -> None:
    numbers = torch.zeros(5000)
    weights.write(tmp_path / "whole.safetensors", {"a": numbers}, {})
    weights.write(tmp_path / "half.safetensors", {"a": numbers.half()}, {})
    sizes = [(tmp_path / f"{n}.safetensors").stat().st_size for n in ("whole", "half")]
    assert sizes[0] - sizes[1] == pytest.approx(10_000, abs=16)


def test_views_and_gradients_are_written_as_plain_numbers(tmp_path: Path) -> None:
    grid = torch.arange(6.0).view(2, 3).requires_grad_()
    weights.write(tmp_path / "a.safetensors", {"turned": grid.T}, {})
    read = weights.read(tmp_path / "a.safetensors")["turned"]
    assert read.tolist() == [[0, 3], [1, 4], [2, 5]] and not read.requires_grad


def test_a_plain_pth_is_read(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "a.pth")
    for name, tensor in weights.read(tmp_path / "a.pth").items():
        np.testing.assert_array_equal(tensor, tensors()[name])


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_not_opened(
    tmp_path: Path, suffix: str, zipped: bool
) -> None:
    path, target = tmp_path / f"a{suffix}", tmp_path / "was here"
    state = {"layer.weight": torch.zeros(2), "more": Hostile(target)}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="could run code, so limner does not open it"):
        weights.read(path)
    assert not target.exists()
    torch.load(path, weights_only=False)  # and it would have
    assert target.exists()


@pytest.mark.parametrize("state", [[torch.zeros(1)], {"a": 1.5}, {"a": {"b": torch.zeros(1)}}, 3])
def test_anything_but_a_table_of_tensors_is_refused(tmp_path: Path, state: object) -> None:
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="not a plain state_dict"):
        weights.read(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).half().expand(2**40),
        torch.zeros(1).expand(100_000),
        torch.empty(2**40, device="meta"),
        torch.zeros((2, 2)).to_sparse(),
        torch.zeros(2).to(torch.int8),
    ],
    ids=["terabytes", "400 kB", "no numbers", "sparse", "sound"],
)
def test_tensors_of_more_than_the_file_holds_are_refused(
    tmp_path: Path, tensor: torch.Tensor, request: pytest.FixtureRequest
) -> None:
    torch.save({"a": tensor}, tmp_path / "a.pth")
    if request.node.callspec.id == "sound":
        assert weights.read(tmp_path / "a.pth")["a"].tolist() == [0, 0]
        return
    with pytest.raises(WeightsError, match="not a plain state_dict"):
        weights.read(tmp_path / "a.pth")


def test_one_storage_many_times_is_refused(tmp_path: Path) -> None:
    shared = torch.zeros(100_000).half()
    torch.save({str(key): shared for key in range(9)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="not a plain state_dict"):
        weights.read(tmp_path / "a.pth")


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "a.pth")
    with ZipFile(tmp_path / "a.pth") as plain, ZipFile(tmp_path / "b.pth", "w", 8) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert weights.read(tmp_path / "a.pth")["a"].shape == (100_000,)
    with pytest.raises(WeightsError, match="is damaged, or not a weights file"):
        weights.read(tmp_path / "b.pth")


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 60, 200, -1, -300])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, kept: int) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".pth":
        torch.save(tensors(), path)
    else:
        weights.write(path, tensors(), {})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError) as raised:
        weights.read(path)
    assert str(raised.value).startswith(f"{path}: ") and "\n" not in str(raised.value)
    if suffix == ".safetensors" and kept >= 0:
        with pytest.raises(
            WeightsError,
            match=r"is damaged, or not|is a text file",
        ):
            weights.describe(path)


def test_any_byte_of_the_head_may_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    weights.write(path, {"a": torch.zeros(2)}, {"kind": "test"})
    good = path.read_bytes()
    refused = 0
    for place in range(len(good) - 8):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        try:
            weights.read(path)
        except WeightsError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50  # the rest are letters of the metadata


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"I am weights, believe me.\n" * 99, "is a text file, not weights; download them again"),
        (b"\n<!DOCTYPE html><p>404", "is a web page, not weights; download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, not weights"),
    ],
)
def test_text_is_named_for_what_it_is(
    tmp_path: Path, suffix: str, content: bytes, says: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"a{suffix}: {says}"):
        weights.read(path)


@pytest.mark.parametrize("content", [b"", bytes(1000)])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_anything_else_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"^.*a\.(safetensors|pth): .*; (download or copy it again|check that)"
    ):
        weights.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    with pytest.raises(WeightsError, match=r"none\.safetensors: there is no such weights file"):
        weights.read(path)
    with pytest.raises(WeightsError, match=r"none\.safetensors: there is no such weights file"):
        weights.describe(path)


# --- written whole or not at all -------------------------------------------------------------


@pytest.mark.parametrize("old", [b"old", None])
def test_a_write_that_fails_midway_leaves_what_was_there(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "a.safetensors"
    if old is not None:
        path.write_bytes(old)
    with full_disk(1000), pytest.raises(OutputError, match=r"a\.safetensors: .*; free some disk"):
        weights.write(path, {"a": torch.zeros(10_000)}, {})
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == (
        [] if old is None else [("a.safetensors", old)]
    )
    weights.write(path, {"a": torch.zeros(10_000)}, {})  # and with room again, it is replaced
    assert path.stat().st_size > 40_000 and list(tmp_path.iterdir()) == [path]


def test_tensors_that_cannot_be_written_leave_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(NotImplementedError):
        weights.write(path, {"a": torch.zeros(2, device="meta")}, {})
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


# --- torch's cache ---------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub" / "checkpoints"


def served(folder: Path, *, honest: bool = True) -> str:
    """A file of tensors with the beginning of its SHA-256 in its name; its URL."""
    torch.save(tensors(), folder / "x.pth")
    digest = hashlib.sha256((folder / "x.pth").read_bytes()).hexdigest()[:8]
    name = f"net-{digest if honest else '0badc0de'}.pth"
    (folder / "x.pth").rename(folder / name)
    return (folder / name).as_uri()


def test_what_is_fetched_is_kept(tmp_path: Path, cache: Path) -> None:
    url = served(tmp_path)
    first = weights.fetch(url)
    for name, tensor in tensors().items():
        np.testing.assert_array_equal(first[name], tensor)
    kept = cache / url.rpartition("/")[2]
    assert kept.is_file()
    Path(tmp_path / kept.name).unlink()  # the source is gone, the cache is not
    assert weights.fetch(url).keys() == first.keys()


def test_offline_nothing_is_fetched_and_the_cache_still_serves(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = served(tmp_path)
    monkeypatch.setenv("LIMNER_OFFLINE", "1")
    with pytest.raises(
        weights.WeightsError, match="is not in torch's cache and was not downloaded"
    ):
        weights.fetch(url)
    assert not cache.exists()
    monkeypatch.delenv("LIMNER_OFFLINE")
    first = weights.fetch(url)
    monkeypatch.setenv("LIMNER_OFFLINE", "1")
    assert weights.fetch(url).keys() == first.keys()


def test_another_hash_is_refused_and_not_kept(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(WeightsError, match=r"^net-0badc0de\.pth: "):
        weights.fetch(served(tmp_path, honest=False))
    assert not cache.exists() or not any(cache.iterdir())


def test_without_network_and_cache_the_folder_and_the_way_out_are_named(
    tmp_path: Path, cache: Path
) -> None:
    with pytest.raises(WeightsError) as raised:
        weights.fetch((tmp_path / "nowhere" / "vgg19-dcbb9e9d.pth").as_uri())
    assert str(raised.value) == (
        f"vgg19-dcbb9e9d.pth: is not in torch's cache and was not downloaded; put it into {cache}, "
        "give its path with --features, or use the default preset, which needs no download"
    )


@pytest.mark.parametrize("content", [b"", b"PK\3\4 half of a file", b"<html>not found</html>"])
def test_a_damaged_file_in_the_cache_is_refused(cache: Path, content: bytes) -> None:
    cache.mkdir(parents=True)
    (cache / "net-01234567.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"^net-01234567\.pth: ") as raised:
        weights.fetch("file:///nowhere/net-01234567.pth")
    assert str(cache) in str(raised.value) and "\n" not in str(raised.value)


def test_code_in_the_cache_is_not_run(tmp_path: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    torch.save({"a": Hostile(tmp_path / "was here")}, cache / "net-01234567.pth")
    with pytest.raises(WeightsError, match=r"^net-01234567\.pth: "):
        weights.fetch("file:///nowhere/net-01234567.pth")
    assert not (tmp_path / "was here").exists()


# --- filling a network -----------------------------------------------------------------------


def test_fill_takes_what_fits_and_names_what_does_not() -> None:
    layer = torch.nn.Linear(2, 3)
    state = {"weight": torch.arange(6.0).view(3, 2), "bias": torch.ones(3), "more": torch.ones(1)}
    weights.fill(layer, state, "a.pth")
    np.testing.assert_array_equal(layer.weight.detach(), [[0, 1], [2, 3], [4, 5]])
    with pytest.raises(WeightsError, match=r"^a\.pth: is for another network \(bias is missing\)"):
        weights.fill(layer, {"weight": state["weight"]}, "a.pth")
    with pytest.raises(WeightsError, match=r"weight is \(2, 3\), not \(3, 2\)\)"):
        weights.fill(layer, state | {"weight": state["weight"].T}, "a.pth")
    np.testing.assert_array_equal(layer.weight.detach(), [[0, 1], [2, 3], [4, 5]])


def test_the_old_spelling_of_license_is_still_read(tmp_path: Path) -> None:
    weights.write(tmp_path / "a.safetensors", tensors(), {"licence": "CC0"})
    assert weights.describe(tmp_path / "a.safetensors")["license"] == "CC0"


# --- the file that ships ---------------------------------------------------------------------


def test_the_shipped_network_is_small_and_says_what_it_is() -> None:
    assert SHIPPED.stat().st_size < 3_000_000
    about = weights.describe(SHIPPED)
    assert about["kind"] == "features" and about["shape"] == "compact"
    assert about["license"] == "Apache-2.0"
    # 5_1: see test_features; the same sum as there
    assert int(about["receptive_radius"]) == 2 + 1 + 4 + 2 + 12 + 4 + 24 + 8 + 16
    recipe = Path(__file__).parents[2] / about["recipe"]
    assert recipe.is_file() and recipe.stat().st_size > 200


def test_the_shipped_network_loads_and_sees() -> None:
    network = features.load("compact")
    parameters = sum(p.numel() for p in network.parameters())
    read = sum(t.size for t in map(np.asarray, weights.read(SHIPPED).values()))
    assert parameters == read and os.fspath(SHIPPED).endswith(".safetensors")
    assert all(torch.isfinite(p).all() for p in network.parameters())
    assert not any(p.requires_grad for p in network.parameters())
    photo = io.read(Path(__file__).parents[2] / "examples" / "photo.jpg").rgb
    taps = network(images.resize(photo, (160, 240)), network.convolutions)
    for tap, feature in taps.items():
        assert torch.isfinite(feature).all()
        # most filters answer to something in one small photo: they did not die in training
        assert ((feature > 0).flatten(2).any(2).float().mean() > 0.6).item(), tap
