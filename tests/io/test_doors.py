"""The C++ door gives what the Python door gives."""

import os
import pathlib
import re
import subprocess

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import example_frame

H2O = pathlib.Path(__file__).resolve().parents[2] / "build/python/h2o"


def table(rows=5000):
    random = np.random.default_rng(3)
    ids = {f"id{i}": pd.Series(random.integers(1, 9, rows)).map("id{:03d}".format) for i in (1, 2)}
    ids["id3"] = pd.Series(random.integers(1, 400, rows)).map("id{:010d}".format)
    numbers = {f"id{i}": random.integers(1, 9 if i < 6 else 500, rows) for i in (4, 5, 6)}
    return pd.DataFrame({**ids, **numbers, "v1": random.integers(1, 6, rows), "v2": random.integers(1, 16, rows), "v3": random.random(rows)})


QUESTIONS = {
    "q1": lambda x: x.groupby("id1").v1.sum(),
    "q2": lambda x: x.groupby(["id1", "id2"]).v1.sum(),
    "q3": lambda x: x.groupby("id3").agg({"v1": "sum", "v3": "mean"}).v3,
    "q4": lambda x: x.groupby("id4")[["v1", "v2", "v3"]].mean().v3,
    "q5": lambda x: x.groupby("id6")[["v1", "v2", "v3"]].sum().v3,
    "q6": lambda x: x.groupby(["id4", "id5"]).v3.agg(["median", "std"])["std"],
    "q10": lambda x: x.groupby([f"id{i}" for i in range(1, 7)]).agg({"v3": "sum", "v1": "count"}).v1,
}


@pytest.mark.skipif(not H2O.exists(), reason="the C++ examples are not built")
def test_h2o(tmp_path):
    frame, path = table(), tmp_path / "h2o.parquet"
    frame.to_parquet(path, row_group_size=1000)
    lines = subprocess.run([H2O, path], capture_output=True, text=True, check=True).stdout.splitlines()
    answers = {line.split()[0]: line.split()[1:3] for line in lines}
    ours = dd.read_parquet(path, split_row_groups=True)
    for name, question in QUESTIONS.items():
        theirs, mine = question(frame), question(ours).compute()
        pd.testing.assert_series_equal(mine, theirs, check_index_type="equiv")
        assert int(answers[name][0]) == len(theirs)
        assert float(answers[name][1]) == pytest.approx(float(theirs.sum()), rel=1e-5)


DOORS = pathlib.Path(__file__).resolve().parents[2] / "build/python/tests/cpp/doors"
NUMBERS = ["i", "f"]


def by_text(d):
    chosen = d[(d.i > 20) & (d.s != "fig")]
    return chosen.groupby(["s", "j"]).agg({"i": "sum", "u": "max"}).reset_index().repartition(npartitions=3)


def indexed(d):
    return by_text(d).drop(columns="s").groupby("j").sum()


def sides_as_numbers(d):
    return d.assign(**{"from": d["from"].cat.codes})


