"""What goes to other processes: functions and classes of local modules, callables, exceptions."""

import subprocess
import sys
import threading
import traceback

import pytest

import muster
import muster.dataframe as dd
from muster import delayed
from muster._base.by_value import stands_alone
from muster._base.serialize import dumps_by_value
from muster.distributed import Client
from muster.distributed._submit import function_bytes

HELPERS = """
import contextlib, dataclasses, enum, functools, threading

K = 5
counter = 0
CACHE = {}
MISSING = object()
LOCK = threading.RLock()


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0

    def same(self, other):
        return isinstance(other, Point)


class Sub(Point):
    def same(self, other):
        return super().same(other) and isinstance(other, Sub)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Error(Exception):
    pass


class Registry:
    total = 0

    @classmethod
    def add(cls):
        cls.total += 1
        return cls.total


class Unpicklable:
    event = threading.Event()

    def __eq__(self, other):
        return type(self) is type(other)


def fail():
    raise Error("mine")


def add_k(x):
    return x + K


def is_point(p):
    return isinstance(p, Point) and type(p) is Point


def is_red(c):
    return c is Color.RED


def make():
    return Point(3, 4)


def bump():
    global counter
    counter += 1
    return counter


def read():
    return counter


def remember(k):
    CACHE[k] = 1


def recall():
    return list(CACHE)


def missing(x=MISSING):
    return x is MISSING


def missing_too(x=MISSING):
    return x is MISSING and missing()


def imports_itself(p):
    import helpers
    from helpers import Point as P

    return isinstance(p, P) and P is helpers.Point is Point


@functools.lru_cache
def cached(n):
    return n * K


def locked():
    with LOCK:
        return "locked"


def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def twice(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args) * 2

    return inner


@twice
def decorated(x):
    return x + 1


@contextlib.contextmanager
def opened():
    yield Point(1)


def uses_opened():
    with opened() as p:
        return is_point(p)


def counting():
    n = 0

    def up():
        nonlocal n
        n += 1
        return n

    return up, lambda: n


class Counter:
    def __init__(self):
        self.n = 0

    def __call__(self):
        self.n += 1
        return self.n
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with modules of a user's own; they are imported here."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "helpers.py").write_text(HELPERS)
    (folder / "mine").mkdir()
    (folder / "mine" / "__init__.py").write_text("from .shapes import Square\n")
    (folder / "mine" / "shapes.py").write_text("class Square:\n    def __init__(self, a):\n        self.a = a\n")
    (folder / "mine" / "sizes.py").write_text(
        "import mine\nfrom . import shapes\n\n\ndef area(s):\n    from .shapes import Square\n    import mine.shapes\n\n    return isinstance(s, Square) and "
        "isinstance(s, mine.Square) and isinstance(s, shapes.Square) and s.a**2\n"
    )
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in ("helpers", "mine", "mine.shapes", "mine.sizes"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def one(project):
    """A client of one executor."""
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None, set_as_default=False) as client:
        yield client


@pytest.fixture
def call(one):
    return lambda f, *args: one.submit(f, *args, pure=False).result()


@pytest.fixture
def helpers(project):
    import helpers

    return helpers


def test_classes_are_one(helpers, call, one):
    assert call(helpers.is_point, helpers.Point(1, 2)) and call(helpers.is_red, helpers.Color.RED)
    assert type(call(helpers.make)) is helpers.Point and call(lambda: helpers.Color.BLUE) is helpers.Color.BLUE
    assert call(helpers.is_point, one.submit(helpers.make)) is True
    assert call(lambda p: isinstance(p, helpers.Point) and helpers.is_point(p), helpers.Point(1)) is True
    assert call(lambda a, b: (a.same(b), b.same(a)), helpers.Point(1), helpers.Sub(1)) == (True, False)
    assert call(helpers.imports_itself, helpers.Point(1)) is True and call(helpers.uses_opened) is True
    assert call(lambda: helpers.Point) is helpers.Point and call(lambda: helpers.add_k) is helpers.add_k and call(lambda: helpers) is helpers
    assert call(lambda x: x in {helpers.Color.RED: 1}, helpers.Color.RED)
    with pytest.raises(helpers.Error, match="mine"):
        call(helpers.fail)
    assert [type(p) for p in one.gather(one.map(helpers.Point, range(3)))] == [helpers.Point] * 3
    assert delayed(helpers.is_point)(delayed(helpers.make)()).compute(scheduler=one)


def test_packages(project, call):
    import mine
    import mine.sizes

    assert call(mine.sizes.area, mine.Square(3)) == 9
    assert call(lambda s: mine.sizes.area(s), mine.Square(4)) == 16


def test_state_is_shared(helpers, call):
    assert [call(helpers.bump), call(helpers.bump), call(helpers.read)] == [1, 2, 2]
    assert call(lambda: (helpers.bump(), helpers.counter)) == (3, 3)
    call(helpers.remember, "a")
    assert call(helpers.recall) == ["a"] and helpers.CACHE == {}
    assert [call(helpers.Registry.add), call(lambda: helpers.Registry.add())] == [1, 2] and helpers.Registry.total == 0
    assert call(helpers.missing) and call(helpers.missing_too)
    up, seen = helpers.counting()
    assert call(lambda: (up(), up(), seen())) == (1, 2, 2)


def test_what_changes_here_changes_there(helpers, call):
    assert call(helpers.add_k, 1) == 6 and call(helpers.cached, 2) == 10
    helpers.K = 7
    assert call(helpers.add_k, 1) == 8 and call(helpers.cached, 2) == 14
    helpers.K = 5
    add_k = helpers.add_k
    helpers.add_k = eval("lambda x: x * K", vars(helpers))
    assert call(lambda: helpers.add_k(3)) == 15
    helpers.add_k = add_k
    code = helpers.read.__code__
    helpers.read.__code__ = (lambda: "new").__code__
    assert call(helpers.read) == "new" == call(lambda: helpers.read())
    helpers.read.__code__ = code
    helpers.Registry.total = 100
    assert call(helpers.Registry.add) == 101
    helpers.Registry.total = 0


def test_functions_that_stand_alone_are_pickled_once(helpers, call):
    f = eval("lambda x, y=1: x + y", vars(helpers))
    assert call(f, 1) == call(f, 1) == 2 and function_bytes(f) is function_bytes(f)
    f.__defaults__ = (5,)
    assert call(f, 1) == 6
    f.__code__ = (lambda x, y: x * y).__code__
    assert call(f, 2) == 10
    f.__name__ = "named"
    assert call(lambda: f.__name__) == "named" and b"named" in function_bytes(f)
    f.__kwdefaults__ = {"z": 1}
    assert function_bytes(f) is not function_bytes(f)
    g = eval("lambda: later", vars(helpers))
    with pytest.raises(NameError):
        call(g)
    helpers.later = 3
    assert call(g) == 3
    helpers.later = 4
    assert call(g) == 4
    for uses_more in (helpers.add_k, helpers.uses_opened, eval("lambda x=[]: x", vars(helpers)), eval("lambda: (lambda: K)()", vars(helpers))):
        assert stands_alone(uses_more) is None


def test_kinds_of_functions(helpers, call):
    assert call(helpers.factorial, 5) == 120 and call(helpers.even, 10) and call(helpers.decorated, 2) == 6
    assert call(helpers.locked) == "locked" and call(helpers.cached, 3) == 15
    assert call(lambda: helpers.Unpicklable() == helpers.Unpicklable()) is True  # by name, as it holds a lock
    assert call(lambda: dd.__name__ + muster.__name__ + delayed.__name__) == "muster.dataframemusterdelayed"


def test_functions_that_name_our_modules(call, python):
    def local():
        return muster, dd, delayed

    assert call(local) == (muster, dd, delayed)
    modules = (muster, dd)
    assert call(lambda: modules[0].__name__) == "muster"
    out = python(
        """
