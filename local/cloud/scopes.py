"""The scopes that Azure DevOps knows (union over its 7.2 REST specs), and what becomes of them in an answer."""

from __future__ import annotations

_AREAS = """
advsec advsec_manage advsec_write agentpools agentpools_manage auditlog auditstreams_manage build build_execute code
code_manage code_status code_write dashboards dashboards_manage environment_manage extension extension.data
extension.data_write extension_manage githubconnections githubconnections_manage graph graph_manage identity
identity_manage machinegroup_manage memberentitlementmanagement memberentitlementmanagement_write notification
notification_diagnostics notification_manage notification_write packaging packaging_manage packaging_write
pipelineresources_manage pipelineresources_use profile profile_write project project_manage project_write release
release_execute release_manage securefiles_manage securefiles_read securefiles_write security_manage serviceendpoint
serviceendpoint_manage serviceendpoint_query symbols symbols_manage symbols_write taskgroups_manage taskgroups_read
taskgroups_write test test_write threads_full tokenadministration tokens variablegroups_manage variablegroups_read wiki
wiki_write work work_full work_write
"""

# vso.pats and vso.pats_manage are missing on purpose: only an Entra token can carry them.
SCOPES = frozenset({"app_token", *(f"vso.{area}" for area in _AREAS.split())})


def returned_scope(scope: str, *, reorder: bool, widen: bool) -> str:
    """The scope string as the service stores it: perhaps reordered, perhaps with scopes that others imply."""
    names = list(dict.fromkeys(scope.split()))
    if widen:
        names += [base for name in names if (base := name.partition("_")[0]) in SCOPES and base not in names]
        names = list(dict.fromkeys(names))
    # Not merely sorted: a client that sends sorted names must not find its own string again.
    return " ".join(sorted(names, reverse=True) if reorder else names)
