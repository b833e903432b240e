"""Raw graphs on the threads of this process."""

from typing import Any

from muster._collections.running import run_graph, threads_of


def get(dsk: Any, keys: Any, num_workers: int | None = None, pool: Any = None, **kwargs: Any) -> Any:
    """Compute keys of a graph on threads.

    Parameters
    ----------
    dsk : dict
        Keys to calls ``(function, argument, ...)``, other keys or values.
    keys : key, list, or nested lists of keys
    num_workers : int, optional
        Threads; default: those of `pool`, else the CPUs this process may use.
    pool : concurrent.futures.Executor or multiprocessing.pool.Pool, optional
        Says how many threads.

    Returns
    -------
    The key's value; for a list a tuple of values, nested alike.

    Examples
    --------
    >>> from operator import add
    >>> from muster.threaded import get
    >>> get({"x": 1, "y": (add, "x", 10)}, ["x", "y"])
    (1, 11)
    """
    return run_graph(dsk, keys, "threads", num_workers=num_workers or threads_of(pool))
