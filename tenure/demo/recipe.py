"""How the flight-delay model is trained: the recipe that retraining runs too.

A recipe is a plain function of a table to a fitted estimator. The operator registers it by name when the server starts
(`--recipe flight-delay=tenure.demo.recipe:fit`), so no code ever travels through the API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

CATEGORICAL = ["carrier", "origin", "dest"]
NUMERIC = [
    "sched_dep_minute",
    "sched_arr_minute",
    "weekday",
    "distance",
    "temp",
    "dewp",
    "humid",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
    "plane_age",
]
FEATURES = [*CATEGORICAL, *NUMERIC]


def fit(rows: DataFrame, context: dict[str, Any]) -> Any:
    """A fitted scikit-learn pipeline.

    Parameters
    ----------
    rows
        One row a flight: the features and the column `y` (1 when it arrived late).
    context
        `features`: the columns to use, in order.
    """
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    features = list(context["features"])
    categorical = [name for name in features if name in CATEGORICAL]
    numeric = [name for name in features if name not in CATEGORICAL]
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=20), categorical),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=500))
    return model.fit(rows[features], rows["y"].astype(int))
