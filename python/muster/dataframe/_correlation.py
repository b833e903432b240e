"""corr and cov: one native pass over the columns, put together in NumPy."""

from muster import _core
from muster._base.libraries import np, pd
from muster.dataframe._collection import new_collection
from muster.dataframe._through_pandas import call, through


def _is_native(frame):
    return (
        frame._expr.kind in ("frame", "series")
        and all(name in ("bool", "float32", "float64") or name.startswith(("int", "uint")) for _, name, _ in frame._expr.columns)
    )


def _known(function, kwargs):
    """The keywords that pandas knows; Dask's `split_every` has no meaning here."""
    kwargs.pop("split_every", None)
    if unknown := set(kwargs) - {"method", "min_periods", "ddof"}:
        raise TypeError(f"{function}() got an unexpected keyword argument {min(unknown)!r}")
    return kwargs


def of_columns(frame, function, numeric_only, **kwargs):
    """Return pandas' table of `function`, "corr" or "cov", of each pair of columns, lazy."""
    kwargs = _known(function, kwargs)
    chosen = frame.select_dtypes(include=["number", "bool"]) if numeric_only else frame
    if kwargs.get("method", "pearson") != "pearson" or not len(chosen._expr.columns) or not _is_native(chosen):
        given = {name: value for name, value in kwargs.items() if value is not None}  # pandas' spearman takes no None
        return call(frame, function, (), {"numeric_only": numeric_only, **given}, shape="whole")
    sums = new_collection(_core.call("comoments", [chosen._expr], {}))
    kwargs.pop("method", None)
    labels = chosen.columns
    meta = _framed(np.empty((len(labels), len(labels))), labels).iloc[:0]
    return through(function, _as_table, (sums,), {"function": function, "labels": labels, **kwargs}, shape="whole", meta=meta, labels=False)


def of_series(series, other, function, **kwargs):
    """Return pandas' `function` of two Series, lazy; natively if they have the same rows."""
    kwargs = _known(function, kwargs)
    if (
        kwargs.get("method", "pearson") != "pearson" or getattr(other, "ndim", None) != 1 or not hasattr(other, "_expr")
        or other._expr.rows != series._expr.rows or not _is_native(series) or not _is_native(other)
    ):
        return call(series, function, (other,), kwargs, shape="whole")
    pair = series.to_frame("x").assign(y=other)
    sums = new_collection(_core.call("comoments", [pair._expr], {}))
    kwargs.pop("method", None)
    return through(function, _as_scalar, (sums,), {"function": function, **kwargs}, shape="whole", meta=0.0, labels=False)


def _tables(sums):
    """Counts, sums of squares of the one and the other, and of products of each pair of columns; missing and infinite values of each column."""
    import math

    values = sums.to_numpy(dtype="float64")
    n = math.isqrt(4 + 2 * len(values)) // 2 - 1  # 2 n (n + 1) + 2 n values
    lower = np.tril_indices(n)
    pairs = values[: 2 * n * (n + 1)].reshape(-1, 4)
    count, xx, yy, xy = (np.empty((n, n)) for _ in range(4))
    for table, own, other in ((count, 0, 0), (xx, 1, 2), (yy, 2, 1), (xy, 3, 3)):
        table[lower[1], lower[0]] = pairs[:, other]
        table[lower] = pairs[:, own]
    missing, infinite = values[2 * n * (n + 1) :].reshape(n, 2).T
    return count, xx, yy, xy, missing, infinite


def _correlation(count, xx, yy, xy):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.clip(np.where((xx == 0) | (yy == 0), np.nan, xy / (np.sqrt(xx) * np.sqrt(yy))), -1, 1)


def _covariance(count, xy, ddof):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count == 0, np.nan, xy / np.maximum(count - ddof, 0))


def _framed(values, labels):
    return pd.DataFrame(values, columns=labels).set_axis(pd.DataFrame(columns=labels).columns)


def _as_table(sums, function, labels, min_periods=None, ddof=1):
    count, xx, yy, xy, missing, infinite = _tables(sums)
    if function == "corr":
        made = _correlation(count, xx, yy, xy)
    elif missing.any():  # pandas leaves infinite values out, and takes ddof as 1
        made = _covariance(count, xy, 1)
        made[count < 2] = np.nan
    else:
        made = _covariance(count, xy, ddof)
        made[(infinite > 0)[:, None] | (infinite > 0)[None, :]] = np.nan
        count = np.full_like(count, count[0, 0] + infinite[0])
    made[count < (1 if min_periods is None else min_periods)] = np.nan
    return _framed(made, labels)


def _as_scalar(sums, function, min_periods=None, ddof=1):
    count, xx, yy, xy, _, infinite = _tables(sums)
    if infinite.any() or count[1, 0] < (1 if min_periods is None else min_periods):
        return np.nan
    at = (1, 0)
    made = _correlation(count, xx, yy, xy) if function == "corr" else _covariance(count, xy, ddof)
    return float(made[at])


def corr(self, method="pearson", min_periods=None, numeric_only=False, **kwargs):
    """Return the correlation of each pair of columns, over the rows where both are there, a DataFrame; one pass.

    Parameters
    ----------
    method : str
        Other methods than "pearson" run through pandas.
    min_periods : int, optional
        Of fewer rows the correlation is NaN.
    numeric_only : bool, default False
        Leave out columns that are not numeric or bool.
    **kwargs
        `split_every`: accepted.
    """
    return of_columns(self, "corr", numeric_only, method=method, min_periods=min_periods, **kwargs)


def cov(self, min_periods=None, ddof=1, numeric_only=False, **kwargs):
    """Return the covariance of each pair of columns, a DataFrame; one pass. As in pandas `ddof` counts only where no value is missing.

    Parameters
    ----------
    min_periods : int, optional
        Of fewer rows the covariance is NaN.
    ddof : int, default 1
    numeric_only : bool, default False
        Leave out columns that are not numeric or bool.
    **kwargs
        `split_every`: accepted.
    """
    return of_columns(self, "cov", numeric_only, min_periods=min_periods, ddof=ddof, **kwargs)
