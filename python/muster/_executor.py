"""A child process of a worker that runs Python tasks: ``python -m muster._executor SCHEDULER WORKER NAME [MEMORY_LIMIT KEPT]``: the worker's limit, and the
bytes of shared memory that this process may keep to write results into.

Descriptor 3 brings requests, datagrams the worker can take back as long as nobody read them; replies go to 4; 5 names tasks to be interrupted. Until
the executor is ready its errors go to the worker, which says why it did not start; descriptor 6 is the real standard error.
"""

import array
import errno
import os
import pickle
import signal
import socket
import struct
import sys
import time
import types
import weakref

from muster import _core
from muster._base import context

_REQUESTS, _REPLIES, _CANCELS, _ERRORS = 3, 4, 5, 6
_ID = struct.Struct("<QH")
_MAX_INLINE = 1 << 20  # results beyond lie in shared memory
_FLUSH = 64 * 1024
_RAISED, _STOPPED, _RESCHEDULED, _REFUSED = 0, 3, 4, 5
_TYPES = {}


class TaskStopped(BaseException):
    """Ends a task that was cancelled."""


class Executor:
    """Reads requests, runs them, replies."""

    def __init__(self, scheduler, worker, name):
        self.scheduler, self.worker, self.name = scheduler, worker, name
        self.requests = socket.socket(fileno=_REQUESTS)
        self.replies = socket.socket(fileno=_REPLIES)
        self.cancels = socket.socket(fileno=_CANCELS)
        self.buffer = bytearray(128 * 1024)
        self.view = memoryview(self.buffer)
        self.fds = []
        self.functions = {}
        self.out = []
        self.out_size = 0
        self.flushed = 0.0
        self.kept = None      # what holds the bytes of a result
        self.current = None   # (id, attempt)
        self.calling = False  # inside a user's function: only there a task is interrupted
        self.stop = None      # "asked" to end the current task, then "raised"
        self.label = None
        self.depth = 0        # tasks that wait for the current one, one in the other
        self.seceded = False
        signal.signal(signal.SIGUSR1, self.interrupted)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def interrupted(self, number, frame):
        while True:
            try:
                named = self.cancels.recv(16, socket.MSG_DONTWAIT)
            except OSError:
                break
            if len(named) < _ID.size:
                break
            if _ID.unpack(named) == self.current and self.stop is None:
                self.stop = "asked"
        if self.stop == "asked" and self.calling and not _half_done(frame):
            self.stop = "raised"
            raise TaskStopped

    def reply(self, kind, body, fds=()):
        self.out.append(struct.pack("<IBB", len(body), ord(kind), len(fds)) + body)
        self.out_size += len(body)
        if fds:
            self.flush(fds)
        elif self.out_size > _FLUSH:
            self.flush()

    def flush(self, fds=()):
        data = b"".join(self.out)
        self.out.clear()
        self.out_size = 0
        while data:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            sent = self.replies.sendmsg([data], ancillary)
            data, fds = data[sent:], ()

    def run(self):
        """Work until the worker is gone."""
        self.reply("H", b"")
        self.flush()
        space = socket.CMSG_SPACE(256 * 4)
        ahead_of = b""  # the request that the descriptors at hand belong to
        cut = 0  # some of them were lost
        while True:
            try:
                size, ancillary, flags, _ = self.requests.recvmsg_into([self.buffer], space, socket.MSG_DONTWAIT)
            except BlockingIOError:
                if self.out:
                    self.flush()
                size, ancillary, flags, _ = self.requests.recvmsg_into([self.buffer], space)
            if size == 0:
                return
            kind = self.buffer[0]
            if kind == 85:  # U: what no task will need
                for thing, number in struct.iter_unpack("<II", self.view[1:size]):
                    if thing:
                        _core.forget_pipeline(number)
                    else:
                        self.functions.pop(number, None)
                continue
            first = kind == 70 and self.view[11:15] == b"\0\0\0\0"
            if first or self.view[1:11] != ahead_of:  # the request that others came ahead of did not follow
                ahead_of, cut = bytes(self.view[1:11]), 0
                self.close_fds()
            ahead = len(self.fds)
            for _, _, data in ancillary:
                self.fds.extend(array.array("i", data[: len(data) - len(data) % 4]))
            cut = cut or flags & socket.MSG_CTRUNC
            if kind == 70:  # F: descriptors of the request to come
                continue
            request = bytes(self.view[1:size])
            try:
                if cut:
                    cut = 0
                    raise OSError(errno.EMFILE, "an executor has no descriptor left for the inputs of a task: tasks before it left files open, or the limit is too low (ulimit -n)")
                if kind == 77:  # M: the request lies in the first descriptor that came with it
                    with open(self.fds.pop(ahead), "rb") as file:
                        file.seek(0)
                        request += file.read()
            except (OSError, MemoryError) as error:
                self.fail(request[:10], time.perf_counter_ns(), _REFUSED, _error_bytes(error))
                self.close_fds()
                continue
            self.task(request)
            if self.stop:  # what was interrupted may have left locks, caches or modules half done: a new process takes over
                self.flush()
                return
            if self.out and time.monotonic() - self.flushed > 0.002:
                self.flush()
                self.flushed = time.monotonic()

    def close_fds(self):
        while self.fds:
            os.close(self.fds.pop())

    def task(self, request):
        """Run one request and queue its reply."""
        task, attempt = _ID.unpack_from(request, 0)
        kind = request[10]
        fds, self.fds = self.fds, []
        head = request[:10]
        begun = time.perf_counter_ns()
        self.current = (task, attempt)
        self.seceded = False
        notes = []  # what a pipeline reports and the memory it took, or needed, also when it fails
        try:
            try:
                if kind == 0:
                    number, size = struct.unpack_from("<IQ", request, 11)
                    if not size and number not in self.functions:
                        self.reply("N", head)  # the worker took the request back that brought it
                        return
                    value = self.call(request, fds)
                    value = (0, _type_name(value), _dumps(value))
                else:
                    value = self.pipeline(request, fds, notes)
            finally:
                self.current = None
        except TaskStopped:
            self.fail(head, begun, _STOPPED, b"")
        except _Refused as refused:
            self.fail(head, begun, _REFUSED, _error_bytes(refused.error))
        except BaseException as error:  # SystemExit and KeyboardInterrupt of a task are its own, too
            why = _RESCHEDULED if type(error).__name__ == "Reschedule" and type(error).__module__.startswith("muster") else _RAISED
            self.fail(head, begun, why, _error_bytes(error), *notes)
        else:
            self.succeed(head, begun, *value, *notes)
        finally:
            self.kept = None
            for fd in fds:
                os.close(fd)

    def call(self, request, fds):
        number, size = struct.unpack_from("<IQ", request, 11)
        at = 23
        if size:
            code = request[at : at + size]
            at += size
            try:
                function = pickle.loads(code)
                self.functions[number] = function if isinstance(function, _PLAIN) else _Stateful(code)
            except BaseException as error:
                self.functions[number] = _Broken(error)
        *_, self.label, arguments, _, inputs = self.rest(request, at, fds)
        function = self.functions[number]
        if type(function) is _Broken:
            raise _Refused(function.error)
        if type(function) is _Stateful:
            function = pickle.loads(function.code)
        from muster._base import serialize
        from muster._base.tasks import inputs_at_hand

        try:
            if inputs:
                apart = not arguments  # arguments too large for a message are the last input
                values = inputs[:-1] if apart else inputs
                if not getattr(function, "takes_bytes", False):
                    values = [serialize.loads(i) for i in values]
                with inputs_at_hand(values):
                    args, kwargs = serialize.loads(inputs[-1]) if apart else pickle.loads(arguments)
            else:
                args, kwargs = pickle.loads(arguments)
        except Exception as error:
            raise _Refused(error) from error
        return self.interruptibly(function, args, kwargs)

    def interruptibly(self, function, args, kwargs):
        self.calling = True
        try:
            if self.stop:
                raise TaskStopped
            return function(*args, **kwargs)
        finally:
            self.calling = False

    def pipeline(self, request, fds, notes):
        number, size = struct.unpack_from("<IQ", request, 11)
        at = 23 + size
        index, limit, reserved, self.label, _, groups, inputs = self.rest(request, at, fds)
        outputs, self.kept = self.interruptibly(_core.run_pipeline, (number, request[23:at], index, self.label, groups, inputs, limit, reserved, notes), {})
        return 1, "native", [outputs]

    def rest(self, request, at, fds):
        index, limit, reserved, self.depth = struct.unpack_from("<qqqI", request, at)
        at += 28
        label, at = _bytes(request, at)
        arguments, at = _bytes(request, at)
        (count,) = struct.unpack_from("<Q", request, at)
        at += 8
        groups = list(struct.unpack_from(f"<{count}I", request, at))
        at += 4 * count
        (count,) = struct.unpack_from("<I", request, at)
        at += 4
        inputs, fd = [], 0
        for _ in range(count):
            tag = request[at]
            at += 1
            if tag == 0:
                value, at = _bytes(request, at)
            else:
                (size,) = struct.unpack_from("<Q", request, at)
                at += 8
                value = _core.map_object(fds[fd], size)
                fd += 1
            inputs.append(value)
        return index, limit, reserved, label.decode(), arguments, groups, inputs

    def succeed(self, head, begun, native, kind, parts, note=b"", memory=0):
        us = (time.perf_counter_ns() - begun) // 1000
        size = sum(p.nbytes if isinstance(p, memoryview) else len(p) for p in parts)
        kind = kind.encode()
        start = b"".join([head, struct.pack("<qqqQ", us, memory, size, len(kind)), kind, struct.pack("<BQ", native, len(note)), note, struct.pack("<Q", size)])
        if size <= _MAX_INLINE:
            self.reply("D", b"".join([start, *parts]))
            return
        try:
            fd = _core.share(list(parts))
        except MemoryError as error:
            self.fail(head, begun, _RAISED, _error_bytes(error))
            return
        self.reply("D", start, [fd])
        os.close(fd)

    def fail(self, head, begun, why, error, note=b"", memory=0):
        us = (time.perf_counter_ns() - begun) // 1000
        self.reply("E", head + struct.pack("<qqBQ", us, memory, why, len(note)) + note + error)
        self.flush()

    def secede(self):
        """Give the thread back; the task goes on."""
        if self.current is not None and not self.seceded:
            self.reply("S", _ID.pack(*self.current))
            self.flush()


