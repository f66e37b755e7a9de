"""`python -m local.host APPDIR`: serve a function app until SIGTERM or SIGINT.

One line of JSON on stdout says that the host is ready; everything else goes to stderr. Exit codes: 0 after a signal, 1
when the app cannot start or a listener died, 2 for a wrong command line, 3 when an invocation outlived
`functionTimeout`.
"""

import argparse
import json
import logging
import os
import queue
import signal
import sys
from pathlib import Path

from local.host.engine import EngineError
from local.host.host import Host, build
from local.host.keys import Keys
from local.host.ncrontab import ScheduleError
from local.host.routes import RouteError
from local.host.settings import SettingsError, load_local_settings, read_host_json

# How long running invocations may take to end after a signal; in seconds. Azure grants more (up to 60 minutes on
# scale-in), but an orchestrator's SIGKILL follows its SIGTERM within seconds.
GRACE_SECONDS = 10.0
REPOSITORY = Path(__file__).resolve().parents[2]

log = logging.getLogger("local.host")


def main() -> int:
    """Run the host; the exit code."""
    arguments = _arguments()
    # A signal handler may interrupt a put() of this very queue; SimpleQueue alone allows that.
    ends: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    app_dir: Path = arguments.app_dir.resolve()
    try:
        keys = Keys(arguments.key)
        if arguments.settings:
            load_local_settings(arguments.settings, os.environ)
        config = read_host_json(app_dir, os.environ)
        if arguments.keys_file:
            keys.write(arguments.keys_file)
        _set_up_logging(config.log_level)
        _enter(app_dir)
        host = build(app_dir, config, keys, (arguments.host, arguments.port), ends.put)
    except (EngineError, SettingsError, RouteError, ScheduleError, OSError, ValueError) as error:
        # The reason comes last: that is where one looks.
        print(getattr(error, "stack_trace", ""), f"The host cannot start: {error}", sep="\n", file=sys.stderr)
        return 1
    return _serve(host, ends, with_timers=arguments.timers)


def _serve(host: Host, ends: "queue.SimpleQueue[str | None]", *, with_timers: bool) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ends.put(None))
    host.start(ends.put, with_timers=with_timers)
    functions = [
        {key: f.trigger[key] for key in ("route", "methods", "schedule") if f.trigger.get(key)}
        | {"name": f.name, "trigger": f.trigger_type}
        for f in host.functions.values()
    ]
    print(json.dumps({"event": "host.ready", "url": host.server.url, "functions": functions}), flush=True)
    death = ends.get()
    if death is not None:
        print(f"The host stops: {death}", file=sys.stderr)
        return 1
    if not host.stop(GRACE_SECONDS):
        log.warning("Invocations were still running after %d s and are abandoned", GRACE_SECONDS)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.host", description="Serves an Azure Functions app in Python."
    )
    parser.add_argument("app_dir", type=Path, help="directory of function_app.py and host.json")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0, the default, takes a free one")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        type=_key,
        metavar="NAME=VALUE",
        help="_master, a host key's name such as default, or FUNCTION/NAME; repeatable; missing ones are generated",
    )
    parser.add_argument("--keys-file", type=Path, help="write all keys there as JSON, readable by the owner alone")
    parser.add_argument("--settings", type=Path, help="a local.settings.json; the environment wins over its Values")
    parser.add_argument("--no-timers", dest="timers", action="store_false", help="run timers through /admin alone")
    return parser.parse_args()


def _key(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("not NAME=VALUE")
    return name, value


def _enter(app_dir: Path) -> None:
    """Import from the app's directory, and work in it, as a worker does.

    The repository leaves `sys.path`: a copy of the deployed files that lacks one must fail here as it would in Azure,
    not find it in the repository. `local` itself stays importable, because packages know their own path.
    """
    sys.path[:] = [str(app_dir), *(entry for entry in sys.path if Path(entry).resolve() != REPOSITORY)]
    os.chdir(app_dir)


def _set_up_logging(level: int) -> None:
    """Records go to stderr as they are. The host's own do not depend on what the app does to the root logger."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.setLevel(level)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    own = logging.StreamHandler()
    own.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(own)
    log.setLevel(logging.INFO)
    log.propagate = False
    # The engine logs a line per call at INFO under this name.
    logging.getLogger("azure.functions").setLevel(logging.WARNING)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: the interpreter would wait for the thread pool, and so for an abandoned function.
    os._exit(code)
