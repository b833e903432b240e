"""Series.map of a dict or a Series: looked up natively where keys and values have native dtypes, else by pandas; the same answers either way."""

import collections
import os
import types

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import raised, same

COLUMNS = {
    "texts": pd.Series(["a", "b", None, "ü", "", "a long text of more than 16 bytes", "b"] * 9, dtype="str"),
    "int64": pd.Series([0, 1, -1, 2**53, 2**62, 7, 3] * 9),
    "int8": pd.Series([0, 1, -1, 127, -128, 7, 3] * 9, dtype="int8"),
    "uint16": pd.Series([0, 1, 65535, 127, 300, 7, 3] * 9, dtype="uint16"),
    "uint64": pd.Series([0, 1, 2**63, 127, 2**64 - 1, 7, 3] * 9, dtype="uint64"),
    "float64": pd.Series([0.0, -0.0, np.nan, 1.5, np.inf, 7.0, 2.0**60] * 9),
    "float32": pd.Series([0.0, -0.0, np.nan, 1.5, 0.1, 7.0, 3.0] * 9, dtype="float32"),
    "bool": pd.Series([True, False, True] * 21),
    "times": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-05-05", "1969-12-31"] * 16)),
    "spans": pd.Series(pd.to_timedelta([1, None, 3, 4] * 16, unit="s")),
    "nullable": pd.Series([1, None, 3, 7] * 16, dtype="Int64"),
    "categories": pd.Series(["a", "b", None, "c"] * 16, dtype="category"),
}
TIMES = [pd.Timestamp("2020-01-01"), pd.Timestamp("2021-05-05")]
KEYS = {
    "texts": ["a", "ü", "", "nowhere", "a long text of more than 16 bytes"],
    "all texts": ["a", "b", None, "ü", "", "a long text of more than 16 bytes"],
    "integers": [0, 1, 7, 127, -128, 300],
    "far integers": [0, 10**6, 3, -(10**9), 7, 65535],
    "large integers": [1, 2**53, 2**53 + 1, 2**62],
    "floats": [0.0, 1.5, 0.1, np.inf, 7.0],
    "whole and missing": [1.0, np.nan, 7.0, 3.0],
    "bools": [True, False],
    "times": TIMES,
    "times and none": [TIMES[0], pd.NaT],
    "spans": [pd.Timedelta(1, "s"), pd.Timedelta(3, "s")],
    "mixed": ["a", 1, 1.5],
    "tuples": [("a", 1), ("b", 2)],
    "none": [None],
}
VALUES = {
    "integers": lambda n: list(range(n)),
    "floats": lambda n: [i + 0.5 for i in range(n)],
    "texts": lambda n: [f"value {i} of some length" for i in range(n)],
    "texts and none": lambda n: [None if i % 2 else f"v{i}" for i in range(n)],
    "bools": lambda n: [i % 2 == 0 for i in range(n)],
    "times": lambda n: [pd.Timestamp("2020-02-02") + pd.Timedelta(i, "D") for i in range(n)],
    "mixed": lambda n: [i if i % 2 else str(i) for i in range(n)],
    "integers and none": lambda n: [None if i % 2 else i for i in range(n)],
    "large integers": lambda n: [2**62 + i for i in range(n)],
}


