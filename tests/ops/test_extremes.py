"""idxmax and idxmin: where an extreme value stands."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same


def _frame(n=200):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "i": random.integers(-5, 5, n),
            "u": random.integers(0, 250, n).astype("uint8"),
            "f": np.where(random.random(n) < 0.3, np.nan, random.normal(size=n)),
            "g": random.choice([np.inf, -np.inf, np.nan, 0.0], n).astype("float32"),
            "d": pd.to_datetime(random.choice(["2020-01-01", "2021-01-01", None], n)),
            "t": pd.to_timedelta(random.integers(0, 9, n), unit="s"),
            "b": random.random(n) < 0.5,
        }
    )
    return frame


@pytest.mark.parametrize("npartitions", [1, 2, 7, 129])
@pytest.mark.parametrize("name", ["idxmax", "idxmin"])
def test_of_series_and_frames(npartitions, name):
    for frame in (_frame(), _frame().set_axis([f"row {i // 2}" for i in range(200)], axis=0), _frame().set_axis(pd.date_range("2020", periods=200), axis=0)):
        df = dd.from_pandas(frame, npartitions=npartitions, sort=False)
        for column in frame.columns:
            same(getattr(df[column], name)(), getattr(frame[column], name)())
        same(getattr(df, name)(), getattr(frame, name)())
        same(getattr(df[["f", "i"]], name)(numeric_only=True), getattr(frame[["f", "i"]], name)(numeric_only=True))
        half = frame.i > 0
        same(getattr(df[df.i > 0], name)(), getattr(frame[half], name)())
        same(getattr(df[df.i > 0].f, name)(), getattr(frame[half].f, name)())


def test_of_files(tmp_path):
    frame = _frame()
    frame.to_parquet(tmp_path / "x.parquet", row_group_size=13)
    frame[["i", "f"]].to_csv(tmp_path / "x.csv", index=False)
    for df in (
        dd.read_parquet(tmp_path / "x.parquet"), dd.read_parquet(tmp_path / "x.parquet", split_row_groups=True), dd.read_csv(tmp_path / "x.csv", blocksize=300)
    ):
        pdf = df.compute()
        same(df.idxmax(), pdf.idxmax())
        same(df[df.i > 0].f.idxmin(), pdf[pdf.i > 0].f.idxmin())
        assert df.f.idxmax().compute() in pdf.index


@pytest.mark.parametrize("npartitions", [1, 7])
def test_what_has_none(npartitions):
    frame = _frame()
    df = dd.from_pandas(frame, npartitions=npartitions)
    for operation in (
        lambda d: d[d.i > 99].i.idxmax(),
        lambda d: d[d.i > 99].i.idxmin(),
        lambda d: d[d.i > 99].idxmin(),
        lambda d: d[d.f.isna()].f.idxmax(),
        lambda d: d[["i", "f"]][d.f.isna()].idxmax(),
        lambda d: d.f.idxmax(skipna=False),
    ):
        ours, theirs = raised(lambda operation=operation: operation(df).compute()), raised(lambda operation=operation: operation(frame))
        assert type(ours) is type(theirs) is ValueError
        assert str(ours) == str(theirs)
    same(df.i.idxmax(skipna=False), frame.i.idxmax(skipna=False))


def test_no_python_runs(capsys):
    dd.from_pandas(_frame(), npartitions=3).f.idxmax().explain()
    assert "python" not in capsys.readouterr().out
