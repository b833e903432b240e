"""`dask.dataframe.utils` and its companions: what programs and their tests ask of pandas objects and of meta."""

import contextlib

from muster import config
from muster._base.libraries import np, pd
from muster._border.pandas import sample_values, unknown_categories
from muster.as_dask._utils import asciitable, is_dataframe_like, is_index_like, is_series_like, typename
from muster.dataframe import Scalar
from muster.dataframe._collection import Collection
from muster.dataframe._meta import meta_object

UNKNOWN_CATEGORIES = unknown_categories()[0]
_object = "foo"  # what stands for any object in made-up rows


class AttributeNotImplementedError(NotImplementedError, AttributeError):
    """A name that is not there yet."""


def is_scalar(x):
    """Return whether a value is one value: of pandas, a lazy Scalar, or a dtype's."""
    return isinstance(x, (Scalar, np.dtype)) or pd.api.types.is_scalar(x)


def is_float_na_dtype(t):
    """Return whether a dtype, or that of a Series, is a nullable float."""
    return isinstance(getattr(t, "dtype", t), (pd.Float32Dtype, pd.Float64Dtype))


def is_integer_na_dtype(t):
    """Return whether a dtype, or that of a Series, is a nullable integer."""
    return isinstance(getattr(t, "dtype", t), tuple(type(pd.array([], dtype=f"{u}Int{n}").dtype) for u in ("", "U") for n in (8, 16, 32, 64)))


def make_meta(x, index=None, parent_meta=None):
    """Return the empty pandas object, or the scalar, with the labels and dtypes that are described.

    Parameters
    ----------
    x : pandas object, lazy collection, dict, iterable of pairs, pair of name and dtype, dtype or scalar
    index : pandas.Index, optional
        Of whose kind the result's index is.

    Raises
    ------
    TypeError
        If it describes nothing.

    Examples
    --------
    >>> from muster.as_dask._frame_utils import make_meta
    >>> make_meta({"a": "int64"}).dtypes.to_dict()
    {'a': dtype('int64')}
    """
    if isinstance(x, Collection):
        return x._meta
    if isinstance(x, (pd.DataFrame, pd.Series)):
        return x.iloc[:0].copy(deep=True)
    if isinstance(x, pd.Index):
        return x[:0].copy(deep=True)
    if is_arraylike(x) and x.shape:
        return x[:0]
    if x is None:
        raise TypeError("Don't know how to create metadata from None")
    if isinstance(x, (dict, tuple)) or (hasattr(x, "__iter__") and not isinstance(x, str)):
        out = meta_object(x if isinstance(x, (dict, tuple)) else list(x))
        if not isinstance(out, (pd.DataFrame, pd.Series)):
            raise TypeError(f"Don't know how to create metadata from {x}")
        return out if index is None else out.set_axis(index[:0])
    if isinstance(x, (bool, int, float, complex)):
        return np.dtype(type(x)).type(1)
    if not hasattr(x, "dtype") and not isinstance(x, (pd.api.extensions.ExtensionDtype, np.dtype, type, str)) and is_scalar(x):
        return x
    if isinstance(x, np.generic):
        return x
    try:
        dtype = pd.api.types.pandas_dtype(x)
    except TypeError:
        raise TypeError(f"Don't know how to create metadata from {x}") from None
    return _scalar(dtype)


def is_arraylike(x):
    """Return whether a value is a NumPy array or like one."""
    return isinstance(x, np.ndarray)


def _scalar(dtype):
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pd.Timestamp(1, tz=dtype.tz, unit=dtype.unit)
    if isinstance(dtype, pd.PeriodDtype):
        return pd.Period(1, freq=dtype.freq)
    if isinstance(dtype, np.dtype) and dtype.kind in "biufc":
        return dtype.type(1)
    return sample_values(pd.Series([], dtype=dtype))[0]


def meta_nonempty(x):
    """Return an object of two made-up rows with the labels and dtypes of an empty one; a scalar as it is."""
    if isinstance(x, Collection):
        x = x._meta
    if isinstance(x, pd.DataFrame):
        index = meta_nonempty(x.index)
        out = pd.DataFrame({i: _filled(x.iloc[:, i], index) for i in range(x.shape[1])}, index=index)
        out.columns = x.columns
        return out
    if isinstance(x, pd.Series):
        return _filled(x, meta_nonempty(x.index)).rename(x.name)
    if isinstance(x, pd.Index):
        return _index(x)
    if isinstance(x, (pd.api.extensions.ExtensionDtype, np.dtype)):
        return _scalar(x)
    if is_scalar(x):
        return x
    raise TypeError(f"Expected Pandas-like Index, Series, DataFrame, or scalar, got {typename(x)}")


