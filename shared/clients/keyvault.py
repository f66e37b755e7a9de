"""Azure Key Vault, over its SDK: the vault that consumers read, and the one with the technical users' credentials.

The PAT vault's client has no method that returns a value, and needs no permission to read one.
Facts are from the Key Vault REST reference and from recorded answers of the service (api 7.3).
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.policies import RetryPolicy
from azure.keyvault.secrets import SecretClient

from shared.clients import keyvault_pages
from shared.errors import PatrolError, Refused, Throttled, Unavailable
from shared.model import Secret, StoredSecret, VaultRecord
from shared.transport import transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineResponse
    from azure.keyvault.secrets import SecretProperties

    from shared.clock import ServerClock

# The SDK's defaults are ten tries, 300 s a time-out and seven days in all: with those, no age of an orphan would be
# safe (R2). With these no try of a call takes longer than 35 s, and no call longer than three minutes.
CONNECT_TIMEOUT = 5
READ_TIMEOUT = 20
RETRIES = 2
LONGEST_WAIT = 30.0
CONTENT_TYPE = "text/plain"


# A new version is sent once. A repeat could be refused after the first try was applied, which would look like a plain
# refusal, and a first try that got stuck could land after a later rotation and serve a dead value. The executor reads
# back what became of it (R3), and the next run tries again.
SENT_ONCE: dict[str, Any] = {"retry_total": 0}


class BoundedRetryPolicy(RetryPolicy[Any, Any]):
    """The SDK's retry policy, but a Retry-After longer than a run can spare is an answer and not an order to sleep."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """As the SDK's, unless the service asks for too long a pause."""
        wait = self.get_retry_after(response)
        return (wait is None or wait <= LONGEST_WAIT) and bool(super().is_retry(settings, response))

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """As the SDK's, which fails on a header that is neither a number nor a date."""
        try:
            return super().get_retry_after(response)
        except (ValueError, TypeError, OverflowError):
            return None


def _secret_client(url: str, credential: TokenCredential) -> SecretClient:
    return SecretClient(
        url,
        credential,
        transport=transport(CONNECT_TIMEOUT, READ_TIMEOUT),
        retry_policy=BoundedRetryPolicy(
            retry_total=RETRIES, retry_connect=RETRIES, retry_read=RETRIES, retry_status=RETRIES
        ),
        permit_redirects=False,
    )


class PatVault:
    """`SecretVault` over Azure Key Vault. Thread-safe, as the SDK's client is."""

    def __init__(self, url: str, credential: TokenCredential, clock: ServerClock) -> None:
        self._client = _secret_client(url, credential)
        self._clock = clock
        self.url = url

    def list_records(self) -> Mapping[str, VaultRecord]:
        """The newest version of every secret, disabled ones included, by lower-case name."""
        with _translated("list", "the secrets"):
            return {record.secret.lower(): record for record in map(keyvault_pages.record, self._items("/secrets"))}

    def list_deleted(self) -> frozenset[str]:
        """Lower-case names of soft-deleted secrets."""
        try:
            with _translated("list", "the deleted secrets"):
                return frozenset(keyvault_pages.name(item).lower() for item in self._items("/deletedsecrets"))
        except Refused as error:
            if error.reason != "vault.forbidden":
                raise
            raise Refused(error.message, reason=error.reason, remedy=_LIST_DELETED) from None

    def versions(self, secret: str) -> tuple[VaultRecord, ...]:
        """All versions, oldest first. The service lists them in no useful order, and knows times by the second."""
        with _translated("list the versions of", secret):
            found = map(keyvault_pages.record, self._items(f"/secrets/{quote(secret, safe='')}/versions"))
            return tuple(sorted(found, key=lambda record: record.created))

    def store(self, secret: str, value: Secret, *, expires_on: datetime, tags: Mapping[str, str]) -> str:
        """Write a new version: value, expiry and tags in one call, since a crash between two would orphan the PAT."""
        with _translated("write", secret):
            stored = self._client.set_secret(
                secret,
                value.reveal(),
                expires_on=expires_on,
                tags=dict(tags),
                content_type=CONTENT_TYPE,
                raw_response_hook=self._observe,
                **SENT_ONCE,
            )
            if not stored.properties.version:
                raise DecodeError("a version without its id")
            return stored.properties.version

    def replace_tags(self, secret: str, version: str, tags: Mapping[str, str]) -> None:
        """Replace the tags of exactly this version."""
        _named(version)
        with _translated("update", secret):
            self._client.update_secret_properties(secret, version, tags=dict(tags))

    def disable(self, secret: str, version: str) -> None:
        """Disable exactly this version."""
        _named(version)
        with _translated("update", secret):
            self._client.update_secret_properties(secret, version, enabled=False)

    def permissions(self) -> frozenset[str]:
        """Which of `list`, `set`, `update` and `get` the app has here, found out by calls that change nothing."""
        return frozenset(
            {"list"} if _is_permitted(lambda: next(iter(self._client.list_properties_of_secrets()), None)) else ()
        ) | _write_permissions(self._client)

    def _items(self, path: str) -> Iterator[dict[str, Any]]:
        return keyvault_pages.items(
            self._client, path, lambda response: self._clock.observe(response.headers.get("Date"))
        )

    def _observe(self, response: PipelineResponse[Any, Any]) -> None:
        self._clock.observe(response.http_response.headers.get("Date"))


