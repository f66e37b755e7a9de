"""Route templates: which function answers a path and a verb.

Templates are those of ASP.NET Core ("Routing in ASP.NET Core", route constraints), as far as function apps use them.

Two facts that surprise, and that this module keeps:
- The host tries routes in the alphabetical order of the functions' names, not the most specific first
  (github.com/Azure/azure-functions-host, `FunctionMetadataManager` and issues 9876 and 3153): `a` on `items/{id}` hides
  `b` on `items/recent`.
- A wrong verb is 404, not 405, and HEAD is not GET (issues 10098 and 11625): the verb is a constraint of the route.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from local.host.constraints import Constraint, ConstraintError, constraint


class RouteError(Exception):
    """A template or a set of routes that the host would refuse; the message names the function or the template."""


@dataclass(frozen=True)
class Template:
    """A parsed route template."""

    text: str
    _pattern: re.Pattern[str]
    _constraints: Sequence[tuple[str, Constraint]]
    _defaults: dict[str, str]

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters of `path` (no leading slash, percent-encoded), or None when it does not match.

        Values are decoded, except that `%2F` stays as it is, as ASP.NET Core leaves it. A parameter that is absent and
        has no default is left out.
        """
        found = self._pattern.fullmatch(decode(path))
        if found is None:
            return None
        values = self._defaults | {name: value for name, value in found.groupdict().items() if value}
        if all(test(values[name]) for name, test in self._constraints if name in values):
            return values
        return None


@dataclass(frozen=True)
class Route:
    """A function's place in the URL space. `verbs` in upper case; empty means all of them."""

    function: str
    template: Template
    verbs: frozenset[str] = field(default_factory=frozenset)

    def conflicts_with(self, other: "Route") -> bool:
        """Whether both have the same template and a verb in common."""
        same = self.template.text.strip("/").lower() == other.template.text.strip("/").lower()
        return same and (not self.verbs or not other.verbs or bool(self.verbs & other.verbs))


class RouteTable:
    """All routes of an app."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Orders the routes.

        Raises:
            RouteError: two routes with one template share a verb. The real host drops the second function with an error
                in its log; here the host does not start.
        """
        # As .NET's OrdinalIgnoreCase sorts: by upper case, which puts an underscore after the letters.
        self._routes = sorted(routes, key=lambda route: route.function.upper())
        for position, route in enumerate(self._routes):
            for earlier in self._routes[:position]:
                if route.conflicts_with(earlier):
                    raise RouteError(f"the route of '{route.function}' conflicts with that of '{earlier.function}'")

    def find(self, verb: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The function for a verb and a percent-encoded path, with its route parameters; None means 404."""
        for route in self._routes:
            if route.verbs and verb not in route.verbs:
                continue
            values = route.template.match(path.strip("/"))
            if values is not None:
                return route.function, values
        return None


def decode(path: str) -> str:
    """`path` percent-decoded once, with an encoded slash left encoded."""
    return "%2F".join(unquote(piece) for piece in re.split("%2F", path, flags=re.IGNORECASE))


def parse(template: str) -> Template:
    """Parse `template`, such as `pats/{organization}/{id:guid}`.

    Raises:
        RouteError: unbalanced braces, a repeated or malformed parameter, an unknown constraint.
    """
    text = template.strip("/")
    constraints: list[tuple[str, Constraint]] = []
    defaults: dict[str, str] = {}
    seen: set[str] = set()
    pattern = ""
    for position, segment in enumerate(_split(text)):
        parts = _parts(segment, template)
        slash = "/" if position else ""
        expression, absent_ok = "", False
        for part in parts:
            if isinstance(part, str):
                expression += re.escape(part)
                continue
            if part.name in seen:
                raise RouteError(f"route '{template}': parameter '{part.name}' appears twice")
            seen.add(part.name)
            try:
                constraints += [(part.name, constraint(*named)) for named in part.constraints]
            except ConstraintError as error:
                raise RouteError(f"route '{template}': {error}") from error
            if part.default is not None:
                defaults[part.name] = part.default
            absent_ok = len(parts) == 1 and (part.optional or part.catch_all or part.default is not None)
            body = ".*" if part.catch_all else "[^/]+"
            expression += f"(?P<{part.name}>{body})"
        pattern += f"(?:{slash}{expression})?" if absent_ok else slash + expression
    return Template(text, re.compile(pattern, re.IGNORECASE | re.DOTALL), constraints, defaults)


@dataclass(frozen=True)
class _Parameter:
    name: str
    constraints: list[tuple[str, str]]
    optional: bool
    catch_all: bool
    default: str | None


_PARAMETER = re.compile(
    r"(?P<stars>\*{0,2})(?P<name>[A-Za-z_]\w*)(?P<constraints>(?::\w+(?:\(.*?\)(?=[:=?]|$))?)*)(?:=(?P<default>[^?]*))?(?P<optional>\?)?"
)
_CONSTRAINT = re.compile(r":(\w+)(?:\((.*?)\)(?=:|$))?")


def _split(template: str) -> list[str]:
    """Segments: split at slashes outside braces (a regular expression may hold one)."""
    segments, depth, current = [], 0, ""
    for char in template:
        depth += (char == "{") - (char == "}")
        if char == "/" and depth == 0:
            segments.append(current)
            current = ""
        else:
            current += char
    return [*segments, current] if template else []


def _parts(segment: str, template: str) -> list[str | _Parameter]:
    parts: list[str | _Parameter] = []
    position = 0
    # A doubled brace is a literal one, also inside a regular expression.
    for match in re.finditer(r"\{((?:[^{}]|\{\{|\}\})+)\}", segment):
        if match.start() > position:
            parts.append(segment[position : match.start()])
        parts.append(_parameter(match.group(1).replace("{{", "{").replace("}}", "}"), template))
        position = match.end()
    if position < len(segment):
        parts.append(segment[position:])
    if any(isinstance(part, str) and set(part) & set("{}") for part in parts):
        raise RouteError(f"route '{template}': unbalanced braces")
    return parts


def _parameter(text: str, template: str) -> _Parameter:
    match = _PARAMETER.fullmatch(text)
    if not match:
        raise RouteError(f"route '{template}': '{{{text}}}' is not a parameter")
    return _Parameter(
        name=match["name"],
        constraints=[(name.lower(), argument) for name, argument in _CONSTRAINT.findall(match["constraints"])],
        optional=match["optional"] is not None,
        catch_all=bool(match["stars"]),
        default=match["default"],
    )
