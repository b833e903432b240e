"""Functions of partitions with rows of their neighbours: `map_overlap`, moving windows.

Each partition leaves the rows at its ends that others may look at; these, of all partitions, are one object that every partition takes its neighbours' rows
from.
"""

from muster._base.libraries import np, pd
from muster._base.values import no_default
from muster._border.pandas import sample_of
from muster.dataframe._collection import new_collection
from muster.dataframe._meta import meta_object
from muster.dataframe._through_pandas import through, whole

_TRIED_ROWS = 100


def map_overlap(self, func, before, after, *args, meta=no_default, **kwargs):
    """Return what a Python function makes of each partition with rows in front and behind; the result stays beside the rows.

    All rows are in one task.

    Parameters
    ----------
    func : callable
        Returns as many rows as it is given. Collections and pandas objects among `args` that have as many rows are cut as these.
    before, after : int or timedelta
        Rows, or a time span of a datetime index.

    Raises
    ------
    ValueError
        If a number of rows is negative or no integer.
    TypeError
        If it is a time span and the index has no times.
    """
    for name in ("enforce_metadata", "align_dataframes", "transform_divisions", "clear_divisions"):
        kwargs.pop(name, None)
    before, after = (_reach(self, reach) for reach in (before, after))
    meta = meta_object(meta)
    forced = meta is not no_default
    if not forced:
        try:
            meta = func(
                sample_of(self._expr), *(sample_of(a._expr) if hasattr(a, "_expr") else a[:2] if isinstance(a, (pd.DataFrame, pd.Series)) else a for a in args),
                **kwargs
            )
        except Exception:
            few = [(new_collection(a._expr).head(_TRIED_ROWS, compute=False).compute() if hasattr(a, "_expr") else a) for a in (self, *args)]
            meta = func(*few, **kwargs)
    label = getattr(func, "__name__", "map_overlap")
    if any(_has_rows(a) and a._expr.rows != self._expr.rows for a in args):
        others = [whole(a) if _has_rows(a) and a._expr.rows != self._expr.rows else a for a in args]
        given = {"func": func, "before": before, "after": after, "kwargs": kwargs}
        return through(label, _overlapping_all, (self, self._partition_numbers(), *others), given, shape="beside", meta=meta, forced=forced)
    return overlapped(label, func, (self, *args), kwargs, before, after, meta, forced=forced)


def overlapped(label, func, args, kwargs, before, after, meta, forced=False, on=None, labels=True):
    """Return what a function of each partition and its neighbours' rows makes of the partition's own rows.

    Parameters
    ----------
    func : callable
        Called with `args` and `kwargs`; collections of the first one's rows among `args` are pandas objects with the neighbours' rows, and so are pandas
        objects of as many rows.
    before, after : int or pandas.Timedelta
        How many rows in front of a partition's first and behind its last, or how near to them in time.
    meta : pandas object
        What the result looks like.
    on : int, optional
        The place of the column of times in the first argument; default the index.
    labels : bool, default True
        Whether the function, or what is near, looks at index values.
    """
    frame, numbers = args[0], args[0]._partition_numbers()
    reach = {"before": before, "after": after, "on": on}
    lazy = [a for a in args if _has_rows(a)]
    sample = _ends(*(sample_of(c._expr) for c in (*lazy, numbers)), before=1, after=1, on=on)
    ends = through(f"{label}, ends", _ends, (*lazy, numbers), reach, shape="partitions", meta=sample, kept=True, labels=labels)
    neighbours = through(f"{label}, neighbours", _Neighbours, (ends,), reach, shape="whole", meta={}, labels=labels)
    given = {"func": func, "kwargs": kwargs, "lazy": [i for i, a in enumerate(args) if _has_rows(a)], "empty": meta.iloc[:0]}
    return through(label, _overlapping, (frame, numbers, neighbours, *args[1:]), given, meta=meta, forced=forced, labels=labels)


def _has_rows(value):
    return hasattr(value, "_expr") and value._expr.kind in ("frame", "series")


def _reach(frame, reach):
    """How far to look: a number of rows or a timedelta."""
    import datetime

    if isinstance(reach, (str, datetime.timedelta)):
        if not isinstance(frame._meta.index, pd.DatetimeIndex):
            raise TypeError(f"Must have a `DatetimeIndex` when using string offset for `before` and `after`, got {type(frame._meta.index).__name__}")
        return pd.Timedelta(reach)
    if isinstance(reach, bool) or not isinstance(reach, int) or reach < 0:
        raise ValueError(f"before and after must be positive integers or time spans, got {reach!r}")
    return reach


def _times(data, on):
    return data.index if on is None else pd.Index(data.iloc[:, on])


