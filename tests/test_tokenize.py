"""Tokens: equal ones mean equal calls, whatever a call reaches through its arguments."""

import collections
import enum
import functools
import pickle
import threading
import time

import numpy as np
import pandas as pd
import pytest

import muster
from muster import tokenize
from muster._base.tokenize import TokenizationError, normalize_token

SCALE = 1


def helper(x):
    return x * SCALE


def outer(x):
    return helper(x)


class Plain:
    factor = 1

    def apply(self, x):
        return x * self.factor


class Text(str):
    pass


class Color(enum.Enum):
    RED = 1


class Other(enum.Enum):
    RED = 1


def test_nested_containers_take_linear_time():
    shared, deep = [], []
    for _ in range(60):
        shared = [shared, shared]
    for _ in range(20_000):
        deep = [deep]
    begun = time.process_time()
    assert tokenize(shared) != tokenize(deep)
    assert time.process_time() - begun < 2


def test_cycles_end():
    loop = [1]
    loop.append(loop)
    again = [1]
    again.append(again)
    assert tokenize(loop) == tokenize(again)


def test_what_a_helper_names_counts(monkeypatch):
    before = tokenize(outer)
    assert tokenize(outer) == before
    monkeypatch.setitem(globals(), "SCALE", 2)
    assert tokenize(outer) != before


def test_defaults_closures_and_attributes_count():
    def made(n):
        def inner(x, y=n):
            return x + n

        return inner

    assert tokenize(made(1)) == tokenize(made(1))
    assert tokenize(made(1)) != tokenize(made(2))
    function = made(1)
    function.note = "a"
    assert tokenize(function) != tokenize(made(1))
    assert tokenize(functools.partial(made(1), 1)) != tokenize(functools.partial(made(1), 2))


def test_a_changed_class_attribute_counts(monkeypatch):
    before = tokenize(Plain())
    assert tokenize(Plain()) == before
    monkeypatch.setattr(Plain, "factor", 2)
    assert tokenize(Plain()) != before


A = collections.namedtuple("Point", "x y")
B = collections.namedtuple("Point", "y x")


@pytest.mark.parametrize(
    "one, other",
    [
        (Text("a"), "a"),
        (collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
        ({1, 2}, frozenset({1, 2})),
        (A(1, 2), B(1, 2)),
        ((1, 2), [1, 2]),
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        (b"a", bytearray(b"a")),
        (Color.RED, Other.RED),
        (range(3), [0, 1, 2]),
        ({"a": 1}, [("a", 1)]),
    ],
    ids=repr,
)
def test_alike_is_not_equal(one, other):
    assert tokenize(one) == tokenize(one)
    assert tokenize(one) != tokenize(other)


def test_the_order_of_a_dict_does_not_count():
    assert tokenize({"a": 1, "b": [2]}) == tokenize({"b": [2], "a": 1})


TIMES = {
    "index": lambda unit: pd.DatetimeIndex(["2020-01-01", "2020-01-03", None]).as_unit(unit),
    "zone": lambda unit: pd.DatetimeIndex(["2020-01-01", "2020-01-03"], tz="Europe/Paris").as_unit(unit),
    "timedelta": lambda unit: pd.to_timedelta([1, None, 3], unit="s").as_unit(unit),
    "series": lambda unit: pd.Series(pd.to_datetime(["2020-01-01", None])).dt.as_unit(unit),
    "frame": lambda unit: pd.DataFrame({"t": pd.to_datetime(["2020-01-01", "2020-01-02"]).as_unit(unit)}, index=pd.date_range("2021", periods=2)),
}


@pytest.mark.parametrize("kind", TIMES)
def test_times_have_tokens_by_content(kind):
    make = TIMES[kind]
    assert tokenize(make("us")) == tokenize(make("us"))
    assert tokenize(make("us")) != tokenize(make("ns"))


def test_the_frequency_of_an_index_counts():
    days = pd.date_range("2020", periods=4)
    assert tokenize(days) == tokenize(pd.date_range("2020", periods=4))
    assert tokenize(days) != tokenize(pd.DatetimeIndex(list(days)))
    assert tokenize(pd.period_range("2020", periods=4, freq="D")) != tokenize(pd.period_range("2020", periods=4, freq="h"))


def test_arrays_that_were_pickled():
    for array in (
        np.array(1.5), np.arange(3, dtype="int8"), np.array(["a", "b"]), np.array(["2020-01-01"], dtype="datetime64[s]"), np.zeros(2, dtype=[("a", "i4")])
    ):
        assert tokenize(pickle.loads(pickle.dumps(array))) == tokenize(array)
    assert tokenize(np.zeros(2, "f4")) != tokenize(np.zeros(2, "i4")) and tokenize(np.zeros(2, "M8[s]")) != tokenize(np.zeros(2, "M8[ms]"))


def test_deterministic_tokens_only():
    nameless = [threading.Lock(), object(), np.frompyfunc(lambda x: x, 1, 1), [object()], {"a": (threading.Lock(),)}]

    class Indirect:
        def __dask_tokenize__(self):
            return tokenize(object())

    for value in (*nameless, Indirect()):
        assert len(tokenize(value)) == 32
        with pytest.raises(TokenizationError, match="Cannot tokenize"):
            tokenize(value, ensure_deterministic=True)
        with muster.config.set({"tokenize.ensure-deterministic": True}):
            with pytest.raises(TokenizationError):
                tokenize(value)
            assert len(tokenize(value, ensure_deterministic=False)) == 32
    assert tokenize([1, "a", Plain()], ensure_deterministic=True) == tokenize([1, "a", Plain()])


def test_functions_of_arrays_count_by_name_only_where_they_are_found():
    assert tokenize(np.sin) == tokenize(np.sin, ensure_deterministic=True) != tokenize(np.cos)
    assert (
        tokenize(np.frompyfunc(lambda x: x + 1, 1, 1)) != tokenize(np.frompyfunc(lambda x: x + 2, 1, 1))
        and tokenize(pd.NA) == tokenize(pd.NA, ensure_deterministic=True)
    )


def test_a_sentinel_is_itself():
    one = object()
    assert tokenize(one) == tokenize(one) and len({tokenize(object()) for _ in range(50)}) == 50

    def f(x, default=one):
        return x

    assert tokenize(f) == tokenize(f)


def test_registered_types():
    class Mine:
        def __init__(self, name):
            self.name, self.lock = name, threading.Lock()

    class Derived(Mine):
        pass

    normalize_token.register(Mine, lambda value: value.name)
    assert tokenize(Mine("a")) == tokenize(Mine("a"), ensure_deterministic=True) != tokenize(Mine("b")) and tokenize(Derived("a")) != tokenize(Mine("a"))
    assert normalize_token(Mine("a")) == "a" and normalize_token(5) == 5 and normalize_token([1]) == normalize_token([1]) != normalize_token([2])
