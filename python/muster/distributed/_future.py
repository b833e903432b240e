"""Futures: handles on results that are somewhere on a cluster."""

import asyncio
import threading
from types import GenericAlias

from muster import _core
from muster._base import context
from muster._base.tasks import NOT_LAZY, unpack
from muster._collections.expressions import inputs_first
from muster._core import TaskNode
from muster.delayed import Delayed
from muster.distributed._errors import FutureCancelledError
from muster.distributed._worker import get_client, give_way


class Future:
    """The result of a task on a cluster, there or on its way. When the last handle goes, the result is freed.

    Attributes
    ----------
    key : str
        The task's name.
    status : {"pending", "finished", "error", "cancelled", "lost"}
    """

    __slots__ = ("_id", "key", "client", "_released", "__weakref__")
    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, task, key, client):
        self._id, self.key, self.client, self._released = task, key, client, False

    @property
    def status(self):
        """How it stands: "pending", "finished", "error", "cancelled" or "lost"."""
        return self.client._core.status(self._id) if not self._released else "cancelled"

    @property
    def type(self):
        """Name of the result's type, None while it is not there."""
        return self.client._core.known(self._id)[2] or None

    @property
    def executor(self):
        """The client."""
        return self.client

    def done(self):
        """Whether the task has ended, well or not."""
        if self.status != "pending":
            return True
        give_way()  # who asks again and again waits
        return False

    def cancelled(self):
        """Whether the task was cancelled."""
        return self.status == "cancelled"

    def running(self):
        """Whether the task has not ended."""
        return not self.done()

    def result(self, timeout=None):
        """Wait for the task and return its result.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or a text such as "500 ms"; default: as long as it takes.

        Raises
        ------
        TimeoutError
            If it has not ended by then.
        CancelledError
            If it was cancelled, or its data are lost.
        Exception
            What the task raised.
        """
        if self.client.asynchronous:
            return self._result_async(timeout)
        self.client._wait([self._id], False, timeout, self.key)
        return self.client._result(self)

    async def _result_async(self, timeout=None):
        await self.client._wait_async([self], timeout)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self.client._result, self)

    def exception(self, timeout=None):
        """Wait, and return what the task raised, None if it did not."""
        if self.client.asynchronous:
            return self._exception_async(timeout)
        self.client._wait([self._id], False, timeout, self.key)
        return self.client._error(self)[0]

    async def _exception_async(self, timeout=None):
        await self.client._wait_async([self], timeout)
        return self.client._error(self)[0]

    def traceback(self, timeout=None):
        """Wait, and return the traceback of what the task raised, None if it did not."""
        if self.client.asynchronous:
            return self._traceback_async(timeout)
        self.client._wait([self._id], False, timeout, self.key)
        return self.client._error(self)[1]

    async def _traceback_async(self, timeout=None):
        await self.client._wait_async([self], timeout)
        return self.client._error(self)[1]

    def cancel(self, reason=None, msg=None, **kwargs):
        """Stop the task, running or not, and all that needs it."""
        return self.client.cancel([self], reason=reason, msg=msg, **kwargs)

    def retry(self, **kwargs):
        """Run the task again if it failed, from the failed inputs on."""
        return self.client.retry([self])

    def add_done_callback(self, fn):
        """Call fn(future) when the task has ended, in a thread of the client's."""
        self.client._call_when_done(self, fn)

    def bind_client(self, client):
        """Use this client, for a future that was unpickled without one."""
        self.client = client

    def release(self):
        """Give this handle up."""
        if not self._released:
            self._released = True
            self.client._release(self)

    def __del__(self):
        try:
            self.release()
        except Exception:
            pass  # the interpreter or the client ends

    def __await__(self):
        return self._result_async().__await__()

    def __reduce__(self):
        future = self.client._sendable(self)
        _sent(future)
        return _restored, (future._id, future.key)

    def __dask_tokenize__(self):
        return (self._id, self.key)

    def __muster_node__(self):
        return FutureNode(self)

    def __muster_nodes__(self):
        return [FutureNode(self)]

    def __muster_rebuild__(self, nodes):
        return nodes[0]

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        if not isinstance(other, Future):
            return NotImplemented
        return self is other or self._id == other._id and self.client is other.client

    def __repr__(self):
        known = self.client._core.known(self._id)
        kind = f", type: {known[2]}" if known[2] else ""
        return f"<Future: {known[0]}{kind}, key: {self.key}>"

    def _repr_html_(self):
        import html

        known = self.client._core.known(self._id)
        kind = f" <b>type:</b> {html.escape(known[2])}," if known[2] else ""
        return f"<strong>Future: {html.escape(str(self.key))}</strong> <b>status:</b> {known[0]},{kind} <b>key:</b> {html.escape(str(self.key))}"


