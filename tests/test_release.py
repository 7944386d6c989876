"""`scripts/release`, run in small copies of the repository: each problem is one line."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHANGELOG = (
    "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-07-14\n\n### Added\n\n- All of it.\n"
)
# Stands in for the package "build": packs src/ into a wheel, less the file named SKIPPED.
BUILD = """
import os, pathlib, sys, zipfile
if os.environ.get("FAILS"):
    sys.exit("ERROR Backend is broken")
out, root = map(pathlib.Path, sys.argv[2:])
out.mkdir(exist_ok=True)
with zipfile.ZipFile(out / "limner-1.2.3-py3-none-any.whl", "w") as wheel:
    for path in (root / "src").rglob("*.py"):
        if path.name != os.environ.get("SKIPPED"):
            wheel.write(path, path.relative_to(root / "src").as_posix())
if not os.environ.get("NO_SDIST"):
    (out / "limner-1.2.3.tar.gz").touch()
"""


def git(root: Path, *arguments: str) -> None:
    alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    name = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(
        ["git", *name, *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        env=os.environ | alone,
    )


def commit_and_tag(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "change")
    git(root, "tag", "--force", "v1.2.3")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that is ready to be released."""
    root = tmp_path / "repository"
    for folder in ("scripts", "src/limner"):
        (root / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts/release", root / "scripts")
    (root / "src/limner/_version.py").write_text('__version__ = "1.2.3"\n')
    (root / "src/limner/__init__.py").touch()
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / ".gitignore").write_text("dist/\n")
    git(root, "init", "--quiet")
    commit_and_tag(root)
    stub = tmp_path / "packages/build"
    stub.mkdir(parents=True)
    (stub / "__init__.py").touch()
    (stub / "__main__.py").write_text(BUILD)
    return root


def release(root: Path, *arguments: str, **environment: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines it prints, without the word "release:"."""
    packages = {"PYTHONPATH": str(root.parent / "packages")}
    done = subprocess.run(
        [sys.executable, root / "scripts/release", *arguments],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | packages | environment,
    )
    assert not (done.stdout and done.stderr)
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, [line.removeprefix("release: ") for line in lines]


def test_a_repository_that_is_ready(root: Path) -> None:
    ready = (0, ["limner 1.2.3 is ready: git push origin v1.2.3"])
    assert release(root, "--check") == ready
    assert not (root / "dist").exists()
    assert release(root) == ready
    assert len(list((root / "dist").iterdir())) == 2


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("1.2.3", "1.2.2", "CHANGELOG.md: its newest version is 1.2.2, but src/limner/_version.py"),
        (" - 2026-07-14", "", "CHANGELOG.md: its newest version is '[1.2.3]'; write the heading"),
        ("07-14", "02-30", "CHANGELOG.md: its newest version is '[1.2.3] - 2026-02-30'; write"),
        ("## [1.2.3] - 2026-07-14\n\n### Added\n\n- All of it.\n", "", "CHANGELOG.md: its newest"),
        (
            "### Added\n\n- All of it.\n",
            "",
            "CHANGELOG.md: the section of 1.2.3 is empty; say what",
        ),
        (
            "## [Unreleased]\n",
            "",
            "CHANGELOG.md: has no heading '## [Unreleased]'; add an empty one",
        ),
        (
            "eased]\n",
            "eased]\n\n- New.\n",
            "CHANGELOG.md: Unreleased is not empty; move its entries",
        ),
    ],
)
def test_a_changelog_that_disagrees(root: Path, before: str, after: str, problem: str) -> None:
    assert before in CHANGELOG
    (root / "CHANGELOG.md").write_text(CHANGELOG.replace(before, after))
    commit_and_tag(root)
    code, lines = release(root)
    assert code == 1 and len(lines) == 1
    assert lines[0].startswith(problem)
    assert not (root / "dist").exists()  # nothing is built before everything agrees


def test_another_version_than_the_changelog_and_the_tag(root: Path) -> None:
    (root / "src/limner/_version.py").write_text('__version__ = "1.3.0"\n')
    commit_and_tag(root)
    assert release(root) == (
        1,
        [
            "CHANGELOG.md: its newest version is 1.2.3, but src/limner/_version.py says 1.3.0",
            "git: there is no tag v1.3.0; run: git tag v1.3.0",
        ],
    )


def test_a_version_that_cannot_be_read(root: Path) -> None:
    (root / "src/limner/_version.py").write_text('__version__ = "next"\n')
    code, lines = release(root)
    assert code == 1
    assert lines == ['src/limner/_version.py: has no line like __version__ = "1.2.3"']


def test_a_missing_tag(root: Path) -> None:
    git(root, "tag", "--delete", "v1.2.3")
    assert release(root) == (1, ["git: there is no tag v1.2.3; run: git tag v1.2.3"])


def test_a_tag_on_an_older_commit(root: Path) -> None:
    git(root, "commit", "--quiet", "--allow-empty", "--message", "later")
    problem = "git: the tag v1.2.3 is on another commit than the one checked out"
    assert release(root) == (1, [problem])


def test_a_change_that_is_not_committed(root: Path) -> None:
    (root / "new.txt").touch()
    assert release(root) == (1, ["git: 1 file is not committed: new.txt"])
    (root / "newer.txt").touch()
    assert release(root) == (1, ["git: 2 files are not committed: new.txt, ..."])


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"FAILS": "1"}, "python -m build: failed with 'ERROR Backend is broken'"),
        ({"NO_SDIST": "1"}, "dist: limner-1.2.3.tar.gz was not built"),
        (
            {"SKIPPED": "__init__.py"},
            "limner-1.2.3-py3-none-any.whl: lacks limner/__init__.py; see package-data in "
            "pyproject.toml",
        ),
    ],
)
def test_a_build_that_fails(root: Path, environment: dict[str, str], problem: str) -> None:
    assert release(root, **environment) == (1, [problem])


def test_files_of_an_older_build_are_removed(root: Path) -> None:
    (root / "dist").mkdir()
    (root / "dist/limner-1.2.2.tar.gz").touch()
    assert release(root)[0] == 0
    assert not (root / "dist/limner-1.2.2.tar.gz").exists()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("build") is None, reason="needs the package build")
def test_this_repository_builds(root: Path) -> None:
    """The real files and the real package "build", with the version of the copy."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(
        ROOT / "src/limner",
        root / "src/limner",
        ignore=shutil.ignore_patterns("_version.py", "__pycache__"),
        dirs_exist_ok=True,
    )
    commit_and_tag(root)
    shutil.rmtree(root.parent / "packages")
    assert release(root)[0] == 0
