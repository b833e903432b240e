"""How many bytes an object takes, with the data it refers to: `sizeof`.

Libraries say it of their own types: ``sizeof.register(Type)``, or an entry point ``dask.sizeof`` that is called with `sizeof`.

Examples
--------
>>> from muster.sizeof import sizeof
>>> sizeof(bytes(1000)) > 1000
True
"""

import array
import importlib.metadata
import logging
import random
import sys

from muster._base.dispatch import Dispatch
from muster._base.libraries import np, pa, pd

_SAMPLE = 100  # of a larger container or array of objects so many are looked at
_logger = logging.getLogger("muster")

sizeof = Dispatch("sizeof")


@sizeof.register(object)
def _of_object(value):
    return sys.getsizeof(value)


@sizeof.register(memoryview)
def _of_memory(value):
    return int(value.nbytes)


@sizeof.register(array.array)
def _of_array(value):
    return sys.getsizeof(value)


def _total(values):
    """Return the bytes of a list of objects: of many, those of a sample times their number."""
    if len(values) > _SAMPLE:
        return int(sum(map(sizeof, random.Random(0).sample(values, _SAMPLE))) / _SAMPLE * len(values))
    return sum(map(sizeof, values))


@sizeof.register((list, tuple, set, frozenset))
def _of_container(value):
    return sys.getsizeof(value) + _total(list(value))


@sizeof.register(dict)
def _of_dict(value):
    return sys.getsizeof(value) + _total(list(value)) + _total(list(value.values()))


@sizeof.register_lazy("numpy")
def _register_numpy():
    @sizeof.register(np.ndarray)
    def _of_ndarray(value):
        if 0 in value.strides:  # repeated, not stored
            value = value[tuple(slice(None) if stride else slice(1) for stride in value.strides)]
        return int(value.nbytes)


def _objects(arrays):
    """Return the bytes of the Python objects in arrays; one that is there often is counted once."""
    values = list({id(v): v for a in arrays for v in a}.values())
    return _total(values)


@sizeof.register_lazy("pandas")
def _register_pandas():
    def buffers(arrays):
        """Return the bytes of arrays, each memory once."""
        memory, objects, total = {}, [], 0
        for a in arrays:
            if isinstance(a, pd.Categorical):
                total += a.codes.nbytes + sizeof(a.categories)
            elif isinstance(a, np.ndarray) or isinstance(getattr(a, "_ndarray", None), np.ndarray):
                a = a if isinstance(a, np.ndarray) else a._ndarray
                memory[a.__array_interface__["data"][0], a.nbytes] = a.nbytes
                if a.dtype == object:
                    objects.append(a)
            else:
                total += int(getattr(a, "nbytes", 0))
        return sum(memory.values()) + total + (_objects(objects) if objects else 0)

    def index_bytes(index):
        if isinstance(index, pd.RangeIndex):
            return sys.getsizeof(index)
        if isinstance(index, pd.MultiIndex):
            return sum(sizeof(level) for level in index.levels) + sum(int(codes.nbytes) for codes in index.codes)
        return buffers([index.array])

    _SERIES, _FRAME = 1000, 1200  # of pandas' own objects, about

    @sizeof.register(pd.DataFrame)
    def _of_frame(value):
        return int(
            _FRAME + sizeof(value.index) + index_bytes(value.columns) + buffers([value.iloc[:, i].array for i in range(value.shape[1])])
            + 400 * len({str(d) for d in value.dtypes})
        )

    @sizeof.register(pd.Series)
    def _of_series(value):
        return int(_SERIES + sizeof(value.index) + buffers([value.array]))

    @sizeof.register(pd.Index)
    def _of_index(value):
        return int(_SERIES + index_bytes(value))

    @sizeof.register(pd.MultiIndex)
    def _of_multiindex(value):
        return int(_SERIES + index_bytes(value))


@sizeof.register_lazy("scipy")
def _register_scipy():
    from scipy import sparse

    @sizeof.register(sparse.spmatrix)
    def _of_sparse(value):
        return sys.getsizeof(value) + sys.getsizeof(vars(value)) + sum(sizeof(v) for v in vars(value).values() if not isinstance(v, (int, str, tuple)))


@sizeof.register_lazy("pyarrow")
def _register_arrow():
    @sizeof.register((pa.Table, pa.RecordBatch))
    def _of_table(value):
        return int(sys.getsizeof(value) + value.nbytes + sizeof(value.schema.metadata))

    @sizeof.register((pa.ChunkedArray, pa.Array))
    def _of_column(value):
        return int(sys.getsizeof(value) + value.nbytes)


def _register_entry_point_plugins():
    """Call what installed packages name in their entry points ``dask.sizeof``, with `sizeof`."""
    for entry in importlib.metadata.entry_points(group="dask.sizeof"):
        try:
            entry.load()(sizeof)
        except Exception:
            _logger.exception("the entry point dask.sizeof of %s failed", entry.name)


_register_entry_point_plugins()
