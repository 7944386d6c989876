"""The page of ``examples/web``: built, opened without a network, and used."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import limner

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with all its files. `build.sh` needs npm's registry."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("page")
    subprocess.run([ROOT / "examples/web/build.sh", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    """The page. Requests to anywhere else fail the test."""
    elsewhere: list[str] = []
    context = chromium.new_context(viewport={"width": 900, "height": 900})
    opened = context.new_page()
    opened.on("request", lambda r: elsewhere.append(r.url))
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(address)
    yield opened
    assert all(url.startswith((address, "blob:", "data:")) for url in elsewhere) and not errors
    context.close()


def made(page: Any) -> np.ndarray[Any, Any]:
    """Wait for the result, and save it as a user does."""
    page.get_by_text(re.compile(r"px in [\d.]+ s$")).wait_for(timeout=120_000)
    with page.expect_download() as download:
        page.click("#save")
    return np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)


def test_a_picture_is_enlarged_as_by_limner(page: Any, tmp_path: Path) -> None:
    photo = Image.open(ROOT / "examples/photo.jpg").convert("RGB").crop((300, 200, 550, 420))
    photo.save(tmp_path / "photo.png")
    page.set_input_files("#file", tmp_path / "photo.png")
    page.wait_for_selector("#run:enabled")
    assert page.inner_text("#status") == "photo.png: 250×220 px"
    page.click("#run")
    large = made(page)
    wanted = limner.upscale(photo, quality="fast", detail=0, color_lock=False)
    assert large.shape == (880, 1000, 3)
    assert np.abs(large - np.asarray(wanted)).max() <= 1


def test_a_picture_is_beautified_as_by_limner(page: Any, tmp_path: Path) -> None:
    photo = Image.open(ROOT / "examples/photo.jpg").convert("RGB").resize((300, 200))
    photo.save(tmp_path / "photo.png")
    page.set_input_files("#file", tmp_path / "photo.png")
    page.check("text=Beautify")
    page.fill("#strength", "1.5")
    page.click("#run")
    better = made(page)
    wanted = np.asarray(limner.beautify(photo, strength=1.5)).astype(int)
    assert np.abs(better - wanted).mean() < 0.5  # limner dithers
    assert np.abs(better - np.asarray(photo)).mean() > 2


def test_mistakes_are_told_in_a_line(page: Any, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no picture")
    page.set_input_files("#file", tmp_path / "note.txt")
    page.get_by_text("note.txt: cannot be read; choose a JPEG, PNG or WebP picture").wait_for()
    assert page.is_disabled("#run")
    Image.new("RGB", (17000, 10)).save(tmp_path / "long.png")
    page.set_input_files("#file", tmp_path / "long.png")
    page.get_by_text("17000×10 px: too large; choose a picture of at most 8 megapixels").wait_for()
    assert page.is_disabled("#run")
    Image.new("RGB", (2000, 1100)).save(tmp_path / "large.png")
    page.set_input_files("#file", tmp_path / "large.png")
    page.click("#run")
    assert page.inner_text("#status") == ("2.2 megapixels: more than 2; choose a smaller picture")
