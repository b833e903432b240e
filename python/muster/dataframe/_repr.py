"""What a notebook shows of a collection: its structure, no data."""

import html

from muster._base.libraries import pd


def _dtypes(expr):
    return [name for _, name, _ in expr.columns]


def _division_index(collection):
    n = collection.npartitions
    return pd.Index(["" if d is None else d for d in collection.divisions], name=f"npartitions={n}", dtype=object)


def frame_table(df):
    """Return the pandas DataFrame of dtypes that stands for a DataFrame."""
    index = _division_index(df)
    rows = [_dtypes(df._expr)] + [["..."] * len(df._expr.columns)] * (len(index) - 1)
    table = pd.DataFrame(rows, index=index)
    table.columns = df.columns
    return table


def series_table(s):
    """Return the pandas Series of dtypes that stands for a Series."""
    index = _division_index(s)
    return pd.Series([_dtypes(s._expr)[0] if s._expr.columns else "float64"] + ["..."] * (len(index) - 1), index=index, name=s.name)


def _size(expr):
    seen, stack = set(), [expr]
    while stack:
        node = stack.pop()
        if node.id not in seen:
            seen.add(node.id)
            stack += node.inputs
    return len(seen)


def _footer(collection):
    n = _size(collection._expr)
    return f"muster Name: {collection._expr.op}, {n} expression{'s' if n != 1 else ''}"


def frame_text(df):
    return f"muster DataFrame Structure:\n{frame_table(df).to_string(max_rows=5)}\n{_footer(df)}"


def series_text(s):
    body = series_table(s).to_string(max_rows=5)
    return f"muster Series Structure:\n{body}\n{_footer(s)}"


def index_text(i):
    return f"muster Index Structure:\nnpartitions={i.npartitions}\n    {i.dtype}\n{_footer(i)}"


def _page(kind, table, collection):
    rows = table.to_html(max_rows=5, notebook=True)
    return f"<div><strong>muster {kind} Structure:</strong></div>\n{rows}\n<div>{html.escape(_footer(collection))}</div>"


def frame_html(df):
    return _page("DataFrame", frame_table(df), df)


def series_html(s):
    return _page("Series", series_table(s).to_frame(), s)


def info(self, buf=None, verbose=False, memory_usage=False):
    """Print the columns with their dtypes and numbers of values."""
    counts = self.count().compute() if verbose else None
    lines = [f"{type(self)}", f"Columns: {len(self._expr.columns)} entries" + (f", {self._labels()[0]} to {self._labels()[-1]}" if self._labels() else "")]
    for position, (label, dtype) in enumerate(self.dtypes.items()):
        lines.append(f" {position}  {label}  {'' if counts is None else f'{counts.iloc[position]} non-null  '}{dtype}")
    print("\n".join(lines), file=buf)


def to_string(self, max_rows=5):
    """Return the structure as text."""
    return (frame_table if self.ndim == 2 else series_table)(self).to_string(max_rows=max_rows)