# The same in Python as in tests/cpp/doors.cpp.
BINARY = "add sub mul truediv div divide floordiv mod pow radd rsub rmul rtruediv rdiv rfloordiv rmod rpow eq ne lt le gt ge".split()
METHODS = {
    **{f"frame_method_{n}": (lambda method: lambda d: getattr(d[["f", "g"]], method)(2))(n) for n in BINARY},
    **{f"method_{n}": (lambda method: lambda d: getattr(d.f, method)(d.j))(n) for n in BINARY},
    "mode": lambda d: d[["i", "s"]].mode(),
    "series_mode": lambda d: d.s.mode(),
    "isnull": lambda d: d.isnull(),
    "series_notnull": lambda d: d.t.notnull(),
    "getitems": lambda d: d[["i", "s"]],
    "filter": lambda d: d[d.i > 0],
    "assign": lambda d: d.assign(k=d.i * 2, one=1),
    "rename": lambda d: d.rename(columns={"i": "number"}),
    "drop": lambda d: d.drop(columns=["s", "t"]),
    "astype": lambda d: d.astype({"i": "float64", "j": "int64"}),
    "fillna": lambda d: d[NUMBERS].fillna(0),
    "dropna": lambda d: d.dropna(),
    "dropna_subset": lambda d: d.dropna(subset=["t"]),
    "isna": lambda d: d.isna(),
    "notna": lambda d: d.notnull(),
    "isin": lambda d: d[["i", "j"]].isin([1, 2]),
    "abs": lambda d: d[NUMBERS].abs(),
    "frame_where": lambda d: d[NUMBERS].where(d[NUMBERS] > 0, 0),
    "frame_mask": lambda d: d[NUMBERS].mask(d[NUMBERS] > 0, 0),
    "frame_clip": lambda d: d[NUMBERS].clip(-5, 5),
    "frame_round": lambda d: d[NUMBERS].round(1),
    "frame_replace": lambda d: d[["i", "j"]].replace({1: 2, 2: 1}),
    "frame_cumsum": lambda d: d[NUMBERS].cumsum(),
    "frame_cumprod": lambda d: (d[["f", "j"]] / 50).cumprod(),
    "frame_cummin": lambda d: d[NUMBERS].cummin(),
    "frame_cummax": lambda d: d[NUMBERS].cummax(),
    "frame_shift": lambda d: d[["i", "s"]].shift(2),
    "frame_diff": lambda d: d[NUMBERS].diff(),
    "frame_ffill": lambda d: d.ffill(),
    "frame_bfill": lambda d: d.bfill(limit=1),
    "drop_duplicates": lambda d: d.drop_duplicates(subset=["s", "j"]),
    "drop_duplicates_one": lambda d: d.drop_duplicates("s"),
    "drop_duplicates_all": lambda d: d.drop_duplicates(["s", "i"], keep=False),
    "merge": lambda d: d.merge(by_text(d), on=["s", "j"]),
    "merge_common": lambda d: d[["s", "j", "f"]].merge(by_text(d)),
    "merge_left": lambda d: d.merge(by_text(d), how="left", on="s", suffixes=("", "_of s")),
    "merge_right": lambda d: d.drop(columns="t").merge(by_text(d), how="right", on=["s", "j"]),
    "merge_two_names": lambda d: d.merge(by_text(d).rename(columns={"s": "k"}), left_on=["s", "j"], right_on=["k", "j"]),
    "merge_semi": lambda d: d.merge(by_text(d), how="leftsemi", on=["s", "j"]),
    "merge_anti": lambda d: d.merge(by_text(d), how="leftanti", on=["s", "j"]),
    "merge_right_index": lambda d: d.merge(indexed(d), left_on="j", right_index=True),
    "merge_indexes": lambda d: d.set_index("j", sort=False).merge(indexed(d), left_index=True, right_index=True),
    "merge_indexes_repeated": lambda d: d.set_index("j", sort=False).merge(by_text(d).set_index("j", sort=False), left_index=True, right_index=True),
    "join_repeated": lambda d: d.set_index("i", sort=False).join(by_text(d).drop(columns="j").set_index("i", sort=False), rsuffix="_r"),
    "join_semi": lambda d: d.set_index("j").merge(indexed(d), how="leftanti", left_index=True, right_index=True),
    "merge_outer": lambda d: d.merge(by_text(d), how="outer", on=["s", "j"]),
    "merge_sides": lambda d: sides_as_numbers(d.merge(by_text(d), how="left", on=["s", "j"], indicator="from", validate="many_to_one")),
    "join_outer": lambda d: indexed(d).join(indexed(d)[["u"]], how="outer", lsuffix="_l"),
    "merge_exchanged": lambda d: d.merge(by_text(d), on=["s", "j"], npartitions=4, broadcast=False).sort_values(["s", "j", "u_x", "g"]),
    "merge_parts": lambda d: d.merge(by_text(d), on=["s", "j"], npartitions=2),
    "join": lambda d: d.join(indexed(d), on="j", lsuffix="_l"),
    "join_indexes": lambda d: d.set_index("i").join(indexed(d).rename(columns={"i": "of i"}), how="inner", rsuffix="_r"),
    "join_row_numbers": lambda d: d.join(by_text(d).reset_index(drop=True), rsuffix="_r"),
    "sort_values": lambda d: d.sort_values("f"),
    "sort_values_several": lambda d: d.sort_values(["s", "f"], ascending=[False, True], na_position="first", npartitions=3),
    "sort_values_numbered": lambda d: d.sort_values(["t", "i"], ascending=False, ignore_index=True),
    "sort_index": lambda d: d.set_index("d", sort=False).sort_index(ascending=False),
    "set_index_sorted": lambda d: d.sort_values("u").set_index("u", drop=False, sorted=True).rename(columns={"u": "v"}),
    "set_index_ordered": lambda d: d.set_index("d"),
    "set_index_divisions": lambda d: d.set_index("d", divisions=[pd.Timestamp(t) for t in ("2013-01-03", "2013-01-05 12:00", "2013-01-09")]),
    "shuffle": lambda d: d.shuffle(["s", "j"], npartitions=3).sort_values(["u", "g"]),
    "shuffle_on_index": lambda d: d.set_index("s").shuffle(on_index=True, ignore_index=True).sort_values(["u", "g"]),
    "repartition_divisions": lambda d: d.set_index("u").repartition(divisions=[100, 200, 1000], force=True),
    "loc": lambda d: d.set_index("u", divisions=[0, 100, 400, 1000]).loc[100:350],
    "loc_of_times": lambda d: d.set_index("d").loc[pd.Timestamp("2013-01-03") : pd.Timestamp("2013-01-05 12:00:00")],
    "loc_of_row_numbers": lambda d: d.loc[60:80],
    "loc_from": lambda d: d.set_index("u", divisions=[0, 100, 400, 1000]).loc[400:],
    "loc_to": lambda d: d.set_index("s").loc[:"b"],
    "loc_outside": lambda d: dd.concat([d.set_index("u").loc[700:], d.set_index("u").loc[:60]]),
    "loc_of_nothing": lambda d: d.set_index("u", divisions=[0, 100, 400, 1000]).loc[2000:3000],
    "frame_rolling": lambda d: d[NUMBERS].rolling(5, min_periods=2).mean(),
    "frame_rolling_span": lambda d: d[["i", "d", "f"]].sort_values("d").rolling("3h", closed="both", on="d").sum(),
    "frame_rolling_index": lambda d: d[["i", "d", "f"]].set_index("d").rolling("90min").std(ddof=0),
    "group_transform": lambda d: d[["t", "i", "f", "g"]].groupby("t").transform("sum"),
    "nlargest_several": lambda d: d.nlargest(7, ["j", "f"]),
    "concat_inner": lambda d: dd.concat([d, by_text(d)], join="inner"),
    "index": lambda d: d.set_index("s").index.to_series().rename("of s"),
    "series_loc": lambda d: d.set_index("s").i.loc["a":"b"],
    "series_index": lambda d: d.i.index.to_series().rename("n"),
    "series_sort_values": lambda d: d.t.sort_values(na_position="first"),
    "series_sort_index": lambda d: d.set_index("i", sort=False).f.sort_index(ascending=False, ignore_index=True),
    "series_repartition": lambda d: d.i.repartition(npartitions=4),
    "series_repartition_divisions": lambda d: d.set_index("i").f.repartition(divisions=[-50, 0, 0], force=True),
    "series_concat": lambda d: dd.concat([d.f, d.i]),
    "rolling_sum": lambda d: d.f.rolling(4).sum(),
    "rolling_count": lambda d: d.t.notnull().astype("float64").where(d.t.notnull()).rolling(3).count(),
    "rolling_min": lambda d: d.i.rolling(3, center=True).min(),
    "rolling_max": lambda d: d.i.rolling(6, min_periods=1, closed="left").max(),
    "rolling_var": lambda d: d.i.rolling(9).var(),
    "rolling_std": lambda d: d.i.rolling(9).std(ddof=2),
    "rolling_mean_span": lambda d: d.set_index("d").i.rolling("1h").mean(),
    "transform": lambda d: d.groupby(["s", "j"]).i.transform("mean"),
    "transform_missing": lambda d: d.groupby("t").u.transform("max"),
    "transform_all_groups": lambda d: d.groupby("t", dropna=False).i.transform("sum"),
    "transform_size": lambda d: d.groupby("s").f.transform("size"),
    "transform_key": lambda d: d.groupby("s").s.transform("count"),
    "transform_float32": lambda d: d.groupby("s").g.transform("sum"),
    "add_prefix": lambda d: d.add_prefix("p_"),
    "add_suffix": lambda d: d.add_suffix("_s"),
    "get_partition": lambda d: d.get_partition(1),
    "repartition": lambda d: d.repartition(npartitions=3),
    "concat": lambda d: dd.concat([d, d]),
    "arithmetic": lambda d: ((d[NUMBERS] + d[NUMBERS]) * 2 - 1) / 4 % 3,
    "reversed": lambda d: 7 % (2 / (3 * (1 - (5 + d[NUMBERS])))),
    "frame_pow": lambda d: d[NUMBERS] ** 2 // 3,
    "comparison": lambda d: d[NUMBERS] <= 1,
    "to_frame": lambda d: d.i.to_frame("x"),
    **{
        f"group_{n}": (lambda function: lambda d: getattr(d[["s", "i", "f"]].groupby("s"), function)())(n)
        for n in "sum mean min max count std var median nunique first last".split()
    },
    "group_prod": lambda d: d[["s", "j", "f"]].groupby("s").prod(),
    "split": lambda d: d.s.str.split("p", n=2, expand=True).rename(columns={0: "0", 1: "1", 2: "2"}),
    "group_two": lambda d: d[["s", "j", "f"]].groupby(["s", "j"]).sum(),
    "group_agg": lambda d: d.groupby("j").f.agg(["min", "max", "mean"]),
    "floordiv": lambda d: d.f // 3,
    "pow": lambda d: d.i**2,
    "series_arithmetic": lambda d: (d.i + d.f) * 2 - d.j / 2.0,
    "logic": lambda d: ~((d.i > 0) & (d.f < 1)) | (d.b ^ (d.j == 1)) | (d.j != 2) | (d.i >= 5) | (d.f <= -1),
    "series_reversed": lambda d: 7 % (2 / (3 * (1 - (5 + d.f)))),
    "neg": lambda d: -d.f,
    "between": lambda d: d.i.between(-5, 5),
    "where": lambda d: d.f.where(d.i > 0, d.f * 2),
    "where_missing": lambda d: d.s.where(d.i > 0),
    "mask": lambda d: d.s.mask(d.b, "masked"),
    "clip": lambda d: d.f.clip(upper=1.5),
    "round": lambda d: d.f.round(1),
    "replace": lambda d: d.s.replace("fig", "date"),
    "cumsum": lambda d: d.f.cumsum(),
    "cumprod": lambda d: (d.f / 50).cumprod(),
    "cummin": lambda d: d.e.cummin(),
    "cummax": lambda d: d.i.cummax(),
    "shift": lambda d: d.t.shift(-3),
    "shift_filled": lambda d: d.i.shift(3, fill_value=7),
    "diff": lambda d: d.i.diff(-2),
    "ffill": lambda d: d.f.ffill(limit=1),
    "bfill": lambda d: d.t.bfill(),
    "series_fillna": lambda d: d.t.fillna("none"),
    "series_dropna": lambda d: d.t.dropna(),
    "series_isna": lambda d: d.t.isna(),
    "series_notna": lambda d: d.t.notnull(),
    "series_isin": lambda d: d.s.isin(["fig", "apple"]),
    "series_abs": lambda d: abs(d.f),
    "series_astype": lambda d: d.i.astype("float32"),
    "series_filter": lambda d: d.s[d.i > 0],
    "series_rename": lambda d: d.s.rename("text"),
    "series_drop_duplicates_all": lambda d: d.f.drop_duplicates(keep=False),
    "series_drop_duplicates": lambda d: d.s.drop_duplicates(),
    "value_counts": lambda d: d.s.value_counts(),
    "len": lambda d: d.s.str.len(),
    "contains": lambda d: d.s.str.contains("pp"),
    "startswith": lambda d: d.s.str.startswith("a"),
    "endswith": lambda d: d.s.str.endswith("e"),
    "lower": lambda d: d.t.str.lower(),
    "upper": lambda d: d.t.str.upper(),
    "strip": lambda d: d.s.str.strip("ae"),
    "lstrip": lambda d: d.t.str.lstrip(),
    "rstrip": lambda d: d.s.str.rstrip("es"),
    "slice": lambda d: d.s.str.slice(-4, -1),
    "get": lambda d: d.s.str.get(2),
    "removeprefix": lambda d: d.s.str.removeprefix("a"),
    "removesuffix": lambda d: d.s.str.removesuffix("bytes"),
    "text_replace": lambda d: d.s.str.replace("e", "EE"),
    "dt_floor": lambda d: d.d.dt.floor("15min"),
    "dt_ceil": lambda d: d.d.dt.ceil("h"),
    "dt_round": lambda d: d.d.dt.round("7s"),
    "dt_normalize": lambda d: d.e.dt.normalize(),
    "dt_day_name": lambda d: d.e.dt.day_name(),
    "dt_month_name": lambda d: d.d.dt.month_name(),
    "dt_total_seconds": lambda d: (d.d - d.e).dt.total_seconds(),
    "dt_days": lambda d: (d.d - d.d.shift(1)).dt.days,
    "group_size": lambda d: d.groupby("s").size().rename("size"),
    "series_group_sum": lambda d: d.groupby("s").i.sum(),
    "series_group_unsorted": lambda d: d.groupby("t", sort=False, dropna=False).f.max(),
    **{
        n: (lambda field: lambda d: getattr(d.d.dt, field))(n)
        for n in "year month day hour minute second microsecond nanosecond dayofweek dayofyear quarter days_in_month is_month_start is_month_end "
        "is_leap_year".split()
    },
    "to_parquet": lambda d: d,
    "set_index": lambda d: d.set_index("s", sort=False),
    "reset_index": lambda d: d.groupby("s").i.agg(["sum"]),
}
VALUES = {
    "sum": lambda d: d.i.sum(),
    "prod": lambda d: (d.j + 1.0).prod(),
    "product": lambda d: (d.j + 1.0).product(),
    "mean": lambda d: d.f.mean(),
    "std": lambda d: d.f.std(),
    "var": lambda d: d.f.var(),
    "min": lambda d: d.i.min(),
    "max": lambda d: d.f.max(),
    "count": lambda d: d.f.count(),
    "size": lambda d: d.f.size,
    "nunique": lambda d: d.s.nunique(),
    "median": lambda d: d.f.median(),
    "quantile": lambda d: d.f.quantile(0.3),
    "any": lambda d: (d.i > 49).any(),
    "all": lambda d: (d.i > -51).all(),
}

