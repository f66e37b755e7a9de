"""The PAT scopes that Azure DevOps publishes, as data, and which of them include others.

Sources: the union of `vso.*` scopes over the published Azure DevOps REST 7.2 specifications (the service knows a few
more, so an unknown well-formed scope is a warning and never an error), and the column "Inherits from" of the table in
Microsoft Learn, "Authorize access to REST APIs with OAuth 2.0" (July 2025).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FULL_ACCESS = "app_token"

# These manage PATs themselves and work with Entra tokens only (Microsoft Learn, "Manage PATs via API").
ENTRA_ONLY_SCOPES = frozenset({"vso.pats", "vso.pats_manage"})

KNOWN_SCOPES = frozenset(
    """
    app_token
    vso.advsec vso.advsec_manage vso.advsec_write vso.agentpools vso.agentpools_manage vso.auditlog
    vso.auditstreams_manage vso.build vso.build_execute vso.code vso.code_manage vso.code_status vso.code_write
    vso.dashboards vso.dashboards_manage vso.environment_manage vso.extension vso.extension.data
    vso.extension.data_write vso.extension_manage vso.githubconnections vso.githubconnections_manage vso.graph
    vso.graph_manage vso.identity vso.identity_manage vso.machinegroup_manage vso.memberentitlementmanagement
    vso.memberentitlementmanagement_write vso.notification vso.notification_diagnostics vso.notification_manage
    vso.notification_write vso.packaging vso.packaging_manage vso.packaging_write vso.pipelineresources_manage
    vso.pipelineresources_use vso.profile vso.profile_write vso.project vso.project_manage vso.project_write
    vso.release vso.release_execute vso.release_manage vso.securefiles_manage vso.securefiles_read
    vso.securefiles_write vso.security_manage vso.serviceendpoint vso.serviceendpoint_manage
    vso.serviceendpoint_query vso.symbols vso.symbols_manage vso.symbols_write vso.taskgroups_manage
    vso.taskgroups_read vso.taskgroups_write vso.test vso.test_write vso.threads_full vso.tokenadministration
    vso.tokens vso.variablegroups_manage vso.variablegroups_read vso.wiki vso.wiki_write vso.work vso.work_full
    vso.work_write
    """.split()
)

# Each line from the widest to the narrowest: a scope includes those to the right of it.
_INCLUSIONS = """
    vso.advsec_manage vso.advsec_write vso.advsec
    vso.environment_manage vso.agentpools_manage vso.agentpools
    vso.machinegroup_manage vso.agentpools_manage
    vso.auditstreams_manage vso.auditlog
    vso.build_execute vso.build
    vso.code_manage vso.code_write vso.code
    vso.memberentitlementmanagement_write vso.memberentitlementmanagement
    vso.extension_manage vso.extension vso.profile
    vso.extension.data_write vso.extension.data vso.profile
    vso.githubconnections_manage vso.githubconnections
    vso.graph_manage vso.graph
    vso.identity_manage vso.identity
    vso.notification_manage vso.notification_write vso.notification vso.profile
    vso.notification_diagnostics vso.notification
    vso.packaging_manage vso.packaging_write vso.packaging vso.profile
    vso.pipelineresources_manage vso.pipelineresources_use
    vso.project_manage vso.project_write vso.project
    vso.release_manage vso.release_execute vso.release vso.profile
    vso.securefiles_manage vso.securefiles_write vso.securefiles_read
    vso.serviceendpoint_manage vso.serviceendpoint_query vso.serviceendpoint vso.profile
    vso.symbols_manage vso.symbols_write vso.symbols vso.profile
    vso.taskgroups_manage vso.taskgroups_write vso.taskgroups_read
    vso.dashboards_manage vso.dashboards
    vso.test_write vso.test vso.profile
    vso.profile_write vso.profile
    vso.variablegroups_manage vso.variablegroups_write vso.variablegroups_read
    vso.wiki_write vso.wiki
    vso.work_full vso.work_write vso.work
"""
_INCLUDED = {wider: narrower for line in _INCLUSIONS.strip().splitlines() for wider, narrower in pairwise(line.split())}


def beyond(asked: Iterable[str], held: Iterable[str]) -> set[str]:
    """The scopes of `asked` that allow what none of `held` does. Unknown ones include nothing but themselves."""
    allowed = {included for scope in held for included in _with_included(scope)}
    return set() if FULL_ACCESS in allowed else set(asked) - allowed


def _with_included(scope: str) -> Iterator[str]:
    while scope:
        yield scope
        scope = _INCLUDED.get(scope, "")
