"""Small helpers of Dask's `utils`, `system` and `metrics` that programs import."""

import contextlib
import functools
import importlib
import inspect
import itertools
import numbers
import os
import re
import tempfile
import threading
import time  # noqa: F401
import uuid
import weakref
from collections.abc import Iterator

from muster._base.dispatch import Dispatch  # noqa: F401
from muster._base.libraries import np
from muster._base.units import (
    format_bytes,  # noqa: F401
    parse_bytes,  # noqa: F401
    parse_timedelta,  # noqa: F401
)
from muster._collections.running import is_dask_collection  # noqa: F401
from muster._core import cpu_count
from muster.bag._bag import takes_multiple_arguments  # noqa: F401
from muster.delayed import funcname  # noqa: F401

CPU_COUNT = cpu_count()
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


class methodcaller:
    """Calls a method of its first argument with the others; equal names give equal objects."""

    __slots__ = ("method",)

    def __init__(self, method):
        self.method = method

    def __call__(self, obj, *args, **kwargs):
        return getattr(obj, self.method)(*args, **kwargs)

    def __reduce__(self):
        return methodcaller, (self.method,)

    def __eq__(self, other):
        return type(other) is methodcaller and self.method == other.method

    def __hash__(self):
        return hash((methodcaller, self.method))

    def __repr__(self):
        return f"<methodcaller: {self.method}>"


def ensure_dict(d, copy=False):
    """Return a mapping as a dict."""
    return dict(d) if copy or type(d) is not dict else d


def apply(func, args, kwargs=None):
    """Call a function."""
    return func(*args, **(kwargs or {}))


def typename(typ, short=False):
    """Return the name of a type, or of a value's type, with its module; with short=True only the module's first part."""
    kind = typ if isinstance(typ, type) else type(typ)
    module = "" if kind.__module__ in (None, "builtins") else kind.__module__
    if short:
        module = module.split(".")[0]
    return f"{module}.{kind.__name__}" if module else kind.__name__


class SerializableLock:
    """A lock that can be sent: copies in one process that come from one lock are one lock.

    Parameters
    ----------
    token : hashable, optional
        Locks of one token are one.
    """

    _locks = weakref.WeakValueDictionary()

    def __init__(self, token=None):
        self.token = token or str(uuid.uuid4())
        self.lock = self._locks.setdefault(self.token, _Lock())

    def acquire(self, *args, **kwargs):
        return self.lock.lock.acquire(*args, **kwargs)

    def release(self, *args, **kwargs):
        return self.lock.lock.release(*args, **kwargs)

    def locked(self):
        return self.lock.lock.locked()

    def __enter__(self):
        self.acquire()

    def __exit__(self, *exc):
        self.release()

    def __reduce__(self):
        return SerializableLock, (self.token,)

    def __repr__(self):
        return f"<SerializableLock: {self.token}>"


class _Lock:
    def __init__(self):
        self.lock = threading.Lock()


@contextlib.contextmanager
def changed_cwd(new_cwd):
    """Run in another folder."""
    before = os.getcwd()
    os.chdir(new_cwd)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def tmp_cwd(dir=None):
    """Run in a folder that is removed at the end."""
    with tmpdir(dir) as folder, changed_cwd(folder):
        yield folder


@contextlib.contextmanager
def filetext(text, extension="", open=open, mode="w"):
    """A file with this text, removed at the end; its name."""
    with tmpfile(extension) as name:
        file = open(name, mode=mode)
        try:
            file.write(text)
        finally:
            with contextlib.suppress(AttributeError):
                file.close()
        yield name


@contextlib.contextmanager
def filetexts(d, open=open, mode="t", use_tmpdir=True):
    """Files of these names and texts, removed at the end, in a folder of their own; their names."""
    with tmp_cwd() if use_tmpdir else contextlib.nullcontext():
        for name, text in d.items():
            if os.path.dirname(name):
                os.makedirs(os.path.dirname(name), exist_ok=True)
            file = open(name, f"w{mode}")
            try:
                file.write(text)
            finally:
                with contextlib.suppress(AttributeError):
                    file.close()
        yield list(d)
        for name in d:
            with contextlib.suppress(OSError):
                os.remove(name)


class itemgetter:
    """operator.itemgetter of one item, equal to another of the same."""

    __slots__ = ("index",)

    def __init__(self, index):
        self.index = index

    def __call__(self, x):
        return x[self.index]

    def __reduce__(self):
        return itemgetter, (self.index,)

    def __eq__(self, other):
        return type(self) is type(other) and self.index == other.index

    def __hash__(self):
        return hash(self.index)


class IndexCallable:
    """A function that is called with square brackets."""

    __slots__ = ("fn",)

    def __init__(self, fn):
        self.fn = fn

    def __getitem__(self, key):
        return self.fn(key)


