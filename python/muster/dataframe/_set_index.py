"""The index is set or reset."""

from muster import _core
from muster._base import keywords
from muster._base.libraries import np, pd
from muster._base.values import plain_label
from muster.dataframe._ascending import ASCENDS, note_as
from muster.dataframe._beside import beside, in_memory
from muster.dataframe._collection import new_collection
from muster.dataframe._order import by_index, wanted
from muster.dataframe._partitioning import counted, divisions_of
from muster.dataframe._stand_in import borders_for, divisions_from, in_order, needs_stand_in, stand_in_for
from muster.dataframe._through_pandas import call


def set_index(self, other, drop=True, sorted=False, npartitions=None, divisions=None, sort=True, **kwargs):
    """Return the frame with a column as index, in its order.

    Over several partitions the column is read once, to see whether it ascends and where partitions are to begin, unless sorted=True or sort=False says what to
    do. Where it does not ascend, rows are put in order as by `sort_values`; no value lies in two partitions, and divisions are known.

    Parameters
    ----------
    other : label, Series of the same rows, or pandas Series, index or array with a value for each row
    drop : bool, default True
        Take the column out.
    sorted : bool, default False
        The rows are in the order of the column already.
    sort : bool, default True
        False: leave the rows where they are.
    npartitions : int or "auto", optional
        Of the result, at most. Default: as many as there are; "auto": as many of them as `partition_size` fills.
    divisions : list, optional
        The values at which partitions begin, and the last one; with sorted=True of the partitions that are there. What lies outside of them is in the first
        partition, or in the last.

    **kwargs
        append : bool, default False; True, with sort=False, keeps the index as the first level of the new one. partition_size : bytes of a partition, as 128e6
        or "128 MB", of npartitions="auto".

    Raises
    ------
    KeyError
        If `other` is no column.
    NotImplementedError
        If `other` is a DataFrame or several labels.
    ValueError
        If `divisions` do not ascend. At compute: values in memory are not as many as there are rows.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> df = dd.from_dict({"x": [3, 1, 2], "y": ["a", "b", "c"]}, npartitions=3)
    >>> df.set_index("x").y.compute().tolist()
    ['b', 'c', 'a']
    """
    for name in ("inplace", "verify_integrity"):
        if kwargs.get(name):
            raise NotImplementedError(f"set_index: {name}=True is not there yet")
    keywords.check(
        "set_index", kwargs, {*keywords.SHAPING, *"append inplace verify_integrity upsample partition_size max_branch compute shuffle".split()},
        "drop sorted npartitions divisions sort".split()
    )
    if in_memory(other):
        other = _in_memory(self, other)
    if isinstance(other, list):
        other = [_in_memory(self, label) if in_memory(label) else label for label in other]
        for label in other:
            self._positions_for("set_index", label)
        if len(other) != 1:
            raise NotImplementedError(
                f"set_index: does not yet support multi-indexes, here of {len(other)} columns; put them together into one column first, for example "
                "df.assign(key=df.a.astype('str') + ' ' + df.b.astype('str')).set_index('key')"
            )
        other = other[0]
    elif not hasattr(other, "_expr"):
        self._positions_for("set_index", other)
    elif getattr(other, "ndim", 1) == 2:
        raise NotImplementedError("set_index: does not yet support multi-indexes, and other is a DataFrame; say which of its columns, a Series")
    if kwargs.get("append"):
        return _appended(self, other, drop, sort, sorted)
    if divisions is not None:
        divisions = _checked(divisions) if sorted else list(divisions)
    if divisions is not None and sorted and len(divisions) != self.npartitions + 1:
        raise ValueError(
            f"set_index: divisions of sorted rows are the borders of the partitions that are there and must be the same length, {self.npartitions + 1}, got "
            f"{len(divisions)}; repartition(divisions=...) makes others"
        )
    npartitions = wanted(counted(self, npartitions, kwargs.get("partition_size")), "set_index")
    key = self[other] if not hasattr(other, "_expr") else other.to_series() if getattr(other, "_is_index", False) else other
    if key.ndim == 2:
        raise ValueError(f"set_index: {len(key._expr.columns)} columns are labelled {other!r}; give them labels of their own")
    frame = self.drop(columns=[other]) if drop and not hasattr(other, "_expr") else self
    plain_index = _core.call("with_index", [frame._expr, key._expr], {})
    if divisions is not None and not sorted and needs_stand_in(key._meta.dtype):
        borders, divisions = borders_for(divisions, key._meta.dtype)
        return in_order(new_collection(plain_index), lambda rows: by_index(rows, borders), divisions)
    if divisions is not None and not sorted:
        ordered = by_index(new_collection(plain_index), divisions)
        if ordered is None:
            raise NotImplementedError(
                f"set_index: divisions of a {key._meta.dtype} column; sort it without them, or with sorted=True if the rows are in order"
            )
        return ordered
    if sort and not sorted and (self.npartitions > 1 or npartitions) and (ordered := _in_order(plain_index, key, npartitions, self.npartitions)) is not None:
        return ordered
    out = new_collection(_core.call("with_index", [frame._expr, key._expr], {} if divisions is None else {"divisions": [plain_label(d) for d in divisions]}))
    return call(out, "sort_index", (), {"kind": "stable"}, shape="whole") if sort and not sorted else out


