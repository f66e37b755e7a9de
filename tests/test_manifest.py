from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import manifest
from shared.errors import Invalid
from shared.model import ClientCredential, Manifest, SignIn, Source

ROOT = Path(__file__).parent.parent

HEAD = """\
fleet: contoso
accounts:
  build-bot:
    tenant: contoso.onmicrosoft.com
    client_id: 11111111-2222-3333-4444-555555555555
    username: build-bot@contoso.onmicrosoft.com
"""
PAT = "{name: sonarqube, account: build-bot, organization: contoso, scopes: [vso.code]}"
GOOD = f"{HEAD}pats:\n  - {PAT}\n"


def faults_of(text: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        manifest.parse(text)
    return list(caught.value.faults)


def a_text(**changes: str | None) -> str:
    """A manifest of one PAT on line 8, with these keys changed or, with None, left out."""
    keys = {"name": "sonarqube", "account": "build-bot", "organization": "contoso", "scopes": "[vso.code]", **changes}
    body = ", ".join(f"{key}: {value}" for key, value in keys.items() if value is not None)
    return f"{HEAD}pats:\n  - {{{body}}}\n"


def the_pat(**changes: str | None) -> Any:
    return manifest.parse(a_text(**changes)).pats[0]


# ---- good ones -------------------------------------------------------------------------------------------------------


def test_a_short_manifest_has_sensible_defaults() -> None:
    parsed = manifest.parse(GOOD)
    (spec,), account = parsed.pats, parsed.accounts["build-bot"]

    assert (parsed.fleet, parsed.warnings, spec.source) == ("contoso", (), Source("build-bot", "contoso"))
    assert (spec.secret, spec.lifetime.days, spec.rotate_before.days, spec.overlap.days, spec.verify) == (
        "sonarqube",
        30,
        10,
        2,
        True,
    )
    assert (account.name, account.sign_in, account.client_credential) == (
        "build-bot",
        SignIn.PASSWORD,
        ClientCredential.SECRET,
    )


def test_the_repositorys_own_manifest_is_good() -> None:
    parsed = manifest.load(ROOT / "pats.yaml")

    assert ([spec.name for spec in parsed.pats], parsed.warnings) == (
        ["sonarqube", "build-agents", "release-feed"],
        (),
    )
    assert parsed.accounts["release-bot"].client_credential == ClientCredential.NONE


def test_a_pats_own_durations_win_over_the_defaults() -> None:
    text = GOOD.replace("fleet: contoso", "fleet: contoso\ndefaults: {lifetime: 60d, overlap: 12h}")
    spec = manifest.parse(text.replace("vso.code]", "vso.code], lifetime: 20d, rotate_before: 90m, overlap: 45m")).pats[
        0
    ]

    assert (spec.lifetime, spec.rotate_before, spec.overlap) == (
        timedelta(days=20),
        timedelta(minutes=90),
        timedelta(minutes=45),
    )


def test_defaults_may_set_some_durations_only() -> None:
    spec = manifest.parse(GOOD.replace("fleet: contoso", "fleet: contoso\ndefaults: {overlap: 12h}")).pats[0]

    assert (spec.lifetime.days, spec.rotate_before.days, spec.overlap) == (30, 10, timedelta(hours=12))


def test_the_order_of_scopes_does_not_matter() -> None:
    one, two = the_pat(scopes="[vso.code, vso.build]"), the_pat(scopes="[vso.build, vso.code]")

    assert (one, one.digest) == (two, two.digest)


def test_one_organisation_has_one_spelling() -> None:
    assert the_pat(organization="Contoso").organization == "contoso"


@pytest.mark.parametrize(
    "text", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), GOOD.replace("\n", "\r")], ids=["BOM", "CRLF", "CR"]
)
def test_what_editors_do_to_files_makes_no_difference(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pats.yaml"
    path.write_bytes(text.encode())

    assert manifest.load(path) == manifest.parse(GOOD)


def test_a_manifest_may_be_json() -> None:
    accounts = {"b": {"tenant": "t.example", "client_id": "1" * 8 + "-1111" * 3 + "-" + "1" * 12, "username": "b@t.ex"}}
    pats = [{"name": "x", "account": "b", "organization": "o", "scopes": ["vso.code"], "verify": False}]

    assert manifest.parse(json.dumps({"fleet": "f", "accounts": accounts, "pats": pats})).pats[0].verify is False


def test_a_manifest_may_have_no_pats_yet() -> None:
    assert manifest.parse(f"{HEAD}pats: []\n").pats == ()


# ---- faults ----------------------------------------------------------------------------------------------------------


def test_all_faults_are_named_in_one_error_each_with_its_line() -> None:
    text = """\
fleet: Contoso
colour: blue
accounts:
  build-bot:
    tenant: common
    client_id: not-a-guid
    username: nobody
  Bad_Name:
    tenant: t.example
    client_id: 11111111-2222-3333-4444-555555555555
    username: b@t.example
pats:
  - name: sonarqube
    account: build-bot
    organization: contoso
    scopes: [vso.code]
  - name: SonarQube
    account: nobody
    organization: contoso
    scopes: [vso.code]
    secret: sonarqube
  - name: under_score
    account: build-bot
    organization: -contoso
    scopes: []
    lifetime: 30 days
"""
    with pytest.raises(Invalid) as caught:
        manifest.parse(text, "mine.yaml")
    error = caught.value

    assert (error.reason, error.message.split(":")[0]) == ("manifest.invalid", "Manifest mine.yaml")
    assert [fault.split(" must match")[0] for fault in error.faults] == [
        "line 1: fleet",
        "line 2: colour is not a key that Patrol knows",
        "line 5: accounts.build-bot.tenant must be one tenant's id or domain",
        "line 6: accounts.build-bot.client_id",
        "line 7: accounts.build-bot.username",
        "line 8: accounts.Bad_Name",
        "line 17: pats[1] (SonarQube): account nobody is not under accounts",
        "line 17: pats[1] (SonarQube): name SonarQube is already taken on line 13",
        "line 17: pats[1] (SonarQube): secret sonarqube is already taken on line 13",
        "line 22: pats[2].name",
        "line 24: pats[2].organization",
        "line 25: pats[2].scopes must not be empty",
        "line 26: pats[2].lifetime must be a duration such as 30d, 12h or 45m",
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({"name": None}, "pats[0].name is missing", id="a name is missing"),
        pytest.param({"account": None}, "pats[0].account is missing", id="an account is missing"),
        pytest.param({"organization": None}, "pats[0].organization is missing", id="an organisation is missing"),
        pytest.param({"scopes": None}, "pats[0].scopes is missing", id="scopes are missing"),
        pytest.param({"scope": "x"}, "pats[0].scope is not a key that Patrol knows", id="a key is misspelt"),
        pytest.param({"scopes": "vso.code"}, "pats[0].scopes must be a list", id="scopes are no list"),
        pytest.param({"scopes": "[[vso.code]]"}, "pats[0].scopes[0] must be text", id="a scope is a list"),
        pytest.param({"name": "[a]"}, "pats[0].name must be text", id="a name is a list"),
        pytest.param({"name": "~"}, "pats[0].name must be text", id="a name is empty"),
        pytest.param({"name": "true"}, "pats[0].name must be text", id="a name is a truth value"),
        pytest.param(
            {"scopes": "[vso.code, vso.code]"}, "pats[0].scopes names a scope twice", id="a scope is given twice"
        ),
        pytest.param(
            {"scopes": "[vso.pats]"}, "pats[0].scopes a PAT cannot carry vso.pats", id="a scope that no PAT may carry"
        ),
        pytest.param(
            {"scopes": "[app_token, vso.code]", "allow_full_access": "true"},
            "pats[0].scopes app_token is full access already, so it stands alone",
            id="full access beside other scopes",
        ),
        pytest.param(
            {"scopes": "[app_token]"},
            "pats[0] (sonarqube): app_token is full access: set allow_full_access to true if that is meant",
            id="full access by accident",
        ),
        pytest.param(
            {"scopes": "[app_token]", "allow_full_access": "false"},
            "pats[0] (sonarqube): app_token is full access: set allow_full_access to true if that is meant",
            id="full access denied",
        ),
        pytest.param(
            {"lifetime": "365d"}, "pats[0] (sonarqube): lifetime must be at most 364d", id="a life beyond a year"
        ),
        pytest.param(
            {"lifetime": "999999d"}, "pats[0] (sonarqube): lifetime must be at most 364d", id="a life of ages"
        ),
        *(
            pytest.param(
                durations,
                "pats[0] (sonarqube): overlap must be shorter than rotate_before, and rotate_before shorter than"
                " lifetime",
                id=sentence,
            )
            for sentence, durations in {
                "an overlap as long as the margin": {"overlap": "10d"},
                "a margin as long as the life": {"lifetime": "10d"},
                "an overlap beyond the life": {"overlap": "40d"},
            }.items()
        ),
        *(
            pytest.param(
                {"lifetime": text},
                "pats[0].lifetime must be a duration such as 30d, 12h or 45m",
                id=f"{text} is no duration",
            )
            for text in ("30", "d", "0d", "030d", "1.5d", "-1d", "30D", "1w", "P30D", "'30d '", "1000000d", "\u0663d")
        ),
    ],
)
def test_each_fault_is_named_with_its_line(changes: dict[str, str | None], fault: str) -> None:
    assert faults_of(a_text(**changes)) == [f"line 8: {fault}"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *(("name", text) for text in ("a_b", "a.b", "a/b", "'a b'", "''", "x" * 65, "\u00e4")),
        *(("secret", text) for text in ("a_b", "a.b", "''", "x" * 128, "https://x")),
        *(("organization", text) for text in ("a_b", "-a", "a-", "''", "x" * 51, "a/b", "'a?b'", "a.b", "'o\\n'")),
        *(
            ("scopes", f"['{text}']")
            for text in ("code", "vso.", "vso.Code", "vso.code ", "app_tokens", "", "VSO.code")
        ),
    ],
)
def test_a_value_that_a_url_or_a_remote_would_not_take_is_refused(key: str, text: str) -> None:
    (fault,) = faults_of(a_text(**{key: text}))

    assert "must match" in fault


