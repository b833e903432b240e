"""Operations that must run in the engine: `explain` shows no Python for them, and they give what pandas gives."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import PARTITIONS, example_frame, same
from muster import _core

NUMBERS = ["i", "j", "u", "f", "g"]
DATES = (
    "year month day hour minute second microsecond nanosecond dayofweek dayofyear quarter days_in_month is_month_start is_month_end is_quarter_start "
    "is_quarter_end is_year_start is_year_end is_leap_year"
).split()

OPERATIONS = {
    "where": lambda d: d.i.where(d.f > 0),
    "where_scalar": lambda d: d.f.where(d.i > 0, 1),
    "where_column": lambda d: d.f.where(d.i > 0, d.f * 2),
    "where_text": lambda d: d.t.where(d.i > 0, "none"),
    "where_bool": lambda d: d.b.where(d.i > 0),
    "where_nothing_replaced": lambda d: d.i.where(d.i > -100),
    "where_frame": lambda d: d[["i", "f"]].where(d[["i", "f"]] > 0, 0),
    "mask": lambda d: d.s.mask(d.b, "masked"),
    "mask_time": lambda d: d.e.mask(d.b, pd.Timestamp("2001-02-03")),
    "clip": lambda d: d[NUMBERS].clip(1, 100),
    "clip_upper": lambda d: d.f.clip(upper=0.5),
    "clip_swapped": lambda d: d.i.clip(5, -5),
    "round": lambda d: d[["f", "g", "s", "i"]].round(2),
    "round_tens": lambda d: d.f.round(-1),
    "replace": lambda d: d[["i", "f"]].replace({1: 2, 2: 1}),
    "replace_text": lambda d: d.t.replace(["x", None], ["z", "gone"]),
    "replace_nan": lambda d: d.f.replace(np.nan, -1),
    "cumsum": lambda d: d[["i", "j", "u", "f", "b"]].cumsum(),
    "cumprod": lambda d: (d[["f", "j"]] / 50).cumprod(),
    "cummin": lambda d: d[["i", "f", "d", "e"]].cummin(),
    "cummax": lambda d: d[["i", "f", "d", "e", "b"]].cummax(),
    "shift": lambda d: d[["i", "f", "s", "t", "e", "g"]].shift(),
    "shift_back": lambda d: d[["i", "s"]].shift(-40),
    "shift_far": lambda d: d.f.shift(259),
    "shift_all": lambda d: d.f.shift(1000),
    "shift_none": lambda d: d[["i", "b"]].shift(0),
    "shift_filled": lambda d: d[["i", "j"]].shift(3, fill_value=7),
    "diff": lambda d: d[["i", "j", "u", "f", "g", "d", "e"]].diff(),
    "diff_back": lambda d: d.f.diff(-5),
    "ffill": lambda d: d.ffill(),
    "bfill": lambda d: d.bfill(),
    "ffill_limit": lambda d: d[["f", "t", "e"]].ffill(limit=1),
    "bfill_limit": lambda d: d[["f", "t", "e"]].bfill(limit=2),
    "ordered_twice": lambda d: d.f.ffill().cumsum().shift(2).diff(),
    "ordered_filtered": lambda d: d[d.i > 0].f.cumsum(),
    "ordered_beside": lambda d: d.assign(before=d.i.shift(1), total=d.i.cumsum())[["before", "total", "s"]],
    **{f"dt_{name}": (lambda n: lambda d: getattr(d.e.dt, n))(name) for name in DATES},
    **{
        f"dt_{how}_{step}": (lambda h, s: lambda d: getattr(d.d.dt, h)(s))(how, step) for how in ("floor", "ceil", "round")
        for step in ("h", "15min", "D", "7s")
    },
    **{f"str_{how}": (lambda h: lambda d: getattr(d.s.str, h)("ae"))(how) for how in ("strip", "lstrip", "rstrip", "removeprefix", "removesuffix")},
    **{f"str_{how}_space": (lambda h: lambda d: getattr((" \t" + d.t + "\n ").str, h)())(how) for how in ("strip", "lstrip", "rstrip")},
    **{
        f"str_slice_{a}_{b}": (lambda start, stop: lambda d: d.s.str.slice(start, stop))(a, b)
        for a, b in ((0, 3), (1, None), (-3, None), (None, -2), (-100, 2), (3, 1), (2, 100), (-4, -2), (None, None))
    },
    "str_item": lambda d: d.s.str[1],
    "str_item_back": lambda d: d.s.str[-2],
    "str_item_slice": lambda d: d.t.str[:1],
    "str_get": lambda d: d.s.str.get(30),
    "str_split_expand": lambda d: d.s.str.split(
        "p", n=1, expand=True
    ).reindex(columns=[0, 1]).astype("str") if isinstance(d, pd.DataFrame) else d.s.str.split("p", n=1, expand=True),
    "str_split_get": lambda d: d.s.str.split("p").str.get(1).astype("str"),
    "str_split_item": lambda d: d.s.str.split("p", n=1).str[1].astype("str"),
    "str_replace": lambda d: d.s.str.replace("p", "-"),
    "str_replace_longer": lambda d: d.s.str.replace("ü", "ue"),
    "str_replace_none": lambda d: d.t.str.replace("zz", ""),
    "dt_day_name": lambda d: d.e.dt.day_name(),
    "dt_month_name": lambda d: d.d.dt.month_name(),
    "dt_normalize": lambda d: d.e.dt.normalize(),
    "dt_total_seconds": lambda d: (d.d - d.e).dt.total_seconds(),
    **{f"dt_{name}": (lambda n: lambda d: getattr((d.d - d.e).dt, n))(name) for name in ("days", "seconds", "microseconds", "nanoseconds")},
}


@pytest.fixture(params=PARTITIONS)
def frames(request):
    pdf = example_frame()
    return pdf, dd.from_pandas(pdf, npartitions=request.param)


@pytest.mark.parametrize("name", OPERATIONS)
def test_native(frames, name):
    pdf, df = frames
    ours = OPERATIONS[name](df)
    assert "python:" not in _core.explain([ours._expr])
    same(ours, OPERATIONS[name](pdf))


def test_where_pandas_changes_the_dtype_pandas_does_it():
    pdf = pd.DataFrame({"x": [1, 2, 3], "t": ["a", "b", "c"]})
    df = dd.from_pandas(pdf, npartitions=2)
    for operation in (
        lambda d: d.x.where(d.x > 1, 0.5), lambda d: d.x.clip(1.5), lambda d: d.x.replace(1, "one"), lambda d: d.t.replace("a", 1),
        lambda d: d.x.replace({1: None})
    ):
        same(operation(df), operation(pdf))


def test_partitions_of_ordered_results():
    pdf = example_frame()
    df = dd.from_pandas(pdf, npartitions=7)
    total = df.i.cumsum()
    assert pd.concat([total.partitions[k].compute() for k in range(7)]).equals(pdf.i.cumsum())
    same(dd.concat([df, df]).i.cumsum(), pd.concat([pdf, pdf]).i.cumsum())
    same(df.repartition(npartitions=3).f.ffill(), pdf.f.ffill())


def test_ordered_results_of_files(tmp_path):
    pdf = pd.DataFrame({"x": [1.0, None, 3.0, None] * 50, "n": range(200)})
    pdf.loc[117, "n"] = None  # an integer column that turns out to have a missing value
    pdf.astype({"n": "Int64"}).to_csv(tmp_path / "a.csv", index=False)
    df = dd.read_csv(tmp_path / "a.csv", blocksize=100)
    assert df.npartitions > 5
    theirs = pd.read_csv(tmp_path / "a.csv")
    for operation in (
        lambda d: d.n.cumsum(), lambda d: d.n.ffill(), lambda d: d.n.diff(), lambda d: d.n.shift(-1), lambda d: d.x.bfill(limit=1),
        lambda d: d.n.where(d.x > 1), lambda d: d.n.clip(5, 10)
    ):
        same(operation(df), operation(theirs))
