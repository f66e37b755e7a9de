"""A simulated Key Vault: secrets, their versions, soft delete, and who may do what.

Shapes and times follow recorded answers (azure-sdk-for-python, api 7.3): whole Unix seconds, of the simulated clock.
UNCONFIRMED, and chosen here: a PATCH can set `exp` but not clear it; the spelling of a name's first use stays. In the
service a deleted secret takes seconds to show among the deleted; here `deletion_delay` is nought by default.
"""

from __future__ import annotations

import re
import threading
import uuid
from bisect import bisect_right, insort
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.cloud.clock import Clock

ACTIONS = frozenset({"get", "set", "list", "update", "delete", "recover", "purge"})
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_MAX_VALUE, _MAX_TAGS, _MAX_TAG, _MAX_CONTENT_TYPE = 25 * 1024, 15, 512, 255  # Key Vault, service limits


class VaultRefused(Exception):
    """Answered with `status` and Key Vault's error body."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.inner = status, code, message, inner


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a secret. Times are Unix seconds; the value stays out of `repr`."""

    id: str
    created: int
    updated: int
    value: str = field(repr=False)
    enabled: bool = True
    expires: int | None = None
    not_before: int | None = None
    content_type: str | None = None
    tags: dict[str, str] | None = None


@dataclass(eq=False, slots=True)
class Secret:
    """A secret's versions in the order of their making; the last one is the latest."""

    name: str
    versions: dict[str, Version] = field(default_factory=dict)

    @property
    def latest(self) -> Version:
        """The version that a get without a version answers."""
        return next(reversed(self.versions.values()))


@dataclass(frozen=True, slots=True)
class Deleted:
    """A soft-deleted secret, recoverable until `purge_at` (Unix seconds)."""

    secret: Secret
    at: datetime
    purge_at: int


