from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from shared import events
from shared.events import JsonEvents, quieten_libraries
from shared.model import Event, Reason, Secret
from shared.operation import Pool, operation


def emitted(caplog: pytest.LogCaptureFixture, name: str, **fields: object) -> dict[str, Any]:
    """The one line that an event becomes."""
    with caplog.at_level(logging.DEBUG, "patrol"):
        JsonEvents(fleet="contoso").emit(name, **fields)
    (record,) = caplog.records
    assert (record.name, "\n" in record.getMessage()) == ("patrol", False)
    line: dict[str, Any] = json.loads(record.getMessage())
    return line


def test_an_event_is_one_json_line_with_its_name_and_the_common_fields(caplog: pytest.LogCaptureFixture) -> None:
    line = emitted(caplog, Event.PAT_ISSUED, pat="sonarqube", count=3)

    assert line == {"event": "pat.issued", "fleet": "contoso", "pat": "sonarqube", "count": 3}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime(2026, 3, 2, 9, 0, 0, 123456, UTC), "2026-03-02T09:00:00Z"),
        (datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=2))), "2026-03-02T09:00:00+02:00"),
        (timedelta(minutes=2), 120.0),
        (Reason.MISSING, "MISSING"),
        (["a", "b"], ["a", "b"]),
        (False, False),
        (0, 0),
        (ValueError("text"), "text"),
    ],
)
def test_values_are_written_plainly(caplog: pytest.LogCaptureFixture, value: object, shown: object) -> None:
    assert emitted(caplog, Event.PAT_ISSUED, field=value)["field"] == shown


def test_a_field_that_is_none_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert emitted(caplog, Event.PAT_ISSUED, pat=None) == {"event": "pat.issued", "fleet": "contoso"}


def test_a_line_break_in_a_value_starts_no_new_line(caplog: pytest.LogCaptureFixture) -> None:
    forged = 'x\n{"event": "run.finished"}'

    assert emitted(caplog, Event.PAT_ISSUED, pat=forged)["pat"] == forged


def test_a_secret_is_refused() -> None:
    for value in (Secret("hidden"), [Secret("hidden")], {"inner": Secret("hidden")}):
        with pytest.raises(TypeError, match="does not belong in an event"):
            JsonEvents().emit(Event.PAT_ISSUED, field=value)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        (Event.RUN_STARTED, logging.INFO),
        (Event.PAT_ISSUED, logging.INFO),
        (Event.PAT_WITHDRAWN, logging.WARNING),
        (Event.LEASE_LOST, logging.WARNING),
        (Event.RUN_FAILED, logging.ERROR),
        (Event.PAT_LEFT_BEHIND, logging.ERROR),
        (Event.SIGN_IN_FAILED, logging.ERROR),
        (Event.REQUEST_FAILED, logging.ERROR),
    ],
)
def test_the_level_says_whether_somebody_should_look(caplog: pytest.LogCaptureFixture, name: Event, level: int) -> None:
    emitted(caplog, name)

    assert caplog.records[0].levelno == level


def test_no_event_has_two_levels() -> None:
    assert set() == events.ERRORS & events._WARNINGS


def test_every_event_that_tells_of_a_failure_is_at_least_a_warning() -> None:
    told = events.ERRORS | events._WARNINGS
    words = ("failed", "lost", "unavailable", "unreadable", "left-behind", "dying", "not-")

    assert {name for name in Event if any(word in name for word in words)} - told == set()


@pytest.mark.parametrize(
    ("logger", "level"),
    [
        ("azure.core.pipeline.policies.http_logging_policy", logging.INFO),
        ("azure.core.pipeline.policies._universal", logging.DEBUG),
        ("azure.identity._internal.msal_managed_identity_client", logging.WARNING),  # quotes an unreadable token answer
        ("azure.keyvault.secrets._generated._utils.model_base", logging.WARNING),
        ("msal.application", logging.DEBUG),
        ("msal.oauth2cli.oauth2", logging.ERROR),  # quotes an unreadable token answer
        ("urllib3.connection", logging.ERROR),  # quotes the headers of a malformed answer
        ("urllib3.connectionpool", logging.WARNING),
    ],
)
def test_loggers_that_have_printed_tokens_cannot_be_turned_on_from_outside(
    logger: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    for name in ("azure", "azure.core", "azure.identity", "azure.keyvault", "msal", "urllib3"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)

    quieten_libraries()

    assert logging.getLogger(logger).isEnabledFor(level) is False
    assert logging.getLogger("patrol").isEnabledFor(logging.INFO) is True


@pytest.mark.parametrize(
    "logger", ["azure.identity._internal.get_token_mixin", "msal.application", "urllib3.connection"]
)
def test_a_logger_of_theirs_that_is_turned_on_by_itself_prints_nothing_either(
    logger: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(logger), "level", logging.DEBUG)
    quieten_libraries()

    assert logging.getLogger(logger).isEnabledFor(logging.DEBUG) is True
    logging.getLogger(logger).critical("a token")

    assert (caplog.records, capfd.readouterr()) == ([], ("", ""))


def test_the_platforms_own_logger_is_left_as_it_is() -> None:
    quieten_libraries()

    assert logging.getLogger("azure.functions").isEnabledFor(logging.ERROR) is True


def test_a_line_carries_the_operation_that_it_belongs_to_also_from_a_pools_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "patrol"):
        with operation("4711"), Pool(1) as pool:
            pool.submit(JsonEvents().emit, "inside").result()
        JsonEvents().emit("after")

    assert [json.loads(record.getMessage()) for record in caplog.records] == [
        {"event": "inside", "operationId": "4711"},
        {"event": "after"},
    ]
