"""Two columns of categories, known, unknown, ordered, of other values: beside and behind each other, against pandas."""

import itertools
import operator

import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same

COLUMNS = {
    "abc": pd.Categorical(["a", "b", "a", None], ["a", "b", "c"]),
    "abc again": pd.Categorical(["c", "b", "c", "a"], ["a", "b", "c"]),
    "db": pd.Categorical(["d", "b"]),
    "ordered": pd.Categorical(["a", "c", "b", "b"], ["a", "b", "c"], ordered=True),
    "numbers": pd.Categorical([1, 2]),
    "texts": pd.array(["d", "b", "a", None], dtype="str"),
}
ROWS = {name: pd.DataFrame({"c": values, "x": range(len(values))}) for name, values in COLUMNS.items()}
UNKNOWN = ("abc", "abc again", "db", "ordered")


def lazy(name, known, npartitions):
    frame = dd.from_pandas(ROWS[name], npartitions=npartitions)
    return frame if known else frame.assign(c=frame.c.cat.as_unknown())


def pairs():
    """Two columns, and which of them have known categories."""
    for one, other in itertools.product(COLUMNS, repeat=2):
        for known in itertools.product((True, False), repeat=2):
            if (known[0] or one in UNKNOWN) and (known[1] or other in UNKNOWN):
                yield one, other, known


@pytest.mark.parametrize("npartitions", [1, 2])
def test_behind_each_other(npartitions):
    for one, other, known in pairs():
        a, b = lazy(one, known[0], npartitions), lazy(other, known[1], 2)
        rows = pd.concat([ROWS[one], ROWS[other]])
        if not any(known):  # of unknown ones it is not known that they differ: they are united
            rows = rows.assign(c=pd.api.types.union_categoricals([COLUMNS[one], COLUMNS[other]]) if COLUMNS[one].ordered == COLUMNS[other].ordered else rows.c)
        same(dd.concat([a, b]), rows, check_categorical=any(known))
        same(dd.concat([a.c, b.c]), rows.c, check_categorical=any(known))


@pytest.mark.parametrize("npartitions", [1, 2])
def test_where_values_are_missing(npartitions):
    for one, other, known in pairs():
        a, b = lazy(one, known[0], npartitions), lazy(other, known[1], 2)
        same(a.combine_first(b), ROWS[one].combine_first(ROWS[other]))
        same(a.c.combine_first(b.c), ROWS[one].c.combine_first(ROWS[other].c))


@pytest.mark.parametrize("op", [operator.eq, operator.ne, operator.lt, operator.ge])
def test_comparisons(op):
    for one, other, known in pairs():
        a, b, left, right = lazy(one, known[0], 2), lazy(other, known[1], 2), ROWS[one], ROWS[other]
        for ours, theirs in (
            (lambda a=a, b=b: op(a.c, b.c), lambda left=left, right=right: op(left.c, right.c)),
            (lambda a=a, b=b: op(a.c, b.c.rename("d")), lambda left=left, right=right: op(left.c, right.c.rename("d"))),
            (lambda a=a: op(a.c, "a"), lambda left=left: op(left.c, "a")),
            (lambda a=a: op(a[["c"]], "a"), lambda left=left: op(left[["c"]], "a")),
        ):
            if raised(theirs) is not None:
                assert isinstance(raised(lambda ours=ours: ours().compute()), (TypeError, ValueError))
            else:
                same(ours(), theirs())
