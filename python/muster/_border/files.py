"""Files of any URL through fsspec, and encodings other than UTF-8: what the engine asks Python for."""

import codecs
import contextlib
import os
import threading

from muster import _core
from muster._base.libraries import fs
from muster._base.tokenize import tokenize

_options = {}  # storage_options by token
_s3 = {}  # Arrow's file systems by their options
_open = threading.local()


def options_token(options):
    """Return the token under which the engine hands storage_options back."""
    if not options:
        return ""
    token = tokenize(options)
    _options[token] = options
    return token


class Reader:
    """Goes with what names files that the engine reads through Python, so that it is read where Python is: tells a process the storage_options."""

    def __init__(self, options):
        self.options = options

    def __reduce__(self):
        return reader_of, (self.options,)


def reader_of(options):
    """Return such an object; this process knows the options from then on."""
    options_token(options)
    return Reader(options)


def reader(paths, options, encoding=None):
    """Return the object with which the engine reads files, None where it reads them alone: those of this machine, in UTF-8.

    Parameters
    ----------
    paths : list of str
    options : dict or None
        storage_options.
    encoding : str, optional
    """
    if all(is_local(p) for p in paths) and encoding in (None, "utf-8", "utf8", "UTF-8"):
        return None
    return _core.object(reader_of(options), f"reader-{options_token(options)}")


def is_local(path):
    """Whether a path names a file of this machine."""
    return "://" not in path or path.startswith("file://")


def _filesystem(url, token):
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(f"{url!r} needs fsspec: python -m pip install fsspec") from error
    options = _options.get(token, {})
    if url.startswith(("s3://", "s3a://")):
        return s3(options), url.split("://", 1)[1]
    return fsspec.core.url_to_fs(url, **options)


def s3(options):
    """Return Arrow's file system of S3 as fsspec has them.

    Parameters
    ----------
    options : dict
        anon, key, secret, token, endpoint_url, and client_kwargs with endpoint_url and region_name, as s3fs names them.
    """
    from fsspec.implementations.arrow import ArrowFSWrapper

    key = tokenized(options)
    known = _s3.get(key)
    if known is None:
        client = options.get("client_kwargs", {})
        endpoint = options.get("endpoint_url") or client.get("endpoint_url")
        if options.get("anon"):
            arguments = {"anonymous": True}
        else:
            arguments = {"access_key": options.get("key"), "secret_key": options.get("secret"), "session_token": options.get("token")}
        if endpoint:
            scheme, _, host = endpoint.rpartition("://")
            arguments.update(endpoint_override=host, scheme=scheme or "https")
        if client.get("region_name"):
            arguments["region"] = client["region_name"]
        known = _s3[key] = ArrowFSWrapper(fs.S3FileSystem(**{k: v for k, v in arguments.items() if v is not None}))
    return known


def system_of(url, options):
    """Return the fsspec file system of a URL."""
    import fsspec

    return s3(options or {}) if url.startswith(("s3://", "s3a://")) else fsspec.core.url_to_fs(url, **(options or {}))[0]


def tokenized(options):
    """Return a text that tells options apart."""
    return tokenize(options)


def stamp_of(path):
    """Return what tells whether a local file has changed: size, time in ns, and what changes when another file takes its place; None for a URL."""
    if not is_local(path):
        return None
    facts = os.stat(path.removeprefix("file://"))
    return facts.st_size, facts.st_mtime_ns, f"{facts.st_ino}:{facts.st_ctime_ns}"


def stamps_of(paths):
    """Return the stamps of files, for a reader to hold: what reads a file that took another's place is another expression."""
    return [stamp_of(path) for path in paths]


@contextlib.contextmanager
def unchanged(path, stamp, reader):
    """Raise OSError if a file has another size or time than when `reader` looked at it, before or after what is done with it here.

    Parameters
    ----------
    path : str
    stamp : tuple or None
        As `stamp_of` gave it.
    reader : str
        The function that is to be called again.
    """
    _compare(path, stamp, reader)
    try:
        yield
    except Exception:
        _compare(path, stamp, reader)  # the cause, where there is one
        raise
    _compare(path, stamp, reader)


def _compare(path, stamp, reader):
    now = None if stamp is None else stamp_of(path)
    if now and now[:2] != stamp[:2]:
        raise OSError(f"{path!r} changed since {reader} looked at it: it has {now[0]} bytes, it had {stamp[0]}; call {reader} again")


def _list(url, token):
    fs, path = _filesystem(url, token)
    if fs.isdir(path):
        paths = [p for p in fs.ls(path, detail=False) if not fs.isdir(p)]
    else:
        paths = fs.glob(path) if any(c in path for c in "*?[") else [path] if fs.exists(path) else []
    protocol = url.split("://", 1)[0]
    out = []
    for name in sorted(paths):
        info = fs.info(name)
        size = info.get("size")
        if size is None:
            size = len(fs.cat_file(name))
        full = name if "://" in name else f"{protocol}://{name}"
        stamp = str(info.get("ETag") or info.get("mtime") or info.get("LastModified") or info.get("created") or "")
        out.append((full, int(size), int.from_bytes(stamp.encode()[-7:], "little")))
    return out


def _read(url, token, offset, size):
    fs, path = _filesystem(url, token)
    if url.startswith(("s3://", "s3a://")):
        with fs.open(path, "rb") as file:
            file.seek(offset)
            return file.read(size)
    info_size = fs.info(path).get("size")
    end = offset + size if info_size is None else min(offset + size, info_size)
    return fs.cat_file(path, start=offset, end=end) if end > offset else b""


def _to_utf8(data, encoding):
    try:
        text = codecs.decode(data, encoding)
    except LookupError:
        raise LookupError(f"unknown encoding: {encoding}") from None
    return text.lstrip("\ufeff").encode()


_core.set_filesystem(_list, _read, _to_utf8)
