"""Programs that ask objects what they are: hasattr, getattr with a default, copy, pickle, inspect, notebooks."""

import copy
import inspect
import pickle

import pandas as pd
import pytest

import muster
import muster.bag as db
import muster.dataframe as dd
import muster.distributed
from conftest import same
from muster._base.later import DATAFRAME_NAMES, FRAME_NAMES, SERIES_NAMES

PROBES = (
    "_repr_mimebundle_", "_ipython_display_", "_ipython_canary_method_should_not_exist_", "_repr_svg_", "__wrapped__", "__array_interface__",
    "__cuda_array_interface__", "__geo_interface__", "nothing_like_it"
)
later = muster.distributed.Lock


def pdf():
    return pd.DataFrame({"k": ["a", "b", "a", None], "x": [1, 2, 3, 4], "t": pd.date_range("2020", periods=4)})


def objects():
    df = dd.from_pandas(pdf(), npartitions=2)
    bag = db.from_sequence(["a", "b"], npartitions=2)
    return {
        "DataFrame": df,
        "Series": df.x,
        "Index": df.index,
        "Scalar": df.x.sum(),
        "dt": df.t.dt,
        "str": df.k.str,
        "DataFrameGroupBy": df.groupby("k"),
        "SeriesGroupBy": df.groupby("k").x,
        "Rolling": df.x.rolling(2),
        "RollingGroupby": df.groupby("k").rolling(2),
        "Bag": bag,
        "Item": bag.count(),
        "Bag.str": bag.str,
        "Delayed": muster.delayed(len)("ab"),
        "later": later,
        "muster": muster,
        "muster.dataframe": dd,
        "muster.bag": db,
        "muster.distributed": muster.distributed,
    }


@pytest.mark.parametrize("name", objects())
def test_probes_get_an_answer(name):
    value = objects()[name]
    for probe in PROBES:
        if name == "Delayed" and not probe.startswith("_"):
            continue  # attributes of a value that is not known yet are tasks
        assert not hasattr(value, probe)
        assert getattr(value, probe, "default") == "default"
    assert isinstance(dir(value), list)
    inspect.unwrap(value)
    assert inspect.getmembers(value)


@pytest.mark.parametrize(
    "owner,names",
    [
        (lambda: dd.from_pandas(pdf(), npartitions=2), FRAME_NAMES | {"values"}),
        (lambda: dd.from_pandas(pdf(), npartitions=2).x, SERIES_NAMES | {"values"}),
        (lambda: dd, DATAFRAME_NAMES),
        (lambda: db, {"read_avro", "random"}),
        (lambda: db.from_sequence([1]), {"to_avro"}),
        (lambda: later, {"acquire", "release", "name"}),
    ],
    ids=["DataFrame", "Series", "muster.dataframe", "muster.bag", "Bag", "Later"],
)
def test_what_is_not_there_is_not_there(owner, names):
    owner, missing = owner(), 0
    for name in names - {"dt", "str", "cat"}:
        if hasattr(owner, name):
            continue
        missing += 1
        assert getattr(owner, name, None) is None
        with pytest.raises(NotImplementedError, match="not there yet|nbytes is not implemented"):
            getattr(owner, name)
    assert missing


def test_clients_and_clusters(client, cluster):
    for owner, name, way_out in (
        (client, "publish_dataset", ""), (client, "restart", "close the client"), (cluster, "adapt", r"scale\(n\)"), (cluster, "get_logs", "standard error")
    ):
        assert not hasattr(owner, name)
        with pytest.raises(NotImplementedError, match=f"{name} is not there yet.*{way_out}"):
            getattr(owner, name)
    assert not hasattr(client, "_ipython_display_") and not hasattr(cluster, "_ipython_display_")


