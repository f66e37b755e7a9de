"""HTTP through the whole host: what a function sees, and what its answer becomes."""

import http.client
import socket
import threading
from typing import Any

import pytest

from local.process import HostProcess
from tests.host.conftest import KEYS

MASTER, HOST_KEY, OWN_KEY = KEYS["_master"], KEYS["default"], KEYS["function/own"]


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ("/api/anonymous", False, 200),
        ("/api/anonymous", "wrong", 200),
        ("/api/function", False, 401),
        ("/api/function", "wrong", 401),
        ("/api/function", HOST_KEY, 200),
        ("/api/function", OWN_KEY, 200),
        ("/api/function", MASTER, 200),
        ("/api/admin-only", False, 401),
        ("/api/admin-only", HOST_KEY, 401),
        ("/api/admin-only", OWN_KEY, 401),
        ("/api/admin-only", MASTER, 200),
        ("/admin/host/status", False, 401),
        ("/admin/host/status", HOST_KEY, 401),
        ("/admin/host/status", MASTER, 200),
        ("/admin/functions", HOST_KEY, 401),
        ("/admin/functions", MASTER, 200),
        ("/admin/functions/rotate", MASTER, 200),
        ("/admin/functions/nobody", MASTER, 404),
        ("/admin/invocations", HOST_KEY, 401),
        ("/admin/invocations", MASTER, 200),
        ("/admin/nothing", MASTER, 404),
        ("/admin/host/ping", False, 200),
        ("/api/nothing", MASTER, 404),
        ("/anonymous", MASTER, 404),
        ("/", False, 200),
    ],
)
def test_a_key_opens_what_its_level_allows(sample: HostProcess, path: str, key: str | bool, expected: int) -> None:
    assert sample.request("GET", path, key=key).status_code == expected


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        (HOST_KEY, None, 200),
        ("wrong", None, 401),
        # The header wins, even when it is the wrong one.
        (HOST_KEY, "wrong", 401),
        ("wrong", HOST_KEY, 200),
    ],
)
def test_a_key_may_come_as_code_in_the_query(
    sample: HostProcess, query: str, header: str | None, expected: int
) -> None:
    assert sample.request("GET", f"/api/function?code={query}", key=header or False).status_code == expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PUT", "/api/anonymous", 404),
        ("HEAD", "/api/anonymous", 404),
        ("TRACE", "/api/anonymous", 404),
        ("OPTIONS", "/api/anonymous", 404),
        ("DELETE", "/api/empty", 204),
        ("HEAD", "/api/empty", 200),
        ("OPTIONS", "/api/empty", 204),
        ("POST", "/api/echo/abc", 200),
        ("POST", "/API/Echo/abc/", 200),
        ("POST", "/api/echo/123", 404),
        ("POST", "/admin/functions", 404),
        ("HEAD", "/", 200),
        ("POST", "/", 200),
    ],
)
def test_a_wrong_verb_is_not_found(sample: HostProcess, method: str, path: str, expected: int) -> None:
    answer = sample.request(method, path)
    assert answer.status_code == expected
    if expected == 404 or method == "HEAD":
        assert answer.content == b""


def test_a_function_sees_the_request_as_the_real_worker_would(sample: HostProcess) -> None:
    headers = {"X-One": "1", "Host": "example.test"}
    answer = sample.request(
        "PATCH", "/api/echo/abc/7?a=1&a=&A=2&empty=&b=%C3%BC+%26", key=False, headers=headers, data=b"\x00\xff{}"
    )
    seen = answer.json()
    assert seen.pop("cwd").endswith("apps/sample")
    assert seen == {
        "method": "PATCH",
        "url": "http://example.test/api/echo/abc/7?a=1&a=&A=2&empty=&b=%C3%BC+%26",
        "route": {"kind": "abc", "number": "7"},
        "query": {"a": "1,2", "b": "ü &"},
        "headers": {"x-one": "1"},
        "body": "\x00\xff{}",
    }


def test_repeated_headers_reach_a_function_joined_by_commas(sample: HostProcess) -> None:
    connection = http.client.HTTPConnection(sample.url.removeprefix("http://"), timeout=10)
    connection.putrequest("GET", "/api/echo/abc")
    connection.putheader("X-Twice", "1")
    connection.putheader("X-Twice", "")
    connection.putheader("X-Twice", "2")
    connection.endheaders()
    assert b'"x-twice": "1,2"' in connection.getresponse().read()
    connection.close()


