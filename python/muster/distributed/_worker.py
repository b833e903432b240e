"""What tasks may do on a cluster: start tasks of their own, give their thread back, look where they run."""

import contextlib
import os
import threading

from muster._base import context, registry

_task_clients = {}  # by depth


def get_client(address=None, timeout=None, resolve_address=True):
    """Return the client: inside a task one of the task's own cluster, elsewhere the active one.

    Raises
    ------
    ValueError
        If there is none.
    """
    executor = context.executor()
    if executor is None:
        client = context.client()
        if client is None or (address is not None and client.scheduler_address != address):
            if address is not None:
                return registry.given("client")(address, timeout=timeout or "10 s")
            raise ValueError("No global client found and no address provided")
        return client
    client = _task_clients.get(executor.depth)
    if client is None or client.status != "running":
        client = _task_clients[executor.depth] = registry.given("client")(executor.scheduler, name="worker-client", set_as_default=False)
    return client


def core(address=None):
    """Return the connection with which persisted collections that were unpickled here are read; theirs is the cluster of `address`."""
    try:
        client = get_client()
    except ValueError:
        raise ValueError(
            "a persisted collection lies on the workers of its cluster: in another process it can be unpickled while a client of that is active, "
            "Client(address)"
        ) from None
    if address is not None and context.executor() is None and client.scheduler_address != address:
        raise ValueError(f"a persisted collection lies on the cluster of {address}, the active client is of {client.scheduler_address}")
    return client._core


registry.give("core", core)


def depth():
    """Return how many tasks are around what is submitted here: 0 outside of tasks."""
    executor = context.executor()
    return 0 if executor is None else executor.depth + 1


def secede():
    """Give this task's thread to other tasks; the task goes on. A no-op outside of tasks.

    While 16 tasks of a worker go on so, other tasks begin there only if a task submitted them.
    """
    executor = context.executor()
    if executor is not None:
        executor.secede()
        executor.seceded = True


def give_way():
    """Secede, if this is a task that still holds its thread: what it waits for may be queued behind it. Called where a wait is not over at once."""
    executor = context.executor()
    if executor is not None and not executor.seceded and threading.current_thread() is threading.main_thread():
        secede()


def rejoin():
    """Take part in the worker's work again, after `secede`."""
    executor = context.executor()
    if executor is not None:
        executor.seceded = False


@contextlib.contextmanager
def worker_client(timeout=None, separate_thread=True):
    """A client inside a task: `with worker_client() as client`. The task's thread serves others meanwhile."""
    client = get_client(timeout=timeout)
    if separate_thread:
        secede()
    try:
        yield client
    finally:
        if separate_thread:
            rejoin()


local_client = worker_client


class WorkerView:
    """The worker a task runs on, as the task may see it.

    Attributes set on it are shared by the tasks of one executor process only.
    """

    def __init__(self, executor):
        self.address, self.name, self.scheduler_addr = executor.worker, executor.name, executor.scheduler
        self.id = executor.name
        self.local_directory = os.getcwd()

    @property
    def client(self):
        """A client of the worker's cluster."""
        return get_client()

    def __repr__(self):
        return f"<Worker: {self.address!r}, name: {self.name}>"


def get_worker():
    """Return the worker this task runs on.

    Raises
    ------
    ValueError
        Outside of tasks.
    """
    executor = context.executor()
    if executor is None:
        raise ValueError("No worker found")
    view = getattr(executor, "view_of_worker", None)
    if view is None:
        view = executor.view_of_worker = WorkerView(executor)
    return view
