"""Programs written for Dask run on muster: script, module, installed in a running interpreter."""

import json
import os
import subprocess
import sys

import pytest

import muster

PROGRAM = """
import dask
import dask.dataframe as dd
from dask.diagnostics import ProgressBar
import pandas as pd
df = dd.from_pandas(pd.DataFrame({"k": list("aab"), "x": [1, 2, 3]}), npartitions=2)
with dask.config.set(scheduler="synchronous"), ProgressBar(minimum=100):
    print(dict(df.groupby("k").x.sum().compute()))
print(dask.compute(df.x.min(), df.x.max()))
print(type(df).__module__.split(".")[0], isinstance(df, dd.DataFrame))
"""


def test_script_and_module(python, tmp_path):
    assert "muster True" in python(PROGRAM, "-m", "muster.as_dask").stdout
    (tmp_path / "prog.py").write_text(PROGRAM + "\nimport sys; print(sys.argv)")
    out = python("import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'muster.as_dask', '-m', 'prog', 'arg']))").stdout
    assert "muster True" in out and "arg" in out


def test_install(python):
    assert "muster True" in python("import muster.as_dask; muster.as_dask.install(); muster.as_dask.install()\n" + PROGRAM).stdout


def test_helpers_that_programs_import(python):
    out = python(
        "from dask.utils import M\nfrom dask.dataframe import demo\nimport pandas as pd, dask.dataframe as dd\ns = dd.from_pandas(pd.Series([1, 5]), "
        "npartitions=2)\nprint(M.max(s).compute(), M.split('a b'), 'timeseries' if callable(demo.make_timeseries) else '')",
        "-m", "muster.as_dask"
    ).stdout
    assert out.split("\n")[0] == "5 ['a', 'b'] timeseries"


def test_method_callers_are_values():
    import pickle

    from muster.as_dask._utils import M

    assert (
        M.upper("a") == "A" and pickle.loads(pickle.dumps(M.upper)) == M.upper != M.lower and not hasattr(M.upper, "__name__")
        and muster.tokenize(M.upper) == muster.tokenize(M.upper)
    )


@pytest.mark.parametrize(
    "lines",
    [
        "from dask.distributed import Queue; f = Queue",
        "import dask.array as da; f = da.ones",
        "from distributed.utils_test import gen_cluster; f = gen_cluster",
        "from dask_ml.cluster import KMeans; f = KMeans",
        "import dask.dataframe as dd; f = dd.from_dask_array",
        "import dask.bag as db; f = db.read_avro",
    ],
)
def test_what_is_not_there_imports_and_raises_on_use(python, lines):
    out = python(f"{lines}\ntry:\n    f()\nexcept NotImplementedError as error:\n    print('raised', error)", "-m", "muster.as_dask").stdout
    assert "raised" in out and "not there yet" in out


def test_real_dask_before_is_an_error(python, tmp_path):
    (tmp_path / "dask.py").write_text("")
    done = python("import dask, muster.as_dask; muster.as_dask.install()", check=False, PYTHONPATH=str(tmp_path))
    assert done.returncode and "was imported before" in done.stderr


def test_usage(python):
    done = subprocess.run([sys.executable, "-m", "muster.as_dask"], capture_output=True, text=True)
    assert done.returncode == 2 and "usage" in done.stderr
    assert "usage" in subprocess.run([sys.executable, "-m", "muster.as_dask", "--help"], capture_output=True, text=True).stdout


TASKS = """
import dask
import dask.delayed
from dask import delayed, compute
from dask.delayed import Delayed
import dask.bag as db
import dask.distributed
from dask.distributed import Client, LocalCluster, as_completed, wait, progress
from distributed import Client as Same
from distributed.client import futures_of
from distributed.utils import TimeoutError
from dask.base import tokenize, is_dask_collection
from dask.utils import parse_bytes, key_split, format_bytes
from dask.threaded import get
from dask.diagnostics import ProgressBar
import dask.config

assert Client is Same and isinstance(delayed(1), Delayed) and callable(dask.delayed)

@dask.delayed
def inc(x):
    import dask.dataframe
    return x + 1

def main_only(x):
    import dask
    return dask.__version__ + str(x)

print(inc(1).compute(), compute(inc(1), inc(2)), get({"x": (sum, [1, 2])}, "x"), db.range(4, npartitions=2).sum().compute())
client = Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
print(inc(5).compute(), client.submit(main_only, 1).result() == dask.__version__ + "1", is_dask_collection(inc(1)), key_split("a-b-123"))
print(parse_bytes("1kB"), dask.config.get("answer"))
"""


def test_programs_with_tasks(python):
    out = python(TASKS, "-m", "muster.as_dask", DASK_ANSWER="42").stdout.splitlines()
    assert out == ["2 (2, 3) 3 6", "6 True True a-b", "1000 42"]


def test_kernel(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "muster.as_dask", "--install-kernel"], capture_output=True, text=True, env={**os.environ, "JUPYTER_DATA_DIR": str(tmp_path)}
    )
    kernel = json.loads((tmp_path / "kernels" / "muster-as-dask" / "kernel.json").read_text())
    assert str(tmp_path) in done.stdout and kernel["argv"][1:3] == ["-m", "muster.as_dask"]
