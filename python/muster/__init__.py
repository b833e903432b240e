"""Parallel pandas-like collections over a native engine.

Examples
--------
>>> import muster.dataframe as dd
>>> df = dd.from_dict({"x": [1, 2, 3]}, npartitions=2)
>>> int(df.x.sum().compute())
6
"""

import importlib
import logging
import os
import sys
import types

__version__ = "0.1.0"

logging.getLogger("muster").addHandler(logging.NullHandler())
if os.environ.get("MUSTER_LOG"):
    _handler = logging.StreamHandler()
    _handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.getLogger("muster").addHandler(_handler)
    logging.getLogger("muster").setLevel(os.environ["MUSTER_LOG"].upper())


def _load_core():
    """Import the native module; say in one sentence what is wrong where it cannot be."""
    try:
        return importlib.import_module("muster._core")
    except ImportError as error:
        if not sys.platform.startswith("linux") or os.uname().machine != "x86_64":
            raise ImportError(
                f"muster runs on Linux x86-64 only, this is {sys.platform} {os.uname().machine}; use a Linux x86-64 machine or container."
            ) from error
        folder = os.path.dirname(__file__)
        built = sorted(name for name in os.listdir(folder) if name.startswith("_core."))
        if built and not any(name.startswith(f"_core.cpython-{sys.version_info[0]}{sys.version_info[1]}-") for name in built):
            raise ImportError(
                f"this muster was built for another Python ({built[0]}), not {sys.version_info[0]}.{sys.version_info[1]}; "
                "install it for this one: python -m pip install --force-reinstall muster"
            ) from error
        raise ImportError(f"muster's native module cannot be loaded ({error}); install muster again: python -m pip install --force-reinstall muster") from error


_core = _load_core()

_WHERE = {
    "compute": "muster._collections.running",
    "persist": "muster._collections.running",
    "visualize": "muster._collections.running",
    "explain": "muster._collections.running",
    "optimize": "muster._collections.running",
    "is_dask_collection": "muster._collections.running",
    "annotate": "muster._base.context",
    "get_annotations": "muster._base.context",
    "delayed": "muster.delayed",
    "get": "muster.local",
    "istask": "muster._collections.graphs",
    "tokenize": "muster._base.tokenize",
    "show_versions": "muster._base.versions",
}
_MODULES = ("as_dask", "bag", "callbacks", "config", "dataframe", "datasets", "diagnostics", "distributed", "local", "multiprocessing", "threaded")


class _Package(types.ModuleType):
    """`muster.delayed` is a module and a function: the module can be imported, the attribute stays the function."""

    def __setattr__(self, name, value):
        if name == "delayed" and isinstance(value, types.ModuleType):
            value = value.delayed
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name):
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
    elif name in _MODULES:
        return importlib.import_module(f"muster.{name}")
    else:
        raise AttributeError(f"module 'muster' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_WHERE, *_MODULES])
