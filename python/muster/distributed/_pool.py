"""A cluster as a concurrent.futures.Executor."""

import concurrent.futures
import threading
import weakref

from muster.distributed._worker import give_way

_KEYWORDS = frozenset(["pure", "workers", "resources", "allow_other_workers", "retries"])


class ClientExecutor(concurrent.futures.Executor):
    """Runs calls on a cluster; made by `Client.get_executor`.

    Parameters
    ----------
    client : Client
    **kwargs
        Passed to submit: pure (default False), workers, resources, allow_other_workers, retries.
    """

    def __init__(self, client, **kwargs):
        bad = set(kwargs) - _KEYWORDS
        if bad:
            raise TypeError(f"unsupported arguments to ClientExecutor: {', '.join(sorted(bad))}")
        self._client = client
        self._kwargs = {"pure": False, **kwargs}
        self._futures = weakref.WeakSet()
        self._closed = False
        self._lock = threading.Lock()

    def _wrap(self, future):
        out = concurrent.futures.Future()
        out._of_cluster = future

        def ended(f):
            if f.cancelled():
                if not out.cancelled():
                    out.cancel()
                    out.set_running_or_notify_cancel()
                return
            if not out.set_running_or_notify_cancel():
                return
            try:
                out.set_result(f.client._result(f))
            except BaseException as error:
                out.set_exception(error)

        def cancelled(o):
            if o.cancelled():
                future.cancel()

        out.add_done_callback(cancelled)
        future.add_done_callback(ended)
        return out

    def submit(self, fn, /, *args, **kwargs):
        """Call fn(*args, **kwargs) on the cluster; return a concurrent.futures.Future."""
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future = self._client.submit(_call, fn, args, kwargs, **self._kwargs)
            self._futures.add(future)
        return self._wrap(future)

    def map(self, fn, *iterables, timeout=None, chunksize=1):
        """Yield fn of the items of iterables, in their order."""
        import time

        end = None if timeout is None else time.monotonic() + timeout
        calls = list(zip(*iterables, strict=False))
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            futures = self._client.map(_call_tuple, [(fn, c) for c in calls], **self._kwargs) if calls else []
            for f in futures:
                self._futures.add(f)

        def results():
            try:
                while futures:
                    f = futures.pop(0)
                    left = None if end is None else end - time.monotonic()
                    if left is not None and left < 0 and not f.done():
                        raise concurrent.futures.TimeoutError
                    yield f.result(left)
            finally:
                if futures:
                    self._client.cancel(futures)

        return results()

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Take no more calls; wait for those that run. The cluster goes on."""
        with self._lock:
            self._closed = True
            futures = list(self._futures)
        if cancel_futures:
            self._client.cancel(futures)
        if wait:
            ids = [f._id for f in futures]
            while ids and self._client.status == "running" and not self._client._core.wait(ids, False, 0.05):
                give_way()


def _call(fn, args, kwargs):
    return fn(*args, **kwargs)


def _call_tuple(call):
    fn, args = call
    return fn(*args)
