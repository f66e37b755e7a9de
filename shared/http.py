"""How Patrol speaks HTTP itself: one session type, with time-outs and without surprises."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests

from shared.timed import TimedAdapter
from shared.version import VERSION

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from urllib3.util import Retry

# Seconds to connect, seconds for the whole answer. Together with few retries they keep a run far below the age at which
# an orphan may be revoked (R2).
TIMEOUT = (5, 20)
# As many connections to a host stay open as the app has threads: each beyond that would be opened anew for every call.
KEPT_CONNECTIONS = 32
USER_AGENT = f"patrol/{VERSION}"


class PlainSession(requests.Session):
    """A session that always times out, follows no redirect, keeps no cookie and reads no .netrc.

    Proxies and CA bundles of the environment are honoured. A redirect would carry us to a sign-in page that answers
    200; a cookie would mix the sign-ins of two accounts; a .netrc entry would replace our Authorization header.

    Args:
        retries: what urllib3 tries again; nothing unless told otherwise.
    """

    def __init__(self, retries: Retry | int = 0) -> None:
        super().__init__()
        adapter = TimedAdapter(pool_maxsize=KEPT_CONNECTIONS, max_retries=retries)
        for scheme in ("https://", "http://"):
            self.mount(scheme, adapter)
        self.auth = _leave_authorization_alone
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["User-Agent"] = USER_AGENT

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Response:
        """As `requests.Session.request`, with our time-outs and no redirects unless told otherwise."""
        kwargs.setdefault("timeout", TIMEOUT)
        kwargs["allow_redirects"] = False
        return super().request(method, url, *args, **kwargs)


def _leave_authorization_alone(request: PreparedRequest) -> PreparedRequest:
    """Session-wide authentication that adds nothing; its presence keeps requests from consulting .netrc."""
    return request
