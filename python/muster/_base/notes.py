"""What is noted beside expressions, by their id: the oldest notes go where there are too many, so that what makes expressions for ever does not grow."""


class Notes:
    """A dict that forgets.

    Parameters
    ----------
    most : int
        How many notes are kept; the older half of more is forgotten.
    """

    def __init__(self, most=20_000):
        self._notes, self._most = {}, most

    def __bool__(self):
        return bool(self._notes)

    def __contains__(self, id):
        return id in self._notes

    def __setitem__(self, id, note):
        self._notes[id] = note
        if len(self._notes) > self._most:
            notes = dict(self._notes)
            self._notes = dict(list(notes.items())[len(notes) // 2 :])

    def get(self, id, default=None):
        """Return the note, `default` where there is none any more."""
        return self._notes.get(id, default)