def import_required(mod_name, error_msg):
    """Return a module, or raise RuntimeError with this message."""
    try:
        return importlib.import_module(mod_name)
    except ImportError as error:
        raise RuntimeError(error_msg) from error


def partial_by_order(*args, **kwargs):
    """Call ``function`` with `args` and with ``other``, pairs of position and value, put between them.

    Examples
    --------
    >>> partial_by_order(5, function=max, other=[(1, 10)])
    10
    """
    args = list(args)
    for place, value in kwargs.pop("other"):
        args.insert(place, value)
    return kwargs.pop("function")(*args, **kwargs)


def _is_like(value, names, methods, word):
    kind = value.__class__
    return not isinstance(value, type) and all(hasattr(kind, m) for m in methods) and all(hasattr(value, n) for n in names) and word in kind.__name__.lower()


def is_dataframe_like(df):
    """Return whether a value is a DataFrame of pandas, muster or a library like these."""
    return _is_like(df, ("dtypes", "columns"), ("groupby", "head", "mean"), "") and not _is_like(df, ("name", "dtype"), ("groupby",), "series")


def is_series_like(s):
    """Return whether a value is a Series of pandas, muster or a library like these."""
    return _is_like(s, ("name", "dtype"), ("groupby",), "") and "index" not in s.__class__.__name__.lower()


def is_index_like(s):
    """Return whether a value is an Index of pandas, muster or a library like these."""
    return _is_like(s, ("name", "dtype"), (), "index")


def is_arraylike(x):
    """Return whether a value is an array: with shape, dtype and NumPy's protocols; not a type."""
    return (
        not isinstance(x, type) and isinstance(getattr(x, "shape", None), tuple) and hasattr(x, "dtype") and not any(is_dask_collection(n) for n in x.shape)
        and (hasattr(x, "__array__") or hasattr(x, "__array_function__"))
    )


def is_integer(i):
    """Return whether a value is an integer, of Python or NumPy."""
    return isinstance(i, numbers.Integral)


def is_namedtuple_instance(obj):
    """Return whether a value is a named tuple."""
    return isinstance(obj, tuple) and type(obj) is not tuple and hasattr(obj, "_fields") and hasattr(obj, "_make")


def natural_sort_key(s):
    """Return a key that sorts numbers in texts by their size.

    Examples
    --------
    >>> sorted(["f10", "f9"], key=natural_sort_key)
    ['f9', 'f10']
    """
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", s)]


def has_keyword(func, keyword):
    """Return whether a function has a parameter of this name."""
    try:
        return keyword in inspect.signature(func).parameters
    except (TypeError, ValueError):
        return False


def getargspec(func):
    """Return inspect.getfullargspec of a function, of that inside a partial or a wrapper, or of a class' constructor."""
    while isinstance(func, functools.partial):
        func = func.func
    func = getattr(func, "__wrapped__", func)
    return inspect.getfullargspec(func.__init__ if isinstance(func, type) else func)


