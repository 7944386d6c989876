"""Two processes train one network: the gradients, the weights, and what happens when one ends."""

import csv
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from limner.errors import OptionError
from limner.nn import weights
from limner.train import optim, parallel
from limner.train.run import Run

pytestmark = pytest.mark.slow
ITEMS, STEPS = 4, 10
TRAIN = ("train", "upscaler")
FEW = ("--scale", "2", "--size", "16", "--perceptual-steps", "0", "--save-every", "3")


def learn(rank: int, count: int, port: int, folder: Path) -> None:
    """Train a small network for ten steps as one of several processes, and save what it learned."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    parallel.join()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.SiLU(), nn.Conv2d(8, 1, 3))
    muon, adam = optim.muon_and_adam(network, 1e-2)
    stage = optim.Stage(network, muon=muon, adam=adam)
    gradients, drawn = [], []
    for step in range(STEPS):
        randoms = parallel.generators(3, step, ITEMS)
        batch = torch.stack([torch.rand(1, 9, 9, generator=random) for random in randoms])
        drawn.append(batch)
        loss = (network(batch) - batch[..., 2:-2, 2:-2]).square().mean()
        optim.optimizer_step(loss, 1.0, muon, adam)
        stage.average.update(network)
        if not step:
            gradients = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    mean = parallel.mean_of({"rank": float(rank)})["rank"]
    stops = [parallel.any_of(rank == 0), parallel.any_of(False)]
    saved = {"gradients": gradients, "weights": network.state_dict(), "drawn": drawn}
    torch.save({**saved, "mean": mean, "stops": stops}, folder / f"{count}-{rank}.pt")
    parallel.leave()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], dict[str, object]]:
    """What was learned by each of two processes, and by one alone."""
    folder = tmp_path_factory.mktemp("learned")
    for count in (1, 2):
        port, context = free_port(), multiprocessing.get_context("spawn")
        started = [
            context.Process(target=learn, args=(rank, count, port, folder)) for rank in range(count)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join()

    def of(count: int, rank: int) -> dict[str, object]:
        saved: dict[str, object] = torch.load(folder / f"{count}-{rank}.pt", weights_only=True)
        return saved

    return of


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def test_the_gradients_are_those_of_one_process_with_the_whole_batch(learned: Any) -> None:
    alone, first, second = learned(1, 0), learned(2, 0), learned(2, 1)
    for one, ours, theirs in zip(
        alone["gradients"], first["gradients"], second["gradients"], strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
        torch.testing.assert_close(ours, one, rtol=1e-4, atol=1e-6)


def test_after_ten_steps_the_weights_are_identical(learned: Any) -> None:
    alone, first, second = learned(1, 0), learned(2, 0), learned(2, 1)
    for key, ours in first["weights"].items():
        torch.testing.assert_close(ours, second["weights"][key], rtol=0, atol=0)
        torch.testing.assert_close(ours, alone["weights"][key], rtol=1e-3, atol=1e-4)


def test_each_process_draws_its_own_items_of_the_same_batches(learned: Any) -> None:
    alone, first, second = learned(1, 0), learned(2, 0), learned(2, 1)
    for whole, ours, theirs in zip(alone["drawn"], first["drawn"], second["drawn"], strict=True):
        assert torch.equal(whole[0::2], ours) and torch.equal(whole[1::2], theirs)
    assert not torch.equal(alone["drawn"][0], alone["drawn"][1])


def test_numbers_and_stops_are_shared(learned: Any) -> None:
    for count, rank, mean in ((1, 0, 0), (2, 0, 0.5), (2, 1, 0.5)):
        assert learned(count, rank)["mean"] == mean
        assert learned(count, rank)["stops"] == [True, False]


def test_a_batch_is_shared_evenly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    parallel.check_batch(9)
    with pytest.raises(OptionError, match=r"^--batch-size 8: must be a multiple of 3, the number"):
        Run("x", tmp_path / "run", {"batch_size": 8}, resume=False, on_step=lambda _: None)
    assert not (tmp_path / "run").exists()


# --- the command -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(30):
        coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((320, 280)).save(folder / f"{seed}.png")
    return folder


def started(photos: Path, run: Path, processes: int, *more: str) -> "subprocess.Popen[str]":
    """Start a training with torchrun, or without it for one process."""
    limner = ["-m", "limner", *TRAIN, str(photos), "-o", str(run), *FEW, *more]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(torchrun if processes > 1 else ()), *limner]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | QUIET
    )


QUIET = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "pixels.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_torchrun_trains_as_one_process_does(photos: Path, tmp_path: Path) -> None:
    for processes in (1, 2):
        run = tmp_path / str(processes)
        out, err = started(photos, run, processes, "--steps", "6").communicate()
        assert out.splitlines() == [str(run / "model.safetensors")], err
        assert err.count("limner: psnr: ") == 1
        logged = [(row["step"], row["processes"], row["batch_per_process"]) for row in rows(run)]
        share = str(8 // processes)
        assert logged == [("3", str(processes), share), ("6", str(processes), share)]
    for one, other in zip(rows(tmp_path / "1"), rows(tmp_path / "2"), strict=True):
        assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=1e-3)
    alone, shared = (weights.read(tmp_path / name / "model.safetensors") for name in ("1", "2"))
    for key, value in alone.items():
        torch.testing.assert_close(value, shared[key], rtol=1e-2, atol=2e-3)  # half precision


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the system does not list processes")
def test_a_process_that_dies_ends_all_and_a_fresh_launch_resumes(
    photos: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = started(photos, run, 2, "--steps", "4000")
    until = time.monotonic() + 60
    while time.monotonic() < until and not (run / "checkpoint.pt").exists():
        time.sleep(0.1)
    second = next(
        int(place.name)
        for place in Path("/proc").glob("[0-9]*")
        if (place / "environ").exists() and is_second(place, run)
    )
    os.kill(second, signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert out == "" and process.returncode != 0
    lines = [line for line in err.splitlines() if line.startswith("limner: ")]
    assert [line for line in lines if "another of the 2 processes has ended" in line] == lines[-1:]
    assert "start the same command with --resume" in lines[-1]
    step = torch.load(run / "checkpoint.pt", weights_only=True)["step"]
    assert step >= 3 and step % 3 == 0
    again = started(photos, run, 1, "--steps", "4000", "--resume", "--max-hours", "0.002")
    assert "resuming after step" in again.communicate()[1]
    assert again.returncode == 4 and rows(run)[-1]["processes"] == "1"


def is_second(place: Path, run: Path) -> bool:
    try:
        command, given = ((place / name).read_bytes() for name in ("cmdline", "environ"))
    except OSError:
        return False
    return (
        b"torch.distributed" not in command
        and str(run).encode() in command
        and (b"\0RANK=1\0" in b"\0" + given + b"\0")
    )
