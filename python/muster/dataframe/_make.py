"""Collections from functions, arrays, Arrow tables and JSON."""

from muster import _core
from muster._base.libraries import np, pa, pd
from muster._base.units import positive_bytes
from muster._base.values import no_default, plain_label
from muster._border.files import stamps_of
from muster.dataframe._collection import new_collection
from muster.dataframe._memory import from_pandas
from muster.dataframe._meta import meta_object


class _Mapped:
    """Calls a function with the arguments of a partition."""

    label = "from_map"

    def __init__(self, func, values, args, kwargs, columns):
        self.func, self.values, self.args, self.kwargs, self.columns = func, values, args, kwargs, columns
        self.__name__ = getattr(func, "__name__", "from_map")

    def __call__(self, part):
        out = self.func(*self.values[int(part.iloc[0, 0])], *self.args, **self.kwargs)
        if not isinstance(out, (pd.DataFrame, pd.Series)):
            at = int(part.iloc[0, 0])
            raise TypeError(f"{self.label}: {self.__name__} returned a {type(out).__name__} for partition {at}, not a pandas object")
        return out


def from_map(func, *iterables, args=None, meta=no_default, divisions=None, label=None, enforce_metadata=True, **kwargs):
    """Return the DataFrame whose partitions are what a function makes of each element.

    Parameters
    ----------
    func : callable
        Called with an element of each iterable, then `args` and `kwargs`; returns a pandas object.
    *iterables
        Of equal length.
    meta : pandas object, dict or pairs, optional
        What the result looks like; a value that it does not hold is an error. Default: what the first call returns, and wider where another call shows it.
    divisions : tuple, optional
        Index values at the borders.
    enforce_metadata : bool, default True
        False: dtypes of `meta` get wider too.

    Raises
    ------
    TypeError
        If `func` cannot be called, or an iterable is none.
    ValueError
        If there is no element, or the iterables differ in length.

    Examples
    --------
    >>> import pandas as pd, muster.dataframe as dd
    >>> dd.from_map(lambda i: pd.DataFrame({"x": [i, i + 1]}), [0, 10]).x.sum().compute()
    np.int64(22)
    """
    if not callable(func):
        raise TypeError("`func` argument must be `callable`")
    lists = []
    for iterable in iterables:
        if not hasattr(iterable, "__iter__"):
            raise TypeError(f"All elements of `iterables` must be Iterable, got {type(iterable)}")
        lists.append(list(iterable))
        if len(lists[-1]) != len(lists[0]):
            raise ValueError("All `iterables` must have the same length")
    if not lists or not lists[0]:
        raise ValueError("All `iterables` must have a non-zero length")
    values = list(zip(*lists, strict=True))
    mapped = _Mapped(func, values, tuple(args or ()), kwargs, None)
    meta = meta_object(meta)
    enforce_metadata = enforce_metadata and meta is not no_default
    if meta is no_default:
        meta = mapped(pd.DataFrame({"part": [0]}))
        if isinstance(meta, (pd.DataFrame, pd.Series)):
            meta = meta.iloc[:0]
    out = from_pandas(pd.DataFrame({"part": range(len(values))}), npartitions=len(values)).map_partitions(mapped, meta=meta, enforce_metadata=enforce_metadata)
    if divisions is not None:
        out = new_collection(_core.call("with_index", [out._expr, out.index.to_series()._expr], {"divisions": plain_label(list(divisions))}))
    return out


def from_array(arr, chunksize=50_000, columns=None, meta=None):
    """Return a NumPy array of one or two dimensions, or of records, as Series or DataFrame.

    Parameters
    ----------
    arr : array_like
    chunksize : int, default 50,000
        Rows of a partition.
    columns : str or list of str, optional
    """
    arr = np.asarray(arr)
    if arr.ndim > 2 or arr.ndim == 0:
        raise ValueError(f"from_array takes arrays of one or two dimensions, got the shape {arr.shape}")
    if arr.dtype.names:
        return from_pandas(pd.DataFrame(arr, columns=columns), chunksize=chunksize)
    if arr.ndim == 1:
        return from_pandas(pd.Series(arr, name=columns[0] if isinstance(columns, list) else columns), chunksize=chunksize)
    return from_pandas(pd.DataFrame(arr, columns=columns), chunksize=chunksize)


def from_arrow(data, npartitions=1):
    """Return an Arrow table, or anything with ``__arrow_c_stream__`` such as a Polars or DuckDB frame, as a lazy DataFrame.

    Parameters
    ----------
    data : object with ``__arrow_c_stream__``, pyarrow.Table or pyarrow.RecordBatch
    npartitions : int, default 1

    Raises
    ------
    TypeError
        If it is none of these.

    Examples
    --------
    >>> import pyarrow as pa, muster.dataframe as dd
    >>> dd.from_arrow(pa.table({"x": [1, 2]})).x.sum().compute()
    np.int64(3)
    """
    if not isinstance(data, (pa.Table, pa.RecordBatch)):
        if not hasattr(data, "__arrow_c_stream__"):
            raise TypeError(f"from_arrow: a {type(data).__name__} has no __arrow_c_stream__")
        data = pa.table(data)
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    return from_pandas(data.to_pandas(), npartitions=npartitions, sort=False)


