"""ORC files, by pyarrow: stripes as partitions, and a file from each partition."""

import io
import os

from muster._base.libraries import orc, pa, pd
from muster._border.calls import current_partition
from muster._border.files import stamps_of, system_of, unchanged
from muster.dataframe._make import from_map
from muster.dataframe._parquet import natural
from muster.dataframe._write import _names, _Target, _written


def read_orc(path, engine="pyarrow", columns=None, index=None, split_stripes=1, aggregate_files=None, storage_options=None):
    """Return the rows of ORC files as a lazy DataFrame.

    Parameters
    ----------
    path : str, path or list of these
        File, glob, directory, or URL that fsspec reaches.
    engine : {"pyarrow"}
    columns : list of str, optional
        Default: all that the first file has.
    index : str, optional
        Column that becomes the index. Default: rows are numbered within each partition.
    split_stripes : int or False, default 1
        Stripes of a partition; False: a partition a file.
    aggregate_files : bool, default False
        A partition may hold stripes of several files.
    storage_options : dict, optional
        For fsspec.

    Raises
    ------
    FileNotFoundError
        If no file matches.
    ValueError
        If a column is not there, or `split_stripes` makes no sense. At compute: a file has other columns than the first.

    Examples
    --------
    >>> import tempfile
    >>> import muster.dataframe as dd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = dd.from_dict({"x": [1, 2, 3]}, npartitions=2).to_orc(folder, write_index=False)
    ...     dd.read_orc(folder).x.sum().compute()
    np.int64(6)
    """
    _check(engine)
    is_count = isinstance(split_stripes, int) and split_stripes >= 1 and split_stripes is not True
    if split_stripes is not False and split_stripes is not None and not is_count:
        raise ValueError(f"read_orc: split_stripes must be a number of stripes, or False for a partition a file, got {split_stripes!r}")
    paths = path if isinstance(path, (list, tuple)) else [path]
    files = [file for p in paths for file in files_of(os.fspath(p), storage_options, ".orc")]
    counts, schema = [], None
    for file in files:
        with _opened(file, storage_options) as handle:
            source = orc.ORCFile(handle)
            counts.append(source.nstripes)
            schema = schema or source.schema
    if isinstance(columns, str):
        raise TypeError(f"read_orc: columns must be a list of labels, got {columns!r}; take read_orc(...)[{columns!r}]")
    wanted = schema.names if columns is None else list(columns)
    if index is not None and index not in wanted:
        wanted = [*wanted, index]
    for name in wanted:
        if name not in schema.names:
            raise ValueError(f"read_orc: there is no column {name!r}; columns are {schema.names}")
    read = _Read(files, wanted, index, storage_options)
    meta = read.frame(pa.schema([schema.field(name) for name in wanted]).empty_table())
    return from_map(read, _pieces(counts, split_stripes, aggregate_files), meta=meta, enforce_metadata=False)


def _check(engine):
    if engine != "pyarrow":
        raise ValueError(f"the ORC engine {engine!r} is not known; there is 'pyarrow'")


def _pieces(counts, split, aggregate):
    """Lists of (file, first stripe, end): a list is a partition."""
    stripes = [(file, 0, count) for file, count in enumerate(counts)]
    if not split:
        return [[piece] for piece in stripes]
    stripes = [(file, at, min(at + split, count)) for file, _, count in stripes for at in range(0, count, split)] or stripes[:1]
    if not aggregate:
        return [[piece] for piece in stripes]
    out, room = [], 0
    for file, first in ((file, at) for file, begin, end in stripes for at in range(begin, max(end, begin + 1))):
        if room:
            before = out[-1][-1]
            if before[0] == file:
                out[-1][-1] = (file, before[1], first + 1)
            else:
                out[-1].append((file, first, first + 1))
        else:
            out.append([(file, first, first + 1)])
        room = (room or split) - 1
    return out


class _Read:
    """Reads the stripes of a partition."""

    __name__ = "read_orc"

    def __init__(self, files, columns, index, storage_options):
        self.files, self.stamps, self.columns, self.index, self.storage_options = files, stamps_of(files), columns, index, storage_options

    def __call__(self, pieces):
        return self.frame(pa.concat_tables([self.table(*piece) for piece in pieces], promote_options="permissive"))

    def table(self, number, first, end):
        file = self.files[number]
        with unchanged(file, self.stamps[number], "read_orc"), _opened(file, self.storage_options) as handle:
            source = orc.ORCFile(handle)
            there = source.schema
            for name in self.columns:
                if name not in there.names:
                    raise ValueError(f"read_orc: file '{file}' has no column {name!r}, as the first file has; its columns are {there.names}")
            schema = pa.schema([there.field(name) for name in self.columns])
            batches = [source.read_stripe(i, columns=self.columns) for i in range(first, min(end, source.nstripes))]
        return pa.Table.from_batches([b.select(self.columns) for b in batches], schema)

    def frame(self, table):
        rows = table.to_pandas()
        return rows if self.index is None else rows.set_index(self.index)


