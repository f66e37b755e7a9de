from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests

from shared.http import TIMEOUT, USER_AGENT, PlainSession
from tests.clients.world import Answer, Stub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "https://service.example/path"


def a_session(*answers: Answer) -> tuple[PlainSession, Stub]:
    stub = Stub(*(answers or (Answer({}),)))
    session = PlainSession()
    session.mount("https://", stub)
    return session, stub


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_every_method_has_timeouts_and_says_who_we_are(method: str) -> None:
    session, stub = a_session()

    getattr(session, method)(URL)

    assert stub.timeouts == [TIMEOUT] == [(5, 20)]
    assert stub.requests[0].headers["User-Agent"] == USER_AGENT


def test_a_callers_own_timeout_counts() -> None:
    session, stub = a_session()

    session.get(URL, timeout=1)

    assert stub.timeouts == [1]


@pytest.mark.parametrize("options", [{}, {"allow_redirects": True}])
@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_no_redirect_is_followed_even_where_it_is_asked_for(method: str, options: dict[str, Any]) -> None:
    session, stub = a_session(Answer(b"", 302, {"Location": "https://elsewhere.example/"}))

    response = getattr(session, method)(URL, **options)

    assert (response.status_code, len(stub.requests)) == (302, 1)


@pytest.mark.parametrize(("session_type", "kept"), [(requests.Session, 1), (PlainSession, 0)])
def test_no_cookie_is_kept(session_type: type[requests.Session], kept: int) -> None:
    stub = Stub(Answer({}, headers={"Set-Cookie": "session=abc; Path=/; Secure"}))
    session = session_type()
    session.mount("https://", stub)

    session.get(URL)
    session.get(URL)

    # The plain session of requests shows that there is one to keep.
    assert (len(session.cookies), "Cookie" in stub.requests[1].headers) == (kept, bool(kept))


@pytest.mark.parametrize("session_type", [requests.Session, PlainSession])
def test_a_netrc_file_does_not_sign_us_in(
    session_type: type[requests.Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine service.example login intruder password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    stub = Stub(Answer({}))
    session = session_type()
    session.mount("https://", stub)

    session.get(URL)
    session.get(URL, headers={"Authorization": "Bearer mine"})

    sent = [request.headers.get("Authorization", "") for request in stub.requests]
    # The plain session of requests shows that the file is found.
    assert [text.partition(" ")[0] for text in sent] == (
        ["", "Bearer"] if session_type is PlainSession else ["Basic", "Basic"]
    )


def test_a_requests_own_authentication_is_used() -> None:
    session, stub = a_session()

    session.get(URL, auth=("", "value"))

    assert stub.requests[0].headers["Authorization"] == "Basic OnZhbHVl"


def test_proxies_and_bundles_of_the_environment_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/certificates.pem")

    settings = PlainSession().merge_environment_settings(URL, {}, None, None, None)

    assert settings["proxies"]["https"] == "http://proxy.example:3128"
    assert settings["verify"] == "/certificates.pem"


def test_certificates_are_checked() -> None:
    session, _ = a_session()

    assert session.verify is True


@pytest.mark.parametrize(("session_type", "printed"), [(requests.Session, True), (PlainSession, False)])
def test_what_http_client_prints_while_somebody_looks_for_a_fault_is_not_ours(
    session_type: type[requests.Session],
    printed: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with a_slow_server((HEAD + b"\r\n" + 20 * b"x", 0)) as address:
        session_type().get(f"http://{address}/", headers={"Authorization": "Bearer mine"}, timeout=20)

    # The plain session of requests shows that there is something to print.
    assert ("Bearer mine" in capsys.readouterr().out) is printed


# ---- the time that an answer may take --------------------------------------------------------------------------------


@contextmanager
def a_slow_server(*parts: tuple[bytes, float]) -> Iterator[str]:
    """Somewhere that writes each part of an answer byte by byte, over the given seconds. Yields its address."""
    closing = threading.Event()

    def write(connection: socket.socket) -> None:
        connection.recv(65536)
        for part, seconds in parts:
            for byte in part:
                closing.wait(seconds / len(part))
                connection.sendall(bytes([byte]))
        closing.wait(20)

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            try:
                write(connection)
            except OSError:
                return  # the client has hung up

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    closing.set()
    thread.join(20)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n"
DRIPS = [
    pytest.param([(HEAD, 8), (b"\r\n" + 20 * b"x", 0)], id="headers"),
    pytest.param([(HEAD + b"\r\n", 0), (20 * b"x", 8)], id="body"),
]


@pytest.mark.parametrize("parts", DRIPS)
def test_an_answer_that_drips_is_given_up_when_its_time_is_over(
    parts: list[tuple[bytes, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with a_slow_server(*parts) as address:
        started = time.monotonic()

        # No pause between two bytes is as long as the time-out.
        with pytest.raises((requests.ConnectionError, requests.Timeout)):
            PlainSession().get(f"http://{address}/", timeout=(5, 0.8))

        assert 0.7 < time.monotonic() - started < 4


def test_an_answer_that_is_slow_but_in_time_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with a_slow_server((HEAD + b"\r\n", 0.3), (20 * b"x", 0.3)) as address:
        response = PlainSession().get(f"http://{address}/", timeout=(5, 20))

        assert response.content == 20 * b"x"


def test_a_proxy_that_drips_is_given_up_like_one_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_slow_server((b"HTTP/1.1 200 Connection established\r\n\r\n", 8)) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        started = time.monotonic()

        with pytest.raises((requests.ConnectionError, requests.Timeout)):
            PlainSession().get(URL, timeout=(0.8, 20))

        assert 0.7 < time.monotonic() - started < 4
