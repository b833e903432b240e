"""What can happen to a task on a cluster."""

import concurrent.futures
from typing import Any

from muster._base import serialize


class FutureCancelledError(concurrent.futures.CancelledError):
    """The result of a future that was cancelled, or whose data are lost, was asked for."""

    def __init__(self, key: Any, reason: str = "unknown", msg: str | None = None) -> None:
        self.key, self.reason, self.msg = key, reason, msg or reason
        super().__init__(f"{key} cancelled for reason: {reason}.\n{msg}" if msg else f"{key} cancelled for reason: {reason}.")

    def __reduce__(self):
        return FutureCancelledError, (self.key, self.reason, self.msg)


class KilledWorker(Exception):
    """A task whose process died again and again: it counts as the cause."""

    def __init__(self, task: Any, last_worker: str = "", allowed_failures: int = 3) -> None:
        self.task, self.last_worker, self.allowed_failures = task, last_worker, allowed_failures
        super().__init__(f"the task {task!r} ended its process each time it was tried ({last_worker}); it is not tried again")

    def __reduce__(self):
        return KilledWorker, (self.task, self.last_worker, self.allowed_failures)


class Reschedule(Exception):
    """Raised by a task that wants to be run again, elsewhere if possible."""


class ClosedClientError(Exception):
    """The client is closed."""


class UnreachableError(OSError):
    """No worker that has a result answers; it is made again once the scheduler knows."""


CancelledError = concurrent.futures.CancelledError
TimeoutError = TimeoutError

serialize.runtime_errors.update({
    "killed": lambda error: KilledWorker(error.task, error.message),
    "lost": lambda error: FutureCancelledError("", error.message),
    "disconnected": lambda error: FutureCancelledError("", error.message),
})  # fmt: skip
