from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import planner
from shared.errors import Unavailable
from shared.model import (
    ORPHAN_AGE,
    LivePat,
    Manifest,
    Observation,
    PatSpec,
    Plan,
    Reason,
    Skip,
    Source,
    State,
    Tag,
    VaultRecord,
)
from tests.builders import (
    DAY,
    FLEET,
    HOME,
    HOUR,
    NOW,
    SECOND,
    a_hand_written_record,
    a_live_pat,
    a_manifest,
    a_record,
    a_spec,
    an_observation,
    guid,
)

AWAY = Source("build-bot", "fabrikam")
OTHER_ACCOUNT = Source("release-bot", "contoso")
SILENT = Unavailable("no answer", reason="devops.silent", answered=False)

SPEC = a_spec()
REQUESTED = frozenset({SPEC.name})


def a_plan_of(observation: Observation, *specs: PatSpec, now: datetime = NOW, **options: Any) -> Plan:
    return planner.plan(a_manifest(*specs), observation, now=now, **options)


def an_assessment_of(observation: Observation, *specs: PatSpec, now: datetime = NOW, **options: Any) -> Any:
    return planner.assess(a_manifest(*specs), observation, now=now, **options)[0]


def reason_for(observation: Observation, *specs: PatSpec, **options: Any) -> Reason | None:
    return an_assessment_of(observation, *specs, **options).reason


def skip_of(plan: Plan, authorization_id: str) -> Skip:
    return next(skip for skip in plan.skipped if skip.authorization_id == authorization_id)


# ---- R7: reasons and their order -------------------------------------------------------------------------------------

GOOD = a_record()
EXPIRED_LONG_AGO = a_record(expires_on=NOW - DAY, created=NOW - 31 * DAY)
DUE = a_live_pat(valid_from=NOW - 25 * DAY)
CHANGED = a_record(tags={Tag.SPEC: "0" * 16})


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        pytest.param(
            an_observation(a_live_pat(), records=[GOOD]),
            None,
            id="nothing is done about a live PAT that the vault holds",
        ),
        pytest.param(
            an_observation(a_live_pat(), records=[replace(GOOD, enabled=False)]),
            Reason.PAUSED,
            id="a disabled secret is paused",
        ),
        pytest.param(
            an_observation(a_live_pat(), deleted=["sonarqube-pat"]),
            Reason.DELETED,
            id="a soft-deleted secret is left alone",
        ),
        pytest.param(
            an_observation(records=[GOOD], unreadable={HOME: SILENT}),
            Reason.UNREADABLE,
            id="a PAT whose list could not be read is not planned",
        ),
        pytest.param(
            an_observation(records=[a_record(fleet="fabrikam")]),
            Reason.OTHER_FLEET,
            id="a secret that another fleet writes is left to it",
        ),
        pytest.param(an_observation(), Reason.MISSING, id="a secret that is not in the vault is missing"),
        pytest.param(
            an_observation(a_live_pat(), records=[a_hand_written_record()]),
            Reason.UNTRACKED,
            id="a version that a person wrote is untracked",
        ),
        pytest.param(
            an_observation(a_live_pat(), records=[a_record(authorization_id=None)]),
            Reason.UNTRACKED,
            id="a version without an authorization id is untracked",
        ),
        pytest.param(
            an_observation(a_live_pat(), records=[a_record(authorization_id="not-a-guid")]),
            Reason.UNTRACKED,
            id="a version whose authorization id is no GUID is untracked",
        ),
        pytest.param(
            an_observation(records=[GOOD]), Reason.REVOKED_UPSTREAM, id="a PAT that died early was revoked upstream"
        ),
        pytest.param(
            an_observation(records=[a_record(expires_on=None)]),
            Reason.REVOKED_UPSTREAM,
            id="a dead PAT of unknown expiry counts as revoked upstream",
        ),
        pytest.param(
            an_observation(a_live_pat(), records=[CHANGED]), Reason.SPEC_CHANGED, id="other scopes are a changed spec"
        ),
        pytest.param(
            an_observation(listings={AWAY: [a_live_pat()]}, records=[a_record(a_spec(organization=AWAY.organization))]),
            Reason.SPEC_CHANGED,
            id="another organisation is a changed spec",
        ),
        pytest.param(
            an_observation(
                listings={OTHER_ACCOUNT: [a_live_pat()]}, records=[a_record(a_spec(account=OTHER_ACCOUNT.account))]
            ),
            Reason.SPEC_CHANGED,
            id="another account is a changed spec",
        ),
        pytest.param(
            an_observation(a_live_pat(name="old-name"), records=[a_record(tags={Tag.PAT: "old-name"})]),
            Reason.SPEC_CHANGED,
            id="another name is a changed spec",
        ),
        pytest.param(
            an_observation(DUE, records=[GOOD]), Reason.NEARING_EXPIRY, id="a PAT within its margin is nearing expiry"
        ),
        pytest.param(
            an_observation(records=[EXPIRED_LONG_AGO]),
            Reason.NEARING_EXPIRY,
            id="a PAT that has expired on its own date was not revoked upstream",
        ),
        pytest.param(
            an_observation(records=[a_record(expires_on=NOW)]),
            Reason.NEARING_EXPIRY,
            id="a PAT that expires this very second is not forgotten",
        ),
    ],
)
def test_each_state_of_the_world_has_its_reason(observation: Observation, expected: Reason | None) -> None:
    assert reason_for(observation, SPEC) == expected


