"""Functions of partitions with rows of their neighbours: `map_overlap`."""

from muster import _core
from muster._call import no_default
from muster.dataframe._collection import new_collection
from muster.dataframe._through_pandas import through, whole

_TRIED_ROWS = 100


def map_overlap(frame, func, before, after, args, meta, kwargs):
    """Return what a function makes of each partition with rows in front and behind; see `DataFrame.map_overlap`."""
    import pandas as pd

    from muster._pandas import sample_of
    from muster.dataframe._map_partitions import meta_object

    for name in ("enforce_metadata", "align_dataframes", "transform_divisions", "clear_divisions"):
        kwargs.pop(name, None)
    before, after = (_reach(frame, reach) for reach in (before, after))
    numbers = new_collection(_core.call("partition_number", [frame._expr], {}))
    others = [whole(a) if hasattr(a, "_expr") and a._expr.kind in ("frame", "series") and a._expr.rows != frame._expr.rows else a for a in args]
    meta = meta_object(meta)
    forced = meta is not no_default
    if not forced:
        try:
            meta = func(sample_of(frame._expr), *(sample_of(a._expr) if hasattr(a, "_expr") else a[:2] if isinstance(a, (pd.DataFrame, pd.Series)) else a for a in args), **kwargs)
        except Exception:
            few = [(new_collection(a._expr).head(_TRIED_ROWS, compute=False).compute() if hasattr(a, "_expr") else a) for a in (frame, *args)]
            meta = func(*few, **kwargs)
    given = {"func": func, "before": before, "after": after, "kwargs": kwargs}
    return through(getattr(func, "__name__", "map_overlap"), _overlapping, (frame, numbers, *others), given, shape="beside", meta=meta, forced=forced)


def _reach(frame, reach):
    """How far to look: a number of rows or a timedelta."""
    import datetime

    import pandas as pd

    if isinstance(reach, (str, datetime.timedelta)):
        if not isinstance(frame._meta.index, pd.DatetimeIndex):
            raise TypeError(f"Must have a `DatetimeIndex` when using string offset for `before` and `after`, got {type(frame._meta.index).__name__}")
        return pd.Timedelta(reach)
    if isinstance(reach, bool) or not isinstance(reach, int) or reach < 0:
        raise ValueError(f"before and after must be positive integers or time spans, got {reach!r}")
    return reach


def _overlapping(data, numbers, *args, func, before, after, kwargs):
    import numpy as np
    import pandas as pd

    rows = len(data)
    borders = [0, *(np.flatnonzero(np.diff(numbers.to_numpy())) + 1), rows]
    parts = []
    for begin, end in zip(borders[:-1], borders[1:], strict=True):
        low = max(0, begin - before) if isinstance(before, int) else begin - int((data.index[:begin] > data.index[begin] - before).sum()) if end else 0
        high = min(rows, end + after) if isinstance(after, int) else end + int((data.index[end:] < data.index[end - 1] + after).sum()) if end else 0
        cut = [a.iloc[low:high] if isinstance(a, (pd.DataFrame, pd.Series)) and len(a) == rows else a for a in args]
        out = func(data.iloc[low:high], *cut, **kwargs)
        if len(out) != high - low:
            raise ValueError(f"map_overlap: {len(out)} rows came back for {high - low}")
        parts.append(out.iloc[begin - low : len(out) - (high - end)])
    return pd.concat(parts) if len(parts) > 1 else parts[0]
