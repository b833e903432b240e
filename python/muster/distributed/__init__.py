"""Clusters: futures, and collections that run on processes of this machine.

Examples
--------
>>> from muster.distributed import Client
>>> with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
...     client.submit(sum, [1, 2, 3]).result()
6
"""

from muster import config
from muster._base.later import Later
from muster.distributed._as_completed import as_completed, wait
from muster.distributed._client import Client
from muster.distributed._cluster import LocalCluster
from muster.distributed._errors import CancelledError, ClosedClientError, FutureCancelledError, KilledWorker, Reschedule, TimeoutError
from muster.distributed._future import Future, futures_of
from muster.distributed._pool import ClientExecutor
from muster.distributed._progress import progress
from muster.distributed._worker import default_client, fire_and_forget, get_client, get_worker, local_client, rejoin, secede, worker_client

CompatibleExecutor = ClientExecutor

__all__ = [
    "CancelledError", "Client", "ClientExecutor", "ClosedClientError", "CompatibleExecutor", "Future", "FutureCancelledError", "KilledWorker", "LocalCluster", "Reschedule", "TimeoutError",
    "as_completed", "config", "default_client", "fire_and_forget", "futures_of", "get_client", "get_worker", "local_client", "progress", "rejoin", "secede", "wait", "worker_client",
]  # fmt: skip

# Names of the field's API that are not there yet; each raises NotImplementedError when it is used.
LATER = frozenset(
    "Actor ActorFuture BaseActorFuture Event Lock MultiLock Nanny NannyPlugin Pub Queue Scheduler SchedulerPlugin Security Semaphore SpecCluster SSHCluster Status Sub SubprocessCluster "
    "UploadDirectory UploadFile Variable Worker WorkerPlugin Adaptive PipInstall CondaInstall InstallPlugin Environ MemorySampler connect get_task_metadata get_task_stream "
    "performance_report rpc print warn span "
    "amm benchmark_hardware call_stack datasets dump_cluster_state forward_logging get_dataset get_events get_metadata get_scheduler_logs get_worker_logs list_datasets log_event "
    "normalize_collection profile publish_dataset rebalance recreate_error_locally recreate_task_locally register_plugin register_scheduler_plugin register_worker_callbacks "
    "register_worker_plugin replicate restart restart_workers retire_workers run run_on_scheduler set_metadata start story subscribe_topic unforward_logging unpublish_dataset "
    "unregister_scheduler_plugin unregister_worker_plugin unsubscribe_topic upload_file write_scheduler_file".split()
)


def __getattr__(name):
    if name in LATER and name[0].isupper() or name in ("connect", "rpc", "get_task_metadata", "get_task_stream", "performance_report", "print", "warn", "span"):
        return Later(f"muster.distributed.{name}")
    raise AttributeError(f"module 'muster.distributed' has no attribute {name!r}")