def arrow_stream(frame, requested_schema=None):
    """The rows of a collection as an Arrow stream, a PyCapsule: computed, then handed over."""
    result = frame.compute()
    result = result.to_frame() if result.ndim == 1 else result
    table = pa.Table.from_pandas(result, preserve_index=None if result.index.name is not None else False)
    return table.__arrow_c_stream__(requested_schema)


class _ReadJson:
    def __init__(self, files, options, storage_options, lines, encoding, errors, compression):
        self.stamps = stamps_of(files)
        self.options, self.storage_options, self.lines = options, storage_options, lines
        self.encoding, self.errors, self.compression = encoding, errors, compression

    def __call__(self, piece):
        import io

        import fsspec
        path, begin, end = piece
        with fsspec.open(path, "rb", compression=self.compression, **(self.storage_options or {})) as file:
            if begin:
                file.seek(begin - 1)
                file.readline()  # the line that starts in the piece before belongs to that
            data = file.read() if end is None else file.read(end - file.tell()) if file.tell() < end else b""
            if end is not None and data and not data.endswith(b"\n"):
                data += file.readline()
        text = data.decode(self.encoding, self.errors)
        if not text.strip() and self.lines:
            return pd.DataFrame()
        return pd.read_json(io.StringIO(text), lines=self.lines, **self.options)


def read_json(
    url_path, orient="records", lines=None, storage_options=None, blocksize=None, sample=2**20, encoding="utf-8", errors="strict", compression="infer",
    meta=None, engine=None, include_path_column=False, path_converter=None, **kwargs
):
    """Return the rows of JSON files; of files with a row per line also in pieces of `blocksize` bytes.

    Parameters
    ----------
    url_path : str or list of str
        File, glob, or URL that fsspec reaches.
    orient : str, default "records"
    lines : bool
        Default: True for records.
    blocksize : int or str, optional
        Bytes of a partition; needs lines.
    meta : pandas.DataFrame, optional
        What the result looks like. Default: the first piece.
    include_path_column : bool or str
        Add a column with the file's path.
    **kwargs
        As pandas.read_json.
    """
    import os

    import fsspec
    lines = orient == "records" if lines is None else lines
    if orient != "records" and lines:
        raise ValueError("Line-delimited JSON is only available with orient='records'.")
    if blocksize and not lines:
        raise ValueError("JSON file chunking only allowed for JSON-lines input (orient='records', lines=True).")
    paths = [url_path] if isinstance(url_path, (str, os.PathLike)) else list(url_path)
    files = [
        f.full_name if "://" in str(p) else f.path for p in paths for f in fsspec.open_files(os.fspath(p), compression=compression, **(storage_options or {}))
    ]
    if not files:
        raise FileNotFoundError(f"no file matches {url_path!r}")
    pieces = []
    for file in sorted(files):
        if not blocksize:
            pieces.append((file, 0, None))
            continue
        fs, inner = fsspec.core.url_to_fs(file, **(storage_options or {}))
        size, block = fs.size(inner), positive_bytes(blocksize, "read_json: blocksize")
        pieces += [(file, at, min(size, at + block)) for at in range(0, size, block)] or [(file, 0, None)]
    read = _ReadJson(sorted(files), {"orient": orient, **kwargs}, storage_options, lines, encoding, errors, compression)
    if include_path_column:
        label = include_path_column if isinstance(include_path_column, str) else "path"
        return from_map(_WithPath(read, label, path_converter), pieces, meta=no_default if meta is None else meta)
    first = next((p for p in (read(p) for p in pieces) if len(p.columns)), pd.DataFrame()) if meta is None else meta
    return from_map(_Shaped(read, list(first.columns)), pieces, meta=first.iloc[:0], enforce_metadata=meta is not None)


class _Shaped:
    """Gives every piece the columns of the first."""

    __name__ = "read_json"

    def __init__(self, read, columns):
        self.read, self.columns = read, columns

    def __call__(self, piece):
        part = self.read(piece)
        return part.reindex(columns=self.columns) if not len(part.columns) else part


class _WithPath:
    __name__ = "read_json"

    def __init__(self, read, label, converter):
        self.read, self.label, self.converter = read, label, converter

    def __call__(self, piece):
        path = self.converter(piece[0]) if self.converter else piece[0]
        return self.read(piece).assign(**{self.label: path})
