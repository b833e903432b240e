"""Group-by against pandas."""

import functools

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import same

FUNCTIONS = ["sum", "mean", "count", "min", "max", "std", "var", "nunique", "first", "last", "any", "all"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_key(frames, function):
    pdf, df = frames
    for key in ["j", "s", "t", "b", "d", "f", "e"]:
        for value in ["i", "f", "u"]:
            if value == key:
                continue
            theirs = getattr(pdf.groupby(key)[value], function)()
            if value == "u" and function == "sum":
                theirs = theirs.astype("uint64")  # pandas goes back to uint16 where the sums happen to fit; muster's dtype does not depend on the data
            same(getattr(df.groupby(key)[value], function)(), theirs)


@pytest.mark.parametrize("function", ["sum", "mean", "count", "max", "std", "nunique"])
def test_several_keys(frames, function):
    pdf, df = frames
    for keys in [["j", "s"], ["s", "t", "b"], ["t", "j"]]:
        same(getattr(df.groupby(keys)[["i", "f"]], function)(), getattr(pdf.groupby(keys)[["i", "f"]], function)())
        same(getattr(df.groupby(keys).f, function)(), getattr(pdf.groupby(keys).f, function)())


def test_options(frames):
    pdf, df = frames
    same(df.groupby("t", dropna=False).i.sum(), pdf.groupby("t", dropna=False).i.sum())
    same(df.groupby("f", dropna=False).i.sum(), pdf.groupby("f", dropna=False).i.sum())
    same(df.groupby(["t", "e"], dropna=False).i.sum(), pdf.groupby(["t", "e"], dropna=False).i.sum())
    same(df.groupby("s", sort=False).i.sum(), pdf.groupby("s", sort=False).i.sum())
    same(df.groupby(["s", "j"], sort=False).i.mean(), pdf.groupby(["s", "j"], sort=False).i.mean())
    same(df.groupby("j").f.std(ddof=0), pdf.groupby("j").f.std(ddof=0))
    same(df.groupby("j").f.sum(min_count=1000), pdf.groupby("j").f.sum(min_count=1000))


def test_size_and_all_columns(frames):
    pdf, df = frames
    same(df.groupby("s").size(), pdf.groupby("s").size())
    same(df.groupby(["s", "j"]).size(), pdf.groupby(["s", "j"]).size())
    same(df.groupby("s").i.size(), pdf.groupby("s").i.size())
    same(df.groupby("s").count(), pdf.groupby("s").count())
    same(df.groupby("s").nunique(), pdf.groupby("s").nunique())
    same(df.groupby("s").max(), pdf.groupby("s").max())
    same(df.groupby("s").first(), pdf.groupby("s").first())
    wide = ["s", "t", "i", "f", "b"]
    same(df[wide].groupby("s").sum(numeric_only=True), pdf[wide].groupby("s").sum(numeric_only=True))
    with pytest.raises(TypeError, match="'mean'"):
        df.groupby("j").mean()


def test_agg(frames):
    pdf, df = frames
    functions = ["mean", "std", "count"]
    same(df.groupby("s").i.agg(functions), pdf.groupby("s").i.agg(functions))
    same(df.groupby("s")[["i", "f"]].agg(functions), pdf.groupby("s")[["i", "f"]].agg(functions))
    same(df.groupby("s").agg({"i": "sum", "f": "max"}), pdf.groupby("s").agg({"i": "sum", "f": "max"}))
    same(df.groupby("s").agg({"i": ["sum", "min"], "f": "max"}), pdf.groupby("s").agg({"i": ["sum", "min"], "f": ["max"]}))
    same(df.groupby("s").agg(total=("i", "sum"), top=("f", "max")), pdf.groupby("s").agg(total=("i", "sum"), top=("f", "max")))
    same(df.groupby(["s", "j"]).agg({"i": "nunique"}), pdf.groupby(["s", "j"]).agg({"i": "nunique"}))
    same(df.groupby("s").i.agg("mean"), pdf.groupby("s").i.agg("mean"))
    same(df.groupby("s").i.agg(a="min", b="max"), pdf.groupby("s").i.agg(a="min", b="max"))
    same(df.groupby("s").agg("size"), pdf.groupby("s").agg("size"))
    with pytest.raises(AttributeError, match="unknown aggregate"):
        df.groupby("s").agg("nothing")
    with pytest.raises(KeyError):
        df.groupby("s").agg({"nope": "sum"})
    with pytest.raises(TypeError):
        df.groupby("s").agg()


def test_series_keys(frames):
    pdf, df = frames
    same(df.groupby(df.i % 3).f.mean(), pdf.groupby(pdf.i % 3).f.mean())
    same(df.groupby([df.d.dt.hour, "s"]).i.sum(), pdf.groupby([pdf.d.dt.hour, "s"]).i.sum())
    same(df.i.groupby(df.s).sum(), pdf.i.groupby(pdf.s).sum())


def test_results_go_on(frames):
    pdf, df = frames
    means, theirs = df.groupby("s").i.mean(), pdf.groupby("s").i.mean()
    same(means * 2, theirs * 2)
    same(means[means > 0], theirs[theirs > 0])
    same(means.nlargest(2), theirs.nlargest(2))
    same(means.max(), theirs.max())
    same(means - means.mean(), theirs - theirs.mean())
    same(means.reset_index(), theirs.reset_index())
    same(df.groupby(["s", "j"]).size().reset_index(), pdf.groupby(["s", "j"]).size().reset_index())
    assert len(means) == len(theirs)


def test_many_groups():
    random = np.random.default_rng(3)
    pdf = pd.DataFrame({"k": random.integers(0, 50_000, 200_000), "x": random.normal(size=200_000)})
    df = dd.from_pandas(pdf, npartitions=7)
    same(df.groupby("k").x.mean(), pdf.groupby("k").x.mean())
    same(df.groupby("k").x.agg(["sum", "std", "nunique"]), pdf.groupby("k").x.agg(["sum", "std", "nunique"]))


def test_negative_zero_and_nan_are_one_key():
    pdf = pd.DataFrame({"k": [0.0, -0.0, np.nan, -np.nan], "x": [1, 2, 3, 4]})
    same(dd.from_pandas(pdf, npartitions=2).groupby("k", dropna=False).x.sum(), pdf.groupby("k", dropna=False).x.sum())


def test_unknown_key_names_near_matches(frames):
    _, df = frames
    with pytest.raises(KeyError, match="columns are"):
        df.groupby("nope")
    with pytest.raises(KeyError):
        df.groupby("s")["nope"]


def test_threads_do_not_change_a_bit(frames):
    _, df = frames
    question = df.groupby("s")[["f", "g"]].agg(["sum", "std", "mean"])
    one = question.compute(num_workers=1)
    for threads in (2, 5):
        pd.testing.assert_frame_equal(question.compute(num_workers=threads), one, check_exact=True)
    pd.testing.assert_frame_equal(question.compute(scheduler="synchronous"), one, check_exact=True)


KEYED = pd.DataFrame({"k": ["a", "b", None, "a", None], "x": [1.0, np.nan, 3.0, np.nan, np.nan], "y": [1, 2, 3, 4, 5]})


@pytest.mark.parametrize("of_group", [{}, {"dropna": True}, {"dropna": False}, {"dropna": False, "sort": False}, {"as_index": False}])
@pytest.mark.parametrize("name, arguments", [
    ("nunique", {"dropna": False}), ("nunique", {"dropna": True}), ("nunique", {}), ("sum", {"min_count": 1}), (
        "sum", {"numeric_only": True}
    ), ("prod", {"min_count": 2}), ("mean", {"numeric_only": True}),
    ("std", {"ddof": 0}), (
        "var", {"ddof": 0, "numeric_only": True}
    ), ("first", {"skipna": False}), ("last", {"min_count": 2}), ("min", {"min_count": 1}), ("max", {"numeric_only": True}), ("any", {"skipna": False}),
    ("all", {"skipna": True}), ("median", {"numeric_only": True}), (
        "value_counts", {"dropna": False, "sort": False}
    ), ("agg", {"func": "std", "ddof": 0}), ("agg", {"func": ["std", "var"], "ddof": 0}),
])  # fmt: skip
def test_arguments_of_the_method_and_of_the_group_by(name, arguments, of_group):
    """Each has its own: `dropna` of nunique is not that of its group-by."""
    arguments = dict(arguments)
    args = [arguments.pop("func")] if "func" in arguments else []
    for n in (1, 2, 7):
        for select in ["x", ["x", "y"]]:
            if isinstance(select, list) and name == "value_counts":
                continue
            theirs = getattr(KEYED.groupby("k", **of_group)[select], name)(*args, **arguments)
            ours = getattr(dd.from_pandas(KEYED, npartitions=n).groupby("k", **of_group)[select], name)(*args, **arguments)
            same(ours, theirs)


def test_unknown_arguments_of_a_group_by():
    with pytest.raises(TypeError, match="'drop_na'"):
        dd.from_pandas(KEYED, npartitions=1).groupby("k", drop_na=False)


def test_first_partition_without_groups():
    """What a function of groups returns is not judged by rows that have none."""
    pdf = pd.DataFrame({"k": [None, None, None, "a", "b", "a"], "v": range(6)})
    df = dd.from_pandas(pdf, npartitions=2)
    same(df.groupby("k").v.apply(lambda g: g.max()), pdf.groupby("k").v.apply(lambda g: g.max()))
    same(df.groupby("k").agg({"v": lambda g: len(g)}), pdf.groupby("k").agg({"v": lambda g: len(g)}))


def test_named_aggregates_and_selections():
    pdf = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 5], "w": [1.5, 2.5, 3.5]})
    df = dd.from_pandas(pdf, npartitions=2)
    for operation in (
        lambda d: d.groupby("k").agg(a=pd.NamedAgg("v", aggfunc="sum"), b=pd.NamedAgg("w", aggfunc=functools.partial(np.std, ddof=1))),
        lambda d: d.groupby("k")[pd.Index(["v"])].count(),
        lambda d: d.groupby("k")[pd.Series(["w", "v"])].sum(),
        lambda d: d.groupby(d.k).max(),
    ):
        same(operation(df), operation(pdf))
    filtered = df.groupby("k", group_keys=False)[["w", "v"]].apply(lambda g: g[g.v > 1], meta=df[["w", "v"]])
    same(filtered, pdf.groupby("k", group_keys=False)[["w", "v"]].apply(lambda g: g[g.v > 1]))
    assert {"v", "w"} <= set(dir(df.groupby("k")))
    with pytest.raises(TypeError, match="tuples of"):
        df.groupby("k").agg(a="sum")