def _filled(series, index):
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype) and not len(dtype.categories):
        return pd.Series(pd.Categorical([None, None], dtype=dtype), index=index)
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical([dtype.categories[0]] * 2, dtype=dtype), index=index)
    return pd.Series(sample_values(series), index=index, dtype=dtype)


def _index(index):
    name = index.name
    if isinstance(index, pd.RangeIndex):
        return pd.RangeIndex(2, name=name)
    if isinstance(index, pd.MultiIndex):
        return pd.MultiIndex(levels=[_index(level).unique() for level in index.levels], codes=[[0, 0] for _ in index.levels], names=index.names)
    if isinstance(index, pd.DatetimeIndex):
        return (
            pd.date_range("1970-01-01", periods=2, freq=index.freq or "D", tz=index.tz, name=name, unit=index.unit) if index.freq is not None
            else pd.DatetimeIndex(["1970-01-01", "1970-01-02"], tz=index.tz, name=name).as_unit(index.unit)
        )
    if isinstance(index, pd.PeriodIndex):
        return pd.period_range("1970-01-01", periods=2, freq=index.freq, name=name)
    if isinstance(index, pd.TimedeltaIndex):
        return (
            pd.timedelta_range("1 day", periods=2, freq=index.freq or "D", name=name) if index.freq is not None
            else pd.TimedeltaIndex(["1 day", "2 days"], name=name).as_unit(index.unit)
        )
    if isinstance(index, pd.CategoricalIndex):
        return pd.CategoricalIndex(_filled(index.to_series(), None), name=name)
    if index.dtype.kind in "iuf":
        return pd.Index(np.arange(2), dtype=index.dtype, name=name)
    return pd.Index(sample_values(index.to_series()), dtype=index.dtype, name=name)


def meta_frame_constructor(like):
    """Return the class of frames that belongs to a frame, series, index, or lazy collection."""
    return _constructor(like, "DataFrame")


def meta_series_constructor(like):
    """Return the class of series that belongs to a frame, series, index, or lazy collection."""
    return _constructor(like, "Series")


def _constructor(like, name):
    like = like._meta if isinstance(like, Collection) else like
    if not (is_dataframe_like(like) or is_series_like(like) or is_index_like(like)):
        raise TypeError(f"{type(like)} not supported by meta_{'frame' if name == 'DataFrame' else 'series'}_constructor")
    return getattr(pd, name)


def pyarrow_strings_enabled():
    """Return whether texts are Arrow's."""
    convert = config.get("dataframe.convert-string", None)
    return True if convert is None else bool(convert)


def get_string_dtype():
    """Return the dtype of texts."""
    return pd.StringDtype(na_value=np.nan) if pyarrow_strings_enabled() else object


def has_known_categories(x):
    """Return whether the categories of a Series or Index of categories are known.

    Raises
    ------
    TypeError
        If it has none.
    """
    dtype = getattr(x._meta if isinstance(x, Collection) else x, "dtype", None)
    if not isinstance(dtype, pd.CategoricalDtype):
        raise TypeError(f"Expected Series or CategoricalIndex, got {typename(x)}")
    return UNKNOWN_CATEGORIES not in dtype.categories


def clear_known_categories(x, cols=None, index=True, dtype_backend=None):
    """Return a meta whose categories are unknown: of these columns, default all of categories; and of the index."""
    if isinstance(x, pd.CategoricalIndex):
        return x.set_categories([UNKNOWN_CATEGORIES])
    if not isinstance(x, (pd.DataFrame, pd.Series)):
        return x
    x = x.copy()
    if isinstance(x, pd.DataFrame):
        for name in [n for n, d in x.dtypes.items() if isinstance(d, pd.CategoricalDtype)] if cols is None else cols:
            if not isinstance(x[name].dtype, pd.CategoricalDtype):
                raise AssertionError("Not all columns are categoricals")
            x[name] = x[name].cat.set_categories([UNKNOWN_CATEGORIES])
    elif isinstance(x.dtype, pd.CategoricalDtype):
        x = x.cat.set_categories([UNKNOWN_CATEGORIES])
    if index and isinstance(x.index, pd.CategoricalIndex):
        x.index = x.index.set_categories([UNKNOWN_CATEGORIES])
    return x


