"""The guard lets the page itself through, and refuses everything else."""

import asyncio
from typing import Any

import pytest

from limner.web.guard import Guard

Answer = tuple[int, dict[str, str], str]


async def inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The guarded application: it answers with what it was sent."""
    body = (await receive()).get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in: " + body})


def answer(
    guard: Guard, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str
) -> Answer:
    given = {"host": "127.0.0.1:7860", **{k.replace("_", "-"): v for k, v in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(k.encode(), v.encode()) for k, v in given.items()],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent[1:]).decode()


@pytest.mark.parametrize(
    ("listens", "host", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1:7860", True),
        ("127.0.0.1", "localhost:7860", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "[::1]:7860", True),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "127.0.0.1.evil.example:7860", False),
        ("127.0.0.1", "192.168.1.7:7860", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "[", False),
        ("192.168.1.7", "192.168.1.7:7860", True),
        ("192.168.1.7", "192.168.1.8:7860", False),
        ("0.0.0.0", "192.168.1.7:7860", True),
        ("0.0.0.0", "evil.example:7860", False),
    ],
)
def test_other_host_names_are_refused(listens: str, host: str, allowed: bool) -> None:
    status, _, text = answer(Guard(inner, listens), host=host)
    assert status == (200 if allowed else 403), text


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"origin": "http://127.0.0.1:7860"}, True),
        ({"origin": "http://127.0.0.1:7861"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, False),
        ({"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, True),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_websites_are_refused(headers: dict[str, str], allowed: bool, method: str) -> None:
    assert answer(Guard(inner, "127.0.0.1"), method=method, **headers)[0] == (
        200 if allowed else 403
    )


def test_a_link_from_another_website_opens_the_page_only() -> None:
    navigated = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert answer(Guard(inner, "127.0.0.1"), **navigated)[0] == 200
    assert answer(Guard(inner, "127.0.0.1"), method="POST", **navigated)[0] == 403
    for inside in ("/api/studio", "/api/pictures/ab/view"):
        assert answer(Guard(inner, "127.0.0.1"), inside, **navigated)[0] == 403


def test_only_an_upload_may_be_long() -> None:
    guard, body = Guard(inner, "127.0.0.1"), b"x" * (2**20 + 1)
    assert answer(guard, "/api/files", "POST", body)[0] == 200
    assert answer(guard, "/api/jobs", "POST", body)[0] == 413
    status, _, text = answer(guard, "/api/jobs", "POST", body[1:])
    assert (status, text) == (200, "in: " + "x" * 2**20), "the application still gets the body"


def test_a_repeated_header_is_refused() -> None:
    twice = {"content_type": "application/json", "Content_Type": "multipart/form-data"}
    assert answer(Guard(inner, "127.0.0.1"), method="POST", **twice)[0] == 400


def test_the_browser_may_load_from_this_server_only() -> None:
    _, headers, _ = answer(Guard(inner, "127.0.0.1"))
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self'") and "http" not in policy
    assert "unsafe" not in policy, "no script or style in the page itself"


def test_a_password_works_for_one_browser() -> None:
    said: list[str] = []
    guard = Guard(inner, "0.0.0.0", needs_password=True, show=said.append)
    first = said[0].removeprefix("the password is ")
    assert len(first) == 10 and len(said) == 2
    status, _, text = answer(guard)
    assert status == 200 and 'name="password"' in text
    assert answer(guard, "/api/files", "POST", b"x")[0] == 401
    assert answer(guard, "/password", "POST", b"password=wrong")[0] == 401

    status, headers, _ = answer(guard, "/password", "POST", f"password={first}".encode())
    assert status == 303 and len(said) == 3 and said[2] != said[0]
    assert "HttpOnly" in headers["set-cookie"] and "SameSite=Strict" in headers["set-cookie"]
    cookie = headers["set-cookie"].partition(";")[0]
    assert answer(guard, cookie=cookie)[2] == "in: "
    assert "password" in answer(guard, cookie=cookie[:-1])[2]
    assert answer(guard, "/password", "POST", f"password={first}".encode())[0] == 401


def test_a_script_needs_the_token() -> None:
    said: list[str] = []
    guard = Guard(inner, "0.0.0.0", needs_password=True, show=said.append)
    header = said[1].partition("Authorization: ")[2]
    assert answer(guard, "/api/jobs", authorization=header)[2] == "in: "
    for wrong in (header[:-1], "Bearer ", header.replace("Bearer ", "Basic "), "Bearer é"):
        assert answer(guard, "/api/jobs", authorization=wrong)[0] == 401