@pytest.mark.parametrize("fleet", ["", "Contoso", "con toso", "a/b", "x" * 33, "[a]", "con.toso"])
def test_a_fleet_name_that_could_blur_the_marker_is_refused(fleet: str) -> None:
    (fault,) = faults_of(GOOD.replace("fleet: contoso", f"fleet: {fleet}"))

    assert fault.startswith("line 1: fleet must ")


@pytest.mark.parametrize("tenant", ["common", "Organizations", "consumers"])
def test_a_tenant_alias_is_refused(tenant: str) -> None:
    assert faults_of(GOOD.replace("contoso.onmicrosoft.com\n    client", f"{tenant}\n    client")) == [
        "line 4: accounts.build-bot.tenant must be one tenant's id or domain"
    ]


def test_two_accounts_for_one_user_are_refused() -> None:
    twin = HEAD.split("accounts:\n")[1].replace("build-bot:", "twin:").replace("build-bot@", "Build-Bot@")

    assert faults_of(f"{HEAD}{twin}pats: []\n") == ["line 7: accounts.twin: its user is already account build-bot"]


def test_two_pats_on_one_secret_are_refused_whatever_the_case() -> None:
    other = PAT.replace("sonarqube", "other").replace("}", ", secret: SonarQube}")

    assert faults_of(f"{GOOD}  - {other}\n") == ["line 9: pats[1] (other): secret SonarQube is already taken on line 8"]


