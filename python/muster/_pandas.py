"""The border to pandas: columns of the engine to pandas objects and back. Imports pandas; nothing else here is imported before it is needed."""

import numpy as np
import pandas as pd
import pyarrow as pa

from muster import _core

STRING = pd.StringDtype("pyarrow", na_value=np.nan)


def array_of(dtype, payload):
    """Return one column's values as pandas keeps them.

    Parameters
    ----------
    dtype : str
        The engine's name of the dtype.
    payload : tuple
        As `_core.compute` gives it.
    """
    if dtype == "str":
        offsets, data, bitmap = payload
        buffers = [None if bitmap is None else pa.py_buffer(bitmap), pa.py_buffer(offsets), pa.py_buffer(data)]
        return pd.array(pa.LargeStringArray.from_buffers(len(offsets) - 1, buffers[1], buffers[2], buffers[0]), dtype=STRING)
    values, present = payload
    if dtype == "object":
        source = present
        if source is None:
            return np.full(len(values), None, dtype=object)
        return source.take(values, allow_fill=True) if hasattr(source, "dtype") and not isinstance(source, np.ndarray) else _take(source, values)
    if dtype == "bool":
        values = values.view(np.bool_)
    elif dtype.startswith(("datetime64", "timedelta64")):
        values = values.view(dtype)
        if present is not None:
            values = np.where(present.view(np.bool_), values, np.array("NaT", dtype))
        return values
    if present is not None and not present.all():
        missing = ~present.view(np.bool_)
        values = values.astype(object if dtype == "bool" else "float64")
        values[missing] = np.nan
    return values


def _take(source, positions):
    out = np.empty(len(positions), dtype=object)
    for i, p in enumerate(positions):
        out[i] = None if p < 0 else source[p]
    return out


def _label(label):
    return pd.Timestamp(label.ns) if isinstance(label, _core.Moment) else label


def _labels(fields, integer):
    labels = [_label(f[0]) for f in fields]
    if integer and labels == list(range(len(labels))):
        return pd.RangeIndex(len(labels))
    if labels and all(isinstance(x, tuple) for x in labels) and len({len(x) for x in labels}) == 1:
        return pd.MultiIndex.from_tuples(labels)
    return pd.Index(labels, dtype=STRING if labels and all(isinstance(x, str) for x in labels) else None, tupleize_cols=False) if labels else pd.Index([], dtype=object)


def index_of(columns, rows):
    """Return the index that these index columns are."""
    if not columns:
        return pd.RangeIndex(rows)
    arrays = [array_of(dtype, payload) for _, dtype, payload in columns]
    names = [_label(c[0]) for c in columns]
    if len(arrays) > 1:
        return pd.MultiIndex.from_arrays(arrays, names=names)
    array = arrays[0]
    if names[0] is None and columns[0][1] == "int64" and isinstance(array, np.ndarray) and array.dtype == np.int64:
        if len(array) == 0 or (array[-1] - array[0] == len(array) - 1 and (np.diff(array) == 1).all()):
            start = int(array[0]) if len(array) else 0
            return pd.RangeIndex(start, start + len(array))
    return pd.Index(array, name=names[0])


def to_pandas(result):
    """Return what `_core.compute` gave as a DataFrame, Series, Index or NumPy scalar."""
    kind, columns = result["kind"], result["columns"]
    arrays = [array_of(dtype, payload) for _, dtype, payload in columns]
    if kind == "scalar":
        value = arrays[0][0]
        if columns[0][1].startswith("datetime64"):
            return pd.Timestamp(value)
        return pd.Timedelta(value) if columns[0][1].startswith("timedelta64") else value
    if kind == "row":
        labels = _labels(columns, result["labels_integer"])
        if not arrays:
            return pd.Series([], index=labels, dtype="float64")
        if len({str(a.dtype) for a in arrays}) == 1:
            joined = pd.concat([pd.Series(a) for a in arrays])
        else:
            joined = pd.concat([pd.Series(a, dtype=None if a.dtype != bool else object) for a in arrays])
        joined.index = labels
        return joined
    index = index_of(result["index"], result["rows"])
    if kind == "series":
        return pd.Series(arrays[0], index=index, name=_label(columns[0][0]), copy=False)
    if kind == "index":
        return pd.Index(arrays[0], name=_label(columns[0][0]))
    frame = pd.DataFrame(dict(enumerate(arrays)), index=index, copy=False)
    frame.columns = _labels(columns, result["labels_integer"])
    return frame


