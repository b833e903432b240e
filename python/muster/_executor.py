"""A child process of a worker that runs Python tasks: ``python -m muster._executor SCHEDULER WORKER NAME [MEMORY_LIMIT KEPT]``: the worker's limit, and the
bytes of shared memory that this process may keep to write results into.

Descriptor 3 brings requests, datagrams the worker can take back as long as nobody read them; replies go to 4; 5 names tasks to be interrupted. Until
the executor is ready its errors go to the worker, which says why it did not start; descriptor 6 is the real standard error.
"""

import os
import pickle
import signal
import struct
import sys
import types
import weakref

from muster import _core
from muster._base import context

_REQUESTS, _REPLIES, _CANCELS, _ERRORS = 3, 4, 5, 6
_TYPES = {}


class TaskStopped(BaseException):
    """Ends a task that was cancelled."""


class Executor:
    """Reads requests, runs them, replies."""

    def __init__(self, scheduler, worker, name):
        self.scheduler, self.worker, self.name = scheduler, worker, name
        self.channel = _core.Channel(_REQUESTS, _REPLIES, _CANCELS)
        self.functions = self.channel.functions
        self.calling = False  # inside a user's function: only there a task is interrupted
        self.stop = None      # "asked" to end the current task, then "raised"
        self.seceded = False
        signal.signal(signal.SIGUSR1, self.interrupted)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    @property
    def task(self):
        """The id of the task that runs, None between tasks."""
        return self.channel.task

    @property
    def depth(self):
        """Tasks that wait for the current one, one in the other."""
        return self.channel.depth

    def interrupted(self, number, frame):
        if self.channel.interrupted() and self.stop is None:
            self.stop = "asked"
        if self.stop == "asked" and self.calling and not _half_done(frame):
            self.stop = "raised"
            raise TaskStopped

    def run(self):
        """Work until the worker is gone."""
        self.channel.ready()
        while self.channel.next():
            self.answer()
            if self.stop:  # what was interrupted may have left locks, caches or modules half done: a new process takes over
                break
        self.channel.flush()

    def answer(self):
        """Run the call at hand and queue its reply."""
        channel = self.channel
        self.seceded = False
        try:
            try:
                if channel.pipeline:
                    made = self.interruptibly(channel.run_pipeline, (), {})  # bytes, and what keeps them
                    native, kind, parts = True, "native", [made[0]]
                else:
                    code = channel.code
                    if not code and channel.number not in self.functions:
                        channel.not_begun()  # the worker took the request back that brought it
                        return
                    value = self.call(code)
                    native, kind, parts = False, _type_name(value), _dumps(value)
            finally:
                channel.over()
            channel.done(native, kind, parts)
        except TaskStopped:
            channel.stopped()
        except _Refused as refused:
            channel.refused(_told(refused.error))
        except BaseException as error:  # SystemExit and KeyboardInterrupt of a task are its own, too
            again = type(error).__name__ == "Reschedule" and type(error).__module__.startswith("muster")
            (channel.rescheduled if again else channel.raised)(_told(error))

    def call(self, code):
        channel = self.channel
        if code:
            try:
                function = pickle.loads(code)
                self.functions[channel.number] = function if isinstance(function, _PLAIN) else _Stateful(code)
            except BaseException as error:
                self.functions[channel.number] = _Broken(error)
        function = self.functions[channel.number]
        if type(function) is _Broken:
            raise _Refused(function.error)
        if type(function) is _Stateful:
            function = pickle.loads(function.code)
        from muster._base import serialize
        from muster._base.tasks import inputs_at_hand

        try:
            arguments, inputs = channel.arguments, channel.inputs()
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

    def secede(self):
        """Give the thread back; the task goes on."""
        if self.task is not None and not self.seceded:
            self.channel.seceded()


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
        return [struct.pack("<IQ", 0, len(body)), body]
    from muster._base import serialize

    try:
        return serialize.dumps_parts(value)
    except Exception as error:
        raise TypeError(f"the result, a {_type_name(value)}, {error}") from error


def _told(error):
    from muster._base import serialize

    # The executor's own frames are not part of the user's story.
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == __file__:
        tb = tb.tb_next
    return serialize.dumps_error(error.with_traceback(tb), skip=0)


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