@pytest.mark.parametrize(
    "pats",
    [
        pytest.param(f"[{PAT}, {PAT}]", id="in a list on one line"),
        pytest.param(f"\n  - &it {PAT}\n  - *it", id="by an alias"),
    ],
)
def test_duplicates_are_found_even_when_they_share_a_line(pats: str) -> None:
    faults = faults_of(f"{HEAD}pats: {pats}\n")

    assert [fault.split("): ")[1][:31] for fault in faults] == [
        "name sonarqube is already taken",
        "secret sonarqube is already tak",
    ]


def test_a_key_that_is_given_twice_is_refused() -> None:
    assert faults_of(GOOD + "fleet: fabrikam\n") == ["line 9: fleet is given twice"]
    assert faults_of(a_text().replace("name: sonarqube", "name: sonarqube, name: other")) == [
        "line 8: pats[0].name is given twice"
    ]


def test_a_fault_in_one_pat_does_not_hide_a_duplicate_among_the_others() -> None:
    faults = faults_of(f"{HEAD}pats:\n  - {{nonsense: 1}}\n  - {PAT}\n  - {PAT}\n")

    assert "line 10: pats[2] (sonarqube): name sonarqube is already taken on line 9" in faults


def test_no_fault_repeats_a_value_that_may_be_a_secret() -> None:
    faults = faults_of(a_text(name="'hunter2 hunter2'", lifetime="hunter2", verify="hunter2", secret="hunter_2"))

    assert "hunter" not in " ".join(faults)


