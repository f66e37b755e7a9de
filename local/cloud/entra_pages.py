"""The pages that the simulated Entra shows to a person: plain forms, which `local.browser` can fill in too.

UNCONFIRMED: everything about them but what they ask for; also the status of an error page, 400 here.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from local.cloud.aadsts import content_of
from local.cloud.web import Response, html_response

if TYPE_CHECKING:
    from datetime import datetime

    from local.cloud.aadsts import Refused

_NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"}
_BUTTONS = (
    '<button name="do" value="sign-in">Sign in</button> <button name="do" value="cancel" formnovalidate>Cancel</button>'
)


class Pages:
    """What a page shows of a refusal carries the time of the simulated clock, `now`."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def sign_in(self, action: str, visit: str, username: str, refused: Refused | None = None) -> Response:
        """User name and password."""
        fields = _hidden("ctx", visit) + _field("User name", "username", username) + _password()
        return self._form("Sign in to your account", action, fields, refused)

    def second_factor(self, action: str, visit: str, refused: Refused | None = None) -> Response:
        """The one-time code."""
        fields = _hidden("ctx", visit) + _field("One-time code", "mfa_code", kind="password")
        return self._form("Verify your identity", action, fields, refused)

    def device(self, action: str, user_code: str, username: str, refused: Refused | None = None) -> Response:
        """The code that the device shows, with user name and password."""
        fields = _field("Code", "user_code", user_code) + _field("User name", "username", username) + _password()
        return self._form("Enter code", action, fields, refused)

    def refused(self, refused: Refused, status: int = 400) -> Response:
        """A page without a way on."""
        return _page("Sign in to your account", self._error(refused), status)

    def done(self, text: str) -> Response:
        """A page that tells the person to go back to the device."""
        return _page("Sign in to your account", f'<p id="done">{escape(text)}</p>')

    def _form(self, title: str, action: str, fields: str, refused: Refused | None) -> Response:
        error = self._error(refused) if refused is not None else ""
        return _page(title, f'{error}<form method="post" action="{escape(action)}">{fields}{_BUTTONS}</form>')

    def _error(self, refused: Refused) -> str:
        text = escape(str(content_of(refused, self._now)["error_description"]))
        return f'<p id="error" data-code="{refused.code}">{text}</p>'


def hand_over(redirect_uri: str, mode: str, parameters: dict[str, str]) -> Response:
    """The answer of the authorisation endpoint on its way to the app, by the browser."""
    if mode == "form_post":
        fields = "".join(_hidden(name, value) for name, value in parameters.items())
        form = f'<form method="post" name="hiddenform" action="{escape(redirect_uri)}">{fields}'
        script = "<script>document.forms[0].submit();</script>"
        return _page("Working...", f"{form}<button>Continue</button></form>{script}")
    joint = "#" if mode == "fragment" else "&" if "?" in redirect_uri else "?"
    location = f"{redirect_uri}{joint}{urlencode(parameters)}"
    return html_response(302, "<html><body>Object moved</body></html>", {"Location": location, **_NO_STORE})


def _page(title: str, body: str, status: int = 200) -> Response:
    head = f"<head><meta charset='utf-8'><title>{escape(title)}</title></head>"
    text = f"<!DOCTYPE html><html>{head}<body><h1>{escape(title)}</h1>{body}</body></html>"
    return html_response(status, text, _NO_STORE)


def _field(label: str, name: str, value: str = "", kind: str = "text") -> str:
    attributes = f'type="{kind}" name="{name}" value="{escape(value)}" autocomplete="off" required'
    return f"<p><label>{escape(label)} <input {attributes}></label></p>"


def _password() -> str:
    return _field("Password", "password", kind="password")


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
