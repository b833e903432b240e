"""Every example in docstrings and README runs; every public function has the sections it needs; signatures are pandas'."""

import doctest
import importlib
import inspect
import os
import pathlib
import re
import subprocess
import sys

import pandas as pd
import pytest

import muster
import muster.bag as db
import muster.dataframe as dd
from muster.dataframe import _accessors, _groupby
from muster.delayed import Delayed
from muster.distributed import Client, Future, LocalCluster, as_completed

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = [
    "muster", "muster.config", "muster.diagnostics", "muster.datasets", "muster.as_dask", "muster.dataframe._call", "muster._collections.running",
    "muster._base.tokenize", "muster._base.versions"
]
MODULES += [
    "muster.delayed", "muster.threaded", "muster.callbacks", "muster.bag", "muster.bag._bag", "muster.bag._io", "muster.distributed",
    "muster.distributed._client", "muster.distributed._cluster", "muster.as_dask._utils", "muster.as_dask._frame_utils", "muster._base.dispatch",
    "muster.sizeof"
]
MODULES += [
    "muster.dataframe", "muster.dataframe._delayed", "muster.dataframe._io", "muster.dataframe._collection", "muster.dataframe._frame",
    "muster.dataframe._series", "muster.dataframe._through_pandas", "muster.dataframe._parquet", "muster.dataframe._make", "muster.dataframe._partitioning",
    "muster.dataframe._write", "muster.dataframe._melt", "muster.dataframe.extensions", "muster.dataframe._groupby", "muster._generated.frame",
    "muster._generated.series", "muster._generated.scalar", "muster._generated.datetime"
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, python):
    if name == "muster.as_dask":
        python(f"import doctest, sys, {name}; sys.exit(doctest.testmod({name}).failed)")
        return
    result = doctest.testmod(importlib.import_module(name), extraglobs={"pd": pd, "dd": dd, "muster": muster})
    assert result.failed == 0


def public_functions():
    for cls in (
        dd.DataFrame, dd.Series, dd.Scalar, dd.Index, _groupby.DataFrameGroupBy, _groupby.SeriesGroupBy, _accessors.DatetimeProperties,
        _accessors.StringMethods, _accessors.CategoricalMethods
    ):
        for name, member in inspect.getmembers(cls):
            if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                yield f"{cls.__name__}.{name}", member
    for cls in (db.Bag, db.Item, Client, LocalCluster, Future, as_completed, Delayed):
        for name, member in inspect.getmembers(cls):
            if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                yield f"{cls.__name__}.{name}", member
    for module in (muster, dd):
        for name in (
            "compute", "persist", "visualize", "explain", "optimize", "tokenize", "show_versions", "read_csv", "read_table", "from_pandas", "from_dict",
            "map_partitions"
        ):
            if hasattr(module, name):
                yield f"{module.__name__}.{name}", getattr(module, name)


@pytest.mark.parametrize("name,member", [pytest.param(n, m, id=n) for n, m in public_functions() if n.split(".")[-1] not in ("nunique_approx",)])
def test_docstrings(name, member):
    text = inspect.getdoc(member)
    assert text, f"{name} has no docstring"
    if isinstance(member, property):
        return
    documented = (
        set(re.findall(r"^(\w+)(?:, \w+)*(?: :.*)?$", text.split("Parameters\n----------\n", 1)[1].split("\n\n")[0], re.M)) if "Parameters\n---" in text
        else set()
    )
    parameters = set(inspect.signature(member).parameters)
    assert documented <= parameters | {"kwargs", "args"}, f"{name} documents {documented - parameters}"


# What pandas has in front and muster leaves out, or the other way round, by method.
DIFFERENT = {
    "fillna", "dropna", "assign", "rename", "drop", "groupby", "head", "tail", "value_counts", "pipe", "agg", "aggregate", "reset_index", "between", "copy",
    "idxmax", "idxmin", "apply", "map", "applymap", "sample", "quantile", "drop_duplicates", "shift", "set_index", "rolling", "resample", "query", "eval",
    "align", "info", "to_csv", "to_json", "to_parquet", "unique", "reduction", "select_dtypes", "to_string", "to_frame", "items", "isin", "from_dict",
    "merge", "join", "sort_values", "sort_index", "pivot_table", "to_sql", "to_orc", "to_hdf"
}


@pytest.mark.parametrize("ours,theirs", [(dd.DataFrame, pd.DataFrame), (dd.Series, pd.Series)])
def test_signatures_follow_pandas(ours, theirs):
    checked = 0
    for name, member in inspect.getmembers(ours, inspect.isfunction):
        if name.startswith("_") or name in DIFFERENT or not hasattr(theirs, name):
            continue
        mine = [p for p in inspect.signature(member).parameters if p not in ("self", "kwargs", "args")]
        his = [p for p in inspect.signature(getattr(theirs, name)).parameters if p not in ("self", "kwargs", "args")]
        assert [p for p in his if p in mine] == [p for p in mine if p in his], name
        assert set(mine) <= set(his), f"{name}: {set(mine) - set(his)}"
        checked += 1
    assert checked > 30


def test_readme_python(tmp_path, monkeypatch):
    from muster import datasets

    monkeypatch.chdir(tmp_path)
    datasets.flights(small=True)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(blocks) == 2
    names = {}
    for code in blocks:
        exec(compile(code, "README.md", "exec"), names)
    assert (tmp_path / "mydask.png").exists()


def test_readme_cpp(tmp_path, monkeypatch):
    from muster import datasets

    datasets.flights(str(tmp_path / "data/nycflights"), small=True)
    for language, file in (("cpp", "question.cpp"), ("cmake", "CMakeLists.txt"), ("sh", "build.sh")):
        (code,) = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
        (tmp_path / file).write_text(code)
    environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "build.sh"], cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    out = subprocess.run(["build/question"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert "EWR" in out and "DepDelay" in out
    assert re.search(r"Origin +Dest +Usual +Later\n\d+ +EWR ", out)


def test_datasets(tmp_path):
    from muster import datasets

    paths = datasets.flights(str(tmp_path / "f"))
    df = dd.read_csv(paths)
    assert len(df) == 336_776 and len(df.columns) == 23 and df.npartitions == 10 and df.columns[0] == "Year" and df.columns[-1] == "Diverted"
    assert len(dd.read_csv(datasets.taxi(str(tmp_path / "t"), small=True))) == 100_000
    with pytest.raises(SystemExit):
        datasets.main(["nothing"])


def test_stubs_are_shipped():
    folder = pathlib.Path(muster.__file__).parent
    assert "class Expr" in (folder / "_core.pyi").read_text() and (folder / "py.typed").exists()
