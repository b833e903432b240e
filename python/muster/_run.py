"""Compute, persist, draw and explain collections, one or several at once."""

import atexit
import logging
import threading
import time

from muster import _core, config

_callbacks = threading.local()
_logger = logging.getLogger("muster")
atexit.register(_core.stop)

_SCHEDULERS = {"threads": None, "threading": None, "synchronous": 0, "sync": 0, "single-threaded": 0}


def active_callbacks():
    """Return the diagnostics registered in this thread (`ProgressBar`), outermost first."""
    if not hasattr(_callbacks, "stack"):
        _callbacks.stack = []
    return _callbacks.stack


def _threads(scheduler, num_workers):
    scheduler = scheduler or config.get("scheduler", None) or "threads"
    if not isinstance(scheduler, str) or scheduler.lower() not in _SCHEDULERS:
        if scheduler in ("processes", "multiprocessing", "distributed"):
            raise NotImplementedError(f"scheduler={scheduler!r} is not there yet; use 'threads' or 'synchronous'")
        raise ValueError(f"scheduler={scheduler!r} is not known; use 'threads' (default) or 'synchronous'")
    if _SCHEDULERS[scheduler.lower()] == 0:
        return 0
    number = num_workers or config.get("num-workers", None) or _core.cpu_count()
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"num_workers must be a positive integer, got {number!r}")
    return number


def _memory_limit():
    limit = config.get("memory-limit", None)
    if limit is not None:
        _core.set_memory_limit(parse_bytes(limit))


def parse_bytes(value):
    """Return a number of bytes from an integer or a text such as "2 GB" or "512MiB".

    Examples
    --------
    >>> from muster._run import parse_bytes
    >>> parse_bytes("1.5 kB")
    1500
    """
    if isinstance(value, (int, float)):
        return int(value)
    text = value.replace(" ", "").lower()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    units = {"": 1, "b": 1, **{p + "b": 1000**i for i, p in enumerate("kmgtp", 1)}, **{p: 1000**i for i, p in enumerate("kmgtp", 1)}, **{p + "ib": 1024**i for i, p in enumerate("kmgtp", 1)}}
    try:
        return int(float(digits or 1) * units[text[len(digits) :]])
    except (KeyError, ValueError):
        raise ValueError(f"{value!r} is no number of bytes; write for example '512 MB' or '2 GiB'") from None


def _tick():
    stack = list(active_callbacks())
    if not stack:
        return None

    def tick(done, tasks, size):
        for callback in stack:
            callback._tick(done, tasks, size)

    return tick


def _run(function, exprs, scheduler, num_workers):
    threads = _threads(scheduler, num_workers)
    _memory_limit()
    tick = _tick()
    stack = list(active_callbacks())
    for callback in stack:
        callback._begin()
    start = time.perf_counter()
    try:
        result = function(exprs, threads, tick)
        _logger.info("%s of %s on %d threads took %.3f s", function.__name__, ", ".join(e.op for e in exprs), threads, time.perf_counter() - start)
        return result
    finally:
        for callback in stack:
            callback._end()


def _split(args, traverse=True):
    """Take the collections out of nested arguments; return them and a function that puts results in their place."""
    found = []

    def take(value):
        if getattr(value, "_expr", None) is not None:
            found.append(value)
            position = len(found) - 1
            return lambda results: results[position]
        if traverse and type(value) in (list, tuple, set):
            parts = [take(v) for v in value]
            return lambda results: type(value)([p(results) for p in parts])
        if traverse and type(value) is dict:
            parts = {k: take(v) for k, v in value.items()}
            return lambda results: {k: p(results) for k, p in parts.items()}
        return lambda results: value

    parts = [take(a) for a in args]
    return found, lambda results: tuple(p(results) for p in parts)


def compute(*args, traverse=True, optimize_graph=True, scheduler=None, get=None, num_workers=None, **kwargs):
    """Compute several collections in one run; what they share is computed once.

    Parameters
    ----------
    *args
        Lazy collections; also inside lists, tuples, sets and dicts. Everything else is returned as it is.
    traverse : bool, default True
        Look inside containers.
    optimize_graph : bool, default True
        Accepted; plans are always optimized.
    scheduler : str, optional
        "threads" (default) or "synchronous".
    num_workers : int, optional
        Threads; default: the CPUs this process may use.

    Returns
    -------
    tuple
        As many values as arguments: pandas objects and scalars.

    Examples
    --------
    >>> import muster, muster.dataframe as dd
    >>> df = dd.from_dict({"x": [1, 2, 3]}, npartitions=2)
    >>> [int(v) for v in muster.compute(df.x.min(), df.x.max())]
    [1, 3]
    """
    found, rebuild = _split(args, traverse)
    if not found:
        return args
    from muster._pandas import to_pandas

    results = _run(_core.compute, [c._expr for c in found], scheduler, num_workers)
    return rebuild([c._finish(to_pandas(r)) for c, r in zip(found, results, strict=True)])


def persist(*args, traverse=True, optimize_graph=True, scheduler=None, num_workers=None, **kwargs):
    """Compute several collections and keep their partitions in memory.

    Returns
    -------
    tuple
        As many values as arguments; collections stay lazy collections, over data in memory.
    """
    found, rebuild = _split(args, traverse)
    if not found:
        return args
    from muster.dataframe._collection import new_collection

    return rebuild([new_collection(e) for e in _run(_core.persist, [c._expr for c in found], scheduler, num_workers)])


def optimize(*args, traverse=True, **kwargs):
    """Return the collections as they are: a plan is optimized when it runs."""
    return args


def is_dask_collection(x):
    """Return whether `x` is a lazy collection."""
    return getattr(x, "_expr", None) is not None


def explain(*args):
    """Print the logical, optimized and physical plan of one or several collections."""
    found, _ = _split(args)
    print(_core.explain([c._expr for c in found]))


_NO_DOT = "drawing needs Graphviz' program `dot`, which is not installed: sudo apt-get install graphviz (or write the text: filename='graph.dot')"


def visualize(*args, filename="mydask", format=None, optimize_graph=False, traverse=True, **kwargs):
    """Draw the graph of one or several collections; what they share is drawn once.

    Parameters
    ----------
    filename : str or None, default "mydask"
        File to write, with or without ending; None writes none.
    format : {"png", "svg", "pdf", "dot"}, optional
        Default: the ending of filename, else "png".
    optimize_graph : bool, default False
        False: a node per operation and partition; True: the fused tasks that will run.

    Returns
    -------
    IPython.display.Image or SVG where IPython is installed, else the file's name, or the picture's bytes if filename is None.

    Raises
    ------
    RuntimeError
        If the program `dot` is not installed.
    """
    import os
    import shutil
    import subprocess

    found, _ = _split(args, traverse)
    if not found:
        raise ValueError("visualize: no lazy collection among the arguments")
    text = _core.to_dot([c._expr for c in found], bool(optimize_graph))
    if filename is not None:
        base, ending = os.path.splitext(filename)
        if ending[1:] in ("png", "svg", "pdf", "dot"):
            format = format or ending[1:]
            filename = base
    format = format or "png"
    if format == "dot":
        picture = text.encode()
    else:
        program = shutil.which("dot")
        if program is None:
            raise RuntimeError(_NO_DOT)
        picture = subprocess.run([program, f"-T{format}"], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    if filename is None:
        return picture
    path = f"{filename}.{format}"
    with open(path, "wb") as file:
        file.write(picture)
    if format in ("png", "svg"):
        try:
            from IPython.display import SVG, Image
        except ImportError:
            return path
        return SVG(filename=path) if format == "svg" else Image(filename=path)
    return path
