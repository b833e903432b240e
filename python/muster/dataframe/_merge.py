"""merge and join: rows of two frames whose keys are equal."""

import datetime

from muster import _core
from muster._base.libraries import pd
from muster._base.values import plain_label
from muster._border.pandas import sample_of
from muster.dataframe._align import aligned, borders_of, both_ascend, can_be_cut
from muster.dataframe._ascending import ASCENDS, note_as, order_of
from muster.dataframe._collection import Collection, new_collection
from muster.dataframe._memory import in_one_partition
from muster.dataframe._merge_keys import stood_in
from muster.dataframe._merge_meta import meta_of_merge
from muster.dataframe._order import wanted
from muster.dataframe._through_pandas import through

_HOW = ("inner", "left", "right", "outer", "cross", "leftsemi", "leftanti", "left_anti", "right_anti")
# What the engine calls it, and whether the rows of `right` are those that look into the others.
_NATIVE = {
    "inner": ("inner", False), "left": ("left", False), "right": ("left", True), "outer": ("outer", False), "leftsemi": ("leftsemi", False),
    "leftanti": ("leftanti", False),
}  # fmt: skip
# The merge that finds the rows of one that does not keep what was found, and the side, as the engine numbers it, whose rows stay.
_ANTI = {"left_anti": ("left", 0), "right_anti": ("right", 1)}
_ONE, _SIDE = "\0one", "\0side"  # labels of columns that no result has: the same key for all rows, and the side a row is from
_SIDES = ["left_only", "right_only", "both"]
_REFUSED = object()
# Which sides' keys must not repeat.
_ONE_OR_MANY = {"one": "1", "many": "m"}
_UNIQUE = {None: (False, False)} | {
    name: (left == "one", right == "one")
    for left, a in _ONE_OR_MANY.items()
    for right, b in _ONE_OR_MANY.items()
    for name in (f"{left}_to_{right}", f"{a}:{b}")
}


def merge(
    left, right, how="inner", on=None, left_on=None, right_on=None, left_index=False, right_index=False, suffixes=("_x", "_y"), indicator=False,
    npartitions=None, shuffle_method=None, broadcast=None, validate=None,
):  # fmt: skip
    """Return the rows of two frames whose keys are equal, columns beside each other, as `pandas.merge`.

    Rows come in the order of `left` ("right": of `right`; "outer": of the keys); missing keys equal each other. The other side is put together in
    memory, and the rows of this one look into it as they are read. Where there is no room for it rows of both are exchanged, as `broadcast=False` does, and
    come in another order. By an index with known divisions pandas merges partition by partition, and all rows in one task where the rows that are found say
    which of two dtypes a key has, or categories are known only when they are read, as `explain` shows.

    Parameters
    ----------
    left, right : DataFrame or pandas DataFrame or named Series
        At least one of them lazy.
    how : {"inner", "left", "right", "outer", "cross", "leftsemi", "leftanti", "left_anti", "right_anti"}, default "inner"
        "leftsemi" and "leftanti": the rows and columns of `left` for which there is an equal key, or none. "left_anti" and "right_anti": the rows of one side
        that find none, with the columns of both. "cross": each row of `left` beside each of `right`.
    on, left_on, right_on : label or list of labels, optional
        Columns, or index levels. Default: the columns that both have, or if there is none the index.
    left_index, right_index : bool, default False
        The index is that side's key.
    suffixes : pair of str or None, default ("_x", "_y")
        Of columns that both have.
    indicator : bool or str, default False
        A column (its name) that says which side a row is from.
    validate : str, optional
        "one_to_one", "one_to_many", "many_to_one": which keys must be unique.
    npartitions : int, optional
        Of the result.
    broadcast : bool, optional
        False: rows of both sides are exchanged by a hash of their keys, so that neither is put together as a whole; what does not fit into memory lies on disk
        meanwhile. Rows come in another order then. Default: the other side is put together in memory, on a cluster in each worker, unless it has no room there.
    shuffle_method
        Accepted: how rows are moved is not the caller's concern.

    Raises
    ------
    KeyError
        If a key is no column.
    NotImplementedError
        If a key is a Series or an array.
    TypeError
        When computed, if a key is an object of a class that is not known to be equal to no other.
    ValueError
        If keys cannot be compared, there are not as many on both sides, or columns would have one name.
    pandas.errors.MergeError
        If there is no key, or `validate` does not hold.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> a = dd.from_dict({"k": [1, 2, 2], "x": [5, 6, 7]}, npartitions=2)
    >>> b = dd.from_dict({"k": [2, 3], "y": ["u", "v"]}, npartitions=1)
    >>> a.merge(b, on="k").compute()
       k  x  y
    0  2  6  u
    1  2  7  u
    """
    left, right = (_frame(side, name) for side, name in ((left, "left"), (right, "right")))
    npartitions = wanted(npartitions, "merge")
    _refuse_values(on=on, left_on=left_on, right_on=right_on)
    if how not in _HOW:
        raise ValueError(f"{how!r} is not a valid Merge type: {', '.join(_HOW)}")
    if not any((on, left_on, right_on, left_index, right_index, how == "cross")) and on is None and not set(left.columns) & set(right.columns):
        left_index = right_index = True
    arguments = {"how": how, "on": on, "left_on": left_on, "right_on": right_on, "left_index": left_index, "right_index": right_index, "suffixes": suffixes}
    arguments |= {"indicator": indicator, "validate": validate}
    keys = {k: arguments[k] for k in ("how", "on", "left_on", "right_on", "left_index", "right_index")}
    exchanged = (npartitions or max(left.npartitions, right.npartitions)) if broadcast is False else None
    by_divisions = _by_divisions(left, right, **keys)
    native = None
    if by_divisions is None or not left_index:
        native = _in_the_engine(left, right, **keys, suffixes=suffixes, indicator=indicator, validate=validate, exchanged=exchanged)
    if native is not None:
        return native if npartitions in (None, native.npartitions) or native.known_divisions else native.repartition(npartitions=npartitions)
    merged = _semi if how in ("leftsemi", "leftanti") else _merged
    try:
        meta = meta_of_merge(merged, left, right, arguments)
    except KeyError:
        _name_missing(left, on if left_on is None else left_on)
        _name_missing(right, on if right_on is None else right_on)
        raise
    if by_divisions is not None:
        return aligned("merge", merged, [left, right], arguments, meta=meta, **by_divisions)
    whole = through("merge", merged, (left, right), arguments, shape="whole", meta=meta, token=f"merge-{how}", exact=True)
    return whole.repartition(npartitions=npartitions or max(left.npartitions, right.npartitions))


