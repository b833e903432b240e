"""Programs written for Dask run on muster: script, module, installed in a running interpreter."""

import sys

import pytest

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


@pytest.mark.parametrize(
    "lines",
    [
        "from dask.distributed import Client; f = Client",
        "import dask.array as da; f = da.ones",
        "from distributed.utils_test import gen_cluster; f = gen_cluster",
        "from dask_ml.cluster import KMeans; f = KMeans",
        "import dask.dataframe as dd; f = dd.read_parquet",
        "import dask.bag.core; f = dask.bag.core.Bag",
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
    import subprocess

    done = subprocess.run([sys.executable, "-m", "muster.as_dask"], capture_output=True, text=True)
    assert done.returncode == 2 and "usage" in done.stderr
    assert "usage" in subprocess.run([sys.executable, "-m", "muster.as_dask", "--help"], capture_output=True, text=True).stdout
