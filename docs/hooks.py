"""Pages of the site that nobody writes by hand, and links that lead out of this folder.

The command reference comes from the commands themselves, the API page from ``limner.__all__``.
The changelog, the recipes and the cards of the weights are pages too; they stay where they are in
the repository, and links between them and the pages here work in both places.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import limner
from limner.cli.main import app
from limner.cli.verbs import TRAININGS, VERBS

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")

# folder or file in the repository -> where it is on the site
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "recipes/*.md": "recipes",
    "src/limner/shipped/*.md": "weights",
    "benchmarks/*.py": "benchmarks",
    "examples/*.py": "examples",
}

# heading, and what is below it, for every name in `limner.__all__`
API = {
    "Make pictures": (
        "stylize",
        "hybridize",
        "colorize",
        "Coloring",
        "regions",
        "sketch",
        "beautify",
        "generate",
        "variations",
        "upscale",
        "print_ready",
        "replay",
        "apply",
    ),
    "Measure, check and convert": ("predictability", "folder", "convert_painter", "export"),
    "Train": (
        "train_colorizer",
        "train_beautifier",
        "train_painter",
        "train_upscaler",
        "train_features",
    ),
    "Write files": ("write",),
    "Progress": ("Progress", "Stop"),
    "Errors": ("LimnerError", "InputError", "OptionError", "OutputError", "WeightsError"),
}


def outside() -> dict[str, str]:
    """Return the files outside docs/ that the site has: path in the repository -> on the site."""
    found = {}
    for pattern, place in OUTSIDE.items():
        for path in sorted(ROOT.glob(pattern)):
            where = place if place.endswith(".md") else f"{place}/{path.name}"
            found[path.relative_to(ROOT).as_posix()] = where
    return found


def written() -> dict[str, str]:
    """Return the pages that are made out of the code: place on the site -> Markdown."""
    return {"cli.md": commands(), "api.md": api()}


def commands() -> str:
    """Write the command reference: what ``--help`` says, for every command; trainings last."""
    text = app.generate_docs(output_format="markdown", flatten_commands=True)
    overview, *sections = re.split(r"(?m)^# (?=limner)", text)[1:]
    overview = re.sub(r"(?s)\n## Table of Contents\n.*?\n\*\*", "\n**", overview, count=1)
    sections.sort(key=lambda section: section.startswith(("limner train", "limner --")))
    intro = (
        "This page is generated from the commands: it says what `limner COMMAND --help` says. "
        "The guides say what to use them for."
    )
    parts = [f"# Commands\n\n{intro}\n{overview.partition(chr(10))[2]}"]
    return "\n## ".join([*parts, *map(with_examples, sections)])


def with_examples(section: str) -> str:
    """Put a command's examples before its options."""
    name = section.partition("\n")[0].removeprefix("limner ")
    about = VERBS.get(name) or TRAININGS.get(name.removeprefix("train "))
    if about is None:
        return section
    head, options, rest = section.partition("\n**")
    return f"{head}\n```sh\n" + "\n".join(about.examples) + f"\n```\n{options}{rest}"


def api() -> str:
    """Write the API page: every public name, by topic."""
    listed = [name for names in API.values() for name in names]
    assert sorted(listed) == sorted(limner.__all__), set(listed) ^ set(limner.__all__)
    lines = ["# Python API", "", "Everything here is in the package itself: `import limner`.", ""]
    for heading, names in API.items():
        lines += [f"## {heading}", ""]
        for name in names:
            lines += [f"::: limner.{name}", ""]
    return "\n".join(lines)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here, and the files from outside docs/."""
    for place, text in written().items():
        files.append(File.generated(config, place, content=text))
    for path, place in outside().items():
        files.append(File.generated(config, place, content=(ROOT / path).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links between docs/ and the rest of the repository to where the files are here."""
    return relinked(markdown, page.file.src_uri)


def relinked(markdown: str, place: str) -> str:
    """Translate the links of a page at this place on the site from the repository's paths."""
    sites = outside()
    sources = {site: path for path, site in sites.items()}
    folder = posixpath.dirname(sources.get(place, f"docs/{place}"))

    def link(match: re.Match[str]) -> str:
        target = match[2]
        if "://" in target or target.startswith(("/", "mailto:")):
            return match[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        site = sites.get(path) or path.removeprefix("docs/")
        found = posixpath.relpath(site, posixpath.dirname(place) or ".")
        return f"{match[1]}{found}{match[3]}"

    return LINK.sub(link, markdown)