@pytest.mark.parametrize(
    "function", [np.sum, np.min, np.any, np.std, np.var, np.median, np.nanmean, np.size, sum, min, max, all, len], ids=lambda f: f"{f.__module__}-{f.__name__}"
)
def test_functions_of_numpy_and_python(function):
    # Some treat a Series otherwise than its method of that name: np.std is that of the population, np.median and Python's own see what is missing.
    nan = np.nan
    pdf = pd.DataFrame({"k": [1, 1, 2, 2, 3, 3, 3], "v": [1, nan, 2, 5, nan, nan, 7], "w": [3, 1, 2, 5, 4, 4, 7]})
    df = dd.from_pandas(pdf, npartitions=3)
    for operation in (
        lambda d: d.groupby("k").v.agg(function),
        lambda d: d.groupby("k")[["v", "w"]].agg([function, "count"]),
        lambda d: d.groupby("k")[["w", "v"]].agg(function),
        lambda d: d.groupby("k", as_index=False).agg({"v": function, "w": "sum"}),
        lambda d: d.groupby("k").agg(out=("v", function)),
    ):
        same(operation(df), operation(pdf))


def test_labels_of_functions():
    pdf = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 5], "w": [1.5, 2.5, 3.5]})
    df = dd.from_pandas(pdf, npartitions=2)
    for operation in (
        lambda d: d.groupby("k").v.agg([lambda s: s.max(), "sum", lambda s: s.min()]),
        lambda d: d.groupby("k").v.agg([lambda s: s.max(), "sum"]),
        lambda d: d.groupby("k").agg([lambda s: s.max(), lambda s: s.min()]),
        lambda d: d.groupby("k").agg({"v": [lambda s: s.max(), lambda s: s.min()], "w": [lambda s: s.max()]}),
        lambda d: d.groupby("k").v.agg([("low", "min"), ("high", lambda s: s.max()), "sum"]),
        lambda d: d.groupby("k").agg({"v": [("low", "min")]}),
        lambda d: d.groupby("k").v.agg([functools.partial(np.quantile, q=0.5), "sum"]),
        lambda d: d.groupby("k", as_index=False).agg({"k": "count"}),
        lambda d: d.groupby("k", as_index=False).agg(k=("v", "sum"), n=("w", "max")),
        lambda d: d.groupby(pd.Grouper(key="k")).v.sum(),
    ):
        same(operation(df), operation(pdf))
    with pytest.raises(TypeError, match="pair of label and function"):
        df.groupby("k").v.agg([("low", "min", "max")])
    with pytest.raises(NotImplementedError, match="get_group"):
        list(df.groupby("k"))
    with pytest.raises(NotImplementedError, match="dt.floor"):
        df.groupby(pd.Grouper(key="t", freq="D"))


