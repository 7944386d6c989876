"""Make the screenshot for the README: start `limner studio`, then run this script."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox"]
    )
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto("http://127.0.0.1:7860/")
    page.click("#stylize-example")
    page.wait_for_selector("#stylize-styles-0 img[src*='shown-']")
    page.click("#stylize-run")
    page.wait_for_selector("#stylize-status :text('Done in')", timeout=180_000)
    page.wait_for_selector("#stylize-slider img")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(2000)  # until the slider has its final size
    page.screenshot(path=Path(__file__).with_name("studio.jpg"), quality=85, type="jpeg")
