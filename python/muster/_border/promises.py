"""The dtypes that results of Python functions are promised to have, and what becomes of values that these do not hold.

A promise made by trying gives way: the engine is told a dtype that holds the values, and plans again. A promise of the user's is kept, or broken with an error.
"""

import functools

from muster._base.libraries import np, pa, pd
from muster._border.pandas import as_is, dtype_name, dtype_of, foreign_name, is_text, payload_of, sample_values, series_of


def payload_as(array, name, function, partition, guess=False, labels=(None,), at=0):
    """The payload of a result's column; where the promised dtype cannot hold its values, the name of one that can.

    A promise that the user gave is kept, or broken with an error. `guess`: the promised categories are those of made-up or first rows, and need not be there at
    all.
    `labels` and `at` say which column it is.
    """
    if type(array) is pd.arrays.NumpyExtensionArray:
        array = array.to_numpy()
    dtype, given = dtype_of(name), array.dtype
    if isinstance(given, np.dtype) and given.kind in "iuf" and given == dtype and not name.startswith("object"):
        return np.ascontiguousarray(array), None
    if name == unseen() and not pd.isna(array).all() or function.exact and not _is_exactly(array, dtype):
        return "str" if given == "object" and is_text(array) and not function.exact else dtype_name(given)
    if dtype == "object":
        return payload_of(np.asarray(array, dtype=object), "object")
    if given == dtype or (_open_categories(dtype) and isinstance(given, pd.CategoricalDtype) and given.ordered == dtype.ordered):
        return payload_of(array, name)
    missing = np.asarray(pd.isna(array))
    if missing.all():
        try:
            return _all_missing(len(array), dtype, name)
        except (TypeError, ValueError):  # integers in intervals or in a sparse column, which hold no missing value
            both = common_dtype(dtype, given)
            if both == dtype:
                raise
            return dtype_name(both)
    if name == "str" and given == "object" and is_text(array):
        return payload_of(array, name)
    forced = getattr(function, "forced", False)
    if isinstance(dtype, np.dtype) and dtype.kind in "iub" and (forced or isinstance(given, np.dtype)) and missing.any():
        values = _present_as(np.asarray(array[~missing]), dtype)
        if values is not None:  # such columns are open
            whole = np.zeros(len(array), dtype=dtype)
            whole[~missing] = values
            return payload_of(whole, name)[0], (~missing).view(np.uint8)
    series = series_of(array, None, labels[at] if forced else None)
    if forced:
        return _payload(_forced(series, dtype, missing, function, partition), name)
    both = common_dtype(dtype, given)
    if isinstance(both, pd.CategoricalDtype) and isinstance(given, pd.CategoricalDtype):  # united
        if given.categories.isin(dtype.categories).all():
            both = dtype
        elif guess:
            both = given
    if both == np.float64 and dtype.kind in "iu" and given.kind in "iu":  # which would round
        both = _integers_holding(series, dtype)
    if both != dtype:
        return dtype_name(both)
    try:
        return _payload(series.astype(dtype), name)
    except pa.ArrowInvalid:  # an integer that Arrow's doubles would round
        return dtype_name(np.dtype(object))


def _is_exactly(array, dtype):
    """Whether values have a dtype, or the one that its column has as soon as a value is missing."""
    given = array.dtype
    if given == dtype or _open_categories(dtype) and isinstance(given, pd.CategoricalDtype) and given.ordered == dtype.ordered:
        return True
    if not isinstance(dtype, np.dtype) or given != {"i": "float64", "u": "float64", "b": "object"}.get(dtype.kind):
        return False
    missing = np.asarray(pd.isna(array))
    return bool(missing.any()) and (missing.all() or _present_as(np.asarray(array[~missing]), dtype) is not None)


def payload_of_none(name):
    """The payload of a column without rows."""
    dtype = dtype_of(name)
    return payload_of(np.empty(0, dtype=object), name) if dtype == "object" else _all_missing(0, dtype, name)


@functools.cache
def unseen():
    """The name of the dtype of objects of which all that were seen are missing: the first others decide."""
    return foreign_name(np.dtype(object))


def _payload(series, name):
    array = series.array
    return payload_of(array.to_numpy() if type(array) is pd.arrays.NumpyExtensionArray else array, name)


def _all_missing(rows, dtype, name):
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        return payload_of(np.zeros(rows, dtype=dtype), name)[0], np.zeros(rows, np.uint8) if rows else None
    if _open_categories(dtype):
        dtype = pd.CategoricalDtype([], dtype.ordered)
    return _payload(pd.Series(pd.array([None] * rows, dtype=dtype)), name)


