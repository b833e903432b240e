"""melt: the rows of some columns, one column after the other."""

from muster._base.libraries import np, pd
from muster._border.pandas import sample_of
from muster.dataframe._meta import made_by_python
from muster.dataframe._partitioning import concat
from muster.dataframe._through_pandas import call

_MOST = 32  # columns: the data is read once for each


def melt(self, id_vars=None, value_vars=None, var_name=None, value_name="value", col_level=None, ignore_index=True):
    """Return the values of some columns below each other, each beside its column's label and the values of the other columns.

    Parameters
    ----------
    id_vars : label or list, optional
        Columns that stay, and are repeated.
    value_vars : label or list, optional
        Columns whose values become rows, one column after the other. Default: all others.
    var_name : label, optional
        Of the column of labels. Default: the name of the columns, or "variable".
    value_name : label, default "value"
    col_level : int or str, optional
        Of columns of several levels, the one that is melted; through pandas.
    ignore_index : bool, default True
        Number the rows from 0; False: repeat the index.

    Returns
    -------
    DataFrame
        Rows in pandas' order. The data is read once for each of `value_vars`.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> df = dd.from_dict({"k": [1, 2], "x": [3, 4], "y": [5, 6]}, npartitions=1)
    >>> df.melt("k").value.compute().tolist()
    [3, 4, 5, 6]
    """
    options = {
        "id_vars": id_vars, "value_vars": value_vars, "var_name": var_name, "value_name": value_name, "col_level": col_level, "ignore_index": ignore_index
    }
    sample = sample_of(self._expr)
    meta = sample.melt(**options)  # pandas checks the arguments
    ids, values = list(meta.columns[:-2]), _values(sample, id_vars, value_vars)
    if not values or len(values) > _MOST or set(ids) & set(values) or not _is_plain(sample, meta, values) or made_by_python(self._expr):
        return call(self, "melt", (), options, shape="whole")
    variable, name = meta.columns[-2:]
    parts = [self[[*ids, label]]._relabelled([*ids, name])._assign({variable: label})[[*ids, variable, name]] for label in values]
    dtype = meta[name].dtype
    parts = [part.astype({name: dtype}) if part._meta[name].dtype != dtype else part for part in parts]
    out = concat(parts)
    return out.reset_index(drop=True) if ignore_index else out


def _values(sample, id_vars, value_vars):
    """The labels of the columns whose values become rows."""
    def listed(given):
        return [] if given is None else list(given) if pd.api.types.is_list_like(given) and not isinstance(given, tuple) else [given]

    return [label for label in sample.columns if label not in listed(id_vars)] if value_vars is None else listed(value_vars)


def _is_plain(sample, meta, values):
    """Whether the result is that of single columns behind each other."""
    texts = pd.StringDtype(na_value=np.nan)

    def is_numeric(dtype):
        return isinstance(dtype, np.dtype) and dtype.kind in "iuf"

    if (
        sample.columns.nlevels > 1 or not sample.columns.is_unique or not meta.columns.is_unique
        or not all(type(label) in (str, int) for label in (*values, *meta.columns))
    ):
        return False
    variable, dtype = meta.dtypes.iloc[-2:]
    if variable == "object" and all(isinstance(label, str) for label in values):
        variable = texts  # as object columns of texts become
    if variable not in (texts, "int64") or dtype != texts and (not isinstance(dtype, np.dtype) or dtype.kind == "O"):
        return False
    return all(d == dtype or is_numeric(d) and is_numeric(dtype) for d in sample[values].dtypes)
