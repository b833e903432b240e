"""Objects as bytes: pickles of protocol 5 whose large buffers lie beside them, aligned, so that another process uses them in place.

Layout: number of buffers u32, length of the pickle u64, lengths of the buffers u64; then the pickle and each buffer, from multiples of 64 on if there
are buffers.
"""

import functools
import pickle
import struct
import types

from muster import _core
from muster._base import pickles
from muster._base.modules import local_modules

_HEAD = struct.Struct("<IQ")
_ALIGN = 64
_padding = bytes(_ALIGN)


def _pickled(obj, by, buffers=None):
    from muster._base import by_value

    return pickles.dumps(obj, buffers, getattr(by_value, by))


def dumps_by_value(obj, buffers=None):
    """Return the pickle of an object; functions and classes of ``__main__`` and of local modules go with their code.

    Where that is impossible, because they use something that cannot be pickled, they go by name: the others may have the module after all.

    Parameters
    ----------
    buffers : list, optional
        Takes large buffers, which then are not in the pickle.

    Raises
    ------
    TypeError
        If it cannot be pickled; the message names the variable that is to blame.
    """
    try:
        return _pickled(obj, "ByValue", buffers)
    except Exception as error:
        first = error
    if buffers is not None:
        buffers.clear()
    try:
        return _pickled(obj, "ByReference", buffers)
    except Exception:
        raise TypeError(_blame(obj, first)) from first


def _names_local(body):
    """Return whether a pickle refers by name to what the others do not have, or have in another form."""
    return any(name in body for name in _marks(local_modules()))


@functools.lru_cache(1)
def _marks(names):
    return [b"\x8c" + bytes([len(n)]) + n for n in (name.encode() for name in ("__main__", *names)) if len(n) < 256]


def _blame(obj, error):
    """Return a sentence that says which part of an object cannot be pickled."""

    def fails(value):
        try:
            _pickled(value, "ByValue")
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
        known = [(n, value.__globals__[n]) for n in value.__code__.co_names if n in value.__globals__]
        used = [(f"global variable {n!r}", v) for n, v in known if not isinstance(v, types.ModuleType)]
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
    """Return the pickle of arguments; fast, and by value where local modules are named."""
    try:
        out = pickles.dumps(obj)
    except Exception:
        return dumps_by_value(obj)
    return dumps_by_value(obj) if _names_local(out) else out


def dumps_parts(obj):
    """Return the parts of an object's layout, to be written one after the other."""
    buffers = []
    try:
        head = pickles.dumps(obj, buffers)
    except Exception:
        head = None
    if head is None or _names_local(head):
        buffers.clear()
        head = dumps_by_value(obj, buffers)
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
    """Return a `_core.TaskError` of an exception, with all causes and contexts and the places of their tracebacks."""
    chain = _chain(error)
    numbers = {id(e): i for i, e in enumerate(chain)}
    links = []
    for e in chain:
        places = _places(e.__traceback__, skip if e is error else 0)
        links.append((numbers.get(id(e.__cause__)), numbers.get(id(e.__context__)), e.__suppress_context__, places))
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    notes = [n for n in getattr(error, "__notes__", ()) if isinstance(n, str)]
    return _core.TaskError(name, _text(error), _told(error, links[0][3]), _pickled_chain(chain, links), notes)


def _pickled_chain(chain, links):
    try:
        body = dumps_by_value((chain, links))
        if [type(e) for e in pickle.loads(body)[0]] == [type(e) for e in chain]:
            return body
    except Exception:
        pass
    sent = {}
    for e in reversed(chain):  # members of groups stand behind these
        sent[id(e)] = _sendable(e, sent)
    return dumps_by_value(([sent[id(e)] for e in chain], links))


def _text(error):
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:
        return "<its text cannot be made>"


def _told(error, places):
    """Return the traceback of an exception as a text, without its last line."""
    return "".join(f'  File "{filename}", line {line}, in {name}\n' for filename, name, line in places).encode(errors="replace").decode()


def _chain(error):
    """Return an exception, its causes, contexts and members, each once."""
    found, seen, stack = [], set(), [error]
    while stack:
        e = stack.pop()
        if e is not None and id(e) not in seen:
            seen.add(id(e))
            found.append(e)
            stack.extend((*getattr(e, "exceptions", ()), e.__context__, e.__cause__) if isinstance(e, BaseExceptionGroup) else (e.__context__, e.__cause__))
    return found


def _places(traceback, skip):
    out = []
    while traceback is not None:
        if skip:
            skip -= 1
        else:
            out.append((traceback.tb_frame.f_code.co_filename, traceback.tb_frame.f_code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return out


def _sendable(error, sent):
    """Return what becomes this exception when it is unpickled: it itself, else one of its class with what of it can be pickled, else a RuntimeError."""
    if isinstance(error, BaseExceptionGroup):
        parts = (error.message, [sent.get(id(e), e) for e in error.exceptions])
    else:
        parts = tuple(a if _survives(a) else repr(a) for a in error.args)
    for candidate in (error, _Remade(type(error), parts, {k: v for k, v in vars(error).items() if _survives(v)})):
        try:
            if type(pickle.loads(dumps_by_value(candidate))) is type(error):
                return candidate
        except Exception:
            continue
    return RuntimeError(f"{type(error).__name__}: {error}")


def _survives(value):
    try:
        pickle.loads(dumps_by_value(value))
    except Exception:
        return False
    return True


class _Remade:
    """An exception that is made without its own __init__."""

    def __init__(self, kind, args, attributes):
        self.parts = kind, args, attributes

    def __reduce__(self):
        return _remade, self.parts


def _remade(kind, args, attributes):
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(attributes)
    return error


runtime_errors = {}  # what `muster.distributed` makes of the runtime's errors, by kind


def loads_error(error):
    """Return (exception, traceback) of a `_core.TaskError`."""
    if error is None:
        return RuntimeError("the task failed; nobody knows why any more"), None
    if error.kind == "guest":
        return _raised(error)
    if error.kind == "engine":
        return error.of_engine(), None
    if error.kind == "timed_out":
        return TimeoutError(error.message), None
    return runtime_errors[error.kind](error), None


def _raised(error):
    try:
        chain, links = pickle.loads(error.pickled)
    except Exception as failure:  # this process lacks what it is made of
        told = RuntimeError(f"{error.type}: {error.message}\n{error.traceback}")
        told.__notes__ = [*error.notes, f"the exception itself cannot be made here: {type(failure).__name__}: {failure}"]
        return told, None
    for one, (cause, context, suppressed, places) in zip(chain, links, strict=True):
        one.__cause__ = None if cause is None else chain[cause]
        one.__context__ = None if context is None else chain[context]
        one.__suppress_context__ = suppressed
        one.__traceback__ = _traceback(places)
    return chain[0], chain[0].__traceback__


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


def raise_error(error):
    """Raise the exception of a `_core.TaskError`."""
    exception, traceback = loads_error(error)
    raise exception.with_traceback(traceback)
