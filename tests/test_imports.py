"""Imports run one way, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import limner

PACKAGE = Path(limner.__file__).parent
ROOMS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
EDGES = {"__init__", "__main__", "cli", "replay", "web"}  # what may import rooms
HEAVY = "{'torch', 'numpy', 'PIL', 'safetensors'}"


def imported_by(path: Path) -> set[str]:
    """Modules of limner that a file imports, at its top or later, as parts after ``limner.``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, path
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.split(".")[1] for name in found if name.startswith("limner.")}


def test_imports_run_one_way() -> None:
    assert {"style", "hybrid"} <= ROOMS
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in EDGES:
            continue
        other_rooms = ROOMS - {room}
        assert not imported_by(path) & (other_rooms | EDGES - {"__init__"}), path


@pytest.mark.parametrize(
    "code",
    [
        "from limner.cli import main; assert main(['--help']) == 0",
        "from limner.cli import main; assert main(['--version']) == 0",
        "from limner.cli import main; assert main(['train', '--help']) == 0",
        "import limner; assert limner.__version__",
    ],
)
def test_little_is_imported(code: str) -> None:
    check = f"import sys; {code}; found = {HEAVY} & sys.modules.keys(); assert not found, found"
    subprocess.run([sys.executable, "-c", check], check=True, stdout=subprocess.DEVNULL)


def test_verbs_are_functions_of_the_package() -> None:
    from limner.hybrid.hybridize import hybridize
    from limner.style.stylize import stylize

    assert limner.stylize is stylize and limner.hybridize is hybridize
    assert set(limner.__all__) == set(limner._ROOMS)
    with pytest.raises(AttributeError, match="stylise"):
        _ = limner.stylise