def _ends(*given, before, after, on):
    """The rows at a partition's ends that its neighbours may look at, one of them in any case; behind the columns its number, its rows and each row's place
    among them.
    """
    *data, numbers = given
    rows = len(numbers)
    times = None if isinstance(before, int) and isinstance(after, int) else _times(data[0], on)
    tail = before if isinstance(before, int) else int((times > times[-1:].max() - before).sum())
    head = after if isinstance(after, int) else int((times < times[:1].min() + after).sum())
    places = np.arange(rows)
    places = places[(places < head) | (places >= rows - max(1, tail))]
    parts = [d.iloc[places] for d in data]
    out = dict(enumerate(column for part in parts for column in ([part] if part.ndim == 1 else (part.iloc[:, i] for i in range(part.shape[1])))))
    for values in (numbers.to_numpy()[places], np.full(len(places), rows), places):
        out[len(out)] = pd.Series(values, index=parts[0].index)
    return pd.DataFrame(out, index=parts[0].index)


class _Neighbours:
    """The ends of all partitions."""

    def __init__(self, ends, before, after, on):
        self.rows = ends.iloc[:, :-3]
        self.before, self.after, self.on = before, after, on
        numbers, counts = ends.iloc[:, -3].to_numpy(), ends.iloc[:, -2].to_numpy()
        self.numbers, first = np.unique(numbers, return_index=True)
        self.counts, self.borders = counts[first], [*first.tolist(), len(numbers)]

    def of(self, number, data):
        """Where the rows in front of a partition and behind it are among those kept, the place of its first row among all, and how many these are."""
        at = int(np.searchsorted(self.numbers, number))
        times = None if isinstance(self.before, int) and isinstance(self.after, int) else _times(data, self.on)
        front = self._walk(range(at - 1, -1, -1), self.before, -1, lambda kept: kept > times[:1].min() - self.before)
        back = self._walk(range(at + 1, len(self.numbers)), self.after, 1, lambda kept: kept < times[-1:].max() + self.after)
        return front[::-1], back, int(self.counts[:at].sum()), int(self.counts.sum())

    def _walk(self, partitions, reach, step, is_near):
        """Rows of one partition after the other, the nearest first, until one has rows that are not near."""
        out = []
        for p in partitions:
            rows = np.arange(self.borders[p], self.borders[p + 1])[::step]
            found = rows[: reach - len(out)] if isinstance(reach, int) else rows[is_near(_times(self.rows.iloc[rows], self.on))]
            out += found.tolist()
            if len(found) < self.counts[p]:
                break
        return out


def _overlapping(data, numbers, neighbours, *args, func, kwargs, lazy, empty):
    if not len(data):
        return empty
    front, back, begin, total = neighbours.of(numbers.iloc[0], data)
    given, column = [], 0
    for i, value in enumerate((data, *args)):
        if i in lazy:
            columns = range(column, column + (1 if value.ndim == 1 else value.shape[1]))
            column = columns.stop
            value = _behind_each_other([_kept_as(neighbours.rows.iloc[front, columns], value), value, _kept_as(neighbours.rows.iloc[back, columns], value)])
        elif isinstance(value, (pd.DataFrame, pd.Series)) and len(value) == total:
            value = value.iloc[begin - len(front) : begin + len(data) + len(back)]
        given.append(value)
    out, rows = func(*given, **kwargs), len(front) + len(data) + len(back)
    if len(out) != rows:
        raise ValueError(f"map_overlap: {len(out)} rows came back for {rows}")
    return out.iloc[len(front) : rows - len(back)]


def _kept_as(rows, like):
    """Some rows of a collection under its labels."""
    return rows.iloc[:, 0].rename(like.name) if like.ndim == 1 else rows.set_axis(like.columns, axis=1)


def _behind_each_other(parts):
    parts = [p for p in parts if len(p)]
    return pd.concat(parts) if len(parts) > 1 else parts[0]


def _overlapping_all(data, numbers, *args, func, before, after, kwargs):
    """The same of all partitions at once, beside collections of other rows."""
    rows = len(data)
    borders = [0, *(np.flatnonzero(np.diff(numbers.to_numpy())) + 1), rows]
    parts = []
    for begin, end in zip(borders[:-1], borders[1:], strict=True):
        low = max(0, begin - before) if isinstance(before, int) else begin - int((data.index[:begin] > data.index[begin] - before).sum()) if end else 0
        high = min(rows, end + after) if isinstance(after, int) else end + int((data.index[end:] < data.index[end - 1] + after).sum()) if end else 0
        cut = [a.iloc[low:high] if isinstance(a, (pd.DataFrame, pd.Series)) and len(a) == rows else a for a in args]
        out = func(data.iloc[low:high], *cut, **kwargs)
        if len(out) != high - low:
            raise ValueError(f"map_overlap: {len(out)} rows came back for {high - low}")
        parts.append(out.iloc[begin - low : len(out) - (high - end)])
    return pd.concat(parts) if len(parts) > 1 else parts[0]
