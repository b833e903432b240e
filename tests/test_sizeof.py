"""How many bytes objects take."""

import array
import sys

import numpy as np
import pandas as pd
import pytest

from muster.sizeof import sizeof


@pytest.mark.parametrize(
    "value, least",
    [
        (1, sys.getsizeof(1)), (bytes(1000), 1000), (bytearray(1000), 1000), (memoryview(bytes(1000)), 1000), (array.array("d", range(1000)), 8000),
        (np.zeros(1000), 8000), ([1, 2, [3]], 100), ({"x": [np.ones(1000)]}, 8000)
    ]
)
def test_plain_values(value, least):
    assert least <= sizeof(value) < 2 * least + 500 and isinstance(sizeof(value), int)


def test_large_containers_are_sampled():
    value = [np.zeros(100)] * 10_000
    assert 8_000_000 < sizeof(value) < 12_000_000 and sizeof(dict.fromkeys(range(1000), np.zeros(100))) > 800_000


def test_what_is_not_stored_does_not_count():
    assert sizeof(np.broadcast_to(1.0, (1000, 1000))) == 8


@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_texts(dtype):
    often, once = pd.Series(["x" * 10_000, "y" * 10_000] * 500, dtype=dtype), pd.Series([str(i) * 3000 for i in range(10)], dtype=dtype)
    assert sizeof(once) > 20_000 and (dtype == "str" or sizeof(often) < 100_000)
    frame = pd.DataFrame({"a": often, "b": 1.0})
    assert sizeof(frame) >= sizeof(often) + 8000 and sizeof(frame.iloc[:0]) < 30_000


def test_own_types():
    class Mine:
        pass

    sizeof.register(Mine, lambda value: 123)
    assert sizeof(Mine()) == 123 and sizeof([Mine()]) > 123
