"""Bugs to plant, one for each rotation rule: the rule's few words of code, and what they become without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults import stories
from tests.faults.campaign import prepare_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.world import World


@dataclass(frozen=True)
class Patch:
    """Replace a text that occurs exactly once in a file of `shared/`."""

    file: str
    old: str
    new: str

    def apply(self, app: Path) -> None:
        """Change a copy of the app."""
        path = app / "shared" / self.file
        text = path.read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise AssertionError(f"{found} places in {self.file} for the planted bug: {self.old!r}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Bug:
    """A rule's removal, and the story that must notice it.

    Where two rules guard against the same harm, `without` takes the other one away from both sides of the comparison,
    so that this one is shown to carry the safety by itself.
    """

    rule: str
    name: str
    patch: Patch
    story: Callable[[World], list[str]]
    without: tuple[Patch, ...] = ()
    needs_storage: bool = False


_NO_LAST_LOOK = Patch("executor.py", "if not _still_superfluous(action, newest, named, now):", "if False:")

BUGS = (
    Bug(
        "R1",
        "the vault is read before the PATs",
        Patch(
            "reconciler.py",
            """\
        listings, unreadable = self._list(self.manifest.sources)
        records = self._vault.list_records()
        moved""",
            """\
        records = self._vault.list_records()
        listings, unreadable = self._list(self.manifest.sources)
        moved""",
        ),
        stories.another_run_stores_while_this_one_reads,
        without=(_NO_LAST_LOOK,),
    ),
    Bug(
        "R2",
        "an orphan has no age",
        Patch("model.py", "ORPHAN_AGE = timedelta(hours=1)", "ORPHAN_AGE = timedelta()"),
        stories.another_run_passes_while_this_one_is_about_to_store,
    ),
    Bug(
        "R2",
        "versions are not read before an orphan is revoked",
        _NO_LAST_LOOK,
        stories.somebody_rolls_back,
    ),
    Bug(
        "R3",
        "a failed store is undone without reading back",
        Patch("executor.py", "stored = self._version_of(secret, identity)", "stored = None"),
        stories.the_answers_to_a_store_are_lost,
    ),
    Bug(
        "R3",
        "a create is sent again",
        Patch(
            "clients/devops.py",
            'self._with_bearer(source, "POST", _pats(source), body)',
            'self._retrying(lambda: self._with_bearer(source, "POST", _pats(source), body))',
        ),
        stories.the_answer_to_a_create_is_lost,
    ),
    Bug(
        "R4",
        "the lease is not asked for",
        Patch("lease.py", "lease = self._acquire()", "lease = None"),
        stories.a_second_run_starts_meanwhile,
        needs_storage=True,
    ),
    Bug(
        "R5",
        "there is no overlap",
        Patch("planner.py", "item.record.created + item.spec.overlap if", "item.record.created if"),
        stories.an_hour_passes_after_a_rotation,
    ),
    Bug(
        "R5",
        "a new PAT is stored unseen",
        Patch("executor.py", "if spec.verify:", "if False:"),
        stories.a_new_pat_does_not_work,
    ),
    Bug(
        "R6",
        "the margin is the manifest's alone",
        Patch(
            "planner.py",
            "margin = min(spec.rotate_before, (pat.valid_to - pat.valid_from) / 3)",
            "margin = spec.rotate_before",
        ),
        stories.the_server_grants_six_days,
    ),
    Bug(
        "R7",
        "a paused secret is like any other",
        Patch("planner.py", "    (Reason.PAUSED, _is_paused),\n", ""),
        stories.a_secret_is_paused,
    ),
    Bug(
        "R8",
        "any number of orphans is believed",
        Patch("planner.py", "if len(orphans) > max(", "if len(orphans) > 1000 * max("),
        stories.many_pats_seem_to_be_orphans,
    ),
    Bug(
        "R9",
        "a failure ends the run",
        Patch(
            "executor.py",
            """\
            outcome = Outcome(OutcomeKind.FAILED, action, error=error)
        except Exception""",
            """\
            raise
        except Exception""",
        ),
        stories.one_of_three_fails,
    ),
    Bug(
        "R9",
        "a failure is not remembered",
        Patch("executor.py", "            self._back_off(action, now, outcome.error)\n", "            pass\n"),
        stories.a_pat_fails_again_and_again,
    ),
)


def app_with(folder: Path, *patches: Patch) -> Path:
    """A copy of the app with bugs in it."""
    app = prepare_app(folder)
    for patch in patches:
        patch.apply(app)
    return app
