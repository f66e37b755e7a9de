"""One fleet in the simulated cloud, and everything that may happen to it: verbs for histories.

Each verb that lets the app act returns the `Activity`, which tells how it went. Promises are checked all along.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from azure.keyvault.secrets._shared import http_challenge_cache

from local.cloud import Fault
from local.world import PAT_VAULT, app_settings, settle
from shared import manifest
from shared.changes import Target
from shared.errors import PatrolError
from shared.reconciler import RevokeOld
from shared.wiring import App, RunFailed
from tests.machine.fleet import EVERYWHERE, FIRST, Wanted, manifest_text
from tests.machine.outcomes import check_run
from tests.machine.promises import Promises, identity_of
from tests.machine.wire import Activity, Body, Fate, Killed, Race, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local.cloud.devops import Pat
    from local.cloud.keyvault import Vault, Version

NO_FATES: Mapping[int, Fate] = {}


class World:
    """A fleet from its first day on."""

    def __init__(self, stage: Stage, pats: tuple[Wanted, ...] = FIRST) -> None:
        self.cloud, self.wire = stage.cloud, stage.wire
        self.cloud.violations.clear()  # those of the history before, which has failed
        self.cloud.reset()
        self.wire.reset()
        http_challenge_cache.clear()  # the SDK keeps challenges for the whole process
        self.folder = stage.folder
        (self.folder / "pats.yaml").write_text(manifest_text(EVERYWHERE), encoding="utf-8")
        settle(self.cloud, manifest.load(self.folder / "pats.yaml"))
        self.promises = Promises(self.cloud, self.wire)
        self.cloud.observers.append(self.promises)
        self.deploy(pats)

    # ---- the app --------------------------------------------------------------------------------------------------

    def deploy(self, pats: tuple[Wanted, ...]) -> None:
        """A deployment of a new manifest: a new process."""
        self.pats = pats
        (self.folder / "pats.yaml").write_text(manifest_text(pats), encoding="utf-8")
        self.app, self.other = self._process(), self._process()

    def _process(self) -> App:
        return App({**app_settings(None), **self.cloud.env}, self.folder)

    def run(self, fates: Mapping[int, Fate] = NO_FATES) -> Activity:
        return self._alone("run", lambda app: app.run(), fates)

    def rotate(self, name: str, how: RevokeOld = RevokeOld.AFTER_OVERLAP) -> Activity:
        return self._alone("rotate", lambda app: app.rotate(name, how))

    def delete(self, pat: Pat, *, force: bool = False) -> Activity:
        action = self._deletion(pat, force=force)
        return self._alone("delete", action, notes={"force": force})

    def side_by_side(self, *bodies: Body, order: Sequence[int]) -> None:
        Race(bodies, order).finish()
        self.check()

    def running(self, fates: Mapping[int, Fate] = NO_FATES) -> Body:
        """A run, for `side_by_side`."""
        return self._beside("run", lambda app: app.run(), fates, self.app)

    def also_running(self, fates: Mapping[int, Fate] = NO_FATES) -> Body:
        """A run of the second process, for `side_by_side`."""
        return self._beside("run", lambda app: app.run(), fates, self.other)

    def rotating(self, name: str, how: RevokeOld) -> Body:
        """A forced rotation in the second process, for `side_by_side`."""
        return self._beside("rotate", lambda app: app.rotate(name, how), NO_FATES, self.other)

    def meddling(self, *actions: Callable[[], object]) -> Body:
        """Actions of people, or time that passes, in between, for `side_by_side`."""

        def body(pause: Callable[[], None]) -> None:
            for action in actions:
                for activity in self.wire.under_way:
                    activity.alone = activity.smooth = False
                action()
                self.promises.look()
                pause()

        return body

    def _beside(self, kind: str, action: Callable[[App], object], fates: Mapping[int, Fate], app: App) -> Body:
        def body(pause: Callable[[], None]) -> None:
            activity = self._begin(kind, fates, {})
            activity.turn = pause
            activity.alone = activity.smooth = False
            self._play(activity, action, app)

        return body

    def _alone(
        self,
        kind: str,
        action: Callable[[App], object],
        fates: Mapping[int, Fate] = NO_FATES,
        notes: Mapping[str, Any] | None = None,
    ) -> Activity:
        activity = self._begin(kind, fates, dict(notes or {}))
        activity.smooth = not self.cloud.faults.pending()
        self._play(activity, action, self.app)
        self.check()
        if kind == "run":
            check_run(self, activity)
        return activity

    def _begin(self, kind: str, fates: Mapping[int, Fate], notes: dict[str, Any]) -> Activity:
        self.promises.look()
        hands_off = self.promises.paused | set(self.vault.deleted())
        facts = {"manifest": self.app.manifest, "hands-off": hands_off, "before": self.marked(), **notes}
        facts["vault-knows-us"] = any(identity_of(version) for version in self.newest().values())
        facts["current"] = {pat.name: self.current(pat.name) for pat in self.pats}
        return Activity(kind, self.cloud.clock.now(), fates, notes=facts)

    def _play(self, activity: Activity, action: Callable[[App], object], app: App) -> None:
        with self.wire.acting(activity):
            try:
                action(app)
            except Killed:
                self._replace(app)
            except (PatrolError, RunFailed) as error:
                activity.error = error

    def _replace(self, killed: App) -> None:
        """The platform starts a new process for one that is gone."""
        if killed is self.app:
            self.app = self._process()
        if killed is self.other:
            self.other = self._process()

    def _deletion(self, pat: Pat, *, force: bool) -> Callable[[App], object]:
        target = Target.of(pat.organization, pat.authorization_id)
        return lambda app: app.revoke(target, force=force)

    # ---- time -----------------------------------------------------------------------------------------------------

    def wait(self, **duration: float) -> None:
        self.wait_for(timedelta(**duration))

    def wait_for(self, duration: timedelta) -> None:
        self.cloud.clock.advance(duration)
        self.wire.deliver_late()

    # ---- people ---------------------------------------------------------------------------------------------------

    def revoke_by_hand(self, pat: Pat) -> None:
        self.promises.excused.add(pat.authorization_id)
        self.cloud.devops.revoke_outside(pat.authorization_id)

    def pause(self, secret: str) -> None:
        if self.vault.latest(secret) is not None:
            self.vault.disable(secret)

    def resume(self, secret: str) -> None:
        if self.vault.latest(secret) is not None:
            self.vault.enable(secret)

    def remove(self, secret: str) -> None:
        if self.vault.latest(secret) is not None:
            self.vault.delete(secret)

    def recover(self, secret: str) -> None:
        if secret.lower() in self.vault.deleted():
            self.vault.recover(secret)

    def purge(self, secret: str) -> None:
        if secret.lower() in self.vault.deleted():
            self.promises.forgotten.add(secret.lower())
            self.vault.purge(secret)

    def overwrite(self, secret: str) -> None:
        """A person stores a value of their own."""
        if secret.lower() not in self.vault.deleted():
            self.promises.forgotten.add(secret.lower())
            self.vault.put(secret, "by hand")

    def roll_back(self, secret: str) -> None:
        """A person stores an older version again, tags and all, while its PAT is alive."""
        for version in reversed(self.vault.versions(secret)[:-1]):
            identity = identity_of(version)
            if identity is not None and self.cloud.devops.is_live(identity):
                self.promises.forgotten.add(secret.lower())
                self.vault.set(secret, replace(version, enabled=True))
                return

    def make_pat(self, name: str, wanted: Wanted, days: float = 300) -> Pat:
        """A person, or a run that was lost, makes a PAT."""
        owner = self.app.manifest.accounts[wanted.account].username
        return self.cloud.devops.issue_outside(
            wanted.organization, owner, name, wanted.scopes.replace(",", ""), timedelta(days=days)
        )

    def break_service(self, fault: Fault) -> None:
        self.cloud.faults.script(fault)

    def mend_services(self) -> None:
        self.cloud.faults.clear()

    # ---- what a history wants to know -----------------------------------------------------------------------------

    @property
    def vault(self) -> Vault:
        return self.cloud.vaults[PAT_VAULT]

    def newest(self) -> dict[str, Version]:
        """The newest version of every secret, by lower-case name."""
        found = {name.lower(): self.vault.latest(name) for name in self.vault.names()}
        return {name: version for name, version in found.items() if version is not None}

    def current(self, name: str) -> str | None:
        """The PAT that the secret of a manifest's PAT names."""
        spec = self.app.manifest.spec(name)
        version = self.vault.latest(spec.secret) if spec else None
        return identity_of(version) if version else None

    def marked(self) -> list[Pat]:
        """The live PATs that carry the fleet's marker, in the order of their making."""
        pats = [pat for pat in self.cloud.devops.pats() if self.app.manifest.owned_name(pat.display_name)]
        return [pat for pat in pats if self.cloud.devops.works(pat)]

    def live(self, name: str) -> list[str]:
        """Ids of one PAT's live generations, oldest first."""
        wanted = self.app.manifest.display_name(name)
        return [pat.authorization_id for pat in self.marked() if pat.display_name == wanted]

    def check(self) -> None:
        """Raise what observers found wrong since the last time."""
        self.promises.look()
        found, self.cloud.violations = self.cloud.violations, []
        if found:
            raise found[0]
