"""`generate`: which options go together, what is refused, and which files it makes."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from blobs import blobs
from limner import io
from limner.errors import InputError, LimnerError, OptionError, WeightsError
from limner.generation.generate import generate, side_files
from limner.nn import weights
from limner.progress import Progress
from small_painters import write_painter

module: Any = import_module("limner.generation.generate")  # the name is also the verb's


# --- side files ------------------------------------------------------------------------------

SIDE_FILES: list[tuple[str, dict[str, Any]]] = [
    *((mode, {"n": n} if n else {}) for mode in ("like", "paint") for n in (None, 1, 3)),
    ("like", {"keep_layout": 1, "n": 1}),
    ("project", {}),
    ("project", {"n": 1}),
    ("paint", {"interpolate": 2}),
    ("paint", {"mix": True}),
    ("paint", {"nearest": "known"}),
    ("paint", {"nearest": "known", "n": 1}),
    ("paint", {"interpolate": 2, "mix": True, "nearest": "known", "n": 3}),
]


@pytest.mark.parametrize(("mode", "options"), SIDE_FILES)
def test_side_files_are_known_before(
    mode: str,
    options: dict[str, Any],
    model: Path,
    tmp_path: Path,
    quick: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command checks them before any work: it must know every name and ending."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "COUNT", 2)
    Path("known").mkdir()
    blobs(0, 40, 4).save("known/a.png")
    if mode != "paint":
        options = options | {mode: "known/a.png"}
    pictures = generate(None if mode == "like" else model, **options)
    beside = pictures[0].info["beside"]
    assert side_files(options) == {name: io.ending_of(view) for name, view in beside.items()}
    more = options.keys() & {"interpolate", "mix", "nearest"}
    assert len(beside) == len(more) + (len(pictures) > 1 or mode == "project")


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "-n 0: must be from 1 to 1000"),
        ({"n": 1001}, "-n 1001: must be from 1 to 1000"),
        ({"truncation": 2.0}, "--truncation 2: must be from 0 to 1"),
        ({"truncation": -0.1}, "--truncation -0.1: must be from 0 to 1"),
        ({"truncation": float("nan")}, "--truncation nan: must be from 0 to 1"),
        ({"interpolate": 0}, "--interpolate 0: must be from 1 to 240"),
        ({"interpolate": -1}, "--interpolate -1: must be from 1 to 240"),
        ({"interpolate": 241}, "--interpolate 241: must be from 1 to 240"),
        ({"interpolate": 4, "n": 1}, "--interpolate: needs at least two pictures; use -n 2 or"),
        ({"mix": True, "n": 1}, "--mix: needs at least two pictures; use -n 2 or more"),
        ({"like": "a.png"}, "--like: cannot be used with a painter; give only one of them"),
        ({"variety": 0.5}, "--variety 0.5: works only with --like; leave it out"),
        ({"allow_huge": True}, "--allow-huge: works only with --like or --project; leave it out"),
        ({"mix": True, "project": "a.png"}, "--mix: has no effect with --project; leave it out"),
        ({"device": "abacus"}, "--device abacus: must be one of"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str, model: Path) -> None:
    told: list[Progress] = []
    with pytest.raises(OptionError) as caught:
        generate(model, **options, on_step=told.append)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
    assert not told  # nothing was begun


# An option, a value of it that `generate` would accept, and the modes in which it has an effect.
EFFECTIVE: dict[str, tuple[Any, set[str]]] = {
    "n": (2, {"like", "paint"}),
    "size": ("64x64", {"like", "paint"}),
    "pictures": ("folder", {"paint"}),
    "allow_changed": (True, {"paint"}),
    "max_copy": (0.5, {"paint"}),
    "variety": (0.5, {"like"}),  # the default: given all the same
    "keep_layout": (0.5, {"like"}),
    "protect": ("folder/a.png", {"like"}),
    "tileable": (True, {"like"}),
    "truncation": (0.8, {"paint"}),
    "interpolate": (2, {"paint"}),
    "mix": (True, {"paint"}),
    "nearest": ("folder", {"paint"}),
    "seed": (0, {"like", "paint", "project"}),
    "device": ("cpu", {"like", "paint", "project"}),
    "allow_huge": (True, {"like", "project"}),
}


def test_all_options_are_in_this_table() -> None:
    parameters = inspect.signature(generate).parameters.keys()
    assert parameters == {*EFFECTIVE, "model", "like", "project", "on_step"}


@pytest.mark.parametrize("mode", ["like", "paint", "project"])
@pytest.mark.parametrize("name", EFFECTIVE)
def test_an_option_without_effect_is_refused(
    name: str, mode: str, model: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    blobs(0, 40, 4).save("folder/a.png")
    value, modes = EFFECTIVE[name]
    call: dict[str, Any] = {
        "like": {"like": "folder/a.png", "n": 2},
        "paint": {"model": model, "n": 2},
        "project": {"model": model, "project": "folder/a.png"},
    }[mode] | {name: value}
    if mode == "paint" and name in ("size", "pictures", "allow_changed", "max_copy"):
        call |= {"size": "64x64", "pictures": "folder"}
    if mode in modes:
        assert generate(**call)
        return
    told: list[Progress] = []
    with pytest.raises(OptionError) as caught:
        generate(**call, on_step=told.append)
    flag = "-n" if name == "n" else f"--{name.replace('_', '-')}"
    message = str(caught.value)
    assert message.startswith(flag) and message.endswith("; leave it out") and "\n" not in message
    for other in {mode} - {"paint"} or modes:
        assert f"--{other}" in message
    assert not told  # nothing was begun


def test_modes_do_not_go_together(model: Path) -> None:
    with pytest.raises(OptionError, match=r"^--like and --project: cannot be used together"):
        generate(like="a.png", project="b.png")
    with pytest.raises(OptionError, match=r"^--like: cannot be used with a painter"):
        generate(model, like="a.png", project="b.png")
    with pytest.raises(OptionError, match=r"^generate: needs a picture to vary, or a painter"):
        generate(project="b.png")


def test_a_projection_is_one_picture(model: Path, quick: None) -> None:
    with pytest.raises(OptionError, match=r"^-n 2: has no effect with --project"):
        generate(model, n=2, project=blobs(0, 32, 5))
    assert len(generate(model, n=1, project=blobs(0, 32, 5))) == 1  # as its recipe has it


def test_a_dcgan_has_no_styles_to_mix(tmp_path: Path) -> None:
    path = write_painter(tmp_path / "a.safetensors", "dcgan", (16, 16))
    with pytest.raises(OptionError, match=r"^--mix: needs a painter with several styles"):
        generate(path, n=4, mix=True)


def refused(kind: type[LimnerError], message: str, *given: Any, **options: Any) -> None:
    with pytest.raises(kind) as caught:
        generate(*given, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    upscaler = weights.SHIPPED / "upscaler-fast-x2.safetensors"
    refused(
        WeightsError,
        f"{upscaler}: is not a painter; make one with `limner train painter`",
        upscaler,
    )
    weights.write(tmp_path / "a.safetensors", {"x": torch.zeros(1)}, {"kind": "features"})
    for name in (tmp_path / "a.safetensors", str(tmp_path / "a.safetensors")):
        refused(WeightsError, f"{name}: is not a painter", name)
    torch.save({"x": torch.zeros(1)}, tmp_path / "a.pth")
    refused(WeightsError, "a.pth: is not a painter", tmp_path / "a.pth")
    (tmp_path / "b.safetensors").write_text("no weights")
    refused(WeightsError, "b.safetensors: is a text file", tmp_path / "b.safetensors")
    refused(WeightsError, "c.safetensors: there is no such weights", tmp_path / "c.safetensors")
    refused(InputError, f"{tmp_path}: has no painter; `limner train painter", tmp_path)


def test_pictures_and_folders_that_cannot_be_read(model: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    refused(InputError, "text.png: is damaged", model, project=tmp_path / "text.png")
    refused(InputError, "no.png: there is no such file", model, project=str(tmp_path / "no.png"))
    refused(InputError, "no.png: there is no such file", like=tmp_path / "no.png")
    refused(InputError, f"{tmp_path}: has no picture", model, n=1, nearest=tmp_path)
    missing = tmp_path / "missing"
    refused(InputError, f"{missing}: there is no such folder", model, n=1, nearest=missing)


def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_painted(
    model: Path, tmp_path: Path
) -> None:
    told: list[Progress] = []
    for where in (tmp_path / "missing", tmp_path):
        with pytest.raises(InputError):
            generate(model, n=2, nearest=where, on_step=told.append)
    assert all(one.step == 0 for one in told)


def test_without_a_painter_it_says_how_to_get_one() -> None:
    with pytest.raises(OptionError) as caught:
        generate()
    lines = str(caught.value).splitlines()
    assert len(lines) == 3 and lines[0].startswith("generate: needs a picture to vary")
    assert "limner generate --like picture.jpg" in lines[1]
    assert "limner train painter pictures/ -o run/" in lines[2]
