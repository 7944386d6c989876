"""A Chromium for the tests with a browser, which are skipped without it, and pictures."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from studio_process import BROWSERS, Studio, StudioPage, missing


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if why := missing():
        pytest.skip(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)))
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--headless"])


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """Small pictures and drawings."""
    made = {}
    for seed, name in enumerate(("photo", "painting")):
        values = np.random.default_rng(seed).integers(20, 235, (7, 9, 3), dtype=np.uint8)
        soft = Image.fromarray(values).resize((160, 144), Image.Resampling.BICUBIC)
        made[name] = tmp_path / f"{name}.png"
        soft.save(made[name])
    made["large"] = tmp_path / "large.png"
    soft.resize((800, 720), Image.Resampling.BICUBIC).save(made["large"])
    sheet = np.full((144, 160, 3), 255, np.uint8)
    for edge in (30, 110):
        sheet[20:124, edge : edge + 3] = sheet[edge : edge + 3, 20:133] = 0
    made["drawing"] = tmp_path / "drawing.png"
    Image.fromarray(sheet).save(made["drawing"])
    made["large drawing"] = tmp_path / "large-drawing.png"
    Image.fromarray(sheet.repeat(24, 0).repeat(24, 1)).save(made["large drawing"])
    return made


@pytest.fixture(scope="session")
def page_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The studio of the tests with a browser."""
    if why := missing():
        pytest.skip(why)
    running = Studio(tmp_path_factory.mktemp("studio") / "gallery")
    yield running
    assert running.close() == (0, "")


@pytest.fixture(params=["light"])
def studio_page(
    request: pytest.FixtureRequest, page_studio: Studio, chromium: Any
) -> Iterator[StudioPage]:
    """The page: 1280 pixels wide and light, or with the parameter "dark" as on a phone."""
    is_phone = request.param == "dark"
    context = chromium.new_context(
        viewport={"width": 390, "height": 844} if is_phone else {"width": 1280, "height": 900},
        color_scheme=request.param,
        has_touch=is_phone,
    )
    opened = StudioPage(context.new_page(), page_studio)
    yield opened
    context.close()
    assert opened.other_requests == [] and opened.errors == []
