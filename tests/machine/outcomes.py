"""What must hold after a whole run that nothing disturbed, and at the end of every history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.errors import PatrolError
from shared.model import ORPHAN_AGE, PatSpec
from tests.machine.promises import SECOND, WRITES, identity_of

if TYPE_CHECKING:
    from local.cloud.devops import Pat
    from tests.machine.wire import Activity
    from tests.machine.world import World


def check_run(world: World, run: Activity) -> None:
    """R8 always; that everything is served, and that a second run writes nothing, where nothing disturbed it."""
    _check_guard(run)
    if not run.smooth or world.cloud.faults.pending():
        return
    for spec in world.app.manifest.pats:
        if not _is_left_alone(world, spec, run.began):
            assert (complaint := _complaint(world, spec)) == "", f"{complaint} after {run.error or 'a good run'}"
    if run.error is None:
        _check_second_run(world, run)


def _check_guard(run: Activity) -> None:
    """R8: orphans in large numbers, or in an empty vault, are not revoked."""
    if not run.alone:
        return
    revoked: list[str] = run.notes.get("revoked", [])
    before: list[Pat] = run.notes["before"]
    assert run.notes["vault-knows-us"] or revoked == [], "revoked beside a vault that knows none of this fleet"
    born = {pat.authorization_id: pat.valid_from for pat in before}
    current = {identity for identity in run.notes["current"].values() if identity in born}
    manifest = run.notes["manifest"]
    orphans = 0
    for pat in before:
        name = manifest.owned_name(pat.display_name) or ""
        newest = run.notes["current"].get(name)
        since = born[newest] if newest in current else None
        orphans += pat.authorization_id in revoked and (since is None or pat.valid_from >= since)
    assert orphans <= max(5, len(before) / 10), f"{orphans} of {len(before)} were revoked as orphans"


def _is_left_alone(world: World, spec: PatSpec, began: datetime) -> bool:
    newest = world.vault.latest(spec.secret)
    if newest is None:
        return spec.secret.lower() in world.vault.deleted()
    retry_at = (newest.tags or {}).get("retry-at")
    backing_off = retry_at is not None and datetime.fromisoformat(retry_at) > began
    return not newest.enabled or backing_off


def _complaint(world: World, spec: PatSpec) -> str:
    """What is wrong with the current value of a PAT, empty where nothing is."""
    newest = world.vault.latest(spec.secret)
    identity = identity_of(newest) if newest is not None else None
    if newest is None or identity is None:
        return f"secret {spec.secret} serves no PAT"
    pat = world.promises.pat(identity)
    faults = {
        f"the PAT of {spec.secret} is dead": not world.cloud.devops.works(pat),
        f"{spec.secret} serves {pat.display_name}": pat.display_name != world.app.manifest.display_name(spec.name),
        f"{spec.secret} serves a PAT of {pat.organization}": pat.organization != spec.organization,
        f"{spec.secret} serves a PAT of {pat.owner}": not pat.owner.startswith(f"{spec.account}@"),
        f"{spec.secret} may {pat.scope}": set(pat.scope.split()) != set(spec.scopes),
    }
    return "; ".join(text for text, wrong in faults.items() if wrong)


def _check_second_run(world: World, run: Activity) -> None:
    """A run with nothing to do writes nothing. What it has to do is asked first, for time passes with every call."""
    try:
        plan = world.app.reconciler.plan()
    except PatrolError as error:
        raise AssertionError("a plan failed without a fault") from error
    again = {issue.display_name for issue in plan.issues} & set(run.notes.get("made", ()))
    assert again == set(), "what a run has issued is issued again by the next one"
    if plan.issues or plan.revocations:
        return
    mark = world.cloud.journal.mark()
    world.app.run()
    wrote = [call.operation for call in world.cloud.journal.calls(since=mark) if call.operation in WRITES]
    assert wrote == [], "a run with nothing to do wrote"


def check_convergence(world: World) -> None:
    """Once nothing goes wrong any more, bounded runs lead to one current PAT for each entry, and those in overlap."""
    world.wire.deliver_late(everything=True)
    world.mend_services()
    for organization in ("contoso", "contoso-retail"):
        world.cloud.devops.policy(organization)
    for spec in world.app.manifest.pats:
        world.recover(spec.secret)
        world.resume(spec.secret)
    for hours in (1, 26, 2, 50, 2, 50, 2):
        world.wait(hours=hours)
        world.run()
        for action in world.app.reconciler.plan().refused:
            world.delete(world.promises.pat(action.authorization_id))
        complaints = list(filter(None, (_complaint(world, spec) for spec in world.app.manifest.pats)))
        surplus = [(spec, identity) for spec in world.app.manifest.pats for identity in _surplus(world, spec)]
        if not (complaints or surplus):
            return  # nothing is in its time of grace either
    late = [f"{identity} of {spec.name} lives on" for spec, identity in surplus if not _in_grace(world, spec, identity)]
    assert complaints + late == [], "bounded runs lead to one PAT for each entry"


def _surplus(world: World, spec: PatSpec) -> list[str]:
    """Live PATs of an entry that are neither current nor served by another secret, wherever anybody can look."""
    found = [identity for identity in world.live(spec.name) if not world.promises.is_served(identity)]
    if spec.secret.lower() not in world.promises.forgotten:
        return found
    listed = {(source.account, source.organization) for source in world.app.manifest.sources}
    pats = [world.promises.pat(identity) for identity in found]
    return [pat.authorization_id for pat in pats if (pat.owner.partition("@")[0], pat.organization) in listed]


def _in_grace(world: World, spec: PatSpec, identity: str) -> bool:
    now = world.cloud.clock.now()
    newest = world.vault.latest(spec.secret)
    created = datetime.fromtimestamp(newest.created, tz=now.tzinfo) if newest else now
    young = now - world.promises.pat(identity).valid_from <= ORPHAN_AGE + timedelta(minutes=1)
    return young or now <= created + spec.overlap + SECOND
