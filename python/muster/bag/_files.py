"""Files that bags are read from and written to."""

import builtins
import os

from muster._collections import running
from muster.bag._item import node

_ENDINGS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}


def compression_of(path, compression):
    """Return the name of a compression; "infer" is what the ending of the path says."""
    return _ENDINGS.get(os.path.splitext(path)[1]) if compression == "infer" else compression


def size_of(path, storage_options):
    """Return the bytes of a file at a URL."""
    import fsspec

    fs, inner = fsspec.core.url_to_fs(path, **(storage_options or {}))
    return fs.size(inner)


def opened(path, mode, compression, storage_options=None):
    """Return an open file, of a path or a URL."""
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
    nodes = [
        node(_write, p, name, compression_of(name, compression), encoding, last_endline, storage_options, name="to-textfiles")
        for p, name in zip(bag._parts, paths, strict=True)
    ]
    if not compute:
        return nodes
    running.compute(*nodes, **kwargs)
    return paths


def _write(part, path, compression, encoding, last_endline, storage_options):
    with opened(path, "wb", compression, storage_options) as file:
        first = True
        for line in part:
            if not isinstance(line, str):
                raise TypeError(f"to_textfiles writes texts, got {type(line).__name__}; bag.map(str) makes texts")
            file.write((line if first else "\n" + line).encode(encoding))
            first = False
        if last_endline and not first:
            file.write("\n".encode(encoding))
