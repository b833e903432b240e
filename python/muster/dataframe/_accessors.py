"""The accessors of a Series: .str, .dt and .cat."""

import re

from muster import _core
from muster._base.libraries import np, pd
from muster._base.tokenize import tokenize
from muster._base.values import no_default
from muster._border.pandas import payload_of, series_of, unknown_categories
from muster._generated.datetime import DatetimeProperties as _DatetimeMethods
from muster.dataframe._collection import new_collection, raise_own
from muster.dataframe._patterns import read
from muster.dataframe._through_pandas import Function, Named, Slot, call, through

_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")  # of regular expressions


class _Accessor:
    """A namespace of a Series, checked by pandas' own when it is asked for."""

    _path = ()

    def __init__(self, series):
        self._series, self._expr = series, series._expr
        self._check()

    def _check(self):
        getattr(self._series._meta, self._path[0])

    def __reduce__(self):
        return type(self), (self._series,)

    def _through(self, name, args=(), kwargs=None, **options):
        return call(self._series, (*self._path, name), args, kwargs, **options)


def _member(cls, name, attribute=False, shape="rows"):
    if attribute:
        def run(self):
            return self._through(name, attribute=True, shape=shape)
    else:
        def run(self, *args, **kwargs):
            return self._through(name, args, kwargs, shape=shape)
    run.__name__, run.__qualname__ = name, f"{cls.__name__}.{name}"
    errors = "" if attribute else "Arguments and errors are pandas'. "
    run.__doc__ = f"""Return what pandas' `Series.{cls._path[0]}.{name}` returns, lazy. {errors}Runs through pandas (`explain` says ``python:rows``)."""
    return property(run, doc=run.__doc__) if attribute else run


def _members(cls, names, **options):
    for name in names.split():
        if not hasattr(cls, name):
            setattr(cls, name, _member(cls, name, **options))


class DatetimeProperties(_Accessor, _DatetimeMethods):
    """Calendar fields of a datetime, timedelta or period Series."""

    _path = ("dt",)

    @property
    def tz(self):
        """The time zone, or None."""
        return self._series._meta.dt.tz

    @property
    def freq(self):
        """The frequency, or None."""
        return self._series._meta.dt.freq

    def floor(self, freq, ambiguous="raise", nonexistent="raise"):
        """Return the times rounded down to a multiple of `freq`, such as "h" or "15min"; natively for fixed spans of times without zone."""
        return self._rounded("floor", freq, ambiguous, nonexistent)

    def ceil(self, freq, ambiguous="raise", nonexistent="raise"):
        """Return the times rounded up to a multiple of `freq`; see `floor`."""
        return self._rounded("ceil", freq, ambiguous, nonexistent)

    def round(self, freq, ambiguous="raise", nonexistent="raise"):
        """Return the times rounded to the nearest multiple of `freq`, halves to the even one; see `floor`."""
        return self._rounded("round", freq, ambiguous, nonexistent)

    def _rounded(self, how, freq, ambiguous, nonexistent):
        step = _nanoseconds(freq)
        if step > 0:
            try:
                return new_collection(_core.call("round_time", [self._expr], {"how": how, "step": step}))
            except NotImplementedError:
                pass
        return self._through(how, (freq,), {"ambiguous": ambiguous, "nonexistent": nonexistent})

    def normalize(self):
        """Return the times at midnight of their days."""
        return self.floor("D") if self._is_native("datetime64") else self._through("normalize")

    def day_name(self, locale=None):
        """Return the names of the days of the week; in English natively."""
        return self._native("day_name") if locale is None and self._is_native("datetime64") else self._through("day_name", (locale,))

    def month_name(self, locale=None):
        """Return the names of the months; in English natively."""
        return self._native("month_name") if locale is None and self._is_native("datetime64") else self._through("month_name", (locale,))

    def total_seconds(self):
        """Return the durations in seconds, float64."""
        return self._native("total_seconds") if self._is_native("timedelta64") else self._through("total_seconds")

    def _is_native(self, kind):
        return self._expr.columns[0][1].startswith(kind) and "," not in self._expr.columns[0][1]

    def _native(self, op):
        return new_collection(_core.call(op, [self._expr], {}))

    def isocalendar(self):
        """Return year, week and day of the ISO calendar, a DataFrame. Runs through pandas."""
        return self._through("isocalendar")

    def __getattr__(self, name):
        raise_own(self, name)
        raise AttributeError(f"'DatetimeProperties' object has no attribute {name!r}")