def get_named_args(func):
    """Return the names of the parameters that can be given by name."""
    return [n for n, p in inspect.signature(func).parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def random_state_data(n, random_state=None):
    """Return n arrays that np.random.RandomState takes as seeds."""
    random_state = random_state if all(hasattr(random_state, a) for a in ("bytes", "normal", "uniform")) else np.random.RandomState(random_state)
    words = np.frombuffer(random_state.bytes(624 * n * 4), dtype=np.uint32)
    return list(words.reshape((n, -1)))


def pseudorandom(n, p, random_state=None):
    """Return n integers below len(p), drawn with these probabilities; int8."""
    p = np.cumsum(p)
    if not np.allclose(p[-1], 1) or (np.diff(p) < 0).any() or p[0] < 0:
        raise ValueError("p must be probabilities whose sum is 1")
    random_state = random_state if isinstance(random_state, np.random.RandomState) else np.random.RandomState(random_state)
    return np.searchsorted(p, random_state.random_sample(n), side="right").clip(0, len(p) - 1).astype(np.int8)


def ensure_bytes(s):
    """Return bytes of a text (UTF-8), of bytes, or of what has a buffer."""
    if isinstance(s, bytes):
        return s
    if isinstance(s, str):
        return s.encode()
    try:
        return memoryview(s).tobytes()
    except TypeError:
        raise TypeError(f"Object {s!r} is neither a bytes object nor can be encoded to bytes") from None


def ensure_unicode(s):
    """Return the text of bytes (UTF-8) or of a text."""
    if isinstance(s, str):
        return s
    try:
        return bytes(memoryview(s)).decode()
    except TypeError:
        raise TypeError(f"Object {s!r} is neither a str object nor can be decoded to str") from None


def ensure_set(s, copy=False):
    """Return a set."""
    return set(s) if copy or type(s) is not set else s


def ensure_not_exists(filename):
    """Remove a file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(filename)


def concrete(seq):
    """Return iterators as lists, also inside of lists."""
    if isinstance(seq, Iterator):
        seq = list(seq)
    return list(map(concrete, seq)) if isinstance(seq, (tuple, list)) else seq


def deepmap(func, *seqs):
    """Call a function on the items of nested lists."""
    return [deepmap(func, *items) for items in zip(*seqs, strict=False)] if isinstance(seqs[0], (list, Iterator)) else func(*seqs)


def ndeepmap(n, func, seq):
    """Call a function on the items of lists nested n deep."""
    if n == 1:
        return [func(item) for item in seq]
    if n > 1:
        return [ndeepmap(n - 1, func, item) for item in seq]
    return func(seq[0]) if isinstance(seq, list) else func(seq)


def ndimlist(seq):
    """Return how deep lists are nested."""
    return 0 if not isinstance(seq, (list, tuple)) else 1 if not seq else 1 + ndimlist(seq[0])


def insert(tup, loc, val):
    """Return a tuple with another value in one place."""
    out = list(tup)
    out[loc] = val
    return tuple(out)


def digit(n, k, base):
    """Return digit k of a number, the last is 0.

    Examples
    --------
    >>> digit(1234, 1, 10)
    3
    """
    return n // base**k % base


def unzip(ls, nout):
    """Return the columns of a list of rows; `nout` empty ones of no row."""
    out = list(zip(*ls, strict=False))
    return out or [()] * nout


def iter_chunks(sizes, max_size):
    """Yield lists of sizes that together are at most max_size, in order.

    Raises
    ------
    AssertionError
        If one size alone is greater.
    """
    chunk, total = [], 0
    for size in sizes:
        assert size <= max_size
        if total + size > max_size:
            yield chunk
            chunk, total = [], 0
        chunk.append(size)
        total += size
    yield chunk


def memory_repr(num):
    """Return a number of bytes as text."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if num < 1024.0:
            return f"{num:3.1f} {unit}"
        num /= 1024.0
    return f"{num:3.1f} TB"


def asciitable(columns, rows):
    """Return a table as text.

    Examples
    --------
    >>> print(asciitable(["a", "bb"], [(1, 2)]))
    +---+----+
    | a | bb |
    +---+----+
    | 1 | 2  |
    +---+----+
    """
    rows = [tuple(str(v) for v in row) for row in [columns, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    bar = "+".join(["", *("-" * (w + 2) for w in widths), ""])
    head, *body = ["| " + " | ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([bar, head, bar, *body, bar])


def maybe_pluralize(count, noun, plural_form=None):
    """Return a count with its noun, such as 2 workers."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural_form or noun + 's'}"


def stringify(obj, exclusive=None):
    """Return a key of a graph as text; with `exclusive` inside of calls those that are among these."""
    if isinstance(obj, (str, bytes)):
        return obj
    if exclusive is None:
        return str(obj)
    if type(obj) is tuple and not obj or type(obj) in (int, float, type(None)):
        return str(obj) if obj in exclusive else obj
    if type(obj) is tuple and callable(obj[0]):
        return tuple(stringify(o, exclusive) for o in obj)
    if type(obj) is list:
        return [stringify(o, exclusive) for o in obj]
    if type(obj) is dict:
        return {k: stringify(v, exclusive) for k, v in obj.items()}
    try:
        known = obj in exclusive
    except TypeError:
        known = False
    return str(obj) if known else tuple(stringify(o, exclusive) for o in obj) if type(obj) is tuple else obj


def format_time_ago(n):
    """Return how long ago a moment was, such as 2 hours ago."""
    import datetime

    seconds = (datetime.datetime.now() - n).total_seconds()
    for unit, size in (("year", 365 * 86400), ("month", 30 * 86400), ("week", 7 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size:
            return f"{maybe_pluralize(int(seconds // size), unit)} ago"
    return "Just now"


def cached_cumsum(seq, initial_zero=False):
    """Return the running sums of a sequence, a tuple; with a 0 in front."""
    out = tuple(itertools.accumulate(seq))
    return (0, *out) if initial_zero else out


def cached_max(seq):
    """Return the greatest of a sequence."""
    return max(seq)


def derived_from(original_klass, version=None, ua_args=None, skipblocks=0, inconsistencies=None):
    """Return a decorator that takes the documentation of a class' method of the same name."""

    def decorator(method):
        original = getattr(original_klass, method.__name__, None)
        method.__doc__ = method.__doc__ or getattr(original, "__doc__", None)
        return method

    return decorator


cached_property = functools.cached_property
