"""idxmax and idxmin: index values, found as the rows they stand at, whose numbers are known only when a result leaves the engine."""

from muster._base import keywords
from muster._base.libraries import pd
from muster.dataframe._scalar import Scalar
from muster.dataframe._through_pandas import call, through

_ORDERED = ("bool", "int", "uint", "float", "datetime64", "timedelta64")


class Located(Scalar):
    """The index value of an extreme value; of a DataFrame a Series over its columns."""

    @classmethod
    def of(cls, frame, name, skipna, numeric_only):
        """Return the lazy index values at which `name`, "idxmax" or "idxmin", finds its values."""
        labels = None
        if frame.ndim == 2:
            if numeric_only:
                frame = frame.select_dtypes("number")
            labels = frame.columns
        rows = _extremes(frame, name) if skipna is True else None
        if rows is None:
            rows = through(name, _extreme_rows, (frame,), {"name": name, "skipna": skipna}, shape="whole", kept=True)
        out = cls(rows._expr)
        out.__dict__.update(_labels_of=labels, _name_of=name)
        return out

    def _over(self, expr):
        out = super()._over(expr)
        out.__dict__.update(_labels_of=self._labels_of, _name_of=self._name_of)
        return out

    def _finish(self, result):
        if len(result) < (1 if self._labels_of is None else len(self._labels_of)):
            raise ValueError(f"attempt to get {self._name_of.replace('idx', 'arg')} of an empty sequence")
        if result.any():
            raise ValueError("Encountered all NA values")
        if self._labels_of is None:
            return result.index[0]
        return pd.Series(result.index.to_flat_index().array, index=self._labels_of)


def _extremes(frame, name):
    """Return whether the first of one column's extreme values is missing, beside its index value; None for several columns, or a dtype that has no native
    order.
    """
    if len(frame._expr.columns) != 1 or not frame._expr.columns[0][1].startswith(_ORDERED):
        return None
    column = frame if frame.ndim == 1 else frame.iloc[:, 0]
    return (column.nlargest(1) if name == "idxmax" else column.nsmallest(1)).isna()


def _extreme_rows(data, name, skipna):
    places = getattr(data.reset_index(drop=True), name)(skipna=skipna)
    return pd.Series(False, index=data.index[[places] if data.ndim == 1 else places.to_numpy()])


def idxmax(self, axis=0, skipna=True, numeric_only=False, **kwargs):
    """Return the index value of the largest value, of each column of a DataFrame; with axis=1 the column's label of each row.

    Raises
    ------
    ValueError
        At compute, as pandas: no rows, or missing values with skipna=False.
    """
    keywords.check("idxmax", kwargs, keywords.SHAPING, ("axis", "skipna", "numeric_only"))
    return _index_of(self, "idxmax", axis, skipna, numeric_only)


def idxmin(self, axis=0, skipna=True, numeric_only=False, **kwargs):
    """Return the index value of the smallest value; see `idxmax`."""
    keywords.check("idxmin", kwargs, keywords.SHAPING, ("axis", "skipna", "numeric_only"))
    return _index_of(self, "idxmin", axis, skipna, numeric_only)


def _index_of(frame, name, axis, skipna, numeric_only):
    if axis in (1, "columns"):
        return call(frame, name, (), {"axis": 1, "skipna": skipna, "numeric_only": numeric_only})
    return Located.of(frame, name, skipna, numeric_only)
