"""loc and iloc."""

import bisect

from muster import _core
from muster._base.libraries import pd
from muster._base.tasks import refuse_to_come
from muster._base.values import plain_label
from muster.dataframe._collection import new_collection
from muster.dataframe._known_index import frequency_of, note_frequency
from muster.dataframe._through_pandas import through


class ByLabel:
    """``frame.loc[rows]`` and ``frame.loc[rows, columns]``."""

    def __init__(self, frame):
        self._frame = frame

    def __getitem__(self, key):
        rows, columns = key if isinstance(key, tuple) and self._frame.ndim == 2 and len(key) == 2 else (key, None)
        if isinstance(key, tuple) and len(key) > self._frame.ndim and not isinstance(self._frame._meta.index, pd.MultiIndex):
            raise pd.errors.IndexingError("Too many indexers")
        frame = self._frame
        refuse_to_come(rows)
        if callable(rows):
            rows = rows(frame)
        if getattr(rows, "_expr", None) is not None and str(getattr(rows, "dtype", "bool")) not in ("bool", "boolean", "object", "bool[pyarrow]"):
            raise KeyError("Cannot index with non-boolean dask Series. Try passing computed values instead (e.g. ``ddf.loc[iindexer.compute()]``)")
        mask = rows if getattr(rows, "_expr", None) is not None else None
        out = frame if mask is not None or (isinstance(rows, slice) and rows == slice(None)) else self._rows(rows)
        if columns is not None:
            out = _columns(out, columns)
        return out[mask] if mask is not None else out

    def _rows(self, rows):
        frame = self._frame
        if isinstance(rows, slice):
            if rows.step not in (None, 1):
                raise ValueError("loc: a slice with a step")
            chosen, divisions = _between(frame, rows.start, rows.stop)
            out = through("loc", _slice, (chosen,), {"start": rows.start, "stop": rows.stop}, shape="partitions", kept=True, meta=frame._meta)
            out = _divided(out, divisions)
            note_frequency(out._expr, frequency_of(frame._expr))
            return out
        if isinstance(rows, list) or hasattr(rows, "tolist") and getattr(rows, "ndim", 0) == 1:
            return through("loc", _labels, (frame,), {"labels": list(rows)}, shape="whole", kept=True, meta=frame._meta)
        _refuse_outside(frame, rows)
        chosen, divisions = _between(frame, rows, rows)
        out = through("loc", _labels, (chosen,), {"labels": rows}, shape="whole", kept=True, meta=frame._meta)
        out = _divided(out, [divisions[0], divisions[-1]] if divisions else [])
        if isinstance(rows, str):  # which names a span of times
            note_frequency(out._expr, frequency_of(frame._expr))
        return out

    def __call__(self, axis=None):
        return self


def _refuse_outside(frame, label):
    """Raises KeyError for a label that lies in front of the first division or behind the last one."""
    if not frame.known_divisions or not frame._expr.index:
        return
    divisions = [_comparable(d) for d in (frame.divisions[0], frame.divisions[-1])]
    try:
        outside = bool(_last_of(label, divisions) < divisions[0] or _first_of(label, divisions) > divisions[-1])
    except (TypeError, ValueError):
        return
    if outside:
        raise KeyError(label)


def _between(frame, start, stop):
    """The partitions that can hold index values from start to stop, all where divisions are not known; and the divisions of those values, [] likewise."""
    if not frame.known_divisions or not frame._expr.index:
        return frame, []
    divisions = [_comparable(d) for d in frame.divisions]
    try:
        start, stop = _first_of(start, divisions), _last_of(stop, divisions)
        low = 0 if start is None else max(0, bisect.bisect_right(divisions, start) - 1)
        high = frame.npartitions if stop is None else bisect.bisect_right(divisions, stop)
        low = min(low, frame.npartitions - 1)
        high = min(max(high, low + 1), frame.npartitions)
        known = divisions[low : high + 1]
        known[0] = known[0] if start is None else max(start, known[0])
        known[-1] = known[-1] if stop is None else min(stop, known[-1])
    except TypeError:
        return frame, []
    ascend = all(a <= b for a, b in zip(known, known[1:], strict=False)) and len({type(d) for d in known}) == 1
    return frame if (low, high) == (0, frame.npartitions) else frame.partitions[low:high], [plain_label(d) for d in known] if ascend else []


def _divided(out, divisions):
    return new_collection(_core.call("with_index", [out._expr, out.index.to_series()._expr], {"divisions": divisions})) if divisions else out


def _comparable(value):
    import datetime

    return pd.Timestamp(value) if isinstance(value, datetime.date) else value


def _first_of(start, divisions):
    """A text beside times means the whole span it names, as in pandas."""
    return _in_zone(pd.Timestamp(start), divisions) if isinstance(start, str) and isinstance(divisions[0], pd.Timestamp) else _comparable(start)


def _last_of(stop, divisions):
    if isinstance(stop, str) and isinstance(divisions[0], pd.Timestamp):
        return _in_zone(pd.Period(stop).end_time.as_unit(divisions[0].unit), divisions)
    return _comparable(stop)


def _in_zone(time, divisions):
    return time.tz_localize(divisions[0].tz) if time.tz is None else time


def _slice(part, start, stop):
    if part.index.is_monotonic_increasing:
        try:
            return part.loc[start:stop]
        except (TypeError, NotImplementedError):  # where a label is not among the partition's, pandas does not find its place in objects and intervals
            pass
    keep = (part.index >= start if start is not None else True) & (part.index <= stop if stop is not None else True)
    return part[keep] if not isinstance(keep, bool) else part


def _labels(data, labels):
    if not isinstance(labels, list):
        found = data.loc[labels]
        if data.ndim == 2 and found.ndim == 1 or data.ndim == 1 and not hasattr(found, "index"):
            return data.loc[[labels]]
        return found
    return data.loc[labels]


def _columns(frame, columns):
    if callable(columns):
        columns = columns(frame)
    if isinstance(columns, slice):
        return frame._take(_at(frame, columns))
    if hasattr(columns, "tolist") or isinstance(columns, list):
        if len(columns) and all(type(c).__name__ in ("bool", "bool_") for c in columns):
            return frame._take(_at(frame, list(columns)))
        return frame[list(columns)]
    return frame[columns]


def _at(frame, columns):
    """Positions of the columns that a slice of labels or a mask chooses."""
    labels = frame.columns
    return list(pd.DataFrame([range(len(labels))], columns=labels).loc[:, columns].iloc[0])


class ByPosition:
    """``frame.iloc[:, columns]``."""

    def __init__(self, frame):
        self._frame = frame

    def __getitem__(self, key):
        if isinstance(key, tuple) and len(key) > 2:
            raise ValueError("Too many indexers")
        if not isinstance(key, tuple) or len(key) != 2 or not (isinstance(key[0], slice) and key[0] == slice(None)) or self._frame.ndim != 2:
            raise NotImplementedError("'DataFrame.iloc' only supports selecting columns. It must be used like 'df.iloc[:, column_indexer]'.")
        chosen = self._frame._meta.iloc[:, key[1]]
        positions = list(range(len(self._frame._expr.columns)))
        picked = (
            positions[key[1]] if isinstance(key[1], (int, slice)) else [p for p, take in zip(positions, key[1], strict=True) if take]
            if key[1] and isinstance(key[1][0], bool) else [positions[i] for i in key[1]]
        )
        if chosen.ndim == 1:
            return self._frame._column(picked)
        return self._frame._take(picked)
