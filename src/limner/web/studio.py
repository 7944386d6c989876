"""`studio`: the page, served on this machine."""

import inspect
import os
import signal
import socket
import tempfile
import threading
import warnings
import webbrowser
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from limner.cli.console import say
from limner.errors import OptionError, OutputError, reason
from limner.web import forms
from limner.web.guard import EVERYWHERE, OWN, Guard


def studio(*, host: str = "127.0.0.1", port: int = 7860, browser: bool = True) -> None:
    """Open all of it as a page on this machine.

    Parameters
    ----------
    host : str
        The address to listen at. Any but this machine's own asks for a password that the terminal
        shows, one for each browser; ``0.0.0.0`` is all of them, for a phone on the same network.
    port : int
        The port, 1 to 65535.
    browser : bool
        Open the page in a browser.

    Raises
    ------
    OptionError
        The host or the port cannot be used, or gradio is not installed.
    """
    if not 1 <= port <= 65535:
        raise OptionError(f"--port {port}: must be from 1 to 65535")
    listening = _listen(host, port)
    with listening, tempfile.TemporaryDirectory(prefix="limner-studio-") as folder:
        # before it is imported: it asks nobody anything, and keeps its files in our folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder, "uploads"))
        os.environ["GRADIO_EXAMPLES_CACHE"] = os.environ["GRADIO_TEMP_DIR"]
        os.environ["HF_HUB_OFFLINE"] = os.environ["LIMNER_OFFLINE"] = "1"  # no verb fetches VGG
        ends: dict[int, Any] = {signal.SIGTERM: signal.default_int_handler}
        if hasattr(signal, "SIGHUP"):  # the terminal was closed
            ends[signal.SIGHUP] = lambda *_: signal.raise_signal(signal.SIGTERM)
        before = {end: signal.signal(end, handler) for end, handler in ends.items()}
        try:
            _serve(listening, host, Path(folder), lambda: _ready(host, port, browser))
        finally:
            for end, handler in before.items():
                signal.signal(end, handler)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else is done."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise OptionError(
            f"--host {host} --port {port}: cannot be listened at ({reason(error)}); "
            "try another --port"
        ) from error
    return listening


def _ready(host: str, port: int, browser: bool) -> None:
    everywhere = host in EVERYWHERE
    name = "127.0.0.1" if everywhere else f"[{host}]" if ":" in host else host
    url = f"http://{name}:{port}/"
    say(f"the studio is at {url} (Ctrl-C closes it)")
    if everywhere and (address := _outer()):
        say(f"from another machine of the network: http://{address}:{port}/")
    if browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _outer() -> str:
    """The address by which other machines know this one, or nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked, suppress(OSError):
        asked.connect(("192.0.2.1", 9))  # of no machine (RFC 5737); a datagram socket sends nothing
        return str(asked.getsockname()[0])
    return ""


def _without_stubs() -> AbstractContextManager[Any]:
    """Let gradio be imported without writing stubs for editors, which is half of its time.

    It leaves them out for components whose source it cannot find.
    """
    whole = inspect.getfile

    def getfile(thing: Any) -> str:
        if inspect.isclass(thing) and thing.__module__.startswith("gradio."):
            raise OSError("no stubs")
        return whole(thing)

    return patch.object(inspect, "getfile", getfile)


def _import() -> None:
    """Import gradio, while another process imports torch to see what the verbs ask for."""
    heard, told = Pipe(duplex=False)
    get_context("spawn").Process(target=_ask, args=(told,), daemon=True).start()
    told.close()
    try:
        with _without_stubs():
            import limner.web.page  # noqa: F401
    except ImportError as error:
        raise OptionError('the studio needs gradio; pip install "limner[studio]"') from error
    with suppress(EOFError):  # it died; then they are asked in here, which takes longer
        forms.know(heard.recv())


def _ask(told: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the studio
    with suppress(BrokenPipeError):  # the studio was closed before it opened
        told.send(forms.every())


def _serve(listening: socket.socket, host: str, folder: Path, ready: Callable[[], None]) -> None:
    """Serve the page until Ctrl-C."""
    _import()
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI
    from starlette.requests import ClientDisconnect

    from limner.web.jobs import Bench
    from limner.web.page import CSS, THEME, page
    from limner.web.session import BYTES, Sessions

    warnings.filterwarnings("ignore", module="gradio")  # what it shows on the page it says twice
    bench = Bench()
    sessions = Sessions(folder, bench)
    blocks = page(sessions)
    blocks._queue.sleep_when_free = 0.02  # seconds; its own thousandth keeps a processor awake
    blocks.has_launched = True  # only then does gradio itself look where a file comes from
    app: Any = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app = gr.mount_gradio_app(
        app,
        blocks,
        path="",
        footer_links=[],
        run_history=False,
        max_file_size=BYTES,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        theme=THEME,
        css=CSS,
    )

    async def answered(*request: Any) -> None:
        with suppress(ClientDisconnect):  # a page was closed while it sent something
            await app(*request)

    guard = Guard(
        answered,
        host,
        sessions.uploads,
        ask=host not in OWN,
        tell=lambda password: say(f"the password is {password}"),
    )
    server: Any = uvicorn.Server(
        uvicorn.Config(guard, log_level="error", access_log=False, timeout_graceful_shutdown=2)
    )
    announced = server.startup

    async def startup(*given: Any, **named: Any) -> None:
        await announced(*given, **named)
        ready()

    server.startup = startup
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn has closed all, and raises what it was told again
    finally:
        bench.close()
        if not server.started:
            raise OutputError("the studio could not be started")
