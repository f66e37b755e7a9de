"""A simulated Azure: Entra, Azure DevOps and Key Vault behind a proxy, for one process under test.

The app runs unmodified, with its production host names, in another process; environment variables are all that leads
it here.
"""

from local.cloud.faults import Fault
from local.cloud.journal import Call
from local.cloud.server import Cloud

__all__ = ["Call", "Cloud", "Fault"]
