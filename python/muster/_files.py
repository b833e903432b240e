"""Files of any URL through fsspec, and encodings other than UTF-8: what the engine asks Python for."""

import codecs
import threading

from muster import _core

_options = {}  # storage_options by token
_open = threading.local()


def options_token(options):
    """Return the token under which the engine hands storage_options back."""
    if not options:
        return ""
    from muster._tokenize import tokenize

    token = tokenize(options)
    _options[token] = options
    return token


def _filesystem(url, token):
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(f"{url!r} needs fsspec: python -m pip install fsspec") from error
    return fsspec.core.url_to_fs(url, **_options.get(token, {}))


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
