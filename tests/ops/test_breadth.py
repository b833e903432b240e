"""Every operation of a frame, a Series and their accessors against pandas, over partition counts. Operations are written once and run on both."""

import gc
import warnings

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same

NUMBERS = ["i", "j", "u", "f", "g"]


def check(frames, operation, **kwargs):
    pdf, df = frames
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(operation(df), operation(pdf), **kwargs)


FRAME = {
    "clip": lambda d: d[NUMBERS].clip(-10, 10),
    "clip_series": lambda d: d.f.clip(lower=0),
    "round": lambda d: d[["f", "g"]].round(1),
    "where": lambda d: d.i.where(d.i > 0),
    "where_other": lambda d: d.i.where(d.i > 0, -1),
    "where_frame": lambda d: d[["i", "f"]].where(d.i > 0),
    "mask": lambda d: d.f.mask(d.b, 0.0),
    "mask_text": lambda d: d.s.mask(d.b),
    "replace": lambda d: d.s.replace("fig", "date"),
    "replace_dict": lambda d: d.i.replace({1: 100, 2: 200}),
    "ffill": lambda d: d.f.ffill(),
    "ffill_limit": lambda d: d.t.ffill(limit=1),
    "bfill": lambda d: d[["f", "t"]].bfill(),
    "cumsum": lambda d: d[["i", "f"]].cumsum(),
    "cumprod": lambda d: d.g.cumprod(),
    "cummin": lambda d: d.f.cummin(),
    "cummax": lambda d: d.i.cummax(),
    "diff": lambda d: d[["i", "f"]].diff(),
    "diff_2": lambda d: d.i.diff(-2),
    "shift": lambda d: d.i.shift(),
    "shift_back": lambda d: d[["i", "s", "d"]].shift(-3),
    "assigned": lambda d: d.assign(c=d.i.cumsum() + 1, s=d.i.shift())[["c", "s", "i"]],
    "sem": lambda d: d.f.sem(),
    "sem_frame": lambda d: d[["i", "f"]].sem(),
    "median": lambda d: d.i.median(),
    "median_frame": lambda d: d[NUMBERS].median(),
    "median_rows": lambda d: d[NUMBERS].median(axis=1),
    "quantile": lambda d: d.f.quantile(0.3),
    "quantiles": lambda d: d[["i", "f"]].quantile([0.1, 0.5]),
    "mode": lambda d: d.s.mode(),
    "mode_frame": lambda d: d[["i", "s"]].mode(),
    "skew": lambda d: d.f.skew(),
    "kurt": lambda d: d[["i", "f"]].kurt(),
    "cov": lambda d: d[NUMBERS].cov(),
    "corr": lambda d: d[NUMBERS].corr(),
    "cov_series": lambda d: d.i.cov(d.f),
    "corr_series": lambda d: d.i.corr(d.f),
    "autocorr": lambda d: d.i.autocorr(),
    "describe": lambda d: d[["i", "j", "u", "f"]].describe(),
    "describe_text": lambda d: d.s.describe(),
    "idxmax": lambda d: d.i.idxmax(),
    "idxmin_frame": lambda d: d[["i", "u"]].idxmin(),
    "idxmax_rows": lambda d: d[["i", "u"]].idxmax(axis=1),
    "nsmallest": lambda d: d.nsmallest(4, ["i", "f"]),
    "drop_duplicates": lambda d: d[["j", "s"]].drop_duplicates(),
    "drop_duplicates_last": lambda d: d.drop_duplicates(subset=["s"], keep="last"),
    "drop_duplicates_series": lambda d: d.s.drop_duplicates(),
    "sum_rows": lambda d: d[NUMBERS].sum(axis=1),
    "count_rows": lambda d: d.count(axis=1),
    "any_rows": lambda d: d[["b", "i"]].any(axis=1),
    "mean_rows": lambda d: d[NUMBERS].mean(axis=1),
    "sum_text": lambda d: d.s.sum(),
    "isnull": lambda d: d.isnull(),
    "melt": lambda d: d[["i", "s", "f"]].melt(id_vars="s"),
    "explode": lambda d: d.s.str.split("p").explode(),
    "apply_rows": lambda d: d.apply(lambda row: row.i + len(row.s), axis=1),
    "apply_frame": lambda d: d[["i", "u"]].apply(lambda row: pd.Series({"a": row.i * 2, "b": row.u}), axis=1),
    "apply": lambda d: d.i.apply(lambda x: x * 2.5),
    "map": lambda d: d.s.map({"fig": 1, "apple": 2}),
    "map_function": lambda d: d.i.map(str),
    "map_frame": lambda d: d[["i", "j"]].map(lambda x: x + 1),
    "query": lambda d: d.query("i > 0 and s in ['fig', 'apple'] or f < 0"),
    "eval": lambda d: d.eval("c = i * 2 + u"),
    "eval_value": lambda d: d.eval("i + j"),
    "between": lambda d: d.i.between(0, 10, inclusive="left"),
    "fill_value": lambda d: d.f.add(d.g, fill_value=0),
    "frame_series": lambda d: d[["i", "f"]].add(d.u, axis=0),
    "nlargest_text_kept": lambda d: d.nlargest(3, "f"),
    "dot": lambda d: d[["i", "u"]].dot(pd.Series([1, 2], index=["i", "u"])),
    "sin": lambda d: np.sin(d.f),
    "to_frame": lambda d: d.i.to_frame("x"),
    "pop": lambda d: d[["i", "s"]].copy().pop("i"),
    "add_prefix": lambda d: d.add_prefix("x_"),
    "add_suffix": lambda d: d.add_suffix("_x"),
    "rename_axis": lambda d: d.rename_axis("row"),
    "iloc": lambda d: d.iloc[:, [0, 2]],
    "iloc_slice": lambda d: d.iloc[:, 1:3],
    "iloc_one": lambda d: d.iloc[:, 1],
    "loc_mask": lambda d: d.loc[d.i > 0, ["s", "i"]],
    "loc_columns": lambda d: d.loc[:, "i":"u"],
    "loc_slice": lambda d: d.loc[10:20],
    "loc_label": lambda d: d.loc[[5, 17], "s"],
    "astype_category": lambda d: d.s.astype("category").cat.codes,
    "reset_index": lambda d: d[d.i > 0].reset_index(drop=True),
    "reset_index_column": lambda d: d[d.i > 0][["i", "s"]].reset_index(),
    "value_counts_frame": lambda d: d[["j", "b"]].value_counts(),
    "unique": lambda d: pd.Series(d.s.unique(), name="s") if isinstance(d, pd.DataFrame) else d.s.unique(),
    "nunique": lambda d: d.s.nunique(),
    "monotonic": lambda d: d.i.is_monotonic_increasing,
    "squeeze": lambda d: d[["i"]].squeeze(),
    "rolling": lambda d: d.f.rolling(3).mean(),
    "rolling_frame": lambda d: d[["i", "f"]].rolling(5, min_periods=1).sum(),
    "rolling_center": lambda d: d.i.rolling(4, center=True).max(),
    "rolling_apply": lambda d: d.i.rolling(3).apply(lambda x: x.sum(), raw=True),
    "rolling_agg": lambda d: d.i.rolling(3).agg(["sum", "std"]),
    "rolling_beside": lambda d: d.assign(r=d.f.rolling(2).sum())[["i", "r"]],
    "set_index": lambda d: d.assign(n=d.i.cumsum())[["s", "n"]].set_index("s") if isinstance(
        d, pd.DataFrame
    ) else d.assign(n=d.i.cumsum())[["s", "n"]].set_index("s", sort=False),
    "index_values": lambda d: (d.index.to_series() + 1),
    "select": lambda d: d.select_dtypes("number"),
    "isin_object": lambda d: d.s.isin(["fig"]),
    "combine_first": lambda d: d.f.combine_first(d.g),
    "divmod": lambda d: d.i // 7 + d.i % 7,
}


