"""Large results lie in slabs of shared memory that are written again: nobody sees another result in what it holds, and nothing stays behind."""

import os
import pathlib
import signal
import time

import numpy as np
import pandas as pd
import pytest

from muster.distributed import Client, LocalCluster

N = 400_000  # numbers: 3.2 MB


def children_of(pid):
    out = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            out.append(int(entry.parent.name))
    return out


def slabs_of(pid):
    """The names of the slabs that a process has open or mapped."""
    try:
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text().split()
        links = [os.readlink(f) for f in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return set()
    return {name.removesuffix(" (deleted)") for name in [*maps, *links] if "muster-slab-" in name}


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(params=["unix", "tcp"])
def two(request):
    """A client of two workers with a thread each, and their addresses."""
    kwargs = {"protocol": "tcp"} if request.param == "tcp" else {}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, **kwargs) as cluster, Client(cluster) as client:
        yield client, list(client.scheduler_info()["workers"])


def _full(value, n=N):
    return np.full(n, float(value))


def _is_full(array, value):
    return bool((array == value).all())


def _processes(client):
    nodes = [w["pid"] for w in client.scheduler_info()["workers"].values()]
    return [*nodes, *(c for n in nodes for c in children_of(n))]


def test_slabs_are_written_again(two):
    client, (a, b) = two
    for i in range(12):
        made = client.submit(_full, i, workers=[a], pure=False)
        assert client.submit(_is_full, made, i, workers=[b], pure=False).result()
        del made
    slabs = set().union(*(slabs_of(p) for p in _processes(client)))
    assert 1 <= len(slabs) <= 8, slabs  # one or two of each process that writes


_held = []


def _hold(array):
    _held.append(array)


def _held_are(values):
    return all(_is_full(a, v) for a, v in zip(_held, values, strict=True))


def _let_go():
    _held.clear()


def test_an_array_that_a_task_keeps_stays_as_it_is(two):
    client, (a, b) = two
    for i in range(6):
        made = client.submit(_full, i, workers=[a], pure=False)
        client.submit(_hold, made, workers=[b], pure=False).result()
        del made
        assert client.submit(_held_are, list(range(i + 1)), workers=[b], pure=False).result()
    client.submit(_let_go, workers=[b], pure=False).result()
    made = client.submit(_full, 7, workers=[a], pure=False)
    assert client.submit(_is_full, made, 7, workers=[b], pure=False).result()


def test_a_result_of_the_client_stays_as_it_is(two):
    client, (a, _) = two
    held = [client.submit(_full, i, workers=[a], pure=False).result() for i in range(6)]
    held[0][5] = -1
    frame = client.submit(pd.DataFrame, {"x": np.arange(N)}, pure=False).result()
    scattered = [client.scatter(_full(i), hash=False) for i in range(4)]
    back = client.gather(scattered)
    del scattered
    for i in range(6, 12):
        assert _is_full(client.submit(_full, i, workers=[a], pure=False).result(), i)
        assert _is_full(client.gather(client.scatter(_full(i), hash=False)), i)
    assert held[0][5] == -1
    held[0][5] = 0
    assert all(_is_full(array, i) for i, array in enumerate(held))
    assert all(_is_full(array, i) for i, array in enumerate(back))
    assert (frame.x == np.arange(N)).all()


def _write_into(array, value):
    array += 100
    return _is_full(array, value + 100)


def test_what_a_task_writes_into_its_input_is_seen_by_nobody_else(two):
    client, (a, b) = two
    for i in range(5):
        made = client.submit(_full, i, workers=[a], pure=False)
        for worker in (a, b, b):
            assert client.submit(_write_into, made, i, workers=[worker], pure=False).result()
        assert client.submit(_is_full, made, i, workers=[b], pure=False).result()
        del made


def _fork_and_look(array, value):
    """A child that looks at its parent's input when the task has ended."""
    pid = os.fork()
    if pid:
        return pid
    time.sleep(1)
    os._exit(0 if _is_full(array, value) else 1)


def _status_of(pid):
    return os.waitpid(pid, 0)[1]


def test_a_forked_child_sees_its_parents_input(two):
    client, (a, b) = two
    made = client.submit(_full, 1, workers=[a], pure=False)
    pid = client.submit(_fork_and_look, made, 1, workers=[b], pure=False).result()
    del made
    for i in range(5):
        made = client.submit(_full, 50 + i, workers=[a], pure=False)
        assert client.submit(_is_full, made, 50 + i, workers=[b], pure=False).result()
        del made
    assert client.submit(_status_of, pid, workers=[b], pure=False).result() == 0


def test_readers_and_writers_that_are_killed(two):
    client, (a, b) = two
    nodes = {address: w["pid"] for address, w in client.scheduler_info()["workers"].items()}
    kept = client.submit(_full, 42, workers=[a], pure=False)
    for i in range(4):
        made = client.submit(_full, i, workers=[a], pure=False)
        client.submit(_hold, made, workers=[b], pure=False).result()
        for executor in children_of(nodes[a if i % 2 else b]):
            os.kill(executor, signal.SIGKILL)
        assert client.submit(_is_full, made, i, workers=[b], pure=False, retries=5).result()
        del made
        assert client.submit(_is_full, kept, 42, workers=[b], pure=False, retries=5).result()
    slabs = set().union(*(slabs_of(p) for p in _processes(client)))
    assert len(slabs) <= 12, slabs  # what the killed held is gone


def test_sizes_around_those_that_are_shared(two):
    client, (a, b) = two
    for size in ((1 << 20) - 200, 1 << 20, (1 << 20) + 1, 5_000_001):
        data = np.random.default_rng(size).integers(0, 255, size, dtype=np.uint8)
        made = client.submit(np.array, client.scatter(data, hash=False), workers=[a], pure=False)
        there = client.submit(np.array, made, workers=[b], pure=False)
        assert (there.result() == data).all()
        assert client.submit(bytes, there, workers=[a], pure=False).result() == data.tobytes()


def test_shared_memory_is_bounded_and_gone_at_the_end():
    limit = 160_000_000
    with LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=limit, dashboard_address=None) as cluster, Client(cluster) as client:
        for i in range(30):
            assert _is_full(client.submit(_full, i, N * (1 + i % 7) // 4, pure=False).result(), i)
        processes = _processes(client)
        size = {name: 0 for p in processes for name in slabs_of(p)}
        for p in processes:
            for f in pathlib.Path(f"/proc/{p}/fd").iterdir():
                name = os.readlink(f).removesuffix(" (deleted)")
                if name in size:
                    size[name] = os.stat(f).st_blocks * 512
        assert sum(size.values()) <= limit // 8 + limit // 16, size
    until(lambda: not any(slabs_of(p) for p in processes))
    assert not slabs_of(os.getpid())
