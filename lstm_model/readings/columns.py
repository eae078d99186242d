"""Columns that say little many times: what is done to them is done once for every different value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def constant(text: str, index: pd.Index) -> pd.Series:
    """A column that says the same everywhere."""
    return pd.Series(pa.repeat(text, len(index)).to_pandas().array, index=index, dtype="str")


def by_value(column: pd.Series, change: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """What `change` makes of a column, where it looks at each cell alone."""
    codes, values = pd.factorize(column, use_na_sentinel=False)
    if 2 * len(values) > len(column):
        return change(column)
    return change(pd.Series(values, dtype=column.dtype)).take(codes).set_axis(column.index)


def numbered(beginning: str, numbers: pd.Series) -> pd.Series:
    """`beginning:number` for every number."""
    texts = pc.binary_join_element_wise(beginning, pc.cast(pa.array(numbers.to_numpy()), pa.string()), ":")
    return pd.Series(texts.to_pandas().array, index=numbers.index, dtype="str")


def month_of(times: pd.Series) -> pd.Series:
    """The month of each time as `2024-05`."""
    months = times.dt.as_unit("us").astype("int64").to_numpy().view("datetime64[us]").astype("datetime64[M]")
    codes, different = pd.factorize(months.view(np.int64))
    names = pd.Series(different.view("datetime64[M]").astype("str"), dtype="str")
    return names.take(codes).set_axis(times.index)