_members(DatetimeProperties, "strftime to_period to_pydatetime to_pytimedelta to_timestamp tz_convert tz_localize as_unit")
_members(DatetimeProperties, "components date end_time qyear start_time time timetz week weekofyear", attribute=True)


def _nanoseconds(freq):
    """The length of a fixed frequency; 0 for others, which pandas judges."""
    try:
        offset = pd.tseries.frequencies.to_offset(freq)
    except ValueError:
        return 0
    return offset.n * 86_400_000_000_000 if isinstance(offset, pd.offsets.Day) else offset.nanos if isinstance(offset, pd.offsets.Tick) else 0


class StringMethods(_Accessor):
    """Methods of a text Series."""

    _path = ("str",)

    def __getitem__(self, key):
        if isinstance(key, int) and not isinstance(key, bool):
            return self.get(key)
        if self._is_text() and isinstance(key, slice):
            return self.slice(key.start, key.stop, key.step)
        return through("str[]", _item, (self._series, key))

    def split(self, pat=None, n=-1, expand=False, **kwargs):
        """Return the parts of each text, lists; with expand=True a DataFrame of n + 1 columns, natively where `pat` is a plain text."""
        plain = (
            self._is_text() and isinstance(pat, str) and pat and not kwargs.get("regex") and set(kwargs) <= {"regex"}
            and (len(pat) == 1 or "regex" in kwargs and kwargs["regex"] is not None)
        )
        if plain and expand and isinstance(n, int) and n > 0:
            return new_collection(_core.call("text_split", [self._expr], {"text": pat, "n": n}))
        if plain and not expand and (n is None or isinstance(n, int)):
            most = n if n and n > 0 else None
            lists = through("str.split", _pieces, (self._series, pat, most or -1))
            lists._cut = self._expr, pat, most
            return lists
        return self._split("split", pat, n, expand, kwargs)

    def rsplit(self, pat=None, n=-1, expand=False, **kwargs):
        """Return the parts of each text, split from the right; see `split`. Runs through pandas."""
        return self._split("rsplit", pat, n, expand, kwargs)

    def _split(self, name, pat, n, expand, kwargs):
        if not expand:
            return self._through(name, (), {"pat": pat, "n": n, "expand": False, **kwargs})
        if n is None or n <= 0:
            raise NotImplementedError(f"{name}: to use expand=True, the number of splits must be given: n=")
        meta = pd.DataFrame({i: pd.Series([], dtype=self._series._meta.dtype) for i in range(n + 1)})
        return through(f"str.{name}", _expanded, (self._series,), {"name": name, "n": n, "pat": pat, **kwargs}, meta=meta)

    def _native(self, op, text=None):
        return new_collection(_core.call("text", [self._expr], {"op": op, "text": text}))

    def _is_text(self):
        return self._expr.columns[0][1] == "str"

    def contains(self, pat, case=True, flags=0, na=no_default, regex=True):
        """Return whether each text holds a pattern; natively for most patterns.

        Parameters
        ----------
        pat : str
        case : bool, default True
        flags : int
            Of the module re.
        na : scalar, optional
            For missing values; default False.
        regex : bool, default True
            Whether `pat` is a regular expression.
        """
        if self._is_text() and case and not flags and na in (no_default, False) and isinstance(pat, str) and (not regex or not _SPECIAL.search(pat)):
            return self._native("contains", pat)
        return self._tested("contains", pat, case, flags, na, {"regex": regex}, native=regex)

    def match(self, pat, case=no_default, flags=no_default, na=no_default):
        """Return whether each text begins with a match of a regular expression; arguments as of `contains`."""
        return self._tested("match", pat, case, flags, na)

    def fullmatch(self, pat, case=True, flags=0, na=no_default):
        """Return whether each text is a match of a regular expression; arguments as of `contains`."""
        return self._tested("fullmatch", pat, case, flags, na)

    def _tested(self, op, pat, case, flags, na, kwargs=None, native=True):
        if native and case in (no_default, True) and flags in (no_default, 0) and (na is no_default or na is False):
            found = self._matched(op, pat)
            if found is not None:
                return found
        given = {"case": case, "flags": flags, "na": na, **(kwargs or {})}
        return self._through(op, (pat,), {name: value for name, value in given.items() if value is not no_default})

    def count(self, pat, flags=0):
        """Return how many matches of a regular expression each text holds; natively for most patterns."""
        found = None if flags else self._matched("count", pat)
        return self._through("count", (pat,), {"flags": flags}) if found is None else found

    def extract(self, pat, flags=0, expand=True):
        """Return the groups of the first match of a regular expression, a column each; natively for most patterns.

        Parameters
        ----------
        pat : str
            With at least one group; names of groups are labels.
        flags : int
            Of the module re.
        expand : bool, default True
            False: a Series for a single group.
        """
        found = self._matched("extract", pat) if not flags and expand is True else None
        return self._through("extract", (pat,), {"flags": flags, "expand": expand}) if found is None else found

    def _matched(self, op, pat, by=None):
        """What the engine makes of a regular expression; None where it is left to pandas."""
        known = read(pat) if isinstance(pat, str) and self._is_text() else None
        if known is None or known.empty and op in ("count", "replace") or op == "extract" and not known.names:
            return None
        if op == "count" and known.before:  # pandas looks at the text behind the match before as if it were all
            return None
        kwargs = {"regex": True} if op in ("contains", "replace") else {}
        function = Function(Named("str", op), f"str.{op}", [("series", [None])], (Slot(0), pat, *([] if by is None else [by])), kwargs)
        args = {
            "op": op, "pattern": pat, "literal": known.literal, "ascii": known.ascii, "line": known.line, "by": by,
            "labels": known.names if op == "extract" else []
        }
        try:
            return new_collection(_core.call("text_pattern", [self._expr], {**args, "func": _core.object(function, f"text-{op}-{tokenize(pat, by)}")}))
        except NotImplementedError:
            return None

    def startswith(self, pat, na=no_default):
        """Return whether each text begins with `pat`, a text or tuple of texts."""
        if self._is_text() and isinstance(pat, str) and na in (no_default, False):
            return self._native("startswith", pat)
        return self._through("startswith", (pat,), {} if na is no_default else {"na": na})

    def endswith(self, pat, na=no_default):
        """Return whether each text ends with `pat`, a text or tuple of texts."""
        if self._is_text() and isinstance(pat, str) and na in (no_default, False):
            return self._native("endswith", pat)
        return self._through("endswith", (pat,), {} if na is no_default else {"na": na})

    def lower(self):
        """Return the texts in lower case; ASCII natively, others as Python has them."""
        return self._case("lower")

    def upper(self):
        """Return the texts in upper case; ASCII natively, others as Python has them."""
        return self._case("upper")

    def _case(self, op):
        if not self._is_text():
            return self._through(op)
        return new_collection(_core.call("text", [self._expr], {"op": op, "func": _in_python(op)}))

    def strip(self, to_strip=None):
        """Return the texts without white space, or the characters in `to_strip`, at both ends; natively for ASCII."""
        return self._stripped("strip", to_strip)

    def lstrip(self, to_strip=None):
        """Return the texts without white space, or the characters in `to_strip`, in front; natively for ASCII."""
        return self._stripped("lstrip", to_strip)

    def rstrip(self, to_strip=None):
        """Return the texts without white space, or the characters in `to_strip`, at the end; natively for ASCII."""
        return self._stripped("rstrip", to_strip)

    def _stripped(self, op, drop):
        if self._is_text() and (drop is None or isinstance(drop, str) and drop and drop.isascii()):
            return self._part(op, text=drop, func=None if drop else _in_python(op))
        return self._through(op, (drop,))

    def slice(self, start=None, stop=None, step=None):
        """Return the characters from `start` up to `stop` of each text; counted from the end where negative; natively for step 1."""
        if self._is_text() and step in (None, 1) and all(x is None or isinstance(x, int) for x in (start, stop)):
            return self._part("slice", start=start, stop=stop)
        return self._through("slice", (start, stop, step))

    def get(self, i):
        """Return character `i` of each text, missing where there is none; of lists and the like their element."""
        if isinstance(i, int) and i >= 0 and (cut := getattr(self._series, "_cut", None)):  # no lists are made for one of their elements
            expr, mark, most = cut
            return new_collection(_core.call("text_part", [expr], {"op": "split", "text": mark, "start": i, "stop": most}))
        return self._part("get", start=i) if self._is_text() and isinstance(i, int) else self._through("get", (i,))

    def removeprefix(self, prefix):
        """Return the texts without `prefix` in front."""
        return self._part("removeprefix", text=prefix) if self._is_text() and isinstance(prefix, str) else self._through("removeprefix", (prefix,))

    def removesuffix(self, suffix):
        """Return the texts without `suffix` at the end."""
        return self._part("removesuffix", text=suffix) if self._is_text() and isinstance(suffix, str) else self._through("removesuffix", (suffix,))

    def _part(self, op, **kwargs):
        return new_collection(_core.call("text_part", [self._expr], {"op": op, **kwargs}))

    def replace(self, pat, repl=None, n=-1, case=None, flags=0, regex=False):
        """Return the texts with `pat` replaced; natively all of a plain text, and all matches of most regular expressions.

        Parameters
        ----------
        pat : str, compiled pattern or dict
        repl : str or callable
        n : int, default -1
            At most so many in each text; -1: all.
        case, flags
            Of a regular expression.
        regex : bool, default False
            Whether `pat` is a regular expression.
        """
        if self._is_text() and isinstance(pat, str) and pat and isinstance(repl, str) and n == -1 and case in (None, True) and not flags and not regex:
            return new_collection(_core.call("text_replace", [self._expr], {"text": pat, "by": repl}))
        if regex is True and isinstance(repl, str) and "\\" not in repl and n == -1 and case in (None, True) and not flags:  # backslashes name groups
            found = self._matched("replace", pat, repl)
            if found is not None:
                return found
        return self._through("replace", (pat, repl), {"n": n, "case": case, "flags": flags, "regex": regex})

    def len(self):
        """Return the number of characters of each text; of lists and the like of their elements."""
        return self._native("len") if self._is_text() else self._through("len")

    def partition(self, sep=" ", expand=True):
        """Return the text in front of the first `sep`, `sep`, and the text behind, a DataFrame; with expand=False tuples. Runs through pandas."""
        return self._parted("partition", sep, expand)

    def rpartition(self, sep=" ", expand=True):
        """Return the text in front of the last `sep`, `sep`, and the text behind; see `partition`. Runs through pandas."""
        return self._parted("rpartition", sep, expand)

    def _parted(self, name, sep, expand):
        if not expand:
            return self._through(name, (sep,), {"expand": False})
        meta = pd.DataFrame({i: pd.Series([], dtype=self._series._meta.dtype) for i in range(3)})
        return through(f"str.{name}", _parts, (self._series, name, sep), meta=meta)

    def cat(self, others=None, sep=None, na_rep=None, join="left"):
        """Return the texts joined with `others` row by row; without `others` one text of all rows. Runs through pandas."""
        if others is None:
            return self._through("cat", (), {"sep": sep, "na_rep": na_rep}, shape="whole")
        return self._through("cat", (others,), {"sep": sep, "na_rep": na_rep, "join": join})

    def extractall(self, pat, flags=0):
        """Return all matches of a pattern, a row each, with the match's number in the index. Runs through pandas."""
        return self._through("extractall", (pat,), {"flags": flags}, shape="partitions")


