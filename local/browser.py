"""A browser without a person: signs in on the simulated cloud's pages, and carries the answer to the app.

As a program it is what `BROWSER` asks for, so that MSAL and anything else that opens a browser finds one:

    BROWSER="python -m local.browser %s"
    PATROL_BROWSER_USER=build-bot@contoso.onmicrosoft.com PATROL_BROWSER_PASSWORD=... PATROL_BROWSER_CODE=123456

`PATROL_BROWSER_DO` says what the person does: `sign-in` (the default), `cancel`, or `wrong-user:NAME[:PASSWORD]`, who
signs in as somebody else. With `--device USER_CODE` it enters a device code instead of opening a page.

It reaches the pages as the environment says (proxy, CA bundle) and the app on this machine directly. Python's
`webbrowser` waits for a browser that is not sent to the background, and MSAL listens only after that: so the last step,
to the app, is left to a process of its own. Whatever the page said, the exit code is 0, because on any other
`webbrowser` would try the next browser of the machine; what went wrong is on stderr, and the app hears nothing, as when
a person gives up. `--device` and `--wait` (for an app that listens already) exit with 1 then.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

DEVICE_PAGE = "https://login.microsoftonline.com/common/oauth2/deviceauth"
TIMEOUT = 10.0

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_PAGES = 6


class Stopped(Exception):
    """The page offers no way on that this person would take. The message is what the page says."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in, and whether they do."""

    username: str
    password: str = field(repr=False)
    code: str = field(default="", repr=False)
    does: str = "sign-in"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """The person that the PATROL_BROWSER_ variables tell of.

        Raises:
            ValueError: PATROL_BROWSER_DO is none of the three.
        """
        does = environ.get("PATROL_BROWSER_DO", "sign-in")
        username = environ.get("PATROL_BROWSER_USER", "")
        password = environ.get("PATROL_BROWSER_PASSWORD", "")
        if does.startswith("wrong-user:"):
            _, username, *rest = does.split(":", 2)
            does, password = "sign-in", rest[0] if rest else password
        if does not in {"sign-in", "cancel"}:
            raise ValueError(f"PATROL_BROWSER_DO is sign-in, cancel or wrong-user:NAME[:PASSWORD], not {does!r}")
        return cls(username, password, environ.get("PATROL_BROWSER_CODE", ""), does)

    def fill_in(self, page: _Page) -> dict[str, str]:
        """The page's form as this person would send it."""
        known = {"username": self.username, "password": self.password, "mfa_code": self.code}
        return {name: known.get(name, value) for name, value in page.fields.items()} | {"do": self.does}


@dataclass(frozen=True, slots=True)
class Answer:
    """The request that carries the result of a sign-in to the app on this machine."""

    method: str
    url: str
    form: dict[str, str] = field(repr=False)

    def deliver(self) -> int:
        """Send it; the status that the app answers."""
        url = urlsplit(self.url)
        connection = http.client.HTTPConnection(url.hostname or "localhost", url.port or 80, timeout=TIMEOUT)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        body = urlencode(self.form) if self.method == "POST" else None
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        try:
            connection.request(self.method, target, body, headers)
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
        return response.status


def sign_in(url: str, person: Person) -> Answer:
    """Open the page at `url` and go through it; the answer for the app, not yet delivered.

    Raises:
        Stopped: a page says no, or leads neither to another page nor to an app on this machine.
        requests.RequestException: the page could not be reached.
    """
    with _session() as session:
        went = _walk(session, session.get(url, timeout=TIMEOUT, allow_redirects=False), person)
    if isinstance(went, Answer):
        return went
    raise Stopped(went)


def enter_device_code(user_code: str, person: Person, page: str = DEVICE_PAGE) -> str:
    """Enter a device code and sign in there; what the last page says.

    Raises:
        Stopped: a page says no.
        requests.RequestException: the page could not be reached.
    """
    with _session() as session:
        first = session.get(page, timeout=TIMEOUT, allow_redirects=False)
        went = _walk(session, first, person, {"user_code": user_code})
    if isinstance(went, Answer):
        raise Stopped("the device code page led to an app")
    return went


def _walk(
    session: requests.Session, response: requests.Response, person: Person, more: dict[str, str] | None = None
) -> Answer | str:
    """From page to page to the answer for the app, or to what the last page says."""
    for _ in range(_MOST_PAGES):
        if response.is_redirect:
            target = urljoin(response.url, response.headers["Location"])
            if _is_loopback(target):
                return Answer("GET", target, {})
            raise Stopped(f"the page leads elsewhere: {urlsplit(target).hostname}")
        page = _Page(response.text)
        if page.error:
            raise Stopped(page.error)
        if page.action is None:
            return page.text
        target = urljoin(response.url, page.action)
        if _is_loopback(target):
            return Answer("POST", target, page.fields)
        form = person.fill_in(page)
        form |= {name: value for name, value in (more or {}).items() if name in form}
        response = session.post(target, data=form, timeout=TIMEOUT, allow_redirects=False)
    raise Stopped("one page after another, and no end")


def _session() -> requests.Session:
    import requests  # noqa: PLC0415 -- the process that only delivers starts faster without it

    return requests.Session()


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


class _Page(HTMLParser):
    """What matters of a page: its first form, what its error says, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.error = ""
        self._words: list[str] = []
        self._in_error = False
        self._hidden = 0
        self.feed(text)
        self.close()

    @property
    def text(self) -> str:
        """The visible words."""
        return " ".join(self._words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = attributes.get("action", "")
        elif tag == "input" and "name" in attributes:
            self.fields[attributes["name"]] = attributes.get("value", "")
        elif tag in {"head", "script"}:
            self._hidden += 1
        elif attributes.get("id") == "error":
            self._in_error = True

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if tag in {"head", "script"}:
            self._hidden -= 1
        elif tag == "p":
            self._in_error = False

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if self._in_error:
            self.error += data
        if not self._hidden and data.strip():
            self._words.append(data.strip())


def _leave_to_another_process(answer: Answer) -> None:
    # The answer holds a code, so it goes by a pipe: arguments can be read by everybody on the machine.
    process = subprocess.Popen(
        [sys.executable, "-m", "local.browser", "--deliver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    if process.stdin is not None:
        with process.stdin:
            json.dump(asdict(answer), process.stdin)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.deliver:
        Answer(**json.load(sys.stdin)).deliver()
        return
    person = Person.from_environment(os.environ)
    if arguments.device:
        print(enter_device_code(arguments.device, person))
        return
    answer = sign_in(arguments.url, person)
    if arguments.wait:
        print(f"The app answered {answer.deliver()}.")
    else:
        _leave_to_another_process(answer)


def main() -> int:
    """The program; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.browser", description="Signs in on the simulated cloud.")
    parser.add_argument("url", nargs="?", help="the page to open")
    parser.add_argument("--device", metavar="USER_CODE", help="enter this device code instead")
    parser.add_argument("--wait", action="store_true", help="stay until the app has answered")
    parser.add_argument("--deliver", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not (arguments.url or arguments.device or arguments.deliver):
        parser.error("a URL or --device is needed")
    try:
        _run(arguments)
    except (Stopped, OSError, ValueError) as error:  # requests' exceptions are OSErrors
        print(f"local.browser: {error}", file=sys.stderr)
        return 1 if arguments.device or arguments.wait else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
