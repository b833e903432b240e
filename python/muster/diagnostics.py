"""What to watch while something is computed."""

import os
import sys
import threading
import time
from typing import Any, NamedTuple, Self, TextIO

from muster.callbacks import Callback


class ProgressBar(Callback):
    """Shows a bar while collections are computed inside its `with` block, or from `register()` on.

    Parameters
    ----------
    minimum : float, default 0
        Seconds before a bar is shown.
    width : int, default 40
        Characters.
    dt : float, default 0.1
        Seconds between updates.
    out : file, optional
        Where to write; default sys.stdout.

    Examples
    --------
    >>> import io, muster.dataframe as dd
    >>> from muster.diagnostics import ProgressBar
    >>> out = io.StringIO()
    >>> with ProgressBar(out=out):
    ...     n = len(dd.from_dict({"x": [1, 2]}, npartitions=1))
    >>> "100% Completed" in out.getvalue()
    True
    """

    def __init__(self, minimum: float = 0, width: int = 40, dt: float = 0.1, out: TextIO | None = None) -> None:
        super().__init__()
        self._minimum, self._width, self._dt = minimum, width, dt
        self._out = out
        self._shown = False
        self.last_duration = 0.0

    def _begin(self):
        self._begun = time.perf_counter()
        self._drawn = 0.0
        self._state = (0, 1)
        self._shown = False

    def _tick(self, done, tasks, size):
        self._state = (done, max(tasks, 1))
        elapsed = time.perf_counter() - self._begun
        if elapsed >= self._minimum and elapsed - self._drawn >= self._dt:
            self._drawn = elapsed
            self._draw(elapsed)

    def _end(self):
        self.last_duration = elapsed = time.perf_counter() - self._begun
        if elapsed >= self._minimum:
            self._draw(elapsed)
            print(file=self._out or sys.stdout, flush=True)

    def _draw(self, elapsed):
        done, tasks = self._state
        share = done / tasks
        bar = "#" * int(self._width * share)
        unit = f"{elapsed * 1000:.2f} ms" if elapsed < 1 else f"{elapsed:.2f} s" if elapsed < 60 else f"{int(elapsed // 60)}m {elapsed % 60:.1f}s"
        out = self._out or sys.stdout
        out.write(f"\r[{bar:<{self._width}}] | {int(share * 100):3d}% Completed | {unit}")
        out.flush()


class TaskData(NamedTuple):
    """What `Profiler` says of a task."""

    key: Any
    task: Any
    start_time: float
    end_time: float
    worker_id: int


class ResourceData(NamedTuple):
    """What `ResourceProfiler` says of a moment: memory in MB, CPU in % of one processor."""

    time: float
    mem: float
    cpu: float


class _Recorder(Callback):
    """Keeps results of the computations inside its `with` block, or from `register()` to `unregister()`; they are emptied when the block is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Any] = []
        self.start_time = self.end_time = 0.0

    def __enter__(self) -> Self:
        self.clear()
        self.start_time = time.perf_counter()
        return super().__enter__()

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.end_time = time.perf_counter()

    def clear(self) -> None:
        """Forget the results."""
        self.results = []

    def visualize(self, **kwargs: Any) -> Any:
        """Not there yet: `results` are plain tuples that any plotting library takes."""
        raise NotImplementedError(f"{type(self).__name__}.visualize is not there yet; its `results` are plain tuples")


class Profiler(_Recorder):
    """Says of each task of this process when it ran, and in which thread.

    Attributes
    ----------
    results : list of TaskData
        (key, task, start_time, end_time, worker_id), times as of `time.perf_counter`, in the order in which tasks ended. Tasks that raised are left out.

    Examples
    --------
    >>> from operator import add
    >>> from muster.diagnostics import Profiler
    >>> from muster.threaded import get
    >>> with Profiler() as profile:
    ...     x = get({"x": 1, "y": (add, "x", 10)}, "y")
    >>> [task.key for task in profile.results]
    ['y']
    """

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[Any, float] = {}

    def _pretask(self, key, dsk, state):
        self._begun[key] = time.perf_counter()

    def _posttask(self, key, value, dsk, state, worker_id):
        self.results.append(TaskData(key, dsk[key], self._begun.pop(key), time.perf_counter(), worker_id))

    def clear(self) -> None:
        """Forget the results."""
        super().clear()
        self._begun = {}


class ResourceProfiler(_Recorder):
    """Says from time to time how much memory and CPU this process uses, while it is registered.

    Parameters
    ----------
    dt : float, default 1
        Seconds between results; one is taken when each computation begins and ends, too.

    Attributes
    ----------
    results : list of ResourceData
        (time, mem, cpu), time as of `time.perf_counter`.

    Examples
    --------
    >>> import muster
    >>> from muster.diagnostics import ResourceProfiler
    >>> with ResourceProfiler(dt=0.01) as profile:
    ...     x = muster.delayed(abs)(-1).compute()
    >>> len(profile.results) > 0
    True
    """

    def __init__(self, dt: float = 1) -> None:
        super().__init__()
        self._dt = dt
        self._stop: threading.Event | None = None
        self._last = (time.perf_counter(), time.process_time())

    def _is_running(self) -> bool:
        return self._stop is not None

    def _take(self):
        now, used = time.perf_counter(), time.process_time()
        before, before_used = self._last
        self._last = (now, used)
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        self.results.append(ResourceData(now, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 100 * (used - before_used) / max(now - before, 1e-9)))

    def _watch(self, stop):
        while not stop.wait(self._dt):
            self._take()

    def _begin(self):
        super()._begin()
        if self._stop is None:
            self._stop = threading.Event()
            threading.Thread(target=self._watch, args=(self._stop,), name="muster-resources", daemon=True).start()
        self._take()

    def _end(self):
        super()._end()
        self._take()
        self.close()

    def close(self) -> None:
        """Stop watching."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None