def test_bytes_cookies_and_headers_of_an_answer_arrive(sample: HostProcess) -> None:
    answer = sample.request("POST", "/api/binary", data=b"\x01\x02\x00")
    assert (answer.status_code, answer.content) == (201, b"\x00\x02\x01")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Out"] == "yes"
    assert answer.raw.headers.getlist("Set-Cookie") == [
        "a=1; path=/; samesite=strict; httponly",
        "b=2; expires=Thu, 01 Jan 2026 00:00:00 GMT; max-age=60; secure",
    ]


def test_a_returned_text_is_a_plain_answer(sample: HostProcess) -> None:
    answer = sample.request("GET", "/api/anonymous", key=False)
    assert (answer.text, answer.headers["Content-Type"]) == ("plain text", "text/plain; charset=utf-8")


def test_an_exception_is_a_500_that_tells_the_caller_nothing_and_the_log_everything(sample: HostProcess) -> None:
    answer = sample.request("GET", "/api/boom")
    assert (answer.status_code, answer.content) == (500, b"")
    log = sample.log_text()
    assert "Exception: ValueError: the detail of the failure" in log
    assert 'raise ValueError("the detail of the failure")' in log


def test_invocations_run_at_the_same_time(sample: HostProcess) -> None:
    answers: list[str] = []

    def call() -> None:
        connection = http.client.HTTPConnection(sample.url.removeprefix("http://"), timeout=20)
        connection.request("GET", "/api/together")
        answers.append(connection.getresponse().read().decode())
        connection.close()

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert answers == ["met"] * 3


def test_a_connection_is_kept_alive_over_answers_of_every_kind(sample: HostProcess) -> None:
    connection = http.client.HTTPConnection(sample.url.removeprefix("http://"), timeout=10)
    connection.connect()
    opened = connection.sock
    statuses = []
    for method, path in [("GET", "/api/boom"), ("DELETE", "/api/empty"), ("HEAD", "/api/empty"), ("POST", "/nowhere")]:
        connection.request(method, path, body=b"ignored" if method == "POST" else None)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    assert (statuses, connection.sock) == ([500, 204, 200, 404], opened)
    connection.close()


def raw(host: HostProcess, request: bytes) -> bytes:
    """What the host answers to these bytes until it closes the connection."""
    name, port = host.url.removeprefix("http://").split(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    return answer


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 411 "),
        (b"Content-Length: 104857601\r\n\r\n", b"HTTP/1.1 413 "),
        (b"Content-Length: -1\r\n\r\n", b"HTTP/1.1 400 "),
        (b"Content-Length: many\r\n\r\n", b"HTTP/1.1 400 "),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused_and_the_connection_closed(
    sample: HostProcess, headers: bytes, expected: bytes
) -> None:
    answer = raw(sample, b"POST /api/binary HTTP/1.1\r\nHost: x\r\n" + headers)
    assert answer.startswith(expected)
    assert b"Connection: close" in answer


def test_a_client_that_waits_for_100_continue_gets_it(sample: HostProcess) -> None:
    name, port = sample.url.removeprefix("http://").split(":")
    with socket.create_connection((name, int(port)), timeout=5) as connection:
        head = b"POST /api/binary HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"ab")
        assert connection.recv(1000).endswith(b"ba")


def test_the_functions_are_listed_with_their_triggers(sample: HostProcess) -> None:
    listed: list[dict[str, Any]] = sample.request("GET", "/admin/functions").json()
    triggers = {entry["name"]: entry["config"]["bindings"][0] for entry in listed}
    assert triggers["rotate"]["schedule"] == "0 0 * * * *"
    assert triggers["echo"]["route"] == "echo/{kind:alpha}/{number:int?}"


def test_a_setting_in_a_route_is_resolved(sample: HostProcess) -> None:
    assert sample.request("GET", "/api/by-set/x").status_code == 200


def test_no_key_is_ever_printed(sample: HostProcess) -> None:
    sample.request("GET", f"/api/boom?code={HOST_KEY}", key=False)
    assert [key for key in KEYS.values() if key in sample.log_text()] == []
