# ruff: noqa: INP001 - Python finds it by its name on the path; it is no part of a package
"""Makes the process that imports it tell as much as Python can be made to tell. Read by the host process's `site`.

All loggers take everything, whatever level anybody has given them; every record is printed with its traceback; and
http.client prints what it sends and receives. Pauses are short, so that what is tried again is soon over.
"""

import http.client
import logging
import sys
import time

_sleep = time.sleep
_handler = logging.StreamHandler(sys.stderr)
_handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s"))


def _is_enabled_for(_logger: logging.Logger, _level: int) -> bool:
    return True


def _effective_level(_logger: logging.Logger) -> int:
    return logging.DEBUG


def _short_sleep(seconds: float) -> None:
    _sleep(min(seconds, 0.01))


logging.Logger.isEnabledFor = _is_enabled_for  # type: ignore[method-assign]
logging.Logger.getEffectiveLevel = _effective_level  # type: ignore[method-assign]
logging.getLogger().addHandler(_handler)
http.client.HTTPConnection.debuglevel = 1
time.sleep = _short_sleep