def _opened(file, storage_options):
    system = system_of(file, storage_options)
    return system.open(system._strip_protocol(file), "rb")


def files_of(path, storage_options, ending):
    """The files that a path means, in order; of a folder those with an ending if there are such."""
    system = system_of(path, storage_options)
    inner = system._strip_protocol(path)
    if system.isdir(inner):
        found = [f for f in system.find(inner) if ending and f.endswith(ending) and not any(p.startswith((".", "_")) for p in f[len(inner) :].split("/") if p)]
        found = found or [f for f in system.find(inner, maxdepth=1) if not os.path.basename(f).startswith((".", "_"))]
    else:
        found = system.glob(inner) if any(c in inner for c in "*?[") else [inner] if system.exists(inner) else []
    if not found:
        raise FileNotFoundError(f"no file matches '{path}'; check the path, it is looked up from the current directory")
    remote = "://" in path and not path.startswith("file://")
    return sorted((system.unstrip_protocol(f) if remote else f for f in found), key=natural)


class _WriteOrc:
    def __init__(self, target, names, index):
        self.target, self.names, self.index = target, names, index

    def __call__(self, part):
        content = pa.BufferOutputStream()  # a file whose disk is full, raising inside of pyarrow's writer, would end the process
        orc.write_table(table_of(part, self.index), content)
        content = content.getvalue()
        return pd.Series([self.target.write(self.names[current_partition()], lambda file: file.write(content))], name="file")


def table_of(part, index):
    """The Arrow table of a partition; the index comes last. What has no value at all is text: ORC has no type of nothing."""
    table = pa.Table.from_pandas(part, preserve_index=index).replace_schema_metadata(None)
    fields = [pa.field(f.name, pa.string()) if pa.types.is_null(f.type) else f for f in table.schema]
    return table.cast(pa.schema(fields))


def to_orc(df, path, engine="pyarrow", write_index=True, storage_options=None, compute=True, compute_kwargs=None):
    """Write the rows as ORC, a file per partition; see `DataFrame.to_orc`."""
    return df.to_orc(path, engine, write_index, storage_options, compute, compute_kwargs)


def write_frame(self, path, engine="pyarrow", write_index=True, storage_options=None, compute=True, compute_kwargs=None):
    """Write the rows as ORC, a file per partition: all of them, or none.

    Parameters
    ----------
    path : str or path
        Folder; made if it is not there.
    engine : {"pyarrow"}
    write_index : bool, default True
        Write the index behind the columns; one without a name is ``__index_level_0__``.
    storage_options : dict, optional
        For fsspec.
    compute : bool, default True
        False: return a Delayed that writes.

    Raises
    ------
    NotImplementedError
        At the call: ORC has no type for a column's dtype, as for categories, unsigned integers and timedeltas.
    ValueError
        If a label is no text.
    OSError
        If a file cannot be written; no part of it is left.
    """
    _check(engine)
    frame = self.to_frame() if self.ndim == 1 else self
    other = next((label for label in frame._labels() if not isinstance(label, str)), None)
    if other is not None:
        raise ValueError(f"to_orc: labels of columns must be text, {other!r} is none; assign texts to df.columns")
    _refuse_dtypes(frame._meta, write_index)
    target = _Target(path, storage_options)
    names = _names(target.path, frame.npartitions, ".orc", lambda i: f"part.{i}")
    return _written(frame, "to_orc", _WriteOrc(target, names, bool(write_index)), compute, names, lambda files: target.publish(files), bool(write_index))


def _refuse_dtypes(meta, index):
    table = table_of(meta, bool(index))
    for field in table.schema:
        try:
            orc.write_table(table.select([field.name]), io.BytesIO())
        except (NotImplementedError, TypeError):
            dtype = meta.dtypes.get(field.name, meta.index.dtype)
            raise NotImplementedError(f"to_orc: ORC has no type for column {field.name!r}, {dtype}; convert it with astype first") from None
