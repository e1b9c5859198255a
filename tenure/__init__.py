"""Tenure takes machine-learning models through Build, Manage, Deploy and Monitor, and closes the loop by retraining.

Tracking and registering is done with the `mlflow` client; here is only what it has no word for:

    import tenure
    tenure.seed(42)
    tenure.record_data("january.parquet")
    tenure.log_baseline("flight-delay", 3, training_rows, holdout=(late, score))
    client = tenure.Client()
    answer = client.score("flight-delay", rows)
    client.outcomes("flight-delay", late, prediction_ids=answer.prediction_ids)

Everything is loaded at its first use, so that `import tenure` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenure.sdk.baselines import log_baseline
    from tenure.sdk.client import Client
    from tenure.sdk.datasets import record_data
    from tenure.sdk.features import log_features
    from tenure.sdk.measuring import feature
    from tenure.sdk.seeds import seed

    __version__: str

__all__ = ["Client", "__version__", "feature", "log_baseline", "log_features", "record_data", "seed"]

_HOMES = {
    "Client": "client",
    "feature": "measuring",
    "log_baseline": "baselines",
    "log_features": "features",
    "record_data": "datasets",
    "seed": "seeds",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"tenure.sdk.{_HOMES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("tenure")
    raise AttributeError(f"module 'tenure' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
