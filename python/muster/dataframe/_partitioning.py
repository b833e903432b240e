"""concat and repartition."""

import itertools

from muster import _core
from muster._base import keywords
from muster._base.libraries import np, pd
from muster._base.units import positive_bytes
from muster._base.values import plain, plain_label
from muster._border import pandas
from muster._border.calls import current_partition
from muster._border.pandas import dtype_name, has_unknown_categories
from muster.dataframe._align import aligned, borders_of, together
from muster.dataframe._ascending import note, order_of
from muster.dataframe._collection import Collection, new_collection
from muster.dataframe._delayed import of_tasks, to_delayed
from muster.dataframe._known_index import frequency_of, note_frequency, note_index
from muster.dataframe._memory import from_pandas, in_one_partition
from muster.dataframe._stand_in import arranged, borders_for, needs_stand_in
from muster.dataframe._through_pandas import through


def concat(dfs, axis=0, join="outer", ignore_unknown_divisions=False, ignore_order=False, interleave_partitions=False, **kwargs):
    """Return the rows of several collections, one after the other; with axis=1 their columns beside each other.

    With axis=1 rows are matched by index value: of collections with known divisions partition by partition, in the order of the index values; of others in
    one task.

    Parameters
    ----------
    dfs : list of DataFrame, Series or pandas objects
    axis : {0, 1}, default 0
    join : {"outer", "inner"}, default "outer"
        Columns that are not in every frame, with axis=1 index values: filled with missing values, or left out.
    interleave_partitions : bool, default False
        Of collections with known divisions that overlap: put what lies between the same borders together, so that divisions stay known. They do so anyway
        where the divisions of each begin behind those of the one before.
    ignore_unknown_divisions, ignore_order
        Accepted.
    **kwargs
        ignore_index : bool, default False; True numbers the rows from 0.

    Raises
    ------
    TypeError
        If `dfs` is no list.
    ValueError
        If it is empty, or `join` is not known.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> a, b = dd.from_dict({"x": [1]}, npartitions=1), dd.from_dict({"x": [2]}, npartitions=1)
    >>> dd.concat([a, b]).x.compute().tolist()
    [1, 2]
    """
    keywords.check("concat", kwargs, {"ignore_index", "sort"}, "axis join ignore_unknown_divisions ignore_order interleave_partitions".split())
    if kwargs.pop("ignore_index", False):
        if axis in (1, "columns"):
            raise NotImplementedError("concat: ignore_index=True with axis=1; name the columns")
        return concat(dfs, axis, join, **kwargs).reset_index(drop=True)
    if kwargs.get("sort"):
        raise NotImplementedError("concat: sort=True; choose the order of the columns of the result")
    if not isinstance(dfs, (list, tuple)):
        raise TypeError("dfs must be a list of DataFrames/Series objects")
    if not dfs:
        raise ValueError("No objects to concatenate")
    if join not in ("outer", "inner"):
        raise ValueError("'join' must be 'inner' or 'outer'")
    dfs = [d if isinstance(d, Collection) else in_one_partition(d) for d in dfs]
    if len(dfs) == 1:
        return dfs[0].to_frame() if axis in (1, "columns") and dfs[0].ndim == 1 else dfs[0]
    if axis in (1, "columns"):
        same_rows = all(d._expr.rows == dfs[0]._expr.rows for d in dfs)
        if together(*dfs):
            borders = borders_of(*dfs, uncut=dfs[:1] if join == "inner" else ())
            return aligned("concat", _beside_in_order, dfs, {"join": join}, borders=borders, order=min(order_of(d._expr) for d in dfs))
        return through("concat", _beside, (dfs[0], *dfs[1:]), {"join": join}, shape="rows" if same_rows else "whole")
    if len({d.ndim for d in dfs}) == 2:
        dfs = [d if d.ndim == 2 else d.to_frame() for d in dfs]
    if interleave_partitions and borders_of(*dfs) is not None and _in_order(dfs) is None:
        return aligned("concat", _behind, dfs, {"join": join}, borders=borders_of(*dfs))
    try:
        return _with_divisions(new_collection(_core.call("concat", [d._expr for d in dfs], {"join": join})), _in_order(dfs))
    except NotImplementedError:
        return through("concat", _behind, (dfs[0], *dfs[1:]), {"join": join}, shape="whole", exact=any(map(has_unknown_categories, dfs)))


def _beside(*parts, join):
    return pd.concat(parts, axis=1, join=join)


