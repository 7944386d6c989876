"""A studio in its own process, and its page: in a browser, and without one."""

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


def missing() -> str:
    """Return why the page cannot be tested here; empty if it can."""
    if os.name == "nt":
        return "the studio is closed with signals that Windows does not have"
    for name in ("gradio", "playwright"):
        if find_spec(name) is None:
            return f'{name} is not installed: pip install "limner[studio,dev]"'
    if not any(map(shutil.which, BROWSERS)):
        return "no Chromium was found: apt-get install chromium"
    return ""


class Studio:
    """A studio that runs in its own process."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        options = f"host={host!r}, port={self.port}, browser=False"
        code = f"from limner.web.studio import studio; studio({options})"
        self.log = folder.with_name(f"{folder.name}.log")
        with self.log.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
                cwd=folder,
                stderr=stderr,
            )
        deadline = time.monotonic() + 120
        while "the studio is at" not in self.log.read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def close(self) -> tuple[int, list[Path], str]:
        """Press Ctrl-C; return the exit code, the files left behind, and what was printed since."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        return code, list(self.folder.glob("limner-*")), self.log.read_text().partition("it)\n")[2]


class StudioPage:
    """The page in a browser. It records requests to other servers and errors of its scripts."""

    def __init__(self, page: Any, url: str, password: str = "") -> None:
        self.page = page
        self.other_requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self._check(request.url, url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(30_000)
        page.goto(url)
        if password:
            page.fill("input[name=password]", password)
            page.click("button")
        page.wait_for_selector("#stylize-run")

    def _check(self, requested: str, url: str) -> None:
        if not requested.startswith((url, "data:", "blob:")):
            self.other_requests.append(requested)

    def open(self, verb: str) -> None:
        """Go to a tab; on a small screen it may be in the menu."""
        title = verb.capitalize()
        tab = self.page.locator("#verbs").get_by_role("tab", name=title, exact=True).first
        if not tab.is_visible():
            self.page.locator("#verbs .overflow-menu > button").first.click()
            tab = self.page.locator("#verbs .overflow-dropdown button", has_text=title).first
        tab.click()
        self.page.wait_for_selector(f"#{verb}-run:visible")

    def add_picture(self, slot: str, path: Path) -> None:
        """Drop a picture into a slot, and wait until it is there."""
        self.page.set_input_files(f"#{slot} input[type=file]", path)
        self.page.wait_for_selector(f"#{slot} img[src*='shown-']")

    def write(self, name: str, value: str) -> None:
        """Write into a field."""
        field = self.page.locator(
            f"#{name} :is(textarea, input[type=text], input[type=number])"
        ).first
        field.fill(value)
        time.sleep(0.3)  # until the page has noticed

    def more(self, verb: str) -> None:
        """Open the rest of a form."""
        self.page.locator(f"#{verb}-more > button").click()

    def run(self, verb: str) -> None:
        """Press the button, and wait until the job has ended."""
        self.page.click(f"#{verb}-run")
        self.wait_for_end(verb)

    def wait_for_previews(self, verb: str) -> None:
        """Wait for two previews that differ."""
        shown = self.page.locator(f"#{verb}-preview img").first
        first = shown.get_attribute("src")
        self.page.wait_for_function(
            "([verb, first]) => { const shown = document.querySelector(`#${verb}-preview img`);"
            " return shown && shown.src != first }",
            arg=[verb, first],
        )

    def wait_for_end(self, verb: str) -> str:
        """Wait for the end of a job, and return its status line."""
        done = f"#{verb}-status :is(:text('Done in'), :text('Stopped after'), .limner-error)"
        self.page.wait_for_selector(done)
        self.page.wait_for_selector(f"#{verb}-run:enabled")
        text: str = self.page.inner_text(f"#{verb}-status")
        return text

    def download(self, verb: str, folder: Path, index: int = 0) -> Path:
        """Download a file of the result."""
        from playwright.sync_api import TimeoutError as MissedClick

        link = self.page.locator(f"#{verb}-files a[download]").nth(index)
        try:
            with self.page.expect_download(timeout=5_000) as coming:
                link.click()
        except MissedClick:  # happened once in CI, perhaps because the page still moved
            with self.page.expect_download() as coming:
                link.click()
        path: Path = folder / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    def command(self, verb: str) -> str:
        """Return the command that the page shows."""
        if not self.page.is_visible(f"#{verb}-command"):
            self.page.locator(f"#{verb}-code > button").click()
        text: str = self.page.locator(f"#{verb}-command textarea").input_value()
        return text


class Client:
    """The page without a browser: sends the same requests."""

    def __init__(self, studio: Studio, name: str) -> None:
        self.url = studio.url
        self.name = name
        self.config = json.loads(self.request("config"))
        self.ids = {one["props"].get("elem_id"): one["id"] for one in self.config["components"]}
        self.start = {one["id"]: one["props"].get("value") for one in self.config["components"]}

    def request(self, path: str, data: Any = None, **headers: str) -> str:
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json", **headers}
        prepared = urllib.request.Request(self.url + path, body, headers)  # noqa: S310
        with urllib.request.urlopen(prepared, timeout=120) as answer:  # noqa: S310
            text: str = answer.read().decode()
        return text

    def refused(self, path: str, data: Any = None, **headers: str) -> int:
        """Return the HTTP status of a request that fails."""
        with pytest.raises(urllib.error.HTTPError) as error:
            self.request(path, data, **headers)
        error.value.close()
        return error.value.code

    def call(self, element: str) -> dict[str, Any]:
        """Return what the page sends when a button is clicked."""
        target = [self.ids[element], "click"]
        *_, found = (d for d in self.config["dependencies"] if target in d["targets"])
        data = [self.start[one] for one in found["inputs"]]
        return {
            "fn_index": found["id"],
            "data": data,
            "session_hash": self.name,
            "trigger_id": None,
        }
