"""ASGI middleware that lets only the page itself, and its user, talk to the server.

It stops requests from other websites, DNS rebinding, and strangers in the network.
"""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]

LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
ALL_ADDRESSES = ("0.0.0.0", "::")  # a server with one of these listens at every address
_MAX_BODY = 2**20  # bytes in a request that is not a file upload
_COOKIE = "limner"
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without characters that look alike
_HEADERS = {
    # The browser may load things from this server only, whatever the page contains.
    b"content-security-policy": b"default-src 'self'; img-src 'self' data: blob:; "
    b"frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    b"referrer-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
    b"cross-origin-resource-policy": b"same-origin",
}
_LOGIN_STYLE = {  # the page that asks for the password has its style in itself
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; "
    b"frame-ancestors 'none'; form-action 'self'"
}


class Guard:
    """Refuses requests that do not come from the page itself.

    Parameters
    ----------
    app : callable
        The ASGI application behind it.
    host : str
        The address that the server listens at. The local names of this machine are always allowed
        too. For a server that listens at every address, any numeric address is allowed.
    needs_password : bool
        Ask every browser for a password, and every script for a token.
    show : callable
        Called with a line for the user for each new password, and once for the token. A password
        works for one browser.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        needs_password: bool = False,
        show: Callable[[str], None] = print,
    ) -> None:
        self.app = app
        self.host = host
        self.needs_password = needs_password
        self.show = show
        self._cookies: set[str] = set()
        self._password, self._token = "", secrets.token_urlsafe(32)
        self._login: asyncio.Lock | None = None  # made later, inside the event loop
        if needs_password:
            self._new_password()
            self.show(f"scripts send this header: Authorization: Bearer {self._token}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if len(headers) < len(scope["headers"]):  # servers disagree on which of the two counts
            await _answer(send, 400, "limner: the request repeats a header")
            return
        if why := self._refusal(scope, headers):
            await _answer(send, 403, f"limner: {why}")
            return
        if self.needs_password and not self._is_known(headers):
            await self._log_in(scope, receive, send)
            return
        if scope["method"] == "POST" and scope["path"] != "/api/files":
            body = await _read_body(receive, _MAX_BODY)
            if body is None:
                await _answer(send, 413, "limner: the request is too long")
                return
            receive = _replay(body, receive)
        await self.app(scope, receive, _with_headers(send))

    def _is_known(self, headers: dict[bytes, str]) -> bool:
        token = headers.get(b"authorization", "").removeprefix("Bearer ")
        return self._cookie(headers) in self._cookies or secrets.compare_digest(
            token.encode(), self._token.encode()
        )

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> str:
        """Return why a request is refused; empty if it is not."""
        host = headers.get(b"host", "")
        if not self._is_own_name(host):
            return "the server has another address; open the address that the terminal shows"
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "requests from other websites are refused"
        is_link = scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == "navigate"
        if headers.get(b"sec-fetch-site") == "cross-site" and not (
            is_link and scope["path"] == "/"  # links may lead to the page, but not into it
        ):
            return "requests from other websites are refused"
        return ""

    def _is_own_name(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in (*LOCAL_NAMES, self.host.lower()):
            return True
        if self.host not in ALL_ADDRESSES:
            return False
        try:  # unlike a name, a number cannot be made to point here (DNS rebinding)
            ipaddress.ip_address(name)
        except ValueError:
            own = socket.gethostname().lower()
            return name in (own, f"{own}.local")
        return True

    def _cookie(self, headers: dict[bytes, str]) -> str:
        pairs = (pair.strip().partition("=") for pair in headers.get(b"cookie", "").split(";"))
        return next((value for name, _, value in pairs if name == _COOKIE), "")

    def _new_password(self) -> None:
        self._password = "".join(secrets.choice(_ALPHABET) for _ in range(10))
        self.show(f"the password is {self._password}")

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for the password. Each password is accepted once."""
        if scope["method"] != "POST" or scope["path"] != "/password":
            is_page = scope["method"] == "GET" and scope["path"] == "/"
            await _answer(send, 200 if is_page else 401, _login_page(""), "text/html", _LOGIN_STYLE)
            return
        self._login = self._login or asyncio.Lock()
        body = await _read_body(receive, 1000) or b""
        async with self._login:  # one attempt a second, so that nobody can guess it
            given = parse_qs(body.decode("latin-1")).get("password", [""])[0].strip()
            if not secrets.compare_digest(given.encode(), self._password.encode()):
                await asyncio.sleep(1)
                text = _login_page("Wrong password. Use the one that the terminal shows.")
                await _answer(send, 401, text, "text/html", _LOGIN_STYLE)
                return
            cookie = secrets.token_urlsafe(32)
            self._cookies.add(cookie)
            self._new_password()
        value = f"{_COOKIE}={cookie}; HttpOnly; SameSite=Strict; Path=/"
        redirect = {b"location": b"/", b"set-cookie": value.encode()}
        await _answer(send, 303, "", "text/plain", redirect)


async def _read_body(receive: Receive, limit: int) -> bytes | None:
    """Return the whole body of a request; None if it has more bytes than the limit."""
    parts, more, length = [], True, 0
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > limit or message["type"] != "http.request":
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives a body once more that was already read."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> dict[str, Any]:
        return messages.pop() if messages else await receive()

    return receive_again


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = [*message["headers"], *_HEADERS.items()]
            if not any(name == b"cache-control" for name, _ in given):
                given.append(
                    (b"cache-control", b"no-cache")
                )  # or an old page stays after an update
            message = {**message, "headers": given}
        await send(message)

    return send_with_headers


async def _answer(
    send: Send,
    status: int,
    text: str,
    kind: str = "text/plain",
    extra_headers: dict[bytes, bytes] | None = None,
) -> None:
    body = text.encode()
    headers = {
        b"content-type": f"{kind}; charset=utf-8".encode(),
        b"content-length": str(len(body)).encode(),
        b"cache-control": b"no-store",
        **_HEADERS,
        **(extra_headers or {}),
    }
    start = {"type": "http.response.start", "status": status, "headers": list(headers.items())}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _login_page(message: str) -> str:
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>limner studio</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root{{color-scheme:light dark;font:1.1rem system-ui,sans-serif}}
main{{max-width:22rem;margin:20vh auto;padding:0 1rem}}
input,button{{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin:.4rem 0}}</style>
<main><h1>limner studio</h1><form method="post" action="/password">
<label for="password">Password (the terminal shows it)</label>
<input id="password" name="password" autocomplete="off" autofocus required>
<button>Open</button></form><p role="alert">{escape(message)}</p></main></html>"""
