"""Hostile StyleGAN2 files: nothing in them is run, and they do not fill the memory."""

import collections
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stylegan2_files import SOURCE, cause, nvidias_state, refusal, rosinalitys_state, saved

from limner.errors import WeightsError
from limner.generation.gan import safe_pickle, stylegan2_import
from limner.generation.gan.stylegan2 import Generator
from limner.generation.gan.stylegan2_import import read


class Calls:
    """Pickles as a call of anything."""

    def __init__(self, function: Any, *given: object) -> None:
        self.called = function, given

    def __reduce__(self) -> Any:
        return self.called


def touch(folder: Path) -> str:
    return f"touch {folder / 'was-run'}"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_calls_are_refused_by_name(tmp_path: Path, protocol: int) -> None:
    python = f"open({str(tmp_path / 'was-run')!r}, 'w')"
    for evil, name in (
        (Calls(os.system, touch(tmp_path)), "posix.system"),
        (Calls(eval, python), "eval"),
        (Calls(exec, python), "exec"),
        (Calls(getattr, 1, "real"), "getattr"),
        (Calls(torch.load, "other.pt"), "torch.serialization.load"),
        (Calls(torch.hub.load, "a/b", "c"), "torch.hub.load"),
        (Calls(np.load, "a.npy"), "numpy.load"),
        (Calls(np.frombuffer, b"12"), "numpy"),
        (Calls(pickle.loads, b"N."), "pickle.loads"),
        (Calls(__import__, "antigravity"), "__import__"),
    ):
        for data in (evil, {"G_ema": evil}, {"D": [evil]}):
            (tmp_path / "a.pkl").write_bytes(pickle.dumps(data, protocol))
            message = refusal(tmp_path / "a.pkl")
            assert "asks to run" in message and "did not open it" in message and name in message


@pytest.mark.parametrize(
    "asked",
    [
        "os system",
        "torch.storage _load_from_bytes.__globals__",  # a name within an allowed one
        "torch._utils _rebuild_tensor",
        "torch FloatStorage",
        "collections OrderedDict.fromkeys",
        "collections Counter",
        "builtins getattr",
        "builtins set.add",
        "dnnlib.util open_url",
        "dnnlib.util call_func_by_name",
        "torch_utils.persistence _src_to_module",
        "numpy.core.multiarray _reconstruct",
        "numpy.core.multiarray scalar.__class__",
        "limner.generation.gan.stylegan2_import read",
    ],
)
def test_only_exact_names_are_known(tmp_path: Path, asked: str) -> None:
    module, name = asked.split()
    for file in (
        f"c{module}\n{name}\n.".encode(),
        b"\x80\x04"
        + b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name))
        + b"\x93.",
        f"(i{module}\n{name}\n.".encode(),
    ):
        (tmp_path / "a.pkl").write_bytes(file)
        assert f"asks to run {module}.{name}, which" in refusal(tmp_path / "a.pkl")


def test_a_name_is_shown_on_one_short_line(tmp_path: Path) -> None:
    name = "a\nb\x1b[31m" + "c" * 5000
    coded = b"\x8c\x02os" + b"X" + len(name).to_bytes(4, "little") + name.encode() + b"\x93."
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04" + coded)
    message = refusal(tmp_path / "a.pkl")
    assert "os.a?b?[31mc" in message and len(message) < 300


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_storage_is_not_opened(tmp_path: Path, zipped: bool) -> None:
    inner = io.BytesIO()
    torch.save(Calls(os.system, touch(tmp_path)), inner, _use_new_zipfile_serialization=zipped)
    load = torch.storage._load_from_bytes
    for data in (inner.getvalue(), pickle.dumps(Calls(os.system, touch(tmp_path))), b"", b"PK"):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps({"G_ema": Calls(load, data)}))
        message = refusal(tmp_path / "a.pkl")
        # a zip may swell, and NVIDIA's have none: it is not even looked into
        assert ("posix.system" in message) == (data == inner.getvalue() and not zipped)


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_torch_files_are_refused_by_name(tmp_path: Path, zipped: bool) -> None:
    evil = Calls(os.system, touch(tmp_path))
    for data in (evil, {"g_ema": rosinalitys_state(4), "args": evil}):
        message = refusal(saved(tmp_path / "a.pt", data, zipped))
        assert "asks to run posix.system, which" in message


