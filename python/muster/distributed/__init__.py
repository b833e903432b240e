"""Clusters: futures, and collections that run on processes of this machine.

Examples
--------
>>> from muster.distributed import Client
>>> with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
...     client.submit(sum, [1, 2, 3]).result()
6
"""

from muster import config
from muster._base.context import default_client
from muster._base.later import Later
from muster.distributed._as_completed import as_completed, wait
from muster.distributed._client import Client
from muster.distributed._cluster import LocalCluster
from muster.distributed._errors import CancelledError, ClosedClientError, FutureCancelledError, KilledWorker, Reschedule, TimeoutError
from muster.distributed._future import Future, fire_and_forget, futures_of
from muster.distributed._later import LATER
from muster.distributed._pool import ClientExecutor
from muster.distributed._progress import progress
from muster.distributed._worker import get_client, get_worker, local_client, rejoin, secede, worker_client

CompatibleExecutor = ClientExecutor

__all__ = [
    "CancelledError", "Client", "ClientExecutor", "ClosedClientError", "CompatibleExecutor", "Future", "FutureCancelledError", "KilledWorker", "LocalCluster",
    "Reschedule", "TimeoutError",
    "as_completed", "config", "default_client", "fire_and_forget", "futures_of", "get_client", "get_worker", "local_client", "progress", "rejoin", "secede",
    "wait", "worker_client",
]  # fmt: skip

def __getattr__(name):
    if name in LATER and name[0].isupper() or name in ("connect", "rpc", "get_task_metadata", "get_task_stream", "performance_report", "print", "warn", "span"):
        return Later(f"muster.distributed.{name}")
    raise AttributeError(f"module 'muster.distributed' has no attribute {name!r}")
