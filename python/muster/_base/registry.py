"""What upper packages give lower ones, which never import them: functions by name, each put in when its package is imported."""

import importlib

_HOMES = {  # the module that gives it, imported where it was not yet
    "client": "muster.distributed",
    "core": "muster.distributed",
    "frame_of_bag": "muster.dataframe._bags",
    "made_again": "muster.dataframe",
}
_given = {}


def give(name, function):
    """Put a function in."""
    assert name in _HOMES, name
    _given[name] = function


def given(name):
    """Return the function of this name."""
    if name not in _given:
        importlib.import_module(_HOMES[name])
    return _given[name]
