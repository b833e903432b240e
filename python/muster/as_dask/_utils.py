"""Small helpers of Dask's `utils`, `system` and `metrics` that programs import."""

import contextlib
import os
import tempfile
import threading
import time  # noqa: F401

from muster._core import cpu_count
from muster._run import parse_bytes  # noqa: F401
from muster.delayed import funcname  # noqa: F401
from muster.distributed._repr import format_bytes  # noqa: F401
from muster.distributed._time import parse_timedelta  # noqa: F401

CPU_COUNT = cpu_count()
SerializableLock = threading.Lock
monotonic = time.monotonic


def format_time(seconds):
    """Return seconds as text, such as 1.50 s."""
    for unit, size in (("hr", 3600), ("m", 60)):
        if seconds > 10 * size:
            return f"{int(seconds // size)}{unit} {int(seconds % size / (60 if size == 3600 else 1))}{'m' if size == 3600 else 's'}"
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds:.2e} s"


def key_split(key):
    """Return the first part of a task's name: what it is called without its token.

    Examples
    --------
    >>> key_split("inc-5d41402abc4b2a76b9719d911017c592"), key_split(("sum-12ab", 3))
    ('inc', 'sum')
    """
    if isinstance(key, tuple):
        key = key[0]
    words = str(key).split("-")
    out = words[0].strip("'(\"")
    for word in words[1:]:
        if word.isalpha() and not (len(word) == 8 and set(word) <= set("abcdef")):
            out += f"-{word}"
        else:
            break
    return out


@contextlib.contextmanager
def tmpfile(extension="", dir=None):
    """A name of a file that does not exist; what is there at the end is removed."""
    handle, name = tempfile.mkstemp(f".{extension.lstrip('.')}" if extension else "", dir=dir)
    os.close(handle)
    os.remove(name)
    try:
        yield name
    finally:
        if os.path.isdir(name):
            import shutil

            shutil.rmtree(name, ignore_errors=True)
        elif os.path.exists(name):
            os.remove(name)


@contextlib.contextmanager
def tmpdir(dir=None):
    """A folder that is removed at the end."""
    with tempfile.TemporaryDirectory(dir=dir) as name:
        yield name


class _Methods:
    """``M.name`` is a function that calls the method `name` of its first argument."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return methodcaller(name)


M = _Methods()


def methodcaller(method):
    """Return a function that calls a method of its first argument with the others."""

    def call(obj, *args, **kwargs):
        return getattr(obj, method)(*args, **kwargs)

    call.__name__ = method
    return call


def ensure_dict(d, copy=False):
    """Return a mapping as a dict."""
    return dict(d) if copy or type(d) is not dict else d


def apply(func, args, kwargs=None):
    """Call a function."""
    return func(*args, **(kwargs or {}))


def typename(kind, short=False):
    """Return the name of a type with its module; with short=True only the module's first part."""
    module = "" if kind.__module__ in (None, "builtins") else kind.__module__
    if short:
        module = module.split(".")[0]
    return f"{module}.{kind.__name__}" if module else kind.__name__