def test_a_request_rotates_a_pat_that_nothing_else_calls_for() -> None:
    assert (
        reason_for(an_observation(a_live_pat(), records=[GOOD]), SPEC, requested=REQUESTED),
        reason_for(an_observation(a_live_pat(), records=[GOOD]), SPEC, requested=frozenset({"another"})),
    ) == (Reason.REQUESTED, None)


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        pytest.param(
            an_observation(records=[replace(GOOD, enabled=False)], unreadable={HOME: SILENT}),
            Reason.PAUSED,
            id="paused before unreadable",
        ),
        pytest.param(
            an_observation(a_live_pat(), records=[replace(a_record(fleet="fabrikam"), enabled=False)]),
            Reason.PAUSED,
            id="paused before other fleet",
        ),
        pytest.param(
            an_observation(records=[replace(a_hand_written_record(), enabled=False)]),
            Reason.PAUSED,
            id="paused before untracked",
        ),
        pytest.param(
            an_observation(deleted=["sonarqube-pat"], unreadable={HOME: SILENT}),
            Reason.DELETED,
            id="deleted before unreadable",
        ),
        pytest.param(an_observation(deleted=["sonarqube-pat"]), Reason.DELETED, id="deleted before missing"),
        pytest.param(
            an_observation(records=[a_record(fleet="fabrikam")], unreadable={HOME: SILENT}),
            Reason.UNREADABLE,
            id="unreadable before other fleet",
        ),
        pytest.param(an_observation(unreadable={HOME: SILENT}), Reason.UNREADABLE, id="unreadable before missing"),
        pytest.param(an_observation(deleted_unreadable=SILENT), Reason.UNREADABLE, id="perhaps deleted before missing"),
        pytest.param(
            an_observation(records=[a_record(fleet="fabrikam", expires_on=NOW - DAY)]),
            Reason.OTHER_FLEET,
            id="other fleet before nearing expiry",
        ),
        pytest.param(an_observation(), Reason.MISSING, id="missing before requested"),
        pytest.param(
            an_observation(records=[a_hand_written_record(expires_on=NOW + DAY)]),
            Reason.UNTRACKED,
            id="untracked before revoked upstream",
        ),
        pytest.param(
            an_observation(records=[a_hand_written_record(expires_on=NOW - DAY)]),
            Reason.UNTRACKED,
            id="untracked before nearing expiry",
        ),
        pytest.param(
            an_observation(records=[CHANGED]), Reason.REVOKED_UPSTREAM, id="revoked upstream before changed spec"
        ),
        pytest.param(
            an_observation(DUE, records=[CHANGED]), Reason.SPEC_CHANGED, id="changed spec before nearing expiry"
        ),
        pytest.param(an_observation(DUE, records=[GOOD]), Reason.NEARING_EXPIRY, id="nearing expiry before requested"),
    ],
)
def test_when_several_rules_hold_the_first_gives_the_reason(observation: Observation, expected: Reason) -> None:
    assert reason_for(observation, SPEC, requested=REQUESTED) == expected


def test_the_rules_are_asked_in_the_documented_order() -> None:
    assert [reason for reason, _ in planner.LEAVE_ALONE + planner.ISSUE] == [
        Reason.PAUSED,
        Reason.DELETED,
        Reason.UNREADABLE,
        Reason.OTHER_FLEET,
        Reason.MISSING,
        Reason.UNTRACKED,
        Reason.REVOKED_UPSTREAM,
        Reason.SPEC_CHANGED,
        Reason.NEARING_EXPIRY,
        Reason.REQUESTED,
    ]


def test_key_vaults_names_ignore_case() -> None:
    record = replace(a_record(), secret="SonarQube-PAT")

    assert reason_for(an_observation(a_live_pat(), records=[record]), a_spec(secret="sonarQUBE-pat")) is None


# ---- what an issue carries -------------------------------------------------------------------------------------------


def test_an_issue_carries_everything_that_carrying_it_out_needs() -> None:
    (issue,) = a_plan_of(an_observation(), SPEC).issues

    assert (issue.display_name, issue.valid_to, issue.reason, issue.observed, dict(issue.tags)) == (
        "patrol/contoso/sonarqube",
        NOW + SPEC.lifetime,
        Reason.MISSING,
        None,
        {
            "managed-by": "patrol",
            "fleet": "contoso",
            "pat": "sonarqube",
            "account": "build-bot",
            "organization": "contoso",
            "spec": SPEC.digest,
        },
    )


def test_an_assessment_says_when_a_pat_is_due_whether_it_is_issued_and_that_it_does_not_wait() -> None:
    observations = [
        an_observation(a_live_pat(), records=records) for records in ([replace(GOOD, enabled=False)], [GOOD], [CHANGED])
    ]
    assessments = [an_assessment_of(observation, SPEC) for observation in observations]

    assert [item.issue for item in assessments] == [False, False, True]
    dates = planner.schedule(FLEET, SPEC, a_live_pat())
    assert [(item.schedule, item.retry_at) for item in assessments] == [(dates, None)] * 3


def test_an_id_in_capitals_is_an_id_too() -> None:
    shouted = guid(0xABCDEF).upper()
    observation = an_observation(a_live_pat(shouted), records=[a_record(authorization_id=shouted)])

    assert reason_for(observation, SPEC) is None


def test_an_issue_names_the_version_that_was_observed() -> None:
    (issue,) = a_plan_of(an_observation(DUE, records=[GOOD]), SPEC).issues

    assert issue.observed == GOOD


@pytest.mark.parametrize("former", [AWAY, OTHER_ACCOUNT], ids=["organisation", "account"])
def test_a_pat_that_moves_notes_where_its_predecessor_lives(former: Source) -> None:
    record = a_record(a_spec(account=former.account, organization=former.organization))

    (issue,) = a_plan_of(an_observation(listings={former: [a_live_pat()]}, records=[record]), SPEC).issues

    assert issue.tags[Tag.FORMER_SOURCE] == f"{former.account}/{former.organization}"


def test_a_pat_that_stays_notes_no_former_source() -> None:
    (issue,) = a_plan_of(an_observation(DUE, records=[GOOD]), SPEC).issues

    assert Tag.FORMER_SOURCE not in issue.tags


MOVED = a_record(authorization_id=guid(2), created=NOW - DAY, tags={Tag.FORMER_SOURCE: "build-bot/fabrikam"})
BEFORE_THE_MOVE = a_live_pat(guid(1), valid_from=NOW - 5 * DAY)
AFTER_THE_MOVE = a_live_pat(guid(2), valid_from=NOW - DAY)


@pytest.mark.parametrize(
    "listings",
    [
        pytest.param({HOME: [AFTER_THE_MOVE], AWAY: [BEFORE_THE_MOVE]}, id="where it is seen to live"),
        pytest.param({HOME: [AFTER_THE_MOVE]}, id="where nobody has looked"),
    ],
)
def test_a_rotation_soon_after_a_move_does_not_lose_sight_of_the_predecessor(
    listings: dict[Source, list[LivePat]],
) -> None:
    (issue,) = a_plan_of(an_observation(listings=listings, records=[MOVED]), SPEC, requested=REQUESTED).issues

    assert issue.tags[Tag.FORMER_SOURCE] == "build-bot/fabrikam"


def test_a_pat_that_moves_again_and_again_notes_its_last_two_homes() -> None:
    # A tag's value is short: places of 99 characters fit twice.
    record = a_record(
        a_spec(organization="third"), tags={Tag.FORMER_SOURCE: "build-bot/second build-bot/first build-bot/zeroth"}
    )
    (issue,) = a_plan_of(an_observation(listings={HOME: []}, records=[record]), SPEC).issues

    assert issue.tags[Tag.FORMER_SOURCE] == "build-bot/third build-bot/second"


