from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import PatrolError, Refused, Throttled, Unavailable
from shared.executor import MOST_THREADS, Executor, newest_versions
from shared.model import CreatedPat, Event, Issue, Outcome, OutcomeKind, Reason, Report, Tag
from tests.builders import (
    DAY,
    FLEET,
    HOME,
    HOUR,
    NOW,
    SECOND,
    a_hand_written_record,
    a_live_pat,
    a_plan,
    a_record,
    a_revoke,
    a_spec,
    an_issue,
    guid,
)
from tests.fakes import CANARY, Call, FakeClock, FakeDeadline, FakeEvents, FakeLease, FakePatService, FakeVault

if TYPE_CHECKING:
    from shared.model import PatSpec, Revoke, VaultRecord

REFUSED = Refused("No.", reason="secret.refused", remedy="Grant the role.")
FORBIDDEN_BY_POLICY = Refused("No.", reason="pat.policy", remedy="Ask for an exception.")
THROTTLED = Throttled("Later.", reason="vault.throttled", retry_after=30)
SERVER_ERROR = Unavailable("Broken.", reason="vault.server-error", answered=True)
SILENT = Unavailable("Silence.", reason="vault.silent", answered=False)

SPEC = a_spec()
FIRST = guid(0x1000)  # the id of the first PAT that the fake creates


@dataclass
class Stage:
    """Both remotes and an executor between them. One worker, so that the log's order is the plan's order."""

    clock: FakeClock = field(default_factory=FakeClock)
    log: list[Call] = field(default_factory=list)
    events: FakeEvents = field(default_factory=FakeEvents)
    deadline: FakeDeadline = field(default_factory=FakeDeadline)
    lease: FakeLease = field(default_factory=FakeLease)
    workers: int = 1

    def __post_init__(self) -> None:
        self.pats = FakePatService(self.clock, self.log)
        self.vault = FakeVault(self.clock, self.log)

    def executor(self) -> Executor:
        return Executor(
            self.pats, self.vault, self.events, deadline=self.deadline, lease=self.lease, workers=self.workers
        )

    def execute(self, *actions: Issue | Revoke) -> Report:
        return self.executor().execute(a_plan(*actions, at=self.clock.now()))

    def one(self, action: Issue | Revoke) -> Outcome:
        (outcome,) = self.execute(action).outcomes
        return outcome

    @property
    def verbs(self) -> list[str]:
        return [call[0] for call in self.log]

    def holds(self, authorization_id: str, spec: PatSpec = SPEC, **changes: Any) -> VaultRecord:
        """A PAT that lives and a version that names it."""
        self.pats.add(a_live_pat(authorization_id, spec.name))
        return self.vault.add(a_record(spec, authorization_id, **changes), "held")


def verdict(outcome: Outcome) -> tuple[OutcomeKind, str | None]:
    return outcome.kind, outcome.error.reason if outcome.error else None


# ---- issue: create -> verify -> store -> stop ------------------------------------------------------------------------


def test_an_issue_creates_checks_stores_and_stops() -> None:
    stage = Stage()
    outcome = stage.one(an_issue())

    assert stage.log == [
        ("create", HOME, "patrol/contoso/sonarqube"),
        ("verify", HOME, FIRST),
        ("store", "sonarqube-pat", FIRST),
    ]
    assert (outcome.kind, outcome.authorization_id, outcome.secret_version) == (
        OutcomeKind.ISSUED,
        FIRST,
        stage.vault.newest("sonarqube-pat").version,
    )


def test_an_issue_leaves_the_pat_that_it_replaces_alone() -> None:
    stage = Stage()
    observed = stage.holds(guid(1))
    stage.one(an_issue(observed=observed, reason=Reason.NEARING_EXPIRY))

    assert stage.pats.live_ids == {guid(1), FIRST}


def test_the_version_carries_the_value_the_returned_expiry_and_all_tags() -> None:
    stage = Stage()
    stage.pats.shorten_lives(7 * DAY)
    stage.one(an_issue())
    stored = stage.vault.newest("sonarqube-pat")

    assert (stage.vault.served("sonarqube-pat"), stored.expires_on, dict(stored.tags)) == (
        FakePatService.token_of(FIRST),
        NOW + 7 * DAY,
        {
            "managed-by": "patrol",
            "fleet": FLEET,
            "pat": "sonarqube",
            "account": HOME.account,
            "organization": HOME.organization,
            "spec": SPEC.digest,
            "authorization-id": FIRST,
        },
    )


def test_a_pat_that_opts_out_is_not_used_before_it_is_stored() -> None:
    stage = Stage()
    stage.one(an_issue(a_spec(verify=False)))

    assert stage.verbs == ["create", "store"]


def test_a_pat_that_fails_its_check_is_withdrawn_and_the_old_one_stays() -> None:
    stage = Stage()
    observed = stage.holds(guid(1))
    stage.pats.issue_dead_tokens()
    outcome = stage.one(an_issue(observed=observed))

    assert verdict(outcome) == (OutcomeKind.FAILED, "pat.verify")
    assert (stage.pats.live_ids, stage.vault.newest("sonarqube-pat").authorization_id) == ({guid(1)}, guid(1))
    assert "store" not in stage.verbs