def _beside_in_order(*parts, join):
    return pd.concat(parts, axis=1, join=join, sort=join == "outer")


def _in_order(collections):
    """The divisions of collections one behind the other, None where one begins before another ends."""
    if borders_of(*collections) is None or any(a.divisions[-1] >= b.divisions[0] for a, b in itertools.pairwise(collections)):
        return None
    return [*(d for c in collections[:-1] for d in c.divisions[:-1]), *collections[-1].divisions]


def _with_divisions(rows, divisions):
    if divisions is None:
        return rows
    return new_collection(_core.call("with_index", [rows._expr, rows.index.to_series()._expr], {"divisions": plain_label(divisions)}))


def _behind(*parts, join):
    return pd.concat(parts, join=join)


def repartition(frame, divisions=None, npartitions=None, partition_size=None, freq=None, force=False):
    """Return the rows of a collection, or of a pandas object, in other partitions; see `DataFrame.repartition`."""
    if not hasattr(frame, "_expr"):
        if divisions is not None and npartitions is partition_size is freq is None and (cut := _cut(frame, list(divisions), force)) is not None:
            return cut
        frame = from_pandas(frame, npartitions=1)
    if sum(x is not None for x in (divisions, npartitions, partition_size, freq)) != 1:
        raise ValueError("Please provide exactly one of the ``npartitions``, ``freq``, ``divisions``, ``partition_size`` keyword arguments")
    if partition_size is not None:
        npartitions = _filled(frame, partition_size)
    if freq is not None:
        if not frame.known_divisions or not isinstance(frame._meta.index, pd.DatetimeIndex):
            raise TypeError("Can only repartition on frequency for timeseries with known divisions")
        first, last = frame.divisions[0], frame.divisions[-1]
        divisions = list(pd.date_range(pd.Timestamp(first).floor(freq) if _fixed(freq) else first, last, freq=freq))
        divisions = [d for d in divisions if d > first]
        divisions = [first, *(d for d in divisions if d < last), last]
    if divisions is not None:
        divisions = list(divisions)
        dtype = frame._meta.index.dtype
        if needs_stand_in(dtype):
            if frame.known_divisions and not force and (divisions[0] > frame.divisions[0] or divisions[-1] < frame.divisions[-1]):
                raise ValueError(
                    f"left side of old and new divisions are different, or the right side: {frame.divisions[0]} to {frame.divisions[-1]}, asked {divisions[0]} "
                    f"to {divisions[-1]}; force=True reaches beyond"
                )
            borders, divisions = borders_for(divisions, dtype)
            out = arranged(frame, lambda rows: _between(rows, borders, force), divisions)
            note_frequency(out._expr, frequency_of(frame._expr))
            return out
        if frame._expr.index and dtype_name(dtype).startswith("object"):
            raise NotImplementedError(f"repartition: divisions of an index of dtype {dtype}; npartitions= cuts it by numbers of rows")
        return _between(frame, divisions, force)
    if npartitions == frame.npartitions:
        return frame
    return new_collection(_core.call("repartition", [frame._expr], {"partitions": plain(npartitions)}))


def _between(frame, divisions, force):
    return new_collection(_core.call("repartition", [frame._expr], {"divisions": plain_label(divisions), "force": bool(force)}))


_PARTITION = 128_000_000  # bytes, where nobody says how many


def counted(frame, npartitions, partition_size):
    """Return a number of partitions that a caller gave: of "auto" as many as `partition_size`, or 128 MB, fills, at most those there are; others stay."""
    if isinstance(npartitions, str) and npartitions == "auto":
        return 1 if frame.npartitions == 1 else min(frame.npartitions, _filled(frame, _PARTITION if partition_size is None else partition_size))
    return npartitions