@pytest.mark.parametrize("npartitions", [1, 2, 7, 129])
def test_distinct_values_in_groups(npartitions):
    random = np.random.default_rng(npartitions)
    n = 3000
    frame = pd.DataFrame(
        {
            "k": random.choice(["a", "b", "c", None], n),
            "j": np.where(random.random(n) < 0.1, np.nan, random.integers(0, 40, n)),
            "m": random.integers(0, 2000, n),
            "i": random.integers(-(2**62), 2**62, 50)[random.integers(0, 50, n)],
            "f": random.choice([0.0, -0.0, np.nan, 1.5, np.inf], n),
            "g": random.choice([0.5, np.nan], n).astype("float32"),
            "b": random.random(n) < 0.5,
            "s": random.choice(["", "x", None, "a text of more than 16 bytes"], n),
            "d": pd.to_datetime(random.choice(["2020-01-01", "2021-01-01", None], n)),
            "gone": np.full(n, np.nan),
        }
    )
    df = dd.from_pandas(frame, npartitions=npartitions)
    values = [c for c in frame.columns if c not in ("k", "j", "m")]
    for keys in ("k", "j", "m", ["k", "j"], ["m", "k"], "b", "f"):
        chosen = [v for v in values if v != keys]
        for options in ({}, {"sort": False}, {"dropna": False}, {"sort": False, "dropna": False}):
            same(df.groupby(keys, **options)[chosen].nunique(), frame.groupby(keys, **options)[chosen].nunique())
            same(df.groupby(keys, **options).i.nunique(dropna=False), frame.groupby(keys, **options).i.nunique(dropna=False))
            same(df.groupby(keys, **options).f.nunique(dropna=False), frame.groupby(keys, **options).f.nunique(dropna=False))
    same(df.groupby("k").k.nunique(), frame.groupby("k").k.nunique())
    same(df.groupby("k").agg({"i": "nunique", "f": ["nunique", "sum"]}), frame.groupby("k").agg({"i": "nunique", "f": ["nunique", "sum"]}))
    same(df[df.m < 0].groupby("k").i.nunique(), frame[frame.m < 0].groupby("k").i.nunique())
    same(df[df.m < 5].groupby("k", sort=False).i.nunique(), frame[frame.m < 5].groupby("k", sort=False).i.nunique())


