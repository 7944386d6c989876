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
