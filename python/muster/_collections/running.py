"""Compute, persist, draw and explain collections, one or several at once."""

import atexit
import contextlib
import functools
import logging
import threading
import time

from muster import _core, config
from muster._base import context, keywords, registry, tasks
from muster._base.units import parse_bytes
from muster._border.pandas import to_pandas
from muster._collections import graphs, watching
from muster._collections.expressions import inputs_first

_logger = logging.getLogger("muster")
atexit.register(_core.stop)

_THREADS = ("threads", "threading")
_SYNCHRONOUS = ("synchronous", "sync", "single-threaded")
_PROCESSES = ("processes", "multiprocessing")
_CLUSTER = ("distributed", "dask.distributed")


def _positive(number):
    number = config.get("num-workers", None) or _core.cpu_count() if number is None else number
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"num_workers must be a positive integer, got {number!r}")
    return number


class _Local:
    """Runs in this process, on `threads` threads; 0 = in the calling one."""

    def __init__(self, threads):
        self.threads = threads

    def compute_exprs(self, exprs, calls=None):
        """Compute expressions; `calls` in the same job."""
        return _watched(lambda tick: self._with_calls(tick, _core.compute, exprs, calls or self.calls([])))

    def calls(self, nodes):
        """Return nodes as calls to compute beside expressions."""
        return _core.Calls(nodes, tasks.fill, _value, *watching.task_hooks(nodes))

    def persist_exprs(self, exprs):
        return _watched(lambda tick: self._with_calls(tick, _core.persist, exprs, self.calls([])))

    def run_nodes(self, nodes, **options):
        hooks = watching.task_hooks(nodes)

        def run(tick):
            values = _core.run_nodes(nodes, self.threads, tick, tasks.fill, *hooks)
            if values is None:
                calls = _core.Calls(nodes, tasks.fill, _value, *hooks)
                self._with_calls(tick, _core.compute, [], calls)
                values = calls.results()
            return values

        return _watched(run)

    def _with_calls(self, tick, function, exprs, calls):
        """Run expressions with calls; those that calls take are made again where a kernel refuses the dtype that a column turns out to have."""
        try:
            while True:
                try:
                    return _timed(tick, function, exprs, self.threads, None, {}, calls)
                except (TypeError, NotImplementedError):
                    taken = calls.expressions()
                    made = registry.given("made_again")(taken) if taken else None
                    if made is None:
                        raise
                    calls.exchange(made)
        except BaseException:
            calls.give_up()
            raise

    def persist_nodes(self, nodes):
        return [n._holding(v) for n, v in zip(nodes, self.run_nodes(nodes), strict=True)]


class _Getter:
    """Runs Python tasks through a function get(dsk, keys), DataFrames on threads, and what DataFrames are made of or tasks take of them with these."""

    def __init__(self, get):
        self.get = get
        self.here = _Local(_positive(None))

    def compute_exprs(self, exprs, calls=None):
        return self.here.compute_exprs(exprs, calls and calls.here)

    def persist_exprs(self, exprs):
        return self.here.persist_exprs(exprs)

    def calls(self, nodes):
        return _Apart(self, nodes)

    def run_nodes(self, nodes, **options):
        calls = self.calls(nodes)
        if calls.made:
            self.compute_exprs([], calls)
        return calls.results()

    persist_nodes = _Local.persist_nodes


class _Apart:
    """Calls for a get function, and those of them that are made before, in one job: values of DataFrames, and what these are made of."""

    def __init__(self, getter, nodes):
        self.get, self.nodes = getter.get, nodes
        every = _core.collect_nodes(list(nodes))[0]
        frames = [n for n in every if _is_frame(n)]
        below = _calls_below(frames)
        self.made = [n for n in every if _is_frame(n) or id(n) in below]
        self.here = getter.here.calls(self.made)

    def results(self):
        known = dict(zip(map(id, self.made), self.here.results() if self.made else (), strict=True))
        return list(self.get(graphs.to_dict(self.nodes, known), [n.key for n in self.nodes]))


def _is_frame(node):
    return getattr(node._function, "of_collection", False) and _is_expr(node._arguments[0])


def _calls_below(frames):
    """Return the nodes that the DataFrames are made of, by id."""
    found, seen = {}, set()
    while frames:
        values = [e.args["rows"].value for e in inputs_first([f._arguments[0]._expr for f in frames]) if e.op == "from_values"]
        nodes = _core.collect_nodes([n for v in values for n in v])[0]
        found.update((id(n), n) for n in nodes)
        seen.update(map(id, frames))
        frames = [n for n in nodes if _is_frame(n) and id(n) not in seen]
    return found


