"""Pickles in which NaN stays what it is: Python finds a NaN in a dict or a set by identity alone, and plain pickles make a new one of each.

A pickle without NaN is a plain one. In others, the NaN of NumPy and of `math` go by name, and any other one is a single object however often it is met.
Any of these is read by `pickle.loads`.
"""

import functools
import importlib
import io
import math
import pickle
import struct
import sys

_IN_BAND = 64 * 1024  # smaller buffers stay in the pickle
_NANS = tuple(b"G" + struct.pack(">d", nan) for nan in (math.nan, -math.nan))  # as a pickle holds it; ∞ − ∞ is the second


def dumps(obj, buffers=None, pickler=pickle.Pickler):
    """Return the pickle of an object, of protocol 5.

    Parameters
    ----------
    buffers : list, optional
        Takes large buffers, which then are not in the pickle.
    pickler : type, default pickle.Pickler
        Pickler to use.
    """
    out = _dumped(obj, buffers, pickler)
    if not _has_nan(out):
        return out
    if _is_flat(obj):
        if buffers is not None:
            buffers.clear()
        out = _dumped(_with_names(obj), buffers, pickler)
        if not _has_nan(out):
            return out
    apart = None if buffers is None else []
    body = _dumped(obj, apart, _keeping(pickler))
    if buffers is not None:
        buffers.clear()
    return _dumped(_Kept(body, [pickle.PickleBuffer(b) for b in apart or ()]), buffers, pickle.Pickler)


def _has_nan(pickled):
    return any(nan in pickled for nan in _NANS)


def _dumped(obj, buffers, pickler):
    callback = None if buffers is None else functools.partial(_apart, buffers)
    if pickler is pickle.Pickler:
        return pickle.dumps(obj, protocol=5, buffer_callback=callback)
    with io.BytesIO() as out:
        pickler(out, protocol=5, buffer_callback=callback).dump(obj)
        return out.getvalue()


def _apart(buffers, buffer):
    """Return whether a buffer stays in the pickle; else it is taken."""
    raw = buffer.raw()
    if raw.nbytes < _IN_BAND:
        return True
    buffers.append(raw)
    return False


def _known():
    """Return the NaN that have names: {id: (object, module)}."""
    return {id(sys.modules[m].nan): (sys.modules[m].nan, m) for m in ("numpy", "math") if m in sys.modules}


def _is_flat(obj):
    numpy = sys.modules.get("numpy")
    return type(obj) is list or numpy is not None and type(obj) is numpy.ndarray and obj.ndim == 1 and obj.dtype == object


def _with_names(objects):
    """Return a list or array of objects with a name for each NaN: much quicker than to ask of every object what it is while it is pickled."""
    known, names = _known(), {}
    out = objects.copy()
    for i, o in enumerate(objects):
        if type(o) is float and o != o:
            out[i] = names.get(id(o)) or names.setdefault(id(o), _Name(known.get(id(o), (o, None))[1]))
    return out


class _Name:
    """Becomes a NaN where it arrives: that of a module, or one of its own."""

    def __init__(self, module):
        self.module = module

    def __reduce__(self):
        return _nan, (self.module,)


def _nan(module):
    return float("nan") if module is None else importlib.import_module(module).nan


@functools.cache
def _keeping(pickler):
    """Return a class of pickler that writes the module of a NaN for it, for any other one a number."""

    class Keeping(pickler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.nans = _known()

        def persistent_id(self, obj):
            if type(obj) is float and obj != obj:
                return self.nans.setdefault(id(obj), (obj, len(self.nans)))[1]
            return None

    return Keeping


class _Kept:
    """Stands for the object of a pickle by such a class."""

    def __init__(self, body, buffers):
        self.parts = body, buffers

    def __reduce__(self):
        return _loaded, self.parts


def _loaded(body, buffers):
    return _Unpickler(io.BytesIO(body), buffers=buffers).load()


class _Unpickler(pickle.Unpickler):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.nans = {}

    def persistent_load(self, which):
        return _nan(which) if isinstance(which, str) else self.nans.setdefault(which, float("nan"))