def test_a_former_source_where_nothing_of_the_pat_lives_any_more_is_forgotten() -> None:
    observation = an_observation(
        listings={HOME: [AFTER_THE_MOVE], AWAY: [a_live_pat(guid(9), name="another")]}, records=[MOVED]
    )

    (issue,) = a_plan_of(observation, SPEC, requested=REQUESTED).issues

    assert Tag.FORMER_SOURCE not in issue.tags


# ---- R6: the schedule ------------------------------------------------------------------------------------------------


def the_schedule(spec: PatSpec = SPEC, pat: LivePat | None = None, fleet: str = "contoso") -> planner.Schedule:
    return planner.schedule(fleet, spec, pat or a_live_pat())


@pytest.mark.parametrize(
    ("life", "margin"),
    [
        pytest.param(timedelta(days=30), timedelta(days=10), id="the manifest's margin where the life allows it"),
        pytest.param(timedelta(days=60), timedelta(days=10), id="never more than the manifest's margin"),
        pytest.param(timedelta(days=7), timedelta(days=7) / 3, id="a third of a life that the server shortened"),
        pytest.param(timedelta(hours=3), timedelta(hours=1), id="a third of a very short life"),
    ],
)
def test_the_margin_is_the_manifests_but_never_more_than_a_third_of_the_life(
    life: timedelta, margin: timedelta
) -> None:
    pat = a_live_pat(life=life)
    dates = the_schedule(pat=pat)

    assert pat.valid_to - margin * 1.1 <= dates.due_at <= pat.valid_to - margin
    assert dates.overdue_at == pat.valid_to - margin / 2


def test_a_pat_is_due_at_its_date_and_not_a_second_earlier() -> None:
    pat = a_live_pat()
    due_at = the_schedule(pat=pat).due_at
    observation = an_observation(pat, records=[GOOD])

    assert [reason_for(observation, SPEC, now=due_at + shift) for shift in (-SECOND, timedelta(), SECOND)] == [
        None,
        Reason.NEARING_EXPIRY,
        Reason.NEARING_EXPIRY,
    ]


def test_the_jitter_is_the_same_in_every_run_and_for_every_scope() -> None:
    assert the_schedule() == the_schedule(a_spec(scopes=("vso.wiki",), secret="elsewhere"))


def test_the_jitter_stays_within_a_tenth_of_the_margin_and_spreads_a_fleet() -> None:
    pat, margin = a_live_pat(), timedelta(days=10)
    shifts = [(pat.valid_to - margin - the_schedule(a_spec(f"pat-{n}")).due_at) / margin for n in range(200)]

    assert 0 <= min(shifts) < 0.01
    assert 0.09 < max(shifts) < 0.1
    assert len(set(shifts)) == 200


def test_two_fleets_do_not_share_a_jitter() -> None:
    assert the_schedule(fleet="contoso").due_at != the_schedule(fleet="fabrikam").due_at


@pytest.mark.parametrize(
    "life", [timedelta(days=30), timedelta(days=7), timedelta(days=1), timedelta(hours=1)], ids=str
)
def test_a_shortened_life_does_not_make_a_new_pat_due(life: timedelta) -> None:
    born = a_live_pat(valid_from=NOW, life=life)
    record = a_record(created=NOW, expires_on=born.valid_to)

    assert reason_for(an_observation(born, records=[record]), SPEC, now=NOW + life / 2) is None


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(timedelta(days=1), State.OK, id="a young PAT is ok"),
        pytest.param(timedelta(days=21), State.DUE, id="a PAT within its margin is due"),
        pytest.param(timedelta(days=25), State.OVERDUE, id="half of the margin gone is overdue"),
        pytest.param(timedelta(days=30), State.EXPIRED, id="the end of its life is expired"),
    ],
)
def test_the_state_follows_the_age(age: timedelta, expected: State) -> None:
    pat = a_live_pat(valid_from=NOW - age)

    assert an_assessment_of(an_observation(pat, records=[GOOD]), SPEC).state == expected


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        pytest.param(
            an_observation(a_live_pat(), records=[replace(GOOD, enabled=False)]), State.PAUSED, id="a paused PAT"
        ),
        pytest.param(an_observation(deleted=["sonarqube-pat"]), State.UNREADABLE, id="a deleted secret"),
        pytest.param(an_observation(unreadable={HOME: SILENT}), State.UNREADABLE, id="an unreadable source"),
        pytest.param(an_observation(records=[GOOD]), State.EXPIRED, id="a PAT that was revoked upstream"),
        pytest.param(an_observation(), State.DUE, id="a PAT that was never there"),
        pytest.param(an_observation(a_live_pat(), records=[CHANGED]), State.DUE, id="a PAT with other scopes"),
    ],
)
def test_every_pat_has_a_state_for_people(observation: Observation, expected: State) -> None:
    assert an_assessment_of(observation, SPEC).state == expected


# ---- surplus PATs: superseded, orphaned, retired, somebody else's ----------------------------------------------------

CURRENT = a_live_pat(guid(2), valid_from=NOW - 3 * DAY)
STORED = a_record(authorization_id=guid(2), created=NOW - 3 * DAY)
OLD = a_live_pat(guid(1), valid_from=NOW - 20 * DAY)


def test_a_predecessor_is_superseded_and_revoked_after_the_overlap() -> None:
    (action,) = a_plan_of(an_observation(OLD, CURRENT, records=[STORED]), SPEC).revocations

    assert (action.authorization_id, action.reason, action.successor, action.ripe_at, action.source, action.secret) == (
        guid(1),
        Reason.SUPERSEDED,
        guid(2),
        STORED.created + SPEC.overlap,
        HOME,
        "sonarqube-pat",
    )


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        pytest.param(-SECOND, [], id="a second before its end"),
        pytest.param(timedelta(), [], id="at its very end"),
        pytest.param(SECOND, [guid(1)], id="a second after its end"),
    ],
)
def test_the_overlap_counts_from_the_successors_store(shift: timedelta, expected: list[str]) -> None:
    now = STORED.created + SPEC.overlap + shift
    plan = a_plan_of(an_observation(OLD, CURRENT, records=[STORED]), SPEC, now=now)

    assert [action.authorization_id for action in plan.revocations] == expected


def test_a_superseded_pat_that_a_slower_run_may_yet_store_outlives_even_a_short_overlap() -> None:
    spec = replace(SPEC, overlap=timedelta(minutes=5))
    racing = replace(OLD, valid_from=CURRENT.valid_from - timedelta(minutes=1))
    seen = an_observation(racing, CURRENT, records=[STORED])

    young = a_plan_of(seen, spec, now=racing.valid_from + ORPHAN_AGE)
    settled = a_plan_of(seen, spec, now=racing.valid_from + ORPHAN_AGE + SECOND)

    detail = "a run that is still alive may be about to store it"
    assert young.skipped == (Skip("sonarqube", Reason.SUPERSEDED, detail, guid(1), racing.valid_from + ORPHAN_AGE),)
    assert [action.authorization_id for action in settled.revocations] == [guid(1)]


