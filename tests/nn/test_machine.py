"""The memory and the cores that this process may use."""

import os
import re
from pathlib import Path

import pytest
from PIL import Image

import limner
from limner.errors import InputError
from limner.nn import machine

KIB = 1024


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files of Linux that the module reads, without limits."""
    for name, text in {
        "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 3145728 kB\nSwapFree: 1048576 kB\n",
        "proc/self/statm": "3000 1000 100 1 0 500 0\n",
        "proc/self/cgroup": "4:memory:/a/b\n1:cpu,cpuacct:/a\n0::/user/limner\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "_address_space", list)
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096}.get(name, 2**22))
    return tmp_path


def limit(linux: Path, name: str, text: str) -> None:
    (linux / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
    (linux / "cgroup" / name).write_text(text + "\n")


@pytest.mark.parametrize(
    "name",
    [
        "memory.max",  # of a container that shows its own group as the root
        "user/memory.max",
        "user/limner/memory.max",
        "memory/memory.limit_in_bytes",
        "memory/a/memory.limit_in_bytes",
        "memory/a/b/memory.limit_in_bytes",
    ],
)
def test_the_limit_of_a_control_group_and_of_those_around_it(linux: Path, name: str) -> None:
    assert machine.memory() == 2**34
    limit(linux, name, "max" if name.endswith("max") else str(2**63 - 4096))
    assert machine.memory() == 2**34
    limit(linux, name, str(2**33))
    assert machine.memory() == 2**33


def test_groups_of_others_do_not_count(linux: Path) -> None:
    limit(linux, "memory.limit/memory.max", "1000")
    limit(linux, "user/other/memory.max", "1000")
    limit(linux, "../memory.max", "1000")
    assert machine.memory() == 2**34


def test_the_lowest_limit_counts(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(linux, "user/memory.max", str(2**32))
    limit(linux, "user/limner/memory.max", str(2**33))
    assert machine.memory() == 2**32
    monkeypatch.setattr(machine, "_address_space", lambda: [2**31])
    assert machine.memory() == 2**31


def test_what_other_programs_hold_is_not_free(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = 1000 * 4096  # by this process
    assert machine.free() == 2**32 + held
    monkeypatch.setattr(machine, "_address_space", lambda: [2**30])
    assert machine.free() == 2**30 - 2000 * 4096  # addresses without memory
    (linux / "proc/meminfo").unlink()
    assert machine.free() == machine.memory() == 2**30


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"user/cpu.max": "max 100000"}, None),
        ({"user/cpu.max": "200000 100000"}, 2),
        ({"user/limner/cpu.max": "150000 100000", "user/cpu.max": "400000 100000"}, 2),
        ({"cpu.max": "5000 100000"}, 1),
        ({"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
    ],
)
def test_the_cores_of_a_container(linux: Path, files: dict[str, str], cores: int | None) -> None:
    for name, text in files.items():
        limit(linux, name, text)
    assert machine.cores() == cores


def test_a_system_without_these_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_address_space", list)
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert machine.memory() == machine.free() == 2**33
    assert machine.cores() is None


@pytest.mark.parametrize("verb", ["sketch", "hybridize", "colorize", "beautify", "upscale"])
def test_a_picture_that_memory_cannot_hold_is_refused_with_the_size_that_fits(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "a.png")
    Image.effect_noise((400, 300), 60).save(path)
    inputs = [path] * (2 if verb == "hybridize" else 1)
    monkeypatch.setattr(machine, "free", lambda: machine.BASE_BYTES + 10**6)
    says = r"a.png: not enough memory: 400 × 300 pixels need about 0.3 GiB, and 0.3 GiB are free; "
    with pytest.raises(InputError, match=says + r"make it at most (\d+) × (\d+)$") as raised:
        getattr(limner, verb)(*inputs)
    size = tuple(map(int, re.findall(r"\d+", str(raised.value))[-2:]))
    assert size[0] < 400 and size[0] / size[1] == pytest.approx(4 / 3, rel=0.02)


def test_the_size_in_the_refusal_is_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free", lambda: machine.BASE_BYTES + 10**6)
    machine.check_room("a.png", 100, 100, 100)
    machine.check_room("a.png", 50, 200, 100)
    with pytest.raises(InputError, match=r"; make it at most 200 × 50$"):
        machine.check_room("a.png", 51, 204, 100)
    monkeypatch.setattr(machine, "free", lambda: 0)
    with pytest.raises(InputError, match=r"and 0\.0 GiB are free; close other programs$"):
        machine.check_room("a.png", 10, 10, 100)


def test_a_result_that_memory_cannot_hold_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (400, 300), "red").save(path)
    monkeypatch.setattr(machine, "free", lambda: machine.BASE_BYTES + 400 * 300 * 9 * 20)
    assert limner.upscale(path, scale=3).size == (1200, 900)
    reports: list[object] = []
    says = (
        r"^the result: not enough memory: 1600 × 1200 pixels need .*; make it at most 1200 × 900$"
    )
    with pytest.raises(InputError, match=says):
        limner.upscale(path, scale=4, on_step=reports.append)
    assert reports == []
