"""Values at the ends of their dtype: integers wrap around as NumPy's do, times and durations that do not fit are errors as in pandas."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same

MOMENTS = pd.Series([pd.NaT, pd.Timestamp.min, pd.Timestamp.max, pd.NaT, pd.Timestamp("2020-02-29 12:34:56")])
EARLY, LATE = MOMENTS[[3, 1, 4]], MOMENTS[[0, 2, 4]]
SPANS = pd.Series([pd.NaT, pd.Timedelta.max, pd.Timedelta(1), pd.NaT, pd.Timedelta.min])
BACK = SPANS[[4, 0, 2, 1]]
INTEGERS = pd.Series([2**63 - 1, -(2**63), 0, -1, 2**62])

QUESTIONS = {
    **{
        f"{how} {name} {freq}": (lambda s, how=how, freq=freq: getattr(s.dt, how)(freq), values) for how in ("floor", "ceil", "round")
        for freq in ("D", "h", "s") for name, values in (("early", EARLY), ("late", LATE), ("spans", SPANS))
    },
    "normalize early": (lambda s: s.dt.normalize(), EARLY),
    "normalize late": (lambda s: s.dt.normalize(), LATE),
    "date fields": (lambda s: s.dt.year * 400 + s.dt.day_of_year, MOMENTS),
    "day names": (lambda s: s.dt.day_name(), MOMENTS),
    "total seconds": (lambda s: s.dt.total_seconds(), SPANS),
    "days": (lambda s: s.dt.days, SPANS),
    "moments diff": (lambda s: s.diff(), MOMENTS.dropna()),
    "moments diff back": (lambda s: s.diff(-1), LATE),
    "moments less moments": (lambda s: s - s, MOMENTS),
    "spans diff": (lambda s: s.diff(), SPANS.dropna()),
    "spans sum": (lambda s: s.sum(), SPANS),
    "spans sum of one sign": (lambda s: s.sum(), SPANS[:3]),
    "spans cumsum": (lambda s: s.cumsum(), SPANS),
    "spans cumsum, the first too large": (lambda s: s.cumsum(), SPANS[:3]),
    "spans cumsum from below": (lambda s: s.cumsum(), BACK),
    "negated spans": (lambda s: -s, SPANS),
    "sizes of spans": (lambda s: abs(s), SPANS),
    "spans and a moment": (lambda s: s + pd.Timestamp("2000-01-01"), SPANS),
    "doubled spans": (lambda s: s * 2, SPANS),
    "to nanoseconds": (lambda s: s.astype("datetime64[ns]"), pd.Series(["9999-12-31", "NaT"], dtype="datetime64[s]")),
    "to seconds": (lambda s: s.dt.as_unit("s"), MOMENTS),
    "sum": (lambda s: s.sum(), INTEGERS),
    "cumsum": (lambda s: s.cumsum(), INTEGERS),
    "cumprod": (lambda s: s.cumprod(), INTEGERS),
    "negated": (lambda s: -s, INTEGERS),
    "sizes": (lambda s: s.abs(), INTEGERS),
    "negated of 8 bits": (lambda s: -s, pd.Series([-128, 127], dtype="int8")),
    "sizes of 32 bits": (lambda s: s.abs(), pd.Series([-(2**31), 2**31 - 1], dtype="int32")),
    "powers": (lambda s: s**3, INTEGERS),
    "divided by -1": (lambda s: s // -1, INTEGERS),
    "modulo -1": (lambda s: s % -1, INTEGERS),
    "NaN to integers": (lambda s: s.astype("int64"), pd.Series([1.0, np.nan])),
    "infinity to integers": (lambda s: s.astype("int32"), pd.Series([1.0, np.inf])),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("npartitions", [1, 3])
def test_at_the_ends(question, npartitions):
    f, values = QUESTIONS[question]
    try:
        theirs = f(values)
    except (OverflowError, ValueError) as error:  # what pandas makes of them bears these types or one below
        ours = raised(lambda: f(dd.from_pandas(values, npartitions=npartitions, sort=False)).compute())
        assert isinstance(ours, type(error)) or (isinstance(ours, OverflowError) and isinstance(error, ValueError)), ours
        return
    same(f(dd.from_pandas(values, npartitions=npartitions, sort=False)), theirs)
