"""The numbers of docs/scale.md: calls, seconds and money for fleets of any size, from the limits and prices below.

`python -m local.scale` writes them into the page. That a real run makes these calls, and this often, is checked by a
simulation over two months of virtual time (`tests/test_scale.py`); that the calls take this long, by `make bench`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from shared.clients.devops import PAGE_SIZE as PAT_PAGE
from shared.executor import WORKERS
from shared.model import RUN_DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
FLEETS = (100, 1_000, 10_000, 100_000)
LATENCIES = (0.02, 0.1)  # seconds per call: same region, and across an ocean

SECRET_PAGE = 25  # the most that Key Vault returns (REST reference, "Get Secrets")
STORES_PER_SECOND = 30  # 300 in ten seconds for each vault (Key Vault service limits, creating secrets)
RUNS_PER_MONTH = 730  # hourly
HOURS_PER_DAY = 24

# Calls of one rotation. Azure DevOps: create, verify, and later revoke. Key Vault: store, and later read the versions
# and disable the old one.
PAT_CALLS = 3
SECRET_CALLS = 3
CHAIN_TO_ISSUE = 3  # create, verify, store: one after the other
CHAIN_TO_END = 3  # versions, disable, revoke: one after the other

# Prices in US dollars, US East, pay as you go (Azure's pricing pages, 2026-11). They are the only numbers here that
# nothing checks.
GB_SECOND = 0.000026  # Flex Consumption, on demand
FREE_GB_SECONDS = 100_000
MEMORY_GB = 0.5
SECRET_CALL = 0.03 / 10_000
LOG_GB = 2.30
LOG_LINE_BYTES = 1_500  # a trace in Application Insights with the columns that the platform adds

# What a run needs before its first page: sign-in, managed identity, credentials, lease, the account's identity.
CALLS_TO_START = 8


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet in its steady state.

    Args:
        pats: how many PATs its manifest names.
        sources: over how many pairs of account and organisation they are spread evenly, each organisation in one.
        lifetime: what each PAT is made with; the other durations are the manifest's defaults.
    """

    pats: int
    sources: int = 1
    lifetime: timedelta = timedelta(days=30)
    rotate_before: timedelta = timedelta(days=10)
    overlap: timedelta = timedelta(days=2)

    @property
    def margin(self) -> timedelta:
        """How long before its expiry a PAT is due, without jitter (R6)."""
        return min(self.rotate_before, self.lifetime / 3)

    @property
    def cycle(self) -> timedelta:
        """The mean time between two rotations of a PAT: the jitter is at most a tenth of the margin."""
        return self.lifetime - self.margin - self.margin / 20

    @property
    def live(self) -> float:
        """PATs alive on average, those in their overlap among them."""
        return self.pats * (1 + self.overlap / self.cycle)

    @property
    def rotations_per_day(self) -> float:
        """On average."""
        return self.pats / (self.cycle / timedelta(days=1))

    @property
    def rotations_per_run(self) -> float:
        """On average, with an hourly run."""
        return self.rotations_per_day / HOURS_PER_DAY

    @property
    def peak_rotations(self) -> float:
        """In one hourly run of the first cycle after all PATs were made at once: the jitter alone spreads them."""
        return self.pats / (self.margin / 10 / timedelta(hours=1))

    @property
    def pat_pages(self) -> int:
        """Pages of the PAT lists, all sources together."""
        return self.sources * math.ceil(self.live / self.sources / PAT_PAGE)

    @property
    def secret_pages(self) -> int:
        """Pages of the vault's list."""
        return math.ceil(self.pats / SECRET_PAGE)

    def seconds(self, latency: float, rotations: float) -> float:
        """How long a run takes that rotates so many and ends as many: the page chain, then the chains of the pool.

        Sources are listed side by side, the vault after them (R1), each list page by page.
        """
        pages = self.pat_pages / self.sources + self.secret_pages
        chains = math.ceil(rotations / (WORKERS * self.sources)) * (CHAIN_TO_ISSUE + CHAIN_TO_END)
        return (CALLS_TO_START + pages + chains) * latency

    def secret_calls_per_month(self) -> float:
        """What Key Vault bills."""
        rotations = self.rotations_per_run * RUNS_PER_MONTH
        return self.secret_pages * RUNS_PER_MONTH + rotations * SECRET_CALLS

    def dollars_per_month(self, latency: float) -> dict[str, float]:
        """Compute, Key Vault and logs."""
        gb_seconds = self.seconds(latency, self.rotations_per_run) * RUNS_PER_MONTH * MEMORY_GB
        lines = 2 + (self.live - self.pats) + 3 * self.rotations_per_run
        return {
            "compute": max(0.0, gb_seconds - FREE_GB_SECONDS) * GB_SECOND,
            "vault": self.secret_calls_per_month() * SECRET_CALL,
            "logs": lines * RUNS_PER_MONTH * LOG_LINE_BYTES / 1e9 * LOG_GB,
        }

    def bootstrap_runs(self, latency: float) -> int | None:
        """Hourly runs until every PAT exists, each within its deadline, while Azure DevOps does not throttle.

        None where a run cannot even list the fleet in that time.
        """
        room = RUN_DEADLINE.total_seconds() - self.seconds(latency, 0)
        per_second = min(WORKERS * self.sources / (CHAIN_TO_ISSUE * latency), STORES_PER_SECOND)
        return math.ceil(self.pats / (room * per_second)) if room > 0 else None


