"""Packages that muster does not bring and a few functions need."""

import importlib


def needed(package, what):
    """Return a package's module. Raises ImportError, which names the package and what needs it, where it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"{what} needs the package {package}, which cannot be imported ({error}); pip install {package.split('.')[0]}") from error