def test_a_check_without_a_verdict_counts_as_failed() -> None:
    stage = Stage()
    stage.pats.fail_next("verify", SILENT)

    assert verdict(stage.one(an_issue())) == (OutcomeKind.FAILED, "vault.silent")
    assert stage.verbs == ["create", "verify", "revoke"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({"all_organizations": True}, "it works in all organisations", id="it works in all organisations"),
        pytest.param({"scopes": ("vso.code",)}, "it lacks vso.build", id="a scope is missing"),
        pytest.param({"scopes": ()}, "it lacks vso.build, vso.code", id="all scopes are missing"),
        pytest.param({"valid_to": NOW}, "it is already expired", id="it is expired at birth"),
        pytest.param({"valid_to": NOW - DAY}, "it is already expired", id="it expired before its birth"),
        pytest.param(
            {"valid_to": NOW, "all_organizations": True},
            "it is already expired; it works in all organisations",
            id="all faults are told together",
        ),
    ],
)
def test_an_answer_that_cannot_be_used_is_withdrawn_before_anybody_sees_it(changes: dict[str, Any], fault: str) -> None:
    stage = Stage()
    stage.pats.answer_next_create(lambda pat: replace(pat, **changes))
    outcome = stage.one(an_issue())

    assert verdict(outcome) == (OutcomeKind.FAILED, "pat.unusable")
    assert outcome.error is not None
    assert (outcome.error.message, outcome.error.remedy) == (
        f"Azure DevOps created a PAT that cannot be used: {fault}.",
        "The old PAT stays. Check the organisation's policies.",
    )
    assert stage.verbs == ["create", "revoke"]


def test_scopes_that_the_server_reorders_or_widens_are_fine() -> None:
    stage = Stage()
    stage.pats.answer_next_create(lambda pat: replace(pat, scopes=("vso.profile", "vso.code", "vso.build")))

    assert stage.one(an_issue()).kind == OutcomeKind.ISSUED


def test_a_refused_create_changes_nothing() -> None:
    stage = Stage()
    stage.pats.fail_next("create", Refused("Policy.", reason="pat.policy"))

    assert verdict(stage.one(an_issue())) == (OutcomeKind.FAILED, "pat.policy")
    assert stage.verbs == ["create"]


@pytest.mark.parametrize("answered", [True, False])
def test_an_ambiguous_create_is_never_sent_twice(*, answered: bool) -> None:
    stage = Stage()
    stage.pats.lose_answer("create", answered=answered)

    assert verdict(stage.one(an_issue())) == (OutcomeKind.FAILED, "remote.silent")
    assert (stage.verbs, stage.pats.live_ids) == (["create"], {FIRST})


# ---- issue: a store that fails ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [REFUSED, THROTTLED], ids=["refused", "throttled"])
def test_a_store_that_was_refused_withdraws_the_pat_without_further_reading(error: Refused) -> None:
    stage = Stage()
    stage.vault.fail_next("store", error)

    assert verdict(stage.one(an_issue())) == (OutcomeKind.FAILED, error.reason)
    assert (stage.verbs, stage.pats.live_ids) == (["create", "verify", "store", "revoke"], set())


@pytest.mark.parametrize("answered", [True, False])
def test_a_store_whose_answer_got_lost_is_read_back_and_is_a_success(*, answered: bool) -> None:
    stage = Stage()
    stage.vault.lose_answer("store", answered=answered)
    outcome = stage.one(an_issue())

    assert (outcome.kind, outcome.secret_version) == (
        OutcomeKind.ISSUED,
        stage.vault.newest("sonarqube-pat").version,
    )
    assert (stage.verbs, stage.pats.live_ids) == (["create", "verify", "store", "versions"], {FIRST})


def test_a_store_that_answered_with_an_error_is_withdrawn_after_reading_back() -> None:
    stage = Stage()
    stage.vault.fail_next("store", SERVER_ERROR)

    assert verdict(stage.one(an_issue())) == (OutcomeKind.FAILED, "vault.server-error")
    assert (stage.verbs, stage.pats.live_ids) == (["create", "verify", "store", "versions", "revoke"], set())


def test_a_store_that_may_still_be_on_its_way_is_left_to_the_orphan_rule() -> None:
    stage = Stage()
    stage.vault.fail_next("store", SILENT)

    assert verdict(stage.one(an_issue())) == (OutcomeKind.FAILED, "vault.silent")
    assert (stage.verbs, stage.pats.live_ids) == (["create", "verify", "store", "versions"], {FIRST})
    assert stage.events.of(Event.PAT_LEFT_BEHIND) == [{"pat": "sonarqube", "authorizationId": FIRST}]