def _by_divisions(left, right, how, on, left_on, right_on, left_index, right_index):
    """How `aligned` merges partitions whose rows alone have equal keys, as pandas would all rows; None where it cannot.

    The index values must be a key that stays the index, and the first one where rows come in the order of the keys.
    """
    left_on, right_on = (on if side is None else side for side in (left_on, right_on))
    if left_index and right_index:
        if left_on is not None or right_on is not None:
            return None
    else:
        if left_index or right_index:
            return None
        pairs = [(k if isinstance(k, list) else [k]) for k in (left_on, right_on)]
        name = left._meta.index.name
        if name is None or right._meta.index.name != name or name in left.columns or name in right.columns or pairs[0] != pairs[1] or name not in pairs[0]:
            return None
        if how not in ("inner", "left", "right") and pairs[0][0] != name:
            return None
    uncut = {"outer": (), "right": (right,), "right_anti": (right,)}.get(how, (left,))
    if (borders := borders_of(left, right, uncut=uncut)) is not None:
        return {"borders": borders, "order": min(both_ascend(left, right), ASCENDS)}
    for whole, (one, cut) in enumerate(((left, right), (right, left))):  # all rows of the one beside each partition of the other, whose order they come in
        if one.npartitions == 1 and can_be_cut(cut) and how in (("right",), ("inner", "left", "leftsemi", "leftanti"))[whole]:
            return {"borders": list(cut.divisions), "spread": (whole,), "order": min(order_of(cut._expr), ASCENDS)}
    return None


def merge_frame(
    self, right, how="inner", on=None, left_on=None, right_on=None, left_index=False, right_index=False, suffixes=("_x", "_y"), indicator=False,
    npartitions=None, shuffle_method=None, broadcast=None, validate=None,
):  # fmt: skip
    """Return the rows of this frame and another whose keys are equal, columns beside each other; see `muster.dataframe.merge`.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> a = dd.from_dict({"k": [1, 2, 2], "x": [5, 6, 7]}, npartitions=2)
    >>> a.merge(dd.from_dict({"k": [2], "y": ["u"]}, npartitions=1), on="k", how="left").y.compute().tolist()
    [nan, 'u', 'u']
    """
    return merge(self, right, how, on, left_on, right_on, left_index, right_index, suffixes, indicator, npartitions, broadcast=broadcast, validate=validate)


merge_frame.__name__, merge_frame.__qualname__ = "merge", "DataFrame.merge"  # as messages about its arguments call it


