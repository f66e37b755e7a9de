"""What could go wrong, the promise that stands against it, and the tests that hold the promise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Threat:
    """One row. `tests` are node ids: a file, and a test in it."""

    threat: str
    promise: str
    rules: tuple[str, ...]
    tests: tuple[str, ...]


CAMPAIGN = "tests/faults/test_campaign.py::test_every_promise_holds_in_every_case_of_the_part_that_is_always_played"
PLANTED = "tests/faults/test_planted_bugs.py::test_a_planted_bug_breaks_a_promise_that_holds_without_it"
LOST_THEN_REFUSED = (
    "tests/app/test_failures.py"
    "::test_a_store_that_is_refused_only_when_it_is_repeated_is_read_back_and_nothing_is_revoked"
)

THREATS = (
    Threat(
        "The process dies at any call: killed, evicted, out of memory.",
        "The vault's value works; what the run left live is revoked later.",
        ("R1", "R2"),
        (
            CAMPAIGN,
            "tests/app/test_main_job.py::test_an_orphan_of_a_killed_run_is_revoked_once_no_run_could_still_store_it",
        ),
    ),
    Threat(
        "A store is applied and its answer is lost.",
        "No PAT is revoked that the vault may serve.",
        ("R3",),
        (
            CAMPAIGN,
            "tests/app/test_failures.py::test_a_lost_answer_of_the_store_is_read_back_and_nothing_is_revoked",
            LOST_THEN_REFUSED,
        ),
    ),
    Threat(
        "A create is applied and its answer is lost.",
        "It is not sent again; the PAT that nobody holds is revoked later.",
        ("R2", "R3"),
        (CAMPAIGN, "tests/app/test_failures.py::test_a_lost_answer_of_a_create_is_not_asked_again"),
    ),
    Threat(
        "Two runs at once: timer and request, two instances, a lost lease.",
        "Both end with a working value in the vault.",
        ("R1", "R2", "R4"),
        (
            PLANTED,
            "tests/faults/test_planted_bugs.py::test_without_the_lease_runs_are_untidy_and_no_promise_breaks",
            "tests/test_rules.py::test_r4_two_runs_at_once_are_safe_because_of_r1_and_r2_alone",
        ),
    ),
    Threat(
        "A list is cut short: a page fails, a page repeats, an answer is garbled.",
        "What is not in a list that was read whole is never taken for gone.",
        ("R1", "R8"),
        (
            CAMPAIGN,
            "tests/test_rules.py::test_r1_planning_on_an_unreadable_list_is_noticed",
            "tests/clients/test_devops.py::test_a_page_chain_that_breaks_is_an_error_and_never_a_part",
        ),
    ),
    Threat(
        "The vault's listing is empty or wrong.",
        "Issuing goes on, and revocations in numbers are refused and reported.",
        ("R8",),
        (PLANTED, "tests/test_rules.py::test_r8_revoking_because_the_vault_lists_nothing_is_noticed"),
    ),
    Threat(
        "A new PAT does not work.",
        "It is never stored; the old one stays.",
        ("R5",),
        (PLANTED, "tests/app/test_failures.py::test_a_new_pat_that_fails_its_check_is_revoked_and_the_old_one_stays"),
    ),
    Threat(
        "Consumers have not yet read the new value.",
        "The old PAT lives through the overlap.",
        ("R5",),
        (PLANTED, "tests/app/test_main_job.py::test_a_due_pat_is_replaced_while_the_old_one_lives_through_the_overlap"),
    ),
    Threat(
        "The server shortens lifetimes.",
        "One rotation for each life, by the dates that the server returned.",
        ("R6",),
        (
            PLANTED,
            "tests/app/test_main_job.py::test_a_server_that_shortens_lifetimes_does_not_cause_a_rotation_per_run",
        ),
    ),
    Threat(
        "An operator pauses, deletes or rolls back a secret.",
        "Nothing of a paused or deleted secret is touched; what a version names is not an orphan.",
        ("R2", "R7"),
        (
            PLANTED,
            "tests/app/test_main_job.py::test_a_disabled_secret_pauses_its_pat_and_nothing_of_it_is_touched",
            "tests/app/test_main_job.py::test_a_deleted_secret_is_reported_and_left_alone",
        ),
    ),
    Threat(
        "Somebody else's PAT looks like ours, or a tag names it.",
        "Only PATs with exactly our prefix are ever revoked by a run.",
        ("R7",),
        (
            CAMPAIGN,
            "tests/app/test_main_job.py::test_pats_that_only_look_like_ours_are_never_revoked",
            "tests/test_rules.py::test_r7_revoking_a_retired_or_a_foreign_pat_is_noticed",
        ),
    ),
    Threat(
        "One PAT, account or organisation fails for days, or throttles.",
        "All others are served; the failed one backs off; the run is marked as failed.",
        ("R9",),
        (
            PLANTED,
            "tests/app/test_failures.py::test_a_throttled_organization_does_not_keep_the_other_from_being_served",
        ),
    ),
    Threat(
        "The machine's clock is wrong.",
        "Decisions are made by the remotes' time.",
        ("R2", "R6"),
        ("tests/app/test_main_job.py::test_times_in_the_vault_are_the_servers_own",),
    ),
    Threat(
        "A token, a password or a bearer gets into a log, an answer or an error.",
        "None does, whatever fails.",
        (),
        (
            CAMPAIGN,
            "tests/app/test_http.py::test_no_answer_holds_a_token_value",
            "tests/test_executor.py::test_no_token_value_is_ever_told_whatever_fails",
        ),
    ),
    Threat(
        "A run changes things although nothing is to be done.",
        "A run with nothing to do writes nothing.",
        (),
        (
            CAMPAIGN,
            "tests/app/test_main_job.py::test_a_run_with_nothing_to_do_makes_exactly_the_page_chain_and_writes_nothing",
        ),
    ),
)
