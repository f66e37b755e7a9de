"""No secret where it does not belong: not in a file of this repository, not in anything that prints."""

from __future__ import annotations

import ast
import base64
import copy
import io
import json
import logging
import pickle
import pprint
import re
import secrets
import string
import subprocess
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.model import CreatedPat, Secret, StoredSecret
from tests.builders import NOW, a_live_pat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parent.parent
VALUE = "the-value-that-must-not-show"

# ---- files -----------------------------------------------------------------------------------------------------------

# The storage emulator's key is published by Microsoft and the same on every machine.
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

PATTERNS = {
    "Azure DevOps PAT": re.compile(r"\b[0-9A-Za-z]{75,76}AZDO[0-9A-Za-z]{4,5}\b"),
    "old Azure DevOps PAT": re.compile(
        r"(?<![0-9A-Za-z/+])(?=[a-z]*[2-7])(?=[2-7]*[a-z])[a-z2-7]{52}(?![0-9A-Za-z/+=])"
    ),
    "JSON web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "storage account key": re.compile(rf"AccountKey=(?!{re.escape(EMULATOR_KEY)})[0-9A-Za-z+/]{{40,}}={{0,2}}"),
    "function key": re.compile(r"[\w-]{44}AzFu[\w-]{5}[AQgw]=="),
    "refresh token": re.compile(r"(?<![\w.-])[01]\.A[\w-]{200,}"),
    "client secret": re.compile(r"(?<![\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{31,34}(?![\w~.-])"),
}


@dataclass(frozen=True)
class Find:
    path: str
    line: int
    pattern: str


def tracked_files() -> list[Path]:
    """Every file that git knows or would add, so that a secret is found before it is committed."""
    if not (ROOT / ".git").exists():  # a download without its history
        return [path for path in ROOT.rglob("*") if path.is_file() and not _is_made(path.relative_to(ROOT))]
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def _is_made(path: Path) -> bool:
    """Left behind by an installation or a run."""
    return any(part.startswith(".") or part in {"node_modules", "__pycache__"} for part in path.parts)


def scan(paths: Iterable[Path]) -> list[Find]:
    """Where a secret's pattern occurs. What was found is not repeated."""
    finds = []
    for path in paths:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            finds += [Find(path.name, number, name) for name, pattern in PATTERNS.items() if pattern.search(line)]
    return finds


def test_no_file_of_this_repository_holds_a_secret() -> None:
    assert scan(tracked_files()) == []


def test_the_scan_looks_at_this_repository() -> None:
    names = {str(path.relative_to(ROOT)) for path in tracked_files()}

    assert {"Makefile", "pats.yaml", "shared/model.py", "tests/test_no_secrets.py", "docs/openapi.json"} <= names
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.*")} <= names


def letters(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(count))


def an_old_pat() -> str:
    return "a" + letters(50, string.ascii_lowercase + "234567") + "2"


def a_web_token() -> str:
    parts = [base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "n": n}).encode()).decode() for n in range(2)]
    return ".".join([*(part.rstrip("=") for part in parts), secrets.token_urlsafe(64)])


# Put together when the test runs, so that this file itself stays clean.
SAMPLES: list[tuple[str, Callable[[], str]]] = [
    ("Azure DevOps PAT", lambda: letters(76) + "AZ" + "DO" + letters(4)),
    ("Azure DevOps PAT", lambda: letters(75) + "AZ" + "DO" + letters(5)),
    ("old Azure DevOps PAT", an_old_pat),
    ("JSON web token", a_web_token),
    ("private key", lambda: "-----BEGIN " + "RSA PRIVATE KEY" + "-----"),
    ("private key", lambda: "-----BEGIN " + "PRIVATE KEY" + "-----"),
    ("storage account key", lambda: "Account" + "Key=" + base64.b64encode(secrets.token_bytes(64)).decode()),
    ("function key", lambda: letters(44) + "Az" + "Fu" + letters(5) + "Q=="),
    ("refresh token", lambda: "1." + "AX" + letters(600)),
    ("client secret", lambda: letters(3) + "8Q" + "~" + letters(34)),
    ("client secret", lambda: letters(3) + "8Q" + "~" + letters(31) + "_.-"),
]


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=[name for name, _ in SAMPLES])
@pytest.mark.parametrize("form", ["{}\n", '{{"token": "{}"}}', "TOKEN={} # here", "a line\r\n{}\r\nanother"])
def test_a_planted_secret_is_found(tmp_path: Path, name: str, sample: Callable[[], str], form: str) -> None:
    path = tmp_path / "planted.txt"
    for _ in range(20):  # the samples are random
        path.write_text(form.format(sample()), encoding="utf-8", newline="")

        assert [(find.path, find.pattern) for find in scan([path])] == [("planted.txt", name)]


@pytest.mark.parametrize(
    "text",
    [
        f"AccountName=devstoreaccount1;AccountKey={EMULATOR_KEY};BlobEndpoint=http://127.0.0.1:10000/",
        "11111111-2222-3333-4444-555555555555",
        "sha512-" + "z" * 86 + "==",
        "0123456789abcdef" * 4,
        "patrol" * 20,
        "eyJ0 is how a token starts",
        "- a heading -----",
        "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token",
    ],
)
def test_what_is_no_secret_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "harmless.txt"
    path.write_text(text, encoding="utf-8")

    assert scan([path]) == []


def test_a_find_does_not_repeat_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "planted.txt"
    value = an_old_pat()
    path.write_text(value)

    assert value not in repr(scan([path]))


# ---- code ------------------------------------------------------------------------------------------------------------