def largest_fleet(latency: float) -> int:
    """The most PATs of one source whose lists take half of a run's deadline, rounded down to two digits."""
    pats = 1_000
    while Fleet(pats + 1_000).seconds(latency, 0) <= RUN_DEADLINE.total_seconds() / 2:
        pats += 1_000
    digits = int(10 ** (len(str(pats)) - 2))
    return pats // digits * digits


# ---- the page --------------------------------------------------------------------------------------------------------


def calls_table() -> list[str]:
    """Calls of one run."""
    titles = ("PATs", "PAT pages", "secret pages", "quiet run", "average run", "peak after a bulk start", "rotations")
    rows = [_row(titles), "|---:|---:|---:|---:|---:|---:|---:|"]
    for pats in FLEETS:
        fleet = Fleet(pats)
        pages = fleet.pat_pages + fleet.secret_pages
        average = pages + fleet.rotations_per_run * (PAT_CALLS + SECRET_CALLS)
        peak = pages + fleet.peak_rotations * CHAIN_TO_ISSUE
        calls = (f"{count:,.0f} calls" for count in (pages, average, peak))
        rotations = f"{fleet.rotations_per_day:,.0f} a day, {fleet.peak_rotations:,.0f} at the peak"
        rows.append(_row((f"{pats:,}", f"{fleet.pat_pages:,}", f"{fleet.secret_pages:,}", *calls, rotations)))
    return rows


def seconds_table() -> list[str]:
    """Seconds of one run."""
    titles = [
        f"{'1 source' if sources == 1 else f'{sources} sources'}, {latency * 1000:.0f} ms"
        for sources in (1, 10)
        for latency in LATENCIES
    ]
    rows = [_row(("PATs", *titles)), "|---:|" + "---:|" * len(titles)]
    for pats in FLEETS:
        cells = []
        for sources in (1, 10):
            for latency in LATENCIES:
                fleet = Fleet(pats, sources)
                quiet, peak = fleet.seconds(latency, 0), fleet.seconds(latency, fleet.peak_rotations)
                late = " (over the deadline)" if peak > RUN_DEADLINE.total_seconds() else ""
                cells.append(f"{_seconds(quiet)} to {_seconds(peak)}{late}")
        rows.append(_row((f"{pats:,}", *cells)))
    return rows


def money_table() -> list[str]:
    """Dollars of one month."""
    rows = ["| PATs | compute | Key Vault | logs | together |", "|---:|---:|---:|---:|---:|"]
    for pats in FLEETS:
        parts = Fleet(pats).dollars_per_month(LATENCIES[-1])
        cells = [*parts.values(), sum(parts.values())]
        rows.append(_row((f"{pats:,}", *(f"${cell:,.2f}" for cell in cells))))
    return rows


def bootstrap_table() -> list[str]:
    """Hourly runs until a new fleet is complete."""
    rows = ["| PATs | 1 source | 10 sources |", "|---:|---:|---:|"]
    for pats in FLEETS:
        runs = (Fleet(pats, sources).bootstrap_runs(LATENCIES[-1]) for sources in (1, 10))
        cells = ("cannot be listed" if count is None else str(count) for count in runs)
        rows.append(_row((f"{pats:,}", *cells)))
    return rows


def largest_table() -> list[str]:
    """How far one app goes."""
    rows = ["| a call takes | PATs |", "|---:|---:|"]
    return rows + [f"| {latency * 1000:.0f} ms | {largest_fleet(latency):,} |" for latency in LATENCIES]


TABLES = {
    "calls": calls_table,
    "seconds": seconds_table,
    "bootstrap": bootstrap_table,
    "money": money_table,
    "largest": largest_table,
}


def page(text: str) -> str:
    """The page with its tables written anew; the prose around them stays."""
    for name, table in TABLES.items():
        rows = "\n".join(table())
        pattern = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        text, count = pattern.subn(rf"\g<1>{rows}\n\g<2>", text)
        if count != 1:
            raise ValueError(f"docs/scale.md has {count} places for the table {name}")
    return text


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
