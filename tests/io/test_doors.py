"""The C++ door gives what the Python door gives."""

import pathlib
import subprocess

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd

H2O = pathlib.Path(__file__).resolve().parents[2] / "build/python/h2o"


def table(rows=5000):
    random = np.random.default_rng(3)
    ids = {f"id{i}": pd.Series(random.integers(1, 9, rows)).map("id{:03d}".format) for i in (1, 2)}
    ids["id3"] = pd.Series(random.integers(1, 400, rows)).map("id{:010d}".format)
    numbers = {f"id{i}": random.integers(1, 9 if i < 6 else 500, rows) for i in (4, 5, 6)}
    return pd.DataFrame({**ids, **numbers, "v1": random.integers(1, 6, rows), "v2": random.integers(1, 16, rows), "v3": random.random(rows)})


QUESTIONS = {
    "q1": lambda x: x.groupby("id1").v1.sum(),
    "q2": lambda x: x.groupby(["id1", "id2"]).v1.sum(),
    "q3": lambda x: x.groupby("id3").agg({"v1": "sum", "v3": "mean"}).v3,
    "q4": lambda x: x.groupby("id4")[["v1", "v2", "v3"]].mean().v3,
    "q5": lambda x: x.groupby("id6")[["v1", "v2", "v3"]].sum().v3,
    "q6": lambda x: x.groupby(["id4", "id5"]).v3.agg(["median", "std"])["std"],
    "q10": lambda x: x.groupby([f"id{i}" for i in range(1, 7)]).agg({"v3": "sum", "v1": "count"}).v1,
}


@pytest.mark.skipif(not H2O.exists(), reason="the C++ examples are not built")
def test_h2o(tmp_path):
    frame, path = table(), tmp_path / "h2o.parquet"
    frame.to_parquet(path, row_group_size=1000)
    lines = subprocess.run([H2O, path], capture_output=True, text=True, check=True).stdout.splitlines()
    answers = {line.split()[0]: line.split()[1:3] for line in lines}
    ours = dd.read_parquet(path, split_row_groups=True)
    for name, question in QUESTIONS.items():
        theirs, mine = question(frame), question(ours).compute()
        pd.testing.assert_series_equal(mine, theirs, check_index_type="equiv")
        assert int(answers[name][0]) == len(theirs)
        assert float(answers[name][1]) == pytest.approx(float(theirs.sum()), rel=1e-5)
