"""idxmax and idxmin: index values, found as the rows they stand at, whose numbers are known only when a result leaves the engine."""

from muster.dataframe._collection import Scalar
from muster.dataframe._through_pandas import through


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
        rows = through(name, _extreme_rows, (frame,), {"name": name, "skipna": skipna}, shape="whole", kept=True)
        out = cls(rows._expr)
        out.__dict__["_labels_of"] = labels
        return out

    def _finish(self, result):
        import pandas as pd

        if self._labels_of is None:
            return result.index[0]
        return pd.Series(result.index.to_flat_index().array, index=self._labels_of)


def _extreme_rows(data, name, skipna):
    import pandas as pd

    places = getattr(data.reset_index(drop=True), name)(skipna=skipna)
    return pd.Series(False, index=data.index[[places] if data.ndim == 1 else places.to_numpy()])
