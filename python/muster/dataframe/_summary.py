"""median, quantile and describe: native passes over the columns, put together in pandas."""

from muster import _core
from muster._base import keywords
from muster._base.libraries import np, pd
from muster.dataframe._collection import new_collection
from muster.dataframe._through_pandas import call, through


def _is_native(name):
    return name in ("float64", "float32") or name.startswith(("int", "uint", "datetime64", "timedelta64"))


_SIDE_BY_SIDE = 64  # quantiles of more columns are found several columns in a task


def quantiles(collection, q, middle=False):
    """Return a lazy row of exact quantiles, of each column all of `q`; with `middle` of the median."""
    arguments = {"q": [float(x) for x in q], "middle": middle}
    n = len(collection._expr.columns)
    each = -(-n // _SIDE_BY_SIDE)
    rows = [_core.call("quantiles", [collection._expr], {**arguments, "at": list(range(i, min(i + each, n)))}) for i in range(0, n, each)]
    return new_collection(rows[0] if len(rows) == 1 else _core.call("joined_rows", rows, {}))


def _valid(q):
    values = np.atleast_1d(np.asarray(q, dtype="float64"))
    if ((values < 0) | (values > 1)).any():
        raise ValueError("percentiles should all be in the interval [0, 1]")
    return [float(x) for x in values]


def quantile(self, q=0.5, axis=0, numeric_only=False, method="default", **kwargs):
    """Return exact quantiles, as pandas.

    Parameters
    ----------
    q : float or list of float, default 0.5
    axis : {0, 1}
    numeric_only : bool, default False
        Of a DataFrame: leave out columns that are not numeric or bool.
    method : str
        Accepted: the result is exact.
    """
    keywords.check("quantile", kwargs, keywords.SHAPING, ("q", "axis", "numeric_only"))
    if axis in (1, "columns") and self.ndim == 2:
        return call(self, "quantile", (q,), {"axis": 1, "numeric_only": numeric_only})
    values = _valid(q)
    one = np.ndim(q) == 0
    if self.ndim == 1:
        if not _is_native(self._expr.columns[0][1]) or not values:
            return call(self, "quantile", (q,), {}, shape="whole")
        row = quantiles(self, values)
        return row[values[0]] if one else through("quantile", _as_series, (row,), {"q": values, "name": self.name}, shape="partitions")
    if numeric_only:
        self = self.select_dtypes(include=["number", "bool"])
    if not len(self._expr.columns) or not all(_is_native(name) for _, name, _ in self._expr.columns) or not values:
        return call(self, "quantile", (q,), {"numeric_only": numeric_only}, shape="whole")
    dtypes = [name if name == "float32" else None for _, name, _ in self._expr.columns]
    return through(
        "quantile", _as_columns, (quantiles(self, values),), {"q": q if one else values, "labels": self.columns, "dtypes": dtypes}, shape="partitions"
    )


def median(self, axis=0, skipna=True, numeric_only=False, **kwargs):
    """Return the median, exactly; of each column of a DataFrame, with axis=1 of each row."""
    keywords.check("median", kwargs, keywords.SHAPING, ("axis", "skipna", "numeric_only"))
    names = [name for _, name, _ in self._expr.columns]
    if axis in (1, "columns") and self.ndim == 2:
        return call(self, "median", (), {"axis": 1, "skipna": skipna, "numeric_only": numeric_only})
    if axis is None and self.ndim == 2:
        return call(self, "median", (), {"axis": None, "skipna": skipna, "numeric_only": numeric_only}, shape="whole")
    if self._expr.kind not in ("frame", "series") or not skipna or not names or not all(_is_native(n) for n in names):
        return call(self, "median", (), {"skipna": skipna, "numeric_only": numeric_only}, shape="whole")
    if self.ndim == 1:
        return quantiles(self, [0.5], middle=True)[0.5]
    return through("median", _as_columns, (quantiles(self, [0.5], middle=True),), {"q": None, "labels": self.columns}, shape="partitions")


def median_approximate(self, axis=0, **kwargs):
    """Return the median, exactly."""
    keywords.check("median_approximate", kwargs, keywords.SHAPING, ("axis",))
    return self.median(axis=axis) if self.ndim == 2 else self.median()


def describe(self, percentiles=None, include=None, exclude=None, **kwargs):
    """Return count, mean, std, min, percentiles and max of the columns, as pandas; one pass over numbers and times.

    Parameters
    ----------
    percentiles : list of float, optional
        Default: 0.25, 0.5, 0.75. Exact.
    include, exclude
        As pandas: dtypes, or "all".
    """
    keywords.check("describe", kwargs, keywords.SHAPING, ("percentiles", "include", "exclude"))
    chosen = self
    if self.ndim == 2 and include is None and exclude is None:
        described = self.select_dtypes(include=["number", "datetime"])
        chosen = described if described._expr.columns else self
    names = [name for _, name, _ in chosen._expr.columns]
    if include is not None or exclude is not None or not all(_is_native(name) and not name.startswith("timedelta") for name in names):
        return call(
            self, "describe", (), {"percentiles": percentiles, "include": include, "exclude": exclude} if self.ndim == 2 else {"percentiles": percentiles},
            shape="whole"
        )
    wanted = sorted(set(_valid([0.25, 0.5, 0.75] if percentiles is None else list(percentiles))))
    labels = [chosen.name] if chosen.ndim == 1 else chosen.columns
    columns = chosen.to_frame() if chosen.ndim == 1 else chosen
    times = [name.startswith("datetime") for name in names]
    numbers = columns._take([i for i, time in enumerate(times) if not time]) if any(times) else columns
    parts = [columns.count(), columns.mean(), columns.min(), columns.max()]
    parts.append(numbers.std() if not all(times) else parts[0])
    parts.append(quantiles(columns, wanted) if wanted else parts[0])
    options = {"labels": labels, "times": times, "percentiles": wanted, "series": chosen.ndim == 1}
    return through("describe", _as_summary, tuple(parts), options, shape="partitions", meta=_summary_meta(**options))


def _as_series(row, q, name):
    return pd.Series(row.array, index=pd.Index(q, dtype="float64"), name=name)


def _as_columns(row, q, labels, dtypes=()):
    if not isinstance(q, list):
        return row.set_axis(labels).rename(q)
    each = len(q)
    values = row.array
    columns = pd.DataFrame({i: values[i * each : (i + 1) * each] for i in range(len(labels))}, index=pd.Index(q, dtype="float64")).infer_objects()
    return columns.astype({i: dtype for i, dtype in enumerate(dtypes) if dtype}).set_axis(labels, axis=1)


def _rows_of_summary(percentiles, time):
    marks = [_percent(p) for p in percentiles]
    return ["count", "mean", "min", *marks, "max"] if time else ["count", "mean", "std", "min", *marks, "max"]


def _summary_meta(labels, times, percentiles, series):
    index = pd.Index(_rows_of_summary(percentiles, False)[:0], dtype="str")
    if series:
        return pd.Series([], index=index, name=labels[0], dtype=object if times[0] else "float64")
    return pd.DataFrame({i: pd.Series([], index=index, dtype=object if time else "float64") for i, time in enumerate(times)}).set_axis(labels, axis=1)


def _as_summary(count, mean, low, high, std, ranks, labels, times, percentiles, series):
    k = len(percentiles)
    if not any(times):
        rows = [count, mean, std, low, *(ranks.array[i::k] for i in range(k)), high]
        out = pd.DataFrame(np.array([np.asarray(row, dtype="float64") for row in rows]), index=_rows_of_summary(percentiles, False)).set_axis(labels, axis=1)
        return out.iloc[:, 0] if series else out
    deviations = iter(() if all(times) else std.array)
    columns = []
    for i, (name, time) in enumerate(zip(labels, times, strict=True)):
        values = [count.iloc[i], mean.iloc[i], low.iloc[i], *ranks.iloc[i * k : (i + 1) * k], high.iloc[i]]
        if not time:
            values.insert(2, next(deviations))
        columns.append(pd.Series(values, index=_rows_of_summary(percentiles, time), name=name, dtype=object if time else "float64"))
    if series:
        return columns[0]
    order = [*_rows_of_summary(percentiles, True), *(() if all(times) else ("std",))]
    return pd.concat([c.reindex(order) for c in columns], axis=1).set_axis(labels, axis=1)


def _percent(p):
    text = f"{p * 100:.10g}"
    return f"{text}%"
