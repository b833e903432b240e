"""Waiting for several futures."""

import asyncio
import collections
import functools
import itertools
import queue
import threading
import weakref
from collections.abc import Collection
from types import GenericAlias

from muster._base.units import parse_timedelta
from muster.distributed._containers import inside
from muster.distributed._errors import FutureCancelledError
from muster.distributed._worker import give_way

DoneAndNotDoneFutures = collections.namedtuple("DoneAndNotDoneFutures", "done not_done")


def wait(fs, timeout=None, return_when="ALL_COMPLETED"):
    """Wait until all, or the first, of the futures have ended.

    Parameters
    ----------
    fs : Future or container of futures
    timeout : float or str, optional
    return_when : {"ALL_COMPLETED", "FIRST_COMPLETED"}

    Returns
    -------
    (done, not_done), two sets of futures

    Raises
    ------
    TimeoutError
        If they have not ended by then.
    TypeError
        If there is no future in `fs`, which is not empty.
    """
    if isinstance(timeout, str) and not timeout[0].isdigit():
        raise TypeError("timeout= keyword received a non-numeric value.\nDid you mean to pass a list of futures?")
    if return_when not in ("ALL_COMPLETED", "FIRST_COMPLETED"):
        raise NotImplementedError("Only return_when='ALL_COMPLETED' and 'FIRST_COMPLETED' are supported")
    found = inside(fs)
    if not found:
        if not isinstance(fs, Collection) or len(fs):
            raise TypeError(f"wait: no future in {fs!r}")
        return DoneAndNotDoneFutures(set(), set())
    client = found[0].client
    any_of = return_when == "FIRST_COMPLETED"

    def sorted_out():
        done = {f for f in found if f.done()}
        gone = [f for f in done if f.cancelled()]
        if gone:
            raise FutureCancelledError(gone[0].key)
        return DoneAndNotDoneFutures(done, set(found) - done)

    if client.asynchronous:

        async def later():
            await client._wait_async(found, timeout, any_of)
            return sorted_out()

        return later()
    client._wait([f._id for f in found], any_of, timeout, "wait")
    return sorted_out()


class as_completed:
    """Iterate over futures in the order in which they end; more can be added meanwhile.

    Parameters
    ----------
    futures : iterable of Future
    with_results : bool, default False
        Yield pairs of future and result.
    raise_errors : bool, default True
        With results: raise what a task raised; else the result is (type, exception, traceback).
    timeout : float or str, optional
        Seconds after which the iteration raises TimeoutError.
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, futures=None, loop=None, with_results=False, raise_errors=True, timeout=None):
        self.futures = collections.defaultdict(int)
        self.queue = queue.Queue()
        self.lock = threading.Lock()
        self.condition = threading.Condition()
        self.loop = loop
        self.with_results, self.raise_errors = with_results, raise_errors
        self._limit = parse_timedelta(timeout)
        self._begun = _now()
        self._told = []
        self._numbers, self._waiting = itertools.count(), {}  # futures by number: nobody else keeps them, so that what is left ends with this
        if futures:
            self.update(futures)

    def add(self, future):
        """Take one more future."""
        self.update([future])

    def update(self, futures):
        """Take more futures."""
        for f in futures:
            if not hasattr(f, "_id"):
                raise TypeError(f"Input must be a future, got {f!r}")
            with self.lock:
                self.futures[f] += 1
                number = next(self._numbers)
                self._waiting[number] = f
            f.client._watch(f._id, functools.partial(_tell, weakref.ref(self), number))

    def _ended(self, number):
        with self.lock:
            future = self._waiting.pop(number, None)
            if not self.futures.get(future):
                return
        self.queue.put(future)
        for told in list(self._told):
            told()
        with self.condition:
            self.condition.notify_all()

    def count(self):
        """How many are left."""
        with self.lock:
            return sum(self.futures.values())

    def is_empty(self):
        """Whether none is left."""
        return not self.count()

    def has_ready(self):
        """Whether the next is there without waiting."""
        return not self.queue.empty()

    def __repr__(self):
        return f"<as_completed: waiting={self.count() - self.queue.qsize()} done={self.queue.qsize()}>"

    def __iter__(self):
        return self

    def _take(self, future):
        with self.lock:
            self.futures[future] -= 1
            if not self.futures[future]:
                del self.futures[future]
        return self._shown(future)

    def _shown(self, future):
        if not self.with_results:
            return future
        try:
            return future, future.client._result(future)
        except BaseException as error:
            if self.raise_errors:
                raise
            return future, (type(error), error, error.__traceback__)

    def __next__(self):
        while self.count():
            left = None if self._limit is None else self._limit - (_now() - self._begun)
            if left is not None and left <= 0:
                raise TimeoutError()
            try:
                return self._take(self.queue.get(timeout=0.1 if left is None else min(left, 0.1)))
            except queue.Empty:
                give_way()
        raise StopIteration

    def next(self, timeout=None, block=True):
        """Return the next that ends."""
        if not block and self.queue.empty():
            raise StopIteration
        return next(self)

    def next_batch(self, block=True):
        """Return all that have ended; wait for the first."""
        out = [next(self)] if block else []
        while not self.queue.empty():
            out.append(self._take(self.queue.get()))
        return out

    def batches(self):
        """Yield lists of all that have ended since."""
        while not self.is_empty():
            yield self.next_batch(block=True)

    def clear(self):
        """Forget all."""
        with self.lock:
            self.futures.clear()
            self._waiting.clear()
        while not self.queue.empty():
            self.queue.get()

    def __aiter__(self):
        return self

    async def __anext__(self):
        loop = asyncio.get_running_loop()
        while True:
            if self.is_empty():
                raise StopAsyncIteration
            try:
                future = self.queue.get_nowait()
            except queue.Empty:
                event = asyncio.Event()

                def told(event=event):
                    loop.call_soon_threadsafe(event.set)

                self._told.append(told)
                if self.queue.empty():
                    left = None if self._limit is None else max(0.0, self._limit - (_now() - self._begun))
                    try:
                        await asyncio.wait_for(event.wait(), left)
                    finally:
                        self._told.remove(told)
                else:
                    self._told.remove(told)
                continue
            if self.with_results:
                return await loop.run_in_executor(None, self._take, future)
            return self._take(future)


def _tell(waiting, number):
    iterator = waiting()
    if iterator is not None:
        iterator._ended(number)


def _now():
    import time

    return time.monotonic()
