"""Raw graphs on processes of this machine."""

from muster import _graphs


def get(dsk, keys, num_workers=None, **kwargs):
    """Compute keys of a graph in executor processes; arguments and results as those of `muster.threaded.get`."""
    return _graphs.get(dsk, keys, "processes", num_workers=num_workers)


def get_context():
    """Return the multiprocessing context whose start method executors follow: spawn."""
    import multiprocessing

    return multiprocessing.get_context("spawn")
