"""`python -m shared.sign_in ACCOUNT`: a person signs a technical user in once, and Patrol keeps that sign-in alive.

Opens the browser (authorisation code with PKCE on a loopback address), or with `--device-code` shows a code to enter
elsewhere. Nothing is stored before the user, the tenant and every organisation have been checked, so a sign-in that
goes wrong leaves the stored one as it was.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msal
from msal.oauth2cli.authcode import AuthCodeReceiver

from shared import token_cache, wiring
from shared.console import complain, deployment_settings, keep_events_off_the_terminal, say
from shared.entra import DEVOPS_SCOPE
from shared.entra_errors import Retry, SignInRefused
from shared.errors import Invalid, PatrolError
from shared.model import Account, ClientCredential, PatStatus, Secret, SignIn

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_SECONDS = 300
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class _ThisToken:
    """The token of the sign-in that has just been made."""

    value: Secret

    def token(self, account: str) -> Secret:  # noqa: ARG002 - there is only one
        return self.value

    def forget(self, account: str, token: Secret) -> bool:  # noqa: ARG002 - there is only one
        """Nothing can be asked anew here."""
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit status: 0 when the sign-in is stored."""
    parser = argparse.ArgumentParser(prog="python -m shared.sign_in", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("account", help="name of the account in the manifest")
    parser.add_argument("--device-code", action="store_true", help="show a code to enter in a browser elsewhere")
    options = parser.parse_args(arguments)
    keep_events_off_the_terminal()
    try:
        app = wiring.App(deployment_settings(os.environ, ROOT), ROOT)
        _sign_in(app, _account(app, options.account), device_code=options.device_code)
    except PatrolError as error:
        complain(f"Not signed in: {error.message}")
        if error.remedy:
            complain(error.remedy)
        complain("Nothing was stored; a sign-in that was stored before is still there.")
        return 1
    except KeyboardInterrupt:
        complain("Not signed in: cancelled. Nothing was stored.")
        return 1
    return 0


def _account(app: wiring.App, name: str) -> Account:
    account = app.manifest.accounts.get(name)
    if account is None:
        known = ", ".join(sorted(app.manifest.accounts))
        raise Invalid("Command", [f"the manifest has no account {name}, only {known}"], reason="account.unknown")
    if account.sign_in is not SignIn.REFRESH_TOKEN:
        fault = f"account {name} signs in by password"
        remedy = "Set sign_in: refresh_token on it in the manifest first."
        raise Invalid("Command", [fault], reason="account.password", remedy=remedy)
    return account


def _sign_in(app: wiring.App, account: Account, *, device_code: bool) -> None:
    public = account.client_credential is ClientCredential.NONE
    kind = token_cache.client_kind(public=public)
    say(f"Account {account.name}: sign in as {account.username}, tenant {account.tenant}.")
    say(f"App registration {account.client_id} ({kind} client).")
    cache = msal.SerializableTokenCache()
    with app.entra.translated(account):
        msal_app = app.entra.application(account, cache)
        answer = _by_device_code(msal_app, public=public) if device_code else _by_browser(msal_app, account)
    grant = app.entra.granted(account, msal_app, answer)
    say(f"Entra has signed in {account.username}.")
    pats = app.pats_as(_ThisToken(grant.token))
    for source in (source for source in app.manifest.sources if source.account == account.name):
        count = len(pats.list_pats(source, PatStatus.ACTIVE))
        say(f"Azure DevOps answers in {source.organization}: {count} active PATs.")
    name = f"{account.name}-token-cache"
    say(f"Storing the sign-in as secret {name} in {app.credentials.url} ...")
    tags = {token_cache.ACCOUNT_TAG: account.name, token_cache.CLIENT_TAG: kind}
    app.credentials.write(name, token_cache.closed(cache), tags)
    days = token_cache.REFRESH_TOKEN_LIFE.days
    say(f"Done. Every run renews it; unused, it would end after {days} days.")


def _by_browser(msal_app: Any, account: Account) -> dict[str, Any]:
    """Authorisation code with PKCE. Entra lets a native app listen on any port of the loopback address."""
    with AuthCodeReceiver(port=0) as receiver:
        flow = msal_app.initiate_auth_code_flow(
            [DEVOPS_SCOPE],
            redirect_uri=f"http://localhost:{receiver.get_port()}",
            login_hint=account.username,
            response_mode="form_post",
        )
        say(f"Opening the browser. If none opens, go to\n  {flow['auth_uri']}")
        response = receiver.get_auth_response(auth_uri=flow["auth_uri"], state=flow["state"], timeout=PATIENCE_SECONDS)
    if response is None:
        message = f"Nobody signed in within {PATIENCE_SECONDS // 60} minutes."
        raise SignInRefused(message, reason="sign-in.cancelled", remedy="Start again.", retry=Retry.HUMAN)
    answer: dict[str, Any] = msal_app.acquire_token_by_auth_code_flow(flow, response)
    return answer


def _by_device_code(msal_app: Any, *, public: bool) -> dict[str, Any]:
    if not public:
        message = "A device code needs a public client, and this account's client has a credential."
        remedy = "Leave out --device-code, or set client_credential: none."
        raise SignInRefused(message, reason="sign-in.device-code", remedy=remedy, retry=Retry.HUMAN)
    flow = msal_app.initiate_device_flow([DEVOPS_SCOPE])
    if "user_code" not in flow:
        return dict(flow)
    say(flow["message"])
    answer: dict[str, Any] = msal_app.acquire_token_by_device_flow(flow)
    return answer


if __name__ == "__main__":
    sys.exit(main())