def test_a_pat_in_overlap_says_until_when() -> None:
    plan = a_plan_of(an_observation(OLD, CURRENT, records=[STORED]), SPEC, now=STORED.created + HOUR)

    assert plan.skipped == (Skip("sonarqube", Reason.SUPERSEDED, "in overlap", guid(1), STORED.created + SPEC.overlap),)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(ORPHAN_AGE - SECOND, [], id="a second younger than the limit"),
        pytest.param(ORPHAN_AGE, [], id="exactly as old as the limit"),
        pytest.param(ORPHAN_AGE + SECOND, [guid(3)], id="a second older than the limit"),
    ],
)
def test_an_orphan_is_revoked_only_beyond_its_age_limit(age: timedelta, expected: list[str]) -> None:
    orphan = a_live_pat(guid(3), valid_from=NOW - age)
    plan = a_plan_of(an_observation(CURRENT, orphan, records=[STORED]), SPEC)

    assert [(action.authorization_id, action.reason) for action in plan.revocations] == [
        (identity, Reason.ORPHANED) for identity in expected
    ]


def test_a_young_orphan_says_until_when_it_waits() -> None:
    orphan = a_live_pat(guid(3), valid_from=NOW - timedelta(minutes=10))
    plan = a_plan_of(an_observation(CURRENT, orphan, records=[STORED]), SPEC)

    assert plan.skipped == (
        Skip(
            "sonarqube",
            Reason.ORPHANED,
            "a run that is still alive may be about to store it",
            guid(3),
            orphan.valid_from + ORPHAN_AGE,
        ),
    )


def test_the_orphan_age_outlives_every_run() -> None:
    function_timeout = timedelta(minutes=10)

    assert function_timeout * 2 <= ORPHAN_AGE


def test_a_pat_as_old_as_the_current_one_counts_as_orphaned_so_that_its_versions_are_read() -> None:
    twin = replace(OLD, valid_from=CURRENT.valid_from)
    plan = a_plan_of(an_observation(twin, CURRENT, records=[STORED]), SPEC)

    assert [action.reason for action in plan.revocations] == [Reason.ORPHANED]


def test_a_pat_of_the_current_ones_own_moment_is_no_predecessor_and_waits_for_no_overlap() -> None:
    ends = planner.superfluous_after(SPEC, NOW, since=NOW, stored=NOW + DAY)
    assert ends == NOW + ORPHAN_AGE


def test_without_a_live_successor_a_superseded_pat_is_kept() -> None:
    plan = a_plan_of(an_observation(OLD, records=[STORED]), SPEC)

    detail = "its successor is not live, so it may still be needed"
    assert (plan.revocations, skip_of(plan, guid(1))) == ((), Skip("sonarqube", Reason.SUPERSEDED, detail, guid(1)))


def test_a_person_who_writes_the_secret_by_hand_does_not_end_the_pat_before_it() -> None:
    plan = a_plan_of(an_observation(OLD, records=[a_hand_written_record()]), SPEC)

    assert (plan.revocations, [issue.reason for issue in plan.issues]) == ((), [Reason.UNTRACKED])


FOREIGN_NAMES = [
    "sonarqube",
    "patrol",
    "patrol/contoso",
    "patrol/contoso/",
    "patrol/fabrikam/sonarqube",
    "patrol/contoso-retail/sonarqube",
    "patrol/contos/sonarqube",
    "Patrol/contoso/sonarqube",
    "patrol/Contoso/sonarqube",
    " patrol/contoso/sonarqube",
    "my patrol/contoso/sonarqube",
    "patrol\\contoso\\sonarqube",
    "patrol/contoso\u2215sonarqube",
    "\u0440atrol/contoso/sonarqube",
    "",
]


@pytest.mark.parametrize("display_name", FOREIGN_NAMES)
def test_a_pat_without_exactly_our_marker_is_not_even_mentioned(display_name: str) -> None:
    foreign = a_live_pat(guid(7), display_name=display_name, valid_from=NOW - 20 * DAY)
    plan = a_plan_of(an_observation(CURRENT, foreign, records=[STORED]), SPEC)

    assert (plan.revocations, plan.refused, plan.skipped) == ((), (), ())


@pytest.mark.parametrize("name", ["gone", "sonarqube ", "sonarqube/old", "Sonarqube", "sonarqube-pat"])
def test_a_marked_pat_whose_name_is_not_in_the_manifest_is_retired_and_reported(name: str) -> None:
    retired = a_live_pat(guid(7), name, valid_from=NOW - 20 * DAY)
    plan = a_plan_of(an_observation(CURRENT, retired, records=[STORED]), SPEC)

    assert (plan.revocations, plan.skipped) == (
        (),
        (Skip(name, Reason.RETIRED, "not in the manifest", guid(7), retired.valid_to),),
    )


GONE = a_spec("gone", account="old-bot", organization="fabrikam")


@pytest.mark.parametrize("spec", [GONE, replace(GONE, account="build-bot")], ids=["account", "organisation"])
def test_a_pat_of_an_account_or_organisation_that_left_the_manifest_is_told_though_nothing_lists_it(
    spec: PatSpec,
) -> None:
    record = a_record(spec, guid(7))
    plan = a_plan_of(an_observation(CURRENT, records=[STORED, record]), SPEC)

    detail = f"the manifest has no PAT of {spec.account} in fabrikam any more, so nothing lists or revokes this one"
    assert (plan.issues, plan.revocations, plan.refused) == ((), (), ())
    assert plan.skipped == (Skip("gone", Reason.RETIRED, detail, guid(7), record.expires_on),)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(a_record(GONE, guid(7), expires_on=NOW), id="it has expired"),
        pytest.param(a_record(GONE, guid(7), enabled=False), id="a person has seen to it"),
        pytest.param(a_record(GONE, guid(7), fleet="fabrikam"), id="another fleet's"),
        pytest.param(a_record(GONE, "no id"), id="no PAT's"),
        pytest.param(a_record(GONE, guid(7), tags={Tag.ACCOUNT: None}), id="it does not say whose"),
        pytest.param(a_hand_written_record(GONE), id="a person's"),
    ],
)
def test_a_secret_that_is_not_of_a_living_pat_of_ours_is_not_mentioned(record: VaultRecord) -> None:
    assert a_plan_of(an_observation(CURRENT, records=[STORED, record]), SPEC).skipped == ()


