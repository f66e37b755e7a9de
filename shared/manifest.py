"""From the text of `pats.yaml` to a `Manifest`, or to one error that names every fault with its line.

Does no I/O beyond reading the given path, knows no clock, and asks no remote whether an account or organisation exists.
The models below are also the source of `docs/pats.schema.json` (`python -m shared.manifest` prints it).
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    field_validator,
)

from shared.errors import Invalid
from shared.model import GUID, LONGEST_LIFETIME, Account, ClientCredential, Manifest, PatSpec, SignIn
from shared.scopes import ENTRA_ONLY_SCOPES, FULL_ACCESS, KNOWN_SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_TENANT_ALIASES = {"common", "organizations", "consumers"}

_Path = tuple[str | int, ...]


def _parse_duration(value: object) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([dhm])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a duration such as 30d, 12h or 45m")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


Duration = Annotated[
    timedelta,
    BeforeValidator(_parse_duration),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,5}[dhm]$", "examples": ["30d", "12h", "45m"]}),
]
FleetName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$")]
PatName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,64}$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,127}$")]
Organization = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]([0-9A-Za-z-]{0,48}[0-9A-Za-z])?$")]
Scope = Annotated[str, StringConstraints(pattern=r"^(app_token|vso\.[a-z]+([._][a-z]+)*)$")]
Guid = Annotated[str, StringConstraints(pattern=f"^{GUID}$")]
Tenant = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]([0-9A-Za-z.-]{0,250}[0-9A-Za-z])?$")]
Username = Annotated[str, StringConstraints(pattern=r"^[^@\s/?#%&]{1,200}@[0-9A-Za-z.-]{1,200}$")]


class _Section(BaseModel):
    """Unknown keys are refused: a misspelt key would otherwise be a setting that silently does nothing."""

    model_config = ConfigDict(extra="forbid", strict=False, hide_input_in_errors=True)


_S = TypeVar("_S", bound=_Section)


class DefaultsSection(_Section):
    """Durations for every PAT that does not set its own."""

    lifetime: Duration = Field(timedelta(days=30), description="How long a new PAT is asked to live.")
    rotate_before: Duration = Field(timedelta(days=10), description="How long before its expiry a PAT is replaced.")
    overlap: Duration = Field(timedelta(days=2), description="How long the old PAT lives on beside its successor.")


class AccountSection(_Section):
    """A technical user that owns PATs."""

    tenant: Tenant = Field(description="Entra tenant of the user: its id or a verified domain.")
    client_id: Guid = Field(description="Application (client) id of the app registration that signs the user in.")
    username: Username = Field(description="User principal name of the technical user.")
    sign_in: SignIn = Field(SignIn.PASSWORD, description="How the user signs in.")
    client_credential: ClientCredential = Field(
        ClientCredential.SECRET, description="How the app registration proves itself."
    )

    @field_validator("tenant")
    @classmethod
    def _one_tenant(cls, tenant: str) -> str:
        if tenant.lower() in _TENANT_ALIASES:
            raise ValueError("must be one tenant's id or domain")
        return tenant


class PatSection(_Section):
    """One PAT to keep alive."""

    name: PatName = Field(description="Name within this fleet; part of the display name in Azure DevOps.")
    account: str = Field(description="Key of the owning account under `accounts`.")
    organization: Organization = Field(description="Azure DevOps organisation the PAT works in.")
    scopes: list[Scope] = Field(min_length=1, description="Scopes to ask for, such as vso.code.")
    secret: SecretName | None = Field(None, description="Key Vault secret that holds the PAT; default: its name.")
    lifetime: Duration | None = Field(None, description="Overrides the default.")
    rotate_before: Duration | None = Field(None, description="Overrides the default.")
    overlap: Duration | None = Field(None, description="Overrides the default.")
    verify: bool = Field(default=True, description="Use a new PAT once, as a consumer would, before storing it.")
    allow_full_access: bool = Field(default=False, description="Must be true for the scope app_token.")

    @field_validator("scopes")
    @classmethod
    def _usable_scopes(cls, scopes: list[str]) -> list[str]:
        if len(set(scopes)) != len(scopes):
            raise ValueError("names a scope twice")
        if FULL_ACCESS in scopes and len(scopes) > 1:
            raise ValueError("app_token is full access already, so it stands alone")
        if forbidden := ENTRA_ONLY_SCOPES.intersection(scopes):
            raise ValueError(f"a PAT cannot carry {', '.join(sorted(forbidden))}")
        return scopes


class ManifestSection(_Section):
    """Patrol's manifest: the PATs that one deployment keeps rotated."""

    fleet: FleetName = Field(description="Marks in Azure DevOps and Key Vault what this deployment owns.")
    defaults: DefaultsSection = Field(default_factory=DefaultsSection)
    accounts: dict[AccountName, AccountSection] = Field(min_length=1, description="Technical users by name.")
    pats: list[PatSection] = Field(description="The PATs to keep alive.")

    @classmethod
    def schema_text(cls) -> str:
        """The JSON Schema for editors, as it is committed."""
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **cls.model_json_schema(),
            "title": "Patrol manifest",
        }
        schema["properties"]["defaults"].pop("default", None)
        return json.dumps(schema, indent=2) + "\n"


