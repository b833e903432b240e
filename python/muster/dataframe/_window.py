"""Moving windows and groups by time span. Windows of numbers are the engine's for the functions it has; what else there is runs through pandas."""

import math

from muster import _core
from muster._base.libraries import pd
from muster._base.values import plain_label
from muster._border.pandas import sample_of
from muster.dataframe._ascending import order_of
from muster.dataframe._collection import new_collection
from muster.dataframe._known_index import note_frequency
from muster.dataframe._overlap import overlapped
from muster.dataframe._through_pandas import through

_TRIED_ROWS = 100
_BINNED = "sum count min max mean".split()  # functions of a bin that those of its pieces tell
_IN_BINS = frozenset("sum count min max mean first last std var median size nunique prod".split())  # that the engine aggregates by bin
_OF_ONE = {"count": "sum", "size": "sum", "nunique": "sum", "std": "first", "var": "first", "median": "first"}  # what leaves one value as it is, of others
_COUNTS, _BY_ORDER = frozenset(["count", "size", "nunique"]), frozenset(["first", "last"])
_NUMBERS = frozenset(["float64", "int64", "bool"])
_COUNTED = _NUMBERS | frozenset("float32 int8 int16 int32 uint8 uint16 uint32 uint64 str datetime64[s] datetime64[us] datetime64[ns]".split())
_CALENDAR = {"Day", "Week", "MonthBegin", "MonthEnd", "QuarterBegin", "QuarterEnd", "YearBegin", "YearEnd"}  # that no bin of theirs has a part of a day
_MOST_PIECES = 64  # of a span
_NATIVE = "sum mean count min max var std".split()  # functions of windows in the engine


def _applied(data, maker, options, function, args, kwargs, select):
    made = getattr(data, maker)(**options)
    if select is not None:
        made = made[select]
    return getattr(made, function)(*args, **kwargs)