import muster.as_dask
muster.as_dask.install()
import dask, dask.dataframe as dd
from dask.distributed import Client
client = Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
m = dask
print(client.submit(lambda: (dask.__name__, dd.__name__, m is dask)).result()[2])
"""
    )
    assert out.stdout.split() == ["True"], out.stderr


def test_a_callable_starts_anew_with_each_call(helpers, one):
    counter = helpers.Counter()
    assert [one.submit(counter, pure=False).result() for _ in range(4)] == [1, 1, 1, 1]
    assert [one.submit(counter.__call__, pure=False).result() for _ in range(2)] == [1, 1] and counter.n == 0
    assert one.gather(one.map(lambda f: f(), [counter] * 3, pure=False)) == [1, 1, 1]
    found = []
    assert [one.submit(found.append, i, pure=False).result() for i in range(3)] == [None] * 3 and found == []


def test_many_threads_pickle_at_once(helpers):
    errors = []

    def work():
        try:
            for _ in range(50):
                dumps_by_value((helpers.is_point, helpers.make))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    with pytest.raises(TypeError, match="lock"):
        dumps_by_value((helpers.make, threading.Lock()))


def test_a_script_of_its_own(tmp_path):
    (tmp_path / "script.py").write_text(
        """
import enum
from muster import delayed
from muster.distributed import Client
class Color(enum.Enum):
    RED = 1
