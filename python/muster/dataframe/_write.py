"""Files from collections: a file per partition, whole under its final name or not there at all."""

import contextlib
import io
import os
from urllib.parse import quote

from muster._base.libraries import pa, pd, pq
from muster._border import files
from muster._border.calls import current_partition
from muster.dataframe._partitioning import numbered
from muster.dataframe._through_pandas import through
from muster.delayed import Delayed, delayed


class _Target:
    """Files, local or of fsspec, that appear under their names together, once all of them are whole.

    Local files are written into hidden folders beside their places, which `_Whole` makes. Whoever gives up removes these folders: what still writes then writes
    into files that nobody sees, and what comes later finds no folder.
    """

    def __init__(self, url, storage_options, root=None):
        self.url, self.storage_options, self.root = os.fspath(url), storage_options or {}, root
        self.remote = "://" in self.url and not self.url.startswith("file://")
        self.path = self.url.removeprefix("file://").rstrip("/")
        self.stage = f".{os.urandom(6).hex()}.tmp"

    def system(self):
        return files.system_of(self.url, self.storage_options)

    def exists(self, path):
        return self.system().exists(path) if self.remote else os.path.exists(path)

    def read(self, path):
        with self.system().open(path, "rb") if self.remote else open(path, "rb") as file:
            return file.read()

    def root_of(self, path):
        """The folder in which the hidden one of a file lies."""
        return self.root or os.path.dirname(path) or "."

    def staged(self, path):
        return os.path.join(self.root_of(path), self.stage, os.path.relpath(path, self.root_of(path)))

    def write(self, path, write):
        """Call `write` with a binary file for `path`; return that."""
        place = path
        try:
            if self.remote:  # object stores show a file when it is closed, however far it was written
                content = io.BytesIO()
                write(content)
                system = self.system()
                place = system._strip_protocol(path)
                system.makedirs(os.path.dirname(place), exist_ok=True)
                with system.open(place, "wb") as file:
                    file.write(content.getbuffer())
                return path
            place = self.staged(path)
            _make_below(os.path.join(self.root_of(path), self.stage), os.path.dirname(place))
            with open(place, "wb") as file:
                write(file)
        except OSError as error:
            if error.errno is not None and error.filename in (None, place):
                raise OSError(error.errno, os.strerror(error.errno), path) from error
            raise
        return path

    def publish(self, files):
        """Put what was written in its place; if that fails, remove what was not there before."""
        new, folders = [], []
        try:
            for path in [] if self.remote else files:
                _make(os.path.dirname(path), folders)
                if not os.path.exists(path):
                    new.append(path)
                os.replace(self.staged(path), path)
        except BaseException:
            for path in new:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            for folder in reversed(folders):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            raise


def _make(folder, made):
    """Make a folder and those above it; what was not there is added to `made`."""
    missing = []
    while folder and not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
            made.append(path)


def _make_below(root, folder):
    """Make folders below one that must be there."""
    if folder != root and not os.path.isdir(folder):
        _make_below(root, os.path.dirname(folder))
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)


def _remove_folder(folder):
    import shutil

    while os.path.isdir(folder):  # a file that is made meanwhile keeps its folder
        shutil.rmtree(folder, ignore_errors=True)


class _Folders:
    """Makes the hidden folders, and takes them back with those around them that are new and empty."""

    def __init__(self, target, roots, names):
        self.hidden, self.made = [os.path.join(root, target.stage) for root in roots], []

    def make(self):
        try:
            for folder in self.hidden:
                _make(folder, self.made)
        except BaseException:
            self.take_back()
            raise

    def clear(self):
        for folder in self.hidden:
            _remove_folder(folder)

    def take_back(self):
        self.clear()
        for folder in reversed(self.made):
            for inner, _, _ in list(os.walk(folder, topdown=False)):
                with contextlib.suppress(OSError):
                    os.rmdir(inner)


def _names(target, count, ending, name_function):
    """The path of each partition's file."""
    name_function = name_function or (lambda i: str(i).zfill(len(str(max(0, count - 1)))))
    if isinstance(target, (list, tuple)):
        if len(target) != count:
            raise ValueError(f"{len(target)} file names for {count} partitions")
        return [os.fspath(t) for t in target]
    pattern = os.fspath(target)
    if "*" in pattern:
        if pattern.count("*") > 1:
            raise ValueError(f"a file name pattern has one '*', got {pattern!r}")
        return [pattern.replace("*", name_function(i)) for i in range(count)]
    return [f"{pattern.rstrip('/')}/{name_function(i)}{ending}" for i in range(count)]


