"""What is installed: for bug reports."""

import platform


def show_versions():
    """Print the versions of muster, Python and the packages it works with, as JSON.

    Examples
    --------
    >>> import muster
    >>> muster.show_versions()  # doctest: +ELLIPSIS
    {
      "muster": ...
    """
    import importlib.metadata
    import json

    import muster
    from muster import _core

    def version(name):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    found = {"muster": muster.__version__, "python": platform.python_version(), "platform": platform.platform(), "cpus": _core.cpu_count()}
    found.update({name: version(name) for name in ("numpy", "pandas", "pyarrow", "fsspec", "cloudpickle", "PyYAML")})
    print(json.dumps(found, indent=2))