@pytest.mark.parametrize("name", FRAME)
def test_frame(frames, name):
    check(frames, FRAME[name], rtol=1e-9)


TEXT = {
    **{name: (lambda n: lambda s: getattr(s.str, n)())(name) for name in (
        "capitalize casefold isalnum isalpha isdecimal isdigit islower isnumeric isspace istitle isupper len lower strip lstrip rstrip swapcase title upper"
    ).split()},
    "cat": lambda s: s.str.cat(s, sep="-"),
    "cat_all": lambda s: s.str.cat(sep=","),
    "center": lambda s: s.str.center(8, "*"),
    "contains": lambda s: s.str.contains("p+l"),
    "contains_plain": lambda s: s.str.contains("ig", regex=False),
    "contains_case": lambda s: s.str.contains("FIG", case=False),
    "count": lambda s: s.str.count("p"),
    "encode": lambda s: s.str.encode("utf8"),
    "decode": lambda s: s.str.encode("utf8").str.decode("utf8"),
    "endswith": lambda s: s.str.endswith("g"),
    "startswith": lambda s: s.str.startswith("a"),
    "extract": lambda s: s.str.extract("(.)(i)"),
    "extractall": lambda s: s.str.extractall("([pi])"),
    "find": lambda s: s.str.find("i"),
    "rfind": lambda s: s.str.rfind("p"),
    "findall": lambda s: s.str.findall("p"),
    "fullmatch": lambda s: s.str.fullmatch("f.g"),
    "get": lambda s: s.str.get(1),
    "item": lambda s: s.str[0:2],
    "join": lambda s: s.str.join("."),
    "ljust": lambda s: s.str.ljust(7),
    "rjust": lambda s: s.str.rjust(7),
    "match": lambda s: s.str.match("a"),
    "normalize": lambda s: s.str.normalize("NFD"),
    "pad": lambda s: s.str.pad(9),
    "partition": lambda s: s.str.partition("p"),
    "rpartition": lambda s: s.str.rpartition("p"),
    "removeprefix": lambda s: s.str.removeprefix("a"),
    "removesuffix": lambda s: s.str.removesuffix("e"),
    "repeat": lambda s: s.str.repeat(2),
    "replace": lambda s: s.str.replace("p", "b"),
    "replace_regex": lambda s: s.str.replace("[aeiou]", "_", regex=True),
    "slice": lambda s: s.str.slice(1, 3),
    "slice_replace": lambda s: s.str.slice_replace(0, 1, "X"),
    "split": lambda s: s.str.split("p"),
    "rsplit": lambda s: s.str.rsplit("p", n=1),
    "translate": lambda s: s.str.translate({ord("a"): "b"}),
    "wrap": lambda s: s.str.wrap(3),
    "zfill": lambda s: s.str.zfill(7),
}


