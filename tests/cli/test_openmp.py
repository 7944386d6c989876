"""OpenMP's threads sleep soon while they wait: set before torch is imported, or not at all."""

import os
import re
import socket
import subprocess
import sys

import pytest

from limner.cli.openmp import limit_spinning, limit_threads
from limner.nn import machine

NAMES = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY")
OURS = {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "1"}
# Prints the three variables as they are when torch is imported.
SHOW_WHEN_TORCH_IS_IMPORTED = f"""
import os, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "torch":
            print({{name: os.environ[name] for name in {NAMES} if name in os.environ}})
sys.meta_path.insert(0, Finder)
"""
PYTHON_M_LIMNER = "import runpy; runpy.run_module('limner', run_name='__main__')"
COMMAND = "from limner.cli.main import main; main()"  # what the script `limner` runs
# The studio until it would serve.
STUDIO = """
from limner.web import studio
studio._serve = lambda *_: None
studio.studio(port=int(sys.argv[1]), browser=False)
import torch
"""


def run(code: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process in which of `NAMES` only the given ones are set."""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**environment, **settings},
        check=True,
        capture_output=True,
        text=True,
    )


def when_torch_is_imported(code: str, **settings: str) -> str:
    """Return the variables as they were when the code imported torch."""
    return run(SHOW_WHEN_TORCH_IS_IMPORTED + code, "models", **settings).stdout.splitlines()[0]


def used_by_openmp(stderr: str) -> list[str]:
    """Return the spinning that the OpenMP library of each process printed when it was loaded."""
    return re.findall(r"(?:GOMP_SPINCOUNT|KMP_BLOCKTIME) *= *'([0-9]+)", stderr)


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ({}, OURS),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7", "KMP_BLOCKTIME": "1"}),
        ({"KMP_BLOCKTIME": "200"}, {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "200"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
    ],
)
def test_what_the_user_set_stays(
    users: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = dict(users)
    monkeypatch.setattr("os.environ", environment)
    limit_spinning()
    assert environment == expected
    limit_spinning()  # as in the studio, after the command has called it
    assert environment == expected


@pytest.mark.slow
@pytest.mark.parametrize("code", [COMMAND, PYTHON_M_LIMNER], ids=["limner", "python -m limner"])
def test_a_command_sets_it_before_torch_is_imported(code: str) -> None:
    assert when_torch_is_imported(code) == str(OURS)


def test_a_command_keeps_the_setting_of_the_user() -> None:
    users = {"OMP_WAIT_POLICY": "passive"}
    assert when_torch_is_imported(COMMAND, **users) == str(users)


def test_the_studio_uses_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shown = run(SHOW_WHEN_TORCH_IS_IMPORTED + STUDIO, port, OMP_DISPLAY_ENV="VERBOSE")
    assert shown.stdout.splitlines() == [str(OURS)]
    (used,) = used_by_openmp(shown.stderr)
    assert used in OURS.values()


def test_openmp_keeps_the_setting_of_the_user() -> None:
    users = {"GOMP_SPINCOUNT": "77", "KMP_BLOCKTIME": "77"}
    shown = run(COMMAND, "models", OMP_DISPLAY_ENV="VERBOSE", **users)
    assert used_by_openmp(shown.stderr) == ["77"]


def test_the_library_leaves_the_environment_alone() -> None:
    code = """
before = dict(os.environ)
import limner
limner.sketch
assert os.environ == before
"""
    assert when_torch_is_imported(code) == "{}"


@pytest.mark.parametrize(
    ("allowed", "users", "expected"),
    [
        (2, {}, "2"),
        (None, {}, None),
        (64, {}, None),
        (65, {}, None),
        (2, {"OMP_NUM_THREADS": "5"}, "5"),
    ],
)
def test_a_container_with_few_cores_of_many(
    allowed: int | None,
    users: dict[str, str],
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = dict(users)
    monkeypatch.setattr("os.environ", environment)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr(machine, "cores", lambda: allowed)
    limit_threads()
    assert environment.get("OMP_NUM_THREADS") == expected


def test_a_command_counts_the_cores_before_torch_is_imported() -> None:
    code = """
import os
from limner.nn import machine
machine.cores, os.cpu_count = lambda: 1, lambda: 64
os.environ.pop("OMP_NUM_THREADS", None)
from limner.cli.main import main
main(["models"])
import torch
print(torch.get_num_threads())
"""
    assert run(code).stdout.splitlines()[-1] == "1"
