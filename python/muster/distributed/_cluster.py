"""Clusters on this machine."""

import atexit
import inspect
import math
import os
import sys
import warnings
import weakref

from muster import _core, config
from muster._base import keywords, registry
from muster._base.later import NotThereYet
from muster._base.units import parse_bytes
from muster.distributed._queries import scheduler_info
from muster.distributed._repr import cluster_html, cluster_text

_all = weakref.WeakSet()
# What programs say of workers that here are all alike, and have nothing to set.
_IGNORED = frozenset((
    "blocked_handlers config connection_limit contact_address death_timeout env extensions heartbeat_interval lifetime lifetime_restart lifetime_stagger "
    "local_directory memory_pause_fraction memory_spill_fraction memory_target_fraction memory_terminate_fraction nanny plugins preload preload_argv "
    "preload_nanny preload_nanny_argv profile_cycle_interval scheduler_sync_interval service_kwargs shutdown_on_close validate worker_class"
).split())
_LATER = {"adapt": "use scale(n)", "get_logs": "workers write to standard error"}


def split_cores(cores):
    """Return (processes, threads) for so many cores: one thread each up to four, else about as many processes as threads in each.

    Examples
    --------
    >>> split_cores(8), split_cores(2), split_cores(12)
    ((4, 2), (2, 1), (4, 3))
    """
    if cores <= 4:
        return cores, 1
    processes = min(n for n in range(1, cores + 1) if cores % n == 0 and n >= math.sqrt(cores))
    return processes, cores // processes


