"""read_parquet: natively, and through pyarrow for columns that the engine has no dtype for."""

import os
import re
from urllib.parse import unquote

from muster import _core
from muster._base import keywords
from muster._base.libraries import pa, pc, pd, pq
from muster._base.units import parse_bytes
from muster._base.values import plain, plain_label
from muster._border.files import options_token, reader, system_of, unchanged
from muster._border.pandas import unknown_categories
from muster.dataframe._collection import new_collection
from muster.dataframe._memory import from_pandas
from muster.dataframe._parquet_schemas import Schemas, completed, fitted
from muster.dataframe._parquet_schemas import index_names as names_of_index
from muster.dataframe._through_pandas import through

_OPERATIONS = ("==", "=", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not")
_DEFAULT_BLOCK = 32 << 20  # bytes of neighbouring row groups, uncompressed, that make a partition


def read_parquet(
    path,
    columns=None,
    filters=None,
    categories=None,
    index=None,
    storage_options=None,
    dtype_backend=None,
    calculate_divisions=False,
    ignore_metadata_file=False,
    metadata_task_size=None,
    split_row_groups="infer",
    blocksize="default",
    aggregate_files=None,
    parquet_file_extension=(".parq", ".parquet", ".pq"),
    filesystem="fsspec",
    engine=None,
    arrow_to_pandas=None,
    **kwargs,
):
    """Return the rows of Parquet files as a lazy DataFrame.

    The footers of all files are read at the call, side by side; values are read when needed, and only of the columns that are used.

    Parameters
    ----------
    path : str, path or list of these
        File, glob, directory (also with folders ``key=value``), or URL that fsspec reaches.
    columns : str or list of str, optional
        Columns to read; one text gives a Series.
    filters : list of tuples (column, operation, value), or list of lists of these, optional
        Rows to keep: inside a list all must hold, of several lists one. Operations: == != < <= > >= in, not in. Row groups whose statistics exclude such
        rows are not read.
    categories : list or dict, optional
        Columns to give as categoricals.
    index : str, list or False, optional
        Columns that are the index. Default: what pandas wrote down; False: none.
    storage_options : dict, optional
        For fsspec.
    calculate_divisions : bool, default False
        Make divisions of the index known, from the statistics of the row groups.
    split_row_groups : bool, int or "infer"
        True: a partition per row group; False: per file; an integer: so many row groups.
    blocksize : int or str
        Bytes, uncompressed, of neighbouring row groups of a file put into one partition. Default 32 MiB.
    dtype_backend, ignore_metadata_file, metadata_task_size, aggregate_files, parquet_file_extension, filesystem, engine, arrow_to_pandas
        Accepted.

    Returns
    -------
    DataFrame or Series

    Raises
    ------
    FileNotFoundError
        No file matches.
    OSError
        A file is no Parquet, or truncated.
    ValueError
        No dtype holds a column's values in all files; the message names the column, two files and its types there. `filters` make no sense.
    KeyError
        `columns` or `filters` name a column that no file has.

    Examples
    --------
    >>> import os, tempfile, pandas as pd
    >>> import muster.dataframe as dd
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "a.parquet")
    >>> pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}).to_parquet(path)
    >>> dd.read_parquet(path).x.sum().compute()
    np.int64(3)
    >>> folder.cleanup()
    """
    keywords.check(
        "read_parquet",
        kwargs,
        {"dataset", "read", "gather_statistics", "chunksize", "open_file_options"},
        "columns filters categories index storage_options split_row_groups blocksize calculate_divisions".split(),
    )
    if dtype_backend not in (None, "numpy_nullable", "pyarrow"):
        raise ValueError(f"dtype_backend {dtype_backend!r} is invalid, only 'numpy_nullable' and 'pyarrow' are allowed.")
    paths = [os.fspath(p) for p in (path if isinstance(path, (list, tuple, set)) else [path])]
    if not paths:
        raise ValueError("read_parquet: an empty list of paths")
    options = options_token(storage_options)
    root = paths[0].rstrip("/") + "/" if len(paths) == 1 else ""
    files = list(_core.parquet_files(_expanded(paths), options))
    if len(paths) == 1:
        files.sort(key=lambda f: natural(f[0]))
    schemas = Schemas(files, options, storage_options)
    kinds, pandas = schemas.kinds, schemas.pandas
    hive = _hive_values(files, root)
    index_names = names_of_index(pandas, index, kinds)
    series = isinstance(columns, str)
    wanted = [columns] if series else list(columns) if columns is not None else None
    filters = _checked(filters)
    special = schemas.special()
    asked = wanted if wanted is not None else [n for n in kinds if n not in index_names] + list(hive)
    used = [f[0] for conjunction in filters for f in conjunction]
    for name in used:
        if name not in kinds and name not in hive and name not in index_names:
            raise KeyError(
                f"read_parquet: filters name the column {name!r}, which no file has{keywords.nearest(str(name), map(str, kinds))}; "
                f"columns are {', '.join(map(str, [*kinds, *hive]))}"
            )
    through = [n for n in dict.fromkeys([*asked, *used, *index_names]) if n in kinds and (n not in schemas.native or n in special)]
    alone = False  # whether pyarrow reads whole files
    if dtype_backend is not None or _wide(pandas) or (through and any(n in index_names for n in through)):
        through = list(kinds)
        alone = True
    types = schemas.common(through)
    if alone or (through and not types and set(through) >= set(asked)):
        out = _through_pyarrow(files, asked if types else wanted, index_names, storage_options, filters, dtype_backend, schemas.coarse(), types)
    else:
        block = _DEFAULT_BLOCK if blocksize in ("default", None) else parse_bytes(blocksize)
        if split_row_groups is True:
            block = 0
        elif split_row_groups is False:
            block = 1 << 62
        args = {
            "files": [list(f) for f in files],
            "storage_options": options,
            "reader": reader(paths, storage_options),
            "root": root,
            "blocksize": block,
            "filters": _for_statistics(filters),
            "index": list(index_names),
            "elsewhere": list({*through, *kinds} - (schemas.native - set(through))),
            "shown": repr(paths[0]) if len(paths) == 1 else f"{len(paths)} paths",
        }
        if wanted is not None:
            args["columns"] = [n for n in dict.fromkeys([*wanted, *used]) if n not in through and n not in index_names]
        elif through:
            args["columns"] = [n for n in asked if n not in through]
        frame = new_collection(_core.read_parquet(args))
        frame = _with_hive(frame, hive)
        if through:
            frame = _with_others(frame, files, through, storage_options, args, list(dict.fromkeys([*asked, *used])), types)
        if index is None and len(files) == 1 and not filters:
            frame = _with_range(frame, pandas)
        out = _kept(frame, filters, schemas)
        if wanted is not None and list(out.columns) != wanted:
            out = out[wanted]
        if _labels_of(pandas) and wanted is None:
            out.columns = _labels_of(pandas)(out.columns)
    for label in categories or []:
        out[label] = out[label].astype("category")
    if calculate_divisions and index_names:
        out = _with_divisions(out)
    return out[columns] if series and out.ndim == 2 else out


def _with_range(frame, pandas):
    """The frame with a range index that does not count from 0 by 1: pandas writes its ends down, not its values."""
    spans = pandas.get("index_columns", [])
    if len(spans) != 1 or not isinstance(spans[0], dict) or spans[0].get("kind") != "range":
        return frame
    start, stop, step, name = (spans[0].get(key) for key in ("start", "stop", "step", "name"))
    if not all(isinstance(n, int) for n in (start, stop, step)) or not step or len(range(start, stop, step)) != len(frame):
        return frame
    if (start, step, name) == (0, 1, None):
        return frame
    labels = (frame.index.to_series() * step + start).rename(name)
    return new_collection(_core.call("with_index", [frame._expr, labels._expr], {"divisions": []}))


def _expanded(paths):
    out = []
    for p in paths:
        if "://" not in p and os.path.isdir(p):
            for folder, folders, names in os.walk(p, onerror=_raise):
                folders.sort()
                folders[:] = [f for f in folders if not f.startswith((".", "_"))]
                out += [os.path.join(folder, n) for n in sorted(names) if not n.startswith((".", "_")) and not n.endswith((".crc", ".tmp"))]
            if not out:
                raise FileNotFoundError(f"no Parquet file in the folder {p!r}")
        else:
            out.append(p)
    return out


def _raise(error):
    raise error


def _wide(pandas):
    """Whether the columns axis has several levels."""
    return len(pandas.get("column_indexes", [])) > 1


def _labels_of(pandas):
    """How to make labels that are numbers of the texts they are written as."""
    kinds = [i.get("pandas_type") for i in pandas.get("column_indexes", [])]
    if kinds == ["int64"]:
        return lambda labels: [int(x) if str(x).lstrip("-").isdigit() else x for x in labels]
    return None


def _checked(filters):
    if filters is None:
        return []
    filters = [filters] if filters and all(isinstance(f, tuple) for f in filters) else list(filters)
    for conjunction in filters:
        for term in conjunction:
            if not isinstance(term, (tuple, list)) or len(term) != 3 or term[1] not in _OPERATIONS:
                raise ValueError(f"read_parquet: a filter is a tuple (column, operation, value) with an operation of {', '.join(_OPERATIONS)}; got {term!r}")
    return [[(c, op, _as_list(v)) for c, op, v in conjunction] for conjunction in filters]


def _as_list(value):
    """Return a collection of values as a list, which plans can hold, and of sets in one order; anything else as it is."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def _for_statistics(filters):
    """What of filters the engine compares with the statistics of row groups; the rest is only asked of rows."""
    out = []
    for conjunction in filters:
        out.append([])
        for name, op, value in conjunction:
            try:
                value = plain(value)
            except NotImplementedError:  # a time with a zone
                continue
            if all(v is None or isinstance(v, (str, bool, int, float, _core.Moment)) for v in (value if isinstance(value, list) else [value])):
                out[-1].append((name, op, value))
    return out if all(out) else []


class _Compared:
    """Compares a column of objects as Arrow does its values, where pandas has no order between them, such as dates and times."""

    _FUNCTIONS = {"==": "equal", "=": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}

    def __init__(self, type, op, value):
        self.type, self.op, self.value = type, op, value

    def __call__(self, column):
        values = pa.array(column, type=self.type, from_pandas=True)
        if self.op in ("in", "not in"):
            found = pa.array([False] * len(values))
            for one in self.value:
                found = pc.or_(found, pc.fill_null(pc.equal(values, pa.scalar(one)), False))
            found = found if self.op == "in" else pc.invert(found)
        else:
            found = pc.fill_null(getattr(pc, self._FUNCTIONS[self.op])(values, pa.scalar(self.value)), False)
        return pd.Series(found.to_numpy(zero_copy_only=False).astype(bool), index=column.index)


def _kept(frame, filters, schemas):
    import operator

    compare = {"==": operator.eq, "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
    mask = None
    for conjunction in filters:
        one = None
        for name, op, value in conjunction:
            column = frame[name] if name in frame.columns else frame.index.to_series()
            if column.dtype == object and op not in ("is", "is not"):
                term = through("read_parquet", _Compared(schemas.type_of(name), op, value), (column,), labels=False, meta=_mask())
            elif op in ("in", "not in"):
                term = column.isin(value)
                term = ~term if op == "not in" else term
            elif op in ("is", "is not"):
                term = column.isna() if op == "is" else ~column.isna()
            else:
                term = compare[op](column, value)
                if op == "!=":
                    term = term & ~column.isna()
            one = term if one is None else one & term
        if one is not None:
            mask = one if mask is None else mask | one
    return frame if mask is None else frame[mask]


def _mask():
    return pd.Series([], dtype=bool)


def natural(text):
    """Sorts part.10 behind part.9."""
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", text)]


def _hive_values(files, root):
    """The values of folders "key=value" between the root and the files."""
    keys = {}
    for file, *_ in files:
        inner = file[len(root) :] if root and file.startswith(root) else ""
        for folder in inner.split("/")[:-1]:
            key, equal, value = folder.partition("=")
            if equal and key:
                keys.setdefault(unquote(key), set()).add(unquote(value))
    return keys


def _with_hive(frame, keys):
    """Columns that are folders become categoricals, as pandas has them."""
    for key, values in keys.items():
        if key in frame.columns:
            values = values - {"__HIVE_DEFAULT_PARTITION__"}
            numbers = frame.dtypes[key].kind in "iuf"
            frame[key] = frame[key].astype(pd.CategoricalDtype(sorted({int(v) if numbers else v for v in values})))
    return frame


def _stamped(files):
    """Pairs of path and stamp of files that the engine has listed."""
    return [(path, None if "://" in path else (size, mtime, identity)) for path, size, mtime, identity in files]


class _Read:
    """Reads a file's columns with pyarrow."""

    label = "read_parquet"

    def __init__(self, files, columns, index, storage_options, filters, dtype_backend, coarse, types):
        self.stamped, self.columns, self.index, self.storage_options, self.filters = files, columns, index, storage_options, filters
        self.dtype_backend, self.coarse, self.types = dtype_backend, coarse, types

    def read(self, number):
        path, stamp = self.stamped[number]
        with unchanged(path, stamp, "read_parquet"):
            return self.read_file(path)

    def read_file(self, path):
        options = {"filters": self.filters} if self.filters else {}
        if self.coarse:  # int96 of a column of another unit: not by way of nanoseconds, which end in 2262
            options["coerce_int96_timestamp_unit"] = "us"
        if self.dtype_backend:
            options["dtype_backend"] = self.dtype_backend
        columns = None if self.columns is None else list(dict.fromkeys([*self.columns, *self.index]))
        if self.types:
            with _open(path, self.storage_options) as handle:
                there = set(pq.read_schema(handle).names)
            columns = [n for n in columns if n in there or n not in self.types]
        frame = pd.read_parquet(path, columns=columns, storage_options=self.storage_options, **options)
        if self.index and frame.index.names != [None if n.startswith("__index_level_") else n for n in self.index]:
            frame = frame.set_index([n for n in self.index if n in frame.columns] or self.index)
        return frame if self.columns is None else completed(frame, self.columns, self.types, self.dtype_backend)[self.columns]

    def __call__(self, part):
        return self.read(int(part.iloc[0, 0]))


def _through_pyarrow(files, columns, index, storage_options, filters, dtype_backend, coarse, types):
    read = _Read(_stamped(files), columns, index, storage_options, filters, dtype_backend, coarse, types)
    meta = read.read(0).iloc[:0]
    numbers = from_pandas(pd.DataFrame({"file": range(len(files))}), npartitions=len(files))
    return numbers.map_partitions(read, meta=meta, enforce_metadata=False)


class _Groups:
    """Reads some columns of the row groups of a partition, beside those that are read natively."""

    def __init__(self, parts, columns, storage_options, types):
        self.parts, self.columns, self.storage_options, self.types = parts, columns, storage_options, types

    def __call__(self, index, numbers):
        if not len(numbers):
            return self.read(0, empty=True)
        return self.read(int(numbers.iloc[0])).set_axis(numbers.index, axis=0)

    def read(self, number, empty=False):
        (path, stamp), first, last = self.parts[number]
        with unchanged(path, stamp, "read_parquet"), _open(path, self.storage_options) as handle:
            source = pq.ParquetFile(handle, coerce_int96_timestamp_unit="us")
            there = [n for n in self.columns if n in source.schema_arrow.names]
            table = source.read_row_groups([] if empty else list(range(first, last)), columns=there)
        frame = fitted(table, self.types).to_pandas(ignore_metadata=not there).reset_index(drop=True)
        return completed(frame, self.columns, self.types)[self.columns]


def _open(file, storage_options):
    system = system_of(file, storage_options)
    return system.open(system._strip_protocol(file), "rb")


def _with_others(frame, files, columns, storage_options, args, order, types):
    """Add columns that pyarrow reads to those that are read natively: the partitions are the same row groups."""
    stamped = _stamped(files)
    parts = [(stamped[f], first, last) for f, first, last in _core.parquet_parts(args)]
    read = _Groups(parts, columns, storage_options, types)
    meta = read.read(0, empty=True)
    for label in columns:
        if isinstance(meta[label].dtype, pd.CategoricalDtype):
            meta[label] = meta[label].astype(pd.CategoricalDtype(unknown_categories(), meta[label].dtype.ordered))
    others = through("read_parquet", read, (frame.index, frame._partition_numbers()), meta=meta)
    for label in columns:
        frame = frame.assign(**{label: others[label]})
    return frame[[n for n in order if n in frame.columns]] if set(order) <= set(frame.columns) else frame


def _with_divisions(frame):
    ends = frame.index.to_series().map_partitions(_ends, meta=pd.DataFrame({"low": frame._meta.index[:0], "high": frame._meta.index[:0]})).compute()
    if len(ends) != frame.npartitions or not ends.low.is_monotonic_increasing or not (ends.low.iloc[1:].to_numpy() > ends.high.iloc[:-1].to_numpy()).all():
        return frame
    return new_collection(_core.call("with_index", [frame._expr, frame.index.to_series()._expr], {"divisions": plain_label([*ends.low, ends.high.iloc[-1]])}))


def _ends(part):
    return pd.DataFrame({"low": [part.min()], "high": [part.max()]}) if len(part) else pd.DataFrame({"low": part[:0], "high": part[:0]})


