"""Bags from sequences, files and tasks, and back."""

import builtins
import codecs
import io
import os

from muster._base.units import parse_bytes
from muster._border.files import stamp_of, unchanged
from muster.bag._bag import Bag, _made
from muster.bag._files import compression_of, opened, size_of
from muster.bag._item import node
from muster.bag._partitions import reify
from muster.delayed import Delayed, delayed


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
    return _made([node(reify, p, name="from_sequence") for p in parts], "from_sequence", parts)


def range(n, npartitions):
    """Return the bag of the numbers 0 ... n - 1."""
    size = max(1, n // npartitions)
    starts = [i * size for i in builtins.range(npartitions)]
    return _made([node(_numbers, a, n if i == npartitions - 1 else min(a + size, n), name="range") for i, a in enumerate(starts)], "range", n, npartitions)


def _numbers(a, b):
    return list(builtins.range(a, b))


def from_delayed(values):
    """Return the bag whose partitions are the values of Delayed, iterables."""
    values = [values] if isinstance(values, Delayed) else list(values)
    values = [delayed(v) for v in values]
    return _made([node(reify, v, name="from_delayed") for v in values], "from_delayed", values)


def from_url(urls):
    """Return the bag of the lines, bytes, of what is at URLs, one partition each."""
    urls = [urls] if isinstance(urls, str) else urls
    return Bag([node(_lines_at, u, name="from-url") for u in urls], "from-url")


def _lines_at(url):
    from urllib.request import urlopen

    with urlopen(url) as answer:
        return list(answer)


def read_text(
    urlpath, blocksize=None, compression="infer", encoding="utf-8", errors="strict", linedelimiter=None, collection=True, storage_options=None,
    files_per_partition=None, include_path=False
):
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
        What ends a line; default: "\n", "\r" or "\r\n", each read as "\n".
    files_per_partition : int, optional
        So many files in one partition.
    include_path : bool, default False
        Items are pairs of line and path.

    Raises
    ------
    OSError
        If there is no such file.
        Also when the bag is computed, if a file has changed since.
    ValueError
        If blocksize is given for a compressed file, or for an encoding whose files cannot be cut at bytes.
    """
    if blocksize is not None and files_per_partition is not None:
        raise ValueError("Only one of blocksize or files_per_partition can be set")
    paths = _paths(urlpath, storage_options)
    options = dict(encoding=encoding, errors=errors, delimiter=linedelimiter or None, include_path=include_path)
    if blocksize is not None:
        size, parts = parse_bytes(blocksize), []
        if size < 1:
            raise ValueError(f"blocksize must be at least one byte, got {blocksize!r}")
        _units(encoding, linedelimiter or "\n")
        for path in paths:
            if compression_of(path, compression):
                raise ValueError("Cannot do chunked reads on compressed files. To read, set blocksize=None")
            stamp = stamp_of(path)
            length = stamp[0] if stamp else size_of(path, storage_options)
            parts.extend(node(_read_block, path, stamp, at, size, storage_options, options, name="read-text") for at in builtins.range(0, max(length, 1), size))
    else:
        n = files_per_partition or 1
        stamped = [(path, stamp_of(path)) for path in paths]
        parts = [node(_read_files, stamped[i : i + n], compression, storage_options, options, name="read-text") for i in builtins.range(0, len(paths), n)]
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




def _split(text, delimiter):
    parts = text.split(delimiter)
    return [p + delimiter for p in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _lines(text, delimiter):
    return list(io.StringIO(text, newline=None)) if delimiter is None else _split(text, delimiter)


def _read_files(stamped, compression, storage_options, options):
    out = []
    for path, stamp in stamped:
        with unchanged(path, stamp, "read_text"), opened(path, "rb", compression_of(path, compression), storage_options) as file:
            if options["delimiter"] is None:
                lines = list(io.TextIOWrapper(file, encoding=options["encoding"], errors=options["errors"]))
            else:
                lines = _split(file.read().decode(options["encoding"], options["errors"]), options["delimiter"])
        out.extend(((line, path) for line in lines) if options["include_path"] else lines)
    return out


_MARKED = {
    "utf-8-sig": (1, {b"\xef\xbb\xbf": "utf-8"}, "utf-8"), "utf-16": (2, {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}, "utf-16-le"),
    "utf-32": (4, {b"\xff\xfe\0\0": "utf-32-le", b"\0\0\xfe\xff": "utf-32-be"}, "utf-32-le")
}
_STATEFUL = ("iso2022", "hz", "utf-7", "idna", "punycode", "unicode_escape", "raw_unicode_escape")
_TRAILING = 0x30  # second bytes of the multi-byte encodings of East Asia begin here


def _units(encoding, delimiter):
    """Return (bytes of a code unit, {mark at the beginning of a file: encoding behind it}, encoding without a mark); refuse encodings that cannot be cut at a
    delimiter's bytes.
    """
    name = codecs.lookup(encoding).name
    if name in _MARKED:
        return _MARKED[name]
    unit = 2 if name.startswith("utf-16") else 4 if name.startswith("utf-32") else 1
    multibyte = unit == 1 and name != "utf-8" and any(len(c.encode(name, "ignore")) > 1 for c in "あ中가é")
    if name.startswith(_STATEFUL) or (multibyte and max(delimiter.encode(name)) >= _TRAILING):
        raise ValueError(f"files in {encoding} cannot be cut at {delimiter!r}: these bytes may be parts of other characters; set blocksize=None")
    return unit, {}, name


def _read_block(path, stamp, start, size, storage_options, options):
    """Return the lines that start in these bytes of a file."""
    unit, marks, encoding = _units(options["encoding"], options["delimiter"] or "\n")
    with unchanged(path, stamp, "read_text"), opened(path, "rb", None, storage_options) as file:
        head = file.read(4) if marks else b""
        mark = max((m for m in marks if head.startswith(m)), key=len, default=b"")
        encoding = marks.get(mark, encoding)
        delimiter = (options["delimiter"] or "\n").encode(encoding)
        begin = len(mark) if start <= len(mark) else _line_behind(file, start, delimiter, unit)
        end = start + size
        if begin is None or begin >= end:
            return []
        file.seek(begin)
        data = file.read(end - begin)
        at = look = 0  # where a line starts, and from where its end is looked for
        while begin + at < end:
            found = _find(data, delimiter, look, begin, unit)
            if found >= 0:
                at = look = found + len(delimiter)
                continue
            more = file.read(max(64 * 1024, len(data)))
            if not more:
                at = len(data)
                break
            look = max(len(data) - len(delimiter) + 1, look)
            data += more
    lines = _lines(data[:at].decode(encoding, options["errors"]), options["delimiter"])
    return [(line, path) for line in lines] if options["include_path"] else lines


def _find(data, delimiter, at, offset, unit):
    """Return where a delimiter begins on a whole code unit, -1 if nowhere; `offset` is the place of the data in their file."""
    found = data.find(delimiter, at)
    while found >= 0 and (offset + found) % unit:
        found = data.find(delimiter, found + 1)
    return found


def _line_behind(file, start, delimiter, unit):
    """Return where the first line begins that begins at `start` or behind, None if there is none.

    A delimiter may overlap itself ("--" in "---"): which bytes are one is counted from the left, so from a place in front that none crosses.
    """
    size, back = len(delimiter), 4 * len(delimiter)
    while True:
        offset = max(start - back, 0)
        file.seek(offset)
        data = file.read(start - offset + size)
        at = _uncrossed(data, delimiter, offset, unit) if offset else 0
        if at is not None and offset + at <= start - size:
            break
        if not offset:
            at = 0
            break
        back *= 4
    while True:
        found = _find(data, delimiter, at, offset, unit)
        if found < 0:
            more = file.read(max(64 * 1024, len(data)))
            if not more:
                return None
            at = max(len(data) - size + 1, at)
            data += more
            continue
        at = found + size
        if offset + at >= start:
            return offset + at


def _uncrossed(data, delimiter, offset, unit):
    """Return a place that no delimiter in front crosses: as many bytes as it has, less one, where none begins, lie in front of it."""
    quiet = 0
    while True:
        found = _find(data, delimiter, quiet, offset, unit)
        if found < 0 or found - quiet >= len(delimiter) - 1:
            return quiet + len(delimiter) - 1
        quiet = found + 1
        if quiet >= len(data):
            return None
