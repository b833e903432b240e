"""Futures on a local cluster."""

import asyncio
import collections
import dataclasses
import operator
import os
import pickle
import sys
import threading
import time
import types

import numpy as np
import pytest

import muster
from muster import delayed
from muster.distributed import (
    Client,
    FutureCancelledError,
    LocalCluster,
    as_completed,
    default_client,
    fire_and_forget,
    futures_of,
    get_client,
    get_worker,
    progress,
    rejoin,
    secede,
    wait,
    worker_client,
)


def inc(x):
    return x + 1


def slow(x, seconds=0.2):
    time.sleep(seconds)
    return x


def div(x, y):
    return x / y


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.01)


def test_first_course(client):
    assert client.submit(pow, 2, 10).result() == 1024
    futures = client.map(inc, range(1000))
    assert client.gather(futures) == list(range(1, 1001))
    total = client.submit(sum, futures)
    assert total.result() == 500500
    assert client.submit(inc, client.submit(inc, 1)).result() == 3


def test_containers_and_keywords(client):
    x = client.submit(inc, 1)
    assert client.submit(lambda a, b=0, *, c: (a, b, c), [x, {"k": (x,)}], b=x, c={"d": x}).result() == ([2, {"k": (2,)}], 2, {"d": 2})
    assert client.gather({"a": x, "b": [x, (x, 5)]}) == {"a": 2, "b": [2, (2, 5)]}
    assert client.map(operator.add, [1, 2], [x, x])[1].result() == 4
    assert [f.result() for f in client.map(lambda x, y: x * y, [1, 2, 3], y=10)] == [10, 20, 30]


Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Pair:
    x: object
    y: object = None


def holders(v):
    standard = [collections.OrderedDict(b=v, a=1), collections.defaultdict(list, k=[v]), collections.deque([0, v], maxlen=2)]
    return [*standard, Point(v, [v]), Pair(v, (v,)), {v, 7}, slice(v, 3)]


def test_kinds_of_containers(client):
    for x in (client.submit(inc, 1), delayed(inc)(1)):
        found = client.submit(lambda h, k: (h, k), holders(x), k={"h": holders(x)}).result()
        assert found == (holders(2), {"h": holders(2)})
        assert found[0][1].default_factory is list and found[0][2].maxlen == 2
    assert delayed(lambda h: h)(holders(delayed(inc)(1))).compute() == holders(2)
    assert client.gather(holders(client.submit(inc, 1))) == holders(2)
    x, bad = client.submit(inc, 1), client.submit(div, 1, 0)
    assert client.gather([holders(bad), x, bad, {"a": x, "b": bad}], errors="skip") == [
        [{"a": 1}, {"k": []}, collections.deque([0]), Point(None, []), Pair(None, ()), {7}, slice(None, 3)], 2, {"a": 2},
    ]  # fmt: skip
    assert client.gather(bad, errors="skip") is None


def test_shared_containers(client):
    for leaf in (1, client.submit(inc, 1), delayed(inc)(1)):
        nested = leaf
        for _ in range(60):
            nested = [nested, nested]
        assert client.submit(lambda n: (len(n), n[0] is n[1]), nested).result() == (2, True)
    found = client.gather(nested_futures(client.submit(inc, 1)))
    assert found[0] is found[1]


def nested_futures(x):
    for _ in range(60):
        x = (x, x)
    return x


def test_equal_calls_are_one_task(client):
    a, b = client.submit(inc, 10), client.submit(inc, 10)
    assert a.key == b.key and a == b
    assert client.submit(os.getpid, pure=False).key != client.submit(os.getpid, pure=False).key
    assert client.submit(inc, 1, key="mine").key == "mine"
    first = client.submit(inc, 1, key="named")
    with pytest.warns(UserWarning, match="named"):
        same = client.submit(inc, 100, key="named")  # another call under a key that is in use: the older result
    assert same.result() == first.result() == 2