def schedule(scheduler=None, num_workers=None):
    """Return what runs tasks: chosen by keyword, configuration, the active client, or threads.

    Raises
    ------
    ValueError
        If `scheduler` is not known, or num_workers is not a positive integer.
    """
    scheduler = scheduler if scheduler is not None else config.get("scheduler", None)
    if scheduler is None:
        client = context.client()
        return client if client is not None else _Local(_positive(num_workers))
    if isinstance(scheduler, str):
        name = scheduler.lower()
        if name in _THREADS:
            return _Local(_positive(num_workers))
        if name in _SYNCHRONOUS:
            return _Local(0)
        if name in _PROCESSES:
            return context.processes(_positive(num_workers))
        if name in _CLUSTER:
            return context.default_client()
        raise _unknown(scheduler)
    if hasattr(scheduler, "run_nodes"):
        return scheduler
    import concurrent.futures

    if isinstance(scheduler, concurrent.futures.Executor):
        return _Local(num_workers or getattr(scheduler, "_max_workers", None) or _positive(None))
    if callable(scheduler):
        return _Getter(scheduler)
    raise _unknown(scheduler)


def _unknown(scheduler):
    known = "'threads' (default), 'processes', 'synchronous', 'distributed', a Client, an Executor or a get function"
    return ValueError(f"scheduler={scheduler!r} is not known; use {known}")


_default_limit = functools.cache(_core.memory_limit)


def memory_limit():
    """Return the bytes that a computation of this process may hold."""
    limit = config.get("memory-limit", None)
    return _default_limit() if limit is None else parse_bytes(limit)


def _value(collection, result):
    """What a call gets that takes a collection."""
    return collection._finish(to_pandas(result))


def set_memory_limit():
    """Set this process' limit to what the configuration says, but inside a task: that shares the limit of what it is a part of."""
    if getattr(_around, "computations", 0) < 2 and not _core.in_pool_thread() and context.executor() is None:
        _core.set_memory_limit(memory_limit())


_around = threading.local()  # .computations: how many are under way in this thread


def _watched(run):
    before = getattr(_around, "computations", 0)
    _around.computations = before + 1
    try:
        return watching.watched(run)
    finally:
        _around.computations = before


def _run(function, exprs, threads, *more):
    return _watched(lambda tick: _timed(tick, function, exprs, threads, *more))


def _timed(tick, function, exprs, threads, *more):
    set_memory_limit()
    start = time.perf_counter()
    result = function(exprs, threads, tick, *more)
    _logger.info("%s of %s on %d threads took %.3f s", function.__name__, ", ".join(e.op for e in exprs), threads, time.perf_counter() - start)
    return result


def _planned_again(run, exprs):
    """Run expressions; those for which a kernel refuses the dtype that a column turns out to have are made again."""
    while True:
        try:
            return run(exprs)
        except (TypeError, NotImplementedError):
            exprs = registry.given("made_again")(exprs)
            if exprs is None:
                raise


def run_nodes(nodes, scheduler=None, num_workers=None, **options):
    """Return the values of nodes."""
    return schedule(scheduler, num_workers).run_nodes(list(nodes), **options)


def run_graph(dsk, keys, scheduler, **kwargs):
    """Return the values of one key, a list of keys, or nested lists of keys."""
    wanted = list(dict.fromkeys(graphs.flatten(keys)))
    nodes = graphs.to_nodes(dsk, wanted)
    values = dict(zip(wanted, run_nodes([nodes[k] for k in wanted], scheduler=scheduler, **kwargs), strict=True))

    def shaped(k):
        return tuple(shaped(x) for x in k) if isinstance(k, list) else values[k]

    return shaped(keys)


def _is_expr(value):
    return getattr(value, "_expr", None) is not None


def _split(args, traverse=True, as_nodes=True):
    """Take the lazy values out of nested arguments; return them and a function that puts results in their place.

    Collections over nodes, such as bags, are the node of their value, or with as_nodes=False themselves.
    """
    found = []

    def lazy(value):
        new = None
        if isinstance(value, _core.TaskNode) or _is_expr(value):
            new = value
        else:
            new = tasks.node_of(value)
        if new is None:
            return tasks.NOT_LAZY
        found.append(new if as_nodes else value)
        return tasks.Input(len(found) - 1)

    unpack, placeholder = tasks.unpack, tasks.Input
    parts = tuple(unpack(a, lazy, traverse) for a in args)

    def rebuild(results):
        return tuple(unpack(p, lambda v: results[v.index] if type(v) is placeholder else tasks.NOT_LAZY) for p in parts)

    return found, rebuild