class FutureNode(TaskNode):
    """A future as an input of other tasks."""

    __slots__ = ("future", "key")

    def __init__(self, future):
        TaskNode.__init__(self, _Boxed(future), (), None, None)
        self.future, self.key = future, future.key

    def _holding(self, value):
        return Delayed(self.key, arguments=(value,))

    def __reduce__(self):
        return FutureNode, (self.future,)


class _Boxed:
    """Waits for the result where the task that needs it runs in this process."""

    __slots__ = ("future",)

    def __init__(self, future):
        self.future = future

    def __call__(self):
        return self.future.result()


class sending:
    """While it is entered, the futures that are pickled in this thread are noted."""

    def __enter__(self):
        self.before = getattr(_pickling, "futures", None)
        _pickling.futures = []
        return _pickling.futures

    def __exit__(self, *exc):
        _pickling.futures = self.before


_pickling = threading.local()


def _sent(future):
    """Note a future that is pickled; if it is part of a task's result, it is kept as long as that."""
    noted = getattr(_pickling, "futures", None)
    if noted is not None:
        noted.append(future)
        return
    executor = context.executor()
    if executor is not None and executor.task is not None:
        future.client._core.hold(executor.task, [future._id])


def _restored(task, key):
    client = get_client()
    return client._adopt(task, key)


def futures_of(obj, client=None):
    """Return the futures inside collections and containers; of a DataFrame, those of the persisted partitions that it is made of.

    Raises
    ------
    CancelledError
        If one of them was cancelled.
    """
    out = all_futures_of(obj, client)
    for f in out:
        if f.cancelled():
            raise FutureCancelledError(f.key)
    return out


def all_futures_of(obj, client=None):
    """Return the futures inside collections and containers, whatever became of them."""
    found, frames, seen, left = [], [], set(), []

    def see(value):  # what refers to itself would keep what it has seen until the collector runs
        if getattr(value, "_expr", None) is not None:
            frames.append(value)
        elif isinstance(value, FutureNode):
            found.append(value.future)
        elif isinstance(value, Future):
            found.append(value)
        elif isinstance(value, TaskNode):
            if id(value) not in seen:
                seen.add(id(value))
                left.extend(reversed((*value._arguments, *(value._nested or ()))))
        elif hasattr(type(value), "__muster_nodes__"):
            left.extend(reversed(value.__muster_nodes__()))
        else:
            return NOT_LAZY
        return value

    unpack(obj, see)
    while left:
        see(left.pop())
    if frames:
        found = [f for frame in frames for f in _partitions_of(frame, client)] + found
    return list(dict.fromkeys(found))


def _partitions_of(frame, client):
    """Return futures of the persisted partitions that a DataFrame is made of, there or being made."""
    out = []
    for node, places in _read_by(frame._expr):
        own = node.args["holder"].value[0].client if "holder" in node.args else None
        out += (own if own is not None and own.status == "running" else client or context.default_client())._partitions(node, places)
    return out


def _read_by(expr):
    """Return [(a persisted expression, which of its partitions are read for this one)]."""
    persisted = {node.name: node for node in inputs_first([expr]) if node.op == "from_tasks"}
    if not persisted:
        return []
    try:
        read = dict(_core.partitions_read(expr))
    except (TypeError, NotImplementedError):  # it is planned another way where it is computed
        return [(node, range(node.npartitions)) for node in persisted.values()]
    return [(node, read[name]) for name, node in persisted.items() if name in read]


def fire_and_forget(obj):
    """Let tasks run to their end even if nobody holds their futures any more."""
    for future in futures_of(obj):
        future.client._core.keep([future._id])


class Watcher:
    """A thread that hears which futures have ended, for callbacks and `await`."""

    def __init__(self, client):
        self.client = client
        self.lock = threading.Lock()
        self.waiting = {}
        self.thread = threading.Thread(target=self.run, name="muster-client", daemon=True)
        self.thread.start()

    def add(self, task, function):
        """Call function() once the task has ended."""
        with self.lock:
            self.waiting.setdefault(task, []).append(function)
        self.client._core.watch([task])

    def run(self):
        while True:
            core = self.client._core
            for task in core.changes(1.0):
                if core.status(task) == "pending":
                    continue
                with self.lock:
                    functions = self.waiting.pop(task, ())
                for function in functions:
                    try:
                        function()
                    except Exception:
                        import logging

                        logging.getLogger("muster").exception("a callback of a future raised")
            if self.client.status != "running":
                with self.lock:
                    left = [f for fs in self.waiting.values() for f in fs]
                    self.waiting.clear()
                for function in left:
                    try:
                        function()
                    except Exception:
                        pass
                return
