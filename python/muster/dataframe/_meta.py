"""What a result looks like, as users say it."""

from muster._base.libraries import pd
from muster._base.values import no_default
from muster._border.pandas import unknown_categories
from muster.dataframe._collection import Collection


def warn_of_meta(operation, meta):
    """Warn where a user did not say what a function returns."""
    if meta is None or meta is no_default:
        import warnings

        warnings.warn(
            f"{operation}: `meta` is not specified, you did not provide metadata: what the function returns is inferred from partial data, the first rows; "
            "dtypes are revised where others show it",
            stacklevel=3
        )


def meta_object(meta):
    """Return what a user gave as meta as a pandas object or scalar: a dict, pairs of (name, dtype), one such pair, or that itself."""
    if meta is None or meta is no_default:
        return no_default
    if isinstance(meta, Collection):
        return meta._meta
    if isinstance(meta, dict):
        meta = list(meta.items())
    if isinstance(meta, list):
        meta = pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in meta})
    elif isinstance(meta, tuple) and len(meta) == 2:
        meta = pd.Series([], dtype=meta[1], name=meta[0])
    elif isinstance(meta, (str, type)):
        meta = pd.Series([], dtype=meta)
    return _with_any_categories(meta)


def _with_any_categories(meta):
    """A promise of no categories at all is one of some, whichever they are."""
    def some(dtype):
        return pd.CategoricalDtype(unknown_categories(), dtype.ordered) if isinstance(dtype, pd.CategoricalDtype) and len(dtype.categories) == 0 else dtype

    if isinstance(meta, pd.Series):
        return meta if some(meta.dtype) is meta.dtype else pd.Series([], dtype=some(meta.dtype), name=meta.name)
    if isinstance(meta, pd.DataFrame):
        columns = {i: meta.iloc[:, i].astype(some(dtype)) for i, dtype in enumerate(meta.dtypes) if some(dtype) is not dtype}
        if columns:
            meta = pd.DataFrame({i: columns.get(i, meta.iloc[:, i]) for i in range(meta.shape[1])}).set_axis(meta.columns, axis=1)
    return meta


def made_by_python(expr):
    """Whether a function's result is part of an expression: its categories are a guess before it has run."""
    pending, seen = [expr], set()
    while pending:
        node = pending.pop()
        if node.op in ("map_partitions", "python_rows", "python_whole"):
            return True
        pending += [i for i in node.inputs if i.id not in seen]
        seen.update(i.id for i in node.inputs)
    return False
