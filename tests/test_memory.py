"""The memory limit: what can wait waits, what cannot be done within it is refused with an estimate."""

import os
import pathlib
import subprocess
import sys

import pytest

_FRAME = """
import numpy as np, pandas as pd, muster, muster.dataframe as dd

rows, partitions = 400_000, 8
pdf = pd.DataFrame({"k": np.random.default_rng(0).permutation(rows), "x": np.arange(rows) * 0.5, "s": "a text"})
for i in range(partitions):
    pdf.iloc[i * rows // partitions : (i + 1) * rows // partitions].to_parquet(f"{i}.parquet", row_group_size=10_000, index=False)
df = dd.read_parquet("*.parquet")
assert df.npartitions == partitions
"""


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_partitions_wait_for_memory(python, threads):
    """A partition takes 2 MB, all of them 16: each fits alone, or none does. Answers are right, and nothing runs twice that a user wrote."""
    program = f"""{_FRAME}
from collections import Counter

calls = Counter()

def double(part):
    calls[part.k.iloc[0]] += 1
    return part.assign(y=part.x * 2)

refused = 0
for limit in (1.5, 2.5, 3, 4, 5, 7, 12):
    with muster.config.set({{"memory-limit": int(limit * 1e6), "num-workers": {threads}}}):
        try:
            calls.clear()
            assert df.map_partitions(double).y.sum().compute() == pdf.x.sum() * 2
            assert len(calls) == partitions + 1 and max(calls.values()) == 1, calls  # and once the first rows, to see what it returns
            df.to_parquet("out", overwrite=True)
            assert df.map_partitions(len, meta=(None, "int64")).compute().tolist() == [50_000] * 8
        except MemoryError as error:
            assert "a partition needs" in str(error) or "about" in str(error), error
            refused = limit
        assert df.x.sum().compute() == pdf.x.sum()
assert refused < 7, refused
pd.testing.assert_frame_equal(dd.read_parquet("out").compute(), pdf)
"""
    python(program, timeout=120)


def test_a_result_beyond_the_limit_is_refused_with_an_estimate(python):
    program = f"""{_FRAME}
for limit, query, size in (
    (5, lambda: df.compute(), 16),
    (5, lambda: df.assign(y=df.x + 1).persist(), 19),
    (4, lambda: df.groupby(["k", "s"]).x.sum().compute(), 14),
    (4, lambda: df.drop_duplicates("k").compute(), 16),
    (4, lambda: df.groupby("s").x.apply(len, meta=("x", "int64")).compute(), 12),
    (4, lambda: df.repartition(npartitions=3).compute(), 16),
):
    for workers in (1, 4):
        with muster.config.set({{"memory-limit": f"{{limit}} MB", "num-workers": workers}}):
            try:
                query()
            except MemoryError as error:
                text = str(error)
                assert f"the memory budget of {{limit}} MB is too small" in text and "memory-limit" in text, text
                about = int(text.split("about ")[1].split()[0])
                assert size / 3 < about < size * 3, text
            else:
                raise AssertionError("not refused")
            assert df.x.max().compute() == pdf.x.max()
"""
    python(program, timeout=120)


def test_the_limit_holds_for_every_operation(tmp_path):
    """Within the limit, one task's inputs and outputs and the result, or a MemoryError with an estimate; and right answers."""
    long = os.environ.get("MUSTER_EXAMPLES") == "long"
    program = pathlib.Path(__file__).with_name("memory.py")
    done = subprocess.run([sys.executable, program, tmp_path / "frame", *(["10000000", "64", "256", "512"] if long else ["400000", "32"])], capture_output=True, text=True, timeout=36_000 if long else 300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "42 operations" in done.stdout