def strip_unknown_categories(x, just_drop_unknown=False):
    """Return an object of which unknown categories are taken out."""

    def known(values):
        return values.remove_categories(UNKNOWN_CATEGORIES) if just_drop_unknown else values.set_categories([])

    if isinstance(x, pd.CategoricalIndex):
        return x if has_known_categories(x) else known(x)
    if isinstance(x, pd.DataFrame):
        return x.assign(**{n: strip_unknown_categories(x[n], just_drop_unknown) for n, d in x.dtypes.items() if isinstance(d, pd.CategoricalDtype)})
    if isinstance(x, pd.Series) and isinstance(x.dtype, pd.CategoricalDtype) and not has_known_categories(x):
        return known(x.cat)
    return x


@contextlib.contextmanager
def raise_on_meta_error(funcname=None, udf=False):
    """Say of an error inside that it came while a function was tried.

    Raises
    ------
    ValueError
        With the error's text.
    """
    try:
        yield
    except Exception as error:
        hint = "\n\nYou have supplied a custom function; give what it returns as `meta`.\n" if udf else "\n"
        raise ValueError(
            f"Metadata inference failed{f' in `{funcname}`' if funcname else ''}.\n{hint}\nOriginal error is below:\n------------------------\n{error!r}"
        ) from error


def _equal(a, b, numeric):
    if a is None or b is None:
        return False
    if isinstance(a, pd.CategoricalDtype) and isinstance(b, pd.CategoricalDtype):
        return UNKNOWN_CATEGORIES in (*a.categories, *b.categories) or a == b
    if isinstance(a, np.dtype) and isinstance(b, np.dtype) and a.kind == b.kind == "M":
        return True
    return a == b or (numeric and isinstance(a, np.dtype) and isinstance(b, np.dtype) and a.kind in "iuf" and b.kind in "iuf")


def check_meta(x, meta, funcname=None, numeric_equal=True):
    """Return a pandas object if it is what a meta promises.

    Parameters
    ----------
    x, meta : DataFrame, Series or Index
    funcname : str, optional
        For the message.
    numeric_equal : bool, default True
        Numbers may have another dtype.

    Raises
    ------
    ValueError
        If it is not; the message is a table of the differences.
    """
    if type(x) is not type(meta) and not (is_index_like(meta) and is_index_like(x)):
        found = f"Expected partition of type `{typename(type(meta))}` but got `{_shown_type(x)}`"
    elif isinstance(meta, pd.DataFrame):
        dtypes = pd.concat([x.dtypes, meta.dtypes], axis=1, keys=["found", "promised"]) if x.columns.is_unique and meta.columns.is_unique else None
        if dtypes is None:
            if list(x.dtypes) == list(meta.dtypes):
                return x
            rows = [(repr(n), str(a), str(b)) for n, a, b in zip(meta.columns, x.dtypes, meta.dtypes, strict=False) if a != b]
        else:
            pairs = [(n, None if pd.isna(a) else a, None if pd.isna(b) else b) for n, a, b in dtypes.itertuples()]
            rows = [(repr(n), "-" if a is None else str(a), "-" if b is None else str(b)) for n, a, b in pairs if not _equal(a, b, numeric_equal)]
        if not rows:
            check_matching_columns(meta, x)
            return x
        found = f"Partition type: `{typename(type(meta))}`\n{asciitable(['Column', 'Found', 'Expected'], sorted(rows))}"
    else:
        if _equal(x.dtype, meta.dtype, numeric_equal):
            return x
        found = f"Partition type: `{typename(type(meta))}`\n{asciitable(['', 'dtype'], [('Found', x.dtype), ('Expected', meta.dtype)])}"
    raise ValueError(f"Metadata mismatch found{f' in `{funcname}`' if funcname else ''}.\n\n{found}")


def _shown_type(x):
    name = typename(type(x))
    return f"dask {name}" if isinstance(x, Collection) else name


