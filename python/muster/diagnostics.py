"""What to watch while something is computed."""

import sys
import time
from typing import Self, TextIO

from muster import _run


class ProgressBar:
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
        self._minimum, self._width, self._dt = minimum, width, dt
        self._out = out
        self._shown = False
        self.last_duration = 0.0

    def register(self) -> None:
        """Show a bar for every computation of this thread from now on."""
        _run.active_callbacks().append(self)

    def unregister(self) -> None:
        """Stop showing bars."""
        _run.active_callbacks().remove(self)

    def __enter__(self) -> Self:
        self.register()
        return self

    def __exit__(self, *exc: object) -> None:
        self.unregister()

    def _begin(self):
        self._start = time.perf_counter()
        self._drawn = 0.0
        self._state = (0, 1)
        self._shown = False

    def _tick(self, done, tasks, size):
        self._state = (done, max(tasks, 1))
        elapsed = time.perf_counter() - self._start
        if elapsed >= self._minimum and elapsed - self._drawn >= self._dt:
            self._drawn = elapsed
            self._draw(elapsed)

    def _end(self):
        self.last_duration = elapsed = time.perf_counter() - self._start
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
