"""Columns labelled by times, dates, spans, bytes, NaN, None, tuples and numbers, among texts: everything that takes labels, as pandas."""

import datetime

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same

N = 20
LABELS = {
    "time": pd.Timestamp("2020-01-01"), "NaN": np.nan, "None": None, "tuple": ("a", 1), "integer": 3, "NumPy's integer": np.int64(4), "number": 1.5,
    "bool": True, "date": datetime.date(2020, 1, 1), "time with a zone": pd.Timestamp("2020-01-01", tz="Europe/Berlin"), "bytes": b"a-b",
    "span": pd.Timedelta("36h"), "time of day": datetime.time(12, 30), "period": pd.Period("2020-01", "M"), "tuple of a date": ("a", datetime.date(2020, 1, 1)),
    "long integer": 10**30,
}  # fmt: skip


def labelled(label, values, others):
    frame = pd.DataFrame({"key": values, **others})
    frame.columns = pd.Index([label, *others], dtype=object, tupleize_cols=False)
    return frame


OPERATIONS = {
    "column": lambda f, r, k: f[k],
    "sort_values": lambda f, r, k: f.sort_values([k], kind="stable"),
    "sort_values of two": lambda f, r, k: f.sort_values([k, "B"], ascending=[False, True]),
    "merge": lambda f, r, k: f.merge(r, on=[k]),
    "merge of what both have": lambda f, r, k: f.merge(r),
    "outer merge": lambda f, r, k: f.merge(r, on=[k], how="outer"),
    "merge of two names": lambda f, r, k: f.merge(r, left_on=[k], right_on=["Y"], how="left"),
    "join": lambda f, r, k: f.join(r[["Y"]], on=[k]),
    "set_index": lambda f, r, k: f.set_index(k).sort_index(kind="stable"),
    "set_index of a list": lambda f, r, k: f.set_index([k]).sort_index(kind="stable"),
    "reset_index": lambda f, r, k: f.set_index(k).reset_index().sort_values("B").reset_index(drop=True),
    "drop_duplicates": lambda f, r, k: f.drop_duplicates(subset=[k]),
    "dropna": lambda f, r, k: f.dropna(subset=[k]),
    "groupby": lambda f, r, k: f.groupby([k]).B.sum(),
    "groupby of a frame": lambda f, r, k: f.groupby([k])[["B"]].agg(["sum", "min"]),
    "grouped column": lambda f, r, k: f.groupby("C")[k].sum(),
    "grouped by dict": lambda f, r, k: f.groupby("C").agg({k: "sum"}),
    "transform": lambda f, r, k: f.groupby([k]).B.transform("sum"),
    "nlargest": lambda f, r, k: f.nlargest(3, [k]),
    "drop": lambda f, r, k: f.drop(columns=[k]),
    "rename": lambda f, r, k: f.rename(columns={k: "Q"}),
    "fillna": lambda f, r, k: f.fillna({k: 0}),
    "astype": lambda f, r, k: f.astype({k: "float64"}),
    "value_counts": lambda f, r, k: f[k].value_counts().sort_index(),
}
# pandas takes a tuple for labels of levels that are not there
AS_LEVELS = {(kind, operation) for kind in ("tuple", "tuple of a date") for operation in ("grouped by dict", "grouped column")}


@pytest.mark.filterwarnings("ignore:You did not provide metadata", "ignore:.*meta")
@pytest.mark.parametrize("npartitions", [1, 3])
@pytest.mark.parametrize(("kind", "operation"), [(k, o) for k in LABELS for o in OPERATIONS if (k, o) not in AS_LEVELS])
def test_labels(kind, operation, npartitions):
    label, call = LABELS[kind], OPERATIONS[operation]
    frame = labelled(label, np.arange(N) * 7 % 5, {"B": np.arange(N), "C": list("abcd") * 5})
    right = labelled(label, [0, 1, 2, 9], {"Y": [1, 2, 3, 4]})
    ours = dd.from_pandas(frame, npartitions=npartitions), dd.from_pandas(right, npartitions=1)
    if (error := raised(lambda: call(frame, right, label))) is not None:
        with pytest.raises(type(error)):
            call(*ours, label).compute()
    else:
        same(call(*ours, label), call(frame, right, label))


@pytest.mark.parametrize("kind", LABELS)
def test_membership_and_order_of_labels(kind):
    label = LABELS[kind]
    frame = labelled(label, range(N), {"B": range(N)})
    ours = dd.from_pandas(frame, npartitions=2)
    assert label in ours and "B" in ours and "C" not in ours and None not in ours.drop(columns=[label])
    assert list(ours)[1] == "B" and (list(ours)[0] == label or label != label)
    pd.testing.assert_index_equal(ours.columns, frame.columns, exact=False)


@pytest.mark.parametrize("kind", LABELS)
def test_shuffle(kind):
    label = LABELS[kind]
    frame = labelled(label, np.arange(N) * 7 % 5, {"B": np.arange(N)})
    moved = dd.from_pandas(frame, npartitions=3).shuffle([label])
    same(moved.compute().sort_values("B"), frame)
    of_partitions = [set(moved.partitions[i].compute()[label]) for i in range(moved.npartitions)]
    assert sum(len(keys) for keys in of_partitions) == 5