class _Remote:
    """Knows what was in folders of a remote file system, and takes back files of ours, and folders, that are new."""

    def __init__(self, target, roots, names):
        self.target, self.names = target, frozenset(os.path.basename(n) for n in names)
        self.deep = target.root is not None  # files go to folders below it
        self.roots = sorted({self.system._strip_protocol(root) for root in roots})
        self.before, self.missing = set(), set()

    @property
    def system(self):
        return self.target.system()

    def make(self):
        self.before = self.files()
        for folder in self.roots:
            while os.path.dirname(folder) not in ("", folder) and not self.system.exists(folder):
                self.missing.add(folder)
                folder = os.path.dirname(folder)

    def files(self):
        found = set()
        for root in self.roots:
            with contextlib.suppress(FileNotFoundError):
                found.update(self.system.find(root) if self.deep else self.system.ls(root, detail=False))
        return found

    def clear(self):
        pass

    def take_back(self):
        for path in self.files() - self.before:
            if os.path.basename(path) in self.names:
                self.system.rm_file(path)
                folder = os.path.dirname(path)
                while folder not in self.roots and folder:
                    self.missing.add(folder)
                    folder = os.path.dirname(folder)
        for folder in sorted(self.missing, key=len, reverse=True):
            if not self.system.find(folder):
                with contextlib.suppress(OSError):
                    self.system.rmdir(folder)


class _Whole:
    """Computes what writes the files of the partitions and publishes them: all or none."""

    of_collection = True  # a cluster computes the collection itself, and its client publishes

    def __init__(self, target, roots, names, finish):
        self.places = (_Remote if target.remote else _Folders)(target, roots, names)
        self.finish = finish
        self.is_done = False

    def __call__(self, lazy):
        self.begin()
        try:
            return self.published(lazy.compute())
        except BaseException:
            self.give_up()
            raise

    def begin(self):
        """Make what the files are written into; before the collection is computed."""
        self.is_done = False
        self.places.make()

    def give_up(self):
        """Take back what there is, unless it was published: something has failed."""
        if not self.is_done:
            self.places.take_back()

    def published(self, files):
        """Publish, and return what says so to `publish`, which comes behind."""
        return _Published(self.publish(files))

    def publish(self, files):
        """Return what is returned of the files, once they are in their places."""
        if isinstance(files, _Published):
            return files.result
        try:
            result = self.finish(list(files))
        except BaseException:
            self.give_up()
            raise
        self.is_done = True
        self.places.clear()
        return result


class _Published:
    """What a write returns that is done."""

    def __init__(self, result):
        self.result = result


def _written(frame, label, write, compute, paths, finish=None, index=True, names=None):
    """Compute what `write` makes of each partition, and publish the files: all or none.

    `paths` are in the folders they go to, `names` all names of files, `index` says whether index values are written.
    """
    target = write.target
    lazy = through(label, write, (numbered(frame),), shape="partitions", meta=pd.Series([], dtype="str", name="file"), labels=bool(index))

    def published(files):
        target.publish(files)
        return files

    whole = _Whole(target, sorted({target.root_of(path) for path in paths}), names or paths, finish or published)
    if compute:
        return whole(lazy).result
    return delayed(whole.publish)(Delayed(f"{label}-{lazy._name}", whole, (lazy,)))


class _WriteText:
    def __init__(self, target, names, method, mode, compression, encoding, kwargs, first_only):
        self.target, self.names, self.method, self.mode = target, names, method, mode
        self.compression, self.encoding, self.kwargs, self.first_only = compression, encoding, kwargs, first_only

    def __call__(self, part):
        number = current_partition()
        kwargs = dict(self.kwargs)
        if self.first_only and number:
            kwargs["header"] = False
        if self.method == "to_csv" and part.ndim == 2 and part.shape[1] > 1000:
            kwargs.setdefault("chunksize", 100)  # rows at a time: pandas takes 100,000 values, and goes through all columns for each handful of rows
        text = getattr(part, self.method)(None, **kwargs).encode(self.encoding)
        data = _compressed(text, self.compression)
        path = self.names[number]
        if "a" in self.mode and self.target.exists(path):
            data = self.target.read(path) + data
        return pd.Series([self.target.write(path, lambda file: file.write(data))], name="file")


def _compressed(data, compression):
    if compression is None:
        return data
    if compression == "gzip":
        import gzip

        return gzip.compress(data, mtime=0)
    if compression == "bz2":
        import bz2

        return bz2.compress(data)
    if compression == "xz":
        import lzma

        return lzma.compress(data)
    if compression == "zstd":
        return pa.compress(data, codec="zstd", asbytes=True)
    raise ValueError(f"compression {compression!r} is not known; use gzip, bz2, xz or zstd")