# ---- YAML and its surprises ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["no", "yes", "on", "off", "null-and-void", "012", "0x1F", "1e3", "42", "2026-01-01"])
def test_what_yaml_would_take_for_something_else_stays_text(text: str) -> None:
    spec = the_pat(name=text, organization=text)

    assert (spec.name, spec.organization) == (text, text.lower())


def test_what_yaml_would_take_for_minutes_is_not_a_duration() -> None:
    assert faults_of(a_text(lifetime="12:30")) == [
        "line 8: pats[0].lifetime must be a duration such as 30d, 12h or 45m"
    ]


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
def test_both_parsers_of_the_yaml_package_agree(loader: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "_LOADER", loader)
    empty, quoted = the_pat(secret="null", lifetime="", verify="false"), the_pat(name="'null'", secret='"true"')

    assert (empty.secret, empty.lifetime.days, empty.verify) == ("sonarqube", 30, False)
    assert (quoted.name, quoted.secret) == ("null", "true")


@pytest.mark.parametrize(
    ("text", "expected"), [("false", False), ("true", True), ("no", False), ("off", False), ("yes", True)]
)
def test_a_switch_is_what_its_author_meant(text: str, *, expected: bool) -> None:
    assert the_pat(verify=text).verify is expected


def test_a_merge_key_is_refused_rather_than_half_understood() -> None:
    text = f"{HEAD}pats:\n  - &it {PAT}\n  - {{<<: *it, name: two}}\n"

    assert "line 9: pats[1].<< is not a key that Patrol knows" in faults_of(text)


def test_aliases_that_are_not_circular_are_fine() -> None:
    text = a_text(scopes="&s [vso.code]") + "  - {name: b, account: build-bot, organization: contoso, scopes: *s}\n"

    assert [spec.scopes for spec in manifest.parse(text).pats] == [("vso.code",), ("vso.code",)]


@pytest.mark.parametrize("text", ["a: &x [*x]", "&x {a: *x}", "fleet: &x {y: [*x]}"])
def test_an_alias_that_refers_to_itself_is_refused(text: str) -> None:
    (fault,) = faults_of(text)

    assert "alias that refers to itself" in fault


@pytest.mark.parametrize("text", ["[" * 900 + "]" * 900, "[" * 20_000, "{a: " * 5_000 + "}" * 5_000])
def test_absurd_nesting_is_refused(text: str) -> None:
    assert faults_of(text) != []


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "null", "~", "[]", "text", "42", "- a\n- b"])
def test_a_text_that_is_no_mapping_is_refused(text: str) -> None:
    assert faults_of(text) == ["line 1: must be a mapping with fleet, accounts and pats"]