def _in_memory(frame, values):
    """Values in memory, one for each row, as a lazy Series."""
    return beside(frame, values if isinstance(values, np.ndarray) else values.array, "set_index").rename(getattr(values, "name", None))


def _in_order(expr, key, wanted, npartitions):
    """Return the frame in the order of its index, with divisions; None where pandas is to say what the order is."""
    frame, dtype = new_collection(expr), key._meta.dtype
    stands_in = needs_stand_in(dtype)
    if not stands_in and by_index(frame) is None:
        return None
    ascending, divisions = divisions_of(stand_in_for(key) if stands_in else key, wanted or npartitions)
    known = divisions_from(divisions, dtype) if stands_in else divisions
    if ascending and not wanted:
        out = _core.call("with_index", list(expr.inputs), {"divisions": plain_label(known)})
        note_as(out, ASCENDS)
        return new_collection(out)
    if stands_in:
        several = len(divisions) > 1
        return in_order(frame, lambda rows: by_index(rows, divisions) if several else by_index(rows, npartitions=1), known if several else [])
    return by_index(frame, divisions) if len(divisions) > 1 else by_index(frame, npartitions=1)


def _appended(self, other, drop, sort, sorted):
    """The frame with one more level in its index."""
    if sort and not sorted:
        raise NotImplementedError("set_index: append=True puts no rows in order; say sort=False")
    if hasattr(other, "_expr"):
        raise NotImplementedError("set_index: append=True with a Series; make it a column first, df.assign(key=series).set_index('key', append=True)")
    return call(self, "set_index", (other,), {"append": True, "drop": drop}, shape="partitions", labels=True)


def _checked(divisions):
    """Divisions as a list. Raises ValueError where they are none."""
    divisions = list(divisions)
    if len(divisions) < 2 or any(pd.isna(d) for d in divisions) or any(a > b for a, b in zip(divisions, divisions[1:], strict=False)) or (
        any(a == b for a, b in zip(divisions[:-1], divisions[1:-1], strict=False))
    ):  # fmt: skip
        raise ValueError(f"set_index: divisions must ascend, each there once and none missing, and be at least two; got {divisions}")
    return divisions


def reset_index(self, drop=False, **kwargs):
    """Return the frame with its index as columns, or without it, and rows numbered from 0.

    Parameters
    ----------
    drop : bool, default False
        Leave the index out.
    **kwargs
        As pandas: level, names, col_level, col_fill, allow_duplicates, name. With them all rows go through pandas in one task.
    """
    if kwargs:
        return call(self, "reset_index", (), {"drop": drop, **kwargs}, shape="whole")
    return new_collection(_core.call("reset_index", [self._expr], {"drop": bool(drop)}))
