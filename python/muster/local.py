"""Raw graphs in the calling thread, for debugging."""

from typing import Any

from muster._collections.running import run_graph


def get_sync(dsk: Any, keys: Any, **kwargs: Any) -> Any:
    """Compute keys of a graph in this thread; arguments and results as those of `muster.threaded.get`."""
    return run_graph(dsk, keys, "synchronous")


get = get_sync
