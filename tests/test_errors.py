from __future__ import annotations

import pickle

import pytest

from shared import errors
from shared.errors import Conflict, Invalid, PatrolError, Refused, Throttled, Unavailable, unexpected


def test_an_error_says_what_happened_and_what_to_do() -> None:
    error = Conflict("The secret is paused.", reason="pat.paused", remedy="Enable it.", retry_after=3.5)

    assert (str(error), error.message, error.reason, error.remedy, error.retry_after) == (
        "The secret is paused. Enable it.",
        "The secret is paused.",
        "pat.paused",
        "Enable it.",
        3.5,
    )


def test_an_error_without_a_remedy_is_one_sentence() -> None:
    assert str(Refused("No.", reason="vault.forbidden")) == "No."


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (["a is missing"], "Settings: 1 fault: a is missing. Set it."),
        (["a is missing", "b is odd"], "Settings: 2 faults: a is missing; b is odd. Set it."),
    ],
)
def test_an_invalid_input_names_all_its_faults(faults: list[str], expected: str) -> None:
    error = Invalid("Settings", faults, reason="settings.invalid", remedy="Set it.")

    assert (str(error), error.faults) == (expected, tuple(faults))


def test_a_missing_verdict_tells_whether_there_was_an_answer() -> None:
    assert [Unavailable("?", reason="vault.silent", answered=answered).answered for answered in (True, False)] == [
        True,
        False,
    ]


def test_a_throttled_call_changed_nothing_just_like_a_refused_one() -> None:
    assert issubclass(Throttled, Refused)


def test_an_unavailable_remote_is_never_taken_for_a_refusal() -> None:
    assert not issubclass(Unavailable, Refused)


def test_all_errors_are_one_family() -> None:
    classes = {item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)}

    assert {item for item in classes if not issubclass(item, PatrolError)} == set()


def test_the_module_draws_every_error_of_the_family() -> None:
    classes = {name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, PatrolError)}

    assert {name for name in classes if f" {name}" not in f" {errors.__doc__}"} == set()


def test_a_defect_is_told_by_its_place_and_never_by_its_text() -> None:
    try:
        pickle.loads(b"bearer-canary")  # noqa: S301 - made-up bytes that cannot be loaded, for their error
    except pickle.UnpicklingError as caught:
        error = unexpected(caught)

    assert error.message.startswith("Unexpected UnpicklingError at test_errors.py:")
    assert ("canary" in str(error), error.reason, error.__cause__) == (False, "internal", None)


def test_a_defect_that_was_never_raised_has_no_place() -> None:
    assert unexpected(ValueError("canary")).message == "Unexpected ValueError."
