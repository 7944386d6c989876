"""Imports run one way, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import limner

PACKAGE = Path(limner.__file__).parent
# From the leaves up. A package imports packages above it in this list, and none below or beside it.
TIERS: list[set[str]] = [
    {"_version", "checks", "errors", "progress", "signature", "units"},
    {"io", "nn"},
    {"train"},
    {"color", "line_art", "patches"},
    {"beauty", "colorization", "generation", "hybrid", "style", "upscaling"},
    {"batch", "exporting"},
    {"cli", "web"},
]
TIER = {name: number for number, names in enumerate(TIERS) for name in names}
# Packages of one tier that may import each other.
TOGETHER = [TIERS[0], {"io", "nn"}, TIERS[3], {"cli", "web"}]
ENTRIES = {"__init__", "__main__"}  # the public API and `python -m limner` import anything
HEAVY = "{'torch', 'numpy', 'PIL', 'safetensors'}"


def imported_by(path: Path) -> set[str]:
    """Packages of limner that a file imports, at its top or later."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, path
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.split(".")[1] for name in found if name.startswith("limner.")}


def test_every_module_has_its_place() -> None:
    names = {path.stem for path in PACKAGE.glob("*.py")} - ENTRIES
    names |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert names == TIER.keys()
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_imports_run_one_way() -> None:
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own in ENTRIES:
            continue
        for other in imported_by(path) & TIER.keys() - {own}:
            beside = any({own, other} <= lot for lot in TOGETHER)
            assert TIER[other] < TIER[own] or beside, f"{path}: imports {other}"


@pytest.mark.parametrize(
    "code",
    [
        "from limner.cli.main import main; assert main(['--help']) == 0",
        "from limner.cli.main import main; assert main(['--version']) == 0",
        "from limner.cli.main import main; assert main(['train', '--help']) == 0",
        "import limner; assert limner.__version__ and dir(limner)",
    ],
)
def test_little_is_imported(code: str) -> None:
    check = f"import sys; {code}; found = {HEAVY} & sys.modules.keys(); assert not found, found"
    subprocess.run([sys.executable, "-c", check], check=True, stdout=subprocess.DEVNULL)


def test_the_public_names_are_there() -> None:
    assert set(limner.__all__) == set(limner._MODULES)
    for name, module in limner._MODULES.items():
        assert getattr(limner, name).__module__ == f"limner.{module}", name
        assert name in dir(limner)


def test_a_missing_name_lists_those_that_exist() -> None:
    with pytest.raises(AttributeError, match=r"'stylise'; it has .*\bstylize\b"):
        _ = limner.stylise
