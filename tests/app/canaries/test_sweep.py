"""The sweep itself: it finds a value in each form, and nothing where there is none."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import string
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest

from tests.app.canaries.sweep import PIECE, Find, Sweep

# With characters that each way of writing treats in its own way.
VALUE = "Pass+word/with=every&kind%of \"sign'" + secrets.token_urlsafe(12)

WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: f"token={value};",
    "a piece": lambda value: value[7 : 7 + PIECE],
    "the end": lambda value: value[-PIECE:],
    "in JSON": lambda value: json.dumps({"value": value}),
    "in JSON in JSON": lambda value: json.dumps(json.dumps({"token": value.replace('"', "")})),
    "in a repr": lambda value: repr({"value": value}),
    "in bytes": lambda value: repr(value.encode()),
    "in an address": lambda value: f"https://host/?token={quote(value)}",
    "in a path": lambda value: quote(value, safe=""),
    "in an address in an address": lambda value: quote(quote(value, safe=""), safe=""),
    "in a form": lambda value: urlencode({"password": value}),
    "as a password alone": lambda value: "Basic " + base64.b64encode(f":{value}".encode()).decode(),
    "as a user's password": lambda value: "Basic " + base64.b64encode(f"user:{value}".encode()).decode(),
    "as another user's": lambda value: "Basic " + base64.b64encode(f"users:{value}".encode()).decode(),
    "in base64": lambda value: base64.b64encode(value.encode()).decode(),
    "in base64 for addresses": lambda value: base64.urlsafe_b64encode(f"{{{value}}}".encode()).decode(),
    "in base64 among others": lambda value: base64.b64encode(json.dumps({"a": 1, "v": value[:30]}).encode()).decode(),
    "in a log line": lambda value: logging.LogRecord("x", 10, "p", 1, "got %s", (value,), None).getMessage(),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_value_is_found_however_it_is_written(way: str) -> None:
    value = VALUE.replace('"', "").replace("'", "") if "bytes" in way or "JSON in" in way else VALUE
    sweep = Sweep({"password": [value]})

    (find, *others) = sweep.finds("here", f"some text before\n{WRITTEN[way](value)}\nand after")

    assert {(find.where, find.secret) for find in (find, *others)} == {("here", "password")}
    assert VALUE not in repr(find)


def test_another_value_is_not_found() -> None:
    sweep = Sweep({"password": [VALUE]})
    alphabet = string.ascii_letters + string.digits

    for _ in range(20):
        other = "".join(secrets.choice(alphabet) for _ in range(200))
        assert sweep.finds("here", other + VALUE[: PIECE - 1] + " " + VALUE[-PIECE + 1 :]) == set()


def test_each_of_several_values_is_told_by_its_kind() -> None:
    one, two = secrets.token_urlsafe(30), secrets.token_urlsafe(30)

    found = Sweep({"a": [one], "b": [two]}).finds("log", f"{two}\n{one}")

    assert found == {Find("log", "a", "plain"), Find("log", "b", "plain")}


def test_a_value_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="only 19 characters"):
        Sweep({"password": ["x" * 19]})