@pytest.mark.parametrize("store_error", [SERVER_ERROR, SILENT], ids=["answered", "unanswered"])
@pytest.mark.parametrize("read_error", [REFUSED, SILENT], ids=["refused", "silent"])
def test_when_the_vault_cannot_be_read_back_nothing_is_revoked(
    store_error: Unavailable, read_error: Refused | Unavailable
) -> None:
    stage = Stage()
    stage.vault.fail_next("store", store_error)
    stage.vault.fail_next("versions", read_error)

    assert stage.one(an_issue()).kind == OutcomeKind.FAILED
    assert (stage.verbs, stage.pats.live_ids) == (["create", "verify", "store", "versions"], {FIRST})
    assert stage.events.of(Event.PAT_LEFT_BEHIND) == [
        {"pat": "sonarqube", "authorizationId": FIRST, "error": read_error.reason}
    ]


def test_a_version_of_another_pat_does_not_pass_for_the_new_one() -> None:
    stage = Stage()
    stage.vault.fail_next("store", SERVER_ERROR)
    stage.vault.before_next("versions", lambda: stage.vault.add(a_record(SPEC, guid(9)), "another run's"))

    assert stage.one(an_issue()).kind == OutcomeKind.FAILED
    assert not stage.pats.is_live(FIRST)


def test_a_withdrawal_that_fails_too_is_told_and_keeps_the_first_error() -> None:
    stage = Stage()
    stage.vault.fail_next("store", REFUSED)
    stage.pats.fail_next("revoke", Throttled("Later.", reason="devops.throttled"))

    assert verdict(stage.one(an_issue())) == (OutcomeKind.FAILED, "secret.refused")
    assert stage.events.of(Event.PAT_LEFT_BEHIND) == [
        {"pat": "sonarqube", "authorizationId": FIRST, "error": "devops.throttled"}
    ]


# ---- deadline and lease ----------------------------------------------------------------------------------------------


def test_nothing_starts_after_the_deadline() -> None:
    stage = Stage()
    stage.holds(guid(1))
    stage.deadline.pass_now()
    report = stage.execute(an_issue(), a_revoke())

    assert ([outcome.kind for outcome in report.outcomes], stage.log) == ([OutcomeKind.POSTPONED] * 2, [])


def test_nothing_starts_once_the_lease_is_lost() -> None:
    stage = Stage()
    stage.holds(guid(1))
    stage.lease.lose()
    report = stage.execute(an_issue(), a_revoke())

    assert ([outcome.kind for outcome in report.outcomes], stage.log) == ([OutcomeKind.POSTPONED] * 2, [])


@pytest.mark.parametrize("cause", ["deadline", "lease"])
def test_a_pat_is_withdrawn_when_time_runs_out_before_its_store(cause: str) -> None:
    stage = Stage()
    stage.pats.before_next("verify", stage.deadline.pass_now if cause == "deadline" else stage.lease.lose)

    assert verdict(stage.one(an_issue())) == (OutcomeKind.POSTPONED, None)
    assert (stage.verbs, stage.pats.live_ids) == (["create", "verify", "revoke"], set())


def test_what_is_postponed_is_no_failure_and_takes_no_note() -> None:
    stage = Stage()
    observed = stage.holds(guid(1))
    stage.deadline.pass_now()
    report = stage.execute(an_issue(observed=observed))

    assert (report.failed, stage.log) == (False, [])


def test_actions_begun_before_the_deadline_finish_and_later_ones_wait() -> None:
    stage = Stage()
    # Each issue asks twice: before it starts and before it stores.
    stage.deadline = FakeDeadline(after_questions=2)
    report = stage.execute(an_issue(a_spec("one")), an_issue(a_spec("two")))

    assert [outcome.kind for outcome in report.outcomes] == [OutcomeKind.ISSUED, OutcomeKind.POSTPONED]


# ---- one failure does not stop the others ----------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_one_failure_does_not_stop_the_others(workers: int) -> None:
    stage = Stage(workers=workers)
    stage.pats.fail_next("create", FORBIDDEN_BY_POLICY)
    names = ["one", "two", "three", "four", "five"]
    report = stage.execute(*(an_issue(a_spec(name)) for name in names))

    assert (len(report.of(OutcomeKind.FAILED)), len(report.of(OutcomeKind.ISSUED)), report.failed) == (1, 4, True)
    assert [outcome.action.spec.name for outcome in report.outcomes] == names


@pytest.mark.parametrize("verb", ["create", "verify", "store", "versions", "replace-tags"])
def test_a_defect_in_one_pats_path_does_not_stop_the_others_and_its_text_never_shows(verb: str) -> None:
    stage = Stage()
    one, two = a_spec("one"), a_spec("two")
    observed = stage.holds(guid(1), one)
    if verb in {"versions", "replace-tags"}:
        stage.pats.fail_next("create", FORBIDDEN_BY_POLICY)  # these are called only after a failure
    (stage.pats if verb in {"create", "verify"} else stage.vault).fail_next(verb, ValueError(f"bug with {CANARY}"))
    report = stage.execute(an_issue(one, observed=observed), an_issue(two))
    failed, well = report.outcomes

    assert (failed.kind, well.kind) == (OutcomeKind.FAILED, OutcomeKind.ISSUED)
    assert CANARY not in stage.events.text() + repr(report) + str(failed.error)


