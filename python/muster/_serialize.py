"""Objects as bytes: pickles of protocol 5 whose large buffers lie beside them, aligned, so that another process uses them in place.

Layout: number of buffers u32, length of the pickle u64, lengths of the buffers u64; then the pickle and each buffer, from multiples of 64 on if there
are buffers.
"""

import functools
import io
import pickle
import struct
import sys
import sysconfig
import types

_HEAD = struct.Struct("<IQ")
_ALIGN = 64
_IN_BAND = 64 * 1024  # smaller buffers stay in the pickle
_padding = bytes(_ALIGN)
_installed = tuple({sysconfig.get_paths()[k] for k in ("stdlib", "platstdlib", "purelib", "platlib")})


_local = (0, ())  # how many modules there were, and which of them are local


def _local_modules():
    """Return modules that other machines do not have: those that come from a file outside the installed packages."""
    global _local
    if _local[0] != len(sys.modules):
        found = []
        for module in list(sys.modules.values()):
            name, path = getattr(module, "__name__", None), getattr(module, "__file__", None)
            if isinstance(module, types.ModuleType) and isinstance(name, str) and isinstance(path, str) and name != "__main__" and name.split(".")[0] not in ("muster", "conftest") and sys.modules.get(name) is module:
                if not path.startswith(_installed):
                    found.append(module)
        _local = (len(sys.modules), tuple(found))
    return _local[1]


@functools.cache
def _pickler():
    """Return cloudpickle's pickler, but for one thing: code keeps the name of its file, so that tracebacks say where it is."""
    import cloudpickle

    theirs = cloudpickle.Pickler.dispatch_table[types.CodeType]

    def reduce_code(code):
        make, args = theirs(code)
        return make, tuple(code.co_filename if a == "<dynamic-code>" else a for a in args)

    class Pickler(cloudpickle.Pickler):
        dispatch_table = cloudpickle.Pickler.dispatch_table.new_child({types.CodeType: reduce_code})

    return Pickler


def _cloudpickled(obj, buffer_callback=None):
    with io.BytesIO() as out:
        _pickler()(out, protocol=5, buffer_callback=buffer_callback).dump(obj)
        return out.getvalue()


