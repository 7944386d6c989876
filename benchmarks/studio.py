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
        self.url = f"http://127.0.0.1:{port}/"
        self.config: dict[str, Any] = {}

    def request(self, path: str, data: Any = None) -> Any:
        """Send a request, and return the open response."""
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json"}
        prepared = urllib.request.Request(self.url + path, body, headers)  # noqa: S310
        return urllib.request.urlopen(prepared, timeout=600)  # noqa: S310

    def wait_until_ready(self, start: float) -> float:
        """Wait for the page; return the seconds since the start."""
        while True:
            try:
                with self.request("") as response:
                    response.read()
                break
            except OSError:
                time.sleep(0.02)
        seconds = time.monotonic() - start
        with self.request("config") as response:
            self.config = json.load(response)
        return seconds

    def click(self, element: str, changed: dict[str, Any]) -> dict[str, Any]:
        """Return what a click sends when some fields have changed."""
        parts = self.config["components"]
        ids = {part["props"].get("elem_id"): part["id"] for part in parts}
        values = {part["id"]: part["props"].get("value") for part in parts}
        values |= {ids[name]: value for name, value in changed.items()}
        target = [ids[element], "click"]
        *_, found = (d for d in self.config["dependencies"] if target in d["targets"])
        data = [values[one] for one in found["inputs"]]
        return {"fn_index": found["id"], "data": data, "session_hash": "benchmark"}

    def stylize(self, size: int) -> tuple[float, float]:
        """Run the examples; return the seconds to the first preview and to the picture."""
        with self.request("gradio_api/run/predict", self.click("stylize-example", {})) as response:
            response.read()
        start = time.monotonic()
        first = 0.0
        call = self.click("stylize-run", {"stylize-size": str(size)})
        with self.request("gradio_api/queue/join", call) as response:
            response.read()
        with self.request("gradio_api/queue/data?session_hash=benchmark") as stream:
            for line in stream:
                if b"data:image/jpeg" in line and not first:
                    first = time.monotonic() - start
                if b"process_completed" in line:
                    assert b"Done in" in line, line[:500]
                    break
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
    code = f"from limner.web.studio import studio; studio(port={port}, browser=False)"
    pairs: list[tuple[float, float]] = []
    start = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process:
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
