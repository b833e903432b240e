"""Random rows. Which ones is drawn partition by partition, from a seed and the partition's number: a query that is computed again, or by other threads, draws
the same.
"""

from muster._base.libraries import np, pd
from muster.dataframe._through_pandas import through


def sample(self, n=None, frac=None, replace=False, random_state=None):
    """Return a random share of the rows, of each partition `frac`.

    Parameters
    ----------
    frac : float
        Share of the rows.
    replace : bool, default False
        A row may come more than once.
    random_state : int or numpy.random.RandomState, optional
        Equal ones give equal rows.

    Raises
    ------
    ValueError
        If `n` is given: the number of rows is not known before they are read.
    """
    if n is not None or frac is None:
        raise ValueError("sample does not support the number of sampled items parameter, 'n'. Please use the 'frac' parameter instead.")
    return through(
        "sample", _sampled, (self, self._partition_numbers()), {"frac": frac, "replace": replace, "seed": _seed(random_state)}, shape="partitions", kept=True,
        meta=self._meta, labels=False
    )


def random_split(self, frac, random_state=None, shuffle=False):
    """Return collections that share the rows at random in these proportions.

    Parameters
    ----------
    frac : list of float
        Shares; their sum is 1.
    random_state : int or numpy.random.RandomState, optional
    shuffle : bool, default False
        Accepted: rows keep their order.
    """
    if abs(sum(frac) - 1) > 1e-9:
        raise ValueError("frac should sum to 1")
    draw = through("random_split", _drawn, (self.index, self._partition_numbers()), {"seed": _seed(random_state)}, meta=_float_series(), labels=False)
    ends = [float(x) for x in np.cumsum([0, *frac])]
    ends[-1] = 2.0
    return [self[(draw >= low) & (draw < high)] for low, high in zip(ends[:-1], ends[1:], strict=True)]


def _seed(random_state):
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31))
    if hasattr(random_state, "integers"):
        return int(random_state.integers(2**31))
    return int(np.random.SeedSequence().entropy % 2**31) if random_state is None else int(random_state)


def _sampled(frame, numbers, frac, replace, seed):
    if not len(frame):
        return frame
    return frame.sample(frac=frac, replace=replace, random_state=(seed * 1_000_003 + int(numbers.iloc[0])) % 2**32)


def _drawn(index, numbers, seed):
    first = int(numbers.iloc[0]) if len(numbers) else 0
    return pd.Series(np.random.default_rng([seed, first]).random(len(numbers)), index=index)


def _float_series():
    return pd.Series([], dtype="float64")
