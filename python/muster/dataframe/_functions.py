"""Functions of collections that are not methods: to_datetime, get_dummies and the like."""

from muster._base import keywords
from muster._base.libraries import pd
from muster.dataframe._frame import DataFrame
from muster.dataframe._index import Index
from muster.dataframe._labelled import labelled
from muster.dataframe._memory import from_pandas
from muster.dataframe._meta import made_by_python
from muster.dataframe._scalar import Scalar
from muster.dataframe._series import Series
from muster.dataframe._through_pandas import through
from muster.delayed import delayed


def to_datetime(arg, meta=None, **kwargs):
    """Return a Series of times, as pandas.to_datetime makes them of each partition.

    Parameters
    ----------
    arg : Series, DataFrame or Index
        Text, numbers, or columns year, month, day.
    meta : pandas.Series, optional
    **kwargs
        As pandas: format, unit, errors, utc, dayfirst and others.
    """
    if not hasattr(arg, "_expr") and not isinstance(arg, (pd.DataFrame, pd.Series)):
        raise NotImplementedError(
            f"dask.dataframe.to_datetime does not support non-index-able arguments (like scalars), got {type(arg).__name__}; use pandas.to_datetime"
        )
    if isinstance(arg, Index):
        return arg._with(_converted("to_datetime", arg.to_series(), kwargs))
    return _converted("to_datetime", arg, kwargs)


def to_timedelta(arg, unit=None, errors="raise"):
    """Return a Series of timedeltas, as pandas.to_timedelta makes them."""
    if not hasattr(arg, "_expr") and not isinstance(arg, pd.Series):
        raise TypeError(f"arg must be a Series, got {type(arg).__name__}")
    return _converted("to_timedelta", arg, {"unit": unit, "errors": errors})


def to_numeric(arg, errors="raise", downcast=None, meta=None):
    """Return a Series of numbers, as pandas.to_numeric makes them; of a scalar a Delayed."""
    if pd.api.types.is_scalar(arg):
        if errors not in ("raise", "coerce"):
            raise ValueError("invalid error value specified")
        if meta is not None:
            raise KeyError("``meta`` is not allowed when arg is a scalar")
        return delayed(pd.to_numeric)(arg, errors=errors, downcast=downcast)
    if getattr(arg, "ndim", 1) != 1:
        raise TypeError("arg must be a list, tuple, dask.array.Array, or dask.dataframe.Series")
    return _converted("to_numeric", arg, {"errors": errors, "downcast": downcast})


def isna(arg):
    """Return whether each value is missing."""
    return arg.isna()


def melt(frame, id_vars=None, value_vars=None, var_name=None, value_name="value", col_level=None):
    """Return the columns as rows; see pandas.melt."""
    return frame.melt(id_vars=id_vars, value_vars=value_vars, var_name=var_name, value_name=value_name, col_level=col_level)


def pivot_table(df, index, columns, values, aggfunc="mean"):
    """Return an aggregate of each pair of a value of one column and a category of another; see `DataFrame.pivot_table`."""
    return df.pivot_table(index, columns, values, aggfunc)


def get_dummies(data, prefix=None, prefix_sep="_", dummy_na=False, columns=None, sparse=False, drop_first=False, dtype=None, **kwargs):
    """Return a column per category, as pandas.get_dummies. Categories that are not known are learnt by reading the data once.

    Parameters
    ----------
    data : DataFrame or Series
    columns : list of labels, optional
        Default: text, object and categorical columns.
    prefix, prefix_sep, dummy_na, drop_first, dtype
        As pandas.
    """
    if sparse:
        raise NotImplementedError("get_dummies: sparse=True")
    keywords.check("get_dummies", kwargs, (), "prefix prefix_sep dummy_na columns sparse drop_first dtype".split())
    options = {"prefix": prefix, "prefix_sep": prefix_sep, "dummy_na": dummy_na, "drop_first": drop_first, "dtype": dtype}
    if data.ndim == 1:
        known = _with_categories(data)
        out, columns = through("get_dummies", _dummies, (known,), options), _dummies(known._meta, **options).columns
        return labelled(out, columns) if isinstance(columns, pd.CategoricalIndex) and isinstance(data._meta.dtype, pd.CategoricalDtype) else out
    labels = list(data.columns)
    frame = data._relabelled(range(len(labels)))  # labels may repeat
    if columns is None:
        kept = set(_dummies(frame._meta).columns)  # pandas says which it takes
        at = [i for i in range(len(labels)) if i not in kept]
    else:
        at = dict.fromkeys(i for label in columns for i in data._positions(label))
    for i in at:
        frame = frame._assign({i: _with_categories(frame._column(i))})
    return through("get_dummies", _dummies, (frame,), {**options, "columns": columns, "labels": labels})


def _with_categories(series):
    if isinstance(series._meta.dtype, pd.CategoricalDtype) and not made_by_python(series._expr):
        return series.cat.as_known()
    return series.astype(series.drop_duplicates().compute().astype("category").dtype)


def _dummies(data, labels=None, **options):
    return pd.get_dummies(data if labels is None else data.set_axis(labels, axis=1), **options)


def _converted(name, arg, kwargs):
    if not hasattr(arg, "_expr"):
        arg = from_pandas(arg, npartitions=1)
    return through(name, _convert, (arg,), {"name": name, **kwargs}, real=True)


def _convert(data, name, **kwargs):
    return getattr(pd, name)(data, **kwargs)




def map_overlap(func, df, before, after, *args, **kwargs):
    """Return what a function makes of each partition with rows in front and behind; see `DataFrame.map_overlap`. A pandas object is one partition."""
    if not hasattr(df, "_expr"):
        df = from_pandas(df, npartitions=1)
    return df.map_overlap(func, before, after, *args, **kwargs)


def get_collection_type(value):
    """Return the collection class of a pandas object: DataFrame, Series, Index, or Scalar for anything else."""
    for theirs, ours in ((pd.DataFrame, DataFrame), (pd.Series, Series), (pd.Index, Index)):
        if isinstance(value, theirs):
            return ours
    return Scalar
