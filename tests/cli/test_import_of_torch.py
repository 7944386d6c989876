"""The garbage collector rests while a command imports torch, and never looks at torch again."""

import gc
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

from limner.cli import main

CODE = """
import gc
from limner.cli import main
main.beautify
import torch
print(gc.isenabled(), any(one is torch.nn.Linear for one in gc.get_objects()))
"""


def test_the_collector_skips_what_torch_made_and_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_rests_during_the_import_only(
    was_enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    during: list[bool] = []

    def imported(name: str) -> ModuleType:
        during.append(gc.isenabled())
        return import_module(name)

    monkeypatch.setattr(main, "import_module", imported)
    import_module("torch")
    frozen = gc.get_freeze_count()
    try:
        (gc.enable if was_enabled else gc.disable)()
        assert callable(main.__getattr__("beautify"))
        assert during == [False] and gc.isenabled() == was_enabled
    finally:
        gc.enable()
    assert gc.get_freeze_count() == frozen  # torch was there already: the rest may be garbage