def test_large_data_go_around_the_scheduler(client):
    x = np.arange(3_000_000)
    f = client.submit(lambda n: np.arange(n), 3_000_000)
    assert (f.result() == x).all()
    assert client.submit(lambda a: int(a.sum()), f).result() == int(x.sum())
    assert client.submit(lambda a: int(a.sum()), x).result() == int(x.sum())  # an argument
    assert f.type == "numpy.ndarray" and client.nbytes([f], summary=False)[f.key] > x.nbytes


def test_tasks_may_change_their_arguments(client):
    def change(a):
        a += 1
        return int(a[0])

    f = client.submit(np.zeros, 500_000)
    assert [client.submit(change, f, pure=False).result() for _ in range(3)] == [1, 1, 1]
    result = f.result()
    result += 5
    assert f.result()[0] == 0


def test_errors(client):
    f = client.submit(div, 1, 0)
    with pytest.raises(ZeroDivisionError) as info:
        f.result()
    assert any(entry.name == "div" for entry in info.traceback)
    assert isinstance(f.exception(), ZeroDivisionError) and f.status == "error"
    assert f.traceback() is not None
    g = client.submit(inc, f)
    with pytest.raises(ZeroDivisionError):
        g.result()
    with pytest.raises(ZeroDivisionError):
        client.gather([f, client.submit(inc, 1)])
    assert client.gather([f, client.submit(inc, 1)], errors="skip") == [2]
    assert client.submit(inc, 1).exception() is None


def test_exceptions_of_ones_own(client):
    class Special(Exception):
        def __init__(self, a, b):
            super().__init__(a)
            self.b = b

    def fails():
        raise Special("a", threading.Lock())

    with pytest.raises(Exception, match="a"):
        client.submit(fails).result()


def test_what_cannot_be_sent_is_named(client):
    lock = threading.Lock()

    def uses_it():
        return lock

    with pytest.raises(TypeError, match="variable 'lock'"):
        client.submit(uses_it)
    with pytest.raises(TypeError, match="lock"):
        client.submit(inc, lock)
    with pytest.raises(TypeError, match="lock"):
        client.submit(threading.Lock).result()
    with pytest.raises(TypeError, match="callable"):
        client.submit(5)
    assert client.submit(inc, 1).result() == 2


class BadLoad:
    def __reduce__(self):
        return int, ("no number",)


def test_what_does_not_unpickle(client):
    with pytest.raises(ValueError, match="no number"):
        client.submit(type, BadLoad()).result()
    with pytest.raises(ValueError, match="no number"):
        client.submit(BadLoad).result()
    assert client.submit(inc, 1).result() == 2


def raises_what_only_it_has():
    module = types.ModuleType("only_there")
    exec("class Strange(Exception):\n    pass\n", module.__dict__)
    sys.modules["only_there"] = module
    error = module.Strange("the reason")
    error.add_note("a note")
    raise error


def test_an_exception_that_cannot_be_made_here_is_told(client):
    error = client.submit(raises_what_only_it_has).exception()
    assert type(error) is RuntimeError
    assert "only_there.Strange: the reason" in str(error) and "in raises_what_only_it_has" in str(error)
    assert error.__notes__[0] == "a note" and "only_there" in error.__notes__[1]


def raises_with_notes():
    error = ValueError("half of a pair: \ud800")
    error.add_note("first")
    raise error from KeyError("cause")


def test_notes_and_causes_of_exceptions(client):
    error = client.submit(raises_with_notes).exception()
    assert repr(error) == repr(ValueError("half of a pair: \ud800")) and error.__notes__ == ["first"]
    assert repr(error.__cause__) == "KeyError('cause')"


def test_timeouts(client):
    f = client.submit(slow, 1, 0.5)
    with pytest.raises(TimeoutError):
        f.result(timeout=0.05)
    assert f.result(timeout="10 s") == 1
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="timeout of 0.3"):
        client.submit(slow, 2, 30, timeout="300 ms").result()
    assert time.monotonic() - start < 5


