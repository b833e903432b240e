"""shuffle: rows of equal keys in one partition."""

from muster import _core
from muster._base import keywords
from muster._base.libraries import pd
from muster._base.values import plain_label
from muster.bag._partitions import stable_hash
from muster.dataframe._collection import Collection, new_collection
from muster.dataframe._order import wanted

_HASH = "__hash of the key"


def shuffle(self, on=None, ignore_index=False, npartitions=None, shuffle_method=None, on_index=False, force=None, **kwargs):
    """Return the rows in other partitions, chosen by a hash of keys: rows whose keys are equal are in one partition.

    What does not fit into memory lies on disk meanwhile. In which order rows of a partition come is not said.

    Parameters
    ----------
    on : label, list of labels, or collection of the same rows
        Columns, or index levels, that are the key. Not with `on_index`.
    ignore_index : bool, default False
        Number the rows from 0.
    npartitions : int, optional
        Of the result. Default: as many as there are.
    on_index : bool, default False
        The index is the key.
    shuffle_method, force, max_branch
        Accepted.

    Raises
    ------
    KeyError
        If a label is no column.
    TypeError
        If there is no key, or two.
    ValueError
        If `npartitions` is no positive integer.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> df = dd.from_dict({"x": [1, 2, 1, 2], "y": [5, 6, 7, 8]}, npartitions=2)
    >>> df.shuffle("x").map_partitions(lambda part: part.groupby("x").y.sum(), meta=("y", "int64")).compute().sort_index().tolist()
    [12, 14]
    """
    keywords.check("shuffle", kwargs, {"max_branch"}, "on ignore_index npartitions shuffle_method on_index force".split())
    if (on is None) is not bool(on_index):
        raise TypeError(
            "shuffle: Cannot shuffle on both, it is columns or the index; leave one out" if on_index
            else "Must shuffle on either columns or the index: on says which columns, or on_index=True"
        )
    npartitions = wanted(npartitions, "shuffle") or self.npartitions
    if isinstance(on, Collection):
        shuffled = _by_value(self, on, npartitions)
    else:
        labels = None if on_index else on if isinstance(on, list) else [on]
        shuffled = _by_labels(self, labels, npartitions)
    return shuffled.reset_index(drop=True) if ignore_index else shuffled


def _by_labels(self, labels, npartitions):
    if labels is not None and self.ndim == 2:
        levels = [n for n in labels if n not in self.columns and n == self._meta.index.name]
        if levels:
            index = self.index.to_series()
            return _by_value(self, self[[n for n in labels if n not in levels]].assign(**{_HASH: index}) if len(labels) > 1 else index, npartitions)
        for label in labels:
            self._positions_for("shuffle: Cannot shuffle on", label)
    elif labels is not None:
        if labels != [self.name]:
            raise KeyError(f"shuffle: Cannot shuffle on {labels}, the Series is named {self.name!r}")
    try:
        return new_collection(_core.call("shuffle", [self._expr], {"on": plain_label(labels), "partitions": npartitions}))
    except NotImplementedError:
        return _by_value(self, self.index.to_series() if labels is None else self[labels] if self.ndim == 2 else self, npartitions)


def _by_value(self, key, npartitions):
    """By the hashes that pandas makes of another collection's values, of the same rows."""
    hashes = key.map_partitions(_hashed, meta=pd.Series([], dtype="uint64"))
    frame = (self if self.ndim == 2 else self.to_frame(name=0)).assign(**{_HASH: hashes})
    moved = new_collection(_core.call("shuffle", [frame._expr], {"on": [_HASH], "partitions": npartitions})).drop(columns=[_HASH])
    return moved if self.ndim == 2 else moved[0].rename(self.name)


def _hashed(part):
    columns = [part] if part.ndim == 1 else [part.iloc[:, i] for i in range(part.shape[1])]
    return pd.util.hash_pandas_object(pd.DataFrame({i: _comparable(c) for i, c in enumerate(columns)}), index=False).set_axis(part.index)


def _comparable(column):
    """The values, or hashes that equal values have whatever they are among: pandas' own depend on the partition for objects and nullable dtypes."""
    numpy_like = isinstance(column.dtype, (pd.CategoricalDtype, pd.DatetimeTZDtype, pd.StringDtype))
    if column.dtype != object and (numpy_like or not pd.api.types.is_extension_array_dtype(column.dtype)):
        return column.reset_index(drop=True)
    missing = column.isna()
    return pd.Series([0 if gone else stable_hash(v) & (2**63 - 1) for v, gone in zip(column, missing, strict=True)], dtype="int64")