def _in_python(op):
    """The method as a function of the engine's, for texts that only Python knows."""
    return _core.object(Function(Named("str", op), f"str.{op}", [("series", [None])], (Slot(0),), {}), f"text-{op}")


def _item(series, key):
    return series.str[key]


def _parts(series, name, sep):
    return getattr(series.str, name)(sep).reindex(columns=range(3)).astype(series.dtype)


def _pieces(series, mark, most):
    lists = np.full(len(series), np.nan, dtype=object)
    _core.split_texts(payload_of(series.array, "str"), mark, most, lists)
    return series_of(lists, series.index, series.name)


def _expanded(series, name, n, **kwargs):
    parts = getattr(series.str, name)(n=n, expand=True, **kwargs)
    return parts.reindex(columns=range(n + 1)).astype(series.dtype)


_members(
    StringMethods,
    "capitalize casefold center contains decode encode endswith find findall get index isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace "
    "istitle isupper join len ljust lower lstrip normalize pad removeprefix removesuffix repeat replace rfind rindex rjust rstrip slice slice_replace "
    "startswith strip swapcase title translate upper wrap zfill",
)


class CategoricalMethods(_Accessor):
    """Categories of a categorical Series."""

    _path = ("cat",)

    @property
    def known(self):
        """Whether the categories are known before the data is read."""
        return not self._series._meta.cat.categories.equals(unknown_categories())

    @property
    def categories(self):
        """The categories, a pandas Index."""
        if not self.known:
            raise NotImplementedError(
                "`df.column.cat.categories` with unknown categories is not supported.  Please use `column.cat.as_known()` or `df.categorize()` beforehand to "
                "ensure known categories"
            )
        return self._series._meta.cat.categories

    @property
    def ordered(self):
        """Whether the categories have an order."""
        return self._series._meta.cat.ordered

    def as_known(self, **kwargs):
        """Return the Series with known categories; they are learnt by reading the data once."""
        if self.known:
            return self._series
        present = self._series.drop_duplicates().compute()
        categories, ordered = present.array.remove_unused_categories().categories, self.ordered
        if not ordered:
            try:
                categories = categories.sort_values()
            except TypeError:  # of values without an order: pandas' own, by types or as they appear
                categories = present.dropna().astype(object).astype("category").cat.categories
        return through("astype", _astype, (self._series,), {"dtype": pd.CategoricalDtype(categories, ordered)})

    def as_unknown(self):
        """Return the Series with categories that are known only when the data is read."""
        return through(
            "as_unknown", _itself, (self._series,), meta=pd.Series([], dtype=pd.CategoricalDtype(unknown_categories(), self.ordered), name=self._series.name)
        )

    def remove_unused_categories(self):
        """Return the Series with the categories that occur."""
        present = self._series.drop_duplicates().compute().cat.remove_unused_categories().cat.categories
        return self._through("set_categories", (list(self.categories[self.categories.isin(present)]) if self.known else present,))


def _astype(series, dtype):
    return series.astype(dtype)


def _itself(series):
    return series


_members(CategoricalMethods, "codes", attribute=True)
_members(CategoricalMethods, "add_categories as_ordered as_unordered remove_categories rename_categories reorder_categories set_categories")