def test_an_empty_mapping_lacks_everything() -> None:
    assert faults_of("{}") == [
        "line 1: accounts is missing",
        "line 1: fleet is missing",
        "line 1: pats is missing",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("fleet: contoso\npats: [}", 2, id="a bracket too many"),
        pytest.param("fleet: contoso\n\tpats: []", 2, id="a tab"),
        pytest.param("fleet: contoso\n---\nfleet: b", 2, id="a second document"),
        pytest.param("fleet: *nowhere", 1, id="an unknown alias"),
        pytest.param("fleet: 'a", 1, id="an open quote"),
        pytest.param("fleet: \x00", 1, id="a null byte"),
        pytest.param("fleet: \ud800", 1, id="half a surrogate pair"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    (fault,) = faults_of(text)

    assert fault.startswith(f"line {line}: is not YAML: ")


def test_python_objects_in_yaml_are_only_text() -> None:
    (fault,) = faults_of(a_text(name="!!python/object/apply:os.system ['true']"))

    assert fault == "line 8: pats[0].name must be text"


def test_a_key_that_is_no_text_is_refused() -> None:
    assert "line 9: a key must be plain text" in faults_of(GOOD + "? [a]\n: 1\n")


# ---- warnings --------------------------------------------------------------------------------------------------------


def test_a_scope_that_is_not_on_the_list_is_a_warning() -> None:
    parsed = manifest.parse(a_text(scopes="[vso.brand_new, vso.code]"))

    assert parsed.warnings == ("sonarqube: unknown scope vso.brand_new; Azure DevOps may refuse it",)


def test_full_access_is_granted_where_it_is_allowed() -> None:
    parsed = manifest.parse(a_text(scopes="[app_token]", allow_full_access="true"))

    assert (parsed.pats[0].scopes, parsed.warnings) == (("app_token",), ())


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        manifest.load(tmp_path / "gone.yaml")

    assert (caught.value.reason, caught.value.faults) == (
        "manifest.unreadable",
        ("gone.yaml cannot be read (No such file or directory)",),
    )
    assert "PAT_MANIFEST" in caught.value.remedy


def test_a_directory_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        manifest.load(tmp_path)


@pytest.mark.parametrize("junk", [b"\xff\xfe\x00\x01", b"\x80abc", bytes(range(256))])
def test_binary_junk_is_refused(junk: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pats.yaml"
    path.write_bytes(junk)

    with pytest.raises(Invalid) as caught:
        manifest.load(path)
    assert caught.value.faults == ("pats.yaml is not UTF-8 text",)


# ---- anything at all -------------------------------------------------------------------------------------------------

KEYS = [
    *("fleet", "defaults", "accounts", "pats", "name", "account", "organization", "scopes", "secret", "lifetime"),
    *("rotate_before", "overlap", "verify", "allow_full_access", "tenant", "client_id", "username", "sign_in"),
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["contoso", "30d", "vso.code", "build-bot", "app_token", *KEYS])
)
keys = st.sampled_from(KEYS) | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=25
)
sections = {
    "fleet": st.just("contoso") | anything,
    "accounts": st.dictionaries(st.just("build-bot") | keys, anything, max_size=3) | anything,
    "pats": st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["a", "b"]) | scalars,
                "account": st.just("build-bot") | scalars,
                "organization": st.just("contoso") | scalars,
                "scopes": st.just(["vso.code"]) | anything,
            },
            optional=dict.fromkeys(("secret", "lifetime", "rotate_before", "overlap", "verify"), scalars),
        )
        | anything,
        max_size=3,
    )
    | anything,
}


def outcome_of(text: str) -> Manifest | Invalid:
    try:
        return manifest.parse(text)
    except Invalid as error:
        return error


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(sections, optional={"defaults": anything, "extra": anything}) | anything)
def test_whatever_the_data_the_answer_is_a_manifest_or_its_faults(data: Any) -> None:
    outcome = outcome_of(json.dumps(data))

    assert isinstance(outcome, Manifest) or len(outcome.faults) > 0


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.text("{}[]:,-&*!|>'\"%@`#? \n\tabx", max_size=60))
def test_whatever_the_text_the_answer_is_a_manifest_or_its_faults(text: str) -> None:
    assert outcome_of(text).faults != ()  # no text that short is a manifest


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_whatever_the_bytes_the_answer_is_a_manifest_or_its_faults(junk: bytes) -> None:
    assert outcome_of(junk.decode("utf-8", "surrogateescape")).faults != ()