def _compression_of(name, compression):
    if compression != "infer":
        return compression
    return next((codec for ending, codec in ((".gz", "gzip"), (".bz2", "bz2"), (".xz", "xz"), (".zst", "zstd")) if str(name).endswith(ending)), None)


def to_bag(df, index=False, format="tuple"):
    """Return the rows as a bag; see `DataFrame.to_bag`."""
    return df.to_bag(index, format)


def to_csv(
    frame, filename, single_file=False, encoding="utf-8", mode="wt", name_function=None, compression=None, compute=True, scheduler=None,
    storage_options=None, header_first_partition_only=None, compute_kwargs=None, **kwargs,
):  # fmt: skip
    """Write the rows as CSV: a file per partition, or one.

    Parameters
    ----------
    filename : str
        Folder, or pattern with one ``*``, which becomes the partition's number; with single_file the file.
    single_file : bool, default False
    encoding : str, default "utf-8"
    mode : str
        "a" puts the rows behind those of a file that is there.
    name_function : callable, optional
        Text of a partition's number.
    compression : str, optional
        gzip, bz2, xz, zstd, or "infer" by the file's ending.
    header_first_partition_only : bool
        Default: True with single_file.
    compute : bool, default True
        False: return a Delayed that writes.
    **kwargs
        As pandas.DataFrame.to_csv.

    Returns
    -------
    list of str
        The files written. A file under its final name is whole.

    Raises
    ------
    OSError
        If a file cannot be written; no part of it is left.
    """
    target = _Target(filename if not isinstance(filename, (list, tuple)) else filename[0], storage_options)
    count = frame.npartitions
    first_only = single_file if header_first_partition_only is None else header_first_partition_only
    compression = _compression_of(filename, compression)
    if single_file:
        if not first_only:
            raise ValueError("Writing to a single file requires header to be written just once")
        pieces = [f"{target.path}.{i}" for i in range(count)]

        def join(files):
            def copy(out):
                if "a" in mode and target.exists(target.path):
                    out.write(target.read(target.path))
                for piece in files:
                    out.write(target.read(piece if target.remote else target.staged(piece)))

            try:
                target.write(target.path, copy)
                target.publish([target.path])
            finally:
                if target.remote:
                    target.system().rm(pieces)
            return [target.path]

        write, names = _WriteText(target, pieces, "to_csv", "wt", compression, encoding, kwargs, True), [*pieces, target.path]
        return _written(frame, "to_csv", write, compute, pieces, join, index=kwargs.get("index", True), names=names)
    names = _names(filename, count, ".part", name_function)
    write = _WriteText(target, names, "to_csv", mode, compression, encoding, kwargs, first_only)
    return _written(frame, "to_csv", write, compute, names, index=kwargs.get("index", True))


def to_json(
    frame, filename, orient="records", lines=None, storage_options=None, compute=True, encoding="utf-8", errors="strict", compression=None,
    compute_kwargs=None, name_function=None, **kwargs,
):  # fmt: skip
    """Write the rows as JSON, a file per partition: a line per row by default.

    Parameters
    ----------
    filename : str
        Folder, or pattern with one ``*``.
    orient : str, default "records"
    lines : bool
        Default: True for records.
    compression, name_function, compute
        As `to_csv`.
    """
    target = _Target(filename, storage_options)
    lines = orient == "records" if lines is None else lines
    names = _names(filename, frame.npartitions, ".part", name_function)
    kwargs = {"orient": orient, "lines": lines, **kwargs}
    write = _WriteText(target, names, "to_json", "wt", _compression_of(filename, compression), encoding, kwargs, False)
    return _written(frame, "to_json", write, compute, names, index=orient in ("split", "index", "columns", "table"))


_PLAIN = " !$&'()+,;@[]^`{|}~"  # of a folder's name: what is neither a separator of paths, keys and values nor a sign of a pattern
_NO_KEY = "__HIVE_DEFAULT_PARTITION__"
_ENDINGS = (".parquet", ".parq", ".pq")  # of files that pyarrow takes for Parquet


def _folder_of(key):
    """Return a key's value as the name of a folder says it."""
    return _NO_KEY if pd.isna(key) else quote(str(key), safe=_PLAIN)


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode()


