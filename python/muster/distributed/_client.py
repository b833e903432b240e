"""The client of a cluster."""

import asyncio
import atexit
import itertools
import logging
import os
import threading
import uuid
import warnings
import weakref

from muster import _core
from muster._base import context, registry
from muster._base.later import NotThereYet
from muster._base.serialize import dumps_parts
from muster._base.tasks import funcname
from muster._base.tokenize import tokenize
from muster._base.units import parse_timedelta
from muster.distributed import _submit
from muster.distributed._asynchronous import done_if, ready
from muster.distributed._cluster import LocalCluster
from muster.distributed._collections import Collections
from muster.distributed._containers import inside
from muster.distributed._errors import ClosedClientError, FutureCancelledError
from muster.distributed._frames import Frames
from muster.distributed._future import Future
from muster.distributed._later import LATER
from muster.distributed._pool import ClientExecutor
from muster.distributed._queries import Queries
from muster.distributed._repr import client_html, client_text
from muster.distributed._results import Results
from muster.distributed._worker import depth

logger = logging.getLogger("muster")
_numbers = itertools.count(1)



class Client(Collections, Frames, Queries, Results):
    """Sends work to a cluster and brings its results.

    Parameters
    ----------
    address : str, LocalCluster or None
        A scheduler's address such as "tcp://127.0.0.1:8786", or a cluster. None: a new LocalCluster, which takes the other keywords and ends with
        the client.
    timeout : float or str, default "10 s"
        How long to wait for a scheduler.
    set_as_default : bool, default True
        `compute` and `persist` of all collections run here from now on.
    asynchronous : bool, default False
        Methods that wait return awaitables instead.
    name : str, optional
    **kwargs
        For LocalCluster: n_workers, threads_per_worker, processes, memory_limit, ...

    Raises
    ------
    OSError
        If no scheduler answers.

    Examples
    --------
    >>> from muster.distributed import Client
    >>> with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
    ...     future = client.submit(pow, 2, 10)
    ...     squares = client.gather(client.map(lambda x: x**2, range(4)))
    ...     future.result(), squares
    (1024, [0, 1, 4, 9])
    """

    def __init__(
        self, address=None, timeout="10 s", set_as_default=True, scheduler_file=None, security=None, asynchronous=False, name=None,
        heartbeat_interval=None, direct_to_workers=None, loop=None, connection_limit=None, extensions=None, serializers=None, deserializers=None, **kwargs,
    ):  # fmt: skip
        self.asynchronous = asynchronous
        self.id = f"{name or 'Client'}-{uuid.uuid4()}"
        self.cluster, self._owned = None, None
        if scheduler_file is not None:
            import json

            with open(scheduler_file) as file:
                address = json.load(file)["address"]
        if address is None:
            address = self._owned = LocalCluster(asynchronous=asynchronous, **kwargs)
        elif kwargs:
            raise TypeError(f"Client: unexpected keyword {next(iter(kwargs))!r} beside an address; it belongs to LocalCluster")
        if isinstance(address, str):
            self._core = _core.ClusterClient(address, self.id, parse_timedelta(timeout) or 10.0, depth())
            self.scheduler_address, self.scheduler = address, _Scheduler(self, address)
        else:
            self.cluster = address
            core = getattr(address, "_core", None)
            self._core = _core.ClusterClient(core if core is not None else address.scheduler_address, self.id, 10.0, depth())
            self.scheduler_address, self.scheduler = address.scheduler_address, _Scheduler(self, address.scheduler_address)
        self.status = "running"
        self._lock = threading.RLock()
        self._keys = {}      # key -> [id, handles]
        self._ids = {}       # id -> key
        self._definitions = {}  # of keys the user named: a token of the call
        # id of a query's future -> (expression, what is made of its result, the function that wants it, what functions in it need): its tables in memory
        # are sent again when a worker dies
        self._made_of = {}
        self._refused = set()  # ids of those whose query failed
        self._partition_of = {}  # key of a persisted partition -> what its bytes are, None while it is to come
        self._objects = {}   # the same -> the future of its pandas object
        self._to_come = {}   # the same -> as what it is promised
        self._came = {}      # the same -> the id under which it was
        self._unsettled = {}  # id that stands for a persisted expression as long as it is pending -> (query, number)
        self._queries = set()
        self._watcher = None
        self._set_as_default = set_as_default
        self._finalizer = weakref.finalize(self, _forget, self._core)
        _clients.add(self)
        if set_as_default:
            context.enter(self)

    # ---- submitting

    def submit(
        self, func, *args, key=None, workers=None, resources=None, retries=None, priority=0, fifo_timeout="100 ms", allow_other_workers=False,
        actor=False, actors=False, pure=True, timeout=None, **kwargs,
    ):  # fmt: skip
        """Call a function on the cluster.

        Parameters
        ----------
        func : callable
        *args, **kwargs
            Its arguments; futures inside them, at any depth, become their results. So do lazy collections (delayed calls, DataFrames, bags),
            which are computed first.
        key : str, optional
            Name of the task. Default: the function's name and a token of the call, so that equal calls are one task; unique with pure=False.
        workers : str or list, optional
            Addresses, names or hosts that may run it.
        resources : dict, optional
            What it occupies, such as ``{"GPU": 1}``.
        retries : int, optional
            Runs again after an exception.
        priority : number, default 0
            Higher runs first, as of `annotate`.
        timeout : float or str, optional
            Running longer than this is a TimeoutError.

        Returns
        -------
        Future

        Raises
        ------
        TypeError
            If func is not callable, or something cannot be sent; the message names the variable.
        """
        if not callable(func):
            raise TypeError("First input to submit must be a callable function")
        if actor or actors:
            raise NotImplementedError("actors are not there yet")
        if key is None:
            key = _submit_key(func, args, kwargs) if pure else f"{funcname(func)}-{uuid.uuid4()}"
        else:
            key = _check_key(key)
            self._check_definition(key, func, args, kwargs)
        options = self._options(workers, resources, retries, priority, allow_other_workers, timeout)
        return self._submit_calls(func, [(args, kwargs)], [key], options)[0]

    def map(
        self, func, *iterables, key=None, workers=None, retries=None, resources=None, priority=0, allow_other_workers=False, fifo_timeout="100 ms",
        actor=False, actors=False, pure=True, batch_size=None, timeout=None, **kwargs,
    ):  # fmt: skip
        """Call a function with the items of one or several iterables, as `submit` does; all calls are one message.

        Returns
        -------
        list of Future
        """
        if not callable(func):
            raise TypeError("First input to map must be a callable function")
        if actor or actors:
            raise NotImplementedError("actors are not there yet")
        import queue

        if any(isinstance(i, queue.Queue) for i in iterables):
            raise TypeError("Dask no longer supports mapping over Iterators or Queues. Consider using a normal for loop and Client.submit")
        items = zip(*iterables, strict=False) if len(iterables) > 1 else ((a,) for a in (iterables[0] if iterables else ()))
        calls = [(args, kwargs) for args in items]
        if isinstance(key, list):
            if len(key) != len(calls):
                raise ValueError(f"map: {len(key)} keys for {len(calls)} calls")
            keys = [_check_key(k) for k in key]
        else:
            name = key or funcname(func)
            if pure:
                function_token = tokenize(func, kwargs)
                keys = [f"{name}-{tokenize(function_token, args)}" for args, _ in calls]
            else:
                token = uuid.uuid4()
                keys = [f"{name}-{token}-{i}" for i in range(len(calls))]
        return self._submit_calls(func, calls, keys, self._options(workers, resources, retries, priority, allow_other_workers, timeout))

    def _check_definition(self, key, func, args, kwargs):
        token = tokenize(func, args, kwargs)
        with self._lock:
            if self._alive(key) and self._definitions.get(key, token) != token:
                warnings.warn(f"the key {key!r} is in use for another call: its result is given; use another key", stacklevel=4)
            else:
                self._definitions[key] = token

    def _options(self, workers, resources, retries, priority, allow_other_workers, timeout):
        given = {
            "workers": workers, "resources": resources, "retries": retries, "priority": priority or None,
            "allow_other_workers": allow_other_workers or None, "timeout": timeout,
        }  # fmt: skip
        if allow_other_workers and workers is None:
            raise ValueError("Only use allow_other_workers= if using workers=")
        return _submit.options_of({**(context.active_annotations() or {}), **{k: v for k, v in given.items() if v is not None}})

    def _submit_calls(self, func, calls, keys, options):
        self._check_open()
        with self._lock:
            fresh = [i for i, k in enumerate(keys) if not self._alive(k)]
            first = {}
            for i in fresh:
                first.setdefault(keys[i], i)
            fresh = list(first.values())
            if fresh:
                parts, made = _submit.call_parts(self, func, [calls[i] for i in fresh], options, funcname(func))
                base = self._send(parts, None, len(fresh) > 4096, made)
                for n, i in enumerate(fresh):
                    self._register(base + n, keys[i])
                del made
            return [self._handle(k) for k in keys]

    def _send(self, parts, wanted, own_job, made):
        ready, at = [], 0
        for part, options in parts:
            count = len(part.arguments)
            mine = list(range(count)) if wanted is None else [w - at for w in wanted if at <= w < at + count]
            ready.append((part.labels, part.functions, part.function_of, part.arguments, part.begins, part.needs, mine, options))
            at += count
        base = self._core.submit(ready, own_job)
        for number, futures in made.held:
            self._core.hold(base + number, [self._id_of(f) for f in futures])
        return base

    # ---- handles

    def _alive(self, key):
        known = self._keys.get(key)
        return known is not None and self._core.status(known[0]) in ("pending", "finished", "error")

    def _register(self, task, key):
        old = self._keys.get(key)
        if old is not None:
            self._ids.pop(old[0], None)
        self._keys[key] = [task, 0]
        self._ids[task] = key

    def _handle(self, key):
        known = self._keys[key]
        known[1] += 1
        future = Future(known[0], key, self)
        if self._to_come and key in self._to_come:
            self._to_come[key].handles.append(weakref.ref(future))
        return future

    def _release(self, future):
        with self._lock:
            known = self._keys.get(future.key)
            if known is None or known[0] != future._id:
                return
            known[1] -= 1
            if known[1] == 0 and not self._stays_cancelled(future._id, future.key):
                self._forget(future._id, future.key)

    def _forget(self, task, key):
        """Give up a task of which there are no futures; with the lock."""
        del self._keys[key]
        self._definitions.pop(key, None)
        self._ids.pop(task, None)
        self._drop_frames(task, key)
        self._core.release(task)

    def _adopt(self, task, key):
        """Return a future of a task that somebody else submitted."""
        with self._lock:
            known = self._keys.get(key)
            if known is None or known[0] != task:
                self._core.want([task])
                self._register(task, key)
            return self._handle(key)

    def _id_of(self, future):
        if future.client is self or future.client.scheduler_address == self.scheduler_address or future.client._core is self._core:
            return future._id
        raise ValueError(f"Inputs contain futures that were created by another client: {future!r}; compute with that client, or pass what result() gives")

    def _input(self, future):
        """The number of a future that another task needs; one that was cancelled is not begun again by that."""
        if future.cancelled():
            raise FutureCancelledError(future.key)
        return self._id_of(future.client._sendable(future))

    def _check_open(self):
        if self.status != "running":
            raise _closed()

    # ---- data

    def scatter(self, data, workers=None, broadcast=False, direct=None, hash=True, timeout=None, asynchronous=None):
        """Put data on workers.

        Parameters
        ----------
        data : any
            A list, tuple, set or dict: each item is a future of its own; anything else is one.
        workers : str or list, optional
            Where to; default: spread evenly.
        broadcast : bool, default False
            A copy on every worker.
        hash : bool, default True
            Equal data have equal keys.

        Returns
        -------
        Future, or a container of futures
        """
        self._check_open()
        if isinstance(data, dict):
            out = {k: self._scatter_one(v, workers, broadcast, hash, key=k if isinstance(k, str) else None) for k, v in data.items()}
        elif type(data) in (list, tuple, set, frozenset):
            out = type(data)(self._scatter_one(v, workers, broadcast, hash) for v in data)
        elif hasattr(data, "__next__") or isinstance(data, range):
            out = [self._scatter_one(v, workers, broadcast, hash) for v in data]
        else:
            out = self._scatter_one(data, workers, broadcast, hash)
        if asynchronous or (asynchronous is None and self.asynchronous):
            return ready(out)
        return out

    def _scatter_one(self, value, workers, broadcast, hash, key=None):
        kind = type(value).__name__
        key = key or f"{kind}-{tokenize(value) if hash else uuid.uuid4().hex}"
        with self._lock:
            if self._alive(key):
                return self._handle(key)
        return self._scatter_parts(dumps_parts(value), kind, workers, broadcast, key)

    def _scatter_parts(self, parts, kind, workers, broadcast=False, key=None):
        targets = self._targets(workers)
        if not broadcast:
            targets = [targets[next(_numbers) % len(targets)]]
        task = self._core.scatter(parts, kind, targets)
        with self._lock:
            key = key or f"{kind}-{uuid.uuid4().hex}"
            self._register(task, key)
            return self._handle(key)

    def _targets(self, workers):
        info = self.scheduler_info()["workers"]
        if workers is not None:
            names = {str(w) for w in ([workers] if isinstance(workers, str) else workers)}
            info = {a: w for a, w in info.items() if a in names or str(w["name"]) in names or w["host"] in names}
        if not info:
            raise TimeoutError("No valid workers found" if workers is not None else "there is no worker to put data on")
        return list(info)

    def cancel(self, futures, asynchronous=None, force=False, reason=None, msg=None):
        """Stop tasks, running or not, and all that needs them; their futures are cancelled.

        Parameters
        ----------
        futures : Future, collection, or nested containers of these
        force : bool, default False
            Also tasks that other clients want, or have told to run whatever becomes of their futures: without it these go on, and so does what they need.
        reason : str, optional
            What the futures' CancelledError says.
        """
        found = inside(futures)
        with self._lock:
            ids = [f._id for f in found] + self._made_of_them(found)
        if reason is not None:
            self.__dict__.setdefault("_reasons", {}).update(dict.fromkeys(ids, reason))
        if ids:
            self._core.cancel(ids, force)
            self._core.wait(ids, False, 5.0)
        return done_if(self.asynchronous if asynchronous is None else asynchronous)

    def retry(self, futures, asynchronous=None):
        """Run failed tasks again, from the failed inputs on."""
        ids = [f._id for f in inside(futures)]
        failed = [i for i in ids if self._core.status(i) == "error"]
        self._core.retry(ids)
        self._ask_again(failed)
        left = [task for task, state in dict(self._core.ask("state_of", failed)).items() if state == "erred"]  # nobody can make them again
        if left:
            self._core.want(left)  # that is told again
            for task in left:
                self._core.release(task)
        return done_if(self.asynchronous if asynchronous is None else asynchronous)

    # ---- the cluster as others see it

    def get_executor(self, **kwargs):
        """Return a concurrent.futures.Executor that runs calls on the cluster; keywords as those of submit."""
        return ClientExecutor(self, **kwargs)

    def sync(self, func, *args, asynchronous=None, callback_timeout=None, **kwargs):
        """Run a coroutine function to its end, or return its coroutine where the client is asynchronous."""
        if asynchronous or (asynchronous is None and self.asynchronous):
            return func(*args, **kwargs)
        return asyncio.run(func(*args, **kwargs))

    # ---- the client itself

    def as_current(self):
        """Return a context in which this is the client of the thread."""
        return context.current(self)

    @classmethod
    def current(cls, allow_global=True):
        """Return the client of this thread; ValueError if there is none."""
        client = context.client()
        if client is None:
            raise ValueError(
                "No clients found. Start a client and point it to the scheduler address: from muster.distributed import Client; "
                "client = Client('ip-addr-of-scheduler:8786')"
            )
        return client

    def close(self, timeout=None):
        """Give the results up and disconnect; a cluster the client started ends."""
        if self.status != "closed":
            self.status = "closed"
            context.leave(self)
            _clients.discard(self)
            self._finalizer.detach()
            self._core.close()
            for query in list(self._queries):
                if query is not threading.current_thread():
                    query.join(5.0)
            self._watcher = None
            if self._owned is not None:
                self._owned.close()
        return done_if(self.asynchronous)

    def shutdown(self):
        """End the cluster too, whoever started it."""
        cluster = self.cluster
        self.close()
        if cluster is not None:
            cluster.close()
        return done_if(self.asynchronous)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        done = self.close()
        if done is not None:
            await done

    def __await__(self):
        async def me():
            return self

        return me().__await__()

    def __getattr__(self, name):
        if name in LATER:
            raise NotThereYet(f"Client.{name} is not there yet" + ("; close the client and make another" if name == "restart" else ""))
        raise AttributeError(f"'Client' object has no attribute {name!r}")

    def __repr__(self):
        return client_text(self)

    def _repr_html_(self):
        return client_html(self)


registry.give("client", Client)


class _Scheduler:
    """What programs ask of `client.scheduler`."""

    def __init__(self, client, address):
        self._client, self.address = weakref.proxy(client), address  # a closed client is freed without the garbage collector

    async def identity(self, **kwargs):
        """The scheduler and its workers."""
        return self._client.scheduler_info()

    async def who_has(self, keys=None):
        """Where keys are."""
        return self._client.who_has(keys)


def _closed():
    return ClosedClientError("the client is closed; make another: Client()")


def _submit_key(func, args, kwargs):
    return f"{funcname(func)}-{tokenize(func, kwargs, *args)}"


def _check_key(key):
    if not isinstance(key, (str, tuple, bytes, int)):
        raise TypeError(f"a key is a text, got {type(key).__name__}")
    return key if isinstance(key, str) else str(key)


def _forget(core):
    core.close()


_clients = weakref.WeakSet()


@atexit.register
def _close_all():
    for client in list(_clients):
        client.close()


def _after_fork():
    for client in list(_clients):
        client.status = "closed"
        context.leave(client)
    _clients.clear()


os.register_at_fork(after_in_child=_after_fork)
