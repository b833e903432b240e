"""Regular expressions on text: what the engine matches is what Python's re matches."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import raised, same
from muster import _core
from muster.dataframe._patterns import read

TEXTS = ["", "a", "ab", "aab 12", "user=1277 HTTP", "Zeile\n", "x\ny", "\n", "é1", "日本 7", "a\x00b", "A_b-9.c", "..", "\t", "77 HTTP", " \x0b\x1c", None]

ATOMS = st.sampled_from(
    ["a", "b", "1", " ", "\\.", "-", "é", "日", "\n", "ab", ".", "[ab]", "[^a]", "[a-c1]", "[é-ü]", "[^\\d]", "\\d", "\\D", "\\w", "\\W", "\\b", "^", "$", "\\n"]
)
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?"])
PATTERNS = st.recursive(
    st.builds("{}{}".format, ATOMS, REPEATS),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}){}".format, inner, REPEATS),
        st.builds("({}){}".format, inner, REPEATS),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}|{}".format, inner, inner),
    ),
    max_leaves=8,
)
SUBJECTS = st.lists(st.one_of(st.none(), st.text(alphabet="ab1 .-\né日_A", max_size=12)), min_size=1, max_size=12)


def by_python(values, pattern):
    """What each method gives of texts, said by re."""
    found = re.compile(pattern)

    def each(f, missing):
        return [missing if v is None else f(v) for v in values]

    def groups(v):
        match = found.search(v)
        return match.groups() if match else (None,) * found.groups

    return {
        "contains": each(lambda v: found.search(v) is not None, False),
        "match": each(lambda v: found.match(v) is not None, False),
        "fullmatch": each(lambda v: found.fullmatch(v) is not None, False),
        "count": each(lambda v: float(len(list(found.finditer(v)))), np.nan),
        "replace": each(lambda v: found.sub("<x>", v), None),
        "extract": each(groups, (None,) * found.groups),
    }


def as_lists(made, op):
    if op == "extract":
        return [tuple(None if pd.isna(x) else x for x in row) for row in made.itertuples(index=False)]
    return [None if op == "replace" and pd.isna(x) else x for x in made.astype("float64" if op == "count" else made.dtype)]


def agree(values, pattern, npartitions=1):
    """All methods that the engine has for a pattern agree with re; returns how many it has."""
    ours, native = dd.from_pandas(pd.Series(values, dtype="str"), npartitions=npartitions).str, 0
    known = read(pattern)
    if known is None:
        return 0
    calls = {op: (pattern,) for op in ("contains", "match", "fullmatch", "count")} | {"replace": (pattern, "<x>"), "extract": (pattern,)}
    for op, args in calls.items():
        if (op in ("count", "replace") and known.empty) or (op == "count" and known.before) or (op == "extract" and not known.names):
            continue
        lazy = getattr(ours, op)(*args, **({"regex": True} if op == "replace" else {}))
        if "python:" in _core.explain([lazy._expr]):  # RE2 refuses it
            continue
        native += 1
        np.testing.assert_equal(as_lists(lazy.compute(), op), by_python(values, pattern)[op], err_msg=f"{op} {pattern!r}")
    return native


@given(PATTERNS, SUBJECTS, st.sampled_from([1, 2, 7]))
@example("$", ["a\n"], 1)
@example("a$|b", ["a\n", "b\na", "é"], 1)
@example("^a|b", ["ba", "ab"], 1)
@example("(a)|b", ["b", "é"], 1)
@example("(a|ab)(c|bcd)?", ["abcd"], 1)
@example("\\ba\\b", ["éa", "a b"], 1)
@example("\\w+", ["日本", "a1", None], 2)
def test_matches_as_pythons(pattern, values, npartitions):
    try:
        re.compile(pattern)
    except re.error:
        return
    agree(values, pattern, npartitions)


@given(PATTERNS, st.lists(st.text(alphabet="ab1 .-\né日_A", max_size=12), max_size=8))
def test_every_match_holds_the_literal(pattern, values):
    known = read(pattern)
    for value in values if known else ():
        for match in re.finditer(pattern, value):
            assert known.literal in match.group()


@pytest.mark.parametrize(
    "pattern", ["user=[0-9]*77 HTTP", "a+b", "\\.c$", "^(\\w+) (\\d+)$", "(?P<word>[a-z]+)\\W*(?P<n>\\d+)?", "日本|é", "[^a]b?", "x\ny", "."]
)
@pytest.mark.parametrize("npartitions", [1, 2, 7, 129])
def test_methods_against_pandas(pattern, npartitions):
    s = pd.Series(TEXTS, dtype="str", name="s")
    ours = dd.from_pandas(s, npartitions=npartitions)
    for op in ("contains", "match", "fullmatch", "count"):
        lazy = getattr(ours.str, op)(pattern)
        assert ("python:" in _core.explain([lazy._expr])) == (op == "count" and pattern.startswith("^"))
        same(lazy, getattr(s.str, op)(pattern))
    same(ours.str.replace(pattern, "<x>", regex=True), s.str.replace(pattern, "<x>", regex=True))
    if re.compile(pattern).groups:
        lazy = ours.str.extract(pattern)
        assert "python:" not in _core.explain([lazy._expr])
        same(lazy, s.str.extract(pattern))


@pytest.mark.parametrize(
    "pattern", ["\\s", "a*", "(?i)A", "(a)\\1", "a(?=b)", "[[:alpha:]]", "a{,2}b", "a\\Z", "(a*)*b", "(?m)^y", "\\x41", "(?s)x.y", "(?#c)a", "\\By"]
)
@pytest.mark.filterwarnings("ignore")
def test_what_the_engine_leaves_to_pandas(pattern):
    s = pd.Series(TEXTS, dtype="str")
    ours = dd.from_pandas(s, npartitions=2)
    for op in ("contains", "count", "match"):
        error = raised(lambda op=op: getattr(s.str, op)(pattern))
        if error is None:
            same(getattr(ours.str, op)(pattern), getattr(s.str, op)(pattern))
        else:
            with pytest.raises(type(error)):
                getattr(ours.str, op)(pattern).compute()


@pytest.mark.filterwarnings("ignore")
def test_arguments_that_are_pandas():
    s = pd.Series(TEXTS, dtype="str")
    ours = dd.from_pandas(s, npartitions=3)
    same(ours.str.contains("A.", case=False), s.str.contains("A.", case=False))
    same(ours.str.contains("a.", flags=re.IGNORECASE), s.str.contains("a.", flags=re.IGNORECASE))
    same(ours.str.contains("a.", na=True), s.str.contains("a.", na=True))
    same(ours.str.contains("a.", na=False), s.str.contains("a.", na=False))
    same(ours.str.replace("(a)b", "\\1", regex=True), s.str.replace("(a)b", "\\1", regex=True))
    same(ours.str.replace("a.", lambda m: m.group().upper(), regex=True), s.str.replace("a.", lambda m: m.group().upper(), regex=True))
    same(ours.str.replace("a", "x", n=1, regex=True), s.str.replace("a", "x", n=1, regex=True))
    same(ours.str.extract("(a)", expand=False), s.str.extract("(a)", expand=False))
    same(ours.str.count("A", flags=re.IGNORECASE), s.str.count("A", flags=re.IGNORECASE))
    for call in (lambda s: s.str.contains("("), lambda s: s.str.extract("a"), lambda s: s.str.count("[")):
        with pytest.raises(type(raised(lambda call=call: call(s)))):
            call(ours)


def test_columns_with_a_dictionary(tmp_path):
    values = [f"city {i % 50}" if i % 7 else None if i % 2 else "Zürich\n" for i in range(5000)]
    pd.DataFrame({"s": pd.Series(values, dtype="str"), "n": range(5000)}).to_parquet(tmp_path / "t.parquet", row_group_size=1000)
    ours, theirs = dd.read_parquet(tmp_path / "t.parquet"), pd.read_parquet(tmp_path / "t.parquet")
    for frame, other in ((ours, theirs), (ours[ours.n % 3 == 1], theirs[theirs.n % 3 == 1])):
        same(frame.s.str.contains("[13]\\d$"), other.s.str.contains("[13]\\d$"))
        same(frame.s.str.count("\\w"), other.s.str.count("\\w"))
        same(frame.s.str.extract("(?P<word>\\w+) (?P<n>\\d)"), other.s.str.extract("(?P<word>\\w+) (?P<n>\\d)"))
        same(frame.s.str.replace("[0-9]+$", "#", regex=True), other.s.str.replace("[0-9]+$", "#", regex=True))
        same(frame.s.str.extract("(c)(\\D+)").groupby(1)[0].count(), other.s.str.extract("(c)(\\D+)").groupby(1)[0].count())


def test_labels_of_groups():
    s = pd.Series(["a1", "b2"], dtype="str", index=[5, 6], name="s")
    ours = dd.from_pandas(s, npartitions=2)
    for pattern in ("(a)(\\d)", "(?P<x>a)", "(?P<x>a)(\\d)", "(a)|(b)"):
        lazy = ours.str.extract(pattern)
        assert list(lazy.columns) == list(s.str.extract(pattern).columns)
        same(lazy, s.str.extract(pattern))
