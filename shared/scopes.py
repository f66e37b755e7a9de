"""The PAT scopes that Azure DevOps publishes, as data.

Source: the union of `vso.*` scopes over the published Azure DevOps REST 7.2 specifications. The service knows a few
more, so an unknown well-formed scope is a warning and never an error.
"""

from __future__ import annotations

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