def check_matching_columns(meta, actual):
    """Raise ValueError unless two frames have the same columns in the same order."""
    here, promised = list(actual.columns), list(meta.columns)
    if len(here) == len(promised) and all(a == b or (a != a and b != b) for a, b in zip(here, promised, strict=True)):
        return
    extra, missing = [c for c in here if c not in promised], [c for c in promised if c not in here]
    if extra or missing:
        raise ValueError(f"The columns in the computed data do not match the columns in the provided metadata\n  Extra:   {extra}\n  Missing: {missing}")
    raise ValueError(
        f"The columns in the computed data do not match the columns in the provided metadata\nOrder of columns does not match.\nActual:   {here}\nExpected: "
        f"{promised}"
    )


def valid_divisions(divisions):
    """Return whether these are borders of partitions: a list or tuple of at least two values, in order, none missing, none twice but the last.

    Examples
    --------
    >>> from muster.as_dask._frame_utils import valid_divisions
    >>> valid_divisions([1, 2, 3]), valid_divisions([3, 2, 1])
    (True, False)
    """
    if not isinstance(divisions, (tuple, list)):
        return False
    try:
        if any(pd.isna(d) for d in divisions):
            return False
        return all(a < b for a, b in zip(divisions[:-2], divisions[1:-1], strict=False)) and (len(divisions) < 2 or divisions[-2] <= divisions[-1])
    except (TypeError, ValueError):
        return False


def _sorted(x):
    if isinstance(x, (pd.DataFrame, pd.Series)):
        with contextlib.suppress(TypeError, ValueError, KeyError):
            x = x.sort_values(by=list(dict.fromkeys(x.columns)), kind="stable") if isinstance(x, pd.DataFrame) else x.sort_values(kind="stable")
        with contextlib.suppress(TypeError):
            x = x.sort_index(kind="stable")
    return x


def assert_eq(a, b, check_names=True, check_dtype=True, check_divisions=True, check_index=True, sort_results=True, scheduler="sync", **kwargs):
    """Raise AssertionError unless two frames, series, indexes or scalars, lazy or not, are equal; in any order of rows unless sort_results=False.

    Parameters
    ----------
    check_names, check_dtype, check_index, check_divisions : bool, default True
        Look at names, dtypes, the index, and at whether divisions hold.
    **kwargs
        As of pandas.testing.
    """
    if check_divisions:
        for x in (a, b):
            if isinstance(x, Collection) and getattr(x, "known_divisions", False):
                assert_divisions(x)
    a, b = (x.compute(scheduler=scheduler) if hasattr(x, "compute") else x for x in (a, b))
    if sort_results:
        a, b = _sorted(a), _sorted(b)
    if not check_index and isinstance(a, (pd.DataFrame, pd.Series)):
        a, b = a.reset_index(drop=True), b.reset_index(drop=True)
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_names=check_names, check_dtype=check_dtype, **kwargs)
    elif isinstance(a, pd.Series):
        pd.testing.assert_series_equal(a, b, check_names=check_names, check_dtype=check_dtype, **kwargs)
    elif isinstance(a, pd.Index):
        pd.testing.assert_index_equal(a, b, exact=check_dtype, check_names=check_names, **kwargs)
    else:
        assert a == b or (pd.isna(a) and pd.isna(b)) or np.allclose(a, b), f"{a!r} != {b!r}"
    return True


def assert_divisions(ddf, scheduler=None):
    """Raise AssertionError unless the rows of each partition are within its divisions."""
    assert isinstance(ddf.divisions, tuple)
    if not ddf.known_divisions:
        return
    parts = ddf.to_delayed()
    last = len(parts) - 1
    for i, part in enumerate(parts):
        rows = part.compute(scheduler=scheduler or "sync")
        index = rows if isinstance(rows, pd.Index) else rows.index
        index = index.get_level_values(0) if isinstance(index, pd.MultiIndex) else index
        if len(index):
            low, high = ddf.divisions[i : i + 2]
            assert index.min() >= low and (
                index.max() <= high if i == last else index.max() < high
            ), f"partition {i} holds {index.min()} to {index.max()}, divisions say {low} to {high}"


def insert_meta_param_description(*args, **kwargs):
    """Return a decorator that leaves a function as it is."""
    return args[0] if args and callable(args[0]) else lambda function: function