def dtype_name(dtype):
    """Return the engine's name of a pandas dtype; "object" for what it carries without opening."""
    if isinstance(dtype, pd.StringDtype) and dtype.na_value is np.nan:
        return "str"
    if isinstance(dtype, np.dtype) and (dtype.kind in "biu" or dtype in (np.float32, np.float64) or (dtype.kind in "mM" and np.datetime_data(dtype)[0] in ("s", "ms", "us", "ns"))):
        return dtype.name
    return "object"


def _is_text(values):
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def payload_of(array, name, hold=None):
    """Return an array's values as the engine takes them.

    Parameters
    ----------
    array : numpy.ndarray or pandas ExtensionArray
    name : str
        The engine's dtype name.
    hold : callable, optional
        Gives the object that stands for an object column, and the first position in it.
    """
    if name == "str":
        text = pa.array(array, type=pa.large_string(), from_pandas=True)
        if isinstance(text, pa.ChunkedArray):
            text = text.combine_chunks() if text.num_chunks != 1 else text.chunk(0)
        bitmap, offsets, data = text.buffers()
        empty = np.empty(0, np.uint8)
        all_offsets = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1] if offsets else np.zeros(1, np.int64)
        return all_offsets, np.frombuffer(data, np.uint8) if data else empty, np.frombuffer(bitmap, np.uint8) if bitmap else None, text.offset
    if name == "object":
        positions = np.arange(len(array), dtype=np.int64)
        missing = pd.isna(array)
        if hold is None:
            source, first = array, 0
        else:
            source, first = hold(array)
        positions += first
        if isinstance(array, np.ndarray):
            positions = np.where([x is None for x in array], -1, positions) if missing.any() else positions
        return positions, _core.object(source, f"object-{id(source)}-{len(array)}")
    values = np.ascontiguousarray(array)
    present = None
    if values.dtype.kind in "mM":
        missing = np.isnat(values)
        values = values.view(np.int64)
        present = None if not missing.any() else (~missing).view(np.uint8)
    elif values.dtype.kind == "b":
        values = values.view(np.uint8)
    return values, present


def _text_or_object(series):
    """pandas 3 reads Python strings as str; an object column of strings becomes text, as Dask converts it."""
    name = dtype_name(series.dtype)
    return "str" if name == "object" and series.dtype == object and _is_text(series) else name


def fields_of(data):
    """Return (index fields, column fields) of a pandas object: lists of (label, dtype name, False)."""
    frame = data.to_frame() if isinstance(data, pd.Series) else data
    index = data.index
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    index_fields = [(_plain_label(level.name), _text_or_object(level.to_series()), False) for level in levels]
    if isinstance(data, pd.Series):
        return index_fields, [(_plain_label(data.name), _text_or_object(data), False)]
    return index_fields, [(_plain_label(label), _text_or_object(frame.iloc[:, i]), False) for i, label in enumerate(frame.columns)]


def _plain_label(label):
    from muster._call import plain

    return None if label is None else plain(label)


def from_pandas(data, cuts):
    """Return the expression of a pandas object in memory, cut into partitions at these rows. Divisions are known if the index ascends strictly."""
    data = data.copy(deep=False)  # held with the columns: what the user changes later is copied first, and not seen here
    index_fields, fields = fields_of(data)
    if isinstance(data, pd.Series):
        arrays = [data.array]
    else:
        arrays = [data.iloc[:, i].array for i in range(data.shape[1])]
    arrays = [data.index.get_level_values(i).array for i in range(data.index.nlevels)] + arrays
    payloads = [payload_of(a.to_numpy() if isinstance(a, pd.arrays.NumpyExtensionArray) else a, f[1]) for a, f in zip(arrays, index_fields + fields, strict=True)]
    integer = isinstance(data, pd.DataFrame) and isinstance(data.columns, pd.RangeIndex)
    return _core.from_columns("series" if isinstance(data, pd.Series) else "frame", index_fields, fields, payloads, cuts, integer, data, _divisions(data.index, cuts))


