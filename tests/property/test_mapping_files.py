"""What is exported is imported as the same; what is wrong is refused with its line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.mapping import Fill, MarketMap
from connector.domain.mapping_file import read, write
from connector.domain.mapping_rows import (
    COLUMNS,
    Kind,
    Problem,
    Row,
    changes,
    mapping_of,
    rows_of,
    unknown,
)
from connector.domain.tree import Node, Tree, Values, Wanted

cells = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cc", "Cs")), st.sampled_from(list("'=+-@;,\"|#&"))
    ),
    min_size=1,
    max_size=30,
).map(str.strip).filter(bool)  # fmt: skip
places = st.one_of(st.just(""), cells)
plain = cells.filter(lambda text: "vtex:" not in text)
rules = st.one_of(
    st.builds(Fill, plain, st.just(""), places),
    st.builds(Fill, st.just(""), cells, places),
    st.builds(Fill, plain, cells, places),
    st.just(Fill("vtex:brand|Marca", "-")),
)
mappings = st.builds(
    MarketMap,
    st.dictionaries(cells, cells, max_size=5),
    st.dictionaries(st.tuples(places, cells), rules, max_size=5),
    st.dictionaries(st.tuples(places, cells, cells), cells, max_size=5),
)
HEAD = ",".join(COLUMNS)


@given(mappings, st.sampled_from(["csv", "json"]))
def test_a_mapping_survives_its_file(mapping, form):
    lined, problems = read(write(rows_of(mapping), form).encode())
    if not mapping:
        assert [str(each) for each in problems] == ["there are no rows in it"]
        return
    assert problems == []
    assert mapping_of(row for _, row in lined) == mapping


@given(mappings, mappings)
def test_changes_are_what_turns_one_into_the_other(before, after):
    diff = changes(before, after)
    gone = {(c.before.kind, str(c.before)) for c in diff if c.after is None}
    kept = [row for row in rows_of(before) if (row.kind, str(row)) not in gone]
    assert mapping_of([*kept, *(c.after for c in diff if c.after)]) == after
    assert bool(diff) == (before != after)
    assert all(change.shown(None)[0] in "+-~" for change in diff)


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_problems(body):
    lined, problems = read(body)
    assert problems or lined


@given(st.text(max_size=300))
def test_any_text_is_rows_or_problems(text):
    for prefix in ("", f"{HEAD}\n", "["):
        lined, problems = read(f"{prefix}{text}".encode("utf-8", "surrogatepass"))
        assert problems or lined


# --- what is wrong, and where ---------------------------------------------------------------------


def told(text: str) -> list[str]:
    return [str(problem) for problem in read(text.encode())[1]]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("nonsense,1,2,,,,,,,,", "line 2: kind is 'nonsense': write category, attribute, value"),
        ("category,1,,,,,,,,,", "line 2: market_category is empty: every category needs it"),
        (
            "category,1,2,colour,,,,,,,",
            "line 2: attribute is not for rows of kind category: leave it empty",
        ),
        (
            "attribute,,,colour,,,,,,,",
            "line 2: neither source nor market_value is given: an attribute needs one of them",
        ),
        ("value,,,colour,,blue,,,,,", "line 2: market_value is empty: every value needs it"),
        ("category,1,2", "line 2: has 3 cells, the first line has 11"),
        (f"category,{'x' * 2001},2,,,,,,,,", "line 2: vtex_category is longer than 2000"),
        ("category,a\x07b,2,,,,,,,,", "line 2: vtex_category has control characters"),
        ('category,"1,2,,,,,,,,', "line 2: is no CSV: unexpected end of data"),
        ("attribute,,,colour,vtex:nope,,,,,,", "line 2: there is no field vtex:nope"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(rows, expected):
    assert any(problem.startswith(expected) for problem in told(f"{HEAD}\n{rows}\n")), told(
        f"{HEAD}\n{rows}\n"
    )


def test_every_problem_is_told_and_lines_count_through_quoted_breaks():
    body = f'{HEAD}\ncategory,1,2,,,,,,"a\nb",,\n\ncategory,1,3,,,,,,,,\ncategory,,4,,,,,,,,\n'
    assert told(body) == [
        "line 5: says again what line 2 is about",
        "line 6: vtex_category is empty: every category needs it",
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("kind,wrong", "line 1: there is no column 'wrong'"),
        ("kind,source,source", "line 1: the column source is there more than once"),
        ("vtex_category,market_category", "line 1: the column kind is missing"),
        ("", "there are no rows in it"),
    ],
)
def test_columns_are_strict(head, expected):
    assert told(f"{head}\n")[0].startswith(expected)


def test_few_columns_in_any_order_and_semicolons_are_fine():
    lined, problems = read(
        b"\xef\xbb\xbfmarket_category;KIND ;vtex_category\r\n 120 ;category;12\r\n"
    )
    assert problems == []
    assert lined == [(2, Row("category", vtex_category="12", market_category="120"))]


def test_what_is_not_utf8_is_told_with_its_line():
    assert [str(p) for p in read(b"kind\ncategory\nvalu\xe9\n")[1]] == [
        "line 3: is not UTF-8: save the file as CSV UTF-8"
    ]


def test_formulas_are_not_run_by_spreadsheets():
    text = write([Row("value", attribute="a", vtex_value="=1+1", market_value="'-x")], "csv")
    assert "'=1+1" in text
    assert "''-x" in text


GOOD = {"kind": "category", "vtex_category": "1", "market_category": "2"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{}", "line 1: the file must be a JSON array of rows"),
        ("[\n{}\n]", "line 2: kind is ''"),
        ('[\n1,\n"x"]', "line 2: a row must be an object"),
        ('[\n{"kind": 1}]', "line 2: kind must be text"),
        ('[{"kind": "category", "kind": "value"}]', "line 1: is no JSON: a name is there more"),
        ('[\n{"wrong": "x"}]', "line 2: there is no column 'wrong'"),
        (f"[\n{json.dumps(GOOD)}\n{json.dumps(GOOD)}]", "line 2: is not followed by a comma"),
        (f"[{json.dumps(GOOD)}] x", "line 1: something follows the end"),
        ("[\n\n{", "line 3: is no JSON"),
        ("[" * 100_000, "line 1: "),
        ('[{"kind": "category", "vtex_category": "\\ud800", "market_category": "1"}]', "line 1: "),
    ],
)
def test_json_is_as_strict(body, expected):
    assert any(problem.startswith(expected) for problem in told(body)), told(body)[:3]


# --- what the marketplace does not have -----------------------------------------------------------

TREE = Tree([Node("1", "Top", "", leaf=False), Node("2", "Leaf", "1")])
KNOWN = {"2": (Wanted("plug", "Plug", units=("m",), values=Values((("u", "USB"),))),)}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Row("category", vtex_category="5", market_category="2"), ""),
        (Row("category", vtex_category="5", market_category="1"), "market_category 1 is no leaf"),
        (Row("category", vtex_category="5", market_category="9"), "market_category 9 is not in"),
        (Row("attribute", market_category="2", attribute="x", source="a"), "has no attribute x"),
        (Row("attribute", attribute="x", source="a"), ""),
        (Row("attribute", market_category="2", attribute="plug", market_value="u"), ""),
        (Row("attribute", market_category="2", attribute="plug", market_value="z"), "'z'"),
        (Row("attribute", market_category="2", attribute="plug", source="a", unit="in"), "'in'"),
        (
            Row("value", market_category="2", attribute="plug", vtex_value="a", market_value="usb"),
            "",
        ),
    ],
)
def test_rows_are_checked_against_the_tree(row, expected):
    problems = unknown([(7, row)], TREE, KNOWN.get)
    assert [each.line for each in problems] == ([7] if expected else [])
    assert all(expected in each.text for each in problems)
    assert unknown([(7, row)], None, lambda _: None) == []


def test_changes_are_told_in_words():
    before = MarketMap({"5": "2", "6": "2"}, {("", "plug"): Fill("Plugue")}, {})
    after = MarketMap({"5": "9"}, {("", "plug"): Fill("", "u", "m")}, {("2", "plug", "A"): "u"})
    assert [change.shown(TREE) for change in changes(before, after)] == [
        "~ category 5: 2 (Top > Leaf) -> 9",
        "- category 6 -> 2 (Top > Leaf)",
        "~ attribute plug: Plugue -> 'u', m",
        "+ value 'A' of attribute plug of 2 -> 'u'",
    ]
    assert str(Problem(3, "x")) == "line 3: x"
    assert [row.kind for row in rows_of(after)] == list(Kind)