def test_the_code_a_network_carries_is_not_run(nvidia: Callable[..., Path], tmp_path: Path) -> None:
    path = nvidia(nvidias_state(4), protocol=3)
    assert b"was-run" in path.read_bytes()  # it is there, and would run if anyone compiled it
    read(path)
    assert not (tmp_path / "was-run").exists()
    exec(SOURCE.format(str(tmp_path / "was-run")))
    assert (tmp_path / "was-run").exists()


def test_state_is_set_on_nothing_of_ours(tmp_path: Path) -> None:
    """BUILD, which sets attributes, on each of what stands for a name."""
    names = [
        "collections OrderedDict",
        "dnnlib.util EasyDict",
        "builtins set",
        "torch_utils.persistence _reconstruct_persistent_obj",
        "torch._utils _rebuild_tensor_v2",
        "torch.storage _load_from_bytes",
        "numpy dtype",
    ]
    for asked in names:
        module, name = asked.split()
        for state in (
            b"}Vfind_class\nI1\ns",
            b"N}V__code__\nI1\ns\x86",
            b"N}V__defaults__\nI1\ns\x86",
        ):
            (tmp_path / "a.pkl").write_bytes(f"c{module}\n{name}\n".encode() + state + b"b.")
            assert "damaged" in refusal(tmp_path / "a.pkl")
    # on a table it is dropped
    (tmp_path / "a.pkl").write_bytes(b"ccollections\nOrderedDict\n)R}Vitems\nI1\nsb.")
    assert "no network G_ema" in refusal(tmp_path / "a.pkl")
    assert not vars(safe_pickle.Table).keys() & {"items", "find_class"}


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pkl"
    monkeypatch.setattr(safe_pickle, "_MAX_OPERATIONS", 10_000)
    many = (2**40).to_bytes(8, "little")
    for data, said in (
        (b"\x80\x02Nr\xf0\xff\xff\xff.", "fill the memory"),  # a memo of 32 GiB
        (b"Np4000000000\n.", "fill the memory"),
        (b"N0" * 6000 + b"N.", "fill the memory"),
        (b"\x80\x04\x8e" + many + b".", "expected 1099511627776 bytes"),
        (b"\x80\x05\x96" + many + b".", "expected 1099511627776 bytes"),
        (b"Pabc\n.", "persistent"),
        (b"\x82\x01.", "extension"),
        (b"R.", "underflow"),
        (b"N", "exhausted before seeing STOP"),
    ):
        path.write_bytes(data)
        assert said in cause(path), data
    # a table made of another: many such copies of a large one
    for call in (b"cdnnlib.util\nEasyDict\n(}tR.", b"ccollections\nOrderedDict\n(}tR."):
        path.write_bytes(call)
        assert "argument" in cause(path)
    path.write_bytes(b"(" * 4000 + b"l" * 4000 + b".")  # lists in lists
    assert "no network G_ema" in refusal(path)


@pytest.mark.parametrize(
    ("offset", "size", "stride", "said"),
    [
        (0, (10**6, 10**6), (0, 0), "more than it stores"),
        (1, (2,), (1,), "out of bounds"),
        (0, (2,), (2,), "out of bounds"),
        (-1, (2,), (1,), "offset -1"),
        (0, (-1,), (1,), "[-1]"),
        (0, (2,), (-1,), "[-1]"),
    ],
)
def test_a_tensor_must_lie_within_its_storage(
    tmp_path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...], said: str
) -> None:
    rebuild, (storage, *_) = torch.zeros(2).__reduce_ex__(2)
    given = (storage, offset, size, stride, False, collections.OrderedDict())
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Calls(rebuild, *given)))
    assert said in cause(tmp_path / "a.pkl")


