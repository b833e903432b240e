"""Functions of texts whose file has a dictionary: each distinct text is looked at once, and what is made of it has a dictionary again."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import muster
import muster.dataframe as dd
from conftest import same

TEXTS = ["", "a", "Abc", "abc  ", " aBc", "éa", "straße", "x" * 40, "one two", "two one two", None]
FUNCTIONS = {
    "upper": lambda s: s.str.upper(),
    "lower": lambda s: s.str.lower(),
    "slice": lambda s: s.str.slice(1, 3),
    "get": lambda s: s.str.get(1),
    "strip": lambda s: s.str.strip(),
    "removeprefix": lambda s: s.str.removeprefix("a"),
    "replaced": lambda s: s.str.replace("two", "2", regex=False),
    "replace": lambda s: s.replace({"a": "ä", "Abc": ""}),
    "replace_missing": lambda s: s.replace({None: "gone", "a": "b"}),
    "map": lambda s: s.map({"a": "ä", "abc  ": None, "éa": "e"}),
    "map_numbers": lambda s: s.map({"a": 1, "": 2}),
    "twice": lambda s: s.str.upper().str.slice(0, 2).replace({"A": "first"}),
    "fillna": lambda s: s.str.upper().fillna("none"),
}


@pytest.fixture(scope="module", params=["dictionary", "plain", "both", "many"])
def texts(request, tmp_path_factory):
    """A column of texts: with a dictionary, without, with one for its first pages, with one that is larger than the rows asked for."""
    path = tmp_path_factory.mktemp("texts") / "t.parquet"
    random = np.random.default_rng(0)
    values = random.choice(np.array(TEXTS, dtype=object), 5000).tolist()
    if request.param in ("both", "many"):
        values = values[:2000] + [f"{i} of many texts" for i in range(4000)] + values[2000:]
    table = pa.table({"s": pa.array(values, pa.string()), "i": np.arange(len(values)) % 10})
    pq.write_table(
        table, path, use_dictionary=request.param != "plain", dictionary_pagesize_limit=20_000 if request.param == "both" else 1 << 20, row_group_size=4000,
        data_page_size=1000
    )
    return dd.read_parquet(path), pd.read_parquet(path)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(texts, name):
    df, pdf = texts
    function = FUNCTIONS[name]
    same(function(df.s), function(pdf.s))
    few = df.i == 3, pdf.i == 3
    same(function(df[few[0]].s), function(pdf[few[1]].s))
    made, expected = df.assign(m=function(df.s)), pdf.assign(m=function(pdf.s))
    same(made.groupby("m", dropna=False).i.sum(), expected.groupby("m", dropna=False).i.sum())
    same(made.m.nunique(), expected.m.nunique())
    same(made.m.isna().sum(), expected.m.isna().sum())
    same(made[few[0]].m.drop_duplicates(), expected[few[1]].m.drop_duplicates())
    same(made.m.max() if name == "upper" else made.m.count(), expected.m.max() if name == "upper" else expected.m.count())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_without_threads_and_memory(texts, name):
    df, pdf = texts
    function = FUNCTIONS[name]
    with muster.config.set({"memory-limit": "64MB", "scheduler": "synchronous"}):
        same(function(df.s), function(pdf.s))
        same(function(df.repartition(npartitions=7).s), function(pdf.s))


def test_written_again(texts, tmp_path):
    df, pdf = texts
    df.assign(m=df.s.str.upper(), n=df.s.map({"a": "ä"})).to_parquet(tmp_path / "out")
    written = pd.read_parquet(tmp_path / "out")
    same(written.m.reset_index(drop=True), pdf.s.str.upper().rename("m"))
    same(written.n.reset_index(drop=True), pdf.s.map({"a": "ä"}).rename("n"))
