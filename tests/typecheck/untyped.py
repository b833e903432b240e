"""A right program whose data come from a library without types, as pandas is to mypy without its stubs; pyright's strict mode allows no such thing."""

from typing import Any

import muster.dataframe as dd


def doors(data: Any) -> None:
    series: dd.Series = dd.from_pandas(data, npartitions=2)
    frame: dd.DataFrame = dd.from_pandas(data, npartitions=2)
    frame[data].assign(x=series)[data].x.str.split(",")
    frame[data.columns].groupby(data).x.agg(data)
