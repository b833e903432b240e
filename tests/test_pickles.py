"""Every kind of lazy object goes through a pickle into a fresh process, and computes the same there."""

import functools
import math
import operator
import pickle
import subprocess
import sys

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import muster
import muster.bag as db
import muster.dataframe as dd
from muster import delayed
from muster._base import serialize

CHILD = """
import pickle, sys, cloudpickle
with open(sys.argv[1], "rb") as file:
    bodies = pickle.load(file)
results = {}
for name, (body, ask) in bodies.items():
    try:
        lazy = pickle.loads(body)
        cloudpickle.dumps(lazy)  # and on from there
        results[name] = eval(ask)
    except Exception as error:
        results[name] = error
with open(sys.argv[2], "wb") as file:
    pickle.dump(results, file)
"""

FRAME = pd.DataFrame(
    {
        "k": [1, 2, 1, 2, 3, 3, 1, 2],
        "x": np.arange(8.0),
        "s": ["a", None, "b", "a", "c", "a", "b", "c"],
        "c": pd.Categorical(["u", "v", None, "u", "w", "v", "u", "w"]),
        "z": pd.date_range("2020-01-01", periods=8, tz="Europe/Berlin"),
        "n": pd.array([1, None, 3, 4, 5, 6, 7, 8], dtype="Int64"),
        "o": [(i, str(i)) for i in range(8)],
    }
)


def kinds(folder, by):
    """Lazy objects by name. Functions of tasks go as `by` sends them, those of frames with their code."""
    df = dd.from_pandas(FRAME, npartitions=3)
    FRAME[["k", "x", "s"]].to_csv(folder / "a.csv", index=False)
    FRAME.drop(columns="o").to_parquet(folder / "a.parquet")
    csv, parquet = dd.read_csv(folder / "a.csv"), dd.read_parquet(folder / "a.parquet")
    shift = 10
    bag = db.from_sequence(range(10), npartitions=3)
    function = operator.neg if by is pickle else lambda x: x + shift
    return {
        "frame": df,
        "series": df.x,
        "objects": df.o,
        "categories": df.c,
        "zoned": df.z,
        "index": df.index,
        "scalar": df.x.sum(),
        "row": df[["k", "x"]].sum(),
        "filtered": df[df.x > 2],
        "persisted": df.persist(),
        "map_partitions": df.map_partitions(lambda part: part.assign(y=part.x + shift)),
        "map_to_categories": df.map_partitions(lambda part: part.assign(y=part.s.astype("category"))),
        "apply": df.x.apply(lambda x: x * shift, meta=("x", "float64")),
        "through pandas": df.s.str.upper(),
        "group": df.groupby("k").x.mean(),
        "group_apply": df.groupby("k").x.agg(list),
        "transform": df.groupby("k").x.transform("sum"),
        "moving sum": df.x.rolling(2).sum(),
        "overlap": df.map_overlap(lambda part: part.shift(1), 1, 0),
        "csv": csv,
        "csv of a url": dd.read_csv(f"local://{folder}/a.csv", storage_options={"auto_mkdir": True}),
        "csv_group": csv.groupby("s").x.sum(),
        "parquet": parquet,
        "parquet_categories": parquet.c,
        "cumsum": df.x.cumsum(),
        "delayed": delayed(function)(1),
        "delayed_of_frame": delayed(len)(df),
        "captures_a_frame": delayed(functools.partial(operator.methodcaller("compute"), df.x.sum()) if by is pickle else lambda: df.x.sum().compute())(),
        "bag": bag.map(function),
        "item": bag.sum(),
        "bag_of_frame": df[["k", "x"]].to_bag(),
        "groups": df.groupby("k"),
        "groups of a column": df.groupby("k").x,
        "window": df.x.rolling(2),
        "accessor": df.s.str,
        "from_delayed": dd.from_delayed([delayed(pd.DataFrame)({"x": [i]}) for i in range(3)]),
    }  # fmt: skip