def _open_categories(dtype):
    """Whether a dtype is of categories that are known only when they are there."""
    return isinstance(dtype, pd.CategoricalDtype) and dtype.categories is None


def _present_as(values, dtype):
    """Values of which none is missing as integers or bools of a dtype; None where one of them is none."""
    if dtype.kind == "b" and not all(isinstance(x, (bool, np.bool_)) for x in values):
        return None
    try:
        changed = values.astype(dtype)
        return changed if (changed == values).all() else None
    except (TypeError, ValueError, OverflowError):
        return None


def _integers_holding(series, dtype):
    """The dtype itself where it holds these integers, else uint64, else objects."""
    low, high = int(series.min()), int(series.max())
    if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
        return dtype
    return np.dtype("uint64") if low >= 0 else np.dtype(object)


def _forced(series, dtype, missing, function, partition):
    """A column as the dtype that the user promised. Raises ValueError for a value that it does not hold."""
    if _open_categories(dtype):
        return series.astype(pd.CategoricalDtype(None, dtype.ordered))
    if dtype == np.float64 and isinstance(series.dtype, np.dtype) and series.dtype.kind in "iu":  # also what integers with missing values are
        return series.astype(dtype)
    present = series[~missing]
    if isinstance(dtype, pd.CategoricalDtype):
        held = present.isin(dtype.categories).to_numpy()
    else:
        held = _held(present, dtype) if _comparable(dtype, series.dtype) else None
    if held is None:  # one by one, to find the value
        held = np.array([_holds(dtype, value) for value in present])
    if not held.all():
        value = present.iloc[int(np.argmin(held))]
        shown = f"category of {list(dtype.categories)[:10]}" if isinstance(dtype, pd.CategoricalDtype) else str(dtype)
        raise ValueError(
            f"{function.label}: column {series.name!r} of partition {partition} has the value {value!r}, which the dtype {shown} promised by meta= does not "
            "hold; promise a wider dtype, or leave meta= out"
        )
    return series.astype(dtype)


def _comparable(promised, given):
    """Whether values of one dtype may be some of the other at all, as numbers of two widths and times of two units are."""
    if given == "object" or isinstance(given, pd.CategoricalDtype) or (isinstance(promised, pd.DatetimeTZDtype) and isinstance(given, pd.DatetimeTZDtype)):
        return True
    return common_dtype(promised, given) != "object"


def _held(values, dtype):
    """Which values, none of them missing, are the same as values of a dtype; None where they cannot be cast."""
    given = values.dtype
    try:
        changed = values.astype(dtype)
        back = changed.astype(object if isinstance(given, pd.CategoricalDtype) else given)
    except (TypeError, ValueError, OverflowError):
        return None
    if isinstance(given, np.dtype) and given != "object":
        return back.to_numpy() == values.to_numpy()
    return np.fromiter((not pd.isna(x) and bool(x == y) for x, y in zip(back, values, strict=True)), bool, len(values))


def _holds(dtype, value):
    try:
        one = pd.Series([value]).astype(dtype)
        return bool(one.notna().all() and one.iloc[0] == value)
    except (TypeError, ValueError, OverflowError):
        return False


def common_dtype(one, other):
    """Return the dtype of a Series with values of two dtypes: that of their concatenation in pandas; categories without an order are united."""
    if one == other:
        return one
    if isinstance(one, pd.CategoricalDtype) and isinstance(other, pd.CategoricalDtype) and not one.ordered and not other.ordered:
        if one.categories is None or other.categories is None:
            return pd.CategoricalDtype(None)
        in_order = one.categories.is_monotonic_increasing and other.categories.is_monotonic_increasing
        return pd.CategoricalDtype(
            one.categories.append(other.categories.difference(one.categories, sort=False)) if not in_order else one.categories.union(other.categories)
        )
    return pd.concat([pd.Series(as_is(sample_values(pd.Series([], dtype=_known(d))))) for d in (one, other)], ignore_index=True).dtype


def _known(dtype):
    return pd.CategoricalDtype([], dtype.ordered) if _open_categories(dtype) else dtype


def common_name(one, other):
    """Return the engine's name of the dtype of values of two, given by their names. Called by the engine."""
    return dtype_name(common_dtype(dtype_of(one), dtype_of(other)))
