"""A Ray cluster of two machines, both of them on this one: the pictures, losses and refusals."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner._version import __version__
from limner.batch import manifest
from limner.batch.forecast import Need
from limner.cli import cluster as module
from limner.cli import main
from limner.cli.cluster import Cluster
from limner.errors import LimnerError, OptionError

COUNT = 60
NEED = Need(1, 1, 2**20)
needs_processes = pytest.mark.skipif(
    not Path("/proc").is_dir(), reason="Ray's cluster of several machines on one runs on Linux"
)


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster with a core on each of two machines."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    started = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    started.second = started.add_node(num_cpus=1)
    monkeypatch.setenv("RAY_ADDRESS", started.address)
    yield started
    started.shutdown()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with two photos."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    save_photos(2)
    return tmp_path


def save_photos(count: int) -> None:
    for seed in range(count):
        coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((640, 480)).save(f"photos/{seed:02d}.png", compress_level=1)


def contents(name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(name).glob("*.png")}


@pytest.mark.slow
@needs_processes
def test_all_pictures_are_made_though_a_worker_and_a_machine_are_lost(machines: Any) -> None:
    save_photos(COUNT)
    command = [sys.executable, "-m", "limner", "sketch", "photos", "-o", "out"]
    command += ["--upload", Path("there").absolute().as_uri()]
    with subprocess.Popen(
        [*command, "--cluster", "auto"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = [process.stdout.readline() for _ in range(6)]
        killed = workers()[0]
        os.kill(int(killed.rpartition("-")[2]), signal.SIGKILL)
        lines += [process.stdout.readline() for _ in range(6)]
        machines.remove_node(machines.second)
        lines += process.stdout.readlines()
        err = process.stderr.read()
    assert process.returncode == 0, err
    assert err == "limner: 640×480 px\n"
    assert sorted(lines) == [f"{Path('out', f'{seed:02d}.png')}\n" for seed in range(COUNT)]
    done = finished()
    assert len(done) == COUNT == len({entry["output"] for entry in done})
    assert killed not in workers()[12:]
    assert len(set(workers())) >= 2
    assert main.main([*command[3:], "--jobs", "1"]) == 0  # nothing is left
    assert main.main(["sketch", "photos", "-o", "here", "--jobs", "1"]) == 0
    assert contents("out") == contents("here") == contents("there")
    assert not [path for path in Path("there").iterdir() if path.suffix != ".png"]
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]


def finished() -> list[dict[str, Any]]:
    """Return what the manifest says of the finished pictures."""
    text = Path("out", manifest.NAME).read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, text) if "seconds" in entry]


def workers() -> list[str]:
    """Return who made the finished pictures: the name of its machine, and its process."""
    return [entry["worker"] for entry in finished()]


def test_who_does_not_answer_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray")
    with socket.socket() as bound:  # nobody listens there
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        for address in (f"ray://127.0.0.1:{port}", f"127.0.0.1:{port}"):
            assert main.main(["sketch", "photos", "-o", "out", "--cluster", address]) == 1
            err = capsys.readouterr().err
            assert err.startswith(f"limner: error: --cluster {address}: does not answer (")
            assert err.count("\n") == 1
    for address in ("spam", "ray://host", "host:port"):
        assert main.main(["sketch", "photos", "-o", "out", "--cluster", address]) == 2
        assert "must be auto, ray://HOST:PORT or HOST:PORT" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_single_picture_needs_no_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["sketch", "photos/00.png", "-o", "a.png", "--cluster", "auto"]) == 2
    assert "--cluster: is for the pictures of a folder" in capsys.readouterr().err


def test_without_ray_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        OptionError, match=r'needs Ray; install it with pip install "limner\[ray\]"'
    ):
        Cluster("auto", NEED, None)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (("0.0.1", True, ""), rf"^--cluster: box has limner 0.0.1, and this machine {__version__}"),
        ((__version__, False, ""), "^--cluster: box does not see .*; mount it there"),
        ((__version__, True, "--upload s3://b: no"), r"^--cluster: on box: --upload s3://b: no$"),
        (ModuleNotFoundError("No module named 'limner'"), r"box cannot run limner \(No module"),
    ],
)
def test_a_machine_that_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, answer: object, message: str
) -> None:
    pytest.importorskip("ray")

    def get(_: object, timeout: float) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    closed = []
    box = {"Alive": True, "NodeID": "0" * 56, "NodeManagerAddress": "box", "Resources": {"CPU": 2}}
    remote = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *_: None))
    fake = SimpleNamespace(
        nodes=lambda: [{**box, "Alive": False}, box],
        remote=lambda _: remote,
        get=get,
        shutdown=lambda: closed.append(1),
    )
    monkeypatch.setattr(module, "_connect", lambda _: fake)
    with pytest.raises(LimnerError, match=message):
        Cluster("auto", NEED, None)
    assert closed == [1]
