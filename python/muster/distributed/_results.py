"""Waiting for futures and fetching their results."""

import asyncio
import time
import warnings

from muster._base import context
from muster._base.serialize import loads, loads_error
from muster._base.tasks import LEFT_OUT, NOT_LAZY, unpack
from muster._base.units import parse_timedelta
from muster._collections.expressions import together
from muster.distributed._containers import future_of, inside
from muster.distributed._errors import FutureCancelledError, UnreachableError
from muster.distributed._future import Watcher
from muster.distributed._worker import give_way

_STEP = 0.05  # seconds between looks for Ctrl-C
_TRIES = 30  # of fetching a result, about half a minute
_PATIENCE = 2.0  # seconds before somebody who waits is told that a task cannot run


class Results:
    """The half of a Client that waits and fetches."""

    def _wait(self, ids, any_of, timeout, what):
        limit = parse_timedelta(timeout)
        start = time.monotonic()
        end = None if limit is None else start + limit
        told = False
        while True:
            if not told and time.monotonic() - start > _PATIENCE:
                told = True
                for reason in set(dict(self._core.ask("unrunnable", ids[:100])).values()):
                    warnings.warn(f"{what} does not run: {reason}", stacklevel=4)
            left = _STEP if end is None else min(_STEP, end - time.monotonic())
            if self._core.wait(ids, any_of, max(left, 0.0)):
                return
            give_way()
            self._check_open()
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"{what} has not ended after {timeout} s" if isinstance(timeout, (int, float)) else f"{what} has not ended after {timeout}")

    async def _wait_async(self, futures, timeout=None, any_of=False):
        loop = asyncio.get_running_loop()
        waits = [self._when_done(f, loop) for f in futures]
        if not waits:
            return
        done, pending = await asyncio.wait(waits, timeout=parse_timedelta(timeout), return_when=asyncio.FIRST_COMPLETED if any_of else asyncio.ALL_COMPLETED)
        if pending and not any_of:
            raise TimeoutError(f"{len(pending)} futures have not ended after {timeout}")

    def _when_done(self, future, loop):
        out = loop.create_future()

        def told():
            if not loop.is_closed():
                loop.call_soon_threadsafe(lambda: out.done() or out.set_result(None))

        self._watch(future._id, told)
        return out

    def _watch(self, task, function):
        with self._lock:
            if self._watcher is None:
                self._watcher = Watcher(self)
        self._watcher.add(task, function)

    def _call_when_done(self, future, function):
        self._watch(future._id, lambda: function(future))

    def _result(self, future):
        status = self._core.status(future._id)
        if status == "finished":
            data = self._fetched(future)
            if data is not None:
                return self._load(future, data)
        error, traceback = self._error(future)
        raise error.with_traceback(traceback)

    def _fetched(self, future):
        """The bytes of a result; None where it turns out that there is none."""
        for attempt in range(_TRIES):
            try:
                return self._core.get(future._id)
            except OSError as error:
                if not self._core.connected:
                    raise FutureCancelledError(future.key, "connection closed", f"its result is gone: {error}") from None
                if not isinstance(error, UnreachableError):
                    raise
                if attempt == _TRIES - 1:
                    raise OSError(f"no worker hands out the result of {future.key}: {error}") from error
                time.sleep(min(0.2 * (attempt + 1), 1))  # its worker died: the scheduler hears of it and has it made again
                self._wait([future._id], False, None, future.key)
                if self._core.status(future._id) != "finished":
                    return None
        return None

    def _load(self, future, data):
        described = self._partition_of.get(future.key)
        if described is not None:
            return together(described, None, data)
        with context.current(self):  # futures inside are this client's
            return loads(data)

    def _error(self, future):
        status, _, _, told, _, _ = self._core.known(future._id)
        if status == "error":
            error, traceback = loads_error(told)
            if type(error) is FutureCancelledError and not error.key:
                error = FutureCancelledError(future.key, error.reason)
            return error, traceback
        if status == "cancelled" and told and told.kind == "disconnected":
            return FutureCancelledError(future.key, "client closed" if self.status != "running" else "scheduler-connection-lost", told.message), None
        if status == "cancelled":
            return FutureCancelledError(future.key, getattr(self, "_reasons", {}).get(future._id, "unknown")), None
        if status == "lost":
            return FutureCancelledError(future.key, "lost", "the scheduler does not know the task any more"), None
        if status == "pending":
            return FutureCancelledError(future.key, "client closed"), None
        return None, None

    def gather(self, futures, errors="raise", direct=None, asynchronous=None):
        """Return the results of futures, in containers of the same shape.

        Parameters
        ----------
        futures : Future, or nested containers of these
            Lists, tuples, sets, dicts, deques and what derives from these, named tuples, dataclasses.
        errors : {"raise", "skip"}, default "raise"
            Raise the first error, or leave futures that failed out; in named tuples and dataclasses None stands for them.

        Raises
        ------
        Exception
            What a task raised.
        """
        if errors not in ("raise", "skip"):
            raise ValueError(f"errors must be 'raise' or 'skip', got {errors!r}")
        if hasattr(futures, "__next__") and not isinstance(futures, (list, tuple, dict, set)):
            return (self.gather(f, errors) for f in futures)
        if asynchronous or (asynchronous is None and self.asynchronous):
            return self._gather_async(futures, errors)
        found = inside(futures)
        if found and errors == "raise":
            self._wait_all_or_error(found)
        elif found:
            self._wait([f._id for f in found], False, None, "gather")
        return self._put_results(futures, found, errors)

    async def _gather_async(self, futures, errors):
        found = inside(futures)
        await self._wait_async(found)
        return await asyncio.get_running_loop().run_in_executor(None, self._put_results, futures, found, errors)

    def _wait_all_or_error(self, found):
        ids = [f._id for f in found]
        while not self._core.wait(ids, False, _STEP):
            give_way()
            self._check_open()
            for f in found:
                if self._core.status(f._id) in ("error", "cancelled", "lost"):
                    self._result(f)

    def _put_results(self, futures, found, errors):
        values, bad = {}, set()
        for f in found:
            if f._id in values or f._id in bad:
                continue
            if errors == "skip" and self._core.status(f._id) != "finished":
                bad.add(f._id)
            else:
                values[f._id] = self._result(f)

        def lazy(v):
            future = future_of(v)
            if future is None:
                return NOT_LAZY
            return LEFT_OUT if future._id in bad else values[future._id]

        return unpack(futures, lazy)
