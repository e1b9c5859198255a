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
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    features = list(context["features"])
    categorical = [name for name in features if name in CATEGORICAL]
    numeric = [name for name in features if name not in CATEGORICAL]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=20)
    # Trees need no scaling: it stands for "as they are", which the data-only model format (skops) has no word for.
    columns = make_column_transformer((codes, categorical), (StandardScaler(), numeric))
    trees = HistGradientBoostingClassifier(
        max_iter=80,
        learning_rate=0.08,
        max_leaf_nodes=15,
        min_samples_leaf=60,
        l2_regularization=1.0,
        random_state=0,
    )
    return make_pipeline(columns, trees).fit(rows[features], rows["y"].astype(int))