def _frame(side, name):
    if isinstance(side, (pd.DataFrame, pd.Series)):
        side = in_one_partition(side)
    if not isinstance(side, Collection) or side._is_index or side._expr.kind not in ("frame", "series"):
        raise TypeError(f"merge: {name} must be a DataFrame or a named Series, a {type(side).__name__} was passed")
    if side.ndim == 1:
        if side.name is None:
            raise ValueError("Cannot merge a Series without a name")
        side = side.to_frame()
    return side


def _refuse_values(**keys):
    for name, key in keys.items():
        for one in key if isinstance(key, (list, tuple)) else [key]:
            if getattr(one, "ndim", 0) > 0:
                raise NotImplementedError(
                    f"merge: {name} takes labels, a {type(one).__name__} was passed; make it a column first, df.assign(key=...).merge(other, {name}='key')"
                )


def _name_missing(side, keys):
    """Raises a KeyError that names the columns near to a key that is neither column nor index level of a side."""
    for key in [] if keys is None else keys if isinstance(keys, (list, tuple)) and keys not in side._labels() else [keys]:
        if key not in side._meta.index.names:
            side._positions_for("merge", key)


def _in_the_engine(left, right, how, on, left_on, right_on, left_index, right_index, suffixes, indicator, validate, exchanged):
    """The merge by the engine, None where pandas is to say what these arguments mean; with rows of both `exchanged`, in so many partitions."""
    if not isinstance(suffixes, (tuple, list)) or len(suffixes) != 2 or not all(s is None or isinstance(s, str) for s in suffixes):
        return None
    columns = list(left.columns), list(right.columns)
    sides, unique = _label_of_sides(indicator, [*columns[0], *columns[1]]), _UNIQUE.get(validate) if validate is None or isinstance(validate, str) else None
    if sides is _REFUSED or unique is None or how in ("leftsemi", "leftanti") and (indicator or any(unique)):
        return None
    if (how == "cross" or indicator) and (left._has_levels() or right._has_levels()):
        return None  # another column would have no level
    if how == "cross":
        if not (on is None and left_on is None and right_on is None) or left_index or right_index:
            return None
        both, keys, unique, exchanged = [side._assign({_ONE: 1}) for side in (left, right)], [[_ONE], [_ONE]], (False, False), None
        out = _native(*both, "inner", keys, suffixes, unique, sides, exchanged)
        return None if out is None else _named_sides(_without(out, [_ONE]), sides)
    if on is None and left_on is None and right_on is None and not left_index and not right_index:
        on = [c for c in columns[0] if c in columns[1]]
    if on is not None:
        if left_on is not None or right_on is not None or left_index or right_index:
            return None
        left_on = right_on = on
    keys = [_labels(k, of) for k, of in ((left_on, columns[0]), (right_on, columns[1]))]
    if any((k is None) is not index for k, index in zip(keys, (left_index, right_index), strict=True)):
        return None
    found, alone = _ANTI.get(how, (how, None))
    if left_index is not right_index and found not in (("right",) if left_index else ("inner", "left", "leftsemi", "leftanti")):
        return None  # the result has the index of the side whose order does not stay
    if None not in keys:
        if len(keys[0]) != len(keys[1]):
            return None
        if found in ("right", "outer") and any(a != b and not (isinstance(a, str) and isinstance(b, str)) for a, b in zip(*keys, strict=True)):
            return None  # pandas takes the left one, of rows that are from the right alone, for both
    seen = sides if sides is not None or alone is None else _SIDE
    out = _native(left, right, found, keys, suffixes, unique, seen, exchanged)
    if out is None:
        stood = stood_in(left, right, found, keys, seen)
        if stood is None:
            return None
        *both, keys, restored = stood
        out = _native(*both, found, keys, suffixes, unique, seen, exchanged)
        if out is None or (out := restored(out)) is None:
            return None
    if alone is not None:
        out = out[out[seen] == alone]
    return _named_sides(out, sides) if sides is not None or alone is None else _without(out, [_SIDE])


