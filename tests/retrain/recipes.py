"""Recipes for tests, named to the server as `<path>:<function>`."""

from __future__ import annotations

from typing import Any


def fit(rows: Any, context: dict[str, Any]) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]), remainder="passthrough")
    return make_pipeline(columns, LogisticRegression()).fit(rows[context["features"]], rows["y"])


not_a_function = 7
