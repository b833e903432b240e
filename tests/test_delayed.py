"""Calls that wait: graphs of Python tasks in this process."""

import collections
import concurrent.futures
import dataclasses
import operator
import pickle
import threading
import time

import pytest

import muster
from muster import delayed
from muster.delayed import Delayed
from muster.threaded import get


def inc(x):
    return x + 1


def add(x, y):
    return x + y


@pytest.fixture(params=["threads", "synchronous"])
def scheduler(request):
    with muster.config.set(scheduler=request.param):
        yield request.param


def test_first_course(scheduler):
    total = delayed(add)(delayed(inc)(1), delayed(inc)(12))
    assert isinstance(total, Delayed) and total.compute() == 15
    results = [delayed(inc)(i) for i in range(8)]
    assert delayed(sum)(results).compute() == 36
    assert sum(results).compute() == 36
    assert muster.compute(*results) == tuple(range(1, 9))
    evens = []
    for i in range(10):
        evens.append(delayed(inc)(i) if i % 2 == 0 else delayed(add)(i, i))
    assert muster.compute(evens) == ([1, 2, 3, 6, 5, 10, 7, 14, 9, 18],)


def test_decorator_keywords_and_defaults(scheduler):
    @delayed
    def f(a, b=2, *args, c, **kwargs):
        """Its own documentation."""
        return a, b, args, c, kwargs

    x = delayed(inc)(0)
    assert f(x, c=x, d=[x, {"k": x}]).compute() == (1, 2, (), 1, {"d": [1, {"k": 1}]})
    assert f(1, 2, x, c=3).compute() == (1, 2, (1,), 3, {})
    assert f.__name__ == "f" and f.__doc__ == "Its own documentation."


def test_containers(scheduler):
    @dataclasses.dataclass
    class Point:
        x: object
        y: object = 0

    Pair = collections.namedtuple("Pair", "a b")
    one = delayed(inc)(0)
    value = {"list": [one, 2], "tuple": (one, (one,)), "set": {3}, "point": Point(one), "pair": Pair(one, [one]), "slice": slice(one, None)}
    assert delayed(value).compute() == {"list": [1, 2], "tuple": (1, (1,)), "set": {3}, "point": Point(1), "pair": Pair(1, [1]), "slice": slice(1, None)}
    assert muster.compute(value, 5)[0]["point"] == Point(1)
    kept = [one]
    assert delayed(lambda v: v, traverse=False)(kept).compute() == [one]
    assert muster.compute([one], traverse=False) == ([one],)
    values = [1, 2]
    lazy = delayed(len)([one, *values])
    values.append(3)
    assert lazy.compute() == 3


Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: object
    rest: list = dataclasses.field(default_factory=list)


class Box(dict):
    def __init__(self, owner):
        self.owner = owner


class Row(list):
    pass


def holders(v):
    """One of each kind of container around a value that can be hashed."""
    box, row = Box("me"), Row([1, v])
    box["k"] = v
    row.name = "r"
    return {
        "ordered": collections.OrderedDict([("b", v), ("a", 1)]),
        "default": collections.defaultdict(list, {"k": [v]}),
        "counter": collections.Counter({v: 2}),
        "deque": collections.deque([0, v, 2], maxlen=3),
        "point": Point(v, [v]),
        "frozen": Frozen(v, [(v,)]),
        "set": {v, 7},
        "frozenset": frozenset([v]),
        "slice": slice(v, None, 2),
        "key": {v: "value", (v, 1): "pair"},
        "box": box,
        "row": row,
    }


def check_holders(found, v):
    wanted = holders(v)
    for name, value in wanted.items():
        assert found[name] == value and type(found[name]) is type(value), name
    assert list(found["ordered"]) == ["b", "a"]
    assert found["default"].default_factory is list and found["default"]["new"] == []
    assert found["deque"].maxlen == 3 and found["box"].owner == "me" and found["row"].name == "r"


def test_kinds_of_containers(scheduler):
    check_holders(delayed(_identical)(holders(delayed(inc)(1))).compute(), 2)
    check_holders(muster.compute(holders(delayed(inc)(1)))[0], 2)
    check_holders(delayed(holders(delayed(inc)(1))).compute(), 2)


