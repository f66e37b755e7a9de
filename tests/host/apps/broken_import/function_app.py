# ruff: noqa: INP001 - the root of a function app is a directory, not a package
"""An app that cannot be imported."""

import a_package_that_nobody_installed  # noqa: F401 - the failure is the point
