"""Raw graphs on processes of this machine."""

from typing import Any

from muster._collections.running import run_graph


def get(dsk: Any, keys: Any, num_workers: int | None = None, **kwargs: Any) -> Any:
    """Compute keys of a graph in executor processes; arguments and results as those of `muster.threaded.get`."""
    return run_graph(dsk, keys, "processes", num_workers=num_workers)


def get_context() -> Any:
    """Return the multiprocessing context whose start method executors follow: spawn."""
    import multiprocessing

    return multiprocessing.get_context("spawn")
