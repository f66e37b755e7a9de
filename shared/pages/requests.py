"""Errors that a request brings about, and those of the deployment that no request can help."""

from shared.pages.page import Page

REQUESTS = {
    "request.invalid": Page(
        "The request has faults",
        "A parameter, header or member of the body is unknown, missing, given twice or malformed. `faults` names every"
        " one of them. Nothing was changed, and no remote was asked.",
        "Correct all that `faults` names and send the request again. An unknown parameter is refused and not ignored,"
        " since a misspelt filter would answer, or revoke, more than was meant.",
    ),
    "request.media-type": Page(
        "The body is not declared as JSON",
        "The request has a body with another `Content-Type` than `application/json`. The body was not read.",
        "Send `Content-Type: application/json`; with curl, `--json '{...}'` does.",
    ),
    "request.too-large": Page(
        "The body is too large",
        "The body is larger than 64 KiB, which is more than any request needs. It was not read.",
        "Send several smaller requests.",
    ),
    "inventory.incomplete": Page(
        "The table would be incomplete",
        "The inventory was asked for as a table (`Accept: text/csv`), and not everything could be read: `detail` names"
        " each list that is missing, with the reason. A table cannot say that PATs are missing from it to whoever gets"
        " it, so there is none. With status 502 somebody has to act first; with 503 trying again may help.",
        "Look each reason up here. In the meantime ask for `application/json`, which tells what could be read and what"
        " not, or leave out what cannot be read with `organization` and `account`.",
    ),
    "route.unknown": Page(
        "There is no such path",
        "No function answers this path. Paths start with `/api/`.",
        "Compare the path with `GET /api/openapi.json`, which describes all there are; mind the plural in `/api/pats`.",
    ),
    "route.method": Page(
        "The path knows another verb",
        "There is such a path, but not with this HTTP verb. The header `Allow` lists those that it has. `HEAD` and"
        " `OPTIONS` are not among them: no answer could be told without the work that `GET` does.",
        "Send one of the verbs that `Allow` lists.",
    ),
    "problem.unknown": Page(
        "There is no such kind of error",
        "The last part of the path is not a reason that this version knows.",
        "Copy the reason from the problem's `type`, or from `error` in an event. An older deployment may have raised"
        " it: its own `/api/problems/` explains it.",
    ),
}

CALLERS = {
    "caller.unknown": Page(
        "The caller is unknown",
        "The deployment asks for an Entra sign-in (`HTTP_AUTHORIZATION` is `entra`), and the request came without a"
        " principal that App Service authentication has checked.",
        "Get an access token for the app's Entra application and send it as `Authorization: Bearer`, beside the"
        " function key. If you did, App Service authentication is off: turn it on, or set `HTTP_AUTHORIZATION` to"
        " `keys`.",
    ),
    "caller.role": Page(
        "The caller lacks an app role",
        "The caller is known, and its token does not carry the role that `detail` names. Nothing was changed.",
        "Let an administrator assign the role to the caller in the enterprise application of the app, then get a new"
        " access token: roles are written into a token when it is issued.",
    ),
}

DEPLOYMENT = {
    "settings.invalid": Page(
        "The app settings have faults",
        "An app setting is missing or malformed. `faults` names every one. Until they are mended, no run and no"
        " request does anything.",
        "Correct the app settings that `faults` names; `local.settings.json.example` shows each of them. The app"
        " restarts by itself when a setting changes.",
    ),
    "manifest.invalid": Page(
        "The manifest has faults",
        "The manifest cannot be used as it is. `faults` names every fault with its line. Until they are mended, no run"
        " and no request does anything.",
        "Correct the lines and deploy again. An editor that reads `docs/pats.schema.json` shows most faults as you"
        " type.",
    ),
    "manifest.unreadable": Page(
        "The manifest cannot be read",
        "There is no readable file in UTF-8 where `PAT_MANIFEST` points, which is `pats.yaml` in the app's root unless"
        " it is set.",
        "Deploy the manifest with the app, or point `PAT_MANIFEST` at it.",
    ),
    "run.busy": Page(
        "Another rotation is running",
        "A run or another request holds the lease that keeps rotations single. Nothing was changed.",
        "Try again after the seconds that `Retry-After` names. A process that died holds the lease for at most a"
        " minute. Revocations do not need it.",
    ),
    "run.deadline": Page(
        "There was no time left",
        "The work before this step took so long that the platform might have ended the process in the middle of it, so"
        " the step was not begun.",
        "Try again in a minute. If it happens again, a remote is slow: look for `devops.throttled` and"
        " `vault.throttled` in the log.",
    ),
    "internal": Page(
        "A defect in Patrol",
        "Something happened that the code does not expect. What was not finished is found and finished by the next"
        " run. The text of the error is kept out of answers and logs, since such texts have held tokens; its kind and"
        " place are told instead.",
        "Report the kind and place that `detail` names, with the operation's id and the version. If it happens in"
        " every run, deploy the version before.",
    ),
    "account.unknown": Page(
        "The manifest has no such account",
        "`python -m shared.sign_in` was given a name that is not under `accounts` in the manifest.",
        "Use one of the names that the message lists, or add the account to the manifest first.",
    ),
    "account.password": Page(
        "The account signs in by password",
        "`python -m shared.sign_in` stores sign-ins, and this account does not use one.",
        "Set `sign_in: refresh_token` on the account in the manifest, then run the command again. To stay with the"
        " password, store it as `ACCOUNT-password` in the credential vault instead.",
    ),
}
