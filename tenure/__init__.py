"""Tenure takes machine-learning models through Build, Manage, Deploy and Monitor, and closes the loop by retraining.

Tracking and registering is done with the `mlflow` client; here is only what it has no word for:

    import tenure
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

    __version__: str

__all__ = ["Client", "__version__", "log_baseline"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from tenure.sdk.client import Client

        return Client
    if name == "log_baseline":
        from tenure.sdk.baselines import log_baseline

        return log_baseline
    if name == "__version__":
        from importlib.metadata import version

        return version("tenure")
    raise AttributeError(f"module 'tenure' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