def test_wait_and_as_completed(client):
    futures = [client.submit(slow, i, i / 2, pure=False) for i in (3, 0)]
    done, left = wait(futures, return_when="FIRST_COMPLETED")
    assert done == {futures[1]} and left == {futures[0]}
    assert wait(futures).not_done == set()
    with pytest.raises(TimeoutError):
        wait(client.submit(slow, 5, 1), timeout=0.05)
    futures = client.map(slow, [3, 1, 2], [0.3, 0.1, 0.2])
    seen = as_completed(futures, with_results=True)
    first = next(seen)
    seen.add(client.submit(inc, 10))
    assert sorted(r for _, r in [first, *seen]) == [1, 2, 3, 11]
    assert seen.is_empty() and seen.count() == 0
    assert sum(len(batch) for batch in as_completed(client.map(inc, range(20))).batches()) == 20


def test_cancel_stops(client):
    f = client.submit(time.sleep, 60, pure=False)
    g = client.submit(inc, f)
    until(lambda: any(client.processing().values()))
    f.cancel()
    assert f.cancelled() and g.cancelled()
    with pytest.raises(FutureCancelledError):
        f.result()
    start = time.monotonic()
    assert client.gather(client.map(slow, range(2), [0.01, 0.01])) == [0, 1]
    assert time.monotonic() - start < 3

    def spin():
        while True:
            pass

    f = client.submit(spin)
    until(lambda: any(client.processing().values()))
    f.cancel()
    assert client.submit(inc, 5).result(timeout=10) == 6


def test_retries(client, tmp_path):
    path = tmp_path / "tries"

    def flaky(path, good):
        with open(path, "a") as file:
            file.write("x")
        if os.path.getsize(path) < good:
            raise OSError("not yet")
        return os.path.getsize(path)

    assert client.submit(flaky, str(path), 3, retries=5).result() == 3
    path.unlink()
    f = client.submit(flaky, str(path), 2, pure=False)
    with pytest.raises(OSError, match="not yet"):
        f.result()
    f.retry()
    assert f.result() == 2


def test_priorities_and_restrictions(client):
    addresses = list(client.nthreads())
    for a in addresses:
        assert client.submit(lambda: get_worker().address, workers=[a], pure=False).result() == a
    f = client.submit(inc, 1, workers=["nowhere"], key="restricted")
    with pytest.warns(UserWarning, match="no worker is one of nowhere"), pytest.raises(TimeoutError):
        f.result(timeout=2.5)
    assert f.status == "pending"
    f.cancel()
    assert client.submit(inc, 1, workers="nowhere", allow_other_workers=True, pure=False).result() == 2
    with pytest.raises(ValueError, match="allow_other_workers"):
        client.submit(inc, 1, allow_other_workers=True)
    with pytest.raises(TypeError, match="retries"):
        client.submit(inc, 1, retries=-1)


def test_scatter(client):
    data = client.scatter(np.arange(500_000))
    assert client.submit(np.sum, data).result() == np.arange(500_000).sum()
    assert client.gather(client.scatter([1, 2, 3])) == [1, 2, 3]
    assert client.gather(client.scatter({"a": 1, "b": [2]})) == {"a": 1, "b": [2]}
    everywhere = client.scatter({"x": 1, "y": 2}["x"], broadcast=True)
    assert len(client.who_has([everywhere])[everywhere.key]) == 2
    assert client.scatter("text").key == client.scatter("text").key
    assert client.scatter("text", hash=False).key != client.scatter("text", hash=False).key


def test_what_is_where(client):
    f = client.submit(inc, 41, key="where")
    f.result()
    (address,) = client.who_has([f])["where"]
    assert "where" in client.has_what()[address]
    info = client.scheduler_info()
    assert set(info["workers"]) == set(client.nthreads()) == set(client.ncores())
    assert sum(client.nthreads().values()) == 2
    del f
    until(lambda: "where" not in [k for ks in client.has_what().values() for k in ks])


