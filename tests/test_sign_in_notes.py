"""A refused password is not sent again until its time has come, or another one has been stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.entra_errors import Retry, SignInRefused
from shared.model import Account
from shared.sign_in_notes import SignInNotes
from tests.fakes import FakeEvents

BOT = Account("build-bot", "contoso.onmicrosoft.com", "11111111-2222-3333-4444-555555555555", "b@contoso.com")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WRONG = SignInRefused("No.", reason="sign-in.password", remedy="Store the right one.", retry=Retry.LOCKOUT)


class FakeBlob:
    """A blob in memory, which may be out of reach."""

    def __init__(self, content: bytes | None = None) -> None:
        self.content = content
        self.reachable = True

    def load(self) -> bytes | None:
        if not self.reachable:
            raise OSError("no route")
        return self.content

    def save(self, content: bytes) -> None:
        if not self.reachable:
            raise OSError("no route")
        self.content = content


def waits(notes: SignInNotes, now: datetime, version: str = "v1") -> bool:
    try:
        notes.check(BOT, version, now)
    except SignInRefused:
        return True
    return False


def test_a_refused_password_waits_longer_each_time_up_to_a_day() -> None:
    notes, now, gaps = SignInNotes(FakeBlob(), FakeEvents()), NOW, []
    for _ in range(5):
        notes.refused(BOT, "v1", now, WRONG)
        gap = next(hours for hours in range(1, 30) if not waits(notes, now + hours * HOUR))
        gaps.append(gap)
        now += gap * HOUR
    assert gaps == [4, 8, 16, 24, 24]


def test_waiting_is_told_with_the_cause_and_the_remedy_of_the_refusal() -> None:
    notes = SignInNotes(FakeBlob(), FakeEvents())
    notes.refused(BOT, "v1", NOW, WRONG)
    with pytest.raises(SignInRefused) as told:
        notes.check(BOT, "v1", NOW)
    assert (told.value.reason, told.value.remedy, told.value.retry) == (WRONG.reason, WRONG.remedy, Retry.LOCKOUT)
    assert "waits until 2026-03-02T13:00:00+00:00" in told.value.message


def test_another_password_is_sent_at_once() -> None:
    notes = SignInNotes(FakeBlob(), FakeEvents())
    notes.refused(BOT, "v1", NOW, WRONG)
    assert (waits(notes, NOW, "v1"), waits(notes, NOW, "v2")) == (True, False)


def test_a_note_outlives_the_process() -> None:
    blob = FakeBlob()
    SignInNotes(blob, FakeEvents()).refused(BOT, "v1", NOW, WRONG)
    assert waits(SignInNotes(blob, FakeEvents()), NOW + HOUR)


def test_a_password_that_works_clears_the_note() -> None:
    blob = FakeBlob()
    notes = SignInNotes(blob, FakeEvents())
    notes.refused(BOT, "v1", NOW, WRONG)
    notes.accepted(BOT)
    assert (waits(notes, NOW), blob.content) == (False, b"{}")


def test_without_storage_a_note_lasts_as_long_as_the_process() -> None:
    notes = SignInNotes(None, FakeEvents())
    notes.refused(BOT, "v1", NOW, WRONG)
    assert waits(notes, NOW + HOUR)


def test_storage_that_is_out_of_reach_stops_no_sign_in_and_is_told() -> None:
    blob, events = FakeBlob(), FakeEvents()
    blob.reachable = False
    notes = SignInNotes(blob, events)
    assert not waits(notes, NOW)
    notes.refused(BOT, "v1", NOW, WRONG)
    assert waits(notes, NOW + HOUR)
    assert "backoff.not-noted" in events.text()


@pytest.mark.parametrize(
    "content",
    [
        b"junk",
        b"[]",
        b'{"build-bot": 1}',
        b'{"build-bot": {"version": "v1"}}',
        b'{"build-bot": {"version": "v1", "failures": 1, "retry_at": "9999-01-01", "reason": "r", "remedy": "m"}}',
        b'{"build-bot": {"version": "v1", "failures": 1, "retry_at": "soon", "reason": "r", "remedy": "m"}}',
    ],
)
def test_notes_that_somebody_edited_hold_nobody_up(content: bytes) -> None:
    assert not waits(SignInNotes(FakeBlob(content), FakeEvents()), NOW)


def test_notes_hold_no_credential() -> None:
    blob = FakeBlob()
    SignInNotes(blob, FakeEvents()).refused(BOT, "v1", NOW, WRONG)
    assert sorted(json.loads(blob.content or b"")["build-bot"]) == [
        "failures",
        "reason",
        "remedy",
        "retry_at",
        "version",
    ]
