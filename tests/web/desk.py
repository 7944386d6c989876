"""A studio in a process of its own, and a page of it that is watched."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def lacking() -> str:
    """Why the page cannot be tested here, or nothing."""
    for name in ("gradio", "playwright"):
        if find_spec(name) is None:
            return f'{name} is not installed: pip install "limner[studio,dev]"'
    if not any(map(shutil.which, BROWSERS)):
        return "no Chromium was found: apt-get install chromium"
    return ""


class Studio:
    """A studio that runs in a process of its own."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        options = f"host={host!r}, port={self.port}, browser=False"
        code = f"from limner.web.studio import studio; studio({options})"
        self.said = folder.with_name(f"{folder.name}.log")
        with self.said.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
                cwd=folder,
                stderr=log,
            )
        deadline = time.monotonic() + 120
        while "the studio is at" not in self.said.read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, (
                self.said.read_text()
            )
            time.sleep(0.05)

    def close(self) -> tuple[int, list[Path], str]:
        """Press Ctrl-C; give the exit code, what is left behind, and what was said after all."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        return code, list(self.folder.glob("limner-*")), self.said.read_text().partition("it)\n")[2]


class Desk:
    """One open page, watched: it asks nobody but the studio, and nothing on it goes wrong."""

    def __init__(self, page: Any, url: str, password: str = "") -> None:
        self.page = page
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda asked: self._look(asked.url, url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(30_000)
        page.goto(url)
        if password:
            page.fill("input[name=password]", password)
            page.click("button")
        page.wait_for_selector("#stylize-run")

    def _look(self, asked: str, url: str) -> None:
        if not asked.startswith((url, "data:", "blob:")):
            self.foreign.append(asked)

    def open(self, verb: str) -> None:
        """Go to a tab, on a phone perhaps through the menu."""
        title = {"sketch": "Sketch", "generate": "Paint new"}.get(verb, verb.capitalize())
        tab = self.page.locator("#verbs").get_by_role("tab", name=title, exact=True).first
        if not tab.is_visible():
            self.page.locator("#verbs .overflow-menu > button").first.click()
            tab = self.page.locator("#verbs .overflow-dropdown button", has_text=title).first
        tab.click()
        self.page.wait_for_selector(f"#{verb}-run:visible")

    def give(self, place: str, path: Path) -> None:
        """Drop a picture into a place, and wait until it lies there."""
        self.page.set_input_files(f"#{place} input[type=file]", path)
        self.page.wait_for_selector(f"#{place} img[src*='shown-']")

    def write(self, place: str, value: str) -> None:
        """Write into a field."""
        field = self.page.locator(
            f"#{place} :is(textarea, input[type=text], input[type=number])"
        ).first
        field.fill(value)
        time.sleep(0.3)  # until the page itself knows of it

    def more(self, verb: str) -> None:
        """Unfold the rest of a form."""
        self.page.locator(f"#{verb}-more > button").click()

    def run(self, verb: str) -> None:
        """Press the button, and wait until the picture is there."""
        self.page.click(f"#{verb}-run")
        self.ended(verb)

    def grows(self, verb: str) -> None:
        """See two previews that differ."""
        shown = self.page.locator(f"#{verb}-preview img").first
        first = shown.get_attribute("src")
        self.page.wait_for_function(
            "([verb, first]) => { const shown = document.querySelector(`#${verb}-preview img`);"
            " return shown && shown.src != first }",
            arg=[verb, first],
        )

    def ended(self, verb: str) -> str:
        """Wait for the end of a job, and give what is said of it."""
        done = f"#{verb}-status :is(:text('Done in'), :text('Stopped after'), .limner-alarm)"
        self.page.wait_for_selector(done)
        self.page.wait_for_selector(f"#{verb}-run:enabled")
        text: str = self.page.inner_text(f"#{verb}-status")
        return text

    def download(self, verb: str, folder: Path, index: int = 0) -> Path:
        """Fetch a file of the result."""
        with self.page.expect_download() as coming:
            self.page.locator(f"#{verb}-files a[download]").nth(index).click()
        path = folder / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    def command(self, verb: str) -> str:
        """The command that the page shows."""
        if not self.page.is_visible(f"#{verb}-command"):
            self.page.locator(f"#{verb}-words > button").click()
        text: str = self.page.locator(f"#{verb}-command textarea").input_value()
        return text


class Client:
    """A page without a browser: what it sends, sent by hand."""

    def __init__(self, studio: Studio, name: str) -> None:
        self.url = studio.url
        self.name = name
        self.config = json.loads(self.ask("config"))
        self.ids = {one["props"].get("elem_id"): one["id"] for one in self.config["components"]}
        self.start = {one["id"]: one["props"].get("value") for one in self.config["components"]}

    def ask(self, path: str, data: Any = None, **headers: str) -> str:
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, body, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            text: str = answer.read().decode()
        return text

    def refused(self, path: str, data: Any = None, **headers: str) -> int:
        """The status of an answer that is none."""
        with pytest.raises(urllib.error.HTTPError) as error:
            self.ask(path, data, **headers)
        error.value.close()
        return error.value.code

    def call(self, element: str) -> dict[str, Any]:
        """What is sent when something is clicked."""
        target = [self.ids[element], "click"]
        *_, found = (d for d in self.config["dependencies"] if target in d["targets"])
        data = [self.start[one] for one in found["inputs"]]
        return {
            "fn_index": found["id"],
            "data": data,
            "session_hash": self.name,
            "trigger_id": None,
        }