def test_a_throttled_organization_is_left_alone_for_the_rest_of_the_run_and_no_other_is() -> None:
    stage = Stage(workers=1)
    stage.pats.fail_next("create", Throttled("Later.", reason="devops.throttled", retry_after=30))
    report = stage.execute(
        an_issue(a_spec("one")), an_issue(a_spec("two")), an_issue(a_spec("three", organization="elsewhere"))
    )

    kinds = [outcome.kind for outcome in report.outcomes]
    assert kinds == [OutcomeKind.FAILED, OutcomeKind.POSTPONED, OutcomeKind.ISSUED]


class EventsWithThreads(FakeEvents):
    """Notes which threads tell of something."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[str] = set()

    def emit(self, name: str, /, **fields: object) -> None:
        self.threads.add(threading.current_thread().name)
        super().emit(name, **fields)


@pytest.mark.parametrize(("organizations", "lanes"), [(8, 8), (32, 32), (80, 32)])
def test_each_organization_has_threads_of_its_own_until_there_would_be_too_many(organizations: int, lanes: int) -> None:
    events = EventsWithThreads()
    stage = Stage(events=events, workers=4)
    names = [f"organization-{number}" for number in range(organizations)]

    report = stage.execute(*(an_issue(a_spec(name, organization=name)) for name in names for _ in range(2)))

    assert {outcome.kind for outcome in report.outcomes} == {OutcomeKind.ISSUED}
    assert lanes <= len(events.threads) <= MOST_THREADS


def test_a_vault_that_forbids_every_write_costs_one_pat_and_not_one_per_entry() -> None:
    stage = Stage(workers=1)
    stage.vault.fail_next("store", Refused("No.", reason="vault.forbidden"))
    report = stage.execute(*(an_issue(a_spec(name)) for name in ("one", "two", "three")))

    kinds = [outcome.kind for outcome in report.outcomes]
    assert (kinds, stage.verbs.count("create")) == ([OutcomeKind.FAILED, *[OutcomeKind.POSTPONED] * 2], 1)


def test_a_defect_names_its_place_and_kind_and_no_more() -> None:
    stage = Stage()
    stage.pats.fail_next("create", KeyError(CANARY))
    error = stage.one(an_issue()).error

    assert error is not None
    assert (error.reason, error.__cause__, error.__context__) == ("internal", None, None)
    assert error.message.startswith("Unexpected KeyError at fakes.py:")


def test_a_failed_revocation_does_not_stop_the_others() -> None:
    stage = Stage()
    stage.holds(guid(1), created=NOW - 9 * DAY)
    stage.holds(guid(3), created=NOW - 8 * DAY)
    stage.holds(guid(2))
    stage.pats.fail_next("revoke", SERVER_ERROR)
    report = stage.execute(a_revoke(guid(1)), a_revoke(guid(3)))

    assert [outcome.kind for outcome in report.outcomes] == [OutcomeKind.FAILED, OutcomeKind.REVOKED]


def test_all_issues_come_before_all_revocations() -> None:
    stage = Stage()
    stage.holds(guid(1), created=NOW - 9 * DAY)
    stage.holds(guid(2))
    stage.execute(a_revoke(guid(1)), an_issue(a_spec("new")))

    assert [verb for verb in stage.verbs if verb in {"store", "revoke"}] == ["store", "revoke"]


class Watched(FakePatService):
    """Lets creates go on only in groups of the given size, and notes how many came at once and on which threads."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.threads: list[str] = []
        self.most_at_once = 0
        self._inside = 0
        self._lock = threading.Lock()
        self._group = threading.Barrier(size, timeout=30)

    def create(self, *arguments: Any, **named: Any) -> CreatedPat:
        with self._lock:
            self.threads.append(threading.current_thread().name)
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
        self._group.wait()
        time.sleep(0.02)  # for one too many to come in
        with self._lock:
            self._inside -= 1
            return super().create(*arguments, **named)


@pytest.mark.parametrize(
    ("options", "organizations", "threads"),
    [
        pytest.param({"workers": 2}, 1, 2, id="as many as are asked for"),
        pytest.param({}, 1, 4, id="four where nothing is said"),
        pytest.param({}, 11, 22, id="two for each of eleven, three would be more than there may be"),
    ],
)
def test_an_organization_gets_as_many_threads_as_there_are_workers_and_no_more(
    options: dict[str, int], organizations: int, threads: int
) -> None:
    stage, pats = Stage(), Watched(threads)
    executor = Executor(pats, stage.vault, stage.events, deadline=stage.deadline, lease=stage.lease, **options)
    specs = [a_spec(f"pat-{n}", organization=f"organization-{n % organizations}") for n in range(2 * threads)]
    report = executor.execute(a_plan(*(an_issue(spec) for spec in specs)))

    assert (report.failed, pats.most_at_once) == (False, threads)


def test_threads_are_named_after_the_organization_that_they_work_for() -> None:
    stage, pats = Stage(), Watched(2)
    stage.pats = pats
    stage.execute(an_issue(a_spec("one")), an_issue(a_spec("two", organization="elsewhere")))

    assert sorted(pats.threads) == ["patrol-contoso_0", "patrol-elsewhere_0"]


# ---- back-off --------------------------------------------------------------------------------------------------------


