"""Profilers: which tasks ran, when and where; what the process used."""

import threading
import time
from operator import add, mul

import pytest

import muster
import muster.dataframe as dd
from muster.callbacks import Callback
from muster.diagnostics import Profiler, ResourceProfiler
from muster.threaded import get

GRAPH = {"a": 1, "b": 2, "c": (add, "a", "b"), "d": (mul, "a", "b"), "e": (mul, "c", "d")}


def test_tasks_and_their_times():
    with Profiler() as profile:
        begun = time.perf_counter()
        assert get(GRAPH, "e") == 6
    assert sorted(task.key for task in profile.results) == ["c", "d", "e"]  # values are no tasks
    assert profile.start_time < begun < profile.end_time and all(profile.start_time < t.start_time <= t.end_time < profile.end_time for t in profile.results)
    with profile:
        muster.delayed(add)(1, muster.delayed(abs)(-2)).compute()
        get(GRAPH, "c")
    assert len(profile.results) == 3
    profile.clear()
    assert profile.results == []


def test_a_task_that_raises_is_left_out():
    with Profiler() as profile, pytest.raises(ZeroDivisionError):
        get({"x": (add, 1, 1), "y": (lambda x: x / 0, "x")}, "y")
    assert [task.key for task in profile.results] == ["x"]


def test_registered():
    profile = Profiler()
    profile.register()
    try:
        get(GRAPH, "e")
        get(GRAPH, "e")
    finally:
        profile.unregister()
    get(GRAPH, "e")
    assert len(profile.results) == 6


def test_callbacks_hear_of_tasks_only():
    seen = []
    with Callback(pretask=lambda key, graph, state: seen.append((key, key in graph))):
        get(GRAPH, "e")
    assert sorted(seen) == [("c", True), ("d", True), ("e", True)]


def test_resources():
    before = threading.active_count()
    with ResourceProfiler(dt=0.01) as profile:
        get({"x": (time.sleep, 0.1)}, "x")
        dd.from_dict({"x": [1, 2]}, npartitions=2).x.sum().compute()
    assert len(profile.results) > 4 and all(r.mem > 1 and r.cpu >= 0 for r in profile.results)
    assert [r.time for r in profile.results] == sorted(r.time for r in profile.results)
    profile.close()
    assert not profile._is_running()
    while threading.active_count() > before:
        time.sleep(0.01)