def _filled(frame, partition_size):
    """How many partitions of so many bytes the rows fill. Computes what they take in memory."""
    size = positive_bytes(partition_size, "partition_size")
    used = int(frame.memory_usage_per_partition(deep=True).sum().compute())
    return max(1, -(-used // size))


def _cut(data, divisions, force):
    """A pandas object with these divisions, its rows between each two in their order; None where they are no borders of its index values."""
    try:
        borders = pd.Index(divisions[1:-1], dtype=data.index.dtype)
        outside = len(data) and not force and (data.index.min() < divisions[0] or data.index.max() > divisions[-1])
        if outside or data.index.hasnans or data.index.nlevels > 1 or not borders.is_monotonic_increasing or len(divisions) < 2:
            return None
        places = borders.searchsorted(data.index, side="right")
    except (TypeError, ValueError):
        return None
    data = data.iloc[np.argsort(places, kind="stable")]
    cuts = [0, *np.cumsum(np.bincount(places, minlength=len(divisions) - 1)).tolist()]
    expr = pandas.from_pandas(data, cuts, plain_label(divisions))
    note(expr, data.index)
    note_index(expr, data.index)
    return new_collection(expr)


def _fixed(freq):
    try:
        pd.Timedelta(pd.tseries.frequencies.to_offset(freq))
        return True
    except ValueError:
        return False


_SAMPLES = 1024  # of a partition


def divisions_of(key, npartitions):
    """Return whether a Series ascends over its partitions, and divisions: those it has if it does, and no value lies on both sides of a border, else at most
    `npartitions` of about equal size. [] where there are none.

    Computes its ends and some of its values.
    """
    one = key._meta.reset_index(drop=True)
    meta = pd.DataFrame({"value": one, "kind": 0, "ascends": False, "stands_for": 0.0})
    ends = key.map_partitions(_ends, meta=meta).compute()
    first, last, some = (ends[ends.kind == kind] for kind in (0, 1, 2))
    low, high = list(first.value), list(last.value)
    if first.ascends.all() and not any(a > b for a, b in zip(high, low[1:], strict=False)) and not ends.value.isna().any():
        if len(low) == key.npartitions and not any(a == b for a, b in zip(high, low[1:], strict=False)):
            return True, [*low, high[-1]]
    some = some[some.value.notna()].sort_values("value", kind="stable")
    if not len(some):
        return False, []
    rank = some.stands_for.cumsum()
    at = rank.searchsorted([rank.iloc[-1] * p / npartitions for p in range(1, npartitions)])
    known = [v for v in (*low, *high) if not pd.isna(v)]
    lowest, highest = min([some.value.iloc[0], *known]), max([some.value.iloc[-1], *known])
    inner = list(dict.fromkeys(some.value.iloc[i] for i in at))
    return False, [lowest, *(v for v in inner if lowest < v < highest), highest]


def _ends(part):
    part = part.reset_index(drop=True)
    there = part.dropna()
    if len(there) < len(part) or not len(part):
        ends, ascends = [there.min(), there.max()] if len(there) else [], False
    else:
        ascends = part.is_monotonic_increasing
        ends = [part.iloc[0], part.iloc[-1]] if ascends else [part.min(), part.max()]
    some = there.sample(min(len(there), _SAMPLES), random_state=0)
    values = pd.concat([pd.Series(ends, dtype=part.dtype), some], ignore_index=True)
    kinds = [*range(len(ends)), *[2] * len(some)]
    weight = len(there) / len(some) if len(some) else 0.0
    return pd.DataFrame({"value": values, "kind": kinds, "ascends": [ascends] * len(kinds), "stands_for": [weight] * len(kinds)})


def enforce_runtime_divisions(self):
    """Return the same rows; computing them raises RuntimeError where an index value lies outside of its partition's divisions.

    Raises
    ------
    ValueError
        If the divisions are not known.
    """
    if not self.known_divisions:
        raise ValueError("enforce_runtime_divisions: the divisions are not known; set_index and repartition(divisions=) make them known")
    out = through("enforce_runtime_divisions", _within, (numbered(self),), {"divisions": self.divisions}, shape="partitions", kept=True, meta=self._meta)
    out = new_collection(_core.call("with_index", [out._expr, out.index.to_series()._expr], {"divisions": plain_label(list(self.divisions))}))
    note_frequency(out._expr, frequency_of(self._expr))
    return out


def _within(part, divisions):
    number = current_partition()
    low, high, index = divisions[number], divisions[number + 1], part.index
    outside = index[~((index >= low) & ((index <= high) if number == len(divisions) - 2 else (index < high)))]
    if len(outside):
        raise RuntimeError(f"enforce_runtime_divisions: partition {number} has the index value {outside[0]!r}, outside of its divisions {low!r} and {high!r}")
    return part


def numbered(frame):
    """Return the collection with partitions that functions see numbered from 0; chosen ones (`partitions`) have the numbers of those they were chosen from."""
    left, seen = [frame._expr], set()
    while left:
        expr = left.pop()
        if expr.id in seen:
            continue
        seen.add(expr.id)
        if expr.op == "partitions":
            return of_tasks(to_delayed(frame), frame._meta)
        left.extend(expr.inputs)
    return frame
