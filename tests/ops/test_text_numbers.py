"""astype of texts to numbers, as Python's int() and float() read them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import raised

TEXTS = ["12", " 12 ", "+5", "-5", "-0", "007", "1_000", "1__0", "_1", "1_", "1.5", "0x10", "", " ", "99999999999999999999", "9223372036854775807",
         "-9223372036854775808", "9223372036854775808", "18446744073709551615", "300", "-1", "-129",
         "1e3", "1E-3", "nan", "-nan", "NaN", "nan(1)", "inf", "-Infinity", "infinit", " 1.5\n", "1_0.5", "1._5", "1e400", "-1e400", "1e-400", "12\x00", "- 5",
         "+-5", "-+5", "++5", "1e5_0", ".5", "5.", ".", "-.5", "-", "+", "123456789012345.6",
         "0.1234567890123456789", "9007199254740993", "9007199254740993.0", "4.35", "2.2250738585072011e-308", "0.000001", "1e", "1e+", "None", "true", "12abc",
         "1,5"]


def agree(values, dtype):
    s = pd.Series(values, dtype="str")
    for n in (1, 2):
        ours = dd.from_pandas(s, npartitions=n).astype(dtype)
        with np.errstate(over="ignore"):
            error = raised(lambda: s.astype(dtype))
        if error is None:
            pd.testing.assert_series_equal(ours.compute(), s.astype(dtype), check_exact=True)
        else:
            with pytest.raises(type(error)):
                ours.compute()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "uint64", "float64", "float32", "bool"])
@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_each_text(text, dtype):
    agree([text], dtype)


@pytest.mark.parametrize("dtype", ["int64", "float64", "bool"])
def test_missing_and_empty(dtype):
    agree(["1", None, "3"], dtype)
    agree([], dtype)


@given(st.lists(st.floats(allow_nan=False), max_size=20), st.sampled_from(["{!r}", "{:.3f}", "{:e}", "{:.17g}", "{:.1f}"]))
def test_floats_round_as_pythons(values, form):
    agree([form.format(v) for v in values], "float64")


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_integers_of_any_size(values):
    agree([str(v) for v in values], "int64")
