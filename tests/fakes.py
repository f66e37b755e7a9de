"""The ports in memory: both remotes with their quirks, and verbs for what people and faults do to them.

`World` puts them together around one reconciler and knows the invariants that no run may break.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.changes import Changes
from shared.errors import Refused, Unavailable
from shared.model import (
    CreatedPat,
    Event,
    LivePat,
    Manifest,
    OutcomeKind,
    PatStatus,
    Report,
    Secret,
    Source,
    Tag,
    VaultRecord,
)
from shared.reconciler import Reconciler, RevokeOld, Rotation, RotationPreview
from tests.builders import HOME, NOW, a_manifest, guid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from shared.model import PatSpec

# Every token value that the fake hands out starts with this, so that a leak is found by looking for it.
CANARY = "canary-token-value"

Call = tuple[Any, ...]


class FakeClock:
    """The remotes' time. It moves only when a test moves it."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


class FakeEvents:
    """Everything that was told to operators."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, dict[str, object]]] = []

    def emit(self, name: str, /, **fields: object) -> None:
        self.emitted.append((name, fields))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.emitted]

    def of(self, name: Event) -> list[dict[str, object]]:
        return [fields for emitted, fields in self.emitted if emitted == name]

    def text(self) -> str:
        """All of it as a person would read it, for leak checks."""
        return repr(self.emitted) + "".join(str(value) for _, fields in self.emitted for value in fields.values())


class FakeLease:
    """Held, until `lose()`."""

    def __init__(self) -> None:
        self.is_lost = False

    def lose(self) -> None:
        self.is_lost = True

    def lost(self) -> bool:
        return self.is_lost


class FakeDeadline:
    """Far away, until `pass_now()`, or after the given number of questions."""

    def __init__(self, after_questions: int | None = None) -> None:
        self._left = after_questions
        self.is_passed = False

    def pass_now(self) -> None:
        self.is_passed = True

    def passed(self) -> bool:
        if self._left is not None:
            self.is_passed = self.is_passed or self._left == 0
            self._left -= 1
        return self.is_passed


class _Scripted:
    """A log of calls, and faults for the calls to come."""

    def __init__(self, log: list[Call] | None) -> None:
        self.log: list[Call] = [] if log is None else log
        self._failures: dict[str, deque[Exception]] = defaultdict(deque)
        self._always: dict[str, Exception] = {}
        self._lost: dict[str, deque[Unavailable]] = defaultdict(deque)
        self._before: dict[str, deque[Callable[[], None]]] = defaultdict(deque)
        self._after: dict[str, deque[Callable[[], None]]] = defaultdict(deque)

    def fail_next(self, verb: str, error: Exception) -> None:
        """The next call of that name raises and changes nothing."""
        self._failures[verb].append(error)

    def fail_always(self, verb: str, error: Exception) -> None:
        """Every call of that name raises and changes nothing, until `recover()`."""
        self._always[verb] = error

    def recover(self) -> None:
        """All scripted faults end."""
        for faults in (self._failures, self._always, self._lost, self._before, self._after):
            faults.clear()

    def lose_answer(self, verb: str, *, answered: bool = False) -> None:
        """The next call of that name is applied, and then nobody learns of it."""
        self._lost[verb].append(Unavailable(f"no answer to {verb}", reason="remote.silent", answered=answered))

    def before_next(self, verb: str, happens: Callable[[], None]) -> None:
        """Something happens just before the next call of that name is applied."""
        self._before[verb].append(happens)

    def after_next(self, verb: str, happens: Callable[[], None]) -> None:
        """Something happens after the next call of that name was applied and before its answer is read."""
        self._after[verb].append(happens)

    def _enter(self, verb: str, *details: object) -> None:
        self.log.append((verb, *details))
        if self._before[verb]:
            self._before[verb].popleft()()
        if self._failures[verb]:
            raise self._failures[verb].popleft()
        if verb in self._always:
            raise self._always[verb]

    def _leave(self, verb: str) -> None:
        if self._after[verb]:
            self._after[verb].popleft()()
        if self._lost[verb]:
            raise self._lost[verb].popleft()


@dataclass
class _Held:
    source: Source
    pat: LivePat
    revoked: bool = False


class FakePatService(_Scripted):
    """Azure DevOps: PATs of accounts in organisations."""

    def __init__(self, clock: FakeClock | None = None, log: list[Call] | None = None) -> None:
        super().__init__(log)
        self.clock = clock or FakeClock()
        self.held: dict[str, _Held] = {}
        self.longest_life: timedelta | None = None
        self.on_revoke: Callable[[str], None] = lambda _: None
        self._answers: deque[Callable[[LivePat], LivePat]] = deque()
        self._dead_tokens = False
        self._numbers = itertools.count(0x1000)

    # ---- what people do to it

    def add(self, pat: LivePat, source: Source = HOME) -> LivePat:
        """A PAT that lives there already."""
        self.held[pat.authorization_id] = _Held(source, pat)
        return pat

    def revoke_outside(self, authorization_id: str) -> None:
        """Somebody revokes a PAT in the portal."""
        self.held[authorization_id].revoked = True

    def shorten_lives(self, longest: timedelta) -> None:
        """A policy shortens what is asked for, without saying so."""
        self.longest_life = longest

    def answer_next_create(self, change: Callable[[LivePat], LivePat]) -> None:
        """The next PAT differs from what was asked for."""
        self._answers.append(change)

    def issue_dead_tokens(self) -> None:
        """New PATs do not work."""
        self._dead_tokens = True

    # ---- what a test wants to know

    def is_live(self, authorization_id: str) -> bool:
        return self._status_of(authorization_id) is PatStatus.ACTIVE

    def _status_of(self, authorization_id: str) -> PatStatus | None:
        held = self.held.get(authorization_id)
        if held is None:
            return None
        if held.revoked:
            return PatStatus.REVOKED
        return PatStatus.ACTIVE if held.pat.valid_to > self.clock.now() else PatStatus.EXPIRED

    @property
    def live_ids(self) -> set[str]:
        return {identity for identity in self.held if self.is_live(identity)}

    @staticmethod
    def token_of(authorization_id: str) -> str:
        return f"{CANARY}-{authorization_id}"

    # ---- the port

    def list_pats(self, source: Source, status: PatStatus) -> Mapping[str, LivePat]:
        self._enter("list", source) if status is PatStatus.ACTIVE else self._enter("list", source, status)
        return {
            identity: held.pat
            for identity, held in list(self.held.items())
            if held.source == source and self._status_of(identity) is status
        }

    def create(self, source: Source, *, display_name: str, scopes: tuple[str, ...], valid_to: datetime) -> CreatedPat:
        self._enter("create", source, display_name)
        now, identity = self.clock.now(), guid(next(self._numbers))
        if self.longest_life is not None:
            valid_to = min(valid_to, now + self.longest_life)
        pat = LivePat(identity, display_name, scopes, now, valid_to)
        if self._answers:
            pat = self._answers.popleft()(pat)
        self.held[identity] = _Held(source, pat)
        self._leave("create")
        return CreatedPat(pat, Secret(self.token_of(identity)))

    def verify(self, source: Source, token: Secret) -> None:
        identity = token.reveal().removeprefix(f"{CANARY}-")
        self._enter("verify", source, identity)
        if self._dead_tokens or not self.is_live(identity) or self.held[identity].source != source:
            raise Refused("The new PAT does not work.", reason="pat.verify")
        self._leave("verify")

    def update(
        self,
        source: Source,
        authorization_id: str,
        *,
        display_name: str | None = None,
        scopes: tuple[str, ...] | None = None,
        valid_to: datetime | None = None,
    ) -> LivePat:
        self._enter("update", source, authorization_id)
        pat = self.held[authorization_id].pat
        if valid_to is not None and self.longest_life is not None:
            valid_to = min(valid_to, pat.valid_from + self.longest_life)
        changed = replace(
            pat,
            display_name=display_name or pat.display_name,
            scopes=tuple(sorted(scopes)) if scopes else pat.scopes,
            valid_to=valid_to or pat.valid_to,
        )
        self.held[authorization_id] = _Held(source, changed)
        self._leave("update")
        return changed

    def revoke(self, source: Source, authorization_id: str) -> None:
        self._enter("revoke", source, authorization_id)
        held = self.held.get(authorization_id)
        if held is not None:
            assert held.source == source, "a PAT is revoked where it lives"
            self.on_revoke(authorization_id)
            held.revoked = True
        self._leave("revoke")


class FakeVault(_Scripted):
    """Key Vault: versions with tags, whole-second times, soft delete."""

    def __init__(self, clock: FakeClock | None = None, log: list[Call] | None = None) -> None:
        super().__init__(log)
        self.clock = clock or FakeClock()
        self.secrets: dict[str, list[VaultRecord]] = {}
        self.values: dict[str, str] = {}
        self.gone: dict[str, list[VaultRecord]] = {}
        self._numbers = itertools.count(1)

    # ---- what people do to it

    def add(self, record: VaultRecord, value: str = "") -> VaultRecord:
        """A version as it is there already; it becomes the newest in the order of adding."""
        named = replace(record, version=record.version or f"version-{next(self._numbers)}")
        self.secrets.setdefault(record.secret.lower(), []).append(named)
        self.values[named.version or ""] = value
        return named

    def write_by_hand(self, secret: str) -> VaultRecord:
        """Somebody stores a value of their own, without tags."""
        return self.add(VaultRecord(secret, self._whole_second()), "by hand")

    def roll_back(self, secret: str, authorization_id: str) -> VaultRecord:
        """Somebody makes an older PAT the newest version again, with its tags."""
        old = next(item for item in self.secrets[secret.lower()] if item.authorization_id == authorization_id)
        return self.add(replace(old, version=None, created=self._whole_second(), enabled=True), "rolled back")

    def pause(self, secret: str) -> None:
        """Somebody disables the newest version."""
        self._change(secret, self.newest(secret).version, enabled=False)

    def resume(self, secret: str) -> None:
        """Somebody enables the newest version again."""
        self._change(secret, self.newest(secret).version, enabled=True)

    def delete(self, secret: str) -> None:
        """Somebody deletes the secret; it can still be recovered."""
        self.gone[secret.lower()] = self.secrets.pop(secret.lower())

    def recover_deleted(self, secret: str) -> None:
        self.secrets[secret.lower()] = self.gone.pop(secret.lower())

    def retag(self, secret: str, **tags: str) -> None:
        """Somebody edits the newest version's tags (underscores stand for hyphens)."""
        newest = self.newest(secret)
        changed = {name.replace("_", "-"): value for name, value in tags.items()}
        self._change(secret, newest.version, tags={**newest.tags, **changed})

    # ---- what a test wants to know

    def newest(self, secret: str) -> VaultRecord:
        return self.secrets[secret.lower()][-1]

    def served(self, secret: str) -> str:
        """The value that a consumer reads."""
        return self.values[self.newest(secret).version or ""]

    # ---- the port

    def list_records(self) -> Mapping[str, VaultRecord]:
        self._enter("vault.list")
        return {name: replace(versions[-1], version=None) for name, versions in self.secrets.items()}

    def list_deleted(self) -> frozenset[str]:
        self._enter("vault.list-deleted")
        return frozenset(self.gone)

    def versions(self, secret: str) -> tuple[VaultRecord, ...]:
        self._enter("versions", secret)
        return tuple(self.secrets.get(secret.lower(), ()))

    def store(self, secret: str, value: Secret, *, expires_on: datetime, tags: Mapping[str, str]) -> str:
        self._enter("store", secret, tags[Tag.AUTHORIZATION_ID])
        record = VaultRecord(secret, self._whole_second(), expires_on=expires_on, tags=dict(tags))
        stored = self.add(record, value.reveal())
        self._leave("store")
        return stored.version or ""

    def replace_tags(self, secret: str, version: str, tags: Mapping[str, str]) -> None:
        self._enter("replace-tags", secret, version)
        self._change(secret, version, tags=dict(tags))
        self._leave("replace-tags")

    def disable(self, secret: str, version: str) -> None:
        self._enter("disable", secret, version)
        self._change(secret, version, enabled=False)
        self._leave("disable")

    def _whole_second(self) -> datetime:
        return self.clock.now().replace(microsecond=0)

    def _change(self, secret: str, version: str | None, **changes: Any) -> None:
        versions = self.secrets[secret.lower()]
        at = next(index for index, item in enumerate(versions) if item.version == version)
        versions[at] = replace(versions[at], **changes)


