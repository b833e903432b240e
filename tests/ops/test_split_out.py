"""split_out: results in several partitions, in the order they have in one."""

import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import PARTITIONS, same

FRAME = pd.DataFrame({"k": [3, 1, 2, 1, 5, 3] * 4, "x": range(24), "o": pd.Series(["a", "b", None] * 8, dtype="category")})


@pytest.mark.parametrize("npartitions", PARTITIONS)
@pytest.mark.parametrize("split_out", [2, 3, 9])
def test_rows_and_their_order(npartitions, split_out):
    df = dd.from_pandas(FRAME, npartitions=npartitions)
    for f in (
        lambda d, **how: d[["k", "o"]].drop_duplicates(**how), lambda d, **how: d.k.drop_duplicates(**how),
        lambda d, **how: d.k.value_counts(**how), lambda d, **how: d.o.value_counts(**how), lambda d, **how: d[["k", "x"]].value_counts(**how),
        lambda d, **how: d.groupby("k").x.sum(**how), lambda d, **how: d.groupby(["k", "o"], observed=True).x.agg(["min", "var"], **how),
        lambda d, **how: d.groupby("k").x.quantile(0.5, **how), lambda d, **how: d.groupby("k").size(**how),
    ):  # fmt: skip
        one, several = f(df), f(df, split_out=split_out)
        assert one.npartitions == 1 and several.npartitions == split_out
        same(several, one.compute())
    several = df.k.unique(split_out=split_out)
    assert several.npartitions == split_out and several.compute().tolist() == [3, 1, 2, 5]
    assert several.loc[1].compute().tolist() == [1]


def test_what_is_no_number():
    df = dd.from_pandas(FRAME, npartitions=3)
    assert df.drop_duplicates(split_out=True).npartitions == df.drop_duplicates(split_out=1).npartitions == 1
    for wrong in (0, -1, 1.5, "2"):
        with pytest.raises(ValueError, match="split_out must be a positive integer or a bool, got"):
            df.groupby("k").x.sum(split_out=wrong)