def _divisions(index, cuts):
    if index.nlevels > 1 or len(index) == 0 or index.hasnans or not (index.is_monotonic_increasing and index.is_unique) or dtype_name(index.dtype) == "object":
        return []
    return [_plain_label(index[i]) for i in [*cuts[:-1], len(index) - 1]]


def label_of(value):
    """Return a label or index value as pandas has it."""
    return _label(value)


def meta_of(expr):
    """Return the empty pandas object with an expression's labels and dtypes."""

    def empty(name):
        return pd.array([], dtype=STRING) if name == "str" else np.empty(0, dtype=name)

    index = [(label, name) for label, name, _ in expr.index]
    if not index:
        pandas_index = pd.RangeIndex(0)
    elif len(index) == 1:
        pandas_index = pd.Index(empty(index[0][1]), name=_label(index[0][0]))
    else:
        pandas_index = pd.MultiIndex.from_arrays([empty(n) for _, n in index], names=[_label(x) for x, _ in index])
    arrays = [empty(name) for _, name, _ in expr.columns]
    if expr.kind in ("series", "scalar"):
        return pd.Series(arrays[0], index=pandas_index, name=_label(expr.columns[0][0]))
    frame = pd.DataFrame(dict(enumerate(arrays)), index=pandas_index)
    frame.columns = _labels(expr.columns, expr.labels_integer)
    return frame


def sample_of(expr):
    """Return a pandas object of two made-up rows with an expression's labels and dtypes: what a user's function is tried on."""
    meta = meta_of(expr)

    def values(series):
        if series.dtype == STRING:
            return pd.array(["foo", "bar"], dtype=STRING)
        if series.dtype == object:
            return np.array(["foo", "bar"], dtype=object)
        if series.dtype.kind in "mM":
            return np.array([0, 1], dtype=series.dtype)
        return np.array([1, 1], dtype=series.dtype)

    if isinstance(meta, pd.Series):
        return pd.Series(values(meta), name=meta.name)
    frame = pd.DataFrame({i: values(meta.iloc[:, i]) for i in range(meta.shape[1])})
    frame.columns = meta.columns
    return frame


def apply(function, kind, index, columns, rows, out_kind, out_index, out_fields, partition):
    """Call a user's function with one partition; return (rows, payloads) of its result. Called by the engine."""
    data = to_pandas({"kind": kind, "index": index, "columns": columns, "rows": rows, "labels_integer": False})
    try:
        out = function(data)
    except Exception as error:
        error.add_note(f"in map_partitions, partition {partition}")
        raise
    if not isinstance(out, (pd.DataFrame, pd.Series)):
        out = pd.Series([out])
    frame = out.to_frame() if isinstance(out, pd.Series) else out
    if frame.shape[1] != len(out_fields) or (out_kind == "frame" and [_plain_label(c) for c in frame.columns] != [f[0] for f in out_fields]):
        raise ValueError(
            f"map_partitions: partition {partition} returned the columns {list(frame.columns)}, expected {[f[0] for f in out_fields]}; "
            "give meta=, or make the function return the same columns for every partition"
        )
    payloads = []
    for i, (_label_out, name, _open) in enumerate(out_index):
        payloads.append(_payload_as(frame.index.get_level_values(i).to_series(), name, function, partition))
    for i, (_label_out, name, _open) in enumerate(out_fields):
        payloads.append(_payload_as(frame.iloc[:, i], name, function, partition))
    return len(frame), payloads


def _payload_as(series, name, function, partition):
    if name == "object":

        def hold(array):
            first = len(function.objects)
            function.objects.extend(array)
            return function.objects, first

        return payload_of(np.asarray(series, dtype=object), "object", hold)
    if dtype_name(series.dtype) != name:
        try:
            series = series.astype(STRING if name == "str" else name)
        except (TypeError, ValueError) as error:
            raise type(error)(f"map_partitions: partition {partition} returned dtype {series.dtype} in column {series.name!r}, expected {name}: {error}; give meta=") from error
    array = series.array
    return payload_of(array.to_numpy() if isinstance(array, pd.arrays.NumpyExtensionArray) else array, name)