WRITES = frozenset({"create", "update", "revoke", "store", "replace-tags", "disable"})


@dataclass
class World:
    """One fleet, its two remotes, its clock and its reconciler."""

    manifest: Manifest = field(default_factory=a_manifest)
    clock: FakeClock = field(default_factory=FakeClock)
    log: list[Call] = field(default_factory=list)
    events: FakeEvents = field(default_factory=FakeEvents)
    revoked_while_served: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pats = FakePatService(self.clock, self.log)
        self.vault = FakeVault(self.clock, self.log)
        self.pats.on_revoke = self._notice_revoke

    @classmethod
    def of(cls, *specs: PatSpec, accounts: Iterable[str] = ()) -> World:
        return cls(a_manifest(*specs, accounts=accounts))

    # ---- what happens

    def reconciler(self) -> Reconciler:
        return Reconciler(self.manifest, self.pats, self.vault, self.events, self.clock)

    def changes(self) -> Changes:
        return Changes(self.manifest, self.pats, self.vault, self.events, self.clock)

    def run(self, *, deadline: FakeDeadline | None = None, lease: FakeLease | None = None) -> Report:
        """One run. The log and the events start afresh, so that they tell of this run alone."""
        self.log.clear()
        self.events.emitted.clear()
        return self.reconciler().run(deadline=deadline or FakeDeadline(), lease=lease or FakeLease())

    def rotate(
        self,
        name: str = "sonarqube",
        revoke_old: RevokeOld = RevokeOld.AFTER_OVERLAP,
        *,
        deadline: FakeDeadline | None = None,
    ) -> Rotation:
        self.log.clear()
        self.events.emitted.clear()
        return self.reconciler().rotate(name, revoke_old, deadline=deadline or FakeDeadline(), lease=FakeLease())

    def preview(self, name: str = "sonarqube", revoke_old: RevokeOld = RevokeOld.AFTER_OVERLAP) -> RotationPreview:
        self.log.clear()
        return self.reconciler().preview_rotation(name, revoke_old)

    def run_hourly(self, hours: int) -> list[Report]:
        """The timer's view of the given time."""
        reports = []
        for _ in range(hours):
            reports.append(self.run())
            self.clock.advance(timedelta(hours=1))
        return reports

    def want(self, *specs: PatSpec, accounts: Iterable[str] = ()) -> None:
        """Somebody changes the manifest."""
        self.manifest = a_manifest(*specs, accounts={*self.manifest.accounts, *accounts})

    # ---- what a test wants to know

    def current(self, name: str = "sonarqube") -> str:
        """The authorization id that the vault serves for a PAT."""
        spec = self.manifest.spec(name)
        assert spec is not None
        identity = self.vault.newest(spec.secret).authorization_id
        assert identity is not None
        return identity

    def calls(self, *verbs: str) -> list[Call]:
        return [call for call in self.log if call[0] in verbs]

    @property
    def writes(self) -> list[Call]:
        return self.calls(*WRITES)

    def broken_promises(self) -> list[str]:
        """The invariants that do not hold now, as sentences. Empty is well."""
        broken = [f"{identity} was revoked while the vault served it" for identity in self.revoked_while_served]
        for spec in self.manifest.pats:
            versions = self.vault.secrets.get(spec.secret.lower(), [])
            identity = versions[-1].authorization_id if versions else None
            if identity is not None and not self.pats.is_live(identity):
                broken.append(f"the vault serves {identity} for {spec.name}, which is not live")
            if identity is not None and self.vault.served(spec.secret) == "":
                broken.append(f"the vault serves nothing for {spec.name}")
        prefix = self.manifest.display_name("")
        for identity, held in self.pats.held.items():
            if held.revoked and not held.pat.display_name.startswith(prefix):
                broken.append(f"{identity} belongs to somebody else and was revoked")
        return broken

    def _notice_revoke(self, authorization_id: str) -> None:
        newest = {versions[-1].authorization_id for versions in self.vault.secrets.values()}
        if authorization_id in newest:
            self.revoked_while_served.append(authorization_id)


def issued(report: Report) -> list[str]:
    """The names of the PATs that a run rotated."""
    return [outcome.action.spec.name for outcome in report.of(OutcomeKind.ISSUED)]


def revoked(report: Report) -> list[str | None]:
    """The authorization ids that a run revoked."""
    return [outcome.authorization_id for outcome in report.of(OutcomeKind.REVOKED)]
