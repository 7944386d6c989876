"""`limner studio`: start the server of the page on this machine."""

import os
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from limner.cli.console import say
from limner.cli.openmp import limit_spinning, limit_threads
from limner.errors import OptionError, OutputError, printable, reason
from limner.web.guard import ALL_ADDRESSES, LOCAL_NAMES, Guard

_MOST_STYLES = 200  # pictures shown of a folder


def studio(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    browser: bool = True,
    gallery: Path | None = None,
    gallery_limit: float = 20.0,
    styles: Path | None = None,
) -> None:
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
    gallery : Path
        Folder for the results, their settings and the pictures given to the page. Default: limner,
        in your pictures folder.
    gallery_limit : float
        Largest size of that folder in gigabytes, above 0.
    styles : Path
        Folder with paintings to choose from on the page.

    Raises
    ------
    OptionError
        An option cannot be used, or the extra is not installed.
    OutputError
        The gallery cannot be written, or another studio uses it.
    """
    if not 1 <= port <= 65535:
        raise OptionError(f"--port {port}: must be from 1 to 65535")
    if not gallery_limit > 0:
        raise OptionError(f"--gallery-limit {gallery_limit:g}: must be above 0")
    paintings = [] if styles is None else _pictures_in(styles)
    folder = gallery if gallery is not None else pictures_folder() / "limner"
    listening = _listen(host, port)
    limit_spinning()
    limit_threads()
    os.environ["LIMNER_OFFLINE"] = "1"  # the studio downloads no weights
    with listening, _signals_as_interrupts():
        _serve(
            listening,
            host,
            (folder, int(gallery_limit * 1e9), paintings),
            lambda: _announce(host, port, browser),
        )


def pictures_folder() -> Path:
    """Return the user's folder for pictures: on Linux as xdg-user-dirs says."""
    try:
        home = Path.home()
    except RuntimeError as error:  # no HOME, and a user without an entry
        raise OptionError("--gallery: this user has no home folder; name a folder") from error
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "user-dirs.dirs"
    with suppress(OSError):
        for line in config.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "XDG_PICTURES_DIR":
                return Path(value.strip(' "').replace("$HOME", str(home)))
    return home / "Pictures"


def _pictures_in(folder: Path) -> list[Path]:
    from limner.batch.plan import is_picture  # imports torch

    try:
        found = sorted(path for path in folder.iterdir() if is_picture(path))
    except OSError as error:
        raise OptionError(
            f"--styles {printable(folder)}: cannot be read ({reason(error)}); name a folder with "
            "paintings"
        ) from error
    if not found:
        raise OptionError(f"--styles {printable(folder)}: has no pictures; name another folder")
    return found[:_MOST_STYLES]


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
    """Let the end of a session and a closed terminal do what Ctrl-C does: the queue is kept.

    Windows has no SIGHUP, and ends a process without a SIGTERM that it could handle: there only
    Ctrl-C does. This is untested on Windows.
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


def _serve(
    listening: socket.socket,
    host: str,
    gallery: tuple[Path, int, list[Path]],
    ready: Callable[[], None],
) -> None:
    """Serve the page until Ctrl-C; call ``ready`` once it can be opened."""
    # The forms are made from the verbs, which import torch: begin while the server starts.
    threading.Thread(target=_import_verbs, daemon=True).start()
    try:
        import uvicorn

        from limner.web.api import make_app
    except ImportError as error:
        raise OptionError(
            f'the studio needs {error.name}; install it with: pip install "limner[studio]"'
        ) from error
    from limner.web.gallery import Gallery
    from limner.web.service import Service

    folder, limit, paintings = gallery
    service = Service(Gallery(folder, limit))
    guard = Guard(
        make_app(service, paintings),
        host,
        needs_password=host not in LOCAL_NAMES,
        show=say,
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
        service.close()
        if not server.started:
            raise OutputError("the studio could not be started")


def _import_verbs() -> None:
    from limner.web import forms

    forms.all_options()
