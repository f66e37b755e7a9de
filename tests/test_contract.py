"""The table of the HTTP surface against the functions that are deployed."""

from __future__ import annotations

import pytest

import function_app
from shared.api import HANDLERS, OPEN_HANDLERS
from shared.authorization import Role
from shared.contract import OPERATIONS, verbs_of

CATCH_ALL = "unknown_route"
EVERY_TRIGGER = {
    function.get_function_name(): function.get_trigger()
    for function in function_app.app.get_functions()
    if function.get_trigger().get_binding_name() == "httpTrigger"
}
TRIGGERS = {name: trigger for name, trigger in EVERY_TRIGGER.items() if name != CATCH_ALL}


def test_every_http_function_is_in_the_table_under_its_path_verb_and_level() -> None:
    deployed = {
        name: (f"/{trigger.route}", [str(verb.value) for verb in trigger.methods], str(trigger.auth_level.value))
        for name, trigger in TRIGGERS.items()
    }

    assert deployed == {
        name: (operation.path, [operation.method], "function" if operation.role else "anonymous")
        for name, operation in OPERATIONS.items()
    }


def test_what_no_function_answers_goes_to_the_last_one_whatever_its_verb() -> None:
    trigger = EVERY_TRIGGER[CATCH_ALL]

    assert (trigger.route, trigger.methods, str(trigger.auth_level.value)) == ("{*path}", None, "function")
    # The host tries functions in this order (github.com/Azure/azure-functions-host, issues 9876 and 3153).
    assert max(EVERY_TRIGGER, key=str.upper) == CATCH_ALL


@pytest.mark.parametrize(
    ("path", "verbs"),
    [
        ("pats", ("GET",)),
        ("/PATS/", ("GET",)),
        ("problems/pat.current", ("GET",)),
        ("", ()),
        ("/", ()),
        ("pat", ()),
        ("pats/contoso", ()),
        ("pats//rotate", ()),
        ("pats/contoso/7/8", ()),
        ("api/pats", ()),
    ],
)
def test_the_verbs_of_a_path(path: str, verbs: tuple[str, ...]) -> None:
    assert verbs_of(path) == verbs


def test_a_path_that_fits_two_functions_has_the_verbs_of_both() -> None:
    assert {"DELETE", "POST"} <= set(verbs_of("pats/sonarqube/rotate"))


def test_what_needs_no_role_needs_no_app_either() -> None:
    open_to_all = {name for name, operation in OPERATIONS.items() if not operation.role}

    assert open_to_all == {"health", *OPEN_HANDLERS} - {CATCH_ALL}


def test_every_function_that_needs_a_role_has_its_handler() -> None:
    assert set(HANDLERS) == {name for name, operation in OPERATIONS.items() if operation.role}


def test_reading_needs_one_role_renewing_and_changing_another_and_revoking_a_third() -> None:
    by_verb = {name: operation.role for name, operation in OPERATIONS.items() if operation.method != "GET"}

    assert by_verb == {
        "revoke_pat": Role.REVOKE,
        "revoke_pats": Role.REVOKE,
        "change_pat": Role.ROTATE,
        "rotate_pat": Role.ROTATE,
    }
    assert {operation.role for operation in OPERATIONS.values() if operation.method == "GET"} == {Role.READ, None}
