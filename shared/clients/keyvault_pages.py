"""Reads Key Vault's lists page by page, from the JSON straight into what Patrol keeps of a secret.

The SDK sends the requests: identity, challenges and retries stay its own. What it makes of an answer is left out: its
model objects take longer than all the rest of a page, and a fleet of 10,000 has 400 pages.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceNotFoundError,
    map_error,
)
from azure.core.rest import HttpRequest

from shared.model import VaultRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.core.rest import HttpResponse
    from azure.keyvault.secrets import SecretClient

    Item = dict[str, Any]

_ERRORS: dict[int, type[HttpResponseError]] = {401: ClientAuthenticationError, 404: ResourceNotFoundError}


def items(client: SecretClient, path: str, observe: Callable[[HttpResponse], None]) -> Iterator[Item]:
    """Every item of a list, page after page.

    Args:
        client: the vault's client.
        path: the list's path in the vault.
        observe: looks at every answer.

    Raises:
        AzureError: the vault cannot be asked, or refused.
        DecodeError: an answer is no page. One without its items is no empty list either: to take it for one would be
            to take the vault for empty.
    """
    link = path
    seen: set[str] = set()
    while link:
        seen.add(link)
        page = _page(client.send_request(HttpRequest("GET", link)), observe)
        for item in page["value"]:
            if not isinstance(item, dict):
                raise DecodeError("an item that is none")
            yield item
        link = page.get("nextLink") or ""
        if link and not _leads_on(link, client.vault_url, seen):
            raise DecodeError("a link to the next page that leads back, or to another host")


def record(item: Item) -> VaultRecord:
    """What one item of a list tells of a secret or of one version.

    Raises:
        DecodeError: it lacks the name or the time, or has them in another shape.
    """
    _, _, _, collection, secret, *version = _parts(item)
    attributes, tags = item.get("attributes"), item.get("tags")
    if collection != "secrets" or not isinstance(attributes, dict) or not isinstance(tags, dict | None):
        raise DecodeError("a secret in a shape of its own")
    expires = attributes.get("exp")
    return VaultRecord(
        secret=secret,
        created=_moment(attributes.get("created")),
        enabled=attributes.get("enabled") is not False,
        expires_on=_moment(expires) if expires is not None else None,
        version=version[0] if version else None,
        tags=tags or {},
    )


def name(item: Item) -> str:
    """The name of the secret that an item is about."""
    return _parts(item)[4]


def _moment(seconds: object) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)  # type: ignore[arg-type] # no number is the case that is caught
    except (TypeError, ValueError, OverflowError, OSError):
        raise DecodeError("a time that is none") from None


def _parts(item: Item) -> list[str]:
    """An id such as `https://contoso-pats.vault.azure.net/secrets/NAME/VERSION` in its parts."""
    parts = str(item.get("id")).split("/")
    if len(parts) not in {5, 6} or not parts[4]:
        raise DecodeError("a secret without a name")
    return parts


def _page(response: HttpResponse, observe: Callable[[HttpResponse], None]) -> Item:
    observe(response)
    if response.status_code != 200:  # noqa: PLR2004 - the one status that has a page
        map_error(response.status_code, response, _ERRORS)
        raise HttpResponseError(response=response)
    page = response.json()
    if not isinstance(page, dict) or not isinstance(page.get("value"), list):
        raise DecodeError("a page without its items")
    return page


def _leads_on(link: str, vault_url: str, seen: set[str]) -> bool:
    """Whether a link is one that may be followed: the app's token goes along, and a circle would never end."""
    there = urlsplit(link)
    return link not in seen and (there.scheme, there.hostname) == ("https", urlsplit(vault_url).hostname)
