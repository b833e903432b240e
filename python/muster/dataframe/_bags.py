"""DataFrames from bags, and bags from DataFrames."""

from muster._base import registry
from muster._base.libraries import pd
from muster.bag import _partitions
from muster.bag._bag import Bag
from muster.bag._item import node
from muster.dataframe._delayed import from_delayed
from muster.dataframe._meta import meta_object


def bag_of_frame(frame, index, format):
    """Return the rows of a collection as a bag; see `DataFrame.to_bag`."""
    if format not in ("tuple", "dict", "frame"):
        raise ValueError(f"format must be either 'tuple', 'dict' or 'frame', got {format!r}")
    parts = frame.to_delayed()
    return Bag(parts if format == "frame" else [node(_items, p, index, format, name="to_bag") for p in parts], "to_bag")


def _items(part, index, format):
    if isinstance(part, pd.DataFrame):
        if format == "dict":
            return (part.reset_index() if index else part).to_dict(orient="records")
        return list(map(tuple, part.itertuples(index)))
    if format == "dict":
        return (part.reset_index() if index else part.to_frame()).to_dict(orient="records")
    return list(part.items()) if index else list(part)


def frame_of_bag(bag, meta, columns):
    """Return the items of a bag as a DataFrame; see `Bag.to_dataframe`."""
    given = meta is not None
    if meta is None:
        head = bag.take(1, warn=False)
        if not head:
            raise ValueError("`dask.bag.Bag.to_dataframe` failed to properly infer metadata, please pass in metadata via the `meta` keyword")
        meta = pd.DataFrame(list(head), columns=columns).iloc[:0]
    else:
        meta = meta_object(meta)
    if columns is not None and list(meta.columns) != list(columns):
        raise ValueError("Can't specify both `meta` and `columns`")
    frames = [node(_partitions.frame, list(meta.columns), p, name="to-dataframe") for p in bag._parts]
    return from_delayed(frames, meta=meta, verify_meta=given)


registry.give("frame_of_bag", frame_of_bag)
