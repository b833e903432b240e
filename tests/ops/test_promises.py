"""What a function's result was said to be, and what it turns out to be: no value is lost. pandas' concatenation of the partitions is the judge."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster
import muster.dataframe as dd
from conftest import raised, same

LETTERS = ["b", "a", "c", None, "e", "d", "a", "f", "b"]


def letters(partitions):
    frame = pd.DataFrame({"s": pd.Series(LETTERS, dtype="str"), "v": range(len(LETTERS))})
    return frame, dd.from_pandas(frame, npartitions=partitions)


def as_category(frame):
    return frame.assign(s=frame.s.astype("category"))


@pytest.mark.parametrize("partitions", [1, 2, 3, 7])
def test_categories_that_differ_between_partitions_are_united(partitions):
    frame, df = letters(partitions)
    theirs = as_category(frame)
    ours = df.map_partitions(as_category)
    same(ours, theirs)
    same(ours.s.cat.codes, theirs.s.cat.codes)
    same(ours.s.value_counts().sort_index(), theirs.s.value_counts().sort_index())
    same(ours.groupby("s", observed=False).v.sum(), theirs.groupby("s", observed=False).v.sum())
    same(ours[ours.s == "e"], theirs[theirs.s == "e"])
    same(ours.s.isna().sum(), theirs.s.isna().sum())
    same(df.s.map(str.upper, na_action="ignore").astype("category"), frame.s.map(str.upper, na_action="ignore").astype("category"))
    same(df.map_partitions(as_category).persist(), theirs)


def part_of(i):
    return pd.DataFrame({"c": pd.Categorical([f"k{i}", "k0"]), "n": [i, i]})


@pytest.mark.parametrize("make", ["from_map", "from_delayed"])
def test_parts_with_categories_of_their_own(make):
    if make == "from_map":
        df = dd.from_map(part_of, range(12))
    else:
        df = dd.from_delayed([muster.delayed(part_of)(i) for i in range(12)])
    whole = pd.concat([part_of(i).astype({"c": "str"}) for i in range(12)])
    whole["c"] = whole["c"].astype("category")
    same(df, whole)
    same(df.c.cat.codes, whole.c.cat.codes)


@pytest.mark.parametrize("dtype", ["category", pd.CategoricalDtype(ordered=True), pd.CategoricalDtype()])
def test_what_is_a_category_already_keeps_its_categories(dtype):
    frame = pd.DataFrame({"o": pd.Categorical([3, 1, 2, 1], [3, 2, 1, 0], ordered=True), "u": pd.Categorical(list("abca")), "s": list("baab")})
    for df in (dd.from_pandas(frame, npartitions=3), dd.from_map(lambda part: part, [frame[:2], frame[2:2], frame[2:]])):
        same(df.astype(dtype), frame.astype(dtype))
        same(df.astype({"o": dtype}), frame.astype({"o": dtype}))
        for c in frame:
            same(df[c].astype(dtype), frame[c].astype(dtype))


def test_a_partition_without_categories(tmp_path):
    frame = pd.DataFrame({"c": pd.Categorical(list("abc") * 4), "n": range(12)})
    for i, part in enumerate((frame[:3], frame[3:3], frame[3:])):
        part.to_parquet(tmp_path / f"{i}.parquet")
    df = dd.read_parquet(tmp_path)
    same(df, frame)
    same(df.persist(), frame)
    same(df.map_partitions(lambda part: part), frame)
    same(df.c.astype(str), frame.c.astype(str))


def test_ordered_categories_that_differ_become_objects():
    def part(i):
        return pd.DataFrame({"c": pd.Categorical(["x", f"k{i}"], categories=["x", f"k{i}"], ordered=True)})

    same(dd.from_map(part, range(3)), pd.concat([part(i) for i in range(3)]))
    equal = dd.from_map(lambda i: pd.DataFrame({"c": pd.Categorical(["x"], categories=["y", "x"], ordered=True)}), range(3))
    assert equal.c.compute().dtype == pd.CategoricalDtype(["y", "x"], ordered=True)


@pytest.mark.parametrize("others", [{}, {"z": pd.Series([1.5, 2.5])}])
def test_files_with_categories_of_their_own(tmp_path, others):
    for i in range(3):
        pd.DataFrame({"c": pd.Categorical([f"k{i}", "k0"]), **others}).to_parquet(tmp_path / f"{i}.parquet")
    df = dd.read_parquet(tmp_path)
    assert df.c.compute().astype("str").tolist() == ["k0", "k0", "k1", "k0", "k2", "k0"]
    assert set(df.c.compute().dtype.categories) == {"k0", "k1", "k2"}
    assert df[df.c == "k2"].compute().c.astype("str").tolist() == ["k2"]


VALUES = {
    "int8": [-128, 127],
    "uint8": [255, 0],
    "int64": [2**53 + 1, -1],
    "uint64": [2**64 - 1, 2**63],
    "float32": [0.1, np.nan],
    "float64": [0.1, np.nan],
    "bool": [True, False],
    "str": ["a", None],
    "datetime64[s]": ["2020-01-01T00:00:01", "9999-12-31"],
    "datetime64[ms]": ["2020-01-01T00:00:01.123", "NaT"],
    "datetime64[ns]": ["2020-01-01T00:00:01.123456789", "NaT"],
    "timedelta64[s]": [5, 7],
    "timedelta64[us]": [5, 7],
    "Int64": [2**53 + 1, None],
    "UInt8": [255, None],
    "Float64": [0.5, None],
    "boolean": [True, None],
    "int64[pyarrow]": [2**53 + 1, None],
    "string": ["a", None],
    "object": [(1,), {2}],
}


def column_of(dtype):
    values = VALUES[dtype]
    return pd.Series(np.array(values, dtype=dtype) if dtype.startswith(("datetime64", "timedelta64")) else values, dtype=dtype, name="x")


@given(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
def test_dtypes_that_differ_between_partitions(dtypes):
    parts = [column_of(d) for d in dtypes]
    lazy = dd.from_map(lambda i: parts[i].to_frame(), range(len(parts))).x
    try:
        theirs = pd.concat(parts)
    # the year 9999 beside nanoseconds; 2**64 - 1 beside Arrow's integers, which are objects here
    except (OverflowError, pd.errors.OutOfBoundsDatetime, pa.ArrowInvalid):
        error = raised(lazy.compute)
        assert error is None or "9999" in str(error), error
        return
    ours = lazy.compute()
    for a, b in zip(ours, theirs, strict=True):
        assert (pd.isna(a) is True and pd.isna(b) is True) or a == b or float(a) == float(b), (dtypes, a, b)
    if theirs.dtype == np.float64 and all(np.dtype(d).kind in "iu" for d in dtypes):
        assert ours.dtype in (np.dtype("uint64"), np.dtype(object))  # without rounding
        assert ours.tolist() == [v for d in dtypes for v in VALUES[d]]
    elif len(set(dtypes)) <= 2 and theirs.dtype != object:
        assert ours.dtype == theirs.dtype


PROMISES = [
    ("int64", [1.5, 2.0], "1.5"),
    ("int8", [1, 300], "300"),
    ("uint8", [1, -1], "-1"),
    ("float32", [0.5, 0.1], "0.1"),
    ("datetime64[s]", np.array(["2020-01-01T00:00:01.500"], dtype="M8[ms]"), "2020-01-01 00:00:01.5"),
    (pd.CategoricalDtype(["a", "b"]), ["a", "z"], "'z'"),
    (pd.CategoricalDtype(["a", "b"]), pd.Categorical(["a", "z"]), "'z'"),
    ("bool", [1, 2], "2"),
    ("int64", ["1", "2"], "'1'"),
    ("str", [1, 2], "1"),
    ("Int64", [1.5, None], "1.5"),
    ("boolean", [2], "2"),
]


@pytest.mark.parametrize(("promised", "values", "shown"), PROMISES)
def test_a_promise_of_the_user_is_kept_or_broken_with_an_error(promised, values, shown):
    meta = pd.DataFrame({"x": pd.Series([], dtype=promised)})
    df = dd.from_pandas(pd.DataFrame({"i": range(3)}), npartitions=3)

    def function(part):
        return pd.DataFrame({"x": pd.Series([], dtype=promised)}) if part.i.iloc[0] < 1 else pd.DataFrame({"x": values})

    makers = {
        "map_partitions": lambda: df.map_partitions(function, meta=meta),
        "from_map": lambda: dd.from_map(lambda i: function(pd.DataFrame({"i": [i]})), range(3), meta=meta),
        "from_delayed": lambda: dd.from_delayed([muster.delayed(function)(pd.DataFrame({"i": [i]})) for i in range(3)], meta=meta),
    }
    for make in makers.values():
        with pytest.raises(ValueError, match="column 'x' of partition [12] has the value") as raised:
            make().compute()
        assert shown in str(raised.value)


def test_what_a_promise_holds_is_converted():
    for promised, values in [
        ("int64", [1.0, 2.0]),
        ("float64", [1, 2]),
        ("datetime64[s]", np.array(["2020-01-01"], dtype="M8[ns]")),
        (pd.CategoricalDtype(["b", "a"]), ["a", "b"]),
        ("Int64", [1.0, None]),
        ("str", np.array(["a", None], dtype=object)),
        ("category", ["a", "b"]),
        ("int64", pd.array([1, 2], dtype="Int64")),
    ]:
        df = dd.from_map(lambda i, values=values: pd.DataFrame({"x": values}), [0, 1], meta={"x": promised})
        expected = pd.concat([pd.DataFrame({"x": pd.Series(values).astype(promised)})] * 2)
        same(df, expected)
    with_missing = dd.from_map(lambda i: pd.DataFrame({"x": [1.0, np.nan]}), [0, 1], meta={"x": "int64"})
    assert with_missing.x.compute().dtype == "float64"
    widened = dd.from_pandas(pd.DataFrame({"i": range(3)}), npartitions=3).map_partitions(
        lambda d: d.assign(i=d.i + 0.5), meta={"i": "int64"}, enforce_metadata=False
    )
    assert widened.i.compute().tolist() == [0.5, 1.5, 2.5]


def test_integers_that_need_all_64_bits():
    s = pd.Series([1, 2, 2**63 + 1, 2**64 - 1], dtype="uint64")
    for partitions in (1, 2, 4):
        same(dd.from_pandas(s, npartitions=partitions).map(lambda v: v), s.map(lambda v: v))
    mixed = dd.from_map(lambda i: pd.DataFrame({"x": [[-1], [2**64 - 1], [3]][i]}), range(3)).x.compute()
    assert mixed.tolist() == [-1, 2**64 - 1, 3]


def test_items_of_a_bag_are_not_cut():
    import muster.bag as db

    items = db.from_sequence([{"x": 1}, {"x": 2.5}, {"x": None}], npartitions=3)
    assert items.to_dataframe().x.compute().tolist()[:2] == [1, 2.5]
    with pytest.raises(ValueError, match=r"column 'x' of partition 1 has the value .*2\.5"):
        items.to_dataframe(meta={"x": "int64"}).compute()


def test_dtypes_say_what_a_run_has_found(tmp_path):
    rows = 30_000
    frame = pd.DataFrame({"i": range(rows), "m": range(rows), "f": range(rows), "s": range(rows), "b": [True] * rows})
    frame = frame.astype({"m": "Int64", "f": "object", "s": "object"})
    frame.loc[rows - 2, "m"] = pd.NA
    frame.loc[rows - 1, "f"] = 1.5
    frame.loc[rows - 1, "s"] = "text"
    frame.to_csv(tmp_path / "a.csv", index=False)
    whole = pd.read_csv(tmp_path / "a.csv")
    df = dd.read_csv(tmp_path / "a.csv", blocksize=50_000, sample=10_000)
    before = df.f * 2
    assert df.dtypes["f"] == "int64"
    same(df.f.sum(), whole.f.sum())
    assert df.dtypes.astype(str).to_dict() == {"i": "int64", "m": "int64", "f": "float64", "s": "int64", "b": "bool"}
    same(df, whole)
    pd.testing.assert_series_equal(df.dtypes, whole.dtypes)
    assert before.dtype == "float64"
    assert df[["m"]].dtypes["m"] == "float64"
    same(df.m + 1, whole.m + 1)
    same(before + df.f, whole.f * 3)
    again = dd.read_csv(tmp_path / "a.csv", blocksize=50_000, sample=10_000)
    assert again.dtypes["f"] in ("float64", "int64")
    same(again[again.f > 3].m, whole[whole.f > 3].m)


LOOKING_BACK = "cumsum cumprod cummin cummax shift diff ffill bfill".split()
WIDER = {
    "fraction": [[1, 2, 3], [4.5, 5.5]],
    "missing": [[1, 2, 3], [None, 5.0, None, 7.0]],
    "narrow": [np.array([100, 2, 3], "int8"), np.array([300, 4])],
    "single": [np.array([0.5, 2], "float32"), np.array([0.1, 0.7])],
    "unit": [np.array([1, 2], "datetime64[s]"), np.array([3001, 4002], "datetime64[ms]")],
}


@pytest.mark.parametrize("kind", WIDER)
@pytest.mark.parametrize("before", [None, "count", "min"])
def test_what_looks_at_other_rows_follows_a_wider_dtype(kind, before):
    parts = [pd.Series(values, name="x") for values in (*WIDER[kind], WIDER[kind][1])]
    parts.insert(1, parts[0][:0])
    whole = pd.concat(parts)
    for name in LOOKING_BACK:
        if kind == "unit" and name in ("cumsum", "cumprod"):
            continue
        lazy = dd.from_map(lambda i, name=name: parts[i], range(4))
        if before:
            getattr(lazy, before)().compute()
        same(getattr(lazy, name)(), getattr(whole, name)(), rtol=1e-6)
        same(getattr(lazy.to_frame(), name)(), getattr(whole.to_frame(), name)(), rtol=1e-6)


@pytest.mark.parametrize("last", ["1.5", "", str(2**63)])
def test_what_looks_at_other_rows_follows_a_file(last, tmp_path):
    rows = ["1"] * 20_000
    rows[17_000] = last
    for n, name in enumerate(LOOKING_BACK):
        path = tmp_path / f"{n}.csv"
        path.write_text("x,y\n" + "".join(f"{x},2\n" for x in rows))
        whole, df = pd.read_csv(path), dd.read_csv(path, blocksize=4000, sample=300)
        assert df.dtypes["x"] == "int64"
        for _ in range(2):
            same(getattr(df, name)(), getattr(whole, name)())


def test_results_beside_their_rows_follow_a_wider_dtype():
    frame = pd.DataFrame({"k": [0] * 150 + [1] * 150, "v": range(300)})
    df = dd.from_pandas(frame, npartitions=3)
    for function in (lambda s: s if s.iloc[0] == 0 else s + 0.5, lambda s: s if s.iloc[0] == 0 else s.astype(str)):
        theirs = frame.groupby("k").v.transform(function)
        ours = df.groupby("k").v.transform(function)
        same(ours, theirs)
        same(ours.map(type), theirs.map(type))
    lazy = df.groupby("k").v.transform(lambda s: s if s.iloc[0] == 0 else s + 0.5)
    same(lazy.sum(), frame.v.sum() + 75.0)
    same(lazy[lazy > 290].cumsum(), (frame.v[290:] + 0.5).cumsum())


def test_dtypes_of_functions_are_known_after_a_run():
    df = dd.from_pandas(pd.DataFrame({"x": range(300)}), npartitions=3)
    mapped = df.x.map(lambda v: v if v < 250 else v + 0.5)
    assert mapped.dtype == "int64"
    same(mapped, pd.Series([v if v < 250 else v + 0.5 for v in range(300)], name="x"))
    assert mapped.dtype == "float64"
    gone = df.x.map({v: v for v in range(200)})
    gone.compute()
    assert gone.dtype == "float64"
    parts = dd.from_map(part_of, range(12))
    parts.compute()
    assert list(parts.c.cat.categories) == sorted(f"k{i}" for i in range(12))


NULLABLE = {
    "Int64": [2**63 - 1, None, 2**53 + 1, 4],
    "UInt8": [255, None, 0, 255],
    "Float64": [0.5, None, 2.5, -1],
    "boolean": [True, None, False, True],
    "int64[pyarrow]": [2**62, None, 2**53 + 1, 4],
    "double[pyarrow]": [0.5, None, 2.5, 4],
    "bool": [True, False, True, True],
    "string": ["a", None, "b", "a"],
}


@pytest.mark.parametrize("dtype", NULLABLE)
@pytest.mark.parametrize("partitions", [1, 3])
def test_numeric_only_is_what_pandas_counts_as_numbers(dtype, partitions):
    frame = pd.DataFrame({"k": [0, 1, 0, 1], "x": pd.Series(NULLABLE[dtype], dtype=dtype), "s": ["a", "b", "c", "d"]})
    df = dd.from_pandas(frame, npartitions=partitions)
    for name in ("sum", "mean", "min", "max", "count", "std"):
        same(getattr(df, name)(numeric_only=True), getattr(frame, name)(numeric_only=True))
    for name in ("sum", "mean", "min", "max", "first", "median"):
        if not (dtype == "bool" and name == "median"):
            same(getattr(df.groupby("k"), name)(numeric_only=True), getattr(frame.groupby("k"), name)(numeric_only=True))
    same(df.groupby("k").count(), frame.groupby("k").count())
    same(df.groupby("k").x.count(), frame.groupby("k").x.count())
    same(df.groupby("k").x.size(), frame.groupby("k").x.size())
    same(df.groupby("k").size(), frame.groupby("k").size())
    same(dd.get_dummies(df), pd.get_dummies(frame))


def test_dummies_of_categories_that_are_not_known_yet():
    frame, df = letters(3)
    same(dd.get_dummies(df.map_partitions(as_category)), pd.get_dummies(as_category(frame)))
    same(dd.get_dummies(df, columns=["s"]), pd.get_dummies(frame, columns=["s"]))
    same(dd.get_dummies(df.s), pd.get_dummies(frame.s))


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]", "timedelta64[s]"])
def test_a_scalar_beside_a_partition_without_rows(dtype):
    frame = pd.DataFrame({"x": pd.Series([1, 2, 3, 4, 5]).astype(dtype), "y": pd.Series([5, 4, 3, 2, 1]).astype(dtype)})
    df = dd.from_map(lambda part: part, [frame[:2], frame[2:2], frame[2:]])
    same(df.x - df.x.min(), frame.x - frame.x.min())
    same(df.x.where(df.x > df.x.min(), df.y.max()), frame.x.where(frame.x > frame.x.min(), frame.y.max()))


@pytest.mark.parametrize(
    "labels",
    [
        list("abcd"), pd.array([1, 2, 3, 4], dtype="Int64"), pd.period_range("2020-01", periods=4, freq="M"),
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["p", None]), [True, False, True, True]
    ]
)
def test_made_up_rows_have_labels_of_their_own(labels):
    frame = pd.DataFrame({"x": [1.0, None, 3.0, None], "y": [5.0, 6.0, 7.0, 8.0]}, index=labels)
    df = dd.from_pandas(frame, npartitions=3, sort=False)
    same(df.x.combine_first(df.y), frame.x.combine_first(frame.y))
    same(df.x.combine(df.y, max), frame.x.combine(frame.y, max))
    for name in ("idxmin", "idxmax"):
        same(getattr(df.y, name)(), getattr(frame.y, name)())
        same(getattr(df, name)(), getattr(frame, name)())


PRICES = {f"{i}": i * 2 for i in range(60, 100)}
OF_ROWS = {
    "map": lambda d: d.s.map(lambda v: PRICES[v]),
    "map_to_int": lambda d: d.s.map(int),
    "apply": lambda d: d.apply(lambda r: PRICES[r.s] + r.x, axis=1),
    "apply_frame": lambda d: d.apply(lambda r: pd.Series({"a": PRICES[r.s], "b": r.s}), axis=1),
    "split": lambda d: d.d.str.split("-").map(lambda parts: int(parts[1])),
    "group_apply": lambda d: d.groupby("d").s.apply(lambda s: sum(PRICES[v] for v in s)),
    "transform": lambda d: d.groupby("d").s.transform(lambda s: PRICES[s.iloc[0]]),
}


@pytest.mark.parametrize("name", OF_ROWS)
def test_functions_see_real_rows_behind_a_filter(name):
    frame = pd.DataFrame({"x": range(100), "s": [f"{i}" for i in range(100)], "d": [f"2020-{i % 12 + 1:02}" for i in range(100)]})
    for df in (dd.from_pandas(frame, npartitions=7), dd.from_map(lambda part: part, [frame[:30], frame[30:30], frame[30:]])):
        for chosen in (lambda d: d[d.x > 60], lambda d: d[(d.x > 60) & ((d.x < 70) | (d.x > 90))]):
            same(OF_ROWS[name](chosen(df)), OF_ROWS[name](chosen(frame)))
        if name == "map":
            assert len(OF_ROWS[name](df[df.x > 1000])) == 0
    same(dd.to_datetime(df[df.x > 60].d), pd.to_datetime(frame[frame.x > 60].d))


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b"], pd.to_datetime(["2020-01-01", "2021-01-01"]).tz_localize("Europe/Berlin"), pd.to_timedelta(["1s", "2s"]),
        pd.array([2**60, 1], "int64[pyarrow]"), pd.array(["a", "b"], pd.ArrowDtype(pa.string()))
    ]
)
def test_first_rows_that_are_all_missing_say_nothing(values):
    column = pd.Series(values, name="x").reindex([2] * 150 + [0, 1, 2, 0]).reset_index(drop=True)
    df = dd.from_pandas(column, npartitions=7)
    for function in (lambda v: v, lambda v: None if pd.isna(v) else str(v))[: 1 if isinstance(column.dtype, pd.ArrowDtype) else 2]:
        same(df.map(function), column.map(function))
        same(df.map(function).nunique(), column.map(function).nunique())
    same(df.map({column.iloc[150]: "hit"}), column.map({column.iloc[150]: "hit"}), check_dtype=not isinstance(column.dtype, pd.ArrowDtype))
    rows = df.to_frame().apply(lambda r: None if pd.isna(r.x) else str(r.x), axis=1)
    same(
        rows.fillna("none"), column.map(lambda v: None if pd.isna(v) else str(v)).fillna("none").rename(None),
        check_dtype=not isinstance(column.dtype, pd.ArrowDtype)
    )


def _of_kind(kind):
    return pd.DataFrame({"x": pd.Series([True, False] if kind.startswith("bool") else [1, 2], dtype=kind), "y": [1.5, 2.5]})


AFTER_WIDENING = {
    "sum": lambda d: d.x.sum(),
    "min": lambda d: d.x.min(),
    "mean": lambda d: d.x.mean(),
    "+": lambda d: d.x + 1,
    "*": lambda d: d.x * d.x,
    "filter": lambda d: d[d.x > 1].y,
    "neg": lambda d: -d.x,
    "fillna": lambda d: d.x.fillna(0),
    "isin": lambda d: d.x.isin([1]),
    "clip": lambda d: d.x.clip(1, 1),
    "abs": lambda d: d.x.abs(),
    "where": lambda d: d.x.where(d.y > 2),
    "assign": lambda d: d.assign(z=d.x * 2),
    "cumsum": lambda d: d.x.cumsum(),
    "shift": lambda d: d.x.shift(1),
    "chain": lambda d: ((d.x + 1) * 2 - d.x.min()).max(),
    "nunique": lambda d: d.x.nunique(),
    "frame": lambda d: d.sum(),
}


@pytest.mark.parametrize("name", AFTER_WIDENING)
@pytest.mark.parametrize(
    "kinds", [["int64", "Int64"], ["Int64", "int64"], ["int64", "int64", "Int64"], ["int64", "Float64"], ["bool", "boolean"]], ids=" ".join
)
def test_kernels_hand_over_what_turns_out_nullable(name, kinds):
    ask = AFTER_WIDENING[name]
    if kinds[0] == "bool" and name in ("neg", "clip", "abs", "*", "chain", "shift"):
        pytest.skip("pandas refuses bools, or they are objects from the start")
    theirs = ask(pd.concat([_of_kind(k) for k in kinds]))
    for lazy in (ask(dd.from_map(_of_kind, kinds)), ask(dd.from_map(_of_kind, kinds)).persist()):
        ours = lazy.compute()
        if isinstance(theirs, (pd.Series, pd.DataFrame)):
            (pd.testing.assert_series_equal if isinstance(theirs, pd.Series) else pd.testing.assert_frame_equal)(ours, theirs)
        else:
            assert ours == theirs


def test_an_error_of_a_function_is_its_own():
    def fails(part):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        (dd.from_map(_of_kind, ["int64", "Int64"]).map_partitions(fails, meta={"x": "int64"}).x + 1).compute()


def test_dummies_of_repeated_labels():
    frame = pd.DataFrame([["x", 1, "y", "u"], ["y", 2, "x", "v"], ["y", 3, "y", "u"]], columns=["s", "a", "s", "t"])
    df = dd.from_pandas(frame, npartitions=2)
    same(dd.get_dummies(df), pd.get_dummies(frame))
    same(dd.get_dummies(df, columns=["s"]), pd.get_dummies(frame, columns=["s"]))
    same(dd.get_dummies(df, columns=["t"], dtype="int8"), pd.get_dummies(frame, columns=["t"], dtype="int8"))


def test_errors_of_values_that_are_not_there_are_not_believed(tmp_path):
    """A column turns out to be text far behind the sample: a function must not see what stands in its place."""
    text = "a,b\n" + "".join(f"{i + 1},{i}\n" for i in range(30_000)) + "abc,7\n1.5,3\n"
    (tmp_path / "a.csv").write_text(text)

    def check(value):
        if value == 0:
            raise ZeroDivisionError
        return len(str(value))

    for blocksize in (7_000, 100_000, None):
        a = dd.read_csv(tmp_path / "a.csv", blocksize=blocksize).a
        assert a.map(check, meta=("a", "int64")).sum().compute() == sum(len(line.split(",")[0]) for line in text.splitlines()[1:])
    with pytest.raises(ZeroDivisionError):  # one that is there
        (tmp_path / "a.csv").write_text(text + "0,0\n")
        dd.read_csv(tmp_path / "a.csv").b.map(check, meta=("b", "int64")).sum().compute()


class Point:
    """Objects that pandas knows nothing of."""

    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return self.x == other.x


OBJECTS = {
    "dict": lambda i: {"a": i},
    "list": lambda i: [i],
    "set": lambda i: {i},
    "tuple": lambda i: (i, str(i)),
    "bytes": lambda i: b"%d" % i,
    "date": lambda i: datetime.date(2020, 1, 1 + i % 28),
    "decimal": lambda i: decimal.Decimal(i),
    "own": Point,
    "mixed": lambda i: i if i % 2 else str(i),
    "missing": lambda i: None,
}


def objects(kind, rows=40):
    return pd.Series([OBJECTS[kind](i) for i in range(rows)], dtype=object)


class Counted:
    """A function that notes on disk which rows it was called with; made-up rows are fewer."""

    def __init__(self, path, function=lambda data: data):
        self.path, self.function = path, function

    def __call__(self, data):
        if len(data) == 10:
            with open(self.path, "a") as file:
                file.write(f"{data.index[0]}\n")
        return self.function(data)

    def calls(self):
        return sorted(map(int, open(self.path).read().split()))


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_that_stay_objects_cost_one_call_for_each_partition(kind, tmp_path):
    frame = pd.DataFrame({"o": objects(kind), "n": range(40)})
    same_frame, same_series = Counted(tmp_path / "frame"), Counted(tmp_path / "series")
    df = dd.from_pandas(frame, npartitions=4)
    lazy = df.map_partitions(same_frame)
    assert lazy.dtypes.tolist() == frame.dtypes.tolist()
    same(lazy, frame)
    same(df.o.map_partitions(same_series), frame.o)
    assert same_frame.calls() == same_series.calls() == [0, 10, 20, 30]


@pytest.mark.parametrize("scheduler", ["synchronous", "processes"])
def test_objects_cost_one_call_wherever_they_are(scheduler, tmp_path):
    frame = pd.DataFrame({kind: objects(kind) for kind in OBJECTS if kind != "own"})
    function = Counted(tmp_path / "calls")
    same(dd.from_pandas(frame, npartitions=4).map_partitions(function).compute(scheduler=scheduler), frame)
    assert function.calls() == [0, 10, 20, 30]


@pytest.mark.parametrize("kind", ["date", "tuple", "mixed"])
def test_objects_as_labels_cost_one_call_for_each_partition(kind, tmp_path):
    frame = pd.DataFrame({"n": range(40)}, index=pd.Index(objects(kind), dtype=object, tupleize_cols=False))
    calls = []

    def function(part):
        calls.append(len(part))
        return part

    lazy = dd.from_pandas(frame, npartitions=4, sort=False).map_partitions(function)
    assert lazy.index.dtype == object
    same(lazy.compute(scheduler="threads"), frame)
    assert calls.count(10) == 4


def add_one(part):
    for value in part.o:
        value.append(9)
    return part


def taken_out(column):
    return column.map(lambda value: value.pop())


def test_functions_that_change_objects_in_place():
    def frame():
        return pd.DataFrame({"o": [[i, i + 1] for i in range(40)]})

    def lazy():
        return dd.from_pandas(frame(), npartitions=4)

    same(lazy().map_partitions(add_one), add_one(frame()))
    same(lazy().o.map_partitions(taken_out).sum(), 820)
    same(lazy().o.apply(lambda value: value.pop()).sum(), 820)
    same(lazy().o.map(lambda value: value.pop()).sum(), 820)
    same(lazy().apply(lambda row: row.o.pop(), axis=1).sum(), 820)


@pytest.mark.parametrize("value", [None, 3, [1], "x", {"a": [1]}], ids=lambda value: type(value).__name__)
def test_what_is_no_pandas_object_is_named_with_its_partition(value):
    frame = pd.DataFrame({"a": range(8)})
    df, named = dd.from_pandas(frame, npartitions=4), type(value).__name__

    def sometimes(part):
        return value if 4 in part.values else part

    def total(column):
        return column.sum()

    def check(lazy, *words):
        error = raised(lazy.compute)
        assert type(error) is TypeError, error
        assert all(word in str(error) for word in (f"a {named}", *words)), error

    check(df.map_partitions(sometimes), "sometimes: ", "partition 2", "DataFrame")
    check(df.map_partitions(sometimes, meta=frame), "sometimes: ", "partition 2", "DataFrame")
    check(df.a.map_partitions(sometimes), "sometimes: ", "partition 2", "Series")
    tasks = [muster.delayed(lambda: frame)(), muster.delayed(lambda: value)()]
    for meta in ({}, {"meta": frame}, {"meta": frame, "verify_meta": False}):
        check(dd.from_delayed(tasks, **meta), "from_delayed: ", "partition 1")
    check(dd.from_map(lambda i: value if i else frame, [0, 1]), "from_map: ", "partition 1")
    same(df.a.map_partitions(total), pd.Series([1, 5, 9, 13]).set_axis(df.a.map_partitions(total).compute().index))


def test_a_series_for_a_frame_is_named_with_its_partition():
    df = dd.from_pandas(pd.DataFrame({"a": range(8)}), npartitions=4)
    for lazy in (df.map_partitions(lambda part: part.a if 4 in part.values else part), df.map_partitions(lambda part: part.a, meta=df._meta)):
        error = raised(lazy.compute)
        assert type(error) is TypeError and "a Series for partition" in str(error), error


@pytest.mark.parametrize(
    "values",
    [
        [3, "a", 1, None], ["b", datetime.date(2020, 1, 1), "a", None, 4], [decimal.Decimal(2), "b", decimal.Decimal(1)], [(1, 2), 3, None, 1],
        ["b", (1, 2), "a", (0,)], [(1, "a"), ("x", 2), b"c", (1, "a")], [((1,), 2), 5, (0,)],
    ],
)
@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_categories_without_an_order_are_in_pandas_order(values, partitions):
    s = pd.Series(values * 3, dtype=object, name="k")
    ours, theirs = dd.from_pandas(s, npartitions=partitions), list(s.astype("category").cat.categories)
    known = ours.astype("category").cat.as_known()
    assert list(known.cat.categories) == list(known.compute().cat.categories) == theirs
    assert list(ours.to_frame().categorize(columns=["k"]).compute().k.cat.categories) == theirs
