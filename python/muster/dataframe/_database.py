"""A SQL database behind a URI: connections that live for one piece of work, and errors that say which, without what is secret."""

import contextlib
import os
import re

_SECRET = re.compile("pass|pwd|secret|token|key", re.IGNORECASE)  # names of options whose values nobody is shown


class Database:
    """What is needed to connect, from any process. Its URI and options stand in no repr, name or error."""

    def __init__(self, operation, uri, engine_kwargs):
        if not isinstance(uri, str):
            raise TypeError(
                f"{operation}: the database must be given as a URI, a str such as 'postgresql+psycopg://user@host/name', got {type(uri).__name__}: each "
                "partition makes a connection of its own, maybe in another process"
            )
        self.operation, self.uri, self.options, self.token = operation, uri, dict(engine_kwargs or {}), os.urandom(8).hex()
        url = library(operation).engine.make_url(uri)
        if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError(f"{operation}: '{url}' is a database in the memory of one connection, and each partition makes one of its own; name a file")

    def __dask_tokenize__(self):
        return self.token

    def __repr__(self):
        return f"<{self._shown()}>"

    def _url(self):
        return library(self.operation).engine.make_url(self.uri)

    def _shown(self):
        return self._url().set(query={}).render_as_string(hide_password=True)

    @contextlib.contextmanager
    def connection(self, work):
        """A connection with a transaction that ends with the block; what fails says that it was for `work`, a text or a function of the connection."""
        engine = connection = None
        try:
            engine = self._engine()
            with engine.begin() as connection:
                yield connection
        except Exception as error:
            self._hide(error)
            where = f"{self.operation}: {work(connection) if callable(work) else work}, {self._shown()}"
            if hasattr(error, "add_detail"):  # SQLAlchemy's, which lose their notes on the way from another process
                error.add_detail(where)
            elif error.args and isinstance(error.args[0], str):
                error.args = (f"{error.args[0]}\n{where}", *error.args[1:])
            else:
                error.add_note(where)
            raise
        finally:
            if engine is not None:
                engine.dispose()

    def _engine(self):
        sqlalchemy = library(self.operation)
        options = dict(self.options)
        if not any(name.startswith(("pool", "max_overflow")) for name in options):
            options["poolclass"] = sqlalchemy.pool.NullPool
        try:
            return sqlalchemy.create_engine(self.uri, **options)
        except ModuleNotFoundError as error:
            raise ImportError(f"{self.operation}: databases '{self._url().drivername}' need the package {error.name!r}: pip install {error.name}") from None

    def _hide(self, error):
        """Take the secrets out of the texts of an error, and of those it came from."""
        secrets = [value for value in self._secrets() if value]
        seen = set()
        while isinstance(error, BaseException) and id(error) not in seen and secrets:
            seen.add(id(error))
            error.args = tuple(_without(secrets, arg) for arg in error.args)
            inner = getattr(error, "orig", None)
            if isinstance(inner, BaseException):
                inner.args = tuple(_without(secrets, arg) for arg in inner.args)
            error = error.__cause__ or error.__context__

    def _secrets(self):
        url = self._url()
        yield url.password
        yield from (str(value) for name, value in url.query.items() if _SECRET.search(name))
        options = [*self.options.items(), *(self.options.get("connect_args") or {}).items()]
        yield from (str(value) for name, value in options if _SECRET.search(name) and not name.startswith("pool"))


def _without(secrets, text):
    if isinstance(text, str):
        for secret in secrets:
            text = text.replace(str(secret), "***")
    return text


def library(operation):
    """Return SQLAlchemy."""
    try:
        import sqlalchemy
        import sqlalchemy.engine
        import sqlalchemy.pool
    except ImportError:
        raise ImportError(f"{operation} needs SQLAlchemy, and the driver of the database: pip install sqlalchemy") from None
    return sqlalchemy