def noted(record: VaultRecord) -> dict[str, str]:
    return {name: record.tags[name] for name in (Tag.FAILURES, Tag.RETRY_AT, Tag.FAILED_SPEC) if name in record.tags}


def in_hours(hours: float) -> str:
    return (NOW + hours * HOUR).isoformat(timespec="seconds")


def a_failing_stage(error: Exception = REFUSED) -> Stage:
    stage = Stage()
    stage.pats.fail_next("create", error)
    return stage


def test_a_failure_is_noted_on_exactly_the_observed_version_beside_its_other_tags() -> None:
    stage = a_failing_stage()
    observed = stage.holds(guid(1))
    stage.one(an_issue(observed=replace(observed, version=None)))

    assert stage.log[-1] == ("replace-tags", "sonarqube-pat", observed.version)
    assert stage.vault.newest("sonarqube-pat").tags == {
        **observed.tags,
        "failures": "1",
        "retry-at": in_hours(1),
        "failed-spec": SPEC.digest,
    }


def test_a_version_that_another_run_wrote_meanwhile_takes_no_note() -> None:
    stage = a_failing_stage()
    observed = stage.holds(guid(1))
    stage.vault.before_next("versions", lambda: stage.holds(guid(2), created=NOW))
    stage.one(an_issue(observed=observed))

    assert ("replace-tags" in stage.verbs, stage.events.of(Event.BACKOFF_NOT_NOTED)) == (False, [])
    assert [noted(item) for item in stage.vault.secrets["sonarqube-pat"]] == [{}, {}]


def test_without_a_version_nothing_is_noted() -> None:
    stage = a_failing_stage()
    stage.one(an_issue(observed=None))

    assert stage.verbs == ["create"]


def test_a_version_written_by_hand_takes_the_note_too() -> None:
    stage = a_failing_stage()
    observed = stage.vault.add(a_hand_written_record())
    stage.one(an_issue(observed=observed))

    assert noted(stage.vault.newest("sonarqube-pat"))[Tag.FAILURES] == "1"


def a_failed_record(stage: Stage, failures: str, spec: str = SPEC.digest) -> VaultRecord:
    return stage.holds(guid(1), tags={Tag.FAILURES: failures, Tag.FAILED_SPEC: spec, Tag.RETRY_AT: in_hours(-1)})


@pytest.mark.parametrize(
    ("before", "after", "hours"),
    [("1", "2", 2), ("2", "3", 4), ("3", "4", 8), ("4", "5", 8), ("99", "100", 8)],
)
def test_back_off_grows_with_every_failure_in_a_row(before: str, after: str, hours: float) -> None:
    stage = a_failing_stage()
    stage.one(an_issue(observed=a_failed_record(stage, before)))
    tags = stage.vault.newest("sonarqube-pat").tags

    assert (tags[Tag.FAILURES], tags[Tag.RETRY_AT]) == (after, in_hours(hours))


def test_a_changed_spec_starts_to_count_afresh() -> None:
    stage = a_failing_stage()
    stage.one(an_issue(observed=a_failed_record(stage, "7", spec="another")))
    tags = stage.vault.newest("sonarqube-pat").tags

    assert (tags[Tag.FAILURES], tags[Tag.RETRY_AT]) == ("1", in_hours(1))


@pytest.mark.parametrize("nonsense", ["", "many", "-3", "1.5", "\u0663", "9" * 5000])
def test_a_count_that_is_none_does_not_keep_the_note_from_being_taken(nonsense: str) -> None:
    stage = a_failing_stage()
    stage.one(an_issue(observed=a_failed_record(stage, nonsense)))

    assert noted(stage.vault.newest("sonarqube-pat")) == {
        Tag.FAILURES: "1",
        Tag.RETRY_AT: in_hours(1),
        Tag.FAILED_SPEC: SPEC.digest,
    }


@pytest.mark.parametrize(
    ("seconds", "hours"),
    [
        pytest.param(60, 1, id="the back-off where the remote asks for less"),
        pytest.param(3 * 3600, 3, id="what the remote asks for where that is longer"),
        pytest.param(1e9, 24, id="a day where the remote asks for ages"),
        pytest.param(1e300, 24, id="a day where the remote asks for more than time can hold"),
        pytest.param(float("inf"), 24, id="a day where the remote asks for ever"),
        pytest.param(-60, 1, id="the back-off where the remote asks for the past"),
    ],
)
def test_the_longer_of_back_off_and_retry_after_wins(seconds: float, hours: float) -> None:
    stage = a_failing_stage(Throttled("Later.", reason="devops.throttled", retry_after=seconds))
    stage.one(an_issue(observed=stage.holds(guid(1))))

    assert stage.vault.newest("sonarqube-pat").tags[Tag.RETRY_AT] == in_hours(hours)


def test_a_version_without_a_count_starts_to_count() -> None:
    stage = a_failing_stage()
    stage.one(an_issue(observed=stage.holds(guid(1), tags={Tag.FAILED_SPEC: SPEC.digest})))

    assert noted(stage.vault.newest("sonarqube-pat"))[Tag.FAILURES] == "1"


