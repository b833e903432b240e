"""Where code runs and what holds there: the client that computes, the task around it, diagnostics, annotations."""

import contextlib
import threading

from muster import _core
from muster._base import registry
from muster._base.placing import options_of

_lock = threading.RLock()
_clients = []
_pools = {}


class _Current(threading.local):
    annotations = None


_current = _Current()
_executors = []


def client():
    """Return the active client, None without one."""
    own = getattr(_current, "clients", None)
    if own:
        return own[-1]
    return _clients[-1] if _clients else None


def default_client():
    """Return the active client.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = client()
    if found is None:
        raise ValueError(
            "No clients found. Start a client and point it to the scheduler address: from muster.distributed import Client; "
            "client = Client('tcp://127.0.0.1:8786')"
        )
    return found


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


class NotMade(BaseException):
    """A lazy value in what is being sent could not be made; its cause is the error. No error of sending: whoever handles those must not see it."""


class sending:
    """While it is entered, lazy values in what this thread sends are made by `results` and go as futures.

    The error of one that cannot be made leaves it as it is.
    """

    def __init__(self, results):
        self.results = results

    def __enter__(self):
        self.before = results()
        _current.results = self.results

    def __exit__(self, kind, error, traceback):
        _current.results = self.before
        if kind is NotMade:
            raise error.__cause__


def results():
    """Return what makes lazy values futures in this thread, None where they go as they are."""
    return getattr(_current, "results", None)


def tasks_of(nodes):
    """Return the ids of tasks on the cluster that make these nodes' values, for what this thread sends. Called by the engine."""
    return results().tasks(nodes)


def processes(number):
    """Return the client of the executor processes that `scheduler="processes"` uses; they stay until the interpreter ends."""
    with _lock:
        pool = _pools.get(number)
        if pool is None or pool.status != "running":
            pool = _pools[number] = registry.given("client")(n_workers=number, threads_per_worker=1, set_as_default=False, dashboard_address=None)
        return pool


def executor():
    """Return the executor of Python tasks that this process is, None in any other process."""
    return _executors[0] if _executors else None


def become(new):
    """Make `new` the executor of this process."""
    _executors.append(new)


def active_callbacks():
    """Return the diagnostics registered in this thread (`ProgressBar`, `Callback`), outermost first."""
    if not hasattr(_current, "stack"):
        _current.stack = []
    return _current.stack


def active_annotations():
    """Return what `annotate` says in this thread, None where it says nothing."""
    return _current.annotations


@contextlib.contextmanager
def annotate(**annotations):
    """Say how the tasks made inside the `with` block are to run on a cluster.

    Parameters
    ----------
    priority : number, optional
        Higher runs first. Told apart are steps of 1/256 up to 8, integers up to 2,048, and a two-thousandth of what is larger, up to eight million.
    retries : int, optional
        Runs again after an exception, at most so often.
    workers : str or list, optional
        Addresses, names or hosts that may run it.
    allow_other_workers : bool, optional
        `workers` is a wish only.
    resources : dict, optional
        What a task occupies, such as ``{"GPU": 1}``.
    **annotations
        Anything else is kept with the tasks.

    Examples
    --------
    >>> import muster
    >>> with muster.annotate(priority=10):
    ...     x = muster.delayed(abs)(-1)
    >>> x.compute()
    1
    """
    before = active_annotations()
    _say({**(before or {}), **annotations})
    try:
        yield
    finally:
        _say(before)


def _say(annotations):
    """Let annotations be those of the thread: of tasks that it makes, and of expressions."""
    options = options_of({k: v for k, v in (annotations or {}).items() if not callable(v)})
    _core.annotate(options or None)
    _current.annotations = annotations


def get_annotations():
    """Return what `annotate` says here, as a dict."""
    return dict(active_annotations() or {})
