"""Python functions of partitions: the expression, and what the result looks like before it is computed."""

from muster._base.libraries import pd
from muster._base.tasks import NOT_LAZY, is_to_come, unpack
from muster._base.values import no_default
from muster._border.calls import current_partition
from muster._border.pandas import sample_of
from muster._collections import running
from muster.dataframe._collection import Collection, Rows
from muster.dataframe._meta import meta_object
from muster.dataframe._partitioning import numbered
from muster.dataframe._through_pandas import objects_apart, through


def map_partitions(func, *args, meta=no_default, enforce_metadata=True, **kwargs):
    """Return what a Python function makes of each partition of the first collection; see `DataFrame.map_partitions`."""
    if not callable(func):
        raise TypeError(f"map_partitions: func must be callable, got {type(func).__name__}")
    frame = next((a for a in args if isinstance(a, Rows)), None)
    if frame is None:
        raise TypeError("map_partitions: no lazy DataFrame or Series among the arguments")
    if args[0] is not frame:
        func, args = _Reordered(func, next(i for i, a in enumerate(args) if a is frame)), (frame, *(a for a in args if a is not frame))
    for name in ("align_dataframes", "transform_divisions", "clear_divisions", "required_columns", "token"):
        kwargs.pop(name, None)
    args, kwargs = _computed(args), _computed(kwargs)
    placed = "partition_info" not in kwargs and _takes_a_place(func)
    if placed:
        if all(not isinstance(a, Collection) for a in [*args[1:], *kwargs.values()]):
            frame = numbered(frame)
            args = (frame, *args[1:])
        kwargs["partition_info"] = None  # while it is tried
    described = meta is not no_default and meta is not None and not isinstance(meta, (pd.DataFrame, pd.Series, pd.Index, Collection))
    meta = meta_object(meta)
    if described and isinstance(meta, (pd.DataFrame, pd.Series)):  # names and dtypes say nothing of the index: it is that of the rows
        meta = meta.set_axis(frame._meta.index)
    forced, made_up = meta is not no_default and enforce_metadata, False
    if meta is no_default and all(not isinstance(a, Collection) for a in [*args[1:], *kwargs.values()]):
        meta, made_up = _tried(func, frame, args[1:], kwargs)
    label = getattr(func, "__name__", type(func).__name__)
    if placed:
        del kwargs["partition_info"]
        func = _Placed(func, frame.divisions)
    return through(label, func, args, kwargs, shape="partitions", meta=meta, real=True, forced=forced, made_up=made_up)


def _tried(func, frame, args, kwargs):
    """What a function makes of made-up rows, or where it cannot of a first partition; and whether they were made up."""
    try:
        return func(sample_of(frame._expr), *args, **kwargs), True
    except Exception:
        return func(objects_apart(frame.partitions[0].compute()), *args, **kwargs), False


def _computed(arguments):
    """The arguments with the values of the tasks among them, however deep; collections of rows stay."""
    found = []

    def see(value):
        if is_to_come(value):
            found.append(value)
        return value if is_to_come(value) or isinstance(value, Collection) else NOT_LAZY

    unpack(arguments, see)
    if not found:
        return arguments
    made = dict(zip(map(id, found), running.compute(*found), strict=True))
    return unpack(arguments, lambda value: made[id(value)] if is_to_come(value) else value if isinstance(value, Collection) else NOT_LAZY)


def _takes_a_place(func):
    """Whether a function has a keyword `partition_info`."""
    import inspect

    try:
        return "partition_info" in inspect.signature(func).parameters
    except (TypeError, ValueError):  # of what is not written in Python
        return False


class _Placed:
    """Calls a function with the number of its partition, and where that begins."""

    def __init__(self, func, divisions):
        self.func, self.divisions = func, divisions

    def __call__(self, *args, **kwargs):
        number = current_partition()
        return self.func(*args, partition_info={"number": number, "division": self.divisions[number]}, **kwargs)


class _Reordered:
    """Calls a function with its first argument put back to where it stood."""

    def __init__(self, func, at):
        self.func, self.at = func, at
        self.__name__ = getattr(func, "__name__", type(func).__name__)

    def __call__(self, first, *others, **kwargs):
        others = list(others)
        others.insert(self.at, first)
        return self.func(*others, **kwargs)


def reduction(
    self, chunk, aggregate=None, combine=None, meta=no_default, token=None, split_every=None, chunk_kwargs=None, aggregate_kwargs=None, combine_kwargs=None,
    **kwargs
):
    """Return what functions make of the partitions and then of their results.

    Parameters
    ----------
    chunk : callable
        Of a partition.
    aggregate : callable, optional
        Of the concatenated results; default `chunk`.
    combine : callable, optional
        Accepted: results are concatenated once.

    Raises
    ------
    ValueError
        If split_every is no integer from 2 on, or combine_kwargs come without `combine`.
    """
    if split_every is not None and split_every is not False and (not isinstance(split_every, int) or split_every < 2):
        raise ValueError(f"split_every must be an integer >= 2, got {split_every!r}")
    if combine_kwargs and combine is None:
        raise ValueError("combine_kwargs: there is no function `combine`")
    chunked = self.map_partitions(chunk, **{**kwargs, **(chunk_kwargs or {})})
    return through("reduction", aggregate or chunk, (chunked,), {**kwargs, **(aggregate_kwargs or {})}, shape="whole", meta=meta, real=True, forced=True)