def test_everything_is_freed(client):
    futures = client.map(inc, range(100))
    wait(futures)
    del futures
    until(lambda: not any(client.has_what().values()))


def test_delayed_on_the_cluster(client):
    @delayed
    def add(x, y):
        return x + y

    total = add(delayed(inc)(1), delayed(inc)(12))
    assert total.compute() == 15
    assert delayed(sum)([delayed(inc)(i) for i in range(200)]).compute() == sum(range(1, 201))
    f = client.compute(total)
    assert f.result() == 15 and f.key == total.key
    assert client.gather(client.compute([total, add(f, 1)])) == [15, 16]
    kept = total.persist()
    assert futures_of(kept) and kept.compute() == 15 and add(kept, 1).compute() == 16
    assert muster.compute(total, [kept, {"k": total}], 5) == (15, [15, {"k": 15}], 5)
    assert total.compute(scheduler="threads") == 15
    nested = delayed(lambda v: v["a"][0] + v["b"][1])({"a": [total], "b": (1, kept)})
    assert nested.compute() == 30
    with pytest.raises(ZeroDivisionError):
        delayed(inc)(delayed(div)(1, 0)).compute()
    assert client.get({"x": 1, "y": (inc, "x"), ("z", 0): (sum, ["x", "y"])}, [("z", 0), "y"]) == [3, 2]
    with muster.annotate(workers=[list(client.nthreads())[1]]):
        where = delayed(lambda: get_worker().address)()
    assert delayed(lambda a, b: (a, b))(where, delayed(inc)(0)).compute() == (list(client.nthreads())[1], 1)


def test_tasks_start_tasks(client):
    def outer(n):
        with worker_client() as c:
            return sum(c.gather(c.map(inc, range(n))))

    assert client.gather(client.map(outer, [3, 4, 5])) == [6, 10, 15]

    def fib(n):
        if n < 2:
            return n
        c = get_client()
        a, b = c.submit(fib, n - 1), c.submit(fib, n - 2)
        secede()
        a, b = c.gather([a, b])
        rejoin()
        return a + b

    assert client.submit(fib, 4).result(timeout=60) == 3


def test_futures_inside_objects(client):
    class Holder:
        def __init__(self, future):
            self.future = future

    f = client.submit(inc, 1)
    assert client.submit(lambda h: h.future.result() + 1, Holder(f)).result() == 3


def test_a_future_that_is_wanted_again_at_once(client):
    # The handle goes while the task runs, and its pickled copy arrives before the cluster has heard of that.
    for seconds in (0, 0.2):
        data = pickle.dumps(client.submit(slow, 5, seconds, pure=False))
        assert pickle.loads(data).result(timeout=20) == 5


def test_what_was_cancelled_is_no_input(client):
    gone = client.submit(slow, 1, 5, pure=False)
    gone.cancel()
    for call in (lambda: client.submit(inc, gone), lambda: client.submit(sum, [gone]), lambda: client.map(inc, [gone]), lambda: delayed(inc)(gone).compute()):
        with pytest.raises(FutureCancelledError, match="slow"):
            call()


def test_executor(client):
    with client.get_executor() as pool:
        assert pool.submit(pow, 2, 5).result() == 32
        assert list(pool.map(inc, range(10))) == list(range(1, 11))
    with pytest.raises(RuntimeError):
        pool.submit(inc, 1)
    with pytest.raises(TypeError, match="unsupported"):
        client.get_executor(nonsense=1)


def test_fire_and_forget(client, tmp_path):
    path = tmp_path / "made"
    fire_and_forget(client.submit(lambda p: open(p, "w").close(), str(path)))
    until(path.exists)


