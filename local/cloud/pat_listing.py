"""Pages of a user's PATs: filter, order, at most 100 a page, continued after the last one seen.

The continuation token names the last item's place in the order, so revoking or issuing between two pages neither skips
nor repeats the others. UNCONFIRMED: what the service's token holds, the defaults (here: active, displayName, ascending,
20 a page), and that a token with another filter is refused.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from local.cloud.devops import DevOps, Pat

PAGE_LIMIT = 100  # Azure DevOps REST 7.2 spec, $top
_DEFAULT_TOP = 20

Key = tuple[str, str]

_ORDERS: dict[str, Callable[[Pat], Key]] = {
    "displayname": lambda pat: (pat.display_name.lower(), pat.authorization_id),
    "displaydate": lambda pat: (pat.valid_to.isoformat(), pat.authorization_id),
    "status": lambda pat: ("revoked" if pat.revoked else "active", pat.authorization_id),
}


class BadListing(ValueError):
    """A query that makes no sense; answered with 400."""


@dataclass(frozen=True, slots=True)
class _Query:
    shown: str
    order: str
    ascending: bool
    top: int
    after: Key | None


class Listing:
    """Answers list queries; keeps each user's PATs in order until one of them changes."""

    def __init__(self, devops: DevOps) -> None:
        self._devops = devops
        self._sorted: dict[tuple[str, str, str], tuple[int, list[Key], list[Pat]]] = {}

    def page(self, organization: str, upn: str, parameters: dict[str, str]) -> tuple[list[Pat], str]:
        """One page, and the continuation token: empty on the last page."""
        query = _parse(parameters)
        keys, pats = self._in_order(organization, upn, query.order)
        now = self._devops.clock.now()
        if query.ascending:
            start = 0 if query.after is None else bisect_right(keys, query.after)
            indices = range(start, len(pats))
        else:
            end = len(pats) if query.after is None else bisect_right(keys, query.after) - 1
            indices = range(end - 1, -1, -1)
        found: list[Pat] = []
        for index in indices:
            if _shown(pats[index], query.shown, now):
                if len(found) == query.top:
                    return found, _token(query, _ORDERS[query.order](found[-1]))
                found.append(pats[index])
        return found, ""

    def _in_order(self, organization: str, upn: str, order: str) -> tuple[list[Key], list[Pat]]:
        generation = self._devops.generation(upn)
        place = organization.lower(), upn.lower(), order
        cached = self._sorted.get(place)
        if cached is None or cached[0] != generation:
            ordered = sorted(self._devops.owned(organization, upn), key=_ORDERS[order])
            cached = generation, [_ORDERS[order](pat) for pat in ordered], ordered
            self._sorted[place] = cached
        return cached[1], cached[2]


def _shown(pat: Pat, shown: str, now: datetime) -> bool:
    if shown == "all":
        return True
    if pat.revoked:
        return shown == "revoked"
    return shown == ("expired" if pat.valid_to <= now else "active")


def _parse(parameters: dict[str, str]) -> _Query:
    shown = parameters.get("displayFilterOption", "active").lower()
    order = parameters.get("sortByOption", "displayName").lower()
    ascending = parameters.get("isSortAscending", "true").lower() == "true"
    top = parameters.get("$top", str(_DEFAULT_TOP))
    if shown not in {"active", "revoked", "expired", "all"} or order not in _ORDERS or not top.isdigit() or top == "0":
        raise BadListing("The query parameters are not valid.")
    after = None
    if parameters.get("continuationToken"):
        try:
            *options, key, identifier = json.loads(base64.urlsafe_b64decode(parameters["continuationToken"]))
        except ValueError:
            raise BadListing("The continuation token is not valid.") from None
        if options != [shown, order, ascending]:
            raise BadListing("The continuation token belongs to another query.")
        after = key, identifier
    return _Query(shown, order, ascending, min(int(top), PAGE_LIMIT), after)


def _token(query: _Query, last: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([query.shown, query.order, query.ascending, *last]).encode()).decode()
