"""Columns of Python objects as bytes, for other processes."""

from muster._base.libraries import pd
from muster._base.serialize import dumps_simple

PIECE = 16_384  # objects; who needs few of a column gets the pieces that these are in


def pickled(source, places, column):
    """Return objects of a column in pieces: how many they are, whether they say something without rows, and their pickle. Called by the engine.

    Parameters
    ----------
    source : numpy.ndarray, list or pandas ExtensionArray
    places : numpy.ndarray
        Places in the source, in order.
    column : str
        What an error calls the column.

    Raises
    ------
    TypeError
        If an object cannot be pickled; it names the column and the first such object.
    """
    if isinstance(source, pd.api.extensions.ExtensionArray):  # whole: its dtype goes with it
        is_categories = isinstance(source, pd.Categorical)
        return [(len(places), is_categories, _pickle(source.take(places), column))] if len(places) or is_categories else []
    pieces = []
    for begin in range(0, len(places), PIECE):
        here = places[begin : begin + PIECE]
        objects = [source[i] for i in here] if isinstance(source, list) else source[here]
        pieces.append((len(here), False, _pickle(objects, column)))
    return pieces


def _pickle(objects, column):
    try:
        return dumps_simple(objects)
    except Exception as error:
        for value in objects:
            try:
                dumps_simple(value)
            except Exception as why:
                text = repr(value)
                raise TypeError(
                    f"column {column} cannot go to another process: its value {text if len(text) < 100 else text[:97] + '...'} is a "
                    f"{type(value).__module__}.{type(value).__qualname__} ({why})"
                ) from None
        raise TypeError(f"column {column} cannot go to another process: {error}") from None
