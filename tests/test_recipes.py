"""The commands in `recipes/` are commands of today, except those for an older commit."""

import re
import shlex
from pathlib import Path

import pytest

from limner.cli import main

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.md"))


def commands(text: str) -> list[list[str]]:
    """Return the arguments of the limner commands, also of those in a sentence."""
    blocks = re.findall(r"(?ms)^```\n(.*?)^```$", text)
    lines = [
        line
        for block in blocks
        if "git checkout" not in block
        for line in block.replace("\\\n", " ").splitlines()
    ]
    in_sentences = re.findall(r"`(limner [^`]* -o [^`]*)`", re.sub(r"(?ms)^```.*?^```$", "", text))
    words = [shlex.split(line) for line in [*lines, *in_sentences]]
    return [line[1:] for line in words if line[0] == "limner"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_commands_can_be_parsed(recipe: Path) -> None:
    found = commands(recipe.read_text())
    assert found or recipe.stem == "upscaler-fast-x2"  # made with an older commit
    for words in found:
        main.app.parse_args(words, exit_on_error=False, print_error=False)