def _native(left, right, how, keys, suffixes, unique, sides, exchanged):
    """The native merge by two lists of labels, None of them for an index; None where it cannot be."""
    native, flipped = _NATIVE[how]
    by_index = [k is None for k in keys]
    stream, built = (right, left) if flipped else (left, right)
    keeps = by_index[not flipped] and stream.known_divisions and native != "outer"
    arguments = {
        "how": native, "stream_on": plain_label(keys[flipped] or []), "stream_index": by_index[flipped], "built_on": plain_label(keys[not flipped] or []),
        "built_index": by_index[not flipped], "suffixes": list(suffixes), "flipped": flipped, "keeps_divisions": keeps, "keyed": False,
        "unique_stream": unique[flipped], "unique_built": unique[not flipped],
    }  # fmt: skip
    if sides is not None:
        arguments["sides"] = sides
    try:
        if exchanged is not None:
            moved = [
                _core.call("shuffle", [side._expr], {"on": None if arguments[f"{name}_index"] else arguments[f"{name}_on"], "partitions": exchanged})
                for side, name in ((stream, "stream"), (built, "built"))
            ]
            return new_collection(_core.call("merge_partitions", moved, arguments))
        out = _core.call("merge", [stream._expr, built._expr], arguments)
    except NotImplementedError:
        return None
    if keeps:  # rows of the stream keep their index values
        labels = new_collection(out).index.to_series()
        out = _core.call("with_index", [out, labels._expr], {"divisions": plain_label(list(stream.divisions))})
        note_as(out, min(order_of(stream._expr), ASCENDS))
    return new_collection(out)


def _without(frame, labels):
    return frame._take([i for i, (label, _, _) in enumerate(frame._expr.columns) if label not in labels])


def _label_of_sides(indicator, columns):
    """The label of the column that says which side a row is from, None where there is none; _REFUSED where pandas is to say what is wrong with it."""
    if indicator is False:
        return None
    label = "_merge" if indicator is True else indicator
    return label if isinstance(label, str) and label not in columns and not {"_left_indicator", "_right_indicator"} & set(columns) else _REFUSED


def _named_sides(frame, label):
    """The frame with the numbers in a column as pandas' names for sides."""
    if label is None:
        return frame
    named = through("merge indicator", _names_of_sides, (frame[label],), meta=_names_of_sides(pd.Series([], dtype="int8", name=label)))
    return frame.assign(**{label: named})


def _names_of_sides(numbers):
    return pd.Series(pd.Categorical.from_codes(numbers, _SIDES), index=numbers.index, name=numbers.name)


def _labels(keys, columns):
    """Labels of key columns as a list; None where these are not all single columns."""
    keys = keys if isinstance(keys, list) else [keys]
    found = all(_is_label(k) and columns.count(k) == 1 for k in keys)
    return [columns[columns.index(k)] for k in keys] if keys and found else None


def _is_label(key):
    """Whether a key may be a column's label; what pandas makes of labels that are missing is its own to say."""
    return isinstance(key, (str, int, float, tuple, bytes, datetime.date)) and not isinstance(key, bool) and key == key and key is not pd.NaT


def _merged(left, right, **kwargs):
    return left.merge(right, **kwargs)


def _semi(left, right, how, indicator, validate, suffixes, **keys):
    """Rows of `left` for which there is an equal key, or none."""
    numbered = left.assign(**{"__row": range(len(left))})
    pairs = numbered.merge(right, how="inner", suffixes=("", "__right"), **keys)
    found = numbered["__row"].isin(pairs["__row"])
    return left[found.to_numpy() if how == "leftsemi" else ~found.to_numpy()]


def _joined(left, *right, how):
    return left.join(list(right), how=how)


def join(self, right, on=None, how="left", lsuffix="", rsuffix="", npartitions=None, shuffle_method=None):
    """Return the frame with the columns of others, by their index, as `pandas.DataFrame.join`.

    Parameters
    ----------
    right : DataFrame, named Series, or list of them
        Its index is compared with the index of this frame, or with the columns `on`.
    on : label or list of labels, optional
    how : {"left", "right", "inner", "outer"}, default "left"
    lsuffix, rsuffix : str, default ""
        Of columns that both have.
    npartitions, shuffle_method
        Accepted.

    Raises
    ------
    ValueError
        If both have columns of one name and there are no suffixes.

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> a = dd.from_dict({"k": ["u", "v"]}, npartitions=1)
    >>> a.join(pd.DataFrame({"y": [1, 2]}, index=["v", "u"]), on="k").compute()
       k  y
    0  u  2
    1  v  1
    """
    if isinstance(right, (list, tuple)):
        if on is not None or lsuffix or rsuffix:
            raise ValueError("Suffixes and 'on' not supported when joining multiple DataFrames")
        left, *right = (_frame(side, "right") for side in (self, *right))
        meta = sample_of(left._expr)[:0].join([sample_of(r._expr)[:0] for r in right], how=how)
        return through("join", _joined, (left, *right), {"how": how}, shape="whole", meta=meta, token="join", exact=True)
    if on is None:
        keys = {"left_index": True, "right_index": True}
    else:
        keys = {"left_on": on, "right_index": True}
    return merge(self, right, how=how, suffixes=(lsuffix, rsuffix), npartitions=npartitions, **keys)
