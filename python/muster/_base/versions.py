"""What is installed: for bug reports, and to compare the processes of a cluster."""

import platform
import sys

_PACKAGES = ("numpy", "pandas", "pyarrow", "fsspec", "cloudpickle", "PyYAML")


def version_of(package):
    """Return the version of an installed package, None without it."""
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(packages=()):
    """Return what this process runs on: {"host": ..., "packages": {name: version}}."""
    import muster

    host = {
        "python": ".".join(map(str, sys.version_info)), "python-bits": sys.maxsize.bit_length() + 1, "OS": platform.system(), "OS-release": platform.release(),
        "machine": platform.machine(), "processor": platform.processor(), "byteorder": sys.byteorder
    }
    found = {"python": platform.python_version(), "muster": muster.__version__, **{name: version_of(name) for name in (*_PACKAGES, *packages)}}
    return {"host": host, "packages": found}


def show_versions():
    """Print the versions of muster, Python and the packages it works with, as JSON.

    Examples
    --------
    >>> import muster
    >>> muster.show_versions()  # doctest: +ELLIPSIS
    {
      "muster": ...
    """
    import json

    import muster
    from muster import _core

    found = {"muster": muster.__version__, "python": platform.python_version(), "platform": platform.platform(), "cpus": _core.cpu_count()}
    print(json.dumps(found | {name: version_of(name) for name in _PACKAGES}, indent=2))