def dumps_by_value(obj):
    """Return the pickle of an object; functions and classes of ``__main__`` and of local modules go with their code.

    Raises
    ------
    TypeError
        If it cannot be pickled; the message names the variable that is to blame.
    """
    import cloudpickle

    try:
        out = _cloudpickled(obj)
    except Exception as first:
        out, error = None, first
    named = [m for m in _local_modules() if out is None or m.__name__.encode() in out]
    if not named:
        if out is None:
            raise TypeError(_blame(obj, error)) from error
        return out
    registered = [m for m in named if m.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in registered:
        cloudpickle.register_pickle_by_value(module)
    try:
        return _cloudpickled(obj)
    except Exception as second:
        if out is None:
            raise TypeError(_blame(obj, second)) from second
        return out  # by reference: the others may have the module after all
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def _blame(obj, error):
    """Return a sentence that says which part of an object cannot be pickled."""

    def fails(value):
        try:
            _cloudpickled(value)
        except Exception:
            return True
        return False

    path, value = [], obj
    for _ in range(20):
        parts = _parts(value)
        bad = next(((name, part) for name, part in parts if part is not value and fails(part)), None)
        if bad is None:
            break
        path.append(bad[0])
        value = bad[1]
    what = f"{type(value).__module__}.{type(value).__qualname__}"
    where = " of ".join(reversed(path))
    return f"cannot be sent to another process: {where or 'it'} is a {what} ({type(error).__name__}: {error})"


def _parts(value):
    if isinstance(value, types.FunctionType):
        names = value.__code__.co_freevars
        cells = []
        for name, cell in zip(names, value.__closure__ or (), strict=False):
            try:
                cells.append((f"variable {name!r}", cell.cell_contents))
            except ValueError:
                continue
        used = [(f"global variable {n!r}", value.__globals__[n]) for n in value.__code__.co_names if n in value.__globals__ and not isinstance(value.__globals__[n], types.ModuleType)]
        defaults = [(f"default {i}", d) for i, d in enumerate(value.__defaults__ or ())]
        return cells + used + defaults
    if isinstance(value, dict):
        return [(f"item {k!r}", v) for k, v in value.items()]
    if isinstance(value, (list, tuple, set)):
        return [(f"item {i}", v) for i, v in enumerate(value)]
    if isinstance(value, types.MethodType):
        return [("its object", value.__self__), ("its function", value.__func__)]
    attributes = getattr(value, "__dict__", None)
    return [(f"attribute {k!r}", v) for k, v in attributes.items()] if isinstance(attributes, dict) and not isinstance(value, (type, types.ModuleType)) else []


def dumps_simple(obj):
    """Return the pickle of arguments; fast, and by value where ``__main__`` is named."""
    try:
        out = pickle.dumps(obj, protocol=5)
    except Exception:
        return dumps_by_value(obj)
    return dumps_by_value(obj) if b"__main__" in out else out


def dumps_parts(obj):
    """Return the parts of an object's layout, to be written one after the other."""
    buffers = []

    def apart(buffer):
        raw = buffer.raw()
        if raw.nbytes < _IN_BAND:
            return True
        buffers.append(raw)
        return False

    try:
        head = pickle.dumps(obj, protocol=5, buffer_callback=apart)
        if b"__main__" in head:
            raise pickle.PicklingError("by value")
    except Exception:
        buffers.clear()
        try:
            head = _cloudpickled(obj, apart)
        except Exception as error:
            raise TypeError(_blame(obj, error)) from error
    if not buffers:
        return [_HEAD.pack(0, len(head)), head]
    lengths = struct.pack(f"<{len(buffers)}Q", *(b.nbytes for b in buffers))
    parts = [_HEAD.pack(len(buffers), len(head)), lengths]
    at = _HEAD.size + len(lengths)
    for part in (head, *buffers):
        fill = -at % _ALIGN
        parts.append(_padding[:fill])
        parts.append(part)
        at += fill + (part.nbytes if isinstance(part, memoryview) else len(part))
    return parts


def size_of_parts(parts):
    """Return the bytes that parts take together."""
    return sum(p.nbytes if isinstance(p, memoryview) else len(p) for p in parts)


def loads(view):
    """Return the object of a layout. Buffers are used where they lie: they are writable if `view` is."""
    count, length = _HEAD.unpack_from(view, 0)
    if not count:
        return pickle.loads(memoryview(view)[_HEAD.size : _HEAD.size + length])
    view = memoryview(view)
    lengths = struct.unpack_from(f"<{count}Q", view, _HEAD.size)
    at = _HEAD.size + 8 * count
    at += -at % _ALIGN
    head = view[at : at + length]
    at += length
    buffers = []
    for n in lengths:
        at += -at % _ALIGN
        buffers.append(view[at : at + n])
        at += n
    return pickle.loads(head, buffers=buffers)


def dumps_error(error, skip=1):
    """Return an exception with the places of its traceback as bytes."""
    frames, tb = [], error.__traceback__
    while tb is not None:
        if skip:
            skip -= 1
        else:
            frames.append((tb.tb_frame.f_code.co_filename, tb.tb_frame.f_code.co_name, tb.tb_lineno))
        tb = tb.tb_next
    cause = error.__cause__
    try:
        body = dumps_by_value((error.with_traceback(None), cause, frames))
        pickle.loads(body)
    except Exception:
        body = dumps_by_value((RuntimeError(f"{type(error).__name__}: {error}"), None, frames))
    return b"python\n" + body


def loads_error(body):
    """Return (exception, traceback) of bytes that dumps_error or the runtime made."""
    kind, _, rest = bytes(body).partition(b"\n")
    if kind == b"python":
        error, cause, frames = pickle.loads(rest)
        error.__cause__ = cause
        return error, _traceback(frames)
    return _runtime_error(kind, rest.decode(errors="replace")), None


def _runtime_error(kind, text):
    from muster.distributed._errors import FutureCancelledError, KilledWorker

    if kind == b"killed":
        task, _, how = text.partition("\n")
        return KilledWorker(task, how)
    if kind == b"timeout":
        return TimeoutError(text)
    if kind == b"native":
        number, python, message = text.split("\n", 2)
        return _native_error(int(number), python, message)
    if kind in (b"lost", b"connection"):
        return FutureCancelledError("", text)
    return RuntimeError(text or kind.decode(errors="replace"))


def _native_error(number, python, message):
    import concurrent.futures
    import importlib

    if python:
        module, _, name = python.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)(message)
        except Exception:
            pass
    kinds = (ValueError, TypeError, KeyError, OSError, MemoryError, concurrent.futures.CancelledError, NotImplementedError, RuntimeError)
    return (kinds[number] if number < len(kinds) else RuntimeError)(message)


def _traceback(frames):
    """Return a traceback object that names these places; its frames are made for the purpose and hold nothing."""
    out = None
    for filename, name, line in reversed(frames):
        code = compile("\n" * (line - 1) + "raise StopIteration" if line < 100_000 else "raise StopIteration", filename, "exec").replace(co_name=name)
        try:
            exec(code, {"__name__": name})
        except StopIteration as stop:
            made = stop.__traceback__.tb_next
            out = types.TracebackType(out, made.tb_frame, made.tb_lasti, line)
    return out


def raise_error(body):
    """Raise the exception of bytes."""
    error, traceback = loads_error(body)
    raise error.with_traceback(traceback)
