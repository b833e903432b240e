"""Names of the field's API that are not there yet."""


class NotThereYet(NotImplementedError, AttributeError):
    """A name that is not there yet: an error to whoever uses it, an answer to whoever asks (`hasattr` is False, `getattr` gives its default)."""


class Later:
    """Stands for a name that is not there yet: it can be imported and passed around, nothing is an instance of it, using it raises NotThereYet."""

    def __init__(self, name):
        self.__name__ = self.__qualname__ = name.rsplit(".", 1)[-1]
        self._full = name

    def _raise(self, *args, **kwargs):
        raise NotThereYet(f"{self._full} is not there yet{'' if self._full.startswith('muster.') else ' in muster'}")

    __call__ = __enter__ = __iter__ = __getitem__ = __mro_entries__ = _raise

    def __instancecheck__(self, instance):
        return False

    def __subclasscheck__(self, cls):
        return False

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._raise()

    def __reduce__(self):
        return Later, (self._full,)

    def __repr__(self):
        return f"<{self._full}: not there yet>"
