from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PatrolError,
    Refused,
    Throttled,
    Unavailable,
    WrongVerb,
    unexpected,
)
from shared.problems import CONTENT_TYPE, problem


def an_error(kind: type[PatrolError], reason: str = "some.reason", **options: Any) -> PatrolError:
    return kind("It went wrong.", reason=reason, **options)


def test_the_media_type_is_that_of_problem_details() -> None:
    assert CONTENT_TYPE == "application/problem+json"


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (Invalid("Request", ["a", "b"], reason="request.invalid"), 400, "Bad Request"),
        (an_error(Denied, "caller.unknown"), 401, "Unauthorized"),
        (an_error(PatrolError, "request.too-large"), 413, "Content Too Large"),
        (an_error(PatrolError, "request.media-type"), 415, "Unsupported Media Type"),
        (an_error(Denied, "caller.role"), 403, "Forbidden"),
        (an_error(NotFound), 404, "Not Found"),
        (an_error(Conflict), 409, "Conflict"),
        (an_error(Refused), 502, "Bad Gateway"),
        (an_error(Throttled), 503, "Service Unavailable"),
        (an_error(Unavailable, answered=True), 503, "Service Unavailable"),
        (an_error(Unavailable, answered=False), 504, "Gateway Timeout"),
        (an_error(PatrolError), 500, "Internal Server Error"),
        (an_error(PatrolError, "internal"), 500, "Internal Server Error"),
        (Invalid("App settings", ["x"], reason="settings.invalid"), 500, "Internal Server Error"),
        (Invalid("Manifest", ["x"], reason="manifest.invalid"), 500, "Internal Server Error"),
    ],
    ids=lambda value: f"{type(value).__name__} {value.reason}" if isinstance(value, PatrolError) else str(value),
)
def test_each_error_has_its_status_and_the_members_of_rfc_9457(error: PatrolError, status: int, title: str) -> None:
    answered, body, headers = problem(error)

    assert (answered, headers) == (status, {"WWW-Authenticate": "Bearer"} if status == 401 else {})
    assert {key: body[key] for key in ("type", "title", "status", "detail")} == {
        "type": f"/api/problems/{error.reason}",
        "title": title,
        "status": status,
        "detail": error.message,
    }
    assert json.loads(json.dumps(body)) == body


def test_a_remedy_is_a_member_of_its_own_where_there_is_one() -> None:
    without, with_one = problem(an_error(NotFound))[1], problem(an_error(NotFound, remedy="Look again."))[1]

    assert ("remedy" in without, with_one["remedy"], with_one["detail"]) == (False, "Look again.", "It went wrong.")


def test_all_faults_of_bad_input_are_a_list() -> None:
    _, body, _ = problem(Invalid("Request", ["a is wrong", "b is missing"], reason="request.invalid"))

    assert body["faults"] == ["a is wrong", "b is missing"]


def test_a_wrong_verb_is_405_with_the_verbs_that_there_are() -> None:
    status, _, headers = problem(WrongVerb("No.", ("DELETE", "POST"), reason="route.method"))

    assert (status, headers) == (405, {"Allow": "DELETE, POST"})


@pytest.mark.parametrize(
    ("seconds", "header"), [(60.0, "60"), (0.0, "1"), (0.2, "1"), (1.0, "1"), (59.2, "60"), (1.4, "2")]
)
def test_the_time_to_wait_is_whole_seconds_and_never_too_short(seconds: float, header: str) -> None:
    assert problem(an_error(Throttled, retry_after=seconds))[2] == {"Retry-After": header}


def raised_error(error: Exception, cause: Exception | None = None) -> Exception:
    """An error as it arrives: with its traceback and its cause."""
    with pytest.raises(type(error)) as raised:
        raise error from cause
    return raised.value


def test_an_unexpected_error_is_told_without_its_text() -> None:
    status, body, headers = problem(unexpected(raised_error(ValueError("Authorization: Bearer eyJ0"))))

    assert (status, headers, body["type"]) == (500, {}, "/api/problems/internal")
    assert body["detail"].startswith("Unexpected ValueError at test_problems.py:")
    assert "eyJ0" not in json.dumps(body)


def test_a_cause_is_not_shown() -> None:
    error = raised_error(Refused("Refused.", reason="pat.verify"), ValueError("eyJ0"))
    assert isinstance(error, Refused)

    _, body, _ = problem(error)

    assert "eyJ0" not in json.dumps(body)