def test_a_pat_out_of_sight_whose_version_does_not_say_its_name_is_told_by_its_secret() -> None:
    record = a_record(GONE, guid(7), tags={Tag.PAT: None})

    assert skip_of(a_plan_of(an_observation(CURRENT, records=[STORED, record]), SPEC), guid(7)).pat == GONE.secret


def test_a_pat_whose_expiry_the_vault_does_not_tell_is_told_too() -> None:
    record = a_record(GONE, guid(7), expires_on=None)

    assert skip_of(a_plan_of(an_observation(CURRENT, records=[STORED, record]), SPEC), guid(7)).until is None


@pytest.mark.parametrize(
    "observation",
    [
        pytest.param(an_observation(CURRENT, records=[STORED, a_record(GONE, guid(7))]), id="out of sight"),
        pytest.param(
            an_observation(
                CURRENT,
                listings={GONE.source: [a_live_pat(guid(7), "gone")]},
                records=[STORED, a_record(GONE, guid(7))],
            ),
            id="listed",
        ),
    ],
)
def test_a_retired_pat_is_told_once(observation: Observation) -> None:
    assert [skip.authorization_id for skip in a_plan_of(observation, SPEC).skipped] == [guid(7)]


def test_a_retired_pat_whose_list_cannot_be_read_is_not_called_out_of_sight() -> None:
    observation = an_observation(CURRENT, records=[STORED, a_record(GONE, guid(7))], unreadable={GONE.source: SILENT})

    assert a_plan_of(observation, SPEC).skipped == ()


def test_a_pat_that_moves_from_an_account_that_left_the_manifest_is_told_and_rotated() -> None:
    moved_from = a_record(replace(SPEC, account="old-bot"), guid(1))
    plan = a_plan_of(an_observation(records=[moved_from]), SPEC)

    assert ([issue.reason for issue in plan.issues], [skip.reason for skip in plan.skipped]) == (
        [Reason.SPEC_CHANGED],
        [Reason.RETIRED],
    )


def test_a_pat_that_two_organisations_list_is_judged_once_and_where_its_spec_lives() -> None:
    # `build-bot/aaa` sorts first, so the listing order alone would take it.
    elsewhere = Source("build-bot", "aaa")
    observation = an_observation(listings={elsewhere: [OLD, CURRENT], HOME: [OLD, CURRENT]}, records=[STORED])

    assert [(item.source, item.authorization_id) for item in a_plan_of(observation, SPEC).revocations] == [
        (HOME, guid(1))
    ]


@pytest.mark.parametrize("former", [AWAY, OTHER_ACCOUNT], ids=["organisation", "account"])
def test_the_predecessor_of_a_moved_pat_is_revoked_where_it_lives(former: Source) -> None:
    record = replace(STORED, tags={**STORED.tags, Tag.FORMER_SOURCE: f"{former.account}/{former.organization}"})
    observation = an_observation(listings={HOME: [CURRENT], former: [OLD]}, records=[record])

    assert [(item.source, item.reason) for item in a_plan_of(observation, SPEC).revocations] == [
        (former, Reason.SUPERSEDED)
    ]


def test_a_pat_that_moved_keeps_its_predecessor_until_the_move_is_stored() -> None:
    moved_from = a_record(a_spec(organization="fabrikam"), created=NOW - 20 * DAY)
    plan = a_plan_of(an_observation(listings={HOME: [], AWAY: [a_live_pat()]}, records=[moved_from]), SPEC)

    assert ([issue.reason for issue in plan.issues], plan.revocations) == ([Reason.SPEC_CHANGED], ())


def test_a_secret_renamed_in_the_manifest_leaves_the_pat_that_the_old_secret_still_serves() -> None:
    renamed = a_spec(secret="new-secret")
    before = a_record(SPEC, guid(1), created=NOW - 20 * DAY)
    plans = (
        a_plan_of(an_observation(OLD, records=[before]), renamed),
        a_plan_of(
            an_observation(OLD, CURRENT, records=[before, replace(STORED, secret="new-secret")]),
            renamed,
        ),
    )

    detail = "served by a secret that the manifest does not name for it"
    skip = Skip("sonarqube", Reason.RETIRED, detail, guid(1), OLD.valid_to)
    assert [(plan.revocations, skip_of(plan, guid(1))) for plan in plans] == [((), skip)] * 2


def test_two_pats_that_swap_their_secrets_keep_what_each_secret_serves() -> None:
    one, two = a_spec("one", secret="second"), a_spec("two", secret="first")
    observation = an_observation(
        a_live_pat(guid(1), "one"),
        a_live_pat(guid(2), "two"),
        records=[
            a_record(a_spec("one", secret="first"), guid(1)),
            a_record(a_spec("two", secret="second"), guid(2)),
        ],
    )
    plan = a_plan_of(observation, one, two)

    assert ([issue.reason for issue in plan.issues], plan.revocations) == ([Reason.SPEC_CHANGED] * 2, ())


def test_two_fleets_on_one_secret_leave_each_other_alone() -> None:
    theirs = a_live_pat(guid(5), fleet="fabrikam")
    plan = a_plan_of(an_observation(OLD, theirs, records=[a_record(authorization_id=guid(5), fleet="fabrikam")]), SPEC)

    assert (plan.issues, plan.revocations, [skip.reason for skip in plan.skipped]) == ((), (), [Reason.OTHER_FLEET])


def test_a_tag_that_names_somebody_elses_pat_does_not_make_it_ours() -> None:
    foreign = a_live_pat(guid(7), display_name="ci of another team", valid_from=NOW - 20 * DAY)
    ours = a_live_pat(guid(1), valid_from=NOW - 21 * DAY)
    plan = a_plan_of(an_observation(ours, foreign, records=[a_record(authorization_id=guid(7))]), SPEC)

    assert ([issue.reason for issue in plan.issues], plan.revocations) == ([Reason.UNTRACKED], ())


def test_a_tag_that_names_another_pat_of_the_fleet_does_not_count_as_current() -> None:
    another = a_live_pat(guid(8), name="build-agents")
    observation = an_observation(another, records=[a_record(authorization_id=guid(8))])

    assert (reason_for(observation, SPEC), an_assessment_of(observation, SPEC).current) == (Reason.UNTRACKED, None)


@pytest.mark.parametrize("name", ["sonarqube", "None", "XXXX"])
def test_a_tracked_version_that_does_not_say_whose_pat_it_holds_is_untracked(name: str) -> None:
    # However the PAT is called that it names: a missing tag is no name.
    record = a_record(tags={Tag.PAT: None})

    assert reason_for(an_observation(a_live_pat(name=name), records=[record]), SPEC) == Reason.UNTRACKED