class CredentialVault:
    """The vault with the technical users' passwords, client secrets and stored sign-ins, which only Patrol may read."""

    def __init__(self, url: str, credential: TokenCredential, clock: ServerClock) -> None:
        self._client = _secret_client(url, credential)
        self._clock = clock
        self.url = url

    def read(self, name: str) -> StoredSecret:
        """The newest version of a secret.

        Raises:
            Refused: it is missing, disabled, or Patrol may not read it.
        """
        with _translated("read", name):
            try:
                found = self._client.get_secret(name, raw_response_hook=self._observe)
            except ResourceNotFoundError:
                message = f"The credential vault has no secret {name}."
                remedy = f"Store it there as {name}; the vault is the one that CREDENTIAL_VAULT_URL names."
                raise Refused(message, reason="credential.missing", remedy=remedy) from None
            record = _record(found.properties)
        if not found.value:
            raise Refused(f"Secret {name} of the credential vault is empty.", reason="credential.empty")
        return StoredSecret(Secret(found.value), record.version or "", record.created, record.tags)

    def write(self, name: str, value: Secret, tags: Mapping[str, str]) -> None:
        """Store a new version in one call. Used for stored sign-ins alone."""
        with _translated("write", name):
            self._client.set_secret(name, value.reveal(), tags=dict(tags), raw_response_hook=self._observe, **SENT_ONCE)

    def permissions(self) -> frozenset[str]:
        """Which of `set`, `update` and `get` the app has here, found out by calls that change nothing."""
        return _write_permissions(self._client)

    def _observe(self, response: PipelineResponse[Any, Any]) -> None:
        self._clock.observe(response.http_response.headers.get("Date"))


# A name that no secret of anybody's has, and a version that no secret has. Key Vault checks permissions before it
# looks at either, or at a request's content: UNCONFIRMED beyond what its error codes suggest.
_PROBE = "patrol-permission-probe"
_NO_VERSION = "0" * 32
_TOO_MANY_TAGS = {f"probe-{number}": "" for number in range(16)}  # the service takes 15


def _write_permissions(client: SecretClient) -> frozenset[str]:
    probes: dict[str, Callable[[], object]] = {
        "set": lambda: client.set_secret(_PROBE, "probe", tags=_TOO_MANY_TAGS),
        "update": lambda: client.update_secret_properties(_PROBE, _NO_VERSION, tags={}),
        "get": lambda: client.get_secret(_PROBE, _NO_VERSION),
    }
    return frozenset(name for name, probe in probes.items() if _is_permitted(probe))


def _is_permitted(probe: Callable[[], object]) -> bool:
    """True unless the vault forbids the call. Its other complaints are the point of the probe.

    Raises:
        PatrolError: the vault did not answer, or did not accept the app's identity at all.
    """
    try:
        with _translated("probe", "permissions"):
            probe()
    except Refused as error:
        if error.reason in {"vault.not-authenticated", "vault.firewall"}:
            raise
        return error.reason != "vault.forbidden"
    return True


