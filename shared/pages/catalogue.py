"""All pages about errors, by reason. `python -m shared.pages.catalogue` writes them as docs/problems.md. Pure."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from shared.pages.pats import DEVOPS, PATS
from shared.pages.requests import CALLERS, DEPLOYMENT, REQUESTS
from shared.pages.sign_ins import CREDENTIALS, SIGN_INS
from shared.pages.vaults import VAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.pages.page import Page

GROUPS: Mapping[str, Mapping[str, Page]] = {
    "Requests": REQUESTS,
    "Callers": CALLERS,
    "PATs": PATS,
    "Deployment and runs": DEPLOYMENT,
    "Sign-ins": SIGN_INS,
    "Credentials": CREDENTIALS,
    "Azure DevOps": DEVOPS,
    "Key Vault": VAULTS,
}
PAGES: Mapping[str, Page] = {reason: page for group in GROUPS.values() for reason, page in group.items()}

_HEAD = """\
<!-- Made by `make schema` from shared/pages/. -->
# Problems

Every error has a *reason*. In an answer it is the last part of the problem's `type`, such as
`/api/problems/pat.current`, and there every deployment answers with the page below, to anybody. In the log, and inside
other answers, it is called `error`. A reason keeps its meaning for good. `ACCOUNT` stands for the account's name in the
manifest.
"""


def document() -> str:
    """All pages in one document."""
    parts = [_HEAD]
    for title, pages in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [page.section(reason) for reason, page in pages.items()]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(document())
