"""Index values of dtypes that the engine carries without opening, or has no values of outside of columns: rows are arranged by native values that stand in for
them, and compare as they do.

Divisions are in the dtype of the index; what stands in for them is known here alone.
"""

from muster import _core
from muster._base.libraries import np, pd
from muster._base.values import plain_label
from muster._border.pandas import dtype_name, is_ordered
from muster.dataframe._ascending import ASCENDS, note_as
from muster.dataframe._collection import new_collection
from muster.dataframe._through_pandas import through


def needs_stand_in(dtype):
    """Whether rows are arranged by what stands in for values of a dtype."""
    return is_ordered(dtype) and dtype_name(dtype).startswith(("object", "timedelta64"))


def stand_in_for(series):
    """Return native values, lazy, that compare as those of a lazy Series do; missing where they are missing."""
    return through("stand_in", _stand_in, (series,), labels=False)


def borders_for(divisions, dtype):
    """Return what stands in for divisions, and these as values of a dtype."""
    if isinstance(dtype, pd.CategoricalDtype):
        return [int(dtype.categories.searchsorted(d)) for d in divisions], list(divisions)
    values = pd.Series(list(divisions), dtype=dtype)
    return _stand_in(values).tolist(), [v.item() if isinstance(v, np.generic) else v for v in values]


def divisions_from(borders, dtype):
    """Return the divisions, values of a dtype, for which these values stand in."""
    if isinstance(dtype, pd.CategoricalDtype):
        return [dtype.categories[int(b)] for b in borders]
    if isinstance(dtype, pd.DatetimeTZDtype):
        return list(pd.DatetimeIndex(borders).as_unit(dtype.unit).tz_localize("UTC").tz_convert(dtype.tz))
    if isinstance(dtype, pd.PeriodDtype):
        return [pd.Period(ordinal=int(b), freq=dtype.freq) for b in borders]
    if dtype.kind == "m":
        return [(pd.Timestamp(b) - pd.Timestamp(0)) for b in borders]
    return [{"b": bool, "i": int, "u": int, "f": float}.get(dtype.kind, str)(b) for b in borders]


def arranged(collection, arrange, divisions):
    """Return the rows of a collection as they are arranged by what stands in for its index values.

    Parameters
    ----------
    collection : DataFrame or Series
    arrange : callable
        Called with the rows behind a native index; returns them in other partitions.
    divisions : list
        Of the result, values of the index' dtype; empty where they are not known.
    """
    index = collection.index.to_series()
    frame = collection if collection.ndim == 2 else collection.to_frame(name="values")
    beside = "index"
    while beside in frame:
        beside += "_"
    held = frame._assign({beside: index})
    out = arrange(new_collection(_core.call("with_index", [held._expr, stand_in_for(index)._expr], {})))
    rows = out._take(range(len(out._expr.columns) - 1))
    rows = rows if collection.ndim == 2 else rows._column(0).rename(collection.name)
    known = {"divisions": plain_label(divisions)} if divisions else {}
    return new_collection(_core.call("with_index", [rows._expr, out._column(len(out._expr.columns) - 1).rename(collection.index.name)._expr], known))


def in_order(collection, order, divisions):
    """As `arranged`, where the rows come in the order of the index."""
    out = arranged(collection, order, divisions)
    if divisions:
        note_as(out._expr, ASCENDS)
    return out


def _stand_in(values):
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _numbers(values.cat.codes, values.isna())
    if isinstance(dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(dtype, pd.PeriodDtype):
        return _numbers(pd.Series(values.array.asi8, index=values.index), values.isna())
    if isinstance(dtype, np.dtype) and dtype.kind == "m":
        return pd.Series(values.to_numpy().view(f"M8[{np.datetime_data(dtype)[0]}]"), index=values.index)
    if dtype.kind in "biuf":
        missing = values.isna()
        whole = {"b": "int64", "i": "int64", "u": "uint64", "f": "float64"}[dtype.kind]
        return values.astype("float64") if missing.any() else values.astype(whole)
    return values.astype("str")


def _numbers(values, missing):
    return values.astype("float64").mask(missing) if missing.any() else values.astype("int64")