def _identical(x):
    return x


def test_iterators(scheduler):
    for kind in (list, tuple, set):
        lazy = iter(kind([delayed(inc)(1)]))
        assert delayed(sum)(lazy).compute() == 2 == sum(muster.compute(lazy)[0])
        assert delayed(sum)(iter(kind([3, 4]))).compute() == 7


def test_lengths_of_values():
    assert len(delayed([1, 2], nout=2)) == 2 and len(list(delayed([delayed(1), 2], nout=2))) == 2
    with pytest.raises(TypeError):
        len(delayed(divmod, nout=2))


def test_shared_and_deep_containers(scheduler):
    lazy, plain = delayed(inc)(1), 5
    for leaf in (lazy, plain):
        for wrap in (lambda x: [x, x], lambda x: (x, x), lambda x: {"a": x, "b": x}, lambda x: Point(x, x), lambda x: Frozen(x, [x])):
            nested = leaf
            for _ in range(60):
                nested = wrap(nested)
            found = delayed(_identical)(nested).compute()
            for _ in range(60):
                if type(found) in (Point, Frozen):
                    first, second = found.x, getattr(found, "y", None) or found.rest[0]
                else:
                    first, second = found.values() if type(found) is dict else found
                assert first is second
                found = first
            assert found == (2 if leaf is lazy else 5)
    deep = lazy
    for _ in range(20_000):
        deep = [deep]
    found = delayed(_identical)(deep).compute()
    for _ in range(20_000):
        (found,) = found
    assert found == 2


def test_containers_that_contain_themselves(scheduler):
    loop = [1]
    loop.append(loop)
    assert delayed(_identical)(loop).compute() is loop
    loop.append(delayed(inc)(1))
    with pytest.raises(ValueError, match="list that contains itself"):
        delayed(_identical)(loop)


def test_operators(scheduler):
    x, y = delayed(7), delayed(2)
    for name in "add sub mul truediv floordiv mod pow lshift rshift and_ or_ xor eq ne lt le gt ge".split():
        f = getattr(operator, name)
        assert f(x, y).compute() == f(7, 2)
        assert f(x, 2).compute() == f(7, 2)
        assert f(7, y).compute() == f(7, 2)
    assert (-x).compute() == -7 and abs(-x).compute() == 7 and (~x).compute() == ~7 and (+x).compute() == 7
    assert delayed([1, 2, 3])[1].compute() == 2 and delayed({"a": 1})["a"].compute() == 1
    assert divmod(x, y).compute() == (3, 1)


def test_attributes_and_methods(scheduler):
    text = delayed("a,b")
    assert text.split(",").compute() == ["a", "b"]
    assert text.upper().lower().count("a").compute() == 1
    assert delayed(3 + 4j).imag.compute() == 4
    assert delayed([1, 2])[delayed(0)].compute() == 1
    assert delayed(dict)(a=delayed(inc)(1)).compute() == {"a": 2}
    with pytest.raises(AttributeError):
        text._private

    class Model:
        @delayed
        def fit(self, x):
            return x * 2

    assert Model().fit(4).compute() == 8
    assert delayed(Model)().compute().__class__ is Model


def test_nout():
    a, b = delayed(divmod, nout=2)(7, 2)
    assert (a + b).compute() == 4
    assert len(delayed(divmod, nout=2)(7, 2)) == 2

    @delayed(nout=2, pure=True)
    def both(x):
        return x, -x

    plus, minus = both(3)
    assert muster.compute(plus, minus) == (3, -3)
    for bad in (-1, 1.5, "2", True):
        with pytest.raises(ValueError, match="nout"):
            delayed(divmod, nout=bad)
    with pytest.raises(TypeError, match="unspecified length"):
        iter(delayed(divmod)(7, 2))


def test_keys():
    assert delayed(inc)(1).key != delayed(inc)(1).key
    assert delayed(inc)(1).key.startswith("inc-")
    assert delayed(inc, pure=True)(1).key == delayed(inc, pure=True)(1).key != delayed(inc, pure=True)(2).key
    assert delayed(inc)(1, dask_key_name="mine").key == "mine"
    assert delayed(1, name="one").key == "one"
    assert {delayed(inc, pure=True)(1), delayed(inc, pure=True)(1)}.__len__() == 1
    calls = []
    f = delayed(lambda x: calls.append(x), pure=True)
    muster.compute(f(1), f(1), f(2))
    assert sorted(calls) == [1, 2]


