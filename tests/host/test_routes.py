"""Route templates: what they match, and who wins."""

import pytest

from local.host.routes import Route, RouteError, RouteTable, parse

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("pats", "pats", {}),
        ("pats", "PATS", {}),
        ("/pats/", "pats", {}),
        ("pats", "pats/x", None),
        ("pats.json", "patsXjson", None),
        ("pats/{name}", "pats/ci", {"name": "ci"}),
        ("pats/{name}", "pats", None),
        ("pats/{name}", "pats/", None),
        ("pats/{name}", "pats/a/b", None),
        ("pats/{name}", "pats/with%20blank%2Band%25", {"name": "with blank+and%"}),
        ("pats/{name}", "pats/a+b", {"name": "a+b"}),
        ("pats/{name}", "pats/a%2Fb", {"name": "a%2Fb"}),
        ("pats/{name}", "pats/%C3%BC", {"name": "ü"}),
        ("pats/{name?}", "pats", {}),
        ("pats/{name?}", "pats/ci", {"name": "ci"}),
        ("pats/{name=all}", "pats", {"name": "all"}),
        ("pats/{name=all}", "pats/ci", {"name": "ci"}),
        ("pats/{n:int=5}", "pats", {"n": "5"}),
        ("a/{x?}/{y?}", "a", {}),
        ("a/{x?}/{y?}", "a/1/2", {"x": "1", "y": "2"}),
        ("files/{*rest}", "files", {}),
        ("files/{*rest}", "files/a/b.txt", {"rest": "a/b.txt"}),
        ("files/{**rest}", "files/a/b", {"rest": "a/b"}),
        ("{*rest}", "", {}),
        ("pats/{name}/rotate", "pats/ci/rotate", {"name": "ci"}),
        ("{name}.{extension}", "report.tar.gz", {"name": "report.tar", "extension": "gz"}),
        ("v{major:int}", "v2", {"major": "2"}),
        ("v{major:int}", "vx", None),
        ("{id:guid}", GUID, {"id": GUID}),
        ("{id:guid}", GUID.replace("-", ""), {"id": GUID.replace("-", "")}),
        ("{id:guid}", GUID[:-1], None),
        ("{n:int}", "-12", {"n": "-12"}),
        ("{n:int}", "1.5", None),
        ("{n:int}", "2147483647", {"n": "2147483647"}),
        ("{n:int}", "2147483648", None),
        ("{n:int}", "٣", None),
        ("{n:long}", "2147483648", {"n": "2147483648"}),
        ("{n:long}", "9223372036854775808", None),
        ("{n:int?}", "", {}),
        ("{n:int?}", "x", None),
        ("{b:bool}", "True", {"b": "True"}),
        ("{b:bool}", "1", None),
        ("{d:decimal}", "1.25", {"d": "1.25"}),
        ("{d:double}", "1e3", {"d": "1e3"}),
        ("{d:float}", "abc", None),
        ("{a:alpha}", "Abc", {"a": "Abc"}),
        ("{a:alpha}", "ab1", None),
        ("{s:length(3)}", "abc", {"s": "abc"}),
        ("{s:length(3)}", "abcd", None),
        ("{s:length(1,2)}", "ab", {"s": "ab"}),
        ("{s:length(1,2)}", "abc", None),
        ("{s:minlength(2)}", "a", None),
        ("{s:maxlength(2)}", "abc", None),
        ("{n:min(18)}", "17", None),
        ("{n:max(18)}", "18", {"n": "18"}),
        ("{n:range(2,4)}", "4", {"n": "4"}),
        ("{n:range(2,4)}", "5", None),
        ("{n:int:min(1)}", "0", None),
        ("{s:alpha:length(2)}", "ab", {"s": "ab"}),
        (r"{s:regex(^\d{{3}}-\d+$)}", "123-4", {"s": "123-4"}),
        (r"{s:regex(^\d{{3}}-\d+$)}", "12-4", None),
        ("{s:regex(^(a|b)$)}", "B", {"s": "B"}),
        ("{s:required}", "x", {"s": "x"}),
    ],
)
def test_a_template_matches_a_path(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert parse(template).match(path) == expected


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{a}/{a}", "'a' appears twice"),
        ("{a", "unbalanced"),
        ("a}", "unbalanced"),
        ("{}", "unbalanced"),
        ("{1a}", "not a parameter"),
        ("{a b}", "not a parameter"),
        ("{a:uuid}", "unknown constraint 'uuid'"),
        ("{a:datetime}", "unknown constraint 'datetime'"),
        ("{a:length(x)}", "length(x)"),
        ("{a:range(1)}", "range(1)"),
        ("{a:regex([)}", "regex([)"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_its_text(template: str, complaint: str) -> None:
    with pytest.raises(RouteError) as refusal:
        parse(template)
    assert complaint in str(refusal.value)
    assert f"'{template}'" in str(refusal.value)


def table(**templates: str) -> RouteTable:
    """A table from `name="VERB,VERB template"` or `name="template"`."""
    routes = []
    for name, text in templates.items():
        verbs, _, template = text.rpartition(" ")
        routes.append(Route(name, parse(template), frozenset(filter(None, verbs.split(",")))))
    return RouteTable(routes)


@pytest.mark.parametrize(
    ("routes", "verb", "path", "expected"),
    [
        # By the functions' names, not by how specific the template is.
        ({"details": "items/{id}", "recent": "items/recent"}, "GET", "items/recent", "details"),
        ({"z_details": "items/{id}", "recent": "items/recent"}, "GET", "items/recent", "recent"),
        ({"B": "{*rest}", "a": "x"}, "GET", "x", "a"),
        ({"list_all": "{*rest}", "lists": "x"}, "GET", "x", "lists"),
        ({"all": "{*rest}", "b": "x"}, "GET", "x", "all"),
        # A constraint or a verb that does not hold lets the next one have it.
        ({"by_id": "items/{id:int}", "recent": "items/recent"}, "GET", "items/recent", "recent"),
        ({"a": "GET pats/{id}", "b": "DELETE pats/{id}"}, "DELETE", "pats/1", "b"),
        ({"a": "GET pats/{id}"}, "DELETE", "pats/1", None),
        ({"a": "GET pats/{id}"}, "HEAD", "pats/1", None),
        ({"a": "pats/{id}"}, "OPTIONS", "pats/1", "a"),
        ({"a": "pats"}, "GET", "/pats/", "a"),
        ({"a": "pats"}, "GET", "other", None),
    ],
)
def test_the_first_function_by_name_that_matches_answers(
    routes: dict[str, str], verb: str, path: str, expected: str | None
) -> None:
    found = table(**routes).find(verb, path)
    assert (found[0] if found else None) == expected


@pytest.mark.parametrize(
    ("one", "other", "conflict"),
    [
        ("GET a/{id}", "GET A/{id}/", True),
        ("GET,POST a", "POST a", True),
        ("a", "GET a", True),
        ("GET a", "POST a", False),
        ("GET a/{id}", "GET a/{name}", False),
    ],
)
def test_two_routes_conflict_when_template_and_a_verb_are_the_same(one: str, other: str, conflict: bool) -> None:
    if conflict:
        with pytest.raises(RouteError, match="'two' conflicts with that of 'one'"):
            table(one=one, two=other)
    else:
        table(one=one, two=other)
