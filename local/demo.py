"""`make demo`: the main job as a story on the terminal. Everything it shows is read back from the running app."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.package import REPOSITORY
from local.stack import Stack
from local.world import PAT_VAULT
from shared import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.cloud import Call

LOG = REPOSITORY / ".local" / "demo.log"
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


class Story:
    """Tells the demo, and remembers every line so that it can be searched for secrets at the end."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter += 1
        self.line(f"\n{BOLD}{self._chapter}. {title}{PLAIN}")

    def line(self, text: str = "") -> None:
        """Tell one line."""
        self.told.append(text)
        print(text, flush=True)

    def table(self, heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
        """Tell a table."""
        texts = [heads, *[tuple(str(cell) for cell in row) for row in rows]]
        widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
        for row in texts:
            self.line("   " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


class Demo:
    """The story's steps over a running stack."""

    def __init__(self, stack: Stack, story: Story) -> None:
        self.stack = stack
        self.cloud = stack.cloud
        self.story = story

    def run(self) -> list[Call]:
        """Fire the timer once, tell what it did, and return the calls it made."""
        mark = self.cloud.journal.mark()
        result = self.stack.host.fire()
        calls = self.cloud.journal.calls(since=mark)
        issued = sum(call.operation == "pats.create" and call.applied for call in calls)
        revoked = sum(call.operation == "pats.revoke" and call.applied for call in calls)
        stored = sum(call.operation == "secrets.set" and call.vault == PAT_VAULT and call.applied for call in calls)
        self.story.line(f"   the timer ran: {result.status}; created {issued}, stored {stored}, revoked {revoked}")
        if not result.succeeded:
            raise SystemExit(f"The run failed. Its log is in {LOG.relative_to(REPOSITORY)}.")
        return calls

    def get(self, path: str) -> Any:
        """The JSON of a GET."""
        return self.stack.host.request("GET", f"/api/{path}").json()

    def show_vault(self) -> None:
        """The vault as a consumer may list it: names and tags, never values."""
        vault = self.cloud.vaults["contoso-pats"]
        rows = []
        for name in vault.names():
            latest = vault.latest(name)
            if latest is not None and latest.expires is not None:
                tags = latest.tags or {}
                expires = datetime.fromtimestamp(latest.expires, tz=self.cloud.clock.now().tzinfo)
                versions = vault.versions(name)
                served = f"{sum(item.enabled for item in versions)} of {len(versions)}"
                rows.append((name, f"{expires:%Y-%m-%d}", served, tags["account"], tags["authorization-id"][:8]))
        self.story.table(("secret", "expires", "enabled versions", "account", "authorization id"), rows)

    def show_pats(self, query: str = "") -> list[dict[str, Any]]:
        """The inventory, as `GET /api/pats` answers it."""
        pats: list[dict[str, Any]] = self.get(f"pats{query}")["pats"]
        rows = [
            (
                pat["authorizationId"][:8],
                pat["displayName"],
                pat["organization"],
                pat["validTo"][:10],
                pat["managed"]["state"] if pat["managed"] else "not ours",
                ", ".join(finding["code"] for finding in pat["findings"]) or "-",
            )
            for pat in pats
        ]
        self.story.table(("id", "display name", "organization", "valid to", "state", "findings"), rows)
        return pats

    def command(self, module: str, *arguments: str) -> None:
        """Run an operator's command, and tell what it says. A scripted browser takes the person's place."""
        user = self.cloud.entra.find_user("release-bot@contoso.onmicrosoft.com")
        browser = {
            "BROWSER": f"{sys.executable} -m local.browser %s",
            "PATROL_BROWSER_USER": user.upn,
            "PATROL_BROWSER_PASSWORD": user.password,
            "PATROL_BROWSER_CODE": user.mfa_code,
            "PATROL_BROWSER_DO": "sign-in",
        }
        environment = {"PATH": os.environ["PATH"], **self.stack.environment, **browser}
        self.story.line(f"   python -m {' '.join((module, *arguments))}")
        told = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for line in (told.stdout + told.stderr).splitlines():
            if "login.microsoftonline.com/" not in line:  # the address is long, and opened already
                self.story.line(f"   | {line}")
        if told.returncode:
            raise SystemExit(f"{module} failed.")

    def move_clock(self, moment: datetime, why: str) -> None:
        """Let the simulated cloud's time jump."""
        self.cloud.clock.set(moment)
        self.story.line(f"   the clock now says {moment:%Y-%m-%d %H:%M} UTC: {why}")


def tell(stack: Stack, story: Story) -> None:
    """The whole story."""
    demo = Demo(stack, story)
    cloud = stack.cloud
    wanted = manifest.load(REPOSITORY / "pats.yaml")

    story.chapter("What is wanted: pats.yaml")
    heads = ("name", "account", "organization", "scopes", "lifetime", "replaced", "overlap")
    rows = [
        (
            spec.name,
            spec.account,
            spec.organization,
            " ".join(spec.scopes),
            f"{spec.lifetime.days} d",
            f"{spec.rotate_before.days} d before expiry",
            f"{spec.overlap.days} d",
        )
        for spec in wanted.pats
    ]
    story.table(heads, rows)

    story.chapter("One account has MFA: a person signs it in once, and Patrol keeps that sign-in alive")
    demo.command("shared.sign_in", "release-bot")
    story.chapter("Would a rotation succeed? The doctor looks, and touches no PAT")
    demo.command("shared.doctor")

    story.chapter("The first run: nothing is there yet, so every PAT is created, tried out and stored")
    demo.run()
    demo.show_vault()

    story.chapter("A second run finds nothing to do")
    calls = demo.run()
    story.line(f"   it made {len(calls)} calls, all reading: {', '.join(call.operation for call in calls)}")

    story.chapter("A PAT comes due, and is replaced while the old one goes on working")
    due = min(demo.get("status")["pats"], key=lambda pat: str(pat["dueAt"]))
    demo.move_clock(datetime.fromisoformat(due["dueAt"]) + timedelta(minutes=1), f"{due['name']} is due")
    demo.run()
    demo.show_pats("?managed=true&organization=contoso")

    story.chapter("Once its consumers had time to read the new one, the old one is revoked")
    spec = next(spec for spec in wanted.pats if spec.name == due["name"])
    demo.move_clock(cloud.clock.now() + spec.overlap + timedelta(minutes=1), "the overlap is over")
    demo.run()
    demo.show_pats("?managed=true&organization=contoso")
    demo.show_vault()

    story.chapter("The inventory also finds what people made by hand")
    bot = wanted.accounts["build-bot"].username
    stray = cloud.devops.issue_outside(
        "contoso", bot, "old laptop", "app_token", lifetime=timedelta(days=300), all_orgs=True
    )
    pats = demo.show_pats()
    for finding in next(pat for pat in pats if pat["authorizationId"] == stray.authorization_id)["findings"]:
        story.line(f"   {finding['code']}: {finding['message']}")

    story.chapter("A leak: rotate now, and end the old PAT in the same call")
    answer = stack.host.request("POST", "/api/pats/sonarqube/rotate", json={"revokeOld": "now"}).json()
    story.line('   POST /api/pats/sonarqube/rotate {"revokeOld": "now"}')
    story.line(
        f"   new {answer['authorizationId'][:8]}, valid to {answer['validTo'][:10]}; dead: "
        + ", ".join(identity[:8] for identity in answer["revoked"])
    )

    story.chapter("Clean up by hand; what consumers use is protected")
    path = f"/api/pats/contoso/{stray.authorization_id}"
    story.line(f"   DELETE the stray PAT: {stack.host.request('DELETE', path).status_code}")
    refused = stack.host.request("DELETE", f"/api/pats/contoso/{answer['authorizationId']}")
    story.line(f"   DELETE the current one: {refused.status_code}, {refused.json()['detail']}")
    story.line(f"   GET /api/status: {demo.get('status')['status']}")

    story.chapter("No token value anywhere")
    story.line(f"   {count_leaks(stack, story)}")


def count_leaks(stack: Stack, story: Story) -> str:
    """Search the terminal and the host's log for every PAT value that was ever made.

    Raises:
        SystemExit: one was found.
    """
    credentials = stack.cloud.vaults["contoso-credentials"]
    values = [pat.value for pat in stack.cloud.devops.pats()]
    values += [version.value for name in credentials.names() for version in credentials.versions(name)]
    printed = "\n".join(story.told) + stack.host.log_text()
    leaked = sum(value in printed for value in values)
    if leaked:
        raise SystemExit(f"{leaked} secret values were printed.")
    made = len(stack.cloud.devops.pats())
    return f"{made} PATs were made; none of their values, and no credential, is on this terminal or in the host's log"


def main() -> None:
    """Run the demo; exit status 0 when everything in it went as told."""
    started = time.monotonic()
    story = Story()
    story.line("Starting the simulated cloud, Azurite and a Functions host ...")
    LOG.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    with Stack(signed_in=False, log=LOG) as stack:
        story.line(f"   up after {time.monotonic() - started:.1f} s; the host is {stack.description}")
        if stack.storage is None:
            story.line(f"   no Azurite, so the runs go without their lease: {stack.missing_storage}")
        tell(stack, story)
    story.line(f"\nDone in {time.monotonic() - started:.1f} s. Try it by hand: 'make start', then in another terminal")
    story.line('   curl -H "x-functions-key: $(cat .local/function-key)" http://127.0.0.1:7071/api/pats')
    story.line(f"The host's log is in {Path(LOG).relative_to(REPOSITORY)}.")


if __name__ == "__main__":
    main()
