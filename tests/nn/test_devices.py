"""Choosing a device."""

import re
from pathlib import Path

import pytest
import torch

from limner.errors import OptionError
from limner.nn import devices


def test_the_processor_is_always_there() -> None:
    assert devices.pick("cpu") == torch.device("cpu")


def test_auto_takes_an_accelerator_before_the_processor() -> None:
    there = [torch.cuda.is_available(), torch.backends.mps.is_available(), True]
    assert devices.pick("auto").type == ("cuda", "mps", "cpu")[there.index(True)]


@pytest.mark.parametrize("name", ["", "CPU", "cuda:0", "gpu", "auto "])
def test_an_unknown_name_is_refused_with_the_choices(name: str) -> None:
    says = f"--device {name}: must be one of auto, cpu, cuda, mps"
    with pytest.raises(OptionError, match=f"^{re.escape(says)}$"):
        devices.pick(name)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_what_is_not_there_is_refused(name: str) -> None:
    present = {"cuda": torch.cuda, "mps": torch.backends.mps}[name].is_available()
    if present:
        assert devices.pick(name).type == name
    else:
        with pytest.raises(OptionError, match=f"^--device {name}: .* use --device auto$"):
            devices.pick(name)


def test_the_machine_s_memory() -> None:
    told = Path("/proc/meminfo")
    if told.exists():
        kibibytes = int(told.read_text().split()[1])  # MemTotal: … kB
        assert devices.memory(torch.device("cpu")) == pytest.approx(kibibytes * 1024, rel=0.01)
    else:
        assert 2**29 < devices.memory(torch.device("cpu")) < 2**45
