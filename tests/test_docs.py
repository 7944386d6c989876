"""What the README and the documentation say about the project is true."""

import ast
import importlib.util
import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from PIL import Image

import limner
from limner._version import __version__
from limner.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
MANY = 600  # words that a guide has at least
LIGHT = 4.5e6  # bytes of all pictures of the documentation; half are the gallery, at 1024 px

# Options that make a command of the documentation small enough for a test.
SMALL = {
    "stylize": {"--size": "128", "--steps": "4"},
    "upscale --print": {"--dpi": "40"},
    "upscale --width": {"--width": "90"},
}
# Files that a page takes for granted, beside those that every page can use.
_FOLDERS = ("album/sub/one.jpg", "album/two.jpg", "cat.jpg", "dog.jpg", "near/a.jpg", "far/a.jpg")
OWN_FILES = {"docs/printing.md": ("painted.png",), "docs/folders.md": _FOLDERS}
OTHER_PROGRAMS = {
    "apt",
    "build/beautify",
    "build/upscale",
    "cat",
    "cmake",
    "done",
    "examples/web/build.sh",
    "for",
    "pip",
    "pytest",
    "python",
    "scripts/check",
    "tensorboard",
}


@dataclass(frozen=True)
class Block:
    """A block of shell commands, and how the comment above it marks it.

    ``<!-- not run: reason -->``: only parsed.
    ``<!-- illustration: reason -->``: neither.
    """

    page: str
    mark: str
    text: str

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of every limner command."""
        found = []
        for words in self.commands:
            program = next(word for word in words if not re.fullmatch(r"[A-Z_]+=\S*|do", word))
            if program == "limner":
                found.append(words[words.index(program) + 1 :])
            else:
                assert program in OTHER_PROGRAMS, f"{self.page}: what is {program}?"
        return found

    @property
    def commands(self) -> Iterator[list[str]]:
        """The words of every command."""
        for line in self.text.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, ";"]:
                if word not in (";", "&&", "|"):
                    words.append(word)
                elif words:
                    yield words
                    words = []


def blocks(name: str) -> list[Block]:
    """Find the blocks of shell commands of a page."""
    text = (ROOT / name).read_text()
    pattern = r"(?ms)(?:^<!-- ([a-z ]+)[^>]*-->\n)?^```(\w*)\n(.*?)^```$"
    found = []
    for mark, language, body in re.findall(pattern, text):
        assert language in ("sh", "text", "python"), f"{name}: is this a shell block? {body}"
        if language == "sh":
            found.append(Block(name, mark.strip(), body))
    return found


@cache
def hooks() -> ModuleType:
    """Import docs/hooks.py."""
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def reference() -> str:
    """Return the command reference."""
    text: str = hooks().commands()
    return text


def prose(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return re.sub(r"(?ms)^```.*?^```$", "", page.read_text())


def command_names() -> list[str]:
    """Return every command, with `train` for each training."""
    verbs = [name for name in main.app if not name.startswith("-") and name != "train"]
    trainings = [f"train {name}" for name in main.app["train"] if not name.startswith("-")]
    assert len(verbs) > 10 and len(trainings) == 5
    return verbs + trainings


def test_every_command_is_explained() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert [name for name in command_names() if f"limner {name}" not in text] == []


def test_every_verb_is_in_the_readme() -> None:
    text = README.read_text()
    assert [name for name in command_names() if f"limner {name}" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_option_exists(name: str) -> None:
    known = set(re.findall(r"--[a-z][a-z-]+", reference())) | {"--help", "--version"}
    others = {"--index-url", "--logdir"}  # of pip, tensorboard, torchrun, Ray:
    others |= {"--nproc-per-node", "--head", "--port", "--ray-client-server-port", "--address"}
    others |= {"--build", "--bind", "--directory"}  # of CMake and Python
    assert len(known) > 60
    text = (ROOT / name).read_text()
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - others <= known


@pytest.mark.parametrize("name", NAMES)
def test_every_command_can_be_parsed(name: str) -> None:
    for block in blocks(name):
        if block.mark == "illustration":
            continue
        for words in block.calls:
            main.app.parse_args(main.with_pipes(words), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    made = {"api.md", "cli.md"}
    links = re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", prose(page))
    for link in links:
        if "://" in link or not link:
            continue
        path = (page.parent / link).resolve()
        assert path.exists() or path.relative_to(DOCS).as_posix() in made, link


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_command_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run([block for block in blocks(name) if not block.mark], tmp_path, monkeypatch, capsys)


def run(
    found: list[Block],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run the commands of a page, one after the other, in a folder with pictures."""
    if not found:
        pytest.skip("nothing to run")
    prepare(folder, OWN_FILES.get(found[0].page, ()))
    monkeypatch.chdir(folder)
    for words in (words for block in found for words in block.calls):
        code = main.main(made_small(words))
        shown = capsys.readouterr()
        assert code == 0, f"limner {shlex.join(words)}: {shown.err}"


def made_small(words: list[str]) -> list[str]:
    """Return a command with the options that make it fast."""
    for kind, options in SMALL.items():
        if set(kind.split()) <= set(words):
            for option, value in options.items():
                if option in words:
                    place = words.index(option)
                    words = words[:place] + words[place + 2 :]
                words = [*words, option, value]
    return words


