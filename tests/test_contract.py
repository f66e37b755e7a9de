"""The table of the HTTP surface against the functions that are deployed."""

from __future__ import annotations

import function_app
from shared.api import HANDLERS
from shared.authorization import Role
from shared.contract import OPERATIONS

TRIGGERS = {
    function.get_function_name(): function.get_trigger()
    for function in function_app.app.get_functions()
    if function.get_trigger().get_binding_name() == "httpTrigger"
}


def test_every_http_function_is_in_the_table_under_its_path_verb_and_level() -> None:
    deployed = {
        name: (f"/{trigger.route}", [str(verb.value) for verb in trigger.methods], str(trigger.auth_level.value))
        for name, trigger in TRIGGERS.items()
    }

    assert deployed == {
        name: (operation.path, [operation.method], "function" if operation.role else "anonymous")
        for name, operation in OPERATIONS.items()
    }


def test_every_function_that_needs_a_role_has_its_handler() -> None:
    assert set(HANDLERS) == {name for name, operation in OPERATIONS.items() if operation.role}


def test_reading_needs_one_role_rotating_another_and_revoking_a_third() -> None:
    by_verb = {name: operation.role for name, operation in OPERATIONS.items() if operation.method != "GET"}

    assert by_verb == {"revoke_pat": Role.REVOKE, "rotate_pat": Role.ROTATE}
    assert {operation.role for operation in OPERATIONS.values() if operation.method == "GET"} == {Role.READ, None}
