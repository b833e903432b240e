"""Programs written for Dask run on muster: ``python -m muster.as_dask script.py``, or `install()` in a running interpreter.

After it `dask`, `dask.dataframe`, `dask.bag`, `dask.delayed`, `dask.distributed`, `distributed` and their companions are muster, also in the workers that are
started. Every other public name of Dask can be imported and raises
NotImplementedError on use. Real Dask in the same environment stays what it is for every other process.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import types

from muster import config
from muster._base.later import Later

# Where a module's names are: in one of muster's modules, or in several that are asked in turn.
_CLUSTER = ("muster.distributed",)
_BASE = ("muster._collections.running", "muster._base.tokenize", "muster._collections.graphs", "muster.delayed", "muster")
_UTILS = ("muster.as_dask._utils", "muster._collections.running", "muster.delayed", "muster._base.tokenize")
_REAL = {
    "dask": ("muster",),
    "dask.bag": ("muster.bag",),
    "dask.bag.core": ("muster.bag", "muster.bag._bag"),
    "dask.base": _BASE,
    "dask.callbacks": ("muster.callbacks",),
    "dask.config": ("muster.config",),
    "dask.core": ("muster._collections.graphs", "muster.local"),
    "dask.dataframe": ("muster.dataframe",),
    "dask.dataframe.dask_expr": ("muster.dataframe",),
    "dask.dataframe.dask_expr.datasets": ("muster.datasets",),
    "dask.dataframe.demo": ("muster.dataframe.demo",),
    "dask.dataframe.dispatch": ("muster.as_dask._frame_utils",),
    "dask.dataframe.utils": ("muster.as_dask._frame_utils", "muster.as_dask._utils"),
    "dask.dataframe.io.demo": ("muster.dataframe.demo",),
    "dask.delayed": ("muster.delayed",),
    "dask.diagnostics": ("muster.diagnostics",),
    "dask.distributed": _CLUSTER,
    "dask.local": ("muster.local",),
    "dask.multiprocessing": ("muster.multiprocessing",),
    "dask.sizeof": ("muster.sizeof",),
    "dask.system": ("muster.as_dask._utils",),
    "dask.threaded": ("muster.threaded",),
    "dask.tokenize": ("muster._base.tokenize",),
    "dask.utils": _UTILS,
    "distributed": _CLUSTER,
    "distributed.client": ("muster.distributed", "muster.distributed._client", "muster._base.context"),
    "distributed.config": ("muster.config",),
    "distributed.core": _CLUSTER,
    "distributed.deploy": _CLUSTER,
    "distributed.deploy.local": _CLUSTER,
    "distributed.diagnostics": _CLUSTER,
    "distributed.metrics": ("muster.as_dask._utils",),
    "distributed.scheduler": _CLUSTER,
    "distributed.utils": ("muster.as_dask._utils", "muster.distributed"),
    "distributed.worker": _CLUSTER,
}
_ROOTS = ("dask", "distributed", "dask_ml", "dask_sql")
# Names that are a module and an object: the module can be imported, the parent's attribute stays the object.
_OBJECTS = {
    "dask": ("delayed",),
    "dask.array": ("blockwise", "gufunc", "percentile", "rechunk", "reshape"),
    "distributed": ("worker_client",),
    "distributed.protocol": ("serialize",),
}


class _Module(types.ModuleType):
    """A module of Dask: muster's names where it has them, stand-ins for the others."""

    def __init__(self, name, real=None):
        super().__init__(name, doc=f"{name} on muster.")
        self.__dict__["_real"] = [importlib.import_module(r) for r in real or ()]
        self.__path__ = []

    def __setattr__(self, name, value):
        # Importing a submodule makes Python set it on its parent.
        if isinstance(value, _Module):
            if name not in _OBJECTS.get(self.__name__, ()):
                super().__setattr__(name, value)
            return
        # What a program changes (dask.config.PATH = ...) is changed where it is looked up.
        holder = None if name.startswith("__") else next((m for m in self.__dict__["_real"] if name in vars(m)), None)
        setattr(holder, name, value) if holder is not None else super().__setattr__(name, value)

    def __getattr__(self, name):
        real = self.__dict__["_real"]
        if name.startswith("__") and not (real and name == "__version__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        full = f"{self.__name__}.{name}"
        for module in real:
            try:
                value = getattr(module, name)
            except AttributeError:
                continue
            if not (isinstance(value, types.ModuleType) and full in _REAL):  # dask.config is its own module
                return value
        if full in _REAL:
            return importlib.import_module(full)
        if full in sys.modules and name not in _OBJECTS.get(self.__name__, ()):
            return sys.modules[full]
        value = Later(full)
        self.__dict__[name] = value
        return value

    def __dir__(self):
        return sorted({n for module in self.__dict__["_real"] for n in dir(module)})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds dask, distributed, dask_ml, dask_sql and all their submodules."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in _ROOTS:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Module(spec.name, _REAL.get(spec.name))

    def exec_module(self, module):
        """Nothing to run: a module's names are looked up when asked for."""


def install() -> None:
    """Make `dask` and its companions mean muster in this interpreter.

    Raises
    ------
    RuntimeError
        If real Dask was imported before.

    Examples
    --------
    >>> import muster.as_dask
    >>> muster.as_dask.install()
    >>> import dask.dataframe as dd
    >>> dd.__name__
    'dask.dataframe'
    """
    for root in _ROOTS:
        module = sys.modules.get(root)
        if module is not None and not isinstance(module, _Module):
            raise RuntimeError(
                f"{root} was imported before muster.as_dask.install(); install first, or start the program with: python -m muster.as_dask script.py"
            )
    if installed():
        return
    sys.meta_path.insert(0, _Finder())
    config.read_dask()


def installed() -> bool:
    """Return whether `dask` means muster here."""
    return any(isinstance(f, _Finder) for f in sys.meta_path)


def load_ipython_extension(ipython: object) -> None:
    """``%load_ext muster.as_dask``."""
    install()


def install_kernel() -> str:
    """Add a Jupyter kernel in which `dask` means muster from the start; return its folder."""
    import json
    import os

    base = os.environ.get("JUPYTER_DATA_DIR") or os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "jupyter")
    folder = os.path.join(base, "kernels", "muster-as-dask")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "kernel.json"), "w") as file:
        json.dump(
            {
                "argv": [sys.executable, "-m", "muster.as_dask", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "Python (dask is muster)", "language": "python"
            },
            file, indent=1
        )
    return folder
