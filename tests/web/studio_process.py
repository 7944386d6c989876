"""A studio in its own process, with requests as a script sends them."""

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

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ENDED = ("done", "failed", "stopped")


def missing() -> str:
    """Return why the page cannot be tested here; empty if it can."""
    if os.name == "nt":
        return "the studio is closed with signals that Windows does not have"
    for name in ("fastapi", "playwright"):
        if find_spec(name) is None:
            return f'{name} is not installed: pip install "limner[studio,dev]"'
    if not any(map(shutil.which, BROWSERS)):
        return "no Chromium was found: apt-get install chromium"
    return ""


class Studio:
    """A studio that runs in its own process.

    Parameters
    ----------
    gallery : Path
        Its folder.
    options : object
        Of `limner.web.studio.studio`.
    """

    def __init__(self, gallery: Path, **options: Any) -> None:
        self.gallery = gallery
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        given = {"port": self.port, "browser": False, "gallery": gallery, **options}
        code = f"from pathlib import *; from limner.web.studio import studio; studio(**{given!r})"
        self.log = gallery.with_name(f"{gallery.name}-{self.port}.log")
        with self.log.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stderr=stderr,
            )
        deadline = time.monotonic() + 120
        while "the studio is at" not in self.log.read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def close(self) -> tuple[int, str]:
        """Press Ctrl-C; return the exit code and what was printed since the start."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        return code, self.log.read_text().partition("it)\n")[2]

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        self.process.kill()
        self.process.wait()

    def request(
        self, path: str, data: Any = None, method: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Send a request; return the status, and the answer: JSON decoded, others as bytes."""
        body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
        headers = {"Content-Type": "application/json", **headers}
        prepared = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(prepared, timeout=120) as answer:  # noqa: S310
                status, kind, text = answer.status, answer.headers["content-type"], answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, kind, text = error.code, error.headers["content-type"], error.read()
        return status, json.loads(text) if kind == "application/json" else text

    def add(self, path: Path) -> str:
        """Give a file to the studio; return its id."""
        status, stored = self.request(f"/api/files?name={path.name}", path.read_bytes())
        assert status == 200, stored
        return str(stored["id"])

    def submit(self, verb: str, files: dict[str, list[str]], **values: Any) -> str:
        """Run a form; return the id of its job."""
        form = {"verb": verb, "files": files, "values": values}
        status, job = self.request("/api/jobs", form)
        assert status == 200, job
        return str(job["id"])

    def wait_for(self, job: str, *states: str) -> dict[str, Any]:
        """Wait until a job has one of the states; by default, until it has ended."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.request(f"/api/jobs/{job}")[1]
            if found["state"] in (states or ENDED):
                return found
            time.sleep(0.05)
        raise AssertionError(found)


class StudioPage:
    """The page in a browser. It records requests to other servers and errors of its scripts.

    Screenshots are kept in the folder that the environment variable LIMNER_SCREENSHOTS names.
    """

    def __init__(self, page: Any, studio: Studio, password: str = "") -> None:
        self.page, self.studio = page, studio
        self.other_requests: list[str] = []
        self.errors: list[str] = []
        self.clicks = 0
        page.on("request", lambda request: self._check(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(30_000)
        page.goto(studio.url)
        if password:
            page.fill("input[name=password]", password)
            page.click("button")
        self.wait_until_ready()

    def _check(self, requested: str) -> None:
        if not requested.startswith((self.studio.url, "data:", "blob:")):
            self.other_requests.append(requested)

    def wait_until_ready(self) -> None:
        """Wait for the page to know its forms."""
        self.page.wait_for_selector("body[data-ready=true]", state="attached")

    def click(self, selector: str) -> None:
        """Click once, as a person does."""
        self.clicks += 1
        self.page.click(selector)

    def open(self, place: str) -> None:
        """Go to a verb, the gallery or the queue."""
        self.click(f"#go-{place}" if place in ("gallery", "queue") else f"#verb-{place}")

    def add_picture(self, option: str, *paths: Path) -> None:
        """Choose files for a slot; wait for the picture if it is one."""
        self.page.set_input_files(f"#slot-{option} input[type=file]", paths)
        if len(paths) == 1:
            self.page.wait_for_selector(f"#slot-{option} img[src*='/view']")

    def drop(self, *paths: Path) -> None:
        """Drop files on the page, outside of any slot."""
        files = [[path.name, list(path.read_bytes())] for path in paths]
        script = """files => {
            const dropped = new DataTransfer();
            for (const [name, bytes] of files)
                dropped.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
            document.body.dispatchEvent(
                new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
        }"""
        self.page.evaluate(script, files)

    def write(self, option: str, value: str) -> None:
        """Write into a field, which may be folded."""
        field = self.page.locator(f"#field-{option}")
        if not field.is_visible():
            self.click("#more > summary")
        field.fill(value)

    def run(self) -> str:
        """Press the button, and wait until the job has ended; return the status line."""
        self.click("#run")
        return self.wait_for_end()

    def wait_for_end(self) -> str:
        """Wait until the shown job has ended."""
        self.page.wait_for_selector(
            "#progress:is([data-state=done], [data-state=stopped], [data-state=failed])"
        )
        text: str = self.page.inner_text("#status")
        return text

    def download(self, folder: Path) -> Path:
        """Download the result."""
        with self.page.expect_download() as coming:
            self.page.click("#download")
        path: Path = folder / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    def shot(self, name: str) -> None:
        """Take a screenshot, if a folder for it is named."""
        if folder := os.environ.get("LIMNER_SCREENSHOTS"):
            self.page.wait_for_timeout(600)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