def test_a_tag_that_keeps_an_old_pat_in_another_secret_alive_never_gets_one_revoked() -> None:
    decoy = replace(a_record(authorization_id=guid(1)), secret="decoy")
    plan = a_plan_of(an_observation(OLD, CURRENT, records=[STORED, decoy]), SPEC)

    assert (plan.revocations, skip_of(plan, guid(1)).reason) == ((), Reason.RETIRED)


@pytest.mark.parametrize(
    ("records", "deleted"),
    [
        pytest.param([replace(STORED, enabled=False)], [], id="paused"),
        pytest.param([], ["sonarqube-pat"], id="deleted"),
    ],
)
def test_nothing_of_a_paused_or_deleted_pat_is_touched(records: list[Any], deleted: list[str]) -> None:
    stray = a_live_pat(guid(3), valid_from=NOW - 2 * DAY)
    plan = a_plan_of(an_observation(OLD, CURRENT, stray, records=records, deleted=deleted), SPEC, requested=REQUESTED)

    assert (plan.issues, plan.revocations, plan.refused) == ((), (), ())


def test_nothing_of_a_pat_whose_home_cannot_be_read_is_touched_elsewhere() -> None:
    observation = an_observation(listings={AWAY: [OLD]}, records=[STORED], unreadable={HOME: SILENT})

    plan = a_plan_of(observation, SPEC)

    assert (plan.issues, plan.revocations, plan.complete) == ((), (), False)


# ---- R8: refusing mass revocation ------------------------------------------------------------------------------------


def a_fleet_with_orphans(current: int, orphans: int) -> tuple[Manifest, Observation]:
    specs = [a_spec(f"pat-{n}") for n in range(current)]
    live = [a_live_pat(guid(n + 1), spec.name) for n, spec in enumerate(specs)]
    strays = [a_live_pat(guid(0xA000 + n), specs[n % current].name, valid_from=NOW - 2 * DAY) for n in range(orphans)]
    records = [a_record(spec, guid(n + 1)) for n, spec in enumerate(specs)]
    return a_manifest(*specs), an_observation(*live, *strays, records=records)


@pytest.mark.parametrize(
    ("current", "orphans", "refused"),
    [
        pytest.param(1, 5, 0, id="five are always allowed"),
        pytest.param(1, 6, 6, id="six of a small fleet are refused"),
        pytest.param(90, 10, 0, id="a tenth of a large fleet is allowed"),
        pytest.param(89, 11, 11, id="more than a tenth of a large fleet is refused"),
    ],
)
def test_many_orphans_at_once_are_refused_and_reported(current: int, orphans: int, refused: int) -> None:
    manifest, observation = a_fleet_with_orphans(current, orphans)
    plan = planner.plan(manifest, observation, now=NOW)

    assert (len(plan.refused), len(plan.revocations)) == (refused, orphans - refused)


def test_refusing_orphans_does_not_hold_up_issues_or_superseded_pats() -> None:
    strays = [a_live_pat(guid(0xA000 + n), valid_from=NOW - 2 * DAY) for n in range(6)]
    plan = a_plan_of(an_observation(OLD, CURRENT, *strays, records=[STORED]), SPEC, a_spec("new-one"))

    assert (
        [issue.spec.name for issue in plan.issues],
        [action.authorization_id for action in plan.revocations],
        len(plan.refused),
    ) == (["new-one"], [guid(1)], 6)


def test_an_empty_vault_is_refilled_and_nothing_is_revoked() -> None:
    plan = a_plan_of(an_observation(OLD), SPEC)

    assert ([issue.reason for issue in plan.issues], plan.revocations) == ([Reason.MISSING], ())
    assert [action.authorization_id for action in plan.refused] == [guid(1)]


def test_a_vault_that_knows_only_other_fleets_counts_as_empty() -> None:
    other = a_record(a_spec("theirs"), guid(5), fleet="fabrikam")
    plan = a_plan_of(an_observation(OLD, records=[other]), SPEC)

    assert (plan.revocations, [action.authorization_id for action in plan.refused]) == ((), [guid(1)])


def test_an_orphan_of_a_missing_secret_waits_until_the_vault_names_a_successor() -> None:
    known = a_spec("known")
    plan = a_plan_of(an_observation(OLD, a_live_pat(guid(2), "known"), records=[a_record(known, guid(2))]), SPEC, known)

    assert (plan.revocations, plan.refused, skip_of(plan, guid(1)).reason) == ((), (), Reason.ORPHANED)


def test_an_orphan_that_waits_is_told_of_while_others_are_refused() -> None:
    manifest, observation = a_fleet_with_orphans(1, 6)
    former = a_live_pat(guid(7), "new-one", valid_from=NOW - 10 * DAY)
    listing = {**observation.listings[HOME], guid(7): former}
    observation = replace(observation, listings={HOME: listing})
    plan = planner.plan(a_manifest(*manifest.pats, a_spec("new-one")), observation, now=NOW)

    waiting = Skip("new-one", Reason.ORPHANED, "waits until the vault names a successor", guid(7))
    assert (len(plan.refused), plan.skipped) == (6, (waiting,))


# ---- back-off --------------------------------------------------------------------------------------------------------


def a_failed_record(retry_at: str, spec: PatSpec = SPEC, **changes: Any) -> Any:
    tags = {Tag.FAILURES: "1", Tag.RETRY_AT: retry_at, Tag.FAILED_SPEC: spec.digest}
    return a_record(tags={**tags, **changes})


def in_an_hour() -> str:
    return (NOW + HOUR).isoformat(timespec="seconds")


def test_an_orphan_whose_name_got_the_secret_of_another_pat_waits_as_well() -> None:
    # Nothing tells whether the secret that the name had before was served until a moment ago.
    theirs = a_record(created=NOW - 20 * DAY, tags={Tag.PAT: "known"})
    former = a_live_pat(guid(7), valid_from=NOW - 10 * DAY)
    plan = a_plan_of(an_observation(a_live_pat(guid(1), "known"), former, records=[theirs]), SPEC)

    waiting = Skip("sonarqube", Reason.ORPHANED, "waits until the vault names a successor", guid(7))
    assert (plan.revocations, plan.refused, waiting in plan.skipped) == ((), (), True)


def test_a_pat_that_failed_waits_and_says_until_when() -> None:
    plan = a_plan_of(an_observation(DUE, records=[a_failed_record(in_an_hour())]), SPEC)

    assert (plan.issues, plan.skipped) == ((), (Skip("sonarqube", Reason.BACKING_OFF, until=NOW + HOUR),))