@pytest.mark.parametrize("name", TEXT)
def test_text(frames, name):
    pdf, df = frames
    for column in ["s", "t"]:
        same(TEXT[name](df[column]), TEXT[name](pdf[column]))


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 1000])  # texts are cut some at a time
def test_lists_of_pieces(rows):
    texts = [
        None if i % 7 == 3 else "" if i % 11 == 5 else " ".join(["é" * (i % 3), str(i % 13), "word", "a long piece of a text" * (i % 2)][: i % 5])
        for i in range(rows)
    ]
    s = pd.Series(texts, dtype="str")
    lazy = dd.from_pandas(s, npartitions=1 + rows // 400)
    for mark, most in ((" ", -1), (" ", 1), ("word", -1), ("é", 2)):
        same(lazy.str.split(mark, n=most), s.str.split(mark, n=most))
        made = lazy.str.split(mark, n=most).compute(scheduler="threads")
        lists = [x for x in made if isinstance(x, list)]
        assert len({id(x) for x in lists}) == len(lists)
        assert len(mark) > 1 or not any(gc.is_tracked(x) for x in lists)  # longer marks are regular expressions, and pandas'
    same(lazy.str.split(" ").str.len(), s.str.split(" ").str.len())


def test_objects_without_missing_values():
    for values in ([[1], [2]], ["a", {"b": 1}], [(1,), 2**70], [[1], None], [[1], pd.NA], [[1], float("nan")], [1.5, "a"], [b"x", True]):
        frame = pd.DataFrame({"o": pd.Series(values, dtype=object), "i": [1, 2]})
        df = dd.from_pandas(frame, npartitions=2)
        same(df, frame)
        same(df.o.isna(), frame.o.isna())
        same(df.map_partitions(lambda part: part[["o"]]), frame[["o"]])


def test_split_into_columns(frames):
    pdf, df = frames
    same(df.s.str.split("p", n=2, expand=True), pdf.s.str.split("p", n=2, expand=True))
    with pytest.raises(NotImplementedError, match="n="):
        df.s.str.split("p", expand=True)


TIME = {
    **{name: (lambda n: lambda s: getattr(s.dt, n))(name) for name in (
        "year month day hour minute second microsecond nanosecond date time dayofweek day_of_week weekday dayofyear day_of_year quarter days_in_month "
        "daysinmonth is_leap_year is_month_end is_month_start is_quarter_end is_quarter_start is_year_end is_year_start timetz"
    ).split()},
    **{name: (lambda n: lambda s: getattr(s.dt, n)("h"))(name) for name in "ceil floor round".split()},
    "day_name": lambda s: s.dt.day_name(),
    "month_name": lambda s: s.dt.month_name(),
    "normalize": lambda s: s.dt.normalize(),
    "strftime": lambda s: s.dt.strftime("%Y/%m"),
    "isocalendar": lambda s: s.dt.isocalendar(),
    "tz_localize": lambda s: s.dt.tz_localize("UTC"),
    "tz_convert": lambda s: s.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin").dt.hour,
    "to_period": lambda s: s.dt.to_period("M"),
    "total_seconds": lambda s: (s - s.min()).dt.total_seconds(),
    "days": lambda s: (s - s.min()).dt.days,
    "components": lambda s: (s - s.min()).dt.components,
}


@pytest.mark.parametrize("name", TIME)
def test_time(frames, name):
    pdf, df = frames
    for column in ["d", "e"] if name not in ("isocalendar", "components") else ["d"]:
        same(TIME[name](df[column]), TIME[name](pdf[column]))


GROUPED = {
    "median": lambda d: d.groupby("s").f.median(),
    "quantile": lambda d: d.groupby("j").f.quantile(0.3),
    "sem": lambda d: d.groupby("j")[["i", "f"]].sem(),
    "idxmax": lambda d: d.groupby("j").i.idxmax(),
    "cov": lambda d: d.groupby("j")[["i", "u"]].cov(),
    "corr": lambda d: d.groupby("j")[["i", "u"]].corr(),
    "value_counts": lambda d: d.groupby("j").s.value_counts(),
    "apply": lambda d: d.groupby("j")[["i", "f"]].apply(lambda g: g.i.sum() + g.f.max()),
    "apply_frame": lambda d: d.groupby("j")[["i", "f"]].apply(lambda g: g.head(2)),
    "apply_series": lambda d: d.groupby("j").i.apply(lambda g: g.max() - g.min()),
    "transform": lambda d: d.groupby("j").f.transform("mean"),
    "transform_function": lambda d: d.groupby("j").i.transform(lambda g: g - g.mean()),
    "transform_beside": lambda d: d.assign(m=d.f - d.groupby("j").f.transform("mean"))[["i", "m"]],
    "cumsum": lambda d: d.groupby("j").i.cumsum(),
    "cumprod": lambda d: d.groupby("s").g.cumprod(),
    "cumcount": lambda d: d.groupby("j").cumcount(),
    "shift": lambda d: d.groupby("j").i.shift(),
    "ffill": lambda d: d.groupby("j").f.ffill(),
    "bfill": lambda d: d.groupby("j")[["f", "t"]].bfill(),
    "head": lambda d: d.groupby("j").head(2),
    "tail": lambda d: d.groupby("j").i.tail(1),
    "get_group": lambda d: d.groupby("j").get_group(1),
    "list": lambda d: d.groupby("j").i.agg(list),
    "agg_median": lambda d: d.groupby("j").agg({"f": ["median", "mean"], "i": "sum"}),
    "agg_named": lambda d: d.groupby("j").agg(middle=("f", "median"), total=("i", "sum")),
    "agg_function": lambda d: d.groupby("j").i.agg(lambda g: g.max() - g.min()),
    "size_agg": lambda d: d.groupby("j").agg({"i": ["size", "max"]}),
    "as_index": lambda d: d.groupby("s", as_index=False).i.sum(),
    "as_index_frame": lambda d: d.groupby(["s", "j"], as_index=False)[["i", "u"]].max(),
    "series_key": lambda d: d.groupby(d.i % 3).f.median(),
    "function_key": lambda d: d.groupby(lambda x: x % 4).i.sum(),
    "series_and_label": lambda d: d.groupby(["s", d.i > 0]).f.median(),
    "rolling": lambda d: d.groupby("j").i.rolling(2).sum(),
    "unique": lambda d: d.groupby("j").s.unique(),
    "group_keys": lambda d: d.groupby("j", group_keys=False)[["i"]].apply(lambda g: g.head(1)),
    "nunique": lambda d: d.groupby("j").s.nunique(),
    "std_of_time": lambda d: d.groupby("j").d.std(),
}


@pytest.mark.parametrize("name", GROUPED)
def test_grouped(frames, name):
    check(frames, GROUPED[name], rtol=1e-9)


@pytest.fixture(params=[1, 3, 40])
def kinds(request):
    n = 120
    random = np.random.default_rng(1)
    pdf = pd.DataFrame(
        {
            "c": pd.Categorical(random.choice(["a", "b", None], n), categories=["b", "a", "z"]),
            "o": pd.Categorical(random.choice(["lo", "hi"], n), categories=["lo", "hi"], ordered=True),
            "n": pd.array(np.where(random.random(n) < 0.3, None, random.integers(0, 9, n)), dtype="Int64"),
            "z": pd.date_range("2020", periods=n, tz="Europe/Berlin", freq="7h"),
            "q": pd.array(random.choice([True, False, None], n), dtype="boolean"),
            "x": random.normal(size=n),
        },
        index=pd.date_range("2021-03-01", periods=n, freq="h", name="when"),
    )
    return pdf, dd.from_pandas(pdf, npartitions=request.param)


CARRIED = {
    "codes": lambda d: d.c.cat.codes,
    "rename": lambda d: d.c.cat.rename_categories({"a": "A"}),
    "as_ordered": lambda d: d.c.cat.as_ordered(),
    "add": lambda d: d.c.cat.add_categories(["y"]),
    "set": lambda d: d.c.cat.set_categories(["a"]),
    "remove_unused": lambda d: d.c.cat.remove_unused_categories(),
    "reorder": lambda d: d.o.cat.reorder_categories(["hi", "lo"]),
    "compare": lambda d: d.o > "lo",
    "equal": lambda d: d.c == "a",
    "isna": lambda d: d.isna(),
    "count": lambda d: d.count(),
    "sum_nullable": lambda d: d.n.sum(),
    "add_nullable": lambda d: d.n + 1,
    "mean_nullable": lambda d: d.n.mean(),
    "hour_zone": lambda d: d.z.dt.hour,
    "zone_difference": lambda d: d.z - d.z.shift(),
    "min_zone": lambda d: d.z.min(),
    "group_category": lambda d: d.groupby("c", observed=True).x.sum(),
    "group_category_all": lambda d: d.groupby("c", observed=False).x.mean(),
    "group_nullable": lambda d: d.groupby("n").x.sum(),
    "value_counts": lambda d: d.c.value_counts(),
    "filter": lambda d: d[d.n > 3],
    "fillna": lambda d: d.n.fillna(0),
    "drop_duplicates": lambda d: d[["c", "o"]].drop_duplicates(),
    "loc": lambda d: d.loc["2021-03-02":"2021-03-03 05:00"],
    "loc_label": lambda d: d.loc[[pd.Timestamp("2021-03-02 03:00")]],
    "resample": lambda d: d.x.resample("1D").mean(),
    "resample_frame": lambda d: d[["x"]].resample("6h").agg(["sum", "count"]),
    "resample_ohlc": lambda d: d.x.resample("1D").ohlc(),
    "rolling_time": lambda d: d.x.rolling("5h").sum(),
    "shift_freq": lambda d: d[["x"]].shift(1, freq="h"),
    "to_frame": lambda d: d.c.to_frame(),
    "index_hour": lambda d: d.index.to_series().dt.hour,
    "dummies": lambda d: (pd if isinstance(d, pd.DataFrame) else dd).get_dummies(d.o, prefix="o"),
    "memory": lambda d: d[["x"]].memory_usage(index=False),
    "dropna": lambda d: d.dropna(),
    "max_ordered": lambda d: d.o.max(),
}


@pytest.mark.parametrize("name", CARRIED)
def test_carried(kinds, name):
    check(kinds, CARRIED[name], check_freq=False)


BESIDE = {
    "cumcount": lambda d: d.groupby("k").cumcount(),
    "transform": lambda d: d.groupby("k").x.transform("sum"),
    "group cumsum": lambda d: d.groupby("s").x.cumsum(),
    "group shift": lambda d: d.groupby("k").x.shift(1),
    "beside others": lambda d: d.assign(n=d.groupby("k").cumcount())[d.x > 2][["n", "s"]],
}


@pytest.mark.parametrize("source", ["memory", "csv", "parquet"])
def test_rows_beside_others_on_a_cluster(client, source, tmp_path):
    """What looks at all rows and stays beside them goes to other processes packed."""
    pdf = pd.DataFrame(
        {
            "k": [1, 2, 1, 2, 3, 1, 3], "x": [1.5, 2, np.nan, 4, 5, 6, 7],
            "s": pd.Series(["a", None, "b", "a text of more than 16 bytes", "a", "c", "b"], dtype="str")
        }
    )
    if source == "memory":
        df = dd.from_pandas(pdf, npartitions=3)
    elif source == "csv":
        pdf.to_csv(tmp_path / "a.csv", index=False)
        df = dd.read_csv(tmp_path / "a.csv", blocksize=30)
    else:
        pdf.to_parquet(tmp_path / "a.parquet", row_group_size=2)
        df = dd.read_parquet(tmp_path / "a.parquet", split_row_groups=True)
    for ask in BESIDE.values():
        same(ask(df), ask(pdf))
