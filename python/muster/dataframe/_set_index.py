"""The index is set or reset."""

from muster import _core
from muster._base import keywords
from muster._base.values import plain
from muster.dataframe._ascending import ASCENDS, note_as
from muster.dataframe._collection import new_collection
from muster.dataframe._partitioning import divisions_of_ascending
from muster.dataframe._through_pandas import call


def set_index(self, other, drop=True, sorted=False, npartitions=None, divisions=None, sort=True, **kwargs):
    """Return the frame with a column as index, in its order.

    Over several partitions the column is read once, to see that it ascends, unless sorted=True or sort=False says what to do. Where it does not, all rows are
    put in order in one task, and are one partition.

    Parameters
    ----------
    other : label or Series of the same rows
    drop : bool, default True
        Take the column out.
    sorted : bool, default False
        The rows are in the order of the column already.
    sort : bool, default True
        False: leave the rows where they are.
    divisions : list, optional
        With sorted=True the values at the borders of the partitions.
    """
    for name in ("append", "inplace", "verify_integrity"):
        if kwargs.get(name):
            raise NotImplementedError(f"set_index: {name}=True is not there yet")
    keywords.check(
        "set_index", kwargs, {*keywords.SHAPING, *"append inplace verify_integrity upsample partition_size max_branch compute shuffle".split()},
        "drop sorted npartitions divisions sort".split()
    )
    if isinstance(other, list):
        for label in other:
            self._positions_for("set_index", label)
        if len(other) != 1:
            raise NotImplementedError(
                f"set_index: an index of {len(other)} columns is not supported; put them together into one column first, for example "
                "df.assign(key=df.a.astype('str') + ' ' + df.b.astype('str')).set_index('key')"
            )
        other = other[0]
    elif not hasattr(other, "_expr"):
        self._positions_for("set_index", other)
    if divisions is not None and not sorted:
        raise NotImplementedError("set_index of unsorted data by divisions is not there yet; sorted=True if the rows are in order")
    if divisions is not None and len(divisions) != self.npartitions + 1:
        raise ValueError(
            f"set_index: divisions of sorted rows are the borders of the partitions that are there and must be the same length, {self.npartitions + 1}, got "
            f"{len(divisions)}; repartition(divisions=...) makes others"
        )
    key = other if hasattr(other, "_expr") else self[other]
    if key.ndim == 2:
        raise ValueError(f"set_index: {len(key._expr.columns)} columns are labelled {other!r}; give them labels of their own")
    frame = self.drop(columns=[other]) if drop and not hasattr(other, "_expr") else self
    if sort and not sorted and self.npartitions > 1 and (ascending := divisions_of_ascending(key)) is not None:
        out = _core.call("with_index", [frame._expr, key._expr], {"divisions": plain(ascending)})
        note_as(out, ASCENDS)
        return new_collection(out)
    out = new_collection(_core.call("with_index", [frame._expr, key._expr], {} if divisions is None else {"divisions": [plain(d) for d in divisions]}))
    return call(out, "sort_index", (), {"kind": "stable"}, shape="whole") if sort and not sorted else out


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
