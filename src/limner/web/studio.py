"""`limner studio`: start the server of the page on this machine."""

import inspect
import os
import signal
import socket
import tempfile
import threading
import warnings
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from limner.cli.console import say
from limner.cli.openmp import limit_spinning
from limner.errors import OptionError, OutputError, reason
from limner.web import forms
from limner.web.guard import ALL_ADDRESSES, LOCAL_NAMES, Guard


def studio(*, host: str = "127.0.0.1", port: int = 7860, browser: bool = True) -> None:
    """Use limner in your browser, on a page that this machine serves.

    Parameters
    ----------
    host : str
        Network address to serve the page at. The default serves this machine only. With 0.0.0.0,
        other devices on your network can open the page too, a phone for example. They need a
        password, which the terminal shows; each password works for one browser.
    port : int
        Network port, from 1 to 65535.
    browser : bool
        Open the page in your browser.

    Raises
    ------
    OptionError
        The host or the port cannot be used, or gradio is not installed.
    """
    if not 1 <= port <= 65535:
        raise OptionError(f"--port {port}: must be from 1 to 65535")
    listening = _listen(host, port)
    limit_spinning()
    # On Windows, a file that is still open when the studio ends would stop the cleanup.
    ignore = os.name == "nt"
    with (
        listening,
        tempfile.TemporaryDirectory(
            prefix="limner-studio-", ignore_cleanup_errors=ignore
        ) as folder,
        _signals_as_interrupts(),
    ):
        # gradio reads these when it is imported: no telemetry, and files in our folder only
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder, "uploads"))
        os.environ["GRADIO_EXAMPLES_CACHE"] = os.environ["GRADIO_TEMP_DIR"]
        os.environ["HF_HUB_OFFLINE"] = os.environ["LIMNER_OFFLINE"] = "1"  # no weights downloads
        _serve(listening, host, Path(folder), lambda: _announce(host, port, browser))


def _listen(host: str, port: int) -> socket.socket:
    """Take the port, before anything else is done."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name != "nt":  # there the option would let a second studio take the same port
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise OptionError(
            f"--host {host} --port {port}: cannot be used ({reason(error)}); try another --port"
        ) from error
    return listening


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """Let the end of a session and a closed terminal do what Ctrl-C does, so that all is deleted.

    Windows has no SIGHUP, and ends a process without a SIGTERM that it could handle: there only
    Ctrl-C cleans up. This is untested on Windows.
    """
    handlers: dict[int, Any] = {}
    if hasattr(signal, "SIGTERM"):
        handlers[signal.SIGTERM] = signal.default_int_handler
    if hasattr(signal, "SIGHUP"):  # the terminal was closed; uvicorn handles SIGTERM only
        handlers[signal.SIGHUP] = lambda *_: signal.raise_signal(signal.SIGTERM)
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(host: str, port: int, browser: bool) -> None:
    """Say where the page is, and open it."""
    everywhere = host in ALL_ADDRESSES
    name = "127.0.0.1" if everywhere else f"[{host}]" if ":" in host else host
    url = f"http://{name}:{port}/"
    say(f"the studio is at {url} (press Ctrl-C to close it)")
    if everywhere and (address := _network_address()):
        say(f"from another device on your network: http://{address}:{port}/")
    if browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _network_address() -> str:
    """Return the address at which other machines reach this one; empty if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        # 192.0.2.1 belongs to no machine (RFC 5737). Connecting a datagram socket sends nothing.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return ""


def _without_stubs() -> AbstractContextManager[Any]:
    """Import gradio without the type stubs that it writes for editors: half of its import time.

    It skips components whose source file it cannot find.
    """
    original = inspect.getfile

    def getfile(thing: Any) -> str:
        if inspect.isclass(thing) and thing.__module__.startswith("gradio."):
            raise OSError("no stubs")
        return original(thing)

    return patch.object(inspect, "getfile", getfile)


def _import_gradio() -> None:
    """Import gradio, while another process imports torch to read the options of the verbs."""
    receiver, sender = Pipe(duplex=False)
    get_context("spawn").Process(target=_send_options, args=(sender,), daemon=True).start()
    sender.close()
    try:
        with _without_stubs():
            import limner.web.page  # noqa: F401
    except ImportError as error:
        raise OptionError(
            'the studio needs gradio; install it with: pip install "limner[studio]"'
        ) from error
    with suppress(EOFError):  # the process died; then this one reads the options, which is slower
        forms.use_options(receiver.recv())


def _send_options(sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the studio
    with suppress(BrokenPipeError):  # the studio was closed before it had started
        sender.send(forms.all_options())


def _serve(listening: socket.socket, host: str, folder: Path, ready: Callable[[], None]) -> None:
    """Serve the page until Ctrl-C; call ``ready`` once it can be opened."""
    _import_gradio()
    import uvicorn

    from limner.web.jobs import JobQueue
    from limner.web.session import Sessions

    warnings.filterwarnings("ignore", module="gradio")  # the page shows them too
    queue = JobQueue()
    sessions = Sessions(folder, queue)
    guard = Guard(
        _app(sessions),
        host,
        sessions.uploads,
        needs_password=host not in LOCAL_NAMES,
        show_password=lambda password: say(f"the password is {password}"),
    )
    server: Any = uvicorn.Server(
        uvicorn.Config(guard, log_level="error", access_log=False, timeout_graceful_shutdown=2)
    )
    start = server.startup

    async def startup(*arguments: Any, **options: Any) -> None:
        await start(*arguments, **options)
        ready()

    server.startup = startup
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn has closed everything, and then raises the signal again
    finally:
        queue.close()
        if not server.started:
            raise OutputError("the studio could not be started")


def _app(sessions: Any) -> Callable[..., Any]:
    """Return the page as an ASGI application."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.requests import ClientDisconnect

    from limner.web.page import CSS, THEME, build_page
    from limner.web.session import MAX_UPLOAD

    blocks = build_page(sessions)
    blocks._queue.sleep_when_free = 0.02  # seconds; gradio's 0.001 keeps a processor busy
    blocks.has_launched = True  # without it gradio does not check where a file comes from
    app: Any = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="",
        footer_links=[],
        run_history=False,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        theme=THEME,
        css=CSS,
    )

    async def answer(*request: Any) -> None:
        with suppress(ClientDisconnect):  # a page was closed while it sent something
            await app(*request)

    return answer
