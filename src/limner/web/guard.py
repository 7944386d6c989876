"""Who may talk to the page: pages of others may not, not even through a name that points here."""

import asyncio
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]

OWN = ("127.0.0.1", "localhost", "::1")  # what a machine calls itself
EVERYWHERE = ("0.0.0.0", "::")  # all the addresses that it has
_BODY = 32 * 2**20  # bytes of what a browser may send beside files
_FORM = "multipart/form-data"  # how files are sent
_COOKIE = "limner"
_FETCHED = re.compile(r"https?:|/proxy|%|\\", re.IGNORECASE)  # what gradio would ask others for
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_HEADERS = {
    # The browser is to ask nobody but this server, whatever the page says.
    b"content-security-policy": b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    b"frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    b"referrer-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
    b"cross-origin-resource-policy": b"same-origin",
}


class Guard:
    """ASGI middleware that refuses what does not come from the page itself.

    Parameters
    ----------
    app : callable
        What is guarded.
    host : str
        What the server listens at. Besides, this machine's own names are always good; and where it
        listens at all of its addresses, any address written in numbers.
    uploads : path
        Where gradio keeps what browsers send; they may speak of no file elsewhere.
    ask : bool
        Ask for a password.
    tell : callable
        Is given each new password: one is good for one browser.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        uploads: Path,
        ask: bool = False,
        tell: Callable[[str], None] = print,
    ) -> None:
        self.app = app
        self.host = host
        self.uploads = uploads.resolve()
        self.ask = ask
        self.tell = tell
        self._cookies: set[str] = set()
        self._password = ""
        self._trying: asyncio.Lock | None = None
        if ask:
            self._renew()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if len(headers) < len(scope["headers"]):  # which of two alike counts is not ours to say
            await _answer(send, 400, "limner: a header is there twice")
            return
        if why := self._refusal(scope, headers):
            await _answer(send, 403, f"limner: {why}")
            return
        if self.ask and self._cookie(headers) not in self._cookies:
            await self._log_in(scope, receive, send)
            return
        uploads = scope["path"].rstrip("/").endswith("/upload")
        form = uploads and headers.get(b"content-type", "").startswith(_FORM)
        if scope["method"] == "POST" and not form:
            body = await _body(receive, _BODY)
            if body is None or self._names_files(body):
                await _answer(send, 403, "limner: no file is opened for a page")
                return
            receive = _again(body, receive)
        await self.app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> str:
        """Why a request is none of ours, or nothing."""
        host = headers.get(b"host", "")
        if not self._is_ours(host):
            return "this is another name than the page's own"
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "another page may not ask"
        followed = scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == "navigate"
        if headers.get(b"sec-fetch-site") == "cross-site" and not (
            followed and scope["path"] == "/"  # a link to the page, but to nothing within it
        ):
            return "another page may not ask"
        if _FETCHED.search(scope["path"]):
            return "nothing is fetched for a page"
        return ""

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in (*OWN, self.host.lower()):
            return True
        if self.host not in EVERYWHERE:
            return False
        try:  # nobody can make an address in numbers point elsewhere
            ipaddress.ip_address(name)
        except ValueError:
            own = socket.gethostname().lower()
            return name in (own, f"{own}.local")
        return True

    def _names_files(self, body: bytes) -> bool:
        """Whether a message names a file that no browser has sent.

        Gradio would fetch it if it is an address, and copy it if it is a path.
        """
        try:
            rest = [json.loads(body or b"null")]
        except (ValueError, RecursionError):
            return True
        while rest:
            one = rest.pop()
            if isinstance(one, dict):
                path = one.get("path")
                if path is not None and not self._was_sent(path):
                    return True
                rest += one.values()
            elif isinstance(one, list):
                rest += one
        return False

    def _was_sent(self, path: object) -> bool:
        try:
            return isinstance(path, str) and Path(path).resolve().is_relative_to(self.uploads)
        except (OSError, ValueError, RuntimeError):  # too long, a zero byte, a loop of links
            return False

    def _cookie(self, headers: dict[bytes, str]) -> str:
        pairs = (pair.strip().partition("=") for pair in headers.get(b"cookie", "").split(";"))
        return next((value for name, _, value in pairs if name == _COOKIE), "")

    def _renew(self) -> None:
        self._password = "".join(secrets.choice(_ALPHABET) for _ in range(10))
        self.tell(self._password)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for the password; take it once."""
        if scope["method"] != "POST" or scope["path"] != "/password":
            wanted = scope["method"] == "GET" and scope["path"] == "/"
            await _answer(send, 200 if wanted else 401, _form(""), "text/html")
            return
        self._trying = self._trying or asyncio.Lock()
        body = await _body(receive, 1000) or b""
        async with self._trying:  # one after the other, and slowly: nobody guesses it
            given = parse_qs(body.decode("latin-1")).get("password", [""])[0].strip()
            if not secrets.compare_digest(given.encode(), self._password.encode()):
                await asyncio.sleep(1)
                text = _form("That is not it. The terminal shows it.")
                await _answer(send, 401, text, "text/html")
                return
            cookie = secrets.token_urlsafe(32)
            self._cookies.add(cookie)
            self._renew()
        said = f"{_COOKIE}={cookie}; HttpOnly; SameSite=Strict; Path=/"
        more = {b"location": b"/", b"set-cookie": said.encode()}
        await _answer(send, 303, "", "text/plain", more)


async def _body(receive: Receive, limit: int) -> bytes | None:
    """All of what was sent, or None where that is too much."""
    parts, more, length = [], True, 0
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > limit or message["type"] != "http.request":
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a message again that was read already."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> dict[str, Any]:
        return left.pop() if left else await receive()

    return given


def _with_headers(send: Send) -> Send:
    async def sent(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_HEADERS.items()]}
        await send(message)

    return sent


async def _answer(
    send: Send,
    status: int,
    text: str,
    kind: str = "text/plain",
    more: dict[bytes, bytes] | None = None,
) -> None:
    body = text.encode()
    headers = {
        b"content-type": f"{kind}; charset=utf-8".encode(),
        b"content-length": str(len(body)).encode(),
        b"cache-control": b"no-store",
        **_HEADERS,
        **(more or {}),
    }
    start = {"type": "http.response.start", "status": status, "headers": list(headers.items())}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _form(said: str) -> str:
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>limner studio</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root{{color-scheme:light dark;font:1.1rem system-ui,sans-serif}}
main{{max-width:22rem;margin:20vh auto;padding:0 1rem}}
input,button{{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin:.4rem 0}}</style>
<main><h1>limner studio</h1><form method="post" action="/password">
<label for="password">The password that the terminal shows</label>
<input id="password" name="password" autocomplete="off" autofocus required>
<button>Open</button></form><p role="alert">{escape(said)}</p></main></html>"""