def executor_command():
    """Return the command that starts an executor: this Python, with the modules this program finds."""
    settings = {"MALLOC_TRIM_THRESHOLD_": "65536", "MUSTER_SYS_PATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        settings[name] = os.environ.get(name, "1")  # what runs side by side is decided by the scheduler
    alias = sys.modules.get("muster.as_dask")
    if alias is not None and alias.installed():
        settings["MUSTER_AS_DASK"] = "1"
    return ["env", *(f"{k}={v}" for k, v in settings.items()), sys.executable, "-m", "muster._executor"]


def _limit(memory_limit, threads, total_threads):
    total = _core.memory_limit()
    if memory_limit in (None, 0, False):
        return 0
    if memory_limit == "auto":
        return int(total * min(1, threads / max(total_threads, 1)))
    if isinstance(memory_limit, float) and memory_limit <= 1:
        return int(total * memory_limit)
    return parse_bytes(memory_limit)


class LocalCluster:
    """A scheduler in this process, and workers that are processes of this machine.

    Parameters
    ----------
    n_workers : int, optional
        Worker processes. Default: the CPUs this process may use, split so that there are about as many workers as threads in each.
    threads_per_worker : int, optional
        Tasks a worker runs at once, each in an executor process of its own.
    processes : bool, default True
        False: one worker with all threads.
    memory_limit : str, int, float or None, default "auto"
        Bytes of each worker's store: "auto" shares what there is, a float up to 1 is a fraction of it, None is no limit.
    dashboard_address : str or None, default ":8787"
        Port of the monitor on loopback; if it is taken the next free one is used, and said. None: no monitor.
    scheduler_port : int, optional
        Port on loopback for clients and workers of other programs; 0: a free one. Default: none, only the local socket, unless `protocol` is "tcp".
    protocol : str, optional
        "tcp": workers read each other's results over loopback, and there is a port. Default: through shared memory.
    resources : dict, optional
        What each worker offers, such as ``{"GPU": 1}``.
    asynchronous : bool, default False
        For use with ``async with``.

    Raises
    ------
    ValueError
        If numbers are not positive, or a host is asked for that is not this machine.

    Examples
    --------
    >>> from muster.distributed import Client, LocalCluster
    >>> with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
    ...     client.submit(pow, 2, 10).result()
    1024
    """

    def __init__(
        self,
        n_workers=None,
        threads_per_worker=None,
        processes=None,
        memory_limit="auto",
        dashboard_address=":8787",
        scheduler_port=None,
        host=None,
        protocol=None,
        security=None,
        silence_logs=None,
        asynchronous=False,
        resources=None,
        name=None,
        worker_dashboard_address=None,
        interface=None,
        loop=None,
        start=None,
        scheduler_kwargs=None,
        **kwargs,
    ):
        keywords.check("LocalCluster", kwargs, _IGNORED, inspect.signature(LocalCluster).parameters)
        if host not in (None, "127.0.0.1", "localhost"):
            raise ValueError(f"host={host!r}: connections to other hosts are refused until they are encrypted; leave host away, or use '127.0.0.1'")
        if protocol not in (None, "tcp", "tcp://", "unix", "inproc", "inproc://"):
            raise ValueError(f"protocol={protocol!r} is not known here; use 'tcp', or leave it away")
        for option, value in (("n_workers", n_workers), ("threads_per_worker", threads_per_worker)):
            if value is not None and (not isinstance(value, int) or value < (0 if option == "n_workers" else 1)):
                raise ValueError(f"{option} must be a positive integer, got {value!r}")
        cores = _core.cpu_count()
        if processes is False:
            n_workers = 1 if n_workers is None else n_workers
            threads_per_worker = threads_per_worker or max(1, cores // max(n_workers, 1))
        elif n_workers is None and threads_per_worker is None:
            n_workers, threads_per_worker = split_cores(cores)
        elif n_workers is None:
            n_workers = max(1, cores // threads_per_worker)
        elif threads_per_worker is None:
            threads_per_worker = max(1, cores // max(n_workers, 1))
        self.threads_per_worker = threads_per_worker
        self.memory_limit = _limit(memory_limit, threads_per_worker, n_workers * threads_per_worker)
        self.asynchronous = asynchronous
        self.name = name or f"LocalCluster-{os.getpid()}-{id(self):x}"
        tcp = protocol in ("tcp", "tcp://")
        if tcp and scheduler_port is None:
            scheduler_port = 0
        listen = [] if scheduler_port is None else [f"tcp://127.0.0.1:{scheduler_port}"]
        worker_listen = "tcp://127.0.0.1:0" if tcp else ""
        allowed = config.get("distributed.scheduler.allowed-failures", 3)
        self._core = _core.LocalCluster(
            n_workers, threads_per_worker, self.memory_limit, executor_command(), listen, worker_listen, [(k, float(v)) for k, v in (resources or {}).items()],
            allowed
        )
        self._monitor = None
        self.status = "running"
        _all.add(self)
        if dashboard_address is not None:
            self._monitor = _core.Monitor(self._core, str(dashboard_address))
            if self._monitor.moved:
                warnings.warn(f"the port of {dashboard_address!r} is taken: the monitor is at {self._monitor.link}", stacklevel=3)

    @property
    def scheduler_address(self):
        """Where clients and workers connect to: loopback if there is a port, else this host's local socket."""
        return self._core.addresses[-1]

    @property
    def dashboard_link(self):
        """Address of the monitor, "" without one."""
        return self._monitor.link if self._monitor else ""

    @property
    def scheduler_info(self):
        """What `Client.scheduler_info` says."""
        return scheduler_info(self._core.ask("identity", None), self.dashboard_link)

    @property
    def workers(self):
        """The workers by number."""
        return {w["name"]: w for w in map(dict, dict(self._core.ask("identity", None))["workers"])}

    @property
    def plan(self):
        """Names of the workers there are to be."""
        return set(range(self._core.size()))

    requested = observed = plan

    def scale(self, n=None, memory=None, cores=None, jobs=None):
        """Have so many workers, or so much memory or so many cores together."""
        if n is None and cores is not None:
            n = -(-int(cores) // self.threads_per_worker)
        if n is None and memory is not None:
            n = -(-parse_bytes(memory) // max(self.memory_limit, 1))
        if not isinstance(n, int) or n < 0:
            raise ValueError(f"scale: the number of workers must be a non-negative integer, got {n!r}")
        self._core.scale(n)

    def wait_for_workers(self, n_workers, timeout=30):
        """Wait until so many workers are there; TimeoutError after `timeout` seconds."""
        try:
            self._core.wait_for_workers(n_workers, float(timeout if timeout is not None else 1e6))
        except OSError as error:
            raise TimeoutError(str(error)) from None

    def get_client(self):
        """Return a client of this cluster."""
        return registry.given("client")(self)

    def close(self, timeout=None):
        """End all workers; what they store is gone."""
        if self.status == "closed":
            return
        self.status = "closed"
        self._monitor = None  # its server ends
        self._core.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        self.close()

    def __await__(self):
        async def me():
            return self

        return me().__await__()

    def __getattr__(self, name):
        if name in _LATER:
            raise NotThereYet(f"LocalCluster.{name} is not there yet; {_LATER[name]}")
        raise AttributeError(f"'LocalCluster' object has no attribute {name!r}")

    def __repr__(self):
        return cluster_text(self)

    def _repr_html_(self):
        return cluster_html(self)


@atexit.register
def _close_all():
    for cluster in list(_all):
        cluster.close()