@pytest.mark.parametrize("verb", ["versions", "replace-tags"])
def test_a_note_that_cannot_be_taken_is_told_and_the_first_error_stays(verb: str) -> None:
    stage = a_failing_stage()
    observed = stage.holds(guid(1))
    stage.vault.fail_next(verb, SILENT)

    assert verdict(stage.one(an_issue(observed=observed))) == (OutcomeKind.FAILED, REFUSED.reason)
    assert stage.events.of(Event.BACKOFF_NOT_NOTED) == [{"pat": "sonarqube", "error": "vault.silent"}]


def test_a_defect_that_keeps_a_note_from_being_taken_is_told_as_one() -> None:
    stage = a_failing_stage()
    observed = stage.holds(guid(1))
    stage.vault.fail_next("replace-tags", KeyError(CANARY))
    stage.one(an_issue(observed=observed))

    assert stage.events.of(Event.BACKOFF_NOT_NOTED) == [{"pat": "sonarqube", "error": "internal"}]


def test_a_success_leaves_no_note_on_the_new_version() -> None:
    stage = Stage()
    stage.one(an_issue(observed=a_failed_record(stage, "3")))

    assert noted(stage.vault.newest("sonarqube-pat")) == {}


# ---- revoke ----------------------------------------------------------------------------------------------------------


def a_rotated_stage() -> Stage:
    """PAT 1 is superseded by PAT 2, which the vault serves."""
    stage = Stage()
    stage.holds(guid(1), created=NOW - 20 * DAY, version="old")
    stage.holds(guid(2), created=NOW - 3 * DAY, version="new")
    return stage


def test_a_superseded_pats_version_is_disabled_and_then_the_pat_revoked() -> None:
    stage = a_rotated_stage()
    outcome = stage.one(a_revoke())

    assert (outcome.kind, outcome.authorization_id) == (OutcomeKind.REVOKED, guid(1))
    assert stage.log == [
        ("versions", "sonarqube-pat"),
        ("disable", "sonarqube-pat", "old"),
        ("revoke", HOME, guid(1)),
    ]
    assert stage.pats.live_ids == {guid(2)}


def test_a_version_that_is_disabled_already_is_left_as_it_is() -> None:
    stage = a_rotated_stage()
    stage.vault.disable("sonarqube-pat", "old")
    stage.log.clear()
    stage.one(a_revoke())

    assert stage.verbs == ["versions", "revoke"]


def test_all_versions_of_a_pat_are_disabled() -> None:
    # An SDK that repeats a PUT adds two versions with one value.
    stage = Stage()
    for version, age in (("old-1", 20), ("old-2", 19)):
        stage.holds(guid(1), created=NOW - age * DAY, version=version)
    stage.holds(guid(2), created=NOW - 3 * DAY)
    stage.one(a_revoke())

    assert [call[2] for call in stage.log if call[0] == "disable"] == ["old-1", "old-2"]


def test_a_pat_that_somebody_rolled_back_to_is_kept() -> None:
    stage = a_rotated_stage()
    stage.vault.before_next("versions", lambda: stage.vault.roll_back("sonarqube-pat", guid(1)))

    outcome = stage.one(a_revoke())

    assert (outcome.kind, outcome.authorization_id, stage.verbs) == (OutcomeKind.KEPT, guid(1), ["versions"])


def test_a_superseded_pat_is_kept_when_its_successor_is_not_served_any_more() -> None:
    stage = a_rotated_stage()
    stage.vault.before_next("versions", lambda: stage.vault.write_by_hand("sonarqube-pat"))

    outcome = stage.one(a_revoke())

    assert (outcome.kind, outcome.authorization_id, stage.verbs) == (OutcomeKind.KEPT, guid(1), ["versions"])


@pytest.mark.parametrize("reason", [Reason.SUPERSEDED, Reason.ORPHANED])
@pytest.mark.parametrize("verb", ["pause", "delete"])
def test_a_pat_whose_secret_is_paused_or_deleted_meanwhile_is_kept(verb: str, reason: Reason) -> None:
    stage = a_rotated_stage()
    stage.pats.add(a_live_pat(guid(3)))
    stage.vault.before_next("versions", lambda: getattr(stage.vault, verb)("sonarqube-pat"))
    action = a_revoke(guid(1) if reason is Reason.SUPERSEDED else guid(3), reason=reason)

    outcome = stage.one(action)

    assert (outcome.kind, stage.verbs) == (OutcomeKind.KEPT, ["versions"])
    assert outcome.authorization_id == action.authorization_id


@pytest.mark.parametrize(("disabled", "expected"), [(2, OutcomeKind.REVOKED), (3, OutcomeKind.KEPT)])
def test_of_versions_of_one_second_only_the_successors_can_pause(disabled: int, expected: OutcomeKind) -> None:
    # A forced rotation disables the version that it replaces, be that one of the same second.
    stage = a_rotated_stage()
    stage.holds(guid(3), created=NOW - 3 * DAY, version="forced")
    stage.vault.disable("sonarqube-pat", {2: "new", 3: "forced"}[disabled])

    assert stage.one(a_revoke(successor=guid(3))).kind == expected


