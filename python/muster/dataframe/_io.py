"""Collections from files and from memory."""

import collections
import functools
import os

from muster import _core
from muster._base.libraries import np
from muster._base.units import parse_bytes
from muster._base.values import plain
from muster._border import files
from muster.dataframe import _read_csv
from muster.dataframe._collection import new_collection

_REFUSED = {
    "index_col": "Keywords 'index' and 'index_col' not supported, except for 'index_col=False'. Use dd.read_csv(...).set_index('my-index') instead",
    "index": "Keywords 'index' and 'index_col' not supported, except for 'index_col=False'. Use dd.read_csv(...).set_index('my-index') instead",
    "nrows": "The 'nrows' keyword is not supported by `dd.read_csv`. To achieve the same behavior, it's recommended to use `dd.read_csv(...).head(n=nrows)`",
    "iterator": "read_csv: iterator is not supported; the collection is lazy already",
    "chunksize": "read_csv: chunksize is not supported; the collection is in partitions already, see blocksize",
}
_KNOWN = frozenset(
    "sep delimiter index_col header names usecols dtype true_values false_values skiprows na_values keep_default_na na_filter parse_dates date_format "
    "dayfirst compression thousands decimal quotechar quoting doublequote escapechar comment encoding on_bad_lines delim_whitespace skipinitialspace "
    "skip_blank_lines".split()
)
_ENGINES = ("c", "python", "pyarrow", "python-fwf")  # pandas' readers
_IGNORED = frozenset("engine low_memory memory_map float_precision cache_dates dialect verbose infer_datetime_format keep_date_col lineterminator".split())