seen = []
def remember(c):
    seen.append(c)
    return c is Color.RED
def recall():
    return seen
client = Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
print(client.submit(remember, Color.RED).result(), client.submit(recall).result() == [Color.RED], seen)
print(delayed(remember)(Color.RED).compute(scheduler="processes"))
"""
    )
    out = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60)
    assert out.stdout.split() == ["True", "True", "[]", "True"], out.stderr


# ---- exceptions


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a}-{b}")
        self.b, self.lock = b, threading.Lock()


def chained():
    try:
        try:
            {}["k"]
        except KeyError as error:
            raise Odd(1, 2) from error
    except Odd:
        try:
            _ = 1 / 0
        except ZeroDivisionError as error:
            error.add_note("a note")
            raise ValueError("last")  # noqa: B904


def grouped():
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        raise ExceptionGroup("several", [Odd(1, 2), ValueError("x"), error]) from None


@pytest.mark.parametrize("scheduler", ["threads", "cluster"])
def test_chains_of_exceptions(one, scheduler):
    with pytest.raises(ValueError, match="last") as info:
        delayed(chained)().compute(scheduler=one if scheduler == "cluster" else scheduler)
    division = info.value.__context__
    assert type(division) is ZeroDivisionError and division.__notes__ == ["a note"] and info.value.__cause__ is None
    odd = division.__context__
    assert type(odd) is Odd and odd.args == ("1-2",) and odd.b == 2 and type(odd.__cause__) is KeyError
    for error in (info.value, division, odd, odd.__cause__):
        assert traceback.extract_tb(error.__traceback__)[-1].name == "chained"
    with pytest.raises(ExceptionGroup, match="several") as info:
        delayed(grouped)().compute(scheduler=one if scheduler == "cluster" else scheduler)
    group = info.value
    assert [type(e) for e in group.exceptions] == [Odd, ValueError, ZeroDivisionError]
    assert group.__suppress_context__ and group.__context__ is group.exceptions[2]


class Base(BaseException):
    pass


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, Base])
def test_base_exceptions(one, kind):
    def f():
        raise kind(3)

    pid = one.submit(__import__("os").getpid, pure=False).result()
    for scheduler in ("threads", "synchronous", one):
        with pytest.raises(kind) as info:
            delayed(f)().compute(scheduler=scheduler)
        assert type(info.value) is kind and info.value.args == (3,)
    future = one.submit(f, pure=False)
    assert type(future.exception()) is kind
    assert one.submit(__import__("os").getpid, pure=False).result() == pid
    df = dd.from_dict({"x": [1, 2, 3]}, npartitions=2)
    for scheduler in ("threads", "synchronous", one):
        with pytest.raises(kind):
            df.x.map_partitions(lambda s: f(), meta=("x", "int64")).compute(scheduler=scheduler)


def test_versions(one):
    found = one.get_versions(check=True, packages=["pytest"])
    (worker,) = found["workers"].values()
    assert worker == found["client"] and worker["packages"]["pytest"] == pytest.__version__ and worker["host"]["python"].startswith("3.")
    assert found["scheduler"]["packages"]["muster"] == muster.__version__
