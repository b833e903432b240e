"""Which modules other machines have: installed ones; what lies elsewhere is local, and so is ``__main__``."""

import functools
import os
import sys
import types

_ours = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_listed = (None, ())  # (how many modules there were and the last of them, names of the local ones)
_known = {}  # name -> (file, whether it is local)


@functools.cache
def _standard():
    """The folders of the interpreter's own modules and of those that are installed for it."""
    import sysconfig

    return tuple({os.path.join(sysconfig.get_paths()[k], "") for k in ("stdlib", "platstdlib", "purelib", "platlib")})


@functools.cache
def _holds_packages(folder):
    """Return whether packages were installed into a folder of ``sys.path``: it says of them what they are."""
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:
        return False


def _is_installed(path):
    return path.startswith((*_standard(), _ours)) or any(path.startswith(os.path.join(folder, "")) for folder in sys.path if folder and _holds_packages(folder))


def is_local(name):
    """Return whether the imported module `name` is local: no built-in module, not installed, and no part of muster."""
    if name == "__main__":
        return True
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not isinstance(module, types.ModuleType):
        return False
    known = _known.get(name)
    if known is None or known[0] != path:
        known = _known[name] = (path, not _is_installed(path))
    return known[1]


def local_modules():
    """Return the names of the local modules that are imported."""
    global _listed
    state = len(sys.modules), next(reversed(sys.modules))
    if _listed[0] != state:
        names = [
            name for name, module in list(sys.modules.items()) if getattr(module, "__file__", None)
            and name.split(".")[0] not in ("__main__", "__mp_main__", "conftest") and is_local(name)
        ]
        _listed = (state, tuple(names))
    return _listed[1]


def found_by_name(value):
    """Return whether a function or class is what its module and qualified name say, in a module that is not local."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or is_local(module):
        return False
    found = sys.modules.get(module)
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError:
        return False
    return found is value
