"""The host's own storage account, as far as Patrol uses it: a container with the lease and the sign-in notes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from shared.transport import transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials import TokenCredential
    from azure.storage.blob import BlobClient, BlobServiceClient

    from shared.settings import StorageSettings

CONTAINER = "patrol"
CONNECT_TIMEOUT = 5
READ_TIMEOUT = 10

# What `UseDevelopmentStorage=true` stands for: the storage emulator's published account, which the Functions host
# understands by itself and the SDK does not (Microsoft Learn, "Use the Azurite emulator").
_EMULATOR = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
)


class Storage:
    """The container, connected on first use."""

    def __init__(self, settings: StorageSettings, identity: Callable[[str | None], TokenCredential]) -> None:
        self._settings = settings
        self._identity = identity
        self._service: BlobServiceClient | None = None

    def blob(self, name: str) -> BlobClient:
        """One blob of the container, which may not exist yet."""
        return self._connected().get_blob_client(CONTAINER, name)

    def create_container(self) -> None:
        """Make the container. That it exists already, or that another instance was quicker, is as good."""
        with suppress(HttpResponseError):
            self._connected().create_container(CONTAINER)

    def _connected(self) -> BlobServiceClient:
        if self._service is None:
            self._service = self._connect()
        return self._service

    def _connect(self) -> BlobServiceClient:
        # Loaded here, while the sign-in that asks for its notes waits for Entra: an inquiry needs it for nothing else.
        from azure.storage.blob import BlobServiceClient, LinearRetry  # noqa: PLC0415 - see above

        # The SDK's own policy waits 15 s before its first retry, and longer after: a run would stand still for a
        # minute before it goes on without its lease.
        options: dict[str, Any] = {
            "retry_policy": LinearRetry(backoff=1, retry_total=2),
            "transport": transport(CONNECT_TIMEOUT, READ_TIMEOUT),
        }
        if self._settings.connection is not None:
            connection = self._settings.connection.reveal()
            if "usedevelopmentstorage=true" in connection.lower():
                connection = _EMULATOR
            return BlobServiceClient.from_connection_string(connection, **options)
        return BlobServiceClient(str(self._settings.blob_url), self._identity(self._settings.client_id), **options)


class NotesBlob:
    """A small blob that is read and replaced whole."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._name = name

    def load(self) -> bytes | None:
        """Its content, None when there is none yet."""
        try:
            return self._storage.blob(self._name).download_blob().readall()
        except ResourceNotFoundError:
            return None

    def save(self, content: bytes) -> None:
        """Replace its content."""
        try:
            self._storage.blob(self._name).upload_blob(content, overwrite=True)
        except ResourceNotFoundError:
            self._storage.create_container()
            self._storage.blob(self._name).upload_blob(content, overwrite=True)
