"""Files of columns of fixed widths: blocks of lines, each read by pandas with the columns, labels and texts found at the head of the first file."""

import io
import os
import re

from muster._base.libraries import np, pd
from muster._base.units import parse_bytes
from muster._border.files import stamps_of, system_of, unchanged
from muster._collections.running import memory_limit
from muster.dataframe._io import _REFUSED
from muster.dataframe._make import from_map
from muster.dataframe._orc import files_of

_LARGEST = 64_000_000  # bytes of a block by default


def read_fwf(
    urlpath, blocksize="default", lineterminator=None, compression="infer", sample=256000, sample_rows=10, enforce=False, assume_missing=False,
    storage_options=None, include_path_column=False, **kwargs
):
    """Return the rows of files of fixed-width lines as a lazy DataFrame: each block of lines is read by pandas.read_fwf.

    Where columns begin and end, labels and dtypes are found at the head of the first file.

    Parameters
    ----------
    urlpath : str, path or list of these
        File, glob, directory, or URL that fsspec reaches.
    blocksize : int, str or None, default "default"
        Bytes of a partition. Default: memory / cores / 10, at most 64 MB. None: a partition a file, as compressed files always are, and where `header` or
        `skiprows` is a list or a function, `skipfooter` is given, or the encoding is none that continues ASCII.
    compression : str or None, default "infer"
        As fsspec has it; "infer" goes by the file's ending.
    sample : int, default 256000
        Bytes at the head of the first file that are looked at.
    sample_rows, enforce, lineterminator
        Accepted.
    assume_missing : bool, default False
        Integer columns not named in `dtype` are float64.
    storage_options : dict, optional
        For fsspec.
    include_path_column : bool or str, default False
        Add a column with the file's path, "path" or that name.
    **kwargs
        As pandas.read_fwf: colspecs, widths, infer_nrows, header, names, usecols, dtype, na_values, parse_dates and others.

    Returns
    -------
    DataFrame
        Rows are numbered within each partition.

    Raises
    ------
    FileNotFoundError
        At the call: no file matches.
    ValueError
        At the call: an argument makes no sense. At compute: a column of numbers has a text, in which case `dtype` says that it is text.

    Examples
    --------
    >>> import os, tempfile
    >>> import muster.dataframe as dd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.txt")
    ...     _ = open(path, "w").write("name  x\\nfig   1\\napple 2\\n")
    ...     dd.read_fwf(path).x.sum().compute()
    np.int64(3)
    """
    for name, why in _REFUSED.items():
        if kwargs.get(name) is not None and not (name == "index_col" and kwargs[name] is False):
            raise ValueError(why.replace("read_csv", "read_fwf"))
        if kwargs.get(name) is not False:
            kwargs.pop(name, None)
    if blocksize == "default":
        blocksize = max(1, min(_LARGEST, memory_limit() // (os.cpu_count() or 1) // 10))
    blocksize = parse_bytes(blocksize) if blocksize is not None else None
    if blocksize is not None and blocksize < 1:
        raise ValueError(f"read_fwf: blocksize must be at least 1 byte, got {blocksize!r}")
    paths = urlpath if isinstance(urlpath, (list, tuple)) else [urlpath]
    files = [file for p in paths for file in files_of(os.fspath(p), storage_options, None)]
    source = _Files(files, storage_options, compression)
    how = _How(kwargs, bool(assume_missing))
    head = source.head(0, parse_bytes(sample))
    how.learn(head.decode(how.encoding, "replace"))
    pieces = []
    for number in range(len(files)):
        if blocksize is None or not how.in_blocks or source.is_compressed(number):
            pieces.append((number, None, None))
            continue
        begin, size = how.first_byte(source.head(number, parse_bytes(sample))), source.size(number)
        pieces += [(number, (begin, at), min(size, at + blocksize)) for at in range(begin, size, blocksize)] or [(number, None, None)]
    label = "path" if include_path_column is True else include_path_column
    if label and label in how.meta.columns:
        raise ValueError(f"Files already contain the column name: {label}, so the path column cannot use this name; set include_path_column to a unique name")
    read = _Read(source, how, label)
    return from_map(read, pieces, meta=read.with_path(how.meta, files[0]), enforce_metadata=False)


class _Files:
    """The files, and what lies where in them."""

    def __init__(self, files, storage_options, compression):
        self.files, self.stamps, self.storage_options, self.compression = files, stamps_of(files), storage_options, compression

    def _open(self, number):
        import fsspec

        return fsspec.open(self.files[number], "rb", compression=self.compression, **(self.storage_options or {}))

    def is_compressed(self, number):
        return self._open(number).compression is not None

    def size(self, number):
        system = system_of(self.files[number], self.storage_options)
        return system.size(system._strip_protocol(self.files[number]))

    def head(self, number, count):
        """The first bytes, to the end of a line."""
        with self._open(number) as file:
            return file.read(count) + file.readline()

    def lines(self, number, begin, end):
        """The lines that begin between two places, where lines begin at the first place of all; all bytes if there are none."""
        with unchanged(self.files[number], self.stamps[number], "read_fwf"), self._open(number) as file:
            if begin is None:
                return file.read()
            first, begin = begin
            file.seek(begin)
            if begin > first:
                file.seek(begin - 1)
                file.readline()
            data = file.read(end - file.tell()) if file.tell() < end else b""
            return data if not data or data.endswith(b"\n") else data + file.readline()


class _How:
    """How lines are read: pandas' options, and what the head of the first file has said."""

    def __init__(self, options, assume_missing):
        self.options, self.assume_missing = options, assume_missing
        self.encoding = options.get("encoding") or "utf-8"
        header, skiprows = options.get("header", "infer"), options.get("skiprows")
        self.header = (0 if options.get("names") is None else None) if header == "infer" else header
        plain = (self.header is None or isinstance(self.header, int)) and (skiprows is None or isinstance(skiprows, int))
        try:
            ascii_like = "a \n".encode(self.encoding) == b"a \n"
        except LookupError:
            raise LookupError(f"unknown encoding: {self.encoding}") from None
        self.in_blocks = plain and not options.get("skipfooter") and ascii_like
        self.labels = self.meta = None

    def learn(self, text):
        options = self.options
        if options.get("widths") is None and options.get("colspecs", "infer") == "infer":
            self.options = {**options, "colspecs": self._columns(text), "widths": None}
            self.options.pop("infer_nrows", None)
        rows = pd.read_fwf(io.StringIO(text), **{k: v for k, v in self.options.items() if k not in ("usecols", "skipfooter", "encoding")})
        self.labels = list(rows.columns)
        self.meta = self.fitted(pd.read_fwf(io.StringIO(text), **{k: v for k, v in self.options.items() if k not in ("skipfooter", "encoding")}))

    def _columns(self, text):
        """Where columns lie in which the first lines have anything but blanks: as pandas finds them."""
        skipped, count, comment = self.options.get("skiprows"), self.options.get("infer_nrows", 100), self.options.get("comment")
        blanks = f"\r\n{self.options['delimiter']}" if self.options.get("delimiter") else "\r\n\t "
        word, lines = re.compile(f"[^{re.escape(blanks)}]+"), []
        for number, line in enumerate(text.splitlines()):
            if len(lines) >= count:
                break
            if callable(skipped) and skipped(number) or isinstance(skipped, int) and number < skipped or hasattr(skipped, "__iter__") and number in skipped:
                continue
            lines.append(line.partition(comment)[0] if comment else line)
        if not lines:
            raise pd.errors.EmptyDataError("No rows from which to infer column width")
        used = np.zeros(max(map(len, lines)) + 2, dtype=bool)
        for line in lines:
            for found in word.finditer(line):
                used[found.start() + 1 : found.end() + 1] = True
        edges = np.flatnonzero(used[1:] != used[:-1]).tolist()
        return list(zip(edges[::2], edges[1::2], strict=True))

    def first_byte(self, head):
        """Where the rows begin, behind what is skipped and the labels."""
        at, skipped, labels = 0, self.options.get("skiprows") or 0, 0 if self.header is None else self.header + 1
        comment, skips_blanks = self.options.get("comment"), self.options.get("skip_blank_lines", True)
        for line in head.splitlines(keepends=True):
            if not skipped and not labels:
                break
            at += len(line)
            if skipped:
                skipped -= 1
                continue
            text = line.decode(self.encoding, "replace")
            if not (skips_blanks and not text.strip() or comment and not text.partition(comment)[0].strip()):
                labels -= 1
        return at

    def rows(self, data, is_whole):
        """The rows of some lines."""
        options = {k: v for k, v in self.options.items() if k != "encoding"}
        if not is_whole:
            options = {**options, "header": None, "names": self.labels, "skiprows": None}
        if self.meta is not None:
            texts = {label: "str" for label, dtype in self.meta.dtypes.items() if dtype == "str"}
            given = options.get("dtype")
            if given is None or isinstance(given, dict):
                options["dtype"] = {**{k: v for k, v in texts.items() if k not in (options.get("converters") or {})}, **(given or {})}
        text = data.decode(self.encoding, self.options.get("encoding_errors") or "strict")
        options.pop("encoding_errors", None)
        return self.fitted(pd.read_fwf(io.StringIO(text), **options)) if text.strip() else self.meta.iloc[:0]

    def fitted(self, rows):
        if self.assume_missing:
            dtype = self.options.get("dtype") or {}
            named = set(dtype) if isinstance(dtype, dict) else set(rows.columns)
            rows = rows.astype({label: "float64" for label, d in rows.dtypes.items() if label not in named and d == "int64"})
        return rows


class _Read:
    """Reads a block of a file."""

    __name__ = "read_fwf"

    def __init__(self, source, how, label):
        self.source, self.how, self.label = source, how, label

    def __call__(self, piece):
        number, begin, end = piece
        file = self.source.files[number]
        rows = self.how.rows(self.source.lines(number, begin, end), begin is None)
        for label, dtype in self.how.meta.dtypes.items():
            found = rows[label].dtype
            if isinstance(dtype, np.dtype) and dtype.kind in "iufb" and str(found) in ("str", "object") and found != dtype and dtype.kind != "b":
                text = rows[label].dropna()
                text = text[pd.to_numeric(text, errors="coerce").isna()]
                if len(text):
                    raise ValueError(
                        f"read_fwf: column {label!r} of file '{file}' has the text {text.iloc[0]!r}, at the head of the first file it has numbers; "
                        f"say dtype={{{label!r}: 'str'}}"
                    )
        return self.with_path(rows, file)

    def with_path(self, rows, file):
        return rows.assign(**{self.label: pd.Series([file] * len(rows), index=rows.index, dtype="str")}) if self.label else rows