def test_an_orphan_that_no_version_names_is_revoked() -> None:
    stage = a_rotated_stage()
    stage.pats.add(a_live_pat(guid(3)))
    outcome = stage.one(a_revoke(guid(3), reason=Reason.ORPHANED))

    assert (outcome.kind, stage.verbs) == (OutcomeKind.REVOKED, ["versions", "revoke"])


def test_an_orphan_that_no_version_names_is_revoked_even_when_its_secret_has_no_live_pat() -> None:
    stage = a_rotated_stage()
    stage.pats.add(a_live_pat(guid(3)))
    stage.pats.revoke_outside(guid(2))
    action = a_revoke(guid(3), reason=Reason.ORPHANED, successor=None, ripe_at=None)

    assert stage.one(action).kind == OutcomeKind.REVOKED


def test_a_superseded_pat_that_no_version_names_still_needs_its_successor_to_be_served() -> None:
    # Two PATs that swapped their secrets: the old one's version is in the other secret.
    stage = a_rotated_stage()
    stage.pats.add(a_live_pat(guid(3)))

    assert [stage.one(a_revoke(guid(3), successor=guid(n))).kind for n in (9, 2)] == [
        OutcomeKind.KEPT,
        OutcomeKind.REVOKED,
    ]


@pytest.mark.parametrize(
    ("ripe_at", "successor", "kind"),
    [
        pytest.param(NOW - SECOND, guid(2), OutcomeKind.REVOKED, id="its overlap is over"),
        pytest.param(NOW, guid(2), OutcomeKind.KEPT, id="its overlap ends now"),
        pytest.param(NOW + DAY, guid(2), OutcomeKind.KEPT, id="its overlap is running"),
        pytest.param(None, None, OutcomeKind.KEPT, id="its successor is not live"),
        pytest.param(NOW - SECOND, guid(9), OutcomeKind.KEPT, id="the vault serves another PAT by now"),
    ],
)
def test_an_orphan_that_a_version_names_is_treated_as_superseded(
    ripe_at: Any, successor: str | None, kind: OutcomeKind
) -> None:
    stage = a_rotated_stage()
    action = a_revoke(guid(1), reason=Reason.ORPHANED, successor=successor, ripe_at=ripe_at)

    assert stage.one(action).kind == kind


def test_an_orphan_is_kept_when_it_is_stored_just_before_it_is_revoked() -> None:
    stage = a_rotated_stage()
    stage.vault.before_next("versions", lambda: stage.holds(guid(3), created=NOW))
    action = a_revoke(guid(3), reason=Reason.ORPHANED)

    assert (stage.one(action).kind, stage.pats.is_live(guid(3))) == (OutcomeKind.KEPT, True)


def test_the_newest_version_is_never_disabled_even_when_two_share_its_second() -> None:
    stage = Stage()
    stage.holds(guid(1), created=NOW - 3 * DAY, version="twin")
    stage.holds(guid(2), created=NOW - 3 * DAY, version="newest")
    stage.one(a_revoke())

    assert "disable" not in stage.verbs


def test_a_version_that_cannot_be_disabled_does_not_keep_its_pat_alive_but_fails_the_run() -> None:
    stage = a_rotated_stage()
    stage.vault.fail_next("disable", REFUSED)
    report = stage.execute(a_revoke())

    assert verdict(report.outcomes[0]) == (OutcomeKind.REVOKED, "secret.refused")
    assert (stage.pats.is_live(guid(1)), report.failed) == (False, True)
    assert stage.events.of(Event.VERSION_LEFT_ENABLED) == [
        {
            "pat": "sonarqube",
            "secret": "sonarqube-pat",
            "secretVersion": "old",
            "error": "secret.refused",
            "remedy": "Disable this version by hand: it holds a revoked PAT.",
        }
    ]


@pytest.mark.parametrize("error", [SERVER_ERROR, SILENT, THROTTLED], ids=["answered", "unanswered", "throttled"])
def test_a_vault_that_is_out_of_order_keeps_the_pat_until_its_version_can_be_disabled(error: PatrolError) -> None:
    stage = a_rotated_stage()
    stage.vault.fail_next("disable", error)

    assert verdict(stage.one(a_revoke())) == (OutcomeKind.FAILED, error.reason)
    assert stage.pats.is_live(guid(1))

    assert stage.one(a_revoke()).kind is OutcomeKind.REVOKED
    assert (stage.pats.is_live(guid(1)), stage.vault.secrets["sonarqube-pat"][0].enabled) == (False, False)


def test_what_a_person_revokes_ends_even_when_the_vault_is_out_of_order() -> None:
    stage = a_rotated_stage()
    stage.vault.fail_next("disable", SILENT)
    outcome = stage.executor().end(a_revoke(), [stage.vault.secrets["sonarqube-pat"][0]])

    assert (verdict(outcome), stage.pats.is_live(guid(1))) == ((OutcomeKind.REVOKED, "vault.silent"), False)


def test_what_a_person_fails_to_revoke_is_told_with_its_cause() -> None:
    stage = a_rotated_stage()
    stage.pats.fail_next("revoke", REFUSED)
    outcome = stage.executor().end(a_revoke(), [])

    assert (verdict(outcome), outcome.authorization_id) == ((OutcomeKind.FAILED, "secret.refused"), guid(1))
    assert [fields["error"] for fields in stage.events.of(Event.PAT_REVOKE_FAILED)] == ["secret.refused"]


