"""What the tests share: comparison with pandas, frames to compare, partition counts, examples."""

import contextlib
import os
import pathlib
import subprocess
import sys
import zlib

import hypothesis
import pandas as pd
import pytest

import muster.dataframe as dd
from muster import _core, config

hypothesis.settings.register_profile("short", max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck))
hypothesis.settings.register_profile("long", max_examples=1000, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
hypothesis.settings.load_profile(os.environ.get("MUSTER_EXAMPLES", "short"))

PARTITIONS = (1, 2, 7, 128, 129)

# Where the tests compute: MUSTER_TEST_PLACE=synchronous, cluster or processes instead of on threads, MUSTER_TEST_WORKER_MEMORY=256MB for a limit on workers
# of the cluster, MUSTER_TEST_SAMPLE=40 for every 40th test. What is known to fail there stands in places.txt (place, test, reason, between tabs), and may not
# pass but for what fails "sometimes: ".
# A test marked this_process(reason) asks for what only the process that computes can see, and computes on threads everywhere.
PLACE = os.environ.get("MUSTER_TEST_PLACE", "threads")
WORKER_MEMORY = os.environ.get("MUSTER_TEST_WORKER_MEMORY", "auto")
SAMPLE = int(os.environ.get("MUSTER_TEST_SAMPLE", "1"))


def pytest_collection_modifyitems(config, items):
    left_out = [item for item in items if zlib.crc32(item.nodeid.encode()) % SAMPLE]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    known = {}
    for line in pathlib.Path(__file__).with_name("places.txt").read_text().splitlines():
        place, test, reason = (*line.split("\t"), "", "")[:3]
        if place == PLACE:
            known[test] = reason
    for item in items:
        if item.nodeid in known:
            item.add_marker(pytest.mark.xfail(reason=known[item.nodeid], strict=not known[item.nodeid].startswith("sometimes: ")))


@pytest.fixture(scope="session")
def place():
    """Where the tests compute: a context that a test enters."""
    if PLACE == "cluster":
        from muster.distributed import Client, LocalCluster

        with LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=WORKER_MEMORY, dashboard_address=None) as cluster, Client(cluster):

            def enter():
                cluster.wait_for_workers(2)
                return contextlib.nullcontext()

            yield enter
    elif PLACE == "threads":
        yield contextlib.nullcontext
    else:
        yield lambda: config.set(scheduler=PLACE, num_workers=2)


@pytest.fixture(autouse=True)
def _computes(request):
    if PLACE == "threads":
        yield
        return
    if request.node.get_closest_marker("this_process"):
        with config.set(scheduler="threads"):
            yield
        return
    with request.getfixturevalue("place")():
        yield


def same(ours, theirs, **kwargs):
    """Compare a computed result with pandas': values, dtypes, names, index and order."""
    if hasattr(ours, "_expr"):
        ours = ours.compute()
    if isinstance(theirs, pd.DataFrame):
        assert isinstance(ours, pd.DataFrame), type(ours)
        pd.testing.assert_frame_equal(ours, theirs, check_index_type="equiv", check_column_type=False, **kwargs)
    elif isinstance(theirs, pd.Series):
        assert isinstance(ours, pd.Series), type(ours)
        pd.testing.assert_series_equal(ours, theirs, check_index_type="equiv", **kwargs)
    elif pd.isna(theirs):
        assert pd.isna(ours)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)
    else:
        assert ours == theirs


def assert_plan(a, b):
    """Two expressions do the same work."""
    assert _core.plan_digest(a._expr) == _core.plan_digest(b._expr)


def raised(call):
    """The type and message of what a call raises, or None."""
    try:
        call()
    except Exception as error:
        return error
    return None


def example_frame():
    """Every dtype the engine computes on, with and without missing values, unordered keys, ties."""
    import numpy as np

    n = 260
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "i": random.integers(-50, 50, n),
            "j": random.integers(0, 4, n).astype("int8"),
            "u": random.integers(0, 1000, n).astype("uint16"),
            "f": np.where(random.random(n) < 0.2, np.nan, random.normal(size=n) * 100),
            "g": random.normal(size=n).astype("float32"),
            "b": random.random(n) < 0.5,
            "s": random.choice(["apple", "fig", "", "a longer text of more than 16 bytes", "ünï"], n),
            "t": pd.Series(random.choice(["x", "y", None], n), dtype="str"),
            "d": pd.Series(pd.Timestamp("2013-01-01") + pd.to_timedelta(random.integers(0, 10**6, n), unit="s")).astype("datetime64[us]"),
            "e": pd.Series(np.where(random.random(n) < 0.3, np.datetime64("NaT"), np.datetime64("2020-02-29T12:34:56", "us"))).astype("datetime64[us]"),
        }
    )
    return frame


@pytest.fixture(params=PARTITIONS)
def frames(request):
    """(pandas frame, the same lazily) for each partition count."""
    pdf = example_frame()
    return pdf, dd.from_pandas(pdf, npartitions=request.param)


@pytest.fixture
def python(tmp_path):
    """Runs a Python program in a process of its own; returns its output. Fails if it fails, unless check=False."""

    def run(program, *args, check=True, timeout=60, **env):
        path = tmp_path / "program.py"
        path.write_text(program)
        done = subprocess.run([sys.executable, *args, str(path)], capture_output=True, text=True, timeout=timeout, env={**os.environ, **env}, cwd=tmp_path)
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def cluster():
    from muster.distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    from muster.distributed import Client

    cluster.wait_for_workers(2)
    with Client(cluster) as client:
        yield client