def test_messages_name_what_is_meant():
    df = dd.from_pandas(pdf(), npartitions=2)
    with pytest.raises(NotImplementedError, match=r"compute\(\).values"):
        df.values
    with pytest.raises(NotImplementedError, match=r"compute\(\).values"):
        df.x.values
    with pytest.raises(AttributeError, match="'DataFrame' object has no attribute 'y'"):
        df.y
    with pytest.raises(AttributeError, match="RollingGroupby"):
        df.groupby("k").rolling(2).nothing
    with pytest.raises(AttributeError, match=".dt accessor"):
        df.x.dt


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copies(copied):
    df = dd.from_pandas(pdf(), npartitions=2)
    other = copied(df)
    other["y"] = 1
    assert "y" not in df and list(other.compute().columns) == ["k", "x", "t", "y"]
    assert type(copied(df.x)) is dd.Series and copied(df.x).compute().tolist() == [1, 2, 3, 4]
    assert type(copied(df.index)) is dd.Index and list(copied(df.index).compute()) == [0, 1, 2, 3]
    assert type(df.index.copy()) is dd.Index
    assert copied(df.x.sum()).compute() == 10
    assert copied({"frame": [df]})["frame"][0].x.sum().compute() == 10
    assert copied(df.groupby("k")).x.sum().compute().tolist() == [4, 2]
    assert copied(db.from_sequence([1, 2])).sum().compute() == 3
    assert repr(copied(later)) == repr(later)


def test_pickles(tmp_path):
    pdf().to_csv(tmp_path / "a.csv", index=False)
    df = dd.read_csv(str(tmp_path / "a.csv"))
    for value in (df, df.x, df.index, df.x.sum()):
        again = pickle.loads(pickle.dumps(value))
        assert type(again) is type(value)
        assert repr(again.compute()) == repr(value.compute())
    assert repr(pickle.loads(pickle.dumps(later))) == repr(later)


def test_nothing_is_an_instance_of_what_is_not_there():
    assert not isinstance(1, later) and not isinstance("a", (later, int)) and not issubclass(int, later)
    with pytest.raises(NotImplementedError, match="muster.distributed.Lock is not there yet"):
        class Mine(later):
            pass


MISSPELT = {
    "describe": lambda d: d.describe(percentile=[0.1]),
    "quantile": lambda d: d.x.quantile(0.5, interpolate="lower"),
    "median": lambda d: d.x.median(skip_na=False),
    "idxmax": lambda d: d.x.idxmax(skip_na=False),
    "set_index": lambda d: d.set_index("x", drp=False),
    "value_counts": lambda d: d.s.value_counts(drop_na=False),
    "query": lambda d: d.query("x > 1", local={}),
    "eval": lambda d: d.eval("x + 1", in_place=True),
    "categorize": lambda d: d.categorize(column="s"),
    "head": lambda d: d.groupby("s").head(number=1),
    "shift": lambda d: d.groupby("s").x.shift(period=2),
    "concat": lambda d: dd.concat([d, d], ignoreindex=True),
    "get_dummies": lambda d: dd.get_dummies(d, column=["s"]),
    "read_parquet": lambda d: dd.read_parquet("nowhere", column=["x"]),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_misspelt_keywords_of_frames_are_refused(name):
    df = dd.from_pandas(pd.DataFrame({"x": [1, 2, 3], "s": ["a", "b", "a"]}), npartitions=2)
    with pytest.raises(TypeError, match=f"{name}: unexpected keyword"):
        MISSPELT[name](df)


def test_keywords_with_a_meaning_are_not_passed_over():
    frame = pd.DataFrame({"x": [1, 2, 3], "s": ["a", "b", None]}, index=[5, 5, 7])
    df = dd.from_pandas(frame, npartitions=2)
    same(dd.concat([df, df], ignore_index=True), pd.concat([frame, frame], ignore_index=True))
    assert df.set_index("s", sorted=True).index.nunique(dropna=False).compute() == 3
    for call in (lambda: df.set_index("x", append=True), lambda: df.x.value_counts(bins=2), lambda: dd.concat([df, df], sort=True)):
        with pytest.raises(NotImplementedError):
            call()