def _by_kind(found, exprs, nodes, beside=None):
    """Give DataFrames to one function, nodes to another, and return the results in the order of `found`.

    `beside` takes nodes that are computed beside DataFrames and returns what gives their values.
    """
    out = [None] * len(found)
    frames, others = ([i for i, c in enumerate(found) if _is_expr(c) is wanted] for wanted in (True, False))
    rest = [found[i] for i in others]
    values = (beside(rest) if beside is not None and frames and others else None) or (lambda: nodes(rest))
    for places, run in ((frames, lambda: exprs([found[i] for i in frames])), (others, values)):
        if places:
            for i, value in zip(places, run(), strict=True):
                out[i] = value
    return out


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
        "threads" (default without a Client), "processes", "synchronous", "distributed"; or a Client, a concurrent.futures.Executor, or a function
        get(dsk, keys).
    num_workers : int, optional
        Threads; default: the CPUs this process may use.
    **kwargs
        ``workers``, ``allow_other_workers``, ``resources``, ``retries``, ``priority``: on a cluster, as of `annotate`. ``pool``: an Executor or a pool
        whose number of threads is used. Other keywords of the field's schedulers are accepted and change nothing.

    Returns
    -------
    tuple
        As many values as arguments: pandas objects and scalars.

    Raises
    ------
    TypeError
        If a keyword is not known.

    Examples
    --------
    >>> import muster, muster.dataframe as dd
    >>> df = dd.from_dict({"x": [1, 2, 3]}, npartitions=2)
    >>> [int(v) for v in muster.compute(df.x.min(), df.x.max())]
    [1, 3]
    """
    if get is not None:
        raise TypeError("The get= keyword has been removed. Please use the scheduler= keyword instead")
    keywords.check("compute", kwargs, keywords.COMPUTE, _OWN)
    found, rebuild = _split(args, traverse)
    if not found:
        return args
    where = schedule(scheduler, threads_of(kwargs.get("pool")) if num_workers is None else num_workers)

    run = where.compute_exprs

    def exprs(collections):
        results = _planned_again(run, [c._expr for c in collections])
        return [c._finish(to_pandas(r)) for c, r in zip(collections, results, strict=True)]

    def in_one_job(nodes):
        nonlocal run
        calls = where.calls(nodes)
        run = functools.partial(where.compute_exprs, calls=calls)
        return calls.results

    with _placed(kwargs):
        return rebuild(_by_kind(found, exprs, where.run_nodes, getattr(where, "start_nodes", in_one_job if hasattr(where, "calls") else None)))


_OWN = ("traverse", "optimize_graph", "scheduler", "num_workers")


def threads_of(pool):
    """Return how many threads an Executor or a multiprocessing pool has, None without one."""
    return getattr(pool, "_max_workers", None) or getattr(pool, "_processes", None)


def _placed(given):
    """Return a context in which tasks are made with what keywords say of their place."""
    said = {k: v for k, v in given.items() if k in keywords.PLACING and v is not None}
    return context.annotate(**said) if said else contextlib.nullcontext()


def persist(*args, traverse=True, optimize_graph=True, scheduler=None, num_workers=None, **kwargs):
    """Compute several collections and keep their partitions in memory.

    Returns
    -------
    tuple
        As many values as arguments; collections stay lazy collections, over data in memory.
    """
    keywords.check("persist", kwargs, keywords.COMPUTE, _OWN)
    found, rebuild = _split(args, traverse, as_nodes=False)
    if not found:
        return args
    where = schedule(scheduler, threads_of(kwargs.get("pool")) if num_workers is None else num_workers)

    def exprs(collections):
        return [c._over(e) for c, e in zip(collections, _planned_again(where.persist_exprs, [c._expr for c in collections]), strict=True)]

    def others(values):
        # A node is persisted itself, a collection over nodes by persisting these.
        parts = [[v] if isinstance(v, _core.TaskNode) else v.__muster_nodes__() for v in values]
        kept = iter(where.persist_nodes([n for p in parts for n in p]))
        made = [[next(kept) for _ in p] for p in parts]
        return [m[0] if isinstance(v, _core.TaskNode) else v.__muster_rebuild__(m) for v, m in zip(values, made, strict=True)]

    with _placed(kwargs):
        return rebuild(_by_kind(found, exprs, others))


def optimize(*args, traverse=True, **kwargs):
    """Return the collections as they are: a plan is optimized when it runs."""
    return args


def is_dask_collection(x):
    """Return whether `x` is a lazy collection."""
    if _is_expr(x) or isinstance(x, _core.TaskNode) or tasks.node_of(x) is not None:
        return True
    return not isinstance(x, type) and getattr(x, "__dask_graph__", None) is not None and x.__dask_graph__() is not None


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

    keywords.check("visualize", kwargs, keywords.VISUALIZE, ("filename", "format", "optimize_graph", "traverse"))
    found, _ = _split(args, traverse)
    if not found:
        raise ValueError("visualize: no lazy collection among the arguments")
    exprs = [c._expr for c in found if _is_expr(c)]
    nodes = [c for c in found if not _is_expr(c)]
    if exprs and nodes:
        raise NotImplementedError("visualize: DataFrames and tasks in one picture; draw them one by one")
    if nodes:
        text = graphs.to_dot(nodes)
    else:
        text = _core.to_dot(exprs, bool(optimize_graph))
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