def _record(properties: SecretProperties) -> VaultRecord:
    if properties.name is None or properties.created_on is None:
        raise DecodeError("a secret without name or time")
    return VaultRecord(
        secret=properties.name,
        created=properties.created_on,
        enabled=properties.enabled is not False,
        expires_on=properties.expires_on,
        version=properties.version,
        tags=dict(properties.tags or {}),
    )


def _named(version: str) -> None:
    """An empty version would address the newest one, which may be another run's."""
    if not version:
        raise ValueError("a version is needed")


@contextmanager
def _translated(verb: str, what: str) -> Iterator[None]:
    """Turn the SDK's errors into ours. Their texts quote requests and answers, so none is kept.

    On an answer that is no JSON, or JSON of another shape, the SDK stumbles with Python's own errors.
    """
    try:
        yield
    except PatrolError:
        raise
    except (AzureError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise _as_patrol_error(error, verb, what) from None


def _as_patrol_error(error: Exception, verb: str, what: str) -> PatrolError:
    doing = f"Key Vault: cannot {verb} {what}"
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return Unavailable(f"{doing}: no answer ({type(error).__name__}).", reason="vault.no-answer", answered=False)
    if isinstance(error, ClientAuthenticationError):
        remedy = "Check that the app has a managed identity, and AZURE_CLIENT_ID where it is a user-assigned one."
        return Refused(
            f"{doing}: the app's identity was not accepted.", reason="vault.not-authenticated", remedy=remedy
        )
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if not isinstance(error, HttpResponseError) or status is None or status < HTTPStatus.MULTIPLE_CHOICES:
        return Unavailable(f"{doing}: the answer cannot be read.", reason="vault.unreadable", answered=True)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = _retry_after(error)
        return Throttled(f"{doing}: the vault throttles.", reason="vault.throttled", retry_after=wait)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = _retry_after(error)
        message = f"{doing}: the vault answered {status}."
        return Unavailable(message, reason="vault.server-error", answered=True, retry_after=wait)
    code = _inner_code(error)
    reason, why, remedy = _REFUSALS.get(code) or _BY_STATUS.get(status) or ("vault.refused", f"status {status}", "")
    return Refused(f"{doing}: {why}.", reason=reason, remedy=remedy)


# Microsoft Learn, "Get Deleted Secrets": the permission is the one to list secrets.
_LIST_DELETED = (
    "Grant the app's identity, for deleted secrets too, the data action"
    " Microsoft.KeyVault/vaults/secrets/readMetadata/action, or list in an access policy."
)
_REFUSALS = {
    "SecretDisabled": ("vault.disabled", "it is disabled", "Enable its newest version."),
    "ForbiddenByRbac": ("vault.forbidden", "the app lacks the role", "Grant the app's identity the role infra/ names."),
    "ForbiddenByPolicy": ("vault.forbidden", "the access policy forbids it", "Grant the app's identity access."),
    "ForbiddenByFirewall": ("vault.firewall", "the vault's firewall forbids it", "Let the app's network in."),
    "ObjectIsDeletedButRecoverable": ("vault.deleted", "it is soft-deleted", "Recover or purge it."),
    "ObjectIsBeingDeleted": ("vault.deleted", "it is being deleted", "Wait, then recover or purge it."),
    "ObjectIsBeingRecovered": ("vault.deleted", "it is being recovered", "Wait until that is done."),
}
_BY_STATUS = {
    403: ("vault.forbidden", "the vault forbids it", "Check roles and firewall of the vault."),
    404: ("vault.not-found", "the vault knows no such secret", "Check the name."),
    409: ("vault.conflict", "another operation is under way", "It is tried again in the next run."),
}


def _inner_code(error: HttpResponseError) -> str:
    inner = getattr(error.error, "innererror", None) or {}
    return str(inner.get("code", "")) if isinstance(inner, dict) else ""


def _retry_after(error: HttpResponseError) -> float | None:
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    header = headers.get("Retry-After", "")
    return float(header) if header.isascii() and header.isdigit() else None
