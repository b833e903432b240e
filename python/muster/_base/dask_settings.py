"""Dask's settings: what programs read that nobody set, and older names. Only those that `muster.config` documents change what muster does."""

DEFAULTS = {
    "temporary-directory": None,
    "visualization": {"engine": None},
    "tokenize": {"ensure-deterministic": False},
    "dataframe": {
        "backend": "pandas",
        "shuffle": {"method": None, "compression": None},
        "parquet": {"metadata-task-size-local": 512, "metadata-task-size-remote": 1, "minimum-partition-size": 75_000_000},
        "convert-string": None,
        "query-planning": None,
    },
    "array": {
        "backend": "numpy",
        "chunk-size": "128MiB",
        "chunk-size-tolerance": 1.25,
        "rechunk": {"method": None, "threshold": 4},
        "svg": {"size": 120},
        "slicing": {"split-large-chunks": None},
        "query-planning": None,
    },
    "optimization": {
        "annotations": {"fuse": True}, "tune": {"active": True},
        "fuse": {
            "active": None, "ave-width": 1, "max-width": None, "max-height": float("inf"), "max-depth-new-edges": None, "subgraphs": None, "rename-keys": True
        }
    },
    "admin": {"async-client-fallback": None, "traceback": {"shorten": []}},
}

RENAMED = {
    **{f"fuse-{name}": f"optimization.fuse.{name}" for name in ("ave-width", "max-height", "max-width", "rename-keys", "max-depth-new-edges")},
    **{f"ucx.{name}": f"distributed.ucx.{name}" for name in ("cuda-copy", "tcp", "nvlink", "infiniband", "rdmacm", "net-devices", "reuse-endpoints")},
    "rmm.pool-size": "distributed.rmm.pool-size",
    "shuffle": "dataframe.shuffle.method",
    "array.rechunk-threshold": "array.rechunk.threshold",
    "array.shuffle.chunksize-tolerance": "array.chunk-size-tolerance",
    "dataframe.shuffle.algorithm": "dataframe.shuffle.method",
    "dataframe.shuffle-compression": "dataframe.shuffle.compression",
    "admin.traceback.shorten.what": "admin.traceback.shorten",
}