def test_versions_that_cannot_be_read_keep_the_pat() -> None:
    stage = a_rotated_stage()
    stage.vault.fail_next("versions", SILENT)

    assert verdict(stage.one(a_revoke())) == (OutcomeKind.FAILED, "vault.silent")
    assert (stage.verbs, stage.pats.is_live(guid(1))) == (["versions"], True)


def test_a_failed_revocation_takes_no_note() -> None:
    stage = a_rotated_stage()
    stage.pats.fail_next("revoke", REFUSED)
    stage.one(a_revoke())

    assert "replace-tags" not in stage.verbs


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        pytest.param([], [], id="none of none"),
        pytest.param([3, 2, 1], [1], id="the last by its date"),
        pytest.param([1, 3, 2], [1], id="the last by its date in whatever order"),
        pytest.param([3, 1, 1], [1, 1], id="all that share the last second"),
    ],
)
def test_the_newest_versions_are_found_by_date(ages: list[int], expected: list[int]) -> None:
    versions = tuple(a_record(created=NOW - age * DAY) for age in ages)

    assert [(NOW - item.created) // DAY for item in newest_versions(versions)] == expected


# ---- events ----------------------------------------------------------------------------------------------------------


def test_an_issue_tells_of_the_pat_as_soon_as_it_exists_and_again_when_it_is_stored() -> None:
    stage = Stage()
    stage.one(an_issue(reason=Reason.SPEC_CHANGED))
    place = {"pat": "sonarqube", "account": HOME.account, "organization": HOME.organization}
    born = {"authorizationId": FIRST, "validTo": NOW + SPEC.lifetime}

    assert stage.events.emitted == [
        ("pat.created", {**place, **born}),
        ("pat.issued", {**place, **born, "reason": "SPEC_CHANGED"}),
    ]


def test_a_pat_that_is_withdrawn_is_told_with_its_id() -> None:
    stage = Stage()
    stage.pats.issue_dead_tokens()
    stage.one(an_issue())

    assert stage.events.names == ["pat.created", "pat.withdrawn", "pat.issue-failed"]
    assert stage.events.of(Event.PAT_WITHDRAWN) == [{"pat": "sonarqube", "authorizationId": FIRST}]


def test_the_id_of_a_new_pat_is_on_record_before_anything_else_can_go_wrong() -> None:
    stage = Stage()
    seen: list[list[str]] = []
    stage.pats.before_next("verify", lambda: seen.append(stage.events.names))
    stage.one(an_issue())

    assert seen == [["pat.created"]]


def test_a_failure_tells_its_cause_and_the_remedy() -> None:
    stage = a_failing_stage()
    stage.one(an_issue())

    assert stage.events.emitted == [
        (
            "pat.issue-failed",
            {
                "pat": "sonarqube",
                "account": HOME.account,
                "organization": HOME.organization,
                "reason": "MISSING",
                "authorizationId": None,
                "error": "secret.refused",
                "message": "No.",
                "remedy": "Grant the role.",
            },
        )
    ]


@pytest.mark.parametrize(
    ("arrange", "expected"),
    [
        pytest.param(lambda _: None, "pat.revoked", id="a revocation"),
        pytest.param(lambda stage: stage.pats.fail_next("revoke", REFUSED), "pat.revoke-failed", id="a failed one"),
        pytest.param(lambda stage: stage.vault.write_by_hand("sonarqube-pat"), "pat.kept", id="one kept back"),
        pytest.param(lambda stage: stage.deadline.pass_now(), "pat.postponed", id="one without time"),
    ],
)
def test_every_revocation_tells_what_came_of_it(arrange: Any, expected: str) -> None:
    stage = a_rotated_stage()
    arrange(stage)
    stage.one(a_revoke())

    assert stage.events.names == [expected]


@pytest.mark.parametrize("verb", ["verify", "store", "versions", "revoke", "replace-tags"])
@pytest.mark.parametrize("fault", ["refused", "silent", "lost"])
def test_no_token_value_is_ever_told_whatever_fails(verb: str, fault: str) -> None:
    stage = Stage()
    observed = stage.holds(guid(1))
    remote = stage.pats if verb in {"verify", "revoke"} else stage.vault
    if verb in {"versions", "revoke", "replace-tags"}:
        stage.vault.fail_next("store", SERVER_ERROR)
    if fault == "lost":
        remote.lose_answer(verb)
    else:
        remote.fail_next(verb, REFUSED if fault == "refused" else SILENT)
    report = stage.execute(an_issue(observed=observed))

    assert ("create", HOME, "patrol/contoso/sonarqube") in stage.log
    assert CANARY not in stage.events.text() + repr(report) + str([outcome.error for outcome in report.outcomes])


def test_a_life_of_an_hour_is_fine() -> None:
    stage = Stage()
    stage.pats.shorten_lives(timedelta(hours=1))

    assert stage.one(an_issue()).kind == OutcomeKind.ISSUED
