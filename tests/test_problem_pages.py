"""Every reason that the code can give has its page, and every page has a reason that the code can give."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.contract import OPERATIONS
from shared.model import Event
from shared.pages.catalogue import GROUPS, PAGES, document

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "docs" / "problems.md"
FAMILIES = {reason.partition(".")[0] for reason in PAGES}
SHAPE = re.compile(rf"(?:{'|'.join(sorted(FAMILIES - {'internal'}))})\.[a-z-]+")
# These name reasons and do not give them: the pages, the statuses by reason, the example of a parameter.
MENTIONS_ONLY = {"problems.py", "inputs.py", *(path.name for path in (ROOT / "shared" / "pages").glob("*.py"))}


def nodes_of(folder: Path) -> Iterator[ast.AST]:
    """Every node of the code that may give a reason. The names of events look like reasons and are left out."""
    for path in sorted(folder.rglob("*.py")):
        if path.name in MENTIONS_ONLY:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        events = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Event"]
        names = {id(node) for event in events for node in ast.walk(event)}
        yield from (node for node in ast.walk(tree) if id(node) not in names)


def reasons_of(folder: Path) -> set[str]:
    """What is given as `reason=`, of whatever shape, and every text of a reason's shape, such as those in tables."""
    found = set()
    for node in nodes_of(folder):
        if isinstance(node, ast.keyword) and node.arg == "reason" and isinstance(node.value, ast.Constant):
            found.add(str(node.value.value))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SHAPE.fullmatch(node.value):
            found.add(node.value)
    return found


def made_up_reasons(folder: Path) -> list[str]:
    """Reasons that are put together, which no reader of the code could list."""
    starts = (node.values[0] for node in nodes_of(folder) if isinstance(node, ast.JoinedStr) and node.values)
    texts = [str(start.value) for start in starts if isinstance(start, ast.Constant)]
    return [text for text in texts if text.partition(".")[0] in FAMILIES and "." in text and " " not in text]


def test_every_reason_of_the_code_has_its_page() -> None:
    without = reasons_of(ROOT / "shared") - set(PAGES)

    assert without == set(), "write a page for each in shared/pages/, then `make schema`"


def test_every_page_is_about_a_reason_of_the_code() -> None:
    assert set(PAGES) - reasons_of(ROOT / "shared") == set()


def test_no_reason_is_put_together() -> None:
    assert made_up_reasons(ROOT / "shared") == []


def test_the_search_finds_reasons_wherever_they_hide(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "raise Refused('x', reason='novel')\nTABLE = {403: ('vault.novel', 'why')}\nsays = Refusal('sign-in.novel')\n"
        "code = f'pat.{word}'\nclass Event:\n    RUN_NOVEL = 'run.novel'\n"
    )

    assert reasons_of(tmp_path) == {"novel", "vault.novel", "sign-in.novel"}
    assert made_up_reasons(tmp_path) == ["pat."]


def test_no_page_is_in_two_groups() -> None:
    assert len(PAGES) == sum(len(pages) for pages in GROUPS.values())


@pytest.mark.parametrize("reason", PAGES)
def test_every_page_says_what_what_happened_and_what_to_do(reason: str) -> None:
    page = PAGES[reason]

    assert re.fullmatch(r"[A-Z][^.]+", page.title), "a few words, no sentence"
    for text in (page.cause, page.remedy):
        assert re.fullmatch(r"[A-Z`].{20,}[.`]", text), "sentences"
        assert "  " not in text


def test_what_the_pages_name_exists() -> None:
    text = document()
    known = {(operation.method, re.sub(r"\{\w+\}", "{}", operation.path)) for operation in OPERATIONS.values()}

    calls = set(re.findall(r"`(GET|POST|DELETE|PATCH) /api(/[^`?]+)", text))
    assert len(calls) >= 3
    assert [call for call in calls if (call[0], re.sub(r"\{\w+\}", "{}", call[1])) not in known] == []
    commands = set(re.findall(r"python -m ([\w.]+)", text))
    assert [name for name in commands if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []
    named = {name for name in re.findall(r"`([a-z-]+\.[a-z-]+)`", text) if name.partition(".")[2] != "yaml"}
    assert named - {*PAGES, *(str(event) for event in Event)} == set()


def test_the_committed_document_is_the_pages() -> None:
    # When this fails: make schema
    assert COMMITTED.read_text("utf-8") == document()


def test_the_document_has_an_anchor_for_every_reason() -> None:
    assert re.findall(r'<a id="([^"]+)"></a>', document()) == list(PAGES)