def test_a_task_runs_once():
    calls = []

    def f():
        calls.append(1)
        return 3

    x = delayed(f)()
    assert muster.compute(x + x, [x], x) == (6, [3], 3) and calls == [1]


def test_what_a_delayed_refuses():
    x = delayed(1)
    with pytest.raises(TypeError, match="Truth"):
        bool(x)
    with pytest.raises(TypeError, match="immutable"):
        x.y = 2
    with pytest.raises(TypeError, match="immutable"):
        x[0] = 2
    with pytest.raises(TypeError, match="get="):
        muster.compute(x, get=get)


def test_errors_are_raised_as_themselves(scheduler):
    def fails():
        raise KeyError("the key")

    with pytest.raises(KeyError, match="the key") as info:
        delayed(inc)(delayed(fails)()).compute()
    assert any(entry.name == "fails" for entry in info.traceback)
    with pytest.raises(ZeroDivisionError):
        muster.compute(delayed(inc)(1), delayed(operator.truediv)(1, 0))
    assert delayed(inc)(1).compute() == 2


def test_tasks_run_side_by_side():
    both = threading.Barrier(2, timeout=10)
    assert delayed(list)([delayed(lambda i: both.wait() * 0 + i)(i) for i in range(2)]).compute(num_workers=2) == [0, 1]


def test_results_are_dropped_when_used(python):
    program = """
import weakref, muster
class Big: pass
alive, most = [], [0]
def make(i):
    big = Big(); alive.append(weakref.ref(big))
    most[0] = max(most[0], sum(r() is not None for r in alive))
    return big
def use(big): return 1
assert sum(muster.delayed(use)(muster.delayed(make)(i)) for i in range(200)).compute(num_workers=2) == 200
print(most[0])
"""
    assert int(python(program).stdout) < 20


def test_long_chains_and_wide_graphs(scheduler):
    x = delayed(0)
    for _ in range(3000):
        x = delayed(inc)(x)
    assert x.compute() == 3000
    assert delayed(sum)([delayed(inc)(i) for i in range(5000)]).compute() == sum(range(1, 5001))


def test_raw_graphs():
    graph = {"x": 1, "y": (inc, "x"), "z": (add, (inc, "y"), 10), "list": ["x", (inc, "x")], "alias": "z", ("t", 0): (sum, ["x", "y", "z"])}
    for function in (get, muster.get):
        assert function(graph, "z") == 13
        assert function(graph, ["x", ["y", "list", "alias"], ("t", 0)]) == (1, (2, [1, 2], 13), 16)
    with pytest.raises(RuntimeError, match="Cycle"):
        get({"a": (inc, "b"), "b": (inc, "a")}, "a")
    with pytest.raises(KeyError, match="nothing"):
        get({"a": 1}, "nothing")
    assert get({"a": (add, True, 1)}, "a") == 2


def test_raw_graphs_of_shared_lists():
    nested = "x"
    for _ in range(60):
        nested = [nested, nested]
    found = get({"x": 5, "y": (len, nested), "z": nested}, ["y", "z"])[0]
    assert found == 2


def test_dataframes_inside_arguments():
    import pandas as pd

    import muster.dataframe as dd

    df = dd.from_pandas(pd.DataFrame({"x": range(10)}), npartitions=3)
    assert delayed(len)(df).compute() == 10
    assert delayed(type)(df).compute() is pd.DataFrame
    assert delayed(lambda parts: [int(p) for p in parts])([df.x.sum(), df.x.max()]).compute() == [45, 9]
    value, frame = muster.compute(delayed(inc)(1), df.x.sum())
    assert value == 2 and frame == 45


def test_annotations():
    with muster.annotate(priority=3, retries=1):
        with muster.annotate(retries=2):
            assert muster.get_annotations() == {"priority": 3, "retries": 2}
        x = delayed(inc)(1)
    assert muster.get_annotations() == {} and x._annotations == {"priority": 3, "retries": 1}
    with muster.annotate(workers=0, priority=lambda key: 2):
        assert muster.get_annotations()["workers"] == 0


