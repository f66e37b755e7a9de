"""Keys: which key opens what."""

import json
from pathlib import Path

import pytest

from local.host.keys import Keys, Level

KEYS = {"_master": "m", "default": "d", "other": "o", "rotate/default": "r"}


@pytest.mark.parametrize(
    ("presented", "function", "expected"),
    [
        (None, "rotate", Level.ANONYMOUS),
        ("", "rotate", Level.ANONYMOUS),
        ("wrong", "rotate", Level.ANONYMOUS),
        ("D", "rotate", Level.ANONYMOUS),
        ("ü", "rotate", Level.ANONYMOUS),
        ("d", "rotate", Level.FUNCTION),
        ("d", None, Level.FUNCTION),
        ("o", "list", Level.FUNCTION),
        ("r", "rotate", Level.FUNCTION),
        ("r", "Rotate", Level.FUNCTION),
        ("r", "list", Level.ANONYMOUS),
        ("r", None, Level.ANONYMOUS),
        ("m", "rotate", Level.ADMIN),
        ("m", None, Level.ADMIN),
    ],
)
def test_a_key_gives_a_level_on_a_function(presented: str | None, function: str | None, expected: Level) -> None:
    assert Keys(KEYS.items()).level(presented, function) == expected


def test_missing_keys_are_generated_and_no_two_hosts_share_them(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        Keys([]).write(tmp_path / name)
        written.append(json.loads((tmp_path / name).read_text()))
    assert [set(keys) for keys in written] == [{"_master", "default"}] * 2
    assert len({value for keys in written for value in keys.values()}) == 4


def test_a_keys_file_is_for_its_owner_alone_even_where_one_lay_open(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{}")
    path.chmod(0o644)
    Keys(KEYS.items()).write(path)
    assert (path.stat().st_mode & 0o777, json.loads(path.read_text())) == (0o600, KEYS)


@pytest.mark.parametrize("pair", [("default", ""), ("", "value")])
def test_an_empty_key_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="a name and a value"):
        Keys([pair])