def test_a_pat_that_failed_is_tried_again_when_its_time_has_come() -> None:
    observation = an_observation(DUE, records=[a_failed_record(in_an_hour())])

    assert [reason_for(observation, SPEC, now=NOW + HOUR + shift) for shift in (-SECOND, timedelta())] == [
        Reason.BACKING_OFF,
        Reason.NEARING_EXPIRY,
    ]


def test_a_request_does_not_wait_for_the_back_off() -> None:
    observation = an_observation(a_live_pat(), records=[a_failed_record(in_an_hour())])

    assert reason_for(observation, SPEC, requested=REQUESTED) == Reason.REQUESTED


def test_a_changed_spec_does_not_wait_for_the_back_off() -> None:
    changed = a_spec(scopes=("vso.wiki",))
    observation = an_observation(a_live_pat(), records=[a_failed_record(in_an_hour())])

    assert reason_for(observation, changed) == Reason.SPEC_CHANGED


def test_a_back_off_that_is_longer_than_any_that_is_noted_was_edited_and_is_ignored() -> None:
    edited = a_failed_record("9999-01-01T00:00:00+00:00")
    assert reason_for(an_observation(DUE, records=[edited]), SPEC) == Reason.NEARING_EXPIRY


def test_the_longest_back_off_that_is_noted_counts() -> None:
    longest = a_failed_record((NOW + planner.LONGEST_PATIENCE).isoformat())
    assert reason_for(an_observation(DUE, records=[longest]), SPEC) == Reason.BACKING_OFF


@pytest.mark.parametrize("retry_at", ["", "soon", "0", "2026-13-01T00:00:00", "9" * 400, "\u0663"])
def test_a_back_off_tag_that_cannot_be_read_counts_as_none(retry_at: str) -> None:
    assert reason_for(an_observation(DUE, records=[a_failed_record(retry_at)]), SPEC) == Reason.NEARING_EXPIRY


def test_a_back_off_tag_without_a_zone_is_utc() -> None:
    naive = (NOW + HOUR).replace(tzinfo=None).isoformat()

    assert reason_for(an_observation(DUE, records=[a_failed_record(naive)]), SPEC) == Reason.BACKING_OFF


def test_a_back_off_tag_in_another_zone_is_the_same_moment() -> None:
    elsewhere = timezone(timedelta(hours=2))
    until = (NOW + HOUR).astimezone(elsewhere)
    plan = a_plan_of(an_observation(DUE, records=[a_failed_record(until.isoformat())]), SPEC)

    assert [skip.until for skip in plan.skipped] == [NOW + HOUR]


def test_a_failure_without_a_back_off_tag_does_not_wait() -> None:
    record = a_record(tags={Tag.FAILED_SPEC: SPEC.digest})
    assert reason_for(an_observation(DUE, records=[record]), SPEC) == Reason.NEARING_EXPIRY


def test_back_off_doubles_from_an_hour_to_eight() -> None:
    assert [planner.backoff(a_spec(), n) / HOUR for n in (1, 2, 3, 4, 5, 100, 10**6)] == [1, 2, 4, 8, 8, 8, 8]


def test_back_off_never_takes_more_than_a_tenth_of_the_margin() -> None:
    short = a_spec(lifetime=12 * HOUR, rotate_before=5 * HOUR, overlap=HOUR)

    assert [planner.backoff(short, n) for n in (1, 9)] == [timedelta(minutes=30)] * 2


# ---- determinism and order -------------------------------------------------------------------------------------------


def test_pats_without_a_working_value_come_first_and_then_the_next_to_expire() -> None:
    specs = [a_spec(name) for name in ("late", "soon", "b-missing", "a-missing")]
    observation = an_observation(
        a_live_pat(guid(1), "late", valid_from=NOW - 25 * DAY),
        a_live_pat(guid(2), "soon", valid_from=NOW - 29 * DAY),
        records=[a_record(specs[0], guid(1)), a_record(specs[1], guid(2))],
    )

    assert [issue.spec.name for issue in a_plan_of(observation, *specs).issues] == [
        "a-missing",
        "b-missing",
        "soon",
        "late",
    ]


def test_revocations_and_skips_are_in_order_of_name_and_id() -> None:
    names = ("b", "a", "c")
    specs = [a_spec(name) for name in names]
    current = [a_live_pat(guid(n), name, valid_from=NOW - 3 * DAY) for n, name in enumerate(names, 1)]
    old = [a_live_pat(guid(n), names[n % 3], valid_from=NOW - 20 * DAY) for n in range(0x30, 0x20, -1)]
    records = [a_record(spec, guid(n), created=NOW - 3 * DAY) for n, spec in enumerate(specs, 1)]
    retired = [a_live_pat(guid(n), "gone") for n in (0x52, 0x51)]
    plan = a_plan_of(an_observation(*current, *old, *retired, records=records), *specs)
    order = [(action.pat, action.authorization_id) for action in plan.revocations]

    assert len(order) == 16
    assert order == sorted(order)
    assert [skip.authorization_id for skip in plan.skipped] == [guid(0x51), guid(0x52)]