def _half_done(frame):
    """Whether an import or a finalizer is under way: an exception there breaks what it was about, or ends nothing."""
    while frame is not None and frame.f_code.co_filename != __file__:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib") or code.co_filename == weakref.__file__ or code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


class _Broken:
    """A function whose bytes do not unpickle here."""

    def __init__(self, error):
        self.error = error


_PLAIN = (types.FunctionType, type)


class _Stateful:
    """A callable that a call may change: each call has its own."""

    def __init__(self, code):
        self.code = code


class _Refused(Exception):
    """A task that cannot run, now or later."""

    def __init__(self, error):
        self.error = error


def _bytes(data, at):
    (size,) = struct.unpack_from("<Q", data, at)
    return data[at + 8 : at + 8 + size], at + 8 + size


def _type_name(value):
    kind = type(value)
    name = _TYPES.get(kind)
    if name is None:
        name = _TYPES[kind] = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name


def _dumps(value):
    kind = type(value)
    if kind is int or kind is float and value == value or kind is str or kind is bool or value is None or kind is bytes:
        body = pickle.dumps(value, protocol=5)
        return (struct.pack("<IQ", 0, len(body)), body)
    from muster._base import serialize

    try:
        return serialize.dumps_parts(value)
    except Exception as error:
        raise TypeError(f"the result, a {_type_name(value)}, {error}") from error


def _error_bytes(error):
    from muster._base import serialize

    # The executor's own frames are not part of the user's story.
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == __file__:
        tb = tb.tb_next
    return serialize.dumps_error(error.with_traceback(tb), skip=0).encoded()


def main(args):
    """Run until the worker goes away."""
    path = os.environ.get("MUSTER_SYS_PATH")
    if path:
        for entry in reversed(path.split(os.pathsep)):
            if entry not in sys.path:
                sys.path.insert(0, entry)
    if os.environ.get("MUSTER_AS_DASK"):
        import muster.as_dask

        muster.as_dask.install()
    if args[3:]:
        _core.set_memory_limit(int(args[3]))  # by which the process keeps memory that is free
        _core.keep_shared(int(args[4]))
    executor = Executor(*args[:3])
    os.dup2(_ERRORS, 2)
    os.close(_ERRORS)
    context.become(executor)
    executor.run()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
