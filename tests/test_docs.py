"""What the project's texts say of the project is so."""

import re
from pathlib import Path

from limner import signature
from limner._version import __version__
from limner.beauty.beautify import beautify
from limner.beauty.predictability import predictability
from limner.cli import commands, main
from limner.colorization.colorize import colorize
from limner.generation.folder import folder
from limner.generation.gan.stylegan2_import import convert_painter
from limner.generation.gan.train import train_painter
from limner.generation.generate import generate
from limner.hybrid.hybridize import hybridize
from limner.style.stylize import stylize
from limner.upscaling.upscale import upscale
from limner.web.studio import studio

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_command_is_in_the_readme() -> None:
    commands = [*main.VERBS, "models", *(f"train {name}" for name in main.TRAININGS)]
    assert [name for name in commands if f"limner {name}" not in README] == []


def test_every_option_in_the_readme_exists() -> None:
    verbs = (stylize, hybridize, colorize, beautify, predictability, upscale)
    painting = (generate, folder, convert_painter, train_painter)
    functions = (*verbs, *painting, studio, commands.paint, commands.measure, commands.tell)
    asked = [signature.of(function) for function in functions]
    known = {"--help"} | {option.flag for found in asked for option in found}
    assert len(known) > 15
    assert set(re.findall(r"--[a-z][a-z-]+", README)) <= known


def test_the_readme_is_short_and_names_only_files_that_are_there() -> None:
    assert len(README.splitlines()) < 200
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_map_of_the_house_is_complete() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    modules = {p.name for p in (ROOT / "src" / "limner").rglob("*.py")} - {"__main__.py"}
    assert {name for name in modules if name not in text} == set()


def test_every_shipped_file_has_a_card_and_a_recipe() -> None:
    shipped = sorted((ROOT / "src" / "limner" / "shipped").glob("*.safetensors"))
    assert shipped
    for path in shipped:
        assert path.with_suffix(".md").exists()
        assert (ROOT / "recipes" / f"{path.stem}.md").exists()


def test_the_changelog_begins_with_what_is_next_or_this_version() -> None:
    first = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first and first[1] in ("Unreleased", __version__)


def test_no_file_is_longer_than_400_lines() -> None:
    files = [
        p for folder in ("src", "benchmarks", "examples") for p in (ROOT / folder).rglob("*.py")
    ]
    assert len(files) > 20
    assert [p.name for p in files if len(p.read_text().splitlines()) > 400] == []