INVALID, TYPE, MISSING, UNSUPPORTED = 0, 1, 2, 6  # muster::ErrorKind
# What both doors refuse: the call in Python, what it raises, the kind of the error in C++, and what its message says.
# Without a call: what Python answers, or C++ alone can say.
REFUSED = {
    "no such kind": (lambda d: d.merge(d, how="iner"), ValueError, INVALID, "how='iner' is none of inner, left.*did you mean inner"),
    "a kind of Python's": (None, None, UNSUPPORTED, "how='cross' is Python's"),
    "no such key": (
        lambda d: d.rename(columns={"s": "city"}).merge(d, left_on="citi", right_on="s"), KeyError, MISSING,
        "left side: column 'citi' not found; did you mean city"
    ),
    "no such key on the right": (lambda d: d.merge(d, left_on="s", right_on="z"), KeyError, MISSING, "right side: column 'z' not found"),
    "no such common key": (lambda d: d.merge(d, on=["s", "z"]), KeyError, MISSING, "column 'z' not found"),
    "no common column": (None, None, INVALID, "no column is in both frames"),  # Python takes the indexes
    "keys twice": (lambda d: d.merge(d, on="s", left_on="i"), ValueError, INVALID, "on is the key of both sides"),
    "half a key": (lambda d: d.merge(d, left_on="s"), ValueError, INVALID, "right side is right_on or right_index"),
    "the other half": (lambda d: d.merge(d, right_on="s"), ValueError, INVALID, "left side is left_on or left_index"),
    "more keys on one side": (lambda d: d.merge(d, left_on=["s", "i"], right_on="s"), ValueError, INVALID, "left_on has 2 columns, right_on 1"),
    "several keys and an index": (
        lambda d: d.merge(indexed(d), left_on=["s", "i"], right_index=True), ValueError, INVALID, "number of levels in the index of \"right\""
    ),
    "a column as indicator": (lambda d: d.merge(d, on="s", indicator="i"), ValueError, INVALID, "the column 'i' is there already"),
    "no such validation": (lambda d: d.merge(d, on="s", validate="one_to_two"), ValueError, INVALID, "validate='one_to_two' is none of one_to_one"),
    "keys that repeat": (
        lambda d: d.merge(d, on="s", validate="many_to_one").compute(), pd.errors.MergeError, INVALID, "not unique in right dataset; not a many-to-one merge"
    ),
    "no suffixes": (lambda d: d.merge(d, on="s", suffixes=("", "")), ValueError, INVALID, "labelled 'i', with the suffixes '' and ''"),
    "suffixes that make equals": (lambda d: d.assign(i_x=1).merge(d, on="s"), ValueError, INVALID, "labelled 'i_x'"),
    "join without suffixes": (lambda d: d.join(d.set_index("s"), on="s"), ValueError, INVALID, "labelled 'i'"),
    "keys of other dtypes": (lambda d: d.merge(d, left_on="s", right_on="i"), ValueError, UNSUPPORTED, "key 's' is str and int64"),
    "sort by nothing": (None, None, INVALID, "no columns to sort by"),
    "sort by what is not there": (
        lambda d: d.rename(columns={"s": "city"}).sort_values(["i", "cty"]), KeyError, MISSING, "sort_values: column 'cty' not found; did you mean city"
    ),
    "too few directions": (lambda d: d.sort_values(["s", "i"], ascending=[True]), ValueError, INVALID, r"Length of ascending \(1\) != length of by \(2\)"),
    "no place for what is missing": (lambda d: d.sort_values("s", na_position="middle"), ValueError, INVALID, "na_position must be either 'first' or 'last'"),
    "no place in an index": (lambda d: d.sort_index(na_position="middle"), ValueError, INVALID, "na_position must be either 'first' or 'last'"),
    "sort to less than a partition": (lambda d: d.sort_values("s", npartitions=-1), ValueError, INVALID, "npartitions must be a positive integer, got -1"),
    "an index that is not there": (lambda d: d.set_index("z"), KeyError, MISSING, "set_index: column 'z' not found"),
    "divisions that descend": (lambda d: d.set_index("i", divisions=[3, 1]), ValueError, INVALID, r"divisions must ascend.*got \[3, 1\]"),
    "divisions twice": (lambda d: d.set_index("i", divisions=[1, 1, 2]), ValueError, INVALID, "divisions must ascend"),
    "one division": (lambda d: d.set_index("i", divisions=[1]), ValueError, INVALID, "at least two"),
    "divisions of another dtype": (lambda d: d.set_index("i", divisions=["a", "b"]), TypeError, TYPE, "divisions: 'a' is no value of an index of dtype int64"),
    "divisions of other partitions": (
        lambda d: d.set_index("i", sorted=True, divisions=[1, 2]), ValueError, INVALID, "borders of the partitions that are there"
    ),
    "shuffle by nothing": (lambda d: d.shuffle(), TypeError, TYPE, "say which columns"),
    "shuffle by both": (lambda d: d.shuffle("s", on_index=True), TypeError, TYPE, "leave one out"),
    "shuffle by what is not there": (lambda d: d.shuffle("z"), KeyError, MISSING, "column 'z' not found"),
    "shuffle to less than a partition": (lambda d: d.shuffle("s", npartitions=-2), ValueError, INVALID, "npartitions must be a positive integer, got -2"),
    "no partitions": (lambda d: d.repartition(npartitions=0), ValueError, INVALID, "npartitions must be a positive integer, got 0"),
    "divisions of row numbers": (lambda d: d.repartition(divisions=[1, 2]), ValueError, INVALID, "needs an index, not row numbers"),
    "new divisions that descend": (lambda d: d.set_index("i").repartition(divisions=[2, 1]), ValueError, INVALID, "divisions must ascend"),
    "new divisions within the old": (
        lambda d: d.set_index("i", divisions=[-50, 0, 50]).repartition(divisions=[-40, 50]), ValueError, INVALID, "-50 to 50, asked -40 to 50; force=True"
    ),
    "no such rows to keep": (lambda d: d.drop_duplicates("s", keep="frist"), ValueError, INVALID, "keep must be"),
    "the last of equal rows": (None, None, UNSUPPORTED, "drop_duplicates: keep='last'"),
    "duplicates by what is not there": (lambda d: d.drop_duplicates("z"), KeyError, MISSING, "drop_duplicates: column 'z' not found"),
    "largest by what is not there": (lambda d: d.nlargest(3, ["i", "z"]), KeyError, MISSING, "nlargest: column 'z' not found"),
    "a window of less than no rows": (lambda d: d.i.rolling(-1).sum(), ValueError, INVALID, "window must be 0 or greater, got -1"),
    "more values than a window has": (lambda d: d.i.rolling(2, min_periods=3).sum(), ValueError, INVALID, "min_periods must be between 0 and.*got 3"),
    "no such ends of a window": (lambda d: d.i.rolling(2, closed="leftt").sum(), ValueError, INVALID, "closed must be right, left, both or neither"),
    "a window on what is not there": (lambda d: d.rolling("1h", on="z").sum(), ValueError, MISSING, "rolling: column 'z' not found"),
    "a span of numbers": (lambda d: d.i.rolling("1h").sum(), ValueError, TYPE, "a span of time needs times"),
    "no such aggregate": (lambda d: d.groupby("s").i.transform("meen"), ValueError, INVALID, "'meen' is none of sum, mean.*did you mean mean"),
    "transform by what is not there": (lambda d: d.groupby("z").i.transform("mean"), KeyError, MISSING, "groupby: column 'z' not found"),
    "transform of what is not there": (lambda d: d.groupby("s")["z"].transform("mean"), KeyError, MISSING, "groupby: column 'z' not found"),
    "a name twice in a file": (None, None, INVALID, "to_parquet: two columns, or a column and the index, are named 'i'"),
    "index values of another dtype": (None, None, TYPE, "str"),
    "index values of several levels": (None, None, UNSUPPORTED, "loc: of an index of several levels"),
    "nothing to concat": (lambda d: dd.concat([]), ValueError, INVALID, "nothing to put together"),
    "no such way to concat": (lambda d: dd.concat([d, d], join="iner"), ValueError, INVALID, "'join' must be 'inner' or 'outer'"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """(the lazy frame, the folder of the C++ results, the values and refusals it printed)."""
    if not DOORS.exists():
        pytest.skip("the C++ tests are not built")
    folder = tmp_path_factory.mktemp("doors")
    example_frame().to_parquet(folder / "in.parquet", row_group_size=70)
    done = subprocess.run([DOORS, folder / "in.parquet", folder / "out"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    values = dict(line.split() for line in lines if "\t" not in line)
    values["refused"] = {name: (int(kind), message) for _, name, kind, message in (line.split("\t") for line in lines if "\t" in line)}
    return dd.read_parquet(folder / "in.parquet", split_row_groups=True), folder / "out", values


@pytest.mark.parametrize("name", METHODS)
def test_method(answers, name):
    df, folder, _ = answers
    parts = sorted((folder / name).iterdir(), key=lambda p: int(p.name.split(".")[1]))
    theirs = pd.concat([pd.read_parquet(p) for p in parts], ignore_index=True)
    ours = METHODS[name](df).compute()
    if isinstance(ours, pd.Series):
        ours = ours.to_frame(ours.name if ours.name is not None else "")
    ours = ours.reset_index(drop=ours.index.names == [None])
    for column in theirs:  # a file has no object columns
        if ours[column].dtype == object:
            ours[column] = ours[column].astype(theirs[column].dtype)
    pd.testing.assert_frame_equal(theirs, ours, check_dtype=True)
    # What was written is read by everybody.
    pd.testing.assert_frame_equal(dd.read_parquet(folder / name).compute().reset_index(drop=True), theirs)


@pytest.mark.parametrize("name", VALUES)
def test_value(answers, name):
    df, _, values = answers
    assert float.fromhex(values[name]) == float(VALUES[name](df).compute())


@pytest.mark.parametrize("name", REFUSED)
def test_refused(answers, name):
    df, _, values = answers
    call, error, kind, message = REFUSED[name]
    theirs = values["refused"][name]
    assert theirs[0] == kind, theirs
    assert re.search(message, theirs[1]), theirs
    if call is not None:
        with pytest.raises(error):
            call(df).compute()


def test_every_refusal_is_compared(answers):
    assert answers[2]["refused"].keys() == REFUSED.keys()


def test_largest(answers):
    df, _, values = answers
    assert float.fromhex(values["nlargest"]) == df.nlargest(3, "i").compute().f.iloc[0]
    assert float.fromhex(values["nsmallest"]) == df.i.nsmallest(3).compute().iloc[2]
    assert int(values["len"]) == len(df)


def test_every_typed_method_is_compared():
    """Of those written by hand: the others are calls that the build writes from the operators' forms, of which many are compared."""
    header = (pathlib.Path(__file__).resolve().parents[2] / "include/muster/dataframe.hpp").read_text()
    program = (pathlib.Path(__file__).resolve().parents[2] / "tests/cpp/doors.cpp").read_text()
    methods = set(re.findall(r"^  (?:Series|DataFrame|Scalar) (\w+)\(", header, re.MULTILINE)) - {"Series", "DataFrame", "call", "persist", "one"}
    missing = {m for m in methods if f".{m}(" not in program}
    assert not missing


def test_a_wide_frame_as_csv(tmp_path):
    frame = pd.DataFrame({f"c{i}": range(i, i + 250) for i in range(1001)})
    dd.from_pandas(frame, npartitions=2).to_csv(tmp_path / "wide.csv", single_file=True)
    assert (tmp_path / "wide.csv").read_text() == frame.to_csv()


@pytest.mark.parametrize("choose", [slice(1, None), [2, 0], 2], ids=str)
def test_chosen_partitions_are_written(tmp_path, choose):
    df = dd.from_pandas(pd.DataFrame({"x": range(12)}), npartitions=3)
    chosen = df.partitions[choose]
    expected = chosen.compute()
    chosen.to_csv(str(tmp_path / "one.csv"), single_file=True)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "one.csv", index_col=0), expected)
    chosen.to_csv(str(tmp_path / "many"))
    assert sorted(os.listdir(tmp_path / "many")) == [f"{i}.part" for i in range(chosen.npartitions)]
    chosen.to_json(str(tmp_path / "json"))
    assert len(os.listdir(tmp_path / "json")) == chosen.npartitions
    chosen[chosen.x > 1].to_parquet(tmp_path / "parquet")
    assert dd.read_parquet(tmp_path / "parquet").x.compute().tolist() == [x for x in expected.x if x > 1]