def load(path: Path) -> Manifest:
    """Read and parse a manifest file.

    Raises:
        Invalid: the file cannot be read or has faults; all of them are named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        fault = f"{path.name} cannot be read ({error.strerror or type(error).__name__})"
        remedy = "Deploy the manifest with the app, or point PAT_MANIFEST at it."
        raise Invalid("Manifest", [fault], reason="manifest.unreadable", remedy=remedy) from None
    except UnicodeDecodeError:
        raise Invalid("Manifest", [f"{path.name} is not UTF-8 text"], reason="manifest.unreadable") from None
    return parse(text, path.name)


def parse(text: str, name: str = "pats.yaml") -> Manifest:
    """Parse a manifest.

    Args:
        text: the YAML.
        name: how error messages call it.

    Raises:
        Invalid: with every fault found, each with its line.
    """
    lines: dict[_Path, int] = {}
    faults: list[tuple[int, str]] = []
    try:
        root = yaml.compose(text, Loader=_LOADER)
        data = _plain(root, (), lines, faults) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _invalid(name, [(line, f"is not YAML: {error.problem}")]) from None
    except RecursionError:
        fault = "is nested too deeply, or holds an alias that refers to itself"
        raise _invalid(name, [(1, fault)]) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise _invalid(name, [(1, "is not YAML: it holds characters that YAML does not allow")]) from None
    if not isinstance(data, dict):
        raise _invalid(name, [(1, "must be a mapping with fleet, accounts and pats")])
    try:
        document = ManifestSection.model_validate(data)
    except ValidationError as error:
        document = None
        faults += [(_line(lines, item["loc"]), _sentence(item)) for item in error.errors(include_input=False)]
    specs, cross_faults = _cross_check(data, lines)
    faults += cross_faults
    if faults or document is None:
        raise _invalid(name, faults)
    return Manifest(
        fleet=document.fleet,
        accounts={key: Account(name=key, **section.model_dump()) for key, section in document.accounts.items()},
        pats=tuple(specs),
        warnings=tuple(_warnings(specs)),
    )


# ---- YAML with lines, and without surprises --------------------------------------------------------------------------

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YES_NO = {"true": True, "false": False}


def _plain(node: yaml.Node, path: _Path, lines: dict[_Path, int], faults: list[tuple[int, str]]) -> Any:
    """Plain values of a YAML tree, remembering lines and noting duplicate keys.

    Scalars stay text but for true, false and null: YAML 1.1 would read `no` as a boolean and `12:30` as a number, and
    a name must stay what its author wrote.
    """
    line = node.start_mark.line + 1
    lines[path] = line
    if isinstance(node, yaml.MappingNode):
        plain: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                faults.append((key_node.start_mark.line + 1, "a key must be plain text"))
                continue
            if key in plain:
                faults.append((key_node.start_mark.line + 1, f"{_dotted((*path, key))} is given twice"))
            plain[key] = _plain(value_node, (*path, key), lines, faults)
            lines[(*path, key)] = key_node.start_mark.line + 1
        return plain
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), lines, faults) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        if node.style:  # quoted or a block: the C parser gives a plain scalar the style "", the other one None
            return node.value
        return None if node.value in {"", "~", "null"} else _YES_NO.get(node.value, node.value)
    raise AssertionError(f"unknown YAML node {type(node).__name__}")


def _line(lines: dict[_Path, int], location: _Path) -> int:
    """The line of the nearest known ancestor."""
    known = [location[:length] for length in range(len(location), -1, -1)]
    return next(lines[path] for path in known if path in lines)


# ---- faults ----------------------------------------------------------------------------------------------------------

_PLAIN_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a key that Patrol knows",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "too_short": "must not be empty",
}


def _sentence(error: Any) -> str:
    kind = error["type"]
    if kind == "string_pattern_mismatch":
        words = f"must match {error['ctx']['pattern']}"
    elif kind == "enum":
        words = f"must be {error['ctx']['expected']}"
    elif kind == "value_error":
        words = str(error["ctx"]["error"])
    else:
        words = _PLAIN_WORDS.get(kind, error["msg"])
    location = tuple(part for part in error["loc"] if part != "[key]")
    return f"{_dotted(location)} {words}"


def _dotted(path: _Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the manifest"


def _invalid(name: str, faults: list[tuple[int, str]]) -> Invalid:
    ordered = [f"line {line}: {fault}" for line, fault in sorted(set(faults))]
    remedy = "Nothing was changed. Correct the manifest; docs/pats.schema.json lets an editor check it."
    return Invalid(f"Manifest {name}", ordered, reason="manifest.invalid", remedy=remedy)


# ---- rules that span several keys ------------------------------------------------------------------------------------


def _cross_check(data: dict[str, Any], lines: dict[_Path, int]) -> tuple[list[PatSpec], list[tuple[int, str]]]:
    """Specs of all sections that are sound in themselves, and the faults between them.

    It works on what can be read, so that one misspelt key does not hide a duplicate elsewhere.
    """
    faults: list[tuple[int, str]] = []
    defaults = _sound(DefaultsSection, data.get("defaults") or {}) or DefaultsSection()
    accounts = data.get("accounts")
    account_names = set(accounts) if isinstance(accounts, dict) else set()
    pats = data.get("pats")
    specs: list[PatSpec] = []
    seen: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for index, item in enumerate(pats if isinstance(pats, list) else []):
        section = _sound(PatSection, item)
        if section is None:
            continue
        line = lines[("pats", index)]
        spec = _spec(section, defaults)
        specs.append(spec)
        found = list(_pat_faults(section, spec, account_names))
        for kind, value in (("name", spec.name), ("secret", spec.secret)):
            # By index: an alias, or a list on one line, puts two PATs on the same line.
            first, first_line = seen[kind].setdefault(value.lower(), (index, line))
            if first != index:
                found.append(f"{kind} {value} is already taken on line {first_line}")
        faults += [(line, f"pats[{index}] ({spec.name}): {fault}") for fault in found]
    return specs, faults + _account_faults(accounts, lines)


def _sound(model: type[_S], item: object) -> _S | None:
    try:
        return model.model_validate(item)
    except ValidationError:
        return None


def _spec(section: PatSection, defaults: DefaultsSection) -> PatSpec:
    return PatSpec(
        name=section.name,
        account=section.account,
        organization=section.organization.lower(),  # organisation names ignore case; one spelling, one listing
        scopes=tuple(sorted(section.scopes)),
        secret=section.secret or section.name,
        lifetime=section.lifetime or defaults.lifetime,
        rotate_before=section.rotate_before or defaults.rotate_before,
        overlap=section.overlap or defaults.overlap,
        verify=section.verify,
    )


def _pat_faults(section: PatSection, spec: PatSpec, account_names: set[str]) -> Iterator[str]:
    if spec.account not in account_names:
        yield f"account {spec.account} is not under accounts"
    if not spec.overlap < spec.rotate_before < spec.lifetime:
        yield "overlap must be shorter than rotate_before, and rotate_before shorter than lifetime"
    if spec.lifetime > LONGEST_LIFETIME:
        yield f"lifetime must be at most {LONGEST_LIFETIME.days}d"
    if FULL_ACCESS in spec.scopes and not section.allow_full_access:
        yield "app_token is full access: set allow_full_access to true if that is meant"


def _account_faults(accounts: object, lines: dict[_Path, int]) -> list[tuple[int, str]]:
    """Two accounts for one user would each take the other's PATs for surplus."""
    faults: list[tuple[int, str]] = []
    owners: dict[str, str] = {}
    for key, item in accounts.items() if isinstance(accounts, dict) else ():
        section = _sound(AccountSection, item)
        if section is None:
            continue
        first = owners.setdefault(section.username.lower(), key)
        if first != key:
            faults.append((lines[("accounts", key)], f"accounts.{key}: its user is already account {first}"))
    return faults


def _warnings(specs: list[PatSpec]) -> Iterator[str]:
    for spec in specs:
        unknown = [scope for scope in spec.scopes if scope not in KNOWN_SCOPES]
        if unknown:
            yield f"{spec.name}: unknown scope {', '.join(unknown)}; Azure DevOps may refuse it"


if __name__ == "__main__":
    sys.stdout.write(ManifestSection.schema_text())
