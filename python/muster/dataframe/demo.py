"""Made-up data: frames of random columns described by a specification.

Examples
--------
>>> from muster.dataframe.demo import ColumnSpec, DatasetSpec, with_spec
>>> columns = [ColumnSpec(prefix="i", dtype=int, low=0, high=5, number=2), ColumnSpec(dtype="category", choices=["a", "b"])]
>>> spec = DatasetSpec(npartitions=2, nrecords=10, column_specs=columns)
>>> list(with_spec(spec, seed=1).columns)
['i1', 'i2', 'category']
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import muster.dataframe as dd
from muster._base.libraries import np, pd
from muster.datasets import timeseries

if TYPE_CHECKING:
    from muster.dataframe import DataFrame

__all__ = ["ColumnSpec", "DatasetSpec", "DatetimeIndexSpec", "RangeIndexSpec", "make_timeseries", "with_spec"]


def make_timeseries(
    start: str = "2000-01-01", end: str = "2000-12-31", dtypes: Mapping[str, Any] | None = None, freq: str = "10s", partition_freq: str = "1ME",
    seed: int | None = None, **kwargs: Any
) -> "DataFrame":
    """Return random rows at regular times, a lazy DataFrame; see `muster.datasets.timeseries`, which has the same parameters in another order."""
    return timeseries(start, end, freq, partition_freq, dtypes, seed, **kwargs)


@dataclass
class ColumnSpec:
    """One column, or `number` alike.

    Parameters
    ----------
    prefix : str, optional
        Label, with 1, 2, ... behind it where there are several. Default: the dtype's name.
    dtype : type or str
        int, float, bool, str or "category", or a NumPy name such as "int32".
    number : int, default 1
    nunique : int, optional
        Of text and categories without `choices`: how many different values.
    choices : list, optional
        Values to draw from.
    low, high : number, optional
        Range of numbers, `high` left out of integers.
    length : int, optional
        Characters of random text, default 25.
    random : bool, default False
        Of text: a new one in each row.
    method : str, optional
        Distribution of `numpy.random.RandomState`, such as "poisson" or "uniform"; called with `args` and `kwargs`.
    """

    prefix: str | None = None
    dtype: object = None
    number: int | None = None
    nunique: int | None = None
    choices: list = field(default_factory=list)
    low: float | None = None
    high: float | None = None
    length: int | None = None
    random: bool = False
    method: str | None = None
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)


@dataclass
class RangeIndexSpec:
    """Row numbers from 0 on in each step of `step`; `dtype` an integer dtype."""

    dtype: object = int
    step: int = 1


@dataclass
class DatetimeIndexSpec:
    """Times from `start` on (default 2000-01-01), `freq` apart; `partition_freq` is accepted."""

    dtype: object = int
    start: str | None = None
    freq: str = "1h"
    partition_freq: str | None = None


@dataclass
class DatasetSpec:
    """A frame of `nrecords` rows in `npartitions` partitions."""

    npartitions: int = 1
    nrecords: int = 1000
    index_spec: object = field(default_factory=RangeIndexSpec)
    column_specs: list = field(default_factory=list)


def with_spec(spec: DatasetSpec, seed: int | None = None) -> "DataFrame":
    """Return random rows as a specification describes them, a lazy DataFrame.

    Parameters
    ----------
    spec : DatasetSpec
    seed : int, optional
        Equal seeds give equal rows.

    Raises
    ------
    ValueError
        At the call: a column of another dtype, or no column.
    """
    if not spec.column_specs:
        raise ValueError("with_spec: a specification without columns")
    borders = [spec.nrecords * i // spec.npartitions for i in range(spec.npartitions + 1)]
    sequence = np.random.SeedSequence(seed)
    seeds = [int(s) for s in sequence.generate_state(spec.npartitions)]
    words = _words(spec, np.random.RandomState(sequence.generate_state(1)[0]))
    meta = _part(0, 0, spec, words, 0)
    return dd.from_map(
        _part, borders[:-1], borders[1:], [spec] * spec.npartitions, [words] * spec.npartitions, seeds, meta=meta, divisions=_divisions(spec, borders),
        label="with_spec"
    )


def _words(spec, random):
    """The texts that columns without `choices` draw from, the same in all partitions."""
    return [
        [_word(random, c.length) for _ in range(c.nunique or 10)] if _kind(c.dtype) in ("str", "category") and not len(c.choices) else None
        for c in spec.column_specs
    ]


def _word(random, length):
    return "".join(random.choice(list(string.ascii_letters + string.digits), size=25 if length is None else length))


def _kind(dtype):
    if dtype in (str, "str", "string", object, "object"):
        return "str"
    if dtype == "category":
        return "category"
    try:
        kind = np.dtype(dtype).kind if dtype is not None else ""
    except TypeError:
        kind = ""
    if kind not in "iufb" or not kind:
        raise ValueError(f"with_spec: a column is int, float, bool, str or 'category', got {dtype!r}")
    return kind


def _index(spec, begin, end):
    index = spec.index_spec
    if isinstance(index, DatetimeIndexSpec):
        start = pd.Timestamp(index.start or "2000-01-01") + begin * pd.tseries.frequencies.to_offset(index.freq)
        return pd.date_range(start, periods=end - begin, freq=index.freq)
    if np.dtype(index.dtype).kind not in "iu":
        raise ValueError(f"with_spec: the dtype of a range index is an integer one, got {index.dtype!r}")
    return pd.Index(np.arange(begin, end) * index.step, dtype=index.dtype)


def _divisions(spec, borders):
    if spec.nrecords < spec.npartitions or not spec.nrecords:
        return None
    every = [_index(spec, b, b + 1)[0] for b in borders[:-1]]
    return (*every, _index(spec, spec.nrecords - 1, spec.nrecords)[0])


def _part(begin, end, spec, words, seed):
    """One partition."""
    random = np.random.RandomState(seed)
    columns = {}
    for column, choices in zip(spec.column_specs, words, strict=True):
        name = column.prefix or (column.dtype if isinstance(column.dtype, str) else getattr(column.dtype, "__name__", str(column.dtype)))
        number = column.number or 1
        for i in range(number):
            columns[f"{name}{i + 1}" if number > 1 else name] = _values(column, choices, end - begin, random)
    return pd.DataFrame(columns, index=_index(spec, begin, end))


def _values(column, words, n, random):
    kind = _kind(column.dtype)
    choices = list(column.choices) if len(column.choices) else words
    if column.method is not None:
        values = getattr(random, column.method)(*column.args, size=n, **column.kwargs)
    elif kind == "str" and column.random:
        return pd.array([_word(random, column.length) for _ in range(n)], dtype="str")
    elif choices:
        values = np.asarray(choices)[random.randint(0, len(choices), size=n)]
    elif kind == "f":
        low, high = column.low if column.low is not None else -1.0, column.high if column.high is not None else 1.0
        values = random.uniform(low, high, size=n)
    else:
        low, high = column.low if column.low is not None else 0, column.high if column.high is not None else (2 if kind == "b" else 1000)
        values = random.randint(low, high, size=n)
    if kind == "category":
        return pd.Categorical(values, categories=choices)
    return pd.array(values, dtype="str") if kind == "str" else np.asarray(values).astype(np.dtype(column.dtype))