def test_planning_10_000_pats_takes_less_than_two_seconds() -> None:
    def seconds(count: int) -> float:
        specs = [a_spec(f"pat-{n}") for n in range(count)]
        live = [a_live_pat(guid(n), f"pat-{n}") for n in range(count)]
        stray = [a_live_pat(guid(count + n), f"pat-{n}", valid_from=NOW - 20 * DAY) for n in range(count // 2)]
        records = [a_record(spec, guid(n)) for n, spec in enumerate(specs)]
        manifest, observation = a_manifest(*specs), an_observation(*live, *stray, records=records)
        start = time.thread_time()  # not the clock's: others may work on this machine
        plan = planner.plan(manifest, observation, now=NOW)
        taken = time.thread_time() - start
        assert len(plan.revocations) == count // 2
        return taken

    small, large = seconds(1_000), seconds(10_000)

    assert large < 2
    # Ten times the work in about ten times the time; a quadratic step would make it a hundred.
    assert large < 40 * max(small, 0.005)


# ---- properties over worlds that nobody thought of -------------------------------------------------------------------

NAMES = ("one", "two", "three")
SPECS = {name: a_spec(name) for name in NAMES}
SOURCES = (HOME, AWAY, OTHER_ACCOUNT)
IDS = [guid(n) for n in range(1, 9)]
DISPLAY_NAMES = [
    *(f"patrol/contoso/{name}" for name in (*NAMES, "gone")),
    "patrol/fabrikam/one",
    "patrol/contoso",
    "one",
]

ages = st.sampled_from([timedelta(), HOUR, HOUR + SECOND, 2 * DAY, 3 * DAY, 20 * DAY, 29 * DAY])
worlds_pats = st.builds(
    lambda identity, display_name, age: a_live_pat(identity, display_name=display_name, valid_from=NOW - age),
    st.sampled_from(IDS),
    st.sampled_from(DISPLAY_NAMES),
    ages,
)


@st.composite
def some_record(draw: st.DrawFn, name: str) -> Any:
    spec = SPECS[name]
    if draw(st.sampled_from([False, False, False, True])):
        return a_hand_written_record(spec, created=NOW - draw(ages))
    source = draw(st.sampled_from([HOME, *SOURCES]))
    return a_record(
        replace(spec, account=source.account, organization=source.organization),
        draw(st.sampled_from(IDS)),
        fleet=draw(st.sampled_from(["contoso", "contoso", "contoso", "fabrikam"])),
        created=NOW - draw(ages),
        expires_on=draw(st.sampled_from([NOW + 20 * DAY, NOW - DAY, None])),
        enabled=draw(st.sampled_from([True, True, True, False])),
        tags={
            Tag.SPEC: draw(st.sampled_from([spec.digest, spec.digest, "0" * 16])),
            Tag.PAT: draw(st.sampled_from([name, name, *NAMES])),
            Tag.RETRY_AT: draw(st.sampled_from([None, None, in_an_hour()])),
            Tag.FAILED_SPEC: spec.digest,
        },
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Manifest, Observation, frozenset[str]]:
    manifest = a_manifest(*(SPECS[name] for name in draw(st.permutations(NAMES))))
    unreadable = draw(st.sets(st.sampled_from(SOURCES), max_size=1))
    # An id means one PAT wherever it is listed.
    pats = {pat.authorization_id: pat for pat in draw(st.lists(worlds_pats, max_size=8))}
    listings = {
        source: [pat for pat in pats.values() if draw(st.booleans())] for source in SOURCES if source not in unreadable
    }
    records = [draw(some_record(name)) for name in NAMES if draw(st.sampled_from([True, True, True, False]))]
    held = {record.secret for record in records}
    deleted = [spec.secret for spec in SPECS.values() if spec.secret not in held and draw(st.booleans())]
    observation = an_observation(
        listings=listings, records=records, unreadable=dict.fromkeys(unreadable, SILENT), deleted=deleted
    )
    return manifest, observation, frozenset(draw(st.sets(st.sampled_from(NAMES), max_size=1)))


World = tuple[Manifest, Observation, frozenset[str]]
by_chance = settings(max_examples=300, deadline=None)


def revocations_of(world: World) -> list[tuple[Any, LivePat]]:
    manifest, observation, requested = world
    plan = planner.plan(manifest, observation, now=NOW, requested=requested)
    return [
        (action, observation.listings[action.source][action.authorization_id])
        for action in plan.revocations + plan.refused
    ]


@by_chance
@given(worlds())
def test_no_plan_revokes_a_pat_that_a_secrets_newest_version_names(world: World) -> None:
    newest = {record.authorization_id for record in world[1].records.values()}

    assert [pat for _, pat in revocations_of(world) if pat.authorization_id in newest] == []


@by_chance
@given(worlds())
def test_no_plan_revokes_a_foreign_or_retired_pat(world: World) -> None:
    ours = {f"patrol/contoso/{name}" for name in NAMES}

    assert [pat for _, pat in revocations_of(world) if pat.display_name not in ours] == []


@by_chance
@given(worlds())
def test_no_plan_revokes_a_superseded_pat_whose_successor_is_not_listed_live(world: World) -> None:
    manifest, observation, _ = world
    for action, pat in revocations_of(world):
        if action.reason is not Reason.SUPERSEDED:
            continue
        spec = manifest.spec(action.pat)
        assert spec is not None
        record = observation.record(spec)
        assert record is not None
        successor = observation.listings[spec.source][action.successor]

        assert (successor.authorization_id, successor.valid_from > pat.valid_from, action.ripe_at < NOW) == (
            record.authorization_id,
            True,
            True,
        )


@by_chance
@given(worlds())
def test_no_plan_revokes_an_orphan_that_a_run_may_still_store(world: World) -> None:
    orphans = [pat for action, pat in revocations_of(world) if action.reason is Reason.ORPHANED]

    assert [pat for pat in orphans if NOW - pat.valid_from <= ORPHAN_AGE] == []


@by_chance
@given(worlds())
def test_no_plan_touches_a_pat_that_is_to_be_left_alone(world: World) -> None:
    manifest, observation, requested = world
    plan = planner.plan(manifest, observation, now=NOW, requested=requested)
    alone = {
        spec.name
        for spec in manifest.pats
        if spec.source in observation.unreadable
        or spec.secret in observation.deleted
        or ((record := observation.record(spec)) is not None and not record.enabled)
    }
    touched = {issue.spec.name for issue in plan.issues} | {item.pat for item in plan.revocations + plan.refused}

    assert touched & alone == set()


@by_chance
@given(worlds())
def test_every_pat_without_a_live_value_is_issued_or_its_skip_says_why_not(world: World) -> None:
    manifest, observation, requested = world
    plan = planner.plan(manifest, observation, now=NOW, requested=requested)
    issued = {issue.spec.name for issue in plan.issues}
    explained = {skip.pat for skip in plan.skipped if skip.authorization_id is None}
    well = {item.spec.name for item in planner.assess(manifest, observation, now=NOW) if item.current is not None}

    assert set(NAMES) - issued - explained - well == set()


@by_chance
@given(worlds(), st.randoms(use_true_random=False))
def test_the_same_observation_gives_the_same_plan_in_whatever_order_it_was_read(world: World, chance: Any) -> None:
    def shuffled(mapping: Any) -> Any:
        items = list(mapping.items())
        chance.shuffle(items)
        return dict(items)

    manifest, observation, requested = world
    again = replace(
        observation,
        listings=shuffled({source: shuffled(listing) for source, listing in observation.listings.items()}),
        records=shuffled(observation.records),
    )
    plans = [planner.plan(manifest, seen, now=NOW, requested=requested) for seen in (observation, again)]

    assert plans[0] == plans[1]


@by_chance
@given(st.timedeltas(HOUR, 364 * DAY), st.timedeltas(SECOND, 364 * DAY), st.text(max_size=10))
def test_a_schedule_is_always_within_the_life_and_in_order(
    life: timedelta, rotate_before: timedelta, name: str
) -> None:
    pat = a_live_pat(life=life)
    dates = the_schedule(replace(a_spec(rotate_before=rotate_before), name=name), pat)
    in_order = [pat.valid_from + life / 2, dates.due_at, dates.overdue_at, pat.valid_to]

    assert [late - early >= timedelta() for early, late in pairwise(in_order)] == [True] * 3