BAD_ANNOTATIONS = [
    {"retries": -1}, {"priority": "high"}, {"priority": float("nan")}, {"priority": [1]}, {"workers": 5.5}, {"resources": 3}, {"resources": {"GPU": "x"}},
    {"resources": {"GPU": -1}}, {"resources": {"GPU": float("nan")}}, {"allow_other_workers": 2}, {"timeout": []}, {"timeout": -1},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_ANNOTATIONS)
def test_what_annotations_cannot_say_is_refused_and_gone(bad):
    with pytest.raises((TypeError, ValueError), match=f"'{next(iter(bad))}'"):
        with muster.annotate(**bad):
            pass
    assert muster.get_annotations() == {} and delayed(inc)(1).compute() == 2
    with muster.annotate(retries=2):
        pass
    assert muster.get_annotations() == {}


def test_callbacks():
    from muster.callbacks import Callback

    seen = []
    with Callback(
        start=lambda dsk: seen.append("start"), pretask=lambda key, dsk, state: seen.append(key), posttask=lambda key, result, *rest: seen.append(result),
        finish=lambda *a: seen.append("finish")
    ):
        delayed(inc)(1, dask_key_name="a").compute()
    assert seen == ["start", "a", 2, "finish"]


def test_the_graph_as_a_mapping():
    total = delayed(add)(delayed(inc)(1), y=delayed(inc)({"a": 5}["a"]))
    assert len(total.dask) == 3 and get(total.dask, total.key) == 8
    sizes = []

    def own_get(dsk, keys, **kwargs):
        sizes.append(len(dsk))
        return get(dsk, keys)

    assert total.compute(scheduler=own_get) == 8 and sizes == [3]
    assert delayed({"a": [delayed(inc)(1), {"b": total}]}).compute(scheduler=own_get) == {"a": [2, {"b": 8}]}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert total.compute(scheduler=pool) == 8
    with pytest.raises(ValueError, match="nonsense"):
        total.compute(scheduler="nonsense")


def test_pickle():
    import cloudpickle

    value = delayed({"a": [delayed(inc)(1), (delayed(inc)(2),)]})
    both = delayed(add)(delayed(inc)(1), y=delayed(inc)(5))
    assert pickle.loads(cloudpickle.dumps(value)).compute() == {"a": [2, (3,)]}
    again = pickle.loads(cloudpickle.dumps(both))
    assert again.compute() == 8 and again.key == both.key


def test_visualize(tmp_path):
    path = tmp_path / "graph.dot"
    delayed(add)(delayed(inc)(1), 2).visualize(filename=str(path))
    assert "add" in path.read_text() and "inc" in path.read_text()


def test_interrupt(python):
    program = """
import os, signal, threading, time, muster
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.time()
try:
    muster.compute(*[muster.delayed(time.sleep)(5) for _ in range(4)])
except KeyboardInterrupt:
    print("stopped", time.time() - start < 2)
print(muster.delayed(abs)(-1).compute(), flush=True)
os._exit(0)
"""
    assert python(program).stdout.split() == ["stopped", "True", "1"]


def test_nested_compute():
    def outer(n):
        return sum(muster.compute(*[delayed(inc)(i) for i in range(n)]))

    start = time.perf_counter()
    assert muster.compute(*[delayed(outer)(n) for n in range(6)], num_workers=2) == (0, 1, 3, 6, 10, 15)
    assert time.perf_counter() - start < 20


def test_pure_values_have_one_key():
    lazy = muster.delayed(abs)(-1)
    for value in (1, "a", [1, 2], (lazy, 3)):
        assert muster.delayed(value, pure=True).key == muster.delayed(value, pure=True).key and muster.delayed(value).key != muster.delayed(value).key
        with muster.config.set(delayed_pure=True):
            assert muster.delayed(value).key == muster.delayed(value).key and muster.delayed(value, pure=False).key != muster.delayed(value, pure=False).key


def test_a_word_for_who_spells_visualise():
    with pytest.warns(UserWarning, match="visualize"):
        muster.delayed(abs)(-1).visualise