class _Grouped:
    """What windows and time spans share: a maker, its options, and aggregations by name."""

    _maker, _shape = "", "whole"

    def __init__(self, frame, options, select=None):
        self._frame, self._options, self._select = frame, {k: v for k, v in options.items() if v is not None}, select
        getattr(_sample(frame), self._maker)(**self._options)  # pandas checks the options

    def _aggregate(self, function, args, kwargs, real=False):
        return through(
            f"{self._maker}.{function}", _applied, (self._frame,), self._arguments(function, args, kwargs), shape=self._shape_of(function), real=real
        )

    def _arguments(self, function, args, kwargs):
        kwargs = {k: v for k, v in kwargs.items() if k not in ("split_every", "split_out")}
        return {"maker": self._maker, "options": self._options, "function": function, "args": tuple(args), "kwargs": kwargs, "select": self._select}

    def _shape_of(self, function):
        return self._shape

    def agg(self, func=None, *args, **kwargs):
        """Return several aggregates. Runs through pandas, but for one by name, and bins of lists and dicts of names."""
        if isinstance(func, str) and func in type(self).__dict__:
            return getattr(self, func)(*args, **kwargs)
        return self._aggregate("agg", (func, *args) if func is not None else args, kwargs, real=callable(func))

    aggregate = agg

    def __getitem__(self, key):
        return type(self)._of(self._frame, self._options, key)

    def __getattr__(self, name):
        if not name.startswith("_") and self._frame.ndim == 2 and name in self._frame:
            return self[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute {name!r}")


def _ticks(window, times):
    """A time span in the unit of the times."""
    unit = getattr(getattr(times, "dt", times), "unit", None)
    if unit is None:
        raise NotImplementedError(f"rolling: {window!r} by what are no times")
    return pd.Timedelta(pd.tseries.frequencies.to_offset(window).nanos).as_unit(unit)._value


def _sample(frame):
    sample = sample_of(frame._expr)
    return sample if not isinstance(sample.index, pd.DatetimeIndex) else sample.set_axis(pd.date_range("2000", periods=len(sample)), axis=0)


def _member(cls, name, doc=None):
    def run(self, *args, **kwargs):
        return self._aggregate(name, args, kwargs, real=name == "apply")

    run.__name__, run.__qualname__ = name, f"{cls.__name__}.{name}"
    run.__doc__ = doc or f"""Return what pandas' `{cls.__name__}.{name}` returns, lazy. Runs through pandas (`explain` says ``python:whole``)."""
    setattr(cls, name, run)


def _native_doc(function, what, values):
    more = ""
    if function in ("var", "std"):
        more = """
    ddof : int, default 1
        What is taken off the number of values that sums of squares are divided by."""
    return f"""Return the {what} of each row's window, float64, lazy.

    Parameters
    ----------
    numeric_only : bool, default False
        True is pandas' work, as are windows by time that are centred, and columns that the engine only carries.{more}

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> s = dd.from_pandas(pd.Series([1, 2, 4, 4]), npartitions=2)
    >>> s.rolling(2).{function}().compute().tolist()
    {values}
    """


class Rolling(_Grouped):
    """Moving windows over rows; results stay beside the rows. Each partition is told the rows of its neighbours that its windows reach."""

    _maker, _shape = "rolling", "beside"

    def __init__(self, frame, options, select=None):
        super().__init__(frame, options, select)
        self.window, self.min_periods = options["window"], options.get("min_periods")
        self.center, self.win_type = options.get("center", False), options.get("win_type")

    def _shape_of(self, function):
        fewer = self._options.get("step") not in (None, 1)
        return "whole" if fewer or function in ("cov", "corr") and self._frame.ndim == 2 else self._shape  # a row for each pair of columns

    def _aggregate(self, function, args, kwargs, real=False):
        if function in _NATIVE and not args and set(kwargs) <= ({"ddof", "numeric_only"} if function in ("var", "std") else {"numeric_only"}):
            try:
                return self._native(function, **kwargs)
            except NotImplementedError:  # pandas answers
                pass
        reach = self._reach()
        if reach is None or self._shape_of(function) == "whole" or any(hasattr(a, "_expr") for a in (*args, *kwargs.values())):
            return super()._aggregate(function, args, kwargs, real)
        return self._near(function, args, kwargs, reach)

    def _native(self, function, ddof=1, numeric_only=False):
        """An aggregate of windows in the engine."""
        options, frame, on = dict(self._options), self._frame, self._options.get("on")
        window, closed = options.pop("window"), options.pop("closed", "right")
        center, least = bool(options.pop("center", False)), options.pop("min_periods", None)
        if options.pop("step", 1) != 1 or set(options) - {"on"} or numeric_only is not False or not pd.api.types.is_integer(ddof) or ddof < 0:
            raise NotImplementedError(f"rolling.{function}: these options")
        if self._select is not None:
            frame = frame[self._with_times(self._select)]
        arguments = {"function": function, "left": closed in ("left", "both"), "right": closed in ("right", "both"), "ddof": int(ddof)}
        if on is not None:
            labels = frame._labels()
            if labels.count(on) != 1 or self._select == on:
                raise NotImplementedError(f"rolling.{function}: on={on!r}")
            arguments["on"] = labels.index(on)
        if pd.api.types.is_integer(window):
            arguments.update(window=int(window), min_periods=int(window if least is None else least))
        else:
            arguments.update(span=_ticks(window, frame._meta.index if on is None else frame._meta[on]), what="index" if on is None else str(on))
            arguments["min_periods"] = 1 if least is None else int(least)
        if center:
            arguments["offset"] = (int(window) - 1) // 2 if "window" in arguments else 0
        out = new_collection(_core.call("rolling", [frame._expr], arguments))
        return out if on is None or self._select is None or isinstance(self._select, list) else out[self._select]

    def _with_times(self, select):
        """The columns selected, and behind them that of the times."""
        on = self._options.get("on")
        if on is None:
            return select
        selected = select if isinstance(select, list) else [select]
        return selected if on in selected else [*selected, on]

    def _near(self, function, args, kwargs, reach):
        """An aggregate of windows that need a few rows of neighbouring partitions."""
        given = self._arguments(function, args, kwargs)
        try:
            meta = _applied(_sample(self._frame), **given)
        except Exception:  # a user's function, that made-up rows say nothing to
            meta = _applied(self._frame.head(_TRIED_ROWS, compute=False).compute(), **given)
        before, after = reach
        on = self._options.get("on")
        place = None if on is None else self._frame._labels().index(on)
        return overlapped(
            f"{self._maker}.{function}", _applied, (self._frame,), given, before, after, meta, on=place,
            labels=function in ("apply", "agg") or not isinstance(before, int)
        )

    def _reach(self):
        """How far windows reach to the front and to the back; None where that is not known."""
        window, center = self.window, bool(self.center)
        if isinstance(window, int) and not isinstance(window, bool) and window >= 0:
            return window, window if center else 0
        try:
            span = pd.Timedelta(window) + pd.Timedelta(1, "ns")  # closed on the left: with what is just as far
        except (TypeError, ValueError):
            return None
        return span, span if center else 0

    @classmethod
    def _of(cls, frame, options, key):
        return cls(frame, options, key)


def _binned(pieces, function, options, like):
    """What pandas makes of aggregates of pieces of time, of which each bin has whole ones; a mean is one of sums and counts side by side."""
    bins = pieces.resample(**options)
    if function != "mean":
        return getattr(bins, "sum" if function == "count" else function)()
    both = bins.sum()
    means = both.iloc[:, ::2] / both.iloc[:, 1::2].to_numpy()
    return means.iloc[:, 0].rename(like.name) if like.ndim == 1 else means.set_axis(like.columns, axis=1)


def _filled(bins, functions, options):
    """What pandas makes of bins that have rows, a row for each: those between them, and their labels. `functions`: of one value, of all columns or of each."""
    all_bins = bins.resample(**options)
    if isinstance(functions, str):
        return getattr(all_bins, functions)()
    made = {f: getattr(all_bins, f)() for f in dict.fromkeys(functions)}
    return pd.concat([made[f].iloc[:, [i]] for i, f in enumerate(functions)], axis=1) if len(made) > 1 else made[functions[0]]


def _names_of(function, args, kwargs, selected):
    """The aggregates that a call asks for, a set; None where the engine has not all of them, or not with these arguments."""
    if function == "agg":
        given = args[0] if len(args) == 1 and not kwargs else None
        if isinstance(given, dict) and selected.ndim == 2:
            given = [f for functions in given.values() for f in ([functions] if isinstance(functions, str) else functions)]
        elif not isinstance(given, list):
            return None
        return set(given) if given and all(isinstance(f, str) and f in _IN_BINS and f != "size" for f in given) else None
    if function == "ohlc":
        return {"first", "max", "min", "last"} if selected.ndim == 1 and not args and not kwargs else None
    if args or set(kwargs) - ({"ddof"} if function in ("var", "std") else set()):
        return None
    return {function} if function in _IN_BINS else None


class Resampler(_Grouped):
    """Rows grouped by time span of a datetime index: the engine finds the bin of each row and aggregates these; bins without rows, and labels, are pandas'."""

    _maker = "resample"

    def __init__(self, frame, rule, options, select=None):
        super().__init__(frame, {"rule": rule, **options}, select)

    def _aggregate(self, function, args, kwargs, real=False):
        out = self._in_bins(function, args, kwargs)
        if out is None:
            rounding = None if args or kwargs or function not in _BINNED else self._rounding()
            out = super()._aggregate(function, args, kwargs, real) if rounding is None else self._by_pieces(function, *rounding)
        if not self._frame.known_divisions or out._expr.kind not in ("frame", "series") or len(out._expr.index) != 1:
            return out
        ends = pd.Series(0, index=pd.DatetimeIndex([self._frame.divisions[0], self._frame.divisions[-1]])).resample(**self._options).count().index
        out = new_collection(_core.call("with_index", [out._expr, out.index.to_series()._expr], {"divisions": plain_label([ends[0], ends[-1]])}))
        note_frequency(out._expr, ends.freq)
        return out

    def _in_bins(self, function, args, kwargs):
        """An aggregate of bins that the engine finds; None where it does not know them, or does not aggregate so."""
        selected, index = self._selected(), self._frame._expr.index
        if len(index) != 1 or not index[0][1].startswith("datetime64[") or "," in index[0][1]:
            return None
        names = _names_of(function, args, kwargs, selected)
        bin_of = names and self._bin_of()
        if not bin_of:
            return None
        if names & _BY_ORDER and not order_of(self._frame._expr):  # pandas puts rows in order
            return None
        if not selected._expr.columns or {dtype for _, dtype, *_ in selected._expr.columns} - (_COUNTED if names <= _COUNTS else _NUMBERS):
            return None
        times = self._frame.index.to_series()
        first = [times.min()._expr] if bin_of.pop("of_first", False) else []
        try:
            groups = selected.groupby(new_collection(_core.call("time_bin", [times._expr, *first], bin_of)))
            if function == "ohlc":
                bins, of_each = groups.agg(open="first", high="max", low="min", close="last"), "first"
            elif function == "agg":
                bins = groups.agg(*args)
                each = args[0].values() if isinstance(args[0], dict) else [args[0]] * (1 if selected.ndim == 1 else len(selected._expr.columns))
                of_each = [_OF_ONE.get(f, f) for given in each for f in ([given] if isinstance(given, str) else given)]
            else:
                bins, of_each = getattr(groups, function)(*args, **kwargs), _OF_ONE.get(function, function)
        except (NotImplementedError, TypeError, ValueError, KeyError):  # pandas answers, or says what is wrong
            return None
        if not isinstance(of_each, str) and (bins.ndim == 1 or len(of_each) != len(bins._expr.columns)):
            return None
        return through(f"resample.{function}", _filled, (bins,), {"functions": of_each, "options": self._options}, shape="whole")

    def _bin_of(self):
        """How the engine finds the bin of a time, arguments of its operator; None where it does not."""
        options = {**self._options}
        rule, closed = pd.tseries.frequencies.to_offset(options.pop("rule")), options.pop("closed", None)
        options.pop("label", None)
        kind = type(rule).__name__
        if kind in _CALENDAR and kind != "Day":
            if closed is not None or options or rule.n != 1:
                return None
            if kind == "Week":
                return None if rule.weekday is None else {"first": (rule.weekday + 1) % 7}
            months = {"Month": 1, "Quarter": 3, "Year": 12}[kind.removesuffix("Begin").removesuffix("End")]
            edge = {1: 0, 3: getattr(rule, "startingMonth", 0), 12: getattr(rule, "month", 0)}[months]  # from January = 1 on
            return {"months": months, "first": (edge - kind.endswith("Begin")) % months}
        if (options if kind == "Day" else not isinstance(rule, pd.offsets.Tick)):  # of days pandas takes no origin
            return None
        day = pd.Timedelta(1, "D").value
        step, origin = rule.n * day if kind == "Day" else rule.nanos, options.pop("origin", "start_day")
        whole = day % step == 0
        offset = pd.Timedelta(options.pop("offset", 0)).value
        if options or origin not in ("start_day", "epoch") or closed == "right" and (kind == "Day" or not whole) or offset and not whole:
            return None
        return {"step": step, "offset": offset, "up": closed == "right", "of_first": not whole and origin == "start_day"}

    def _rounding(self):
        """How times are rounded, and to which pieces, so that each bin has whole ones and no value changes its dtype on the way; None where none are known."""
        index, columns = self._frame._expr.index, self._selected()._expr.columns
        if set(self._options) - {"rule", "closed", "label"} or len(index) != 1 or not index[0][1].startswith("datetime64[") or "," in index[0][1]:
            return None
        if not columns or {dtype for _, dtype, *_ in columns} - {"float64", "int64", "bool"}:
            return None
        rule, closed = pd.tseries.frequencies.to_offset(self._options["rule"]), self._options.get("closed")
        if not isinstance(rule, pd.offsets.Tick):
            return ("floor", "D") if type(rule).__name__ in _CALENDAR and closed is None else None
        piece = math.gcd(rule.nanos, pd.Timedelta("1D").value)
        if closed == "right":  # bins of longer spans begin with the first row's day, which is not to be rounded up
            return ("ceil", pd.Timedelta(piece, "ns")) if piece == rule.nanos else None
        return ("floor", pd.Timedelta(piece, "ns")) if piece * _MOST_PIECES >= rule.nanos else None

    def _selected(self):
        return self._frame if self._select is None else self._frame[self._select]

    def _by_pieces(self, function, rounding, piece):
        frame = self._selected()
        groups = (frame.astype("float64") if function == "mean" else frame).groupby(getattr(frame.index.to_series().dt, rounding)(piece))
        pieces = groups.agg(["sum", "count"]) if function == "mean" else getattr(groups, function)()  # of floats: sums of integers may not fit
        return through(
            f"resample.{function}", _binned, (pieces,), {"function": function, "options": self._options, "like": frame._meta.iloc[:0]}, shape="whole"
        )

    @classmethod
    def _of(cls, frame, options, key):
        options = dict(options)
        return cls(frame, options.pop("rule"), options, key)


def _binned_doc(function, values):
    more = """

    Parameters
    ----------
    ddof : int, default 1
        What is taken off the number of values that sums of squares are divided by.""" if function in ("var", "std") else ""
    return f"""Return what pandas' `Resampler.{function}` returns, lazy.{more}

    Rows are put together in the engine by bin, and bins without rows and their labels are pandas'; where the engine does not know the bins (rules as "2ME", or
    `closed` other than the rule's) by pieces of time that bins have whole ones of, if that gives the same, else by pandas, all rows in one task, as columns of
    other dtypes than float64, int64 and bool are. Dtypes are counted by `count`, `nunique` and `size` as they are.

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> times = pd.to_datetime(["2020-01-05", "2020-01-09", "2020-03-01"])
    >>> dd.from_pandas(pd.Series([1, 2, 4], index=times), npartitions=2).resample("MS").{function}().compute().tolist()
    {values}
    """


for _name in "median apply quantile skew kurt cov corr sem rank first last nunique".split():
    _member(Rolling, _name)
for _name, _what, _values in (
    ("sum", "sum", "[nan, 3.0, 6.0, 8.0]"), ("mean", "mean", "[nan, 1.5, 3.0, 4.0]"), ("count", "number of values", "[nan, 2.0, 2.0, 2.0]"),
    ("min", "smallest value", "[nan, 1.0, 2.0, 4.0]"), ("max", "largest value", "[nan, 2.0, 4.0, 4.0]"), ("var", "variance", "[nan, 0.5, 2.0, 0.0]"),
    ("std", "standard deviation", "[nan, 0.7071067811865476, 1.4142135623730951, 0.0]")
):
    _member(Rolling, _name, _native_doc(_name, _what, _values))
for _name in "quantile sem apply".split():
    _member(Resampler, _name)
_member(
    Resampler, "ohlc",
    """Return the first, largest, smallest and last value of each bin, lazy.

    Of a Series in the engine, as `first`; of a DataFrame through pandas.

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> times = pd.to_datetime(["2020-01-05", "2020-01-09", "2020-01-30"])
    >>> dd.from_pandas(pd.Series([2, 1, 4], index=times), npartitions=2).resample("MS").ohlc().compute().values.tolist()
    [[2, 4, 1, 4]]
    """
)
for _name, _values in (
    ("sum", "[3, 0, 4]"), ("count", "[2, 0, 1]"), ("min", "[1.0, nan, 4.0]"), ("max", "[2.0, nan, 4.0]"), ("mean", "[1.5, nan, 4.0]"),
    ("first", "[1.0, nan, 4.0]"), ("last", "[2.0, nan, 4.0]"), ("median", "[1.5, nan, 4.0]"), ("nunique", "[2, 0, 1]"), ("size", "[2, 0, 1]"),
    ("prod", "[2, 1, 4]"), ("var", "[0.5, nan, nan]"), ("std", "[0.7071067811865476, nan, nan]")
):
    _member(Resampler, _name, _binned_doc(_name, _values))


def rolling(self, window, min_periods=None, center=False, win_type=None, on=None, closed=None, step=None, **kwargs):
    """Return moving windows over the rows; aggregate with ``mean`` and the like, as pandas.

    Parameters
    ----------
    window : int, str or offset
        Rows, or a time span of a datetime index.
    min_periods, center, win_type, closed
        As pandas.
    """
    return Rolling(
        self, {"window": window, "min_periods": min_periods, "center": center, "win_type": win_type, "on": on, "closed": closed, "step": step, **kwargs}
    )


def resample(self, rule, closed=None, label=None, **kwargs):
    """Return groups of rows by time span of the datetime index, as pandas; aggregate with ``mean`` and the like."""
    return Resampler(self, rule, {"closed": closed, "label": label, **kwargs})