def test_a_storage_is_read_once(tmp_path: Path) -> None:
    """One of a gigabyte that is asked for a thousand times would fill any memory."""
    written = pickle.dumps(torch.zeros(1000), 3)
    start = written.index(b"B", written.index(b"_load_from_bytes")) + 5  # after its length
    stored = written[start : start + int.from_bytes(written[start - 4 : start], "little")]
    whole = b"\x80\x03ctorch.storage\n_load_from_bytes\nq\x000"
    whole += (
        b"B" + written[start - 4 : start] + stored + b"q\x010" + b"h\x00h\x01\x85R0" * 3 + b"N."
    )
    (tmp_path / "a.pkl").write_bytes(whole)
    assert "there twice" in cause(tmp_path / "a.pkl")


def test_a_network_that_holds_itself_ends(tmp_path: Path) -> None:
    own = (  # the network is put into its own modules
        b"\x80\x02ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
        b"}(X\x0a\x00\x00\x00class_nameX\x09\x00\x00\x00GeneratorX\x05\x00\x00\x00state}"
        b"X\x08\x00\x00\x00_modules}q\x01su\x85Rq\x02h\x01X\x01\x00\x00\x00ah\x02s0."
    )
    (tmp_path / "a.pkl").write_bytes(own)
    assert "without end" in cause(tmp_path / "a.pkl")


def test_damaged_files_are_refused(nvidia: Callable[..., Path], tmp_path: Path) -> None:
    whole = nvidia(nvidias_state(8)).read_bytes()
    path = tmp_path / "network.pkl"
    for end in np.linspace(0, len(whole) - 1, 12).astype(int):
        path.write_bytes(whole[:end])
        assert "damaged" in refusal(path)
    whole = saved(tmp_path / "a.pt", {"g_ema": rosinalitys_state(8)}).read_bytes()
    for end in np.linspace(0, len(whole) - 1, 8).astype(int):
        path.write_bytes(whole[:end])
        assert "damaged" in refusal(path)
    for text, says in (
        (b"", "damaged"),
        ("Übung".encode(), "damaged"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, not weights"),
        (b"<html>", "is a web page, not weights"),
    ):
        path.write_bytes(text)
        assert says in refusal(path)
    assert "there is no such weights file" in refusal(tmp_path / "none.pkl")
    assert "is a folder; name a weights file" in refusal(tmp_path)


def test_changed_files_are_read_or_refused(nvidia: Callable[..., Path], tmp_path: Path) -> None:
    whole = nvidia(nvidias_state(4)).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        changed = bytearray(whole)
        for position in random.integers(0, len(changed), 5):
            changed[position] = random.integers(256)
        (tmp_path / "network.pkl").write_bytes(changed)
        try:
            assert isinstance(read(tmp_path / "network.pkl"), Generator)
        except WeightsError as error:
            assert str(error).isprintable()


def test_files_that_unpack_to_more_than_2_gib_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(3_000_000))
    with (tmp_path / "a.pkl").open("wb") as file:
        file.truncate(2 * 2**30 + 1)  # sparse: no byte of it is written
    assert "has 2.0 GiB when unpacked, more than 2" in refusal(tmp_path / "a.pkl")
    monkeypatch.setattr(stylegan2_import, "MAX_BYTES", 2_000_000)
    assert (tmp_path / "a.pt").stat().st_size < 2_000_000
    assert "more than 2" in refusal(tmp_path / "a.pt")


def test_files_of_the_tensorflow_code_have_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81.")
    message = refusal(tmp_path / "a.pkl")
    assert "TensorFlow" in message and "legacy.py" in message


def test_a_torch_file_of_one_number_is_no_network(tmp_path: Path) -> None:
    state = {k: torch.zeros(1).expand(v.shape) for k, v in rosinalitys_state(16).items()}
    path = saved(tmp_path / "a.pt", {"g_ema": state | {"more": torch.zeros(1).expand(2**40)}})
    assert cause(path) == "tensors of more than the file stores"


def test_an_archive_with_a_name_that_is_no_text(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("né/data.pkl", b"")
    content = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(content.replace("né".encode(), b"n\xff\xff"))
    assert refusal(tmp_path / "a.pt").startswith("is damaged")
