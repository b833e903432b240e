"""What a client can ask about its cluster."""

import time
import uuid

from muster._base.units import parse_timedelta
from muster._base.versions import versions
from muster.distributed._asynchronous import done_if
from muster.distributed._containers import inside
from muster.distributed._future import Future, futures_of


def scheduler_info(identity, dashboard):
    """Return the answer to "identity" as users see it."""
    identity = dict(identity)
    workers = {}
    for w in identity["workers"]:
        w = dict(w)
        w["resources"] = dict(w["resources"])
        w["name"] = int(w["name"]) if w["name"].isdigit() else w["name"]
        w["metrics"] = {"memory": w.pop("memory"), "executing": w["executing"], "ready": w["ready"], "managed_bytes": w["managed"]}
        workers[w["address"]] = {"type": "Worker", "id": w["name"], **w}
    return {
        "type": "Scheduler", "id": "Scheduler", "address": identity["addresses"][-1], "addresses": list(identity["addresses"]), "workers": workers,
        "clients": list(identity["clients"]), "dashboard": dashboard, "services": {}, "started": 0
    }


class Queries:
    """The asking half of a Client."""

    def scheduler_info(self, n_workers=None, **kwargs):
        """Return a dict of the scheduler and its workers."""
        return scheduler_info(self._core.ask("identity", None), self.dashboard_link)

    @property
    def dashboard_link(self):
        """Address of the monitor, "" without one."""
        return self.cluster.dashboard_link if self.cluster is not None else ""

    def nthreads(self, workers=None):
        """Return {worker address: threads}."""
        return {a: w["nthreads"] for a, w in self.scheduler_info()["workers"].items() if workers is None or a in workers}

    ncores = nthreads

    def get_versions(self, check=False, packages=()):
        """Return what the client, the scheduler and the workers run on.

        Parameters
        ----------
        check : bool, default False
            Raise if they differ.
        packages : list of str, optional
            More packages to look at.

        Returns
        -------
        dict
            {"client": ..., "scheduler": ..., "workers": {address: ...}}, each {"host": dict, "packages": {name: version}}. The scheduler has no Python of its
            own: only its version is there. A worker that does
            nothing but other work for 10 s is None.

        Raises
        ------
        ValueError
            If check is True and versions differ; it names package and versions.
        """
        asked = {w: self.submit(versions, tuple(packages), workers=[w], pure=False, priority=1 << 20, key=f"versions-{uuid.uuid4()}") for w in self.nthreads()}
        end = time.monotonic() + 10
        found = {}
        for worker, future in asked.items():
            try:
                found[worker] = future.result(timeout=max(end - time.monotonic(), 0.0))
            except TimeoutError:
                found[worker] = None
                future.cancel()
        here = versions(tuple(packages))
        out = {"client": here, "scheduler": {"host": here["host"], "packages": {"muster": here["packages"]["muster"]}}, "workers": found}
        if check:
            for name, wanted in here["packages"].items():
                differ = {w: v["packages"].get(name) for w, v in found.items() if v is not None and v["packages"].get(name) != wanted}
                if differ:
                    raise ValueError(f"versions differ: the client has {name} {wanted}, {', '.join(f'worker {w} has {v}' for w, v in differ.items())}")
        return out

    def who_has(self, futures=None, **kwargs):
        """Return {key: addresses of the workers that have it}."""
        return {key: tuple(w) for key, w in self._ask_of("who_has", futures)}

    def has_what(self, workers=None, **kwargs):
        """Return {worker address: keys of what it has}."""
        return {a: tuple(self._key(t) for t in tasks) for a, tasks in dict(self._core.ask("has_what", None)).items() if workers is None or a in workers}

    def processing(self, workers=None):
        """Return {worker address: keys of what it was given}."""
        return {a: tuple(self._key(t) for t in tasks) for a, tasks in dict(self._core.ask("processing", None)).items() if workers is None or a in workers}

    def nbytes(self, keys=None, summary=True):
        """Return {key: bytes}; with summary=True by the keys' first parts."""
        sizes = dict(self._ask_of("nbytes", keys))
        if not summary:
            return sizes
        out = {}
        for k, n in sizes.items():
            name = k.rsplit("-", 1)[0]
            out[name] = out.get(name, 0) + n
        return out

    def get_task_stream(self, start=None, stop=None, count=None, plot=False, filename=None, bokeh_resources=None):
        """Return what ran lately: a list of dicts with name, worker, status, nbytes and startstops, the oldest first.

        Parameters
        ----------
        start, stop : float or str, optional
            Seconds since 1970, or a text such as "10 s": so long ago.
        count : int, optional
            At most so many, the latest.
        """
        if plot:
            raise NotImplementedError("get_task_stream(plot=...) is not there yet")
        _, events = self._core.ask("task_stream", None)
        out = [
            {
                "name": name, "key": f"{name}-{task}", "worker": worker, "thread": 0, "status": "OK" if kind == 0 else "error", "nbytes": size,
                "startstops": [{"action": "compute", "start": begun / 1e6, "stop": (begun + us) / 1e6}]
            }
            for begun, us, worker, name, task, size, kind in events
        ]
        now = time.time()
        first = now - parse_timedelta(start) if isinstance(start, str) else start
        last = now - parse_timedelta(stop) if isinstance(stop, str) else stop
        out = [e for e in out if (first is None or e["startstops"][0]["stop"] >= first) and (last is None or e["startstops"][0]["start"] <= last)]
        return out[-count:] if count else out

    def _ask_of(self, question, futures):
        """Return pairs of a key and the answer, for those of which the scheduler has one."""
        with self._lock:
            if futures is None:
                ids = {key: task for task, key in self._ids.items()}
            else:
                found = [
                    f
                    for value in (futures if isinstance(futures, (list, tuple, set)) else [futures])
                    for f in ([value] if isinstance(value, str) else inside(value))
                ]
                ids = {f: self._keys[f][0] for f in found if isinstance(f, str)} | {f.key: f._id for f in found if isinstance(f, Future)}
        answers = dict(self._core.ask(question, list(ids.values())))
        return [(key, answers[task]) for key, task in ids.items() if task in answers]

    def _key(self, task):
        return self._ids.get(task, f"task-{task:x}")

    def futures_of(self, futures):
        """Return the futures inside collections."""
        return futures_of(futures, client=self)

    def wait_for_workers(self, n_workers, timeout=None):
        """Wait until so many workers are there."""
        if not isinstance(n_workers, int) or n_workers < 1:
            raise ValueError(f"`n_workers` must be a positive integer. Instead got {n_workers}.")
        limit = parse_timedelta(timeout)
        end = None if limit is None else time.monotonic() + limit
        while len(self.nthreads()) < n_workers:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"Only {len(self.nthreads())}/{n_workers} workers arrived after {timeout}")
            time.sleep(0.01)
        return done_if(self.asynchronous)
