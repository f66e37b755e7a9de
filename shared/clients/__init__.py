"""One module for each remote service; each satisfies a port and raises only this project's errors."""