def test_asynchronous(cluster):
    async def f():
        async with Client(cluster, asynchronous=True, set_as_default=False) as c:
            x = c.submit(inc, 1)
            assert await x == 2
            assert await x.result() == 2
            assert await c.gather(c.map(inc, range(5))) == [1, 2, 3, 4, 5]
            seen = []
            async for future in as_completed(c.map(slow, [2, 1], [0.2, 0.1])):
                seen.append(await future)
            assert sorted(seen) == [1, 2]
            with pytest.raises(ZeroDivisionError):
                await c.submit(div, 1, 0)
            return "done"

    assert asyncio.run(f()) == "done"


def test_bad_words_to_wait_and_cluster(client):
    assert wait([]).done == wait({}).not_done == set()
    for nothing in (5, [1, 2], {"a": 1}):
        with pytest.raises(TypeError, match="no future"):
            wait(nothing)
    for call in (LocalCluster, Client):
        with pytest.raises(TypeError, match="unexpected keyword 'n_workrs'; did you mean 'n_workers'"):
            call(n_workrs=2)


def test_several_clients(cluster, client):
    with Client(cluster, set_as_default=False) as other:
        assert default_client() is client
        f = other.submit(inc, 1)
        assert f.result() == 2
        with pytest.raises(ValueError, match="another client"):
            other._id_of(_foreign())
        with other.as_current():
            assert default_client() is other
    assert client.submit(inc, 5).result() == 6
    with pytest.raises(Exception, match="closed"):
        other.submit(inc, 1)


def _foreign():
    class Other:
        scheduler_address = "unix://@elsewhere"
        _core = None

    class F:
        client = Other()
        _id = 5

    return F()


def test_callbacks_and_progress(client, capsys):
    heard = threading.Event()
    client.submit(slow, 1, 0.1).add_done_callback(lambda f: heard.set())
    assert heard.wait(5)
    progress(client.map(inc, range(10)))
    assert "100% Completed" in capsys.readouterr().out


def test_names_that_come_later(client):
    for name in ("publish_dataset", "run", "upload_file", "register_plugin", "profile"):
        with pytest.raises(NotImplementedError, match=name):
            getattr(client, name)
    from muster import distributed

    with pytest.raises(NotImplementedError, match="Queue"):
        distributed.Queue("q")
    with pytest.raises(AttributeError):
        client.nonsense


def test_reprs(client, cluster):
    assert "processes=2" in repr(client) and "workers=2" in repr(cluster)
    assert "<table>" in client._repr_html_() and "<table>" in cluster._repr_html_()
    f = client.submit(inc, 1, key="named")
    f.result()
    assert "finished" in repr(f) and "named" in repr(f) and "named" in f._repr_html_()


def test_many_functions_on_many_threads():
    with Client(n_workers=1, threads_per_worker=4, dashboard_address=None) as c:
        futures = [c.submit(eval(f"lambda x: x + {k}"), i, pure=False) for k in range(60) for i in range(10)]
        assert c.gather(futures) == [i + k for k in range(60) for i in range(10)]
        both = c.map(lambda i, other: (i, other), range(200), [futures[5]] * 200)
        assert c.gather(both) == [(i, 5) for i in range(200)]
        start = time.monotonic()
        c.gather(c.map(time.sleep, [0.3] * 4, pure=False))
        assert time.monotonic() - start < 1.1


def test_tracebacks_name_the_file(client):
    with pytest.raises(ZeroDivisionError) as info:
        client.submit(lambda: 1 / 0).result()
    assert any(entry.path and str(entry.path).endswith("test_client.py") and entry.name == "<lambda>" for entry in info.traceback)


def test_a_cluster_over_tcp_has_a_port():
    with LocalCluster(n_workers=1, threads_per_worker=1, protocol="tcp", dashboard_address=None) as cluster:
        assert cluster.scheduler_address.startswith("tcp://127.0.0.1:")
        with Client(cluster.scheduler_address, set_as_default=False) as other:
            assert other.submit(pow, 2, 5).result() == 32
            assert all(w.startswith("tcp://") for w in other.scheduler_info()["workers"])
