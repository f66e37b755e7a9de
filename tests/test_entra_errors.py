"""Entra's numbers as a table: cause, remedy, and what trying again does."""

from __future__ import annotations

from typing import Any

import pytest

from shared.entra_errors import Retry, SignInRefused, entra_error
from shared.errors import Throttled, Unavailable
from shared.model import Account

BOT = Account("build-bot", "contoso.onmicrosoft.com", "11111111-2222-3333-4444-555555555555", "b@contoso.com")

TABLE = [
    (50034, "sign-in.unknown-user", "human", "Correct username and tenant of account build-bot."),
    (50053, "sign-in.locked", "lockout", "Unlock the user of build-bot."),
    (50055, "sign-in.password-expired", "human", "build-bot-password"),
    (50056, "sign-in.no-password", "human", "build-bot-password"),
    (50057, "sign-in.disabled", "human", "Enable it"),
    (50076, "sign-in.mfa", "human", "sign_in: refresh_token"),
    (50078, "sign-in.mfa", "human", "sign_in: refresh_token"),
    (50079, "sign-in.mfa", "human", "sign_in: refresh_token"),
    (50126, "sign-in.password", "lockout", "build-bot-password"),
    (50173, "sign-in.revoked", "human", "python -m shared.sign_in build-bot"),
    (50196, "sign-in.loop", "later", "Wait"),
    (53000, "sign-in.conditional-access", "human", "conditional-access rule"),
    (53001, "sign-in.conditional-access", "human", "conditional-access rule"),
    (53003, "sign-in.conditional-access", "human", "conditional-access rule"),
    (530035, "sign-in.conditional-access", "human", "conditional-access rule"),
    (530036, "sign-in.conditional-access", "human", "conditional-access rule"),
    (65001, "sign-in.consent", "human", "user_impersonation"),
    (65002, "sign-in.consent", "human", "app registration of your own"),
    (650057, "sign-in.consent", "human", "user_impersonation"),
    (70000, "sign-in.cache-refused", "human", "python -m shared.sign_in build-bot"),
    (70002, "sign-in.client-secret", "human", "build-bot-client-secret"),
    (70008, "sign-in.cache-expired", "human", "python -m shared.sign_in build-bot"),
    (70016, "sign-in.pending", "later", "Enter it."),
    (70019, "sign-in.code-expired", "human", "python -m shared.sign_in build-bot"),
    (70043, "sign-in.frequency", "human", "Lengthen the rule's frequency."),
    (700011, "sign-in.unknown-app", "human", "Correct client_id or tenant of account build-bot."),
    (700016, "sign-in.unknown-app", "human", "Correct client_id of account build-bot."),
    (700025, "sign-in.public-client", "human", "client_credential: none"),
    (700082, "sign-in.cache-expired", "human", "python -m shared.sign_in build-bot"),
    (7000215, "sign-in.client-secret", "human", "build-bot-client-secret"),
    (7000218, "sign-in.client-credential", "human", "Set client_credential on account build-bot."),
    (7000222, "sign-in.client-secret", "human", "build-bot-client-secret"),
    (90002, "sign-in.unknown-tenant", "human", "Correct tenant of account build-bot."),
    (90094, "sign-in.consent", "human", "consent to build-bot's app registration"),
    (9001023, "sign-in.unknown-tenant", "human", "Set tenant of account build-bot to its domain."),
]


@pytest.mark.parametrize(("number", "reason", "retry", "remedy"), TABLE, ids=[f"AADSTS{row[0]}" for row in TABLE])
def test_a_number_of_entras_has_a_cause_a_remedy_and_a_retry(number: int, reason: str, retry: str, remedy: str) -> None:
    error = entra_error(BOT, {"error": "invalid_grant", "error_codes": [number]})
    assert isinstance(error, SignInRefused)
    assert (error.reason, error.retry) == (reason, retry)
    assert f"(AADSTS{number})" in error.message
    assert error.message.startswith("Sign-in of account build-bot failed: ")
    assert remedy in error.remedy


def test_a_number_in_the_description_alone_is_found() -> None:
    error = entra_error(BOT, {"error": "invalid_grant", "error_description": "AADSTS50076: Due to a change ..."})
    assert error.reason == "sign-in.mfa"


def test_an_unknown_number_is_told_as_it_is_and_wants_a_person() -> None:
    error = entra_error(BOT, {"error": "invalid_grant", "error_codes": [999999]})
    assert isinstance(error, SignInRefused)
    assert (error.reason, error.retry, "AADSTS999999" in error.message) == ("sign-in.refused", Retry.HUMAN, True)


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        ({"error": "temporarily_unavailable", "error_codes": [90033]}, Unavailable, "sign-in.unavailable"),
        ({"error": "server_error"}, Unavailable, "sign-in.unavailable"),
        ({"error": "too_many_requests"}, Throttled, "sign-in.throttled"),
        ({"error": "access_denied"}, SignInRefused, "sign-in.cancelled"),
        ({"error": "authorization_declined"}, SignInRefused, "sign-in.cancelled"),
        ({"error": "expired_token"}, SignInRefused, "sign-in.code-expired"),
        ({}, SignInRefused, "sign-in.refused"),
    ],
)
def test_a_word_without_a_number_is_understood(answer: dict[str, Any], kind: type[Exception], reason: str) -> None:
    error = entra_error(BOT, answer)
    assert (type(error), error.reason) == (kind, reason)


def test_entras_own_text_is_not_repeated() -> None:
    text = "AADSTS50126: Error for user secret-name@contoso.com, trace 1234"
    error = entra_error(BOT, {"error": "invalid_grant", "error_description": text, "error_codes": [50126]})
    assert "secret-name" not in str(error) + repr(error.args)
