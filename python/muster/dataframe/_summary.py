"""median, quantile and describe: native passes over the columns, put together in pandas."""

from muster import _core
from muster.dataframe._collection import new_collection
from muster.dataframe._through_pandas import call, through


def _is_native(name):
    return name in ("float64", "float32") or name.startswith(("int", "uint", "datetime64", "timedelta64"))


def quantiles(series, q, middle=False):
    """Return a lazy row of exact quantiles of a Series; with `middle` of its median."""
    return new_collection(_core.call("quantiles", [series._expr], {"q": [float(x) for x in q], "middle": middle}))


def _valid(q):
    import numpy as np

    values = np.atleast_1d(np.asarray(q, dtype="float64"))
    if ((values < 0) | (values > 1)).any():
        raise ValueError("percentiles should all be in the interval [0, 1]")
    return [float(x) for x in values]


def quantile(frame, q, numeric_only):
    """Return quantiles of a Series or of each column of a DataFrame, natively where all columns have a kernel."""
    import numpy as np

    values = _valid(q)
    one = np.ndim(q) == 0
    if frame.ndim == 1:
        if not _is_native(frame._expr.columns[0][1]) or not values:
            return call(frame, "quantile", (q,), {}, shape="whole")
        row = quantiles(frame, values)
        return row[values[0]] if one else through("quantile", _as_series, (row,), {"q": values, "name": frame.name}, shape="partitions")
    if numeric_only:
        frame = frame.select_dtypes(include=["number", "bool"])
    if not len(frame._expr.columns) or not all(_is_native(name) for _, name, _ in frame._expr.columns) or not values:
        return call(frame, "quantile", (q,), {"numeric_only": numeric_only}, shape="whole")
    rows = [quantiles(column, values) for _, column in frame.items()]
    return through("quantile", _as_columns, tuple(rows), {"q": q if one else values, "labels": frame.columns}, shape="partitions")


def median(frame, axis, skipna, numeric_only):
    """Return the median of a Series or of each column."""
    names = [name for _, name, _ in frame._expr.columns]
    if axis in (1, "columns") and frame.ndim == 2:
        return call(frame, "median", (), {"axis": 1, "skipna": skipna, "numeric_only": numeric_only})
    if frame._expr.kind not in ("frame", "series") or not skipna or not names or not all(_is_native(n) for n in names):
        return call(frame, "median", (), {"skipna": skipna, "numeric_only": numeric_only}, shape="whole")
    if frame.ndim == 1:
        return quantiles(frame, [0.5], middle=True)[0.5]
    rows = [quantiles(column, [0.5], middle=True) for _, column in frame.items()]
    return through("median", _as_medians, tuple(rows), {"labels": frame.columns}, shape="partitions")


def describe(frame, percentiles, include, exclude):
    """Return pandas' summary; natively of numbers and times."""
    chosen = frame
    if frame.ndim == 2 and include is None and exclude is None:
        numbers = frame.select_dtypes(include=["number", "datetime"])
        chosen = numbers if numbers._expr.columns else frame
    if include is not None or exclude is not None or not all(_is_native(name) and not name.startswith("timedelta") for _, name, _ in chosen._expr.columns):
        return call(frame, "describe", (), {"percentiles": percentiles, "include": include, "exclude": exclude} if frame.ndim == 2 else {"percentiles": percentiles}, shape="whole")
    wanted = sorted(set(_valid([0.25, 0.5, 0.75] if percentiles is None else list(percentiles))))
    columns = [chosen] if chosen.ndim == 1 else [column for _, column in chosen.items()]
    parts, times = [], []
    for column in columns:
        time = column._expr.columns[0][1].startswith("datetime")
        times.append(time)
        parts += [column.count(), column.mean(), column.min(), column.max(), quantiles(column, wanted) if wanted else column.count()]
        parts.append(column.count() if time else column.std())
    names = [chosen.name] if chosen.ndim == 1 else chosen.columns
    return through("describe", _as_summary, tuple(parts), {"names": names, "times": times, "percentiles": wanted, "series": chosen.ndim == 1}, shape="partitions")


def _as_series(row, q, name):
    import pandas as pd

    return pd.Series(row.array, index=pd.Index(q, dtype="float64"), name=name)


def _as_columns(*rows, q, labels):
    import pandas as pd

    if not isinstance(q, list):
        return pd.concat([pd.Series(r.array) for r in rows]).set_axis(labels).rename(q)
    return pd.DataFrame(dict(enumerate(r.array for r in rows)), index=pd.Index(q, dtype="float64")).set_axis(labels, axis=1)


def _as_medians(*rows, labels):
    import pandas as pd

    return pd.concat([pd.Series(r.array) for r in rows]).set_axis(labels)


def _as_summary(*parts, names, times, percentiles, series):
    import pandas as pd

    marks = [_percent(p) for p in percentiles]
    columns = []
    for i, (name, time) in enumerate(zip(names, times, strict=True)):
        count, mean, low, high, row, std = parts[6 * i : 6 * i + 6]
        ranks = list(row) if percentiles else []
        index = ["count", "mean", "min", *marks, "max"] if time else ["count", "mean", "std", "min", *marks, "max"]
        values = [count, mean, low, *ranks, high] if time else [float(count), mean, std, low, *ranks, high]
        columns.append(pd.Series(values, index=index, name=name, dtype=object if time else "float64"))
    if series:
        return columns[0]
    order = ["count", "mean", "min", *marks, "max", "std"] if any(times) else ["count", "mean", "std", "min", *marks, "max"]
    return pd.concat([c.reindex(order) for c in columns], axis=1).set_axis(names, axis=1)


def _percent(p):
    text = f"{p * 100:.10g}"
    return f"{text}%"
