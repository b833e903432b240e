"""Which client computes when nobody says: the last one that was made and not closed."""

import threading

_lock = threading.RLock()
_clients = []
_pools = {}
_current = threading.local()


def client():
    """Return the active client, None without one."""
    own = getattr(_current, "clients", None)
    if own:
        return own[-1]
    return _clients[-1] if _clients else None


def enter(new):
    """Make `new` the default of this process."""
    with _lock:
        _clients.append(new)


def leave(old):
    """Take `old` out, wherever it stands."""
    with _lock:
        if old in _clients:
            _clients.remove(old)


class current:
    """While it is entered, `new` is the client of this thread."""

    def __init__(self, new):
        self.new = new

    def __enter__(self):
        if not hasattr(_current, "clients"):
            _current.clients = []
        _current.clients.append(self.new)
        return self.new

    def __exit__(self, *exc):
        _current.clients.pop()


def processes(number):
    """Return the client of the executor processes that `scheduler="processes"` uses; they stay until the interpreter ends."""
    with _lock:
        pool = _pools.get(number)
        if pool is None or pool.status != "running":
            from muster.distributed import Client

            pool = _pools[number] = Client(n_workers=number, threads_per_worker=1, set_as_default=False, dashboard_address=None)
        return pool