def read_csv(
    urlpath,
    blocksize="default",
    lineterminator=None,
    compression="infer",
    sample=256000,
    sample_rows=10,
    enforce=False,
    assume_missing=False,
    storage_options=None,
    include_path_column=False,
    **kwargs,
):
    """Return the rows of CSV files as a lazy DataFrame.

    Nothing is read but a sample of the first, the middle and the last file, for labels and dtypes. An integer or bool column in which a missing value
    turns up becomes float64 or object, one with a value its dtype cannot hold a wider dtype, as pandas decides for the whole column.

    Parameters
    ----------
    urlpath : str, path or list of these
        File, glob, directory, or URL that fsspec reaches.
    blocksize : int, str or None, default "default"
        Bytes of a partition. Default: memory / cores / 10, at most 64 MB. None: a partition a file, as compressed files always are.
    compression : str or None, default "infer"
        "gzip", "bz2", "xz", "zstd", None; "infer" goes by the file's ending.
    sample, sample_rows, enforce
        Accepted; at least 64 KB of three files are sampled.
    assume_missing : bool, default False
        Integer columns not named in `dtype` are float64.
    storage_options : dict, optional
        For fsspec.
    include_path_column : bool or str, default False
        Add a column with the file's path, "path" or that name.
    **kwargs
        As pandas.read_csv: sep, delimiter, header, names, usecols, dtype, true_values, false_values, skiprows (an integer, or lines around the header),
        na_values, keep_default_na, na_filter, parse_dates (True, list, list of lists, dict of lists), date_format, dayfirst, thousands, decimal,
        quotechar, quoting, doublequote, escapechar, comment, encoding, on_bad_lines ("error", "warn", "skip"), skipinitialspace, skip_blank_lines.
        pandas itself reads, a partition a file, where the engine has no way: a separator of several characters, a header of several rows, converters,
        skipfooter, encoding_errors, dtype_backend, nullable, Arrow and categorical dtypes, times with zones, functions as usecols, skiprows or
        on_bad_lines. `blocksize` cuts none of these files, and one that is larger than the memory limit is refused with MemoryError.

    Returns
    -------
    DataFrame
        Rows are numbered within each file, as pandas.concat of the files does.

    Raises
    ------
    FileNotFoundError
        At the call: no file matches.
    ValueError
        At the call: an argument makes no sense or names an unknown column. At compute: a value does not fit a dtype that was asked for, a row has too many
        fields (pandas.errors.ParserError), a quote is not closed, bytes are not of the encoding, a file has another header.

    Examples
    --------
    >>> import os, tempfile
    >>> import muster.dataframe as dd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.csv")
    ...     _ = open(path, "w").write("k,x\\na,1\\nb,2\\n")
    ...     dd.read_csv(path).compute()
       k  x
    0  a  1
    1  b  2
    """
    for name, why in _REFUSED.items():
        if name in kwargs and kwargs[name] is not None and not (name == "index_col" and kwargs[name] is False):
            raise ValueError(why)
        if kwargs.get(name) is not False:
            kwargs.pop(name, None)
    if "sep" in kwargs and kwargs["sep"] is None and kwargs.get("delimiter") is None:
        raise NotImplementedError("read_csv: sep=None (finding the separator); name it")
    unknown = [k for k in kwargs if k not in _KNOWN and k not in _IGNORED and k not in _read_csv.OPTIONS]
    if unknown:
        raise TypeError(f"read_csv() got an unexpected keyword argument {unknown[0]!r}")
    if kwargs.get("engine") not in (None, *_ENGINES):
        raise ValueError(f"Unknown engine: {kwargs['engine']} (valid options are {', '.join(_ENGINES)}); all of them give the same rows here")
    if lineterminator not in (None, "\n", "\r\n"):
        kwargs["lineterminator"] = lineterminator
    paths = [os.fspath(p) for p in (urlpath if isinstance(urlpath, (list, tuple, set)) else [urlpath])]
    if isinstance(blocksize, str) and blocksize != "default":
        blocksize = parse_bytes(blocksize)
    if isinstance(blocksize, int) and blocksize < 1:
        raise ValueError(f"read_csv: blocksize must be at least 1 byte, got {blocksize!r}")
    through_pandas = functools.partial(_read_csv.read_csv, paths, kwargs, compression, assume_missing, storage_options, include_path_column)
    if _read_csv.is_needed(kwargs):
        return through_pandas()
    args = {k: v for k, v in kwargs.items() if k in _KNOWN}
    args.setdefault("header", "infer")
    if args.get("usecols") is not None:
        args["usecols"] = list(args["usecols"])
    if isinstance(args.get("dtype"), dict):
        if isinstance(args["dtype"], collections.defaultdict) and args["dtype"].default_factory is not None:
            args["dtype_of_others"] = _dtype_text(args["dtype"].default_factory())
        args["dtype"] = {k: _dtype_text(v) for k, v in args["dtype"].items()}
    elif args.get("dtype") is not None:
        args["dtype"] = _dtype_text(args["dtype"])
    if args.get("na_values") is not None and not isinstance(args["na_values"], (list, dict)):
        args["na_values"] = list(args["na_values"]) if isinstance(args["na_values"], (set, tuple)) else [args["na_values"]]
    args.update(
        urlpath=paths,
        blocksize=blocksize,
        compression=compression,
        assume_missing=bool(assume_missing),
        storage_options=files.options_token(storage_options),
        include_path_column=include_path_column,
    )
    args = {k: plain(v) for k, v in args.items()}
    try:
        return new_collection(_core.read_csv({**args, "reader": files.reader(paths, storage_options, kwargs.get("encoding"))}))
    except NotImplementedError:  # times with zones, separators of several characters, a header of several rows: pandas knows more
        return through_pandas()


def read_table(urlpath, sep="\t", **kwargs):
    """Return the rows of files with fields between tabs as a lazy DataFrame; see `read_csv`."""
    return read_csv(urlpath, sep=sep, **kwargs)


def _dtype_text(dtype):
    if isinstance(dtype, str):
        return "object" if dtype == "O" else dtype
    if isinstance(dtype, type) and dtype in (int, float, str, bool, object):
        return dtype.__name__
    try:
        return np.dtype(dtype).name
    except TypeError:
        return str(dtype)
