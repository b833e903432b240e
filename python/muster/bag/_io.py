"""Bags from sequences, files and tasks, and back."""

import builtins
import os

from muster.bag._bag import Bag, _node, _reified


def from_sequence(seq, partition_size=None, npartitions=None):
    """Return the bag of the items of a sequence.

    Parameters
    ----------
    seq : iterable
    partition_size : int, optional
        Items in a partition.
    npartitions : int, optional
        Number of partitions, about. Default: about 100.

    Examples
    --------
    >>> import muster.bag as db
    >>> db.from_sequence(["a", "b", "c"], partition_size=2).npartitions
    2
    """
    seq = list(seq)
    if npartitions and not partition_size:
        partition_size = max(1, -(-len(seq) // npartitions))
    if npartitions is None and partition_size is None:
        partition_size = 1 if len(seq) <= 100 else max(1, -(-len(seq) // 100))
    parts = [seq[i : i + partition_size] for i in builtins.range(0, len(seq), partition_size)] or [[]]
    return Bag([_node(_reified, p, name="from-sequence") for p in parts], "from-sequence")


def range(n, npartitions):
    """Return the bag of the numbers 0 ... n - 1."""
    size = max(1, n // npartitions)
    starts = [i * size for i in builtins.range(npartitions)]
    return Bag([_node(_numbers, a, n if i == npartitions - 1 else min(a + size, n), name="range") for i, a in enumerate(starts)], "range")


def _numbers(a, b):
    return list(builtins.range(a, b))


def from_delayed(values):
    """Return the bag whose partitions are the values of Delayed, iterables."""
    from muster.delayed import Delayed, delayed

    values = [values] if isinstance(values, Delayed) else list(values)
    return Bag([_node(_reified, delayed(v), name="from-delayed") for v in values], "from-delayed")


def from_url(urls):
    """Return the bag of the lines, bytes, of what is at URLs, one partition each."""
    urls = [urls] if isinstance(urls, str) else urls
    return Bag([_node(_lines_at, u, name="from-url") for u in urls], "from-url")


def _lines_at(url):
    from urllib.request import urlopen

    with urlopen(url) as answer:
        return list(answer)


def read_text(urlpath, blocksize=None, compression="infer", encoding="utf-8", errors="strict", linedelimiter=None, collection=True, storage_options=None, files_per_partition=None, include_path=False):
    r"""Return the bag of the lines of text files, with their line ends.

    Parameters
    ----------
    urlpath : str or list
        Paths, globs, or URLs that fsspec knows.
    blocksize : int or str, optional
        Bytes of a partition; default: one for each file. Not for compressed files.
    compression : str, default "infer"
        By the ending, or "gzip", "bz2", "xz", "zstd", None.
    encoding, errors : str
        As of open().
    linedelimiter : str, optional
        What ends a line; default: "\n", "\r" or "\r\n".
    files_per_partition : int, optional
        So many files in one partition.
    include_path : bool, default False
        Items are pairs of line and path.

    Raises
    ------
    OSError
        If there is no such file.
    """
    if blocksize is not None and files_per_partition is not None:
        raise ValueError("Only one of blocksize or files_per_partition can be set")
    paths = _paths(urlpath, storage_options)
    options = dict(encoding=encoding, errors=errors, delimiter=linedelimiter, include_path=include_path)
    if blocksize is not None:
        from muster._run import parse_bytes

        size, parts = parse_bytes(blocksize), []
        for path in paths:
            if _compression(path, compression):
                raise ValueError("Cannot do chunked reads on compressed files. To read, set blocksize=None")
            length = _size(path, storage_options)
            parts.extend(_node(_read_block, path, at, size, storage_options, options, name="read-text") for at in builtins.range(0, max(length, 1), size))
    else:
        n = files_per_partition or 1
        parts = [_node(_read_files, paths[i : i + n], compression, storage_options, options, name="read-text") for i in builtins.range(0, len(paths), n)]
    bag = Bag(parts, "read-text")
    return bag if collection else bag.to_delayed()


def _paths(urlpath, storage_options):
    out = []
    for path in [urlpath] if isinstance(urlpath, (str, os.PathLike)) else urlpath:
        path = os.fspath(path)
        if "://" in path:
            import fsspec

            fs, _, found = fsspec.get_fs_token_paths(path, storage_options=storage_options)
            out.extend(fs.unstrip_protocol(f) for f in found)
        elif any(c in path for c in "*?["):
            import glob

            found = sorted(glob.glob(path))
            if not found:
                raise OSError(f"{path} resolved to no files")
            out.extend(found)
        else:
            if not os.path.exists(path):
                raise FileNotFoundError(f"there is no file {path}")
            out.append(path)
    return out


_ENDINGS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}


def _compression(path, compression):
    return _ENDINGS.get(os.path.splitext(path)[1]) if compression == "infer" else compression


def _size(path, storage_options):
    if "://" not in path:
        return os.path.getsize(path)
    import fsspec

    fs, inner = fsspec.core.url_to_fs(path, **(storage_options or {}))
    return fs.size(inner)


def _opened(path, mode, compression, storage_options=None):
    if "://" in path:
        import fsspec

        return fsspec.open(path, mode, compression=compression, **(storage_options or {})).open()
    if compression is None:
        return open(path, mode)
    if compression in ("gzip", "bz2", "xz"):
        import importlib

        return importlib.import_module({"xz": "lzma"}.get(compression, compression)).open(path, mode)
    import fsspec

    return fsspec.open(path, mode, compression=compression).open()


def _lines(text, delimiter):
    if delimiter is None or delimiter in ("\n", "\r", "\r\n"):
        return text.splitlines(keepends=True) if delimiter is None else _split(text, delimiter)
    return _split(text, delimiter)


def _split(text, delimiter):
    parts = text.split(delimiter)
    return [p + delimiter for p in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _read_files(paths, compression, storage_options, options):
    import io

    out = []
    for path in paths:
        with _opened(path, "rb", _compression(path, compression), storage_options) as file:
            if options["delimiter"] is None:
                lines = list(io.TextIOWrapper(file, encoding=options["encoding"], errors=options["errors"]))
            else:
                lines = _split(file.read().decode(options["encoding"], options["errors"]), options["delimiter"])
        out.extend(((line, path) for line in lines) if options["include_path"] else lines)
    return out


def _read_block(path, start, size, storage_options, options):
    # A line belongs to the block in which it starts.
    delimiter = (options["delimiter"] or "\n").encode(options["encoding"])
    with _opened(path, "rb", None, storage_options) as file:
        file.seek(max(start - len(delimiter), 0))
        data = file.read(size + (len(delimiter) if start else 0))
        if start:
            cut = data.find(delimiter)
            if cut < 0:
                return []
            data = data[cut + len(delimiter) :]
        if data and not data.endswith(delimiter):
            while True:
                more = file.read(64 * 1024)
                cut = more.find(delimiter)
                data += more if cut < 0 else more[: cut + len(delimiter)]
                if cut >= 0 or not more:
                    break
    text = data.decode(options["encoding"], options["errors"])
    lines = _lines(text, options["delimiter"]) if options["delimiter"] else _split(text, "\n")
    return [(line, path) for line in lines] if options["include_path"] else lines


def to_textfiles(bag, path, name_function=None, compression="infer", encoding="utf-8", compute=True, storage_options=None, last_endline=False, **kwargs):
    """Write each partition of a bag of texts to a file, an item a line.

    Parameters
    ----------
    path : str or list
        A folder; a name with ``*``, which becomes the number of the partition; or a list of names.
    name_function : callable, optional
        From the number to the text in place of ``*``.
    compression : str, default "infer"
    compute : bool, default True
        False: return the tasks, a list of Delayed.
    last_endline : bool, default False
        End the last line too.

    Returns
    -------
    list of str, the files' names
    """
    if isinstance(path, (str, os.PathLike)):
        path = os.fspath(path)
        pattern = path if "*" in path else os.path.join(path, "*.part")
        digits = len(str(max(bag.npartitions - 1, 0)))
        name_function = name_function or (lambda i: str(i).zfill(digits))
        paths = [pattern.replace("*", name_function(i)) for i in builtins.range(bag.npartitions)]
    else:
        paths = list(path)
        if len(paths) != bag.npartitions:
            raise ValueError(f"{len(paths)} names for {bag.npartitions} partitions")
    for folder in {os.path.dirname(p) for p in paths if "://" not in p}:
        if folder:
            os.makedirs(folder, exist_ok=True)
    nodes = [_node(_write, p, name, _compression(name, compression), encoding, last_endline, storage_options, name="to-textfiles") for p, name in zip(bag._parts, paths, strict=True)]
    if not compute:
        return nodes
    from muster import _run

    _run.compute(*nodes, **kwargs)
    return paths


def _write(part, path, compression, encoding, last_endline, storage_options):
    with _opened(path, "wb", compression, storage_options) as file:
        first = True
        for line in part:
            if not isinstance(line, str):
                raise TypeError(f"to_textfiles writes texts, got {type(line).__name__}; bag.map(str) makes texts")
            file.write((line if first else "\n" + line).encode(encoding))
            first = False
        if last_endline and not first:
            file.write("\n".encode(encoding))
