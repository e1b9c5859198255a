"""A proxy test's own process: `python -m tenure.manage.proxy_job`, rows in through the pipe, figures out.

Scikit-learn is loaded here and nowhere else of the server; here is no key, no database and no network.
"""

from __future__ import annotations

import sys

import msgspec
import numpy as np

from tenure.records.policies import Association, ProxyFigures, ProxyOrder
from tenure.stats import proxies

DIGITS = 6


def measure(order: ProxyOrder) -> ProxyFigures:
    """The figures of one attribute, rounded so that the same rows give the same digest on every machine."""
    columns = {name: _array(values) for name, values in order.columns.items()}
    try:
        found = proxies.proxy(columns, _array(order.attribute))
    except ValueError as problem:
        return ProxyFigures(problem=str(problem))
    auc, low, high = (round(value, DIGITS) for value in (found.auc, found.low, found.high))
    return ProxyFigures(
        measure=found.measure,
        auc=auc,
        low=low,
        high=high,
        rows=found.rows,
        left_out=found.left_out,
        groups=found.groups,
        features=[
            Association(feature=one.name, measure=one.measure, value=round(one.value, DIGITS)) for one in found.alone
        ],
        folds=proxies.FOLDS,
    )


def _array(values: list[str | float | None]) -> proxies.Column:
    """Numbers as floats, NaN where none is; texts as they are."""
    if any(isinstance(value, str) for value in values):
        return np.array([None if value is None else str(value) for value in values], dtype=object)
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def main() -> None:
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=ProxyOrder)
    sys.stdout.buffer.write(msgspec.msgpack.encode(measure(order)))


if __name__ == "__main__":
    main()
