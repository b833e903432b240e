"""What a merge by pandas looks like before it is made: labels, and dtypes that only the rows decide."""

from muster._base.libraries import np, pd
from muster._border.pandas import sample_of

# Objects may be anything: pandas compares some kinds of values with the keys of the other side and refuses others.
_OBJECTS = (["foo", "bar"], [0.5, 1.5], [(0,), (1,)])


def meta_of_merge(merged, left, right, arguments):
    """Return an empty pandas object with the labels of a merge, and the dtypes that it has where each key finds another.

    Parameters
    ----------
    merged : callable
        Called with two pandas DataFrames and `arguments`.
    left, right : DataFrame
    arguments : dict

    Raises
    ------
    What pandas raises for these labels and dtypes, whichever rows there are.
    """
    samples = [sample_of(side._expr) for side in (left, right)]
    error = none = one = None
    try:
        none = merged(*(s[:0] for s in samples), **arguments)
    except (TypeError, ValueError) as raised:
        error = raised
    for values in _OBJECTS:
        try:
            left, right = (_with_objects(s, values) for s in samples)
            one = merged(left[:1], right[:1], **arguments)
            if any(_has_units(s) for s in samples):
                one = _with_units_of(one, merged(left, right[:1], **arguments))
            break
        except (TypeError, ValueError) as raised:
            error = error or raised
    if one is None and none is None:
        raise error
    if one is None or none is None:
        return (none if one is None else one)[:0]
    return _without_missing(one, none)[:0]


def _has_units(data):
    return any(getattr(dtype, "kind", "O") in "mM" for dtype in (*data.dtypes, data.index.dtype))


def _with_units_of(one, more):
    """The result of a row of each side with the units of times that one has whose rows are not all of a side: of keys of two units pandas takes the finer one
    there, and that of a side where the keys of both are the same.
    """
    one = one.copy(deep=False)
    for at, (dtype, other) in enumerate(zip(one.dtypes, more.dtypes, strict=True)):
        if getattr(dtype, "kind", "O") in "mM" and dtype != other:
            one.isetitem(at, one.iloc[:, at].astype(other))
    if getattr(one.index.dtype, "kind", "O") in "mM" and getattr(more.index.dtype, "kind", "O") in "mM":
        one.index = one.index.astype(more.index.dtype)
    return one


def _without_missing(one, none):
    """The result of a row of each side, whose columns are those of no rows where made-up keys were not equal."""
    one = one.copy(deep=False)
    for at, (dtype, empty) in enumerate(zip(one.dtypes, none.dtypes, strict=True)):
        if isinstance(empty, np.dtype) and (dtype == np.float64 and empty.kind in "iu" or str(dtype) == "object" and empty.kind == "b"):
            one.isetitem(at, pd.Series(np.zeros(len(one), dtype=empty), index=one.index))
    return one


def _with_objects(sample, values):
    def held():
        made = np.empty(len(values), dtype=object)
        made[:] = values
        return made

    sample = sample.copy(deep=False)
    for at, dtype in enumerate(sample.dtypes):
        if str(dtype) == "object":
            sample.isetitem(at, pd.Series(held(), index=sample.index, dtype=object))
    if sample.index.nlevels == 1 and sample.index.dtype == object:
        sample.index = pd.Index(held(), dtype=object, name=sample.index.name, tupleize_cols=False)
    return sample
