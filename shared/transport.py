"""How the Azure SDKs speak HTTP here: through the same kind of session as Patrol itself."""

from __future__ import annotations

from azure.core.pipeline.transport import RequestsTransport
from urllib3.util import Retry

from shared.http import PlainSession

# What the SDKs give urllib3 themselves: their own policies try again, and read the errors as they are.
_NO_RETRIES = Retry(total=False, redirect=False, raise_on_status=False)


def transport(connect: float, read: float) -> RequestsTransport:
    """A transport for one client of an SDK.

    Args:
        connect: seconds to connect.
        read: seconds for the whole answer; the SDKs' own transport would count them between two bytes.
    """
    session = PlainSession(retries=_NO_RETRIES)
    return RequestsTransport(session=session, connection_timeout=connect, read_timeout=read)
