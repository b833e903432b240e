"""Tasks: muster's and the rivals' programs.

tasks.py SYSTEM QUESTION prints one line of JSON: best and first seconds (of one task where the question says so).
"""

import json
import sys
import time

N = 20_000
SIZE = 400_000_000


def inc(x):
    return x + 1


def timed(function, repeat):
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return {"first": times[0], "best": min(times)}


def per_task(result, tasks):
    return {k: v / tasks for k, v in result.items()}


def make(n):
    import numpy as np

    return np.ones(n // 8)


def read(a):
    return float(a.sum())


def client_of(system, **kwargs):
    if system.startswith("muster"):
        from muster.distributed import Client

        return Client(n_workers=2, threads_per_worker=1, dashboard_address=None, **kwargs)
    from distributed import Client

    return Client(n_workers=2, threads_per_worker=1, dashboard_address=":0", **kwargs)


def merge(system):
    if system == "ray":
        import ray

        ray.init(num_cpus=2, log_to_driver=False)
        remote, total = ray.remote(inc), ray.remote(lambda *xs: sum(xs))
        return per_task(timed(lambda: ray.get(total.remote(*[remote.remote(i) for i in range(2000)])), 3), 2001)
    if system.startswith("muster"):
        from muster import delayed
    else:
        from dask import delayed
    lazy = delayed(inc)
    scheduler = {"muster": "threads", "dask": "sync"}.get(system)
    if scheduler is None:
        client_of(system)
    kwargs = {"scheduler": scheduler} if scheduler else {}
    return per_task(timed(lambda: delayed(sum)([lazy(i) for i in range(N)]).compute(**kwargs), 7 if system.startswith("muster") else 1), N + 1)


def latency(system):
    if system == "ray":
        import ray

        ray.init(num_cpus=2, log_to_driver=False)
        remote = ray.remote(inc)
        ray.get(remote.remote(0))
        return per_task(timed(lambda: [ray.get(remote.remote(i)) for i in range(200)], 3), 200)
    client = client_of(system)
    numbers = iter(range(10**9))
    client.submit(inc, next(numbers)).result()
    return per_task(timed(lambda: [client.submit(inc, next(numbers)).result() for _ in range(300)], 5), 300)


def ready(system):
    return timed(lambda: client_of(system).close(), 5)


def map_million(system):
    client = client_of(system)

    def run():
        task = client._core.submit_nothing(1_000_000)
        client._core.wait([task], False, 60)
        assert client._core.status(task) == "finished"
        client._core.release(task)

    return timed(run, 3)


def transfer(system):
    """An array made by one task and read by another on the other worker, in seconds; the bytes are SIZE."""
    kwargs = {"protocol": "tcp"} if system == "muster-tcp" else {}
    client = client_of(system, **kwargs)
    a, b = list(client.scheduler_info()["workers"])

    def run():
        x = client.submit(make, SIZE, workers=[a], pure=False)
        assert client.submit(read, x, workers=[b], pure=False).result() == SIZE // 8

    return timed(run, 3)


def socket_limit():
    """Two processes that do nothing but send and receive SIZE bytes over loopback, into memory that is there already, and sum what came."""
    import os
    import socket

    import numpy as np

    with socket.create_server(("127.0.0.1", 0)) as server:
        if os.fork() == 0:
            data = memoryview(make(SIZE)).cast("B")
            for _ in range(3):
                with socket.create_connection(server.getsockname()) as out:
                    out.recv(1)
                    out.sendall(data)
            os._exit(0)
        room = np.zeros(SIZE // 8)
        times = []
        for _ in range(3):
            came, _ = server.accept()
            with came:
                start = time.perf_counter()
                came.sendall(b"x")
                view, have = memoryview(room).cast("B"), 0
                while have < SIZE:
                    have += came.recv_into(view[have:])
                assert read(room) == SIZE // 8
                times.append(time.perf_counter() - start)
        os.wait()
    return {"first": times[0], "best": min(times)}


def read_only(system):
    """Only the second half: the array is there, the other worker reads it."""
    if system == "limit-tcp":
        return socket_limit()
    kwargs = {"protocol": "tcp"} if system == "muster-tcp" else {}
    client = client_of(system, **kwargs)
    a, b = list(client.scheduler_info()["workers"])
    times = []
    for _ in range(3):
        x = client.submit(make, SIZE, workers=[a], pure=False)
        assert x.exception() is None
        start = time.perf_counter()
        assert client.submit(read, x, workers=[b], pure=False).result() == SIZE // 8
        times.append(time.perf_counter() - start)
    return {"first": times[0], "best": min(times)}


def scatter(system):
    client, data = client_of(system), make(SIZE)
    return timed(lambda: client.scatter(data, hash=False), 3)


def gather(system):
    client = client_of(system)
    future = client.scatter(make(SIZE), hash=False)
    return timed(lambda: client.gather(future), 3)


QUESTIONS = {
    "merge": merge, "latency": latency, "ready": ready, "map-1M": map_million, "transfer": transfer, "read": read_only, "scatter": scatter, "gather": gather,
}

if __name__ == "__main__":
    result = QUESTIONS[sys.argv[2]](sys.argv[1])
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
