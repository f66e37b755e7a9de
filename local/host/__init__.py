"""An embedded Azure Functions host: runs a Python function app on a machine without Core Tools.

It drives `azure-functions-runtime`, the engine that runs Python 3.13 apps in Azure, and keeps the conventions that
belong to the Functions host around it: routes, keys, timers, `/admin`. It is not a replacement for the real host:
triggers other than HTTP and timer have no listener here (they still run through `/admin/functions/{name}`), output
bindings and retry policies are ignored with a warning.
"""
