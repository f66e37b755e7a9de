"""What the state machine draws from."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from local.cloud import Fault
from shared.reconciler import RevokeOld
from tests.machine.fleet import ORGANIZATIONS
from tests.machine.wire import Fate

WAITS = st.sampled_from(
    [
        timedelta(minutes=4),
        timedelta(minutes=6),
        timedelta(minutes=61),
        timedelta(hours=4),
        timedelta(hours=10),
        timedelta(days=2, hours=1),
        timedelta(days=9),
        timedelta(days=21),
        timedelta(days=40),
    ]
)
# A process's first run makes twelve more calls than this, to sign in; later ones rarely more than twenty.
FATES = st.dictionaries(st.integers(0, 20), st.sampled_from(Fate), max_size=4)
# Who goes on, and for how many calls.
STRETCHES = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 16)), max_size=6)
ORDER = STRETCHES.map(lambda stretches: [who for who, calls in stretches for _ in range(calls)])
HOW = st.sampled_from(RevokeOld)
PICK = st.integers(0, 30)
DEVOPS_FAILS = [
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "retry_after": 120},
    {"kind": "html"},
    {"kind": "pat-token-error", "code": "accessDenied"},
    {"kind": "cut-json"},
]
VAULT_FAILS = [
    {"status": 503},
    {"status": 403},
    {"status": 429, "retry_after": 60},
    {"kind": "cut-json"},
    {"kind": "cut-head"},
]
DEVOPS_CALLS = st.sampled_from(["pats.*", "pats.list", "pats.create", "pats.revoke", "connectionData"])
VAULT_CALLS = st.sampled_from(["secrets.*", "secrets.set", "secrets.update", "secrets.versions"])
OUTAGES = st.one_of(
    st.builds(
        lambda operation, organization, how: Fault(operation, organization=organization, times=None, **how),
        DEVOPS_CALLS,
        st.sampled_from(ORGANIZATIONS),
        st.sampled_from(DEVOPS_FAILS),
    ),
    st.builds(
        lambda operation, how: Fault(operation, vault="contoso-pats", times=None, **how),
        VAULT_CALLS,
        st.sampled_from(VAULT_FAILS),
    ),
)
