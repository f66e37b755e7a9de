"""How the answers of Azure DevOps are read: the shapes that clients have met, and those that nobody should trust."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from shared.clients import devops_answers
from shared.clients.devops_answers import content_of, granted, pat_of, retry_after, user_id, verdict
from shared.errors import NotFound, PatrolError, Refused, Throttled, Unavailable
from shared.model import LivePat
from tests.clients.world import HOME, a_pat_item

LEAK = "eyJ0-leaked-value"


def an_answer(status: int = 200, content_type: str = "application/json", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update({"Content-Type": content_type, **headers})
    return response


def test_a_pat_is_read_with_its_scopes_sorted_and_its_id_in_lower_case() -> None:
    assert pat_of(a_pat_item(), HOME) == LivePat(
        "4ab5405f-0000-4000-8000-0123456789ab",
        "patrol/contoso/sonarqube",
        ("vso.build", "vso.code"),
        datetime(2026, 3, 2, 9, 0, 0, 103333, UTC),
        datetime(2026, 4, 1, 9, 0, 0, 320000, UTC),
        all_organizations=False,
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-04-01T09:00:00Z", datetime(2026, 4, 1, 9, tzinfo=UTC)),
        ("2026-04-01T09:00:00.3Z", datetime(2026, 4, 1, 9, 0, 0, 300000, UTC)),
        ("2026-04-01T09:00:00.32Z", datetime(2026, 4, 1, 9, 0, 0, 320000, UTC)),
        ("2026-04-01T09:00:00.1033333Z", datetime(2026, 4, 1, 9, 0, 0, 103333, UTC)),
        ("2026-04-01T09:00:00.1033339Z", datetime(2026, 4, 1, 9, 0, 0, 103333, UTC)),
        ("2026-04-01T09:00:00.1033333", datetime(2026, 4, 1, 9, 0, 0, 103333, UTC)),
        ("2026-04-01T11:00:00+02:00", datetime(2026, 4, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_time_has_any_number_of_fraction_digits_and_is_utc(text: str, moment: datetime) -> None:
    read = pat_of(a_pat_item(validTo=text), HOME).valid_to

    assert (read, read.utcoffset()) == (moment, timedelta())


@pytest.mark.parametrize(
    ("targets", "everywhere"), [(None, True), (["38aaa865-2c70-4bf7-a308-0c6539c38c1a"], False), ([], False)]
)
def test_a_pat_without_target_accounts_works_everywhere(targets: Any, everywhere: bool) -> None:
    assert pat_of(a_pat_item(targetAccounts=targets), HOME).all_organizations is everywhere


def test_a_pat_that_does_not_tell_its_targets_counts_as_working_everywhere() -> None:
    item = a_pat_item()
    del item["targetAccounts"]

    assert pat_of(item, HOME).all_organizations is True


@pytest.mark.parametrize("changes", [{"displayName": None}, {"scope": None}])
def test_a_name_or_scope_may_be_null(changes: dict[str, None]) -> None:
    pat = pat_of(a_pat_item(**changes), HOME)

    assert "" in {pat.display_name, " ".join(pat.scopes)}


@pytest.mark.parametrize(
    "item",
    [
        None,
        "a text",
        [],
        {},
        a_pat_item(validTo=None),
        a_pat_item(validTo="soon"),
        a_pat_item(validTo="0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_pat_of_the_wrong_shape_is_unreadable(item: Any) -> None:
    with pytest.raises(Unavailable) as raised:
        pat_of(item, HOME)

    assert (raised.value.reason, raised.value.answered) == ("devops.unreadable", True)


@pytest.mark.parametrize("error", [None, "", "none"])
def test_none_is_the_word_for_success(error: str | None) -> None:
    assert granted({"patToken": a_pat_item(), "patTokenError": error}, HOME) == pat_of(a_pat_item(), HOME)


def test_a_grant_without_a_pat_is_unreadable() -> None:
    with pytest.raises(Unavailable):
        granted({"patToken": None, "patTokenError": "none"}, HOME)


@pytest.mark.parametrize("content", [b'{"a": 1}', b'\xef\xbb\xbf{"a": 1}', b' {"a": 1}\r\n'])
def test_json_is_read_with_and_without_a_byte_order_mark(content: bytes) -> None:
    assert verdict(HOME, "GET", an_answer(), content) == {"a": 1}


@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("content", [b"", b"  \r\n"])
def test_a_revoke_may_be_answered_without_a_body(status: int, content: bytes) -> None:
    assert verdict(HOME, "DELETE", an_answer(status), content) == {}


@pytest.mark.parametrize(
    ("response", "content", "kind", "reason"),
    [
        (an_answer(), b"[]", Unavailable, "devops.unreadable"),
        (an_answer(), b'{"patTokens": [', Unavailable, "devops.unreadable"),
        (an_answer(), b"", Unavailable, "devops.unreadable"),
        (an_answer(), b"\xff\xfe\x00", Unavailable, "devops.unreadable"),
        (an_answer(200, "text/html; charset=utf-8"), b"<html>", Refused, "pat.not-authenticated"),
        (an_answer(203, "text/html"), b"<html>", Refused, "pat.not-authenticated"),
        (an_answer(203), b'{"patTokens": []}', Refused, "pat.not-authenticated"),
        (an_answer(302, "text/html"), b"<html>", Refused, "pat.not-authenticated"),
        (an_answer(401), b"", Refused, "pat.not-authenticated"),
        (an_answer(404, "text/html"), b"<html>", Refused, "devops.not-found"),
        (an_answer(404), b'{"typeKey": "AuthorizationNotFoundException"}', NotFound, "pat.unknown"),
        (an_answer(429), b"", Throttled, "devops.throttled"),
        (an_answer(500), b"", Unavailable, "devops.server-error"),
        (an_answer(599, "text/html"), b"<html>", Unavailable, "devops.server-error"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_each_answer_is_the_error_that_it_means(
    response: requests.Response, content: bytes, kind: type[PatrolError], reason: str
) -> None:
    with pytest.raises(PatrolError) as raised:
        verdict(HOME, "GET", response, content)

    assert (type(raised.value), raised.value.reason) == (kind, reason)


@pytest.mark.parametrize("status", [200, 203, 302, 400, 401, 403, 404, 418, 429, 500])
@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
def test_no_error_holds_any_of_an_answers_body(status: int, content_type: str) -> None:
    content = f'{{"patToken": {{"token": "{LEAK}"}}, "message": "{LEAK}", '.encode()

    with pytest.raises(PatrolError) as raised:
        verdict(HOME, "POST", an_answer(status, content_type), content)

    error = raised.value
    assert LEAK not in f"{error!s} {error!r} {error.__dict__} {error.__cause__!r} {error.__context__!r}"


def test_a_type_key_is_told_as_letters_alone() -> None:
    with pytest.raises(Refused) as raised:
        verdict(HOME, "GET", an_answer(400), b'{"typeKey": "Bad\\r\\n<b>Exception"}')

    assert raised.value.message == ("Azure DevOps could not read the request for build-bot in contoso (BadbException).")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5.0), ("0", 0.0), ("1.5", 1.5), ("-3", 0.0), ("", None), ("later", None), ("nan", None), ("inf", None)],
)
def test_a_wish_to_wait_is_a_number_of_seconds(header: str, seconds: float | None) -> None:
    assert retry_after(an_answer(429, **{"Retry-After": header})) == seconds


def test_no_header_is_no_wish() -> None:
    assert retry_after(an_answer(429)) is None


def test_content_is_read_up_to_the_limit_and_not_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devops_answers, "LARGEST_ANSWER", 10)
    small, large = an_answer(), an_answer()
    small.raw, large.raw = io.BytesIO(b"0123456789"), io.BytesIO(b"0123456789+")

    assert content_of(small) == b"0123456789"
    with pytest.raises(requests.exceptions.ContentDecodingError):
        content_of(large)


def test_connection_data_tells_who_is_asking() -> None:
    assert user_id({"authenticatedUser": {"id": "d291b0c4"}}, HOME) == "d291b0c4"


@pytest.mark.parametrize("answer", [{}, {"authenticatedUser": None}, {"authenticatedUser": {"id": 5}}])
def test_connection_data_that_names_nobody_is_unreadable(answer: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        user_id(answer, HOME)
