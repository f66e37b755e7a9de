"""Page tokens: the place of an answer's last PAT as text for the next request. Pure.

A place is a key of the order and no count, so PATs that come and go between two pages neither hide nor repeat others.
The checksum guards against mistakes, such as other filters or a token cut short. It needs no key: whoever forges a
token only names another place, and may read from there anyhow.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from shared.inventory import Place

if TYPE_CHECKING:
    from shared.inputs import InventoryQuery
    from shared.inventory import Query

# Azure DevOps does not promise that a name is sound Unicode.
_LENIENT = "surrogatepass"


def token_of(place: Place, query: Query) -> str:
    """The token to go on after a place with the same filters. The limit may change from page to page."""
    text = f"{place.organization}\n{place.account}\n{place.authorization_id}\n{place.name}"
    filters = (query.organization, query.account, query.statuses, query.managed, query.finding)
    checksum = hashlib.sha256(f"{json.dumps(filters)}\n{text}".encode(errors=_LENIENT)).hexdigest()[:16]
    return base64.urlsafe_b64encode(f"{checksum}\n{text}".encode(errors=_LENIENT)).decode().rstrip("=")


def place_of(token: str, query: Query) -> Place:
    """The place that a token names.

    Raises:
        ValueError: it is none of these filters' tokens.
    """
    content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode(errors=_LENIENT)
    _, organization, account, identity, name = content.split("\n", 4)
    place = Place(organization, account, name, identity)
    if token_of(place, query) != token:
        raise ValueError("the token was made for other filters, or changed since")
    return place


def resumed(query: Query, token: str | None) -> Query:
    """The query from a token's place on; unchanged without a token.

    Raises:
        ValueError: see `place_of`.
    """
    return query if token is None else replace(query, after=place_of(token, query))


def link(wish: InventoryQuery, page: str) -> str:
    """The next page as a Link header (RFC 8288), relative to the request's own URL and without its function key."""
    wishes = wish.model_copy(update={"page": page}).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    query = urlencode({name: value if isinstance(value, str) else json.dumps(value) for name, value in wishes.items()})
    return f'<?{query}>; rel="next"'
