"""The page against the library: `python benchmarks/studio.py`.

Seconds from the command to a page that answers, from a click to the first preview at 512 px, and
how much longer a picture takes on the page than without it: the ratio of whole calls, in turns.
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
SIZE, TURNS = 512, 8


class Page:
    """What a browser sends, sent by hand."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.config: dict[str, Any] = {}

    def ask(self, path: str, data: Any = None) -> Any:
        """Send something, and give the answer, open."""
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers)  # noqa: S310
        return urllib.request.urlopen(request, timeout=600)  # noqa: S310

    def until_ready(self, began: float) -> float:
        """Wait for the page itself."""
        while True:
            try:
                with self.ask("") as answer:
                    answer.read()
                break
            except OSError:
                time.sleep(0.02)
        took = time.monotonic() - began
        with self.ask("config") as answer:
            self.config = json.load(answer)
        return took

    def call(self, element: str, changed: dict[str, Any]) -> dict[str, Any]:
        """What a click sends; some fields hold something else than at first."""
        parts = self.config["components"]
        ids = {part["props"].get("elem_id"): part["id"] for part in parts}
        values = {part["id"]: part["props"].get("value") for part in parts}
        values |= {ids[name]: value for name, value in changed.items()}
        target = [ids[element], "click"]
        *_, found = (d for d in self.config["dependencies"] if target in d["targets"])
        data = [values[one] for one in found["inputs"]]
        return {"fn_index": found["id"], "data": data, "session_hash": "benchmark"}

    def paint(self, size: int) -> tuple[float, float]:
        """Press the button: seconds to the first preview, and to the picture."""
        with self.ask("gradio_api/run/predict", self.call("stylize-example", {})) as answer:
            answer.read()
        began = time.monotonic()
        first = 0.0
        call = self.call("stylize-run", {"stylize-size": str(size)})
        with self.ask("gradio_api/queue/join", call) as answer:
            answer.read()
        with self.ask("gradio_api/queue/data?session_hash=benchmark") as stream:
            for line in stream:
                if b"data:image/jpeg" in line and not first:
                    first = time.monotonic() - began
                if b"process_completed" in line:
                    assert b"Done in" in line, line[:500]
                    break
        return first, time.monotonic() - began


def library(size: int) -> float:
    """The same without a page."""
    began = time.monotonic()
    limner.stylize(EXAMPLES / "photo.jpg", EXAMPLES / "painting.jpg", size=size)
    return time.monotonic() - began


def main() -> None:
    """Print the three numbers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"from limner.web.studio import studio; studio(port={port}, browser=False)"
    pairs: list[tuple[float, float]] = []
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process:
        try:
            page = Page(port)
            print(f"page ready after {page.until_ready(began):.1f} s")
            page.paint(64)  # both once, for what is loaded on the first use
            library(64)
            for turn in range(TURNS):  # each goes first by turns
                alone = library(SIZE) if turn % 2 else 0
                first, whole = page.paint(SIZE)
                pairs.append((first, whole / (alone or library(SIZE))))
        finally:
            process.terminate()
    first, ratio = (statistics.median(column) for column in zip(*pairs, strict=True))
    spread = ", ".join(f"{one:.2f}" for _, one in sorted(pairs, key=itemgetter(1)))
    print(f"first preview after {first:.2f} s at {SIZE} px")
    print(f"page / library: {ratio:.3f} at {SIZE} px, the median of {spread}")


if __name__ == "__main__":
    main()