def prepare(folder: Path, own: tuple[str, ...]) -> None:
    """Put small pictures with the names of the documentation into a folder."""
    photo, painting = (Image.open(ROOT / f"examples/{name}.jpg") for name in ("photo", "painting"))
    photo, painting = photo.resize((240, 160)), painting.resize((240, 160))
    for name in ("photo.jpg", "examples/photo.jpg", *own):
        save(photo, folder / name)
    for name in ("painting.jpg", "wave.jpg", "starry.jpg", "examples/painting.jpg"):
        save(painting, folder / name)
    for name, picture in (("near.jpg", photo), ("far.jpg", painting)):
        save(picture.resize((420, 280)), folder / name)
    save(painting.crop((0, 90, 240, 160)), folder / "texture.jpg")
    save(photo.resize((60, 40)), folder / "small.jpg")
    for name, color in (("sky.png", "white"), ("land.png", "gray"), ("face-mask.png", "gray")):
        save(Image.new("L", photo.size, color), folder / name)
    drawing = Image.open(ROOT / "src/limner/web/examples/drawing.png").resize((192, 128))
    save(drawing, folder / "drawing.png")
    dab = Image.new("RGBA", drawing.size)
    dab.paste("#d98b3a", (90, 40, 100, 50))
    save(dab, folder / "hints.png")
    (folder / "list.txt").write_text("photo.jpg\n")
    walk = [photo.rotate(turn) for turn in (0, 10, 20)]
    walk[0].save(folder / "walk.gif", save_all=True, append_images=walk[1:])
    for number in range(24):  # enough for some to be held out
        turned = photo.resize((300, 300)).rotate(90 * number)
        save(turned.crop((0, 0, 300 - number, 300)), folder / f"photos/{number}.png")
    for number in range(4):
        save(painting.rotate(90 * number), folder / f"pictures/{number}.jpg")


def save(picture: Image.Image, path: Path) -> None:
    """Save a picture, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.mark.parametrize("name", NAMES)
def test_python_uses_what_exists(name: str) -> None:
    for code in re.findall(r"(?ms)^```python\n(.*?)^```$", (ROOT / name).read_text()):
        for node in ast.walk(ast.parse(code)):
            if is_of_limner(node):
                assert node.attr in limner.__all__
            if isinstance(node, ast.Call) and is_of_limner(node.func):
                known = inspect.signature(getattr(limner, node.func.attr)).parameters
                assert {word.arg for word in node.keywords} <= set(known)


def is_of_limner(node: Any) -> bool:
    """Whether a piece of code is ``limner.something``."""
    value = getattr(node, "value", None)
    return isinstance(node, ast.Attribute) and isinstance(value, ast.Name) and value.id == "limner"


def test_the_messages_that_are_quoted_exist() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    source = re.sub(r'"\s*f?"', "", source)  # strings that go on in the next line
    quoted = [
        message
        for page in DOCS.rglob("*.md")
        for message in re.findall(r'\*\*[^*"]*"([^*"]+)"[^*"]*\*\*', prose(page))
    ]
    assert len(quoted) > 4
    assert [message for message in quoted if " ".join(message.split()) not in source] == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) < 150


def test_the_readme_has_the_two_commands_that_ci_runs() -> None:
    text = README.read_text()
    assert "pip install . && limner stylize examples/photo.jpg examples/painting.jpg -o" in text
    assert 'pip install ".[dev]" && ' in text


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_guide_is_long_enough_and_has_pictures(guide: Path) -> None:
    text = prose(guide)
    assert len(re.findall(r"[A-Za-z]{2,}", text)) > MANY
    assert "![" in text
    assert "## Typical problems" in text


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", yaml.safe_dump(navigation())))
    assert {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} <= listed


def navigation() -> Any:
    """Return the navigation of the site."""
    text = (ROOT / "mkdocs.yml").read_text()
    return yaml.safe_load(text)["nav"]


def test_every_public_name_is_in_the_api_page() -> None:
    assert sorted(re.findall(r"::: limner\.(\w+)", hooks().api())) == sorted(limner.__all__)


def test_the_pages_that_are_written_are_those_that_links_may_lead_to() -> None:
    assert set(hooks().written()) == {"api.md", "cli.md"}


def test_links_between_the_site_and_the_repository() -> None:
    relinked = hooks().relinked
    assert relinked("[a](../recipes/colorizer.md)", "training.md") == "[a](recipes/colorizer.md)"
    assert relinked("[a](../training.md#x)", "guides/stylize.md") == "[a](../training.md#x)"
    assert (
        relinked("[a](../src/limner/shipped/colorizer.md)", "recipes/colorizer.md")
        == "[a](../weights/colorizer.md)"
    )
    assert relinked("[a](https://x.org/b.md)", "index.md") == "[a](https://x.org/b.md)"


def test_the_pictures_are_small_and_used() -> None:
    pictures = sorted((DOCS / "images").iterdir())
    text = "".join(page.read_text() for page in PAGES)
    assert [picture.name for picture in pictures if picture.name not in text] == []
    assert sum(picture.stat().st_size for picture in pictures) < LIGHT


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