# Where a value leaves for the remote that needs it, and how often in each place.
MAY_REVEAL = {
    "clients/devops.py:_Bearer.__call__": 1,  # the Authorization header of the PAT API
    "clients/devops.py:_Password.__call__": 1,  # the one use of a new PAT
    "clients/keyvault.py:PatVault.store": 1,  # the one place that it goes to
    "clients/keyvault.py:CredentialVault.write": 1,  # a stored sign-in, rolled
    "entra.py:Entra.by_password": 1,
    "entra.py:Entra.application": 1,  # the client secret
    "entra.py:_claims": 1,  # whose token it is
    "auth.py:SignInService._redeem": 2,  # whether the stored sign-in was rolled
    "token_cache.py:opened": 2,
    "storage.py:Storage._connect": 1,  # the host's own connection string
}


def reveals(root: Path) -> Counter[str]:
    """Every mention of `.reveal`, called or handed on, by the function around it."""
    found: Counter[str] = Counter()

    def walk(node: ast.AST, file: str, names: tuple[str, ...]) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = (*names, node.name)
        if isinstance(node, ast.Attribute) and node.attr in {"reveal", "_text"}:
            found[f"{file}:{'.'.join(names)}"] += 1
        if isinstance(node, ast.Constant) and node.value in {"reveal", "_text"}:
            found[f"{file}:{'.'.join(names)} by its name"] += 1
        for child in ast.iter_child_nodes(node):
            walk(child, file, names)

    for path in sorted(root.rglob("*.py")):
        walk(ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(root)), ())
    return found


def test_a_value_is_revealed_only_where_it_leaves() -> None:
    # The class itself: where the text is kept, and where it is handed out.
    own = {"model.py:Secret.__init__": 1, "model.py:Secret.reveal": 1, "model.py:Secret by its name": 1}

    assert dict(reveals(ROOT / "shared")) == MAY_REVEAL | own


def test_the_count_sees_a_reveal_wherever_it_hides(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "def f(s):\n    return s.reveal()\nclass C:\n    def m(self, s):\n        return map(s.reveal, [])\n"
        "x = lambda s: getattr(s, 'reveal')()\ny = s._text\n"
    )

    assert reveals(tmp_path) == {"module.py:f": 1, "module.py:C.m": 1, "module.py: by its name": 1, "module.py:": 1}


# ---- the type --------------------------------------------------------------------------------------------------------

SECRET = Secret(VALUE)

SHOWN: dict[str, Callable[[], object]] = {
    "repr": lambda: repr(SECRET),
    "str": lambda: str(SECRET),
    "format": lambda: format(SECRET, ">40"),
    "f-string": lambda: f"{SECRET} {SECRET!r} {SECRET!s} {SECRET!a} {SECRET:^60}",
    "f-string with its name": lambda: f"{SECRET=}",
    "percent": lambda: "%s %r" % (SECRET, SECRET),  # noqa: UP031 - the old way to format is what is tried
    "list": lambda: str([SECRET, (SECRET,), {"key": SECRET}]),
    "pprint": lambda: pprint.pformat({"key": [SECRET]}),
    "dataclass": lambda: repr(CreatedPat(a_live_pat(), SECRET)),
    "stored": lambda: repr(StoredSecret(SECRET, "a", NOW, {})),
    "json with a default": lambda: json.dumps({"key": SECRET}, default=str),
    "ascii": lambda: ascii(SECRET),
    "vars": lambda: getattr(SECRET, "__dict__", {}),
    "exception": lambda: str(ValueError(SECRET)),
    "exception's repr": lambda: repr(ValueError("x", SECRET)),
    "dir": lambda: dir(SECRET),
    "join": lambda: " ".join(map(str, [SECRET])),
}


@pytest.mark.parametrize("way", SHOWN)
def test_a_secret_does_not_show(way: str) -> None:
    assert VALUE not in str(SHOWN[way]())


@pytest.mark.parametrize(
    "way",
    [
        lambda: json.dumps(SECRET),
        lambda: json.dumps({"key": [SECRET]}),
        lambda: pickle.dumps(SECRET),
        lambda: pickle.dumps({"key": SECRET}, protocol=0),
        lambda: copy.copy(SECRET),
        lambda: copy.deepcopy([SECRET]),
        lambda: "text" + SECRET,  # type: ignore[operator]
        lambda: bytes(SECRET),  # type: ignore[call-overload]
        lambda: iter(SECRET),  # type: ignore[call-overload]
    ],
)
def test_a_secret_cannot_be_turned_into_something_that_shows(way: Callable[[], object]) -> None:
    with pytest.raises(TypeError) as raised:
        way()

    assert VALUE not in "".join(traceback.format_exception(raised.value))


def test_a_logged_secret_does_not_show(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    logger = logging.getLogger("test.secrets")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(args)s %(extra)s"))
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.DEBUG):
            logger.info("%s %r", SECRET, SECRET, extra={"extra": SECRET})
    finally:
        logger.removeHandler(handler)

    assert "<secret>" in stream.getvalue()
    assert VALUE not in stream.getvalue() + caplog.text + str(caplog.records[0].__dict__)


def test_a_traceback_with_its_variables_does_not_show_it() -> None:
    def fail(token: Secret) -> None:
        holder: dict[str, Any] = {"token": token, "list": [token]}
        raise ValueError(holder)

    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its text is what is looked at
        fail(SECRET)

    report = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    shown = "".join(report.format())
    assert "token = <secret>" in shown
    assert VALUE not in shown


def test_two_secrets_are_compared_by_identity_so_that_a_failing_test_shows_nothing() -> None:
    assert (Secret(VALUE) == Secret(VALUE), SECRET == VALUE, SECRET.reveal() == VALUE) == (False, False, True)
