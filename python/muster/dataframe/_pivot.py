"""pivot_table: a group-by of two keys, one of which becomes columns."""

from muster._base.libraries import np, pd
from muster.dataframe._labelled import labelled
from muster.dataframe._through_pandas import through

_AGGREGATES = ("mean", "sum", "count", "first", "last")


def pivot_table(self, index, columns, values, aggfunc="mean"):
    """Return an aggregate of each pair of a value of one column and a category of another: a row for each value, a column for each category.

    Parameters
    ----------
    index : label
        Column whose values become rows; of a categorical column all categories do.
    columns : label
        Categorical column with known categories; each becomes a column, also one that does not occur.
    values : label or list of labels
        Columns that are aggregated. Of a list the result's columns are labelled by pairs of value and category.
    aggfunc : {"mean", "sum", "count", "first", "last"}, default "mean"

    Returns
    -------
    DataFrame
        One partition, in the order of the rows' keys, as ``pandas.pivot_table(observed=False)`` has it: rows of nothing but missing values are left out. Counts
        are float64. Grouped partition by partition; only the aggregates are put together.

    Raises
    ------
    ValueError
        If a label is no column's, `columns` is not categorical or its categories are not known, or the aggregate is none of these. At compute: a value is none
        of the known categories.

    Examples
    --------
    >>> import pandas as pd, muster.dataframe as dd
    >>> pdf = pd.DataFrame({"day": [1, 1, 2], "kind": pd.Categorical(["a", "b", "a"]), "x": [10, 20, 30]})
    >>> dd.from_pandas(pdf, npartitions=2).pivot_table("day", "kind", "x", aggfunc="sum").compute().to_dict()
    {'a': {1: 10, 2: 30}, 'b': {1: 20, 2: 0}}
    """
    for name, label in (("index", index), ("columns", columns)):
        if not pd.api.types.is_scalar(label) or label is None or label not in self:
            raise ValueError(f"pivot_table: '{name}' must be the name of an existing column, got {label!r}; columns are {self._labels()}")
    listed = pd.api.types.is_list_like(values) and not (isinstance(values, tuple) and values in self)
    labels = list(values) if listed else [values]
    missing = [label for label in labels if label is None or label not in self]
    if missing or not labels:
        raise ValueError(f"pivot_table: 'values' must refer to an existing column or columns, got {values!r}; columns are {self._labels()}")
    if not isinstance(aggfunc, str) or aggfunc not in _AGGREGATES:
        raise ValueError(f"pivot_table: aggfunc must be either {', '.join(map(repr, _AGGREGATES))}, got {aggfunc!r}; for others group by both columns")
    at = [_only(self, label) for label in (index, columns, *labels)]
    if len(set(at[:2])) < 2 or set(at[:2]) & set(at[2:]):
        raise ValueError(f"pivot_table: one column cannot be two of index, columns and values, got {index!r}, {columns!r} and {values!r}")
    keys = self._column(at[1])
    if not isinstance(keys.dtype, pd.CategoricalDtype):
        raise ValueError(f"pivot_table: 'columns' must be category dtype, column {columns!r} is {keys.dtype}; see DataFrame.categorize")
    if not keys.cat.known:
        raise ValueError(f"pivot_table: 'columns' must have known categories, column {columns!r} has not; learn them first: df[{columns!r}].cat.as_known()")
    rows, row_dtype = self._column(at[0]), None
    if isinstance(rows.dtype, pd.CategoricalDtype):
        rows = rows if rows.cat.known else rows.cat.as_known()
        row_dtype, rows = rows.dtype, _codes(rows, index)
    if listed:
        order = _sorted(range(len(labels)), labels)
        labels, at = [labels[i] for i in order], [*at[:2], *(at[2 + i] for i in order)]
    frame = self._take(at)._relabelled(range(len(at)))._assign({0: rows, 1: _codes(keys, columns)})
    grouped = getattr(frame.groupby([0, 1], sort=True), aggfunc)()
    categories = list(keys.dtype.categories)
    shape = _Shape(aggfunc, len(categories), row_dtype, index)
    table = through("pivot_table", shape, (grouped,), shape="whole", meta=shape(grouped._meta))
    if not listed:
        return labelled(table._relabelled(categories), pd.CategoricalIndex(categories, dtype=keys.dtype, name=columns))
    pairs = [(label, category) for label in labels for category in categories]
    return labelled(table._relabelled(pairs), pd.MultiIndex.from_product([labels, pd.CategoricalIndex(categories, dtype=keys.dtype)], names=[None, columns]))


def _only(frame, label):
    positions = frame._positions(label)
    if len(positions) > 1:
        raise ValueError(f"pivot_table: {len(positions)} columns are labelled {label!r}; give them labels of their own")
    return positions[0]


def _sorted(positions, labels):
    try:
        return sorted(positions, key=lambda i: labels[i])
    except TypeError:
        return list(positions)


def _codes(series, label):
    known = {"categories": series.dtype.categories, "label": label}
    return through("pivot_table", _code, (series,), known, meta=pd.Series([], dtype="int32", name=series.name), labels=False)


def _code(part, categories, label):
    codes = categories.get_indexer(part.array.categories).astype("int32")
    if (codes < 0).any():
        others = part.array.categories[codes < 0]
        used = others[others.isin(part)]
        if len(used):
            raise ValueError(f"pivot_table: column {label!r} has the value {used[0]!r}, which is none of its known categories {list(categories)}")
    return pd.Series(np.append(codes, np.int32(-1))[part.cat.codes.to_numpy()], index=part.index, name=part.name)


class _Shape:
    """Makes the table of aggregates by row and category, its columns numbered."""

    def __init__(self, aggregate, width, row_dtype, row_name):
        self.aggregate, self.width, self.row_dtype, self.row_name = aggregate, width, row_dtype, row_name

    def __call__(self, grouped):
        keys, codes = grouped.index.get_level_values(0), grouped.index.get_level_values(1).to_numpy()
        if self.row_dtype is None:
            rows = keys.unique()
            row_of = rows.get_indexer(keys)
        else:
            rows = pd.CategoricalIndex(self.row_dtype.categories, dtype=self.row_dtype)
            row_of = keys.to_numpy()
        there = (codes >= 0) & (row_of >= 0)
        place = row_of[there] * self.width + codes[there]
        values = [self.filled(grouped.iloc[:, i][there].set_axis(place), len(rows) * self.width) for i in range(grouped.shape[1])]
        columns = [cells.iloc[j :: self.width].set_axis(rows) for cells in values for j in range(self.width)]
        table = pd.concat(columns, axis=1, keys=range(len(columns))) if columns else pd.DataFrame(index=rows)
        table.index.name = self.row_name
        return table if self.aggregate in ("sum", "count") else table.dropna(how="all")

    def filled(self, cells, count):
        """The cells of all pairs; of pairs that no row has, what pandas aggregates of nothing."""
        if self.aggregate == "count":
            return cells.reindex(range(count), fill_value=0).astype("float64")
        return cells.reindex(range(count), **({"fill_value": cells.iloc[:0].sum()} if self.aggregate == "sum" else {}))