def test_many_distinct_values_in_groups():
    """More pairs than a table holds well: rows are kept, sorted into parts, and on disk where memory is short."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"k": random.integers(0, 7, 400_000), "x": random.integers(0, 10**9, 400_000)})
    df = dd.from_pandas(frame, npartitions=3)
    expected = frame.groupby("k", sort=False).x.nunique()
    same(df.groupby("k", sort=False).x.nunique(), expected)
    with muster.config.set({"memory-limit": "64MB"}):
        same(df.groupby("k", sort=False).x.nunique(), expected)


@pytest.mark.parametrize("kind", ["normal", "equal", "whole", "infinite", "skewed", "narrow", "float32"])
def test_medians_of_large_groups(kind):
    random = np.random.default_rng(5)
    rows = 40_000
    x = {
        "normal": lambda: random.normal(size=rows), "equal": lambda: np.full(rows, 2.5), "whole": lambda: random.integers(
            -(2**62), 2**62, rows
        ), "infinite": lambda: random.choice([np.inf, -np.inf, 1.0, 2.0], rows),
        "skewed": lambda: np.exp(
            random.normal(0, 40, rows)
        ), "narrow": lambda: random.integers(-5, 5, rows).astype("int8"), "float32": lambda: random.random(rows).astype("float32"),
    }[kind]()
    f = pd.DataFrame({"g": random.integers(0, 5, rows), "x": x})
    if kind == "normal":
        f.loc[random.random(rows) < 0.1, "x"] = np.nan
    df = dd.from_pandas(f, npartitions=3)
    same(df.groupby("g").x.median(), f.groupby("g").x.median())
    for q in (0, 0.3, 0.999, 1):
        same(df.groupby("g").x.quantile(q), f.groupby("g").x.quantile(q))


@pytest.mark.parametrize("key", ["i", "s", "b", "d", "f", "category", "Int64", "object"])
def test_keys_of_other_rows(frames, key):
    """Aligned by pandas, in one task; the call itself looks at made-up rows alone."""
    pdf, df = frames
    if df.npartitions > 7:
        return
    if key in ("category", "Int64", "object"):
        pdf = pdf.assign(**{key: pdf.s.where(pdf.i > 0, pdf.i) if key == "object" else pdf.j.astype(key)})
        df = dd.from_pandas(pdf, npartitions=df.npartitions)
    computed = []
    keys = df[[key]].map_partitions(lambda part: computed.append(len(part)) or part, meta=pdf[[key]].iloc[:0])[key]
    def of(d, k):
        return {
            "sum": d[d.f > 0].groupby(k).i.sum(),
            "frame": d[d.f > 0][["i", "f"]].groupby(k).mean(),
            "two": d[d.f > 0].groupby([k, "t"]).f.max(),
            "agg": d[d.f > 0].groupby(k).agg({"f": ["min", "max"], "s": "nunique"}),
            "fewer keys": d.groupby(d[d.j > 1].s).i.sum(),
            "beside": d[d.f > 0].groupby(k).f.transform("max"),
            "none": d[d.f > 1e9].groupby(k).i.sum(),
        }
    lazy = of(df, keys)
    assert not computed or key == "object"  # made-up ones would all be texts
    for name, theirs in of(pdf, pdf[key]).items():
        if key != "object" or name != "none":  # no group says whether keys are texts
            same(lazy[name], theirs)


@pytest.mark.parametrize("dtype", ["Int8", "Float32", "boolean", "string", "int64[pyarrow]", "float32", "str"])
def test_counts_in_agg_have_the_dtype_of_pandas(dtype):
    values = pd.Series(["a", "b", "b", "a", None]) if dtype in ("string", "str") else pd.Series([1, 0, 1, None, 0])
    pdf = pd.DataFrame({"k": [1, 2, 1, 2, 1], "v": values.astype(dtype), "w": range(5)})
    ddf = dd.from_pandas(pdf, npartitions=2)
    for functions in ("count", ["count"], {"v": "count"}, {"v": ["count", "size"]}, {"v": "count", "w": "sum"}):
        same(ddf.groupby("k").agg(functions), pdf.groupby("k").agg(functions))
    same(ddf.groupby("k").agg(n=("v", "count")), pdf.groupby("k").agg(n=("v", "count")))