@pytest.mark.parametrize("column", COLUMNS)
def test_dicts(column):
    s = COLUMNS[column].rename("x")
    every = 1 if os.environ.get("MUSTER_EXAMPLES") == "long" else 4
    for i, (kind, keys) in enumerate(KEYS.items()):
        for j, (values, make) in enumerate(VALUES.items()):
            if (i + j) % every:
                continue
            npartitions = (1, 2, 7)[(i + j) // every % 3]
            mapper = dict(zip(keys, make(len(keys)), strict=True))
            try:
                same(dd.from_pandas(s, npartitions=npartitions).map(mapper), s.map(mapper))
            except Exception as error:
                error.add_note(f"{kind} -> {values}, {npartitions} partitions")
                raise


@pytest.mark.parametrize("npartitions", [1, 2, 7, 129])
def test_what_is_everywhere_keeps_its_dtype(npartitions):
    s = pd.Series(np.arange(200) % 5)
    lazy = dd.from_pandas(s, npartitions=npartitions)
    for mapper in ({i: i * 10 for i in range(5)}, {i: i % 2 == 0 for i in range(5)}, {i: i * 10 for i in range(4)}, {i: True for i in range(4)}):
        same(lazy.map(mapper), s.map(mapper))
        same(lazy[lazy < 4].map(mapper), s[s < 4].map(mapper))
        same(lazy.map(mapper).sum(), s.map(mapper).sum())
    assert lazy.map({0: 1}).compute().dtype == "float64"
    assert lazy.map({0: 1}).dtype == "float64"  # once it has been seen
    missing = lazy.map({i: i * 10 for i in range(4)})
    same(missing.isna().sum(), 40)
    same(missing.fillna(-1).sum(), s.map({i: i * 10 for i in range(4)}).fillna(-1).sum())


def test_rows_that_a_filter_drops_do_not_count(tmp_path):
    frame = pd.DataFrame({"k": ["a", "b"] * 50, "x": [1.0, np.nan] * 50})
    frame.to_csv(tmp_path / "x.csv", index=False)
    df, pdf = dd.read_csv(tmp_path / "x.csv", blocksize=100), pd.read_csv(tmp_path / "x.csv")
    same(df[df.k == "a"].x.map({1: 7}), pdf[pdf.k == "a"].x.map({1: 7}))
    same(df.x.map({1: 7, np.nan: 3}), pdf.x.map({1: 7, np.nan: 3}))


def test_missing_values():
    s = pd.Series(["a", None, "b"], dtype="str")
    lazy = dd.from_pandas(s, npartitions=2)
    for mapper in ({"a": 1, None: 2}, {"a": 1, np.nan: 2}, {"a": "x", np.nan: "none"}):
        same(lazy.map(mapper), s.map(mapper))
        same(lazy.map(mapper, na_action="ignore"), s.map(mapper, na_action="ignore"))
    with pytest.raises(ValueError, match="na_action"):
        lazy.map({"a": 1}, na_action="drop").compute()


def test_other_mappings():
    s = pd.Series(["a", "b", "c", None] * 5, dtype="str")
    lazy = dd.from_pandas(s, npartitions=3)
    counted = collections.Counter("aab")
    default = collections.defaultdict(lambda: -1, a=1)
    ordered = collections.OrderedDict(b=1, a=2)

    class Answering(dict):
        def __missing__(self, key):
            return f"no {key}"

    for mapper in (counted, default, ordered, Answering(a="one"), types.MappingProxyType({"a": 1}), {}, {"a": [1, 2]}):
        same(lazy.map(mapper), s.map(mapper))
    table = pd.Series([1, 2], index=["b", "a"])
    for mapper in (
        table, table.astype("int8"), table.astype("float32"), table.astype("Int64"), table.astype("category"), table.astype("datetime64[ns]"),
        pd.Series([], dtype="float64"), table.astype(str)
    ):
        same(lazy.map(mapper), s.map(mapper))
    repeated = pd.Series([1, 2], index=["a", "a"])
    assert type(raised(lambda: lazy.map(repeated).compute())) is type(raised(lambda: s.map(repeated)))
    same(lazy.map({"a": 1.0}, meta=("y", "float64")), s.map({"a": 1.0}).rename("y"))


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=12),
    st.dictionaries(st.sampled_from(["a", "b", "c", "e"]), st.one_of(st.integers(-(2**62), 2**62), st.none()), max_size=4), st.integers(1, 3)
)
def test_texts_by_any_dict(values, mapper, npartitions):
    s = pd.Series(values, dtype="str")
    same(dd.from_pandas(s, npartitions=npartitions).map(mapper), s.map(mapper))


@given(
    st.lists(st.one_of(st.integers(-4, 4), st.sampled_from([2**53, 2**53 + 1, -(2**63), 2**63 - 1])), min_size=1, max_size=12),
    st.dictionaries(st.one_of(st.integers(-4, 4), st.sampled_from([2.0, 2.5, np.nan, 2.0**53])), st.integers(0, 9), min_size=1, max_size=6)
)
def test_integers_by_any_dict(values, mapper):
    s = pd.Series(values, dtype="int64")
    same(dd.from_pandas(s, npartitions=2).map(mapper), s.map(mapper))


def test_many_keys():
    random = np.random.default_rng(0)
    for keys in (np.arange(70_000), random.choice(10**12, 70_000, replace=False)):
        s = pd.Series(random.choice(np.concatenate([keys, keys + 1]), 10_000))
        mapper = dict(zip(keys.tolist(), random.normal(size=len(keys)).tolist(), strict=True))
        same(dd.from_pandas(s, npartitions=3).map(mapper), s.map(mapper))


def test_native_and_with_a_dictionary_behind(tmp_path):
    texts = [f"city {i % 17}" if i % 23 else None for i in range(4000)]
    pq.write_table(pa.table({"s": texts, "x": np.arange(4000)}), tmp_path / "t.parquet", row_group_size=1500)
    df, pdf = dd.read_parquet(tmp_path / "t.parquet"), pd.read_parquet(tmp_path / "t.parquet")
    names = {f"city {i}": f"name {i % 5}" for i in range(15)}
    mapped, expected = df.assign(n=df.s.map(names)), pdf.assign(n=pdf.s.map(names))
    same(mapped, expected)
    same(mapped.groupby("n").x.sum(), expected.groupby("n").x.sum())
    same(mapped.n.value_counts().sort_index(), expected.n.value_counts().sort_index())
    same(mapped[mapped.n == "name 3"], expected[expected.n == "name 3"])
    same(mapped.n.nunique(), expected.n.nunique())
    mapped.to_parquet(tmp_path / "out")
    same(dd.read_parquet(tmp_path / "out"), pd.read_parquet(tmp_path / "out"))
    assert pd.read_parquet(tmp_path / "out").n.tolist()[1:] == expected.n.tolist()[1:]
    same(df.s.map(names).str.upper().str.len().sum(), expected.n.str.upper().str.len().sum())


@pytest.mark.parametrize("mapper", [{"fig": 1, "apple": 2}, {"fig": "x"}, pd.Series([1.5], index=["fig"])], ids=["numbers", "texts", "series"])
def test_no_python_runs(frames, mapper, capsys):
    pdf, df = frames
    df.s.map(mapper).explain()
    assert "python" not in capsys.readouterr().out
    same(df.s.map(mapper), pdf.s.map(mapper))
