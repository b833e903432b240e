"""Lazy collections on a cluster: delayed calls, bags, DataFrames, raw graphs."""

from muster import _core
from muster._base import context, keywords
from muster._base.tasks import node_of
from muster._collections import graphs, running
from muster.distributed import _submit
from muster.distributed._future import FutureNode


class Collections:
    """The half of a Client that computes collections."""

    def compute(
        self, collections, sync=False, optimize_graph=True, workers=None, allow_other_workers=False, resources=None, retries=0, priority=0, fifo_timeout="60s",
        actors=None, traverse=True, **kwargs
    ):
        """Compute lazy collections in the background.

        Returns
        -------
        Future or list of Future
            One for a single collection; what is not lazy stays as it is. With sync=True the results.
        """
        keywords.check("Client.compute", kwargs, keywords.COMPUTE, ("sync", "optimize_graph", "traverse"))
        single = not isinstance(collections, (list, tuple, set, frozenset))
        with context.annotate(
            **{
                k: v
                for k, v in {
                    "workers": workers, "resources": resources, "retries": retries or None, "priority": priority or None,
                    "allow_other_workers": allow_other_workers or None
                }.items()
                if v is not None
            }
        ):
            futures = self._futures([collections] if single else list(collections))
        if sync:
            results = self.gather(futures)
            return results[0] if single else results
        return futures[0] if single else futures

    def _futures(self, values):
        out = list(values)
        frames = [i for i, v in enumerate(values) if running._is_expr(v)]
        for i, future in zip(frames, self._frame_futures([values[i] for i in frames]), strict=True):
            out[i] = future
        nodes = [(i, v if isinstance(v, _core.TaskNode) else node_of(v)) for i, v in enumerate(values) if not running._is_expr(v)]
        found = [(i, n) for i, n in nodes if n is not None]
        for (i, _), f in zip(found, self._submit_nodes([n for _, n in found]), strict=True):
            out[i] = f
        return out

    def _submit_nodes(self, roots):
        """Return futures of nodes."""
        if not roots:
            return []
        self._check_open()
        annotations = context.active_annotations()
        with self._lock:
            tasks = [r for r in roots if not isinstance(r, FutureNode)]
            made = {}
            if tasks:
                unknown = [r for r in {id(r): r for r in tasks}.values() if not self._alive(r.key)]
                if unknown:
                    if annotations:
                        for r in unknown:
                            if getattr(r, "_annotations", None) is None and hasattr(r, "_annotations"):
                                r._annotations = annotations
                    parts, at, made_of = _submit.graph_parts(self, unknown)
                    own = sorted({n for n in at if isinstance(n, int)})
                    base = self._send(parts, own, True, made_of) if own else 0
                    for r, n in zip(unknown, at, strict=True):
                        if isinstance(n, int):
                            self._register(base + n, r.key)
                        else:  # a DataFrame, and nothing around it
                            self._core.want([n._id])
                            self._register(n._id, r.key)
                    del made_of
                made = {id(r): r.key for r in tasks}
            return [self._adopt(self._id_of(r.future), r.future.key) if isinstance(r, FutureNode) else self._handle(made[id(r)]) for r in roots]

    def run_nodes(self, nodes, **options):
        """Compute nodes; what `muster.compute` calls."""
        return self.start_nodes(nodes)()

    def start_nodes(self, nodes):
        """Start nodes and return a function that waits for their values."""
        futures = self._submit_nodes(nodes)

        def values():
            try:
                self._wait_all_or_error(futures)
                return [self._result(f) for f in futures]
            except BaseException:
                for f in futures:  # what nobody else wants ends with that
                    f.release()
                self._end_unwanted_writes()
                raise

        return values

    def persist_nodes(self, nodes):
        """Start nodes and return Delayed values over their futures."""
        return [n._holding(FutureNode(f)) for n, f in zip(nodes, self._submit_nodes(nodes), strict=True)]

    def persist(
        self, collections, optimize_graph=True, workers=None, allow_other_workers=None, resources=None, retries=None, priority=0, fifo_timeout="60s",
        actors=None, **kwargs
    ):
        """Compute collections in the background and return the same collections over the results, which stay on the workers."""
        keywords.check("Client.persist", kwargs, keywords.COMPUTE, ("optimize_graph",))
        single = not isinstance(collections, (list, tuple, set, frozenset))
        with context.annotate(
            **{
                k: v
                for k, v in {
                    "workers": workers, "resources": resources, "retries": retries, "priority": priority or None, "allow_other_workers": allow_other_workers
                }.items()
                if v is not None
            }
        ):
            out = running.persist(*([collections] if single else collections), scheduler=self)
        return out[0] if single else list(out)

    def get(self, dsk, keys, sync=True, asynchronous=None, **kwargs):
        """Compute keys of a raw graph; with sync=False their futures."""
        wanted = list(dict.fromkeys(graphs.flatten(keys)))
        nodes = graphs.to_nodes(dsk, wanted)
        for k, n in nodes.items():
            if not isinstance(k, str):
                n._key = str(k)
        futures = dict(zip(wanted, self._submit_nodes([nodes[k] for k in wanted]), strict=True))
        values = dict(zip(wanted, self.gather([futures[k] for k in wanted]), strict=True)) if sync else futures

        def shaped(k):
            return [shaped(x) for x in k] if isinstance(k, list) else values[k]

        return shaped(keys)
