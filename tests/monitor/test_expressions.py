"""What people declare as SQL is one harmless scalar expression, or it is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.errors import InvalidInput
from tenure.store import expressions

COLUMNS = {
    "temp": np.array([1.0, np.nan, 3.0]),
    "carrier": np.array(["AA", None, "UA"], dtype=object),
    "score": np.array([0.2, 0.6, 0.9]),
    "Odd Name": np.array([1, 2, 3]),
    "action": np.array([False, True, True]),
    "y": np.array([True, False, True]),
}


def value(expression: str) -> list[float]:
    return expressions.evaluate(expression, COLUMNS, float, "value").tolist()  # type: ignore[no-any-return]


def test_an_expression_is_evaluated_for_each_row_in_order() -> None:
    assert value("case when action and y then 12.0 when action then -2.0 when y then -6.0 else 0 end") == [-6, -2, 12]
    assert value("12") == [12, 12, 12]
    assert value('round(score * 10) + "Odd Name" -- a comment') == [3, 8, 12]
    assert value("SCORE * 2") == [0.4, 1.2, 1.8]
    assert value("coalesce(temp, 0) + case when carrier in ('AA', 'B6') then 1 else 0 end") == [2, 0, 3]
    assert value("case when temp between 0 and 2 then 1 when carrier like 'U%' then 2 end")[2] == 2


def test_what_is_missing_stays_missing() -> None:
    assert np.isnan(value("temp")[1])
    assert expressions.evaluate("temp > 0", COLUMNS, bool, "action").tolist() == [True, False, True]
    assert expressions.evaluate("score >= 0.5", COLUMNS, bool, "action").tolist() == [False, True, True]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "score;",
        "score; drop table rows",
        "score) as outcome from rows where (true",
        "score), (1",
        "score) as outcome from rows union all select (1",
        "1 from read_csv('/etc/passwd')",
        "(select count(*) from read_csv('/etc/passwd'))",
        "read_text('/etc/passwd')",
        "(select max(score) from rows)",
        "exists (select 1)",
        "score in (select 1)",
        "sum(score)",
        "row_number() over ()",
        "getenv('HOME')",
        "current_setting('threads')",
        "set_config('threads', '4')",
        "pg_sleep(10)",
        "random()",
        "nextval('s')",
        "repeat('x', 1000000000)",
        "list_transform([1], x -> x)",
        "*",
        "columns('s.*')",
        "$1",
        "?",
        "#1",
        "rows.score",
        "unnest([1])",
        "score +",
        "no_such_column",
        "carrier * 2",
        "cast(carrier as double)",
        "'" + "x" * 5000 + "'",
    ],
)
def test_anything_else_is_refused_and_named(expression: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        value(expression)
    assert refused.value.where == "value"
    assert expression[:100] in refused.value.message


def test_columns_are_told_without_rows() -> None:
    assert expressions.check("case when action then temp else -1 end", "value") == {"action", "temp"}


@pytest.mark.parametrize("statement", ["SET threads=4", "SELECT * FROM read_text('/etc/passwd')", "ATTACH 'x.db'"])
def test_the_engine_itself_is_locked(statement: str) -> None:
    import duckdb

    with pytest.raises(duckdb.Error):
        expressions._engine().execute(statement)