def same(got, expected):
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(got, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(got, expected)
    elif isinstance(expected, pd.Index):
        pd.testing.assert_index_equal(got, expected)
    else:
        assert got == expected


ASK = {"groups": "lazy.x.sum().compute()", "groups of a column": "lazy.sum().compute()", "window": "lazy.sum().compute()", "accessor": "lazy.upper().compute()"}


@pytest.mark.parametrize("by", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_into_a_fresh_process(by, tmp_path):
    objects = kinds(tmp_path, by)
    bodies = {}
    for name, value in objects.items():
        try:
            bodies[name] = by.dumps(value), ASK.get(name, "lazy.compute()")
        except Exception as error:
            raise AssertionError(f"{name} does not pickle: {error}") from error
    (tmp_path / "bodies").write_bytes(pickle.dumps(bodies))
    subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / "bodies"), str(tmp_path / "results")], check=True, timeout=120)
    results = pickle.loads((tmp_path / "results").read_bytes())
    assert {name: result for name, result in results.items() if isinstance(result, Exception)} == {}
    for name, value in objects.items():
        same(results[name], eval(ASK.get(name, "lazy.compute()"), {"lazy": value}))


def test_an_expression_is_the_same_again():
    df = dd.from_pandas(FRAME, npartitions=3)
    for lazy in (df, df.c, df.map_partitions(len), df.x.sum()):
        assert pickle.loads(pickle.dumps(lazy))._name == lazy._name


def test_tables_of_two_processes_are_two(tmp_path, python):
    """A table has a name that no other process gives."""
    program = """
import sys, pickle, pandas as pd, muster.dataframe as dd
df = dd.from_pandas(pd.DataFrame({'x': [int(sys.argv[1])]}), npartitions=1)
sys.stdout.buffer.write(pickle.dumps(df))
"""
    one, two = (pickle.loads(subprocess.run([sys.executable, "-c", program, n], capture_output=True, check=True, timeout=60).stdout) for n in "12")
    assert one._name != two._name
    assert [int(v) for v in muster.compute(one.x.sum(), two.x.sum())] == [1, 2]


def test_dtypes_have_the_same_names_everywhere(python):
    """Plans and expressions name dtypes by content, whatever else a process has seen before."""
    program = """
import os, pandas as pd, pyarrow as pa, muster.dataframe as dd
if os.environ.get("FIRST"):
    dd.from_pandas(pd.Series(["q"], dtype="category"), npartitions=1)
for dtype in (pd.CategoricalDtype(["a", "b"]), pd.CategoricalDtype(["b", "a"]), pd.CategoricalDtype([1, 2], ordered=True),
              pd.CategoricalDtype([1.0, 2.0]), pd.CategoricalDtype([True, False]),
              pd.DatetimeTZDtype("us", "Europe/Berlin"), "Int64", "string", pd.ArrowDtype(pa.list_(pa.int8())), "period[M]", "interval[int64]", "float16"):
    print(dd.from_pandas(pd.Series([], dtype=dtype), npartitions=1)._expr.columns[0][1])
"""
    one, two = python(program).stdout.split(), python(program, FIRST="1").stdout.split()
    assert one == two
    assert len(set(one)) == 12


def through_parts(value):
    return serialize.loads(bytearray(b"".join(bytes(part) for part in serialize.dumps_parts(value))))


WAYS = {
    "parts": through_parts,
    "simple": lambda value: pickle.loads(serialize.dumps_simple(value)),
    "by value": lambda value: pickle.loads(serialize.dumps_by_value(value)),
}


@pytest.mark.parametrize("way", WAYS)
def test_nan_stays_itself(way):
    """A dict finds a NaN by identity: that of NumPy and of math is that of the other process, and any other one is a single object."""
    there, other, large = WAYS[way], float("nan"), np.arange(100_000.0)
    negative = math.inf - math.inf
    assert (lambda table, key: table[key])(*there([{negative: 4}, negative])) == 4
    table = {np.nan: 1, math.nan: 2, other: 3, negative: 4, "x": np.nan}
    got, keys, array, column = there((table, [np.nan, math.nan, other, other, negative], large, np.array([other, np.nan, None, [1]], dtype=object)))
    assert [got[k] for k in keys] == [1, 2, 3, 3, 4] and got["x"] is np.nan
    assert (array == large).all() and column[0] is keys[2] and column[1] is np.nan and column[3] == [1]
    for values in ([other, np.nan, other, "a"], [[np.nan], {np.nan: 1}, np.nan, other, other], [np.nan, {"x": other}, other]):
        for made in (values, np.array([*values, None], dtype=object)):
            back = there(made)
            assert type(back) is type(made)
            assert [i for i, v in enumerate(back) if v is np.nan] == [i for i, v in enumerate(made) if v is np.nan]
            assert len({id(v) for v in back if type(v) is float}) == len({id(v) for v in made if type(v) is float})
    assert there([{np.nan: 1}, np.nan])[0].get(np.nan) == 1
    assert there(np.nan) is np.nan