class _WriteParquet:
    def __init__(self, target, names, first, options, index, partition_on, metadata):
        self.target, self.names, self.first, self.options = target, names, first, options
        self.index, self.partition_on, self.metadata = index, partition_on, metadata

    def __call__(self, part):
        name = self.names(self.first + current_partition())
        if not self.partition_on:
            return pd.Series([self.write(part, f"{self.target.path}/{name}")], name="file")
        files = []
        for keys, rows in part.groupby(self.partition_on if len(self.partition_on) > 1 else self.partition_on[0], dropna=False, observed=True):
            keys = keys if isinstance(keys, tuple) else (keys,)
            folders = "/".join(f"{quote(k, safe=_PLAIN)}={_folder_of(v)}" for k, v in zip(self.partition_on, keys, strict=True))
            files.append(self.write(rows.drop(columns=self.partition_on), f"{self.target.path}/{folders}/{name}"))
        return pd.Series(files, name="file", dtype="str")

    def write(self, rows, path):
        table = pa.Table.from_pandas(rows, preserve_index=self.index)
        if self.metadata:
            table = table.replace_schema_metadata({**(table.schema.metadata or {}), **{_bytes(k): _bytes(v) for k, v in self.metadata.items()}})
        return self.target.write(path, lambda file: pq.write_table(table, file, **self.options))


def to_parquet(
    frame,
    path,
    compression="snappy",
    write_index=True,
    append=False,
    overwrite=False,
    ignore_divisions=False,
    partition_on=None,
    storage_options=None,
    custom_metadata=None,
    write_metadata_file=None,
    compute=True,
    compute_kwargs=None,
    schema="infer",
    name_function=None,
    filesystem=None,
    engine=None,
    **kwargs,
):
    """Write the rows as Parquet, a file per partition.

    Parameters
    ----------
    path : str
        Folder; made if it is not there.
    compression : str, default "snappy"
        snappy, gzip, zstd, lz4, brotli or None.
    write_index : bool, default True
    append : bool, default False
        Add files behind those that are there.
    overwrite : bool, default False
        Remove the Parquet files that are there first, once the new ones are whole.
    partition_on : label or list of labels, optional
        Columns that become folders ``key=value``.
    custom_metadata : dict, optional
        Texts for the files' footers.
    name_function : callable, optional
        File name of a partition's number.
    compute : bool, default True
        False: return a Delayed that writes.
    **kwargs
        As pyarrow.parquet.write_table.

    Raises
    ------
    ValueError
        If both append and overwrite are given, or a label is no text.
    OSError
        If a file cannot be written; no part of it is left.
    """
    if append and overwrite:
        raise ValueError("Cannot use overwrite with append=True!")
    partition_on = [partition_on] if isinstance(partition_on, str) else list(partition_on or [])
    frame = frame.to_frame() if frame.ndim == 1 else frame
    labels = frame._labels()
    if any(not isinstance(label, str) for label in labels):
        raise ValueError(f"parquet must have string column names, {next(x for x in labels if not isinstance(x, str))!r} is none; assign texts to df.columns")
    if len(set(labels)) < len(labels):
        raise ValueError(f"Duplicate column names found: {labels}")
    for label in partition_on:
        if label not in labels:
            raise ValueError(f"Partitioning on non-existent column: {label!r}; columns are {labels}")
    if set(partition_on) == set(labels) and labels:
        raise ValueError("No data left to save outside partition columns")
    target = _Target(path, storage_options)
    target.root = target.path
    before = _files_of(target)
    if before and not append and not overwrite:
        before = []
    first = len(before) if append else 0
    stamp = f"-{os.urandom(4).hex()}" if overwrite and before else ""
    names = name_function or (lambda i, stamp=stamp: f"part.{i}{stamp}.parquet")
    write = _WriteParquet(target, names, first, {"compression": compression or "none", **kwargs}, write_index, partition_on, custom_metadata)

    def finish(files):
        target.publish(files)
        if overwrite:
            kept = {os.path.normpath(f) for f in files}
            for old in before:
                if os.path.normpath(old) not in kept:
                    target.system().rm(old) if target.remote else os.unlink(old)
        return None

    files = [names(first + i) for i in range(frame.npartitions)]
    return _written(frame, "to_parquet", write, compute, [f"{target.path}/part"], finish, write_index is not False, files)


def _files_of(target):
    if target.remote:
        return [f for f in target.system().find(target.path) if f.endswith(_ENDINGS)]
    folders = ((folder, names) for folder, _, names in os.walk(target.path) if not os.path.basename(folder).startswith("."))
    return [os.path.join(folder, n) for folder, names in folders for n in names if n.endswith(_ENDINGS)]
