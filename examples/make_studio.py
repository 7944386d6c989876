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
    page.wait_for_selector("body[data-ready=true]", state="attached")
    page.click("#example-photo")
    page.wait_for_selector("#slot-photo img")
    page.click("#style-1")
    page.wait_for_selector("#style-1[aria-pressed=true]")
    page.click("#run")
    page.wait_for_selector("#progress[data-state=done]", timeout=300_000)
    page.wait_for_selector("#result .compare-host img")
    page.mouse.move(0, 0)
    page.wait_for_timeout(2000)  # until the pictures are loaded
    page.screenshot(path=Path(__file__).with_name("studio.jpg"), quality=85, type="jpeg")
