"""Compare the page with the library: `python benchmarks/studio.py`.

Prints the seconds from starting the studio to a page that answers, the seconds from a click to the
first preview at 512 pixels, and the time of a picture on the page divided by its time in the
library. The last is the median of whole calls, with page and library taking turns.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from operator import itemgetter
from pathlib import Path
from typing import Any

import limner

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZE, TURNS = 512, 8  # pixels; calls of each


class Page:
    """Sends the requests of a browser."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def request(self, path: str, data: bytes | dict[str, Any] | None = None) -> Any:
        """Send a request, and return the answer."""
        body = json.dumps(data).encode() if isinstance(data, dict) else data
        headers = {"Content-Type": "application/json"}
        prepared = urllib.request.Request(self.url + path, body, headers)  # noqa: S310
        with urllib.request.urlopen(prepared, timeout=600) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if answer.headers["content-type"] == "application/json" else text

    def wait_until_ready(self, start: float) -> float:
        """Wait for the page and its forms; return the seconds since the start."""
        while True:
            try:
                self.request("/api/studio")
                return time.monotonic() - start
            except OSError:
                time.sleep(0.02)

    def stylize(self, size: int) -> tuple[float, float]:
        """Run the examples; return the seconds to the first preview and to the picture."""
        photo, painting = (
            self.request(f"/api/files?name={name}.jpg", (EXAMPLES / f"{name}.jpg").read_bytes())
            for name in ("photo", "painting")
        )
        files = {"photo": [photo["id"]], "styles": [painting["id"]]}
        start, first = time.monotonic(), 0.0
        form = {"verb": "stylize", "values": {"size": str(size)}, "files": files}
        job = self.request("/api/jobs", form)
        while job["state"] in ("waiting", "running"):
            time.sleep(0.05)
            job = self.request(f"/api/jobs/{job['id']}")
            if job["previews"] and not first:
                first = time.monotonic() - start
        assert job["state"] == "done", job
        return first, time.monotonic() - start


def library(size: int) -> float:
    """Return the seconds of the same call without the page."""
    start = time.monotonic()
    limner.stylize(EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg", size=size)
    return time.monotonic() - start


def main() -> None:
    """Print the three numbers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gallery = tempfile.TemporaryDirectory()
    code = "from pathlib import Path; from limner.web.studio import studio; "
    code += f"studio(port={port}, browser=False, gallery=Path({gallery.name!r}))"
    pairs: list[tuple[float, float]] = []
    start = time.monotonic()
    with (
        gallery,
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process,
    ):
        try:
            page = Page(port)
            print(f"page ready after {page.wait_until_ready(start):.1f} s")
            page.stylize(64)  # once each, so that everything is loaded
            library(64)
            for turn in range(TURNS):  # they take turns at going first
                alone = library(SIZE) if turn % 2 else 0
                first, whole = page.stylize(SIZE)
                pairs.append((first, whole / (alone or library(SIZE))))
        finally:
            process.terminate()
    first, ratio = (statistics.median(column) for column in zip(*pairs, strict=True))
    spread = ", ".join(f"{one:.2f}" for _, one in sorted(pairs, key=itemgetter(1)))
    print(f"first preview after {first:.2f} s at {SIZE} pixels")
    print(f"page / library: {ratio:.3f} at {SIZE} pixels, the median of {spread}")


if __name__ == "__main__":
    main()