class Vault:
    """One vault. Names are case-insensitive everywhere. The verbs below are a person's; they need no permission."""

    def __init__(self, name: str, clock: Clock, default_principals: Iterable[str]) -> None:
        self.name = name
        self.clock = clock
        self.lock = threading.RLock()
        self._default_principals = tuple(default_principals)
        self.reset()

    def reset(self) -> None:
        """Empty, with all rights for the app's managed identities and none for anybody else."""
        with self.lock:
            self.deletion_delay = timedelta()
            self.recoverable_days = 90
            self.page_size = 25
            self._secrets: dict[str, Secret] = {}
            self._sorted: list[str] = []
            self._deleted: dict[str, Deleted] = {}
            self._grants = {principal: set(ACTIONS) for principal in self._default_principals}

    def grant(self, principal: str, actions: Iterable[str]) -> None:
        """Give a principal (object id) exactly these data actions, out of `ACTIONS`."""
        wanted = set(actions)
        if not wanted <= ACTIONS:
            raise ValueError(f"unknown actions: {sorted(wanted - ACTIONS)}")
        self._grants[principal.lower()] = wanted

    def deny(self, principal: str, actions: Iterable[str] = ACTIONS) -> None:
        """Take data actions away from a principal."""
        self._grants.setdefault(principal.lower(), set()).difference_update(actions)

    def allows(self, principal: str, action: str) -> bool:
        """Whether a principal has a data action."""
        return action in self._grants.get(principal.lower(), set())

    def put(
        self,
        name: str,
        value: str,
        tags: dict[str, str] | None = None,
        expires: datetime | None = None,
        content_type: str | None = None,
        *,
        enabled: bool = True,
    ) -> Version:
        """Store a new version."""
        when = int(expires.timestamp()) if expires is not None else None
        return self.set(
            name, Version("", 0, 0, value, enabled=enabled, expires=when, content_type=content_type, tags=tags)
        )

    def latest(self, name: str) -> Version | None:
        """The latest version, or None if there is no such secret (or a deleted one)."""
        with self.lock:
            secret = self._secrets.get(name.lower())
            return secret.latest if secret else None

    def versions(self, name: str) -> list[Version]:
        """All versions, oldest first; empty if there is no such secret."""
        with self.lock:
            secret = self._secrets.get(name.lower())
            return list(secret.versions.values()) if secret else []

    def names(self) -> list[str]:
        """The names of the secrets, sorted."""
        with self.lock:
            return [self._secrets[key].name for key in self._sorted]

    def value(self, name: str) -> str:
        """The latest value, as a consumer reads it; KeyError if there is no such secret."""
        with self.lock:
            return self._secrets[name.lower()].latest.value

    def disable(self, name: str, version: str | None = None) -> None:
        """Switch a version off, the latest by default."""
        self.change(name, version, {"enabled": False})

    def enable(self, name: str, version: str | None = None) -> None:
        """Switch a version on again."""
        self.change(name, version, {"enabled": True})

    def set(self, name: str, content: Version) -> Version:
        """A new version with the content of `content`; its id and times are made here."""
        self._check(name, content)
        key, now = name.lower(), self.now()
        with self.lock:
            if key in self.deleted():
                self._refuse_deleted(key)
            version = replace(content, id=uuid.uuid4().hex, created=now, updated=now)
            if key not in self._secrets:
                self._secrets[key] = Secret(name)
                insort(self._sorted, key)
            self._secrets[key].versions[version.id] = version
        return version

    def find(self, name: str, version: str | None = None) -> tuple[Secret, Version]:
        """A secret and one version of it, the latest by default."""
        with self.lock:
            secret = self._secrets.get(name.lower())
            found = secret and (secret.versions.get(version.lower()) if version else secret.latest)
            if secret is None or not found:
                shown = f"{name}/{version}" if version else name
                raise VaultRefused(
                    404,
                    "SecretNotFound",
                    f"A secret with (name/id) {shown} was not found in this key vault. If you recently deleted this "
                    "secret you may be able to recover it using the correct recovery command. For help resolving this "
                    "issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
                )
            return secret, found

    def change(self, name: str, version: str | None, changes: dict[str, object]) -> tuple[Secret, Version]:
        """Replace fields of one version, the latest by default. Tags, where given, are replaced as a set."""
        with self.lock:
            secret, old = self.find(name, version)
            new = replace(old, updated=self.now(), **changes)  # type: ignore[arg-type] # names checked by the caller
            self._check(name, new)
            secret.versions[old.id] = new
            return secret, new

    def delete(self, name: str) -> Deleted:
        """Soft delete: the name stays taken until purged."""
        with self.lock:
            secret, _ = self.find(name)
            now = self.clock.now()
            purge_at = int((now + timedelta(days=self.recoverable_days)).timestamp())
            key = name.lower()
            self._deleted[key] = Deleted(secret, now, purge_at)
            del self._secrets[key]
            self._sorted.remove(key)
            return self._deleted[key]

    def recover(self, name: str) -> Secret:
        """Undo a soft delete, with all versions."""
        with self.lock:
            deleted = self.find_deleted(name)
            key = name.lower()
            del self._deleted[key]
            self._secrets[key] = deleted.secret
            insort(self._sorted, key)
            return deleted.secret

    def purge(self, name: str) -> None:
        """Destroy a soft-deleted secret."""
        with self.lock:
            self.find_deleted(name)
            del self._deleted[name.lower()]

    def find_deleted(self, name: str) -> Deleted:
        """A soft-deleted secret that the service already shows as such."""
        with self.lock:
            deleted = self.deleted().get(name.lower())
            if deleted is None or self._settling(deleted):
                raise VaultRefused(404, "SecretNotFound", f"Deleted Secret not found: {name}")
            return deleted

    def deleted(self) -> dict[str, Deleted]:
        """The soft-deleted secrets by lower-case name, without those whose time to be purged has come."""
        now = self.now()
        for key in [key for key, deleted in self._deleted.items() if deleted.purge_at <= now]:
            del self._deleted[key]
        return self._deleted

    def page(self, after: str, size: int) -> tuple[list[Secret], bool]:
        """Up to `size` secrets whose lower-case name comes after `after`, and whether there are more."""
        with self.lock:
            start = bisect_right(self._sorted, after) if after else 0
            keys = self._sorted[start : start + size]
            return [self._secrets[key] for key in keys], start + size < len(self._sorted)

    def now(self) -> int:
        """The simulated moment in whole Unix seconds."""
        return int(self.clock.now().astimezone(UTC).timestamp())

    def _settling(self, deleted: Deleted) -> bool:
        return self.clock.now() < deleted.at + self.deletion_delay

    def _refuse_deleted(self, key: str) -> None:
        deleted = self._deleted[key]
        if self._settling(deleted):
            text = f"Secret {deleted.secret.name} is currently being deleted."
            raise VaultRefused(409, "Conflict", text, "ObjectIsBeingDeleted")
        raise VaultRefused(
            409,
            "Conflict",
            f"Secret {deleted.secret.name} is currently in a deleted but recoverable state, and its name cannot be "
            "reused; in this state, the secret can only be recovered or purged.",
            "ObjectIsDeletedButRecoverable",
        )

    def _check(self, name: str, content: Version) -> None:
        tags = content.tags or {}
        faults = [
            (not _NAME.fullmatch(name), f"The request URI contains an invalid name: {name}"),
            (len(content.value.encode()) > _MAX_VALUE, "The secret value exceeds the maximum of 25 KB."),
            (len(content.content_type or "") > _MAX_CONTENT_TYPE, "The content type exceeds 255 characters."),
            (len(tags) > _MAX_TAGS, "A secret may have up to 15 tags."),
            (any(len(part) > _MAX_TAG for pair in tags.items() for part in pair), "A tag exceeds 512 characters."),
        ]
        for wrong, message in faults:
            if wrong:
                raise VaultRefused(400, "BadParameter", message)
